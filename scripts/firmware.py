#!/usr/bin/env python
"""Run generated C on an emulated Cortex-M, compare every layer, and report what it needs.

Compiles network.c with arm-none-eabi-gcc and runs it in qemu-system-arm, bare, on golden vectors.
Every layer, the logits and the label are compared with the reference. Reported are flash and RAM of
network.c alone, the stack of an inference, and the instructions of one, exact to 40.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.table import Table

from golden import files, reference
from golden.comparison import Comparison, compare
from golden.exports.cases import read_cases
from golden.exports.evidence import json_bytes
from golden.network import IntegerNetwork
from scripts.console.command_line import Parser, run_command
from scripts.console.progress import CONSOLE, progress_bar, say
from scripts.cortex_m.emulation import BOARDS, emulate, expect_tools, network_sizes

EXAMPLE = (
    "scripts/firmware.py --network weights/NAME/network.npz --cases golden/vectors/NAME/cases.npz"
)
OPTIMISATIONS = ("-Os", "-O2")


def main() -> None:
    flags = parse_flags()
    expect_tools()
    network = IntegerNetwork.load(flags.network)
    inputs = read_cases(flags.cases, network).fingerprints[: flags.count]
    say(f"network     {network.digest}")
    rows = []
    with progress_bar("firmware") as progress:
        for done, optimisation in enumerate(OPTIMISATIONS):
            progress(done, len(OPTIMISATIONS))
            rows.append(measured(network, inputs, flags.cpu, optimisation))
        progress(len(OPTIMISATIONS), len(OPTIMISATIONS))
    show(rows, flags.cpu)
    content = {"network_digest": network.digest, "cpu": flags.cpu, "builds": rows}
    files.write_bytes(flags.output_dir / "firmware.json", json_bytes(content))
    say(f"results in  {flags.output_dir / 'firmware.json'}")


def parse_flags() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--network", type=Path, required=True, help="network file (network.npz)")
    add("--cases", type=Path, required=True, help="golden vectors of it (cases.npz)")
    add("--cpu", choices=list(BOARDS), default="cortex-m4", help="processor")
    add("--count", type=int, default=20, help="how many of the vectors to run")
    add("--output_dir", type=Path, default=Path("work/firmware"), help="where the results go")
    flags = parser.parse_args()
    if flags.count < 1:
        parser.error(f"--count: expected 1 or more, got {flags.count}")
    return flags


def measured(
    network: IntegerNetwork, inputs: npt.NDArray[np.int8], cpu: str, optimisation: str
) -> dict[str, object]:
    """Compare two images, one that keeps every layer and one that does not; return the figures."""
    with_layers = emulate(network, inputs, cpu, optimisation, keeps_layers=True)
    plain = emulate(network, inputs, cpu, optimisation, keeps_layers=False)
    expected = reference.run(network, inputs)
    layers = {**expected.layers, "label": expected.label_indices}
    compared: Comparison = compare(layers, with_layers.layers, batched=True)
    ends = {name: layers[name] for name in plain.layers}
    compare(ends, plain.layers, batched=True)
    sizes = network_sizes(network, cpu, optimisation)
    return {
        "optimisation": optimisation,
        "flash_bytes": sizes.flash,
        "ram_bytes": sizes.ram,
        "stack_bytes": plain.stack,
        "instructions": int(np.median(plain.instructions)),
        "inputs": len(inputs),
        "values_compared": compared.total,
        "mismatches": 0,
    }


def show(rows: list[dict[str, object]], cpu: str) -> None:
    table = Table(title=f"network.c on a {cpu}")
    table.add_column("build")
    shown = ("flash_bytes", "ram_bytes", "stack_bytes", "instructions")
    for heading in shown:
        table.add_column(heading.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(str(row["optimisation"]), *(f"{row[name]:,}" for name in shown))
    CONSOLE.print(table)
    for row in rows:
        say(
            f"compared    {row['optimisation']} with golden.reference: "
            f"{row['values_compared']:,} values of {row['inputs']} inputs, 0 mismatches"
        )


if __name__ == "__main__":
    run_command(main)
