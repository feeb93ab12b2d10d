"""The rounding rules against Python's own integers and fractions, which know no width."""

from __future__ import annotations

import doctest
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden import requantisation as rq
from tests.plain_loops import RULES, nearest_away

MULTIPLIERS = st.integers(0, 2**31 - 1)
EXPONENTS = st.integers(rq.MIN_EXPONENT, rq.MAX_EXPONENT)
INT32 = st.integers(-(2**31), 2**31 - 1)
each_rule = pytest.mark.parametrize("rounding", rq.ROUNDINGS)


def requantised(values: list[int], multipliers: list[int], exponents: list[int], rule: str):
    return rq.requantise(
        np.array(values), np.array(multipliers, np.int32), np.array(exponents, np.int32), rule
    )


def test_every_function_has_worked_examples() -> None:
    outcome = doctest.testmod(rq)
    assert outcome.failed == 0
    assert outcome.attempted == 17


@each_rule
@pytest.mark.parametrize("exponent", range(-9, 7))
def test_rules_on_all_8_bit_values_and_6_bit_multipliers(rounding: str, exponent: int) -> None:
    values = list(range(-128, 128))
    for multiplier in range(2**25, 2**31, 2**25):
        found = requantised(values, [multiplier], [exponent], rounding).tolist()
        expected = [RULES[rounding](value, multiplier, exponent) for value in values]
        assert found == expected, (multiplier, exponent)


@each_rule
@given(value=INT32, multiplier=MULTIPLIERS, exponent=EXPONENTS)
def test_rules_are_exact_over_int32(
    rounding: str, value: int, multiplier: int, exponent: int
) -> None:
    if rounding == "twice":
        value >>= max(exponent, 0)
    found = requantised([value], [multiplier], [exponent], rounding).tolist()
    assert found == [RULES[rounding](value, multiplier, exponent)]


@each_rule
@given(odd=st.integers(-(2**20), 2**20), exponent=st.integers(-20, 0))
def test_rules_on_ties(rounding: str, odd: int, exponent: int) -> None:
    """A multiplier of 2^30 halves: odd multiples of a half of the last place are ties."""
    value = (2 * odd + 1) << -exponent
    value = max(min(value, 2**31 - 1), -(2**31))
    found = requantised([value], [2**30], [exponent], rounding).tolist()
    assert found == [RULES[rounding](value, 2**30, exponent)]


@each_rule
@given(data=st.data())
def test_each_channel_has_its_own_factor(rounding: str, data: st.DataObject) -> None:
    channels = data.draw(st.integers(1, 5))
    rows = data.draw(
        st.lists(
            st.lists(st.integers(-(2**20), 2**20), min_size=channels, max_size=channels),
            min_size=1,
            max_size=4,
        )
    )
    multipliers = data.draw(st.lists(MULTIPLIERS, min_size=channels, max_size=channels))
    exponents = data.draw(st.lists(st.integers(-31, 10), min_size=channels, max_size=channels))
    found = rq.requantise(np.array(rows), np.array(multipliers), np.array(exponents), rounding)
    expected = [
        [RULES[rounding](*entry) for entry in zip(row, multipliers, exponents, strict=True)]
        for row in rows
    ]
    assert found.tolist() == expected


@each_rule
@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64])
def test_narrow_types_are_widened_first(rounding: str, dtype: type) -> None:
    found = rq.requantise(
        np.array([-32768, 32767], dtype), np.array([2**31 - 1]), np.array([5]), rounding
    )
    assert found.dtype == np.int64
    assert found.tolist() == [RULES[rounding](v, 2**31 - 1, 5) for v in (-32768, 32767)]


def test_the_rules_differ_where_the_first_rounding_makes_a_tie() -> None:
    """A quarter of 1 is below a half, but 1 * 2^30 / 2^31 is rounded to 1 first."""
    assert requantised([1], [2**30], [-1], "twice").tolist() == [1]
    assert requantised([1], [2**30], [-1], "once").tolist() == [0]


@pytest.mark.parametrize(
    ("value", "exponent", "rounding", "found"),
    [
        (2**31, 0, "twice", 2**31),
        (-(2**31) - 1, 0, "once", -(2**31) - 1),
        (2**30, 1, "twice", 2**31),
    ],
)
def test_what_leaves_32_bits_is_refused(
    value: int, exponent: int, rounding: str, found: int
) -> None:
    message = rf"^requantise: expected values that fit 32 bits, got {found} at \(1,\)$"
    with pytest.raises(ValueError, match=message):
        requantised([0, value], [2**30], [exponent], rounding)


