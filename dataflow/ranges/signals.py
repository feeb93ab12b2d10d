"""Every value of every signal on given fingerprints, in one order, for all who watch signals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dataflow.ranges.accumulation import SummingPool, each_tap, initial_sum, tap_weights
from dataflow.ranges.intervals import part_name
from golden.c.engine import Engine, ReferenceEngine
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import Node, Requantise, WeightedNode
from golden.reference import Integers

_MOST_CLIPS = 64
_BATCH_VALUES = 180_000  # of one signal at one tap: they stay within the processor's cache


@dataclass(frozen=True, eq=False)
class SignalValues:
    """Values of a signal, int64 `(clips, positions, channels)`: at one `tap` of a sum, or -1."""

    name: str
    tap: int
    values: Integers


def batch_clips(network: IntegerNetwork) -> int:
    """Return how many fingerprints to hand to `signal_values` at a time."""
    largest = max(math.prod(shape) for shape in network.shapes.values())
    return min(max(_BATCH_VALUES // largest, 1), _MOST_CLIPS)


def signal_values(
    network: IntegerNetwork, fingerprints: npt.NDArray[Any], engine: Engine | None = None
) -> Iterator[SignalValues]:
    """Yield the values of every signal that depends on the input, node by node, tap by tap.

    `fingerprints` are integers `(N, *network.input_shape)` that the network's input format allows;
    ValueError or TypeError as the reference raises it. The layers are the reference's, or those of
    the engine that is given.
    """
    layers = dict((engine or ReferenceEngine(network)).run(fingerprints).layers)
    clips = len(fingerprints)
    layers[INPUT_NAME] = layers[INPUT_NAME].reshape(clips, *network.shapes[INPUT_NAME])
    for name, values in layers.items():
        yield SignalValues(name, -1, values.reshape(clips, -1, values.shape[-1]))
    for node in network.nodes:
        yield from _values_inside(node, layers[node.sources[0]])


def _values_inside(node: Node, values: Integers) -> Iterator[SignalValues]:
    if isinstance(node, WeightedNode):
        yield from _sum_values(node, values)
    elif isinstance(node, SummingPool):
        yield from _pool_values(node, values)
    elif isinstance(node, Requantise):
        products = (values << node.left_shift) * node.multipliers.astype(np.int64)
        shape = len(values), -1, values.shape[-1]
        yield SignalValues(part_name(node, "product"), -1, products.reshape(shape))


def _sum_values(node: WeightedNode, values: Integers) -> Iterator[SignalValues]:
    product_name, sum_name = part_name(node, "product"), part_name(node, "partial_sum")
    shape = (len(values), -1, node.weights.shape[0])
    sums = initial_sum(node)
    taps = zip(tap_weights(node), each_tap(node, values), strict=True)
    for tap, (weights, inputs) in enumerate(taps):
        products = inputs * weights  # rows, output channels
        sums = sums + products
        yield SignalValues(product_name, tap, products.reshape(shape))
        yield SignalValues(sum_name, tap, sums.reshape(shape))


def _pool_values(node: SummingPool, values: Integers) -> Iterator[SignalValues]:
    name = part_name(node, "partial_sum")
    sums = np.zeros(1, np.int64)
    for tap, inputs in enumerate(each_tap(node, values)):
        sums = sums + inputs
        yield SignalValues(name, tap, sums.reshape(len(values), -1, values.shape[-1]))
