"""Compare a network on every rung of the verification ladder, from its checkpoint to its netlist.

Runs the clips that the checkpoint carries through the Keras forward pass, the integer reference,
the compiled C program, the RTL in Icarus and Verilator, and the netlist that Yosys makes of it,
compares each with the reference without tolerance, and writes evidence.json: the digests of
everything that was run, the versions of the tools, and how many values were compared. All but the
netlist also get the witnesses of the proven ranges, where they are stored: inputs that drive every
signal to its extremes. The first difference ends it: exit status 1.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

from dataflow.hardware.accelerator import accelerator_of
from scripts.console.flags import add_widths_flag
from scripts.console.quiet_tensorflow import quiet_stderr

with quiet_stderr():
    import tensorflow  # noqa: F401

import numpy as np
import numpy.typing as npt
from rich.table import Table

from dataflow.hardware.accelerator import Accelerator
from dataflow.hardware.build_folder import accelerator_files, write_accelerator
from dataflow.proof.proven_ranges import ProvenRanges
from dataflow.proof.range_store import choose_ranges, find_proven_ranges
from golden import dump, files, reference
from golden.c_program import inference_program
from golden.dump import Comparison
from golden.evidence import Rung, evidence_bytes, package_versions
from golden.export import check_export
from golden.network import IntegerNetwork
from quant_models.checkpoint import Checkpoint, load_checkpoint
from quant_models.evaluation import Verifier
from scripts.console.command_line import Parser, comma_separated, run_command
from scripts.console.places import RTL_FOLDER
from scripts.console.progress import CONSOLE, say
from scripts.simulation.accelerator_simulation import AcceleratorSimulator
from scripts.simulation.c_inference import run_c
from scripts.simulation.rtl_comparison import Mismatch, check
from scripts.simulation.witness_replay import print_accumulators, replay
from scripts.synthesis import ice40, netlist_simulation
from scripts.synthesis.netlist_simulation import NetlistSimulator
from scripts.synthesis.yosys import tool_versions, top_design

EXAMPLE = "scripts/verify.py weights/NAME/NAME.npz"
PACKAGES = ("keras", "numpy", "tensorflow-cpu")
TOOLS = ("cc", "iverilog", "verilator", "yosys")
REFERENCE = "golden.reference"


@dataclass(frozen=True, eq=False)
class Subject:
    """What is verified: the checkpoint, its network, the clips, and where to build.

    `proven` are the stored ranges of the network, if there are any.
    """

    checkpoint: Checkpoint
    verifier: Verifier
    folder: Path
    proven: ProvenRanges | None = None

    @property
    def network(self) -> IntegerNetwork:
        return self.verifier.network

    @property
    def clips(self) -> npt.NDArray[np.int8]:
        return self.checkpoint.cases

    @property
    def inputs(self) -> dict[str, npt.NDArray[np.int8]]:
        """All that is run, by what a rung's name says of it."""
        witnesses = {} if self.proven is None else {", witnesses": self.proven.fingerprints}
        return {"": self.clips, **witnesses}


def main() -> None:
    """Parse, climb the ladder, write the evidence."""
    flags = _parse()
    checkpoint = load_checkpoint(flags.checkpoint)
    name = checkpoint.name.removesuffix(".npz")
    folder = flags.output_dir or Path("work/verification") / name
    network = checkpoint.network()
    stored = find_proven_ranges(flags.checkpoint, network)
    subject = Subject(checkpoint, Verifier(checkpoint), folder, stored and stored[0])
    say(f"network {network.digest}")
    _check_stored_export(
        subject, flags.checkpoint.parent, flags.vectors_dir or Path("golden/vectors") / name
    )
    chosen = choose_ranges(flags.checkpoint, network, flags.widths, flags.cases)
    say(f"widths  {chosen.origin}")
    accelerators = [accelerator_of(network, chosen, config) for config in flags.configs]
    rungs: list[Rung] = []
    artefacts: dict[str, bytes] = {checkpoint.name: checkpoint.to_bytes(), **_sources()}
    try:
        for title, climb in _ladder(subject, accelerators, flags, artefacts):
            with CONSOLE.status(title):
                rungs.append(climb())
            counts = rungs[-1].comparison
            say(f"  {rungs[-1].name:<36} {counts.clips:>6,} clips {counts.total:>12,} values")
    except (Mismatch, dump.LayerMismatch) as error:
        say(f"MISMATCH: {error}")
        raise SystemExit(1) from None
    versions = {**package_versions(PACKAGES), **tool_versions(*TOOLS)}
    evidence = evidence_bytes(subject.network.digest, artefacts, rungs, versions)
    files.write_bytes(folder / "evidence.json", evidence)
    _print(rungs)
    say(f"Evidence: {folder / 'evidence.json'}")


def _parse() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("checkpoint", type=Path, help="checkpoint of train.py")
    add(
        "--configs",
        type=comma_separated,
        default=("small", "balanced", "fast"),
        help="configurations of the RTL, by name",
    )
    add_widths_flag(parser)
    add("--cases", type=Path, help="golden cases, for --widths observed")
    add("--icarus_clips", type=int, default=4, help="clips in Icarus, which is slow")
    add("--netlist_clips", type=int, default=100, help="clips through each netlist")
    add("--vectors_dir", type=Path, help="vectors of the export (default: golden/vectors/<name>)")
    add("--output_dir", type=Path, help="evidence (default: work/verification/<name>)")
    flags = parser.parse_args()
    for name in ("icarus_clips", "netlist_clips"):
        if getattr(flags, name) < 1:
            parser.error(f"--{name}: expected at least 1, got {getattr(flags, name)}")
    return flags


