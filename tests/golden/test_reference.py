"""The reference against published values, plain loops and the layers' algebra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden import reference
from golden.network import INPUT_NAME, FeatureSettings, IntegerNetwork
from golden.nodes import (
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    GlobalMaxPool,
    Node,
    ShiftRelu,
)
from golden.reference import compute, exact_type
from tests.graphs import graphs_with_inputs
from tests.networks import networks_with_fingerprints, random_fingerprints, random_network
from tests.plain_loops import every_layer

KNOWN_FINGERPRINT = Path(__file__).parent / "data" / "known_fingerprint.txt"
KNOWN_FILTERS = (
    [[2, -5, -4, -7], [1, -2, -7, -12], [0, 1, 0, -6], [0, -1, -8, -9]],
    [[0, 0, -13, 4], [-2, 5, -6, 1], [-3, 3, 4, -3], [-2, 1, 12, 2]],
)


def known_network() -> IntegerNetwork:
    """The two published filters; the fully connected layer behind them only completes a network."""
    weights = np.array(KNOWN_FILTERS)[..., np.newaxis]
    outputs = 14 * 4 * 2
    fully_connected = np.zeros((2, outputs), np.int8), np.zeros(2, np.int32)
    nodes = (
        Convolution("conv_1", "fingerprint", weights, (2, 2), "VALID"),
        FullyConnected("fc1", "conv_1", *fully_connected),
    )
    return IntegerNetwork(nodes, ("yes", "no"), (30, 10), FeatureSettings())


def test_published_fingerprint_gives_the_published_convolution() -> None:
    fingerprint = np.loadtxt(KNOWN_FINGERPRINT, dtype=np.int64)
    assert fingerprint[:4, :4].tolist() == [
        [-18, 0, 1, 1], [19, 0, -3, -1], [20, -2, -3, 0], [20, -2, -3, 0],
    ]  # fmt: skip
    convolution = reference.run(known_network(), fingerprint[np.newaxis]).layers["conv_1"]
    assert convolution.shape == (1, 14, 4, 2)
    assert convolution[0, 0, 0].tolist() == [29, -186]


def expect_plain_loops(network: IntegerNetwork, fingerprints: Any) -> None:
    """Compare every value with what plain loops over Python's integers give."""
    result = reference.run(network, fingerprints)
    for clip, fingerprint in enumerate(fingerprints):
        for name, values in every_layer(network, fingerprint).items():
            layer = result.layers[name][clip].reshape(network.shapes[name])
            found = {place: int(value) for place, value in np.ndenumerate(layer)}
            assert found == values, (clip, name)


@settings(max_examples=60)
@given(networks_with_fingerprints(max_count=2))
def test_every_layer_equals_the_plain_loops(case: tuple[IntegerNetwork, Any]) -> None:
    expect_plain_loops(*case)


@settings(max_examples=150)
@given(graphs_with_inputs(most_inputs=2))
def test_every_layer_of_a_graph_equals_the_plain_loops(case: tuple[IntegerNetwork, Any]) -> None:
    expect_plain_loops(*case)


def test_default_network_equals_the_plain_loops() -> None:
    expect_plain_loops(random_network(3, filters=5, outputs=3), random_fingerprints(3, 1))


@given(networks_with_fingerprints() | graphs_with_inputs())
def test_layers_are_int64_of_the_declared_shapes_in_network_order(
    case: tuple[IntegerNetwork, Any],
) -> None:
    network, fingerprints = case
    result = reference.run(network, fingerprints)
    assert list(result.layers) == ["fingerprint", *(node.name for node in network.nodes)]
    centred = fingerprints.astype(int) - network.input_format.zero_point
    assert np.array_equal(result.layers["fingerprint"], centred)
    for node in network.nodes:
        assert result.layers[node.name].shape == (len(fingerprints), *network.shapes[node.name])
        assert result.layers[node.name].dtype == np.int64
    assert result.logits is result.layers[network.output_name]


@given(networks_with_fingerprints(max_count=4) | graphs_with_inputs(most_inputs=4))
def test_clips_of_a_batch_do_not_touch_each_other(case: tuple[IntegerNetwork, Any]) -> None:
    network, fingerprints = case
    together = reference.run(network, fingerprints).logits
    alone = [reference.run(network, clip[np.newaxis]).logits[0] for clip in fingerprints]
    assert together.tolist() == np.array(alone).tolist()


