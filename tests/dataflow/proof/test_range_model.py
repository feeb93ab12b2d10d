from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from dataflow.proof.range_model import Target, extreme
from dataflow.ranges.intervals import Box, element_bounds
from golden import reference
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import FullyConnected, ShiftRelu
from tests.networks import features_for, label_names, random_network

NETWORK = random_network(1, filters=2, outputs=2)
BOUNDS = element_bounds(NETWORK)
ALL_TAPS = frozenset(range(9))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("position", [(0, 0), (0, 2), (5, 1), (13, 3)])
def test_the_input_found_reaches_the_bound(sign: int, position: tuple[int, int]) -> None:
    solution = extreme(NETWORK, BOUNDS, Target("dw_conv", (*position, 1), ALL_TAPS), sign)
    assert solution is not None and solution.fingerprint is not None
    layers = reference.run(NETWORK, solution.fingerprint[np.newaxis]).layers
    assert layers["dw_conv"][0, *position, 1] == solution.bound


def test_pooled_values_that_are_free_bound_from_outside() -> None:
    target = Target("fc1", (0,), frozenset({0, 1}))
    solution = extreme(NETWORK, BOUNDS, target, 1, free=frozenset(["max_pool"]))
    assert solution is not None and solution.fingerprint is None
    features = BOUNDS["pw_conv_relu"].high.reshape(-1)
    weights, bias = NETWORK.node("fc1").weights[0], NETWORK.node("fc1").biases[0]
    assert solution.bound <= bias + np.maximum(weights * features, 0).sum()


def test_without_time_there_is_no_bound() -> None:
    assert extreme(NETWORK, BOUNDS, Target("dw_conv", (5, 1, 0), ALL_TAPS), 1, seconds=0) is None


def test_numbers_beyond_the_precision_of_the_solver_are_left_to_interval_arithmetic() -> None:
    hidden = FullyConnected("hidden", INPUT_NAME, np.ones((1, 4), int), np.array([2**24 - 64]))
    nodes = (
        hidden,
        ShiftRelu("relu", "hidden", 0),
        FullyConnected("logits", "relu", np.array([[-1]]), np.array([0])),
    )
    shape = (2, 2)
    for bias, solved in ((2**24 - 128, True), (2**24 + 128, False)):
        changed = (dataclasses.replace(hidden, biases=np.array([bias])), *nodes[1:])
        network = IntegerNetwork(changed, label_names(1), shape, features_for(shape))
        target = Target("logits", (0,), frozenset({0}))
        solution = extreme(network, element_bounds(network), target, 1)
        assert (solution is not None and solution.bound == 4 * 32 - bias) is solved


def test_a_program_without_solution_is_an_internal_error_that_names_the_layer() -> None:
    shifted = BOUNDS["conv_1_relu"]
    impossible = Box(shifted.high + 10, shifted.high + 20)
    bounds = {**BOUNDS, "conv_1_relu": impossible}
    with pytest.raises(RuntimeError, match="dw_conv: internal error: the solver says 'The problem"):
        extreme(NETWORK, bounds, Target("dw_conv", (5, 1, 0), ALL_TAPS), 1)
