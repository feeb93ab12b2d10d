from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dataflow.proof.proven_ranges import ProvenRanges, read_proven_ranges
from dataflow.proof.range_store import FILE_NAME
from dataflow.ranges.intervals import interval_bounds
from dataflow.widths.published_formulas import FORMULAS
from dataflow.widths.width_report import report
from golden import reference
from golden.exports.cases import make_cases, read_cases
from golden.network import IntegerNetwork
from quant_models.audio import read_clip
from quant_models.features import fingerprints
from scripts import bitwidths
from scripts.console import report_tables
from scripts.console.command_line import run_command
from scripts.console.report_tables import ROUNDED_NOTE, certificate_text, open_text
from tests.graphs import random_inputs
from tests.networks import deep_network, eight_bit_network, random_fingerprints, random_network
from tests.repository import REPOSITORY
from tests.witnessed import witnessed_ranges

FIGURES = {"overview.png", "conv_1.png", "dw_conv.png", "pw_conv.png", "fc1.png"}
TABLES = {"bit_widths.json", "bit_widths.csv", "summary.csv"}
TIES = {"ties.npz"}
WITNESSES = {"witnesses.npz", "witnesses.csv", *TIES}
# Runs the command as a user does, then reports which heavy modules it has loaded.
WATCHED_RUN = """
import runpy, sys
from tests.repository import REPOSITORY
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
heavy = {"tensorflow", "keras", "soundfile", "scipy", "matplotlib"}
print("loaded:", sorted(heavy & set(sys.modules)), file=sys.stderr)
"""


@pytest.fixture
def network() -> IntegerNetwork:
    return random_network(1, filters=4, outputs=3)


@pytest.fixture
def ranges(network: IntegerNetwork) -> ProvenRanges:
    """Interval bounds, and what five inputs reach."""
    return witnessed_ranges(network, random_fingerprints(1, 5))


@pytest.fixture
def network_file(tmp_path: Path, network: IntegerNetwork, ranges: ProvenRanges) -> Path:
    """A network with its proven ranges beside it."""
    path = tmp_path / "weights" / "ds_cnn" / "network.npz"
    network.save(path)
    (path.parent / FILE_NAME).write_bytes(ranges.to_bytes())
    return path


