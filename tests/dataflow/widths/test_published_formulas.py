from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given

from dataflow.ranges.intervals import ChannelRange, Ranges, interval_bounds
from dataflow.widths.published_formulas import (
    FORMULAS,
    AuditRow,
    Operands,
    Overflow,
    audit,
    operands,
)
from dataflow.widths.signal_widths import layer_widths
from golden import reference
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import Convolution, DepthwiseConvolution, FullyConnected, ShiftRelu
from tests.networks import features_for, label_names, networks_with_fingerprints, random_network
from tests.plain_loops import extremes

RULES = {formula.name: formula for formula in FORMULAS}


def matrix_network(weights: list[int], bias: int) -> IntegerNetwork:
    """One output, computed from a fingerprint of 2 x 2."""
    node = FullyConnected("fc1", INPUT_NAME, np.array([weights]), np.array([bias]))
    return IntegerNetwork((node,), ("yes",), (2, 2), features_for((2, 2)))


def small_network() -> IntegerNetwork:
    """A layer of each kind: a signed input, one that is never negative, and a bias."""
    nodes = (
        Convolution("conv_1", INPUT_NAME, np.array([31, -32, 0, 1]).reshape(2, 1, 2, 1)),
        ShiftRelu("conv_1_relu", "conv_1", 4),
        DepthwiseConvolution("dw_conv", "conv_1_relu", np.full((2, 2, 2, 1), -2)),
        FullyConnected("fc1", "dw_conv", np.full((1, 8), 3), np.array([-700])),
    )
    return IntegerNetwork(nodes, ("yes",), (2, 3), features_for((2, 3)))


def reached(network: IntegerNetwork, fingerprints: npt.NDArray[np.int64]) -> Ranges:
    return {
        name: ChannelRange(np.array(low), np.array(high))
        for name, (low, high) in extremes(network, fingerprints).items()
    }


def audit_of(network: IntegerNetwork, needed: Ranges | None = None) -> tuple[AuditRow, ...]:
    bounds = interval_bounds(network)
    return audit(network, layer_widths(network, bounds), bounds if needed is None else needed)


def row_of(rows: tuple[AuditRow, ...], layer: str, quantity: str, formula: str) -> AuditRow:
    (row,) = (
        row for row in rows if (row.layer, row.quantity, row.formula) == (layer, quantity, formula)
    )
    return row


def bits_for(low: int, high: int) -> int:
    return next(
        bits for bits in itertools.count(1) if -(2 ** (bits - 1)) <= low and high < 2 ** (bits - 1)
    )


@pytest.mark.parametrize(
    ("layer", "products", "sums"),
    [
        # K = 2, N = 6 signed, M = 6, sum of |weights| 63: products -992..1024, sums -1984..1985.
        ("conv_1", (12, 12, 11, 11, 12), (13, 13, 13, 12, 12, 14, 13, 12, 14)),
        # K = 4, N = 7 (0..124), M = 2, sum of |weights| 8; QTools 0.9.0 counts 2 channels.
        ("dw_conv", (9, 9, 9, 9, 9), (11, 11, 12, 12, 11, 13, 13, 11, 12)),
        # K = 8, N = 11 signed (-992..0), M = 3, B = 11, sum of |weights| 24; products -2976..0.
        ("fc1", (14, 14, 13, 13, 14), (17, 16, 17, 16, 16, 18, 17, 17, 18)),
    ],
)
def test_every_formula_worked_by_hand(
    layer: str, products: tuple[int, ...], sums: tuple[int, ...]
) -> None:
    rows = [row for row in audit_of(small_network()) if row.layer == layer]
    for quantity, expected in (("product", products), ("accumulator", sums)):
        found = {row.formula: row.bits for row in rows if row.quantity == quantity}
        names = [f.name for f in FORMULAS if quantity == "accumulator" or f.product is not None]
        assert found == dict(zip(names, expected, strict=True))


