from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from dataflow.ranges.intervals import interval_bounds
from dataflow.widths.shrinking import (
    DeadChannels,
    LargerShift,
    WithoutLowestCode,
    datapath_bits,
    dead_channels,
    lossy_changes,
    without_channels,
)
from golden import reference
from golden.network import IntegerNetwork
from golden.nodes import Add, Node, ShiftRelu, WeightedNode
from tests.networks import eight_bit_network, random_fingerprints, random_network

INPUTS = random_fingerprints(3, 20)


def with_weights(network: IntegerNetwork, name: str, place: object, value: int) -> IntegerNetwork:
    def changed(node: Node) -> Node:
        if not isinstance(node, WeightedNode) or node.name != name:
            return node
        weights = node.weights.copy()
        weights[place] = value
        return dataclasses.replace(node, weights=weights)

    return dataclasses.replace(network, nodes=tuple(map(changed, network.nodes)))


def logits(network: IntegerNetwork) -> list[list[int]]:
    return reference.run(network, INPUTS).logits.tolist()


def test_channels_that_are_always_zero_are_found_and_removed_without_any_change() -> None:
    network = with_weights(random_network(1, filters=5, outputs=3), "dw_conv", [1, 3], -1)
    found = dead_channels(network, interval_bounds(network))
    assert found == (DeadChannels("conv_1", "pw_conv", (1, 3)),)
    smaller = without_channels(network, found[0])
    assert smaller.shapes["conv_1"][-1] == smaller.shapes["max_pool"][-1] == 3
    assert logits(smaller) == logits(network)


def test_a_channel_that_no_weight_reads_is_dead() -> None:
    network = with_weights(random_network(1, filters=4, outputs=3), "fc1", np.s_[:, 2], 0)
    found = dead_channels(network, interval_bounds(network))
    assert found == (DeadChannels("pw_conv", "fc1", (2,)),)
    smaller = without_channels(network, found[0])
    assert smaller.node("fc1").weights.shape == (4, 2)
    assert logits(smaller) == logits(network)


def test_one_channel_stays_where_all_are_dead() -> None:
    network = with_weights(random_network(1, filters=3, outputs=2), "dw_conv", np.s_[:], -1)
    found = dead_channels(network, interval_bounds(network))
    assert found[0] == DeadChannels("conv_1", "pw_conv", (1, 2))
    assert logits(without_channels(network, found[0])) == logits(network)


def test_a_living_network_has_no_dead_channels() -> None:
    network = random_network(1)
    assert dead_channels(network, interval_bounds(network)) == ()


def test_a_larger_shift_is_made_up_for_by_a_smaller_one() -> None:
    network = random_network(1, shifts=(3, 4, 8))
    moved = LargerShift("conv_1_relu", "pw_conv_relu").apply(network)
    assert [node.shift for node in moved.nodes if isinstance(node, ShiftRelu)] == [4, 4, 7]
    assert moved.node("fc1").biases.tolist() == network.node("fc1").biases.tolist()


def test_a_larger_shift_alone_halves_the_biases_towards_minus_infinity() -> None:
    network = random_network(1, shifts=(3, 4, 8))
    moved = LargerShift("pw_conv_relu", None).apply(network)
    assert [node.shift for node in moved.nodes if isinstance(node, ShiftRelu)] == [3, 4, 9]
    halves = [bias // 2 for bias in network.node("fc1").biases.tolist()]
    assert moved.node("fc1").biases.tolist() == halves


def test_every_change_is_offered_once() -> None:
    network = random_network(1, weights=(-32, -32), shifts=(31, 1, 0))
    assert set(lossy_changes(network)) == {
        *(WithoutLowestCode(name) for name in ("conv_1", "dw_conv", "pw_conv", "fc1")),
        LargerShift("dw_conv_relu", None),
        LargerShift("pw_conv_relu", None),
    }


def test_without_the_lowest_code_the_first_multiplier_needs_one_bit_less() -> None:
    network = random_network(1, weights=(-32, -32))
    narrower = WithoutLowestCode("conv_1").apply(network)
    assert narrower.node("conv_1").weights.min() == -31
    assert interval_bounds(network)["conv_1.product"].maximum == 1024
    assert interval_bounds(narrower)["conv_1.product"].maximum == 992
    assert datapath_bits(narrower) < datapath_bits(network)


def test_nodes_that_are_no_chain_are_refused() -> None:
    network = random_network(1)
    nodes = list(network.nodes)
    nodes[7] = dataclasses.replace(nodes[7], input="pw_conv")
    again = dataclasses.replace(nodes[7], name="fc2", input="pw_conv_relu")
    nodes += [again, Add("sum", ("fc1", "fc2"))]
    forked = dataclasses.replace(network, nodes=tuple(nodes))
    with pytest.raises(ValueError, match=r"fc1\.input: expected pw_conv_relu, got pw_conv"):
        dead_channels(forked, interval_bounds(forked))


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("conv_1", {"biases": np.ones(48, np.int32)}, r"conv_1\.biases: expected none, got 48"),
        ("pw_conv", {"weight_bits": 8}, r"pw_conv\.weight_bits: expected at most 6, got 8"),
    ],
)
def test_layers_that_are_not_homogeneous_are_refused(
    name: str, fields: dict[str, Any], message: str
) -> None:
    network = random_network(1)
    nodes = [
        dataclasses.replace(node, **fields) if node.name == name else node for node in network.nodes
    ]
    biased = dataclasses.replace(network, nodes=tuple(nodes))
    with pytest.raises(ValueError, match=message):
        dead_channels(biased, interval_bounds(biased))
    with pytest.raises(ValueError, match=message):
        next(lossy_changes(biased))


def test_nodes_of_8_bit_networks_are_refused() -> None:
    network = eight_bit_network()
    with pytest.raises(ValueError, match=r"conv\.weight_bits: expected at most 6, got 8"):
        dead_channels(network, interval_bounds(network))
