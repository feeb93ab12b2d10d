"""The extremes of one accumulator: over all positions, after its last tap and after any tap.

Positions whose windows meet the same taps of the same kind of inputs are translates of one
another, so one of each kind is solved: nine for a 3x3 window with SAME padding. Partial sums that
meet no new input are the sum before. What is left is solved in order of its interval bound, and
skipped once the interval bound cannot matter any more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dataflow.proof.deadline import NEVER, Deadline
from dataflow.proof.range_model import Target, certified_extreme, extreme
from dataflow.proof.receptive_fields import Index, Signatures, tap_sources
from dataflow.ranges.accumulation import initial_sum, tap_weights
from dataflow.ranges.intervals import Box, bound_products
from golden import reference
from golden.integer_math import signed_bits
from golden.network import IntegerNetwork
from golden.nodes import Node, WeightedNode

# Branches of a certificate: for the solver's own bound, and for the width.
_FEW_BRANCHES, _MANY_BRANCHES = 20, 2_000


@dataclass(frozen=True, eq=False)
class SumTask:
    """Bound one end of `channel` of `node`: `sign` 1 for the largest sum, -1 for the smallest.

    The taps are added in `order`, of their numbers in `kh, kw, in`; None is that order itself.
    `reached_final` and `reached_partial` are values that inputs are known to reach. With
    `enough_bits` (of the last sum, of any), bounds matter only where they need more bits than that;
    without, they are driven down to what is reached. `free` and `seconds` as in
    `dataflow.proof.range_model.extreme`. After the deadline interval bounds stand for what is left.
    """

    network: IntegerNetwork
    bounds: Mapping[str, Box]
    node: WeightedNode
    channel: int
    sign: int
    reached_final: int
    reached_partial: int
    order: tuple[int, ...] | None = None
    enough_bits: tuple[int, int] | None = None
    free: frozenset[str] = frozenset()
    seconds: float = math.inf
    deadline: Deadline = NEVER


@dataclass(eq=False)
class SumBounds:
    """Bounds of one end, after the last tap and after any; inputs that the solver found.

    `solved` says whether a program was solved at all, or interval arithmetic was enough; `cut_off`
    whether the time was over before all programs were.
    """

    final: int
    partial: int
    solved: bool = False
    cut_off: bool = False
    fingerprints: list[npt.NDArray[np.int8]] = field(default_factory=list)


@dataclass(frozen=True)
class _Candidate:
    target: Target
    interval: int


def bound_sum(task: SumTask) -> SumBounds:
    """Return the bounds of a task; RuntimeError, naming the node, if a program has no solution."""
    everything = _candidates(task)
    last = [item for item in everything if len(item.target.taps) == len(tap_weights(task.node))]
    result = SumBounds(0, 0)
    enough_final, enough_partial = task.enough_bits or (None, None)
    result.final, reached = _drive(task, last, task.reached_final, enough_final, result)
    ahead = max(task.sign * task.reached_partial, task.sign * reached) * task.sign
    earlier = [item for item in everything if item not in last]
    if enough_partial is not None:
        enough_partial = max(enough_partial, bits_of_end(result.final))
    partial, _ = _drive(task, earlier, ahead, enough_partial, result)
    result.partial = task.sign * max(task.sign * partial, task.sign * result.final)
    return result


def certify_sum(task: SumTask, known: SumBounds, limit: int) -> tuple[int, int]:
    """Bound the last sum and every sum of a task once more, in integer arithmetic alone.

    They come down to the `known` bounds where that is shown soon, and do not pass `limit` where
    that can be shown at all. `task.bounds` should be certified, too.
    """
    everything = _candidates(task)
    last = [item for item in everything if len(item.target.taps) == len(tap_weights(task.node))]
    return (
        _certified_hull(task, last, known.final, limit),
        _certified_hull(task, everything, known.partial, limit),
    )


def _certified_hull(task: SumTask, candidates: list[_Candidate], known: int, limit: int) -> int:
    sign = task.sign
    hull: int | None = None
    for candidate in sorted(candidates, key=lambda item: -sign * item.interval):
        if hull is not None and sign * candidate.interval <= sign * hull:
            break
        bound = candidate.interval
        if task.node.input not in task.free and not task.deadline.passed:
            found = certified_extreme(
                task.network,
                task.bounds,
                candidate.target,
                sign,
                ((known, _FEW_BRANCHES), (limit, _MANY_BRANCHES)),
                task.free,
                task.deadline,
            )
            bound = sign * min(sign * bound, sign * found)
        hull = bound if hull is None else sign * max(sign * hull, sign * bound)
    assert hull is not None
    return hull


def bits_of_end(value: int) -> int:
    """Return the two's-complement bits that one end of a range needs, 0 and it being in the range.

    >>> bits_of_end(-32), bits_of_end(0), bits_of_end(32)
    (6, 1, 7)
    """
    return signed_bits(min(value, 0), max(value, 0))


def _drive(
    task: SumTask,
    candidates: list[_Candidate],
    reached: int,
    enough_bits: int | None,
    result: SumBounds,
) -> tuple[int, int]:
    """Solve candidates until none matters; return the bound over all and what is reached."""
    sign, bound = task.sign, reached
    for candidate in sorted(candidates, key=lambda item: -sign * item.interval):
        if _settled(task, candidate.interval, reached, enough_bits):
            return sign * max(sign * bound, sign * candidate.interval), reached
        if task.deadline.passed:
            result.cut_off = True
            return sign * max(sign * bound, sign * candidate.interval), reached
        result.solved = True
        solution = extreme(
            task.network,
            task.bounds,
            candidate.target,
            sign,
            free=task.free,
            seconds=min(task.seconds, task.deadline.seconds_left),
        )
        limit = candidate.interval
        if solution is not None:
            limit = sign * min(sign * limit, sign * solution.bound)
            if solution.fingerprint is not None:
                result.fingerprints.append(solution.fingerprint)
                value = _value(task.network, candidate.target, solution.fingerprint)
                reached = sign * max(sign * reached, sign * value)
        bound = sign * max(sign * bound, sign * limit)
        if enough_bits is not None:  # what needs no more bits than this bound does not matter
            enough_bits = max(enough_bits, bits_of_end(bound))
    return sign * max(sign * bound, sign * reached), reached


def _settled(task: SumTask, interval: int, reached: int, enough_bits: int | None) -> bool:
    if task.node.input in task.free:  # a program could only repeat the interval bound
        return True
    if enough_bits is None:
        return task.sign * interval <= task.sign * reached
    return bits_of_end(interval) <= enough_bits


def _candidates(task: SumTask) -> list[_Candidate]:
    """Return the sums that differ from one another, with their interval bounds."""
    weights = tap_weights(task.node)[:, task.channel].tolist()
    order = task.order or tuple(range(len(weights)))
    ends = _interval_ends(task, order)
    found: dict[tuple[object, int], _Candidate] = {}
    signatures = Signatures(task.network, task.bounds, task.node.name)
    for row, output in enumerate(_outputs(task.network, task.node, task.channel)):
        signature = signatures.of(task.node.name, output)
        sources = list(tap_sources(task.network, task.node, output))
        met = 0
        for count, tap in enumerate(order, start=1):
            met += bool(weights[tap] and sources[tap])
            key = (signature, len(weights) + 1 if count == len(weights) else met)
            target = Target(task.node.name, output, frozenset(order[:count]))
            found.setdefault(key, _Candidate(target, int(ends[count - 1, row])))
    return list(found.values())


def _interval_ends(task: SumTask, order: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Return the interval bound of the task's end after each tap in order, `(taps, positions)`."""
    products = [
        (product.high if task.sign > 0 else product.low)[:, task.channel]
        for product in bound_products(task.node, task.bounds[task.node.input])
    ]
    sums = np.cumsum([products[tap] for tap in order], axis=0)
    ends: npt.NDArray[np.int64] = sums + initial_sum(task.node)[task.channel]
    return ends


def _outputs(network: IntegerNetwork, node: Node, channel: int) -> Iterator[Index]:
    """Yield the index of a channel's output at every position, row by row."""
    yield from ((*position, channel) for position in np.ndindex(*network.shapes[node.name][:-1]))


def _value(network: IntegerNetwork, target: Target, fingerprint: npt.NDArray[np.int8]) -> int:
    """Return the partial sum that an input reaches, by the reference."""
    node = network.node(target.node)
    assert isinstance(node, WeightedNode)
    layer = reference.run(network, fingerprint[np.newaxis]).layers[node.input][0]
    values = layer.reshape(network.shapes[node.input])
    channel = target.output[-1]
    weights = tap_weights(node)[:, channel].tolist()
    total = int(initial_sum(node)[channel])
    for tap, source in enumerate(tap_sources(network, node, target.output)):
        if source and tap in target.taps:
            total += weights[tap] * int(values[source])
    return total
