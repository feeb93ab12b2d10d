"""Which elements an element of a feature map depends on, and what follows from that for a proof.

An element is a node's name and an index of its output, channel last.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from dataflow.ranges.intervals import Box
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import (
    Add,
    AveragePool,
    DepthwiseConvolution,
    FullyConnected,
    GlobalMaxPool,
    GlobalSumPool,
    MaxPool,
    Node,
    Pad,
    Requantise,
    Reshape,
    ShiftRelu,
    WeightedNode,
)
from golden.reference import Integers
from golden.windows import Windows

Index = tuple[int, ...]

# Each of their outputs depends on one input, and rises with it.
_ONE_TO_ONE = ShiftRelu | Requantise | Pad | Reshape
_MOST_ELEMENTS = 100_000  # that a search for the depth of an element looks at


def as_fingerprint(network: IntegerNetwork, pixels: Integers) -> npt.NDArray[np.int8]:
    """Return an input int8 `network.input_shape` from what the first layers see of it."""
    values = pixels.reshape(network.input_shape) + network.input_format.zero_point
    fingerprint: npt.NDArray[np.int8] = values.astype(np.int8)
    return fingerprint


def tap_sources(network: IntegerNetwork, node: WeightedNode, output: Index) -> Iterator[Index]:
    """Yield for each tap of `output` the index of what it reads; () where that lies outside."""
    shape = network.shapes[node.input]
    if isinstance(node, FullyConnected):
        yield from (_unravelled(tap, shape) for tap in range(math.prod(shape)))
        return
    channels = tuple(range(shape[2]))
    if isinstance(node, DepthwiseConvolution):
        channels = (output[-1] // (len(node.weights) // shape[2]),)
    for place in _places(node.windows, shape, output):
        yield from ((*place, channel) if place else () for channel in channels)


def element_sources(
    network: IntegerNetwork, node: Node, output: Index
) -> Iterator[tuple[str, Index]]:
    """Yield the elements that an output of a node reads, in order; their index is () outside."""
    name, shape = node.sources[0], network.shapes[node.sources[0]]
    match node:
        case Add():
            yield from ((source, output) for source in node.inputs)
        case MaxPool() | AveragePool():
            for place in _places(node.windows, shape, output):
                yield name, (*place, output[-1]) if place else ()
        case GlobalMaxPool() | GlobalSumPool():
            yield from ((name, (*place, output[-1])) for place in np.ndindex(*shape[:2]))
        case Pad():
            places = [at - before for at, (before, _) in zip(output, node.amounts, strict=True)]
            inside = all(0 <= at < size for at, size in zip(places, shape, strict=True))
            yield name, tuple(places) if inside else ()
        case Reshape():
            yield name, _unravelled(int(np.ravel_multi_index(output, node.shape)), shape)
        case _ if isinstance(node, WeightedNode):
            yield from ((name, source) for source in tap_sources(network, node, output))
        case _:
            yield name, output


def nodes_before(network: IntegerNetwork, name: str) -> list[Node]:
    """Return the nodes that a node depends on, itself included, in order."""
    needed = {name}
    for node in reversed(network.nodes):
        if node.name in needed:
            needed.update(node.sources)
    return [node for node in network.nodes if node.name in needed]


def pixels_are_independent(network: IntegerNetwork, name: str) -> bool:
    """Tell whether each element of a node depends on one element of the input, each on another."""
    return all(isinstance(node, _ONE_TO_ONE) for node in nodes_before(network, name))


def pixel_of(network: IntegerNetwork, name: str, index: Index) -> Index:
    """Return the one input element that an element depends on; () if it is a zero outside."""
    while name != INPUT_NAME and index:
        ((name, index),) = element_sources(network, network.node(name), index)
    return index


def depth(
    network: IntegerNetwork, name: str, limit: int, free: frozenset[str] = frozenset()
) -> int:
    """Return on how many shifted or pooled elements one in the middle of a node's output depends.

    Counting goes back to the input and to the nodes in `free`. It stops at `limit + 1`, which also
    stands for what takes too long to count.
    """
    middle = (*(size // 2 for size in network.shapes[name][:-1]), 0)
    pending, seen, count = [(name, middle)], {(name, middle)}, 0
    while pending and count <= limit:
        source, index = pending.pop()
        for element in element_sources(network, network.node(source), index):
            if not element[1] or element[0] == INPUT_NAME or element in seen:
                continue
            seen.add(element)
            if element[0] not in free:
                pending.append(element)
            count += isinstance(network.node(element[0]), ShiftRelu | MaxPool | GlobalMaxPool)
        if len(seen) > _MOST_ELEMENTS:
            return limit + 1
    return min(count, limit + 1)


class Signatures:
    """Numbers for the elements of a node: equal where they are the same function of the input.

    The same but for a translation, that is. Where a node has several inputs, or changes the shape,
    what an element reads of the input may lie apart differently at each place: there no two are
    taken for the same. Nor is anything compared where a node has a single position.
    """

    def __init__(self, network: IntegerNetwork, bounds: Mapping[str, Box], name: str) -> None:
        self._network = network
        self._bounds = bounds
        self._numbers: dict[object, int] = {}
        self._known: dict[tuple[str, Index], int] = {}
        self._comparable = math.prod(network.shapes[name][:-1]) > 1 and not any(
            isinstance(node, Add | Reshape) for node in nodes_before(network, name)
        )

    def of(self, name: str, index: Index) -> int:
        """Return the number of an element."""
        key = (name, index)
        if key not in self._known:
            structure = self._structure(name, index) if self._comparable else key
            self._known[key] = self._numbers.setdefault(structure, len(self._numbers))
        return self._known[key]

    def _structure(self, name: str, index: Index) -> object:
        if name == INPUT_NAME:
            box = self._bounds[name]
            return "pixel", int(box.low[index]), int(box.high[index])
        sources = element_sources(self._network, self._network.node(name), index)
        numbers = tuple(self.of(*element) if element[1] else None for element in sources)
        return name, index[-1], numbers


def _places(windows: Windows, shape: Index, output: Index) -> Iterator[Index]:
    """Yield row and column of each place of a window; () where it lies outside the map."""
    (top, _), (left, _) = windows.padding_of(shape)
    rows, columns = (
        range(at * step - before, at * step - before + extent, apart)
        for at, step, before, extent, apart in zip(
            output, windows.stride, (top, left), windows.extent, windows.dilation, strict=False
        )
    )
    for row in rows:
        for column in columns:
            inside = 0 <= row < shape[0] and 0 <= column < shape[1]
            yield (row, column) if inside else ()


def _unravelled(number: int, shape: Index) -> Index:
    return tuple(map(int, np.unravel_index(number, shape)))
