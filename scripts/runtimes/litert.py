"""LiteRT: its reference kernels, its optimised ones, and XNNPACK, which it takes by default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from golden.importers.tflite_file import TfliteModel, with_outputs
from scripts.console.quiet_stderr import quiet_stderr
from scripts.runtimes.packages import expect_installed

PACKAGE = "ai-edge-litert"
REFERENCE, OPTIMISED, XNNPACK = "BUILTIN_REF", "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "AUTO"

Tensors = dict[int, npt.NDArray[Any]]


def run_litert(
    model: TfliteModel, inputs: npt.NDArray[Any], tensors: Sequence[int], kernels: str
) -> Tensors:
    """Return what the tensors named hold, `(N, elements)`, for inputs `(N, ...)`.

    `kernels` is REFERENCE, OPTIMISED or XNNPACK. Inputs have the type of the model's input.

    Raises MissingRuntimeError without the package, and ValueError for a model that it refuses.
    """
    expect_litert()
    with quiet_stderr():
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    try:
        with quiet_stderr():
            interpreter = Interpreter(
                model_content=with_outputs(model, tensors),
                experimental_op_resolver_type=OpResolverType[kernels],
            )
            interpreter.allocate_tensors()
            return _run(interpreter, inputs, tensors)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"LiteRT: expected a model that it runs: {error}") from error


def expect_litert() -> None:
    """Raise MissingRuntimeError without the package."""
    expect_installed("LiteRT", PACKAGE, "ai_edge_litert.interpreter")


def _run(interpreter: Any, inputs: npt.NDArray[Any], tensors: Sequence[int]) -> Tensors:
    (entry,) = interpreter.get_input_details()
    found: dict[int, list[npt.NDArray[Any]]] = {index: [] for index in tensors}
    for values in inputs:
        interpreter.set_tensor(entry["index"], values.reshape(entry["shape"]))
        interpreter.invoke()
        for index in tensors:
            found[index].append(interpreter.get_tensor(index).ravel())
    return {index: np.stack(values) for index, values in found.items()}
