"""The command that climbs the whole ladder: every rung is there, and a difference ends it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dataflow.hardware.accelerator import FAST, SMALL, Accelerator, Configuration
from golden import files, reference
from golden.comparison import Mismatch
from golden.exports.ties import find_ties
from quant_models.checkpoint import Checkpoint
from quant_models.evaluation import Verifier
from scripts import verify
from scripts.console.command_line import run_command
from scripts.simulation.accelerator_simulation import AcceleratorSimulator
from scripts.synthesis import yosys
from tests.checkpoints import ds_cnn_size, random_checkpoint, random_parameters
from tests.planted_faults import plant
from tests.repository import REPOSITORY
from tests.witnessed import witnessed_ranges

LAST_OF_EQUALS = ("argmax", "$signed(s_axis_tdata) > best_q", "$signed(s_axis_tdata) >= best_q")


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "scripts/verify.py", *flags],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def run_here(monkeypatch: pytest.MonkeyPatch, *flags: object) -> int:
    """Run the command in this process and return its exit status."""
    monkeypatch.setattr(sys, "argv", ["scripts/verify.py", *map(str, flags)])
    try:
        run_command(verify.main)
    except SystemExit as error:
        return int(error.code or 0)
    return 0


def tying_checkpoint(**changes: object) -> Checkpoint:
    """Return a small checkpoint with ties among inputs of two numbers."""
    return random_checkpoint(seed=2, **changes)


def design_of(
    checkpoint: Checkpoint, folder: Path, configuration: Configuration
) -> verify.HardwareSubject:
    network = checkpoint.network()
    ties = find_ties(network).fingerprints
    subject = verify.Subject(checkpoint, Verifier(checkpoint), ties, None, folder, 1, 1)
    return verify.HardwareSubject(**vars(subject), accelerator=Accelerator(network, configuration))


@pytest.mark.rtl
def test_every_rung_is_climbed_and_written_down(
    tmp_path: Path, require_tool: Callable[[str], None]
) -> None:
    for tool in ("cc", "c++", "verilator", "yosys"):
        require_tool(tool)
    checkpoint = tying_checkpoint(cases=4)
    files.write_bytes(tmp_path / checkpoint.name, checkpoint.to_bytes())
    ranges = witnessed_ranges(checkpoint.network(), checkpoint.cases)
    files.write_bytes(tmp_path / "proven_ranges.npz", ranges.to_bytes())
    witnesses = len(ranges.fingerprints)
    ties = len(find_ties(checkpoint.network()).fingerprints)
    assert ties > 2
    counts = ("--configs", "small", "--icarus_clips", "1", "--netlist_clips", "2")
    result = run(str(tmp_path / checkpoint.name), *counts, "--output_dir", str(tmp_path / "out"))
    assert (result.returncode, result.stderr) == (0, "")
    assert f"inputs  4 clips, {witnesses:,} witnesses, {ties} ties\n" in result.stdout
    evidence = json.loads((tmp_path / "out/evidence.json").read_text())
    assert evidence["network_digest"] == checkpoint.network().digest
    rungs = {rung["name"]: rung for rung in evidence["rungs"]}
    assert {name: rung["clips"] for name, rung in rungs.items()} == {
        "golden.reference": 4 + witnesses + ties,
        "compiled C": 4 + witnesses + ties,
        "RTL small, icarus": 1 + 1,
        "RTL small, verilator": 4 + witnesses + ties,
        "netlist small, iCE40": 2 + 2,
    }
    for name in ("golden.reference", "compiled C"):
        assert rungs[name]["values_compared"]["label"] == rungs[name]["clips"]
    assert all(rung["values_compared_total"] > 0 for rung in evidence["rungs"])
    linked = evidence["artefacts"]
    for name in (
        "network.c",
        "proven_ranges.npz",
        "ties.npz",
        "rtl_ref/conv_1.v",
        "small/conv_1.mem",
        "small/ice40.v",
    ):
        assert len(linked[name]) == 64
    assert evidence["versions"]["yosys"].startswith("Yosys")


@pytest.mark.rtl
def test_fault_in_the_rtl_ends_the_climb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rtl = plant(tmp_path, "pointwise_conv", "= sum_before + addend", "= sum_before - addend")
    broken = partial(AcceleratorSimulator, rtl_folder=rtl)
    monkeypatch.setattr(verify, "AcceleratorSimulator", broken)
    design = design_of(random_checkpoint(cases=1), tmp_path, FAST)
    message = r"^RTL fast, icarus, clips: clip 0: fc1 at \(\d,\): expected .*, got .*, cycle \d+$"
    with pytest.raises(Mismatch, match=message):
        verify.rtl_in_icarus(design)


@pytest.mark.rtl
@pytest.mark.parametrize("configuration", [SMALL, FAST], ids=lambda each: each.name)
@pytest.mark.parametrize("rung", verify.HARDWARE_LADDER, ids=lambda rung: rung.__name__)
def test_the_last_of_equal_logits_is_found_on_every_rung_of_the_hardware(
    rung: Callable[[verify.HardwareSubject], object],
    configuration: Configuration,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    require_tool: Callable[[str], None],
) -> None:
    for tool in ("c++", "verilator", "yosys"):
        require_tool(tool)
    rtl = plant(tmp_path, *LAST_OF_EQUALS)
    monkeypatch.setattr(
        verify, "AcceleratorSimulator", partial(AcceleratorSimulator, rtl_folder=rtl)
    )
    monkeypatch.setattr(verify, "top_design", partial(yosys.top_design, rtl_folder=rtl))
    with pytest.raises(Mismatch, match=r", ties: clip 0: label at \(\): expected \d, got \d"):
        rung(design_of(tying_checkpoint(cases=1), tmp_path / "build", configuration))


@pytest.mark.rtl
def test_the_last_of_equal_logits_ends_the_command_with_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rtl = plant(tmp_path, *LAST_OF_EQUALS)
    broken = partial(AcceleratorSimulator, rtl_folder=rtl)
    monkeypatch.setattr(verify, "AcceleratorSimulator", broken)
    path = tying_checkpoint(cases=1).save(tmp_path)
    assert run_here(monkeypatch, path, "--output_dir", tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert error.startswith("MISMATCH: RTL small, icarus, ties: clip 0: label at (): expected ")
    assert error.count("\n") == 1
    assert not (tmp_path / "out/evidence.json").exists()


def test_a_label_that_keras_gives_otherwise_is_a_mismatch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = design_of(random_checkpoint(cases=3), tmp_path, FAST)
    right = reference.run(design.network, design.inputs["clips"]).label_indices
    wrong = np.where(np.arange(3) == 1, (right + 1) % 4, right)
    monkeypatch.setattr(Verifier, "answers", lambda self, fingerprints: wrong)
    message = (
        f"^Keras forward pass, clips: label: first difference at clip 1: expected {right[1]}, "
        f"got {wrong[1]}; 1 of 3 values differ$"
    )
    with pytest.raises(Mismatch, match=message):
        verify.keras_forward_pass(design)


def test_a_label_that_c_gives_otherwise_is_a_mismatch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, require_tool: Callable[[str], None]
) -> None:
    require_tool("cc")
    program = "scripts.simulation.c_inference.network_source"
    right = verify.network_source
    monkeypatch.setattr(
        program, lambda network: right(network).replace("> logits[label]", ">= logits[label]")
    )
    with pytest.raises(Mismatch, match=r"^compiled C, ties: label: first difference at clip 0: "):
        verify.compiled_c(design_of(tying_checkpoint(cases=2), tmp_path, FAST))


def test_export_of_another_network_beside_the_checkpoint_is_refused(tmp_path: Path) -> None:
    subject = design_of(random_checkpoint(cases=1), tmp_path, FAST)
    weights = REPOSITORY / "weights/ds_cnn_9742.ckpt-12000"
    vectors = REPOSITORY / "golden/vectors/ds_cnn_9742.ckpt-12000"
    with pytest.raises(
        ValueError, match=rf"expected an export of network {subject.network.digest}"
    ):
        verify._check_stored_export(subject.network, weights, vectors)


def deep_checkpoint() -> Checkpoint:
    """A small checkpoint of three layers, which the RTL does not run."""
    size = ds_cnn_size((3, 3, 4, 4, 2, 2, 4, 3, 3, 1, 1, 5, 3, 3, 1, 1), (3, 3, 4, 4, 5))
    return random_checkpoint(size=size, parameters=random_parameters(0, size, 4), cases=3)


def test_a_network_that_the_rtl_cannot_run_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(*arguments: object) -> None:
        raise AssertionError("worked although the network cannot be run")

    monkeypatch.setattr(verify, "ties_of", never)
    path = deep_checkpoint().save(tmp_path)
    assert run_here(monkeypatch, path, "--output_dir", tmp_path / "out") == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == (
        "error: pw_conv_1: expected a global max-pool here, got a convolution "
        "(the RTL cannot run this network; --software_only leaves it out)\n"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("deep", [True, False])
def test_software_only_compares_keras_and_c_and_says_why_no_more(
    deep: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    require_tool: Callable[[str], None],
) -> None:
    require_tool("cc")
    checkpoint = deep_checkpoint() if deep else tying_checkpoint(cases=3)
    path = checkpoint.save(tmp_path)
    flags = ("--software_only", "--output_dir", tmp_path / "out")
    assert run_here(monkeypatch, path, *flags) == 0
    why = "pw_conv_1: expected a global max-pool here, got a convolution"
    output = " ".join(capsys.readouterr().out.split())
    assert f"hardware are left out: {why if deep else '--software_only'}" in output
    assert f"float32 exact for {'each of these clips' if deep else 'every input'}: " in output
    evidence = json.loads((tmp_path / "out/evidence.json").read_text())
    assert [rung["name"] for rung in evidence["rungs"]] == ["golden.reference", "compiled C"]
    names = {"fingerprint", "label", *(node.name for node in checkpoint.network().nodes)}
    assert all(set(rung["values_compared"]) == names for rung in evidence["rungs"])
    assert set(evidence["artefacts"]) == {checkpoint.name, "network.c", "network.h", "ties.npz"}


def test_bad_flags_are_one_line(tmp_path: Path) -> None:
    result = run(str(tmp_path / "none.npz"), "--netlist_clips", "0")
    assert (result.returncode, result.stdout) == (2, "")
    assert "--netlist_clips: expected at least 1, got 0" in result.stderr