SHORT = [
    # A product of -32 x -32 with the bits of 32 x 31: weight, bias, input, missing bits, value.
    ("qtools_1_2", "product", [-32, 0, 0, 0], 0, -32, 1, 1024),
    ("qtools_0_9_integer", "product", [-32, 0, 0, 0], 0, -32, 1, 1024),
    # One more product of room does not hold a bias wider than a product.
    ("qtools_0_9", "accumulator", [-32, -32, -32, -32], 20_000, -32, 1, 24_096),
    ("qtools_0_9_integer", "accumulator", [-32, -32, -32, -32], 20_000, -32, 2, 24_096),
    # No room for a bias at all, at either end.
    ("growth", "accumulator", [-32, -32, -32, -32], 4096, -32, 1, 8192),
    ("growth", "accumulator", [-32, -32, -32, -32], -9000, 31, 1, -12_968),
    ("growth_of_bounded_product", "accumulator", [1, 1, 1, 1], 100, 31, 1, 224),
    ("a2q_types", "accumulator", [-32, -32, -32, -32], 4096, -32, 1, 8192),
    ("a2q_weights", "accumulator", [1, 1, 1, 0], 40, 31, 1, 133),
    # The logarithm of a power of two has no room for the power itself, nor then for a bias.
    ("fir_compiler_weights", "accumulator", [-1, 0, 0, 0], 0, -32, 1, 32),
    ("fir_compiler_weights", "accumulator", [-1, -1, -2, -4], 0, -32, 1, 256),
]


@pytest.mark.parametrize(
    ("formula", "quantity", "weights", "bias", "level", "missing", "value"),
    SHORT,
)
def test_an_input_overflows_a_short_formula(
    formula: str,
    quantity: str,
    weights: list[int],
    bias: int,
    level: int,
    missing: int,
    value: int,
) -> None:
    network = matrix_network(weights, bias)
    fingerprint = np.full((1, 2, 2), level)
    row = row_of(audit_of(network, reached(network, fingerprint)), "fc1", quantity, formula)
    assert int(reference.run(network, fingerprint).logits[0, 0]) == value
    assert not -(2 ** (row.bits - 1)) <= value < 2 ** (row.bits - 1)
    assert (row.verdict, row.excess_bits) == ("short", -missing)
    signal = "fc1.product" if quantity == "product" else "fc1"
    end = "high" if value > 0 else "low"
    assert row.overflow == Overflow(signal, 0, end, value)


def test_a_sum_of_the_lowest_products_overflows_a_formula_that_forgets_a_sign() -> None:
    nodes = (
        Convolution("conv_1", INPUT_NAME, np.full((1, 2, 2, 1), -32)),
        FullyConnected("fc1", "conv_1", np.array([[1]]), np.array([0])),
    )
    network = IntegerNetwork(nodes, ("yes",), (2, 2), features_for((2, 2)))
    fingerprint = np.full((1, 2, 2), -32)
    assert reference.run(network, fingerprint).layers["conv_1"].item() == 4096
    rows = audit_of(network, reached(network, fingerprint))
    row = row_of(rows, "conv_1", "accumulator", "qtools_1_2")
    assert (row.bits, row.needed_bits, row.verdict) == (13, 14, "short")
    assert row.overflow == Overflow("conv_1", 0, "high", 4096)
    assert row_of(rows, "conv_1", "accumulator", "qtools_0_9_integer").verdict == "exact"


def limits(bits: int, signed: bool) -> tuple[int, int]:
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def tiny_layers() -> Iterator[tuple[Operands, tuple[int, ...], tuple[int, int]]]:
    """Every weight vector of up to three taps and bits: what formulas see, and its true extremes.

    Inputs of different taps are free of each other, so extremes of a sum are sums of extremes.
    """
    for input_bits, signed, weight_bits, taps in itertools.product(
        (1, 2, 3), (False, True), (1, 2, 3), (1, 2, 3)
    ):
        ends = limits(input_bits, signed)
        levels = range(-(2 ** (weight_bits - 1)), 2 ** (weight_bits - 1))
        for weights in itertools.product(levels, repeat=taps):
            products = [sorted(weight * end for end in ends) for weight in weights]
            widest = bits_for(min(low for low, _ in products), max(high for _, high in products))
            magnitude = sum(abs(weight) for weight in weights)
            seen = Operands(
                input_bits, signed, weight_bits, None, taps, 1, False, magnitude, widest
            )
            yield seen, weights, (sum(p[0] for p in products), sum(p[1] for p in products))


