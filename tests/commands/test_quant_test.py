"""`quant_test.py` from the command line: its export, its figures, and what it says to bad input."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import quant_test
from dataflow.ranges.intervals import magnitude_bound
from golden import reference
from golden.archive import write_archive
from golden.comparison import Comparison
from golden.exports.export import check_export
from golden.network import IntegerNetwork
from quant_models.checkpoint import Checkpoint, load_checkpoint
from quant_models.evaluation import Result, Verifier
from scripts.console import progress
from scripts.console.command_line import run_command
from tests.checkpoints import GRID, ds_cnn_size, random_checkpoint, random_parameters
from tests.commands.conftest import Trained, run_script
from tests.speech_folder import RATE_HZ, spoken_word, write_wav

WEIGHT_FILES = (
    "network.npz",
    "weight.h",
    "network.h",
    "network.c",
    "example_weight.txt",
    "evidence.json",
    "manifest.json",
)
DEFAULT_SIZES = "2 48 4 4 2 2 16 3 3 1 1"
VECTOR_FILES = ("1.txt", "2.txt", "3.txt", "lots_of_case.txt", "cases.npz")


class Exported:
    """The folders that one run wrote."""

    def __init__(self, folder: Path, name: str):
        self.weights = folder / "weights" / name
        self.vectors = folder / "golden/vectors" / name
        self.evaluation = folder / "work/evaluation" / name

    def files(self) -> dict[str, bytes]:
        """Contents of the export, without the accuracies."""
        return {
            f"{folder.parent.name}/{path.name}": path.read_bytes()
            for folder in (self.weights, self.vectors)
            for path in sorted(folder.iterdir())
        }


@pytest.fixture(scope="module")
def exported(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> tuple[Exported, str]:
    """The export of the trained network, by a process of its own, and what it printed."""
    folder = tmp_path_factory.mktemp("exported")
    done = run_script(
        folder, "quant_test.py",
        "--checkpoint", str(trained.checkpoint).removesuffix(".npz"),
        "--model_size_info", *DEFAULT_SIZES.split(),
        "--data_dir", str(trained.data_dir),
        "--cache_dir", str(trained.folder / "work/cache"),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return Exported(folder, trained.checkpoint.stem), done.stdout


def run_in(folder: Path, monkeypatch: pytest.MonkeyPatch, *flags: object) -> None:
    """Run the command in this process, in `folder`."""
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["quant_test.py", *map(str, flags)])
    run_command(quant_test.main)


# ---- the export


def test_the_export_is_complete_and_of_the_checkpoints_network(
    trained: Trained, exported: tuple[Exported, str]
) -> None:
    result, output = exported
    checkpoint = load_checkpoint(trained.checkpoint)
    names = sorted(path.name for path in result.weights.iterdir())
    assert names == sorted([*WEIGHT_FILES, checkpoint.name])
    assert sorted(path.name for path in result.vectors.iterdir()) == sorted(VECTOR_FILES)
    digest = checkpoint.network().digest
    assert IntegerNetwork.load(result.weights / "network.npz").digest == digest
    assert check_export(result.weights, result.vectors) == digest
    assert (result.weights / checkpoint.name).read_bytes() == trained.checkpoint.read_bytes()
    assert f"network     {digest}\n" in output
    assert "0 mismatches" in output
    bound = magnitude_bound(checkpoint.network())
    assert f"exact for every input: sums of magnitudes reach {bound:,} < 2^24 at most" in output


def test_evidence_counts_every_value_of_the_checkpoints_own_clips(
    exported: tuple[Exported, str],
) -> None:
    evidence = json.loads((exported[0].weights / "evidence.json").read_text())
    (rung,) = evidence["rungs"]
    assert rung["clips"] == 1_024 and rung["mismatches"] == 0
    clip = {
        "fingerprint": 300,
        **dict.fromkeys(("conv_1", "conv_1_relu", "dw_conv", "dw_conv_relu"), 14 * 4 * 48),
        **{"max_pool": 48, "pw_conv": 16, "pw_conv_relu": 16, "fc1": 4},
    }
    assert rung["values_compared"] == {name: 1_024 * count for name, count in clip.items()}


def test_accuracies_are_those_of_the_exported_integers(
    trained: Trained, exported: tuple[Exported, str]
) -> None:
    figures = json.loads((exported[0].evaluation / "accuracy.json").read_text())
    titles = [result["title"] for result in figures["results"]]
    assert titles == [f"{name} partition" for name in ("training", "validation", "testing")]
    for result in figures["results"]:
        confusion = np.array(result["confusion"])
        assert confusion.sum() == result["clips"] and result["mismatches"] == 0
        assert result["accuracy"] == np.trace(confusion) / confusion.sum() >= 0.9
    assert figures["results"][1]["accuracy"] == load_checkpoint(trained.checkpoint).accuracy
    assert (exported[0].evaluation / "confusion.png").read_bytes().startswith(b"\x89PNG")


def test_an_export_is_the_same_bytes_again_and_its_folders_can_be_chosen(
    trained: Trained,
    exported: tuple[Exported, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The second run is of the exported checkpoint, with other data: a test folder."""
    result, _ = exported
    test_dir = make_test_folder(tmp_path / "test [set]")
    name = trained.checkpoint.stem
    run_in(
        tmp_path / "run", monkeypatch,
        "--checkpoint", result.weights / f"{name}.npz", "--test_dir", test_dir,
        "--output_dir", tmp_path / "weights" / name,
        "--vectors_dir", tmp_path / "golden/vectors" / name,
        "--evaluation_dir", tmp_path / "work/evaluation" / name,
    )  # fmt: skip
    again = Exported(tmp_path, name)
    assert again.files() == result.files()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["work"]  # the cache
    figures = json.loads((again.evaluation / "accuracy.json").read_text())
    assert [(r["title"], r["clips"]) for r in figures["results"]] == [
        ("other words as _unknown_", 3),
        ("test set test [set]", 12),
    ]
    other, known = (np.array(r["confusion"]) for r in figures["results"])
    assert other.sum(axis=1).tolist() == [0, 3, 0, 0]
    assert known.sum(axis=1).tolist() == [3, 3, 3, 3]
    assert figures["results"][1]["accuracy"] == np.trace(known) / 12 >= 0.75
    printed = capsys.readouterr().out
    assert "test set test [set]: " in printed
    with (again.evaluation / "confusion.csv").open() as stream:
        (cat,) = (row[2:] for row in csv.reader(stream) if row[1] == "cat")
    assert list(map(int, cat)) == other[1].tolist()
    assert f"called unknown: cat {other[1][1] / 3:.1%} of 3\n" in printed


