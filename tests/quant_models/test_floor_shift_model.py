"""The Keras model: its sizes, its parameters, and its every layer against the integer reference."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction

import keras
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dataflow.ranges.intervals import magnitude_bound
from golden import reference
from golden.comparison import compare
from golden.network import INPUT_NAME, FeatureSettings, IntegerNetwork
from golden.nodes import FullyConnected, ShiftRelu
from golden.windows import Windows
from quant_models.architectures.ds_cnn import CONV_1, FC1, FC1_BIASES, DsCnn
from quant_models.exactness import FLOAT32_EXACT, check_sums
from quant_models.floor_shift_model import FloorShiftModel
from quant_models.latent_parameters import Parameters, integer_network, model_of
from quant_models.model_size import ModelSize
from scripts.simulation.c_inference import run_c
from tests.checkpoints import GRID, SMALL, ds_cnn_size, random_checkpoint, random_parameters
from tests.networks import LABELS, features_for, label_names, random_fingerprints
from tests.repository import REPOSITORY

DEFAULT = ds_cnn_size(DsCnn.DEFAULT_INFO)
DEEP = ds_cnn_size((5, 64, 10, 4, 2, 2, *4 * (64, 3, 3, 1, 1)), (5, 6, 7, 6, 7, 6, 7, 6, 7))


# ---- parameters


def test_the_model_trains_exactly_these_parameters() -> None:
    model = FloorShiftModel(DEFAULT, GRID, 4)
    shapes = {name: array.shape for name, array in model.latent_parameters().items()}
    assert shapes == DEFAULT.parameter_shapes(GRID, 4)
    assert len(model.trainable_variables) == 5
    assert sum(np.prod(shape) for name, shape in shapes.items() if name != FC1_BIASES) == 2_032


def test_initial_weights_follow_the_seed() -> None:
    first, again, other = (
        FloorShiftModel(DEFAULT, GRID, 4, seed).latent_parameters() for seed in (1, 1, 2)
    )
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first[CONV_1], other[CONV_1])


def test_assigned_parameters_are_given_back() -> None:
    parameters = random_parameters(5, DEFAULT, 4)
    model = FloorShiftModel(DEFAULT, GRID, 4)
    model.assign_parameters(parameters)
    found = model.latent_parameters()
    assert list(found) == list(parameters)
    assert all(np.array_equal(found[name], parameters[name]) for name in parameters)


def test_parameters_that_are_missing_or_misshapen_are_refused() -> None:
    model, parameters = FloorShiftModel(DEFAULT, GRID, 4), dict(random_parameters(0, DEFAULT, 4))
    del parameters[FC1]
    for refuse in (
        lambda: model.assign_parameters(parameters),
        lambda: integer_network(DEFAULT, parameters, LABELS, FeatureSettings()),
    ):
        with pytest.raises(ValueError, match=r"^DS-CNN/fc1/weights: .* \(16, 4\), got none$"):
            refuse()
    parameters[FC1] = np.zeros((4, 16), np.float32)
    for refuse in (
        lambda: model.assign_parameters(parameters),
        lambda: integer_network(DEFAULT, parameters, LABELS, FeatureSettings()),
    ):
        with pytest.raises(ValueError, match=r"^DS-CNN/fc1/weights: .*, got \(4, 16\)$"):
            refuse()


# ---- integers


def test_latent_weights_are_rounded_ties_to_even_and_clipped() -> None:
    size = ds_cnn_size((2, 1, 2, 4, 2, 2, 1, 3, 3, 1, 1))
    parameters = dict(random_parameters(0, size, 4))
    halves = [-65, -64, -63, -5, -1, 1, 3, 63]  # of an integer: -32.5, -32, -31.5, ...
    parameters[CONV_1] = (np.array(halves).reshape(2, 4, 1, 1) / 64).astype(np.float32)
    parameters[FC1_BIASES] = (np.array([-12_345, 1, 3, 5]) / 64).astype(np.float32)
    network = integer_network(size, parameters, LABELS, FeatureSettings())
    assert network.node("conv_1").weights.ravel().tolist() == [-32, -32, -32, -2, 0, 0, 2, 31]
    assert network.node("fc1").biases.tolist() == [-6_172, 0, 2, 2]


def test_every_integer_of_a_network_is_its_latent_weight_as_a_fraction() -> None:
    parameters = random_parameters(3, DEFAULT, 4)
    network = integer_network(DEFAULT, parameters, LABELS, FeatureSettings())

    def expected(value: np.float32) -> int:
        return min(max(round(Fraction(float(value)) * 32), -32), 31)

    conv, depthwise, pointwise, last, biases = (parameters[name] for name in parameters)
    for filter_ in range(48):
        for row in range(4):
            for column in range(4):
                found = network.node("conv_1").weights[filter_, row, column, 0]
                assert found == expected(conv[row, column, 0, filter_])
        for row in range(3):
            for column in range(3):
                found = network.node("dw_conv").weights[filter_, row, column, 0]
                assert found == expected(depthwise[row, column, filter_, 0])
        for output in range(16):
            found = network.node("pw_conv").weights[output, 0, 0, filter_]
            assert found == expected(pointwise[0, 0, filter_, output])
    for label in range(4):
        assert network.node("fc1").biases[label] == round(Fraction(float(biases[label])) * 32)
        for output in range(16):
            found = network.node("fc1").weights[label, output]
            assert found == expected(last[output, label])


@pytest.mark.parametrize("name", list(DEFAULT.parameter_shapes(GRID, 4)))
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_weight_that_is_not_finite_is_refused_by_name(name: str, value: float) -> None:
    parameters = dict(random_parameters(0, DEFAULT, 4))
    parameters[name] = parameters[name].copy()
    parameters[name].flat[-1] = value
    with pytest.raises(ValueError, match=rf"^{name}: .* expected finite values, got {value} at"):
        integer_network(DEFAULT, parameters, LABELS, FeatureSettings())


# ---- forward pass


def assert_layers_agree(
    size: ModelSize,
    parameters: Parameters,
    network: IntegerNetwork,
    fingerprints: npt.NDArray[np.int8],
) -> None:
    """Every layer of the Keras forward pass is that of the reference."""
    model = FloorShiftModel(size, GRID, len(network.labels))
    model.assign_parameters(parameters)
    found = model.layer_values(fingerprints, inspect=True)
    expected = reference.run(network, fingerprints)
    assert [*found] == [node.name for node in network.nodes]
    for name, values in found.items():
        integers = keras.ops.convert_to_numpy(values).reshape(expected.layers[name].shape)
        assert np.array_equal(integers, expected.layers[name]), name
    assert np.array_equal(model(fingerprints), expected.logits)


@pytest.mark.parametrize("extremes", [False, True])
def test_the_default_network_computes_what_the_reference_computes(extremes: bool) -> None:
    parameters = random_parameters(11, DEFAULT, 4)
    network = integer_network(DEFAULT, parameters, LABELS, FeatureSettings())
    fingerprints = random_fingerprints(12, 40, extremes=extremes)
    assert_layers_agree(DEFAULT, parameters, network, fingerprints)


@pytest.mark.parametrize("value", [-32, 31])
def test_all_extreme_fingerprints_and_weights_agree(value: int) -> None:
    size = ds_cnn_size(DsCnn.DEFAULT_INFO, (5, 6, 8))
    for latent in (-2.0, 2.0):
        parameters = {
            name: np.full(shape, latent, np.float32)
            for name, shape in size.parameter_shapes(GRID, 4).items()
        }
        network = integer_network(size, parameters, LABELS, FeatureSettings())
        assert magnitude_bound(network) < FLOAT32_EXACT
        fingerprints = np.full((2, 30, 10), value, np.int8)
        assert_layers_agree(size, parameters, network, fingerprints)


def test_five_layers_compute_what_the_reference_and_c_compute(
    require_tool: Callable[[str], None],
) -> None:
    require_tool("cc")
    parameters = random_parameters(7, DEEP, 4)
    network = integer_network(DEEP, parameters, LABELS, FeatureSettings())
    assert magnitude_bound(network) > FLOAT32_EXACT  # what occurs stays below, and is checked
    fingerprints = random_fingerprints(7, 6)
    expected = reference.run(network, fingerprints)
    assert check_sums(network, expected.layers) < FLOAT32_EXACT
    assert_layers_agree(DEEP, parameters, network, fingerprints)
    layers = {**expected.layers, "label": expected.label_indices}
    comparison = compare(layers, run_c(network, fingerprints), batched=True)
    assert len(comparison.values) == len(network.nodes) + 2 == 22


@st.composite
def sizes(draw: st.DrawFn) -> ModelSize:
    """Sizes of one to five layers that fit the smallest fingerprints of the test below."""
    grid = (4, 4)
    info: list[int] = []
    paddings = []
    layers = draw(st.integers(1, 5))
    for number in range(layers):
        padding = draw(st.sampled_from(["SAME", "VALID"]))
        highest = grid if padding == "VALID" else (4, 4)
        kernel = tuple(draw(st.integers(1, size)) for size in highest)
        stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 4)))
        stride = stride if number == 0 else (stride[0], stride[0])
        info += [draw(st.integers(1, 6)), *kernel, *stride]
        paddings.append(padding)
        grid = Windows(kernel, stride, padding).grid(grid)
    shifts = [draw(st.integers(2, 9)) for _ in range(2 * layers - 1)]
    return ds_cnn_size([layers, *info], shifts, paddings)


@settings(max_examples=60)
@given(
    size=sizes(),
    labels=st.integers(1, 6),
    shape=st.tuples(st.integers(4, 12), st.integers(4, 8)),
    seed=st.integers(0, 2**32 - 1),
    extremes=st.booleans(),
)
def test_any_network_computes_what_the_reference_computes(
    size: ModelSize, labels: int, shape: tuple[int, int], seed: int, extremes: bool
) -> None:
    parameters = random_parameters(seed, size, labels)
    network = integer_network(size, parameters, label_names(labels), features_for(shape))
    fingerprints = random_fingerprints(seed, 3, shape, extremes=extremes)
    assume(sums_are_exact(network, fingerprints))
    assert_layers_agree(size, parameters, network, fingerprints)


def sums_are_exact(network: IntegerNetwork, fingerprints: npt.NDArray[np.int8]) -> bool:
    try:
        check_sums(network, reference.run(network, fingerprints).layers)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("stride", [(1, 2), (1, 3), (2, 3), (1, 4), (3, 4), (4, 1)])
def test_a_map_one_coefficient_wide_agrees(
    stride: tuple[int, int], width: int, padding: str
) -> None:
    """TensorFlow 2.21 by itself gets strides 1 and above 1 wrong on a CPU, in batches."""
    kernel = (2, 4 if width == 4 and padding == "SAME" else min(width, 3))
    info = (2, 3, *kernel, *stride, 4, 1, 1, 1, 1)
    size = ds_cnn_size(info, (2, 2, 2), (padding, "SAME"))
    parameters = random_parameters(0, size, 4)
    network = integer_network(size, parameters, LABELS, features_for((6, width)))
    assert_layers_agree(size, parameters, network, random_fingerprints(0, 4, (6, width)))


@pytest.mark.parametrize("stride", [(1, 2), (2, 1), (2, 2), (3, 4)])
@pytest.mark.parametrize("width", [3, 4, 5, 8])
def test_a_kernel_of_one_by_one_with_a_stride_agrees(width: int, stride: tuple[int, int]) -> None:
    size = ds_cnn_size((1, 2, 1, 1, *stride), (2,))
    parameters = random_parameters(0, size, 4)
    network = integer_network(size, parameters, LABELS, features_for((4, width)))
    assert_layers_agree(size, parameters, network, random_fingerprints(0, 4, (4, width)))


STRIDED_GRADIENT = """
import scripts.console.quiet_tensorflow
import numpy as np, tensorflow as tf
from quant_models.floor_shift_model import FloorShiftModel
from tests.checkpoints import GRID, ds_cnn_size
model = FloorShiftModel(ds_cnn_size([1, 8, 1, 1, 1, 2], [3]), GRID, 4)
for _ in range(40):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(np.ones((99, 30, 10), np.float32)))
    tape.gradient(loss, model.trainable_weights)