def test_which_formulas_can_be_short_without_a_bias() -> None:
    short = set()
    for seen, weights, extreme in tiny_layers():
        lowest = set(weights) == {-(2 ** (seen.weight_bits - 1))}
        power_of_two = seen.weight_sum.bit_count() == 1
        expected = {
            "qtools_1_2": seen.input_signed and lowest and seen.taps.bit_count() == 1,
            "fir_compiler_weights": seen.input_signed and power_of_two and max(weights) <= 0,
        }
        for name, rule in RULES.items():
            missing = bits_for(*extreme) - rule.accumulator(seen)
            assert (missing > 0) == expected.get(name, False), (name, seen, weights)
            assert missing <= 1, (name, seen, weights)
            short |= {name} if missing > 0 else set()
    assert short == {"qtools_1_2", "fir_compiler_weights"}


def test_which_formulas_can_be_short_of_a_product() -> None:
    for seen, weights, extreme in tiny_layers():
        if seen.taps > 1:
            continue
        worst = seen.input_signed and weights[0] == -(2 ** (seen.weight_bits - 1))
        for name, rule in RULES.items():
            if rule.product is not None:
                missing = bits_for(*extreme) - rule.product(seen)
                assert (missing > 0) == (worst and name in ("qtools_1_2", "qtools_0_9_integer"))


def test_which_formulas_can_be_short_with_a_bias() -> None:
    short = set()
    for seen, _, (low, high) in tiny_layers():
        for bias_bits in (1, 2, 6, 9):
            lowest, highest = limits(bias_bits, signed=True)
            needed = bits_for(low + lowest, high + highest)
            with_bias = dataclasses.replace(seen, bias_bits=bias_bits)
            short |= {name for name, rule in RULES.items() if rule.accumulator(with_bias) < needed}
    assert set(RULES) - short == {"hls4ml", "qtools_1_2"}


def test_the_l1_rule_is_long_by_its_rounding_and_by_taking_both_ends_for_one() -> None:
    # 1 * -32 .. 1 * 31 needs 6 bits; the rule allows for +32, and for 1 * 2^5 without a sign.
    assert bits_for(*limits(6, signed=True)) == 6
    signed = Operands(6, True, 2, None, 1, 1, False, 1, 6)
    unsigned = Operands(5, False, 2, None, 1, 1, False, 1, 6)
    assert RULES["a2q_weights"].accumulator(signed) == 7
    assert RULES["a2q_weights"].accumulator(unsigned) == 7
    # 4 * 31 and -4 * 31 are ends of their own; the magnitudes add up to 8 * 2^5.
    balanced = Operands(5, False, 4, None, 2, 1, False, 8, 8)
    assert bits_for(-4 * 31, 4 * 31) == 8
    assert RULES["a2q_weights"].accumulator(balanced) == 10


@given(networks_with_fingerprints())
def test_rows_of_any_network_agree_with_what_its_inputs_reach(
    case: tuple[IntegerNetwork, npt.NDArray[np.int64]],
) -> None:
    network, fingerprints = case
    found = reached(network, fingerprints)
    bounds = interval_bounds(network)
    for row in audit_of(network, found):
        part = "product" if row.quantity == "product" else "partial_sum"
        signal = f"{row.layer}.{part}"
        assert row.needed_bits == bits_for(found[signal].minimum, found[signal].maximum)
        assert row.sufficient_bits == bits_for(bounds[signal].minimum, bounds[signal].maximum)
        assert (row.overflow is not None) == (row.verdict == "short") == (row.excess_bits < 0)
        assert row.formula != "hls4ml" or row.verdict != "short"
        if row.overflow is not None:
            ends = {"low": found[row.overflow.signal].low, "high": found[row.overflow.signal].high}
            assert ends[row.overflow.end][row.overflow.channel] == row.overflow.value
            assert bits_for(row.overflow.value, row.overflow.value) > row.bits


def test_a_partial_sum_is_named_where_it_alone_overflows() -> None:
    # 1100 + 3 * 1024 = 4172 needs 14 bits; the last product, -992, brings the sum back to 3180.
    network = matrix_network([-32, -32, -32, 31], 1100)
    fingerprint = np.full((1, 2, 2), -32)
    rows = audit_of(network, reached(network, fingerprint))
    row = row_of(rows, "fc1", "accumulator", "a2q_weights")
    assert reference.run(network, fingerprint).logits.item() == 3180
    assert (row.bits, row.needed_bits) == (13, 14)
    assert row.overflow == Overflow("fc1.partial_sum", 0, "high", 4172)


