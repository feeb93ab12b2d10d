"""What the Keras models of both forms share: parameters by their names in a checkpoint."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt

from quant_models.latent_parameters import Parameters, require_parameter


class TrainedModel(keras.Model):
    """A network for training: integer fingerprints in, logits out.

    `parameters` are what is trained and stored, by checkpoint name; `logit_scale` is what the loss
    multiplies the logits by.
    """

    logit_scale: float
    parameters: dict[str, keras.Variable]

    def latent_parameters(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the parameters as they are trained, by checkpoint name."""
        return {name: value.value.numpy() for name, value in self.parameters.items()}

    def assign_parameters(self, parameters: Parameters) -> None:
        """Set all parameters; ValueError names an array that is missing or misshapen."""
        for name, variable in self.parameters.items():
            require_parameter(parameters, name, tuple(variable.shape))
            variable.assign(parameters[name])