@pytest.fixture
def unproven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network that is proven in a second, without stored ranges; the cache lies beside it."""
    path = tmp_path / "small.npz"
    random_network(1, filters=2, outputs=2, labels=2, input_shape=(6, 4)).save(path)
    monkeypatch.chdir(tmp_path)
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


def numbers_after(lines: Sequence[str], name: str, place: int) -> list[str]:
    """Return the cells behind `name` in the table that has it for the `place`-th time."""
    rows = [line.split()[1:] for line in lines if line.split()[:1] == [name]]
    return rows[place]


def test_report_of_stored_ranges_loads_no_framework_and_no_solver(
    network_file: Path, tmp_path: Path
) -> None:
    result = run_apart(network_file, "--output_dir", tmp_path / "out")
    assert result.stderr == "loaded: []\n"
    assert {path.name for path in (tmp_path / "out").iterdir()} == TABLES | WITNESSES


def test_reading_clips_loads_no_framework_either(
    network_file: Path, clips: Path, tmp_path: Path
) -> None:
    result = run_apart(network_file, "--data_dir", clips, "--output_dir", tmp_path / "out")
    assert result.stderr == "loaded: ['matplotlib', 'soundfile']\n"


def test_tables_show_every_signal_with_its_bits_bounds_witnesses_and_gaps(
    ranges: ProvenRanges,
    network_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(monkeypatch, network_file, "--output_dir", tmp_path / "out")
    lines = capsys.readouterr().out.splitlines()
    assert (
        f"Proven ranges: {network_file.parent / FILE_NAME} (--prove_again makes new ones)" in lines
    )
    assert max(map(len, lines[2:-2])) <= 120  # the first lines and the last hold paths
    for name, signal in ranges.signals.items():
        bound, reached = signal.bound, signal.reached
        bits = str(bound.bits)
        widths = numbers_after(lines, name, 0)
        assert widths[0] == bits and widths[-1] in ("interval", "constant")
        limits = [str(bound.minimum), str(bound.maximum), bits]
        seen = [str(reached.minimum), str(reached.maximum), str(reached.bits)]
        low, high = reached.minimum - bound.minimum, bound.maximum - reached.maximum
        assert numbers_after(lines, name, 1) == [*limits, *limits, *seen, str(low), str(high)]


def test_open_widths_are_listed_with_their_channels(
    ranges: ProvenRanges,
    network_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for end in (ranges.signals["conv_1"].low, ranges.signals["conv_1"].high):
        # Only the second channel is open: 15 bits bound it and 13 bits are reached.
        reached = np.array([-8192, -4096, -8192, -8192]) if end.reached[0] < 0 else end.reached * 0
        bound = np.array([-8192, -16384, -8192, -8192]) if end.reached[0] < 0 else end.reached * 0
        object.__setattr__(end, "reached", reached)
        object.__setattr__(end, "bound", bound)
    (network_file.parent / FILE_NAME).write_bytes(ranges.to_bytes())
    run(monkeypatch, network_file, "--output_dir", tmp_path / "out")
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("Bounds that need more bits than their witnesses, and how many:")
    assert "  conv_1: one bit in its width; 2 bits in channel 1" in lines[start:]


def test_formulas_are_audited_and_a_witness_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # -32 meets -32: 1024 does not fit the 11 bits of a rule that drops one of two signs.
    network = random_network(2, filters=2, outputs=2, weights=(-32, -32))
    inputs = np.stack([np.zeros((30, 10), np.int8), np.full((30, 10), -32, np.int8)])
    ranges = witnessed_ranges(network, inputs)
    network.save(tmp_path / "network.npz")
    (tmp_path / FILE_NAME).write_bytes(ranges.to_bytes())
    run(monkeypatch, tmp_path / "network.npz", "--output_dir", tmp_path / "out")
    lines = capsys.readouterr().out.splitlines()
    case = int(ranges.signals["conv_1.product"].high.case[0])
    short = (
        "  QTools 1.2.1: 11 bits do not hold 1024 of conv_1.product, channel 0, "
        f"case {case} of witnesses.npz"
    )
    assert short in lines
    row = next(line.split() for line in lines if line.startswith("conv_1 product"))
    rules = [formula for formula in FORMULAS if formula.product is not None]
    assert row[2:4] == ["12", "12"] and row.count("-1") == 2
    assert len(row) == 3 + len(rules) + 2  # label, needed, a cell each, two of them with an excess


def test_observed_values_and_an_assumption_stand_beside_the_bounds(
    network: IntegerNetwork,
    network_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    quiet = np.zeros((1, 30, 10), np.int8)
    quiet[0, 3, 1], quiet[0, 5, 9] = -7, 4
    cases = tmp_path / "cases.npz"
    cases.write_bytes(make_cases(network, quiet, np.zeros(1, np.int64)).to_bytes())
    run(monkeypatch, network_file, "--cases", cases, "--output_dir", tmp_path / "out")
    out = capsys.readouterr().out
    spans = ["0..0", "-7..0", *["0..0"] * 7, "0..4"]
    assert f"they showed: {', '.join(spans)}\n" in out
    assumed = interval_bounds(network, ([0, -7, *[0] * 8], [*[0] * 9, 4]))
    bounds = interval_bounds(network)
    for name, values in reference.run(network, quiet).layers.items():
        seen = [str(values.min()), str(values.max())]
        cells = numbers_after(out.splitlines(), name, 2)
        for place, known in ((3, assumed[name]), (6, bounds[name])):
            bits = str(known.bits)
            assert cells[place : place + 3] == [str(known.minimum), str(known.maximum), bits]
        assert cells[:2] == seen


def test_witnesses_are_golden_cases_that_the_command_itself_takes(
    network: IntegerNetwork,
    ranges: ProvenRanges,
    network_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, again = tmp_path / "out", tmp_path / "again"
    run(monkeypatch, network_file, "--output_dir", out)
    cases = read_cases(out / "witnesses.npz", network)
    assert np.array_equal(cases.fingerprints, ranges.fingerprints)
    run(monkeypatch, network_file, "--cases", out / "witnesses.npz", "--output_dir", again)
    report = json.loads((again / "bit_widths.json").read_text())
    for name, signal in ranges.signals.items():
        assert observed(report, name) == (signal.reached.minimum, signal.reached.maximum)


def test_ranges_are_proven_once_and_then_found_in_the_cache(
    unproven: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    network = IntegerNetwork.load(unproven)
    stored = Path("work/cache/proven_ranges") / f"{network.digest}.npz"
    limits = ["--solve_seconds", 20, "--search_rounds", 0, "--workers", 1]
    run(monkeypatch, unproven, *limits)
    out = capsys.readouterr().out
    assert "dw_conv: bounds" in out and f"s, stored as {stored}\n" in out
    first = Path("work/bitwidths/small/bit_widths.json").read_bytes()
    assert json.loads(first)["widths_follow"] == "proven"
    assert set(read_proven_ranges(stored, network).signals) == set(interval_bounds(network))
    run(monkeypatch, unproven)
    assert f"Proven ranges: {stored} (--prove_again makes new ones)\n" in capsys.readouterr().out
    assert Path("work/bitwidths/small/bit_widths.json").read_bytes() == first
    stored.write_bytes(witnessed_ranges(network, random_fingerprints(1, 1, (6, 4))).to_bytes())
    run(monkeypatch, unproven, "--prove_again", *limits)
    assert Path("work/bitwidths/small/bit_widths.json").read_bytes() == first


def test_a_deep_network_ends_in_the_time_that_is_given_and_the_report_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    network = deep_network(1, blocks=3, channels=8)
    network.save(tmp_path / "deep.npz")
    monkeypatch.chdir(tmp_path)
    run(monkeypatch, "deep.npz", "--proof_seconds", 2, "--search_rounds", 0, "--workers", 1)
    cut_off = (
        "The time for the proof, 2 s, was over before its end (--proof_seconds): "
        "what was left has interval bounds.\n"
    )
    assert cut_off in capsys.readouterr().out
    run(monkeypatch, "deep.npz")  # as it was stored
    out = capsys.readouterr().out
    assert cut_off in out
    lines = out.splitlines()
    assert numbers_after(lines, "fc1", 0)[-1] == "interval"
    assert numbers_after(lines, "conv_1", 0)[-2:] == ["closed", "form"]
    report = json.loads(Path("work/bitwidths/deep/bit_widths.json").read_text())
    assert report["proof_stopped_after"] == 2
    signals = {item["name"]: item for layer in report["layers"] for item in layer["signals"]}
    assert all(signal["proven"]["methods"] for signal in signals.values())


def test_networks_of_many_layers_are_drawn_layer_by_layer_only_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = deep_network(1, blocks=4, channels=2)
    network.save(tmp_path / "deep.npz")
    monkeypatch.chdir(tmp_path)
    cases = make_cases(network, random_fingerprints(1, 2), np.zeros(2, np.int64))
    Path("cases.npz").write_bytes(cases.to_bytes())
    run(monkeypatch, "deep.npz", "--interval_only", "--cases", "cases.npz", "--output_dir", "out")
    assert {path.name for path in Path("out").glob("*.png")} == {"overview.png"}
    run(monkeypatch, "deep.npz", "--interval_only", "--figures", "--output_dir", "all")
    layers = {f"{node.name}.png" for node in network.weighted_nodes}
    assert {path.name for path in Path("all").glob("*.png")} == {"overview.png", *layers}


def test_8_bit_networks_are_reported_with_their_requantisation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    network = eight_bit_network()
    network.save(tmp_path / "small.npz")
    monkeypatch.chdir(tmp_path)
    inputs = random_inputs(1, 3, network)
    Path("cases.npz").write_bytes(make_cases(network, inputs, np.zeros(3, np.int64)).to_bytes())
    run(monkeypatch, "small.npz", "--cases", "cases.npz", "--workers", 1)
    lines = capsys.readouterr().out.splitlines()
    bounds = interval_bounds(network)
    assert numbers_after(lines, "conv_q.product", 0)[0] == str(bounds["conv_q.product"].bits)
    assert ROUNDED_NOTE in lines
    low, high = bounds["conv_q.multiplier"].minimum, bounds["conv_q.multiplier"].maximum
    assert numbers_after(lines, "conv_q.multiplier", 1)[:2] == [f"{low:.2e}", f"{high:.2e}"]
    table = [line for line in lines if line.startswith("conv_q")]
    assert table and max(map(len, table)) <= 120
    assert (Path("work/bitwidths/small") / "conv.png").exists()


def test_interval_bounds_alone_need_no_proof_and_give_no_witnesses(
    network: IntegerNetwork,
    network_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (network_file.parent / FILE_NAME).unlink()
    monkeypatch.chdir(tmp_path)
    run(monkeypatch, network_file, "--interval_only", "--output_dir", "out")
    assert {path.name for path in Path("out").iterdir()} == TABLES | TIES
    assert not Path("work").exists()
    lines = capsys.readouterr().out.splitlines()
    assert "Interval bounds alone, nothing proven (--interval_only)." in lines
    for name, bound in interval_bounds(network).items():
        limits = [str(bound.minimum), str(bound.maximum), str(bound.bits)]
        assert numbers_after(lines, name, 1) == limits


def test_figures_are_drawn_without_data_when_asked_for(
    network_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch, network_file, "--figures", "--output_dir", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == TABLES | WITNESSES | FIGURES


def test_json_and_csv_are_those_of_the_network(
    network: IntegerNetwork, network_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch, network_file, "--output_dir", tmp_path)
    report = json.loads((tmp_path / "bit_widths.json").read_text())
    assert report["network"]["digest"] == network.digest
    assert report["observed_clips"] is None
    assert report["widths_follow"] == "proven"
    signals = [signal["name"] for layer in report["layers"] for signal in layer["signals"]]
    for name in ("bit_widths.csv", "summary.csv"):
        rows = list(csv.DictReader((tmp_path / name).read_text().splitlines()))
        assert [row["signal"] for row in rows] == list(dict.fromkeys(signals))


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
    assert "Observed on 5 clips, and bounded on the assumption" in capsys.readouterr().out
    assert {path.name for path in out.glob("*.png")} == FIGURES
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


def test_several_folders_of_clips_are_observed_together(
    network_file: Path, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = clips / "no", clips / "yes"
    run(monkeypatch, network_file, "--data_dir", *folders, "--output_dir", tmp_path)
    assert json.loads((tmp_path / "bit_widths.json").read_text())["observed_clips"] == 3


def test_reports_go_to_a_folder_named_after_the_network(
    network: IntegerNetwork, network_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    network.save(tmp_path / "other.npz")
    run(monkeypatch, network_file)
    run(monkeypatch, "other.npz", "--interval_only")
    assert sorted(path.name for path in Path("work/bitwidths").iterdir()) == ["ds_cnn", "other"]


def test_help_shows_flags_and_an_example(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        run(monkeypatch, "--help")
    assert stop.value.code == 0
    text = capsys.readouterr().out
    flags = ("--cases", "--data_dir", "--output_dir", "--prove_again", "--workers", "example:")
    assert all(flag in text for flag in flags)


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
    arguments = [network_file, "--interval_only", "--prove_again"]
    assert_refused(
        monkeypatch, capsys, arguments, "flags: expected only one of --interval_only, --prove_again"
    )


@pytest.mark.parametrize(
    ("flag", "value", "lowest"),
    [
        ("--workers", "0", 1),
        ("--search_rounds", "-1", 0),
        ("--solve_seconds", "0.5", 1),
        ("--proof_seconds", "0.5", 1),
    ],
)
def test_limits_without_work_are_refused(
    flag: str,
    value: str,
    lowest: int,
    network_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    message = f"{flag}: expected at least {lowest}, got {value}"
    assert_refused(monkeypatch, capsys, [network_file, flag, value], message)


def test_proven_ranges_of_another_network_and_foreign_ones_are_refused(
    network_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    random_network(3, filters=4, outputs=3).save(network_file)
    message = f"{FILE_NAME}: expected proven ranges of the network"
    assert_refused(monkeypatch, capsys, [network_file], message)
    (network_file.parent / FILE_NAME).write_bytes(network_file.read_bytes())
    assert_refused(monkeypatch, capsys, [network_file], f"{FILE_NAME}: expected")


def test_data_are_looked_for_before_anything_is_proven(
    unproven: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_refused(
        monkeypatch, capsys, [unproven, "--data_dir", "nowhere"], "expected a folder of audio"
    )
    assert not Path("work").exists()


def test_clips_and_ties_of_other_networks_are_refused_before_anything_is_proven(
    clips: Path,
    unproven: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    eight_bit_network().save(tmp_path / "foreign.npz")
    arguments = ["foreign.npz", "--data_dir", clips]
    message = "speech: expected no clips for a network that does not say how they become inputs"
    assert_refused(monkeypatch, capsys, arguments, message)
    other = random_network(2)
    ties = make_cases(other, random_fingerprints(2, 1), np.zeros(1, np.int64))
    Path("ties.npz").write_bytes(ties.to_bytes())
    assert_refused(
        monkeypatch, capsys, [unproven, "--output_dir", "."], "ties.npz: expected cases of the net"
    )
    assert not Path("work").exists()


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
    capsys.readouterr()
    arguments = [network_file, "--interval_only", "--output_dir", out]
    assert_refused(monkeypatch, capsys, arguments, "bit_widths.csv: ")
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


def test_widths_that_only_the_solver_vouches_for_are_named(network: IntegerNetwork) -> None:
    proven = witnessed_ranges(network, random_fingerprints(1, 5))
    certain = certificate_text(report(network, proven))
    assert (
        certain == "The width of every signal is certified: it rests on integer arithmetic alone."
    )
    wide = dataclasses.replace(
        proven.signals["fc1"].high, certified=proven.signals["fc1"].high.bound * 4
    )
    signals = {**proven.signals, "fc1": dataclasses.replace(proven.signals["fc1"], high=wide)}
    doubtful = report(network, dataclasses.replace(proven, signals=signals))
    bits = signals["fc1"].certified.bits
    assert certificate_text(doubtful) == (
        f"Widths that rest on the solver's floating point: fc1 ({bits} bits without it)"
    )


def test_of_many_open_signals_those_of_interval_bounds_are_counted(
    network: IntegerNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    proven = witnessed_ranges(network, random_fingerprints(1, 5))
    every = open_text(report(network, proven)).splitlines()
    solved = dataclasses.replace(proven.signals["fc1"].high, method=("MILP",) * 4)
    signals = {**proven.signals, "fc1": dataclasses.replace(proven.signals["fc1"], high=solved)}
    made = report(network, dataclasses.replace(proven, signals=signals))
    assert open_text(made).splitlines() == every
    monkeypatch.setattr(report_tables, "_MOST_LINES", 1)
    title, fc1, rest = open_text(made).splitlines()
    assert title == every[0] and fc1 in every and fc1.startswith("  fc1: ")
    count = len(every) - 2
    assert rest == f"  and {count} signals of interval bounds: column spare_bits of bit_widths.csv"


def test_channels_are_counted_where_a_line_would_be_long(network: IntegerNetwork) -> None:
    wide = random_network(1, filters=64, outputs=3)
    made = report(wide, witnessed_ranges(wide, random_fingerprints(1, 1)))
    line = next(line for line in open_text(made).splitlines() if line.startswith("  dw_conv:"))
    assert len(line) < 200 and re.search(r"bits in \d+ channels", line)
