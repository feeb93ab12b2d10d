"""A model in float form as a labeller of clips; it loads TensorFlow, unlike integer networks."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from quant_models import features
from quant_models.audio import Samples
from quant_models.checkpoint import Checkpoint
from quant_models.float_model import FloatModel
from quant_models.labelling import Scores
from quant_models.model_size import grid_of


class ModelLabeller:
    """What the Keras model of a checkpoint hears; see `quant_models.labelling.Labeller`."""

    def __init__(self, checkpoint: Checkpoint):
        self.labels = checkpoint.labels
        self.sample_rate_hz = checkpoint.features.sample_rate_hz
        self.clip_samples = checkpoint.features.clip_samples
        self._features = checkpoint.features
        self._model = float_model(checkpoint)

    def scores(self, clips: Samples) -> Scores:
        """Return the score of each label, `[N][label]`, of clips `[N][samples]`."""
        logits = self._model.logits(features.fingerprints(clips, self._features))
        scores: Scores = np.asarray(tf.nn.softmax(logits), np.float32)
        return scores


def float_model(checkpoint: Checkpoint) -> FloatModel:
    """Return the Keras model of a checkpoint in float form."""
    model = FloatModel(checkpoint.size, grid_of(checkpoint.features), len(checkpoint.labels))
    model.assign_parameters(checkpoint.parameters)
    return model
