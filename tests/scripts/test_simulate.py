"""The command that runs clips through the RTL: what it prints, saves, and shows of a fault."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from golden import files
from golden.exports.cases import make_cases
from scripts.console.places import RTL_FOLDER
from scripts.simulation.accelerator_simulation import AcceleratorSimulator
from tests.accelerators import small_accelerator, small_networks
from tests.networks import random_fingerprints
from tests.planted_faults import plant
from tests.repository import REPOSITORY
from tests.witnessed import witnessed_ranges

CLIPS = 5


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    """Flags that name a network, five cases of it, and a folder for the result."""
    network = small_networks()["plain"]
    network.save(tmp_path / "tiny/network.npz")
    fingerprints = random_fingerprints(1, CLIPS, network.input_shape)
    cases = make_cases(network, fingerprints, np.zeros(CLIPS, np.int64))
    files.write_bytes(tmp_path / "cases.npz", cases.to_bytes())
    return [
        *("--network", str(tmp_path / "tiny/network.npz")),
        *("--cases", str(tmp_path / "cases.npz")),
        *("--output_dir", str(tmp_path / "out")),
    ]


def run(*flags: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "scripts/simulate.py", *flags],
        cwd=REPOSITORY,
        env=os.environ | ({} if path is None else {"PATH": path}),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.rtl
@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_both_simulators_agree_with_the_reference_in_every_value(
    simulator: str, inputs: list[str], tmp_path: Path, require_tool: Callable[[str], None]
) -> None:
    require_tool(simulator if simulator == "verilator" else "iverilog")
    result = run(*inputs, "--simulator", simulator, "--waves", str(tmp_path / "wave.fst"))
    assert (result.returncode, result.stderr) == (0, "")
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    # 3 filters of 4 x 2 positions, 3 pooled, 2 features, 4 logits, and the label.
    assert summary["values_compared"] == {
        "conv_1": CLIPS * 24,
        "conv_1_relu": CLIPS * 24,
        "dw_conv": CLIPS * 24,
        "max_pool": CLIPS * 3,
        "pw_conv": CLIPS * 2,
        "pw_conv_relu": CLIPS * 2,
        "fc1": CLIPS * 4,
        "out": CLIPS * 5,
    }
    assert (summary["clips"], summary["mismatches"]) == (CLIPS, 0)
    cycles = summary["cycles_per_frame"]
    assert cycles["simulated"] == [cycles["predicted"]]
    assert summary["latency_cycles"]["simulated"] == [summary["latency_cycles"]["predicted"]]
    assert (tmp_path / "wave.fst").stat().st_size > 0


@pytest.mark.rtl
def test_witnesses_are_replayed_and_their_reach_is_shown(inputs: list[str], tmp_path: Path) -> None:
    network = small_networks()["plain"]
    ranges = witnessed_ranges(network, random_fingerprints(0, 4, network.input_shape))
    files.write_bytes(tmp_path / "tiny/proven_ranges.npz", ranges.to_bytes())
    where = ("--network", str(tmp_path / "tiny/network.npz"), "--output_dir", str(tmp_path / "out"))
    flags = ("--witnesses", "--simulator", "icarus", "--config", "small")
    result = run(*where, *flags)
    assert (result.returncode, result.stderr) == (0, "")
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["clips"] == len(ranges.fingerprints)
    assert (summary["widths"], summary["mismatches"]) == ("proven ranges", 0)
    reached = ranges.signals["dw_conv.partial_sum"].reached
    line = rf"dw_conv\.partial_sum +\d+ .* {reached.minimum:,} \.\. {reached.maximum:,} +0/3\n"
    assert re.search(line, result.stdout)


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("widths", "said"),
    [
        ("interval", "interval bounds"),
        ("observed", f"observed on {CLIPS} clips of {{cases}}"),
    ],
)
def test_widths_come_from_the_source_that_is_asked_for(
    inputs: list[str], tmp_path: Path, widths: str, said: str
) -> None:
    result = run(*inputs, "--simulator", "icarus", "--widths", widths)
    assert (result.returncode, result.stderr) == (0, "")
    # The output may be wrapped.
    words = said.format(cases=tmp_path / "cases.npz").replace(" ", "")
    assert f"widths{words}" in re.sub(r"\s", "", result.stdout)


@pytest.mark.rtl
def test_gaps_and_stalls_change_no_value(inputs: list[str]) -> None:
    flags = ("--simulator", "icarus", "--gap_percent", "40", "--stall_percent", "70")
    result = run(*inputs, *flags, "--config", "conv_1=row,dw_conv=tap")
    assert (result.returncode, result.stderr) == (0, "")
    assert "0 mismatches" in result.stdout


@pytest.mark.rtl
def test_fault_in_the_rtl_is_shown_where_it_starts(inputs: list[str], tmp_path: Path) -> None:
    right = "? {OUT_BITS{1'b0}} : sum[SHIFT+"
    rtl = plant(tmp_path, "conv_1", right, right.replace("1'b0", "1'b1"))
    result = run(*inputs, "--simulator", "icarus", "--rtl_dir", str(rtl))
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("MISMATCH: clip 0: conv_1_relu at (")
    assert "expected 0, got " in result.stderr and ", cycle " in result.stderr
    # A negative sum needs one number that is not 0.
    assert "Smallest input found: 1 of 60 numbers are not 0:\n" in result.stdout
    assert (tmp_path / "out/waves.fst").stat().st_size > 0
    assert not (tmp_path / "out/summary.json").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--config", "enormous"), "configuration: expected one of small, balanced, fast, or"),
        (("--config", "conv_1=all,dw_conv=tap"), r"expected one of tap, row, window, got 'all'"),
        (("--clips", "0"), "--clips: expected at least 1, got 0"),
        (("--gap_percent", "100"), "--gap_percent: expected 0 to 99, got 100"),
        (("--waves", "wave.vcd"), "--waves: expected a file name that ends in .fst, got wave.vcd"),
        (("--test_dir", "clips"), "flags: expected only one of --test_dir, --cases, got 2"),
        (("--witnesses",), "flags: expected only one of --cases, --witnesses, got 2"),
        (("--widths", "proven"), "expected proven ranges beside it or in work/cache/proven_ranges"),
    ],
)
def test_bad_flags_are_one_line(inputs: list[str], flags: tuple[str, ...], message: str) -> None:
    result = run(*inputs, *flags)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("simulator", "message"),
    [
        ("icarus", "iverilog: no simulator found, install the Debian package iverilog"),
        ("verilator", "verilator: not found, install the Debian package verilator"),
    ],
)
def test_missing_simulator_is_one_line_that_names_the_package(
    inputs: list[str], simulator: str, message: str
) -> None:
    result = run(*inputs, "--simulator", simulator, path="/nowhere")
    assert (result.returncode, result.stderr) == (2, f"error: {message}\n")


@pytest.mark.rtl
def test_rtl_that_does_not_compile_is_one_error(tmp_path: Path) -> None:
    shutil.copytree(RTL_FOLDER, tmp_path / "rtl")
    (tmp_path / "rtl/argmax.v").write_text("module argmax; endmodul\n")
    with pytest.raises(
        ValueError, match=r"kws_accelerator: does not compile: .*argmax\.v:.*syntax error"
    ):
        AcceleratorSimulator(small_accelerator(), "icarus", tmp_path / "rtl")
