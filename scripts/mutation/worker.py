"""Runs tests in a copy of the repository, one list of them after another, each in a fresh process.

`scripts.mutation.bench` starts it in the copy. Every line that it reads is a JSON list of pytest's
arguments; it answers with the process that runs them, and when that has ended with its status.
The imports happen once, and every run is a fork of that: most of the time that a run takes
otherwise.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import cocotb_tools.runner  # noqa: F401
import hypothesis  # noqa: F401
import numpy  # noqa: F401
import pytest

import scripts.simulation.rtl_simulation  # noqa: F401


def main() -> None:
    """Serve until the input ends; the one argument is the file for what the tests print."""
    output = Path(sys.argv[1])
    for line in sys.stdin:
        arguments = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(arguments, output)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(arguments: list[str], output: Path) -> None:
    """Run pytest in a process group of its own, and end with its status."""
    os.setsid()
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(handle, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    status = pytest.ExitCode.INTERNAL_ERROR
    try:
        status = pytest.main(arguments)
        sys.stdout.flush()
    finally:
        os._exit(int(status))


if __name__ == "__main__":
    main()
