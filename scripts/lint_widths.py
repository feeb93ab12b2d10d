"""Compare the widths and signs that RTL declares with those that a network's ranges require.

A table relates signals of the RTL to signals of the network (scripts/width_lint/width_map.py
explains it). With a network file, the RTL is this project's accelerator, elaborated with the
parameters of --config. With --ranges, the report of scripts/bitwidths.py, it is any Verilog that
--sources names.

Fails (exit status 1): too few bits, unsigned where a sign is needed, a sign that is lost in an
expression, a datapath signal that is not mapped, an assignment that cuts bits off without a
part-select, and a width or sign that pyverilog and pyslang read differently. Too many bits is a
warning.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from dataflow.hardware.accelerator import CONFIGURATIONS, accelerator_of
from dataflow.proof.range_store import choose_ranges
from golden import files
from golden.exports.evidence import json_bytes
from golden.network import IntegerNetwork
from scripts.console.command_line import Parser, run_command
from scripts.console.flags import add_widths_flag
from scripts.console.places import RTL_FOLDER
from scripts.console.progress import say, show_table
from scripts.width_lint.required_ranges import report_ranges, with_label
from scripts.width_lint.rtl_reading import read_accelerator, read_design
from scripts.width_lint.width_findings import OK, TOO_WIDE, Finding
from scripts.width_lint.width_map import read_table
from scripts.width_lint.width_rules import lint

EXAMPLE = "scripts/lint_widths.py weights/NAME/network.npz --config fast"
OUR_TABLE = RTL_FOLDER / "width_map.toml"


def main() -> None:
    """Parse, read, judge, print; exit status 1 where something fails."""
    flags = _parse()
    table = read_table(flags.table)
    if flags.network is None:
        ranges = report_ranges(flags.ranges)
        design = read_design(flags.sources, flags.top, flags.include, flags.parameters)
    else:
        network = IntegerNetwork.load(flags.network)
        chosen = choose_ranges(flags.network, network, flags.widths, flags.cases)
        say(f"widths: {chosen.origin}")
        ranges = with_label(chosen.ranges, len(network.labels))
        design = read_accelerator(accelerator_of(network, chosen, flags.config), flags.rtl_dir)
    findings = lint(design, table, ranges, flags.table)
    _print(findings, flags.all)
    if flags.json is not None:
        files.write_bytes(flags.json, json_bytes({"findings": [asdict(one) for one in findings]}))
    if any(finding.fails for finding in findings):
        raise SystemExit(1)


def _parse() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("network", type=Path, nargs="?", help="the network file, for this project's RTL")
    names = ", ".join(CONFIGURATIONS)
    add("--config", default="fast", help=f"{names}, or such as conv_1=window,dw_conv=row")
    add_widths_flag(parser)
    add("--cases", type=Path, help="golden cases, for --widths observed")
    add("--rtl_dir", type=Path, default=RTL_FOLDER, help="folder of this project's Verilog")
    add("--table", type=Path, help="which signal is which (default: rtl_ref/width_map.toml)")
    add("--ranges", type=Path, help="bit_widths.json, for any other RTL")
    add("--sources", type=Path, nargs="+", default=(), help="Verilog files, with --ranges")
    add("--top", help="the top module of --sources")
    add("--include", type=Path, nargs="+", default=(), help="folders that `include searches")
    add("--parameters", nargs="+", default=(), metavar="NAME=VALUE", help="parameters of --top")
    add("--all", action="store_true", help="print the signals that are right, too")
    add("--json", type=Path, help="write the findings to this file")
    flags = parser.parse_args()
    if (flags.network is None) == (flags.ranges is None):
        parser.error("flags: expected either a network or --ranges")
    if flags.ranges is not None and not (flags.sources and flags.top and flags.table):
        parser.error("--ranges: expected --sources, --top and --table with it")
    flags.table = flags.table or OUR_TABLE
    for setting in flags.parameters:
        if not all(setting.partition("=")):
            parser.error(f"--parameters: expected NAME=VALUE, got {setting}")
    return flags


def _print(findings: tuple[Finding, ...], everything: bool) -> None:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for heading in ("module", "signal", "network signal"):
        table.add_column(heading, overflow="fold")
    for heading in ("required", "declared"):
        table.add_column(heading, justify="right")
    table.add_column("verdict", overflow="fold")
    for finding in findings:
        if everything or finding.verdict != OK:
            table.add_row(*_cells(finding))
    if table.row_count:
        show_table(table)
    counts = Counter(finding.verdict for finding in findings)
    say(
        f"failures: {sum(finding.fails for finding in findings)}, warnings: {counts[TOO_WIDE]}, "
        f"wasted bits: {sum(finding.wasted_bits for finding in findings)}, right: {counts[OK]}"
    )


def _cells(finding: Finding) -> tuple[str | Text, ...]:
    def bits(number: int | None) -> str:
        lanes = f"{finding.lanes} x " if finding.lanes > 1 else ""
        return "" if number is None else f"{lanes}{number}"

    verdict = f"{finding.verdict}: {finding.text}" if finding.text else finding.verdict
    color = "red" if finding.fails else "yellow" if finding.verdict == TOO_WIDE else "green"
    return (
        finding.module,
        finding.signal,
        finding.network_signal,
        bits(finding.required_bits),
        bits(finding.declared_bits),
        Text(verdict, style=color),  # no markup: it quotes Verilog
    )


if __name__ == "__main__":
    run_command(main)
