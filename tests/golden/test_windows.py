"""Windows on a map: TensorFlow's padding, and how far dilation reaches."""

from __future__ import annotations

from itertools import product

import pytest

from golden.windows import Windows, same_padding


@pytest.mark.parametrize(
    ("size", "kernel", "step"), list(product(range(1, 9), range(1, 6), range(1, 4)))
)
def test_same_padding_centres_the_windows_with_the_odd_zero_behind(
    size: int, kernel: int, step: int
) -> None:
    before, after = same_padding(size, kernel, step)
    windows = -(-size // step)
    needed = max((windows - 1) * step + kernel - size, 0)
    assert (before + after, after - before) == (needed, needed % 2)


def test_windows_reach_as_far_as_dilation_takes_them() -> None:
    lie = Windows((3, 2), (1, 1), "SAME", (2, 3))
    assert lie.extent == (5, 4)
    assert lie.padding_of((9, 8, 1)) == ((2, 2), (1, 2))
