"""The Verilog under `tests/rtl/foreign`, written in another style, and the lint of its widths."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterable
from pathlib import Path

from scripts.width_lint.required_ranges import report_ranges
from scripts.width_lint.rtl_reading import Design, read_design
from scripts.width_lint.width_findings import Finding
from scripts.width_lint.width_map import Table, read_table
from scripts.width_lint.width_rules import lint

FOREIGN = Path(__file__).resolve().parent / "rtl" / "foreign"
FOREIGN_TABLE, FOREIGN_RANGES = FOREIGN / "widths.toml", FOREIGN / "bit_widths.json"


def read_foreign(folder: Path = FOREIGN, top: str = "RowConv", *parameters: str) -> Design:
    return read_design(sorted(folder.glob("*.v")), top, parameters=parameters)


@functools.cache
def sound_foreign() -> Design:
    return read_foreign()


def lint_foreign(design: Design, table: Table | None = None) -> tuple[Finding, ...]:
    chosen = read_table(FOREIGN_TABLE) if table is None else table
    return lint(design, chosen, report_ranges(FOREIGN_RANGES), FOREIGN_TABLE)


def plant_foreign(folder: Path, file: str, right: str, wrong: str) -> Path:
    """Copy the foreign RTL to `folder` with one text of a file replaced."""
    rtl = shutil.copytree(FOREIGN, folder / "foreign")
    source = (rtl / f"{file}.v").read_text()
    assert source.count(right) == 1, f"{file}: expected one '{right}', got {source.count(right)}"
    (rtl / f"{file}.v").write_text(source.replace(right, wrong))
    return rtl


def in_words(findings: Iterable[Finding]) -> set[str]:
    return {f"{one.module}.{one.signal}: {one.verdict}: {one.text}" for one in findings if one.text}
