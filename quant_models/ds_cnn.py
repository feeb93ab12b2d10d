"""The bias-free DS-CNN as a Keras model whose forward pass computes with the deployed integers.

Float32 carries the integers exactly as long as every sum stays below 2**24; whoever exports a
network checks that bound. Latent weights are floats in steps of 1/32 (`quantizers.WEIGHT_STEPS`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from golden.integer_math import WEIGHT_MAX, WEIGHT_MIN, round_to_integers, saturate
from golden.network import INPUT_NAME, FeatureSettings, IntegerNetwork
from golden.nodes import Convolution, DepthwiseConvolution, FullyConnected, GlobalMaxPool, ShiftRelu
from quant_models.quantizers import (
    WEIGHT_STEPS,
    Tensor,
    quantise_biases,
    quantise_weights,
    shift_relu,
)

Parameters = Mapping[str, npt.NDArray[np.float32]]

CONV_1 = "DS-CNN/conv_1/weights"
DW_CONV = "DS-CNN/conv_ds_1/dw_conv/depthwise_weights"
PW_CONV = "DS-CNN/conv_ds_1/pw_conv/weights"
FC1 = "DS-CNN/fc1/weights"
FC1_BIASES = "DS-CNN/fc1/biases"

DEFAULT_MODEL_SIZE_INFO = (2, 48, 4, 4, 2, 2, 16, 3, 3, 1, 1)
DEFAULT_SHIFTS = (3, 4, 8)
_INITIAL_DEVIATION = 0.2  # of latent weights: about 6 integer steps


@dataclass(frozen=True)
class ModelSize:
    """Sizes of a two-layer DS-CNN, from `--model_size_info`; `shifts` follow conv_1, dw, pw."""

    filters: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    outputs: int
    depthwise_kernel: tuple[int, int]
    depthwise_stride: tuple[int, int]
    shifts: tuple[int, int, int]

    @staticmethod
    def parse(info: Sequence[int], shifts: Sequence[int] = DEFAULT_SHIFTS) -> ModelSize:
        """Read `2 48 4 4 2 2 16 3 3 1 1`: the number of layers, then five numbers for each.

        The five are features, kernel height and width, stride height and width; for the second
        layer the kernel is the depthwise one and the features are the pointwise outputs.

        Raises ValueError for another number of layers or of values, a value below 1, or unequal
        strides in the second layer, which TensorFlow does not compute; TypeError for values that
        are not integers.
        """
        _require_integers("model_size_info", info)
        _require_integers("shifts", shifts)
        if not info or info[0] != 2 or len(info) != 11:
            raise ValueError(
                "model_size_info: expected 2 layers and five numbers for each "
                f"(11 numbers), got {' '.join(map(str, info))}"
            )
        if min(info) < 1:
            raise ValueError(f"model_size_info: expected numbers above 0, got {min(info)}")
        if len(shifts) != 3 or not all(0 <= shift <= 31 for shift in shifts):
            raise ValueError(f"shifts: expected three in 0..31, got {' '.join(map(str, shifts))}")
        if info[9] != info[10]:
            raise ValueError(
                "model_size_info: expected equal strides in the second layer, "
                f"got {info[9]} and {info[10]}"
            )
        return ModelSize(
            filters=info[1],
            kernel=(info[2], info[3]),
            stride=(info[4], info[5]),
            outputs=info[6],
            depthwise_kernel=(info[7], info[8]),
            depthwise_stride=(info[9], info[10]),
            shifts=(shifts[0], shifts[1], shifts[2]),
        )

    @property
    def info(self) -> tuple[int, ...]:
        """The sizes as `--model_size_info` takes them."""
        first = (self.filters, *self.kernel, *self.stride)
        second = (self.outputs, *self.depthwise_kernel, *self.depthwise_stride)
        return (2, *first, *second)

    def require_fit(self, features: FeatureSettings) -> None:
        """Raise ValueError if the first kernel is larger than the fingerprint."""
        frames, coefficients = features.frames, features.coefficients
        if self.kernel[0] > frames or self.kernel[1] > coefficients:
            raise ValueError(
                "model_size_info: expected a first kernel within the fingerprint of "
                f"{frames} x {coefficients}, got {self.kernel[0]} x {self.kernel[1]}"
            )

    def parameter_shapes(self, label_count: int) -> dict[str, tuple[int, ...]]:
        """Shape of every trained array, by its name in the checkpoint (Keras axis order)."""
        return {
            CONV_1: (*self.kernel, 1, self.filters),
            DW_CONV: (*self.depthwise_kernel, self.filters, 1),
            PW_CONV: (1, 1, self.filters, self.outputs),
            FC1: (self.outputs, label_count),
            FC1_BIASES: (label_count,),
        }


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

        The maximum is taken before the depthwise shift, which commutes with it and costs less;
        `inspect` adds the shifted map `dw_conv_relu`, which the forward pass itself never needs.
        """
        size = self.size
        weights = self._weights()
        shift = shift_relu if self.quantised else _scale_relu
        values = ops.cast(fingerprints, "float32")[..., None]  # N T C 1
        layers = {}
        layers["conv_1"] = self._first_convolution(values, weights[CONV_1])  # N t c filter
        layers["conv_1_relu"] = shift(layers["conv_1"], size.shifts[0])
        layers["dw_conv"] = ops.depthwise_conv(
            layers["conv_1_relu"], weights[DW_CONV], strides=size.depthwise_stride, padding="same"
        )
        if inspect:
            layers["dw_conv_relu"] = shift(layers["dw_conv"], size.shifts[1])
        pooled = ops.max(layers["dw_conv"], axis=(1, 2))  # N filter
        layers["max_pool"] = shift(pooled, size.shifts[1])
        layers["pw_conv"] = ops.matmul(layers["max_pool"], weights[PW_CONV][0, 0])  # N output
        layers["pw_conv_relu"] = shift(layers["pw_conv"], size.shifts[2])
        layers["fc1"] = ops.matmul(layers["pw_conv_relu"], weights[FC1]) + weights[FC1_BIASES]
        return layers

    def _first_convolution(self, values: Tensor, weights: Tensor) -> Tensor:
        kernel, stride = self.size.kernel, self.size.stride
        if values.shape[2] - kernel[1] < stride[1]:
            # A map one coefficient wide: the stride along it is idle. TensorFlow 2.21 computes such
            # maps wrongly on CPUs (batches with strides 1 and above 1), so it is not told of it.
            values, stride = values[:, :, : kernel[1]], (stride[0], 1)
        return ops.conv(values, weights, strides=stride, padding="valid")

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


