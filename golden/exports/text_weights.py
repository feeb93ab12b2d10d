"""`example_weight.txt`: the arrays as nested lists, so that nobody wonders which axis is which."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden import files
from golden.axes import array_axes, has_depthwise_multiplier, named_arrays
from golden.nested import Token, Tokens, nested_lines, read_nested
from golden.network import IntegerNetwork

_BANNER = """\
# The weights of one network as nested lists, the same integers as in weight.h.
# Each array states its type and, for each nesting level from outside to inside, axis name and size.
# Of a depthwise convolution `out` is the channel; its filters see only that one, so `in` is 1.
# Whatever follows a # is a comment."""
_ON_DEPTHWISE_MULTIPLIERS = "# With m outputs a channel, output o reads channel o // m."
_ARRAY = re.compile(r"array (\S+) (int8|int32) axes (.+)")
_AXIS = re.compile(r"([a-z_]+)\[([1-9][0-9]{0,9})\]")
_TYPES: dict[str, type[np.signedinteger[Any]]] = {"int8": np.int8, "int32": np.int32}


@dataclass(frozen=True)
class WeightText:
    """What the file holds: the network's digest and its arrays by `node.field`."""

    digest: str
    arrays: Mapping[str, npt.NDArray[Any]]


def weight_text(network: IntegerNetwork) -> str:
    """Return the text of `example_weight.txt`; equal networks give equal text."""
    arrays = named_arrays(network)
    banner = _BANNER
    if has_depthwise_multiplier(network):
        banner += f"\n{_ON_DEPTHWISE_MULTIPLIERS}"
    sections = [banner, f"network digest {network.digest} arrays {len(arrays)}"]
    for name, array in arrays.items():
        axes = array_axes(array.ndim)
        shape = " ".join(f"{axis}[{size}]" for axis, size in zip(axes, array.shape, strict=True))
        lines = nested_lines(array, "[]", lambda index: f"# {axes[0]} {index}")  # noqa: B023
        sections.append("\n".join([f"array {name} {array.dtype} axes {shape}", *lines]))
    return "\n\n".join(sections) + "\n"


def parse_weight_text(text: str, source: str = "example_weight.txt") -> WeightText:
    """Return digest and arrays of the text; ValueError, naming the line, if it is not one."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    starts = [number for number, line in enumerate(lines) if re.match(r"[a-z]", line)]
    first = next((number for number, line in enumerate(lines) if line), len(lines))
    if not starts or starts[0] != first:
        raise ValueError(f"{source} line {first + 1}: expected the network digest, got none")
    digest, count = _digest(source, lines, first, [*starts, len(lines)][1])
    arrays: dict[str, npt.NDArray[Any]] = {}
    for start, end in zip(starts[1:], [*starts[2:], len(lines)], strict=False):
        name, array = _array(source, lines, start, end)
        if name in arrays:
            raise ValueError(
                f"{source} line {start + 1}: expected each array once, got {name} twice"
            )
        arrays[name] = array
    if len(arrays) != count:
        raise ValueError(f"{source}: expected {count} arrays, got {len(arrays)}")
    return WeightText(digest, arrays)


def read_weight_text(path: Path) -> WeightText:
    """Read such a file; OSError, or ValueError as `parse_weight_text` gives it."""
    return parse_weight_text(files.read_text(path), str(path))


def _digest(source: str, lines: list[str], start: int, end: int) -> tuple[str, int]:
    match = re.fullmatch(r"network digest ([0-9a-f]{64}) arrays (0|[1-9][0-9]{0,5})", lines[start])
    if match is None:
        raise ValueError(
            f"{source} line {start + 1}: expected 'network digest DIGEST arrays COUNT', "
            f"got {lines[start]!r}"
        )
    Tokens(source, _tokens(lines, start + 1, end)).expect_end()
    return match[1], int(match[2])


def _array(source: str, lines: list[str], start: int, end: int) -> tuple[str, npt.NDArray[Any]]:
    match = _ARRAY.fullmatch(lines[start])
    axes = _AXIS.findall(match[3]) if match else []
    if match is None or len(axes) != len(match[3].split()) or not _are_known(axes):
        raise ValueError(
            f"{source} line {start + 1}: expected 'array NAME TYPE axes out[SIZE] ...', "
            f"got {lines[start]!r}"
        )
    tokens = Tokens(source, _tokens(lines, start + 1, end))
    array = read_nested(tokens, tuple(int(size) for _, size in axes), "[]", _TYPES[match[2]])
    tokens.expect_end()
    return match[1], array


def _are_known(axes: list[tuple[str, str]]) -> bool:
    return tuple(name for name, _ in axes) in (array_axes(count) for count in (1, 2, 4))


def _tokens(lines: list[str], start: int, end: int) -> Iterator[Token]:
    for index in range(start, end):
        for match in re.finditer(r"-?\w+|\S", lines[index]):
            yield Token(match[0], index + 1)
