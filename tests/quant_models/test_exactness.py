"""Sums of magnitudes by hand and by Python's integers, and the refusal of what float32 cannot."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings

from dataflow.ranges.intervals import magnitude_bound
from golden import reference
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import Convolution, DepthwiseConvolution, FullyConnected
from quant_models.exactness import FLOAT32_EXACT, check_sums, exactness_text
from tests.networks import features_for, label_names, networks_with_fingerprints, random_network


def largest_sum(network: IntegerNetwork, fingerprints: npt.NDArray[np.int8]) -> int:
    """The largest sum of magnitudes, tap by tap in Python's integers."""
    layers = reference.run(network, fingerprints).layers
    largest = 0
    for node in network.weighted_nodes:
        values = layers[node.input].reshape(len(fingerprints), *network.shapes[node.input])
        if isinstance(node, FullyConnected):
            for clip in values.reshape(len(values), -1).tolist():
                for weights, bias in zip(node.weights.tolist(), node.biases.tolist(), strict=True):
                    terms = [abs(w * x) for w, x in zip(weights, clip, strict=True)]
                    largest = max(largest, abs(bias) + sum(terms))
            continue
        assert isinstance(node, Convolution | DepthwiseConvolution)
        patches = reference.windows(values, node.windows)
        for clip in patches.reshape(-1, *patches.shape[3:]):  # kh kw channel
            for channel, weights in enumerate(node.weights):
                depthwise = isinstance(node, DepthwiseConvolution)
                seen = clip[..., [channel]] if depthwise else clip
                pairs = zip(weights.ravel().tolist(), seen.ravel().tolist(), strict=True)
                largest = max(largest, sum(abs(w * x) for w, x in pairs))
    return largest


@settings(max_examples=30)
@given(networks_with_fingerprints())
def test_the_largest_sum_is_that_of_pythons_integers(
    case: tuple[IntegerNetwork, npt.NDArray[np.int8]],
) -> None:
    network, fingerprints = case
    expected = largest_sum(network, fingerprints)
    layers = reference.run(network, fingerprints).layers
    assert expected <= magnitude_bound(network)
    if expected >= FLOAT32_EXACT:
        with pytest.raises(ValueError, match=r"less than 2\^24 .*, got \d+ at clip"):
            check_sums(network, layers)
    else:
        assert check_sums(network, layers) == expected


def dense(bias: int) -> IntegerNetwork:
    """One layer with a weight of -32 at (1, 2) of the fingerprint, for the second label."""
    weights = np.zeros((2, 12), np.int8)
    weights[1, 1 * 3 + 2] = -32
    biases = np.array([5, bias], np.int32)
    layer = FullyConnected("logits", INPUT_NAME, weights, biases)
    return IntegerNetwork((layer,), label_names(2), (4, 3), features_for((4, 3)))


@pytest.mark.parametrize("bias", [FLOAT32_EXACT - 1_025, 1_025 - FLOAT32_EXACT])
def test_one_below_the_limit_is_exact_whatever_cancels(bias: int) -> None:
    fingerprints = np.full((2, 4, 3), -32, np.int8)
    layers = reference.run(dense(bias), fingerprints).layers
    assert check_sums(dense(bias), layers) == FLOAT32_EXACT - 1


@pytest.mark.parametrize("bias", [FLOAT32_EXACT - 1_024, 1_024 - FLOAT32_EXACT])
def test_the_limit_itself_is_refused_with_layer_clip_place_and_value(bias: int) -> None:
    fingerprints = np.zeros((3, 4, 3), np.int8)
    fingerprints[1, 1, 2] = -32
    layers = reference.run(dense(bias), fingerprints).layers
    message = (
        "logits: expected |weight x input| to add up to less than 2^24 for exact float32, "
        f"got {FLOAT32_EXACT} at clip 257, channel 1"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check_sums(dense(bias), layers, first_clip=256)


def test_a_place_in_a_map_is_named_by_its_axes() -> None:
    network = random_network(0, filters=3, weights=(31, 31), shifts=(0, 0, 0))
    fingerprints = np.full((1, 30, 10), 31, np.int8)
    layers = dict(reference.run(network, fingerprints).layers)
    layers["conv_1_relu"] = np.zeros_like(layers["conv_1_relu"])
    layers["conv_1_relu"][0, 13, 3, 2] = 2**20
    with pytest.raises(
        ValueError,
        match=r"got 32505856 at clip 0, time 12, coefficient 2, channel 2$",
    ):
        check_sums(network, layers)


def test_the_text_says_which_of_the_two_statements_holds() -> None:
    assert exactness_text(FLOAT32_EXACT - 1, 0) == (
        "exact for every input: sums of magnitudes reach 16,777,215 < 2^24 at most"
    )
    assert exactness_text(FLOAT32_EXACT, 77_129) == (
        "exact for each of these clips: their sums of magnitudes were checked one by one and "
        "reach 77,129 < 2^24 (the bound for every input is 16,777,216)"
    )
