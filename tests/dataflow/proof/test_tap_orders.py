from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dataflow.proof.proven_ranges import Budget
from dataflow.proof.range_prover import prove_ranges
from dataflow.ranges.intervals import interval_bounds
from dataflow.ranges.observed import observe
from golden.integer_math import signed_bits
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import Convolution, DepthwiseConvolution, FullyConnected, ShiftRelu
from tests.networks import features_for, label_names, random_network

SHAPE = (2, 11)
TAPS = [20, 20, -20, -20]
INPUT_RANGE = (0, 1)


def overlapping_network(taps: list[int]) -> IntegerNetwork:
    """A row of ones slides over the input; its neighbours, which overlap, are then weighted."""
    weights: Any = np.array(taps).reshape(1, 1, -1, 1)
    nodes = (
        Convolution("ones", INPUT_NAME, np.ones((1, 1, 8, 1), np.int64)),
        ShiftRelu("ones_relu", "ones", 0),
        DepthwiseConvolution("taps", "ones_relu", weights, padding="VALID"),
        FullyConnected("logits", "taps", np.ones((1, 2), np.int64), np.zeros(1, np.int64)),
    )
    return IntegerNetwork(nodes, label_names(1), SHAPE, features_for(SHAPE))


def every_row(network: IntegerNetwork) -> npt.NDArray[np.int8]:
    """Return all rows of zeros and ones: the layers see no further than a row."""
    bits = np.arange(2**11)[:, np.newaxis] >> np.arange(11) & 1
    return np.repeat(bits[:, np.newaxis], SHAPE[0], axis=1).astype(np.int8)


def test_taps_of_opposite_sign_take_turns_where_that_saves_a_bit() -> None:
    network = overlapping_network(TAPS)
    ranges = prove_ranges(network, INPUT_RANGE, Budget(rounds=0, workers=1))
    final = ranges.signals["taps"].bound
    given = ranges.signals["taps.partial_sum"].bound
    assert (given.minimum, given.maximum) == (-80, 320)  # after two taps, 20 * (8 + 8)
    assert (final.minimum, final.maximum) == (-80, 80)  # 20 * (1 + 2 + 1): the rest is shared
    best = ranges.orders["taps"]
    assert best.bits == 9 < signed_bits(given.minimum, given.maximum)
    assert sorted(best.taps) == [0, 1, 2, 3]


def test_every_partial_sum_in_the_best_order_fits_its_bits() -> None:
    network = overlapping_network(TAPS)
    best = prove_ranges(network, INPUT_RANGE, Budget(rounds=0, workers=1)).orders["taps"]
    inputs = every_row(network)
    ones = np.stack([inputs[:, 0, start : start + 8].sum(axis=1) for start in range(4)], axis=1)
    sums = np.cumsum((ones * TAPS)[:, list(best.taps)], axis=1)
    assert signed_bits(int(sums.min()), int(sums.max())) == best.bits


def test_the_given_order_stays_where_its_sums_need_no_more_than_the_last() -> None:
    network = random_network(1, filters=2, outputs=2)
    ranges = prove_ranges(network, budget=Budget(rounds=0, workers=1))
    for name, order in ranges.orders.items():
        final = ranges.signals[name].bound
        if order.bits == signed_bits(final.minimum, final.maximum):
            assert order.taps == tuple(range(len(order.taps))), name
    seen = observe(network, interval_bounds(network), [ranges.fingerprints]).ranges
    assert seen["conv_1.partial_sum"].maximum == seen["conv_1"].maximum
