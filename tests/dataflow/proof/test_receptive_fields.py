"""What elements depend on, against the reference: change one input, and see what changes."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings

from dataflow.proof.deadline import NEVER, Deadline
from dataflow.proof.range_model import is_modelled
from dataflow.proof.receptive_fields import (
    Signatures,
    as_fingerprint,
    depth,
    element_sources,
    nodes_before,
    pixel_of,
    pixels_are_independent,
)
from dataflow.proof.witness_search import is_searchable
from dataflow.ranges.intervals import element_bounds
from golden import reference
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import Pad, Reshape, ShiftRelu
from tests.graphs import graphs
from tests.networks import deep_network, eight_bit_network, random_network


@settings(max_examples=50)
@given(graphs(most_nodes=4))
def test_an_output_depends_on_its_sources_alone(network: IntegerNetwork) -> None:
    rng = np.random.default_rng(0)
    shapes = network.shapes
    for node in network.nodes:
        output = tuple(int(rng.integers(size)) for size in shapes[node.name])
        sources = [element for element in element_sources(network, node, output) if element[1]]
        inputs = [rng.integers(-9, 10, (1, *shapes[name])) for name in node.sources]
        others = [rng.integers(-9, 10, values.shape) for values in inputs]
        for place, name in enumerate(node.sources):  # all is changed but what the output reads
            for source, index in sources:
                if source == name:
                    others[place][0][index] = inputs[place][0][index]
        first, second = (reference.compute(node, *given)[0] for given in (inputs, others))
        assert first[output] == second[output], node


def test_pixels_are_found_through_padding_shapes_and_shifts() -> None:
    nodes = (
        Pad("padded", INPUT_NAME, ((1, 0), (0, 0), (0, 0))),
        ShiftRelu("relu", "padded", 1),
        Reshape("flat", "relu", (6,)),
    )
    network = IntegerNetwork(nodes, tuple("abcdef"), (2, 2), None)
    assert pixels_are_independent(network, "flat")
    found = [pixel_of(network, "flat", (place,)) for place in range(6)]
    assert found == [(), (), (0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0)]
    assert not pixels_are_independent(random_network(1), "conv_1")


def test_inputs_are_those_that_the_network_takes() -> None:
    network = eight_bit_network()
    low, high = network.input_format.value_range
    for value, expected in ((low, -128), (high, 127), (0, network.input_format.zero_point)):
        pixels = np.full(network.shapes[INPUT_NAME], value)
        fingerprint = as_fingerprint(network, pixels)
        assert fingerprint.dtype == np.int8 and fingerprint.shape == network.input_shape
        assert (fingerprint == expected).all()


def test_depth_counts_shifted_and_pooled_elements_up_to_a_limit() -> None:
    network = random_network(1, filters=4, outputs=3)
    assert depth(network, "dw_conv", 200) == 9  # one window of conv_1_relu
    # Four pooled values, 56 shifted ones before each, and the map of conv_1_relu.
    assert depth(network, "pw_conv", 1000) == 4 + 2 * 4 * 56
    assert depth(network, "pw_conv", 100) == 101
    assert depth(network, "fc1", 100, frozenset({"max_pool"})) == 3 + 4


def test_elements_of_branches_and_other_shapes_are_not_compared() -> None:
    chain = deep_network(1, channels=2, input_shape=(12, 8))
    bounds = element_bounds(chain)
    numbers = Signatures(chain, bounds, "dw_conv_1")
    rows, columns, _ = chain.shapes["dw_conv_1"]
    every = {numbers.of("dw_conv_1", (r, c, 0)) for r in range(rows) for c in range(columns)}
    assert (rows, columns, len(every)) == (5, 3, 9)  # four corners, four borders, the inside
    branched = eight_bit_network()
    numbers = Signatures(branched, element_bounds(branched), "sum")
    rows, columns, _ = branched.shapes["sum"]
    every = {numbers.of("sum", (r, c, 0)) for r in range(rows) for c in range(columns)}
    assert len(every) == rows * columns


def test_what_programs_and_searches_reach() -> None:
    network = random_network(1)
    assert is_modelled(network, "fc1") and is_searchable(network, "fc1")
    assert [node.name for node in nodes_before(network, "dw_conv")][-1] == "dw_conv"
    eight_bit = eight_bit_network()
    assert is_modelled(eight_bit, "conv") and not is_modelled(eight_bit, "dw")
    assert not is_searchable(eight_bit, "dense")
    assert not is_searchable(random_network(1, input_shape=(1900, 40)), "fc1")  # takes too long


def test_a_deadline_passes() -> None:
    assert NEVER.seconds_left == np.inf and not NEVER.passed
    assert Deadline.after(0).passed and Deadline.after(-1).seconds_left == 0
    soon = Deadline.after(0.05)
    assert 0 < soon.seconds_left <= 0.05
    time.sleep(0.06)
    assert soon.passed


@pytest.mark.parametrize("block", [1, 2])
def test_depth_stops_early_in_deep_networks(block: int) -> None:
    network = deep_network(1, blocks=4, channels=16)
    assert depth(network, f"pw_conv_{block}", 100) == 101
