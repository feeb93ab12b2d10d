"""Smaller hardware for the same answers: dead channels, larger shifts, weights without -32.

- A channel is *dead* if its bound says that it is 0 for every input, or if no later weight reads
  it. Removing dead channels leaves every logit as it is, for every input.
- A shift one larger drops one more bit. Either a later shift gets one smaller, which leaves all
  numbers behind it at their scale, or the biases are halved, which leaves the answer as it is but
  for rounding (without biases the network is homogeneous between the floors).
- Where no weight is -32, no product of two 6-bit operands needs its twelfth bit.

The last two can change logits: whoever applies them measures accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from dataflow.ranges.intervals import Ranges, interval_bounds
from golden.integer_math import WEIGHT_BITS, WEIGHT_MIN
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import (
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    GlobalMaxPool,
    Node,
    ShiftRelu,
    WeightedNode,
)

Mixer = Convolution | FullyConnected  # a node whose outputs read all channels of its input


@dataclass(frozen=True)
class DeadChannels:
    """Output channels of `node` that never matter, and the node that would have read them."""

    node: str
    reader: str
    channels: tuple[int, ...]


@dataclass(frozen=True)
class LargerShift:
    """Shift `node` by one more, and `smaller` by one less; without `smaller` halve the biases."""

    node: str
    smaller: str | None

    def __str__(self) -> str:
        other = "biases halved" if self.smaller is None else f"{self.smaller} -1"
        return f"shift {self.node} +1, {other}"

    def apply(self, network: IntegerNetwork) -> IntegerNetwork:
        """Return the network with the shift moved."""
        return _mapped(network, self._changed)

    def _changed(self, node: Node) -> Node:
        if isinstance(node, ShiftRelu) and node.name in (self.node, self.smaller):
            return replace(node, shift=node.shift + (1 if node.name == self.node else -1))
        if isinstance(node, FullyConnected) and self.smaller is None and node.biases is not None:
            return replace(node, biases=node.biases >> 1)
        return node


@dataclass(frozen=True)
class WithoutLowestCode:
    """Weights -32 of `node` become -31."""

    node: str

    def __str__(self) -> str:
        return f"{self.node}: weights -32 become -31"

    def apply(self, network: IntegerNetwork) -> IntegerNetwork:
        """Return the network with the weights raised."""
        return _mapped(network, self._changed)

    def _changed(self, node: Node) -> Node:
        if isinstance(node, WeightedNode) and node.name == self.node:
            return replace(node, weights=np.maximum(node.weights, WEIGHT_MIN + 1))
        return node


def check_shrinkable(network: IntegerNetwork) -> None:
    """Raise ValueError, naming the node, unless this is a chain of floor-shift layers.

    Weights have at most 6 bits, and only fully connected layers have biases: else the network is
    not homogeneous between the floors.
    """
    before = INPUT_NAME
    for node in network.nodes:
        if not isinstance(node, WeightedNode | ShiftRelu | GlobalMaxPool):
            raise ValueError(f"{node.name}: expected a floor-shift layer, got a {node.kind}")
        if node.input != before:
            raise ValueError(f"{node.name}.input: expected {before}, got {node.input}")
        if isinstance(node, WeightedNode):
            _check_weights(network, node)
        before = node.name


def dead_channels(network: IntegerNetwork, bounds: Ranges) -> tuple[DeadChannels, ...]:
    """Return the channels that never matter; `bounds` must hold for every input.

    One channel of each node is kept even if all are dead. Raises ValueError for a network other
    than `check_shrinkable` takes.
    """
    check_shrinkable(network)
    found = []
    for producer, reader in _pairs(network):
        silent = (bounds[reader.input].low == 0) & (bounds[reader.input].high == 0)
        unread = ~_by_channel(network, reader).any(axis=(0, 1))
        dead = np.flatnonzero(silent | unread)
        dead = dead[len(dead) == len(silent) :]  # keep the first if there is no other
        if len(dead):
            found.append(DeadChannels(producer.name, reader.name, tuple(map(int, dead))))
    return tuple(found)


def without_channels(network: IntegerNetwork, dead: DeadChannels) -> IntegerNetwork:
    """Return the network without some dead channels; its logits are the same for every input."""
    keep = np.setdiff1d(np.arange(_channels(network.node(dead.node))), dead.channels)
    inside = _names_between(network, dead.node, dead.reader)

    def changed(node: Node) -> Node:
        if node.name == dead.node or (
            node.name in inside and isinstance(node, DepthwiseConvolution)
        ):
            return _with_outputs(node, keep)
        if node.name == dead.reader:
            assert isinstance(node, Mixer)
            weights = _by_channel(network, node)[..., keep]
            return replace(node, weights=weights.reshape(_reader_shape(node, len(keep))))
        return node

    return _mapped(network, changed)


def lossy_changes(network: IntegerNetwork) -> Iterator[LargerShift | WithoutLowestCode]:
    """Yield every way to make one shift one larger, or one layer's weights narrower.

    Raises ValueError for a network other than `check_shrinkable` takes.
    """
    check_shrinkable(network)
    for weighted in network.weighted_nodes:
        if (weighted.weights == WEIGHT_MIN).any():
            yield WithoutLowestCode(weighted.name)
    shifts = [node for node in network.nodes if isinstance(node, ShiftRelu) and node.shift < 31]
    for place, node in enumerate(shifts):
        for later in shifts[place + 1 :]:
            if later.shift > 0:
                yield LargerShift(node.name, later.name)
        yield LargerShift(node.name, None)


def datapath_bits(network: IntegerNetwork) -> int:
    """Return the sum of the widths of all products, partial sums and shifted values.

    A crude size by interval bounds, to choose among shifts: fewer bits, smaller hardware.
    """
    bounds = interval_bounds(network)
    return sum(
        bound.bits
        for name, bound in bounds.items()
        if not name.endswith((".weight", ".bias", ".multiplier"))
    )


def _mapped(network: IntegerNetwork, change: Callable[[Node], Node]) -> IntegerNetwork:
    return replace(network, nodes=tuple(change(node) for node in network.nodes))


def _check_weights(network: IntegerNetwork, node: WeightedNode) -> None:
    if node.weight_bits > WEIGHT_BITS:
        raise ValueError(
            f"{node.name}.weight_bits: expected at most {WEIGHT_BITS}, got {node.weight_bits}"
        )
    if node.biases is not None and not isinstance(node, FullyConnected):
        raise ValueError(f"{node.name}.biases: expected none, got {len(node.biases)}")
    if isinstance(node, DepthwiseConvolution):
        channels = network.shapes[node.input][2]
        if len(node.weights) != channels:
            raise ValueError(
                f"{node.name}.weights: expected a filter for each of {channels} channels, "
                f"got {len(node.weights)}"
            )


def _pairs(network: IntegerNetwork) -> Iterator[tuple[WeightedNode, Mixer]]:
    """Yield each node that makes channels with the next one that mixes them."""
    producer: WeightedNode | None = None
    for node in network.nodes:
        if isinstance(node, Mixer):
            if producer is not None:
                yield producer, node
            producer = node


def _names_between(network: IntegerNetwork, first: str, last: str) -> set[str]:
    names = [node.name for node in network.nodes]
    return set(names[names.index(first) + 1 : names.index(last)])


def _channels(node: Node) -> int:
    assert isinstance(node, WeightedNode)
    return len(node.weights)


def _by_channel(network: IntegerNetwork, reader: Mixer) -> npt.NDArray[np.int8]:
    """Return the weights of a reader as `(output, place, input channel)`."""
    channels = network.shapes[reader.input][-1]
    return reader.weights.reshape(len(reader.weights), -1, channels)


def _reader_shape(node: Mixer, channels: int) -> tuple[int, ...]:
    if isinstance(node, FullyConnected):
        return (len(node.weights), -1)
    return (*node.weights.shape[:3], channels)


def _with_outputs(node: Node, keep: npt.NDArray[np.int64]) -> Node:
    assert isinstance(node, Convolution | DepthwiseConvolution)
    return replace(node, weights=node.weights[keep])