def make_test_folder(folder: Path) -> Path:
    rng = np.random.default_rng(7)
    sounds = {"yes": "yes", "no": "no", "_unknown_": "bird", "_silence_": None, "cat": "cat"}
    for label, word in sounds.items():
        (folder / label).mkdir(parents=True)
        for number in range(3):
            samples = spoken_word(word, rng) if word else 0.1 * rng.standard_normal(RATE_HZ)
            write_wav(folder / label / f"{number}.wav", samples)
    return folder


# ---- many labels


@pytest.mark.parametrize("labels", [4, 12, 24, 40])
@pytest.mark.parametrize("columns", [None, 80])
def test_the_console_shows_what_fits_whole(
    labels: int,
    columns: int | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`columns` None stands for a file."""
    shown = io.StringIO()
    if columns is not None:
        console = Console(file=shown, force_terminal=True, width=columns, color_system=None)
        monkeypatch.setattr(progress, "CONSOLE", console)
    rng = np.random.default_rng(0)
    confusion = rng.integers(1_000, 5_000, (labels, labels))
    names = tuple(f"word_{number}" for number in range(labels))
    result = Result("test set", names, "engine", confusion, Comparison(1, {}))
    quant_test.show(result)
    text = shown.getvalue() if columns is not None else capsys.readouterr().out
    lines = text.splitlines()
    assert "…" not in text and (columns is None or max(map(len, lines)) <= columns)
    for index, name in enumerate(names):
        (line,) = (line for line in lines if re.match(rf"\W*{name}\b.* \d", line))
        assert f" {confusion[index, index]} " in line
    rows = list(csv.reader(quant_test.confusion_csv([result]).splitlines()))
    assert rows[0][2:] == list(names)
    assert [[int(count) for count in row[2:]] for row in rows[1:]] == confusion.tolist()


# ---- refusals


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--model_size_info 2 32 4 4 2 2 16 3 3 1 1",
         "model_size_info: expected the checkpoint's 2 48 4 4 2 2 16 3 3 1 1, "
         "got 2 32 4 4 2 2 16 3 3 1 1"),
        ("--shifts 3 4 7", "shifts: expected the checkpoint's 3 4 8, got 3 4 7"),
        ("--padding same same", "padding: expected the checkpoint's VALID SAME, got SAME SAME"),
        ("--wanted_words no,yes", "wanted_words: expected the checkpoint's yes no, got no yes"),
        ("--sample_rate 8000", "sample_rate: expected the checkpoint's 16000, got 8000"),
        ("--clip_duration_ms 900", "clip_duration_ms: expected the checkpoint's 1000, got 900"),
        ("--window_size_ms 30", "window_size_ms: expected the checkpoint's 40.0, got 30.0"),
        ("--window_stride_ms 30", "window_stride_ms: expected the checkpoint's 33.0, got 30.0"),
        ("--dct_coefficient_count 12",
         "dct_coefficient_count: expected the checkpoint's 10, got 12"),
    ],
)  # fmt: skip
def test_a_flag_that_contradicts_the_checkpoint_is_refused_with_both_values(
    refused: Callable[..., str], trained: Trained, flags: str, message: str
) -> None:
    found = refused(quant_test.main, "--checkpoint", trained.checkpoint, *flags.split())
    assert found == message


def test_bad_checkpoints_are_refused_in_one_line(
    refused: Callable[..., str], trained: Trained, tmp_path: Path
) -> None:
    content = trained.checkpoint.read_bytes()
    path = tmp_path / "bad.npz"
    foreign = f"{path}: expected a ds_cnn checkpoint file, found a truncated or foreign one"
    for bad in (content[:-100], content[: len(content) // 2], b"", b"not an archive"):
        path.write_bytes(bad)
        assert refused(quant_test.main, "--checkpoint", path) == foreign
    load_checkpoint(trained.checkpoint).network().save(path)
    assert refused(quant_test.main, "--checkpoint", path) == (
        f"{path}: expected a ds_cnn checkpoint file, found one of kind 'integer network'"
    )
    random_checkpoint(labels=("_silence_", "_unknown_", "yes", "go")).save(tmp_path)
    found = refused(quant_test.main, "--checkpoint", tmp_path / random_checkpoint().name)
    assert "not a valid checkpoint: labels: expected _silence_ _unknown_ yes no" in found
    write_archive(path, "ds_cnn checkpoint", {}, {})
    found = refused(quant_test.main, "--checkpoint", path)
    assert found.startswith(f"{path}: not a valid checkpoint: ")


def test_a_refusal_is_the_only_line_on_stderr(tmp_path: Path) -> None:
    done = run_script(tmp_path, "quant_test.py", "--checkpoint", "nothing")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: nothing: expected a ds_cnn checkpoint file, found nothing there\n"
    assert list(tmp_path.iterdir()) == []


def test_a_clip_whose_sums_leave_float32_is_refused(
    refused: Callable[..., str], tmp_path: Path
) -> None:
    size = ds_cnn_size((2, 48, 4, 4, 2, 2, 16, 3, 3, 1, 1))
    parameters = {
        name: np.full(shape, 31 / 32, np.float32)
        for name, shape in size.parameter_shapes(GRID, 4).items()
    }
    path = random_checkpoint(size=size, parameters=parameters).save(tmp_path)
    found = refused(quant_test.main, "--checkpoint", path)
    assert re.fullmatch(
        r"fc1: expected \|weight x input\| to add up to less than 2\^24 for exact float32, "
        r"got \d{8,} at clip \d, channel 0",
        found,
    )


def test_a_deep_network_is_exported_and_its_exactness_checked_clip_by_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    size = ds_cnn_size((4, 8, 10, 4, 2, 2, *3 * (8, 3, 3, 1, 1)), 7 * [4])
    checkpoint = random_checkpoint(size=size, parameters=random_parameters(1, size, 4))
    assert magnitude_bound(checkpoint.network()) >= 2**24
    run_in(
        tmp_path / "run", monkeypatch, "--checkpoint", checkpoint.save(tmp_path),
        "--test_dir", make_test_folder(tmp_path / "test"),
    )  # fmt: skip
    output = " ".join(capsys.readouterr().out.split())
    assert "0 mismatches" in output
    found = re.search(r"checked one by one and reach ([\d,]+) < 2\^24", output)
    assert found and 0 < int(found[1].replace(",", "")) < 2**24
    result = Exported(tmp_path / "run", Path(checkpoint.name).stem)
    assert check_export(result.weights, result.vectors) == checkpoint.network().digest


def test_a_difference_between_keras_and_reference_stops_the_export(
    refused: Callable[..., str], trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Verifier.__init__

    def planted(self: Verifier, checkpoint: Checkpoint, bounded: bool) -> None:
        original(self, checkpoint, bounded)
        biases = self._model.parameters["DS-CNN/fc1/biases"]
        biases.assign(biases.value.numpy() + np.float32(2 / 32))

    monkeypatch.setattr(Verifier, "__init__", planted)
    found = refused(quant_test.main, "--checkpoint", trained.checkpoint, status=1)
    network = load_checkpoint(trained.checkpoint).network()
    first = reference.run(network, load_checkpoint(trained.checkpoint).cases[:1]).logits[0, 0]
    assert found.startswith("fc1: first difference at clip 0, ")
    assert f" expected {first}, got " in found


def test_a_folder_that_cannot_be_written_is_refused(
    refused: Callable[..., str], trained: Trained, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file" / "weights", Path("/proc/weights")):
        found = refused(
            quant_test.main, "--checkpoint", trained.checkpoint,
            "--output_dir", folder, "--vectors_dir", tmp_path / "vectors",
        )  # fmt: skip
        assert found.startswith(str(folder)), found
    assert not (tmp_path / "vectors").exists() or not list((tmp_path / "vectors").iterdir())


def test_a_full_disk_leaves_the_old_export_whole(
    refused: Callable[..., str],
    exported: tuple[Exported, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result, _ = exported
    before = result.files()
    path = random_checkpoint(cases=16).save(tmp_path)

    def full_disk(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    found = refused(
        quant_test.main, "--checkpoint", path,
        "--output_dir", result.weights, "--vectors_dir", result.vectors, "--overwrite",
    )  # fmt: skip
    assert found == f"{result.weights}/network.npz: no space left on device"
    monkeypatch.undo()
    assert result.files() == before


def test_an_export_of_another_network_is_not_replaced(
    refused: Callable[..., str], exported: tuple[Exported, str], tmp_path: Path
) -> None:
    result, _ = exported
    before = result.files()
    path = random_checkpoint(cases=16).save(tmp_path)
    found = refused(
        quant_test.main, "--checkpoint", path,
        "--output_dir", result.weights, "--vectors_dir", result.vectors,
    )  # fmt: skip
    assert found == (
        f"{result.weights}/network.npz: expected nothing or a file of network "
        f"{load_checkpoint(path).network().digest[:12]}, found another file "
        "(--overwrite replaces it)"
    )
    assert result.files() == before


def test_an_export_is_named_by_the_file_of_the_checkpoint(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Networks of equal accuracy and step have files of different names."""
    path = tmp_path / "ds_cnn_9507.ckpt-24200-2.npz"
    path.write_bytes(random_checkpoint().to_bytes())
    run_in(
        tmp_path / "run", monkeypatch, "--checkpoint", path, "--data_dir", trained.data_dir,
        "--cache_dir", trained.folder / "work/cache",
    )  # fmt: skip
    made = Exported(tmp_path / "run", path.stem)
    assert (made.weights / path.name).read_bytes() == path.read_bytes()
    assert (made.vectors / "cases.npz").exists() and (made.evaluation / "accuracy.json").exists()


def test_help_shows_defaults_and_the_example(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["quant_test.py", "--help"])
    with pytest.raises(SystemExit) as caught:
        quant_test.parse_flags()
    assert caught.value.code == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "--cache_dir CACHE_DIR where features are kept (default: work/cache)" in words
    assert f"example: {quant_test.EXAMPLE}" in words


def test_the_example_of_the_help_parses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", quant_test.EXAMPLE.split()[1:])
    flags = quant_test.parse_flags()
    assert flags.model_size_info is None and flags.test_dir == Path("speech_commands_test_set")
