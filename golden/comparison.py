"""What every rung of the verification ladder ends in: equal, how many values, or where not.

`compare` knows no tolerance: a missing layer, another shape or one differing integer is a
`Mismatch` that names the place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from golden.axes import layer_axes

Layers = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Difference:
    """The first place where a layer differs; `clip` is None where there is no batch axis.

    `found` is a float only where it is not a whole number.
    """

    layer: str
    clip: int | None
    place: tuple[int, ...]
    expected: int
    found: int | float
    differing: int
    values: int

    def __str__(self) -> str:
        names = ("clip", *layer_axes(len(self.place)))
        indices = (self.clip, *self.place)
        place = ", ".join(
            f"{name} {index}"
            for name, index in zip(names, indices, strict=True)
            if index is not None
        )
        return (
            f"{self.layer}: first difference at {place}: expected {self.expected}, "
            f"got {self.found}; {self.differing} of {self.values} values differ"
        )


class Mismatch(Exception):
    """Two rungs of the ladder differ: the text names layer, place, both integers and any cycle.

    No error of the input: it is what the ladder is there to find. `difference` is None where names,
    shapes, digests or cycles differ, and where another one describes the place.
    """

    def __init__(self, message: str, difference: Difference | None = None) -> None:
        super().__init__(message)
        self.difference = difference


@dataclass(frozen=True)
class Comparison:
    """What was compared and found equal: the number of clips, and of values in each layer."""

    clips: int
    values: Mapping[str, int]

    @property
    def total(self) -> int:
        """Number of values compared."""
        return sum(self.values.values())

    def more_clips(self, other: Comparison) -> Comparison:
        """Return what was compared here and on the other clips of `other`."""
        names = dict.fromkeys([*self.values, *other.values])
        values = {name: self.values.get(name, 0) + other.values.get(name, 0) for name in names}
        return Comparison(self.clips + other.clips, values)

    def more_layers(self, other: Comparison) -> Comparison:
        """Return what was compared here and in the other layers that `other` has of these clips."""
        assert self.clips == other.clips
        return Comparison(self.clips, {**self.values, **other.values})


@contextmanager
def comparing(title: str) -> Iterator[None]:
    """Let a Mismatch within begin with what was compared."""
    try:
        yield
    except Mismatch as error:
        raise Mismatch(f"{title}: {error}", error.difference) from None


def compare(expected: Layers, found: Layers, *, batched: bool = False) -> Comparison:
    """Compare every value of two sets of layers, in the order of `expected`.

    Arrays are `[clip][time][coefficient][channel]` if `batched`, else without the clip axis.
    `expected` holds integers; `found` may hold floats, which are equal only if they are exactly so.

    Raises Mismatch at the first difference, also of names and shapes, and
    TypeError for arrays that are not numbers.
    """
    _expect_same_names(list(expected), list(found))
    for name, array in expected.items():
        _expect_same_layer(name, array, found[name], batched)
    values = {name: array.size for name, array in expected.items()}
    if not sum(values.values()):
        raise ValueError("layers: expected at least one value to compare, got none")
    return Comparison(len(next(iter(expected.values()))) if batched else 1, values)


def _expect_same_names(expected: Sequence[str], found: Sequence[str]) -> None:
    for name in expected:
        if name not in found:
            raise Mismatch(f"{name}: expected this layer, found only {', '.join(found) or 'none'}")
    for name in found:
        if name not in expected:
            raise Mismatch(f"{name}: expected no such layer, only {', '.join(expected)}")


def _expect_same_layer(
    name: str, expected: npt.NDArray[Any], found: npt.NDArray[Any], batched: bool
) -> None:
    if not np.issubdtype(expected.dtype, np.integer):
        raise TypeError(f"{name}: expected integers to compare with, got {expected.dtype}")
    if found.dtype.kind not in "iuf":
        raise TypeError(f"{name}: expected numbers, got {found.dtype}")
    if expected.shape != found.shape:
        raise Mismatch(f"{name}: expected shape {expected.shape}, got {found.shape}")
    differs = expected != found
    if differs.any():
        index = tuple(int(i) for i in np.unravel_index(np.argmax(differs), differs.shape))
        value = found[index].item()
        difference = Difference(
            layer=name,
            clip=index[0] if batched else None,
            place=index[1:] if batched else index,
            expected=int(expected[index]),
            found=int(value) if value == value // 1 else value,
            differing=int(differs.sum()),
            values=differs.size,
        )
        raise Mismatch(str(difference), difference)
