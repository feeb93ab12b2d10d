"""The command that climbs the whole ladder: every rung is there, and a difference ends it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from dataflow.hardware.accelerator import FAST, Accelerator
from golden import files
from quant_models.evaluation import Verifier
from scripts import verify
from scripts.simulation.accelerator_simulation import AcceleratorSimulator
from scripts.simulation.rtl_comparison import Mismatch
from tests.checkpoints import random_checkpoint
from tests.planted_faults import plant
from tests.repository import REPOSITORY
from tests.witnessed import witnessed_ranges


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "scripts/verify.py", *flags],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.rtl
def test_every_rung_is_climbed_and_written_down(
    tmp_path: Path, require_tool: Callable[[str], None]
) -> None:
    for tool in ("cc", "c++", "verilator", "yosys"):
        require_tool(tool)
    checkpoint = random_checkpoint(cases=4)
    files.write_bytes(tmp_path / checkpoint.name, checkpoint.to_bytes())
    ranges = witnessed_ranges(checkpoint.network(), checkpoint.cases)
    files.write_bytes(tmp_path / "proven_ranges.npz", ranges.to_bytes())
    witnesses = len(ranges.fingerprints)
    counts = ("--configs", "small", "--icarus_clips", "1", "--netlist_clips", "2")
    result = run(str(tmp_path / checkpoint.name), *counts, "--output_dir", str(tmp_path / "out"))
    assert (result.returncode, result.stderr) == (0, "")
    evidence = json.loads((tmp_path / "out/evidence.json").read_text())
    assert evidence["network_digest"] == checkpoint.network().digest
    assert {rung["name"]: rung["clips"] for rung in evidence["rungs"]} == {
        "golden.reference": 4,
        "golden.reference, witnesses": witnesses,
        "compiled C": 4,
        "compiled C, witnesses": witnesses,
        "RTL small, icarus": 1,
        "RTL small, verilator": 4,
        "RTL small, verilator, witnesses": witnesses,
        "netlist small, iCE40": 2,
    }
    assert all(rung["values_compared_total"] > 0 for rung in evidence["rungs"])
    linked = evidence["artefacts"]
    for name in (
        "network.c",
        "proven_ranges.npz",
        "rtl_ref/conv_1.v",
        "small/conv_1.mem",
        "small/ice40.v",
    ):
        assert len(linked[name]) == 64
    assert evidence["versions"]["yosys"].startswith("Yosys")


@pytest.mark.rtl
def test_fault_in_the_rtl_ends_the_climb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rtl = plant(tmp_path, "fc1", "= oldest + addend", "= oldest - addend")
    broken = partial(AcceleratorSimulator, rtl_folder=rtl)
    monkeypatch.setattr(verify, "AcceleratorSimulator", broken)
    checkpoint = random_checkpoint(cases=1)
    subject = verify.Subject(checkpoint, Verifier(checkpoint), tmp_path)
    with pytest.raises(Mismatch, match=r"RTL, icarus, fast: clip 0: fc1 at \(\d,\): "):
        verify._rtl(subject, Accelerator(subject.network, FAST), "icarus", 1)


def test_export_of_another_network_beside_the_checkpoint_is_refused(tmp_path: Path) -> None:
    checkpoint = random_checkpoint(cases=1)
    subject = verify.Subject(checkpoint, Verifier(checkpoint), tmp_path)
    weights = REPOSITORY / "weights/ds_cnn_9487.ckpt-8000"
    vectors = REPOSITORY / "golden/vectors/ds_cnn_9487.ckpt-8000"
    with pytest.raises(
        ValueError, match=rf"expected an export of network {subject.network.digest}"
    ):
        verify._check_stored_export(subject, weights, vectors)


def test_bad_flags_are_one_line(tmp_path: Path) -> None:
    result = run(str(tmp_path / "none.npz"), "--netlist_clips", "0")
    assert (result.returncode, result.stdout) == (2, "")
    assert "--netlist_clips: expected at least 1, got 0" in result.stderr
