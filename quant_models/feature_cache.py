"""Fingerprints that were computed before, found again by what they were computed from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from golden import archive

KIND = "fingerprints"


@dataclass(frozen=True)
class Examples:
    """Fingerprints int8 `[N][time][coefficient]` and their label indices int64 `[N]`."""

    fingerprints: npt.NDArray[np.int8]
    label_indices: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.label_indices)


class FeatureCache:
    """A folder of example sets; `None` as the folder keeps nothing."""

    def __init__(self, folder: Path | None, tell: Callable[[str], None] = lambda _: None):
        self._folder = folder
        self._tell = tell

    def get(self, key: str, compute: Callable[[], Examples]) -> Examples:
        """Return the examples kept under `key`, computing and keeping them if there are none.

        A damaged cache file is computed again and replaced. Where nothing can be kept, `tell`
        hears why, once.
        """
        if self._folder is None:
            return compute()
        path = self._folder / f"{key}.npz"
        try:
            arrays = archive.read_archive(path, KIND).arrays
            return Examples(arrays["fingerprints"], arrays["label_indices"])
        except (OSError, ValueError, KeyError):
            examples = compute()
        arrays = {
            "fingerprints": examples.fingerprints,
            "label_indices": examples.label_indices,
        }
        try:
            archive.write_archive(path, KIND, {"key": key}, arrays)
        except OSError as error:
            self._tell(f"features are not kept for the next time: {error}")
            self._folder = None
        return examples
