"""Synthesise the accelerator: cells and clock of an iCE40 UP5K, gate area, netlists that run.

For each configuration Yosys and nextpnr map the RTL to an iCE40 UP5K, and Yosys maps it to the
standard cells of the OSU 0.35 um library. Both netlists then run the network's golden cases, and
every logit and label is compared with golden.reference. The energy of one clip is estimated from
the toggles of the gate netlist. Prints a table and writes synthesis.json; exit status 1 at a
mismatch. With --compare_widths it maps each configuration with observed, interval and proven widths
instead, runs no netlist, and writes width_costs.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.box import SIMPLE_HEAD
from rich.table import Table

from dataflow.hardware.accelerator import Accelerator, accelerator_of
from dataflow.hardware.accelerator_schedule import predict
from dataflow.hardware.build_folder import write_accelerator
from dataflow.proof.range_store import (
    INTERVAL,
    OBSERVED,
    PROVEN,
    choose_ranges,
)
from golden import files
from golden.comparison import comparing
from golden.exports.cases import read_cases
from golden.exports.evidence import json_bytes
from golden.network import IntegerNetwork
from scripts.console.command_line import Parser, comma_separated, require_exclusive, run_command
from scripts.console.flags import add_widths_flag
from scripts.console.places import golden_cases, network_name
from scripts.console.progress import CONSOLE, say, show_table
from scripts.simulation.rtl_comparison import check
from scripts.synthesis import gate_energy, ice40, standard_cells, width_costs
from scripts.synthesis.gate_energy import Energy
from scripts.synthesis.ice40 import LOGIC_CELLS, Placement
from scripts.synthesis.netlist_simulation import GATES, ICE40, NetlistSimulator
from scripts.synthesis.standard_cells import Gates
from scripts.synthesis.yosys import require_tools, tool_versions, top_design

EXAMPLE = "scripts/synthesise.py --network weights/NAME/network.npz --configs fast"
TOOLS = ("yosys", "nextpnr-ice40", "verilator", "c++")
WIDTH_SOURCES = (OBSERVED, INTERVAL, PROVEN)


@dataclass(frozen=True)
class Report:
    """What synthesis of one configuration gives; `clips` ran on each netlist without a mismatch."""

    accelerator: Accelerator
    placement: Placement
    gates: Gates
    clips: int
    values: int
    energy: Energy

    @property
    def cycles(self) -> int:
        """Cycles a frame, predicted and seen on the netlists."""
        return predict(self.accelerator).interval

    @property
    def frames_per_second(self) -> float:
        """Frames a second at the clock that nextpnr reports."""
        return self.placement.clock_mhz * 1e6 / self.cycles


def main() -> None:
    """Parse, synthesise, simulate, print."""
    flags = _parse()
    require_tools(*TOOLS)
    standard_cells.require_library()
    network = IntegerNetwork.load(flags.network)
    name = network_name(flags.network)
    cases = flags.cases or golden_cases(flags.network)
    fingerprints = read_cases(cases, network).fingerprints[: flags.clips]
    output = flags.output_dir or Path("work/synthesis") / name
    if flags.compare_widths:
        _compare_widths(flags, network, cases, output)
        return
    chosen = choose_ranges(flags.network, network, flags.widths, cases)
    accelerators = [accelerator_of(network, chosen, text) for text in flags.configs]
    say(f"widths: {chosen.origin}")
    reports = [
        report(accelerator, output / accelerator.configuration.name, fingerprints)
        for accelerator in accelerators
    ]
    files.write_bytes(output / "synthesis.json", reports_json(reports))
    _print(reports)
    say(f"Details: {output / 'synthesis.json'}, logs and netlists beside it")


def _compare_widths(
    flags: argparse.Namespace, network: IntegerNetwork, cases: Path, output: Path
) -> None:
    """Map every configuration with widths from every source; print and write the costs."""
    every = [choose_ranges(flags.network, network, source, cases) for source in WIDTH_SOURCES]
    accelerators = [
        [accelerator_of(network, chosen, text) for chosen in every] for text in flags.configs
    ]
    for chosen in every:
        say(f"widths: {chosen.origin}")
    costs = [[width_costs.measure(each, output) for each in row] for row in accelerators]
    content = {
        "network_digest": network.digest,
        "tools": tool_versions("yosys", "nextpnr-ice40"),
        "configurations": width_costs.summary(costs),
    }
    files.write_bytes(output / "width_costs.json", json_bytes(content))
    width_costs.print_table(costs)
    say(f"Details: {output / 'width_costs.json'}, logs and netlists beside it")


def report(accelerator: Accelerator, folder: Path, fingerprints: npt.NDArray[np.int8]) -> Report:
    """Synthesise one configuration in `folder`, run both netlists, estimate the energy.

    Raises Mismatch at the first output value that is not the reference's, ValueError if a tool
    complains or the design does not fit.
    """
    name = accelerator.configuration.name
    write_accelerator(accelerator, folder)
    design = top_design(folder)
    with CONSOLE.status(f"{name}: standard cells"):
        gates = standard_cells.synthesise(design)
    with CONSOLE.status(f"{name}: iCE40, mapping"):
        ice40.synthesise(design)
    with CONSOLE.status(f"{name}: iCE40, place and route"):
        placement = ice40.place_and_route(design)
    title = f"{name}: compiling and running the iCE40 netlist"
    with CONSOLE.status(title), comparing(f"iCE40 netlist, {name}"):
        check(NetlistSimulator(accelerator, ICE40, folder), fingerprints)
    with CONSOLE.status(f"{name}: compiling and running the gate netlist"):
        simulator = NetlistSimulator(accelerator, GATES, folder, trace=True)
        with comparing(f"gate netlist, {name}"):
            comparison = check(simulator, fingerprints)
        energy = measure_energy(simulator, folder, fingerprints[:1])
    say(f"{name}: {placement.logic_cells:,} logic cells, {placement.clock_mhz} MHz")
    return Report(accelerator, placement, gates, comparison.clips, comparison.total, energy)


def measure_energy(
    simulator: NetlistSimulator, folder: Path, fingerprints: npt.NDArray[np.int8]
) -> Energy:
    """Estimate the energy of a run of `fingerprints` from the toggles of the gate netlist."""
    waves = folder / "toggles.vcd"
    simulator.run(fingerprints, waves=waves)
    module = standard_cells.read_netlist(folder, top_design(folder).top)
    library = standard_cells.read_cells(standard_cells.library_text())
    energy = gate_energy.estimate(module, library, gate_energy.count_toggles(waves))
    waves.unlink()
    return energy


def reports_json(reports: list[Report]) -> bytes:
    """Return every figure of every configuration, with the versions of the tools."""
    return json_bytes(
        {
            "network_digest": reports[0].accelerator.network.digest,
            "widths": reports[0].accelerator.ranges_origin,
            "tools": tool_versions(*TOOLS),
            "configurations": {
                each.accelerator.configuration.name: _entry(each) for each in reports
            },
        }
    )


def _entry(each: Report) -> Mapping[str, object]:
    return {
        "configuration": asdict(each.accelerator.configuration),
        "multipliers": each.accelerator.multipliers,
        "cycles_per_frame": each.cycles,
        "ice40_up5k": ice40.summary(each.placement),
        "frames_per_second": round(each.frames_per_second, 1),
        "osu035": {
            "area_um2": each.gates.area_um2,
            "cells": sum(each.gates.cells.values()),
            "flip_flops": each.gates.flip_flops,
            "memory_bits": each.gates.memory_bits,
        },
        "netlists": {"clips": each.clips, "values_compared": each.values, "mismatches": 0},
        "energy_estimate": {
            "formula": gate_energy.FORMULA,
            "clips": 1,
            "toggles": each.energy.toggles,
            "total_uj": round(each.energy.total_pj / 1e6, 3),
            "of_that_clock_uj": round(each.energy.clock_pj / 1e6, 3),
        },
    }


def _parse() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--network", type=Path, required=True, help="the network file")
    add(
        "--configs",
        type=comma_separated,
        default=("small", "balanced", "fast"),
        help="configurations, by name",
    )
    add("--cases", type=Path, help="golden cases (default: golden/vectors/<name>/cases.npz)")
    add_widths_flag(parser)
    add(
        "--compare_widths",
        action="store_true",
        help="cells and clock with observed, interval and proven widths side by side",
    )
    add("--clips", type=int, default=100, help="clips to run through each netlist")
    add("--output_dir", type=Path, help="where to build (default: work/synthesis/<name>)")
    flags = parser.parse_args()
    require_exclusive(
        [("--widths", flags.widths is not None), ("--compare_widths", flags.compare_widths)]
    )
    if flags.clips < 1:
        parser.error(f"--clips: expected at least 1, got {flags.clips}")
    return flags


def _print(reports: list[Report]) -> None:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    table.add_column("")
    for each in reports:
        table.add_column(each.accelerator.configuration.name, justify="right")
    rows = {
        "multipliers": lambda each: sum(each.accelerator.multipliers.values()),
        "cycles a frame": lambda each: f"{each.cycles:,}",
        f"UP5K logic cells (of {LOGIC_CELLS:,})": lambda each: f"{each.placement.logic_cells:,}",
        "  of them registers for pins": lambda each: each.placement.pin_registers,
        "UP5K DSP blocks (of 8)": lambda each: each.placement.dsp_blocks,
        "UP5K RAM blocks (of 30)": lambda each: each.placement.ram_blocks,
        "UP5K clock, MHz": lambda each: f"{each.placement.clock_mhz:.1f}",
        "frames a second at that clock": lambda each: f"{each.frames_per_second:,.0f}",
        "OSU035 area, um2": lambda each: f"{each.gates.area_um2:,.0f}",
        "  cells": lambda each: f"{sum(each.gates.cells.values()):,}",
        "  flip-flops": lambda each: f"{each.gates.flip_flops:,}",
        "  memory bits, not in the area": lambda each: f"{each.gates.memory_bits:,}",
        "netlist values compared": lambda each: f"2 x {each.values:,}",
        "  mismatches": lambda each: "0",
        "energy a clip, estimate, uJ": lambda each: f"{each.energy.total_pj / 1e6:.1f}",
        "  of that the clock's net": lambda each: f"{each.energy.clock_pj / 1e6:.1f}",
    }
    for title, figure in rows.items():
        table.add_row(title, *(str(figure(each)) for each in reports))
    show_table(table)
    say(f"Energy is an estimate on the OSU035 netlist at 3.3 V: {gate_energy.FORMULA}.")
    say("Left out of it: wires, clock buffers, energy inside cells, leakage, glitches, memories.")


if __name__ == "__main__":
    run_command(main)
