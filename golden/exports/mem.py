"""`.mem` files: the weights or biases of a layer as hexadecimal words that `$readmemh` loads.

The words stand in the order in which the hardware needs them, so that its address only counts, and
each holds as many values as the hardware needs at once. The comment header says which network and
array they are and in which order; the reader checks it and gives back the array, so that a memory
from another network is recognised.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden.archive import read_only
from golden.axes import array_axes, named_arrays
from golden.integer_math import WEIGHT_BITS, signed_bits
from golden.network import IntegerNetwork

_FIELDS = ("network", "array", "order", "shape", "bits", "lanes")
_HEADER_LINE = re.compile(r"// (\w+): (.*)")
_WORD = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True, eq=False)
class Memory:
    """What a `.mem` file holds.

    `network` is the digest of the network, `array` the array's name (`golden.axes.named_arrays`),
    `order` its axis names in the order of the words, slowest first, `lanes` how many values of
    `bits` bits a word holds, the first in the lowest bits, and `values` the int64 array in the
    network's own axis order.
    """

    network: str
    array: str
    order: tuple[str, ...]
    bits: int
    lanes: int
    values: npt.NDArray[np.int64]


def memory_text(
    network: IntegerNetwork,
    array: str,
    order: tuple[str, ...],
    bits: int = WEIGHT_BITS,
    lanes: int = 1,
) -> str:
    """Return the text of the `.mem` file of an array, two's complement of `bits` bits a value.

    `array` is a name such as `conv_1.weights` or `fc1.biases`; `order` is a permutation of its axes
    (`golden.axes.array_axes`), slowest first. `lanes` values that follow one another in that order
    make a word; the fastest axis, or a word, makes a line.

    Raises ValueError if there is no such array, the order is no permutation of its axes, a value
    does not fit, or the values do not fill the words.
    """
    values = _array_of(network, array)
    axes = array_axes(values.ndim)
    if sorted(order) != sorted(axes):
        raise ValueError(f"{array}.order: expected a permutation of {axes}, got {tuple(order)}")
    needed = signed_bits(int(values.min()), int(values.max()))
    if bits < needed:
        raise ValueError(f"{array}: expected at least {needed} bits, got {bits}")
    if lanes < 1 or values.size % lanes:
        raise ValueError(f"{array}: expected lanes that divide {values.size} values, got {lanes}")
    ordered = values.transpose([axes.index(axis) for axis in order])
    shape = " ".join(map(str, ordered.shape))
    fields = (network.digest, array, " ".join(order), shape, str(bits), str(lanes))
    header = [f"// {field}: {value}" for field, value in zip(_FIELDS, fields, strict=True)]
    words = [_word(lane_values, bits) for lane_values in ordered.reshape(-1, lanes).tolist()]
    width = max(ordered.shape[-1] // lanes, 1)
    rows = [" ".join(words[start : start + width]) for start in range(0, len(words), width)]
    return "\n".join([*header, *rows]) + "\n"


def read_memory(path: Path) -> Memory:
    """Read a `.mem` file that `memory_text` wrote.

    Raises ValueError, naming the file and what is wrong, for a header that is incomplete, a word
    that is none or too wide, and a number of words other than the header's.
    """
    header, words = _split(path)
    try:
        order, bits, lanes = (
            tuple(header["order"].split()),
            int(header["bits"]),
            int(header["lanes"]),
        )
        shape = tuple(int(size) for size in header["shape"].split())
        axes = array_axes(len(shape))
        back = [order.index(axis) for axis in axes]
        count = int(np.prod(shape)) // lanes
    except (ArithmeticError, LookupError, ValueError) as error:
        raise ValueError(f"{path}: expected a header with {', '.join(_FIELDS)}") from error
    if len(words) != count:
        raise ValueError(f"{path}: expected {count} words of shape {shape}, got {len(words)}")
    values = np.array([_signed(path, place, word, bits, lanes) for place, word in enumerate(words)])
    values = read_only(values.reshape(shape).transpose(back))
    return Memory(header["network"], header["array"], order, bits, lanes, values)


def check_memory(memory: Memory, network: IntegerNetwork) -> None:
    """Raise ValueError unless `memory` holds an array of this very network."""
    if memory.network != network.digest:
        raise ValueError(
            f"{memory.array}: expected a memory of network {network.digest}, "
            f"got one of {memory.network}"
        )
    values = _array_of(network, memory.array)
    if memory.values.shape != values.shape:
        raise ValueError(
            f"{memory.array}: expected a memory of shape {values.shape}, got {memory.values.shape}"
        )
    different = np.argwhere(memory.values != values)
    if different.size:
        place = tuple(int(i) for i in different[0])
        raise ValueError(
            f"{memory.array}: expected {values[place]} at {place}, got {memory.values[place]}"
        )


def _array_of(network: IntegerNetwork, array: str) -> npt.NDArray[Any]:
    arrays = named_arrays(network)
    if array not in arrays:
        raise ValueError(f"{array}: expected one of the arrays {list(arrays)}")
    return arrays[array]


def _word(values: list[int], bits: int) -> str:
    """Pack values into one hexadecimal word, the first in the lowest bits."""
    mask = (1 << bits) - 1
    word = sum((value & mask) << (lane * bits) for lane, value in enumerate(values))
    return f"{word:0{-(-bits * len(values) // 4)}x}"


def _split(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the fields of the comment header and the words."""
    header: dict[str, Any] = {}
    words: list[str] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if field := _HEADER_LINE.fullmatch(line):
            header[field[1]] = field[2]
        else:
            words += line.split()
    missing = [field for field in _FIELDS if field not in header]
    if missing:
        raise ValueError(
            f"{path}: expected a header with {', '.join(_FIELDS)}, {missing[0]} is missing"
        )
    return header, words


def _signed(path: Path, place: int, text: str, bits: int, lanes: int) -> list[int]:
    """Return the values of a word."""
    if not _WORD.fullmatch(text) or int(text, 16) >> (bits * lanes):
        raise ValueError(
            f"{path}: expected hexadecimal words of {bits * lanes} bits, "
            f"got {text!r} as word {place}"
        )
    fields = [(int(text, 16) >> (lane * bits)) & ((1 << bits) - 1) for lane in range(lanes)]
    return [value - (1 << bits) if value >> (bits - 1) else value for value in fields]
