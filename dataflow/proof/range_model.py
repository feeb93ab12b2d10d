"""The extreme of one sum over all inputs, as a mixed-integer linear program that HiGHS solves.

The network becomes constraints from the sum backwards: windows and additions are linear; a floor
shift with ReLU is an integer variable, with a binary one that says on which side of the ReLU it
lies; a maximum has a binary variable for each position that may attain it. A variable that the sum
wants large is bound from above only, one that it wants small from below only: the optimum puts it
at its true value, and half of the binary variables are not needed. (V. Tjeng, K. Xiao, R. Tedrake,
"Evaluating Robustness of Neural Networks with Mixed Integer Programming", 2019, for ReLU and
maximum.)

A bound counts as exact only where integer arithmetic confirms an input that reaches it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dataflow.proof.deadline import NEVER, Deadline
from dataflow.proof.integer_program import Program
from dataflow.proof.receptive_fields import (
    Index,
    as_fingerprint,
    element_sources,
    nodes_before,
    tap_sources,
)
from dataflow.ranges.accumulation import initial_sum, tap_weights
from dataflow.ranges.intervals import Box
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import (
    Add,
    GlobalMaxPool,
    GlobalSumPool,
    MaxPool,
    Node,
    Pad,
    Reshape,
    ShiftRelu,
    WeightedNode,
)
from golden.reference import Integers

_MODELLED = WeightedNode | ShiftRelu | MaxPool | GlobalMaxPool | Add | GlobalSumPool | Pad | Reshape


@dataclass(frozen=True)
class Target:
    """The sum of some `taps` of `node`, numbered in `kh, kw, in`, for the output at an index."""

    node: str
    output: Index
    taps: frozenset[int]


@dataclass(frozen=True, eq=False)
class Solution:
    """What the solver says: `bound` holds for every input; `fingerprint` is one it thinks best.

    `fingerprint` is an input of the network, int8, or None where the solver found none, or where
    the model does not reach back to the input.
    """

    bound: int
    fingerprint: npt.NDArray[np.int8] | None


def is_modelled(network: IntegerNetwork, name: str) -> bool:
    """Tell whether programs can express all that a node depends on, itself included.

    They cannot express requantisation, which multiplies by more bits than a floating-point solver
    is precise to, nor means.
    """
    return all(isinstance(node, _MODELLED) for node in nodes_before(network, name))


def extreme(
    network: IntegerNetwork,
    bounds: Mapping[str, Box],
    target: Target,
    sign: int,
    *,
    free: frozenset[str] = frozenset(),
    seconds: float = math.inf,
) -> Solution | None:
    """Bound the largest (`sign` 1) or smallest (-1) value of a target over all inputs.

    `bounds` holds a range for each element of every node
    (`dataflow.ranges.intervals.element_bounds`). The outputs of the nodes in `free` are taken as
    independent of one another within their bounds, and nothing before them is modelled: the bound
    may then be wider than the truth.

    Returns None where there is no bound: time ran out before, or numbers are too large. Raises
    RuntimeError, naming the node, if the solver fails or finds no input at all, which cannot be.
    """
    model = _Model(network, bounds, free)
    try:
        optimum = model.program(target, sign).maximise(seconds)
    except RuntimeError as error:
        raise RuntimeError(f"{target.node}: internal error: {error}") from error
    if optimum.bound is None:
        return None
    fingerprint = None if optimum.values is None else model.fingerprint(optimum.values)
    return Solution(sign * optimum.bound, fingerprint)


def certified_extreme(
    network: IntegerNetwork,
    bounds: Mapping[str, Box],
    target: Target,
    sign: int,
    limits: Sequence[tuple[int, int]],
    free: frozenset[str] = frozenset(),
    deadline: Deadline = NEVER,
) -> int:
    """Bound a target as `extreme` does, but in integer arithmetic alone.

    The bound does not pass the first of `limits` that is shown in so many branches and before the
    deadline; it may be wider than that of `extreme`. `bounds` should rest on integer arithmetic,
    too.
    """
    program = _Model(network, bounds, free).program(target, sign)
    bound = 0
    for limit, branches in limits:
        bound = program.certify(sign * limit, branches, deadline)
        if bound <= sign * limit:
            break
    return sign * bound


@dataclass
class _Linear:
    """An integer constant and integer multiples of variables, by the variable's number."""

    constant: int = 0
    terms: dict[int, int] = field(default_factory=dict)

    def add(self, factor: int, other: _Linear) -> None:
        self.constant += factor * other.constant
        for variable, coefficient in other.terms.items():
            self.terms[variable] = self.terms.get(variable, 0) + factor * coefficient


