"""What a network hears in one recording: a score for each label."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from golden.c.engine import engine_for
from golden.network import IntegerNetwork
from quant_models import features
from quant_models.audio import Samples
from quant_models.distillation import probabilities

Scores = npt.NDArray[np.float32]

# Nodes of frozen graphs, as the speech commands example names them.
GRAPH_INPUT = "wav_data"
GRAPH_OUTPUT = "labels_softmax"

_SILENT_PEAK = 4 / 32_768  # the last bits of a converter
_CLIPPED_PEAK = 32_766 / 32_768
_CLIPPED_SHARE = 0.01  # of samples at full scale; speech that is only loud has far fewer


class Labeller(Protocol):
    """Scores of labels, probabilities that add up to 1, for clips of a rate and length."""

    labels: tuple[str, ...]
    sample_rate_hz: int
    clip_samples: int

    def scores(self, clips: Samples) -> Scores:
        """Return the score of each label, `[N][label]`, of clips `[N][samples]`."""


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
        self.sample_rate_hz = network.features.sample_rate_hz
        self.clip_samples = network.features.clip_samples
        self._network, self._features = network, network.features

    def scores(self, clips: Samples) -> Scores:
        fingerprints = features.fingerprints(clips, self._features)
        logits = engine_for(self._network, len(clips)).logits(fingerprints)
        return probabilities(logits).astype(np.float32)


def doubts(clip: Samples) -> str | None:
    """Say why scores of a clip mean little: it is silent or clipped. None where neither is true."""
    peak = float(np.abs(clip).max())
    if peak <= _SILENT_PEAK:
        return f"silent: no sample is louder than {peak * 32_768:.0f} of 32,768"
    clipped = float(np.mean(np.abs(clip) >= _CLIPPED_PEAK))
    if clipped > _CLIPPED_SHARE:
        return f"clipped: {clipped:.1%} of its samples are at full scale"
    return None
