"""Trained models as TensorFlow Lite and ONNX files: fingerprint in, probabilities out.

Their input `fingerprint` `[1][time][coefficient]` are the integers of the fingerprint as float32,
or for int8 as the file's own scale says; their output `labels_softmax` `[1][label]`. A model in
floor-shift form computes its integers in float32, exactly below 2**24.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from golden.windows import Pair
from quant_models.float_model import FloatModel
from quant_models.labelling import GRAPH_OUTPUT
from quant_models.trained_model import TrainedModel

INPUT = "fingerprint"
_OPSET = 18  # of ONNX, what runtimes of the last years take


def tflite(model: TrainedModel, grid: Pair) -> bytes:
    """Return a float32 file of TensorFlow Lite, for fingerprints of a grid."""
    return _converted(_converter(model, grid))


def int8_tflite(model: FloatModel, cases: npt.NDArray[np.int8]) -> bytes:
    """Return an int8 file of TensorFlow Lite: quantisation after training, input and output too.

    `cases` are fingerprints `[N][time][coefficient]` that the ranges of all layers are observed on.
    """
    converter = _converter(model, cases.shape[1:])

    def examples() -> Iterator[list[npt.NDArray[np.float32]]]:
        for case in cases:
            yield [case[np.newaxis].astype(np.float32)]

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = examples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return _converted(converter)


def onnx(model: TrainedModel, grid: Pair) -> bytes:
    """Return an ONNX file in float32, for fingerprints of a grid."""
    import tf2onnx  # it takes a second to load

    function = _function(model, grid)
    proto, _ = tf2onnx.convert.from_function(function, function.input_signature, opset=_OPSET)
    _settle_names(proto.graph)
    serialised: bytes = proto.SerializeToString(deterministic=True)
    return serialised


def _settle_names(graph: Any) -> None:
    """Number what tf2onnx adds in the order of its use, so that a model always gives one file.

    Its own numbers, `name__17`, change from run to run.
    """
    fixed = {each.name for each in (*graph.input, *graph.output)}
    names: dict[str, str] = {name: name for name in (*fixed, "")}

    def settled(name: str) -> str:
        if name not in names:
            stem = re.sub(r"__\d+", "", name)
            taken = set(names.values())
            numbered = (stem if number == 0 else f"{stem}_{number}" for number in count())
            names[name] = next(each for each in numbered if each not in taken)
        return names[name]

    for node in graph.node:
        node.input[:] = [settled(name) for name in node.input]
        node.output[:] = [settled(name) for name in node.output]
        node.name = node.output[0]
    for constant in graph.initializer:
        constant.name = settled(constant.name)
    constants = sorted(graph.initializer, key=lambda constant: constant.name)
    del graph.initializer[:], graph.value_info[:]
    graph.initializer.extend(constants)


def _function(model: TrainedModel, grid: Pair) -> Any:
    @tf.function(input_signature=[tf.TensorSpec((1, *grid), tf.float32, name=INPUT)])
    def label(fingerprint: Any) -> dict[str, Any]:
        return {GRAPH_OUTPUT: tf.nn.softmax(model(fingerprint) * model.logit_scale)}

    return label


def _converter(model: TrainedModel, grid: Pair) -> Any:
    frozen = convert_variables_to_constants_v2(_function(model, grid).get_concrete_function())
    return tf.lite.TFLiteConverter.from_concrete_functions([frozen], model)


def _converted(converter: Any) -> bytes:
    with warnings.catch_warnings():
        # It warns of ranges "expected, but not specified", which are those that it observes.
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs")
        converted: bytes = converter.convert()
    return converted
