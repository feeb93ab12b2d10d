"""Proven ranges: for every signal a bound that holds for all inputs, and an input that comes near.

The network is walked layer by layer; each layer starts from the proven ranges of the one before.

    first layer       its inputs are independent: interval arithmetic is exact (`closed form`)
    few ReLUs before  windows overlap: mixed-integer programs over the whole receptive field, solved
                      to the end (`MILP`)
    behind the pool   thousands of ReLUs before: inputs are searched for, and only where they need
                      fewer bits than the interval bound (`interval`) a program is solved in which
                      the pooled values are independent of one another (`MILP, pool free`)
    elsewhere         more than `EXACT_DEPTH` shifted or pooled elements before and no pool, or
                      requantisation or means before, which no program expresses: interval
                      arithmetic from the ranges of the layer before (`interval`)

Shift, ReLU, requantisation and maximum are monotone: their ranges follow from those of their input.
Sums of pools and additions have interval bounds. A range is *exact* where a witness attains the
bound; where the solver's time runs out, a wider bound stands and the result is just not exact.

The time of a whole proof is limited, too (`Budget.total_seconds`). When it is over, programs and
searches stop where they are, and interval bounds stand for what is left.

What the solver says is computed once more in integer arithmetic alone
(`dataflow.proof.integer_program`), as far as a width depends on it: the *certified* ranges.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from dataflow.proof.deadline import Deadline
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
from dataflow.proof.range_model import is_modelled
from dataflow.proof.receptive_fields import (
    Index,
    as_fingerprint,
    depth,
    nodes_before,
    pixel_of,
    pixels_are_independent,
    tap_sources,
)
from dataflow.proof.sum_extremes import SumBounds, SumTask, bits_of_end, bound_sum, certify_sum
from dataflow.proof.tap_orders import best_order
from dataflow.proof.witness_pool import END_SIGNS, WitnessPool
from dataflow.proof.witness_search import Effort, Goal, is_searchable, search
from dataflow.ranges.accumulation import SummingPool, TapOrder, tap_weights
from dataflow.ranges.intervals import (
    Box,
    ChannelRange,
    InputRange,
    Ranges,
    constant_ranges,
    element_bounds,
    interval_bounds,
    part_name,
)
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import (
    Add,
    GlobalMaxPool,
    Node,
    Pad,
    Requantise,
    Reshape,
    ShiftRelu,
    WeightedNode,
)

# Up to this many shifted or pooled elements before a sum, its programs are solved to the end.
EXACT_DEPTH = 200
# How long a proof takes if nobody says, where programs do not reach every layer soon.
DEEP_SECONDS = 90.0
_MOST_MULTIPLICATIONS = 500_000_000  # for witnesses of a first layer at all of its borders
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

    The same arguments give the same ranges, unless a program or the proof runs out of time. Raises
    ValueError as `interval_bounds` does, and RuntimeError, naming the node, where a program has no
    solution.
    """
    budget = budget or Budget()
    with _executor(budget.workers) as executor:
        prover = _Prover(network, input_range, budget, executor, progress or (lambda *_: None))
        return prover.run()


