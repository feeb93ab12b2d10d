"""`cases.npz`: inputs of a network with their labels and the logits that the network must give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden import archive, reference
from golden.network import IntegerNetwork

KIND = "golden cases"


@dataclass(frozen=True, eq=False)
class Cases:
    """N clips for the network with this digest; validated and read-only.

    `fingerprints` int8 `(N, *input shape)`, as they are fed to the network; `label_indices` int64
    `(N,)`, what was said, an index into `labels`; `logits` int64 `(N, label)`, as the reference
    gives them.

    Raises ValueError or TypeError, naming the field, when anything does not hold.
    """

    network_digest: str
    labels: tuple[str, ...]
    fingerprints: npt.NDArray[np.int8]
    label_indices: npt.NDArray[np.int64]
    logits: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        axes = np.ndim(self.fingerprints)
        count = len(self.fingerprints) if axes else 0
        expected: dict[str, tuple[type[np.signedinteger[Any]], tuple[int | None, ...]]] = {
            "fingerprints": (np.int8, (count, *[None] * min(max(axes - 1, 1), 3))),
            "label_indices": (np.int64, (count,)),
            "logits": (np.int64, (count, len(self.labels))),
        }
        for field, (dtype, shape) in expected.items():
            object.__setattr__(self, field, _checked(field, getattr(self, field), dtype, shape))
        _expect_range("label_indices", self.label_indices, 0, len(self.labels) - 1)

    @property
    def answers(self) -> npt.NDArray[np.int64]:
        """Index of the largest logit of each clip; ties go to the lowest index."""
        indices: npt.NDArray[np.int64] = np.argmax(self.logits, axis=1)
        return indices

    def to_bytes(self) -> bytes:
        """Return the bytes of the file, the same for the same content."""
        return archive.archive_bytes(
            KIND,
            {"network_digest": self.network_digest, "labels": list(self.labels)},
            {
                "fingerprints": self.fingerprints,
                "label_indices": self.label_indices,
                "logits": self.logits,
            },
        )


def make_cases(
    network: IntegerNetwork, fingerprints: npt.NDArray[Any], label_indices: npt.NDArray[Any]
) -> Cases:
    """Compute the logits of `fingerprints` `(N, *input shape)` with the reference."""
    logits = reference.run(network, fingerprints).logits
    return Cases(network.digest, network.labels, fingerprints, label_indices, logits)


def read_cases(path: Path, network: IntegerNetwork | None = None) -> Cases:
    """Read a cases file; with `network`, refuse cases that were made for another one.

    Raises FileNotFoundError, and ValueError for a file that is foreign, tampered with or not valid.
    """
    stored = archive.read_archive(path, KIND)
    try:
        cases = _from_archive(stored.description, stored.arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not valid golden cases: {error}") from error
    if network is not None and cases.network_digest != network.digest:
        raise ValueError(
            f"{path}: expected cases of the network {network.digest}, got {cases.network_digest}"
        )
    if network is not None:
        try:
            reference.check_fingerprints(network, cases.fingerprints)
        except ValueError as error:
            raise ValueError(f"{path}: not valid golden cases: {error}") from error
    return cases


def _from_archive(description: Mapping[str, Any], arrays: archive.Arrays) -> Cases:
    labels = description["labels"]
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise TypeError(f"labels: expected a list of strings, got {labels!r}")
    return Cases(
        str(description["network_digest"]),
        tuple(labels),
        arrays["fingerprints"],
        arrays["label_indices"],
        arrays["logits"],
    )


def _checked(
    field: str, values: Any, dtype: type[np.signedinteger[Any]], shape: tuple[int | None, ...]
) -> npt.NDArray[Any]:
    if not isinstance(values, np.ndarray) or not np.issubdtype(values.dtype, np.integer):
        found = getattr(values, "dtype", type(values).__name__)
        raise TypeError(f"{field}: expected an array of integers, got {found}")
    sizes = tuple("any" if size is None else size for size in shape)
    if values.ndim != len(shape) or any(
        size not in (None, found) for size, found in zip(shape, values.shape, strict=True)
    ):
        raise ValueError(f"{field}: expected shape {sizes}, got {values.shape}")
    limits = np.iinfo(dtype)
    _expect_range(field, values, int(limits.min), int(limits.max))
    return archive.read_only(values.astype(dtype))


def _expect_range(field: str, values: npt.NDArray[Any], low: int, high: int) -> None:
    outside = (values < low) | (values > high)
    if outside.any():
        place = tuple(int(i) for i in np.argwhere(outside)[0])
        raise ValueError(
            f"{field}: expected integers in {low}..{high}, got {values[place]} at {place}"
        )
