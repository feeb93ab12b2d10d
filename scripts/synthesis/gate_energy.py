"""Estimates the switching energy of an inference from the toggles of every net of a gate netlist.

    energy = sum over nets of toggles * load * V^2 / 2

A net's load is the sum of the capacitances of the input pins that it drives, from the library.
An estimate, not a sign-off: left out are the wires, the clock tree's buffers, what cells spend
inside themselves, leakage, glitches (the simulation has no delays), the pins, and the memories,
whose inputs count as no load. The toggles themselves are exact: the clock's, and every change of a
settled value, of the very netlist whose area is reported.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.synthesis.standard_cells import SUPPLY_V, Cell

FORMULA = "sum over nets of toggles * capacitance of the input pins driven * V^2 / 2"
CLOCK = "clk_i"
_VARIABLE = re.compile(rb"\s*\$var\s+wire\s+(\d+)\s+(\S+)\s+(\S+)(?:\s+\[\d+:\d+\])?\s+\$end")


@dataclass(frozen=True)
class Toggles:
    """Changes of value by net, and those of single bits of vectors, by `(name, bit)`."""

    counts: Mapping[tuple[str, int], int]

    @property
    def total(self) -> int:
        """Changes of all nets."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class Energy:
    """The estimate over a whole run, in picojoules, and the part of the clock's net in it."""

    total_pj: float
    clock_pj: float
    toggles: int


def net_loads(module: Mapping[str, Any], library: Mapping[str, Cell]) -> dict[int, float]:
    """Return the load of every net that drives a cell, in pF, by the number of the net."""
    loads: dict[int, float] = {}
    for cell in module["cells"].values():
        if cell["type"] not in library:
            continue
        for pin, load in library[cell["type"]].input_pf.items():
            (bit,) = cell["connections"][pin]
            if isinstance(bit, int):  # a string is a constant
                loads[bit] = loads.get(bit, 0.0) + load
    return loads


def estimate(module: Mapping[str, Any], library: Mapping[str, Cell], toggles: Toggles) -> Energy:
    """Add up the energy of all nets of the netlist `module`.

    Raises ValueError for a loaded net whose toggles were not counted, or a clock that stood still.
    """
    names = {
        bit: (name, place)
        for name, net in module["netnames"].items()
        for place, bit in enumerate(net["bits"])
        if isinstance(bit, int)
    }
    half_square = SUPPLY_V**2 / 2
    total = 0.0
    for bit, load in net_loads(module, library).items():
        if names[bit] not in toggles.counts:
            raise ValueError(f"waveform: expected the net {names[bit][0]}, found none")
        total += toggles.counts[names[bit]] * load * half_square
    clock = toggles.counts[CLOCK, 0]
    if not clock:
        raise ValueError("waveform: expected the clock to toggle, found it constant")
    (clock_bit,) = module["netnames"][CLOCK]["bits"]
    clock_pj = clock * net_loads(module, library)[clock_bit] * half_square
    return Energy(total, clock_pj, toggles.total)


def count_toggles(vcd: Path) -> Toggles:
    """Count the changes of every bit in a `.vcd` file; what it sets first is no change."""
    with vcd.open("rb") as lines:
        variables = _declarations(lines)
        return Toggles(_changes(lines, variables))


def _declarations(lines: Iterable[bytes]) -> dict[bytes, tuple[int, set[str]]]:
    """Return width and names of every variable by its code, and leave `lines` after them."""
    variables: dict[bytes, tuple[int, set[str]]] = {}
    for line in lines:
        if found := _VARIABLE.match(line):
            names = variables.setdefault(found[2], (int(found[1]), set()))[1]
            names.add(found[3].decode())
        if line.startswith(b"$enddefinitions"):
            break
    return variables


def _changes(
    lines: Iterable[bytes], variables: Mapping[bytes, tuple[int, set[str]]]
) -> dict[tuple[str, int], int]:
    scalars: Counter[bytes] = Counter()
    vectors: dict[bytes, int] = {}
    bits: Counter[tuple[bytes, int]] = Counter()
    for line in lines:
        kind = line[0]
        if kind == ord("b"):
            value, code = line[1:].split()
            new = int(value, 2)
            changed = new ^ vectors.get(code, new)
            vectors[code] = new
            bits.update((code, bit) for bit in range(changed.bit_length()) if changed >> bit & 1)
        elif kind in b"01":
            scalars[line[1:].rstrip()] += 1
    for code, changes in scalars.items():
        bits[code, 0] = changes - 1  # the first one sets the value
    return {
        (name, bit): bits[code, bit]
        for code, (width, names) in variables.items()
        for name in names
        for bit in range(width)
    }
