"""The firmware command: figures and file, a fault, a model of another network, missing tools."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from golden import files
from golden.exports.cases import make_cases
from golden.importers.network_inputs import random_inputs
from golden.importers.tflite_file import parse_tflite
from golden.importers.tflite_network import import_tflite
from golden.network import IntegerNetwork
from scripts import firmware
from scripts.benchmarking.instructions import MicroUsage
from scripts.console.command_line import run_command
from scripts.cortex_m import emulation
from tests.networks import random_network
from tests.tflite_models import converted


@pytest.fixture
def tools(require_tool: Callable[[str], None]) -> None:
    for tool in (*emulation.PACKAGES, "valgrind", *firmware.HOST_COMPILERS):
        require_tool(tool)


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[IntegerNetwork, list[object]], None]:
    """Run the command on a network and three random cases of it; results are in tmp_path."""

    def of(network: IntegerNetwork, flags: list[object]) -> None:
        network.save(tmp_path / "network.npz")
        cases = make_cases(network, random_inputs(network, 3, 0), np.zeros(3, np.int64))
        files.write_bytes(tmp_path / "cases.npz", cases.to_bytes())
        inputs = ["--network", tmp_path / "network.npz", "--cases", tmp_path / "cases.npz"]
        words = ["firmware.py", *inputs, "--output_dir", tmp_path, "--count", 2, *flags]
        monkeypatch.setattr(sys, "argv", list(map(str, words)))
        run_command(firmware.main)

    return of


Run = Callable[[IntegerNetwork, list[object]], None]


def ended(run: Run, network: IntegerNetwork, *flags: object) -> int:
    with pytest.raises(SystemExit) as caught:
        run(network, list(flags))
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_all_figures_are_said_and_written(
    run: Run,
    tools: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    network = import_tflite(parse_tflite(converted("wide_dense"))).network
    (tmp_path / "model.tflite").write_bytes(converted("wide_dense"))
    usage = MicroUsage(model_bytes=1, arena_bytes=3, arena_head_bytes=2, instructions=4)
    monkeypatch.setattr(firmware, "tflite_micro_usage", lambda imported, inputs: usage)
    run(network, ["--cpu", "cortex-m0plus", "--tflite", tmp_path / "model.tflite"])
    content = json.loads((tmp_path / "firmware.json").read_text())
    assert content["network_digest"] == network.digest
    assert content["cpu"] == "cortex-m0plus"
    assert [row["optimisation"] for row in content["builds"]] == ["-Os", "-O2"]
    assert [(row["inputs"], row["mismatches"]) for row in content["builds"]] == [(2, 0)] * 2
    assert [row["compiler"] for row in content["host"]] == ["gcc", "clang"]
    assert content["tflite_micro"]["instructions"] == 4
    said = capsys.readouterr().out
    for row in [*content["builds"], *content["host"]]:
        assert f"{row['instructions']:,}" in said
    assert "TFLite Micro: 4 instructions an inference, model 1 bytes, arena 3, 2 of them" in said


def test_a_fault_ends_with_status_1(
    run: Run, tools: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = emulation.network_source
    monkeypatch.setattr(
        emulation,
        "network_source",
        lambda network: right(network).replace("value >> shift", "value / (1 << shift) + 1"),
    )
    assert ended(run, random_network(1)) == 1
    line = capsys.readouterr().err
    assert line.startswith("MISMATCH: conv_1_relu: first difference at clip 0, ")
    assert line.count("\n") == 1


def test_a_model_of_another_network_is_refused(
    run: Run, tools: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = import_tflite(parse_tflite(converted("wide_dense"))).network
    other = tmp_path / "other.tflite"
    other.write_bytes(converted("wide_dense", per_tensor=True))
    assert ended(run, network, "--tflite", other) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"error: {other}: expected the model of network {network.digest}, got")


@pytest.mark.parametrize(
    ("missing", "package"),
    [*emulation.PACKAGES.items(), ("valgrind", "valgrind")],
)
def test_a_missing_tool_ends_with_status_2(
    missing: str,
    package: str,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in (*emulation.PACKAGES, "valgrind"):
        (folder / tool).write_text("#!/bin/sh\n")
        (folder / tool).chmod(0o755)
    (folder / missing).unlink()
    monkeypatch.setenv("PATH", str(folder))
    assert ended(run, random_network(1)) == 2
    line = capsys.readouterr().err
    assert line == f"error: {missing}: not found, install the Debian package {package}\n"


def test_no_cases_at_all_are_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(run, random_network(1), "--count", 0) == 2
    assert "--count: expected 1 or more, got 0" in capsys.readouterr().err
