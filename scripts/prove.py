"""Prove the properties that the RTL modules carry under `ifdef FORMAL`, with Yosys and z3.

A proof takes one group of assertions of one module: those whose names start with the group's. An
induction holds for ever, a bounded check for so many cycles after the reset. Weights are symbolic,
so a proof holds for every network of that size. Some proofs must fail: they show that a property
notices what it is for. Prints a table; exits with 1 if a result is not the one expected.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from golden import files
from scripts.console.command_line import Parser, run_command
from scripts.formal.proofs import BOUNDED, COVER, INDUCTION, RTL_FOLDER, Proof, all_proofs

PACKAGES = {"yosys": "yosys", "yosys-smtbmc": "yosys", "z3": "z3"}
HEADINGS = ("module", "properties", "parameters", "method", "result", "seconds")


@dataclass(frozen=True)
class Outcome:
    """What the solver said of a proof. `failed` names the properties that do not hold."""

    proof: Proof
    answer: str
    failed: Sequence[str]
    trace: Path | None
    seconds: float

    @property
    def expected(self) -> bool:
        """Whether it is what the proof asks for."""
        if self.proof.fails:
            return self.proof.fails in self.failed
        return self.answer == "PASSED"


def main() -> None:
    """Parse, prove, print."""
    flags = _parse()
    require_tools()
    proofs = [proof for proof in all_proofs() if fnmatch(proof.module, flags.module)]
    if not proofs:
        raise ValueError(f"--module: expected a module with proofs, got {flags.module}")
    check_lemmas(proofs)
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


def require_tools() -> None:
    """Raise FileNotFoundError, naming the Debian package, if Yosys or z3 is not installed."""
    for tool, package in PACKAGES.items():
        if shutil.which(tool) is None:
            raise FileNotFoundError(f"{tool}: not found, install the Debian package {package}")


def check_lemmas(proofs: Sequence[Proof]) -> None:
    """Raise ValueError if a lemma is not proven earlier, for the same parameters and macros."""
    proven: list[tuple[str, str, Mapping[str, int], Mapping[str, int]]] = []
    for proof in proofs:
        for lemma in proof.lemmas:
            if (proof.module, lemma, proof.parameters, proof.defines) not in proven:
                raise ValueError(
                    f"{proof.module}.{proof.group}: expected an earlier induction of its lemma "
                    f"{lemma} with the same parameters ({proof.size}), found none"
                )
        if proof.method == INDUCTION and not proof.fails:
            proven.append((proof.module, proof.group, proof.parameters, proof.defines))


def prove(proof: Proof, build_dir: Path, rtl_folder: Path = RTL_FOLDER) -> Outcome:
    """Run one proof in a folder of its own below `build_dir`; the trace of a failure stays there.

    Raises ValueError if Yosys does not accept the RTL, or warns.
    """
    started = time.monotonic()
    folder = build_dir / proof.folder
    folder.mkdir(parents=True, exist_ok=True)
    trace = folder / "trace.vcd"
    for old in (trace, folder / "solver.log"):
        old.unlink(missing_ok=True)
    _elaborate(proof, rtl_folder, folder)
    log = ""
    for arguments in _solver_runs(proof):
        log = _solve([*arguments, "--dump-vcd", trace.name, "model.smt2"], folder)
        if "Status: PASSED" not in log:
            break
    status = re.findall(r"Status: (\S+)", log)
    # An assertion gives its name, a cover statement only the place.
    failed = re.findall(r"Assert failed in \S+: (\S+)|Unreached cover statement at (\S+)\.", log)
    return Outcome(
        proof,
        status[-1] if status else "no answer",
        tuple(name or place for name, place in failed),
        trace if trace.is_file() else None,
        time.monotonic() - started,
    )


def yosys_script(proof: Proof, rtl_folder: Path) -> str:
    """Return the Yosys commands that turn the module and the wanted properties into `model.smt2`.

    Helpers lose their assumptions with their assertions: they might forbid what the module does.
    """
    defines = " ".join(f"-D{name}={value}" for name, value in proof.defines.items())
    settings = " ".join(f"-set {name} {value}" for name, value in proof.parameters.items())
    kind = "$cover" if proof.method == COVER else "$assert"
    lines = [
        # Helpers come after it: -noassert and -noassume also hold for what is read later.
        f"read_verilog -formal {defines} {rtl_folder / proof.module}.v",
        *(
            f"read_verilog -formal -noassert -noassume {defines} {rtl_folder / helper}.v"
            for helper in proof.helpers
        ),
        f"chparam {settings} {proof.module}" if settings else "",
        f"hierarchy -check -top {proof.module}",
        "proc",
        "flatten",
        f"select -assert-min 1 t:{kind} c:{proof.group}_* %i",
        f"select -set goals t:{kind} c:{proof.group}_* %i",
        *(f"chformal -assert -assert2assume t:$assert c:{lemma}_* %i" for lemma in proof.lemmas),
        "chformal -assert -remove t:$assert @goals %d",
        "chformal -cover -remove t:$cover @goals %d",
        *(f"cutpoint w:{wire}" for wire in proof.cuts),
        "opt_clean",
        "check -assert",
        "opt",
        "memory_nordff",
        "opt",
        "dffunmap",
        # Last: `opt` would take a register that nothing writes for a constant.
        "memory_map -formal" if proof.registers else "",
        "write_smt2 -wires model.smt2",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def describe(outcome: Outcome) -> str:
    """Return one line on an unexpected outcome: module, property, parameters, trace."""
    proof = outcome.proof
    where = f"{proof.module} ({proof.size}, {_method(proof)})"
    trace = f", trace: {outcome.trace}" if outcome.trace else ""
    if proof.fails and outcome.answer == "PASSED":
        return f"{where}: expected {proof.fails} to fail, it holds"
    if not outcome.failed:
        return f"{where}: expected an answer on {proof.group}, got {outcome.answer}{trace}"
    return f"{where}: {', '.join(outcome.failed)} does not hold{trace}"


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


def _elaborate(proof: Proof, rtl_folder: Path, folder: Path) -> None:
    files.write_text(folder / "model.ys", yosys_script(proof, rtl_folder.resolve()))
    # Yosys makes a wire of a name that it does not know, and warns: every warning is an error.
    command = ["yosys", "-q", "-e", ".*", "-l", "yosys.log", "model.ys"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode:
        reasons = re.findall(r"(?:ERROR|Warning): (.*)", result.stdout + result.stderr)
        reason = reasons[-1] if reasons else f"exit status {result.returncode}"
        raise ValueError(f"{proof.module}.{proof.group}: Yosys: {reason}, see {folder}/yosys.log")


def _solver_runs(proof: Proof) -> list[list[str]]:
    """Return the arguments of every run: an induction has a base and a step."""
    common = ["--noprogress", "--unroll", "-s", "z3", "-t", str(proof.depth)]
    if proof.registers:
        common += ["--noincr", "--logic", "QF_BV"]
    if proof.method == COVER:
        return [[*common, "-c"]]
    base = [*common, "--presat"]  # also fails where the assumptions contradict one another
    return [base, [*common, "-i"]] if proof.method == INDUCTION else [base]


def _solve(arguments: Sequence[str], folder: Path) -> str:
    command = ["yosys-smtbmc", *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    with (folder / "solver.log").open("a", encoding="utf-8") as log:
        log.write(f"{' '.join(command)}\n{result.stdout}{result.stderr}\n")
    return result.stdout


def _print_table(outcomes: Sequence[Outcome]) -> None:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    for heading in HEADINGS:
        justify = "right" if heading == HEADINGS[-1] else "left"
        table.add_column(heading, justify=justify, overflow="fold")
    for outcome in outcomes:
        proof = outcome.proof
        cells = (proof.module, proof.group, proof.size, _method(proof), _result(outcome))
        table.add_row(
            *cells, f"{outcome.seconds:.1f}", style="" if outcome.expected else "bold red"
        )
    Console(width=120).print(table)


def _method(proof: Proof) -> str:
    if proof.method == INDUCTION:
        return f"induction, depth {proof.depth}"
    return f"{proof.depth} cycles from reset"


def _result(outcome: Outcome) -> str:
    if not outcome.expected:
        return "FAILS" if outcome.failed else outcome.answer
    if outcome.proof.fails:
        return f"{outcome.proof.fails} fails, as it must"
    return {INDUCTION: "proven", BOUNDED: "holds", COVER: "reached"}[outcome.proof.method]


if __name__ == "__main__":
    run_command(main)
