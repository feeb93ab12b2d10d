"""scripts/summarize.py: shapes, parameters, bytes and multiplications of any integer network."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from golden.network import IntegerNetwork
from golden.summary import summarise
from scripts import summarize
from scripts.console.command_line import run_command
from tests.repository import REPOSITORY

(NETWORK,) = REPOSITORY.glob("weights/*/network.npz")
(CHECKPOINT,) = REPOSITORY.glob("weights/*/ds_cnn_*.npz")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def call(*flags: object) -> str:
        monkeypatch.setattr(sys, "argv", ["summarize.py", *map(str, flags)])
        run_command(summarize.main)
        return capsys.readouterr().out

    return call


def test_the_shipped_network_is_the_published_architecture() -> None:
    rows = summarise(IntegerNetwork.load(NETWORK))
    weighted = {row.name: row for row in rows if row.weights}
    assert {name: row.weights for name, row in weighted.items()} == {
        "conv_1": 4 * 4 * 48, "dw_conv": 3 * 3 * 48, "pw_conv": 48 * 16, "fc1": 16 * 4,
    }  # fmt: skip
    assert {name: row.multiplications for name, row in weighted.items()} == {
        "conv_1": 14 * 4 * 768, "dw_conv": 14 * 4 * 432, "pw_conv": 768, "fc1": 64,
    }  # fmt: skip
    assert sum(row.weights + row.biases for row in rows) == 2_036
    assert sum(row.parameter_bytes for row in rows) == 2_032 * 6 // 8 + 4 * 4


def test_network_and_checkpoint_have_one_summary(run: Callable[..., str], tmp_path: Path) -> None:
    tables = [tmp_path / "network.csv", tmp_path / "checkpoint.csv"]
    first = run("--network", NETWORK, "--csv", tables[0])
    assert first == run("--checkpoint", CHECKPOINT, "--csv", tables[1])
    assert tables[0].read_text() == tables[1].read_text()
    with tables[0].open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["layer"] for row in rows] == [
        node.name for node in IntegerNetwork.load(NETWORK).nodes
    ]
    total = f"{sum(int(row['multiplications']) for row in rows):,}"
    assert total in first and "2,032" in first


@pytest.mark.data
def test_a_published_model_has_the_work_that_its_makers_state(
    run: Callable[..., str], models_dir: Path
) -> None:
    total = run("--tflite", models_dir / "keyword_spotting.tflite").splitlines()[-2]
    assert "22,016" in total and "2,656,768" in total


def test_bad_input_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = tmp_path / "a.tflite"
    foreign.write_bytes(b"no model")
    for flags in (["--tflite", str(foreign)], ["--network", str(CHECKPOINT)], []):
        monkeypatch.setattr(sys, "argv", ["summarize.py", *flags])
        with pytest.raises(SystemExit) as caught:
            run_command(summarize.main)
        error = capsys.readouterr().err
        assert caught.value.code == 2 and error.startswith("error: ") and error.count("\n") == 1
