"""The order in which a layer multiplies and adds: one tap after another into one accumulator.

A *tap* is one weight of an output channel with the input that it meets. Taps run in the order of
the weight array, `kh, kw, in` (the last fastest), as `weight.h` stores them; the accumulator starts
at the bias, or at 0 where there is none. Pools that sum have taps, too, one for each element of a
window, without weights. Ranges and observations both take the order from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from golden.nodes import (
    AveragePool,
    DepthwiseConvolution,
    FullyConnected,
    GlobalSumPool,
    WeightedNode,
)
from golden.reference import Integers, windows

SummingPool = AveragePool | GlobalSumPool


@dataclass(frozen=True)
class TapOrder:
    """An order of additions, taps by their number in `kh, kw, in`, and the bits of its sums."""

    taps: tuple[int, ...]
    bits: int


def each_tap(node: WeightedNode | SummingPool, values: Integers) -> Iterator[Integers]:
    """Yield what each tap reads, window by window: `(rows, channels)`.

    `values` is a batch `(N, *input shape)`. A row is one window of one input, `N * positions` of
    them; windows that reach beyond a SAME-padded map read zeros there. `channels` is 1 where every
    output channel reads the same inputs, and the number of output channels elsewhere. An average
    pool adds up `value + zero_point`, the number that it takes the mean of.
    """
    match node:
        case FullyConnected():
            yield from values.reshape(len(values), -1).T[..., np.newaxis]
        case GlobalSumPool():
            yield from np.moveaxis(values.reshape(len(values), -1, values.shape[-1]), 1, 0)
        case AveragePool():
            yield from _each_place(windows(values + node.zero_point, node.windows))
        case DepthwiseConvolution():
            multiplier = len(node.weights) // values.shape[-1]
            repeated = np.repeat(values, multiplier, axis=-1)
            yield from _each_place(windows(repeated, node.windows))
        case _:
            for place in _each_place(windows(values, node.windows)):
                yield from place.T[..., np.newaxis]


def tap_inputs(node: WeightedNode | SummingPool, values: Integers) -> Integers:
    """Return what every tap reads, as `each_tap` yields it: `(rows, taps, channels)`."""
    return np.stack(list(each_tap(node, values)), axis=1)


def tap_weights(node: WeightedNode) -> Integers:
    """Return the weight of each tap, int64 `(taps, output channels)`."""
    return node.weights.reshape(node.weights.shape[0], -1).T.astype(np.int64)


def initial_sum(node: WeightedNode) -> Integers:
    """Return what the accumulator holds before the first tap, int64 `(output channels,)`."""
    if node.biases is None:
        return np.zeros(node.weights.shape[0], np.int64)
    return node.biases.astype(np.int64)


def _each_place(patches: Integers) -> Iterator[Integers]:
    """Yield the values at each place of windows `(N, T, C, kh, kw, channel)`: `(rows, channel)`."""
    for row, column in np.ndindex(patches.shape[3:5]):
        yield patches[:, :, :, row, column].reshape(-1, patches.shape[5])