"""


def test_a_kernel_of_one_element_with_a_stride_is_trained_in_odd_batches() -> None:
    """In a process of its own: TensorFlow's own gradient overruns memory there."""
    command = [sys.executable, "-c", STRIDED_GRADIENT]
    assert subprocess.run(command, cwd=REPOSITORY, check=False).returncode == 0


def test_inspection_adds_the_map_before_the_pool_and_changes_nothing_else() -> None:
    model = FloorShiftModel(DEFAULT, GRID, 4)
    model.assign_parameters(random_parameters(2, DEFAULT, 4))
    fingerprints = random_fingerprints(2, 5)
    plain, inspected = (model.layer_values(fingerprints, inspect) for inspect in (False, True))
    assert set(inspected) - set(plain) == {"dw_conv_relu"}
    assert all(np.array_equal(plain[name], inspected[name]) for name in plain)
    shifted_map = keras.ops.convert_to_numpy(inspected["dw_conv_relu"])
    assert np.array_equal(shifted_map.max(axis=(1, 2)), inspected["max_pool"])


def test_the_float_twin_differs_in_the_quantisers_alone() -> None:
    size = ds_cnn_size(SMALL, (0, 0, 0))
    twins = [FloorShiftModel(size, GRID, 4, quantised=quantised) for quantised in (True, False)]
    integers = np.random.default_rng(0).integers(-2, 3, 1_000)
    for model in twins:
        model.assign_parameters(
            {
                name: np.resize(integers, shape).astype(np.float32) / 32
                for name, shape in size.parameter_shapes(GRID, 4).items()
            }
        )
    fingerprints = random_fingerprints(0, 3)
    quantised, plain = (model.layer_values(fingerprints) for model in twins)
    assert all(np.array_equal(quantised[name], plain[name]) for name in quantised)


