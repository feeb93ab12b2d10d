"""Report how many bits every multiplier, adder and register of an integer network needs.

Widths follow from proven bounds: no input leaves them, and witness inputs show how near they are.
The first run on a network proves them, which takes minutes; later runs find them stored, beside the
network or in work/cache/proven_ranges. Where the time for the proof is over, and where a layer is
too deep, interval bounds stand in their place; the table names the method of each signal. What was
observed on clips or golden cases stands beside them, and no width ever follows from it.

Writes bit_widths.json (read by programs), bit_widths.csv (the same, without single channels),
summary.csv (for the designer's spreadsheet), and golden cases of inputs that no clip replaces: the
witnesses (witnesses.npz, witnesses.csv), and ties of the largest logit (ties.npz). With data or
--figures it also draws all ranges of each signal; those of networks of many layers only with
--figures, without it an overview.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy.typing as npt
from rich.table import Table

from dataflow.proof.proven_ranges import Budget, ProvenRanges
from dataflow.proof.range_store import find_proven_ranges, store_proven_ranges
from dataflow.proof.witness_vectors import witness_cases, witness_text
from dataflow.widths.width_files import width_files
from dataflow.widths.width_report import WidthReport, report
from golden import files
from golden.exports.cases import Cases, read_cases
from golden.exports.ties import FILE_NAME as TIES_FILE
from golden.exports.ties import count_text, ties_of
from golden.network import FeatureSettings, InputFormat, IntegerNetwork
from scripts.console import report_tables as tables
from scripts.console.command_line import Parser, require_exclusive, run_command
from scripts.console.places import network_name
from scripts.console.progress import show_table

TABLE_COLUMNS = 120  # to which headings are wrapped
DRAWN_LAYERS = 8  # of networks of more layers, which take long to draw, only an overview is drawn
READ_CLIPS = 256  # clips read and turned into fingerprints at a time


def main() -> None:
    """Parse, prove, compute, print, write."""
    flags = _parse()
    network = IntegerNetwork.load(flags.network)
    batches = _batches(network, flags.cases, flags.data_dir)
    folder = flags.output_dir or Path("work/bitwidths") / network_name(flags.network)
    vectors = flags.vectors_dir or folder
    ties = ties_of(network, vectors)  # before the proof, so that foreign ones are refused at once
    proven, origin = _proven_ranges(flags, network)
    made = report(network, proven, batches)
    contents = _files(made, flags.figures)
    paths = {folder / name: content for name, content in contents.items()}
    inputs = _inputs(made, ties)
    paths |= {vectors / name: content for name, content in inputs.items()}
    files.write_together(paths)
    _print_report(flags.network, origin, made)
    print(f"Golden cases: {count_text(network, ties)}")
    print(f"Written to {folder}: {', '.join(contents)}")
    if inputs:
        print(f"Written to {vectors}: {', '.join(inputs)}")


def _parse() -> argparse.Namespace:
    parser = Parser(
        __doc__,
        "scripts/bitwidths.py weights/NAME/network.npz --cases golden/vectors/NAME/cases.npz",
    )
    add = parser.add_argument
    add("network", type=Path, help="the network file")
    add("--cases", type=Path, help="golden cases to observe signals on")
    add("--data_dir", type=Path, nargs="+", help="folders of clips to observe signals on")
    add("--figures", action="store_true", help="draw the ranges without data, too, of all layers")
    add(
        "--output_dir",
        type=Path,
        help="where the files go; without it work/bitwidths/<name of the network>",
    )
    add("--vectors_dir", type=Path, help="where the golden cases go; without it to the other files")
    add("--interval_only", action="store_true", help="prove nothing: interval bounds alone")
    add(
        "--prove_again",
        action="store_true",
        help="prove although ranges are stored, and store the new ones in their place",
    )
    add = parser.add_argument_group("proof, where nothing is stored").add_argument
    usual = Budget()
    add(
        "--proof_seconds",
        type=float,
        help="time for the whole proof, after which interval bounds stand for what is left; "
        "without it 90 where layers are too deep for programs, elsewhere as long as it takes",
    )
    add("--solve_seconds", type=float, default=usual.seconds, help="time for one integer program")
    add(
        "--search_rounds",
        type=int,
        default=usual.rounds,
        help="how long witnesses are searched for",
    )
    add("--workers", type=int, default=usual.workers, help="processes at work")
    flags = parser.parse_args()
    _check(parser, flags)
    return flags


def _check(parser: Parser, flags: argparse.Namespace) -> None:
    """Refuse limits that allow no work, and flags that contradict each other."""
    limits = {"proof_seconds": 1, "solve_seconds": 1, "search_rounds": 0, "workers": 1}
    for name, lowest in limits.items():
        value = getattr(flags, name)
        if value is not None and not value >= lowest:  # so that nan is refused, too
            parser.error(f"--{name}: expected at least {lowest}, got {value}")
    for names in (("cases", "data_dir"), ("interval_only", "prove_again")):
        require_exclusive([(f"--{name}", bool(getattr(flags, name))) for name in names])


def _proven_ranges(
    flags: argparse.Namespace, network: IntegerNetwork
) -> tuple[ProvenRanges | None, str]:
    """Return proven ranges, stored or made now, and a line on where they come from."""
    if flags.interval_only:
        return None, "Interval bounds alone, nothing proven (--interval_only)."
    stored = None if flags.prove_again else find_proven_ranges(flags.network, network)
    if stored is not None:
        origin = f"Proven ranges: {stored[1]} (--prove_again makes new ones)"
        return stored[0], origin + _cut_text(stored[0])
    start = time.monotonic()
    proven = _prove(flags, network)
    path = store_proven_ranges(flags.network, proven)
    origin = f"Proven in {time.monotonic() - start:,.1f} s, stored as {path}"
    return proven, origin + _cut_text(proven)


def _cut_text(proven: ProvenRanges) -> str:
    if proven.stopped_after is None:
        return ""
    return (
        f"\nThe time for the proof, {proven.stopped_after:g} s, was over before its end "
        "(--proof_seconds): what was left has interval bounds."
    )


def _prove(flags: argparse.Namespace, network: IntegerNetwork) -> ProvenRanges:
    # Imported here: the solver takes longer to load than a report of stored ranges takes.
    from dataflow.proof.range_prover import prove_ranges, usual_seconds
    from scripts.console.progress import Bar, progress_bar

    seconds = usual_seconds(network) if flags.proof_seconds is None else flags.proof_seconds
    budget = Budget(flags.solve_seconds, flags.search_rounds, flags.workers, seconds)
    with ExitStack() as stage:
        bar: Bar | None = None

        def show(title: str, done: int, total: int) -> None:
            nonlocal bar
            if done == 0 or bar is None:  # a stage begins
                stage.close()
                bar = stage.enter_context(progress_bar(title))
            bar(done, total)

        return prove_ranges(network, budget=budget, progress=show)


def _batches(
    network: IntegerNetwork, cases: Path | None, data_dirs: Sequence[Path] | None
) -> Iterator[npt.NDArray[Any]] | None:
    """Return batches of fingerprints, or None without data."""
    if cases is not None:
        return iter([read_cases(cases, network).fingerprints])
    return None if data_dirs is None else _fingerprints_of(network, data_dirs)


def _fingerprints_of(
    network: IntegerNetwork, data_dirs: Sequence[Path]
) -> Iterator[npt.NDArray[Any]]:
    settings, where = network.features, ", ".join(map(str, data_dirs))
    if settings is None or network.input_format != InputFormat():
        raise ValueError(
            f"{where}: expected no clips for a network that does not say how they become "
            "inputs; --cases takes inputs"
        )
    # Imported here and below: without audio the command starts in a tenth of the time.
    from quant_models.sound_files import find_sound
    from quant_models.speech_commands import BACKGROUND_FOLDER

    found = [path for folder in data_dirs for path in find_sound(folder).sounds]
    paths = [path for path in found if BACKGROUND_FOLDER not in path.parts]
    if not paths:
        raise ValueError(f"{where}: expected a folder of clips, found no audio file")
    return _read_fingerprints(settings, paths)


def _read_fingerprints(
    settings: FeatureSettings, paths: Sequence[Path]
) -> Iterator[npt.NDArray[Any]]:
    import numpy as np

    from quant_models.audio import read_clip
    from quant_models.features import fingerprints

    for start in range(0, len(paths), READ_CLIPS):
        clips = [
            read_clip(path, settings.sample_rate_hz, settings.clip_samples)
            for path in paths[start : start + READ_CLIPS]
        ]
        yield fingerprints(np.stack(clips), settings)


def _files(made: WidthReport, figures: bool) -> dict[str, bytes]:
    """Return the contents of the files by their names."""
    contents = width_files(made)
    if figures or made.observation is not None:
        contents |= _figures(made, all_layers=figures or len(made.widths) <= DRAWN_LAYERS)
    return contents


def _inputs(made: WidthReport, ties: Cases) -> dict[str, bytes]:
    """Return the golden cases of a proof, their list, and ties, by the names of the files."""
    contents = {TIES_FILE: ties.to_bytes()} if len(ties.fingerprints) else {}
    if made.proven is None:
        return contents
    return {
        **contents,
        "witnesses.npz": witness_cases(made.network, made.proven).to_bytes(),
        "witnesses.csv": witness_text(made.proven).encode(),
    }


def _figures(made: WidthReport, all_layers: bool) -> dict[str, bytes]:
    # Imported here: matplotlib takes its time, and not every report draws.
    from dataflow.widths.width_figures import layer_figure, overview_figure

    drawn = dict.fromkeys(signal.layer for signal in made.signals.values()) if all_layers else ()
    layers = {f"{layer}.png": layer_figure(made, layer) for layer in drawn}
    return {"overview.png": overview_figure(made)} | layers


def _print_report(network: Path, origin: str, made: WidthReport) -> None:
    parts: list[str | Table] = [
        f"Bit widths of {network}\n{origin}\n",
        *(tables.width_table(made), f"{tables.WIDTH_NOTE}\n"),
        tables.range_table(made),
        *([rounded] if (rounded := tables.rounded_text(made)) else []),
    ]
    if made.proven is not None:
        parts += [tables.RANGE_NOTE, f"\n{tables.certificate_text(made)}"]
        parts += [f"\n{tables.open_text(made)}"]
    parts.append("")
    if made.observation is not None:
        parts += [tables.assumption_text(made), tables.data_table(made), f"{tables.DATA_NOTE}\n"]
    parts += [tables.accumulator_table(made), f"{tables.ACCUMULATOR_NOTE}\n"]
    if made.proven is not None:
        parts += ["Published formulas, audited", tables.audit_table(made), tables.AUDIT_NOTE]
        parts.append(f"{tables.overflow_text(made)}\n")
    for part in parts:
        if isinstance(part, str):
            print(part)  # as it is: paths are not wrapped
        else:
            show_table(part, TABLE_COLUMNS)


if __name__ == "__main__":
    run_command(main)
