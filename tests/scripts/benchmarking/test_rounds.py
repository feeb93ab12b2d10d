"""Rounds: everybody takes turns, the first round does not count, ratios are those within rounds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.benchmarking.rounds import Participant, Speed, fastest, ratio, take_turns


def test_participants_take_turns_and_the_first_round_does_not_count() -> None:
    now, order = [0.0], []

    def participant(name: str, seconds: Iterator[float]) -> Participant:
        def run() -> None:
            order.append(name)
            now[0] += next(seconds)

        return Participant(name, "1", 12, run)

    slow = participant("slow", iter([100.0, 4.0, 2.0, 3.0]))
    fast = participant("fast", iter([200.0, 1.0, 1.0, 0.5]))
    done = []
    speeds = take_turns([slow, fast], 3, lambda *counts: done.append(counts), lambda: now[0])
    assert order == ["slow", "fast"] * 4
    assert [speed.rates for speed in speeds] == [(3.0, 6.0, 4.0), (12.0, 12.0, 24.0)]
    assert [speed.median for speed in speeds] == [4.0, 12.0]
    assert speeds[0].spread == (3.0, 6.0)
    assert done == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_ratio_is_the_median_of_the_rounds_and_not_of_the_speeds() -> None:
    first, second = Speed("a", "1", (1.0, 10.0, 30.0)), Speed("b", "1", (1.0, 2.0, 10.0))
    assert ratio(first, second) == 3.0
    assert fastest([second, first]) is first


def test_rounds_of_different_number_have_no_ratio() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratio(Speed("a", "1", (1.0,)), Speed("b", "1", (1.0, 2.0)))
