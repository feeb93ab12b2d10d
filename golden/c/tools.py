"""Runs compilers, and what they make, in a folder."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path


class ToolError(ValueError):
    """A tool failed: the text names it and its first error; `said` is all that it said."""

    def __init__(self, tool: str, said: str) -> None:
        lines = said.splitlines()
        errors = [line for line in lines if "error" in line]
        super().__init__(f"{tool}: failed: {next(iter(errors + lines), 'no message')}")
        self.said = said


def run_tool(
    command: Sequence[str], folder: Path, data: bytes = b"", seconds: float | None = None
) -> bytes:
    """Run a command in a folder with `data` as its input, and return what it wrote.

    Raises ToolError if it fails, ValueError if it takes longer than `seconds`.
    """
    try:
        result = subprocess.run(
            command, cwd=folder, input=data, capture_output=True, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"{command[0]}: expected an end within {seconds} s, got none") from None
    if result.returncode:
        raise ToolError(command[0], result.stderr.decode(errors="replace"))
    return result.stdout
