"""Runs Yosys and what follows it on an RTL design, and turns what they say into results or errors.

`scripts/synthesis/ice40.py` and `scripts/synthesis/standard_cells.py` say what to run; this module
says how. A warning of Yosys stops the run: implicit wires, undriven nets and the like are the bugs
that hide in a netlist. The tools work inside the design's own folder on a copy of the sources, so
that no name in a netlist depends on where the checkout is.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from golden import files
from scripts.console.places import RTL_FOLDER
from scripts.simulation.accelerator_simulation import TOP

SOURCE_FOLDER = "rtl"
FLATTENED_NAME = "$scopeinfo"  # no hardware: where Yosys after 0.33 keeps what `flatten` took away

# Debian packages by the command, or the file, that they bring.
_PACKAGES = {
    "yosys": "yosys",
    "nextpnr-ice40": "nextpnr-ice40",
    "verilator": "verilator",
    "c++": "g++",
    "iverilog": "iverilog",
    "cc": "gcc",
}

_VERSION_FLAGS = {"yosys": "-V", "iverilog": "-V"}  # others take --version


@dataclass(frozen=True)
class Design:
    """RTL to synthesise: its top module, its sources, and the folder of its generated files.

    `folder` holds the `.mem` and `.vh` files that the sources name; every tool runs there.
    `parameters` replaces defaults of the top module.
    """

    top: str
    sources: tuple[Path, ...]
    folder: Path
    parameters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Memory:
    """A memory that Yosys found: `words` of `bits` bits; a ROM has no write port."""

    name: str
    words: int
    bits: int
    rom: bool

    @property
    def size_bits(self) -> int:
        """Bits of all its words."""
        return self.words * self.bits


def top_design(folder: Path, rtl_folder: Path = RTL_FOLDER) -> Design:
    """Return the whole accelerator, its generated files in `folder`."""
    return Design(TOP, tuple(sorted(rtl_folder.glob("*.v"))), folder)


def require_tools(*commands: str) -> None:
    """Raise FileNotFoundError, naming the Debian package, for the first command not on the path."""
    for command in commands:
        if shutil.which(command) is None:
            raise FileNotFoundError(
                f"{command}: not found, install the Debian package {_PACKAGES[command]}"
            )


def tool_versions(*commands: str) -> dict[str, str]:
    """Return the first line that each tool says about its version."""
    versions = {}
    for command in commands:
        done = subprocess.run(
            [command, _VERSION_FLAGS.get(command, "--version")],
            capture_output=True,
            text=True,
            check=False,
        )
        versions[command] = (done.stdout + done.stderr).strip().splitlines()[0]
    return versions


def yosys_version() -> tuple[int, int]:
    """Return the major and the minor number of Yosys' version."""
    said = tool_versions("yosys")["yosys"]
    found = re.match(r"Yosys (\d+)\.(\d+)", said)
    if not found:
        raise ValueError(f"yosys: expected 'Yosys <major>.<minor>' as its version, got '{said}'")
    return int(found[1]), int(found[2])


def copy_sources(design: Design) -> None:
    """Copy the sources of `design` to the place from which every tool reads them."""
    place = design.folder / SOURCE_FOLDER
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for source in design.sources:
        shutil.copy(source, place)


def read_design(design: Design, libraries: Sequence[str]) -> list[str]:
    """Return Yosys commands that read the copied sources and elaborate the top module.

    `libraries` are the commands that read cell libraries.
    """
    sources = " ".join(f"{SOURCE_FOLDER}/{source.name}" for source in design.sources)
    values = "".join(f" -chparam {name} {value}" for name, value in design.parameters.items())
    return [
        f"read_verilog -defer -I. {sources}",
        *libraries,
        f"hierarchy -check -top {design.top}{values}",
        f"rename -top {design.top}",
        "proc",
        "flatten",
    ]


def run_yosys(folder: Path, name: str, commands: Sequence[str]) -> None:
    """Write `name`.ys into `folder` and run it there; the log is `name`.log.

    Raises ValueError with what Yosys complains of first, a warning included.
    """
    files.write_text(folder / f"{name}.ys", "\n".join(commands) + "\n")
    run_tool(["yosys", "-q", "-e", ".", "-l", f"{name}.log", f"{name}.ys"], folder, f"{name}.log")


def run_tool(command: Sequence[str], folder: Path, log: str) -> None:
    """Run a tool in `folder`; `log` is the file that it writes, or that gets what it prints.

    Raises ValueError with the first error in what the tool said.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if not (folder / log).is_file():
        files.write_text(folder / log, said)
    if done.returncode:
        raise ValueError(f"{command[0]}: {_complaint(said)}; see {folder / log}")


def read_module(folder: Path, name: str, top: str) -> dict[str, Any]:
    """Return module `top` of the netlist `name`.json that Yosys wrote."""
    module: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())["modules"][top]
    return module


def cells_of(module: Mapping[str, Any]) -> dict[str, int]:
    """Count the cells of a netlist module by type, without the names of flattened modules."""
    counts: dict[str, int] = {}
    for cell in module["cells"].values():
        counts[cell["type"]] = counts.get(cell["type"], 0) + 1
    counts.pop(FLATTENED_NAME, None)
    return dict(sorted(counts.items()))


def memories_of(module: Mapping[str, Any]) -> tuple[Memory, ...]:
    """Return the memories of a netlist module, largest first.

    Raises ValueError for a ROM with a word that nothing sets: its file is too short.
    """
    found = []
    for name, cell in module["cells"].items():
        if cell["type"] != "$mem_v2":
            continue
        values = cell["parameters"]
        rom = number(values["WR_PORTS"]) == 0
        memory = Memory(
            values["MEMID"].strip().lstrip("\\"),
            number(values["SIZE"]),
            number(values["WIDTH"]),
            rom,
        )
        if rom and set(values["INIT"]) - {"0", "1"}:
            raise ValueError(f"{memory.name or name}: expected every word of the ROM to be set")
        found.append(memory)
    return tuple(sorted(found, key=lambda memory: (-memory.size_bits, memory.name)))


def number(binary: str) -> int:
    """Return the value of a parameter as Yosys writes it to JSON: binary digits."""
    return int(binary, 2)


def _complaint(said: str) -> str:
    """Return the first line that reports an error, or else the last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"ERROR:|%Error|error:", line)]
    return (errors or lines[-1:] or ["no message"])[0]
