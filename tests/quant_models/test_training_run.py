"""A training run on disk: the best checkpoint alone, whole curves, and fair cases."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from golden.network import FeatureSettings
from quant_models import training_run
from quant_models.checkpoint import load_checkpoint
from quant_models.data_settings import DataSettings
from quant_models.dataset import SpeechData
from quant_models.feature_cache import Examples, FeatureCache
from quant_models.training_run import (
    CASES,
    Evaluation,
    TrainingRun,
    TrainingState,
    choose_cases,
    taking_turns,
)
from tests.checkpoints import SMALL, ds_cnn_size, random_parameters
from tests.networks import random_fingerprints
from tests.speech_folder import make_speech_folder

SIZE = ds_cnn_size(SMALL)


def new_run(folder: Path) -> TrainingRun:
    cases = Examples(random_fingerprints(0, 8), np.arange(8) % 4)
    return TrainingRun(folder, SIZE, FeatureSettings(), DataSettings(), cases, {"seed": 7})


def state(step: int, accuracy: float, seed: int | None = None) -> TrainingState:
    evaluation = Evaluation(step, 0.001, 1.5, 0.25, accuracy)
    return TrainingState(evaluation, random_parameters(step if seed is None else seed, SIZE, 4))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_best_checkpoint_is_kept_and_the_previous_one_removed(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run")
    best = tmp_path / "run" / "best"
    kept = {
        500: (0.50, "ds_cnn_5000.ckpt-500.npz"),
        1_000: (0.75, "ds_cnn_7500.ckpt-1000.npz"),
        1_500: (0.70, "ds_cnn_7500.ckpt-1000.npz"),  # worse
        2_000: (0.75, "ds_cnn_7500.ckpt-1000.npz"),  # as good: the earlier one stays
        2_500: (0.80, "ds_cnn_8000.ckpt-2500.npz"),
    }
    for step, (accuracy, name) in kept.items():
        assert run.record(state(step, accuracy)).name == name
        assert names(best) == [name]
        assert run.best_path == best / name
    loaded = load_checkpoint(best / "ds_cnn_8000.ckpt-2500")
    assert (loaded.step, loaded.accuracy, loaded.training) == (2_500, 0.80, {"seed": 7})
    expected = random_parameters(2_500, SIZE, 4)
    assert all(np.array_equal(loaded.parameters[name], expected[name]) for name in expected)
    assert np.array_equal(loaded.cases, random_fingerprints(0, 8))


def test_checkpoints_of_earlier_runs_stay(tmp_path: Path) -> None:
    new_run(tmp_path).record(state(500, 0.9))
    run = new_run(tmp_path)
    run.record(state(250, 0.5))
    run.record(state(750, 0.6))
    assert names(tmp_path / "best") == ["ds_cnn_6000.ckpt-750.npz", "ds_cnn_9000.ckpt-500.npz"]


def test_a_checkpoint_of_the_same_name_is_neither_replaced_nor_removed(tmp_path: Path) -> None:
    first = new_run(tmp_path)
    first.record(state(500, 0.6))
    first.draw_curves()
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    run = new_run(tmp_path)
    run.record(state(500, 0.6, seed=1))
    assert run.best_path == tmp_path / "best" / "ds_cnn_6000.ckpt-500-2.npz"
    run.record(state(750, 0.7))
    run.draw_curves()
    assert {path: path.read_bytes() for path in kept} == kept
    assert names(tmp_path / "best") == ["ds_cnn_6000.ckpt-500.npz", "ds_cnn_7000.ckpt-750.npz"]
    assert names(tmp_path) == ["best", "curves-2.csv", "curves-2.png", "curves.csv", "curves.png"]


def test_the_checkpoint_that_an_earlier_run_wrote_alike_stays(tmp_path: Path) -> None:
    new_run(tmp_path).record(state(500, 0.6))
    run = new_run(tmp_path)
    run.record(state(500, 0.6))
    assert run.best_path == tmp_path / "best" / "ds_cnn_6000.ckpt-500.npz"
    run.record(state(750, 0.7))
    assert names(tmp_path / "best") == ["ds_cnn_6000.ckpt-500.npz", "ds_cnn_7000.ckpt-750.npz"]


def test_the_curves_are_whole_after_every_point(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    expected = [["step", "learning_rate", "loss", "training_accuracy", "validation_accuracy"]]
    for step, accuracy in ((500, 0.5), (1_000, 0.4), (1_234, 0.7)):
        run.record(state(step, accuracy))
        expected.append([str(step), "0.001", "1.5", "0.25", str(accuracy)])
        text = (tmp_path / "curves.csv").read_text()
        assert list(csv.reader(text.splitlines())) == expected
        assert text.endswith("\n")


def test_the_picture_of_the_curves_is_written(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.record(state(500, 0.5))
    path = run.draw_curves()
    assert path == tmp_path / "curves.png" and path.read_bytes().startswith(b"\x89PNG")


def test_a_full_disk_leaves_the_best_checkpoint_so_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(tmp_path)
    run.record(state(500, 0.5))
    before = (tmp_path / "curves.csv").read_bytes()

    def full_disk(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        run.record(state(1_000, 0.9))
    assert names(tmp_path / "best") == ["ds_cnn_5000.ckpt-500.npz"]
    assert (tmp_path / "curves.csv").read_bytes() == before
    assert names(tmp_path) == ["best", "curves.csv"]


def test_a_folder_that_cannot_be_written_is_found_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"file"):
        new_run(tmp_path / "file" / "run")


# ---- cases


def test_labels_take_turns_the_last_one_first() -> None:
    labels = np.array([0, 0, 1, 1, 1, 2, 3, 3])
    order = taking_turns(labels, 4)
    assert order.tolist() == [6, 5, 2, 0, 7, 3, 1, 4]
    assert labels[order].tolist() == [3, 2, 1, 0, 3, 1, 0, 1]


def test_a_small_folder_gives_1024_cases_of_all_labels_in_turn(tmp_path: Path) -> None:
    folder = make_speech_folder(tmp_path / "data", speakers=20, noise_seconds=(12.0,))
    data = SpeechData([folder], DataSettings(), FeatureSettings(), FeatureCache(None))
    cases = choose_cases(data, seed=0)
    assert cases.fingerprints.shape == (CASES, 30, 10) == (1_024, 30, 10)
    assert cases.label_indices[:8].tolist() == [3, 2, 1, 0, 3, 2, 1, 0]
    validation = data.evaluation_examples("validation")
    first_of_each = [int(np.argmax(validation.label_indices == label)) for label in (3, 2, 1, 0)]
    assert np.array_equal(cases.fingerprints[:4], validation.fingerprints[first_of_each])


def test_plain_clips_come_before_augmented_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    class Data:
        labels = ("_silence_", "_unknown_", "yes", "no")

        def evaluation_examples(self, partition: str) -> Examples:
            value = {"validation": 1, "training": 2}[partition]
            return Examples(np.full((40, 30, 10), value, np.int8), np.arange(40) % 4)

        def training_examples(self, count: int, seed: int) -> Examples:
            return Examples(np.full((count, 30, 10), 3 + seed, np.int8), np.arange(count) % 4)

    monkeypatch.setattr(training_run, "CASES", 100)
    cases = choose_cases(Data(), seed=2)  # type: ignore[arg-type]
    assert cases.fingerprints[:, 0, 0].tolist() == [1] * 40 + [2] * 40 + [5] * 20
    assert cases.label_indices.tolist() == [3, 2, 1, 0] * 25
