"""The integer graph of a `.tflite` file while it grows: which node holds which tensor.

Nodes hold tensors centred, `q - zero point`, and without their batch axis. A node may hold one
under another shape with as many elements; whoever reads it says which shape it needs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from golden.importers.tflite_file import NO_TENSOR, Operator, Tensor, TfliteModel
from golden.network import INPUT_NAME
from golden.nodes import Node, Requantise, Reshape, checked_node
from golden.requantisation import fixed_points
from golden.windows import Shape

WEIGHT_BITS = 8
LOW, HIGH = -128, 127
UNITY = (2**30, 1)  # multiplier and exponent that change nothing
_LIMITS = {  # of fused activations, in real values; None where the type limits
    "NONE": (None, None),
    "RELU": (0, None),
    "RELU6": (0, 6),
    "RELU_N1_TO_1": (-1, 1),
}
_SAME_SCALE = 1e-6  # how far TensorFlow Lite lets scales be apart that it takes as equal

Ratios = npt.NDArray[np.float64]
Factors = tuple[npt.NDArray[np.int32], npt.NDArray[np.int8]]  # multipliers and exponents


class TfliteGraph:
    """Nodes in order of computation, their shapes, and the tensors that they hold.

    `rule` is one of `golden.network.ROUNDING_RULES`. All methods raise ValueError, naming the
    tensor, for what the integer graph cannot hold.
    """

    def __init__(self, model: TfliteModel, entry: int, rule: str) -> None:
        self.model = model
        self.rule = rule
        self.nodes: list[Node] = []
        self.tensors = {INPUT_NAME: entry}
        self._names = {entry: INPUT_NAME}
        self._shapes = {INPUT_NAME: self.shape(entry)}
        if len(self.shape(entry)) == 2:  # an input (time, coefficient) has one channel
            self._shapes[INPUT_NAME] = (*self.shape(entry), 1)

    def tensor(self, index: int) -> Tensor:
        """Return a tensor, which must not be left out."""
        if index == NO_TENSOR:
            raise ValueError("inputs: expected a tensor, found none")
        return self.model.tensors[index]

    def shape(self, index: int) -> Shape:
        """Return the shape of a tensor without its batch axis, which must be 1."""
        tensor = self.tensor(index)
        if min(tensor.shape, default=1) < 1:
            raise ValueError(f"{tensor}: expected a shape that is known, got {tensor.shape}")
        has_batch = len(tensor.shape) > 1 and tensor.shape[0] == 1
        shape = tensor.shape[1:] if has_batch else tensor.shape
        if len(shape) > 3:
            raise ValueError(
                f"{tensor}: expected a batch of 1 and up to three axes, got {tensor.shape}"
            )
        return shape or (1,)

    def map_shape(self, index: int) -> Shape:
        """Return the shape (height, width, channel) of a tensor that must be a feature map."""
        shape = self.shape(index)
        if len(shape) != 3:
            raise ValueError(
                f"{self.tensor(index)}: expected axes (1, height, width, channel), "
                f"got {self.tensor(index).shape}"
            )
        return shape

    def activations(self, index: int) -> tuple[Tensor, np.float32, int]:
        """Return a tensor with its scale and zero point, which must be those of int8 values."""
        tensor = self.tensor(index)
        expect_type(tensor, "int8")
        if len(tensor.scales) != 1:
            raise ValueError(f"{tensor}: expected one scale, got {len(tensor.scales)}")
        zero_point = int(tensor.zero_points[0])
        if not LOW <= zero_point <= HIGH:
            raise ValueError(f"{tensor}: expected a zero point in {LOW}..{HIGH}, got {zero_point}")
        return tensor, tensor.scales[0], zero_point

    def weights(self, index: int, axes: int, channel_axis: int) -> Tensor:
        """Return int8 weights of so many axes, their scales one, or one an output channel."""
        tensor = self.tensor(index)
        expect_constant(tensor, "int8")
        if len(tensor.shape) != axes:
            raise ValueError(f"{tensor}: expected {axes} axes, got {tensor.shape}")
        if len(tensor.scales) == 0:
            raise ValueError(f"{tensor}: expected scales, got none")
        if len(tensor.scales) > 1 and tensor.channel_axis != channel_axis:
            raise ValueError(
                f"{tensor}: expected scales along axis {channel_axis}, got {tensor.channel_axis}"
            )
        if tensor.zero_points.any():
            raise ValueError(
                f"{tensor}: expected a zero point of 0, got {tensor.zero_points.tolist()}"
            )
        return tensor

    def biases(self, operator: Operator) -> npt.NDArray[np.int32] | None:
        """Return the biases of a weighted operator, its third input, if it has some."""
        if len(operator.inputs) < 3 or operator.inputs[2] == NO_TENSOR:
            return None
        tensor = self.tensor(operator.inputs[2])
        return expect_constant(tensor, "int32").reshape(-1)

    def read(self, index: int, shape: Shape | None = None) -> str:
        """Return the name of a node that holds a tensor in its own shape, or in `shape`."""
        if index not in self._names:
            raise ValueError(
                f"{self.tensor(index)}: expected one that an earlier operator computes"
            )
        name, wanted = self._names[index], shape or self.shape(index)
        if self._shapes[name] == wanted:
            return name
        reshaped = f"{name}_as_{'x'.join(map(str, wanted))}"
        if reshaped not in self._shapes:
            self.add(Reshape(reshaped, name, wanted))
        return reshaped

    def read_flat(self, index: int) -> str:
        """Return the name of the node that holds a tensor, in whatever shape."""
        return self.read(index, self._shapes[self._names[index]] if index in self._names else None)

    def held_shape(self, name: str) -> Shape:
        """Return the shape of a node's values."""
        return self._shapes[name]

    def add(self, node: Node) -> str:
        """Append a node; return its name."""
        node = checked_node(node)
        self._shapes[node.name] = node.output_shape(*(self._shapes[name] for name in node.sources))
        self.nodes.append(node)
        return node.name

    def hold(self, operator: Operator, name: str) -> None:
        """Say that a node holds the output of an operator."""
        index = operator.outputs[0]
        if math.prod(self._shapes[name]) != math.prod(self.shape(index)):
            raise ValueError(
                f"{self.tensor(index)}: expected as many elements as in {self._shapes[name]}, "
                f"got {self.tensor(index).shape}"
            )
        self._names[index] = name
        self.tensors[name] = index

    def requantise(
        self,
        name: str,
        source: str,
        factors: Factors,
        output: int,
        activation: str = "NONE",
        rounding: str = "twice",
    ) -> str:
        """Append what scales sums to the int8 values of a tensor; return its name.

        `factors` are multipliers and exponents, `activation` what clamps the values.
        """
        tensor, scale, zero_point = self.activations(output)
        low, high = limits_of(tensor, activation, scale, zero_point)
        multipliers, exponents = factors
        return self.add(
            Requantise(
                name,
                source,
                multipliers,
                exponents,
                "once" if self.rule == "single" else rounding,
                zero_point,
                low,
                high,
            )
        )

    def expect_same_scale(self, first: int, second: int) -> None:
        """Raise unless two tensors mean the same by the same integers, as far as runtimes ask."""
        (tensor, scale, zero_point), (other, other_scale, other_zero) = (
            self.activations(first),
            self.activations(second),
        )
        if zero_point != other_zero or abs(float(scale) - float(other_scale)) > _SAME_SCALE:
            raise ValueError(
                f"{other}: expected scale {scale} and zero point {zero_point} of {tensor}, "
                f"got {other_scale} and {other_zero}"
            )


