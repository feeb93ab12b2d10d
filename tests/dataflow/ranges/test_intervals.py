from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.ranges.intervals import (
    ChannelRange,
    Ranges,
    constants,
    element_bounds,
    interval_bounds,
    magnitude_bound,
    magnitude_bounds,
)
from golden import reference
from golden.integer_math import signed_bits
from golden.network import INPUT_NAME, InputFormat, IntegerNetwork
from golden.nodes import (
    AveragePool,
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    GlobalMaxPool,
    GlobalSumPool,
    Node,
    Requantise,
    Reshape,
    ShiftRelu,
)
from tests.graphs import graphs, graphs_with_inputs
from tests.networks import features_for, label_names, networks, random_network
from tests.plain_loops import every_value, extremes, taps

SHAPE = (30, 10)


def network_of(
    nodes: tuple[Node, ...], labels: int, input_shape: tuple[int, int]
) -> IntegerNetwork:
    return IntegerNetwork(nodes, label_names(labels), input_shape, features_for(input_shape))


def matrix_network(weights: npt.ArrayLike, biases: npt.ArrayLike, shape: tuple[int, int]) -> Any:
    """One fully connected layer on the fingerprint itself."""
    return network_of(
        (FullyConnected("fc1", INPUT_NAME, np.array(weights), np.array(biases)),),
        len(np.array(biases)),
        shape,
    )


def limits(ranges: Ranges, name: str) -> tuple[int, int]:
    return ranges[name].minimum, ranges[name].maximum


def assert_contained(found: dict[str, Any], bounds: Ranges) -> None:
    for name, (lows, highs) in found.items():
        for channel, (low, high) in enumerate(zip(lows, highs, strict=True)):
            bound = int(bounds[name].low[channel]), int(bounds[name].high[channel])
            assert bound[0] <= low and high <= bound[1], (
                f"{name}, channel {channel}: {low}..{high} leaves the bound {bound[0]}..{bound[1]}"
            )


@st.composite
def networks_with_input_ranges(draw: st.DrawFn) -> tuple[IntegerNetwork, tuple[int, int], Any]:
    """A small network, a range of inputs, and inputs from it: uniform, or only its two ends."""
    network = draw(networks())
    low = draw(st.integers(-32, 31))
    high = draw(st.integers(low, 31))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        fingerprints = rng.choice([low, high], (2, *network.input_shape))
    else:
        fingerprints = rng.integers(low, high + 1, (2, *network.input_shape))
    return network, (low, high), fingerprints


@given(networks_with_input_ranges())
def test_no_input_leaves_the_interval_bounds(
    case: tuple[IntegerNetwork, tuple[int, int], npt.NDArray[Any]],
) -> None:
    network, input_range, fingerprints = case
    assert_contained(extremes(network, fingerprints), interval_bounds(network, input_range))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weights", [(-32, 31), (-32, -32), (31, 31)])
def test_inputs_aimed_at_the_extremes_stay_within_the_bounds_of_the_default_network(
    seed: int, weights: tuple[int, int]
) -> None:
    network = random_network(seed, weights=weights)
    # Fingerprints that drive one filter to its extreme everywhere the windows do not overlap.
    kernels = network.node("conv_1").weights[:, :, :, 0]
    tiled = np.tile(kernels, (1, 8, 3))[:, : SHAPE[0], : SHAPE[1]]
    fingerprints = np.concatenate([np.where(tiled > 0, 31, -32), np.where(tiled > 0, -32, 31)])
    bounds = interval_bounds(network)
    for name, values in reference.run(network, fingerprints).layers.items():
        lows = values.reshape(-1, bounds[name].low.size).min(axis=0)
        highs = values.reshape(-1, bounds[name].low.size).max(axis=0)
        assert (bounds[name].low <= lows).all() and (highs <= bounds[name].high).all(), name


def test_plain_loops_agree_with_the_reference() -> None:
    network = random_network(5, filters=3, outputs=2, input_shape=(8, 5), kernel=(3, 2))
    fingerprint = np.random.default_rng(5).integers(-32, 32, (8, 5))
    signals = every_value(network, fingerprint)
    for name, values in reference.run(network, fingerprint[np.newaxis]).layers.items():
        channels = 1 if name == INPUT_NAME else network.shapes[name][-1]
        expected = values.reshape(-1, channels).T.tolist()
        assert [signals[name][channel] for channel in range(channels)] == expected, name


