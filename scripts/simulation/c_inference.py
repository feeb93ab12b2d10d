"""Compiles the generated C program of a network and runs fingerprints through it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from golden import files, reference
from golden.c.header import weight_header
from golden.c.program import inference_program, value_bits
from golden.network import INPUT_NAME, IntegerNetwork
from golden.reference import Integers

# An overflow would end the program; there is none, but nothing else would show it.
FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic")
SANITIZE = ("-fsanitize=undefined", "-fno-sanitize-recover=all")


def run_c(network: IntegerNetwork, fingerprints: npt.NDArray[np.int8]) -> dict[str, Integers]:
    """Return every layer of `fingerprints` `(N, *network.input_shape)` as compiled C computes it.

    Layers are int64 `(N, *shape)`, the centred fingerprints first, as `golden.reference.run` gives
    them; then `label`, the index of the largest logit, `(N,)`.

    Raises FileNotFoundError without a C compiler, ValueError if the program does not compile or
    ends early.
    """
    if shutil.which("cc") is None:
        raise FileNotFoundError("cc: not found, install the Debian packages gcc and libc6-dev")
    reference.check_fingerprints(network, fingerprints)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        files.write_text(folder / "weight.h", weight_header(network))
        files.write_text(folder / "network.c", inference_program(network))
        _run(["cc", *FLAGS, *SANITIZE, "network.c", "-o", "network"], folder, b"")
        written = _run(["./network"], folder, fingerprints.astype(np.int8).tobytes())
    sizes = [int(np.prod(network.shapes[node.name])) for node in network.nodes]
    values = np.int32 if value_bits(network) == 32 else np.int64
    table = np.frombuffer(written, values).astype(np.int64).reshape(len(fingerprints), -1)
    parts = np.split(table, np.cumsum(sizes), axis=1)
    layers = {INPUT_NAME: fingerprints.astype(np.int64) - network.input_format.zero_point}
    for node, part in zip(network.nodes, parts, strict=False):
        layers[node.name] = part.reshape(-1, *network.shapes[node.name])
    return {**layers, "label": parts[-1][:, 0]}


def _run(command: list[str], folder: Path, data: bytes) -> bytes:
    result = subprocess.run(command, cwd=folder, input=data, capture_output=True, check=False)
    if result.returncode:
        said = result.stderr.decode(errors="replace").splitlines()
        errors = [line for line in said if "error" in line]
        raise ValueError(f"{command[0]}: failed: {next(iter(errors + said), 'no message')}")
    return result.stdout
