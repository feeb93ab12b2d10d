"""What the importer makes of a model, and which models it refuses, by operator, tensor and rule."""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tflite
from keras import layers

from golden import reference
from golden.importers.network_inputs import random_inputs
from golden.importers.tflite_file import parse_tflite, with_outputs
from golden.importers.tflite_graph import limits_of
from golden.importers.tflite_network import ImportedNetwork, import_tflite
from golden.network import INPUT_NAME, InputFormat, IntegerNetwork
from golden.nodes import (
    AveragePool,
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    Requantise,
)
from tests.tflite_models import convert, converted, network
from tests.tflite_patches import (
    with_beta,
    with_input,
    with_kind,
    with_scale,
    with_size,
    with_zero_point,
)

CODES = tflite.BuiltinOperator


def imported(content: bytes, **options: Any) -> ImportedNetwork:
    return import_tflite(parse_tflite(content), **options)


def refused(content: bytes) -> str:
    """Return the line with which a model is refused."""
    with pytest.raises(ValueError) as raised:
        imported(content)
    assert "\n" not in str(raised.value)
    return str(raised.value)


# ---- What comes out ----------------------------------------------------------------------------


def test_nodes_are_named_by_operator_and_hold_its_tensors() -> None:
    found = imported(converted("classifier"))
    names = [node.name for node in found.network.nodes]
    assert names == ["conv_0", "conv_0_q", "reshape_1", "fc_2", "fc_2_q"]
    operators = found.model.operators
    assert found.tensors == {
        INPUT_NAME: found.model.inputs[0],
        "conv_0_q": operators[0].outputs[0],
        "reshape_1": operators[1].outputs[0],
        "fc_2_q": operators[2].outputs[0],
    }
    assert [operator.kind for operator in found.left_out] == ["SOFTMAX"]
    assert found.logits == operators[2].outputs[0]
    assert found.node_of(found.logits) == found.network.output_name == "fc_2_q"


def test_layers_are_those_of_the_file() -> None:
    found = imported(converted("classifier"))
    model, convolution = found.model, found.network.node("conv_0")
    assert isinstance(convolution, Convolution)
    _, weights, biases = model.operators[0].inputs
    assert np.array_equal(convolution.weights, model.tensors[weights].data)
    assert np.array_equal(convolution.biases, model.tensors[biases].data)
    assert (convolution.stride, convolution.padding, convolution.weight_bits) == (
        (1, 1),
        "VALID",
        8,
    )
    scaled = found.network.node("conv_0_q")
    assert isinstance(scaled, Requantise)
    output = model.tensors[model.operators[0].outputs[0]]
    zero_point = int(output.zero_points[0])
    assert (scaled.zero_point, scaled.low, scaled.high) == (zero_point, zero_point, 127)
    assert len(scaled.multipliers) == 6


def test_relu6_clamps_at_six_steps() -> None:
    found = imported(converted("inverted_residual"))
    scaled = found.network.node("conv_0_q")
    assert isinstance(scaled, Requantise)
    scale = float(found.model.tensors[found.tensors["conv_0_q"]].scales[0])
    assert scaled.high == min(scaled.zero_point + int(6 / scale + 0.5), 127)


def test_depthwise_weights_are_a_filter_a_channel() -> None:
    found = imported(converted("depthwise"))
    kinds = [node for node in found.network.nodes if isinstance(node, DepthwiseConvolution)]
    stored = found.model.tensors[found.model.operators[0].inputs[1]].data
    assert stored is not None
    assert kinds[0].weights.shape == (4, 3, 3, 1)
    assert np.array_equal(kinds[0].weights[3, :, :, 0], stored[0, :, :, 3])


def test_average_pools_know_where_zero_lies() -> None:
    found = imported(converted("average_pools"))
    pool = found.network.node("avg_pool_0")
    assert isinstance(pool, AveragePool)
    assert pool.zero_point == found.network.input_format.zero_point != 0


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("classifier", (10, 8)),
        ("convolutions", (15, 11, 2)),
        ("dense", (24,)),
        ("means_of_steps", (16, 5)),
    ],
)
def test_input_shape_is_the_files_without_its_batch(name: str, shape: tuple[int, ...]) -> None:
    found = imported(converted(name)).network
    assert found.input_shape == shape
    assert found.features is None


