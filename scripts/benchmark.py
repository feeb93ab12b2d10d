"""Measure how fast the pieces are: features, reference, training step, quant_test.

Every figure is the median of several runs on this machine. The two training steps take turns, so
that their ratio depends little on what else the machine does.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from rich.table import Table

import scripts.console.quiet_tensorflow  # noqa: F401
from golden import files, reference
from golden.comparison import Mismatch
from golden.exports.evidence import json_bytes
from golden.network import FeatureSettings
from quant_models.checkpoint import Checkpoint, load_checkpoint
from quant_models.ds_cnn import DsCnn
from quant_models.features import fingerprints
from quant_models.training import Trainer
from scripts.console.command_line import Parser, run_command
from scripts.console.progress import CONSOLE, progress_bar, say

EXAMPLE = "python scripts/benchmark.py --checkpoint weights/NAME/NAME.npz --runs 5"
FEATURE_CLIPS = 2_048
REFERENCE_CLIPS = 2_048
REFERENCE_BATCH = 256
TRAINING_STEPS = 50
TRAINING_BATCH = 100
TEST_CLIPS = 2_240


def main() -> None:
    flags = parse_flags()
    checkpoint = load_checkpoint(flags.checkpoint)
    rng = np.random.default_rng(0)
    rows: list[dict[str, object]] = []
    with progress_bar("benchmark") as progress:
        for done, measure in enumerate(
            (
                lambda: [feature_rate(checkpoint.features, flags.runs, rng)],
                lambda: [reference_rate(checkpoint, flags.runs)],
                lambda: training_steps(checkpoint, flags.runs),
                lambda: [quant_test_time(flags, rng)],
            )
        ):
            progress(done, 4)
            rows += measure()
        progress(4, 4)
    show(rows, flags.runs)
    content = {"runs": flags.runs, "cores": os.cpu_count(), "figures": rows}
    files.write_bytes(flags.output, json_bytes(content))
    say(f"figures in {flags.output}")


def parse_flags() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint to measure with")
    parser.add_argument(
        "--test_dir", type=Path, help=f"test set for quant_test (default: {TEST_CLIPS:,} of noise)"
    )
    parser.add_argument("--runs", type=int, default=5, help="runs that the median is taken of")
    parser.add_argument(
        "--output", type=Path, default=Path("work/benchmark.json"), help="where the figures go"
    )
    flags = parser.parse_args()
    if flags.runs < 1:
        raise ValueError(f"runs: expected 1 or more, got {flags.runs}")
    return flags


def feature_rate(
    settings: FeatureSettings, runs: int, rng: np.random.Generator
) -> dict[str, object]:
    """Clips per second from samples to fingerprints, one thread a core."""
    clips = random_clips(FEATURE_CLIPS, settings, rng)
    parts = np.array_split(clips, 8 * (os.cpu_count() or 1))

    def work() -> None:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda part: fingerprints(part, settings), parts))

    return figure("features", FEATURE_CLIPS / median_seconds(work, runs), "clips/s")


def reference_rate(checkpoint: Checkpoint, runs: int) -> dict[str, object]:
    """Inferences per second of the integer reference, one process, batches of 256."""
    network = checkpoint.network()
    cases = np.resize(checkpoint.cases, (REFERENCE_CLIPS, *network.input_shape))

    def work() -> None:
        for start in range(0, REFERENCE_CLIPS, REFERENCE_BATCH):
            reference.run(network, cases[start : start + REFERENCE_BATCH])

    return figure("integer reference", REFERENCE_CLIPS / median_seconds(work, runs), "inferences/s")


def training_steps(checkpoint: Checkpoint, runs: int) -> list[dict[str, object]]:
    """Milliseconds of a training step with integers and in float, and their ratio."""
    labels = len(checkpoint.labels)
    rows = np.arange(TRAINING_STEPS * TRAINING_BATCH) % len(checkpoint.cases)
    batches = checkpoint.cases[rows].reshape(
        TRAINING_STEPS, TRAINING_BATCH, *checkpoint.cases.shape[1:]
    )
    targets = checkpoint.case_labels[rows].reshape(TRAINING_STEPS, TRAINING_BATCH)
    trainers = [
        Trainer(DsCnn(checkpoint.size, labels, quantised=quantised)) for quantised in (True, False)
    ]
    times: list[list[float]] = [[], []]
    for _ in range(runs + 1):
        for trainer, seconds in zip(trainers, times, strict=True):
            start = time.perf_counter()
            trainer.run(batches, targets, 1e-4)
            seconds.append((time.perf_counter() - start) / TRAINING_STEPS)
    quantised, plain = (statistics.median(seconds[1:]) for seconds in times)  # the first compiles
    ratio = statistics.median(q / p for q, p in zip(times[0][1:], times[1][1:], strict=True))
    return [
        figure(f"QAT step, batch {TRAINING_BATCH}", 1_000 * quantised, "ms"),
        figure(f"float step, batch {TRAINING_BATCH}", 1_000 * plain, "ms"),
        figure("QAT step / float step", ratio, ""),
    ]


def quant_test_time(flags: argparse.Namespace, rng: np.random.Generator) -> dict[str, object]:
    """Seconds of a whole quant_test.py on a test set, start of Python included, nothing cached."""
    checkpoint = load_checkpoint(flags.checkpoint)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        test_dir = flags.test_dir or noise_test_set(work / "test", checkpoint, rng)
        clips = sum(1 for _ in test_dir.rglob("*.wav"))

        def run() -> None:
            with tempfile.TemporaryDirectory(dir=work) as fresh:
                run_quant_test(flags.checkpoint, test_dir, Path(fresh))

        seconds = median_seconds(run, min(flags.runs, 3))
    return figure(f"quant_test.py on {clips:,} clips", seconds, "s")


def run_quant_test(checkpoint: Path, test_dir: Path, folder: Path) -> None:
    command = [sys.executable, "quant_test.py", "--checkpoint", str(checkpoint)]
    command += ["--test_dir", str(test_dir)]
    for name in ("output_dir", "vectors_dir", "evaluation_dir", "cache_dir"):
        command += [f"--{name}", str(folder / name)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode == 1:
        raise Mismatch(f"quant_test.py: {result.stderr.strip().removeprefix('MISMATCH: ')}")
    if result.returncode != 0:
        raise ValueError(f"quant_test.py: expected to succeed, got: {result.stderr.strip()}")


def noise_test_set(folder: Path, checkpoint: Checkpoint, rng: np.random.Generator) -> Path:
    """Write a test set of noise, as many clips of each label, in the canonical layout."""
    settings = checkpoint.features
    labels = checkpoint.labels
    for number in range(TEST_CLIPS):
        path = folder / labels[number % len(labels)] / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, random_clips(1, settings, rng)[0], settings.sample_rate_hz)
    return folder


def random_clips(
    count: int, settings: FeatureSettings, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    return 0.1 * rng.standard_normal((count, settings.clip_samples), dtype=np.float32)


def median_seconds(work: Callable[[], None], runs: int) -> float:
    """Median duration of `runs` runs, after one that is not counted."""
    work()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def figure(name: str, value: float, unit: str) -> dict[str, object]:
    return {"name": name, "value": value, "unit": unit}


def show(rows: list[dict[str, object]], runs: int) -> None:
    table = Table(title=f"medians of {runs} runs, {os.cpu_count()} cores")
    table.add_column("what")
    table.add_column("value", justify="right")
    table.add_column("unit")
    for row in rows:
        table.add_row(str(row["name"]), f"{row['value']:,.2f}", str(row["unit"]))
    CONSOLE.print(table)


if __name__ == "__main__":
    run_command(main)
