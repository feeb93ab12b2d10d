"""Who takes part in a comparison: the runtimes that are installed, and our three rounding rules."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.typing as npt

from golden import reference
from golden.importers.tflite_network import ImportedNetwork
from golden.network import INPUT_NAME
from scripts.console.quiet_stderr import quiet_stderr
from scripts.runtimes import litert
from scripts.runtimes.packages import MissingRuntimeError
from scripts.runtimes.tflite_micro import expect_tflite_micro, run_tflite_micro

TFLITE_MICRO = "TFLite Micro"
LITERT_REFERENCE = "LiteRT reference"
LITERT_OPTIMISED = "LiteRT optimised"
XNNPACK = "XNNPACK"

INPUTS_AT_A_TIME = 32  # of the reference, whose windows take much memory

Tensors = Mapping[int, npt.NDArray[Any]]


@dataclass(frozen=True)
class Runtime:
    """`expect` raises MissingRuntimeError if it is not installed, `run` computes."""

    expect: Callable[[], None]
    run: Callable[..., Tensors]


RUNTIMES: Mapping[str, Runtime] = {
    TFLITE_MICRO: Runtime(expect_tflite_micro, run_tflite_micro),
    **{
        name: Runtime(litert.expect_litert, partial(litert.run_litert, kernels=kernels))
        for name, kernels in {
            LITERT_REFERENCE: litert.REFERENCE,
            LITERT_OPTIMISED: litert.OPTIMISED,
            XNNPACK: litert.XNNPACK,
        }.items()
    },
}


@dataclass(frozen=True)
class Participant:
    """What one of them computed: integers `q` `(N, elements)` of every tensor, by index."""

    name: str
    tensors: Tensors


def inner_tensors(imported: ImportedNetwork) -> list[int]:
    """Return the tensors that are compared, in order of computation: all but the input."""
    return [index for name, index in imported.tensors.items() if name != INPUT_NAME]


def run_runtime(
    name: str, imported: ImportedNetwork, inputs: npt.NDArray[np.int8], tensors: Sequence[int]
) -> Participant:
    """Let one of RUNTIMES compute inputs, int8 `(N, *shape)`.

    Raises MissingRuntimeError if it is not installed, ValueError if it refuses the model.
    """
    given = imported.runtime_inputs(inputs)
    return Participant(name, RUNTIMES[name].run(imported.model, given, tensors))


def run_apart(
    name: str, imported: ImportedNetwork, inputs: npt.NDArray[np.int8], tensors: Sequence[int]
) -> Participant:
    """Do as `run_runtime`, in a process of its own: a failed check of a runtime ends its process.

    Raises also ValueError where it does.
    """
    RUNTIMES[name].expect()
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    work = (sender, name, imported, inputs, tensors)
    process = context.Process(target=_send_outcome, args=work)
    process.start()
    sender.close()
    try:
        outcome: Participant | Exception = receiver.recv()
    except EOFError:
        process.join()
        code = process.exitcode or 0
        ended = signal.Signals(-code).name if code < 0 else f"status {code}"
        raise ValueError(f"{name}: its process ended with {ended} on this model") from None
    process.join()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _send_outcome(sender: Connection, name: str, *given: Any) -> None:
    try:
        with quiet_stderr():
            sender.send(run_runtime(name, *given))
    except ValueError as error:
        sender.send(error)


def run_runtimes(
    imported: ImportedNetwork, inputs: npt.NDArray[np.int8]
) -> tuple[list[Participant], list[str]]:
    """Let every runtime compute the inputs; return also why others did not."""
    found, reasons = [], []
    for name in RUNTIMES:
        try:
            found.append(run_apart(name, imported, inputs, inner_tensors(imported)))
        except (MissingRuntimeError, ValueError) as error:
            reasons.append(str(error))
    return found, list(dict.fromkeys(reasons))


def run_rule(imported: ImportedNetwork, inputs: npt.NDArray[np.int8]) -> Participant:
    """Let our reference compute the inputs by the rule that the network was imported with."""
    parts: dict[int, list[npt.NDArray[np.int8]]] = {}
    for start in range(0, len(inputs), INPUTS_AT_A_TIME):
        layers = reference.run(imported.network, inputs[start : start + INPUTS_AT_A_TIME]).layers
        for name, index in imported.tensors.items():
            if name != INPUT_NAME:
                quantised = (layers[name] + imported.zero_point(name)).astype(np.int8)
                parts.setdefault(index, []).append(quantised.reshape(len(quantised), -1))
    tensors = {index: np.concatenate(values) for index, values in parts.items()}
    return Participant(f"rule {imported.network.rounding}", tensors)
