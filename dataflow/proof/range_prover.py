"""Proven ranges: for every signal a bound that holds for all inputs, and an input that comes near.

The network is walked layer by layer; each layer starts from the proven ranges of the one before.

    first layer       its inputs are independent: interval arithmetic is exact (`closed form`)
    few ReLUs before  windows overlap: mixed-integer programs over the whole receptive field, solved
                      to the end (`MILP`)
    behind the pool   thousands of ReLUs before: inputs are searched for, and only where they need
                      fewer bits than the interval bound (`interval`) a program is solved in which
                      the pooled values are independent of one another (`MILP, pool free`)

Shift, ReLU and maximum are monotone: their ranges follow from those of their input. A range is
*exact* where a witness attains the bound; where the solver's time runs out, a wider bound stands
and the result is just not exact.

What the solver says is computed once more in integer arithmetic alone
(`dataflow.proof.integer_program`), as far as a width depends on it: the *certified* ranges.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from dataflow.proof.proven_ranges import (
    CLOSED_FORM,
    CONSTANT,
    INTERVAL,
    METHODS,
    MILP,
    MILP_POOL_FREE,
    Budget,
    ProvenRanges,
    make_proven_ranges,
)
from dataflow.proof.range_model import Index, tap_sources
from dataflow.proof.sum_extremes import (
    SumBounds,
    SumTask,
    bits_of_end,
    bound_sum,
    certify_sum,
    depth,
)
from dataflow.proof.tap_orders import best_order
from dataflow.proof.witness_pool import END_SIGNS, WitnessPool
from dataflow.proof.witness_search import Effort, Goal, search
from dataflow.ranges.accumulation import TapOrder, tap_weights
from dataflow.ranges.intervals import (
    Box,
    ChannelRange,
    InputRange,
    constant_ranges,
    element_bounds,
    interval_bounds,
    part_name,
)
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import GlobalMaxPool, Node, WeightedNode

# Up to this many shifted or pooled elements before a sum, its programs are solved to the end.
EXACT_DEPTH = 200
FIRST_EFFORT = Effort(starts=64, steps=40, rounds=0)

Task = TypeVar("Task")
Result = TypeVar("Result")
Progress = Callable[[str, int, int], None]  # what, tasks done, tasks of this stage


def prove_ranges(
    network: IntegerNetwork,
    input_range: InputRange | None = None,
    budget: Budget | None = None,
    progress: Progress | None = None,
) -> ProvenRanges:
    """Prove the range of every signal of `network` for all inputs within `input_range`.

    The same arguments give the same ranges, unless a program runs out of time. Raises ValueError as
    `interval_bounds` does, and RuntimeError, naming the node, where a program has no solution.
    """
    budget = budget or Budget()
    with _executor(budget.workers) as executor:
        prover = _Prover(network, input_range, budget, executor, progress or (lambda *_: None))
        return prover.run()


@dataclass(eq=False)
class _Prover:
    network: IntegerNetwork
    input_range: InputRange | None
    budget: Budget
    executor: Executor | None
    progress: Progress
    within: dict[str, ChannelRange] = field(default_factory=dict)
    certified: dict[str, ChannelRange] = field(default_factory=dict)
    methods: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    orders: dict[str, TapOrder] = field(default_factory=dict)

    def run(self) -> ProvenRanges:
        self.pool = WitnessPool(self.network)
        self.bounds = element_bounds(self.network, self.input_range)
        self.pool.add(list(self._plain_inputs()))
        for node in self.network.nodes:
            if isinstance(node, WeightedNode):
                self._prove_sums(node)
        self._name_methods()
        return make_proven_ranges(
            self.network,
            self.bounds[INPUT_NAME],
            interval_bounds(self.network, self.input_range, self.within),
            interval_bounds(self.network, self.input_range, self.certified),
            self.methods,
            self.orders,
            self.pool,
        )

    def _plain_inputs(self) -> Iterator[npt.NDArray[np.int8]]:
        """Yield both ends of the input, what is nearest to 0, and the extremes of first layers."""
        box = self.bounds[INPUT_NAME]
        nearest = np.clip(np.zeros(box.low.shape, np.int64), box.low, box.high)
        for pixels in (nearest, box.low, box.high):
            yield pixels[..., 0].astype(np.int8)
        for node in self.network.weighted_nodes:
            if node.input == INPUT_NAME:
                for output in _sample_outputs(self.network, node):
                    for sign in END_SIGNS.values():
                        yield _independent_extreme(self.network, node, output, sign, box, nearest)

    def _prove_sums(self, node: WeightedNode) -> None:
        if node.input == INPUT_NAME:
            self._record(node, {end: (CLOSED_FORM,) * len(node.weights) for end in END_SIGNS})
            self._order(node, [])
            return
        exact = depth(self.network, node.name) <= EXACT_DEPTH
        single = math.prod(self.network.shapes[node.name][:-1]) == 1
        if not exact and single:
            self._search(node, node.name)
            self._search(node, part_name(node, "partial_sum"))
        tasks = [
            self._task(node, channel, end, exact)
            for channel in range(len(node.weights))
            for end in END_SIGNS
        ]
        results = list(self._map(f"{node.name}: bounds", bound_sum, tasks))
        found = [fingerprint for result in results for fingerprint in result.fingerprints]
        if found:
            self.pool.add(found)
        self._tighten(node, results)
        self._certify(node, tasks, results)
        self._record(node, self._methods_of(results, MILP if exact else MILP_POOL_FREE))
        self._order(node, tasks)

    def _search(self, node: WeightedNode, name: str) -> None:
        """Look for witnesses, longer where the first ones need fewer bits than the bound."""
        rounds = self.budget.rounds
        for effort in (FIRST_EFFORT, Effort(rounds=rounds)) if rounds else (FIRST_EFFORT,):
            box = self.bounds[INPUT_NAME]
            tasks = [(goal, box, effort) for goal in self._goals(node, name)]
            found = list(self._map(f"{node.name}: witnesses", _search_task, tasks))
            if found:
                self.pool.add(found)

    def _goals(self, node: WeightedNode, name: str) -> Iterator[Goal]:
        """Yield the sums to search for, or the partial sums that go beyond the last one."""
        count = len(tap_weights(node))
        for channel, end in self._short_of_bits(name):
            tap = int(self.pool.reach[name, end].tap[channel])  # -1 for the last sum
            if tap < count - 1:
                taps = count if tap < 0 else tap + 1
                yield Goal(self.network, node, channel, taps, END_SIGNS[end])

    def _short_of_bits(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield channel and end where the bound needs more bits than what is reached."""
        bound = interval_bounds(self.network, self.input_range, self.within)[name]
        for channel in range(len(bound.low)):
            for end in END_SIGNS:
                limit = int(getattr(bound, end)[channel])
                if bits_of_end(limit) > self._reached_bits(name, channel, end):
                    yield channel, end

    def _reached_bits(self, name: str, channel: int, end: str) -> int:
        return bits_of_end(int(self.pool.reach[name, end].value[channel]))

    def _task(self, node: WeightedNode, channel: int, end: str, exact: bool) -> SumTask:
        partial_name = part_name(node, "partial_sum")
        enough = (
            self._reached_bits(node.name, channel, end),
            self._reached_bits(partial_name, channel, end),
        )
        return SumTask(
            network=self.network,
            bounds=self.bounds,
            node=node,
            channel=channel,
            sign=END_SIGNS[end],
            reached_final=int(self.pool.reach[node.name, end].value[channel]),
            reached_partial=int(self.pool.reach[partial_name, end].value[channel]),
            enough_bits=None if exact else enough,
            free=frozenset() if exact else self._free_before(node),
            seconds=self.budget.seconds,
        )

    def _free_before(self, node: WeightedNode) -> frozenset[str]:
        """Return the last maximum before a node, or its input where there is none."""
        name = node.input
        while name != INPUT_NAME:
            earlier = self.network.node(name)
            if isinstance(earlier, GlobalMaxPool):
                return frozenset([name])
            name = earlier.sources[0]
        return frozenset([node.input])

    def _tighten(self, node: WeightedNode, results: list[SumBounds]) -> None:
        finals = np.array([result.final for result in results]).reshape(-1, 2)
        partials = np.array([result.partial for result in results]).reshape(-1, 2)
        self.within[node.name] = ChannelRange(finals[:, 0], finals[:, 1])
        self.within[part_name(node, "partial_sum")] = ChannelRange(partials[:, 0], partials[:, 1])
        self.bounds = element_bounds(self.network, self.input_range, self.within)

    def _certify(self, node: WeightedNode, tasks: list[SumTask], results: list[SumBounds]) -> None:
        """Bound a node's sums in integer arithmetic alone, as far as their width asks for it."""
        partial = self.within[part_name(node, "partial_sum")]
        limits = {1: _largest_of_width(partial.maximum), -1: _largest_of_width(partial.minimum)}
        bounds = element_bounds(self.network, self.input_range, self.certified)
        asked = [
            (replace(task, bounds=bounds), result, limits[task.sign])
            for task, result in zip(tasks, results, strict=True)
        ]
        pairs = list(self._map(f"{node.name}: certificates", _certify_task, asked))
        ends = np.array(pairs).reshape(len(node.weights), 2, 2)  # channel, end, last or any
        for place, name in enumerate((node.name, part_name(node, "partial_sum"))):
            low, high = ends[:, 0, place], ends[:, 1, place]
            self.certified[name] = ChannelRange(low, high)
            # It may be the better bound where no program was solved to the end.
            known = self.within[name]
            self.within[name] = ChannelRange(
                np.maximum(known.low, low), np.minimum(known.high, high)
            )
        self.bounds = element_bounds(self.network, self.input_range, self.within)

    def _order(self, node: WeightedNode, tasks: list[SumTask]) -> None:
        """Find the best order of additions; a first layer keeps the given one."""
        ranges = interval_bounds(self.network, self.input_range, self.within)
        final, partial = ranges[node.name], ranges[part_name(node, "partial_sum")]
        taps = tuple(range(len(tap_weights(node))))
        order = TapOrder(taps, partial.bits)
        if tasks and order.bits > final.bits:
            inputs = self.pool.fingerprints
            solve = functools.partial(self._map, f"{node.name}: order", bound_sum)
            order = best_order(order, final.bits, tasks, inputs, solve)
        self.orders[node.name] = order

    def _methods_of(self, results: list[SumBounds], solved: str) -> dict[str, tuple[str, ...]]:
        names = [solved if result.solved else INTERVAL for result in results]
        return {"low": tuple(names[::2]), "high": tuple(names[1::2])}

    def _record(self, node: WeightedNode, methods: dict[str, tuple[str, ...]]) -> None:
        for end, names in methods.items():
            self.methods[node.name, end] = names
            self.methods[part_name(node, "partial_sum"), end] = names

    def _name_methods(self) -> None:
        """Name the methods of all signals but sums: constants, products, monotone followers."""
        constants = {INPUT_NAME: 1}
        constants |= {name: len(known.low) for name, known in constant_ranges(self.network).items()}
        for end in END_SIGNS:
            for name, count in constants.items():
                self.methods[name, end] = (CONSTANT,) * count
        for node in self.network.nodes:
            for end in END_SIGNS:
                if isinstance(node, WeightedNode):
                    name = part_name(node, "product")
                    self.methods[name, end] = (self._loosest_before(node),) * len(node.weights)
                else:
                    self.methods[node.name, end] = self._inherited(node, end)

    def _loosest_before(self, node: WeightedNode) -> str:
        """Return the loosest method behind what a node reads: a product is as exact as that."""
        used = {method for end in END_SIGNS for method in self.methods[node.input, end]}
        return max(used - {CONSTANT}, key=METHODS.index, default=CLOSED_FORM)

    def _inherited(self, node: Node, end: str) -> tuple[str, ...]:
        channels = self.network.shapes[node.name][-1]
        methods = self.methods[node.sources[0], end]
        return methods if len(methods) == channels else (CONSTANT,) * channels

    def _map(
        self, title: str, function: Callable[[Task], Result], tasks: list[Task]
    ) -> Iterable[Result]:
        """Run tasks on the workers, in order, and tell how far they are."""
        results = (
            map(function, tasks) if self.executor is None else self.executor.map(function, tasks)
        )
        self.progress(title, 0, len(tasks))
        for done, result in enumerate(results, start=1):
            self.progress(title, done, len(tasks))
            yield result