class _Model:
    """Variables and constraints of one program; constraints read `row . variables <= limit`.

    `side` is 1 for an expression that must not exceed the true value, -1 for one that must not be
    less: what a program needs that maximises, or minimises, it.
    """

    def __init__(
        self, network: IntegerNetwork, bounds: Mapping[str, Box], free: frozenset[str]
    ) -> None:
        self._network = network
        self._bounds = bounds
        self._free = free
        self._lows: list[int] = []
        self._highs: list[int] = []
        self._rows: list[dict[int, int]] = []
        self._limits: list[int] = []
        self._variables: dict[tuple[str, Index], int] = {}
        self._constrained: set[tuple[str, Index, int]] = set()
        self._sums: dict[tuple[str, Index, int], _Linear] = {}

    def program(self, target: Target, sign: int) -> Program:
        """Return the program that maximises `sign` times the partial sum of a target."""
        node = self._network.node(target.node)
        assert isinstance(node, WeightedNode)
        total = self._sum(node, target.output, sign, target.taps)
        gains = {variable: sign * factor for variable, factor in total.terms.items()}
        constant = sign * total.constant
        return Program(gains, constant, self._rows, self._limits, self._lows, self._highs)

    def fingerprint(self, values: Integers) -> npt.NDArray[np.int8] | None:
        """Return the pixels of a solution, the others at what is nearest to 0.

        None if the model does not reach back to the fingerprint.
        """
        if self._variables and not any(name == INPUT_NAME for name, _ in self._variables):
            return None
        box = self._bounds[INPUT_NAME]
        pixels = np.clip(np.zeros(box.low.shape, np.int64), box.low, box.high)
        for (name, index), variable in self._variables.items():
            if name == INPUT_NAME:
                pixels[index] = values[variable]
        return as_fingerprint(self._network, pixels)

    def _sum(
        self, node: WeightedNode, output: Index, side: int, taps: frozenset[int] | None = None
    ) -> _Linear:
        """Return the sum of some taps, or of all."""
        channel = output[-1]
        total = _Linear(int(initial_sum(node)[channel]))
        weights = tap_weights(node)[:, channel].tolist()
        sources = tap_sources(self._network, node, output)
        for tap, (weight, source) in enumerate(zip(weights, sources, strict=True)):
            if weight and source and (taps is None or tap in taps):
                total.add(weight, self._value(node.input, source, side if weight > 0 else -side))
        return total

    def _value(self, name: str, index: Index, side: int) -> _Linear:
        """Return the value of an element of a node's output."""
        box = self._bounds[name]
        low, high = int(box.low[index]), int(box.high[index])
        if low == high:
            return _Linear(low)
        if name == INPUT_NAME or name in self._free:
            return _Linear(0, {self._variable(name, index, low, high): 1})
        node = self._network.node(name)
        key = (name, index, side)
        if not isinstance(node, ShiftRelu | MaxPool | GlobalMaxPool):
            if key not in self._sums:
                self._sums[key] = self._linear(node, index, side)
            return self._sums[key]
        variable = self._variable(name, index, low, high)
        if key not in self._constrained:
            self._constrained.add(key)
            if isinstance(node, ShiftRelu):
                self._shift_relu(node, index, variable, side)
            else:
                self._maximum(node, index, variable, side)
        return _Linear(0, {variable: 1})

    def _linear(self, node: Node, index: Index, side: int) -> _Linear:
        """Return an element that is a sum of others, or one of them, or 0 outside of a map."""
        if isinstance(node, WeightedNode):
            return self._sum(node, index, side)
        if not isinstance(node, _MODELLED):
            raise TypeError(f"{node.name}: no model for a {type(node).__name__}")
        total = _Linear()
        for name, source in element_sources(self._network, node, index):
            if source:
                total.add(1, self._value(name, source, side))
        return total

    def _shift_relu(self, node: ShiftRelu, index: Index, variable: int, side: int) -> None:
        """Bind `variable` to `max(0, sum >> shift)` from the side that is needed."""
        total = self._value(node.input, index, side)
        scale = 2**node.shift
        if side < 0:  # at least floor(sum / scale), and at least 0 by its bounds
            self._constrain({variable: -scale}, 1, total, scale - 1)
            return
        least = int(self._bounds[node.input].low[index])
        if least >= 0:
            self._constrain({variable: scale}, -1, total, 0)
            return
        positive = self._new_variable(0, 1)
        self._constrain({variable: scale, positive: -least}, -1, total, -least)
        self._constrain({variable: 1, positive: -self._highs[variable]}, 0, _Linear(), 0)

    def _maximum(
        self, node: MaxPool | GlobalMaxPool, index: Index, variable: int, side: int
    ) -> None:
        """Bind `variable` to the largest value of a window, from the side that is needed."""
        box = self._bounds[node.input]
        choices: dict[int, int] = {}
        for _, place in element_sources(self._network, node, index):
            if not place or box.high[place] < self._lows[variable]:
                continue
            value = self._value(node.input, place, side)
            if side < 0:
                self._constrain({variable: -1}, 1, value, 0)
                continue
            choice = self._new_variable(0, 1)
            slack = self._highs[variable] - int(box.low[place])
            self._constrain({variable: 1, choice: slack}, -1, value, slack)
            choices[choice] = -1
        if choices:
            self._constrain(choices, 0, _Linear(), -1)

    def _constrain(self, terms: dict[int, int], factor: int, other: _Linear, limit: int) -> None:
        """Add `terms + factor * other <= limit`."""
        row = _Linear(0, dict(terms))
        row.add(factor, other)
        self._rows.append(row.terms)
        self._limits.append(limit - row.constant)

    def _variable(self, name: str, index: Index, low: int, high: int) -> int:
        key = (name, index)
        if key not in self._variables:
            self._variables[key] = self._new_variable(low, high)
        return self._variables[key]

    def _new_variable(self, low: int, high: int) -> int:
        self._lows.append(low)
        self._highs.append(high)
        return len(self._lows) - 1
