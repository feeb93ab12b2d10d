"""Which runtimes agree on a model: every pair, where they part, runtimes that are missing."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from golden.importers.tflite_file import parse_tflite
from golden.importers.tflite_network import import_tflite
from golden.nodes import Requantise
from golden.requantisation import requantise
from scripts import conformance
from scripts.console.command_line import run_command
from tests.tflite_models import converted
from tests.tflite_oracles import compare

RULES = ["rule tflm", "rule litert", "rule single"]
PARTICIPANTS = ["TFLite Micro", "LiteRT reference", "LiteRT optimised", "XNNPACK", *RULES]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "wide_dense.tflite"
    path.write_bytes(converted("wide_dense"))
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["conformance.py", *map(str, arguments)])
    run_command(conformance.main)


def report(monkeypatch: pytest.MonkeyPatch, model: Path, *arguments: object) -> dict[str, Any]:
    path = model.with_suffix(".json")
    run(monkeypatch, model, "--json", path, *arguments)
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def needs_all(model: Path) -> None:
    """Skip unless every runtime is there."""
    for rule in ("tflm", "litert"):
        compare(model.read_bytes(), rule)


def test_every_pair_is_compared(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    needs_all(model)
    content = report(monkeypatch, model)
    assert content["left_out"] == []
    pairs = {tuple(pair["names"]): pair for pair in content["pairs"]}
    assert list(pairs) == [
        (first, second)
        for place, first in enumerate(PARTICIPANTS)
        for second in PARTICIPANTS[place + 1 :]
    ]
    assert {(pair["values"], pair["clips"]) for pair in pairs.values()} == {(20 * 740, 20)}
    for equal in (("TFLite Micro", "rule tflm"), ("LiteRT reference", "rule litert")):
        assert (pairs[equal]["differing"], pairs[equal]["parting"]) == (0, None)
    for other in (("TFLite Micro", "LiteRT reference"), ("rule tflm", "rule litert")):
        assert 0 < pairs[other]["differing"] < 1000
        assert pairs[other]["parting"]["layer"] == "fc_0_q"


def test_accumulators_explain_both_results(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    """Scaled by the two rules, what is printed gives what both sides got."""
    pairs = {tuple(pair["names"]): pair for pair in report(monkeypatch, model)["pairs"]}
    parting = pairs["rule tflm", "rule litert"]["parting"]
    network = import_tflite(parse_tflite(model.read_bytes())).network
    node = network.node(parting["layer"])
    assert isinstance(node, Requantise)
    scaled = parting["accumulator"]
    numbers = [np.array([scaled[key]]) for key in ("value", "multiplier", "exponent")]
    expected = [int(requantise(*numbers, rule)[0]) + node.zero_point for rule in ("twice", "once")]
    assert parting["results"] == expected
    assert expected[0] != expected[1]


def test_what_is_printed_names_pairs_and_places(
    monkeypatch: pytest.MonkeyPatch, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs_all(model)
    run(monkeypatch, model, "--count", 5)
    said = capsys.readouterr().out
    assert "5 inputs, every tensor between input and logits" in said
    assert "What differs, of 3,700 values and 5 labels" in said
    assert re.search(r"TFLite Micro +rule tflm +0 +0\.0 +0 *\n", said)
    assert re.search(
        r"\nfc_0_q, tensor \d+ \(\S+\): first at \(\d+,\) of input \d+, "
        r"accumulator -?\d+ \* \d+ \* 2\^\(-?\d+ - 31\) = -?\d+\.\d+\n  q = -?\d+: \w",
        said,
    )
    assert "XNNPACK computes in float: no integer rule reproduces it in every value" in said


def test_given_inputs_are_taken(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    inputs = model.with_name("inputs.npz")
    np.savez(inputs, x=np.linspace(-1, 1, 3 * 64).reshape(3, 64))
    pairs = report(monkeypatch, model, "--inputs", inputs)["pairs"]
    assert {pair["clips"] for pair in pairs} == {3}


def test_missing_runtimes_are_named_with_their_packages(
    monkeypatch: pytest.MonkeyPatch, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("ai_edge_litert.interpreter", "tflite_micro.python.tflite_micro"):
        monkeypatch.setitem(sys.modules, module, None)
    content = report(monkeypatch, model)
    assert content["left_out"] == [
        "TFLite Micro: not installed, the package tflite-micro brings it",
        "LiteRT: not installed, the package ai-edge-litert brings it",
    ]
    assert [pair["names"] for pair in content["pairs"]] == [
        [RULES[0], RULES[1]],
        [RULES[0], RULES[2]],
        [RULES[1], RULES[2]],
    ]
    said = capsys.readouterr().out
    assert all(f"left out    {line}\n" in said for line in content["left_out"])


def test_bad_models_are_one_line_and_status_2(
    monkeypatch: pytest.MonkeyPatch, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for content in (b"", model.read_bytes()[:500]):
        model.write_bytes(content)
        with pytest.raises(SystemExit) as caught:
            run(monkeypatch, model)
        assert caught.value.code == 2
        said = capsys.readouterr().err
        assert said.startswith(f"error: {model}: ") and said.count("\n") == 1