def usual_seconds(network: IntegerNetwork) -> float:
    """Return how long a proof may take if nobody says: as long as it takes, or `DEEP_SECONDS`.

    There is no limit where every program has one shift before its sums at most, back to the input
    or to a maximum over the map: more take minutes each.
    """
    pools = {node.name for node in network.nodes if isinstance(node, GlobalMaxPool)}
    for node in network.weighted_nodes:
        if node.input in pools or _is_closed(network, node):
            continue
        free = _free_for(network, node)
        first = max((network.nodes.index(network.node(name)) for name in free), default=-1)
        shifts = [
            before
            for before in nodes_before(network, node.name)
            if isinstance(before, ShiftRelu) and network.nodes.index(before) > first
        ]
        if node.input in free or len(shifts) > 1:
            return DEEP_SECONDS
    return math.inf


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
        seconds = self.budget.total_seconds
        self.deadline = Deadline.after(seconds)
        self.last_call = Deadline.after(1.1 * seconds)  # for witnesses that were found in time
        self.pool = WitnessPool(self.network)
        self.bounds = element_bounds(self.network, self.input_range)
        self.pool.add(list(self._plain_inputs()), self.deadline)
        for node in self.network.nodes:
            if isinstance(node, WeightedNode):
                self._prove_sums(node)
        stopped = self.deadline.passed
        self._name_methods()
        ranges = interval_bounds(self.network, self.input_range, self.within)
        nodes = self.network.weighted_nodes
        return make_proven_ranges(
            self.network,
            self.bounds[INPUT_NAME],
            ranges,
            interval_bounds(self.network, self.input_range, self.certified),
            self.methods,
            {node.name: self.orders.get(node.name, _given_order(node, ranges)) for node in nodes},
            self.pool,
            seconds if stopped else None,
        )

    def _plain_inputs(self) -> Iterator[npt.NDArray[np.int8]]:
        """Yield both ends of the input, what is nearest to 0, and the extremes of first layers."""
        box = self.bounds[INPUT_NAME]
        nearest = np.clip(np.zeros(box.low.shape, np.int64), box.low, box.high)
        for pixels in (nearest, box.low, box.high):
            yield as_fingerprint(self.network, pixels)
        for node in self.network.weighted_nodes:
            if _is_closed(self.network, node):
                for output in self._sample_outputs(node):
                    for sign in END_SIGNS.values():
                        yield _independent_extreme(self.network, node, output, sign, box, nearest)

    def _sample_outputs(self, node: WeightedNode) -> Iterator[Index]:
        """Yield every output at the first, middle and last position of each axis.

        In large networks, where so many inputs take long, in the middle alone.
        """
        *axes, channels = self.network.shapes[node.name]
        places = [sorted({0, size // 2, size - 1}) for size in axes]
        inputs = len(END_SIGNS) * channels * math.prod(map(len, places))
        if inputs * sum(self.network.multiplications.values()) > _MOST_MULTIPLICATIONS:
            places = [[size // 2] for size in axes]
        for position in np.ndindex(*map(len, places)):
            at = tuple(places[axis][place] for axis, place in enumerate(position))
            yield from ((*at, channel) for channel in range(channels))

    def _prove_sums(self, node: WeightedNode) -> None:
        if _is_closed(self.network, node):
            self._record(node, {end: (CLOSED_FORM,) * len(node.weights) for end in END_SIGNS})
            return
        free = _free_for(self.network, node)
        exact = not free
        single = math.prod(self.network.shapes[node.name][:-1]) == 1
        if not exact and single and is_searchable(self.network, node.name):
            self._search(node, node.name)
            self._search(node, part_name(node, "partial_sum"))
        self._record(node, {end: (INTERVAL,) * len(node.weights) for end in END_SIGNS})
        solvable = node.input not in free and not self.deadline.passed
        tasks = []
        if solvable or single:
            tasks = [
                self._task(node, channel, end, free)
                for channel in range(len(node.weights))
                for end in END_SIGNS
            ]
        if solvable:
            self._solve(node, tasks, MILP if exact else MILP_POOL_FREE)
        if tasks and not self.deadline.passed:
            self._order(node, tasks)

    def _solve(self, node: WeightedNode, tasks: list[SumTask], method: str) -> None:
        """Bound the sums of a node by programs, and once more in integer arithmetic alone."""
        results = list(self._map(f"{node.name}: bounds", bound_sum, tasks))
        found = [fingerprint for result in results for fingerprint in result.fingerprints]
        if found:
            self.pool.add(found, self.last_call)
        self._tighten(node, results)
        if not self.deadline.passed:
            self._certify(node, tasks, results)
        self._record(node, self._methods_of(results, method))

    def _search(self, node: WeightedNode, name: str) -> None:
        """Look for witnesses, longer where the first ones need fewer bits than the bound."""
        rounds = self.budget.rounds
        box = self.bounds[INPUT_NAME]
        for effort in (FIRST_EFFORT, Effort(rounds=rounds)) if rounds else (FIRST_EFFORT,):
            if self.deadline.passed:
                return
            tasks = [(goal, box, effort, self.deadline) for goal in self._goals(node, name)]
            found = list(self._map(f"{node.name}: witnesses", _search_task, tasks))
            if found:
                self.pool.add(found, self.last_call)

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

    def _task(self, node: WeightedNode, channel: int, end: str, free: frozenset[str]) -> SumTask:
        partial_name = part_name(node, "partial_sum")
        enough = (
            self._reached_bits(node.name, channel, end),
            self._reached_bits(partial_name, channel, end),
        )
        return SumTask(
            network=self.network,
            bounds=self._bounds_before(node, self.bounds),
            node=node,
            channel=channel,
            sign=END_SIGNS[end],
            reached_final=int(self.pool.reach[node.name, end].value[channel]),
            reached_partial=int(self.pool.reach[partial_name, end].value[channel]),
            enough_bits=enough if free else None,
            free=free,
            seconds=self.budget.seconds,
            deadline=self.deadline,
        )

    def _bounds_before(self, node: WeightedNode, bounds: Mapping[str, Box]) -> dict[str, Box]:
        """Return the bounds that a task on a node needs: of what comes before it."""
        names = (INPUT_NAME, *(before.name for before in nodes_before(self.network, node.name)))
        return {name: bounds[name] for name in names}

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
        certified = element_bounds(self.network, self.input_range, self.certified)
        bounds = self._bounds_before(node, certified)
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
        """Look for a better order of additions where partial sums need more bits than the last."""
        ranges = interval_bounds(self.network, self.input_range, self.within)
        order, final = _given_order(node, ranges), ranges[node.name]
        if order.bits > final.bits:
            inputs = self.pool.fingerprints
            solve = functools.partial(self._map, f"{node.name}: order", bound_sum)
            self.orders[node.name] = best_order(order, final.bits, tasks, inputs, solve)

    def _methods_of(self, results: list[SumBounds], solved: str) -> dict[str, tuple[str, ...]]:
        names = [solved if result.solved and not result.cut_off else INTERVAL for result in results]
        return {"low": tuple(names[::2]), "high": tuple(names[1::2])}

    def _record(self, node: WeightedNode, methods: dict[str, tuple[str, ...]]) -> None:
        for end, names in methods.items():
            self.methods[node.name, end] = names
            self.methods[part_name(node, "partial_sum"), end] = names

    def _name_methods(self) -> None:
        """Name the methods of all signals but sums: constants, products, what has no weights."""
        constants = {INPUT_NAME: self.network.shapes[INPUT_NAME][-1]}
        constants |= {name: len(known.low) for name, known in constant_ranges(self.network).items()}
        for end in END_SIGNS:
            for name, count in constants.items():
                self.methods[name, end] = (CONSTANT,) * count
        for node in self.network.nodes:
            for end in END_SIGNS:
                if isinstance(node, WeightedNode):
                    name = part_name(node, "product")
                    self.methods[name, end] = (self._loosest(node.input),) * len(node.weights)
                else:
                    self._name_without_weights(node, end)

    def _name_without_weights(self, node: Node, end: str) -> None:
        source = node.sources[0]
        channels = self.network.shapes[node.name][-1]
        before = self.methods[source, end]
        known = tuple(CLOSED_FORM if method == CONSTANT else method for method in before)
        if isinstance(node, Requantise):
            self.methods[part_name(node, "product"), end] = known
        if isinstance(node, Add | SummingPool):
            independent = len(node.sources) == 1 and pixels_are_independent(self.network, source)
            known = (CLOSED_FORM if independent else INTERVAL,) * channels
        elif isinstance(node, Pad | Reshape):  # channels may be others
            known = (self._loosest(source),) * channels
        if isinstance(node, SummingPool):
            self.methods[part_name(node, "partial_sum"), end] = known
        self.methods[node.name, end] = known

    def _loosest(self, name: str) -> str:
        """Return the loosest method behind a signal: products of it are as exact as that."""
        used = {method for end in END_SIGNS for method in self.methods[name, end]}
        return max(used - {CONSTANT}, key=METHODS.index, default=CLOSED_FORM)

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


def _given_order(node: WeightedNode, ranges: Ranges) -> TapOrder:
    taps = tuple(range(len(tap_weights(node))))
    return TapOrder(taps, ranges[part_name(node, "partial_sum")].bits)


def _is_closed(network: IntegerNetwork, node: WeightedNode) -> bool:
    """Tell whether interval arithmetic is exact for the sums of a node."""
    return pixels_are_independent(network, node.input)


def _free_for(network: IntegerNetwork, node: WeightedNode) -> frozenset[str]:
    """Return whose outputs programs for a node take as independent: none where few come before it.

    Elsewhere it is the last maximum over the map, or what the node reads where none leads to a
    program: then a program could only repeat the interval bound.
    """
    if is_modelled(network, node.name) and depth(network, node.name, EXACT_DEPTH) <= EXACT_DEPTH:
        return frozenset()
    name = node.input
    while name != INPUT_NAME:
        earlier = network.node(name)
        if isinstance(earlier, GlobalMaxPool):
            free = frozenset([name])
            within = depth(network, node.name, EXACT_DEPTH, free) <= EXACT_DEPTH
            return free if within else frozenset([node.input])
        if not isinstance(earlier, WeightedNode | ShiftRelu):
            break
        name = earlier.input
    return frozenset([node.input])


def _certify_task(task: tuple[SumTask, SumBounds, int]) -> tuple[int, int]:
    return certify_sum(*task)


def _largest_of_width(end: int) -> int:
    """Return the end of the two's-complement range that `end` needs, on its side of 0."""
    half: int = 2 ** (bits_of_end(end) - 1)
    return half - 1 if end >= 0 else -half


def _search_task(task: tuple[Goal, Box, Effort, Deadline]) -> npt.NDArray[np.int8]:
    goal, box, effort, deadline = task
    return search(goal, box, effort, 2 * goal.channel + (goal.sign > 0), deadline)


def _independent_extreme(
    network: IntegerNetwork,
    node: WeightedNode,
    output: Index,
    sign: int,
    box: Box,
    background: npt.NDArray[np.int64],
) -> npt.NDArray[np.int8]:
    """Return the input with which a sum is at its end whose terms depend on a pixel each."""
    pixels = background.copy()
    weights = tap_weights(node)[:, output[-1]].tolist()
    for weight, source in zip(weights, tap_sources(network, node, output), strict=True):
        pixel = pixel_of(network, node.input, source)
        if weight and pixel:
            pixels[pixel] = (box.high if sign * weight > 0 else box.low)[pixel]
    return as_fingerprint(network, pixels)


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
