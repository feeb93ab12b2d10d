"""Proofs of the RTL: every property has one, planted faults turn them red, errors are one line."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataflow.hardware.rtl_parameters import pointwise_layer
from dataflow.ranges.intervals import interval_bounds
from golden.nodes import Convolution, DepthwiseConvolution
from scripts import prove
from scripts.console.command_line import run_command
from scripts.formal import proof_plan, solver
from scripts.formal.proof_plan import BOUNDED, RTL_FOLDER, Proof
from tests.networks import random_network
from tests.planted_faults import plant
from tests.repository import REPOSITORY

PROPERTY = re.compile(r"(\w+): (?:assert|cover)\b")

# A small copy of every group that an induction proves, and what the faults below must turn red.
SMALL = {
    "IN_CHANNELS": 3,
    "OUT_CHANNELS": 2,
    "IN_BITS": 2,
    "WEIGHT_BITS": 3,
    "PRODUCT_BITS": 5,
    "ACC_BITS": 7,
    "OUT_BITS": 5,
    "SHIFT": 1,
}
FAULTS = {
    "offer dropped while stalled": (
        ".m_axis_tready(m_axis_tready)",
        ".m_axis_tready(m_axis_tready | complete)",
        "streams_hold",
    ),
    "beat lost while the multiplier works": (
        "spare_valid_q <= SPARE & next_valid & ~load",
        "spare_valid_q <= 1'b0",
        "streams_wait",
    ),
    "address kept after a discarded pixel": (
        "~rst_ni | discard | (multiply_en",
        "~rst_ni | (multiply_en",
        "control_address",
    ),
    "tlast on every output": (
        "product_last_q  <= last_output",
        "product_last_q  <= 1'b1",
        "control_product",
    ),
    "long frames reported twice": (
        "frame_error_q <= load & ~skipping_q & wrong_length",
        "frame_error_q <= load & wrong_length",
        "frames_error",
    ),
    "bubble between beats": (
        "(~active_valid_q | (SPARE & done))",
        "~active_valid_q",
        "cycles_multiply",
    ),
    "weight read late": ("weights[address_d]", "weights[address_q]", "products_weight"),
    "weight taken as unsigned": (
        "{(PRODUCT_BITS - WEIGHT_BITS + 1){weight_q[WEIGHT_BITS-1]}}, weight_q[WEIGHT_BITS-2:0]",
        "{(PRODUCT_BITS - WEIGHT_BITS){1'b0}}, weight_q",
        "products_exact",
    ),
    "sum not started anew": ("product_first_q ? addend : oldest", "oldest", "sums_fit"),
    "rounding up": (
        "sum[SHIFT+OUT_BITS-1:SHIFT]",
        "sum[SHIFT+OUT_BITS-1:SHIFT] + sum[0]",
        "outputs_value",
    ),
    "no ReLU": ("negative ? {OUT_BITS{1'b0}} : ", "", "outputs_value"),
}


NEEDS_TOOLS = pytest.mark.usefixtures("solver")


def pointwise_proof(group: str) -> Proof:
    """Return the induction of `group` at the small size."""
    (found,) = (
        proof
        for proof in proof_plan.pointwise_proofs()
        if (proof.group, proof.method) == (group, proof_plan.INDUCTION)
    )
    return dataclasses.replace(found, parameters=SMALL, defines={"INPUT_MAX": 3})


@NEEDS_TOOLS
@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_turns_its_property_red(tmp_path: Path, fault: str) -> None:
    right, wrong, broken = FAULTS[fault]
    rtl = plant(tmp_path, "pointwise_conv", right, wrong)
    outcome = solver.prove(pointwise_proof(broken.split("_")[0]), tmp_path, rtl)
    assert (outcome.expected, broken in outcome.failed) == (False, True), outcome
    assert outcome.trace is not None and outcome.trace.stat().st_size > 0


@NEEDS_TOOLS
def test_a_fault_that_only_the_formula_sees(tmp_path: Path) -> None:
    rtl = plant(tmp_path, "pointwise_conv", "waiting ? spare_data_q : s_axis_tdata", "s_axis_tdata")
    (proof,) = (
        proof
        for proof in proof_plan.pointwise_proofs()
        if proof.group == "pixel" and "IN_BITS" in proof.parameters
    )
    outcome = solver.prove(proof, tmp_path, rtl)
    assert outcome.failed == ("pixel_value",)


@NEEDS_TOOLS
@pytest.mark.parametrize("group", sorted({name.split("_")[0] for _, _, name in FAULTS.values()}))
def test_without_a_fault_the_small_size_is_proven(tmp_path: Path, group: str) -> None:
    outcome = solver.prove(pointwise_proof(group), tmp_path)
    assert (outcome.answer, outcome.failed, outcome.trace) == ("PASSED", (), None)


@NEEDS_TOOLS
def test_an_accumulator_one_bit_short_fails_from_reset(tmp_path: Path) -> None:
    narrow = Proof(
        "pointwise_conv",
        "sums",
        BOUNDED,
        8,
        SMALL | {"ACC_BITS": 6, "OUT_CHANNELS": 1},
        {"INPUT_MAX": 3},
        helpers=proof_plan.REGISTER,
        fails="sums_fit",
    )
    assert solver.prove(narrow, tmp_path).expected
    wide = dataclasses.replace(narrow, parameters=SMALL)
    outcome = solver.prove(wide, tmp_path)
    assert not outcome.expected
    assert solver.describe(outcome).endswith(
        "8 cycles from reset): expected sums_fit to fail, it holds"
    )


def run(monkeypatch: pytest.MonkeyPatch, *flags: object) -> int:
    """Run the command in this process and return its exit status."""
    monkeypatch.setattr(sys, "argv", ["scripts/prove.py", *map(str, flags)])
    try:
        run_command(prove.main)
    except SystemExit as error:
        return int(error.code or 0)
    return 0


@NEEDS_TOOLS
def test_command_exits_with_1_and_names_module_property_and_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rtl = plant(tmp_path, "pointwise_conv", *FAULTS["long frames reported twice"][:2])
    proofs = tuple(pointwise_proof(group) for group in ("control", "frames"))
    monkeypatch.setattr(prove, "all_proofs", lambda: proofs)
    assert run(monkeypatch, "--build_dir", tmp_path / "sound") == 0
    assert capsys.readouterr().out.count("proven") == 2
    assert run(monkeypatch, "--rtl_dir", rtl, "--build_dir", tmp_path / "broken") == 1
    table, line = capsys.readouterr().out.rstrip().rsplit("\n", 1)
    assert (table.count("proven"), table.count("FAILS")) == (1, 1)
    assert re.fullmatch(
        r"pointwise_conv \(IN_CHANNELS=3 .*, induction, depth 2\): frames_error does not hold, "
        r"trace: .*/trace.vcd",
        line,
    )


@NEEDS_TOOLS
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("wire done = multiply_en & last_output & no_such_name;", "is implicitly declared"),
        ("wire done = multiply_en & last_output", "syntax error"),
    ],
)
def test_rtl_that_yosys_warns_about_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wrong: str,
    reason: str,
) -> None:
    right = "wire               done         = multiply_en & last_output;"
    rtl = plant(tmp_path, "pointwise_conv", right, wrong)
    monkeypatch.setattr(prove, "all_proofs", lambda: (pointwise_proof("streams"),))
    assert run(monkeypatch, "--rtl_dir", rtl, "--build_dir", tmp_path) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: pointwise_conv.streams: Yosys: ")
    assert reason in error and error.count("\n") == 1


@NEEDS_TOOLS
def test_group_without_a_property_is_refused(tmp_path: Path) -> None:
    proof = dataclasses.replace(pointwise_proof("streams"), group="stream")
    with pytest.raises(ValueError, match=r"pointwise_conv\.stream: Yosys: .*min"):
        solver.prove(proof, tmp_path)


@NEEDS_TOOLS
def test_assumptions_that_contradict_one_another_prove_nothing(tmp_path: Path) -> None:
    right = "always @* assume (f_running_q || !rst_ni);"
    rtl = plant(tmp_path, "pointwise_conv", right, f"{right} always @* assume (s_axis_tdata > 3);")
    outcome = solver.prove(pointwise_proof("streams"), tmp_path, rtl)
    assert (outcome.expected, outcome.failed) == (False, ())
    assert solver.describe(outcome).endswith("expected an answer on streams, got PREUNSAT")


@pytest.mark.parametrize("tool", solver.PACKAGES)
def test_missing_tool_is_one_line_that_names_the_package(tmp_path: Path, tool: str) -> None:
    for other in set(solver.PACKAGES) - {tool}:
        (tmp_path / other).symlink_to("/bin/true")
    result = subprocess.run(
        [sys.executable, "scripts/prove.py"],
        cwd=REPOSITORY,
        env=os.environ | {"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    package = solver.PACKAGES[tool]
    expected = f"error: {tool}: not found, install the Debian package {package}\n"
    assert (result.returncode, result.stdout, result.stderr) == (2, "", expected)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--jobs", "0"), "--jobs: expected at least 1, got 0"),
        (("--module", "fifo"), "--module: expected a module with proofs, got fifo"),
    ],
)
def test_bad_flags_are_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.setattr(prove, "require_tools", lambda: None)
    assert run(monkeypatch, *flags) == 2
    assert message in capsys.readouterr().err


def test_every_property_has_a_name_of_its_own_and_a_proof() -> None:
    for path in RTL_FOLDER.glob("*.v"):
        source = path.read_text()
        names = PROPERTY.findall(source)
        assert len(names) == len(set(names)) == len(re.findall(r"\b(?:assert|cover) \(", source))
        stage = f"{proof_plan.STAGES.get(path.stem, '')}."
        proven = {
            proof.group.removeprefix(stage)
            for proof in proof_plan.all_proofs()
            if not proof.fails
            and (
                stage in proof.group
                if path.stem in proof_plan.STAGES
                else proof.module == path.stem
            )
            and ("." in proof.group) == (path.stem in proof_plan.STAGES)
        }
        assert {name.split("_")[0] for name in names} == proven, path.name


def test_every_proof_has_a_folder_of_its_own() -> None:
    folders = [proof.folder for proof in proof_plan.all_proofs()]
    assert len(folders) == len(set(folders))


def test_lemmas_are_proven_before_they_are_assumed() -> None:
    solver.check_lemmas(proof_plan.all_proofs())


@pytest.mark.parametrize(
    "lemma",
    [
        {"group": "frames"},
        {"parameters": {"IN_CHANNELS": 2}},
        {"defines": {"INPUT_MAX": 2}},
        {"method": BOUNDED},
        {"fails": "control_range"},
    ],
)
def test_lemma_that_is_not_proven_is_refused(lemma: dict[str, Any]) -> None:
    proofs = [dataclasses.replace(pointwise_proof("control"), **lemma), pointwise_proof("frames")]
    with pytest.raises(ValueError, match=r"frames: expected an earlier induction of its lemma"):
        solver.check_lemmas(proofs)


def test_parameter_that_a_module_does_not_declare_is_refused() -> None:
    with pytest.raises(ValueError, match="pointwise_conv: expected a parameter SUM_BITS"):
        proof_plan.default_parameter("pointwise_conv", "SUM_BITS")


def test_largest_input_is_the_bound_of_the_worst_default_network() -> None:
    network = random_network(0)
    weights = {"conv_1": -32, "dw_conv": 31}
    nodes = tuple(
        dataclasses.replace(node, weights=np.full_like(node.weights, weights[node.name]))
        if isinstance(node, Convolution | DepthwiseConvolution) and node.name in weights
        else node
        for node in network.nodes
    )
    worst = dataclasses.replace(network, nodes=nodes)
    bound = interval_bounds(worst)[pointwise_layer(worst).convolution.input]
    assert proof_plan.largest_pointwise_input() == bound.maximum
