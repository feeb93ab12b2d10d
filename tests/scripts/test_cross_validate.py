"""The command that judges a recipe: every fold with every seed, on what it holds out."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from quant_models.speech_commands import speaker_of
from tests.speech_folder import make_speech_folder

FLAGS = (
    "--folds 2 --runs 2 --seed 3 --fold_words bird,cat --batch_size 50 --averaging 0.9 "
    "--learning_rate 0.003 --how_many_training_steps 150 --augmented_examples 1500 "
    "--own_teachers 1"
)
DEEPER = "3 8 4 4 2 2 8 3 3 1 1 8 3 3 1 1"


def run(folder: Path, output: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/cross_validate.py", "--data_dir", str(folder)]
    command += ["--output_dir", str(output), "--cache_dir", str(output / "cache"), *flags]
    return subprocess.run(command, capture_output=True, text=True)


def test_every_fold_is_judged_with_every_seed(tmp_path: Path) -> None:
    folder = make_speech_folder(tmp_path / "data", noise_seconds=(20.0, 20.0))
    done = run(folder, tmp_path / "out", *FLAGS.split())
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out" / "folds.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["seed"], row["fold"]) for row in rows] == [
        ("3", "0"), ("4", "0"), ("3", "1"), ("4", "1"),
    ]  # fmt: skip
    labels = ("_silence_", "_unknown_", "yes", "no")
    for row in rows:
        assert np.isclose(float(row["accuracy"]), np.mean([float(row[x]) for x in labels]))
        assert float(row["yes"]) > 0.8 and float(row["no"]) > 0.8
    heard = {speaker_of(path.name) for path in (folder / "dog").iterdir()}
    with (tmp_path / "out" / "other_words.csv").open() as stream:
        others = {row["word"]: int(row["clips"]) for row in csv.DictReader(stream)}
    assert set(others) == {"bird", "cat", "dog"} and others["dog"] < 2 * len(heard)
    means = np.mean([float(row["accuracy"]) for row in rows])
    assert f"{means:.2%}" in done.stdout and "called unknown: " in done.stdout


def test_folders_that_only_judge_have_their_clips_judged(tmp_path: Path) -> None:
    places = [
        make_speech_folder(tmp_path / name, speakers=30, noise_seconds=(9.0, 9.0)) for name in "ab"
    ]
    short = ["--folds", "2", "--how_many_training_steps", "1", "--learning_rate", "0.001"]
    short += ["--augmented_examples", "100", "--batch_size", "100"]
    clips = []
    for name, flags in (("one", []), ("two", ["--judged_dirs", str(places[1])])):
        done = run(places[0], tmp_path / name, *short, *flags)
        assert done.returncode == 0, done.stderr
        with (tmp_path / name / "folds.csv").open() as stream:
            clips.append([int(row["clips"]) for row in csv.DictReader(stream)])
    assert clips[1] == [2 * count for count in clips[0]]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--folds", "1"), "fold: expected two or more, numbered 0..0, got 0 of 1"),
        (("--teachers", "a.npz"),
         "teachers: expected none that heard what a fold holds out, got some"),
        (("--own_teachers", "-1"), "own_teachers: expected 0 or more, got -1"),
        (("--fold_words", "tree"), "fold_words: expected words that "),
        (("--model_size_info", *DEEPER.split()),
         "shifts: expected them unless it is a ds_cnn of two layers, got none"),
    ],
)  # fmt: skip
def test_what_makes_no_folds_is_refused(
    tmp_path: Path, flags: tuple[str, ...], message: str
) -> None:
    folder = make_speech_folder(tmp_path / "data", speakers=4, noise_seconds=(4.0,))
    done = run(folder, tmp_path / "out", *flags)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {message}") and done.stderr.count("\n") == 1
