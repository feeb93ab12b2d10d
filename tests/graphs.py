"""Random graphs of every node kind, with branches, and inputs for them: by seed, or by hypothesis.

Small maps, so that a graph takes milliseconds. The first nodes of a graph are those of a smaller
one of the same seed, so that a failing graph shrinks.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from golden.integer_math import signed_limits
from golden.network import INPUT_NAME, ROUNDING_RULES, InputFormat, IntegerNetwork
from golden.nodes import (
    INT32_MAX,
    INT32_MIN,
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
from golden.requantisation import ROUNDINGS
from golden.windows import Pair, Shape
from tests.networks import features_for, label_names

MOST_ELEMENTS = 160  # of a feature map
LARGEST = 2**44  # of a sum; what is larger is shifted before more is computed with it
# Names that C, the program or the macros of other nodes could take for their own.
NAMES = (
    "main",
    "int",
    "for",
    "input",
    "label",
    "add",
    "reshape",
    "infer",
    "a",
    "a_input",
    "a_left",
)


def random_graph(seed: int, nodes: int = 6) -> IntegerNetwork:
    """Return a graph of about `nodes` random nodes, and those that lead their ends to the logits.

    Every node but the last is read; the last is fully connected, or a requantisation behind it.
    """
    builder = _Builder(seed)
    for _ in range(nodes):
        builder.add_any()
    return builder.finish()


def random_inputs(
    seed: int, count: int, network: IntegerNetwork, *, extremes: bool = False
) -> npt.NDArray[np.int8]:
    """Return int8 inputs `(count, *network.input_shape)`: any allowed, or only the two extremes."""
    rng, form = np.random.default_rng(seed), network.input_format
    shape = (count, *network.input_shape)
    if extremes:
        return rng.choice(np.array([form.low, form.high], np.int8), size=shape)
    return rng.integers(form.low, form.high + 1, shape).astype(np.int8)


def graphs(most_nodes: int = 8) -> st.SearchStrategy[IntegerNetwork]:
    """Graphs of every node kind, up to `most_nodes` of them before the end."""
    return st.builds(random_graph, st.integers(0, 2**32 - 1), st.integers(0, most_nodes))


@st.composite
def graphs_with_inputs(
    draw: st.DrawFn, most_nodes: int = 8, most_inputs: int = 3
) -> tuple[IntegerNetwork, npt.NDArray[np.int8]]:
    """A graph and one to `most_inputs` inputs for it, any or extreme."""
    network = draw(graphs(most_nodes))
    seed, count = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, most_inputs))
    return network, random_inputs(seed, count, network, extremes=draw(st.booleans()))


class _Builder:
    """Grows a graph node by node, with the shape and the magnitude of every layer so far."""

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)
        self.rng = np.random.default_rng(seed)
        self.names = list(NAMES) if self.happens(0.3) else []
        axes = self.choose.choice([1, 2, 2, 3, 3, 3])
        limits = {1: (12,), 2: (7, 5), 3: (7, 5, 4)}[axes]
        self.input_shape: Shape = tuple(self.choose.randint(1, limit) for limit in limits)
        self.input_format = self.any_format()
        self.nodes: list[Node] = []
        shape = (*self.input_shape, 1) if axes == 2 else self.input_shape
        self.shapes: dict[str, Shape] = {INPUT_NAME: shape}
        self.reaches = {INPUT_NAME: self.input_format.value_range}
        self.magnitudes = {INPUT_NAME: max(map(abs, self.input_format.value_range))}

    def happens(self, probability: float) -> bool:
        return self.choose.random() < probability

    def any_format(self) -> InputFormat:
        if self.happens(0.3):
            return InputFormat()
        low, high = sorted(self.choose.sample(range(-128, 128), 2))
        low, high = self.choose.choice([(-128, 127), (low, high)])
        scale = self.choose.choice([None, 1.0, 1e-05, 3e22, self.choose.random() + 0.001])
        return InputFormat(low, high, self.choose.randint(low, high), scale)

    # ---- growing

    def append(self, node: Node) -> str:
        """Append a node, and one that shifts where it is too large; return the name of the last."""
        self.append_last(node)
        if self.magnitudes[node.name] > LARGEST:
            return self.append(ShiftRelu(self.name(), node.name, 31))
        return node.name

    def append_last(self, node: Node) -> None:
        self.nodes.append(node)
        shapes = [self.shapes[source] for source in node.sources]
        self.shapes[node.name] = node.output_shape(*shapes)
        ranges = [self.reaches[source] for source in node.sources]
        self.reaches[node.name] = node.reach(ranges, shapes)
        self.magnitudes[node.name] = node.largest(ranges, shapes)

    def name(self) -> str:
        if self.names and self.happens(0.5):
            return self.names.pop(self.choose.randrange(len(self.names)))
        return f"layer_{len(self.nodes)}"

    def add_any(self) -> None:
        """Append a random node, most often behind the latest one."""
        source = INPUT_NAME if not self.nodes else self.nodes[-1].name
        if self.happens(0.3):
            source = self.choose.choice(list(self.shapes))
        anywhere = [self.shift_relu, self.requantise, self.add, self.pad, self.reshape]
        on_maps = [
            *(self.convolution, self.convolution, self.depthwise, self.depthwise),
            *(self.max_pool, self.average_pool, self.global_pool),
        ]
        makers: list[Callable[[str], Node]] = anywhere
        if len(self.shapes[source]) == 3:
            makers = anywhere + on_maps
        self.append(self.choose.choice(makers)(source))

    def finish(self) -> IntegerNetwork:
        """Return the network: what nobody reads is added up, if need be made of one shape first."""
        read = {source for node in self.nodes for source in node.sources}
        ends = [name for name in self.shapes if name not in read]
        if len({self.shapes[name] for name in ends}) > 1:
            width = self.choose.randint(1, 4)
            ends = [self.append(self.fully_connected(name, width)) for name in ends]
        if len(ends) > 1:
            ends = [self.append(Add(self.name(), tuple(ends)))]
        labels = self.choose.randint(1, 4)
        self.append_last(self.fully_connected(ends[0], labels))
        last = self.nodes[-1].name
        if self.magnitudes[last] <= INT32_MAX and self.happens(0.4):
            self.append(self.requantise(last))
        features = None
        if len(self.input_shape) == 2 and self.happens(0.5):
            features = features_for((self.input_shape[0], self.input_shape[1]))
        return IntegerNetwork(
            tuple(self.nodes),
            label_names(labels),
            self.input_shape,
            features,
            self.input_format,
            self.choose.choice([None, *ROUNDING_RULES]),
        )

    # ---- nodes

    def convolution(self, source: str) -> Node:
        outputs = self.choose.randint(1, 5)
        return Convolution(self.name(), source, **self.kernels(source, outputs, None))

    def depthwise(self, source: str) -> Node:
        outputs = self.shapes[source][2] * self.choose.choice([1, 1, 2, 3])
        return DepthwiseConvolution(self.name(), source, **self.kernels(source, outputs, 1))

    def kernels(self, source: str, outputs: int, inputs: int | None) -> dict[str, Any]:
        kernel = self.pair(3)
        dilation = self.pair(3) if self.happens(0.4) else (1, 1)
        extent = [(count - 1) * apart + 1 for count, apart in zip(kernel, dilation, strict=True)]
        channels = self.shapes[source][2] if inputs is None else inputs
        return {
            **self.weights((outputs, *kernel, channels)),
            "stride": self.stride(),
            "padding": self.padding(source, extent),
            "dilation": dilation,
        }

    def fully_connected(self, source: str, outputs: int) -> Node:
        inputs = math.prod(self.shapes[source])
        return FullyConnected(self.name(), source, **self.weights((outputs, inputs)))

    def weights(self, shape: Shape) -> dict[str, Any]:
        bits = self.choose.choice([2, 3, 4, 5, 6, 6, 7, 8, 8])
        low, high = signed_limits(bits)
        low, high = self.choose.choice([(low, high), (low, high), (-1, 1), (low, low)])
        weights = self.rng.integers(low, high + 1, shape)
        low, high = self.choice(
            {(-9, 9): 4, (-5000, 5000): 4, (INT32_MIN, INT32_MAX): 1, (0, -1): 3}
        )
        biases = self.rng.integers(low, high + 1, shape[0]) if low <= high else None
        return {"weights": weights, "biases": biases, "weight_bits": bits}

    def shift_relu(self, source: str) -> Node:
        return ShiftRelu(self.name(), source, self.choose.randint(0, 6))

    def requantise(self, source: str) -> Node:
        """Scale to about the range that follows, with room for the shifts to the left."""
        magnitude = max(self.magnitudes[source], 1)
        room = (INT32_MAX // magnitude).bit_length() - 1
        if room < 0:
            return self.shift_relu(source)
        left = self.choose.choice([0, 0, self.choose.randint(0, min(room, 20))])
        low, high = self.choose.choice([(-128, 127), (-8, 7), (0, 255), (-40000, 40000)])
        zero_point = self.choose.choice([0, low, self.choose.randint(low, high)])
        zero_point = min(max(zero_point, low), high)
        factors = self.choose.choice([1, self.shapes[source][-1]])
        middle = high.bit_length() - magnitude.bit_length() - left + self.choose.randint(-1, 2)
        if self.happens(0.3):  # small divisors, so that many values are ties
            middle = self.choose.randint(-3, 1)
        middle = min(max(middle, -20), 3)
        exponents = self.rng.integers(middle - 1, middle + 2, factors)
        multipliers = self.rng.integers(2**30, 2**31, factors)
        ties = self.choose.choice([0, 0.3, 1])
        multipliers = np.where(self.rng.random(factors) < ties, 2**30, multipliers)
        multipliers = np.where(self.rng.random(factors) < 0.05, 0, multipliers)
        return Requantise(
            self.name(),
            source,
            multipliers,
            np.clip(exponents, -20, min(3, room - left)),
            self.choose.choice(ROUNDINGS),
            zero_point,
            self.choose.choice([low, zero_point]),
            high,
            left,
        )

    def add(self, source: str) -> Node:
        """Add layers of one shape; where there is no other, first make one."""
        alike = [name for name, shape in self.shapes.items() if shape == self.shapes[source]]
        if len(alike) < 2:
            make = self.choose.choice([self.shift_relu, self.requantise])
            alike.append(self.append(make(source)))
        others = self.choose.choices(alike, k=self.choose.choice([1, 1, 2, 3]))
        return Add(self.name(), (source, *others))

    def max_pool(self, source: str) -> Node:
        window = self.pair(3)
        return MaxPool(self.name(), source, window, self.stride(), self.padding(source, window))

    def average_pool(self, source: str) -> Node:
        window = self.pair(3)
        return AveragePool(
            self.name(),
            source,
            window,
            self.stride(),
            self.padding(source, window),
            self.choose.choice([0, self.choose.randint(-128, 127)]),
        )

    def global_pool(self, source: str) -> Node:
        return self.choose.choice([GlobalMaxPool, GlobalSumPool])(self.name(), source)

    def pad(self, source: str) -> Node:
        shape = self.shapes[source]
        most = 2 if math.prod(size + 4 for size in shape) <= MOST_ELEMENTS else 1
        if math.prod(size + 2 * most for size in shape) > MOST_ELEMENTS:
            most = 0
        amounts = [(self.choose.randint(0, most), self.choose.randint(0, most)) for _ in shape]
        return Pad(self.name(), source, tuple(amounts))

    def reshape(self, source: str) -> Node:
        left = math.prod(self.shapes[source])
        sizes = []
        for _ in range(self.choose.choice([0, 1, 2, 2])):
            sizes.append(self.choose.choice([n for n in range(1, left + 1) if left % n == 0]))
            left //= sizes[-1]
        return Reshape(self.name(), source, (*sizes, left))

    def pair(self, most: int) -> Pair:
        return self.choose.randint(1, most), self.choose.randint(1, most)

    def stride(self) -> Pair:
        return self.choose.choice([1, 1, 2, 3]), self.choose.choice([1, 1, 2, 3])

    def padding(self, source: str, extent: Any) -> str:
        """Return SAME or VALID; the former where a window would not fit otherwise."""
        fits = all(n <= size for n, size in zip(extent, self.shapes[source], strict=False))
        return self.choose.choice(["SAME", "VALID"]) if fits else "SAME"

    def choice(self, weights: Mapping[Any, int]) -> Any:
        return self.choose.choices(list(weights), list(weights.values()))[0]
