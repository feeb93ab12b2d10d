"""A training run on disk: the best checkpoint so far and the curves, whole at any moment.

What was there before, of another run, stays: names that are taken get a number behind them.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden import files
from golden.network import FeatureSettings
from quant_models.checkpoint import Checkpoint
from quant_models.data_settings import DataSettings
from quant_models.dataset import SpeechData
from quant_models.feature_cache import Examples
from quant_models.latent_parameters import Parameters
from quant_models.model_size import ModelSize
from quant_models.speech_commands import TRAINING, VALIDATION, labels_for

CASES = 1_024  # fingerprints that a checkpoint carries


@dataclass(frozen=True)
class Evaluation:
    """One point of the training curves.

    Accuracies are 0..1, by the integer reference or, in float form, by the Keras model.
    """

    step: int
    learning_rate: float
    loss: float
    training_accuracy: float
    validation_accuracy: float


@dataclass(frozen=True)
class TrainingState:
    """What training yields after each interval: figures, and the weights that they belong to."""

    evaluation: Evaluation
    parameters: Parameters


class TrainingRun:
    """Keeps the best checkpoint in `<train_dir>/best` and the curves in `<train_dir>`.

    Raises OSError, before any training, if nothing can be written there.
    """

    def __init__(
        self,
        train_dir: Path,
        size: ModelSize,
        features: FeatureSettings,
        data: DataSettings,
        cases: Examples,
        training: Mapping[str, Any],
    ):
        best = train_dir / "best"
        best.mkdir(parents=True, exist_ok=True)
        for folder in (train_dir, best):
            with tempfile.TemporaryFile(dir=folder):
                pass
        self.train_dir = train_dir
        self.evaluations: list[Evaluation] = []
        self.best: Checkpoint | None = None
        self.best_path: Path | None = None
        self._best_is_ours = False
        self._curves = next(
            path
            for path in files.numbered(train_dir / "curves.csv")
            if not (path.exists() or path.with_suffix(".png").exists())
        )
        self._size = size
        self._features = features
        self._data = data
        self._cases = cases
        self._training = training

    def record(self, state: TrainingState) -> Checkpoint:
        """Add a point to the curves, keep the checkpoint if it is the best; return the best."""
        self.evaluations.append(state.evaluation)
        files.write_text(self._curves, curves_csv(self.evaluations))
        reached = state.evaluation.validation_accuracy
        if self.best is not None and reached <= self.best.accuracy:
            return self.best
        self.best = Checkpoint(
            size=self._size,
            labels=labels_for(self._data.wanted_words),
            features=self._features,
            data=self._data,
            parameters=state.parameters,
            accuracy=reached,
            step=state.evaluation.step,
            cases=self._cases.fingerprints,
            case_labels=self._cases.label_indices,
            training=self._training,
        )
        previous = self.best_path if self._best_is_ours else None
        place = self.train_dir / "best" / self.best.name
        self.best_path, self._best_is_ours = files.write_new(place, self.best.to_bytes())
        if previous is not None and previous != self.best_path:
            previous.unlink(missing_ok=True)
        return self.best

    def draw_curves(self) -> Path:
        """Draw the curves as PNG and return the path."""
        from quant_models.plots import plot_curves

        path = self._curves.with_suffix(".png")
        plot_curves(self.evaluations, path)
        return path


def curves_csv(evaluations: list[Evaluation]) -> str:
    """Return the points of the curves as CSV with a header line."""
    header = [field.name for field in dataclasses.fields(Evaluation)]
    return files.csv_text(header, map(dataclasses.astuple, evaluations))


def choose_cases(data: SpeechData, seed: int) -> Examples:
    """Choose the fingerprints that a checkpoint carries, the labels taking turns.

    Clips as they are come first, of the validation and then of the training partition; a small
    data folder is made up with augmented examples.
    """
    sources = [
        data.evaluation_examples(VALIDATION),
        data.evaluation_examples(TRAINING),
        data.training_examples(CASES, seed),
    ]
    pool = Examples(
        np.concatenate([source.fingerprints for source in sources]),
        np.concatenate([source.label_indices for source in sources]),
    )
    chosen = taking_turns(pool.label_indices, len(data.labels))[:CASES]
    return Examples(pool.fingerprints[chosen], pool.label_indices[chosen])


def taking_turns(label_indices: npt.NDArray[np.int64], label_count: int) -> npt.NDArray[np.int64]:
    """Order rows so that the labels follow each other, the last label (a wanted word) first.

    >>> taking_turns(np.array([0, 0, 1, 1, 1, 2]), 3).tolist()
    [5, 2, 0, 3, 1, 4]
    """
    turn = np.zeros(len(label_indices), np.int64)
    for label in range(label_count):
        rows = label_indices == label
        turn[rows] = np.arange(rows.sum())
    return np.lexsort((-label_indices, turn))
