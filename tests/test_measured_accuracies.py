"""The accuracies in `weights/accuracy.csv` are what the networks in `weights/` reach."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from golden.c.engine import engine_for
from golden.importers.tflite_file import read_tflite
from golden.importers.tflite_network import import_tflite
from golden.network import IntegerNetwork
from quant_models.checkpoint import Checkpoint, load_checkpoint
from quant_models.dataset import read_test_folder
from quant_models.feature_cache import FeatureCache
from quant_models.model_labeller import float_model
from quant_models.post_training import quantised_inputs
from quant_models.speech_commands import find_clips
from scripts.experiments.recipes import recipe_names
from tests.repository import REPOSITORY

WEIGHTS = REPOSITORY / "weights"
with (WEIGHTS / "accuracy.csv").open(encoding="utf-8") as stream:
    ROWS = list(csv.DictReader(stream))
FLOAT_CLIPS = 2  # that other processors, which round otherwise, may label in another way

Predict = Callable[[npt.NDArray[np.int8]], npt.NDArray[Any]]


def test_every_row_names_a_recipe_and_a_file() -> None:
    assert {row["recipe"] for row in ROWS} <= set(recipe_names())
    assert [row["file"] for row in ROWS if not (WEIGHTS / row["file"]).is_file()] == []


@pytest.mark.data
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['recipe']}, {row['arithmetic']}")
def test_a_network_reaches_what_is_said_of_it(
    row: dict[str, str], speech_dir: Path, tmp_path: Path
) -> None:
    file = WEIGHTS / row["file"]
    checkpoint = load_checkpoint(next(file.parent.glob("*.ckpt-*.npz")))
    predict = {"float": in_float, "int8": in_8_bits, "integers": in_integers}[row["arithmetic"]]
    found = find_clips([speech_dir / "speech_commands_test"], 0, 0)
    sets = read_test_folder(
        found,
        checkpoint.labels,
        checkpoint.features,
        FeatureCache(tmp_path, print),
        lambda *_: None,
    )
    for examples, counted, right in zip(
        sets, ("clips", "other_clips"), ("right", "other_right"), strict=True
    ):
        assert len(examples) == int(row[counted])
        labels = predict(checkpoint, file)(examples.fingerprints)
        off = abs(int(np.sum(labels == examples.label_indices)) - int(row[right]))
        assert off <= (FLOAT_CLIPS if row["arithmetic"] == "float" else 0)
    assert row["accuracy"] == f"{int(row['right']) / int(row['clips']):.2%}"


def in_float(checkpoint: Checkpoint, _: Path) -> Predict:
    return float_model(checkpoint).predictions


def in_integers(checkpoint: Checkpoint, _: Path) -> Predict:
    return labels_of(checkpoint.network())


def in_8_bits(_: Checkpoint, file: Path) -> Predict:
    network = import_tflite(read_tflite(file)).network
    return lambda fingerprints: labels_of(network)(quantised_inputs(network, fingerprints))


def labels_of(network: IntegerNetwork) -> Predict:
    return lambda inputs: engine_for(network, len(inputs)).logits(inputs).argmax(axis=1)
