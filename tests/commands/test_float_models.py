"""Networks in float form through the commands, and where they are refused."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import fold_batchnorm
import freeze
import label_wav
import quant_test
import train
from quant_models.checkpoint import load_checkpoint
from scripts import import_tflite, summarize
from tests.commands.conftest import Trained, run_script
from tests.speech_folder import make_speech_folder

SIZES = {
    "ds_cnn": "2 6 4 4 2 2 8 3 3 1 1",
    "gru": "1 6",
}


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_speech_folder(tmp_path_factory.mktemp("tones") / "tones", speakers=12)


@pytest.fixture(scope="module", params=SIZES)
def checkpoint(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tones: Path
) -> Path:
    """A small model in float form, trained by the command for thirty steps."""
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        call(
            train.main, "--data_dir", tones, "--model_architecture", request.param,
            "--model_size_info", *SIZES[request.param].split(), "--form", "float",
            "--augmented_examples", 200, "--batch_size", 20, "--learning_rate", 0.01,
            "--how_many_training_steps", 30, "--averaging", 0.5,
        )  # fmt: skip
    (found,) = folder.glob(f"work/{request.param.upper()}/training/best/{request.param}_*.npz")
    return found


def call(main: Callable[[], None], *flags: object) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["command.py", *map(str, flags)])
        main()


def test_test_prints_both_arithmetics_in_the_words_of_the_original(
    checkpoint: Path, tones: Path, tmp_path: Path
) -> None:
    done = run_script(
        tmp_path, "test.py", "--checkpoint", str(checkpoint), "--data_dir", str(tones),
        "--csv", "matrices.csv",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    accuracies = re.findall(r"^(\w+) accuracy = \d+\.\d\d% \(N=(\d+)\)$", done.stdout, re.M)
    names = [name for name, _ in accuracies]
    recurrent = load_checkpoint(checkpoint).size.architecture.NO_INTEGERS is not None
    assert names == [
        name for name in ("Training", "Validation", "Test") for _ in range(1 if recurrent else 2)
    ]
    assert done.stdout.count("Confusion Matrix:\n [[") == len(names)
    assert ("integers    none of gru: its state goes through" in done.stdout) == recurrent
    with (tmp_path / "matrices.csv").open() as stream:
        rows = list(csv.reader(stream))
    assert len(rows) == 1 + 4 * len(names)
    for (_, clips), first in zip(accuracies, range(1, len(rows), 4), strict=True):
        counted = sum(int(cell) for row in rows[first : first + 4] for cell in row[3:])
        assert counted == int(clips)


def test_folding_keeps_every_label_and_is_refused_where_there_is_nothing_to_fold(
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    refused: Callable[..., str],
) -> None:
    flags = "--checkpoint", checkpoint, "--output_dir", tmp_path / "folded"
    if load_checkpoint(checkpoint).size.architecture.NAME == "gru":
        message = "gru: expected an architecture with batch normalisation, got none"
        assert refused(fold_batchnorm.main, *flags) == message
        return
    call(fold_batchnorm.main, *flags)
    shown = capsys.readouterr().out
    assert re.search(r"^labels      0 of \d+ differ$", shown.replace(",", ""), re.M), shown
    (written,) = (tmp_path / "folded").iterdir()
    assert written.name == f"{checkpoint.stem}_bnfused.npz"
    names = [*load_checkpoint(written).parameters]
    assert names and not any("batch_norm" in name for name in names)
    message = "ds_cnn: expected batch normalisation, got a folded model"
    assert refused(fold_batchnorm.main, "--checkpoint", written) == message


def test_its_graph_says_what_the_checkpoint_says(
    checkpoint: Path, tones: Path, tmp_path: Path
) -> None:
    graph, labels = tmp_path / "a.pb", tmp_path / "a.labels.txt"
    call(freeze.main, "--checkpoint", checkpoint, "--output_file", graph)
    sources = ("--graph", graph, "--labels", labels), ("--checkpoint", checkpoint)
    tables = []
    for number, source in enumerate(sources):
        table = tmp_path / f"{number}.csv"
        call(label_wav.main, "--wav", tones / "yes", *source, "--csv", table)
        with table.open() as stream:
            tables.append([row[:2] for row in csv.reader(stream)])
    assert tables[0] == tables[1] and len(tables[0]) == 1 + 12


def test_int8_takes_it_to_the_integer_side_or_is_refused(
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    refused: Callable[..., str],
) -> None:
    model = tmp_path / "int8.tflite"
    flags = "--checkpoint", checkpoint, "--output_file", model, "--format", "tflite", "--int8"
    if load_checkpoint(checkpoint).size.architecture.NAME == "gru":
        message = "gru: expected an architecture that integers compute, but its state goes through "
        assert refused(freeze.main, *flags).startswith(message)
        return
    call(freeze.main, *flags)
    call(import_tflite.main, model, "--output_dir", tmp_path / "export", "--count", 2)
    shown = capsys.readouterr()
    assert shown.out.count("0 mismatches") == 2, shown.out
    assert "fully_quantize" not in shown.err


def test_commands_that_need_integers_say_why_there_are_none(
    checkpoint: Path, refused: Callable[..., str]
) -> None:
    found = refused(quant_test.main, "--checkpoint", checkpoint)
    if load_checkpoint(checkpoint).size.architecture.NAME == "gru":
        assert found.startswith("gru: expected an architecture that integers compute, but its ")
    else:
        assert found.startswith("ds_cnn: expected the floor-shift form, whose weights are integers")
    found = refused(freeze.main, "--checkpoint", checkpoint, "--output_file", "a.pb", "--int8")
    assert found == "int8: expected with --format tflite, got it with pb"


def test_its_layers_are_summarised_with_their_names(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(summarize.main, "--checkpoint", checkpoint)
    shown = capsys.readouterr().out
    architecture = load_checkpoint(checkpoint).size.architecture.NAME
    last = {"ds_cnn": "fc1", "gru": "output"}[architecture]
    assert f"{architecture} {SIZES[architecture]}, in float form" in shown and last in shown


def test_a_network_of_integers_is_not_quantised_again_and_is_the_same_in_keras(
    trained: Trained, tmp_path: Path, refused: Callable[..., str]
) -> None:
    flags = "--output_file", "a.tflite", "--format", "tflite", "--int8"
    message = "expected the float form to quantise, got floor_shift, whose weights are integers"
    assert message in refused(freeze.main, "--checkpoint", trained.checkpoint, *flags)
    done = run_script(
        tmp_path, "test.py", "--checkpoint", str(trained.checkpoint),
        "--data_dir", str(trained.data_dir),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("labels that differ between both: 0 of ") == 3
