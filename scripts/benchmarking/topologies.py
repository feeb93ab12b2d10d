"""The networks of the benchmark, for peers that take Keras or TensorFlow Lite models."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import layers

from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import (
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    GlobalMaxPool,
    Node,
    ShiftRelu,
    WeightedNode,
)
from scripts.console.quiet_stderr import quiet_stderr


def float_twin(network: IntegerNetwork) -> keras.Model:
    """Return a floor-shift network without its floors, in float: a shift scales the weights.

    Layers have the names of nodes; a shift and ReLU are part of the layer before them.

    Raises ValueError for a node that floor-shift networks do not have.
    """
    model = keras.Sequential([keras.Input(network.shapes[INPUT_NAME], name=INPUT_NAME)])
    for node in network.nodes:
        match node:
            case ShiftRelu():
                pass
            case GlobalMaxPool():
                model.add(layers.GlobalMaxPooling2D(keepdims=True, name=node.name))
            case Convolution() | DepthwiseConvolution() | FullyConnected():
                _add_weighted(model, node, network.consumer(node.name))
            case _:
                raise ValueError(f"{node.name}: expected a node of a floor-shift network")
    return model


def ds_cnn(labels: int, blocks: int, channels: int, shape: tuple[int, int] = (50, 10)) -> Any:
    """Return a Keras DS-CNN as TensorFlow Lite tutorials have it: convolution 10x4, stride 2x2,
    then separable convolutions 3x3, the mean over the map, and a dense layer."""
    steps: list[Any] = [layers.Conv2D(channels, (10, 4), 2, padding="same", activation="relu")]
    for _ in range(blocks):
        steps.append(layers.DepthwiseConv2D(3, padding="same", activation="relu"))
        steps.append(layers.Conv2D(channels, 1, activation="relu"))
    steps += [layers.AveragePooling2D((shape[0] // 2, shape[1] // 2)), layers.Flatten()]
    return keras.Sequential([keras.Input((*shape, 1)), *steps, layers.Dense(labels)])


def int8_model(model: keras.Model, examples: npt.NDArray[np.float32]) -> bytes:
    """Return a model in 8 bits, input and output too, as TensorFlow Lite's converter makes it."""
    said = io.StringIO()
    with warnings.catch_warnings(), quiet_stderr(), contextlib.redirect_stdout(said):
        warnings.simplefilter("ignore")
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([each[np.newaxis]] for each in examples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        content: bytes = converter.convert()
    return content


def _add_weighted(model: keras.Model, node: WeightedNode, reader: Node | None) -> None:
    """Add a layer with the weights of a node, and with the shift and ReLU that follow it."""
    follows = isinstance(reader, ShiftRelu)
    common = {
        "name": node.name,
        "activation": "relu" if follows else None,
        "use_bias": node.biases is not None,
    }
    if isinstance(node, FullyConnected):
        model.add(layers.Flatten())
        layer = layers.Dense(len(node.weights), **common)
        weights = node.weights.T
    else:
        where = {"strides": node.stride, "padding": node.padding.lower(), **common}
        size = node.weights.shape[1:3]
        if isinstance(node, Convolution):
            layer = layers.Conv2D(len(node.weights), size, **where)
            weights = node.weights.transpose(1, 2, 3, 0)
        else:
            layer = layers.DepthwiseConv2D(size, **where)
            weights = node.weights.transpose(1, 2, 0, 3)
    model.add(layer)
    scale = 2.0**-reader.shift if isinstance(reader, ShiftRelu) else 1.0
    biases = [] if node.biases is None else [node.biases * scale]
    layer.set_weights([weights * scale, *biases])
