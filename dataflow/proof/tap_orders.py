"""The order of additions that keeps partial sums small.

An accumulator adds the taps of all its channels in one order. The final value is the last partial
sum, so no order needs fewer bits than it; where the given order needs more, another is looked for:
greedily on inputs that are known to be bad, then checked with `dataflow.proof.sum_extremes` for all
inputs. A check that fails names a worse input, and the search goes on with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dataflow.proof.sum_extremes import SumBounds, SumTask
from dataflow.ranges.accumulation import TapOrder, initial_sum, tap_inputs, tap_weights
from golden import reference
from golden.integer_math import signed_bits
from golden.network import IntegerNetwork
from golden.nodes import WeightedNode
from golden.reference import Integers

_ATTEMPTS = 6
_MOST_PRODUCTS, _MOST_SUMS = 2**25, 2**31  # that a greedy search keeps and compares

Solve = Callable[[list[SumTask]], Iterable[SumBounds]]


def best_order(
    given: TapOrder,
    final_bits: int,
    tasks: Sequence[SumTask],
    fingerprints: npt.NDArray[Any],
    solve: Solve,
) -> TapOrder:
    """Return the best order found: `given`, or one whose worst partial sum needs fewer bits.

    `tasks` ask for both ends of every channel of one node; `solve` answers them in order.
    `fingerprints` `(N, *network.input_shape)` are inputs with large partial sums; of too many the
    last ones count. No other order is looked for after the deadline of the tasks, nor where a
    single input has too many sums.
    """
    network, node = tasks[0].network, tasks[0].node
    products_each = len(given.taps) * math.prod(network.shapes[node.name])
    most = min(_MOST_PRODUCTS, _MOST_SUMS // len(given.taps)) // products_each
    if most == 0:
        return given
    fingerprints = fingerprints[-most:]
    products = _products(network, node, fingerprints)
    best, tried = given, {given.taps}
    for _ in range(_ATTEMPTS):
        taps = _greedy_order(initial_sum(node), products)
        if best.bits == final_bits or taps in tried or tasks[0].deadline.passed:
            return best
        tried.add(taps)
        results = list(solve([_in_order(task, taps, final_bits) for task in tasks]))
        ends = [result.partial for result in results]
        best = min(best, TapOrder(taps, signed_bits(min(ends), max(ends))), key=lambda o: o.bits)
        found = [fingerprint for result in results for fingerprint in result.fingerprints]
        if found:
            products = np.concatenate([products, _products(network, node, np.array(found))])
    return best


def _in_order(task: SumTask, taps: tuple[int, ...], enough_bits: int) -> SumTask:
    """Ask for the partial sums of another order; only the last one is known to be reached in it."""
    reached = task.reached_final
    enough = enough_bits, enough_bits
    return replace(task, order=taps, reached_partial=reached, enough_bits=enough)


def _products(
    network: IntegerNetwork, node: WeightedNode, fingerprints: npt.NDArray[Any]
) -> Integers:
    """Return every product of a node on given inputs, `(rows, taps, output channels)`."""
    values = reference.run(network, fingerprints).layers[node.input]
    values = values.reshape(len(values), *network.shapes[node.input])
    return tap_inputs(node, values) * tap_weights(node)


def _greedy_order(start: Integers, products: Integers) -> tuple[int, ...]:
    """Add next, always, the tap after which the largest magnitude of all sums is smallest."""
    sums = start + np.zeros_like(products[:, 0])
    left = list(range(products.shape[1]))
    order = []
    while left:
        peaks = [int(np.abs(sums + products[:, tap]).max()) for tap in left]
        tap = left.pop(int(np.argmin(peaks)))
        sums = sums + products[:, tap]
        order.append(tap)
    return tuple(order)
