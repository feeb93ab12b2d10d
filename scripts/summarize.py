#!/usr/bin/env python
"""Summarise a network layer by layer: shapes, parameters, bytes and multiplications.

Takes a network file, a checkpoint (as its integers) or an int8 model of TensorFlow Lite. Bytes are
those of the weights at their width, packed without gaps, and of biases of 32 bits; multiplications
are of weights in one inference, each followed by an addition.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from golden import files
from golden.importers.tflite_file import read_tflite
from golden.importers.tflite_network import import_tflite
from golden.network import IntegerNetwork
from golden.summary import LayerSummary, summarise
from quant_models.checkpoint import load_checkpoint
from scripts.console.command_line import Parser, run_command
from scripts.console.progress import say, show_table

EXAMPLE = "scripts/summarize.py --network weights/NAME/network.npz"
HEADINGS = ("layer", "kind", "output", "weights", "biases", "bits", "bytes", "multiplications")


def main() -> None:
    flags = parse_flags()
    network = network_of(flags)
    rows = summarise(network)
    say(f"network     {network.digest}")
    say(f"input       {' x '.join(map(str, network.input_shape))}, labels {len(network.labels)}")
    show_table(table(rows))
    if flags.csv is not None:
        files.write_text(flags.csv, summary_csv(rows))


def parse_flags() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--network", type=Path, help="network.npz of an export")
    source.add_argument("--checkpoint", type=Path, help="checkpoint of train.py, as its integers")
    source.add_argument("--tflite", type=Path, help="int8 model of TensorFlow Lite")
    parser.add_argument("--csv", type=Path, help="write the table there, a row a layer")
    return parser.parse_args()


def network_of(flags: argparse.Namespace) -> IntegerNetwork:
    if flags.network is not None:
        return IntegerNetwork.load(flags.network)
    if flags.checkpoint is not None:
        return load_checkpoint(flags.checkpoint).network()
    model = read_tflite(flags.tflite)
    try:
        return import_tflite(model).network
    except ValueError as error:
        raise ValueError(f"{flags.tflite}: {error}") from None


def table(rows: Sequence[LayerSummary]) -> Table:
    shown = Table(*HEADINGS[:3])
    for heading in HEADINGS[3:]:
        shown.add_column(heading, justify="right")
    for row in rows:
        numbers = (row.weights, row.biases, row.weight_bits, row.parameter_bytes)
        counts = [f"{number:,}" if number else "" for number in (*numbers, row.multiplications)]
        shown.add_row(row.name, row.kind, "x".join(map(str, row.shape)), *counts)
    shown.add_section()
    totals = [
        f"{sum(getattr(row, name) for row in rows):,}" if name else ""
        for name in ("weights", "biases", "", "parameter_bytes", "multiplications")
    ]
    shown.add_row("total", "", "", *totals)
    return shown


def summary_csv(rows: Sequence[LayerSummary]) -> str:
    cells = (
        [
            *(row.name, row.kind, "x".join(map(str, row.shape))),
            *(row.weights, row.biases, row.weight_bits, row.parameter_bytes, row.multiplications),
        ]
        for row in rows
    )
    return files.csv_text(HEADINGS, cells)


if __name__ == "__main__":
    run_command(main)