def limits_of(tensor: Tensor, activation: str, scale: np.float32, zero_point: int) -> Shape:
    """Return the smallest and largest `q` that a fused activation lets pass."""
    if activation not in _LIMITS:
        raise ValueError(f"activation: expected one of {', '.join(_LIMITS)}, got {activation}")
    low, high = (
        None if limit is None else zero_point + round_away(np.float32(limit) / scale)
        for limit in _LIMITS[activation]
    )
    low, high = LOW if low is None else max(low, LOW), HIGH if high is None else min(high, HIGH)
    if low > high:
        raise ValueError(f"{tensor}: expected values that {activation} lets pass, found none")
    return low, high


def round_away(value: np.float32) -> int:
    """Round to the nearest integer, ties away from zero."""
    return int(math.copysign(math.floor(abs(float(value)) + 0.5), value))


def factors_of(ratios: Sequence[float] | Ratios) -> Factors:
    """Return multipliers and exponents of real factors."""
    return fixed_points(np.asarray(ratios, np.float64))


def factor_of(multiplier: int, exponent: int) -> Factors:
    """Return one multiplier and exponent as arrays."""
    return np.array([multiplier], np.int32), np.array([exponent], np.int8)


def expect_type(tensor: Tensor, dtype: str) -> None:
    """Raise unless a tensor has this type."""
    if tensor.dtype != dtype:
        raise ValueError(f"{tensor}: expected {dtype}, got {tensor.dtype}")


def expect_constant(tensor: Tensor, *dtypes: str) -> npt.NDArray[Any]:
    """Return the content of a tensor that must be constant and of one of these types."""
    if tensor.dtype not in dtypes:
        raise ValueError(f"{tensor}: expected {' or '.join(dtypes)}, got {tensor.dtype}")
    if tensor.data is None:
        raise ValueError(f"{tensor}: expected a constant, got a tensor that is computed")
    return tensor.data
