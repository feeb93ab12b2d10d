"""The order in which a layer multiplies and adds: one tap after another into one accumulator.

A *tap* is one weight of an output channel with the input that it meets. Taps run in the order of
the weight array, `kh, kw, in` (the last fastest), as `weight.h` stores them; the accumulator starts
at the bias, or at 0 where there is none. Ranges and observations both take the order from here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from golden.nodes import DepthwiseConvolution, FullyConnected, WeightedNode
from golden.reference import Integers, windows


@dataclass(frozen=True)
class TapOrder:
    """An order of additions, taps by their number in `kh, kw, in`, and the bits of its sums."""

    taps: tuple[int, ...]
    bits: int


def tap_inputs(node: WeightedNode, values: Integers) -> Integers:
    """Return what each tap reads, window by window: `(rows, taps, channels)`.

    `values` is a batch `(N, *input shape)`. A row is one window of one input, `N * positions` of
    them; windows that reach beyond a SAME-padded map read zeros there. `channels` is 1 where every
    output channel reads the same inputs, and the number of channels in a depthwise layer.
    """
    if isinstance(node, FullyConnected):
        return values.reshape(values.shape[0], -1, 1)
    patches = windows(values, node.windows)  # N T C kh kw ch
    rows = patches.shape[0] * patches.shape[1] * patches.shape[2]
    if isinstance(node, DepthwiseConvolution):
        return patches.reshape(rows, -1, patches.shape[5])
    return patches.reshape(rows, -1, 1)


def tap_weights(node: WeightedNode) -> Integers:
    """Return the weight of each tap, int64 `(taps, output channels)`."""
    return node.weights.reshape(node.weights.shape[0], -1).T.astype(np.int64)


def initial_sum(node: WeightedNode) -> Integers:
    """Return what the accumulator holds before the first tap, int64 `(output channels,)`."""
    if node.biases is None:
        return np.zeros(node.weights.shape[0], np.int64)
    return node.biases.astype(np.int64)
