"""Importing a model: the whole export, what it was compared with, bad input in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from golden import reference
from golden.exports.cases import read_cases
from golden.exports.export import check_export
from golden.network import IntegerNetwork
from scripts import import_tflite
from scripts.console.command_line import run_command
from scripts.runtimes.participants import Participant
from tests.repository import REPOSITORY
from tests.tflite_models import all_zero_classifier, converted
from tests.tflite_oracles import compare
from tests.tflite_patches import with_scale

WEIGHTS = {
    *(
        "network.npz",
        "weight.h",
        "network.h",
        "network.c",
        "example_weight.txt",
        "evidence.json",
        "manifest.json",
    ),
    *("bit_widths.json", "bit_widths.csv", "summary.csv"),
}
VECTORS = {"1.txt", "2.txt", "3.txt", "lots_of_case.txt", "cases.npz"}
# Runs the command as a user does, then reports which heavy modules it has loaded.
WATCHED_RUN = """
import runpy, sys
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
heavy = {"tensorflow", "keras", "scipy", "matplotlib"}
print("loaded:", sorted(heavy & set(sys.modules)), file=sys.stderr)
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "classifier.tflite"
    path.write_bytes(converted("classifier"))
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["import_tflite.py", *map(str, arguments)])
    run_command(import_tflite.main)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def test_everything_is_exported_and_fits_together(
    monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(model.read_bytes(), "tflm")  # skips without the runtime
    folder = tmp_path / "out"
    run(monkeypatch, model, "--output_dir", folder, "--labels", "yes,no,up,down,go")
    assert names(folder) == WEIGHTS
    assert names(folder / "vectors") == VECTORS
    network = IntegerNetwork.load(folder / "network.npz")
    assert check_export(folder, folder / "vectors") == network.digest
    assert network.labels == ("yes", "no", "up", "down", "go")
    cases = read_cases(folder / "vectors" / "cases.npz", network)
    assert len(cases.fingerprints) == 20
    expected = reference.run(network, cases.fingerprints)
    assert np.array_equal(cases.label_indices, expected.label_indices)
    said = capsys.readouterr().out
    assert "left out    operator 3 (SOFTMAX): keeps the order of the logits" in said
    assert "compared    golden.reference with TFLite Micro: 11,620 values of 20 inputs, 0" in said
    assert "compared    compiled C with golden.reference: " in said


@pytest.mark.parametrize(
    ("rounding", "against"),
    [
        ("tflm", ["TFLite Micro", "golden.reference"]),
        ("litert", ["LiteRT reference", "golden.reference"]),
        ("single", ["golden.reference"]),
    ],
)
def test_evidence_says_what_was_compared(
    monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path, rounding: str, against: list[str]
) -> None:
    if rounding != "single":
        compare(model.read_bytes(), rounding)
    folders = tmp_path / "weights", tmp_path / "vectors"
    flags = ("--output_dir", folders[0], "--vectors_dir", folders[1], "--rounding", rounding)
    run(monkeypatch, model, *flags)
    assert names(folders[1]) == VECTORS
    evidence = json.loads((folders[0] / "evidence.json").read_text())
    assert [rung["against"] for rung in evidence["rungs"]] == against
    assert all(rung["clips"] == 20 for rung in evidence["rungs"])
    assert ("tflite-micro" in evidence["versions"]) == (rounding == "tflm")


def test_equal_runs_give_equal_bytes(
    monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        run(monkeypatch, model, "--output_dir", tmp_path / name)
    for path in (tmp_path / "first").rglob("*.*"):
        other = tmp_path / "second" / path.relative_to(tmp_path / "first")
        assert path.read_bytes() == other.read_bytes(), path.name


def test_given_inputs_stand_before_random_ones(
    monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path
) -> None:
    given = np.arange(80, dtype=np.int8).reshape(1, 10, 8, 1)
    np.savez(tmp_path / "inputs.npz", x=given)
    flags = ("--inputs", tmp_path / "inputs.npz", "--count", 1, "--output_dir", tmp_path / "out")
    run(monkeypatch, model, *flags)
    vectors = tmp_path / "out" / "vectors"
    cases = read_cases(vectors / "cases.npz")
    assert len(cases.fingerprints) == 2
    assert np.array_equal(cases.fingerprints[0], given[0, :, :, 0])
    assert names(vectors) == VECTORS - {"3.txt"}


def test_needs_no_tensorflow(model: Path, tmp_path: Path) -> None:
    arguments = ("scripts/import_tflite.py", str(model), "--output_dir", str(tmp_path / "out"))
    done = subprocess.run(
        [sys.executable, "-c", WATCHED_RUN, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert done.stderr == "loaded: []\n"
    assert done.returncode == 0


def test_without_the_runtime_one_line_names_its_package(
    monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tflite_micro.python.tflite_micro", None)
    run(monkeypatch, model, "--output_dir", tmp_path / "out")
    expected = "compared    TFLite Micro: not installed, the package tflite-micro brings it\n"
    assert expected in capsys.readouterr().out
    assert names(tmp_path / "out") == WEIGHTS


def test_a_runtime_that_ends_its_process_is_said_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Logits of nothing but zeros: a check of the runtimes' softmax fails."""
    compare(converted("classifier"), "tflm")
    path = tmp_path / "zeros.tflite"
    path.write_bytes(all_zero_classifier())
    run(monkeypatch, path, "--output_dir", tmp_path / "out")
    said = capsys.readouterr().out
    assert "compared    TFLite Micro: its process ended with SIGABRT on this model\n" in said
    evidence = json.loads((tmp_path / "out" / "evidence.json").read_text())
    assert [rung["name"] for rung in evidence["rungs"]] == ["compiled C"]
    assert names(tmp_path / "out") == WEIGHTS


def test_a_difference_from_the_runtime_ends_it_before_anything_is_written(
    monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def other(name: str, *given: object) -> Participant:
        tensors = original(name, *given).tensors
        return Participant(name, {index: values + 1 for index, values in tensors.items()})

    compare(model.read_bytes(), "tflm")
    original = import_tflite.run_apart
    monkeypatch.setattr(import_tflite, "run_apart", other)
    with pytest.raises(SystemExit) as caught:
        run(monkeypatch, model, "--output_dir", tmp_path / "out")
    assert caught.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("MISMATCH: golden.reference and TFLite Micro: conv_0_q: first differ")
    assert not (tmp_path / "out").exists()


def test_bad_input_is_one_line_and_status_2(
    monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.tflite"
    content = model.read_bytes()
    for given, flags, line in (
        (b"no model", (), f"{bad}: identifier: expected b'TFL3' at byte 4, got b'odel'"),
        (content[:900], (), f"{bad}: flatbuffer: expected tables within the 900 bytes, found"),
        (with_scale(content, 0, 0.0), (), f"{bad}: tensor 0 ("),
        (content, ("--labels", ","), f"{bad}: labels: expected one for each of the outputs"),
        (content, ("--seed", "-1"), "seed: expected 0 or more, got -1"),
        (content, ("--labels", "a,b"), f"{bad}: labels: expected one for each of the outputs"),
        (content, ("--vectors_dir", bad), f"{bad}: expected a folder, found a file"),
        (content, ("--count", "0"), "argument --count: expected an integer above 0, got 0"),
        (content, ("--rounding", "up"), "argument --rounding: invalid choice: 'up'"),
        (content, ("--inputs", bad), f"{bad}: expected an .npz file with an array"),
    ):
        bad.write_bytes(given)
        with pytest.raises(SystemExit) as caught:
            run(monkeypatch, bad, "--output_dir", tmp_path / "out", *flags)
        assert caught.value.code == 2
        said = capsys.readouterr().err
        assert said.startswith(f"error: {line}") and said.count("\n") == 1, said
    assert not (tmp_path / "out").exists()
