"""TensorFlow Lite Micro: what a microcontroller computes, by its reference kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from golden.importers.tflite_file import TfliteModel, with_outputs
from scripts.console.quiet_stderr import quiet_stderr
from scripts.runtimes.packages import expect_installed

PACKAGE = "tflite-micro"

Tensors = dict[int, npt.NDArray[Any]]


def run_tflite_micro(
    model: TfliteModel, inputs: npt.NDArray[Any], tensors: Sequence[int]
) -> Tensors:
    """Return what the tensors named hold, `(N, elements)`, for inputs `(N, ...)`.

    Inputs have the type of the model's input.

    Raises MissingRuntimeError without the package, and ValueError for a model that it refuses.
    """
    expect_tflite_micro()
    with quiet_stderr():
        from tflite_micro.python.tflite_micro import runtime
    try:
        with quiet_stderr():
            interpreter = runtime.Interpreter.from_bytes(with_outputs(model, tensors))
            return _run(interpreter, inputs, tensors)
    except RuntimeError as error:
        raise ValueError(f"TFLite Micro: expected a model that it runs: {error}") from error


def expect_tflite_micro() -> None:
    """Raise MissingRuntimeError without the package."""
    expect_installed("TFLite Micro", PACKAGE, "tflite_micro.python.tflite_micro")


def _run(interpreter: Any, inputs: npt.NDArray[Any], tensors: Sequence[int]) -> Tensors:
    shape = tuple(interpreter.get_input_details(0)["shape"])
    found: dict[int, list[npt.NDArray[Any]]] = {index: [] for index in tensors}
    for values in inputs:
        interpreter.set_input(values.reshape(shape), 0)
        interpreter.invoke()
        for place, index in enumerate(tensors):
            found[index].append(interpreter.get_output(place).ravel())
    return {index: np.stack(values) for index, values in found.items()}