@given(st.integers(0, 2**32 - 1), st.integers(0, 12), st.integers(-(2**20), 2**20))
def test_max_pool_commutes_with_shift_and_relu(seed: int, shift: int, centre: int) -> None:
    values = np.random.default_rng(seed).integers(centre - 5000, centre + 5000, (2, 5, 3, 4))
    pool, shift_relu = GlobalMaxPool("pool", "x"), ShiftRelu("relu", "x", shift)
    pooled_last = reference.compute(pool, reference.compute(shift_relu, values))
    pooled_first = reference.compute(shift_relu, reference.compute(pool, values))
    assert pooled_last.tolist() == pooled_first.tolist()


@given(networks_with_fingerprints())
def test_a_convolution_without_bias_is_homogeneous(case: tuple[IntegerNetwork, Any]) -> None:
    network, fingerprints = case
    small = fingerprints // 4
    once = reference.run(network, small).layers["first"]
    assert reference.run(network, small * 4).layers["first"].tolist() == (4 * once).tolist()


@pytest.mark.parametrize(
    ("logits", "index"),
    [([5, 5, 1], 0), ([1, 5, 5], 1), ([-3, -3, -3], 0), ([0, -1, 0], 0), ([1, 2, 3], 2)],
)
def test_of_equal_logits_the_first_wins(logits: list[int], index: int) -> None:
    layer = np.array([logits])
    assert reference.Inference({"fc1": layer}, layer).label_indices.tolist() == [index]


def test_ties_of_a_network_go_to_the_lowest_index() -> None:
    network = random_network(0, filters=2, outputs=2, weights=(0, 0), biases=(7, 7))
    assert reference.run(network, random_fingerprints(0, 3)).label_indices.tolist() == [0, 0, 0]


def test_no_clips_give_no_logits() -> None:
    empty = np.zeros((0, 30, 10), np.int8)
    assert reference.run(random_network(0), empty).logits.shape == (0, 4)


@pytest.mark.parametrize(
    ("fingerprints", "kind", "message"),
    [
        (
            np.zeros((1, 30, 9), int),
            ValueError,
            r"expected shape \('N', 30, 10\), got \(1, 30, 9\)",
        ),
        (np.zeros((30, 10), int), ValueError, r"expected shape \('N', 30, 10\), got \(30, 10\)"),
        (np.zeros((1, 30, 10)), TypeError, "expected an array of integers, got float64"),
        (np.zeros((1, 30, 10), bool), TypeError, "expected an array of integers, got bool"),
        ([[0]], TypeError, "expected an array of integers, got list"),
        (np.full((1, 30, 10), 32), ValueError, r"integers in -32..31, got 32 at \(0, 0, 0\)"),
        (np.full((1, 30, 10), -33), ValueError, r"integers in -32..31, got -33 at \(0, 0, 0\)"),
    ],
)
def test_what_is_no_fingerprint_is_refused(
    fingerprints: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=rf"^fingerprints: .*{message}$"):
        reference.run(random_network(0), fingerprints)


def test_an_unknown_node_has_no_arithmetic() -> None:
    with pytest.raises(TypeError, match=r"^x: no arithmetic for a Node$"):
        reference.compute(Node("x"), np.zeros((1, 1, 1, 1), np.int64))


@pytest.mark.parametrize(
    ("largest", "expected"),
    [(2**23, np.float32), (2**23 + 1, np.float64), (2**52, np.float64), (2**52 + 1, np.int64)],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_sums_are_computed_in_floats_where_those_hold_every_integer(
    largest: int, expected: type, sign: int
) -> None:
    """Two weights of 1: magnitudes add up to twice the largest value at most."""
    node = FullyConnected("sums", INPUT_NAME, np.array([[1, -1], [1, 0]], np.int8))
    values = sign * np.array([[largest, 1 - largest]])
    assert exact_type(node, values) is expected
    assert compute(node, values).tolist() == [[sign * (2 * largest - 1), sign * largest]]


@pytest.mark.parametrize("kind", [Convolution, DepthwiseConvolution])
def test_windows_of_values_beyond_all_floats_are_exact(kind: type) -> None:
    values = np.array([2**55 + 1, -(2**56) + 3, 2**54 + 7]).reshape(1, 1, 3, 1)
    node = kind("sums", INPUT_NAME, np.array([3, 5], np.int8).reshape(1, 1, 2, 1), padding="VALID")
    first, second, third = values.ravel().tolist()
    assert compute(node, values).ravel().tolist() == [
        3 * first + 5 * second,
        3 * second + 5 * third,
    ]
