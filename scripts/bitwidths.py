"""Report how many bits every multiplier, adder and register of an integer network needs.

Prints a table and writes it as JSON (read by programs) and CSV (for a spreadsheet). With clips or
golden cases it also reports what was observed on them and draws a histogram figure for each layer.
Widths follow from interval bounds on the actual weights, never from what was observed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy.typing as npt
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from dataflow.bit_widths import LayerWidths, layer_widths
from dataflow.observed import Observation, observe
from dataflow.ranges import interval_bounds
from dataflow.width_report import csv_text, figures_of, json_text, report
from golden import files
from golden.cases import read_cases
from golden.network import IntegerNetwork
from scripts.command_line import Parser, require_exclusive, run_command

READ_CLIPS = 256  # clips read and turned into fingerprints at a time

HEADINGS = (
    "signal",
    "observed\nmin",
    "\nmax",
    "\nbits",
    "bound\nmin",
    "\nmax",
    "multi-\nplier",
    "\nadder",
    "regis-\nter",
    "un-\nsigned",
)
NOTE = """\
Multiplier, adder, register: bits in two's complement, as the bound needs them.
Unsigned: bits of the same signal without a sign, where it is never negative.
Partial sums run in the order kh, kw, in; a bias is loaded before the first."""


def main() -> None:
    """Parse, compute, print, write."""
    flags = _parse()
    require_exclusive(
        [("--cases", flags.cases is not None), ("--data_dir", flags.data_dir is not None)]
    )
    network = IntegerNetwork.load(flags.network)
    bounds = interval_bounds(network)
    batches = _batches(network, flags.cases, flags.data_dir)
    seen = None if batches is None else observe(network, bounds, batches)
    widths = layer_widths(network, bounds, None if seen is None else seen.ranges)
    clips = None if seen is None else seen.clips
    contents = {
        "bit_widths.json": json_text(report(network, widths, clips)).encode(),
        "bit_widths.csv": csv_text(widths).encode(),
    }
    if seen is not None:
        contents |= _figures(widths, seen)
    folder = flags.output_dir or Path("work/bitwidths") / _name(flags.network)
    files.write_together({folder / name: content for name, content in contents.items()})
    _print_table(flags.network, widths)
    data = "no clips (see --cases and --data_dir)" if clips is None else f"{clips:,} clips"
    print(f"Observed on {data}. Written to {folder}: {', '.join(contents)}")


def _parse() -> argparse.Namespace:
    parser = Parser(
        __doc__,
        "scripts/bitwidths.py weights/NAME/network.npz --cases golden/vectors/NAME/cases.npz",
    )
    parser.add_argument("network", type=Path, help="the network file")
    parser.add_argument("--cases", type=Path, help="golden cases to observe signals on")
    parser.add_argument("--data_dir", type=Path, help="folder of clips to observe signals on")
    parser.add_argument(
        "--output_dir",
        type=Path,
        help="where the files go; without it work/bitwidths/<name of the network>",
    )
    return parser.parse_args()


def _batches(
    network: IntegerNetwork, cases: Path | None, data_dir: Path | None
) -> Iterator[npt.NDArray[Any]] | None:
    """Return batches of fingerprints `(N, time, coefficient)`, or None without data."""
    if cases is not None:
        return iter([read_cases(cases, network).fingerprints])
    return None if data_dir is None else _fingerprints_of(network, data_dir)


def _fingerprints_of(network: IntegerNetwork, data_dir: Path) -> Iterator[npt.NDArray[Any]]:
    # Imported here: without audio the command starts in a tenth of the time.
    import numpy as np

    from quant_models.audio import read_clip
    from quant_models.features import fingerprints
    from quant_models.speech_commands import BACKGROUND_FOLDER, audio_files

    settings = network.features
    paths = [path for path in audio_files([data_dir]) if BACKGROUND_FOLDER not in path.parts]
    if not paths:
        raise ValueError(f"{data_dir}: expected a folder of clips, found no audio file")
    for start in range(0, len(paths), READ_CLIPS):
        clips = [
            read_clip(path, settings.sample_rate_hz, settings.clip_samples)
            for path in paths[start : start + READ_CLIPS]
        ]
        yield fingerprints(np.stack(clips), settings)


def _figures(widths: tuple[LayerWidths, ...], seen: Observation) -> dict[str, bytes]:
    # Imported here: only a report with observations draws, and matplotlib takes its time.
    from dataflow.width_figures import layer_figure, overview_figure

    figures = {
        f"{layer.name}.png": layer_figure(layer, seen.histograms, seen.clips) for layer in widths
    }
    return {"overview.png": overview_figure(widths)} | figures


def _name(network: Path) -> str:
    """Name a network after its file, or after its folder where the file is just `network.npz`."""
    return network.resolve().parent.name if network.stem == "network" else network.stem


def _print_table(network: Path, widths: tuple[LayerWidths, ...]) -> None:
    table = Table(box=SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == "signal" else "right")
    for layer in widths:
        table.add_row(f"[bold]{layer.name}[/bold]")
        for signal in layer.signals:
            label = signal.name if signal.role == "output" else signal.role
            table.add_row(f" {label}", *figures_of(signal))
        table.add_section()
    print(f"Bit widths of {network}")
    # A file or a pipe has no width of its own; 80 columns could cut numbers off.
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    print(NOTE)


if __name__ == "__main__":
    run_command(main)
