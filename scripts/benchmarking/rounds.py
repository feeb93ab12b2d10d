"""Rounds in which all participants take turns, so that what else a machine does hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Participant:
    """What is timed: `run` computes so many `inputs`; `threads` says on how many cores."""

    name: str
    threads: str
    inputs: int
    run: Callable[[], object]


@dataclass(frozen=True)
class Speed:
    """Inputs a second of a participant, one number a round."""

    name: str
    threads: str
    rates: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.rates)

    @property
    def spread(self) -> tuple[float, float]:
        """The slowest and the fastest round."""
        return min(self.rates), max(self.rates)


def take_turns(
    participants: Sequence[Participant],
    rounds: int,
    progress: Callable[[int, int], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Speed]:
    """Time every participant once a round, after a round that does not count."""
    rates: list[list[float]] = [[] for _ in participants]
    for each in range(rounds + 1):
        for participant, found in zip(participants, rates, strict=True):
            start = clock()
            participant.run()
            found.append(participant.inputs / (clock() - start))
        if progress is not None:
            progress(each, rounds)
    return [
        Speed(participant.name, participant.threads, tuple(found[1:]))
        for participant, found in zip(participants, rates, strict=True)
    ]


def fastest(speeds: Sequence[Speed]) -> Speed:
    """Return the one with the largest median."""
    return max(speeds, key=lambda speed: speed.median)


def ratio(first: Speed, second: Speed) -> float:
    """Return the median of what one is faster than the other within each round."""
    return statistics.median(a / b for a, b in zip(first.rates, second.rates, strict=True))