@pytest.mark.parametrize("ends", ["int8", "uint8", "float32"])
def test_input_format_is_that_of_the_first_int8_tensor(ends: str) -> None:
    found = imported(converted("classifier", ends=ends))
    entry = found.model.tensors[found.tensors[INPUT_NAME]]
    scale, zero_point = float(entry.scales[0]), int(entry.zero_points[0])
    assert found.network.input_format == InputFormat(-128, 127, zero_point, scale)
    inputs = random_inputs(found.network, 2, 1)
    given = found.runtime_inputs(inputs)
    assert given.dtype == ends
    expected = {
        "int8": inputs,
        "uint8": inputs.astype(int) + 128,
        "float32": (inputs.astype(np.float32) - zero_point) * np.float32(scale),
    }
    assert np.array_equal(given, expected[ends])


@pytest.mark.parametrize("ends", ["uint8", "float32"])
def test_what_keeps_the_order_of_the_logits_is_left_out(ends: str) -> None:
    found = imported(converted("classifier", ends=ends))
    last = {"uint8": "QUANTIZE", "float32": "DEQUANTIZE"}[ends]
    assert [operator.kind for operator in found.left_out] == ["SOFTMAX", last]
    assert isinstance(found.network.node("fc_3"), FullyConnected)


def test_logits_lie_along_one_axis() -> None:
    entry = keras.Input((6, 5, 2), batch_size=1)
    value = layers.GlobalMaxPooling2D(keepdims=True)(layers.Conv2D(4, 3)(entry))
    content = convert(
        keras.Model(entry, layers.MaxPooling2D(1)(layers.Conv2D(3, 2, padding="same")(entry)))
    )
    found = imported(content)
    assert value is not None
    assert found.network.nodes[-1].name == "logits"
    assert found.network.shapes["logits"] == (6 * 5 * 3,)


def test_labels_are_given_ones_or_numbers() -> None:
    content = converted("classifier")
    assert imported(content).network.labels == tuple(f"label_{index}" for index in range(5))
    words = ("a", "b", "c", "d", "e")
    assert imported(content, labels=words).network.labels == words
    with pytest.raises(ValueError, match=r"^labels: expected one for each of the outputs \(5,\)"):
        imported(content, labels=("yes", "no"))


def test_network_survives_its_file(tmp_path: Any) -> None:
    for name in ("inverted_residual", "means_of_some_axes", "pads", "lone_relu6"):
        made = imported(converted(name)).network
        made.save(tmp_path / "network.npz")
        assert IntegerNetwork.load(tmp_path / "network.npz").digest == made.digest


def test_rules_are_part_of_the_digest() -> None:
    content = converted("classifier")
    digests = {imported(content, rounding=rule).network.digest for rule in ("tflm", "litert")}
    assert len(digests) == 2


def test_operators_that_no_output_needs_are_not_looked_at() -> None:
    """Cut before the softmax: what stands behind is not converted, supported or not."""
    model = parse_tflite(converted("classifier"))
    cut = with_outputs(model, [model.operators[0].outputs[0]])
    unsupported = with_kind(cut, CODES.SOFTMAX, CODES.TANH)
    nodes = [node.name for node in imported(unsupported).network.nodes]
    assert nodes == ["conv_0", "conv_0_q", "logits"]


def test_first_known_values_by_hand() -> None:
    """A dense layer of a model, computed with Python's integers and fractions."""
    found = imported(converted("dense"))
    inputs = random_inputs(found.network, 1, 3)
    model, operator = found.model, found.model.operators[0]
    entry, weights, biases = (model.tensors[index] for index in operator.inputs)
    output = model.tensors[operator.outputs[0]]
    layer = reference.run(found.network, inputs).layers["fc_0_q"][0]
    for channel, value in enumerate(layer.tolist()):
        total = int(biases.data[channel]) + sum(
            (int(q) - int(entry.zero_points[0])) * int(weight)
            for q, weight in zip(inputs[0], weights.data[channel], strict=True)
        )
        real = total * float(entry.scales[0]) * float(weights.scales[channel])
        steps = real / float(output.scales[0])
        assert abs(value - min(max(steps, 0), 255)) <= 0.51


# ---- What is refused ---------------------------------------------------------------------------