@settings(max_examples=20)
@given(size=sizes(), seed=st.integers(0, 99))
def test_a_model_made_from_a_network_computes_that_network(size: ModelSize, seed: int) -> None:
    parameters = random_parameters(seed, size, 4)
    network = integer_network(size, parameters, LABELS, features_for((6, 5)))
    again, weights = model_of(network)
    assert again == size
    assert integer_network(again, weights, LABELS, network.features).digest == network.digest


def test_a_network_with_a_node_that_ds_cnns_lack_has_no_model() -> None:
    network = random_checkpoint(1).network()
    *others, last = network.nodes
    late = [ShiftRelu("late", "pw_conv_relu", 1), dataclasses.replace(last, input="late")]
    more = dataclasses.replace(network, nodes=(*others, *late))
    with pytest.raises(ValueError, match=r"^network: expected one of a DS-CNN: shifts: "):
        model_of(more)
    renamed = dataclasses.replace(network, nodes=(*others, dataclasses.replace(last, name="out")))
    with pytest.raises(ValueError, match=r"^network: expected one of a DS-CNN, got another topo"):
        model_of(renamed)


def test_a_network_of_another_topology_has_no_model() -> None:
    weights, biases = np.ones((2, 300), np.int8), np.zeros(2, np.int32)
    layer = FullyConnected("fc1", INPUT_NAME, weights, biases)
    network = IntegerNetwork((layer,), label_names(2), (30, 10), features_for((30, 10)))
    with pytest.raises(ValueError, match=r"one of a DS-CNN: another kind"):
        model_of(network)
