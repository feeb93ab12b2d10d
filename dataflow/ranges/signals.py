"""Every value of every signal on given fingerprints, in one order, for all who watch signals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dataflow.ranges.accumulation import initial_sum, tap_inputs, tap_weights
from dataflow.ranges.intervals import part_name
from golden import reference
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import WeightedNode
from golden.reference import Integers


@dataclass(frozen=True, eq=False)
class SignalValues:
    """Values of a signal, int64 `(clips, positions, channels)`: at one `tap` of a sum, or -1."""

    name: str
    tap: int
    values: Integers


def signal_values(
    network: IntegerNetwork, fingerprints: npt.NDArray[Any]
) -> Iterator[SignalValues]:
    """Yield the values of every signal that depends on the input, node by node, tap by tap.

    `fingerprints` are integers `(N, time, coefficient)` in -32..31; ValueError or TypeError as the
    reference raises it.
    """
    layers = dict(reference.run(network, fingerprints).layers)
    layers[INPUT_NAME] = layers[INPUT_NAME][..., np.newaxis]
    clips = len(fingerprints)
    for name, values in layers.items():
        yield SignalValues(name, -1, values.reshape(clips, -1, values.shape[-1]))
    for node in network.weighted_nodes:
        yield from _tap_values(node, layers[node.input])


def _tap_values(node: WeightedNode, values: Integers) -> Iterator[SignalValues]:
    inputs = tap_inputs(node, values)
    product_name, sum_name = part_name(node, "product"), part_name(node, "partial_sum")
    shape = (len(values), -1, node.weights.shape[0])
    sums = initial_sum(node)
    for tap, weights in enumerate(tap_weights(node)):
        products = inputs[:, tap] * weights  # rows, output channels
        sums = sums + products
        yield SignalValues(product_name, tap, products.reshape(shape))
        yield SignalValues(sum_name, tap, sums.reshape(shape))
