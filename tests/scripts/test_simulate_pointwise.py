"""The command that simulates the pointwise layer: what it prints, what it saves, how it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from golden import files
from golden.exports.cases import make_cases
from tests.networks import random_fingerprints, random_network
from tests.repository import REPOSITORY

COMMAND = [sys.executable, "scripts/simulate_pointwise.py"]


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    """Flags that name a network, five cases of it and a folder to build in."""
    network = random_network(1, filters=6, outputs=4, shifts=(3, 4, 5))
    network.save(tmp_path / "tiny/network.npz")
    cases = make_cases(network, random_fingerprints(1, 5), np.zeros(5, np.int64))
    files.write_bytes(tmp_path / "cases.npz", cases.to_bytes())
    return [
        *("--network", str(tmp_path / "tiny/network.npz")),
        *("--cases", str(tmp_path / "cases.npz")),
        *("--build_dir", str(tmp_path / "build")),
    ]


def run(*flags: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | ({} if path is None else {"PATH": path})
    return subprocess.run(
        [*COMMAND, *flags],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.rtl
def test_reports_what_was_compared_and_the_cycles(inputs: list[str], tmp_path: Path) -> None:
    waves = tmp_path / "wave.fst"
    result = run(*inputs, "--pixels", "4", "--waves", str(waves))
    assert (result.returncode, result.stderr) == (0, "")
    summary = json.loads((tmp_path / "build/summary.json").read_text())
    # Full rate on 4 pixels, and 9 crossings of gaps and stalls on 3; 6 x 4 weights, fill 3.
    assert summary == {
        "scenarios": 11,
        "vectors": 4 + 9 * 3,
        "values": (4 + 9 * 3) * 4,
        "mismatches": 0,
        "multiply_cycles_per_pixel": 24,
        "fill_cycles": 3,
        "latency_cycles": 26,
        "pixels_back_to_back": 4,
        "simulated_cycles": 4 * 24 + 3,
        "predicted_cycles": 4 * 24 + 3,
    }
    assert "mismatches                           0" in result.stdout
    assert "99 cycles (predicted 99)" in result.stdout
    assert "input-stationary" in result.stdout
    assert "widths                       interval bounds, nothing proven yet" in result.stdout
    assert waves.stat().st_size > 0


def test_no_simulator_is_one_line_that_names_the_package(inputs: list[str]) -> None:
    result = run(*inputs, path="/nowhere")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "error: iverilog: no simulator found, install the Debian package iverilog\n"
    )


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--pixels", "0"), "--pixels: expected at least 1, got 0"),
        (("--waves", "wave.vcd"), "waves: expected a file name that ends in .fst, got wave.vcd"),
        (("--network", "missing.npz"), "missing.npz: expected"),
        (("--cases", "missing.npz"), "missing.npz: expected"),
    ],
)
def test_bad_input_is_one_line(inputs: list[str], flags: tuple[str, ...], message: str) -> None:
    result = run(*inputs, *flags)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
