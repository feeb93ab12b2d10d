"""Golden vectors of one clip as text, and the comparer that every rung of the ladder uses.

A dump holds the fingerprint and every layer, before and after its shift. `compare` knows no
tolerance: a missing layer, another shape, another digest or one differing integer is an error that
names the place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden import files, reference
from golden.archive import read_only
from golden.axes import layer_axes
from golden.network import IntegerNetwork

Layers = Mapping[str, npt.NDArray[Any]]

READ_WITH_NUMPY = """\
import pathlib, numpy as np
layers = {}
for block in pathlib.Path(path).read_text().split("\\n# layer ")[1:]:
    title, _, numbers = block.partition("\\n")
    name, shape = title.partition(" axes ")[0].split(" shape ")
    shape = [int(size) for size in shape.split()]
    layers[name] = np.array(numbers.split(), dtype=np.int64).reshape(shape)
"""
_BANNER = """\
# Golden vectors of one clip: the fingerprint and every layer in order, before and after its shift.
# Exact integers; the last axis runs along a line. A _relu layer is its input shifted, then ReLU.
# The largest logit (the last layer) is the answer, the first of equals.
#
# To read this file with NumPy:
#
"""
_TITLE = re.compile(r"# layer (\S+) shape ([1-9]\d*(?: [1-9]\d*)*) axes (\S+(?: \S+)*)")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_FACTS = {
    "network digest": "[0-9a-f]{64}",
    "clip": "[0-9]{1,9}",
    "label": ".+",
    "answer": ".+",
    "layers": "[0-9]{1,6}",  # so that a file cut off between two layers is noticed
}


@dataclass(frozen=True)
class Dump:
    """One clip: the network's digest, its number in `cases.npz`, its label, the answer, all layers.

    `layers` are int64, without a batch axis, in the order of the network, the fingerprint first.
    """

    digest: str
    clip: int
    label: str
    answer: str
    layers: Layers

    @property
    def logits(self) -> npt.NDArray[Any]:
        return self.layers[list(self.layers)[-1]]


@dataclass(frozen=True)
class Mismatch:
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


class LayerMismatch(ValueError):
    """Two sets of layers differ; `mismatch` is None where names, shapes or digests do."""

    def __init__(self, message: str, mismatch: Mismatch | None = None) -> None:
        super().__init__(message)
        self.mismatch = mismatch


@dataclass(frozen=True)
class Comparison:
    """What was compared and found equal: the number of clips, and of values in each layer."""

    clips: int
    values: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.values.values())


def compare(expected: Layers, found: Layers, *, batched: bool = False) -> Comparison:
    """Compare every value of two sets of layers, in the order of `expected`.

    Arrays are `[clip][time][coefficient][channel]` if `batched`, else without the clip axis.
    `expected` holds integers; `found` may hold floats, which are equal only if they are exactly so.

    Raises LayerMismatch (a ValueError) at the first difference, also of names and shapes, and
    TypeError for arrays that are not numbers.
    """
    _expect_same_names(list(expected), list(found))
    for name, array in expected.items():
        _expect_same_layer(name, array, found[name], batched)
    values = {name: array.size for name, array in expected.items()}
    if not sum(values.values()):
        raise ValueError("layers: expected at least one value to compare, got none")
    return Comparison(len(next(iter(expected.values()))) if batched else 1, values)


def compare_dumps(expected: Dump, found: Dump) -> Comparison:
    """Compare two dumps: digest, clip, label and answer, then every layer. Raises as `compare`."""
    for key, ours, theirs in zip(_FACTS, _facts(expected), _facts(found), strict=True):
        if ours != theirs and key != "layers":  # which layer is missing says more than how many
            raise LayerMismatch(f"{key}: expected {ours}, got {theirs}")
    return compare(expected.layers, found.layers)


def dump_clip(
    network: IntegerNetwork, fingerprint: npt.NDArray[Any], clip: int, label_index: int
) -> Dump:
    """Compute the dump of one `(time, coefficient)` fingerprint with the reference."""
    result = reference.run(network, fingerprint[np.newaxis])
    return Dump(
        digest=network.digest,
        clip=clip,
        label=network.labels[label_index],
        answer=network.labels[int(result.label_indices[0])],
        layers={name: read_only(layer[0]) for name, layer in result.layers.items()},
    )


def dump_text(dump: Dump) -> str:
    """Return the text of a golden vector file; equal dumps give equal text."""
    lines = [_BANNER + "".join(f"#     {line}\n" for line in READ_WITH_NUMPY.splitlines()) + "#"]
    lines += [f"# {key}: {value}" for key, value in zip(_FACTS, _facts(dump), strict=True)]
    for name, layer in dump.layers.items():
        sizes, axes = " ".join(map(str, layer.shape)), " ".join(layer_axes(layer.ndim))
        lines += ["", f"# layer {name} shape {sizes} axes {axes}"]
        lines += _number_lines(layer)
    return "\n".join(lines) + "\n"


def parse_dump(text: str, source: str = "dump") -> Dump:
    """Return the dump of a text; ValueError, naming `source` and the line, if it is not one."""
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("# layer ")]
    if not starts:
        raise ValueError(f"{source}: expected golden vectors, found no layer")
    facts = _parse_facts(source, lines[: starts[0]])
    layers: dict[str, npt.NDArray[Any]] = {}
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        name, layer = _parse_layer(source, start + 1, lines[start:end])
        if name in layers:
            raise ValueError(
                f"{source} line {start + 1}: expected each layer once, got {name} twice"
            )
        layers[name] = layer
    digest, clip, label, answer, count = (facts[key] for key in _FACTS)
    if len(layers) != int(count) or not text.endswith("\n"):
        raise ValueError(f"{source}: expected {count} whole layers, found a truncated file")
    return Dump(digest, int(clip), label, answer, layers)


def read_dump(path: Path) -> Dump:
    """Read a golden vector file; OSError, or ValueError as `parse_dump` gives it."""
    return parse_dump(files.read_text(path), str(path))


def _expect_same_names(expected: Sequence[str], found: Sequence[str]) -> None:
    for name in expected:
        if name not in found:
            raise LayerMismatch(
                f"{name}: expected this layer, found only {', '.join(found) or 'none'}"
            )
    for name in found:
        if name not in expected:
            raise LayerMismatch(f"{name}: expected no such layer, only {', '.join(expected)}")


def _expect_same_layer(
    name: str, expected: npt.NDArray[Any], found: npt.NDArray[Any], batched: bool
) -> None:
    if not np.issubdtype(expected.dtype, np.integer):
        raise TypeError(f"{name}: expected integers to compare with, got {expected.dtype}")
    if found.dtype.kind not in "iuf":
        raise TypeError(f"{name}: expected numbers, got {found.dtype}")
    if expected.shape != found.shape:
        raise LayerMismatch(f"{name}: expected shape {expected.shape}, got {found.shape}")
    differs = expected != found
    if differs.any():
        index = tuple(int(i) for i in np.unravel_index(np.argmax(differs), differs.shape))
        value = found[index].item()
        mismatch = Mismatch(
            layer=name,
            clip=index[0] if batched else None,
            place=index[1:] if batched else index,
            expected=int(expected[index]),
            found=int(value) if value == value // 1 else value,
            differing=int(differs.sum()),
            values=differs.size,
        )
        raise LayerMismatch(str(mismatch), mismatch)


def _facts(dump: Dump) -> tuple[str, int, str, str, int]:
    """Return what a dump states before its layers, in the order of `_FACTS`."""
    return dump.digest, dump.clip, dump.label, dump.answer, len(dump.layers)


def _parse_facts(source: str, lines: Sequence[str]) -> dict[str, str]:
    facts = {}
    for key, pattern in _FACTS.items():
        matches = [
            match for line in lines if (match := re.fullmatch(f"# {key}: ({pattern})", line))
        ]
        if len(matches) != 1:
            raise ValueError(
                f"{source}: expected one line '# {key}: {pattern}', found {len(matches)}"
            )
        facts[key] = matches[0][1]
    return facts


def _number_lines(layer: npt.NDArray[Any]) -> list[str]:
    """One line for each position, a blank line between time steps of a map with channels."""
    if layer.ndim == 1:
        return [" ".join(map(str, layer.tolist()))]
    if layer.ndim == 2:
        return [" ".join(map(str, row)) for row in layer.tolist()]
    return "\n\n".join("\n".join(_number_lines(step)) for step in layer).split("\n")


def _parse_layer(source: str, number: int, lines: list[str]) -> tuple[str, npt.NDArray[Any]]:
    title = _TITLE.fullmatch(lines[0])
    shape = tuple(int(size) for size in title[2].split()) if title else ()
    if title is None or len(shape) > 3 or title[3] != " ".join(layer_axes(len(shape))):
        raise ValueError(
            f"{source} line {number}: expected '# layer NAME shape SIZES axes NAMES', "
            f"got {lines[0]!r}"
        )
    values: list[int] = []
    for offset, line in enumerate(lines[1:], start=1):
        for text in line.split():
            if not _INTEGER.fullmatch(text):
                raise ValueError(
                    f"{source} line {number + offset}: expected an integer, got {text!r}"
                )
            values.append(int(text))
    expected = int(np.prod(shape, dtype=object))
    if len(values) != expected:
        raise ValueError(
            f"{source} line {number}: expected {expected} values of {title[1]}, got {len(values)}"
        )
    return title[1], read_only(np.array(values, np.int64).reshape(shape))
