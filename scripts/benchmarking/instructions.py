"""Counts the instructions of an inference on this machine: generated C, and TFLite Micro beside it.

Valgrind counts within the function that infers alone: neither start-up nor Python enters. Its
processor knows AVX2, not AVX-512.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from golden import files
from golden.importers.tflite_network import ImportedNetwork
from golden.network import IntegerNetwork
from golden.reference import Integers
from scripts.runtimes.tflite_micro import expect_tflite_micro
from scripts.simulation.c_inference import run_c

_PROCESS = Path(__file__).with_name("tflite_micro_process.py")


@dataclass(frozen=True)
class MicroUsage:
    """What TFLite Micro takes: bytes of the model and of the arena, instructions of an inference.

    Of the arena, the head holds activations, the rest structures, with this machine's pointers.
    """

    model_bytes: int
    arena_bytes: int
    arena_head_bytes: int
    instructions: int


def expect_valgrind() -> None:
    """Raise FileNotFoundError, naming the package, without valgrind."""
    if shutil.which("valgrind") is None:
        raise FileNotFoundError("valgrind: not found, install the Debian package valgrind")


def c_instructions(
    network: IntegerNetwork, inputs: npt.NDArray[np.int8], compiler: str, optimisation: str
) -> tuple[dict[str, Integers], int]:
    """Return what compiled C gives for inputs, as `run_c`, and its instructions of one, on average.

    Raises FileNotFoundError without compiler or valgrind, ValueError as `run_c` does.
    """
    expect_valgrind()
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        under = _callgrind("kws_infer", log)
        found = run_c(network, inputs, compiler, [optimisation], keeps_layers=False, under=under)
        return found, _collected(log) // len(inputs)


def tflite_micro_usage(imported: ImportedNetwork, inputs: npt.NDArray[np.int8]) -> MicroUsage:
    """Return what the whole file takes in TFLite Micro, with what follows the logits.

    Raises MissingRuntimeError without it, FileNotFoundError without valgrind, ValueError if it ends
    early.
    """
    expect_valgrind()
    expect_tflite_micro()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        files.write_bytes(folder / "model.tflite", imported.model.content)
        np.save(folder / "inputs.npy", imported.runtime_inputs(inputs))
        said = _run(
            [
                *_callgrind("*MicroInterpreter::Invoke*", folder / "log"),
                *(sys.executable, str(_PROCESS)),
                *(str(folder / "model.tflite"), str(folder / "inputs.npy")),
            ]
        )
        instructions = _collected(folder / "log") // len(inputs)
    arena = {name: int(count) for name, count in re.findall(r"allocation (\w+) (\d+) bytes", said)}
    return MicroUsage(len(imported.model.content), arena["total"], arena["head"], instructions)


def _callgrind(function: str, log: Path) -> list[str]:
    """Return the command that counts within a function of what follows it."""
    return [
        *("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"),
        *(f"--log-file={log}", f"--toggle-collect={function}"),
    ]


def _collected(log: Path) -> int:
    """Return how many instructions were counted, which are some.

    Raises ValueError if there are none: no function has the name that was looked for.
    """
    found = re.search(r"Collected : (\d+)", log.read_text())
    if found is None or found[1] == "0":
        raise ValueError("valgrind: expected to count instructions, it counted none")
    return int(found[1])


def _run(command: Sequence[str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        *_, last = ["no message", *result.stderr.splitlines()]
        raise ValueError(f"TFLite Micro: expected a model that it runs: {last}")
    return result.stderr
