"""Ranges of every signal: the data type, and bounds by interval arithmetic on the actual weights.

Signals are named: a node's output by the node (`conv_1`), what lies inside a node by node and part
(`conv_1.product`).

    with weights      `weight`, `bias` where there is one, `product`, and `partial_sum`: what the
                      accumulator holds after each tap, the last included
    pools that sum    `partial_sum`: what the accumulator holds after each element of a window; an
                      average pool adds up `value + zero_point`
    requantisation    `multiplier`, and `product`: `value * 2^left_shift * multiplier`, exact.
                      Nothing is shifted left for a positive exponent: it shifts less off later

An interval bound holds for every input: each signal is bounded position by position (so that the
borders of SAME windows meet their zeros), and the result is the hull over the positions. The inputs
of a window are treated as independent, so true extremes may lie inside where windows overlap; for
the first layer the bounds are exact. Nodes without weights never fall where an input rises, so the
reference itself maps bounds to bounds. (R. E. Moore, "Interval Analysis", 1966.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from dataflow.ranges.accumulation import (
    SummingPool,
    each_tap,
    initial_sum,
    tap_weights,
)
from golden.archive import read_only
from golden.integer_math import signed_bits
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import Node, Requantise, WeightedNode
from golden.reference import Integers, compute


@dataclass(frozen=True, eq=False)
class ChannelRange:
    """Smallest and largest value of a signal for each channel, both included: int64 `[channel]`."""

    low: Integers
    high: Integers

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", read_only(self.low))
        object.__setattr__(self, "high", read_only(self.high))

    @property
    def minimum(self) -> int:
        """Smallest value of any channel."""
        return int(self.low.min())

    @property
    def maximum(self) -> int:
        """Largest value of any channel."""
        return int(self.high.max())

    @property
    def bits(self) -> int:
        """Width of the two's-complement register that holds every value of any channel."""
        return signed_bits(self.minimum, self.maximum)

    @property
    def channel_bits(self) -> tuple[int, ...]:
        """Width of the two's-complement register of each channel."""
        ends = zip(self.low.tolist(), self.high.tolist(), strict=True)
        return tuple(signed_bits(low, high) for low, high in ends)


Ranges = Mapping[str, ChannelRange]
# Smallest and largest value of the fingerprint, as the first layers see it: an integer for all
# coefficients, or one for each.
InputRange = tuple[npt.ArrayLike, npt.ArrayLike]


@dataclass(frozen=True, eq=False)
class Box:
    """Bounds of every element of an array, both included: int64, of the array's shape."""

    low: Integers
    high: Integers


RangeOrBox = TypeVar("RangeOrBox", Box, ChannelRange)


def part_name(node: Node, part: str) -> str:
    """Return the name of a signal inside a node."""
    return f"{node.name}.{part}"


def interval_bounds(
    network: IntegerNetwork,
    input_range: InputRange | None = None,
    within: Ranges | None = None,
) -> Ranges:
    """Bound every signal of `network` for all fingerprints with values in `input_range`.

    Without a range for all that the network takes. `within` are ranges that are known to hold, of
    any signals: what follows them is bounded from there on.

    Raises ValueError for an empty range, one that the network's input format does not allow, or one
    of another number of coefficients.
    """
    boxes, ranges = _propagate(network, input_range, within or {})
    return ranges | {name: _channel_hull([box]) for name, box in boxes.items()}


def element_bounds(
    network: IntegerNetwork,
    input_range: InputRange | None = None,
    within: Ranges | None = None,
) -> Mapping[str, Box]:
    """Bound every element of the fingerprint and of each node's output, as `interval_bounds`."""
    return _propagate(network, input_range, within or {})[0]


def input_box(network: IntegerNetwork, input_range: InputRange | None = None) -> Box:
    """Return the range of every element of the fingerprint, of the shape that nodes see.

    Raises ValueError as `interval_bounds` does.
    """
    shape = network.shapes[INPUT_NAME]
    lowest, highest = network.input_format.value_range
    counts = {1, shape[1]} if len(shape) == 3 else {1}
    ends = [np.atleast_1d(np.asarray(end)) for end in input_range or (lowest, highest)]
    for values in ends:
        if values.ndim > 1 or values.size not in counts:
            raise ValueError(
                f"input_range: expected an integer or one for each of {max(counts)} "
                f"coefficients, got shape {values.shape}"
            )
    low, high = np.broadcast_arrays(*(values.astype(np.int64) for values in ends))
    wrong = (low < lowest) | (low > high) | (high > highest)
    if wrong.any():
        place = int(np.argmax(wrong))
        raise ValueError(
            f"input_range: expected {lowest} <= low <= high <= {highest}, "
            f"got {low[place]} and {high[place]} at coefficient {place}"
        )
    column = (-1, 1) if len(shape) == 3 else (-1,)  # the coefficient is the last axis but one
    low, high = (np.broadcast_to(end.reshape(column), shape) for end in (low, high))
    return Box(low, high)


def constant_ranges(network: IntegerNetwork) -> dict[str, ChannelRange]:
    """Return the ranges of weights, biases and multipliers, which do not depend on the input."""
    return {
        name: ChannelRange(values.min(axis=0), values.max(axis=0))
        for name, values in constants(network).items()
    }


