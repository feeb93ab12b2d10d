from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from dataflow.proof.proven_ranges import Budget
from dataflow.proof.range_prover import prove_ranges
from dataflow.widths.partial_sums import accumulator_bits
from golden.integer_math import signed_bits
from tests.dataflow.proof.test_tap_orders import INPUT_RANGE, TAPS, overlapping_network
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
    rows = {row.layer: row for row in accumulator_bits(network, ranges)}
    taps = rows["taps"]
    assert (taps.worst_bits, taps.best.bits, taps.last_bits, taps.saved_bits) == (10, 9, 8, 2)
    assert taps.saving_channels == (0,)
    assert rows["ones"].saved_bits == 0 and rows["ones"].saving_channels == ()


def test_independent_inputs_that_may_be_zero_need_their_last_sum_alone() -> None:
    network = random_network(1, filters=3, outputs=2)
    rows = accumulator_bits(network, prove_ranges(network, budget=Budget(rounds=0, workers=1)))
    assert rows[0].layer == "conv_1" and rows[0].saved_bits == 0
