"""Checkpoints with random weights and random fingerprints, by seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from golden.network import FeatureSettings
from quant_models.architectures.ds_cnn import FC1_BIASES, DsCnn
from quant_models.checkpoint import Checkpoint
from quant_models.data_settings import DataSettings
from quant_models.latent_parameters import Parameters
from quant_models.model_size import DEFAULT_SHIFTS, ModelSize, grid_of
from quant_models.speech_commands import labels_for
from tests.networks import random_fingerprints

SMALL = (2, 3, 4, 4, 2, 2, 5, 3, 3, 1, 1)
GRID = grid_of(FeatureSettings())  # of fingerprints, by default


def ds_cnn_size(
    info: Sequence[int],
    shifts: Sequence[int] = DEFAULT_SHIFTS,
    padding: Sequence[str] | None = None,
) -> ModelSize:
    """The size of a DS-CNN in floor-shift form, as the flags say it."""
    return ModelSize(DsCnn.parse(info, padding), tuple(shifts))


def random_parameters(seed: int, size: ModelSize, labels: int) -> Parameters:
    """Latent weights in steps of half an integer, many of them ties, some beyond the range."""
    rng = np.random.default_rng(seed)

    def draw(name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        limit = 6_000 if name == FC1_BIASES else 80
        return (rng.integers(-limit, limit, shape) / 64).astype(np.float32)

    return {name: draw(name, shape) for name, shape in size.parameter_shapes(GRID, labels).items()}


def random_checkpoint(seed: int = 0, cases: int = 8, **changes: Any) -> Checkpoint:
    """A small checkpoint that is consistent in itself, apart from the `changes` to its fields."""
    size, data = ds_cnn_size(SMALL), DataSettings()
    labels = labels_for(data.wanted_words)
    checkpoint = Checkpoint(
        size=size,
        labels=labels,
        features=FeatureSettings(),
        data=data,
        parameters=random_parameters(seed, size, len(labels)),
        accuracy=0.9507,
        step=24_200,
        cases=random_fingerprints(seed, cases),
        case_labels=np.arange(cases) % len(labels),
        training={"seed": seed},
    )
    return dataclasses.replace(checkpoint, **changes)
