"""The command: what it prints, and its exit statuses."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from scripts.speech.synthetic_voices import ESPEAK, FLITE
from tests.repository import REPOSITORY


def run(*flags: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(REPOSITORY / "scripts" / "make_speech.py"), *flags]
    environment = {"PYTHONPATH": str(REPOSITORY), "PATH": path or os.environ["PATH"]}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_prints_what_was_made(tmp_path: Path, require_tool: Callable[[str], None]) -> None:
    require_tool(FLITE)
    folder = tmp_path / "speech"
    flags = ["--wanted_words", "on", "--words", "on,off", "--engine", "flite", "--voices", "2"]
    counts = ["--clips_per_word", "3", "--clips_per_other_word", "1"]
    result = run("--output_dir", str(folder), *flags, *counts)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{folder}: 4 clips of 2 words by 2 voices\n"
    assert len(list(folder.glob("on/*.wav"))) == 3


def test_missing_synthesiser_is_one_line_and_exit_status_2(tmp_path: Path) -> None:
    result = run("--output_dir", str(tmp_path / "speech"), path=str(tmp_path))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {ESPEAK}: expected this speech synthesiser")
    assert result.stderr.count("\n") == 1


def test_impossible_flag_is_one_line_and_exit_status_2(tmp_path: Path) -> None:
    result = run("--output_dir", str(tmp_path / "speech"), "--voices", "71")
    assert (result.returncode, result.stderr) == (2, "error: voices: expected 1..70, got 71\n")
