"""The files of a width report, by their names: for programs, for reading, for a spreadsheet."""

from __future__ import annotations

from dataflow.widths.width_csv import csv_text, summary_text
from dataflow.widths.width_report import WidthReport, json_text


def width_files(made: WidthReport) -> dict[str, bytes]:
    """Return the contents of `bit_widths.json`, `bit_widths.csv` and `summary.csv`."""
    return {
        "bit_widths.json": json_text(made).encode(),
        "bit_widths.csv": csv_text(made).encode(),
        "summary.csv": summary_text(made).encode(),
    }
