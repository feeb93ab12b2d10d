"""The arithmetic of the whole project: rounding, shifting and saturation, each defined once.

Every other place that rounds, shifts or clips (Keras, C, Verilog) is compared with these functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

WEIGHT_BITS = 6  # of floor-shift networks
WEIGHT_MIN = -32
WEIGHT_MAX = 31

IntegerArray = npt.NDArray[np.integer[Any]]


def floor_shift(values: IntegerArray, shift: int) -> IntegerArray:
    """Divide integers by `2**shift` and round towards minus infinity; a shift of 0 changes nothing.

    >>> floor_shift(np.array([-9, -8, -7, -1, 0, 7, 8]), 3).tolist()
    [-2, -1, -1, -1, 0, 0, 1]
    >>> floor_shift(np.array([-5, 5]), 0).tolist()
    [-5, 5]

    Raises ValueError for a negative shift and TypeError for values that are not integers.
    """
    if not np.issubdtype(values.dtype, np.integer):
        raise TypeError(f"floor_shift: expected integers, got {values.dtype}")
    if shift < 0:
        raise ValueError(f"floor_shift: expected a shift of 0 or more, got {shift}")
    shifted: IntegerArray = values >> shift
    return shifted


def relu(values: IntegerArray) -> IntegerArray:
    """Replace negative integers by 0.

    >>> relu(np.array([-3, 0, 4])).tolist()
    [0, 0, 4]
    """
    return np.maximum(values, 0)


def saturate(values: IntegerArray, low: int, high: int) -> IntegerArray:
    """Clip integers to `low..high`, both ends included.

    >>> saturate(np.array([-33, -32, 31, 32]), WEIGHT_MIN, WEIGHT_MAX).tolist()
    [-32, -32, 31, 31]
    """
    clipped: IntegerArray = np.clip(values, low, high)
    return clipped


def round_to_integers(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int64]:
    """Round to the nearest integer, ties to the even one, as IEEE 754 and `keras.ops.round` do.

    >>> round_to_integers(np.array([-1.5, -0.5, 0.5, 1.5, 2.5, 2.6])).tolist()
    [-2, 0, 0, 2, 2, 3]

    Raises ValueError where a value is not finite.
    """
    finite = np.isfinite(values)
    if not finite.all():
        place = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ValueError(
            f"round_to_integers: expected finite values, got {values[place]} at {place}"
        )
    rounded: npt.NDArray[np.int64] = np.rint(values).astype(np.int64)
    return rounded


def signed_bits(low: int, high: int) -> int:
    """Return the width of the smallest two's-complement register that holds `low..high`.

    >>> [signed_bits(*bounds) for bounds in ((0, 0), (-1, 0), (-32, 31), (0, 32), (-33, 0))]
    [1, 1, 6, 7, 7]

    Raises ValueError if `low` exceeds `high`.
    """
    if low > high:
        raise ValueError(f"signed_bits: expected low <= high, got {low} > {high}")
    return (
        max((~low if low < 0 else low).bit_length(), (~high if high < 0 else high).bit_length()) + 1
    )


def signed_limits(bits: int) -> tuple[int, int]:
    """Return the smallest and the largest value of a two's-complement register.

    >>> signed_limits(6)
    (-32, 31)
    """
    half = 1 << (bits - 1)
    return -half, half - 1


def unsigned_bits(high: int) -> int:
    """Return the width of the smallest unsigned register that holds `0..high`, at least 1.

    >>> [unsigned_bits(high) for high in (0, 1, 31, 32)]
    [1, 1, 5, 6]

    Raises ValueError for a negative bound.
    """
    if high < 0:
        raise ValueError(f"unsigned_bits: expected a bound of 0 or more, got {high}")
    return max(high.bit_length(), 1)
