"""Runs synthesised netlists of the accelerator in the harnesses that run the RTL.

A netlist has the ports of its top alone, so only the output stream is compared: every logit and the
label. Cells are simulated by the models that their library comes with.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dataflow.hardware.accelerator import Accelerator
from dataflow.hardware.rtl_parameters import HEADER_FILE
from scripts.simulation.accelerator_simulation import (
    HARNESS,
    TOP,
    VERILATOR_FIX,
    Simulator,
    harness_flags,
    harness_links,
    require_verilator,
)
from scripts.simulation.building_place import building_place
from scripts.simulation.rtl_simulation import require_icarus
from scripts.synthesis import ice40, standard_cells
from scripts.synthesis.yosys import run_tool

OUTPUT_STREAM = ("out",)
# In the folder that a simulator is built in.
_NETLIST_LINK, _MODELS_LINK = "netlist.v", "models.v"
# What Verilator warns of in generated text: widths in the vendor's own models, modules with and
# without a timescale together, and bits of an output that copy others of it, such as its sign. All
# else stops the build.
_ALLOWED = ("WIDTH", "TIMESCALEMOD", "UNOPTFLAT")


@dataclass(frozen=True)
class NetlistKind:
    """A netlist's file, and the models of its cells: a file and the macros that it wants."""

    netlist: str
    models: str
    macros: tuple[str, ...] = ()


ICE40 = NetlistKind(
    f"{ice40.NETLIST}.v", "/usr/share/yosys/ice40/cells_sim.v", ("NO_ICE40_DEFAULT_ASSIGNMENTS",)
)
GATES = NetlistKind(f"{standard_cells.NETLIST}.v", standard_cells.MODELS)


class NetlistSimulator(Simulator):
    """A compiled netlist of `accelerator`, from the folder in which it was synthesised.

    `trace` lets Verilator's `run` write `.vcd` waveforms. Raises FileNotFoundError without the
    simulator or a C++ compiler, ValueError if it does not compile.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        kind: NetlistKind,
        synthesis_folder: Path,
        runner: str = "verilator",
        *,
        trace: bool = False,
    ) -> None:
        folder = synthesis_folder.resolve() / f"{Path(kind.netlist).stem}_{runner}"
        folder.mkdir(exist_ok=True)
        if runner == "verilator":
            require_verilator()
            command = _verilator_command(accelerator, kind, trace)
        else:
            require_icarus()
            command = _icarus_command(kind)
        links = {
            **harness_links(),
            _NETLIST_LINK: synthesis_folder / kind.netlist,
            _MODELS_LINK: synthesis_folder / kind.models,  # which may be absolute
            HEADER_FILE: synthesis_folder / HEADER_FILE,
        }
        with building_place(folder, links) as place:
            run_tool(command, place, "build.log")
        super().__init__(accelerator, runner, folder, OUTPUT_STREAM)


def _verilator_command(accelerator: Accelerator, kind: NetlistKind, trace: bool) -> list[str]:
    flags = harness_flags(accelerator, NETLIST=1, **({"TRACE_VCD": 1} if trace else {}))
    return [
        *("verilator", "--cc", "--exe", "--build", "-O3", "-Mdir", "obj", VERILATOR_FIX),
        *(f"-Wno-{warning}" for warning in _ALLOWED),
        *(f"-D{macro}" for macro in kind.macros),
        *(("--trace", "--trace-depth", "1") if trace else ()),
        *("-CFLAGS", f"-O0 {flags}", "--top-module", TOP),
        *(_NETLIST_LINK, _MODELS_LINK, f"{HARNESS.name}.cpp"),
        *("-o", "../simulator"),
    ]


def _icarus_command(kind: NetlistKind) -> list[str]:
    return [
        *("iverilog", "-g2012", "-I.", "-DNETLIST", *(f"-D{macro}" for macro in kind.macros)),
        *("-s", HARNESS.name, "-o", "simulator"),
        *(_NETLIST_LINK, _MODELS_LINK, f"{HARNESS.name}.v"),
    ]
