"""Prove the properties that the RTL modules carry under `ifdef FORMAL`, with Yosys and z3.

A proof takes one group of assertions of one module: those whose names start with the group's. An
induction holds for ever, a bounded check for so many cycles after the reset. Weights are symbolic,
so a proof holds for every network of that size. Some proofs must fail: they show that a property
notices what it is for. Prints a table; exits with 1 if a result is not the one expected.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from scripts.console.command_line import Parser, run_command
from scripts.console.places import RTL_FOLDER
from scripts.console.progress import show_table
from scripts.formal.proof_plan import BOUNDED, COVER, INDUCTION, all_proofs
from scripts.formal.solver import Outcome, check_lemmas, describe, prove, require_tools

HEADINGS = ("module", "properties", "parameters", "method", "result", "seconds")


def main() -> None:
    """Parse, prove, print."""
    flags = _parse()
    require_tools()
    every = all_proofs()
    check_lemmas(every)
    proofs = [
        proof for proof in every if any(fnmatch(name, flags.module) for name in proof.modules)
    ]
    if not proofs:
        raise ValueError(f"--module: expected a module with proofs, got {flags.module}")
    with ThreadPoolExecutor(flags.jobs) as pool:
        outcomes = list(
            pool.map(lambda proof: prove(proof, flags.build_dir, flags.rtl_dir), proofs)
        )
    _print_table(outcomes)
    unexpected = [outcome for outcome in outcomes if not outcome.expected]
    for outcome in unexpected:
        print(describe(outcome))
    if unexpected:
        raise SystemExit(1)


def _parse() -> argparse.Namespace:
    parser = Parser(__doc__, "scripts/prove.py --module pointwise_conv")
    parser.add_argument("--module", default="*", help="prove only modules that match this pattern")
    parser.add_argument(
        "--build_dir", type=Path, default=Path("work/formal"), help="where logs and traces go"
    )
    parser.add_argument("--rtl_dir", type=Path, default=RTL_FOLDER, help="the modules to prove")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="how many proofs run at a time"
    )
    flags = parser.parse_args()
    if flags.jobs < 1:
        parser.error(f"--jobs: expected at least 1, got {flags.jobs}")
    return flags


def _print_table(outcomes: Sequence[Outcome]) -> None:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    for heading in HEADINGS:
        justify = "right" if heading == HEADINGS[-1] else "left"
        table.add_column(heading, justify=justify, overflow="fold")
    for outcome in outcomes:
        proof = outcome.proof
        cells = (proof.module, proof.group, proof.size, proof.how, _result(outcome))
        table.add_row(
            *cells, f"{outcome.seconds:.1f}", style="" if outcome.expected else "bold red"
        )
    show_table(table)


def _result(outcome: Outcome) -> str:
    if not outcome.expected:
        return "FAILS" if outcome.failed else outcome.answer
    if outcome.proof.fails:
        return f"{outcome.proof.fails} fails, as it must"
    return {INDUCTION: "proven", BOUNDED: "holds", COVER: "reached"}[outcome.proof.method]


if __name__ == "__main__":
    run_command(main)
