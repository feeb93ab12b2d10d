"""Compare a network on every rung of the verification ladder, from its checkpoint to its netlist.

Runs the clips that the checkpoint carries through the Keras forward pass, the integer reference,
the compiled C program, the RTL in Icarus and Verilator, and the netlist that Yosys makes of it,
compares each with the reference without tolerance, the label included, and writes evidence.json:
the digests of everything that was run, the versions of the tools, and how many values were
compared. Besides the clips run ties, inputs whose largest logit comes more than once, and where
they are stored the witnesses of the proven ranges, inputs that drive every signal to its extremes.
The first difference ends it: exit status 1. A network that the RTL cannot run is refused before
anything is run; with --software_only Keras, reference and C are compared, and that is all.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from rich.table import Table

from dataflow.hardware.accelerator import SMALL, Accelerator, accelerator_of
from dataflow.hardware.build_folder import accelerator_files, write_accelerator
from dataflow.proof.proven_ranges import ProvenRanges
from dataflow.proof.range_store import choose_ranges, find_proven_ranges
from dataflow.ranges.intervals import magnitude_bound
from golden import files, reference
from golden.c.source import network_header, network_source
from golden.comparison import Comparison, compare, comparing
from golden.exports.evidence import PACKAGES, Rung, evidence_bytes, package_versions
from golden.exports.export import check_export
from golden.exports.ties import FILE_NAME as TIES_FILE
from golden.exports.ties import count_text, ties_of
from golden.network import IntegerNetwork
from quant_models.checkpoint import Checkpoint, load_checkpoint
from quant_models.exactness import FLOAT32_EXACT, exactness_text
from scripts.console.command_line import Parser, comma_separated, run_command
from scripts.console.flags import add_widths_flag
from scripts.console.places import RTL_FOLDER, network_name, stored_vectors
from scripts.console.progress import CONSOLE, say, show_table
from scripts.simulation.accelerator_simulation import AcceleratorSimulator
from scripts.simulation.c_inference import run_c
from scripts.simulation.rtl_comparison import check
from scripts.simulation.witness_replay import print_accumulators, replay
from scripts.synthesis import ice40, netlist_simulation
from scripts.synthesis.netlist_simulation import NetlistSimulator
from scripts.synthesis.yosys import tool_versions, top_design

if TYPE_CHECKING:  # it loads TensorFlow
    from quant_models.evaluation import Verifier

EXAMPLE = "scripts/verify.py weights/NAME/NAME.npz"
TOOLS = ("cc", "iverilog", "verilator", "yosys")
REFERENCE = "golden.reference"
CLIPS, WITNESSES, TIES = "clips", "witnesses", "ties"

Fingerprints = npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Subject:
    """What a rung is given: the checkpoint, all inputs, how many of them slow rungs take.

    `proven` are the stored ranges of the network, if there are any; `folder` is where to build.
    """

    checkpoint: Checkpoint
    verifier: Verifier
    ties: Fingerprints
    proven: ProvenRanges | None
    folder: Path
    icarus_clips: int = 4
    netlist_clips: int = 100

    @property
    def network(self) -> IntegerNetwork:
        return self.verifier.network

    @property
    def inputs(self) -> Mapping[str, Fingerprints]:
        """Everything there is to run."""
        witnesses = {} if self.proven is None else {WITNESSES: self.proven.fingerprints}
        ties = {TIES: self.ties} if len(self.ties) else {}
        return {CLIPS: self.checkpoint.cases, **witnesses, **ties}

    def few_inputs(self, count: int) -> Mapping[str, Fingerprints]:
        """The first clips and ties, as many of each, for what takes its time."""
        return {name: self.inputs[name][:count] for name in (CLIPS, TIES) if name in self.inputs}


@dataclass(frozen=True, eq=False)
class HardwareSubject(Subject):
    """A subject in one configuration of the hardware."""

    accelerator: Accelerator = dataclasses.field(kw_only=True)

    @property
    def name(self) -> str:
        """Name of the configuration."""
        return self.accelerator.configuration.name


# ---- The rungs ---------------------------------------------------------------------------------


def keras_forward_pass(subject: Subject) -> Rung:
    """The reference against what was trained: every layer, and the label."""

    def run(fingerprints: Fingerprints) -> Comparison:
        layers, expected = subject.verifier.compare_all(fingerprints)
        found = subject.verifier.answers(fingerprints)
        return layers.more_layers(compare({"label": expected}, {"label": found}, batched=True))

    return Rung(REFERENCE, "Keras forward pass", _over(subject.inputs, "Keras forward pass", run))


def compiled_c(subject: Subject) -> Rung:
    """The generated C, as a microcontroller compiles it: every layer, and the label."""

    def run(fingerprints: Fingerprints) -> Comparison:
        expected = reference.run(subject.network, fingerprints)
        layers = {**expected.layers, "label": expected.label_indices}
        return compare(layers, run_c(subject.network, fingerprints), batched=True)

    return Rung("compiled C", REFERENCE, _over(subject.inputs, "compiled C", run))


def rtl_in_icarus(design: HardwareSubject) -> Rung:
    """The RTL with unknown bits, which is slow: every stream of a few inputs, and the cycles."""
    simulator = AcceleratorSimulator(design.accelerator, "icarus")
    inputs = design.few_inputs(design.icarus_clips)
    return _simulated(f"RTL {design.name}, icarus", simulator, inputs)


def rtl_in_verilator(design: HardwareSubject) -> Rung:
    """The RTL at full speed: every stream of all inputs, the cycles, how far accumulators go."""
    simulator = AcceleratorSimulator(design.accelerator)
    rung = _simulated(f"RTL {design.name}, verilator", simulator, design.inputs)
    if design.proven is not None:
        reached = replay(simulator, design.proven)
        print_accumulators(reached, f"{design.name}: accumulators on the witnesses")
    return rung


def ice40_netlist(design: HardwareSubject) -> Rung:
    """What Yosys makes of the RTL: the output stream, which is all that a netlist shows."""
    folder = design.folder / design.name
    write_accelerator(design.accelerator, folder)
    ice40.synthesise(top_design(folder))
    simulator = NetlistSimulator(design.accelerator, netlist_simulation.ICE40, folder)
    inputs = design.few_inputs(design.netlist_clips)
    return _simulated(f"netlist {design.name}, iCE40", simulator, inputs)


# The ladder, from below; what computes with the network itself, and what each configuration does.
LADDER: tuple[Callable[[Subject], Rung], ...] = (
    keras_forward_pass,  # rung 1 against 2, golden.reference
    compiled_c,  # rung 3
)
HARDWARE_LADDER: tuple[Callable[[HardwareSubject], Rung], ...] = (
    rtl_in_icarus,  # rung 4
    rtl_in_verilator,  # rung 4
    ice40_netlist,  # rung 5
)


def climb(subject: Subject, designs: list[HardwareSubject]) -> Iterator[Rung]:
    """Climb the whole ladder; Mismatch at the first difference."""
    for step in LADDER:
        with CONSOLE.status(step.__name__):
            yield step(subject)
    for design in designs:
        for hardware_step in HARDWARE_LADDER:
            with CONSOLE.status(f"{hardware_step.__name__}, {design.name}"):
                yield hardware_step(design)


def _over(
    inputs: Mapping[str, Fingerprints], title: str, run: Callable[[Fingerprints], Comparison]
) -> Comparison:
    """Compare all inputs; a mismatch says what was run, and on which of them."""
    total = Comparison(0, {})
    for name, fingerprints in inputs.items():
        with comparing(f"{title}, {name}"):
            total = total.more_clips(run(fingerprints))
    return total


def _simulated(
    name: str,
    simulator: AcceleratorSimulator | NetlistSimulator,
    inputs: Mapping[str, Fingerprints],
) -> Rung:
    return Rung(name, REFERENCE, _over(inputs, name, lambda clips: check(simulator, clips)))


# ---- The command -------------------------------------------------------------------------------


def main() -> None:
    """Parse, climb the ladder, write the evidence."""
    flags = _parse()
    checkpoint = load_checkpoint(flags.checkpoint)
    vectors = flags.vectors_dir or stored_vectors(flags.checkpoint)
    network = checkpoint.network()
    accelerators, hardware = _hardware(flags, network)
    say(f"network {network.digest}")
    _check_stored_export(network, flags.checkpoint.parent, vectors)
    ties = ties_of(network, vectors)
    subject = _subject(flags, checkpoint, ties.fingerprints)
    say(hardware)
    say(f"inputs  {', '.join(f'{len(some):,} {what}' for what, some in subject.inputs.items())}")
    say(f"ties    {count_text(network, ties)}")
    designs = [_design(subject, accelerator) for accelerator in accelerators]
    rungs = []
    for rung in climb(subject, designs):
        counts = rung.comparison
        say(f"  {rung.name:<24} {counts.clips:>6,} clips {counts.total:>12,} values")
        rungs.append(rung)
    say(f"float32 {exactness_text(magnitude_bound(network), subject.verifier.largest_sum)}")
    versions = {**package_versions(PACKAGES), **tool_versions(*(TOOLS if designs else TOOLS[:1]))}
    artefacts = {**_artefacts(subject, designs), TIES_FILE: ties.to_bytes()}
    evidence = evidence_bytes(subject.network.digest, artefacts, rungs, versions)
    files.write_bytes(subject.folder / "evidence.json", evidence)
    _print(rungs)
    say(f"Evidence: {subject.folder / 'evidence.json'}")


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
    add("--software_only", action="store_true", help="leave out RTL and netlists")
    add_widths_flag(parser)
    add("--cases", type=Path, help="golden cases, for --widths observed")
    add("--icarus_clips", type=int, default=4, help="clips, and ties, in Icarus, which is slow")
    add("--netlist_clips", type=int, default=100, help="clips, and ties, through each netlist")
    add("--vectors_dir", type=Path, help="vectors of the export (default: golden/vectors/<name>)")
    add("--output_dir", type=Path, help="evidence (default: work/verification/<name>)")
    flags = parser.parse_args()
    for name in ("icarus_clips", "netlist_clips"):
        if getattr(flags, name) < 1:
            parser.error(f"--{name}: expected at least 1, got {getattr(flags, name)}")
    return flags


def _subject(flags: argparse.Namespace, checkpoint: Checkpoint, ties: Fingerprints) -> Subject:
    import scripts.console.quiet_tensorflow  # noqa: F401
    from quant_models.evaluation import Verifier

    network = checkpoint.network()
    stored = find_proven_ranges(flags.checkpoint, network)
    folder = Path("work/verification") / network_name(flags.checkpoint)
    return Subject(
        checkpoint=checkpoint,
        verifier=Verifier(checkpoint, bounded=magnitude_bound(network) < FLOAT32_EXACT),
        ties=ties,
        proven=stored and stored[0],
        folder=flags.output_dir or folder,
        icarus_clips=flags.icarus_clips,
        netlist_clips=flags.netlist_clips,
    )


def _design(subject: Subject, accelerator: Accelerator) -> HardwareSubject:
    return HardwareSubject(**vars(subject), accelerator=accelerator)


def _hardware(flags: argparse.Namespace, network: IntegerNetwork) -> tuple[list[Accelerator], str]:
    """Return the accelerators to run and a line about them; ValueError if the RTL runs none."""
    reason = _why_no_hardware(network)
    if flags.software_only:
        return [], f"rungs   of the hardware are left out: {reason or '--software_only'}"
    if reason is not None:
        raise ValueError(
            f"{reason} (the RTL cannot run this network; --software_only leaves it out)"
        )
    chosen = choose_ranges(flags.checkpoint, network, flags.widths, flags.cases)
    accelerators = [accelerator_of(network, chosen, text) for text in flags.configs]
    return accelerators, f"widths  {chosen.origin}"


def _why_no_hardware(network: IntegerNetwork) -> str | None:
    """Return what the RTL refuses the network for, or None if it runs it."""
    try:
        Accelerator(network, SMALL)
    except ValueError as error:
        return str(error)
    return None


def _check_stored_export(network: IntegerNetwork, weights: Path, vectors: Path) -> None:
    """Raise ValueError if an export beside the checkpoint is not of this network."""
    if not (weights / "manifest.json").is_file():
        return
    digest = check_export(weights, vectors)
    if digest != network.digest:
        raise ValueError(f"{weights}: expected an export of network {network.digest}, got {digest}")
    say(f"export  {weights}, {vectors}: every file is what its manifest says")


def _artefacts(subject: Subject, designs: list[HardwareSubject]) -> dict[str, bytes]:
    """Return everything that was run, by the names in the evidence; the netlists are built."""
    rtl = sorted(RTL_FOLDER.glob("*.v")) if designs else []
    artefacts = {
        subject.checkpoint.name: subject.checkpoint.to_bytes(),
        "network.c": network_source(subject.network).encode(),
        "network.h": network_header(subject.network).encode(),
        **{f"rtl_ref/{path.name}": path.read_bytes() for path in rtl},
    }
    if subject.proven is not None:
        artefacts["proven_ranges.npz"] = subject.proven.to_bytes()
    for design in designs:
        texts = accelerator_files(design.accelerator)
        artefacts |= {f"{design.name}/{file}": text.encode() for file, text in texts.items()}
        netlist = f"{design.name}/{ice40.NETLIST}.v"
        artefacts[netlist] = (design.folder / netlist).read_bytes()
    return artefacts


def _print(rungs: list[Rung]) -> None:
    table = Table(title="the reference equals Keras, and every other rung the reference")
    table.add_column("rung", no_wrap=True)
    for heading in ("clips", "values", "mismatches"):
        table.add_column(heading, justify="right")
    for rung in rungs:
        counts = rung.comparison
        table.add_row(rung.name, f"{counts.clips:,}", f"{counts.total:,}", "0")
    show_table(table)


if __name__ == "__main__":
    run_command(main)
