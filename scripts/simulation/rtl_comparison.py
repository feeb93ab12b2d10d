"""Holds what a simulation recorded against the reference: all clips, all streams, all cycles."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dataflow.hardware.accelerator_schedule import predict
from scripts.console.progress import Bar
from scripts.simulation.accelerator_simulation import Simulator
from scripts.simulation.divergence import Divergence, expected_streams, first_divergence

CHUNK_CLIPS = 128  # simulated in one run, back to back; a run records about 7 MB for 128 clips
WORKERS = 2


class Mismatch(Exception):
    """An implementation that is not equal to the reference; says where."""


@dataclass
class Comparison:
    """What was compared: values by stream, clips, and the cycles between answers that were seen."""

    clips: int = 0
    values: dict[str, int] = field(default_factory=dict)
    intervals: set[int] = field(default_factory=set)
    latencies: set[int] = field(default_factory=set)

    @property
    def total(self) -> int:
        """Number of values compared."""
        return sum(self.values.values())


def compare(
    simulator: Simulator,
    fingerprints: npt.NDArray[np.int8],
    progress: Bar | None = None,
    **options: int,
) -> tuple[Comparison, Divergence | None]:
    """Simulate all clips, some at a time, and stop at the first chunk that differs.

    Returns what was compared, and the first divergence, whose clip counts from the first one.
    """
    comparison = Comparison()

    def chunk(start: int) -> tuple[int, Comparison, Divergence | None]:
        part = fingerprints[start : start + CHUNK_CLIPS]
        return start, *compare_chunk(simulator, part, **options)

    with ThreadPoolExecutor(WORKERS) as pool:
        results = pool.map(chunk, range(0, len(fingerprints), CHUNK_CLIPS))
        for start, part, divergence in results:
            if divergence is not None:
                pool.shutdown(cancel_futures=True)
                return comparison, divergence.later(start)
            _add(comparison, part)
            if progress is not None:
                progress(comparison.clips, len(fingerprints))
    return comparison, None


def compare_chunk(
    simulator: Simulator, fingerprints: npt.NDArray[np.int8], **options: int
) -> tuple[Comparison, Divergence | None]:
    """Simulate clips in one run and compare every stream."""
    recording = simulator.run(fingerprints, **options)
    every = expected_streams(simulator.accelerator, fingerprints)
    expected = {stream: every[stream] for stream in simulator.streams}
    divergence = first_divergence(simulator.accelerator, expected, recording)
    answers = recording.cycles["last"]
    return Comparison(
        clips=len(fingerprints),
        values={stream: values.size for stream, values in expected.items()},
        intervals=set(np.diff(answers).tolist()),
        latencies=set((answers[:1] + 1).tolist()),
    ), divergence


def check(simulator: Simulator, fingerprints: npt.NDArray[np.int8], title: str) -> Comparison:
    """Compare all clips, and the cycles from answer to answer with the prediction.

    Raises Mismatch, which begins with `title` and the configuration, at the first difference.
    """
    where = f"{title}, {simulator.accelerator.configuration.name}"
    comparison, divergence = compare(simulator, fingerprints)
    if divergence is not None:
        raise Mismatch(f"{where}: {divergence}")
    interval = predict(simulator.accelerator).interval
    if comparison.intervals - {interval}:
        found = sorted(comparison.intervals)
        raise Mismatch(f"{where}: expected {interval} cycles a frame, got {found}")
    return comparison


def _add(total: Comparison, part: Comparison) -> None:
    total.clips += part.clips
    for stream, count in part.values.items():
        total.values[stream] = total.values.get(stream, 0) + count
    total.intervals |= part.intervals
    total.latencies |= part.latencies
