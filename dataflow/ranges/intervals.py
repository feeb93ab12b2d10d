"""Ranges of every signal: the data type, and bounds by interval arithmetic on the actual weights.

Signals are named: a node's output by the node (`conv_1`), what lies inside a weighted node by node
and part (`conv_1.product`). Parts are `weight`, `bias`, `product` and `partial_sum`, which covers
what the accumulator holds after each tap, the last included.

An interval bound holds for every input: each signal is bounded position by position (so that the
borders of SAME windows meet their zeros), and the result is the hull over the positions. The inputs
of a window are treated as independent, so true extremes may lie inside where windows overlap; for
the first layer the bounds are exact. (R. E. Moore, "Interval Analysis", 1966.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from dataflow.ranges.accumulation import initial_sum, tap_inputs, tap_weights
from golden.archive import read_only
from golden.integer_math import floor_shift, relu, signed_bits
from golden.network import INPUT_MAX, INPUT_MIN, INPUT_NAME, IntegerNetwork
from golden.nodes import FullyConnected, GlobalMaxPool, Node, ShiftRelu, WeightedNode
from golden.reference import Integers


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
# Smallest and largest value of the fingerprint: an integer for all coefficients, or one for each.
InputRange = tuple[npt.ArrayLike, npt.ArrayLike]
FULL_INPUT_RANGE: InputRange = (INPUT_MIN, INPUT_MAX)


@dataclass(frozen=True, eq=False)
class Box:
    """Bounds of every element of an array, both included: int64, of the array's shape."""

    low: Integers
    high: Integers


RangeOrBox = TypeVar("RangeOrBox", Box, ChannelRange)


def part_name(node: Node, part: str) -> str:
    """Return the name of a signal inside a weighted node."""
    return f"{node.name}.{part}"


def interval_bounds(
    network: IntegerNetwork,
    input_range: InputRange = FULL_INPUT_RANGE,
    within: Ranges | None = None,
) -> Ranges:
    """Bound every signal of `network` for all fingerprints with values in `input_range`.

    `within` are ranges that are known to hold, of any signals: what follows them is bounded from
    there on.

    Raises ValueError for an empty range, one outside -32..31 or of another number of coefficients.
    """
    boxes, ranges = _propagate(network, input_range, within or {})
    return ranges | {name: _channel_hull([box]) for name, box in boxes.items()}


def element_bounds(
    network: IntegerNetwork,
    input_range: InputRange = FULL_INPUT_RANGE,
    within: Ranges | None = None,
) -> Mapping[str, Box]:
    """Bound every element of the fingerprint and of each node's output, as `interval_bounds`."""
    return _propagate(network, input_range, within or {})[0]


def input_box(network: IntegerNetwork, input_range: InputRange) -> Box:
    """Return the range of every element of the fingerprint, `(time, coefficient, 1)`.

    Raises ValueError for an empty range, one outside -32..31 or of another number of coefficients.
    """
    ends = []
    for end in input_range:
        values = np.asarray(end)
        if values.shape not in ((), (network.input_shape[1],)):
            raise ValueError(
                f"input_range: expected an integer or one for each of {network.input_shape[1]} "
                f"coefficients, got shape {values.shape}"
            )
        grid = np.broadcast_to(values.astype(np.int64), network.input_shape)
        ends.append(grid[..., np.newaxis])
    low, high = ends
    wrong = (low < INPUT_MIN) | (low > high) | (high > INPUT_MAX)
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0])
        raise ValueError(
            f"input_range: expected {INPUT_MIN} <= low <= high <= {INPUT_MAX}, "
            f"got {low[place]} and {high[place]} at coefficient {place[1]}"
        )
    return Box(low, high)


def constant_ranges(network: IntegerNetwork) -> dict[str, ChannelRange]:
    """Return the ranges of weights and biases, which do not depend on the input."""
    ranges = {}
    for node in network.weighted_nodes:
        weights = tap_weights(node)  # taps, output channels
        ranges[part_name(node, "weight")] = ChannelRange(weights.min(axis=0), weights.max(axis=0))
        if isinstance(node, FullyConnected):
            ranges[part_name(node, "bias")] = ChannelRange(initial_sum(node), initial_sum(node))
    return ranges


