"""Measure how the memory of train.py and quant_test.py grows with the number of clips.

Makes data sets of so many clips in a scratch folder, 37 words evenly, each clip a link to one of a
few recordings of noise. Runs both commands on each, with one step of training, in a process of
their own with nothing cached, and writes the peaks of their resident memory as JSON and as a PNG
beside it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile
from rich.table import Table

from golden import files
from golden.exports.evidence import json_bytes
from golden.network import FeatureSettings
from quant_models.speech_commands import BACKGROUND_FOLDER, SILENCE_LABEL, UNKNOWN_LABEL
from scripts.console.command_line import Parser, run_command
from scripts.console.flags import positive
from scripts.console.places import REPOSITORY
from scripts.console.progress import progress_bar, say, show_table

EXAMPLE = "python scripts/measure_memory.py --checkpoint weights/NAME/NAME.npz"
SPEECH_COMMANDS_CLIPS = 105_829  # of version 0.02
WORDS = (SILENCE_LABEL, UNKNOWN_LABEL, "yes", "no", *(f"word_{n:02}" for n in range(33)))
LEAST_CLIPS = 20 * len(WORDS)  # fewer, and a partition may have no wanted word
_RECORDINGS = 64
_NOISE_SECONDS = 60


@dataclass(frozen=True)
class Peak:
    """The most memory that a command took on so many clips."""

    command: str
    clips: int
    peak_mib: float


def main() -> None:
    flags = parse_flags()
    peaks = []
    with progress_bar("memory") as progress:
        for done, clips in enumerate(flags.clips):
            progress(done, len(flags.clips))
            peaks += measure(clips, flags)
        progress(len(flags.clips), len(flags.clips))
    show(peaks)
    files.write_bytes(flags.output, json_bytes({"peaks": [asdict(peak) for peak in peaks]}))
    picture = flags.output.with_suffix(".png")
    draw(peaks, picture)
    say(f"figures in {flags.output}, {picture}")


def parse_flags() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--checkpoint", type=Path, required=True, help="checkpoint that quant_test.py evaluates")
    add(
        "--clips",
        type=positive,
        nargs="+",
        metavar="N",
        default=(5_000, 20_000, SPEECH_COMMANDS_CLIPS),
        help="numbers of clips to measure with",
    )
    add("--augmented_examples", type=positive, default=100_000, help="examples that train.py draws")
    add("--output", type=Path, default=Path("work/memory.json"), help="where the figures go")
    flags = parser.parse_args()
    if min(flags.clips) < LEAST_CLIPS:
        raise ValueError(f"clips: expected {LEAST_CLIPS} or more, got {min(flags.clips)}")
    return flags


def measure(clips: int, flags: argparse.Namespace) -> list[Peak]:
    """Run both commands on a data set of so many clips."""
    with tempfile.TemporaryDirectory() as folder:
        data_dir = make_data_set(Path(folder) / "speech", clips)
        commands = {
            "train.py": {
                "data_dir": data_dir,
                "augmented_examples": flags.augmented_examples,
                "learning_rate": 0.001,
                "how_many_training_steps": 1,
            },
            "quant_test.py": {"checkpoint": flags.checkpoint.resolve(), "test_dir": data_dir},
        }
        return [
            Peak(command, clips, peak_mib(command, options, Path(folder)))
            for command, options in commands.items()
        ]


def make_data_set(folder: Path, clips: int) -> Path:
    """Make a folder in the layout of Speech Commands; the clips are links to a few recordings."""
    rng = np.random.default_rng(0)
    settings = FeatureSettings()

    def write_noise(path: Path, samples: int) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = 0.1 * rng.standard_normal(samples)
        soundfile.write(path, noise, settings.sample_rate_hz, subtype="PCM_16")
        return path

    write_noise(folder / BACKGROUND_FOLDER / "noise.wav", _NOISE_SECONDS * settings.sample_rate_hz)
    recordings = [
        write_noise(folder.with_name("recordings") / f"{number}.wav", settings.clip_samples)
        for number in range(_RECORDINGS)
    ]
    for word in WORDS:
        (folder / word).mkdir()
    for number in range(clips):
        speaker, word = divmod(number, len(WORDS))
        clip = folder / WORDS[word] / f"{speaker:08x}_nohash_0.wav"
        clip.symlink_to(recordings[number % _RECORDINGS])
    return folder


def peak_mib(command: str, options: dict[str, object], folder: Path) -> float:
    """Run a command of the repository in `folder`; return its peak of resident memory in MiB.

    Linux counts in what this process had itself when it started the command: less than any of them.

    Raises ValueError with what it said if it fails.
    """
    flags = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [sys.executable, str(REPOSITORY / command), *flags],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        if process.returncode != 0:
            raise ValueError(f"{command}: expected to succeed, got: {said.read().strip()}")
    return usage.ru_maxrss / 1_024  # KiB on Linux


def show(peaks: list[Peak]) -> None:
    table = Table(title="peak of resident memory")
    for heading in ("command", "clips", "MiB"):
        table.add_column(heading, justify="left" if heading == "command" else "right")
    for peak in peaks:
        table.add_row(peak.command, f"{peak.clips:,}", f"{peak.peak_mib:,.0f}")
    show_table(table)


def draw(peaks: list[Peak], path: Path) -> None:
    from quant_models.plots import plot_memory

    curves: dict[str, list[tuple[int, float]]] = {}
    for peak in peaks:
        curves.setdefault(peak.command, []).append((peak.clips, peak.peak_mib))
    plot_memory(curves, path)


if __name__ == "__main__":
    run_command(main)
