"""Batch normalisation folded into the weights and biases in front of it.

`y = gamma (w x + b - mean) / sqrt(variance + epsilon) + beta` is a layer of weights `f w` and
biases `f (b - mean) + beta` with `f = gamma / sqrt(variance + epsilon)`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from quant_models.architectures.float_layers import (
    BatchNorm,
    FloatConvolution,
    FloatDense,
    FloatDepthwise,
)
from quant_models.checkpoint import Checkpoint
from quant_models.latent_parameters import Parameters
from quant_models.model_size import FLOAT, grid_of

EPSILON = 1e-3  # added to variances, as in the originals

Normalised = FloatConvolution | FloatDepthwise | FloatDense


def folded(checkpoint: Checkpoint) -> Checkpoint:
    """Return the checkpoint of a model without batch normalisation that computes the same.

    Computed in double precision and rounded to single: the same but for float rounding.

    Raises ValueError for a checkpoint in floor-shift form, one that is folded already, and an
    architecture without batch normalisation.
    """
    size, name = checkpoint.size, checkpoint.size.architecture.NAME
    if size.form != FLOAT:
        raise ValueError(f"{name}: expected the float form, got {size.form}, which has none")
    if size.folded:
        raise ValueError(f"{name}: expected batch normalisation, got a folded model")
    layers = size.float_layers(grid_of(checkpoint.features), len(checkpoint.labels))
    normalised = [
        layer for layer, _ in layers if isinstance(layer, Normalised) and layer.norm is not None
    ]
    if not normalised:
        raise ValueError(f"{name}: expected an architecture with batch normalisation, got none")
    parameters = dict(checkpoint.parameters)
    for layer in normalised:
        parameters |= _folded_parameters(layer, layer.norm, parameters)
        for array in layer.norm.arrays:
            del parameters[layer.parameter(f"batch_norm/{array}")]
    return dataclasses.replace(
        checkpoint, size=dataclasses.replace(size, folded=True), parameters=parameters
    )


def _folded_parameters(layer: Normalised, norm: BatchNorm, parameters: Parameters) -> Parameters:
    def stored(array: str) -> npt.NDArray[np.float64]:
        return parameters[layer.parameter(array)].astype(np.float64)

    mean, variance = stored("batch_norm/moving_mean"), stored("batch_norm/moving_variance")
    factors = (stored("batch_norm/gamma") if norm.scaled else 1.0) / np.sqrt(variance + EPSILON)
    biases = factors * (stored("bias") - mean) + stored("batch_norm/beta")
    # A depthwise kernel ends in its one output for each channel, all others in the channels.
    across = factors[:, np.newaxis] if isinstance(layer, FloatDepthwise) else factors
    return {
        layer.parameter("kernel"): (stored("kernel") * across).astype(np.float32),
        layer.parameter("bias"): biases.astype(np.float32),
    }
