"""What a network hears in one recording: a score for each label."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from golden import reference
from golden.network import IntegerNetwork
from quant_models import features
from quant_models.audio import Samples, read_clip
from quant_models.distillation import probabilities

Scores = npt.NDArray[np.float32]

_SILENT_PEAK = 4 / 32_768  # the last bits of a converter
_CLIPPED_PEAK = 32_766 / 32_768
_CLIPPED_SHARE = 0.01  # of samples at full scale; speech that is only loud has far fewer


class Labeller(Protocol):
    """Scores of labels, probabilities that add up to 1, for a recording."""

    labels: tuple[str, ...]

    def read(self, path: Path) -> Samples:
        """Return the clip that will be heard; ValueError or OSError for what is no recording."""

    def scores(self, clip: Samples) -> Scores:
        """Return the score of each label."""


class NetworkLabeller:
    """An integer network with its features, as the hardware computes it; needs no TensorFlow.

    Integer logits have no scale of their own; scores take that of the training's loss, so that
    only their order is the network's.

    Raises ValueError for a network that states no features.
    """

    def __init__(self, network: IntegerNetwork):
        if network.features is None:
            raise ValueError("network: expected one with settings of its features, got none")
        self.labels = network.labels
        self._network, self._features = network, network.features

    def read(self, path: Path) -> Samples:
        return read_clip(path, self._features.sample_rate_hz, self._features.clip_samples)

    def scores(self, clip: Samples) -> Scores:
        fingerprints = features.fingerprints(clip[np.newaxis], self._features)
        return probabilities(reference.run(self._network, fingerprints).logits)[0]


def doubts(clip: Samples) -> str | None:
    """Say why scores of a clip mean little: it is silent or clipped. None where neither is true."""
    peak = float(np.abs(clip).max())
    if peak <= _SILENT_PEAK:
        return f"silent: no sample is louder than {peak * 32_768:.0f} of 32,768"
    clipped = float(np.mean(np.abs(clip) >= _CLIPPED_PEAK))
    if clipped > _CLIPPED_SHARE:
        return f"clipped: {clipped:.1%} of its samples are at full scale"
    return None
