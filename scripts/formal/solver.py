"""Has Yosys and z3 prove what `scripts/formal/proof_plan.py` lists, and says what came of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from golden import files
from scripts.console.places import RTL_FOLDER
from scripts.formal.proof_plan import COVER, INDUCTION, Proof

PACKAGES = {"yosys": "yosys", "yosys-smtbmc": "yosys", "z3": "z3"}


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
        # Helpers come last: -noassert and -noassume also hold for what is read later.
        f"read_verilog -formal {defines} {rtl_folder / proof.module}.v",
        *(f"read_verilog -formal {defines} {rtl_folder / stage}.v" for stage in proof.stages),
        *(
            f"read_verilog -formal -noassert -noassume {defines} {rtl_folder / helper}.v"
            for helper in proof.helpers
        ),
        f"chparam {settings} {proof.module}" if settings else "",
        f"hierarchy -check -top {proof.module}",
        "proc",
        "flatten",
        # No register here resets asynchronously; but Yosys after 0.33 holds properties in cells of
        # a new kind, of which this makes the kinds that are selected below.
        "async2sync",
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
    where = f"{proof.module} ({proof.size}, {proof.how})"
    trace = f", trace: {outcome.trace}" if outcome.trace else ""
    if proof.fails and outcome.answer == "PASSED":
        return f"{where}: expected {proof.fails} to fail, it holds"
    if not outcome.failed:
        return f"{where}: expected an answer on {proof.group}, got {outcome.answer}{trace}"
    return f"{where}: {', '.join(outcome.failed)} does not hold{trace}"


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
