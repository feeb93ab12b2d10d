#!/usr/bin/env python
"""Say which runtimes of TensorFlow Lite agree on a model, and where the others part from them.

Runs TFLite Micro, LiteRT's reference kernels, its optimised ones and XNNPACK, and our reference by
each of the three rounding rules, on the same inputs: those of a file, or random ones. Every tensor
between input and logits is compared, pair by pair: how many values and labels differ, the first
layer where they part, and with which accumulator. A runtime that is not installed is left out, and
a line says which package brings it.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.box import SIMPLE_HEAD
from rich.table import Table

from golden import files
from golden.exports.evidence import json_bytes
from golden.importers.network_inputs import random_inputs, read_inputs
from golden.importers.tflite_file import read_tflite
from golden.importers.tflite_network import ImportedNetwork, import_tflite
from golden.network import ROUNDING_RULES
from scripts.console.command_line import Parser, run_command
from scripts.console.flags import add_input_flags
from scripts.console.progress import say, show_table
from scripts.runtimes.participants import run_rule, run_runtimes
from scripts.runtimes.partings import Agreement, Parting, agreements

EXAMPLE = "scripts/conformance.py keyword_spotting.tflite --inputs golden/vectors/NAME/cases.npz"
XNNPACK_NOTE = (
    "XNNPACK computes in float: no integer rule reproduces it in every value, and after the first "
    "difference of a value others follow from it."
)


def main() -> None:
    flags = parse_flags()
    model = read_tflite(flags.model)
    try:
        rules = [import_tflite(model, rounding=rule) for rule in ROUNDING_RULES]
    except ValueError as error:
        raise ValueError(f"{flags.model}: {error}") from None
    inputs = chosen_inputs(flags, rules[0])
    participants, reasons = run_runtimes(rules[0], inputs)
    participants += [run_rule(imported, inputs) for imported in rules]
    found = agreements(rules[0], inputs, participants)
    say(f"{flags.model}: {len(inputs)} inputs, every tensor between input and logits")
    for reason in reasons:
        say(f"left out    {reason}")
    show_table(agreement_table(found))
    print_partings(found)
    say(f"\n{XNNPACK_NOTE}")
    if flags.json is not None:
        files.write_bytes(flags.json, report_json(found, reasons))
        say(f"Written to {flags.json}")


def parse_flags() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    parser.add_argument("model", type=Path, help="int8 model, a .tflite file")
    add_input_flags(parser, count=20)
    parser.add_argument("--json", type=Path, help="write the comparison to this file, too")
    return parser.parse_args()


def chosen_inputs(flags: argparse.Namespace, imported: ImportedNetwork) -> npt.NDArray[np.int8]:
    """Return the inputs of a file, or random ones."""
    if flags.inputs is not None:
        return read_inputs(flags.inputs, imported.network)
    return random_inputs(imported.network, flags.count, flags.seed)


def agreement_table(found: list[Agreement]) -> Table:
    title = f"What differs, of {found[0].values:,} values and {found[0].clips} labels"
    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for heading in ("", "", "from layer"):
        table.add_column(heading, no_wrap=True)
    for heading in ("values", "a million", "labels"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in found:
        table.add_row(
            *each.names,
            "" if each.parting is None else each.parting.layer,
            f"{each.differing:,}",
            f"{1e6 * each.differing / each.values:,.1f}",
            f"{each.labels}",
        )
    return table


def print_partings(found: list[Agreement]) -> None:
    """Print each place where participants part first, and what each of them gets there."""
    places: dict[Parting, dict[int, dict[str, None]]] = {}
    for each in found:
        if each.parting is not None:
            place = dataclasses.replace(each.parting, results=(0, 0), differing=0)
            results = places.setdefault(place, {})
            for name, result in zip(each.names, each.parting.results, strict=True):
                results.setdefault(result, {})[name] = None
    for place, results in places.items():
        say(f"\n{place_text(place)}")
        for result, names in sorted(results.items()):
            say(f"  q = {result}: {', '.join(names)}")


def place_text(parting: Parting) -> str:
    """Say where participants part first, and what they scale there."""
    scaled = parting.accumulator
    text = f"{parting.layer}, {parting.tensor}: first at {parting.place} of input {parting.clip}"
    if scaled is None:
        return text
    return (
        f"{text}, accumulator {scaled.value} * {scaled.multiplier} * 2^({scaled.exponent} - 31)"
        f" = {scaled.product:.8f}"
    )


def report_json(found: list[Agreement], reasons: list[str]) -> bytes:
    return json_bytes({"left_out": reasons, "pairs": [dataclasses.asdict(each) for each in found]})


if __name__ == "__main__":
    run_command(main)
