"""How cost grows with the number of clips, channels and layers: reference, engine and LiteRT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from scripts.benchmarking.participants import of_integers, of_litert
from scripts.benchmarking.rounds import Participant, Speed, take_turns
from scripts.benchmarking.side_by_side import Contest
from scripts.benchmarking.speed_figures import Curves
from scripts.benchmarking.topologies import ds_cnn

SIZES = {
    "clips": (16, 64, 256, 1_024, 4_096),
    "channels": (8, 16, 32, 64, 128),
    "layers": (1, 2, 4, 8),
}
ROUNDS = 3
INPUTS = 256  # where it is not the clips that grow
REFERENCE_INPUTS = 32
LITERT_BATCH = 16


def growth(
    contest: Contest, rng: np.random.Generator, progress: Callable[[int, int], None]
) -> dict[str, Curves]:
    """Time clips of a network, and DS-CNNs of 12 labels with growing channels and layers."""
    found: dict[str, dict[str, list[tuple[int, Speed]]]] = {size: {} for size in SIZES}
    steps = [(size, value) for size, values in SIZES.items() for value in values]
    for done, (size, value) in enumerate(steps):
        progress(done, len(steps))
        if size == "clips":
            grown = replace(contest, inputs=contest.inputs[:value])
        else:
            blocks, channels = (1, value) if size == "channels" else (value, 32)
            grown = Contest.of_keras(ds_cnn(12, blocks, channels), INPUTS, rng)
        for speed in take_turns(_participants(grown), ROUNDS):
            found[size].setdefault(speed.name, []).append((value, speed))
    progress(len(steps), len(steps))
    return found


def _participants(contest: Contest) -> list[Participant]:
    some = min(len(contest.inputs), REFERENCE_INPUTS)
    reference, engine, *_ = of_integers(contest.network, contest.inputs, some)
    return [reference, engine, *of_litert(contest.content, contest.shaped, (LITERT_BATCH,))]
