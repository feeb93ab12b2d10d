"""Run the whole chain on synthesised speech: train, export, check, simulate, report.

Every step is a command that is printed before it runs, to be typed and varied by hand. Results go
to work/demo, or where an earlier demo's are to work/demo-2 and on; nothing that is checked in
changes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from golden import files
from golden.comparison import Mismatch
from golden.exports.export import check_export
from scripts.console.command_line import Parser, run_command
from scripts.console.progress import CONSOLE, say, show_table

FOLDER = Path("work/demo")


@dataclass(frozen=True)
class Places:
    """Where the steps leave what they make."""

    folder: Path

    @property
    def training(self) -> Path:
        return self.folder / "training"

    @property
    def weights(self) -> Path:
        return self.folder / "weights"

    @property
    def vectors(self) -> Path:
        return self.folder / "vectors"

    @property
    def evaluation(self) -> Path:
        return self.folder / "evaluation"

    @property
    def widths(self) -> Path:
        return self.folder / "bitwidths"

    @property
    def simulation(self) -> Path:
        return self.folder / "simulation"

    @property
    def network_and_cases(self) -> tuple[str, str]:
        return str(self.weights / "network.npz"), str(self.vectors / "cases.npz")


def main() -> None:
    Parser(__doc__, "python scripts/demo.py").parse_args()
    started = time.monotonic()
    places = Places(next(path for path in files.numbered(FOLDER) if not path.exists()))
    step("Train on synthesised speech", train_command(places))
    step("Take the integers, check them, export them", export_command(places))
    digest = check_export(places.weights, places.vectors)
    step("Compile the header as C99", compile_command(places))
    step("Bit widths of every signal", bit_width_command(places))
    step("Run every clip of the vectors through the RTL", simulation_command(places))
    report(digest, time.monotonic() - started, places)


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


def train_command(places: Places) -> list[str]:
    return [
        *("python", "train.py", "--train_dir", str(places.training)),
        *("--learning_rate", "0.001,0.0002", "--how_many_training_steps", "3000,1000"),
        *("--augmented_examples", "20000", "--eval_step_interval", "200"),
    ]


def export_command(places: Places) -> list[str]:
    best = places.training / "best"
    found = sorted(best.glob("*.npz"))
    if len(found) != 1:
        raise ValueError(f"{best}: expected one checkpoint, got {len(found)}")
    return [
        *("python", "quant_test.py", "--checkpoint", str(found[0])),
        *("--output_dir", str(places.weights), "--vectors_dir", str(places.vectors)),
        *("--evaluation_dir", str(places.evaluation)),
    ]


def compile_command(places: Places) -> list[str]:
    return [
        *("cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only"),
        str(places.weights / "weight.h"),
    ]


def bit_width_command(places: Places) -> list[str]:
    network, cases = places.network_and_cases
    return [
        *("python", "scripts/bitwidths.py", network, "--cases", cases),
        # A short proof: looser behind the pool than the usual one, and just as safe.
        *("--search_rounds", "0", "--solve_seconds", "1"),
        *("--output_dir", str(places.widths)),
    ]


def simulation_command(places: Places) -> list[str]:
    network, cases = places.network_and_cases
    return [
        *("python", "scripts/simulate.py", "--network", network, "--cases", cases),
        *("--output_dir", str(places.simulation)),
    ]


def report(digest: str, seconds: float, places: Places) -> None:
    """Print the figures and the files to look at."""
    evidence = json.loads((places.weights / "evidence.json").read_text())
    accuracy = json.loads((places.evaluation / "accuracy.json").read_text())
    simulation = json.loads((places.simulation / "summary.json").read_text())
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
    show_table(files_to_look_at(places))


def files_to_look_at(places: Places) -> Table:
    table = Table(title="files to look at", show_header=False)
    for path, what in (
        (places.training / "curves.png", "accuracy and loss over the steps"),
        (places.evaluation / "confusion.png", "what is taken for what"),
        (places.weights / "weight.h", "the integers as C99"),
        (places.weights / "network.c", "inference with them, for a microcontroller"),
        (places.weights / "example_weight.txt", "the same integers as nested text"),
        (places.vectors / "1.txt", "one clip, every layer before and after its shift"),
        (places.vectors / "lots_of_case.txt", "minimum and maximum of every layer, 1,024 clips"),
        (places.widths / "overview.png", "bits of every signal"),
        (places.weights / "evidence.json", "what was compared, with digests and versions"),
    ):
        table.add_row(str(path), what)
    return table


if __name__ == "__main__":
    run_command(main)