@pytest.mark.parametrize("input_range", [(0, 1), (-1, 0), (-2, 1), (0, 3), (2, 3)])
@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize("kernel", [(2, 2), (1, 2), (2, 1)])
def test_bounds_of_the_first_layer_are_exact(
    input_range: tuple[int, int], padding: str, kernel: tuple[int, int]
) -> None:
    shape = (2, 2)
    rng = np.random.default_rng(11)
    conv = Convolution(
        "conv_1", INPUT_NAME, rng.integers(-32, 32, (3, *kernel, 1)), (1, 1), padding
    )
    inputs = int(np.prod(conv.output_shape((*shape, 1))))
    nodes = (
        conv,
        ShiftRelu("conv_1_relu", "conv_1", 1),
        FullyConnected(
            "fc1", "conv_1_relu", rng.integers(-32, 32, (2, inputs)), rng.integers(-9, 9, 2)
        ),
    )
    network = network_of(nodes, 2, shape)
    levels = range(input_range[0], input_range[1] + 1)
    every = np.array(list(itertools.product(levels, repeat=4))).reshape(-1, *shape)
    found = extremes(network, every)
    bounds = interval_bounds(network, input_range)
    assert_contained(found, bounds)
    for name in ("conv_1.product", "conv_1.partial_sum", "conv_1", "conv_1_relu"):
        assert bounds[name].low.tolist() == found[name][0], name
        assert bounds[name].high.tolist() == found[name][1], name


def test_bounds_of_a_convolution_worked_by_hand() -> None:
    nodes = (
        Convolution("conv_1", INPUT_NAME, np.array([3, -2]).reshape(1, 1, 2, 1)),
        ShiftRelu("conv_1_relu", "conv_1", 2),
        GlobalMaxPool("max_pool", "conv_1_relu"),
        FullyConnected("fc1", "max_pool", np.array([[-5], [4]]), np.array([-7, 100])),
    )
    bounds = interval_bounds(network_of(nodes, 2, (2, 3)))
    assert limits(bounds, INPUT_NAME) == (-32, 31)
    assert limits(bounds, "conv_1.weight") == (-2, 3)
    assert limits(bounds, "conv_1.product") == (-96, 93)  # 3 * -32 .. 3 * 31; -62 .. 64 lies inside
    assert limits(bounds, "conv_1.partial_sum") == (-158, 157)  # -96 - 62 .. 93 + 64
    assert limits(bounds, "conv_1") == (-158, 157)
    assert limits(bounds, "conv_1_relu") == (0, 39)  # 157 >> 2
    assert limits(bounds, "max_pool") == (0, 39)
    assert bounds["fc1.product"].low.tolist() == [-195, 0]
    assert bounds["fc1.product"].high.tolist() == [0, 156]
    assert bounds["fc1.bias"].low.tolist() == [-7, 100]
    assert bounds["fc1"].low.tolist() == [-202, 100]
    assert bounds["fc1"].high.tolist() == [-7, 256]


def test_partial_sums_cover_more_than_the_final_sum() -> None:
    # Never positive inputs: the sum falls to -62 before the last weight takes 32 of it back.
    bounds = interval_bounds(matrix_network([[31, 31, -16, 0]], [0], (2, 2)), (-1, -1))
    assert limits(bounds, "fc1.partial_sum") == (-62, -31)
    assert limits(bounds, "fc1") == (-46, -46)


def test_the_bias_counts_from_the_first_partial_sum_on() -> None:
    bounds = interval_bounds(matrix_network([[1, -1, 0, 0]], [1000], (2, 2)), (0, 1))
    assert limits(bounds, "fc1.partial_sum") == (999, 1001)