def test_unknown_rule_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^rounding: expected one of twice, once, away, got 'thrice'$"
    ):
        requantised([0], [2**30], [0], "thrice")


@given(st.floats(2.0**-32, 2.0**30, exclude_max=True))
def test_fixed_point_is_the_nearest_mantissa_of_31_bits(factor: float) -> None:
    mantissa, exponent = math.frexp(factor)
    nearest = math.floor(Fraction(mantissa) * 2**31 + Fraction(1, 2))
    if (nearest, exponent) == (2**31, 30):
        with pytest.raises(ValueError, match=r"expected a factor below 2\^30"):
            rq.fixed_point(factor)
        return
    expected = (2**30, exponent + 1) if nearest == 2**31 else (nearest, exponent)
    assert rq.fixed_point(factor) == expected


@pytest.mark.parametrize("factor", [0.0, 2.0**-33, 1e-300])
def test_hardly_anything_is_zero(factor: float) -> None:
    assert rq.fixed_point(factor) == (0, 0)


@pytest.mark.parametrize("factor", [-1.0, math.nan, math.inf])
def test_factors_that_are_none_are_refused(factor: float) -> None:
    message = rf"^multiplier: expected a finite factor of 0 or more, got {factor}$"
    with pytest.raises(ValueError, match=message):
        rq.fixed_point(factor)
    with pytest.raises(ValueError, match=r"^multiplier: expected a factor below 2\^30, got"):
        rq.fixed_point(2.0**30)


@given(st.lists(st.floats(2.0**-31, 2.0**20), min_size=1, max_size=5))
def test_factors_of_channels_are_those_of_each(factors: list[float]) -> None:
    multipliers, exponents = rq.fixed_points(factors)
    assert (multipliers.dtype, exponents.dtype) == (np.int32, np.int8)
    pairs = list(zip(multipliers.tolist(), exponents.tolist(), strict=True))
    assert pairs == [rq.fixed_point(factor) for factor in factors]


@given(st.floats(2.0**-30, 2.0**20), st.integers(1, 2**20))
def test_mean_multiplier_is_the_quotient_cut_off(factor: float, count: int) -> None:
    multiplier, exponent = rq.fixed_point(factor)
    shift = min(math.floor(math.log2(count)), 32, 31 + exponent)
    found = rq.mean_multiplier(factor, count)
    assert found == (math.floor(Fraction(multiplier * 2**shift, count)), exponent - shift)
    assert 0 <= found[0] < 2**31
    assert rq.MIN_EXPONENT <= found[1] <= rq.MAX_EXPONENT


def test_mean_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^mean: expected a count of 1 or more, got 0$"):
        rq.mean_multiplier(1.0, 0)


def test_division_on_all_10_bit_values() -> None:
    values, counts = range(-512, 512), range(1, 34)
    for count in counts:
        expected = [nearest_away(Fraction(value, count)) for value in values]
        assert rq.divide_rounding_away(np.array(values), count).tolist() == expected
    grid = itertools.product(values, counts)
    found = rq.divide_rounding_away(np.array(values)[:, np.newaxis], np.array(counts))
    assert found.ravel().tolist() == [nearest_away(Fraction(*pair)) for pair in grid]


@given(st.integers(-(2**40), 2**40), st.integers(1, 2**20))
def test_division_is_exact_on_large_sums(value: int, count: int) -> None:
    found = rq.divide_rounding_away(np.array([value]), np.array([count]))
    assert found.tolist() == [nearest_away(Fraction(value, count))]


@given(st.floats(-1e4, 1e4, width=32), st.floats(2.0**-10, 8.0, width=32), st.integers(-128, 127))
def test_real_values_are_divided_in_float32(value: float, scale: float, zero_point: int) -> None:
    steps = Fraction(float(np.float32(value) / np.float32(scale)))
    expected = min(max(nearest_away(steps) + zero_point, -128), 127)
    found = rq.quantise(np.array([value], np.float32), scale, zero_point, -128, 127)
    assert found.tolist() == [expected]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    message = rf"^inputs: expected finite values, got {value} at \(1,\)$"
    with pytest.raises(ValueError, match=message):
        rq.quantise(np.array([0.0, value]), 1.0, 0, -128, 127)
