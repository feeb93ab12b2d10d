"""Judges mutants of the RTL: runs the benches of a module on a copy of the repository.

A module's bench is `tests/rtl/test_<module>.py`. A module without one is judged by the benches of
the modules that instantiate it. Of a mutant that a bench leaves alive, the properties that its
module carries can be proven: `Copy.judge_by_properties`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from threading import Timer

from scripts.console.places import REPOSITORY
from scripts.mutation.mutants import Mutant, instantiated

# The tests that judge, by module: cheapest first, each there because some mutant needs it. Of a
# module that is not listed every test judges.
_SCENARIOS = "test_every_scenario_passes_on_random_and_extreme_inputs"
JUDGES: Mapping[str, tuple[str, ...]] = {
    "pointwise_conv": tuple(
        f"{_SCENARIOS}[{network}]"
        for network in (
            *("3 to 2", "1 to 1", "1 to 4", "5 to 1", "either extreme"),
            *("weights -1 to 1", "inputs 0 and 1"),
            *("fc1, window", "fc1, one row", "fc1, one column"),
        )
    ),
}
# Properties that do not hold; nothing to prove; a mutant that Yosys refuses.
_JUDGED = r"does not hold|expected (a module with proofs|\w+ to fail|an answer)|: Yosys: "
PROOFS_PATIENCE_S = 600  # for all proofs of a module
_NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "work")
_FLAGS = ("--exitfirst", "--quiet", "-n0", "--tb=line", "--assert=plain", "-pno:cacheprovider")


class Verdict(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    HANGING = "hanging"  # killed too: no test finished in time
    STILLBORN = "stillborn"  # does not build, so no test judged it
    SURVIVING = "surviving"


@dataclass(frozen=True)
class Judgement:
    """The verdict on a mutant, and the first test that failed."""

    verdict: Verdict
    test: str = ""


class Copy:
    """A copy of the repository, and a process that runs tests in it (`scripts.mutation.worker`)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._output = folder.with_suffix(".out")
        self._flags = (*_FLAGS, f"--basetemp={folder.with_suffix('.work')}")
        self._child: int | None = None
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "scripts.mutation.worker", str(self._output)],
            cwd=folder,
            env=os.environ | {"COCOTB_MAX_FAILURES": "1"},  # a bench ends with its first failure
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # an interrupt is for us
        )

    def judge(self, mutant: Mutant, tests: tuple[str, ...], patience_s: float) -> Judgement:
        """Run the tests, in their order, on the mutant up to the first that fails.

        Raises ValueError if they cannot run.
        """
        with self._planted(mutant):
            return self.run(tests, patience_s)

    def judge_by_properties(self, mutant: Mutant) -> Judgement:
        """Prove the properties of the mutant's module; the first that does not hold kills it."""
        with self._planted(mutant):
            return self.prove(mutant.module)

    def prove(self, module: str, patience_s: float = PROOFS_PATIENCE_S) -> Judgement:
        """Prove the properties of a module, as `make formal` does.

        No answer is none: it survives proofs that do not end, Yosys if that refuses it, and a
        module without properties. Raises ValueError if there are no proofs for another reason.
        """
        command = [sys.executable, "-m", "scripts.prove", "--module", module, "--jobs", "1"]
        process = subprocess.Popen(
            [*command, "--build_dir", str(self.folder.with_suffix(".proofs"))],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # the solvers end with it
        )
        try:
            output, _ = process.communicate(timeout=patience_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return Judgement(Verdict.SURVIVING)
        if process.returncode and not re.search(_JUDGED, output):
            raise ValueError(f"{module}: expected proofs, got {output}")
        broken = re.search(rf"^{module} \(.*\): (\w+).* does not hold", output, re.MULTILINE)
        if broken is None:
            return Judgement(Verdict.SURVIVING)
        return Judgement(Verdict.KILLED, f"property {broken.group(1)}")

    @contextmanager
    def _planted(self, mutant: Mutant) -> Iterator[None]:
        """Put the mutant in the place of its module for as long as the context lasts."""
        module = self.folder / "rtl_ref" / f"{mutant.module}.v"
        original = module.read_text()
        try:
            module.write_text(mutant.source)
            yield
        finally:
            module.write_text(original)

    def run(self, tests: tuple[str, ...], patience_s: float) -> Judgement:
        """Run the tests up to the first that fails, or end them after `patience_s` seconds.

        Raises ValueError if they cannot run.
        """
        assert self._worker.stdin is not None
        print(json.dumps([*self._flags, *tests]), file=self._worker.stdin, flush=True)
        self._child = self._answer()
        timer = Timer(patience_s, self._end_tests)
        timer.start()
        try:
            status = self._answer()
        finally:
            timer.cancel()
        self._child = None
        return _judgement(status, self._output.read_text(errors="replace"))

    def close(self) -> None:
        """End the process, and the tests that it runs."""
        self._end_tests()
        self._worker.communicate()

    def _answer(self) -> int:
        assert self._worker.stdout is not None
        line = self._worker.stdout.readline()
        if not line:
            raise ValueError(f"{self.folder}: expected an answer, the process that tests has ended")
        return int(line)

    def _end_tests(self) -> None:
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):  # they ended just now
                os.killpg(self._child, signal.SIGKILL)


class Copies:
    """Copies of the repository, each of which judges one mutant at a time."""

    def __init__(self, every: list[Copy]) -> None:
        self._free: SimpleQueue[Copy] = SimpleQueue()
        for copy in every:
            self._free.put(copy)

    @contextmanager
    def one(self) -> Iterator[Copy]:
        """Wait for a copy that is free, and hold it for as long as the context lasts."""
        copy = self._free.get()
        try:
            yield copy
        finally:
            self._free.put(copy)


@contextmanager
def copies(count: int) -> Iterator[Copies]:
    """Copy the repository `count` times for as long as the context lasts."""
    with TemporaryDirectory(prefix="mutants_") as folder, ExitStack() as stack:
        every = []
        for number in range(count):
            place = Path(folder) / f"copy_{number}"
            shutil.copytree(REPOSITORY, place, ignore=_NOT_COPIED)
            every.append(Copy(place))
            stack.callback(every[-1].close)
        yield Copies(every)


def benches(module: str, modules: Mapping[str, str]) -> tuple[str, ...]:
    """Return the tests that judge mutants of `module`, as pytest names them, in their order.

    Raises ValueError if neither the module nor any that instantiates it has a bench.
    """
    bench = Path("tests/rtl") / f"test_{module}.py"
    if (REPOSITORY / bench).is_file():
        return tuple(f"{bench}::{test}" for test in JUDGES.get(module, ())) or (str(bench),)
    users = [name for name, text in modules.items() if module in instantiated(text) - {name}]
    if not users:
        raise ValueError(f"{module}: expected a bench {bench}, found none")
    return tuple(test for user in users for test in benches(user, modules))


def _judgement(status: int, output: str) -> Judgement:
    import pytest  # the command itself runs no test, and should start without

    if status == pytest.ExitCode.OK:
        return Judgement(Verdict.SURVIVING)
    if status == -signal.SIGKILL:
        return Judgement(Verdict.HANGING)
    if status != pytest.ExitCode.TESTS_FAILED:
        raise ValueError(f"pytest: expected tests that pass or fail, got status {status}: {output}")
    failed = re.search(r"^FAILED (\S+::.*?)(?: - |$)", output, re.MULTILINE)
    stillborn = ": does not build: " in output
    verdict = Verdict.STILLBORN if stillborn else Verdict.KILLED
    return Judgement(verdict, failed.group(1) if failed else "")
