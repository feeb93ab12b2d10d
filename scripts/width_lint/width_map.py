"""The table that relates the signals of a design to those of a network, and what it asks of them.

TOML, a section a module, or an instance of a module (`"conv_1.mac.tree"`: instance `tree` in
instance `mac` in module `conv_1`), which then counts alone for that instance:

    [conv_1]
    sum_q = "conv_1.partial_sum"                     # short for { signal = "conv_1.partial_sum" }
    terms = { signal = "conv_1.product", lanes = "LANES", encoding = "twos_complement" }
    mask  = { exempt = "all ones or all zeros, from control" }

    signal      a signal of `dataflow.ranges.intervals`, or a list of those that it carries in turn
    lanes       how many numbers lie side by side: a number, a parameter, or a product of these
    relu        true: it carries 0 where the signal is negative
    room_for    an operand that is extended: it must be as wide as this signal needs
    encoding    "signed": must be declared so, the default where values are negative;
                "twos_complement": carries a sign without being declared signed; "unsigned"
    whole_bytes true: sign-extended to a multiple of 8 bits
    exempt      no datapath signal, and why

Names are those within the module, named generate blocks in front (`"g_lane.tap"`). Verilog
attributes of a declaration say the same: `(* width_signal = "conv_1.product", width_lanes = 4 *)`.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataflow.ranges.intervals import Ranges
from golden import files
from golden.integer_math import signed_bits, unsigned_bits
from scripts.width_lint.rtl_reading import Design, Signal

ENCODINGS = ("signed", "twos_complement", "unsigned")
_KINDS: dict[str, type | tuple[type, ...]] = {
    "signal": (str, list),
    "lanes": (int, str),
    "relu": (bool, int),  # an attribute has no other truth than 1
    "room_for": str,
    "encoding": str,
    "whole_bytes": (bool, int),
    "exempt": str,
}


@dataclass(frozen=True)
class Entry:
    """What the table says of a signal. `signals` is empty where it is exempt."""

    signals: tuple[str, ...] = ()
    lanes: str = "1"
    relu: bool = False
    room_for: str | None = None
    encoding: str | None = None
    whole_bytes: bool = False
    exempt: str | None = None


@dataclass(frozen=True)
class Requirement:
    """What a signal must hold: in each of `lanes` values from `low` to `high`, in `bits` bits."""

    network_signal: str
    low: int
    high: int
    lanes: int
    bits: int
    encoding: str | None

    @property
    def negative(self) -> bool:
        """Whether it carries negative values."""
        return self.low < 0


Table = Mapping[str, Mapping[str, Entry]]


def read_table(path: Path) -> Table:
    """Read a table. Raises ValueError, naming file and signal, for one that breaks a rule."""
    try:
        content = tomllib.loads(files.read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: expected TOML, {error}") from error
    table: dict[str, dict[str, Entry]] = {}
    for section, signals in content.items():
        if not isinstance(signals, dict):
            raise ValueError(f"{path}: expected sections of signals, got {section} outside of one")
        table[section] = {
            name: _entry(f"{path}: {section}.{name}", value) for name, value in signals.items()
        }
    return table


def check_table(path: Path, table: Table, design: Design) -> None:
    """Raise ValueError for a section or a signal that the design does not have."""
    declared: dict[str, set[str]] = {}
    for signal in design.signals.values():
        for section in signal.instance.sections:
            declared.setdefault(section, set()).add(signal.table_name)
    for section, entries in table.items():
        if section not in declared:
            raise ValueError(f"{path}: {section}: expected a module or instance with signals")
        for name in entries:
            if name not in declared[section]:
                raise ValueError(f"{path}: {section}.{name}: expected a signal of the module")


def find_entry(table: Table, signal: Signal) -> Entry | None:
    """Return what table or attributes say of a signal, None where they are silent.

    Raises ValueError where both speak, and for attributes that break a rule.
    """
    section = next((name for name in signal.instance.sections if name in table), "")
    listed = table.get(section, {}).get(signal.table_name)
    if not signal.attributes:
        return listed
    name = f"{signal.place}: {signal.table_name}"
    if listed is not None:
        raise ValueError(f"{name}: expected the table or attributes to map it, got both")
    return _entry(name, dict(signal.attributes))


def section_of(table: Table, signal: Signal) -> str:
    """Return the section that counts for a signal, its module where there is none."""
    return next(
        (name for name in signal.instance.sections if name in table), signal.instance.module
    )


def requirement(entry: Entry, signal: Signal, ranges: Ranges) -> Requirement:
    """Return what `entry` asks of a signal.

    Raises ValueError for a signal that the network does not have, and for lanes that are no number.
    """
    place = f"{signal.instance.module}.{signal.table_name}"
    found = [_range(place, name, ranges) for name in entry.signals]
    low, high = min(one[0] for one in found), max(one[1] for one in found)
    if entry.relu:
        low, high = max(low, 0), max(high, 0)
    encodings = {"signed", "twos_complement"}
    sign = low < 0 or entry.encoding in encodings or signal.reading.signed
    needed = [(low, high)]
    if entry.room_for is not None:
        needed.append(_range(place, entry.room_for, ranges))
    bits = max(signed_bits(*span) if sign else unsigned_bits(span[1]) for span in needed)
    return Requirement(
        _label(entry),
        low,
        high,
        _lanes(place, entry.lanes, signal.instance.constants),
        -(-bits // 8) * 8 if entry.whole_bytes else bits,
        entry.encoding,
    )


def _entry(name: str, value: Any) -> Entry:
    content = {"signal": value} if isinstance(value, str) else value
    if not isinstance(content, dict):
        raise ValueError(f"{name}: expected a signal of the network or a table, got {value!r}")
    for key, part in content.items():
        if key not in _KINDS:
            raise ValueError(f"{name}: expected keys of {', '.join(_KINDS)}, got {key}")
        if not isinstance(part, _KINDS[key]):
            raise ValueError(f"{name}: expected another kind of {key}, got {part!r}")
    if ("signal" in content) == ("exempt" in content):
        raise ValueError(f"{name}: expected either signal or exempt")
    if "exempt" in content and (len(content) > 1 or not content["exempt"].strip()):
        raise ValueError(f"{name}: expected exempt alone, with a reason")
    if content.get("encoding") not in (None, *ENCODINGS):
        raise ValueError(
            f"{name}: expected an encoding of {', '.join(ENCODINGS)}, got {content['encoding']}"
        )
    signals = content.get("signal")
    if isinstance(signals, list) and not (signals and all(isinstance(one, str) for one in signals)):
        raise ValueError(f"{name}: expected signals by name, got {signals}")
    return Entry(
        (signals,) if isinstance(signals, str) else tuple(signals or ()),
        str(content.get("lanes", 1)),
        bool(content.get("relu", False)),
        content.get("room_for"),
        content.get("encoding"),
        bool(content.get("whole_bytes", False)),
        content.get("exempt"),
    )


def _range(place: str, name: str, ranges: Ranges) -> tuple[int, int]:
    if name not in ranges:
        raise ValueError(
            f"{place}: expected a signal of the network ({', '.join(sorted(ranges))}), got {name}"
        )
    return ranges[name].minimum, ranges[name].maximum


def _lanes(place: str, text: str, constants: Mapping[str, int]) -> int:
    factors = [part.strip() for part in text.split("*")]
    for part in factors:
        if part not in constants and not part.isdecimal():
            raise ValueError(f"{place}: expected lanes of numbers and parameters, got {part!r}")
    lanes = math.prod(constants[part] if part in constants else int(part) for part in factors)
    if lanes < 1:
        raise ValueError(f"{place}: expected at least 1 lane, got {lanes}")
    return lanes


def _label(entry: Entry) -> str:
    name = " | ".join(entry.signals)
    if entry.relu:
        name = f"max(0, {name})"
    return name if entry.room_for is None else f"{name} (room for {entry.room_for})"
