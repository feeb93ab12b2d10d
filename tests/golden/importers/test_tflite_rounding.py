"""Our integers and those of TFLite Micro and of LiteRT's reference kernels: 0 differences.

Models that TensorFlow's converter makes here, and single operators under scales that it would never
choose, so that every value and every rounding of a factor is met.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache

import keras
import numpy as np
import pytest
import tflite
from keras import layers

from golden import reference
from golden.comparison import Mismatch
from golden.importers.tflite_file import parse_tflite
from golden.importers.tflite_network import import_tflite
from golden.nodes import Requantise
from golden.requantisation import fixed_point, requantise
from tests.tflite_models import NETWORKS, convert, converted, network, randomised
from tests.tflite_oracles import compare, each_oracle
from tests.tflite_patches import with_kind, with_scale, with_zero_point

RELU, QUANTIZE = tflite.BuiltinOperator.RELU, tflite.BuiltinOperator.QUANTIZE


@each_oracle
@pytest.mark.parametrize("per_tensor", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_tensor_of_a_fresh_model_is_equal(name: str, per_tensor: bool, rounding: str) -> None:
    compared = compare(converted(name, per_tensor=per_tensor), rounding)
    assert compared.clips == 20
    assert min(compared.values.values()) >= 20


@each_oracle
@pytest.mark.parametrize("ends", ["uint8", "float32"])
def test_inputs_of_other_types_reach_the_network_as_they_are(ends: str, rounding: str) -> None:
    assert compare(converted("classifier", ends=ends), rounding).clips == 20


@each_oracle
def test_another_rule_is_found_at_the_first_dense_layer(rounding: str) -> None:
    content = converted("wide_dense")
    compare(content, rounding)
    (other,) = {"tflm", "litert"} - {rounding}
    with pytest.raises(Mismatch, match=r"fc_0_q: first difference at clip \d+, channel \d+"):
        compare(content, rounding, arithmetic=other)


@cache
def lone_operator(kind: str) -> bytes:
    """Return a model of one operator, its input 256 values, its output tensor 1 (ADD: 2)."""
    if kind == "ADD":
        entry = keras.Input((16, 16, 1), batch_size=1)
        return convert(keras.Model(entry, layers.Add()([entry, layers.ReLU()(entry)])))
    if kind == "QUANTIZE":
        return with_kind(lone_operator("RELU"), RELU, QUANTIZE)
    return convert(network((16, 16, 1), layers.ReLU(6.0 if kind == "RELU6" else None)))


def rescaled(content: bytes, count: int) -> Iterator[bytes]:
    """Yield the model with other scales, short decimals and any, and zero points of each tensor."""
    rng = np.random.default_rng(7)
    for number in range(count):
        for tensor in range(len(parse_tflite(content).tensors)):
            scale = rng.integers(1, 100) / 100 if number % 2 else rng.uniform(0.001, 0.1)
            content = with_scale(content, tensor, scale)
            content = with_zero_point(content, tensor, int(rng.integers(-128, 128)))
        yield content


@each_oracle
@pytest.mark.parametrize("kind", ["RELU", "RELU6", "QUANTIZE", "ADD"])
def test_every_value_under_many_scales(kind: str, rounding: str) -> None:
    """Where RELU6 changes scale, TFLite Micro computes something else: so does our `tflm`."""
    for content in rescaled(lone_operator(kind), 60):
        compare(content, rounding, count=4)


def narrow_scales() -> list[tuple[np.float32, np.float32]]:
    """Return scales whose ratio in float32 gives other integers than that in float64."""
    values = np.arange(-255, 256)

    def scaled(ratio: float) -> np.ndarray:
        multiplier, exponent = fixed_point(ratio)
        return requantise(values, np.array([multiplier]), np.array([exponent]), "twice")

    found = []
    for first, second in itertools.product(range(1, 100), repeat=2):
        scales = np.float32(first / 1000), np.float32(second / 1000)
        narrow, wide = float(scales[0] / scales[1]), float(scales[0]) / float(scales[1])
        differs = scaled(narrow) != scaled(wide)
        if (differs & (abs(scaled(wide)) < 100)).any():
            found.append(scales)
    return found[::10]


@each_oracle
@pytest.mark.parametrize("kind", ["RELU", "RELU6", "QUANTIZE"])
def test_ratios_that_float32_rounds_otherwise(kind: str, rounding: str) -> None:
    """LiteRT's ReLU divides in float32; TFLite Micro's does not, and neither do others."""
    scales = narrow_scales()
    assert len(scales) > 20
    for first, second in scales:
        content = with_scale(with_scale(lone_operator(kind), 0, first), 1, second)
        for tensor in (0, 1):
            content = with_zero_point(content, tensor, 0)
        compare(content, rounding, count=4)


def dense_layer(input_scale: float, weight_scale: float, output_scale: float) -> bytes:
    """Return a dense layer with one scale for its weights, zero points of 0 and no biases."""
    content = lone_dense_layer()
    (operator,) = parse_tflite(content).operators
    tensors = (*operator.inputs[:2], operator.outputs[0])
    for tensor, scale in zip(tensors, (input_scale, weight_scale, output_scale), strict=True):
        content = with_scale(content, tensor, scale)
    for tensor in (tensors[0], tensors[2]):
        content = with_zero_point(content, tensor, 0)
    return content


@cache
def lone_dense_layer() -> bytes:
    return convert(network((64, 2), layers.Dense(3, use_bias=False)), per_tensor=True)


@each_oracle
def test_dense_factors_are_products_in_float64(rounding: str) -> None:
    """Also where a layer has one scale: decimals whose product float32 rounds otherwise."""
    rng = np.random.default_rng(2)
    for _ in range(60):
        compare(dense_layer(*rng.integers(1, 400, 3) / 1000), rounding, count=4)


@each_oracle
def test_ties_of_dense_layers_go_the_oracles_way(rounding: str) -> None:
    """LiteRT's dense layers round in float64, ties away from zero."""
    compare(dense_layer(0.5, 0.0078125, 0.5), rounding)  # 1/128: every 64 + 128 n is a tie


@pytest.mark.parametrize("rounding", ["tflm", "litert", "single"])
def test_rules_round_as_their_names_say(rounding: str) -> None:
    model = parse_tflite(converted("residual"))
    rules = {
        type(source).__name__: node.rounding
        for nodes in [import_tflite(model, rounding=rounding).network]
        for node in nodes.nodes
        if isinstance(node, Requantise)
        for source in [nodes.node(node.input) if node.input != "fingerprint" else node]
    }
    others = "once" if rounding == "single" else "twice"
    dense = {"tflm": "twice", "litert": "away", "single": "once"}[rounding]
    assert rules["Convolution"] == rules["Add"] == others
    assert rules["FullyConnected"] == dense


def test_rules_give_different_integers() -> None:
    """Otherwise nothing above would tell them apart."""
    model = parse_tflite(converted("wide_dense"))
    rng = np.random.default_rng(1)
    inputs = rng.integers(-128, 128, (20, 64), dtype=np.int8)
    logits = [
        reference.run(import_tflite(model, rounding=rule).network, inputs).layers["fc_1_q"]
        for rule in ("tflm", "litert")
    ]
    assert (logits[0] != logits[1]).any()


def test_networks_are_random_but_the_same_every_time() -> None:
    first, second = (randomised(NETWORKS["dense"]()).get_weights() for _ in range(2))
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))
