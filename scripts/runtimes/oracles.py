"""Which runtime a rounding rule follows, and our reference compared with it without tolerance."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from golden import reference
from golden.comparison import compare, comparing
from golden.exports.evidence import Rung
from golden.importers.tflite_network import ImportedNetwork
from golden.network import INPUT_NAME
from scripts.runtimes import litert, tflite_micro
from scripts.runtimes.participants import (
    LITERT_REFERENCE,
    TFLITE_MICRO,
    Participant,
    inner_tensors,
    run_runtime,
)

# A rule -> who computes so, and the package that brings it. `single` is nobody's in every value.
ORACLES: Mapping[str, tuple[str, str]] = {
    "tflm": (TFLITE_MICRO, tflite_micro.PACKAGE),
    "litert": (LITERT_REFERENCE, litert.PACKAGE),
}


def compare_with_oracle(
    imported: ImportedNetwork,
    inputs: npt.NDArray[np.int8],
    rule: str,
    run: Callable[..., Participant] = run_runtime,
) -> Rung:
    """Compare every tensor of inputs `(N, *shape)` with the runtime that follows one of ORACLES.

    `run` is `run_runtime`, or `run_apart` where the runtime must not end this process.

    Raises Mismatch at the first difference, MissingRuntimeError if it is not installed, ValueError
    if it refuses the model.
    """
    name, _ = ORACLES[rule]
    computed = run(name, imported, inputs, inner_tensors(imported))
    layers = reference.run(imported.network, inputs).layers
    expected, found = {}, {}
    for node, index in imported.tensors.items():
        if node != INPUT_NAME:
            expected[node] = layers[node] + imported.zero_point(node)
            found[node] = computed.tensors[index].reshape(expected[node].shape)
    with comparing(f"golden.reference and {name}"):
        return Rung("golden.reference", name, compare(found, expected, batched=True))
