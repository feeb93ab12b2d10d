"""Measure how fast everything is, side by side with peers, in one run.

Two networks: the checkpoint's, and a DS-CNN of 12 labels in 8 bits, made by TensorFlow Lite's
converter. The NumPy reference, the engine (compiled C, golden.c.engine), Keras, LiteRT (int8,
XNNPACK, one thread, batches of several sizes), and the emulations of hls4ml and da4ml (installed
apart by `make peers`) take turns round by round; LiteRT gets float weights of the same topology,
converted. A peer that cannot take part is listed with the error that it gave. Then how cost grows
with clips, channels and layers (--growth), and features, training steps and quant_test. Writes
benchmark.json, speed.png and growth.png.

The last line is how many times as many inferences a second as LiteRT, at its better batch size,
the engine does of the checkpoint's network on one thread: the median of all rounds.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from rich.table import Table

import scripts.console.quiet_tensorflow  # noqa: F401
from golden import files
from golden.comparison import Mismatch
from golden.exports.evidence import PACKAGES, json_bytes, package_versions
from golden.network import FeatureSettings
from quant_models.checkpoint import Checkpoint, load_checkpoint
from quant_models.features import fingerprints
from quant_models.floor_shift_model import FloorShiftModel
from quant_models.model_size import grid_of
from quant_models.training import Trainer
from scripts.benchmarking.growth import growth
from scripts.benchmarking.rounds import Speed
from scripts.benchmarking.side_by_side import (
    Contest,
    Counts,
    PeerSettings,
    SideBySide,
    side_by_side,
)
from scripts.benchmarking.speed_figures import Curves, draw_growth, draw_speeds
from scripts.benchmarking.topologies import ds_cnn
from scripts.console.command_line import Parser, run_command
from scripts.console.progress import progress_bar, say, show_table
from scripts.runtimes.litert import PACKAGE

EXAMPLE = "python scripts/benchmark.py --checkpoint weights/NAME/NAME.npz --runs 5 --growth"
FEATURE_CLIPS = 2_048
TRAINING_STEPS = 50
TRAINING_BATCH = 100
TEST_CLIPS = 2_240
COUNTS = Counts(fast=4_096, reference=512, peers=512)  # on the checkpoint's network
COUNTS_12 = Counts(fast=512, reference=32, peers=4)  # on the one with 12 labels


def main() -> None:
    flags = parse_flags()
    checkpoint = load_checkpoint(flags.checkpoint)
    rng = np.random.default_rng(0)
    clips = np.resize(checkpoint.cases, (COUNTS.fast, *checkpoint.cases.shape[1:]))
    small = Contest.of_floor_shifts(checkpoint.network(), clips)
    large = Contest.of_keras(ds_cnn(12, 4, 64), COUNTS_12.fast, rng)
    settings = PeerSettings(flags.peers_dir, flags.peer_seconds)
    found = {}
    for title, contest, counts in (
        (f"two-layer DS-CNN, {len(checkpoint.labels)} labels, 6 bits", small, COUNTS),
        ("DS-CNN of 9 layers, 12 labels, 8 bits", large, COUNTS_12),
    ):
        with progress_bar(title.partition(",")[0]) as progress:
            found[title] = side_by_side(contest, counts, settings, flags.runs, progress)
        show_speeds(title, found[title])
    curves: dict[str, Curves] = {}
    if flags.growth:
        with progress_bar("growth") as progress:
            curves = growth(small, rng, progress)
    rows = other_figures(flags, checkpoint, rng)
    show(rows, flags.runs)
    write(flags, checkpoint, found, curves, rows)
    (first, *_) = found.values()
    say(f"engine/tflite ratio: {first.engine_ratio:.2f}")


def parse_flags() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint to measure with")
    parser.add_argument(
        "--test_dir", type=Path, help=f"test set for quant_test (default: {TEST_CLIPS:,} of noise)"
    )
    parser.add_argument("--runs", type=int, default=5, help="rounds that the median is taken of")
    parser.add_argument("--growth", action="store_true", help="also how cost grows with sizes")
    parser.add_argument(
        "--peers_dir",
        type=Path,
        default=Path("work/peers"),
        help="where `make peers` installed hls4ml and da4ml",
    )
    parser.add_argument(
        "--peer_seconds", type=float, default=120.0, help="how long one may take until it is ready"
    )
    parser.add_argument(
        "--output_dir", type=Path, default=Path("work/benchmark"), help="where the results go"
    )
    flags = parser.parse_args()
    if flags.runs < 1:
        raise ValueError(f"runs: expected 1 or more, got {flags.runs}")
    if not flags.peer_seconds > 0:
        raise ValueError(f"peer_seconds: expected more than 0, got {flags.peer_seconds:g}")
    return flags


def show_speeds(title: str, found: SideBySide) -> None:
    table = Table(title=f"inferences a second: {title}")
    table.add_column("what")
    for column in ("threads", "median", "slowest", "fastest round"):
        table.add_column(column, justify="right")
    for speed in found.speeds:
        numbers = (f"{number:,.0f}" for number in (speed.median, *speed.spread))
        table.add_row(speed.name, speed.threads, *numbers)
    show_table(table)
    for peer in found.peers:
        say(peer.sentence)
    say(f"engine, one thread / LiteRT at its better batch size: {found.engine_ratio:.2f}")


def write(
    flags: argparse.Namespace,
    checkpoint: Checkpoint,
    found: Mapping[str, SideBySide],
    curves: Mapping[str, Curves],
    rows: list[dict[str, object]],
) -> None:
    """Write everything that was measured, and where, and draw it."""
    content = {
        "machine": machine(),
        "network_digest": checkpoint.network().digest,
        "rounds": flags.runs,
        "side_by_side": {
            title: {
                "speeds": [as_json(speed) for speed in each.speeds],
                "peers": [asdict(peer) for peer in each.peers],
                "engine_over_litert": each.engine_ratio,
            }
            for title, each in found.items()
        },
        "growth": {
            size: {
                name: [{size: value, **as_json(speed)} for value, speed in points]
                for name, points in lines.items()
            }
            for size, lines in curves.items()
        },
        "figures": rows,
    }
    files.write_bytes(flags.output_dir / "benchmark.json", json_bytes(content))
    draw_speeds(
        {title: each.speeds for title, each in found.items()}, flags.output_dir / "speed.png"
    )
    names = ["benchmark.json", "speed.png"]
    if curves:
        draw_growth(curves, flags.output_dir / "growth.png")
        names.append("growth.png")
    say(f"results in {flags.output_dir}: {', '.join(names)}")


def as_json(speed: Speed) -> dict[str, object]:
    return {"name": speed.name, "threads": speed.threads, "inferences_a_second": speed.rates}


def machine() -> dict[str, object]:
    """Return processor, instructions that matter, cores, versions and commit."""
    described = Path("/proc/cpuinfo")
    text = described.read_text() if described.exists() else ""
    known = dict(re.findall(r"^(model name|flags)\s*: (.*)$", text, re.MULTILINE))
    vectors = [flag for flag in known.get("flags", "").split() if flag.startswith(("avx", "amx"))]
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "processor": known.get("model name", platform.processor() or platform.machine()),
        "vector_instructions": vectors,
        "cores": os.cpu_count(),
        "versions": package_versions([*PACKAGES, PACKAGE]),
        "commit": commit.stdout.strip() or None,
    }


# ---- What stands alone -------------------------------------------------------------------------


def other_figures(
    flags: argparse.Namespace, checkpoint: Checkpoint, rng: np.random.Generator
) -> list[dict[str, object]]:
    """Time features, training steps and quant_test."""
    rows: list[dict[str, object]] = []
    measures: list[Callable[[], list[dict[str, object]]]] = [
        lambda: [feature_rate(checkpoint.features, flags.runs, rng)],
        lambda: training_steps(checkpoint, flags.runs),
        lambda: [quant_test_time(flags, rng)],
    ]
    with progress_bar("others") as progress:
        for done, measure in enumerate(measures):
            progress(done, len(measures))
            rows += measure()
        progress(len(measures), len(measures))
    return rows


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


def training_steps(checkpoint: Checkpoint, runs: int) -> list[dict[str, object]]:
    """Milliseconds of a training step with integers and in float, and their ratio."""
    labels = len(checkpoint.labels)
    rows = np.arange(TRAINING_STEPS * TRAINING_BATCH) % len(checkpoint.cases)
    batches = checkpoint.cases[rows].reshape(
        TRAINING_STEPS, TRAINING_BATCH, *checkpoint.cases.shape[1:]
    )
    targets = checkpoint.case_labels[rows].reshape(TRAINING_STEPS, TRAINING_BATCH)
    grid = grid_of(checkpoint.features)
    trainers = [
        Trainer(FloorShiftModel(checkpoint.size, grid, labels, quantised=quantised))
        for quantised in (True, False)
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
    table = Table(title=f"medians of {runs} runs on {os.cpu_count()} cores")
    table.add_column("what")
    table.add_column("value", justify="right")
    table.add_column("unit")
    for row in rows:
        table.add_row(str(row["name"]), f"{row['value']:,.2f}", str(row["unit"]))
    show_table(table)


if __name__ == "__main__":
    run_command(main)
