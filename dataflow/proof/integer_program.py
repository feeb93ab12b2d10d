"""Integer linear programs: maximised by HiGHS, and bounded once more in integer arithmetic alone.

HiGHS computes in floating point, with tolerances of 1e-6. A bound that saves a bit of a register
should not rest on that: `Program.certify` branches on its own, and bounds each branch by weak
duality. Whatever the multipliers `y >= 0` of the rows are,

    gains . x  <=  y . limits + sum over j of max over lows[j] <= x[j] <= highs[j]
                                of (gains[j] - (y . rows)[j]) * x[j]

so the multipliers may come from a floating-point solver: rounded to multiples of 2**-24, they give
a bound that integer arithmetic computes exactly. (A. Neumaier, O. Shcherbina, "Safe bounds in
linear and mixed-integer linear programming", 2004.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_array, hstack

from dataflow.proof.deadline import NEVER, Deadline
from golden.reference import Integers

Floats = npt.NDArray[np.floating[Any]]
_Box = tuple[Sequence[int], Sequence[int]]  # lowest and highest values of all variables

_LARGEST_NUMBER = 2**24  # in a program; a tolerance of 1e-6 of it is still a small number
_SCALE = 2**24  # of multipliers
_FOREVER = 1e6  # seconds
_FRACTION = 1e-6  # what is nearer to an integer counts as one


@dataclass(frozen=True, eq=False)
class Optimum:
    """What HiGHS says of a program.

    `bound` is at least the largest value, None where there is none; `values` are those of the best
    solution found, None without one.
    """

    bound: int | None
    values: Integers | None


@dataclass(frozen=True, eq=False)
class _Branch:
    """A part of a program's variables' ranges: its safe bound, and the relaxed solution in it."""

    lows: Sequence[int]
    highs: Sequence[int]
    bound: int
    values: Floats


@dataclass(frozen=True, eq=False)
class Program:
    """Maximise `constant + gains . x` over integers `x` within `lows` and `highs`, both included.

    Each of `rows` gives coefficients by variable, and `row . x` must not exceed its limit; what a
    row or the gains do not name counts 0 there. All numbers are integers.
    """

    gains: Mapping[int, int]
    constant: int
    rows: Sequence[Mapping[int, int]]
    limits: Sequence[int]
    lows: Sequence[int]
    highs: Sequence[int]

    @property
    def largest_number(self) -> int:
        """Largest magnitude among coefficients, limits and bounds."""
        coefficients = (abs(number) for row in self.rows for number in row.values())
        return max(map(abs, (*coefficients, *self.limits, *self.lows, *self.highs)), default=0)

    def maximise(self, seconds: float = math.inf) -> Optimum:
        """Solve with HiGHS for so many seconds; not at all where numbers exceed its precision.

        Rounding its bound to the nearest integer absorbs an error of up to a half. Raises
        RuntimeError where the solver fails or says that no solution exists.
        """
        if not self.gains:
            return Optimum(self.constant, np.array(self.lows, np.int64))
        if self.largest_number > _LARGEST_NUMBER:
            return Optimum(None, None)
        result = milp(
            -self._gains,
            integrality=np.ones(len(self.lows)),
            bounds=Bounds(self.lows, self.highs),
            constraints=LinearConstraint(self._matrix, -np.inf, self.limits) if self.rows else None,
            options={"mip_rel_gap": 0.0, "time_limit": min(seconds, _FOREVER)},
        )
        if result.status not in (0, 1):
            raise RuntimeError(f"the solver says {result.message!r}")
        bound = result.mip_dual_bound
        known = bound is not None and math.isfinite(bound)
        return Optimum(
            self.constant + round(-bound) if known else None,
            None if result.x is None else np.rint(result.x).astype(np.int64),
        )

    def certify(self, limit: int, branches: int, deadline: Deadline = NEVER) -> int:
        """Return a bound that rests on integer arithmetic alone.

        It is at most `limit` if so many branches, and the time until the deadline, suffice to show
        that, else that of the first.
        """
        if not self.gains:
            return self.constant
        root = self._bounded_branch(self.lows, self.highs, deadline)
        if root.bound <= limit:
            return root.bound
        pending = [root]
        for _ in range(branches):
            if not pending:
                return limit
            if deadline.passed:
                return root.bound
            halves = self._halves(pending.pop())
            if halves is None:
                return root.bound
            bounded = [self._bounded_branch(*half, deadline) for half in halves]
            pending += [branch for branch in bounded if branch.bound > limit]
        return root.bound if pending else limit

    def _bounded_branch(
        self, lows: Sequence[int], highs: Sequence[int], deadline: Deadline
    ) -> _Branch:
        multipliers, values = self._relaxed(lows, highs, deadline)
        return _Branch(lows, highs, self._safe_bound(multipliers, lows, highs), values)

    def _halves(self, branch: _Branch) -> tuple[_Box, _Box] | None:
        """Split at a variable that is no integer; None where there is none."""
        variable = self._to_branch_on(branch.values)
        if variable is None:
            return None
        below = math.floor(branch.values[variable])
        lower, upper = list(branch.highs), list(branch.lows)
        lower[variable], upper[variable] = below, below + 1
        return (branch.lows, lower), (upper, branch.highs)

    @cached_property
    def _gains(self) -> Floats:
        gains = np.zeros(len(self.lows))
        gains[list(self.gains)] = list(self.gains.values())
        return gains

    @cached_property
    def _matrix(self) -> csr_array:
        starts = np.cumsum([0, *map(len, self.rows)])
        columns = [variable for row in self.rows for variable in row]
        values = [float(coefficient) for row in self.rows for coefficient in row.values()]
        return csr_array((values, columns, starts), shape=(len(self.rows), len(self.lows)))

    def _to_branch_on(self, values: Floats) -> int | None:
        """Return a variable that is no integer, those of the narrowest range first."""
        distance = np.abs(values - np.rint(values))
        broken = np.flatnonzero(distance > _FRACTION)
        if not len(broken):
            return None
        spans = np.subtract(self.highs, self.lows)[broken]
        return int(broken[np.lexsort((-distance[broken], spans))[0]])

    def _relaxed(
        self, lows: Sequence[int], highs: Sequence[int], deadline: Deadline
    ) -> tuple[Floats, Floats]:
        """Solve without integrality; return multipliers of the rows, and values of the variables.

        In an empty branch, multipliers of rows that contradict each other are as large as it takes
        to outweigh any gain, and the values are integers: there is nothing to branch on.
        """
        box = np.stack([lows, highs], axis=1)
        limit = {"time_limit": min(deadline.seconds_left, _FOREVER)}
        result = linprog(-self._gains, self._matrix, self.limits, bounds=box, options=limit)
        if result.status == 0:
            return -result.ineqlin.marginals, result.x
        excess = csr_array(-np.ones((len(self.rows), 1)))
        least = linprog(
            np.append(np.zeros(len(lows)), 1.0),
            hstack([self._matrix, excess]),
            self.limits,
            bounds=np.vstack([box, [0, np.inf]]),
            options={"time_limit": min(deadline.seconds_left, _FOREVER)},
        )
        if least.status != 0:  # nothing is known: multipliers of 0 bound by the ranges alone
            return np.zeros(len(self.rows)), np.array(lows, float)
        any_gain = np.abs(self._gains) @ np.maximum(np.abs(lows), np.abs(highs))
        weight = 4 * (any_gain + abs(self.constant) + 1) / max(least.fun, _FRACTION)
        return -weight * least.ineqlin.marginals, np.rint(least.x[:-1])

    def _safe_bound(self, multipliers: Floats, lows: Sequence[int], highs: Sequence[int]) -> int:
        """Return the bound by weak duality, in Python's integers; multipliers are rounded first."""
        rounded = [max(round(_SCALE * multiplier), 0) for multiplier in multipliers.tolist()]
        scaled = [0] * len(lows)
        for variable, gain in self.gains.items():
            scaled[variable] = _SCALE * gain
        total = 0
        for multiplier, row, limit in zip(rounded, self.rows, self.limits, strict=True):
            if multiplier:
                total += multiplier * limit
                for variable, coefficient in row.items():
                    scaled[variable] -= multiplier * coefficient
        for gain, low, high in zip(scaled, lows, highs, strict=True):
            total += gain * (high if gain > 0 else low)
        return self.constant + total // _SCALE
