"""Networks as frozen TensorFlow graphs: WAV file in, probabilities out.

The graph decodes the file and computes the features with TensorFlow's own audio ops, as the speech
commands example does, then each layer. Those of an integer network are floating-point operations
that carry its integers exactly: in float32 where no sum of magnitudes reaches 2**24, in float64
beyond.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from golden.network import INPUT_MAX, INPUT_MIN, INPUT_NAME, FeatureSettings, IntegerNetwork
from golden.nodes import (
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    GlobalMaxPool,
    Node,
    ShiftRelu,
    WeightedNode,
)
from golden.windows import Windows
from quant_models.distillation import LOGIT_SCALE
from quant_models.exactness import FLOAT32_EXACT
from quant_models.float_model import FloatModel
from quant_models.labelling import GRAPH_INPUT, GRAPH_OUTPUT

FLOAT64_EXACT = 2**53
FINGERPRINT = "fingerprint"
LOGITS = "logits"

Tensor = Any


def freeze(network: IntegerNetwork, magnitude_bound: int) -> bytes:
    """Return the serialised GraphDef of a network with features of its own.

    Its input `wav_data` is the bytes of a WAV file, `fingerprint` `[1][time][coefficient]` and
    `logits` `[1][label]` are the network's integers, and `labels_softmax` `[1][label]` are their
    probabilities at the scale of the training's loss.
    `magnitude_bound` bounds the sum of magnitudes of any output for every input.

    Raises ValueError for a network without features, a node that floor-shift networks do not have,
    and sums that float64 does not hold.
    """
    if network.features is None:
        raise ValueError("network: expected one with settings of its features, got none")
    if magnitude_bound >= FLOAT64_EXACT:
        raise ValueError(f"network: expected sums below 2^53, got up to {magnitude_bound:,}")
    kind = tf.float32 if magnitude_bound < FLOAT32_EXACT else tf.float64
    with tf.Graph().as_default() as graph:
        wav = tf.compat.v1.placeholder(tf.string, [], name=GRAPH_INPUT)
        values = {INPUT_NAME: tf.cast(_fingerprint(wav, network.features), kind)[..., tf.newaxis]}
        for node in network.nodes:
            (source,) = node.sources
            with tf.name_scope(node.name):
                values[node.name] = _compute(node, values[source], kind)
        logits = tf.identity(values[network.output_name], name=LOGITS)
        tf.nn.softmax(tf.cast(logits, tf.float32) * LOGIT_SCALE, name=GRAPH_OUTPUT)
    serialised: bytes = graph.as_graph_def().SerializeToString(deterministic=True)
    return serialised


def freeze_model(model: FloatModel, features: FeatureSettings) -> bytes:
    """Return the serialised GraphDef of a model in float form, with the same ends as `freeze`."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, name=GRAPH_INPUT)])
    def hear(wav: Tensor) -> Tensor:
        logits = tf.identity(model(_fingerprint(wav, features)), name=LOGITS)
        return tf.nn.softmax(logits, name=GRAPH_OUTPUT)

    frozen = convert_variables_to_constants_v2(hear.get_concrete_function())
    serialised: bytes = frozen.graph.as_graph_def().SerializeToString(deterministic=True)
    return serialised


def _fingerprint(wav: Tensor, features: FeatureSettings) -> Tensor:
    """The integer fingerprint `[1][time][coefficient]` of the bytes of a WAV file."""
    decoded = tf.audio.decode_wav(wav, 1, features.clip_samples)
    spectrogram = tf.raw_ops.AudioSpectrogram(
        input=decoded.audio,
        window_size=features.window_samples,
        stride=features.stride_samples,
        magnitude_squared=True,
    )
    mfcc = tf.raw_ops.Mfcc(
        spectrogram=spectrogram,
        sample_rate=decoded.sample_rate,
        upper_frequency_limit=features.upper_hz,
        lower_frequency_limit=features.lower_hz,
        filterbank_channel_count=features.mel_bands,
        dct_coefficient_count=features.coefficients,
    )
    rounded = tf.clip_by_value(tf.round(mfcc), INPUT_MIN, INPUT_MAX)
    shape = (1, features.frames, features.coefficients)
    return tf.reshape(rounded, shape, name=FINGERPRINT)


def _compute(node: Node, values: Tensor, kind: tf.DType) -> Tensor:
    match node:
        case Convolution():
            kernels = tf.constant(node.weights, kind)
            sums = tf.einsum("nticjk,oijk->ntco", _windows(values, node.windows), kernels)
            return _with_biases(node, sums, kind)
        case DepthwiseConvolution():
            channels = tf.repeat(values, len(node.weights) // values.shape[-1], axis=-1)
            kernels = tf.constant(node.weights[..., 0], kind)
            sums = tf.einsum("nticjk,kij->ntck", _windows(channels, node.windows), kernels)
            return _with_biases(node, sums, kind)
        case FullyConnected():
            flat = tf.reshape(values, (1, node.weights.shape[1]))
            return _with_biases(node, flat @ tf.constant(node.weights.T, kind), kind)
        case ShiftRelu():
            return tf.nn.relu(tf.floor(values * 2.0**-node.shift))
        case GlobalMaxPool():
            return tf.reduce_max(values, axis=(1, 2), keepdims=True)
    raise ValueError(f"{node.name}: expected a node of a floor-shift network, got {node.kind}")


def _windows(values: Tensor, lie: Windows) -> Tensor:
    """Return every window of a map `[N][t][c][channel]` as `[N][t][kh][c][kw][channel]`.

    Windows and sums, rather than TensorFlow's convolutions: in some shapes those compute wrongly on
    CPUs (`ds_cnn`).
    """
    grid = tuple(values.shape[1:3])
    values = tf.pad(values, [(0, 0), *lie.padding_of(grid), (0, 0)])
    for axis, positions, count, step, apart in zip(
        (1, 3), lie.grid(grid), lie.kernel, lie.stride, lie.dilation, strict=True
    ):
        places = np.arange(positions)[:, np.newaxis] * step + np.arange(count) * apart
        values = tf.gather(values, places, axis=axis)
    return values


def _with_biases(node: WeightedNode, sums: Tensor, kind: tf.DType) -> Tensor:
    return sums if node.biases is None else sums + tf.constant(node.biases, kind)
