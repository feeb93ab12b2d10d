"""Golden vectors of one clip as text: fingerprint and every layer, before and after its shift."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden import files, reference
from golden.archive import read_only
from golden.axes import layer_axes
from golden.comparison import Comparison, Layers, Mismatch, compare
from golden.integer_math import signed_limits
from golden.network import IntegerNetwork

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
_CENTRED = """\
# Layers of 8 bits are centred: to value + zero point corresponds what TensorFlow Lite holds.
# zero points: """
_ZERO_POINTS = re.compile(r"# zero points: ((?:[a-z][a-z0-9_]* -?[0-9]{1,10}(?:, |$))+)")
_TITLE = re.compile(r"# layer (\S+) shape ([1-9]\d*(?: [1-9]\d*)*) axes (\S+(?: \S+)*)")
_LOWEST, _HIGHEST = signed_limits(64)
_INTEGER = re.compile(r"-?[0-9]{1,19}")
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
    `zero_points` are those of centred layers that are not 0.
    """

    digest: str
    clip: int
    label: str
    answer: str
    layers: Layers
    zero_points: Mapping[str, int] = field(default_factory=dict)

    @property
    def logits(self) -> npt.NDArray[Any]:
        return self.layers[list(self.layers)[-1]]


def compare_dumps(expected: Dump, found: Dump) -> Comparison:
    """Compare two dumps: digest, clip, label and answer, then every layer. Raises as `compare`."""
    for key, ours, theirs in zip(_FACTS, _facts(expected), _facts(found), strict=True):
        if ours != theirs and key != "layers":  # which layer is missing says more than how many
            raise Mismatch(f"{key}: expected {ours}, got {theirs}")
    if dict(expected.zero_points) != dict(found.zero_points):
        raise Mismatch(
            f"zero points: expected {dict(expected.zero_points)}, got {dict(found.zero_points)}"
        )
    return compare(expected.layers, found.layers)


def dump_clip(
    network: IntegerNetwork, fingerprint: npt.NDArray[Any], clip: int, label_index: int
) -> Dump:
    """Compute the dump of one fingerprint, of the network's input shape, with the reference."""
    result = reference.run(network, fingerprint[np.newaxis])
    return Dump(
        digest=network.digest,
        clip=clip,
        label=network.labels[label_index],
        answer=network.labels[int(result.label_indices[0])],
        layers={name: read_only(layer[0]) for name, layer in result.layers.items()},
        zero_points={name: point for name, point in network.zero_points.items() if point},
    )


def dump_text(dump: Dump) -> str:
    """Return the text of a golden vector file; equal dumps give equal text."""
    lines = [_BANNER + "".join(f"#     {line}\n" for line in READ_WITH_NUMPY.splitlines()) + "#"]
    lines += [f"# {key}: {value}" for key, value in zip(_FACTS, _facts(dump), strict=True)]
    if dump.zero_points:
        pairs = (f"{name} {point}" for name, point in dump.zero_points.items())
        lines += ["#", _CENTRED + ", ".join(pairs)]
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
    zero_points = _parse_zero_points(lines[: starts[0]])
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
    return Dump(digest, int(clip), label, answer, layers, zero_points)


def read_dump(path: Path) -> Dump:
    """Read a golden vector file; OSError, or ValueError as `parse_dump` gives it."""
    return parse_dump(files.read_text(path), str(path))


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


def _parse_zero_points(lines: Sequence[str]) -> dict[str, int]:
    found = [match[1] for line in lines if (match := _ZERO_POINTS.fullmatch(line))]
    pairs = (pair.split() for pair in ", ".join(found).split(", ") if pair)
    return {name: int(point) for name, point in pairs}


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
            if not _INTEGER.fullmatch(text) or not _LOWEST <= int(text) <= _HIGHEST:
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
