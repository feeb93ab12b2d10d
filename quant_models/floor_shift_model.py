"""The floor-shift form as a Keras model whose forward pass computes with the deployed integers.

Float32 carries the integers exactly as long as every sum stays below 2**24; whoever exports a
network checks that (`quant_models.exactness`). Latent weights are floats in steps of 1/32
(`latent_parameters.WEIGHT_STEPS`).
"""

from __future__ import annotations

import keras
from keras import ops

from golden.windows import Pair, Windows
from quant_models.architectures.architecture import DENSE, DEPTHWISE, Block
from quant_models.convolution import convolve, depthwise
from quant_models.distillation import LOGIT_SCALE
from quant_models.latent_parameters import MAX_POOL, WEIGHT_STEPS
from quant_models.model_size import ModelSize
from quant_models.quantizers import Tensor, quantise_biases, quantise_weights, shift_relu
from quant_models.trained_model import TrainedModel

_INITIAL_DEVIATION = 0.2  # of latent weights: about 6 integer steps


class FloorShiftModel(TrainedModel):
    """The network for training: integer fingerprints in, integer logits out, all as float32.

    `parameters` are the latent weights.
    """

    logit_scale = LOGIT_SCALE

    def __init__(
        self, size: ModelSize, grid: Pair, labels: int, seed: int = 0, quantised: bool = True
    ):
        """`quantised=False` gives the same topology in plain float, for comparison of speed.

        `grid` is the shape of the fingerprints, `labels` the number of labels.
        """
        super().__init__(name=size.architecture.NAME)
        self.quantised = quantised
        self._blocks = size.blocks(grid, labels)
        self._biases = {block.biases for block in self._blocks}
        generator = keras.random.SeedGenerator(seed)
        self.parameters = {
            name: self.add_weight(
                shape=shape,
                name=name.replace("/", "_"),
                initializer="zeros"
                if name in self._biases
                else keras.initializers.RandomNormal(0.0, _INITIAL_DEVIATION, generator),
            )
            for name, shape in size.parameter_shapes(grid, labels).items()
        }
        self.built = True

    def call(self, fingerprints: Tensor, training: bool = False) -> Tensor:
        """Return the logits `[N][label]` of fingerprints `[N][time][coefficient]`."""
        return self.layer_values(fingerprints)[self._blocks[-1].name]

    def layer_values(self, fingerprints: Tensor, inspect: bool = False) -> dict[str, Tensor]:
        """Compute every layer by its name in the `IntegerNetwork`.

        The maximum is taken before the shift that it stands behind, which commutes with it and
        costs less; `inspect` adds the shifted map, which the forward pass itself never needs.
        """
        weights = self._weights()
        shift = shift_relu if self.quantised else _scale_relu
        values = ops.expand_dims(ops.cast(fingerprints, "float32"), -1)  # N T C 1
        layers = {}
        for block in self._blocks:
            sums = _sums(block, values, weights[block.weights])  # N t c channel
            if block.biases is not None:
                sums = sums + weights[block.biases]
            layers[block.name] = values = sums
            if block.shift is None:
                continue
            if not block.pooled or inspect:
                layers[block.relu] = values = shift(sums, block.shift)
            if block.pooled:
                pooled = ops.max(sums, axis=(1, 2))  # N channel
                layers[MAX_POOL] = values = shift(pooled, block.shift)
        return layers

    def _weights(self) -> dict[str, Tensor]:
        if not self.quantised:
            return {name: value * WEIGHT_STEPS for name, value in self.parameters.items()}
        return {
            name: quantise_biases(value * WEIGHT_STEPS)
            if name in self._biases
            else quantise_weights(value)
            for name, value in self.parameters.items()
        }


def _sums(block: Block, values: Tensor, weights: Tensor) -> Tensor:
    """Return the sums of a block over `[N][time][coefficient][channel]`, or `[N][channel]`."""
    if block.kind == DENSE:
        return ops.matmul(ops.reshape(values, (-1, block.shape[0])), weights)
    if len(values.shape) == 2:
        return ops.matmul(values, weights[0, 0])
    windows = Windows(block.shape[:2], block.stride, block.padding)
    return (depthwise if block.kind == DEPTHWISE else convolve)(values, weights, windows)


def _scale_relu(values: Tensor, shift: int) -> Tensor:
    return ops.relu(values * 2.0**-shift)