def other_conversion(model: keras.Model, **settings: Any) -> bytes:
    """Convert a model with other settings than for int8."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    for name, value in settings.items():
        setattr(converter, name, value)
    if "supported_ops" in settings:
        converter.target_spec.supported_ops = settings["supported_ops"]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Statistics for quantized inputs", UserWarning)
        return bytes(converter.convert())


def examples_of(*shape: int) -> Callable[[], Iterator[list[Any]]]:
    return lambda: iter([[np.ones((1, *shape), np.float32)]])


def small(*steps: Any, shape: tuple[int, ...] = (8, 6, 2)) -> bytes:
    return convert(network(shape, *steps, layers.Flatten(), layers.Dense(2)))


def test_float_models_are_refused() -> None:
    model = network((8, 6, 1), layers.Conv2D(3, 3), layers.Flatten(), layers.Dense(2))
    for settings in ({}, {"optimizations": [tf.lite.Optimize.DEFAULT]}):
        assert re.fullmatch(
            r"tensor 0 \(.*\): expected an int8 input, or a float32 or uint8 one that only a "
            r"QUANTIZE reads, got float32 read by CONV_2D",
            refused(other_conversion(model, **settings)),
        )


def test_int16_models_are_refused() -> None:
    mode = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    content = other_conversion(
        network((8, 6, 1), layers.Conv2D(3, 3), layers.Flatten(), layers.Dense(2)),
        optimizations=[tf.lite.Optimize.DEFAULT],
        representative_dataset=examples_of(8, 6, 1),
        supported_ops=[mode],
        inference_input_type=tf.int16,
        inference_output_type=tf.int16,
    )
    assert "expected an int8 input" in refused(content)
    assert "got int16 read by CONV_2D" in refused(content)


def test_shapes_that_are_not_known_are_refused() -> None:
    content = converted("free_batch")
    entry = parse_tflite(content).inputs[0]
    message = refused(with_size(content, entry, 1, -1, signature=True))
    assert message.endswith("expected a shape that is known, got (1, -1, 6)")


def test_batches_are_refused() -> None:
    content = converted("classifier")
    message = refused(with_size(content, parse_tflite(content).inputs[0], 0, 2))
    assert message.endswith("expected a batch of 1, got (2, 10, 8, 1)")
    entry = keras.Input((6,), batch_size=4)
    message = refused(convert(keras.Model(entry, layers.Dense(3)(entry))))
    assert message.endswith("expected a batch of 1, got (4, 6)")


def test_several_inputs_and_outputs_are_refused() -> None:
    one, other = (keras.Input((4, 4, 2), batch_size=1) for _ in range(2))
    both = keras.Model([one, other], layers.Conv2D(2, 3)(layers.Add()([one, other])))
    assert refused(other_conversion(both)) == "inputs: expected one, got 2"
    value = layers.Conv2D(2, 3)(one)
    content = convert(keras.Model(one, [value, layers.Flatten()(value)]))
    assert refused(content) == "outputs: expected one, got 2"


@pytest.mark.parametrize(
    ("kind", "steps"),
    [
        ("LOGISTIC", lambda: [layers.Conv2D(3, 3, activation="sigmoid")]),
        ("MUL", lambda: [layers.MaxPooling2D(2), layers.BatchNormalization()]),
        ("TRANSPOSE", lambda: [layers.Permute((2, 1, 3))]),
    ],
)
def test_other_operators_are_refused_by_name_and_index(kind: str, steps: Any) -> None:
    message = refused(small(*steps()))
    assert re.match(rf"operator \d+ \({kind}\): expected one of CONV_2D, DEPTHWISE", message)


def test_softmax_in_between_is_refused() -> None:
    message = refused(small(layers.Softmax()))
    assert message == "operator 0 (SOFTMAX): expected it only behind the last layer"


def test_softmax_of_a_scalar_is_refused() -> None:
    steps = layers.Flatten(), layers.Dense(3, activation="softmax")
    model = parse_tflite(convert(network((8, 6, 2), *steps)))
    (softmax,) = (each for each in model.operators if each.kind == "SOFTMAX")
    tensors = list(model.tensors)
    tensors[softmax.inputs[0]] = dataclasses.replace(tensors[softmax.inputs[0]], shape=())
    with pytest.raises(ValueError, match=r"expected one row of logits, whose order it keeps"):
        import_tflite(dataclasses.replace(model, tensors=tuple(tensors)))


def test_softmax_that_changes_the_order_is_refused() -> None:
    """One softmax a step: the largest logit of all need not be the largest share."""
    entry = keras.Input((4, 6), batch_size=1)
    content = convert(keras.Model(entry, layers.Dense(3, activation="softmax")(entry)))
    message = refused(content)
    assert re.fullmatch(
        r"operator \d+ \(SOFTMAX\): expected one row of logits, whose order it keeps, "
        r"got \((1, )?4, 3\)",
        message,
    )
    message = refused(with_beta(converted("classifier"), -1.0))
    assert re.fullmatch(r"operator \d+ \(SOFTMAX\): expected a beta above 0, got -1.0", message)


def test_groups_and_broadcasting_are_refused() -> None:
    assert re.fullmatch(
        r"operator 0 \(CONV_2D\): tensor \d+ \(.*\): expected weights of 2 input channels "
        r"\(no groups\), got \(4, 3, 3, 1\)",
        refused(small(layers.Conv2D(4, 3, groups=2))),
    )
    entry = keras.Input((6, 5, 3), batch_size=1)
    mean = layers.GlobalAveragePooling2D(keepdims=True)(layers.Conv2D(3, 3)(entry))
    message = refused(convert(keras.Model(entry, layers.Add()([entry, mean]))))
    assert re.fullmatch(r"operator \d+ \(ADD\): tensor .* \(no broadcasting\), .*", message)


def test_means_over_axes_apart_are_refused() -> None:
    entry = keras.Input((6, 5, 3), batch_size=1)
    content = convert(keras.Model(entry, keras.ops.mean(layers.Conv2D(4, 2)(entry), axis=(1, 3))))
    assert re.fullmatch(
        r"operator 1 \(MEAN\): tensor .*: expected a mean over axes that lie together behind the "
        r"batch, got \[1, 3\] of \(1, 5, 4, 4\)",
        refused(content),
    )


def test_numbers_that_runtimes_would_not_take_are_refused() -> None:
    content = converted("classifier")
    model = parse_tflite(content)
    entry, weights, biases = model.operators[0].inputs
    reshaped = model.operators[1].outputs[0]
    for changed, message in (
        (with_zero_point(content, entry, 300), r"expected a zero point in -128..127, got 300"),
        (with_zero_point(content, weights, 3), r"operator 0 .*: expected a zero point of 0, got"),
        (with_scale(content, reshaped, 9.0), r"operator 1 \(RESHAPE\): .*: expected scale .* 9.0"),
        (with_scale(content, entry, 1e30), r"operator 0 .*: expected a factor below 2\^30"),
        (with_input(content, 0, 1, entry), r"operator 0 .*: expected a constant, got a tensor"),
        (with_input(content, 0, 2, weights), r"operator 0 .*: expected int32, got int8"),
        (with_input(content, 0, 1, biases), r"operator 0 .*: expected int8, got int32"),
        (with_size(content, reshaped, 1, 7), r"operator 1 \(RESHAPE\): reshape_1.shape: expected"),
    ):
        assert re.search(message, refused(changed)), refused(changed)


def test_circles_are_refused() -> None:
    content = convert(network((4, 4, 1), layers.ReLU()))
    message = refused(with_input(content, 0, 0, parse_tflite(content).outputs[0]))
    assert message.startswith("operator 0 (RELU): tensor 1 (")
    assert message.endswith("): expected one that an earlier operator computes")


def test_uint8_must_be_int8_128_higher() -> None:
    content = converted("classifier", ends="uint8")
    entry = parse_tflite(content).inputs[0]
    assert "128 higher" in refused(with_zero_point(content, entry, 5))
    assert "128 higher" in refused(with_scale(content, parse_tflite(content).outputs[0], 0.5))


def test_activations_that_are_no_clamps_are_refused() -> None:
    tensor = parse_tflite(converted("classifier")).tensors[0]
    with pytest.raises(ValueError, match=r"^activation: expected one of NONE, RELU, .*, got TANH$"):
        limits_of(tensor, "TANH", np.float32(1), 0)
