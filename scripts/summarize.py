#!/usr/bin/env python
"""Summarise a network layer by layer: shapes, parameters, bytes and multiplications.

Takes a network file, a checkpoint, a recipe of `train.py` or an int8 model of TensorFlow Lite.
Bytes are those of the weights at their width, packed without gaps, and of biases of 32 bits; models
in float form count as they are quantised after training, with 8 bits. Multiplications are of
weights in one inference, each followed by an addition.

`--recipes` lists all recipes with what they cost and, where it was measured, how much of the test
half at hand they get right (`weights/accuracy.csv`).
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from golden import files
from golden.importers.tflite_file import read_tflite
from golden.importers.tflite_network import import_tflite
from golden.network import FeatureSettings, IntegerNetwork
from golden.summary import LayerSummary, summarise
from quant_models.checkpoint import load_checkpoint
from quant_models.model_size import FLOAT, ModelSize, grid_of
from quant_models.size_summary import activation_bytes, summarise_size
from scripts.console.command_line import Parser, run_command
from scripts.console.places import REPOSITORY
from scripts.console.progress import say, show_table
from scripts.experiments.recipes import read_recipe, recipe_names

EXAMPLE = "scripts/summarize.py --network weights/NAME/network.npz"
ACCURACIES = REPOSITORY / "weights" / "accuracy.csv"
HEADINGS = ("layer", "kind", "output", "weights", "biases", "bits", "bytes", "multiplications")


def main() -> None:
    flags = parse_flags()
    if flags.recipes:
        summarise_recipes(flags.csv)
        return
    rows = layers_of(flags)
    show_table(table(rows))
    if flags.csv is not None:
        files.write_text(flags.csv, summary_csv(rows))


def parse_flags() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--network", type=Path, help="network.npz of an export")
    source.add_argument("--checkpoint", type=Path, help="checkpoint of train.py")
    source.add_argument("--tflite", type=Path, help="int8 model of TensorFlow Lite")
    source.add_argument("--recipe", help="recipe of train.py")
    source.add_argument("--recipes", action="store_true", help="all recipes in one table")
    parser.add_argument("--csv", type=Path, help="write the table there")
    return parser.parse_args()


def layers_of(flags: argparse.Namespace) -> list[LayerSummary]:
    """Return the summary of what the flags name, and say what it is."""
    if flags.recipe is not None:
        recipe = read_recipe(flags.recipe)
        say(f"recipe      {recipe.name}: {recipe.title}")
        return layers_of_size(recipe.size, recipe.features, recipe.labels)
    if flags.checkpoint is not None:
        checkpoint = load_checkpoint(flags.checkpoint)
        if checkpoint.size.form == FLOAT:
            return layers_of_size(checkpoint.size, checkpoint.features, checkpoint.labels)
        return layers_of_network(checkpoint.network())
    if flags.network is not None:
        return layers_of_network(IntegerNetwork.load(flags.network))
    model = read_tflite(flags.tflite)
    try:
        return layers_of_network(import_tflite(model).network)
    except ValueError as error:
        raise ValueError(f"{flags.tflite}: {error}") from None


def layers_of_size(
    size: ModelSize, features: FeatureSettings, labels: Sequence[str]
) -> list[LayerSummary]:
    info = " ".join(map(str, size.architecture.info))
    say(f"network     {size.architecture.NAME} {info}, in {size.form} form")
    say(f"input       {features.frames} x {features.coefficients}, labels {len(labels)}")
    return summarise_size(size, features, labels)


def layers_of_network(network: IntegerNetwork) -> list[LayerSummary]:
    say(f"network     {network.digest}")
    say(f"input       {' x '.join(map(str, network.input_shape))}, labels {len(network.labels)}")
    return summarise(network)


def summarise_recipes(csv_file: Path | None) -> None:
    """Print and write what all recipes cost, and how much they get right where that is known."""
    measured = measured_accuracies()
    recipes = [read_recipe(name) for name in recipe_names()]
    shown = Table("recipe", "form", "words")
    headings = ("parameters", "bytes", "activations", "operations", "accuracy")
    for heading in headings:
        shown.add_column(heading, justify="right")
    rows: list[list[object]] = []
    for recipe in recipes:
        layers = summarise_size(recipe.size, recipe.features, recipe.labels)
        grid = grid_of(recipe.features)
        costs = (
            sum(row.weights + row.biases for row in layers),
            sum(row.parameter_bytes for row in layers),
            activation_bytes(layers, grid),
            2 * sum(row.multiplications for row in layers),
        )
        words = len(recipe.labels) - 2
        accuracy = measured.get(recipe.name, "")
        name, form = recipe.name, recipe.size.form
        rows.append([name, form, words, *costs, accuracy])
        shown.add_row(name, form, str(words), *(f"{cost:,}" for cost in costs), accuracy)
    show_table(shown)
    if csv_file is not None:
        files.write_text(csv_file, files.csv_text(["recipe", "form", "words", *headings], rows))


def measured_accuracies() -> dict[str, str]:
    """Return the measured accuracy, in per cent, of each recipe that has one."""
    with ACCURACIES.open(encoding="utf-8") as stream:
        rows = csv.DictReader(stream)
        return {row["recipe"]: row["accuracy"] for row in rows if row["arithmetic"] != "int8"}


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
