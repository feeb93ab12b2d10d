"""Every signal of a network once more, by plain Python loops over Python integers.

Slow and without NumPy's arithmetic: the other route by which the reference, ranges and observations
are checked.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import (
    Add,
    AveragePool,
    Convolution,
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
from golden.windows import Shape

Values = dict[tuple[int, ...], int]  # a feature map: (time, coefficient, channel) -> value
Signals = dict[str, dict[int, list[int]]]  # name of the signal -> channel -> every value it takes


def every_value(network: IntegerNetwork, fingerprint: npt.NDArray[Any]) -> Signals:
    """Return every value of every signal for one input."""
    signals = _no_signals()
    for name, values in every_layer(network, fingerprint, signals).items():
        for place, value in values.items():
            signals[name][place[-1]].append(value)
    return signals


def every_layer(
    network: IntegerNetwork, fingerprint: npt.NDArray[Any], signals: Signals | None = None
) -> dict[str, Values]:
    """Return every layer for one input; what lies inside nodes goes into `signals`."""
    zero, shapes = network.input_format.zero_point, network.shapes
    pixels = np.ndenumerate(np.reshape(fingerprint, shapes[INPUT_NAME]))
    maps: dict[str, Values] = {INPUT_NAME: {place: int(value) - zero for place, value in pixels}}
    record = _no_signals() if signals is None else signals
    for node in network.nodes:
        inputs = [maps[source] for source in node.sources]
        shape, to = shapes[node.sources[0]], shapes[node.name]
        if isinstance(node, WeightedNode):
            maps[node.name] = _sums(node, inputs[0], shape, to, record)
        else:
            maps[node.name] = _layer(node, inputs, shape, to, record)
    return maps


def extremes(network: IntegerNetwork, fingerprints: npt.NDArray[Any]) -> dict[str, Any]:
    """Return `(low, high)` of every signal on all fingerprints, each a list by channel."""
    everything: Signals = defaultdict(lambda: defaultdict(list))
    for fingerprint in fingerprints:
        for name, channels in every_value(network, fingerprint).items():
            for channel, values in channels.items():
                everything[name][channel] += [min(values), max(values)]
    return {
        name: (
            [min(channels[channel]) for channel in sorted(channels)],
            [max(channels[channel]) for channel in sorted(channels)],
        )
        for name, channels in everything.items()
    }


def rounded_twice(value: int, multiplier: int, exponent: int) -> int:
    """Doubling high product with its nudge by sign, then a rounding shift."""
    product = value * 2 ** max(exponent, 0) * multiplier
    high = _truncated(product + (2**30 if product >= 0 else 1 - 2**30), 2**31)
    return nearest_away(Fraction(high, 2 ** max(-exponent, 0)))


def rounded_once(value: int, multiplier: int, exponent: int) -> int:
    """The exact product, rounded to the nearest integer, ties up."""
    return math.floor(
        Fraction(value * multiplier) * Fraction(2) ** (exponent - 31) + Fraction(1, 2)
    )


def rounded_away(value: int, multiplier: int, exponent: int) -> int:
    """The exact product, rounded to the nearest integer, ties away from zero."""
    return nearest_away(Fraction(value * multiplier) * Fraction(2) ** (exponent - 31))


RULES = {"twice": rounded_twice, "once": rounded_once, "away": rounded_away}


def _truncated(dividend: int, divisor: int) -> int:
    """Divide and round towards zero."""
    return abs(dividend) // divisor * (1 if dividend >= 0 else -1)


def nearest_away(value: Fraction) -> int:
    """Round to the nearest integer, ties away from zero."""
    return math.floor(abs(value) + Fraction(1, 2)) * (1 if value >= 0 else -1)


def _no_signals() -> Signals:
    return defaultdict(lambda: defaultdict(list))


def _layer(
    node: Node, inputs: Sequence[Values], shape: Shape, to: Shape, record: Signals
) -> Values:
    """Compute a node without weights from inputs of `shape`."""
    values = inputs[0]
    match node:
        case ShiftRelu():
            return {place: max(value // 2**node.shift, 0) for place, value in values.items()}
        case Requantise():
            return {p: _requantised(node, value, p[-1], record) for p, value in values.items()}
        case Add():
            return {place: sum(each[place] for each in inputs) for place in values}
        case GlobalMaxPool():
            return {
                (0, 0, channel): max(v for p, v in values.items() if p[2] == channel)
                for channel in range(shape[2])
            }
        case GlobalSumPool():
            for place in sorted(values):
                sums = record[f"{node.name}.partial_sum"][place[2]]
                sums.append((sums[-1] if sums else 0) + values[place])
            sums_by_channel = record[f"{node.name}.partial_sum"]
            return {(0, 0, channel): sums_by_channel[channel][-1] for channel in range(shape[2])}
        case MaxPool() | AveragePool():
            return {place: _pooled(node, place, values, shape, record) for place in np.ndindex(*to)}
        case Pad():
            before = [pair[0] for pair in node.amounts]
            return {
                place: values.get(tuple(p - n for p, n in zip(place, before, strict=True)), 0)
                for place in np.ndindex(*to)
            }
        case Reshape():  # sorted places: the last axis is the fastest
            return dict(zip(np.ndindex(*to), map(values.get, sorted(values)), strict=True))
    raise TypeError(node)


def _requantised(node: Requantise, value: int, channel: int, record: Signals) -> int:
    index = channel if node.multipliers.size > 1 else 0
    factor, exponent = int(node.multipliers[index]), int(node.exponents[index])
    record[f"{node.name}.product"][channel].append(value * 2**node.left_shift * factor)
    q = RULES[node.rounding](value * 2**node.left_shift, factor, exponent) + node.zero_point
    return min(max(q, node.low), node.high) - node.zero_point


def _pooled(
    node: MaxPool | AveragePool,
    place: tuple[int, ...],
    values: Values,
    shape: Shape,
    record: Signals,
) -> int:
    elements = [(*at, place[2]) for _, _, at in _elements(node, place, shape, node.window, (1, 1))]
    found = [values[element] for element in elements if element in values]
    if isinstance(node, MaxPool):
        return max(found)
    total = 0
    for element in elements:
        total += values[element] + node.zero_point if element in values else 0
        record[f"{node.name}.partial_sum"][place[2]].append(total)
    mean = Fraction(sum(value + node.zero_point for value in found), len(found))
    return nearest_away(mean) - node.zero_point


def _sums(node: WeightedNode, values: Values, shape: Shape, to: Shape, record: Signals) -> Values:
    sums: Values = {}
    for place in np.ndindex(*to):
        channel = place[-1]
        total = 0 if node.biases is None else int(node.biases[channel])
        for weight, value in taps(node, place, values, shape):
            total += weight * value
            record[f"{node.name}.product"][channel].append(weight * value)
            record[f"{node.name}.partial_sum"][channel].append(total)
        sums[place] = total
    return sums


def taps(
    node: WeightedNode, place: tuple[int, ...], values: Values, shape: Shape
) -> Iterator[tuple[int, int]]:
    """Yield weight and value of each tap of one output in the order kh, kw, in."""
    output = place[-1]
    if isinstance(node, FullyConnected):
        for index, source in enumerate(sorted(values)):  # sorted places: time, coefficient, channel
            yield int(node.weights[output, index]), values[source]
        return
    outputs, *kernel, inputs = node.weights.shape
    first = output * shape[2] // outputs if isinstance(node, DepthwiseConvolution) else 0
    for row, column, at in _elements(node, place, shape, kernel, node.dilation):
        for channel in range(inputs):
            value = values.get((*at, first + channel), 0)  # beyond the map: zero
            yield int(node.weights[output, row, column, channel]), value


def _elements(
    node: Convolution | DepthwiseConvolution | MaxPool | AveragePool,
    place: tuple[int, ...],
    shape: Shape,
    kernel: Sequence[int],
    dilation: Sequence[int],
) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """Yield row and column within the window of one output, and where on the map that is."""
    corner = []
    for axis in (0, 1):
        extent = (kernel[axis] - 1) * dilation[axis] + 1
        step = node.stride[axis]
        needed = max((-(-shape[axis] // step) - 1) * step + extent - shape[axis], 0)
        before = needed // 2 if node.padding == "SAME" else 0
        corner.append(place[axis] * step - before)
    for row, column in np.ndindex(*kernel):
        yield row, column, (corner[0] + row * dilation[0], corner[1] + column * dilation[1])
