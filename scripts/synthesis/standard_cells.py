"""Maps a design to the OSU 0.35 um standard cells with Yosys: gate area, netlist, pin capacitances.

Memories (weight ROMs, frame memory) stay out of the area and are reported as bits: what they take
depends on the compiler that makes them, and the library has none. A memory is simulated as Yosys
writes it. The area of a cell is its outline in the library's layout (LEF): in the timing file (LIB)
the areas of OAI21X1 (92 for 128 um2) and NAND3X1 (144 for 128) are not those of their layouts, and
the first would win every choice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golden import files
from scripts.synthesis.yosys import (
    Design,
    Memory,
    cells_of,
    copy_sources,
    memories_of,
    read_design,
    read_module,
    run_yosys,
)

LIBRARY_FOLDER = Path("/usr/share/qflow/tech/osu035")
SUPPLY_V = 3.3
NETLIST, LIBRARY, MODELS = "gates", "cells.lib", "cells.v"
FLIP_FLOPS = ("DFFPOSX1", "DFFNEGX1", "DFFSR")

_CELL = re.compile(r"(cell \((\w+)\) \{\s*(?:cell_footprint : \w+;\s*)?area : )([\d.]+)")
_PIN = re.compile(r"\n  pin\((\w+)\)\s*\{\s*direction : (\w+);\s*capacitance : ([\d.]+);")
_OUTLINE = re.compile(r"\nMACRO (\w+)\n.*?\n  SIZE ([\d.]+) BY ([\d.]+) ;", re.DOTALL)


@dataclass(frozen=True)
class Gates:
    """Standard cells of a design; `area_um2` is theirs alone, memories are listed beside."""

    area_um2: float
    cells: Mapping[str, int]
    memories: tuple[Memory, ...]

    @property
    def flip_flops(self) -> int:
        """Number of flip-flops."""
        return sum(self.cells.get(kind, 0) for kind in FLIP_FLOPS)

    @property
    def memory_bits(self) -> int:
        """Bits of all memories."""
        return sum(memory.size_bits for memory in self.memories)


@dataclass(frozen=True)
class Cell:
    """A library cell: its area and the capacitance of every input pin."""

    area_um2: float
    input_pf: Mapping[str, float]


def require_library() -> None:
    """Raise FileNotFoundError, naming the Debian package, if the cell library is missing."""
    if not _library_file("lib").is_file():
        raise FileNotFoundError(
            f"{_library_file('lib')}: not found, install Debian 12's package qflow-tech-osu035"
        )


def synthesise(design: Design) -> Gates:
    """Map `design` to standard cells; writes `gates.v`, `gates.json` and the cells' models.

    Every net of the netlist has a name of its own, `net_<n>` but for the ports.

    Raises FileNotFoundError without the library, ValueError as Yosys complains.
    """
    require_library()
    copy_sources(design)
    files.write_text(design.folder / LIBRARY, library_text())
    run_yosys(design.folder, "cells", _models())
    run_yosys(design.folder, NETLIST, _mapping(design))
    module = read_module(design.folder, NETLIST, design.top)
    return gates_of(module, read_cells(library_text()))


def read_netlist(folder: Path, top: str) -> dict[str, Any]:
    """Return the netlist module that `synthesise` wrote into `folder`."""
    return read_module(folder, NETLIST, top)


def gates_of(module: Mapping[str, Any], library: Mapping[str, Cell]) -> Gates:
    """Add up the cells of a netlist module.

    Raises ValueError for a cell that is neither in the library nor a memory.
    """
    cells = {kind: count for kind, count in cells_of(module).items() if kind != "$mem_v2"}
    unknown = sorted(cells.keys() - library.keys())
    if unknown:
        raise ValueError(f"netlist: expected only cells of the library, got {unknown}")
    area = sum(library[kind].area_um2 * count for kind, count in cells.items())
    return Gates(area, cells, memories_of(module))


def library_text() -> str:
    """Return the library's timing file with the areas of its layouts, in um2."""
    layout = _library_file("lef").read_text()
    areas = {name: float(width) * float(height) for name, width, height in _OUTLINE.findall(layout)}

    def with_area(found: re.Match[str]) -> str:
        opening, name, area = found.groups()
        return f"{opening}{areas.get(name, float(area)):.10g}"

    return _CELL.sub(with_area, _library_file("lib").read_text())


def read_cells(library: str) -> dict[str, Cell]:
    """Return the cells of a library's text by name."""
    starts = [*_CELL.finditer(library)]
    ends = [found.start() for found in starts[1:]] + [len(library)]
    cells = {}
    for found, end in zip(starts, ends, strict=True):
        pins = _PIN.findall(library[found.start() : end])
        inputs = {name: float(load) for name, direction, load in pins if direction == "input"}
        cells[found[2]] = Cell(float(found[3]), inputs)
    return cells


def _models() -> list[str]:
    return [
        f"read_liberty -ignore_miss_func {LIBRARY}",
        "delete PAD* TBUF* LATCH",
        f"write_verilog -noattr {MODELS}",
    ]


def _mapping(design: Design) -> list[str]:
    return [
        *read_design(design, [f"read_liberty -lib -ignore_miss_func {LIBRARY}"]),
        f"synth -top {design.top} -flatten -run coarse:fine",
        *("opt -fast -full", "opt -undriven -fine", "techmap", "opt -fast"),
        f"dfflibmap -liberty {LIBRARY}",
        f"abc -liberty {LIBRARY}",
        "opt_clean -purge",
        "check -noinit -assert",
        *("splitnets", "opt_clean -purge", "rename -hide w:*"),
        "rename -enumerate -pattern net_% w:*",
        f"write_json {NETLIST}.json",
        f"write_verilog -noattr -noexpr {NETLIST}.v",
    ]


def _library_file(suffix: str) -> Path:
    return LIBRARY_FOLDER / f"osu035_stdcells.{suffix}"