def test_border_windows_meet_their_zeros() -> None:
    # Inputs are never 0; only the zeros beyond the map bring sums down to 5 times one weight.
    nodes = (
        DepthwiseConvolution("dw_conv", INPUT_NAME, np.ones((1, 3, 3, 1), np.int64)),
        FullyConnected("fc1", "dw_conv", np.ones((1, 6), np.int64), np.zeros(1, np.int64)),
    )
    bounds = interval_bounds(network_of(nodes, 1, (3, 2)), (5, 7))
    assert limits(bounds, "dw_conv.product") == (0, 7)
    assert limits(bounds, "dw_conv.partial_sum") == (0, 42)
    assert limits(bounds, "dw_conv") == (20, 42)  # a corner sees 4 inputs, the middle all 6
    # Each window sees its own number of inputs: 2 columns x (4 + 6 + 4) reads in all.
    assert limits(bounds, "fc1") == (28 * 5, 28 * 7)


@pytest.mark.parametrize(
    ("weight", "terms", "product_bits", "sum_bits"),
    [(-32, (6, 8), 12, 17), (-32, (8, 8), 12, 18), (31, (6, 8), 11, 17), (31, (8, 8), 11, 17)],
)
def test_orientation_figures_of_signed_operands(
    weight: int, terms: tuple[int, int], product_bits: int, sum_bits: int
) -> None:
    count = terms[0] * terms[1]
    bounds = interval_bounds(matrix_network([[weight] * count], [0], terms))
    assert signed_bits(*limits(bounds, "fc1.product")) == product_bits
    assert signed_bits(*limits(bounds, "fc1.partial_sum")) == sum_bits


def test_products_with_operands_that_are_never_negative_need_a_bit_less() -> None:
    network = matrix_network([[-32, 31, 0, 5]], [0], (2, 2))
    assert limits(interval_bounds(network, (0, 31)), "fc1.product") == (-992, 961)
    assert signed_bits(-992, 961) == 11
    assert limits(interval_bounds(network), "fc1.product") == (-992, 1024)
    assert signed_bits(-992, 1024) == 12


@given(networks_with_input_ranges(), st.randoms(use_true_random=False))
def test_no_sum_in_any_order_exceeds_the_magnitude_bound(case: Any, random: Any) -> None:
    network, _, fingerprints = case
    per_layer = magnitude_bounds(network)
    assert magnitude_bound(network) == max(per_layer.values())
    signals = every_value(network, fingerprints[0])
    for node in network.weighted_nodes:
        taps = node.weights[0].size
        for channel, products in signals[f"{node.name}.product"].items():
            total = int(node.biases[channel]) if isinstance(node, FullyConnected) else 0
            order = products[:taps]
            random.shuffle(order)
            for product in order:
                total += product
                assert abs(total) <= per_layer[node.name]


def test_magnitude_bound_is_reached_where_inputs_are_free() -> None:
    network = matrix_network([[-32, 31, -1, 2], [1, 1, 1, 1]], [-5, 1], (2, 2))
    assert magnitude_bounds(network) == {"fc1": 32 * (32 + 31 + 1 + 2) + 5}


def test_ranges_cannot_be_written_to() -> None:
    values = ChannelRange(np.array([1, 2]), np.array([3, 4]))
    assert (values.minimum, values.maximum) == (1, 4)
    with pytest.raises(ValueError, match="read-only"):
        values.low[0] = 0


@pytest.mark.parametrize("input_range", [(1, 0), (-33, 0), (0, 32)])
def test_impossible_input_ranges_are_refused(input_range: tuple[int, int]) -> None:
    message = f"input_range: expected -32 <= low <= high <= 31, got {input_range[0]} and "
    with pytest.raises(ValueError, match=message):
        interval_bounds(random_network(0, filters=2), input_range)


@given(graphs_with_inputs())
def test_no_input_leaves_the_interval_bounds_of_any_graph(
    case: tuple[IntegerNetwork, npt.NDArray[Any]],
) -> None:
    network, inputs = case
    bounds = interval_bounds(network)
    for fingerprint in inputs:
        signals = every_value(network, fingerprint)
        assert signals.keys() | constants(network).keys() == bounds.keys()
        for name, channels in signals.items():
            ends = [(min(channels[place]), max(channels[place])) for place in sorted(channels)]
            lows, highs = zip(*ends, strict=True)
            assert_contained({name: (lows, highs)}, bounds)