def _ladder(
    subject: Subject,
    accelerators: list[Accelerator],
    flags: argparse.Namespace,
    artefacts: dict[str, bytes],
) -> Iterator[tuple[str, Callable[[], Rung]]]:
    """Yield the rungs from below, each with what to show while it runs."""
    for what in subject.inputs:
        yield f"Keras forward pass{what}", partial(_keras, subject, what)
    artefacts["network.c"] = inference_program(subject.network).encode()
    for what in subject.inputs:
        yield f"compiled C{what}", partial(_c, subject, what)
    if subject.proven is not None:
        artefacts["proven_ranges.npz"] = subject.proven.to_bytes()
    for accelerator in accelerators:
        name = accelerator.configuration.name
        texts = accelerator_files(accelerator)
        artefacts |= {f"{name}/{file}": text.encode() for file, text in texts.items()}
        few, every = flags.icarus_clips, len(subject.clips)
        yield f"RTL {name} in Icarus", partial(_rtl, subject, accelerator, "icarus", few)
        yield f"RTL {name} in Verilator", partial(_rtl, subject, accelerator, "verilator", every)
        if subject.proven is not None:
            yield f"RTL {name}, witnesses", partial(_witnesses, subject.proven, accelerator)
        climb = partial(_netlist, subject, accelerator, flags.netlist_clips, artefacts)
        yield f"netlist {name}", climb


def _keras(subject: Subject, what: str) -> Rung:
    comparison, _ = subject.verifier.compare_all(subject.inputs[what])
    return Rung(f"{REFERENCE}{what}", "Keras forward pass", comparison)


def _c(subject: Subject, what: str) -> Rung:
    clips = subject.inputs[what]
    expected = reference.run(subject.network, clips).layers
    comparison = dump.compare(expected, run_c(subject.network, clips), batched=True)
    return Rung(f"compiled C{what}", REFERENCE, comparison)


def _rtl(subject: Subject, accelerator: Accelerator, simulator: str, clips: int) -> Rung:
    """Compare every stream, and the cycles from answer to answer with the prediction."""
    name = accelerator.configuration.name
    compiled = AcceleratorSimulator(accelerator, simulator)
    comparison = check(compiled, subject.clips[:clips], f"RTL, {simulator}")
    counts = Comparison(comparison.clips, comparison.values)
    return Rung(f"RTL {name}, {simulator}", REFERENCE, counts)


def _witnesses(proven: ProvenRanges, accelerator: Accelerator) -> Rung:
    """Compare every stream on all witnesses, and how far they drive the accumulators."""
    name = accelerator.configuration.name
    compiled = AcceleratorSimulator(accelerator)
    comparison = check(compiled, proven.fingerprints, "RTL, witnesses")
    print_accumulators(replay(compiled, proven), f"{name}: accumulators on the witnesses")
    counts = Comparison(comparison.clips, comparison.values)
    return Rung(f"RTL {name}, verilator, witnesses", REFERENCE, counts)


def _netlist(
    subject: Subject, accelerator: Accelerator, clips: int, artefacts: dict[str, bytes]
) -> Rung:
    """Synthesise for the iCE40 and compare the output stream, all a netlist shows."""
    name = accelerator.configuration.name
    folder = subject.folder / name
    write_accelerator(accelerator, folder)
    ice40.synthesise(top_design(folder))
    artefacts[f"{name}/{ice40.NETLIST}.v"] = (folder / f"{ice40.NETLIST}.v").read_bytes()
    simulator = NetlistSimulator(accelerator, netlist_simulation.ICE40, folder)
    comparison = check(simulator, subject.clips[:clips], "netlist")
    counts = Comparison(comparison.clips, comparison.values)
    return Rung(f"netlist {name}, iCE40", REFERENCE, counts)


def _check_stored_export(subject: Subject, weights: Path, vectors: Path) -> None:
    """Raise ValueError if an export beside the checkpoint is not of this network."""
    if not (weights / "manifest.json").is_file():
        return
    digest = check_export(weights, vectors)
    if digest != subject.network.digest:
        raise ValueError(
            f"{weights}: expected an export of network {subject.network.digest}, got {digest}"
        )
    say(f"export  {weights}, {vectors}: every file is what its manifest says")


def _sources() -> dict[str, bytes]:
    return {f"rtl_ref/{path.name}": path.read_bytes() for path in sorted(RTL_FOLDER.glob("*.v"))}


def _print(rungs: list[Rung]) -> None:
    table = Table(title="the reference equals Keras, and every other rung the reference")
    table.add_column("rung", no_wrap=True)
    for heading in ("clips", "values", "mismatches"):
        table.add_column(heading, justify="right")
    for rung in rungs:
        counts = rung.comparison
        table.add_row(rung.name, f"{counts.clips:,}", f"{counts.total:,}", "0")
    CONSOLE.print(table)


if __name__ == "__main__":
    run_command(main)
