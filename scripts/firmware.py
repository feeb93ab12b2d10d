#!/usr/bin/env python
"""Run generated C on an emulated Cortex-M, compare every layer, and report what it needs.

Compiles network.c with arm-none-eabi-gcc and runs it in qemu-system-arm, bare, on golden vectors.
Every layer, the logits and the label are compared with the reference. Reported are flash and RAM,
of network.c alone and of the image, the stack of an inference, and the instructions of one, exact
to a tick of the board's clock; beside them the instructions of one on this machine, counted by
valgrind, and with --tflite what TFLite Micro takes for the same network here.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.table import Table

from golden import files, reference
from golden.comparison import Comparison, compare
from golden.exports.cases import read_cases
from golden.exports.evidence import json_bytes
from golden.importers.tflite_file import read_tflite
from golden.importers.tflite_network import ImportedNetwork, import_tflite
from golden.network import IntegerNetwork
from golden.reference import Integers
from scripts.benchmarking.instructions import c_instructions, expect_valgrind, tflite_micro_usage
from scripts.console.command_line import Parser, run_command
from scripts.console.progress import progress_bar, say, show_table
from scripts.cortex_m.emulation import BOARDS, emulate, expect_tools, network_sizes

EXAMPLE = (
    "scripts/firmware.py --network weights/NAME/network.npz --cases golden/vectors/NAME/cases.npz"
)
OPTIMISATIONS = ("-Os", "-O2")
HOST_COMPILERS = ("gcc", "clang")
HOST_OPTIMISATION = "-O2"
HOST_INPUTS = 4  # as valgrind is slow, and inputs hardly change the count

Row = dict[str, object]


def main() -> None:
    flags = parse_flags()
    expect_tools()
    expect_valgrind()
    network = IntegerNetwork.load(flags.network)
    inputs = read_cases(flags.cases, network).fingerprints[: flags.count]
    steps: list[Callable[[], Row]] = [
        *(partial(measured, network, inputs, flags.cpu, level) for level in OPTIMISATIONS),
        *(partial(counted, network, inputs[:HOST_INPUTS], name) for name in HOST_COMPILERS),
    ]
    if flags.tflite is not None:
        imported = imported_as(network, flags.tflite)
        steps.append(lambda: asdict(tflite_micro_usage(imported, inputs[:HOST_INPUTS])))
    say(f"network     {network.digest}")
    rows = []
    with progress_bar("firmware") as progress:
        for done, step in enumerate(steps):
            progress(done, len(steps))
            rows.append(step())
        progress(len(steps), len(steps))
    builds, host = rows[: len(OPTIMISATIONS)], rows[len(OPTIMISATIONS) :][: len(HOST_COMPILERS)]
    (micro,) = rows[len(OPTIMISATIONS) + len(HOST_COMPILERS) :] or [None]
    show(flags.cpu, builds, host, micro)
    content = {
        "network_digest": network.digest,
        "cpu": flags.cpu,
        "builds": builds,
        "host": host,
        "tflite_micro": micro,
    }
    files.write_bytes(flags.output_dir / "firmware.json", json_bytes(content))
    say(f"results in  {flags.output_dir / 'firmware.json'}")


def parse_flags() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--network", type=Path, required=True, help="network file (network.npz)")
    add("--cases", type=Path, required=True, help="golden vectors of it (cases.npz)")
    add("--cpu", choices=list(BOARDS), default="cortex-m4", help="processor")
    add("--count", type=int, default=20, help="how many of the vectors to run")
    add("--tflite", type=Path, help="the model that it was imported from, for TFLite Micro")
    add("--output_dir", type=Path, default=Path("work/firmware"), help="where the results go")
    flags = parser.parse_args()
    if flags.count < 1:
        parser.error(f"--count: expected 1 or more, got {flags.count}")
    return flags


def imported_as(network: IntegerNetwork, path: Path) -> ImportedNetwork:
    """Import the model that a network was imported from.

    Raises ValueError, naming the file, for one that another network comes of.
    """
    try:
        imported = import_tflite(read_tflite(path), network.labels, network.rounding)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if imported.network.digest != network.digest:
        raise ValueError(
            f"{path}: expected the model of network {network.digest}, "
            f"got that of {imported.network.digest}"
        )
    return imported


def measured(
    network: IntegerNetwork, inputs: npt.NDArray[np.int8], cpu: str, optimisation: str
) -> Row:
    """Compare two images, one that keeps every layer and one that does not; return the figures."""
    with_layers = emulate(network, inputs, cpu, optimisation, keeps_layers=True)
    plain = emulate(network, inputs, cpu, optimisation, keeps_layers=False)
    compared = compare_with_reference(network, inputs, with_layers.layers)
    compare_with_reference(network, inputs, plain.layers)
    sizes = network_sizes(network, cpu, optimisation)
    return {
        "optimisation": optimisation,
        "flash_bytes": sizes.flash,
        "ram_bytes": sizes.ram,
        "image_flash_bytes": plain.image.flash,
        "image_ram_bytes": plain.image.ram,
        "stack_bytes": plain.stack,
        "instructions": int(np.median(plain.instructions)),
        "inputs": len(inputs),
        "values_compared": compared.total,
        "mismatches": 0,
    }


def counted(network: IntegerNetwork, inputs: npt.NDArray[np.int8], compiler: str) -> Row:
    """Count instructions on this machine, and compare logits and labels."""
    layers, instructions = c_instructions(network, inputs, compiler, HOST_OPTIMISATION)
    compare_with_reference(network, inputs, layers)
    return {
        "compiler": compiler,
        "optimisation": HOST_OPTIMISATION,
        "instructions": instructions,
        "inputs": len(inputs),
    }


def compare_with_reference(
    network: IntegerNetwork, inputs: npt.NDArray[np.int8], found: Mapping[str, Integers]
) -> Comparison:
    """Compare the layers that were found. Raises Mismatch at the first difference."""
    expected = reference.run(network, inputs)
    layers = {**expected.layers, "label": expected.label_indices}
    return compare({name: layers[name] for name in found}, found, batched=True)


def show(cpu: str, builds: list[Row], host: list[Row], micro: Row | None) -> None:
    table = Table(title=f"network.c on a {cpu}: bytes, and instructions an inference")
    table.add_column("build")
    shown = ("flash", "ram", "image_flash", "image_ram", "stack")
    for heading in (*shown, "instructions"):
        table.add_column(heading.replace("_", " "), justify="right")
    for row in builds:
        figures = (row[f"{name}_bytes"] for name in shown)
        numbers = (f"{number:,}" for number in (*figures, row["instructions"]))
        table.add_row(str(row["optimisation"]), *numbers)
    show_table(table)
    for row in builds:
        say(
            f"compared    {row['optimisation']} with golden.reference: "
            f"{row['values_compared']:,} values of {row['inputs']} inputs, 0 mismatches"
        )
    for row in host:
        say(
            f"host        {row['compiler']} {row['optimisation']}: "
            f"{row['instructions']:,} instructions an inference"
        )
    if micro is not None:
        say(
            f"host        TFLite Micro: {micro['instructions']:,} instructions an inference, "
            f"model {micro['model_bytes']:,} bytes, arena {micro['arena_bytes']:,}, "
            f"{micro['arena_head_bytes']:,} of them activations"
        )


if __name__ == "__main__":
    run_command(main)
