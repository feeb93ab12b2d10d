"""Holds what a simulation recorded against the reference: all clips, all streams, all cycles."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataflow.hardware.accelerator_schedule import predict
from golden.c.engine import Engine, engine_for
from golden.comparison import Comparison, Mismatch
from scripts.console.progress import Bar
from scripts.simulation.accelerator_simulation import Simulator
from scripts.simulation.divergence import Divergence, expected_streams, first_divergence

CHUNK_CLIPS = 128  # simulated in one run, back to back; a run records about 17 MB for 128 clips
WORKERS = 2


@dataclass(frozen=True)
class Simulated:
    """What a simulation showed to be equal, and the cycles between answers, and to the first one.

    `intervals` and `latencies` hold each number of cycles that was seen.
    """

    comparison: Comparison
    intervals: frozenset[int]
    latencies: frozenset[int]

    def more(self, other: Simulated) -> Simulated:
        """Return what this simulation and one of other clips showed."""
        return Simulated(
            self.comparison.more_clips(other.comparison),
            self.intervals | other.intervals,
            self.latencies | other.latencies,
        )


def compare(
    simulator: Simulator,
    fingerprints: npt.NDArray[np.int8],
    progress: Bar | None = None,
    **options: int,
) -> tuple[Simulated, Divergence | None]:
    """Simulate all clips, some at a time, and stop at the first chunk that differs.

    Returns what was compared, and the first divergence, whose clip counts from the first one.
    """
    simulated = Simulated(Comparison(0, {}), frozenset(), frozenset())
    engine = engine_for(simulator.accelerator.network, len(fingerprints))

    def chunk(start: int) -> tuple[int, Simulated, Divergence | None]:
        part = fingerprints[start : start + CHUNK_CLIPS]
        return start, *compare_chunk(simulator, part, engine, **options)

    with ThreadPoolExecutor(WORKERS) as pool:
        results = pool.map(chunk, range(0, len(fingerprints), CHUNK_CLIPS))
        for start, part, divergence in results:
            if divergence is not None:
                pool.shutdown(cancel_futures=True)
                return simulated, divergence.later(start)
            simulated = simulated.more(part)
            if progress is not None:
                progress(simulated.comparison.clips, len(fingerprints))
    return simulated, None


def compare_chunk(
    simulator: Simulator,
    fingerprints: npt.NDArray[np.int8],
    engine: Engine | None = None,
    **options: int,
) -> tuple[Simulated, Divergence | None]:
    """Simulate clips in one run and compare every stream with the reference, or with an engine."""
    recording = simulator.run(fingerprints, **options)
    every = expected_streams(simulator.accelerator, fingerprints, engine)
    expected = {stream: every[stream] for stream in simulator.streams}
    divergence = first_divergence(simulator.accelerator, expected, recording)
    answers = recording.cycles["last"]
    values = {stream: array.size for stream, array in expected.items()}
    return Simulated(
        Comparison(len(fingerprints), values),
        intervals=frozenset(np.diff(answers).tolist()),
        latencies=frozenset((answers[:1] + 1).tolist()),
    ), divergence


def check(simulator: Simulator, fingerprints: npt.NDArray[np.int8]) -> Comparison:
    """Compare all clips, and the cycles from answer to answer with the prediction.

    Raises Mismatch at the first difference.
    """
    simulated, divergence = compare(simulator, fingerprints)
    if divergence is not None:
        raise Mismatch(str(divergence))
    interval = predict(simulator.accelerator).interval
    if simulated.intervals - {interval}:
        found = sorted(simulated.intervals)
        raise Mismatch(f"expected {interval} cycles a frame, got {found}")
    return simulated.comparison