def integer_network(
    size: ModelSize, parameters: Parameters, labels: Sequence[str], features: FeatureSettings
) -> IntegerNetwork:
    """Turn latent parameters into the `IntegerNetwork` whose integers the forward pass used.

    Raises ValueError for arrays that are missing, misshapen or not finite.
    """
    shapes = size.parameter_shapes(len(labels))
    for name, shape in shapes.items():
        if name not in parameters or parameters[name].shape != shape:
            found = parameters[name].shape if name in parameters else "none"
            raise ValueError(f"{name}: expected shape {shape}, got {found}")
    weights = {name: _integers(name, parameters[name]) for name in shapes}
    conv, depthwise, pointwise = size.shifts
    nodes = (
        Convolution(
            "conv_1", INPUT_NAME, weights[CONV_1].transpose(3, 0, 1, 2), size.stride, "VALID"
        ),
        ShiftRelu("conv_1_relu", "conv_1", conv),
        DepthwiseConvolution(
            "dw_conv",
            "conv_1_relu",
            weights[DW_CONV].transpose(2, 0, 1, 3),
            size.depthwise_stride,
            "SAME",
        ),
        ShiftRelu("dw_conv_relu", "dw_conv", depthwise),
        GlobalMaxPool("max_pool", "dw_conv_relu"),
        Convolution("pw_conv", "max_pool", weights[PW_CONV].transpose(3, 0, 1, 2)),
        ShiftRelu("pw_conv_relu", "pw_conv", pointwise),
        FullyConnected("fc1", "pw_conv_relu", weights[FC1].T, weights[FC1_BIASES]),
    )
    return IntegerNetwork(nodes, tuple(labels), (features.frames, features.coefficients), features)


def model_of(network: IntegerNetwork) -> tuple[ModelSize, Parameters]:
    """Return size and latent parameters of a model that computes `network`: the way back.

    Raises ValueError for a network of another topology than `integer_network` makes.
    """
    try:
        conv, depthwise, pointwise, last = network.weighted_nodes
        shifts = [node.shift for node in network.nodes if isinstance(node, ShiftRelu)]
        assert isinstance(conv, Convolution) and isinstance(depthwise, DepthwiseConvolution)
        assert isinstance(pointwise, Convolution) and isinstance(last, FullyConnected)
        first = (*conv.weights.shape[:3], *conv.stride)
        second = (len(pointwise.weights), *depthwise.weights.shape[1:3], *depthwise.stride)
        size = ModelSize.parse((2, *first, *second), shifts)
        integers = {
            CONV_1: conv.weights.transpose(1, 2, 3, 0),
            DW_CONV: depthwise.weights.transpose(1, 2, 0, 3),
            PW_CONV: pointwise.weights.transpose(1, 2, 3, 0),
            FC1: last.weights.T,
            FC1_BIASES: last.biases,
        }
        parameters = {
            name: (values / WEIGHT_STEPS).astype(np.float32) for name, values in integers.items()
        }
        again = integer_network(size, parameters, network.labels, network.features)
    except (AssertionError, ValueError) as error:
        raise ValueError(f"network: expected one of a two-layer DS-CNN: {error}") from error
    if again.digest != network.digest:
        raise ValueError("network: expected one of a two-layer DS-CNN, got another topology")
    return size, parameters


def _integers(name: str, latent: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    try:
        rounded = round_to_integers(latent * np.float32(WEIGHT_STEPS))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    if name == FC1_BIASES:
        return rounded
    return np.asarray(saturate(rounded, WEIGHT_MIN, WEIGHT_MAX), np.int64)


def _require_integers(name: str, values: Sequence[object]) -> None:
    for value in values:
        if type(value) is not int:
            raise TypeError(f"{name}: expected integers, got {value!r}")


def _scale_relu(values: Tensor, shift: int) -> Tensor:
    return ops.relu(values * 2.0**-shift)
