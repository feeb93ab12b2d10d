"""Straight-through quantisers: the forward pass is the deployed integer, the gradient passes by.

Rounding, floor and clipping are those of `golden.integer_math`; a test compares them value by
value. Gradients follow Bengio et al. 2013 (arXiv 1308.3432), estimator "straight-through".
"""

from __future__ import annotations

from typing import Any

from keras import ops

from golden.integer_math import WEIGHT_MAX, WEIGHT_MIN
from quant_models.latent_parameters import WEIGHT_STEPS

Tensor = Any


def quantise_weights(latent: Tensor) -> Tensor:
    """Return `round(32 * latent)` clipped to -32..31, as float32 integers.

    The gradient is 32 within the range and 0 where the weight is clipped.
    """
    scaled = ops.clip(latent * WEIGHT_STEPS, WEIGHT_MIN, WEIGHT_MAX)
    return scaled + ops.stop_gradient(ops.round(scaled) - scaled)


def quantise_biases(latent: Tensor) -> Tensor:
    """Return `round(latent)` as float32 integers, with gradient 1."""
    return latent + ops.stop_gradient(ops.round(latent) - latent)


def shift_relu(values: Tensor, shift: int) -> Tensor:
    """Return `max(floor(values / 2**shift), 0)`; exact in float32 for integers below 2**24.

    The gradient is `2**-shift` where the result is above 0, otherwise 0.
    """
    scale = 2.0**-shift

    @ops.custom_gradient
    def floor_straight_through(scaled: Tensor) -> Any:
        def gradient(*arguments: Tensor, upstream: Tensor = None) -> Tensor:
            return arguments[0] if upstream is None else upstream

        return ops.floor(scaled), gradient

    return ops.relu(floor_straight_through(values * scale))
