"""What teachers say of the training examples, for a network that learns from them.

Other networks, larger ones or several of the same size, are surer of an example the easier it is; a
label says the same of all. Hinton, Vinyals and Dean 2015, arXiv 1503.02531.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from golden.c.engine import engine_for
from golden.network import IntegerNetwork

LOGIT_SCALE = 2.0**-6  # of the integer logits, for the loss alone: only their order is deployed


def soft_targets(
    teachers: Sequence[IntegerNetwork], fingerprints: npt.NDArray[np.int8], temperature: float
) -> npt.NDArray[np.float32]:
    """Return the mean of the teachers' probabilities `[N][label]` at a temperature."""
    said = [
        probabilities(engine_for(teacher, len(fingerprints)).logits(fingerprints), temperature)
        for teacher in teachers
    ]
    mean: npt.NDArray[np.float32] = np.mean(said, axis=0).astype(np.float32)
    return mean


def probabilities(
    logits: npt.NDArray[np.int64], temperature: float = 1.0
) -> npt.NDArray[np.float64]:
    """Return what the loss of the training makes of integer logits `[N][label]`."""
    scaled = logits / temperature * LOGIT_SCALE
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares
