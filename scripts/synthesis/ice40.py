"""Maps a design to an iCE40 UP5K with Yosys and places and routes it with nextpnr.

The netlist is made of the design alone, and is what gets simulated. For place and route the very
same netlist is put between registers, so that every path starts and ends at one and the clock holds
for all of them; shift registers need four pins where the streams need more than the package has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from golden import files
from scripts.synthesis.yosys import (
    Design,
    Memory,
    cells_of,
    copy_sources,
    memories_of,
    number,
    read_design,
    read_module,
    run_tool,
    run_yosys,
    yosys_version,
)

LOGIC_CELLS, DSP_BLOCKS, RAM_BLOCKS = 5280, 8, 30
CELL_LIBRARY = "+/ice40/cells_sim.v"
LAST_WITHOUT_DELAYS = (0, 33)  # later Yosys maps only with the delays of the cells
NETLIST = "ice40"
SEED = 1
TARGET_MHZ = 48.0  # more than it can reach, so that nextpnr never rests
RAM_LEAST_WORDS = 32  # memories of fewer words become logic and registers
DSP_OPERAND_BITS = 16
DSP_LEAST_BITS = 11  # Yosys leaves smaller multipliers to logic
_PINS = {"clk_i": 35, "serial_i": 44, "capture_i": 45, "serial_o": 46}  # 35 drives a global net


@dataclass(frozen=True)
class Placement:
    """What nextpnr reports; `logic_cells` includes `pin_registers`, which only stand for pins."""

    logic_cells: int
    pin_registers: int
    dsp_blocks: int
    ram_blocks: int
    clock_mhz: float
    seed: int

    @property
    def fits(self) -> bool:
        """It is a fact once nextpnr has placed it; the numbers say by how much."""
        return (
            self.logic_cells <= LOGIC_CELLS
            and self.dsp_blocks <= DSP_BLOCKS
            and self.ram_blocks <= RAM_BLOCKS
        )


@dataclass(frozen=True)
class Multiplier:
    """A multiplier before mapping: its cell, where the source has it, the bits of its operands."""

    cell: str
    source: str
    a_bits: int
    b_bits: int
    y_bits: int


def synthesise(design: Design, dsp_blocks: int = DSP_BLOCKS) -> dict[str, int]:
    """Map `design` to iCE40 cells and return how many of each kind.

    Writes `ice40.v` and `ice40.json` into the design's folder. The widest multipliers get the DSP
    blocks: `synth_ice40 -dsp` alone would claim one for every multiplier there is.

    Raises ValueError as Yosys complains, and if a chosen multiplier did not become one DSP block.
    """
    copy_sources(design)
    elaborated = f"{NETLIST}_elaborated"
    run_yosys(design.folder, elaborated, _elaboration(design, elaborated))
    module = read_module(design.folder, elaborated, design.top)
    memories_of(module)
    chosen = widest_multipliers(multipliers_of(module), dsp_blocks)
    run_yosys(design.folder, NETLIST, _mapping(design.top, elaborated, chosen))
    cells = cells_of(read_module(design.folder, NETLIST, design.top))
    if cells.get("SB_MAC16", 0) != len(chosen):
        raise ValueError(
            f"{design.top}: expected {len(chosen)} DSP blocks, got {cells.get('SB_MAC16', 0)}"
        )
    return cells


def memories(design: Design) -> tuple[Memory, ...]:
    """Return the memories of the design that `synthesise` elaborated."""
    return memories_of(read_module(design.folder, f"{NETLIST}_elaborated", design.top))


def multipliers_of(module: Mapping[str, Any]) -> tuple[Multiplier, ...]:
    """Return the multipliers of an elaborated module."""
    return tuple(
        Multiplier(
            name,
            cell["attributes"]["src"],
            number(cell["parameters"]["A_WIDTH"]),
            number(cell["parameters"]["B_WIDTH"]),
            number(cell["parameters"]["Y_WIDTH"]),
        )
        for name, cell in module["cells"].items()
        if cell["type"] == "$mul"
    )


def widest_multipliers(multipliers: tuple[Multiplier, ...], count: int) -> tuple[Multiplier, ...]:
    """Return the `count` widest multipliers that fit one DSP block each; ties go by source."""
    eligible = [
        multiplier
        for multiplier in multipliers
        if max(multiplier.a_bits, multiplier.b_bits) <= DSP_OPERAND_BITS
        and min(multiplier.a_bits + multiplier.b_bits, multiplier.y_bits) >= DSP_LEAST_BITS
    ]
    eligible.sort(key=lambda each: (-each.a_bits - each.b_bits, each.source, each.cell))
    return tuple(eligible[:count])


def place_and_route(design: Design, seed: int = SEED) -> Placement:
    """Place and route the netlist that `synthesise` wrote, between registers, on a UP5K.

    Raises ValueError if it does not fit or nextpnr complains of anything.
    """
    folder, module = design.folder, read_module(design.folder, NETLIST, design.top)
    files.write_text(folder / "pins.v", pin_registers(design.top, module["ports"]))
    pins = "".join(f"set_io {name} {pin}\n" for name, pin in _PINS.items())
    files.write_text(folder / "pins.pcf", pins)
    run_yosys(folder, "pins", _between_registers(design.top))
    report, log = folder / "nextpnr.json", folder / "nextpnr.log"
    report.unlink(missing_ok=True)
    run_tool(
        [
            *("nextpnr-ice40", "--up5k", "--package", "sg48", "--json", "pins.json"),
            *("--pcf", "pins.pcf", "--asc", "pins.asc", "--report", report.name, "--quiet"),
            *("--log", log.name, "--seed", str(seed), "--freq", f"{TARGET_MHZ:g}"),
            "--timing-allow-fail",
        ],
        folder,
        log.name,
    )
    return _placement(json.loads(report.read_text()), _port_bits(module["ports"]), seed)


def pin_registers(top: str, ports: Mapping[str, Any]) -> str:
    """Return Verilog that puts `top` between shift registers with four pins."""
    inputs = {name: len(port["bits"]) for name, port in ports.items() if _is_data_input(name, port)}
    outputs = {name: len(port["bits"]) for name, port in ports.items() if _is_output(port)}
    in_bits, out_bits = sum(inputs.values()), sum(outputs.values())
    connections = [".clk_i(clk_i)", *_slices(inputs, "in_q"), *_slices(outputs, "out")]
    return f"""\
`default_nettype none

module pins (
    input  wire clk_i,
    input  wire serial_i,
    input  wire capture_i,
    output wire serial_o
);
  reg  [{in_bits - 1}:0] in_q;
  wire [{out_bits - 1}:0] out;
  reg  [{out_bits - 1}:0] out_q;
  reg         capture_q;

  assign serial_o = out_q[0];

  always @(posedge clk_i) begin
    in_q      <= {{in_q, serial_i}};
    capture_q <= capture_i;
    out_q     <= capture_q ? out : out_q >> 1;
  end

  {top} design ({", ".join(connections)});
endmodule
"""


def summary(placement: Placement) -> dict[str, int | float]:
    """Return the figures of a placement for a report."""
    return asdict(placement)


def _elaboration(design: Design, name: str) -> list[str]:
    """Return the commands of `synth_ice40` up to where it makes DSP blocks."""
    return [
        *read_design(design, [f"read_verilog -D ICE40_U -lib {CELL_LIBRARY}"]),
        *("opt_expr", "opt_clean", "check -assert", "opt -nodffe -nosdff", "fsm", "opt"),
        *("wreduce", "peepopt", "opt_clean", "share"),
        *("techmap -map +/cmp2lut.v -D LUT_WIDTH=4", "opt_expr", "opt_clean", "memory_dff"),
        "wreduce t:$mul",
        "rename -enumerate -pattern multiplier_% t:$mul",
        f"write_rtlil {name}.il",
        "memory_collect",
        f"write_json {name}.json",
    ]


def _mapping(top: str, elaborated: str, chosen: tuple[Multiplier, ...]) -> list[str]:
    """Return the rest of `synth_ice40`, with DSP blocks for the `chosen` multipliers alone."""
    limits = {
        "A_MAXWIDTH": DSP_OPERAND_BITS,
        "B_MAXWIDTH": DSP_OPERAND_BITS,
        "A_MINWIDTH": 2,
        "B_MINWIDTH": 2,
        "Y_MINWIDTH": DSP_LEAST_BITS,
        "NAME": "$__MUL16X16",
    }
    defines = " ".join(f"-D DSP_{name}={value}" for name, value in limits.items())
    return [
        f"read_rtlil {elaborated}.il",
        *(_cells_with_delays() if yosys_version() > LAST_WITHOUT_DELAYS else ()),
        *(
            f"techmap -map +/mul2dsp.v -map +/ice40/dsp_map.v {defines} {top}/{multiplier.cell}"
            for multiplier in chosen
        ),
        *("setattr -unset mul2dsp a:mul2dsp", "opt_expr -fine", "wreduce"),
        # ice40_dsp would take the others too; under another name it lets them be.
        *("chtype -set $__soft_mul t:$mul", "ice40_dsp", "chtype -set $mul t:$__soft_mul"),
        *("alumacc", "opt", "memory -nomap", "opt_clean"),
        # Left to itself, Yosys makes shallow ROMs of logic: a fifth of all cells.
        f"setattr -set ram_block 1 -set rom_block 1 t:$mem_v2 r:SIZE>={RAM_LEAST_WORDS} %i",
        f"synth_ice40 -top {top} -run map_ram:check",
        "autoname",
        "check -noinit -assert",
        f"write_json {NETLIST}.json",
        "splitnets",  # a simulator would see loops through vectors
        f"write_verilog -noattr {NETLIST}.v",
    ]


def _cells_with_delays() -> tuple[str, ...]:
    """Replace the cells by such that have delays, and parameters, which RTLIL does not keep."""
    read = f"read_verilog -D ICE40_U -lib -specify {CELL_LIBRARY}"
    return ("delete =A:blackbox", read, "proc")


def _between_registers(top: str) -> list[str]:
    return [
        f"read_json {NETLIST}.json",
        f"setattr -mod -set blackbox 1 {top}",
        "read_verilog pins.v",
        "synth_ice40 -top pins -run begin:check",
        f"setattr -mod -unset blackbox ={top}",
        "flatten",
        "opt_clean -purge",
        "check -noinit -assert",
        "write_json pins.json",
    ]


def _placement(report: Mapping[str, Any], pin_register_count: int, seed: int) -> Placement:
    used = {kind: entry["used"] for kind, entry in report["utilization"].items()}
    (clock,) = report["fmax"].values()
    return Placement(
        logic_cells=used["ICESTORM_LC"],
        pin_registers=pin_register_count,
        dsp_blocks=used["ICESTORM_DSP"],
        ram_blocks=used["ICESTORM_RAM"],
        clock_mhz=round(clock["achieved"], 2),
        seed=seed,
    )


def _port_bits(ports: Mapping[str, Any]) -> int:
    """Count the registers that stand for pins: one a bit of data, and one for `capture_i`."""
    return (
        sum(
            len(port["bits"])
            for name, port in ports.items()
            if _is_data_input(name, port) or _is_output(port)
        )
        + 1
    )


def _is_data_input(name: str, port: Mapping[str, Any]) -> bool:
    return port["direction"] == "input" and name != "clk_i"


def _is_output(port: Mapping[str, Any]) -> bool:
    return bool(port["direction"] == "output")


def _slices(widths: Mapping[str, int], register: str) -> list[str]:
    connections, low = [], 0
    for name, bits in widths.items():
        connections.append(f".{name}({register}[{low + bits - 1}:{low}])")
        low += bits
    return connections