def magnitude_bound(network: IntegerNetwork) -> int:
    """Return the largest absolute value that a sum of any taps in any order could reach.

    The maximum over layers, channels and positions of `|bias| + sum of |weight| * max |input|`.
    Below 2^24 every float32 sum of these integers is exact, whatever the order of additions.
    """
    return max(magnitude_bounds(network).values())


def magnitude_bounds(network: IntegerNetwork) -> dict[str, int]:
    """Return for each weighted node the largest absolute value that sums in it could reach."""
    bounds = interval_bounds(network)
    result = {}
    for node in network.weighted_nodes:
        largest = np.maximum(np.abs(bounds[node.input].low), np.abs(bounds[node.input].high))
        inputs = tap_inputs(node, np.broadcast_to(largest, (1, *network.shapes[node.input])))
        sums = (inputs * np.abs(tap_weights(node))).sum(axis=1)  # rows, output channels
        result[node.name] = int((sums + np.abs(initial_sum(node))).max())
    return result


def bound_taps(node: WeightedNode, box: Box) -> Iterator[tuple[Box, Box]]:
    """Yield the bounds of product and partial sum tap by tap, `(rows, output channels)` each.

    `box` bounds the node's input.
    """
    low_inputs = tap_inputs(node, box.low[np.newaxis])
    high_inputs = tap_inputs(node, box.high[np.newaxis])
    low = high = initial_sum(node)
    for tap, weights in enumerate(tap_weights(node)):
        ends = low_inputs[:, tap] * weights, high_inputs[:, tap] * weights
        product = Box(np.minimum(*ends), np.maximum(*ends))
        low, high = low + product.low, high + product.high
        yield product, Box(low, high)


def _propagate(
    network: IntegerNetwork, input_range: InputRange, within: Ranges
) -> tuple[dict[str, Box], dict[str, ChannelRange]]:
    """Return the bounds of every element of each node, and the ranges inside weighted nodes."""
    boxes = {INPUT_NAME: input_box(network, input_range)}
    ranges = constant_ranges(network)
    for node in network.nodes:
        box = boxes[node.sources[0]]
        if isinstance(node, WeightedNode):
            products, sums = zip(*bound_taps(node, box), strict=True)
            for part, parts in (("product", products), ("partial_sum", sums)):
                name = part_name(node, part)
                ranges[name] = _within(_channel_hull(parts), within.get(name))
            shape = network.shapes[node.name]
            box = Box(sums[-1].low.reshape(shape), sums[-1].high.reshape(shape))
        else:
            box = _bound_monotone(node, box)
        boxes[node.name] = _within(box, within.get(node.name))
    return boxes, ranges


def _bound_monotone(node: Node, box: Box) -> Box:
    """Floor shift, ReLU and maximum are monotone: bounds map to bounds."""
    match node:
        case ShiftRelu():
            return Box(_shift_relu(box.low, node.shift), _shift_relu(box.high, node.shift))
        case GlobalMaxPool():
            return Box(*(ends.max(axis=(0, 1), keepdims=True) for ends in (box.low, box.high)))
        case _:
            raise TypeError(f"{node.name}: no interval arithmetic for a {type(node).__name__}")


def _shift_relu(values: Integers, shift: int) -> Integers:
    return relu(floor_shift(values, shift)).astype(np.int64)


def _within(bounds: RangeOrBox, known: ChannelRange | None) -> RangeOrBox:
    """Return what both bounds leave, channel by channel (the last axis)."""
    if known is None:
        return bounds
    low, high = np.maximum(bounds.low, known.low), np.minimum(bounds.high, known.high)
    return type(bounds)(low, high)


def _channel_hull(boxes: Iterable[Box]) -> ChannelRange:
    """Reduce bounds of elements to bounds of channels, the last axis."""
    lows, highs = zip(
        *((_per_channel(box.low).min(axis=0), _per_channel(box.high).max(axis=0)) for box in boxes),
        strict=True,
    )
    return ChannelRange(np.min(lows, axis=0), np.max(highs, axis=0))


def _per_channel(values: Integers) -> Integers:
    return values.reshape(-1, values.shape[-1])
