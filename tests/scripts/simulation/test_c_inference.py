"""The generated C program: every layer is the reference's, for networks of every arrangement."""

from __future__ import annotations

from collections.abc import Callable

import hypothesis
import numpy as np
import numpy.typing as npt
import pytest

from golden import reference
from golden.c_program import inference_program, value_bits
from golden.comparison import Comparison, compare
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import INT32_MAX, INT32_MIN, AveragePool, Convolution, FullyConnected
from golden.ties import find_ties
from scripts.simulation.c_inference import run_c
from tests.graphs import random_inputs
from tests.networks import (
    networks_with_fingerprints,
    random_fingerprints,
    random_network,
    tying_network,
)


def compared(network: IntegerNetwork, fingerprints: npt.NDArray[np.int8]) -> Comparison:
    expected = reference.run(network, fingerprints)
    layers = {**expected.layers, "label": expected.label_indices}
    return compare(layers, run_c(network, fingerprints), batched=True)


@pytest.mark.parametrize("extremes", [False, True])
def test_default_network_is_the_reference_in_every_layer_and_label(
    extremes: bool, require_tool: Callable[[str], None]
) -> None:
    require_tool("cc")
    network, clips = random_network(1), random_fingerprints(1, 20, extremes=extremes)
    comparison = compared(network, clips)
    assert comparison.clips == 20
    names = ["fingerprint", *(node.name for node in network.nodes), "label"]
    assert list(comparison.values) == names
    assert "typedef int32_t value_t;" in inference_program(network)


@hypothesis.settings(max_examples=15)
@hypothesis.given(networks_with_fingerprints())
def test_any_network_is_the_reference(case: tuple[IntegerNetwork, npt.NDArray[np.int8]]) -> None:
    compared(*case)


@pytest.mark.parametrize("bias", [INT32_MIN, INT32_MAX])
def test_sums_beyond_32_bits_are_the_reference(
    bias: int, require_tool: Callable[[str], None]
) -> None:
    require_tool("cc")
    network = random_network(3, biases=(bias, bias), weights=(31, 31))
    if bias < 0:
        network = random_network(3, biases=(bias, bias), weights=(-32, 31))
    clips = random_fingerprints(3, 50, extremes=True)
    logits = reference.run(network, clips).logits
    assert logits.max() >= 2**31 if bias > 0 else logits.min() < -(2**31)
    assert value_bits(network) == 64
    compared(network, clips)


def test_a_mean_whose_half_leaves_32_bits_is_the_reference(
    require_tool: Callable[[str], None],
) -> None:
    """Nine values whose sum is 2^31 - 2: with the half that rounds, 4, it does not fit."""
    require_tool("cc")
    pixels = np.zeros((1, 1, 1, 1), np.int8)
    nodes = (
        Convolution("same", INPUT_NAME, pixels, biases=np.array([(2**31 - 2) // 9])),
        AveragePool("mean", "same", (3, 3)),
        FullyConnected("logit", "mean", np.zeros((1, 1), np.int8)),
    )
    network = IntegerNetwork(nodes, ("yes",), (3, 3), None)
    assert value_bits(network) == 64
    compared(network, random_inputs(0, 1, network))


def test_the_first_of_equal_logits_is_the_label(require_tool: Callable[[str], None]) -> None:
    require_tool("cc")
    network = random_network(1, weights=(0, 0), biases=(5, 5))
    assert run_c(network, random_fingerprints(1, 2))["label"].tolist() == [0, 0]
    network = tying_network()
    ties = find_ties(network)
    assert len(ties.fingerprints)
    compared(network, ties.fingerprints)
