"""Rounding, shifting and saturation against Python's own integers and fractions."""

from __future__ import annotations

import doctest
import importlib
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import golden
from golden import integer_math

MODULES = sorted(path.stem for path in Path(golden.__path__[0]).glob("*.py"))


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_hold(name: str) -> None:
    module = golden if name == "__init__" else importlib.import_module(f"golden.{name}")
    assert doctest.testmod(module, extraglobs={"np": np}).failed == 0


def test_integer_math_has_worked_examples() -> None:
    assert doctest.testmod(integer_math).attempted == 8


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64])
@pytest.mark.parametrize("shift", range(13))
def test_floor_shift_is_floor_division_on_all_12_bit_values(shift: int, dtype: type) -> None:
    values = range(-2048, 2048)
    expected = [math.floor(Fraction(value, 2**shift)) for value in values]
    assert integer_math.floor_shift(np.array(values, dtype), shift).tolist() == expected


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 62))
def test_floor_shift_is_exact_over_int64(value: int, shift: int) -> None:
    assert integer_math.floor_shift(np.array([value]), shift).tolist() == [value // 2**shift]


@given(st.integers(-(2**50), 2**50), st.integers(0, 20), st.integers(0, 20))
def test_shifts_add_up(value: int, first: int, second: int) -> None:
    values = np.array([value])
    twice = integer_math.floor_shift(integer_math.floor_shift(values, first), second)
    assert twice.tolist() == [value // 2 ** (first + second)]


def test_floor_shift_refuses_what_is_not_an_integer_shift() -> None:
    with pytest.raises(ValueError, match=r"^floor_shift: expected a shift of 0 or more, got -1$"):
        integer_math.floor_shift(np.array([1]), -1)
    with pytest.raises(TypeError, match=r"^floor_shift: expected integers, got float64$"):
        integer_math.floor_shift(np.array([1.0]), 1)


def test_relu_on_all_8_bit_values() -> None:
    values = range(-128, 128)
    assert integer_math.relu(np.array(values)).tolist() == [max(value, 0) for value in values]


def test_saturate_on_all_small_ranges() -> None:
    values = np.arange(-10, 11)
    for low in range(-8, 9):
        for high in range(low, 9):
            expected = [min(max(value, low), high) for value in values.tolist()]
            assert integer_math.saturate(values, low, high).tolist() == expected


def test_rounding_goes_to_the_nearest_and_ties_to_even() -> None:
    quarters = range(-400, 401)
    expected = [round(Fraction(value, 4)) for value in quarters]
    found = integer_math.round_to_integers(np.array(quarters) / 4)
    assert found.tolist() == expected
    assert found.dtype == np.int64


@given(st.floats(-(2.0**52), 2.0**52))
def test_rounding_is_exact_for_any_float(value: float) -> None:
    assert integer_math.round_to_integers(np.array([value])).tolist() == [round(Fraction(value))]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_rounding_refuses_what_is_not_finite(bad: float) -> None:
    message = rf"^round_to_integers: expected finite values, got {bad} at \(1, 0\)$"
    with pytest.raises(ValueError, match=message):
        integer_math.round_to_integers(np.array([[0.0], [bad]]))


def test_signed_bits_is_the_smallest_width_that_holds_the_range() -> None:
    for low in range(-70, 71):
        for high in range(low, 71):
            width = 1
            while not (-(2 ** (width - 1)) <= low and high <= 2 ** (width - 1) - 1):
                width += 1
            assert integer_math.signed_bits(low, high) == width


def test_unsigned_bits_is_the_smallest_width_that_holds_the_bound() -> None:
    for high in range(300):
        width = 1
        while high > 2**width - 1:
            width += 1
        assert integer_math.unsigned_bits(high) == width


@given(st.integers(0, 2**100))
def test_widths_of_big_integers(bound: int) -> None:
    assert integer_math.signed_bits(-bound - 1, bound) == integer_math.unsigned_bits(bound) + 1 or (
        bound == 0 and integer_math.signed_bits(-1, 0) == 1
    )


def test_widths_refuse_impossible_ranges() -> None:
    with pytest.raises(ValueError, match=r"^signed_bits: expected low <= high, got 1 > 0$"):
        integer_math.signed_bits(1, 0)
    with pytest.raises(ValueError, match=r"^unsigned_bits: expected a bound of 0 or more, got -1$"):
        integer_math.unsigned_bits(-1)
