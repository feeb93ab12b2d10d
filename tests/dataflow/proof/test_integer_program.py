from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.proof import integer_program
from dataflow.proof.integer_program import Program

MANY = 2_000


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Programs of up to four variables; x = lows is a solution of each."""
    count = draw(st.integers(1, 4))
    lows = draw(st.lists(st.integers(-3, 1), min_size=count, max_size=count))
    spans = draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
    numbers = st.integers(-9, 9)
    variables = range(count)
    rows, limits = [], []
    for _ in range(draw(st.integers(0, 3))):
        row = {variable: draw(numbers) for variable in variables}
        rows.append(row)
        at_lows = sum(row[variable] * lows[variable] for variable in variables)
        limits.append(at_lows + draw(st.integers(0, 9)))
    gains = {variable: draw(numbers.filter(bool)) for variable in variables}
    highs = [low + span for low, span in zip(lows, spans, strict=True)]
    return Program(gains, draw(numbers), rows, limits, lows, highs)


def largest(program: Program) -> int:
    """Return the largest value by trying every solution."""
    ranges = [range(low, high + 1) for low, high in zip(program.lows, program.highs, strict=True)]
    return max(
        program.constant + sum(gain * x[variable] for variable, gain in program.gains.items())
        for x in itertools.product(*ranges)
        if all(
            sum(factor * x[variable] for variable, factor in row.items()) <= limit
            for row, limit in zip(program.rows, program.limits, strict=True)
        )
    )


@given(programs())
def test_the_solver_finds_the_largest_value(program: Program) -> None:
    assert program.maximise().bound == largest(program)


@settings(deadline=None)
@given(programs(), st.integers(-2, 10))
def test_a_certified_bound_is_never_exceeded_and_keeps_to_every_limit_that_holds(
    program: Program, room: int
) -> None:
    truth = largest(program)
    bound = program.certify(truth + room, MANY)
    assert bound >= truth
    if room >= 0:
        assert bound <= truth + room


def test_a_limit_that_needs_more_branches_than_allowed_is_not_certified() -> None:
    halves = Program({0: 1}, 0, [{0: 2}], [3], [0], [5])  # x <= 1.5
    assert halves.certify(1, MANY) == 1
    assert Program({0: 2, 1: 2}, 0, [{0: 2, 1: 2}], [3], [0, 0], [5, 5]).certify(2, 1) == 3


def test_a_solver_that_fails_leaves_the_bound_of_the_ranges(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failed = SimpleNamespace(status=4)
    monkeypatch.setattr(integer_program, "linprog", lambda *_, **__: failed)
    assert Program({0: 2, 1: -1}, 3, [{0: 1}], [1], [0, -4], [5, 5]).certify(5, MANY) == 3 + 10 + 4


def test_a_program_without_gains_is_its_constant() -> None:
    program = Program({}, 7, [], [], [0], [1])
    assert program.certify(100, MANY) == 7
    assert program.maximise().bound == 7


def test_the_solver_is_not_asked_where_numbers_exceed_its_precision() -> None:
    assert Program({0: 1}, 0, [{0: 2**24}], [2**24], [0], [1]).maximise().bound == 1
    assert Program({0: 1}, 0, [{0: 2**24 + 1}], [0], [0], [1]).maximise().bound is None


def test_where_time_runs_out_the_bound_stands_not_the_best_solution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unfinished = SimpleNamespace(
        status=1, message="", x=np.array([3.0]), fun=-3.0, mip_dual_bound=-5.0
    )
    monkeypatch.setattr(integer_program, "milp", lambda *_, **__: unfinished)
    optimum = Program({0: 1}, 10, [], [], [0], [9]).maximise(1)
    assert optimum.bound == 15
    assert optimum.values is not None and optimum.values.tolist() == [3]


def test_a_contradiction_is_an_error() -> None:
    program = Program({0: 1}, 0, [{0: 1}, {0: -1}], [0, -1], [0], [5])
    with pytest.raises(RuntimeError, match="the solver says 'The problem is infeasible"):
        program.maximise()


def test_one_more_than_the_largest_value_is_certified_across_empty_branches() -> None:
    rng = np.random.default_rng(1)
    rows = [dict(enumerate(map(int, row))) for row in rng.integers(-9, 10, (6, 8))]
    program = Program({k: 5 + k for k in range(8)}, 0, rows, [11] * 6, [0] * 8, [2] * 8)
    assert program.certify(largest(program), MANY) == largest(program)
