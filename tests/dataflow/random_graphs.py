"""Random graphs of every node kind, and all their signals by plain Python loops over integers."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import reject
from hypothesis import strategies as st

from golden.network import INPUT_NAME, InputFormat, IntegerNetwork
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
)
from tests.networks import label_names

Values = dict[tuple[int, ...], int]
Signals = dict[str, dict[int, list[int]]]  # name of the signal -> channel -> every value it takes


@st.composite
def graphs(draw: st.DrawFn) -> IntegerNetwork:
    """Small networks of every node kind, with branches, biases, dilation and any input."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    axes = draw(st.integers(1, 3))
    shape = tuple(draw(st.integers(1, 5)) for _ in range(axes))
    low = draw(st.integers(-128, 126))
    high = draw(st.integers(low + 1, min(low + 64, 127)))
    form = InputFormat(low, high, draw(st.integers(low, high)))
    grown = shape if axes != 2 else (*shape, 1)
    nodes: list[Node] = []
    last = INPUT_NAME
    if axes == 1 and draw(st.booleans()):
        last = _grow(nodes, Reshape("shaped", last, (1, *grown, 1)))
        grown = nodes[-1].output_shape(grown)
    for place in range(draw(st.integers(0, 4))):
        node = draw(_node(f"n{place}", last, grown, rng))
        if draw(st.booleans()) and isinstance(node, Convolution | DepthwiseConvolution):
            twin = _twin(node, rng)
            nodes += [node, twin]
            node = Add(f"sum{place}", (node.name, twin.name))
            grown = nodes[-1].output_shape(grown)
        grown = node.output_shape(*[grown] * len(node.sources))
        last = _grow(nodes, node)
        if draw(st.booleans()):
            last = _grow(nodes, draw(_follower(f"f{place}", last, grown, rng)))
    labels = draw(st.integers(1, 3))
    count = int(np.prod(grown))
    biases = rng.integers(-99, 99, labels) if draw(st.booleans()) else None
    nodes.append(FullyConnected("logits", last, rng.integers(-8, 8, (labels, count)), biases, 4))
    if draw(st.booleans()):
        nodes.append(draw(_follower("scaled", "logits", (labels,), rng)))
    try:
        return IntegerNetwork(tuple(nodes), label_names(labels), shape, None, form)
    except ValueError as error:
        if "expected values that fit 32 bits" in str(error):
            reject()
        raise


@st.composite
def graphs_with_inputs(draw: st.DrawFn) -> tuple[IntegerNetwork, npt.NDArray[Any]]:
    """A graph and one to three inputs, uniform or of the two ends alone."""
    network = draw(graphs())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(1, 3)), *network.input_shape)
    low, high = network.input_format.low, network.input_format.high
    if draw(st.booleans()):
        return network, rng.choice([low, high], shape).astype(np.int8)
    return network, rng.integers(low, high + 1, shape).astype(np.int8)


def _grow(nodes: list[Node], node: Node) -> str:
    nodes.append(node)
    return node.name


@st.composite
def _node(draw: st.DrawFn, name: str, last: str, shape: tuple[int, ...], rng: Any) -> Node:
    if len(shape) == 1:
        return draw(_follower(name, last, shape, rng))
    kind = draw(st.sampled_from(["conv", "depthwise", "max", "average", "top", "total", "pad"]))
    padding = draw(st.sampled_from(["SAME", "VALID"]))
    stride = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    dilation = tuple(draw(st.integers(1, 2)) if stride == (1, 1) else 1 for _ in range(2))
    limits = [
        size if padding == "SAME" else (size - 1) // d + 1
        for size, d in zip(shape, dilation, strict=False)
    ]
    kernel = tuple(draw(st.integers(1, min(3, limit))) for limit in limits)
    channels = draw(st.integers(1, 3))
    if kind in ("conv", "depthwise"):
        outputs, inputs = (channels, shape[2]) if kind == "conv" else (shape[2] * channels, 1)
        make = Convolution if kind == "conv" else DepthwiseConvolution
        biases = rng.integers(-99, 99, outputs) if draw(st.booleans()) else None
        weights = rng.integers(-128, 128, (outputs, *kernel, inputs))
        return make(name, last, weights, stride, padding, biases, dilation, 8)
    window = tuple(min(count, size) for count, size in zip(kernel, shape, strict=False))
    zero_point = draw(st.integers(-128, 127))
    return {
        "max": MaxPool(name, last, window, stride, padding),
        "average": AveragePool(name, last, window, stride, padding, zero_point),
        "top": GlobalMaxPool(name, last),
        "total": GlobalSumPool(name, last),
        "pad": Pad(name, last, ((1, 0), (0, 2), (0, draw(st.integers(0, 1))))),
    }[kind]


def _twin(node: Any, rng: Any) -> Node:
    """Another node with inputs and outputs of the same shapes."""
    weights = rng.integers(-128, 128, node.weights.shape)
    return type(node)(
        f"{node.name}_twin", node.input, weights, node.stride, node.padding, None, node.dilation, 8
    )


@st.composite
def _follower(draw: st.DrawFn, name: str, last: str, shape: tuple[int, ...], rng: Any) -> Node:
    if draw(st.booleans()):
        return ShiftRelu(name, last, draw(st.integers(0, 8)))
    count = draw(st.sampled_from([1, shape[-1]]))
    low = draw(st.integers(-128, 126))
    high = draw(st.integers(low, 127))
    return Requantise(
        name,
        last,
        rng.integers(2**30, 2**31, count) * rng.integers(0, 4, count).clip(max=1),
        rng.integers(-12, 1, count),
        draw(st.sampled_from(["once", "twice"])),
        draw(st.integers(low, high)),
        low,
        high,
        draw(st.sampled_from([0, 0, 3])),
    )


