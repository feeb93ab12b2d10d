"""Run clips through the accelerator's RTL and compare every value of every layer.

Takes the clips of TEST_DIR (one folder a word), the golden cases of the network and the ties beside
them, or the inputs that drive its signals to their proven extremes, sends them back to back, and
compares the sums of every layer, the values between the layers, the logits and the label with
golden.reference, and the cycles with dataflow.hardware.accelerator_schedule. At a mismatch it names
the first value in time that is wrong, reduces the clip to a few numbers that still show it, and
leaves a waveform around the place; exit status 1.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table

from dataflow.hardware.accelerator import CONFIGURATIONS, accelerator_of
from dataflow.hardware.accelerator_schedule import Schedule, predict
from dataflow.proof.range_store import (
    OBSERVED,
    choose_ranges,
    require_proven_ranges,
)
from golden import files
from golden.comparison import Mismatch
from golden.exports.cases import read_cases
from golden.exports.evidence import json_bytes
from golden.exports.ties import FILE_NAME as TIES_FILE
from golden.exports.ties import ties_of
from golden.network import IntegerNetwork
from quant_models.dataset import read_test_folder
from quant_models.feature_cache import FeatureCache
from quant_models.speech_commands import find_clips
from scripts.console.command_line import Parser, require_exclusive, run_command
from scripts.console.flags import add_widths_flag
from scripts.console.places import RTL_FOLDER, golden_cases, network_name
from scripts.console.progress import CONSOLE, progress_bar, say, show_table
from scripts.simulation.accelerator_simulation import SIMULATORS, AcceleratorSimulator
from scripts.simulation.divergence import Divergence, minimise
from scripts.simulation.rtl_comparison import Simulated, compare, compare_chunk
from scripts.simulation.witness_replay import print_accumulators, replay

EXAMPLE = "scripts/simulate.py --network weights/NAME/network.npz --test_dir speech_commands_test"
WAVE_CYCLES = 200  # before and after the first wrong value


def main() -> None:
    """Parse, simulate, print; exit status 1 at a mismatch."""
    flags = _parse()
    started = time.monotonic()
    network = IntegerNetwork.load(flags.network)
    name = network_name(flags.network)
    cases = flags.cases or golden_cases(flags.network)
    chosen = choose_ranges(flags.network, network, flags.widths, cases)
    accelerator = accelerator_of(network, chosen, flags.config)
    schedule = predict(accelerator)
    fingerprints = _fingerprints(flags, network, cases)
    if not len(fingerprints):
        raise ValueError("clips: expected at least one, got none")
    output = flags.output_dir or Path("work/simulation") / name / accelerator.configuration.name
    with CONSOLE.status(f"compiling the RTL with {flags.simulator}"):
        simulator = AcceleratorSimulator(accelerator, flags.simulator, flags.rtl_dir)
    options = {"gap_percent": flags.gap_percent, "stall_percent": flags.stall_percent}
    with progress_bar("clips") as progress:
        simulated, divergence = compare(simulator, fingerprints, progress, **options)
    if divergence is not None:
        _explain(simulator, fingerprints, divergence, options, flags.waves or output / "waves.fst")
        raise Mismatch(str(divergence))
    if flags.waves is not None:
        tracing = AcceleratorSimulator(accelerator, flags.simulator, flags.rtl_dir, trace=True)
        tracing.run(fingerprints[:2], waves=flags.waves, **options)
        say(f"Waveform of the first clips: {flags.waves}")
    _print(simulated, schedule, flags, time.monotonic() - started)
    say(f"{'widths':<15} {chosen.origin}")
    if flags.witnesses:
        proven = require_proven_ranges(flags.network, network)
        print_accumulators(replay(simulator, proven), "accumulators on the witnesses")
    summary = summary_json(simulated, schedule, flags.simulator, options)
    files.write_bytes(output / "summary.json", summary)
    say(f"Details: {output / 'summary.json'}")


def summary_json(
    simulated: Simulated, schedule: Schedule, simulator: str, options: dict[str, int]
) -> bytes:
    """Return what was compared and the cycles, for other tools. Holds no time of day or speed."""
    configuration = schedule.accelerator.configuration
    return json_bytes(
        {
            "network_digest": schedule.accelerator.network.digest,
            "configuration": asdict(configuration),
            "widths": schedule.accelerator.ranges_origin,
            "simulator": simulator,
            **options,
            "clips": simulated.comparison.clips,
            "values_compared": dict(simulated.comparison.values),
            "values_compared_total": simulated.comparison.total,
            "mismatches": 0,
            "cycles_per_frame": {
                "predicted": schedule.interval,
                "simulated": sorted(simulated.intervals),
            },
            "latency_cycles": {
                "predicted": schedule.latency,
                "simulated": sorted(simulated.latencies),
            },
            "utilisation": schedule.utilisation,
        }
    )


def _parse() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--network", type=Path, required=True, help="the network file")
    add("--test_dir", type=Path, help="clips, one folder a word, instead of the golden cases")
    add("--cases", type=Path, help="golden cases (default: golden/vectors/<name>/cases.npz)")
    add(
        "--witnesses",
        action="store_true",
        help="the witnesses of the proven ranges instead, and how far they drive the accumulators",
    )
    add_widths_flag(parser)
    names = ", ".join(CONFIGURATIONS)
    add(
        "--config",
        default="fast",
        help=f"{names}, or such as conv_1=window,dw_conv=row: what a stage does in a cycle",
    )
    add("--simulator", choices=SIMULATORS, default="verilator", help="which simulator runs")
    add("--rtl_dir", type=Path, default=RTL_FOLDER, help="folder of the Verilog")
    add("--clips", type=int, help="only the first so many clips, and all ties")
    add("--gap_percent", type=int, default=0, help="cycles in which the source pauses")
    add("--stall_percent", type=int, default=0, help="cycles in which the sink stalls")
    add("--waves", type=Path, help="write a waveform to this .fst file")
    add("--output_dir", type=Path, help="summary (default: work/simulation/<name>/<config>)")
    add("--cache_dir", type=Path, default=Path("work/cache"), help="computed features")
    flags = parser.parse_args()
    if flags.clips is not None and flags.clips < 1:
        parser.error(f"--clips: expected at least 1, got {flags.clips}")
    for name in ("gap_percent", "stall_percent"):
        if not 0 <= getattr(flags, name) < 100:
            parser.error(f"--{name}: expected 0 to 99, got {getattr(flags, name)}")
    if flags.waves is not None and flags.waves.suffix != ".fst":
        parser.error(f"--waves: expected a file name that ends in .fst, got {flags.waves}")
    require_exclusive(
        [
            ("--test_dir", flags.test_dir is not None),
            ("--cases", flags.cases is not None and flags.widths != OBSERVED),
            ("--witnesses", flags.witnesses),
        ]
    )
    return flags


def _fingerprints(
    flags: argparse.Namespace, network: IntegerNetwork, cases: Path
) -> npt.NDArray[np.int8]:
    """Return what to run: other words after the words of the labels, ties after golden cases."""
    if flags.witnesses:
        return require_proven_ranges(flags.network, network).fingerprints[: flags.clips]
    if flags.test_dir is None:
        clips = read_cases(cases, network).fingerprints[: flags.clips]
        stored = (cases.parent / TIES_FILE).is_file()
        ties = [ties_of(network, cases.parent).fingerprints] if stored else []
        return np.concatenate([clips, *ties])
    cache = FeatureCache(flags.cache_dir, say)
    with progress_bar("features") as progress:
        found = find_clips([flags.test_dir], 0, 0)
        parts = read_test_folder(found, network.labels, network.features, cache, progress)
    return np.concatenate([part.fingerprints for part in parts])[: flags.clips]


def _explain(
    simulator: AcceleratorSimulator,
    fingerprints: npt.NDArray[np.int8],
    divergence: Divergence,
    options: dict[str, int],
    waves: Path,
) -> None:
    """Reduce the clip, print what is left of it, and write the waveform around the place."""
    context = fingerprints[max(divergence.clip - 1, 0) : divergence.clip + 1]

    def run(clips: npt.NDArray[np.int8]) -> Divergence | None:
        return compare_chunk(simulator, clips, **options)[1]

    shown = next((clips for clips in (context[-1:], context) if run(clips)), None)
    if shown is None:
        say("It does not show with this clip and the one before it alone.")
        return
    with CONSOLE.status("reducing the input"):
        small = minimise(shown[-1], lambda clip: run(np.array([*shown[:-1], clip])) is not None)
    shown = np.array([*shown[:-1], small])
    found = run(shown)
    assert found is not None
    _print_input(small, found, len(shown))
    tracing = AcceleratorSimulator(
        simulator.accelerator, simulator.runner, simulator.rtl_folder, trace=True
    )
    middle = WAVE_CYCLES if found.cycle is None else found.cycle
    traced = range(max(middle - WAVE_CYCLES, 0), middle + WAVE_CYCLES)
    tracing.run(shown, waves=waves, traced=traced, **options)
    say(f"Waveform: {waves}, cycles {traced.start} to {traced.stop}")


def _print_input(small: npt.NDArray[np.int8], divergence: Divergence, clips: int) -> None:
    places = np.argwhere(small)
    say(
        f"Smallest input found: {len(places)} of {small.size} numbers are not 0"
        + (", after the clip before it:" if clips > 1 else ":")
    )
    for place in places[:20]:
        say(f"  fingerprint[{place[0]}][{place[1]}] = {small[tuple(place)]}")
    if len(places) > 20:
        say(f"  and {len(places) - 20} more")
    say(f"With it: {divergence}")


def _print(
    simulated: Simulated, schedule: Schedule, flags: argparse.Namespace, seconds: float
) -> None:
    accelerator = schedule.accelerator
    table = Table(title=f"{accelerator.configuration.name} in {flags.simulator}")
    table.add_column("layer")
    table.add_column("values compared", justify="right")
    table.add_column("mismatches", justify="right")
    for stream, count in simulated.comparison.values.items():
        layer = accelerator.layer_names.get(stream, "logits and label")
        table.add_row(layer, f"{count:,}", "0")
    show_table(table)
    cycles = _span(simulated.intervals)
    free = not flags.gap_percent and not flags.stall_percent
    rows: Sequence[tuple[str, Any]] = (
        ("clips", f"{simulated.comparison.clips:,}"),
        ("values", f"{simulated.comparison.total:,}, 0 mismatches"),
        ("cycles a frame", f"{cycles} (predicted {schedule.interval:,} at full rate)"),
        ("latency", f"{_span(simulated.latencies)} cycles (predicted {schedule.latency:,})"),
        ("utilisation", ", ".join(f"{k} {v:.1%}" for k, v in schedule.utilisation.items())),
        ("time", f"{seconds:.1f} s, features and compiling included"),
    )
    for title, text in rows:
        say(f"{title:<15} {text}")
    if free and (simulated.intervals | {schedule.interval}) != {schedule.interval}:
        raise Mismatch(f"cycles: expected {schedule.interval} a frame, got {cycles}")
    if free and simulated.latencies != {schedule.latency}:
        raise Mismatch(
            f"latency: expected {schedule.latency} cycles, got {_span(simulated.latencies)}"
        )


def _span(numbers: set[int]) -> str:
    if not numbers:
        return "-"
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


if __name__ == "__main__":
    run_command(main)
