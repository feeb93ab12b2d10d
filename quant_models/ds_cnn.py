"""The bias-free DS-CNN as a Keras model whose forward pass computes with the deployed integers.

Float32 carries the integers exactly as long as every sum stays below 2**24; whoever exports a
network checks that (`quant_models.exactness`). Latent weights are floats in steps of 1/32
(`latent_parameters.WEIGHT_STEPS`).
"""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from golden.windows import same_padding
from quant_models.latent_parameters import WEIGHT_STEPS, Parameters
from quant_models.model_size import FC1, FC1_BIASES, MAX_POOL, Block, ModelSize
from quant_models.quantizers import Tensor, quantise_biases, quantise_weights, shift_relu

_INITIAL_DEVIATION = 0.2  # of latent weights: about 6 integer steps


class DsCnn(keras.Model):
    """The network for training: integer fingerprints in, integer logits out, all as float32."""

    def __init__(self, size: ModelSize, label_count: int, seed: int = 0, quantised: bool = True):
        """`quantised=False` gives the same topology in plain float, for comparison of speed."""
        super().__init__(name="DS-CNN")
        self.size = size
        self.quantised = quantised
        shapes = size.parameter_shapes(label_count)
        generator = keras.random.SeedGenerator(seed)
        self.parameters = {
            name: self.add_weight(
                shape=shape,
                name=name.replace("/", "_"),
                initializer="zeros"
                if name == FC1_BIASES
                else keras.initializers.RandomNormal(0.0, _INITIAL_DEVIATION, generator),
            )
            for name, shape in shapes.items()
        }
        self.built = True

    def call(self, fingerprints: Tensor) -> Tensor:
        """Return the logits `[N][label]` of fingerprints `[N][time][coefficient]`."""
        return self.layer_values(fingerprints)["fc1"]

    def layer_values(self, fingerprints: Tensor, inspect: bool = False) -> dict[str, Tensor]:
        """Compute every layer by its name in the `IntegerNetwork`.

        The maximum is taken before the shift that it stands behind, which commutes with it and
        costs less; `inspect` adds the shifted map, which the forward pass itself never needs.
        """
        weights = self._weights()
        shift = shift_relu if self.quantised else _scale_relu
        values = ops.cast(fingerprints, "float32")[..., None]  # N T C 1
        layers = {}
        for block in self.size.blocks:
            sums = _convolve(block, values, weights[block.parameter])  # N t c channel
            layers[block.name] = sums
            if not block.pooled or inspect:
                layers[block.relu] = values = shift(sums, block.shift)
            if block.pooled:
                pooled = ops.max(sums, axis=(1, 2))  # N channel
                layers[MAX_POOL] = values = shift(pooled, block.shift)
        layers["fc1"] = ops.matmul(values, weights[FC1]) + weights[FC1_BIASES]
        return layers

    def latent_parameters(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the latent weights as they are trained, by checkpoint name."""
        return {name: value.value.numpy() for name, value in self.parameters.items()}

    def assign_parameters(self, parameters: Parameters) -> None:
        """Set the latent weights; ValueError names an array that is missing or misshapen."""
        for name, variable in self.parameters.items():
            if name not in parameters or parameters[name].shape != tuple(variable.shape):
                found = parameters[name].shape if name in parameters else "none"
                raise ValueError(f"{name}: expected shape {tuple(variable.shape)}, got {found}")
            variable.assign(parameters[name])

    def _weights(self) -> dict[str, Tensor]:
        if not self.quantised:
            return {name: value * WEIGHT_STEPS for name, value in self.parameters.items()}
        return {
            name: quantise_biases(value * WEIGHT_STEPS)
            if name == FC1_BIASES
            else quantise_weights(value)
            for name, value in self.parameters.items()
        }


def _convolve(block: Block, values: Tensor, weights: Tensor) -> Tensor:
    """Return the sums of a convolution of `[N][time][coefficient][channel]`, or `[N][channel]`."""
    if len(values.shape) == 2:
        return ops.matmul(values, weights[0, 0])
    stride, padding = block.stride, block.padding
    one_wide = block.output_grid(values.shape[1:3])[1] == 1
    if block.depthwise:
        return ops.depthwise_conv(values, weights, strides=stride, padding=padding.lower())
    if block.shape[:2] == (1, 1):
        # TensorFlow 2.21 overruns memory in the gradient of such kernels with a stride, on CPUs and
        # in batches of an odd size, so it is given the pixels that they see, and no stride.
        values, stride = values[:, :: stride[0], :: stride[1]], (1, 1)
    if one_wide:
        # A map one coefficient wide: the stride along it is idle. TensorFlow 2.21 computes such
        # maps wrongly on CPUs (one input channel, batches, strides 1 and above 1), so it is given
        # what its one window along the coefficients sees, and not told of that stride.
        values = _one_window_wide(block, values)
        stride, padding = (stride[0], 1), "VALID"
    return ops.conv(values, weights, strides=stride, padding=padding.lower())


def _one_window_wide(block: Block, values: Tensor) -> Tensor:
    """Return the map as wide as the kernel, with the zeros of SAME padding around it."""
    kernel = block.shape[:2]
    if block.padding == "SAME":
        pads = [
            same_padding(*each)
            for each in zip(values.shape[1:3], kernel, block.stride, strict=True)
        ]
        values = ops.pad(values, [(0, 0), *pads, (0, 0)])
    return values[:, :, : kernel[1]]


def _scale_relu(values: Tensor, shift: int) -> Tensor:
    return ops.relu(values * 2.0**-shift)
