"""Frozen float32 files in other runtimes: the values that go into their softmax, and its shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest

from golden.importers.tflite_file import parse_tflite
from scripts.runtimes import litert
from scripts.runtimes.packages import MissingRuntimeError
from tests.conftest import IN_CI

Fingerprints = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float32]
Run = Callable[[bytes, Fingerprints], tuple[Floats, Floats]]


def _litert(kernels: str) -> Run:
    def run(content: bytes, fingerprints: Fingerprints) -> tuple[Floats, Floats]:
        model = parse_tflite(content)
        (softmax,) = (each for each in model.operators if each.kind == "SOFTMAX")
        wanted = softmax.inputs[0], model.outputs[0]
        try:
            found = litert.run_litert(model, fingerprints.astype(np.float32), wanted, kernels)
        except MissingRuntimeError as error:
            pytest.fail(str(error)) if IN_CI else pytest.skip(str(error))
        return found[wanted[0]], found[wanted[1]]

    return run


def _onnxruntime(content: bytes, fingerprints: Fingerprints) -> tuple[Floats, Floats]:
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model)
    (softmax,) = (node for node in model.graph.node if node.op_type == "Softmax")
    (entry,), (result,) = model.graph.input, model.graph.output
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(softmax.input[0]))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    given = fingerprints.astype(np.float32)[:, np.newaxis]  # one by one
    rows = [session.run([softmax.input[0], result.name], {entry.name: each}) for each in given]
    logits, shares = (np.concatenate(each) for each in zip(*rows, strict=True))
    return logits, shares


# A runtime -> the format that freeze.py writes for it, and how it is run.
RUNTIMES: Mapping[str, tuple[str, Run]] = {
    "LiteRT reference": ("tflite", _litert(litert.REFERENCE)),
    "XNNPACK": ("tflite", _litert(litert.XNNPACK)),
    "onnxruntime": ("onnx", _onnxruntime),
}
