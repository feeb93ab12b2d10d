from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from dataflow.proof.proven_ranges import Budget
from dataflow.proof.range_prover import prove_ranges
from dataflow.ranges.intervals import interval_bounds
from dataflow.widths.partial_sums import accumulator_bits
from golden.integer_math import signed_bits
from golden.network import IntegerNetwork
from tests.dataflow.proof.test_tap_orders import INPUT_RANGE, TAPS, overlapping_network
from tests.graphs import graphs
from tests.networks import random_network


@given(st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=50), st.randoms())
def test_an_accumulator_as_wide_as_the_last_sum_gives_it_in_any_order(
    terms: list[int], order: random.Random
) -> None:
    bits = signed_bits(sum(terms), sum(terms))
    order.shuffle(terms)
    register = 0
    for term in terms:
        register = (register + term) % 2**bits
    signed = register - 2**bits if register >= 2 ** (bits - 1) else register
    assert signed == sum(terms)


def test_a_layer_whose_partial_sums_exceed_the_last_saves_bits() -> None:
    network = overlapping_network(TAPS)
    ranges = prove_ranges(network, INPUT_RANGE, Budget(rounds=0, workers=1))
    rows = {row.layer: row for row in accumulator_bits(network, ranges.bounds, ranges.orders)}
    taps = rows["taps"]
    assert (taps.worst_bits, taps.best.bits, taps.last_bits, taps.saved_bits) == (10, 9, 8, 2)
    assert taps.saving_channels == (0,)
    assert rows["ones"].saved_bits == 0 and rows["ones"].saving_channels == ()


def test_independent_inputs_that_may_be_zero_need_their_last_sum_alone() -> None:
    network = random_network(1, filters=3, outputs=2)
    ranges = prove_ranges(network, budget=Budget(rounds=0, workers=1))
    rows = accumulator_bits(network, ranges.bounds, ranges.orders)
    assert rows[0].layer == "conv_1" and rows[0].saved_bits == 0


@given(graphs())
def test_without_proof_taps_keep_their_order_and_no_sum_needs_more(network: IntegerNetwork) -> None:
    bounds = interval_bounds(network)
    for row in accumulator_bits(network, bounds):
        sums = bounds[f"{row.layer}.partial_sum"]
        assert row.worst_bits == row.best.bits == signed_bits(sums.minimum, sums.maximum)
        assert row.last_bits == bounds[row.layer].bits <= row.worst_bits
        assert row.best.taps == tuple(range(network.node(row.layer).weights[0].size))
