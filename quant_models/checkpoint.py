"""Checkpoints: latent weights and everything needed to use them, in one file that checks itself.

Besides the weights a checkpoint carries real fingerprints, so that golden vectors and value
ranges can be made from the checkpoint alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden import archive, files, reference
from golden.network import FeatureSettings, InputFormat, IntegerNetwork
from quant_models.data_settings import DataSettings, data_settings_from, stored_settings
from quant_models.latent_parameters import Parameters, integer_network, require_parameter
from quant_models.model_size import FLOOR_SHIFT, ModelSize, grid_of, require_integer_form, size_from
from quant_models.speech_commands import labels_for

# What files of this kind say they are: of every architecture, after the first one.
KIND = "ds_cnn checkpoint"
_CASES = "cases/fingerprints"
_CASE_LABELS = "cases/label_indices"


@dataclass(frozen=True)
class Checkpoint:
    """A trained network before it is turned into integers.

    `accuracy` is the validation accuracy, 0..1; `cases` are real fingerprints int8
    `[N][time][coefficient]` with their label indices; `data` says which clips count as what;
    `training` records the settings that led here and is kept for the reader, not interpreted.
    """

    size: ModelSize
    labels: tuple[str, ...]
    features: FeatureSettings
    data: DataSettings
    parameters: Parameters
    accuracy: float
    step: int
    cases: npt.NDArray[np.int8]
    case_labels: npt.NDArray[np.int64]
    training: Mapping[str, Any]

    @property
    def name(self) -> str:
        """File name: architecture, accuracy in hundredths of a per cent, step, and if shrunk."""
        suffix = "-shrunk" if "shrunk_from" in self.training else ""
        name = self.size.architecture.NAME
        return f"{name}_{round(self.accuracy * 10_000):04d}.ckpt-{self.step}{suffix}.npz"

    def network(self) -> IntegerNetwork:
        """Return the integers that the forward pass of these weights computes with.

        Raises ValueError for the float form, which has none.
        """
        require_integer_form(self.size.architecture)
        if self.size.form != FLOOR_SHIFT:
            raise ValueError(
                f"{self.size.architecture.NAME}: expected the floor-shift form, whose weights are "
                "integers, got the float form (freeze.py --format tflite --int8 quantises it)"
            )
        return integer_network(self.size, self.parameters, self.labels, self.features)

    def to_bytes(self) -> bytes:
        """Return the bytes of the checkpoint file, the same for the same content."""
        return archive.archive_bytes(KIND, self._description(), self._arrays())

    def save(self, folder: Path) -> Path:
        """Write the checkpoint, whole or not at all, and return its path.

        It gets its own name, or where another file has that, one like it: `files.write_new`.
        """
        path, _ = files.write_new(folder / self.name, self.to_bytes())
        return path

    def _description(self) -> dict[str, Any]:
        return {
            **self.size.stored(),
            "labels": list(self.labels),
            "features": dataclasses.asdict(self.features),
            "data": stored_settings(self.data),
            "accuracy": self.accuracy,
            "step": self.step,
            "training": dict(self.training),
        }

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {**self.parameters, _CASES: self.cases, _CASE_LABELS: self.case_labels}


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; the `.npz` at the end of its name may be left out.

    Raises FileNotFoundError or ValueError for one that is missing, truncated, foreign, tampered
    with, or not consistent in itself.
    """
    if not path.is_file() and Path(f"{path}.npz").is_file():
        path = Path(f"{path}.npz")
    stored = archive.read_archive(path, KIND)
    description = stored.description
    arrays = dict(stored.arrays)
    try:
        checkpoint = Checkpoint(
            size=size_from(description),
            labels=tuple(description["labels"]),
            features=FeatureSettings(**description["features"]),
            data=data_settings_from(description["data"]),
            cases=arrays.pop(_CASES),
            case_labels=arrays.pop(_CASE_LABELS),
            parameters=arrays,
            accuracy=float(description["accuracy"]),
            step=int(description["step"]),
            training=description["training"],
        )
        _check_consistent(checkpoint)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a valid checkpoint: {error}") from error
    return checkpoint


def _check_consistent(checkpoint: Checkpoint) -> None:
    """Raise ValueError or TypeError if one part of a checkpoint contradicts another."""
    labels = labels_for(checkpoint.data.wanted_words)
    if checkpoint.labels != labels:
        raise ValueError(
            f"labels: expected {' '.join(labels)} as its wanted words say, "
            f"got {' '.join(map(str, checkpoint.labels))}"
        )
    if not 0 <= checkpoint.accuracy <= 1:
        raise ValueError(f"accuracy: expected 0..1, got {checkpoint.accuracy}")
    if checkpoint.step < 0:
        raise ValueError(f"step: expected 0 or more, got {checkpoint.step}")
    checkpoint.size.architecture.require_fit(grid_of(checkpoint.features))
    shapes = checkpoint.size.parameter_shapes(grid_of(checkpoint.features), len(labels))
    for name, array in checkpoint.parameters.items():
        if name not in shapes:
            raise ValueError(f"{name}: expected no such array")
        if array.dtype != np.float32:
            raise TypeError(f"{name}: expected float32, got {array.dtype}")
        if not np.isfinite(array).all():
            place = tuple(int(index) for index in np.argwhere(~np.isfinite(array))[0])
            raise ValueError(f"{name}: expected finite numbers, got {array[place]} at {place}")
    for name, shape in shapes.items():
        require_parameter(checkpoint.parameters, name, shape)
    _check_cases(checkpoint)


def _check_cases(checkpoint: Checkpoint) -> None:
    cases, indices = checkpoint.cases, checkpoint.case_labels
    try:
        reference.check_inputs(cases, grid_of(checkpoint.features), InputFormat())
    except (TypeError, ValueError) as error:
        raise ValueError(str(error).replace("fingerprints", "cases", 1)) from error
    if len(cases) == 0:
        raise ValueError("cases: expected at least one, got none")
    last = len(checkpoint.labels) - 1
    expected = f"case_labels: expected {len(cases)} integers in 0..{last}, one a case"
    if not np.issubdtype(indices.dtype, np.integer):
        raise TypeError(f"{expected}, got {indices.dtype}")
    if indices.shape != (len(cases),):
        raise ValueError(f"{expected}, got shape {indices.shape}")
    outside = indices[(indices < 0) | (indices > last)]
    if len(outside):
        raise ValueError(f"{expected}, got {outside.max()}")