def constants(network: IntegerNetwork) -> dict[str, Integers]:
    """Return weights, biases and multipliers by name, int64 `(values, channels)`."""
    values = {}
    for node in network.nodes:
        if isinstance(node, WeightedNode):
            values[part_name(node, "weight")] = tap_weights(node)
            if node.biases is not None:
                values[part_name(node, "bias")] = initial_sum(node)[np.newaxis]
        elif isinstance(node, Requantise):
            multipliers = node.multipliers.astype(np.int64)
            values[part_name(node, "multiplier")] = multipliers[np.newaxis]
    return values


def magnitude_bound(network: IntegerNetwork) -> int:
    """Return the largest absolute value that a sum of any taps in any order could reach.

    The maximum over layers, channels and positions of `|bias| + sum of |weight| * max |input|`.
    Below 2^24 every float32 sum of these integers is exact, whatever the order of additions.
    """
    return max(magnitude_bounds(network).values(), default=0)


def magnitude_bounds(network: IntegerNetwork) -> dict[str, int]:
    """Return for each weighted node the largest absolute value that sums in it could reach."""
    bounds = interval_bounds(network)
    result = {}
    for node in network.weighted_nodes:
        largest = np.maximum(np.abs(bounds[node.input].low), np.abs(bounds[node.input].high))
        inputs = np.broadcast_to(largest, (1, *network.shapes[node.input]))
        sums = np.abs(initial_sum(node))
        for taps, weights in zip(each_tap(node, inputs), tap_weights(node), strict=True):
            sums = sums + taps * np.abs(weights)  # rows, output channels
        result[node.name] = int(sums.max())
    return result


def bound_products(node: WeightedNode, box: Box) -> Iterator[Box]:
    """Yield the bounds of the products of each tap, `(rows, output channels)`.

    `box` bounds the input; rows are those of `dataflow.ranges.accumulation.each_tap`.
    """
    inputs = (each_tap(node, ends[np.newaxis]) for ends in (box.low, box.high))
    for weights, low, high in zip(tap_weights(node), *inputs, strict=True):
        ends = low * weights, high * weights
        yield Box(np.minimum(*ends), np.maximum(*ends))


def _propagate(
    network: IntegerNetwork, input_range: InputRange | None, within: Ranges
) -> tuple[dict[str, Box], dict[str, ChannelRange]]:
    """Return the bounds of every element of each node, and the ranges inside nodes."""
    boxes = {INPUT_NAME: input_box(network, input_range)}
    ranges = constant_ranges(network)
    for node in network.nodes:
        parts, box = _bound_node(node, [boxes[source] for source in node.sources])
        for part, bound in parts.items():
            name = part_name(node, part)
            ranges[name] = _within(bound, within.get(name))
        shaped = (ends.reshape(network.shapes[node.name]) for ends in (box.low, box.high))
        boxes[node.name] = _within(Box(*shaped), within.get(node.name))
    return boxes, ranges


def _bound_node(node: Node, inputs: Sequence[Box]) -> tuple[dict[str, ChannelRange], Box]:
    """Return the ranges inside a node by part, and the bounds of its outputs, row by row."""
    if isinstance(node, WeightedNode):
        return _bound_sums(node, inputs[0])
    parts = {}
    if isinstance(node, Requantise):
        scale = node.multipliers.astype(np.int64) << node.left_shift
        known = _channel_hull([inputs[0]])
        parts["product"] = ChannelRange(known.low * scale, known.high * scale)
    elif isinstance(node, SummingPool):
        parts["partial_sum"] = _bound_pool_sums(node, inputs[0])
    lows, highs = ([ends[np.newaxis] for ends in side] for side in _ends(inputs))
    return parts, Box(compute(node, *lows)[0], compute(node, *highs)[0])


def _ends(boxes: Sequence[Box]) -> tuple[list[Integers], list[Integers]]:
    return [box.low for box in boxes], [box.high for box in boxes]


def _bound_sums(node: WeightedNode, box: Box) -> tuple[dict[str, ChannelRange], Box]:
    products, sums = [], []
    total = Box(initial_sum(node), initial_sum(node))
    for product in bound_products(node, box):
        total = Box(total.low + product.low, total.high + product.high)
        products.append(_channel_hull([product]))
        sums.append(_channel_hull([total]))
    return {"product": _channel_hull(products), "partial_sum": _channel_hull(sums)}, total


def _bound_pool_sums(node: SummingPool, box: Box) -> ChannelRange:
    total, sums = Box(*np.zeros((2, 1), np.int64)), []
    inputs = (each_tap(node, ends[np.newaxis]) for ends in (box.low, box.high))
    for low, high in zip(*inputs, strict=True):
        total = Box(total.low + low, total.high + high)
        sums.append(_channel_hull([total]))
    return _channel_hull(sums)


def _within(bounds: RangeOrBox, known: ChannelRange | None) -> RangeOrBox:
    """Return what both bounds leave, channel by channel (the last axis)."""
    if known is None:
        return bounds
    low, high = np.maximum(bounds.low, known.low), np.minimum(bounds.high, known.high)
    return type(bounds)(low, high)


def _channel_hull(boxes: Sequence[Box | ChannelRange]) -> ChannelRange:
    """Reduce bounds of elements to bounds of channels, the last axis."""
    lows = [_per_channel(box.low).min(axis=0) for box in boxes]
    highs = [_per_channel(box.high).max(axis=0) for box in boxes]
    return ChannelRange(np.min(lows, axis=0), np.max(highs, axis=0))


def _per_channel(values: Integers) -> Integers:
    return values.reshape(-1, values.shape[-1])
