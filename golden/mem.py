"""`.mem` files: the weights of one layer as hexadecimal words that Verilog's `$readmemh` loads.

The words stand in the order in which the hardware needs them, so that its address only counts. The
comment header says which network and layer they are and in which order; the reader checks it and
gives back the weights, so that a memory from another network is recognised.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden.archive import read_only
from golden.axes import array_axes
from golden.integer_math import WEIGHT_BITS, signed_bits
from golden.network import IntegerNetwork, WeightedNode

_FIELDS = ("network", "layer", "order", "shape", "bits")
_HEADER_LINE = re.compile(r"// (\w+): (.*)")
_WORD = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True, eq=False)
class WeightMemory:
    """What a `.mem` file holds.

    `network` is the digest of the network, `order` the axis names of the words, slowest first, and
    `weights` the int64 array in the network's own axis order, `[out][kh][kw][in]` or `[out][in]`.
    """

    network: str
    layer: str
    order: tuple[str, ...]
    bits: int
    weights: npt.NDArray[np.int64]


def weight_memory(
    network: IntegerNetwork, layer: str, order: tuple[str, ...], bits: int = WEIGHT_BITS
) -> str:
    """Return the text of the `.mem` file of a layer's weights, two's complement of `bits` bits.

    `order` is a permutation of the weights' axes (`golden.axes.array_axes`), slowest first; the
    fastest axis makes a line.

    Raises ValueError if the layer has no weights, the order is no permutation of its axes, or a
    weight does not fit.
    """
    weights = _weights_of(network, layer)
    axes = array_axes(weights.ndim)
    if sorted(order) != sorted(axes):
        raise ValueError(f"{layer}.order: expected a permutation of {axes}, got {tuple(order)}")
    needed = signed_bits(int(weights.min()), int(weights.max()))
    if bits < needed:
        raise ValueError(
            f"{layer}.weights: expected at most {bits} bits, the weights need {needed}"
        )
    ordered = weights.transpose([axes.index(axis) for axis in order])
    values = (network.digest, layer, " ".join(order), " ".join(map(str, ordered.shape)), str(bits))
    header = [f"// {field}: {value}" for field, value in zip(_FIELDS, values, strict=True)]
    digits, mask = -(-bits // 4), (1 << bits) - 1
    rows = [
        " ".join(f"{int(weight) & mask:0{digits}x}" for weight in row)
        for row in ordered.reshape(-1, ordered.shape[-1])
    ]
    return "\n".join([*header, *rows]) + "\n"


def read_weight_memory(path: Path) -> WeightMemory:
    """Read a `.mem` file that `weight_memory` wrote.

    Raises ValueError, naming the file and what is wrong, for a header that is incomplete, a word
    that is none or too wide, and a number of words other than the header's.
    """
    header, words = _split(path)
    try:
        order, bits = tuple(header["order"].split()), int(header["bits"])
        shape = tuple(int(size) for size in header["shape"].split())
        axes = array_axes(len(shape))
        back = [order.index(axis) for axis in axes]
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path}: expected a header with {', '.join(_FIELDS)}") from error
    if len(words) != np.prod(shape):
        raise ValueError(
            f"{path}: expected {np.prod(shape)} words of shape {shape}, got {len(words)}"
        )
    values = np.array([_signed(path, place, word, bits) for place, word in enumerate(words)])
    weights = read_only(values.reshape(shape).transpose(back))
    return WeightMemory(header["network"], header["layer"], order, bits, weights)


def check_weight_memory(memory: WeightMemory, network: IntegerNetwork) -> None:
    """Raise ValueError unless `memory` holds the weights of this very network."""
    if memory.network != network.digest:
        raise ValueError(
            f"{memory.layer}.mem: expected the weights of network {network.digest}, "
            f"got those of {memory.network}"
        )
    weights = _weights_of(network, memory.layer)
    different = memory.weights != weights if memory.weights.shape == weights.shape else None
    if different is None:
        raise ValueError(
            f"{memory.layer}.mem: expected shape {weights.shape}, got {memory.weights.shape}"
        )
    if different.any():
        place = tuple(int(i) for i in np.argwhere(different)[0])
        raise ValueError(
            f"{memory.layer}.mem: expected {weights[place]} at {place}, got {memory.weights[place]}"
        )


def _weights_of(network: IntegerNetwork, layer: str) -> npt.NDArray[np.int8]:
    node = next((node for node in network.nodes if node.name == layer), None)
    if not isinstance(node, WeightedNode):
        known = [node.name for node in network.weighted_nodes]
        raise ValueError(f"{layer}: expected one of the layers with weights {known}")
    return node.weights


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


def _signed(path: Path, place: int, word: str, bits: int) -> int:
    if not _WORD.fullmatch(word) or int(word, 16) >> bits:
        raise ValueError(
            f"{path}: expected hexadecimal words of {bits} bits, got {word!r} as word {place}"
        )
    value = int(word, 16)
    return value - (1 << bits) if value >> (bits - 1) else value