def test_the_accumulator_holds_partial_sums_that_the_final_sum_takes_back() -> None:
    # 3 * -31 = -93 needs 8 bits, less -32 it is -61, which needs 7.
    network = matrix_network([31, 31, 31, -32], 0)
    bounds = interval_bounds(network, (-1, -1))
    rows = audit(network, layer_widths(network, bounds), bounds)
    sums = {(r.needed_bits, r.sufficient_bits) for r in rows if r.quantity == "accumulator"}
    assert sums == {(8, 8)}


@pytest.mark.parametrize(("weights", "end", "value"), [(-32, "high", 9192), (31, "low", -8968)])
def test_the_overflow_is_in_the_channel_that_reaches_furthest(
    weights: int, end: str, value: int
) -> None:
    bias = np.array([0, 1, -1]) * 5096 if end == "high" else np.array([1, 0, -1]) * 5000
    node = FullyConnected("fc1", INPUT_NAME, np.full((3, 4), weights), bias)
    network = IntegerNetwork((node,), label_names(3), (2, 2), features_for((2, 2)))
    fingerprint = np.full((1, 2, 2), -32)
    row = row_of(audit_of(network, reached(network, fingerprint)), "fc1", "accumulator", "growth")
    assert row.overflow == Overflow("fc1", 1 if end == "high" else 2, end, value)


@pytest.mark.parametrize(
    ("bits", "verdict", "excess"),
    [(4, "short", -1), (5, "within the gap", 0), (7, "within the gap", 0), (9, "long", 2)],
)
def test_verdict_between_reached_values_and_bound(bits: int, verdict: str, excess: int) -> None:
    row = AuditRow("fc1", "product", "growth", bits, 5, 7, None)
    assert (row.verdict, row.excess_bits) == (verdict, excess)


def test_verdict_is_exact_only_where_the_bound_is_reached() -> None:
    row = AuditRow("fc1", "product", "growth", 5, 5, 5, None)
    assert (row.verdict, row.excess_bits) == ("exact", 0)


def test_operands_of_each_layer_of_the_default_network() -> None:
    network = random_network(3, weights=(-32, -32), shifts=(3, 4, 8))
    layers = layer_widths(network, interval_bounds(network))
    found = [
        operands(layer, node) for layer, node in zip(layers, network.weighted_nodes, strict=True)
    ]
    # 16 * 32 * 32 >> 3 = 2048 needs 12 bits; what follows is never positive, so 0 after the ReLU.
    assert [(item.input_bits, item.input_signed) for item in found] == [
        (6, True),
        (12, False),
        (1, False),
        (1, False),
    ]
    assert [(item.taps, item.depthwise) for item in found] == [
        (16, False),
        (9, True),
        (48, False),
        (16, False),
    ]
    assert [item.weight_sum for item in found] == [16 * 32, 9 * 32, 48 * 32, 16 * 32]
    assert [item.bias_bits is None for item in found] == [True, True, True, False]


@pytest.mark.parametrize(("low", "high"), [(-321, 310), (-320, 311)])
def test_reached_values_beyond_the_bound_are_refused(low: int, high: int) -> None:
    network = matrix_network([1, 2, 3, 4], 0)
    bounds = interval_bounds(network)
    beyond = {**bounds, "fc1": ChannelRange(np.array([low]), np.array([high]))}
    message = rf"needed: expected fc1 within its bound -320..310, got {low}..{high} in channel 0"
    with pytest.raises(ValueError, match=message):
        audit(network, layer_widths(network, bounds), beyond)


def test_signals_without_reached_values_are_refused() -> None:
    network = matrix_network([1, 2, 3, 4], 0)
    bounds = interval_bounds(network)
    needed = {name: values for name, values in bounds.items() if name != "fc1.partial_sum"}
    with pytest.raises(KeyError, match=r"fc1\.partial_sum"):
        audit(network, layer_widths(network, bounds), needed)
