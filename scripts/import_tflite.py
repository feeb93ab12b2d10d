#!/usr/bin/env python
"""Turn an int8 model of TensorFlow Lite into an integer network, check it, and export it.

The network rounds as TFLite Micro does (`tflm`, the default), as LiteRT's reference kernels do
(`litert`), or once everywhere (`single`). What it computes is compared, tensor by tensor, with the
runtime that it follows if that is installed, and with compiled C. The export is that of quant_test
(network.npz, weight.h, network.h, network.c, example_weight.txt, evidence.json, manifest.json;
golden vectors 1.txt 2.txt 3.txt lots_of_case.txt cases.npz), its inputs given ones, then random
ones, each with the network's own answer as its label. The widths are interval bounds:
bit_widths.json, .csv and summary.csv.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dataflow.widths.width_files import width_files
from dataflow.widths.width_report import report
from golden import reference
from golden.comparison import compare
from golden.exports.evidence import Rung, evidence_bytes, package_versions
from golden.exports.export import DUMPED_CLIPS, export_network, write_export
from golden.importers.network_inputs import random_inputs, read_inputs
from golden.importers.tflite_file import read_tflite
from golden.importers.tflite_network import ImportedNetwork, import_tflite
from golden.network import ROUNDING_RULES, IntegerNetwork
from scripts.console.command_line import Parser, comma_separated, run_command
from scripts.console.flags import add_input_flags
from scripts.console.progress import say
from scripts.runtimes.oracles import ORACLES, compare_with_oracle
from scripts.runtimes.packages import MissingRuntimeError
from scripts.runtimes.participants import run_apart
from scripts.simulation.c_inference import run_c

EXAMPLE = "scripts/import_tflite.py keyword_spotting.tflite --output_dir work/keyword_spotting"
REFERENCE = "golden.reference"


def main() -> None:
    flags = parse_flags()
    vectors_dir = flags.vectors_dir or flags.output_dir / "vectors"
    for folder in (flags.output_dir, vectors_dir):
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder}: expected a folder, found a file")
    model = read_tflite(flags.model)
    try:
        imported = import_tflite(model, flags.labels, flags.rounding)
    except ValueError as error:
        raise ValueError(f"{flags.model}: {error}") from None
    network = imported.network
    describe(flags.model, imported)
    inputs = chosen_inputs(flags, network)
    rungs, packages = compared(imported, inputs)
    export(
        network, inputs, rungs, packages, flags.output_dir, vectors_dir, overwrite=flags.overwrite
    )
    say(f"export      {flags.output_dir}, {vectors_dir}")


def parse_flags() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("model", type=Path, help="int8 model, a .tflite file")
    add("--output_dir", type=Path, required=True, help="folder of the export")
    add("--vectors_dir", type=Path, help="folder of the vectors (default: vectors in OUTPUT_DIR)")
    add("--overwrite", action="store_true", help="replace an export of another network there")
    add("--rounding", choices=ROUNDING_RULES, default="tflm", help="whose arithmetic to take over")
    add(
        "--labels",
        type=comma_separated,
        help="one for each output, separated by commas (default: the file's, or label_0 and on)",
    )
    add_input_flags(parser, count=20)
    return parser.parse_args()


def describe(path: Path, imported: ImportedNetwork) -> None:
    """Print what was read, and what was left out."""
    network = imported.network
    say(f"model       {path}: {len(imported.model.operators)} operators")
    say(f"network     {network.digest}, {len(network.nodes)} nodes, rounding {network.rounding}")
    for operator in imported.left_out:
        say(f"left out    {operator}: keeps the order of the logits, and only that matters")


def chosen_inputs(flags: argparse.Namespace, network: IntegerNetwork) -> npt.NDArray[np.int8]:
    """Return the given inputs, if any, and random ones behind them."""
    drawn = random_inputs(network, flags.count, flags.seed)
    if flags.inputs is None:
        return drawn
    return np.concatenate([read_inputs(flags.inputs, network), drawn])


def compared(
    imported: ImportedNetwork, inputs: npt.NDArray[np.int8]
) -> tuple[list[Rung], list[str]]:
    """Compare with the runtime and with compiled C; return also whose versions count."""
    rungs, packages = [], ["numpy"]
    rounding = imported.network.rounding
    if rounding in ORACLES:
        try:
            rungs.append(compare_with_oracle(imported, inputs, rounding, run_apart))
            packages.append(ORACLES[rounding][1])
        except (MissingRuntimeError, ValueError) as error:
            say(f"compared    {error}")
    else:
        say(f"compared    no runtime follows the rule {rounding} in every value")
    rungs.append(compiled_c(imported.network, inputs))
    for rung in rungs:
        say(
            f"compared    {rung.name} with {rung.against}: {rung.comparison.total:,} values of "
            f"{rung.comparison.clips} inputs, 0 mismatches"
        )
    return rungs, packages


def compiled_c(network: IntegerNetwork, inputs: npt.NDArray[np.int8]) -> Rung:
    """The generated C, as a microcontroller compiles it: every layer, and the label."""
    expected = reference.run(network, inputs)
    layers = {**expected.layers, "label": expected.label_indices}
    return Rung("compiled C", REFERENCE, compare(layers, run_c(network, inputs), batched=True))


def export(
    network: IntegerNetwork,
    inputs: npt.NDArray[np.int8],
    rungs: list[Rung],
    packages: list[str],
    output_dir: Path,
    vectors_dir: Path,
    *,
    overwrite: bool,
) -> None:
    """Write everything together: the network, its vectors, its widths and what was compared."""
    answers = reference.run(network, inputs).label_indices
    dumped = [clip for clip in DUMPED_CLIPS if clip < len(inputs)]
    exported = export_network(network, inputs, answers, dumped)
    evidence = evidence_bytes(
        exported.network_digest, exported.artefacts, rungs, package_versions(packages)
    )
    widths = width_files(report(network))
    extra = {**widths, "evidence.json": evidence}
    write_export(exported, output_dir, vectors_dir, extra, overwrite=overwrite)


if __name__ == "__main__":
    run_command(main)