@settings(max_examples=30)
@given(graphs())
def test_bounds_of_layers_on_the_input_of_any_graph_are_attained(network: IntegerNetwork) -> None:
    # Where one output is computed from one window, its bounds are sums of the ends of its taps.
    bounds = element_bounds(network)
    lowest, highest = network.input_format.value_range
    for node in network.weighted_nodes:
        if node.input != INPUT_NAME:
            continue
        for place, high in np.ndenumerate(bounds[node.name].high):
            extreme = [0] * int(np.prod(network.shapes[INPUT_NAME]))
            taps = zip(tap_places(network, node, place), node.weights[place[-1]].flat, strict=True)
            for tap, weight in taps:
                if tap is not None:
                    extreme[tap] = highest if weight > 0 else lowest
            extreme = np.clip(extreme, lowest, highest) + network.input_format.zero_point
            inputs = extreme.reshape(1, *network.input_shape)
            assert reference.run(network, inputs).layers[node.name][0][place] == high


def tap_places(network: IntegerNetwork, node: Any, place: tuple[int, ...]) -> list[int | None]:
    """Return the number of the input element that each tap of an output reads; None for zeros."""
    shape = network.shapes[INPUT_NAME]
    numbers = {index: number for number, index in enumerate(np.ndindex(*shape))}
    marked = {index: number + 1 for index, number in numbers.items()}
    found = taps(node, place, marked, shape)
    return [number - 1 if number else None for _, number in found]


def test_requantisation_names_its_multiplier_and_its_exact_product() -> None:
    # 3 * -32..31 is doubled and halved again: -96..93, and less 5, -101..88.
    nodes = (
        FullyConnected("sum", INPUT_NAME, np.array([[3]])),
        Requantise("q", "sum", np.array([2**30]), np.array([0]), "twice", -5, -90, 90, 1),
    )
    bounds = interval_bounds(IntegerNetwork(nodes, ("yes",), (1,), None))
    assert limits(bounds, "q.multiplier") == (2**30, 2**30)
    assert limits(bounds, "q.product") == (-192 * 2**30, 186 * 2**30)
    assert bounds["q.product"].bits == 39
    assert limits(bounds, "q") == (-85, 93)  # -90 is the lowest, and the zero point goes again


def test_pools_name_what_they_add_up() -> None:
    # Two of three values lie in the second window; the zero point counts once for each.
    nodes = (
        AveragePool("mean", INPUT_NAME, (2, 1), (2, 1), "SAME", zero_point=10),
        GlobalSumPool("total", "mean"),
        Reshape("flat", "total", (1,)),
    )
    form = InputFormat(-4, 5, 1)
    bounds = interval_bounds(IntegerNetwork(nodes, ("yes",), (3, 1), None, form))
    assert limits(bounds, INPUT_NAME) == (-5, 4)
    assert limits(bounds, "mean.partial_sum") == (5, 28)  # 5..14, and twice that
    assert limits(bounds, "mean") == (-5, 4)
    assert limits(bounds, "total.partial_sum") == (-10, 8)


def test_ranges_of_coefficients_need_an_input_with_that_axis() -> None:
    weights = np.ones((1, 3), np.int64)
    network = IntegerNetwork((FullyConnected("fc1", INPUT_NAME, weights),), ("yes",), (3,), None)
    assert limits(interval_bounds(network, (-1, 2)), "fc1") == (-3, 6)
    with pytest.raises(ValueError, match=r"one for each of 1 coefficients, got shape \(3,"):
        interval_bounds(network, ([0, 0, 0], [1, 1, 1]))
    image = IntegerNetwork(
        (GlobalSumPool("sum", INPUT_NAME), Reshape("flat", "sum", (2,))),
        ("a", "b"),
        (2, 3, 2),
        None,
    )
    bounds = interval_bounds(image, ([0, 1, 2], [3, 3, 3]))
    assert bounds["flat"].low.tolist() == [6, 6] and bounds["flat"].high.tolist() == [18, 18]


def test_a_network_without_weights_adds_up_nothing() -> None:
    network = IntegerNetwork((Reshape("same", INPUT_NAME, (2,)),), ("a", "b"), (2, 1), None)
    assert magnitude_bound(network) == 0 and magnitude_bounds(network) == {}
