"""The float form as a Keras model: biases, batch normalisation, average pooling, recurrent layers.

Its input is the same integer fingerprint as that of the floor-shift form.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import layers, ops

from golden.windows import Pair, Shape, Windows
from quant_models.architectures.float_layers import (
    BatchNorm,
    FloatAveragePool,
    FloatConvolution,
    FloatDense,
    FloatDepthwise,
    FloatGru,
    FloatLayer,
    FloatLstm,
)
from quant_models.batch_norm import EPSILON
from quant_models.convolution import convolve
from quant_models.model_size import ModelSize
from quant_models.trained_model import TrainedModel

_BATCH = 256

Tensor = Any


class FloatModel(TrainedModel):
    """The network for training and evaluation: integer fingerprints in, float logits out.

    `parameters` are weights, biases and running statistics.
    """

    logit_scale = 1.0

    def __init__(self, size: ModelSize, grid: Pair, labels: int):
        """`grid` is the shape of the fingerprints, `labels` the number of labels.

        Initial weights follow Keras' global seed (`keras.utils.set_random_seed`).
        """
        super().__init__(name=size.architecture.NAME)
        self._chain: list[keras.Layer] = []
        self.parameters: dict[str, keras.Variable] = {}
        for each, shape in size.float_layers(grid, labels):
            built = _build(each, shape)
            self._chain += built
            variables = [variable for layer in built for variable in layer.weights]
            self.parameters |= dict(zip(each.parameter_shapes(shape), variables, strict=True))
        self.built = True
        self._graph = tf.function(self.__call__, reduce_retracing=True)

    def call(self, fingerprints: Tensor, training: bool = False) -> Tensor:
        """Return the logits `[N][label]` of fingerprints `[N][time][coefficient]`."""
        values = ops.expand_dims(ops.cast(fingerprints, "float32"), -1)  # N T C 1
        for layer in self._chain:
            values = layer(values, training=training)
        return values

    def logits(self, fingerprints: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
        """Return the logits `[N][label]` of any number of fingerprints."""
        parts = np.split(fingerprints, range(_BATCH, len(fingerprints), _BATCH))
        return np.concatenate([ops.convert_to_numpy(self._graph(part)) for part in parts])

    def predictions(self, fingerprints: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
        """Return the index of the largest logit of each fingerprint; ties go to the lowest."""
        return self.logits(fingerprints).argmax(axis=1)


class Convolution(layers.Conv2D):
    """Keras' convolution, with `quant_models.convolution` to compute it."""

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        windows = Windows(self.kernel_size, self.strides, self.padding.upper())
        return convolve(inputs, kernel, windows)


class ProjectedLstmCell(keras.Layer):
    """One frame of an LSTM with peepholes and projection (Sak et al. 2014, arXiv 1402.1128).

    With gates `i f g o` of `[x][h]`: `c' = s(f + wf c) c + s(i + wi c) tanh(g)`, and `h'` is the
    projection of `s(o + wo c') tanh(c')`.
    """

    def __init__(self, units: int, projection: int, **options: Any):
        super().__init__(**options)
        self.units, self.projection = units, projection
        self.state_size = [projection, units]
        self.output_size = projection

    def build(self, input_shape: Shape) -> None:
        gates = 4 * self.units
        self.kernel = self.add_weight(shape=(input_shape[-1], gates), name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(self.projection, gates), name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=(gates,), initializer=self._forget, name="bias")
        self.peepholes = self.add_weight(
            shape=(3, self.units), initializer="zeros", name="peepholes"
        )
        self.projected = self.add_weight(shape=(self.units, self.projection), name="projection")

    def call(
        self, inputs: Tensor, states: list[Tensor], training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        output, cell = states
        gates = ops.matmul(inputs, self.kernel) + ops.matmul(output, self.recurrent_kernel)
        enter, keep, new, leave = ops.split(gates + self.bias, 4, axis=-1)
        of_enter, of_keep, of_leave = (self.peepholes[row] for row in range(3))
        kept = ops.sigmoid(keep + of_keep * cell) * cell
        cell = kept + ops.sigmoid(enter + of_enter * cell) * ops.tanh(new)
        output = ops.matmul(ops.sigmoid(leave + of_leave * cell) * ops.tanh(cell), self.projected)
        return output, [output, cell]

    def _forget(self, shape: Shape, dtype: Any = None) -> Tensor:
        """Biases that keep the cell at first: 1 for the forget gate, 0 for the others."""
        parts = np.zeros((4, self.units), np.float32)
        parts[1] = 1
        return ops.convert_to_tensor(parts.reshape(shape), dtype)


def _build(each: FloatLayer, shape: Shape) -> list[keras.Layer]:
    """Return Keras' layers of a layer on inputs of a shape, built."""
    name = each.name.replace("/", "_")
    chain: list[keras.Layer] = []
    match each:
        case FloatConvolution():
            padding = each.padding.lower()
            chain.append(Convolution(each.features, each.kernel, each.stride, padding, name=name))
        case FloatDepthwise():
            padding = each.padding.lower()
            chain.append(layers.DepthwiseConv2D(each.kernel, each.stride, padding, name=name))
        case FloatDense():
            if len(shape) > 1:
                chain.append(layers.Flatten(name=f"{name}_flatten"))
            chain.append(layers.Dense(each.units, name=name))
        case FloatAveragePool():
            chain.append(layers.GlobalAveragePooling2D(name=name))
        case FloatLstm() | FloatGru():
            rows = (shape[0], each.frame_features(shape))
            chain += [layers.Reshape(rows, name=f"{name}_rows"), _recurrent(each, name)]
        case _:
            raise TypeError(f"{each.name}: expected a layer of the float form, got {each}")
    if isinstance(each, FloatConvolution | FloatDepthwise | FloatDense):
        if each.norm is not None:
            chain.append(_batch_norm(each.norm, f"{name}_batch_norm"))
        if each.relu:
            chain.append(layers.ReLU(name=f"{name}_relu"))
        if each.dropout:
            chain.append(layers.Dropout(each.dropout, name=f"{name}_dropout"))
    for layer in chain:
        layer.build((None, *shape))
        shape = layer.compute_output_shape((None, *shape))[1:]
    return chain


def _batch_norm(norm: BatchNorm, name: str) -> keras.Layer:
    return layers.BatchNormalization(
        momentum=norm.momentum, epsilon=EPSILON, scale=norm.scaled, name=name
    )


def _recurrent(each: FloatLstm | FloatGru, name: str) -> keras.Layer:
    """Unrolled, so that frozen graphs and other formats hold no loops."""
    options = {"return_sequences": not each.last, "unroll": True, "name": name}
    if isinstance(each, FloatGru):
        return layers.GRU(each.units, reset_after=False, **options)
    if each.projection:
        return layers.RNN(ProjectedLstmCell(each.units, each.projection), **options)
    return layers.LSTM(each.units, **options)
