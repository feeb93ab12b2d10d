"""Plant small mistakes in the RTL, one at a time, and see whether the benches notice.

Makes mutants of the modules in rtl_ref/, runs the bench of each module on copies of the
repository, and reports which mutants were killed (a test failed, or nothing finished) and which
survived. Those that compute the same as the original are argued one by one in
rtl_ref/equivalent_mutants.toml; of any other that a bench leaves alive the properties of its
module are proven. Exit status 1 if one survives that, too.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Container, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from golden import files
from golden.exports.evidence import json_bytes
from scripts.console.command_line import Parser, comma_separated, run_command
from scripts.console.places import RTL_FOLDER
from scripts.console.progress import progress_bar, say, show_table
from scripts.formal.solver import require_tools
from scripts.mutation.bench import Copies, Copy, Judgement, Verdict, benches, copies
from scripts.mutation.mutants import Mutant, make_mutants, read_equivalents, read_modules, sample
from scripts.mutation.report import Result, check_arguments, report, survivors, table
from scripts.simulation.rtl_simulation import require_icarus

EXAMPLE = "scripts/mutate_rtl.py --modules pointwise_conv,argmax --limit 50"
EQUIVALENTS = RTL_FOLDER / "equivalent_mutants.toml"
FIRST_PATIENCE_S = 1800  # for all tests of a module, without a mutant
PATIENCE = 10  # times as long as the tests take without a mutant, and
MORE_PATIENCE_S = 30


def main() -> None:
    """Parse, make the mutants, judge, print."""
    flags = _parse()
    modules = read_modules(RTL_FOLDER)
    every = make_mutants(modules, flags.modules or tuple(modules))
    arguments = read_equivalents(EQUIVALENTS, every)
    mutants = every if flags.limit is None else sample(every, flags.limit, flags.seed)
    if flags.list:
        say("\n".join([*(mutant.describe() for mutant in mutants), f"{len(mutants)} mutants"]))
        return
    require_icarus()
    require_tools()
    judgements = _judge(mutants, modules, arguments, flags.jobs)
    results = [
        Result(mutant, judgement, arguments.get(mutant, ""))
        for mutant, judgement in zip(mutants, judgements, strict=True)
    ]
    files.write_bytes(flags.output, json_bytes(report(results, modules)))
    _print(results, flags.output)
    check_arguments(results)
    if survivors(results):
        raise SystemExit(1)


def _parse() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--modules", type=comma_separated, default=(), help="modules to mutate; without it all"
    )
    parser.add_argument("--list", action="store_true", help="list the mutants and judge none")
    parser.add_argument("--limit", type=int, help="judge only so many, drawn evenly by --seed")
    parser.add_argument("--seed", type=int, default=0, help="draws the mutants of --limit")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="mutants at a time")
    parser.add_argument(
        "--output", type=Path, default=Path("work/mutants.json"), help="where every verdict goes"
    )
    flags = parser.parse_args()
    for name in ("limit", "jobs"):
        value = getattr(flags, name)
        if value is not None and value < 1:
            parser.error(f"--{name}: expected at least 1, got {value}")
    return flags


def judge_one(
    copy: Copy, mutant: Mutant, tests: tuple[str, ...], patience_s: float, argued: bool
) -> Judgement:
    """Judge by the bench, and a survivor that nobody argued for by the properties."""
    judgement = copy.judge(mutant, tests, patience_s)
    if judgement.verdict is Verdict.SURVIVING and not argued:
        return copy.judge_by_properties(mutant)
    return judgement


def _judge(
    mutants: Sequence[Mutant], modules: Mapping[str, str], argued: Container[Mutant], jobs: int
) -> list[Judgement]:
    """Return the verdict on every mutant, in their order."""
    names = dict.fromkeys(mutant.module for mutant in mutants)
    tests = {name: benches(name, modules) for name in names}
    with copies(jobs) as repository, ThreadPoolExecutor(jobs) as pool:
        patience_s = _patience(repository, tests)

        def judge(mutant: Mutant) -> Judgement:
            with repository.one() as copy:
                module = mutant.module
                return judge_one(copy, mutant, tests[module], patience_s[module], mutant in argued)

        return _judge_in_parallel(pool, judge, mutants)


def _patience(repository: Copies, tests: Mapping[str, tuple[str, ...]]) -> dict[str, float]:
    """Check that the benches pass without a mutant; return how long to wait for each, in s."""
    patience_s = {}
    with progress_bar("benches") as progress:
        for number, (module, names) in enumerate(tests.items()):
            progress(number, len(tests))
            start = time.monotonic()
            with repository.one() as copy:
                judgement = copy.run(names, FIRST_PATIENCE_S)
            if judgement.verdict is not Verdict.SURVIVING:
                where = judgement.test or "tests"
                raise ValueError(f"{where}: {judgement.verdict} without a mutant")
            patience_s[module] = PATIENCE * (time.monotonic() - start) + MORE_PATIENCE_S
        progress(len(tests), len(tests))
    return patience_s


def _judge_in_parallel(
    pool: ThreadPoolExecutor, judge: Callable[[Mutant], Judgement], mutants: Sequence[Mutant]
) -> list[Judgement]:
    """Judge all mutants in the pool, with a progress bar; stop at the first error."""
    futures = [pool.submit(judge, mutant) for mutant in mutants]
    alive = 0
    with progress_bar("mutants") as progress:
        try:
            for done, future in enumerate(as_completed(futures), 1):
                alive += future.result().verdict is Verdict.SURVIVING
                progress(done, len(futures))
                progress.note(f"{alive} survive")
        finally:
            pool.shutdown(cancel_futures=True)
    return [future.result() for future in futures]


def _print(results: Sequence[Result], output: Path) -> None:
    for by in ("operator", "module"):
        show_table(table(results, by))
        print()
    for mutant in survivors(results):
        print(f"survives: {mutant.describe()}")
    print(f"Details: {output}")


if __name__ == "__main__":
    run_command(main)
