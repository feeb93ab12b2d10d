"""Run the whole chain on synthesised speech: train, export, check, simulate, report.

Every step is a command that is printed before it runs, to be typed and varied by hand. Results go
to work/demo; nothing that is checked in changes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from rich.table import Table

from golden.comparison import Mismatch
from golden.exports.export import check_export
from scripts.console.command_line import Parser, run_command
from scripts.console.progress import CONSOLE, say, show_table

FOLDER = Path("work/demo")
WEIGHTS = FOLDER / "weights"
VECTORS = FOLDER / "vectors"
EVALUATION = FOLDER / "evaluation"
WIDTHS = FOLDER / "bitwidths"
SIMULATION = FOLDER / "simulation"
NETWORK = WEIGHTS / "network.npz"
CASES = VECTORS / "cases.npz"


def main() -> None:
    Parser(__doc__, "python scripts/demo.py").parse_args()
    started = time.monotonic()
    if FOLDER.exists():
        shutil.rmtree(FOLDER)
    step("Train on synthesised speech", train_command())
    step("Take the integers, check them, export them", export_command(best_checkpoint()))
    digest = check_export(WEIGHTS, VECTORS)
    step("Compile the header as C99", compile_command())
    step("Bit widths of every signal", bit_width_command())
    step("Run every clip of the vectors through the RTL", simulation_command())
    report(digest, time.monotonic() - started)


def step(title: str, command: list[str]) -> None:
    """Print a title and a command, then run it; Mismatch or ValueError if it fails."""
    CONSOLE.rule(title, align="left")
    say("$ " + " ".join(command))
    sys.stdout.flush()
    runnable = [sys.executable if word == "python" else word for word in command]
    result = subprocess.run(runnable, check=False)
    if result.returncode == 1:
        raise Mismatch(f"{command[1]}: ended with exit status 1")
    if result.returncode != 0:
        raise ValueError(f"{command[1]}: expected to succeed, exit status {result.returncode}")


def train_command() -> list[str]:
    return [
        *("python", "train.py", "--train_dir", str(FOLDER / "training")),
        *("--learning_rate", "0.001,0.0002", "--how_many_training_steps", "3000,1000"),
        *("--augmented_examples", "20000", "--eval_step_interval", "200"),
    ]


def best_checkpoint() -> Path:
    found = sorted((FOLDER / "training" / "best").glob("*.npz"))
    if len(found) != 1:
        raise ValueError(f"{FOLDER}/training/best: expected one checkpoint, got {len(found)}")
    return found[0]


def export_command(checkpoint: Path) -> list[str]:
    return [
        *("python", "quant_test.py", "--checkpoint", str(checkpoint)),
        *("--output_dir", str(WEIGHTS), "--vectors_dir", str(VECTORS)),
        *("--evaluation_dir", str(EVALUATION)),
    ]


def compile_command() -> list[str]:
    return [
        *("cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only"),
        str(WEIGHTS / "weight.h"),
    ]


def bit_width_command() -> list[str]:
    return [
        *("python", "scripts/bitwidths.py", str(NETWORK), "--cases", str(CASES)),
        # A short proof: looser behind the pool than the usual one, and just as safe.
        *("--search_rounds", "0", "--solve_seconds", "1"),
        *("--output_dir", str(WIDTHS)),
    ]


def simulation_command() -> list[str]:
    return [
        *("python", "scripts/simulate.py", "--network", str(NETWORK), "--cases", str(CASES)),
        *("--output_dir", str(SIMULATION)),
    ]


def report(digest: str, seconds: float) -> None:
    """Print the figures and the files to look at."""
    evidence = json.loads((WEIGHTS / "evidence.json").read_text())
    accuracy = json.loads((EVALUATION / "accuracy.json").read_text())
    simulation = json.loads((SIMULATION / "summary.json").read_text())
    CONSOLE.rule("Done", align="left")
    figures = Table(
        title=f"network {digest[:16]}, {seconds:.0f} s",
        caption="training adds in floating point: accuracies differ between processors",
        show_header=False,
    )
    for result in accuracy["results"]:
        figures.add_row(result["title"], f"{result['accuracy']:.2%} of {result['clips']} clips")
    compared = sum(rung["values_compared_total"] for rung in evidence["rungs"])
    compared += sum(result["values_compared"] for result in accuracy["results"])
    figures.add_row("Keras = integer reference", f"{compared:,} values, 0 mismatches")
    figures.add_row(
        "RTL = integer reference",
        f"{simulation['values_compared_total']:,} values, {simulation['mismatches']} mismatches",
    )
    cycles = simulation["cycles_per_frame"]
    figures.add_row(
        f"RTL, {simulation['configuration']['name']} configuration",
        f"{cycles['simulated'][0]:,} cycles a clip (predicted {cycles['predicted']:,})",
    )
    show_table(figures)
    show_table(files_to_look_at())


def files_to_look_at() -> Table:
    files = Table(title="files to look at", show_header=False)
    for path, what in (
        (FOLDER / "training/curves.png", "accuracy and loss over the steps"),
        (EVALUATION / "confusion.png", "what is taken for what"),
        (WEIGHTS / "weight.h", "the integers as C99"),
        (WEIGHTS / "network.c", "inference with them, for a microcontroller"),
        (WEIGHTS / "example_weight.txt", "the same integers as nested text"),
        (VECTORS / "1.txt", "one clip, every layer before and after its shift"),
        (VECTORS / "lots_of_case.txt", "minimum and maximum of every layer, 1,024 clips"),
        (WIDTHS / "overview.png", "bits of every signal"),
        (WEIGHTS / "evidence.json", "what was compared, with digests and versions"),
    ):
        files.add_row(str(path), what)
    return files


if __name__ == "__main__":
    run_command(main)
