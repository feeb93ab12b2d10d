"""Small Keras networks that TensorFlow's converter makes int8 models of: every operator and case.

Weights are random and layers tiny; what matters is that each way of the arithmetic is taken.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Mapping

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import layers

SEED = 3
Network = Callable[[], keras.Model]


def convert(model: keras.Model, *, per_tensor: bool = False, ends: str = "int8") -> bytes:
    """Return an int8 model; `ends` is the type of input and output, `int8`, `uint8` or `float32`.

    A scale a channel, or `per_tensor` one for all weights of a layer.
    """
    rng = np.random.default_rng(SEED)

    def examples() -> Iterator[list[npt.NDArray[np.float32]]]:
        for _ in range(20):
            yield [rng.uniform(-1, 1.5, (1, *model.input_shape[1:])).astype(np.float32)]

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = examples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter._experimental_disable_per_channel = per_tensor
    if ends != "float32":
        converter.inference_input_type = tf.as_dtype(ends)
        converter.inference_output_type = tf.as_dtype(ends)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Statistics for quantized inputs", UserWarning)
        content: bytes = converter.convert()
    return content


def network(shape: tuple[int, ...], *steps: Callable) -> keras.Model:
    """Return a model of layers one after the other, for a batch of one, with random numbers."""
    entry = keras.Input(shape, batch_size=1)
    value = entry
    for step in steps:
        value = step(value)
    return randomised(keras.Model(entry, value))


def randomised(model: keras.Model) -> keras.Model:
    """Draw all weights anew: biases that are not 0, and scales that differ between channels."""
    rng = np.random.default_rng(SEED)
    for variable in model.trainable_weights:
        scale = rng.uniform(0.2, 1, variable.shape[-1:])
        variable.assign(rng.normal(0, 0.5, variable.shape) * scale)
    return model


def convolutions() -> keras.Model:
    """Strides 1, 2 and unequal ones; SAME and VALID; ReLU, ReLU6 and none."""
    return network(
        (15, 11, 2),
        layers.Conv2D(5, (4, 3), strides=2, padding="same", activation="relu"),
        layers.Conv2D(6, 3, padding="valid"),
        layers.ReLU(6.0),
        layers.Conv2D(4, (2, 1), strides=(2, 2), padding="same"),
        layers.Conv2D(7, 1, use_bias=False, activation="relu6"),
        layers.Flatten(),
        layers.Dense(4),
    )


def unequal_strides() -> keras.Model:
    return network(
        (20, 10, 1),
        layers.Conv2D(4, (5, 4), strides=(3, 2), padding="same", activation="relu"),
        layers.DepthwiseConv2D(3, padding="same"),
        layers.Conv2D(5, (3, 2), strides=(1, 2), padding="valid"),
        layers.Flatten(),
        layers.Dense(3, use_bias=False),
    )


def dilations() -> keras.Model:
    return network(
        (14, 12, 3),
        layers.Conv2D(4, 3, dilation_rate=2, padding="same", activation="relu"),
        layers.DepthwiseConv2D(3, dilation_rate=2, padding="valid"),
        layers.Conv2D(4, (3, 2), dilation_rate=(2, 1), padding="valid"),
        layers.Flatten(),
        layers.Dense(3),
    )


def depthwise() -> keras.Model:
    """Multipliers of 1 and 2, also of the first layer, where there is one input channel."""
    return network(
        (12, 9, 1),
        layers.DepthwiseConv2D(3, depth_multiplier=4, padding="same", activation="relu"),
        layers.DepthwiseConv2D((3, 2), strides=2, depth_multiplier=2, padding="same"),
        layers.DepthwiseConv2D(3, padding="valid", activation="relu6", use_bias=False),
        layers.Flatten(),
        layers.Dense(4),
    )


def dense() -> keras.Model:
    return network(
        (24,),
        layers.Dense(20, activation="relu"),
        layers.Dense(17, use_bias=False),
        layers.Dense(19, activation="relu6"),
        layers.Dense(5),
    )


def wide_dense() -> keras.Model:
    """Many values behind dense layers: where the rounding rules of the runtimes differ."""
    return network((64,), layers.Dense(400), layers.Dense(300, activation="relu"), layers.Dense(40))


def dense_on_maps() -> keras.Model:
    """A dense layer that keeps time, as a head on every step does."""
    return network((8, 6), layers.Dense(10, activation="relu"), layers.Dense(3), layers.Flatten())


def additions() -> keras.Model:
    """Sums of different and of equal scales, with and without ReLU, of the same map twice."""
    entry = keras.Input((8, 6, 4), batch_size=1)
    first = layers.Conv2D(4, 3, padding="same")(entry)
    second = layers.Conv2D(4, 1, activation="relu")(entry)
    value = layers.Add()([first, second])
    value = layers.ReLU()(layers.Add()([value, entry]))
    value = layers.Add()([value, value])
    value = layers.ReLU(6.0)(layers.Add()([value, second]))
    value = layers.Dense(3)(layers.Flatten()(value))
    return randomised(keras.Model(entry, value))


def pads() -> keras.Model:
    """Zeros around a map, also behind the channels, also on one axis alone."""
    entry = keras.Input((7, 6, 3), batch_size=1)
    value = layers.ZeroPadding2D(((1, 2), (0, 3)))(entry)
    value = layers.Conv2D(4, 3, strides=2, activation="relu")(value)
    value = keras.ops.pad(value, ((0, 0), (0, 0), (0, 0), (1, 2)))
    value = layers.DepthwiseConv2D(2, padding="valid")(value)
    value = layers.Dense(3)(layers.Flatten()(value))
    return randomised(keras.Model(entry, value))


def means() -> keras.Model:
    """Means over the map, with its axes kept, and of a map that is one column."""
    entry = keras.Input((9, 5, 4), batch_size=1)
    value = layers.Conv2D(6, 3, padding="same", activation="relu")(entry)
    kept = layers.GlobalAveragePooling2D(keepdims=True)(value)
    gone = layers.GlobalAveragePooling2D()(value)
    value = layers.Add()([layers.Flatten()(layers.Conv2D(6, 1)(kept)), layers.Dense(6)(gone)])
    value = layers.Dense(3)(value)
    return randomised(keras.Model(entry, value))


def mean_as_output() -> keras.Model:
    return network((9, 7, 2), layers.Conv2D(5, 3), layers.GlobalAveragePooling2D())


def wide_mean() -> keras.Model:
    return network((6, 4, 64), layers.Conv2D(64, 1), layers.GlobalAveragePooling2D())


def means_of_steps() -> keras.Model:
    """A mean over time of a network with one axis."""
    return network(
        (16, 5),
        layers.Conv1D(8, 3, padding="same", activation="relu"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(3),
    )


def means_of_some_axes() -> keras.Model:
    """Means over the height, the width and the channels alone."""
    entry = keras.Input((8, 6, 5), batch_size=1)
    value = layers.Conv2D(7, 3, padding="same", activation="relu")(entry)
    parts = [layers.Flatten()(keras.ops.mean(value, axis=axis)) for axis in (1, 2, 3)]
    value = layers.Add()([layers.Dense(4)(part) for part in parts])
    return randomised(keras.Model(entry, value))


def max_pools() -> keras.Model:
    return network(
        (13, 10, 3),
        layers.Conv2D(5, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(5, 3, padding="same"),
        layers.MaxPooling2D(3, strides=2, padding="same"),
        layers.MaxPooling2D((2, 1), strides=1, padding="same"),
        layers.Flatten(),
        layers.Dense(3),
    )


def average_pools() -> keras.Model:
    """Also windows that stand partly outside of the map, where fewer values are averaged."""
    return network(
        (13, 10, 3),
        layers.AveragePooling2D((2, 3), strides=1, padding="same"),
        layers.Conv2D(5, 3, padding="same"),
        layers.AveragePooling2D(2),
        layers.Conv2D(5, 3, padding="same", activation="relu"),
        layers.AveragePooling2D(3, strides=2, padding="same"),
        layers.AveragePooling2D((3, 2)),
        layers.Flatten(),
        layers.Dense(3),
    )


def lone_activations() -> keras.Model:
    """ReLU and ReLU6 that no operator can take in: behind pools, reshapes and the input."""
    entry = keras.Input((12, 8, 4), batch_size=1)
    value = layers.ReLU()(entry)
    value = layers.Conv2D(6, 3, padding="same")(value)
    branch = layers.ReLU(6.0)(value)
    value = layers.Reshape((12, 8, 6))(layers.Add()([value, branch]))
    value = layers.ReLU()(layers.Reshape((24, 4, 6))(value))
    value = layers.ReLU(6.0)(layers.MaxPooling2D(2)(value))
    value = layers.Dense(3)(layers.Flatten()(value))
    return randomised(keras.Model(entry, value))


def lone_relu6() -> keras.Model:
    entry = keras.Input((12, 8, 4), batch_size=1)
    value = layers.Conv2D(6, 3, padding="same")(layers.ReLU(6.0)(entry))
    value = layers.Add()([value, layers.ReLU()(value)])
    return randomised(keras.Model(entry, layers.Dense(3)(layers.Flatten()(value))))


def free_batch() -> keras.Model:
    """As Keras makes models by default: files compute shapes from the batch, with operators."""
    entry = keras.Input((12, 6))
    value = layers.Conv1D(8, 3, activation="relu")(entry)
    value = layers.Reshape((5, 4, 4))(value)
    value = layers.MaxPooling2D(2)(layers.Conv2D(6, 3, padding="same")(value))
    value = layers.Dense(3)(layers.Flatten()(value))
    return randomised(keras.Model(entry, value))


def classifier() -> keras.Model:
    return network(
        (10, 8, 1),
        layers.Conv2D(6, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(5, activation="softmax"),
    )


def all_zero_classifier() -> bytes:
    """Return a model that has learnt nothing: its softmax gets zeros alone."""
    model = classifier()
    for variable in model.trainable_weights:
        variable.assign(np.zeros(variable.shape))
    return convert(model)


def one_dimensional() -> keras.Model:
    """Convolutions along time alone, with strides, dilation, pooling and a sum around one."""
    entry = keras.Input((24, 6), batch_size=1)
    value = layers.Conv1D(8, 3, padding="same", activation="relu")(entry)
    value = layers.SeparableConv1D(8, 5, padding="same")(value)
    around = layers.Conv1D(8, 3, padding="same", dilation_rate=2)(value)
    value = layers.ReLU()(layers.Add()([value, around]))
    value = layers.Conv1D(10, 4, strides=2, padding="valid")(value)
    value = layers.MaxPooling1D(2)(value)
    value = layers.Dense(4)(layers.Flatten()(value))
    return randomised(keras.Model(entry, value))


def inverted_residual() -> keras.Model:
    """Blocks of MobileNet v2: wide inside, ReLU6, a sum around them."""
    entry = keras.Input((16, 12, 3), batch_size=1)
    value = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(entry)
    value = layers.ReLU(6.0)(layers.BatchNormalization()(value))
    for stride in (1, 2, 1):
        wide = layers.Conv2D(24, 1, use_bias=False)(value)
        wide = layers.ReLU(6.0)(layers.BatchNormalization()(wide))
        if stride == 2:
            wide = layers.ZeroPadding2D(((0, 1), (0, 1)))(wide)
        wide = layers.DepthwiseConv2D(
            3, strides=stride, padding="valid" if stride == 2 else "same", use_bias=False
        )(wide)
        wide = layers.ReLU(6.0)(layers.BatchNormalization()(wide))
        narrow = layers.BatchNormalization()(layers.Conv2D(8, 1, use_bias=False)(wide))
        value = narrow if stride == 2 else layers.Add()([value, narrow])
    value = layers.GlobalAveragePooling2D()(value)
    value = layers.Dense(4, activation="softmax")(value)
    return randomised(keras.Model(entry, value))


def residual() -> keras.Model:
    """Blocks of ResNet8, the second with a convolution on its way around."""
    entry = keras.Input((12, 12, 3), batch_size=1)
    value = layers.Conv2D(6, 3, padding="same", activation="relu")(entry)
    for channels, stride in ((6, 1), (10, 2)):
        inner = layers.Conv2D(channels, 3, strides=stride, padding="same", activation="relu")(value)
        inner = layers.BatchNormalization()(layers.Conv2D(channels, 3, padding="same")(inner))
        if stride == 2:
            value = layers.Conv2D(channels, 1, strides=stride, padding="same")(value)
        value = layers.ReLU()(layers.Add()([value, inner]))
    value = layers.Flatten()(layers.AveragePooling2D(6)(value))
    value = layers.Dense(4, activation="softmax")(value)
    return randomised(keras.Model(entry, value))


NETWORKS: Mapping[str, Network] = {
    build.__name__: build
    for build in (
        *(convolutions, unequal_strides, dilations, depthwise, dense, wide_dense, dense_on_maps),
        *(additions, pads, means, mean_as_output, wide_mean, means_of_steps),
        *(
            means_of_some_axes,
            max_pools,
            average_pools,
            free_batch,
            lone_activations,
            lone_relu6,
            classifier,
            one_dimensional,
        ),
        *(inverted_residual, residual),
    )
}


@functools.cache
def converted(name: str, *, per_tensor: bool = False, ends: str = "int8") -> bytes:
    """Return the model of one of NETWORKS."""
    return convert(NETWORKS[name](), per_tensor=per_tensor, ends=ends)
