"""The bit-width report as CSV: everything for programs, and a summary for a spreadsheet."""

from __future__ import annotations

from dataflow.ranges.intervals import ChannelRange
from dataflow.widths.width_report import ReportedSignal, WidthReport
from golden import files

_RANGES = ("observed", "interval", "assumed", "bound", "witness")
SUMMARY_COLUMNS = (
    "signal",
    "multiplier_bits",
    "adder_bits",
    "register_bits",
    "unsigned_bits",
    "proof_method",
)
CSV_COLUMNS = (
    "layer",
    "role",
    *SUMMARY_COLUMNS,
    *(f"{name}_{part}" for name in _RANGES for part in ("min", "max", "bits")),
    "gap_low",
    "gap_high",
    "spare_bits",
)


def csv_text(content: WidthReport) -> str:
    """Return all numbers but those of single channels as CSV, a row a signal, with a header."""
    return files.csv_text(CSV_COLUMNS, (_cells(signal) for signal in content.signals.values()))


def summary_text(content: WidthReport) -> str:
    """Return the widths alone as CSV, for a designer's spreadsheet."""
    return files.csv_text(SUMMARY_COLUMNS, map(summary_cells, content.signals.values()))


def summary_cells(signal: ReportedSignal) -> tuple[str, ...]:
    """Return the cells of a signal under `SUMMARY_COLUMNS`; what does not apply is empty."""
    units = (signal.bits_of(unit) for unit in ("multiplier", "adder", "register"))
    bits = [_cell(count) for count in (*units, signal.width.unsigned_bits)]
    return signal.name, *bits, "; ".join(signal.methods)


def range_cells(values: ChannelRange | None) -> tuple[str, str, str]:
    """Return minimum, maximum and two's-complement bits of a range; empty cells without one."""
    if values is None:
        return "", "", ""
    return str(values.minimum), str(values.maximum), str(values.bits)


def _cells(signal: ReportedSignal) -> tuple[str, ...]:
    width = signal.width
    ranges = (width.observed, signal.interval, signal.assumed, width.bound, signal.reached)
    return (
        *(signal.layer, width.role),
        *summary_cells(signal),
        *(cell for values in ranges for cell in range_cells(values)),
        *map(_cell, signal.gap or (None, None)),
        _cell(None if signal.proven is None else signal.proven.spare_bits),
    )


def _cell(number: int | None) -> str:
    return "" if number is None else str(number)