def _certify_task(task: tuple[SumTask, SumBounds, int]) -> tuple[int, int]:
    return certify_sum(*task)


def _largest_of_width(end: int) -> int:
    """Return the end of the two's-complement range that `end` needs, on its side of 0."""
    half: int = 2 ** (bits_of_end(end) - 1)
    return half - 1 if end >= 0 else -half


def _search_task(task: tuple[Goal, Box, Effort]) -> npt.NDArray[np.int8]:
    goal, box, effort = task
    return search(goal, box, effort, seed=2 * goal.channel + (goal.sign > 0))


def _sample_outputs(network: IntegerNetwork, node: WeightedNode) -> Iterator[Index]:
    """Yield every output at the first, middle and last position of each axis."""
    *axes, channels = network.shapes[node.name]
    places = [sorted({0, size // 2, size - 1}) for size in axes]
    for position in np.ndindex(*map(len, places)):
        at = tuple(places[axis][place] for axis, place in enumerate(position))
        yield from ((*at, channel) for channel in range(channels))


def _independent_extreme(
    network: IntegerNetwork,
    node: WeightedNode,
    output: Index,
    sign: int,
    box: Box,
    background: npt.NDArray[np.int64],
) -> npt.NDArray[np.int8]:
    """Return the input with which a sum of the fingerprint itself is at its end."""
    pixels = background.copy()
    weights = tap_weights(node)[:, output[-1]].tolist()
    for weight, source in zip(weights, tap_sources(network, node, output), strict=True):
        if weight and source:
            pixels[source] = (box.high if sign * weight > 0 else box.low)[source]
    return pixels[..., 0].astype(np.int8)


@contextmanager
def _executor(workers: int) -> Iterator[Executor | None]:
    if workers < 2:
        yield None
        return
    with ProcessPoolExecutor(workers, initializer=_silence) as executor:
        yield executor


def _silence() -> None:
    """Discard what the solver's C++ code prints on its own."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
