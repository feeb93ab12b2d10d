from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dataflow.bit_widths import layer_widths
from dataflow.ranges import interval_bounds
from golden import reference
from golden.cases import make_cases
from golden.network import IntegerNetwork
from quant_models.audio import read_clip
from quant_models.features import fingerprints
from scripts import bitwidths
from scripts.command_line import run_command
from tests.networks import random_fingerprints, random_network

REPOSITORY = Path(__file__).resolve().parents[2]
LAYER_FIGURES = {"conv_1.png", "dw_conv.png", "pw_conv.png", "fc1.png"}
# Runs the command as a user does, then reports which heavy modules it has loaded.
WATCHED_RUN = """
import runpy, sys
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
heavy = {"tensorflow", "keras", "soundfile", "scipy", "matplotlib"}
print("loaded:", sorted(heavy & set(sys.modules)), file=sys.stderr)
"""


@pytest.fixture
def network() -> IntegerNetwork:
    return random_network(1)


@pytest.fixture
def network_file(tmp_path: Path, network: IntegerNetwork) -> Path:
    path = tmp_path / "weights" / "ds_cnn" / "network.npz"
    network.save(path)
    return path


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Three clips of noise in two folders, and background noise that is no clip."""
    rng = np.random.default_rng(1)
    lengths = {"yes/a_nohash_0": 16_000, "yes/b_nohash_0": 12_000, "no/a_nohash_0": 16_000}
    for name, length in {**lengths, "_background_noise_/hum": 160_000}.items():
        path = tmp_path / "speech" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, rng.uniform(-0.5, 0.5, length), 16_000)
    return tmp_path / "speech"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["bitwidths.py", *map(str, arguments)])
    run_command(bitwidths.main)


def run_apart(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WATCHED_RUN, "scripts/bitwidths.py", *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )


def observed(report: dict, name: str) -> tuple[int, int]:
    signals = [signal for layer in report["layers"] for signal in layer["signals"]]
    found = next(signal["observed"] for signal in signals if signal["name"] == name)
    return found["low"], found["high"]


def test_report_without_data_loads_no_framework(network_file: Path, tmp_path: Path) -> None:
    result = run_apart(network_file, "--output_dir", tmp_path / "out")
    assert result.stderr == "loaded: []\n"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "bit_widths.json",
        "bit_widths.csv",
    }


def test_reading_clips_loads_no_framework_either(
    network_file: Path, clips: Path, tmp_path: Path
) -> None:
    result = run_apart(network_file, "--data_dir", clips, "--output_dir", tmp_path / "out")
    assert result.stderr == "loaded: ['matplotlib', 'scipy', 'soundfile']\n"


def test_table_shows_every_signal_with_its_bits(
    network: IntegerNetwork,
    network_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(monkeypatch, network_file, "--output_dir", tmp_path / "out")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    for layer in layer_widths(network, interval_bounds(network)):
        start = lines.index([layer.name])
        for place, signal in enumerate(layer.signals, start + 1):
            label = signal.name if signal.role == "output" else signal.role
            seen = [] if signal.observed is None else [signal.observed.minimum]
            assert lines[place][: len(label.split())] == label.split()
            numbers = [int(cell) for cell in lines[place][len(label.split()) :]]
            bits = [signal.signed_bits] + [signal.unsigned_bits] * (
                signal.unsigned_bits is not None
            )
            constants = [*seen, signal.observed.maximum, signal.observed_bits] if seen else []
            assert numbers == [*constants, signal.bound.minimum, signal.bound.maximum, *bits]


def test_json_and_csv_are_those_of_the_network(
    network: IntegerNetwork, network_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch, network_file, "--output_dir", tmp_path)
    report = json.loads((tmp_path / "bit_widths.json").read_text())
    assert report["network"]["digest"] == network.digest
    assert report["observed_clips"] is None
    rows = list(csv.DictReader((tmp_path / "bit_widths.csv").read_text().splitlines()))
    signals = [signal["name"] for layer in report["layers"] for signal in layer["signals"]]
    assert [row["signal"] for row in rows] == signals


def test_golden_cases_fill_the_observed_columns_and_draw_each_layer(
    network: IntegerNetwork,
    network_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    inputs = random_fingerprints(2, 5)
    cases, out = tmp_path / "cases.npz", tmp_path / "out"
    cases.write_bytes(make_cases(network, inputs, np.zeros(5, np.int64)).to_bytes())
    run(monkeypatch, network_file, "--cases", cases, "--output_dir", out)
    assert "Observed on 5 clips." in capsys.readouterr().out
    figures = {path.name for path in out.glob("*.png")}
    assert figures == {"overview.png", *LAYER_FIGURES}
    report = json.loads((out / "bit_widths.json").read_text())
    assert report["observed_clips"] == 5
    for name, values in reference.run(network, inputs).layers.items():
        assert observed(report, name) == (values.min(), values.max()), name


def test_a_folder_of_clips_is_observed_without_its_background_noise(
    network: IntegerNetwork,
    network_file: Path,
    clips: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bitwidths, "READ_CLIPS", 2)  # three clips in two portions
    run(monkeypatch, network_file, "--data_dir", clips, "--output_dir", tmp_path)
    report = json.loads((tmp_path / "bit_widths.json").read_text())
    assert report["observed_clips"] == 3
    paths = [path for word in ("no", "yes") for path in sorted((clips / word).iterdir())]
    samples = np.stack([read_clip(path, 16_000, 16_000) for path in paths])
    values = reference.run(network, fingerprints(samples, network.features)).layers["conv_1"]
    assert observed(report, "conv_1") == (values.min(), values.max())


def test_reports_go_to_a_folder_named_after_the_network(
    network: IntegerNetwork, network_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    network.save(tmp_path / "other.npz")
    run(monkeypatch, network_file)
    run(monkeypatch, "other.npz")
    assert sorted(path.name for path in Path("work/bitwidths").iterdir()) == ["ds_cnn", "other"]


def test_help_shows_flags_and_an_example(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        run(monkeypatch, "--help")
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert all(flag in text for flag in ("--cases", "--data_dir", "--output_dir", "example:"))


def tampered(path: Path) -> Path:
    """Copy a network with one weight changed and the digest left as it was."""
    weights = np.load(path)["conv_1.weights"]
    weights[0, 0, 0, 0] ^= 1
    member = io.BytesIO()
    np.save(member, weights)
    changed = path.with_name("tampered.npz")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            content = member.getvalue() if name == "conv_1.weights.npy" else source.read(name)
            target.writestr(name, content)
    return changed


def assert_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: Sequence[object],
    message: str,
) -> None:
    with pytest.raises(SystemExit) as stop:
        run(monkeypatch, *arguments)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert message in error


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "expected an integer network file, found nothing there"),
        (b"", "found a truncated or foreign one"),
        (b"PK\x03\x04 not really", "found a truncated or foreign one"),
    ],
)
def test_what_is_no_network_is_refused(
    content: bytes | None,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "network.npz"
    if content is not None:
        path.write_bytes(content)
    assert_refused(monkeypatch, capsys, [path, "--output_dir", tmp_path / "out"], message)
    assert not (tmp_path / "out").exists()


def test_truncated_and_tampered_networks_are_refused(
    network_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    message = "tampered.npz: digest does not match"
    assert_refused(monkeypatch, capsys, [tampered(network_file)], message)
    network_file.write_bytes(network_file.read_bytes()[:-100])
    assert_refused(monkeypatch, capsys, [network_file], "found a truncated or foreign one")


def test_cases_of_another_network_and_no_cases_are_refused(
    network_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cases = tmp_path / "cases.npz"
    other = make_cases(random_network(2), random_fingerprints(2, 1), np.zeros(1, np.int64))
    cases.write_bytes(other.to_bytes())
    arguments = [network_file, "--cases", cases]
    assert_refused(monkeypatch, capsys, arguments, "cases.npz: expected cases of the network")
    assert_refused(
        monkeypatch, capsys, [network_file, "--cases", network_file], "found one of kind 'integer"
    )


def test_missing_and_empty_data_folders_are_refused(
    network_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = [network_file, "--data_dir", tmp_path / "nowhere"]
    assert_refused(monkeypatch, capsys, arguments, "nowhere: expected a folder of audio, found")
    (tmp_path / "empty").mkdir()
    arguments = [network_file, "--data_dir", tmp_path / "empty"]
    assert_refused(
        monkeypatch, capsys, arguments, "empty: expected a folder of clips, found no audio file"
    )


def test_data_that_contradict_each_other_are_refused(
    network_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [network_file, "--cases", "a", "--data_dir", "b"]
    assert_refused(
        monkeypatch, capsys, arguments, "flags: expected only one of --cases, --data_dir"
    )


def test_a_failed_write_leaves_the_old_report_whole(
    network_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    run(monkeypatch, network_file, "--output_dir", out)
    old = (out / "bit_widths.json").read_bytes()
    (out / "bit_widths.csv").unlink()
    (out / "bit_widths.csv").mkdir()  # a folder in the way: the second file cannot be replaced
    random_network(3).save(network_file)
    capsys.readouterr()
    assert_refused(monkeypatch, capsys, [network_file, "--output_dir", out], "bit_widths.csv: ")
    assert (out / "bit_widths.json").read_bytes() == old
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == []


def test_an_output_folder_that_cannot_be_made_is_named(
    network_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    arguments = [network_file, "--output_dir", in_the_way / "out"]
    assert_refused(monkeypatch, capsys, arguments, "file/out")
