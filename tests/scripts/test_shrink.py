from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np

from golden import reference
from quant_models.checkpoint import Checkpoint, load_checkpoint
from quant_models.dataset import SpeechData
from quant_models.feature_cache import FeatureCache
from quant_models.speech_commands import VALIDATION
from tests.checkpoints import random_checkpoint
from tests.speech_folder import make_speech_folder


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/shrink.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def with_dead_filter() -> Checkpoint:
    """A checkpoint whose filter 1 gives only zeros, and whose answers count as right."""
    checkpoint = random_checkpoint(3, cases=20)
    parameters = {name: values.copy() for name, values in checkpoint.parameters.items()}
    parameters["DS-CNN/conv_ds_1/dw_conv/depthwise_weights"][:, :, 1] = -1 / 32
    checkpoint = dataclasses.replace(checkpoint, parameters=parameters)
    answers = reference.run(checkpoint.network(), checkpoint.cases).label_indices
    return dataclasses.replace(checkpoint, case_labels=np.asarray(answers))


def test_a_dead_filter_is_removed_and_no_logit_changes(tmp_path: Path) -> None:
    checkpoint = with_dead_filter()
    path = checkpoint.save(tmp_path)
    done = run(path, "--exact_only", "--output_dir", tmp_path / "small")
    assert done.returncode == 0, done.stderr
    (written,) = (tmp_path / "small").glob("*-shrunk.npz")
    smaller = load_checkpoint(written)
    assert (
        smaller.size.architecture.layers[0].features
        == checkpoint.size.architecture.layers[0].features - 1
    )
    assert "conv_1: without channels 1" in smaller.training["shrinking"]
    assert smaller.training["shrunk_from"] == checkpoint.network().digest
    expected = reference.run(checkpoint.network(), checkpoint.cases).logits
    assert (reference.run(smaller.network(), checkpoint.cases).logits == expected).all()


def test_shifts_move_only_as_long_as_every_answer_stays_right(tmp_path: Path) -> None:
    path = with_dead_filter().save(tmp_path)
    done = run(path, "--output_dir", tmp_path / "small")
    assert done.returncode == 0, done.stderr
    (written,) = (tmp_path / "small").glob("*-shrunk.npz")
    smaller = load_checkpoint(written)
    answers = reference.run(smaller.network(), smaller.cases).label_indices
    assert (answers == smaller.case_labels).all()
    assert smaller.accuracy == 1


def test_a_network_that_cannot_shrink_is_left_alone(tmp_path: Path) -> None:
    path = random_checkpoint(0).save(tmp_path)
    done = run(path, "--exact_only", "--output_dir", tmp_path / "small")
    assert done.returncode == 0, done.stderr
    assert "Nothing to shrink; nothing written." in done.stdout
    assert not (tmp_path / "small").exists()


def test_clips_of_several_folders_decide(tmp_path: Path) -> None:
    folders = [
        make_speech_folder(tmp_path / name, speakers, noise_seconds=noise)
        for name, speakers, noise in (("a", 20, (6.0,)), ("b", 30, ()))
    ]
    checkpoint = with_dead_filter()
    data = SpeechData(folders, checkpoint.data, checkpoint.features, FeatureCache(None))
    clips = len(data.evaluation_examples(VALIDATION))
    path = checkpoint.save(tmp_path)
    done = run(
        path, "--exact_only", "--data_dir", *folders,
        "--output_dir", tmp_path / "small", "--cache_dir", tmp_path / "cache",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"right of {clips:,} " in done.stdout


def test_a_missing_checkpoint_is_one_line(tmp_path: Path) -> None:
    done = run(tmp_path / "none.npz")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
