"""How 8-bit networks scale an accumulator back to 8 bits: each rounding rule once.

A real factor is held as a multiplier `q`, an integer below 2^31, and an exponent `e`: the factor is
`q * 2^(e - 31)`. TensorFlow Lite's runtimes multiply by it in two ways, which differ in ties and in
values near them; the rule has to be known before "bit-exact" means anything. Every function here is
exact in int64 and is compared with Python's integers in the tests.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

FRACTION_BITS = 31  # a multiplier q stands for q / 2^31
MAX_EXPONENT = 30
MIN_EXPONENT = -31  # smaller factors are taken as 0
ROUNDINGS = ("twice", "once", "away")
_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1

Integers = npt.NDArray[np.int64]
IntegerArray = npt.NDArray[np.integer[Any]]


def fixed_point(factor: float) -> tuple[int, int]:
    """Return the multiplier `q` in 2^30..2^31-1 and the exponent `e` nearest to a real factor.

    Ties of `q` round up. Factors below 2^-32, and 0, become `(0, 0)`.

    >>> fixed_point(1.0), fixed_point(0.75), fixed_point(0.001)
    ((1073741824, 1), (1610612736, 0), (1099511628, -9))
    >>> fixed_point(1 - 2.0**-40)  # the mantissa rounds up to 1
    (1073741824, 1)

    Raises ValueError for a factor that is negative, not finite, or 2^30 and more.
    """
    if not (math.isfinite(factor) and factor >= 0):
        raise ValueError(f"multiplier: expected a finite factor of 0 or more, got {factor}")
    mantissa, exponent = math.frexp(factor)
    multiplier = math.floor(mantissa * 2.0**FRACTION_BITS + 0.5)
    if multiplier == 2**FRACTION_BITS:
        multiplier, exponent = multiplier // 2, exponent + 1
    if exponent < MIN_EXPONENT:
        return 0, 0
    if exponent > MAX_EXPONENT:
        raise ValueError(f"multiplier: expected a factor below 2^{MAX_EXPONENT}, got {factor}")
    return multiplier, exponent


def fixed_points(factors: npt.ArrayLike) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int8]]:
    """Return multipliers and exponents, int32 and int8 `[channel]`, of factors `[channel]`.

    >>> [array.tolist() for array in fixed_points([0.5, 3.0])]
    [[1073741824, 1610612736], [0, 2]]

    Raises ValueError as `fixed_point` does.
    """
    pairs = [fixed_point(float(factor)) for factor in np.atleast_1d(factors)]
    multipliers, exponents = np.array(pairs).T
    return multipliers.astype(np.int32), exponents.astype(np.int8)


def mean_multiplier(factor: float, count: int) -> tuple[int, int]:
    """Return multiplier and exponent that scale a sum over `count` values to `factor` times a mean.

    The division by `count` cuts the multiplier off instead of rounding it, and leaves it as many
    bits as an exponent of -31 or more allows.

    >>> fixed_point(0.75), mean_multiplier(0.75, 8), mean_multiplier(0.75, 5)
    ((1610612736, 0), (1610612736, -3), (1288490188, -2))

    Raises ValueError as `fixed_point` does, and for a count below 1.
    """
    if count < 1:
        raise ValueError(f"mean: expected a count of 1 or more, got {count}")
    multiplier, exponent = fixed_point(factor)
    shift = min(count.bit_length() - 1, 32, FRACTION_BITS + exponent)
    return (multiplier << shift) // count, exponent - shift


def requantise(
    values: IntegerArray, multipliers: IntegerArray, exponents: IntegerArray, rounding: str
) -> Integers:
    """Multiply by `multipliers * 2^(exponents - 31)` and round as the rule `rounding` says.

    `values` are `[..., channel]`; multipliers (0..2^31-1) and exponents (-31..30) hold one number
    or one a channel. The zero point and the clamp come after this.

    >>> half, quarter = ([2**30], [0]), ([2**30], [-1])
    >>> values = np.array([-6, -5, -3, -2, -1, 1, 2, 3, 5, 6])
    >>> for rule in ROUNDINGS:
    ...     print(requantise(values, *map(np.array, half), rule).tolist())
    [-3, -2, -1, -1, 0, 1, 1, 2, 3, 3]
    [-3, -2, -1, -1, 0, 1, 1, 2, 3, 3]
    [-3, -3, -2, -1, -1, 1, 1, 2, 3, 3]
    >>> requantise(values, *map(np.array, quarter), "twice").tolist()
    [-2, -1, -1, -1, 0, 1, 1, 1, 2, 2]
    >>> requantise(values, *map(np.array, quarter), "once").tolist()
    [-1, -1, -1, 0, 0, 0, 1, 1, 1, 2]

    Raises ValueError for an unknown rule, and for values that leave 32 bits where runtimes hold
    them so: themselves, and rounded twice also their product with `2^exponent`.
    """
    if rounding not in ROUNDINGS:
        raise ValueError(f"rounding: expected one of {', '.join(ROUNDINGS)}, got {rounding!r}")
    return _RULES[rounding](values, multipliers, exponents)


def requantise_twice(
    values: IntegerArray, multipliers: IntegerArray, exponents: IntegerArray
) -> Integers:
    """Round the product to 32 bits, ties up, then what is shifted off, ties away from zero.

    >>> q, e = np.array([2**30]), np.array([-1])  # a quarter: a half, and a half of it
    >>> requantise_twice(np.array([1, 5, -5, -7]), q, e).tolist()
    [1, 2, -1, -2]
    """
    left = np.maximum(exponents, 0).astype(np.int64)
    right = np.maximum(-exponents.astype(np.int64), 0)
    shifted = _expect_int32(values.astype(np.int64) << left)
    high = (shifted * multipliers.astype(np.int64) + (1 << (FRACTION_BITS - 1))) >> FRACTION_BITS
    return _shift_rounding_away(high, right)


def requantise_once(
    values: IntegerArray, multipliers: IntegerArray, exponents: IntegerArray
) -> Integers:
    """Round the exact product once, to the nearest integer, ties up.

    >>> q, e = np.array([2**30]), np.array([-1])  # a quarter
    >>> requantise_once(np.array([1, 5, -5, -6, 6]), q, e).tolist()
    [0, 1, -1, -1, 2]
    """
    shift = FRACTION_BITS - exponents.astype(np.int64)
    products = _expect_int32(values.astype(np.int64)) * multipliers.astype(np.int64)
    rounded: Integers = (products + (np.int64(1) << (shift - 1))) >> shift
    return rounded


def requantise_away(
    values: IntegerArray, multipliers: IntegerArray, exponents: IntegerArray
) -> Integers:
    """Round the exact product once, to the nearest integer, ties away from zero.

    >>> q, e = np.array([2**30]), np.array([-1])  # a quarter
    >>> requantise_away(np.array([1, 5, -5, -6, 6]), q, e).tolist()
    [0, 1, -1, -2, 2]
    """
    shift = FRACTION_BITS - exponents.astype(np.int64)
    products = _expect_int32(values.astype(np.int64)) * multipliers.astype(np.int64)
    rounded: Integers = np.sign(products) * (
        (np.abs(products) + (np.int64(1) << (shift - 1))) >> shift
    )
    return rounded


_RULES = dict(zip(ROUNDINGS, (requantise_twice, requantise_once, requantise_away), strict=True))


def divide_rounding_away(values: IntegerArray, counts: int | IntegerArray) -> Integers:
    """Divide by counts of 1 or more and round to the nearest integer, ties away from zero.

    >>> divide_rounding_away(np.array([-6, -5, -2, 2, 5, 6]), 4).tolist()
    [-2, -1, -1, 1, 1, 2]
    """
    magnitudes = (np.abs(values.astype(np.int64)) + np.asarray(counts) // 2) // counts
    divided: Integers = np.sign(values) * magnitudes
    return divided


def quantise(
    values: npt.NDArray[np.floating[Any]], scale: float, zero_point: int, low: int, high: int
) -> Integers:
    """Return the integers that stand for real values: divided in float32, ties away from zero.

    >>> quantise(np.array([-0.3, -0.25, 0.0, 0.25, 0.7, 9.0]), 0.5, 1, -128, 4).tolist()
    [0, 0, 1, 2, 2, 4]

    Raises ValueError where a value is not finite.
    """
    finite = np.isfinite(values)
    if not finite.all():
        place = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ValueError(f"inputs: expected finite values, got {values[place]} at {place}")
    steps = (values.astype(np.float32) / np.float32(scale)).astype(np.float64)
    rounded = np.copysign(np.floor(np.abs(steps) + 0.5), steps)
    quantised: Integers = np.clip(rounded + zero_point, low, high).astype(np.int64)
    return quantised


def _shift_rounding_away(values: Integers, shift: Integers) -> Integers:
    """Divide by `2**shift` and round to the nearest integer, ties away from zero."""
    half = (np.int64(1) << shift) >> 1
    rounded: Integers = (values + half - ((values < 0) & (shift > 0))) >> shift
    return rounded


def _expect_int32(values: Integers) -> Integers:
    if values.size and (values.min() < _INT32_MIN or values.max() > _INT32_MAX):
        outside = (values < _INT32_MIN) | (values > _INT32_MAX)
        place = tuple(int(i) for i in np.argwhere(outside)[0])
        raise ValueError(
            f"requantise: expected values that fit 32 bits, got {values[place]} at {place}"
        )
    return values
