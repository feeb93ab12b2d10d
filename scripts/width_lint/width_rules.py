"""Judges a design by the ranges of a network: widths, signs, unmapped signals, assignments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from dataflow.ranges.intervals import Ranges
from scripts.width_lint.expression_rules import judge_expressions
from scripts.width_lint.rtl_reading import Design, Signal, disagreements
from scripts.width_lint.width_findings import (
    DISAGREEMENT,
    FAILURES,
    OK,
    TOO_NARROW,
    TOO_WIDE,
    UNMAPPED,
    UNSIGNED,
    Finding,
)
from scripts.width_lint.width_map import (
    Entry,
    Requirement,
    Table,
    check_table,
    find_entry,
    requirement,
    section_of,
)


def lint(design: Design, table: Table, ranges: Ranges, table_path: Path) -> tuple[Finding, ...]:
    """Return a finding for every mapped signal and for all that is wrong; failures come first.

    Raises ValueError, naming what is at fault, for a table that fits neither design nor network.
    """
    check_table(table_path, table, design)
    entries = {path: find_entry(table, signal) for path, signal in design.signals.items()}
    required = {
        path: requirement(entry, design.signals[path], ranges)
        for path, entry in entries.items()
        if entry is not None and entry.exempt is None
    }
    sections = {path: section_of(table, signal) for path, signal in design.signals.items()}
    if not required:
        raise ValueError(f"{table_path}: expected at least one mapped signal, got none")
    found = judge_expressions(design, required, sections)
    found |= {_judge(sections[path], design.signals[path], required[path]) for path in required}
    found |= set(_unmapped(design, entries, sections))
    for signal, text in disagreements(design):
        section = section_of(table, signal)
        found.add(Finding(section, signal.table_name, DISAGREEMENT, text, place=signal.place))
    return tuple(sorted(found, key=_rank))


def _rank(one: Finding) -> tuple[int, str, str, str, str]:
    order = (*FAILURES, TOO_WIDE, OK)
    return order.index(one.verdict), one.module, one.signal, one.text, one.place


def _judge(module: str, signal: Signal, needed: Requirement) -> Finding:
    declared, rest = divmod(signal.reading.bits, needed.lanes)
    verdict, text = OK, ""
    if rest:
        verdict = TOO_NARROW
        text = f"{signal.reading.bits} bits do not divide into {needed.lanes} lanes"
    elif declared < needed.bits:
        verdict = TOO_NARROW
        text = f"{needed.low} to {needed.high} needs {needed.bits} bits, it has {declared}"
    elif (wrong := _wrong_sign(signal, needed)) is not None:
        verdict, text = UNSIGNED, wrong
    elif declared > needed.bits:
        wasted = (declared - needed.bits) * needed.lanes
        verdict, text = TOO_WIDE, f"wastes {wasted} bit{'s' if wasted > 1 else ''}"
    return Finding(
        module,
        signal.table_name,
        verdict,
        text,
        needed.network_signal,
        needed.bits,
        declared,
        needed.lanes,
        signal.place,
    )


def _wrong_sign(signal: Signal, needed: Requirement) -> str | None:
    carries = f"carries {needed.low} to {needed.high}"
    if needed.encoding == "unsigned" and (needed.negative or signal.reading.signed):
        return f"the table says unsigned, it {'is signed' if signal.reading.signed else carries}"
    if needed.encoding == "twos_complement" or signal.reading.signed:
        return None
    if needed.negative or needed.encoding == "signed":
        return f"{carries} and is not declared signed"
    return None


def _unmapped(
    design: Design, entries: Mapping[str, Entry | None], sections: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield the signals that mapped data reach, or that reach mapped data, without an entry."""
    by_path: dict[str, Entry | None] = {}
    for path, signal in design.signals.items():
        by_path.setdefault(signal.path, entries[path])
    linked = _linked(design, by_path)
    for path, signal in design.signals.items():
        if entries[path] is None and signal.path in linked:
            yield Finding(
                sections[path],
                signal.table_name,
                UNMAPPED,
                f"{linked[signal.path]}, and is neither mapped nor exempt",
                declared_bits=signal.reading.bits,
                place=signal.place,
            )


def _linked(design: Design, entries: Mapping[str, Entry | None]) -> dict[str, str]:
    """Return why a signal belongs to the datapath, for all that do; exempt signals end a way."""
    fed: dict[str, set[str]] = {}
    feeding: dict[str, set[str]] = {}
    for source, destination in design.feeds:
        fed.setdefault(source, set()).add(destination)
        feeding.setdefault(destination, set()).add(source)
    linked: dict[str, str] = {}
    for ways, words in ((fed, "is fed by"), (feeding, "feeds")):
        pending = [path for path, entry in entries.items() if entry and entry.exempt is None]
        seen = set(pending)
        while pending:
            start = pending.pop()
            for path in sorted(ways.get(start, set()) - seen):
                entry = entries.get(path)
                if entry is None or entry.exempt is None:
                    linked.setdefault(path, f"{words} {start}")
                    pending.append(path)
                seen.add(path)
    return linked