def every_value(network: IntegerNetwork, fingerprint: npt.NDArray[Any]) -> Signals:
    """Return every value of every signal for one input of the network."""
    signals: Signals = defaultdict(lambda: defaultdict(list))
    shape = network.shapes[INPUT_NAME]
    zero = network.input_format.zero_point
    centred = [int(value) - zero for value in fingerprint.ravel()]
    maps = {INPUT_NAME: dict(zip(np.ndindex(*shape), centred, strict=True))}
    for node in network.nodes:
        inputs = [maps[source] for source in node.sources]
        shapes = [network.shapes[source] for source in node.sources]
        maps[node.name] = {
            place: _output(node, place, inputs, shapes, signals)
            for place in np.ndindex(*network.shapes[node.name])
        }
    for name, values in maps.items():
        for place, value in values.items():
            signals[name][place[-1]].append(value)
    return signals


def _output(
    node: Any, place: tuple[int, ...], inputs: list[Values], shapes: list[Any], signals: Signals
) -> int:
    values, shape, channel = inputs[0], shapes[0], place[-1]
    match node:
        case Convolution() | DepthwiseConvolution() | FullyConnected():
            total = 0 if node.biases is None else int(node.biases[channel])
            for weight, value in taps(node, place, values, shape):
                total += weight * value
                signals[f"{node.name}.product"][channel].append(weight * value)
                signals[f"{node.name}.partial_sum"][channel].append(total)
            return total
        case ShiftRelu():
            return max(values[place] // 2**node.shift, 0)
        case Requantise():
            which = channel if len(node.multipliers) > 1 else 0
            shifted = values[place] * 2**node.left_shift
            q, e = int(node.multipliers[which]), int(node.exponents[which])
            signals[f"{node.name}.product"][channel].append(shifted * q)
            scaled = _scaled(shifted, q, e, node.rounding) + node.zero_point
            return min(max(scaled, node.low), node.high) - node.zero_point
        case Add():
            return sum(each[place] for each in inputs)
        case MaxPool():
            return max(values[source] for source in _window(node, place, shape) if source in values)
        case AveragePool():
            total, count = 0, 0
            for source in _window(node, place, shape):
                count += source in values
                total += values[source] + node.zero_point if source in values else 0
                signals[f"{node.name}.partial_sum"][channel].append(total)
            mean = (2 * abs(total) + count) // (2 * count)
            return (mean if total >= 0 else -mean) - node.zero_point
        case GlobalMaxPool():
            return max(v for source, v in values.items() if source[2] == channel)
        case GlobalSumPool():
            elements = [v for source, v in sorted(values.items()) if source[2] == channel]
            signals[f"{node.name}.partial_sum"][channel] += itertools.accumulate(elements)
            return sum(elements)
        case Pad():
            source = tuple(i - before for i, (before, _) in zip(place, node.amounts, strict=True))
            return values.get(source, 0)
        case Reshape():
            return values[tuple(map(int, np.unravel_index(_flat(node.shape, place), shape)))]
    raise AssertionError(node)


def _flat(shape: tuple[int, ...], place: tuple[int, ...]) -> int:
    number = 0
    for size, index in zip(shape, place, strict=True):
        number = number * size + index
    return number


def _scaled(value: int, multiplier: int, exponent: int, rounding: str) -> int:
    if rounding == "once":
        return (value * multiplier + 2 ** (30 - exponent)) // 2 ** (31 - exponent)
    high = (value * 2 ** max(exponent, 0) * multiplier + 2**30) // 2**31
    step = 2 ** max(-exponent, 0)
    nearest = (2 * abs(high) + step) // (2 * step)
    return nearest if high >= 0 else -nearest


def taps(
    node: Any, place: tuple[int, ...], values: Values, shape: tuple[int, ...]
) -> Iterator[tuple[int, int]]:
    """Yield weight and value of each tap of one output in the order kh, kw, in."""
    channel = place[-1]
    if isinstance(node, FullyConnected):
        yield from zip(
            map(int, node.weights[channel]), map(values.get, sorted(values)), strict=True
        )
        return
    sources = range(shape[2])
    if isinstance(node, DepthwiseConvolution):
        first = channel // (len(node.weights) // shape[2])
        sources = range(first, first + 1)
    weights = iter(node.weights[channel].flat)
    for row, column, _ in _window(node, place, shape):
        for source in sources:
            yield int(next(weights)), values.get((row, column, source), 0)


def _window(node: Any, place: tuple[int, ...], shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield the places of a window, those outside the map included."""
    kernel = node.window if isinstance(node, MaxPool | AveragePool) else node.weights.shape[1:3]
    dilation = getattr(node, "dilation", (1, 1))
    starts = [
        place[axis] * node.stride[axis]
        - _zeros_before(node.padding, shape[axis], kernel[axis], node.stride[axis], dilation[axis])
        for axis in (0, 1)
    ]
    for row, column in np.ndindex(*kernel):
        yield starts[0] + row * dilation[0], starts[1] + column * dilation[1], place[-1]


def _zeros_before(padding: str, size: int, kernel: int, step: int, dilation: int) -> int:
    last_start = (-(-size // step) - 1) * step
    beyond = last_start + (kernel - 1) * dilation + 1 - size
    return max(beyond, 0) // 2 if padding == "SAME" else 0
