"""The node kinds of the integer graph: what each holds, which shapes it takes, how far it reaches.

Frozen dataclasses; `checked` says which values they may hold. What they compute is in
`golden.reference`. 8-bit networks keep their activations *centred*: a value is `q - zero_point`, so
that what lies outside a feature map is 0 for every node.

Axis order: feature maps are `[time][coefficient][channel]`, weights `[out][kernel time]
[kernel coefficient][in]`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from golden import archive
from golden.integer_math import WEIGHT_BITS, signed_limits
from golden.requantisation import FRACTION_BITS, MAX_EXPONENT, MIN_EXPONENT, ROUNDINGS
from golden.windows import Pair, Shape, Windows

INT32_MIN, INT32_MAX = signed_limits(32)
_MAX_SHIFT = 31


@dataclass(frozen=True)
class Node:
    """A layer: its own name, and the names of what feeds it."""

    name: str
    kind: ClassVar[str] = "node"

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the nodes, or of the network's input, that this one reads."""
        raise NotImplementedError

    def checked(self) -> Node:
        """Return the node with read-only arrays of its types; ValueError or TypeError if wrong."""
        return self

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the shape that this node makes of its inputs' shapes; ValueError if it cannot."""
        raise NotImplementedError

    def reach(self, ranges: Sequence[Pair], shapes: Sequence[Shape]) -> Pair:
        """Bound the node's values, and on the way to them sums in any order; 0 lies within.

        `ranges` bound the inputs, which are of `shapes`, in the same way. Coarse: one range stands
        for all channels and positions. `dataflow.ranges.intervals` is finer.
        """
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    def largest(self, ranges: Sequence[Pair], shapes: Sequence[Shape]) -> int:
        """Bound the absolute value of all that the node computes."""
        return max(map(abs, self.reach(ranges, shapes)))


@dataclass(frozen=True)
class _OneInput(Node):
    input: str

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.input,)


@dataclass(frozen=True)
class _Kernels(_OneInput):
    """Filters that slide over a map, weights `[out][kh][kw][in]`, pairs `(time, coefficient)`."""

    weights: npt.NDArray[np.int8]
    stride: Pair = (1, 1)
    padding: str = "VALID"
    biases: npt.NDArray[np.int32] | None = None
    dilation: Pair = (1, 1)
    weight_bits: int = WEIGHT_BITS

    @property
    def windows(self) -> Windows:
        """How the kernel lies on the map."""
        return Windows(self.weights.shape[1:3], self.stride, self.padding, self.dilation)

    def checked(self) -> Node:
        _check_window(self)
        return _with_arrays(self, axes=4)

    def output_shape(self, *shapes: Shape) -> Shape:
        _expect_axes(self, shapes[0], 3)
        self.expect_channels(shapes[0][2])
        return (*_grid(self, self.windows, shapes[0]), self.weights.shape[0])

    def expect_channels(self, channels: int) -> None:
        """Raise ValueError unless the filters fit so many input channels."""
        raise NotImplementedError

    def reach(self, ranges: Sequence[Pair], shapes: Sequence[Shape]) -> Pair:
        return _reach_of_sums(self, ranges[0])


@dataclass(frozen=True)
class Convolution(_Kernels):
    """Convolution of all channels: weights `[out][kh][kw][in]`."""

    kind: ClassVar[str] = "convolution"

    def expect_channels(self, channels: int) -> None:
        _expect_match(self, "input channels", channels, self.weights.shape[3])


@dataclass(frozen=True)
class DepthwiseConvolution(_Kernels):
    """Convolution of each channel alone, weights `[out][kh][kw][1]`.

    With `m` times as many outputs as input channels, output `o` reads channel `o // m`.
    """

    padding: str = "SAME"
    kind: ClassVar[str] = "depthwise convolution"

    def expect_channels(self, channels: int) -> None:
        _expect_match(self, "input channel a filter", 1, self.weights.shape[3])
        if self.weights.shape[0] % channels:
            raise ValueError(
                f"{self.name}.weights: expected a multiple of {channels} channels, "
                f"got {self.weights.shape[0]}"
            )


@dataclass(frozen=True)
class FullyConnected(_OneInput):
    """Matrix product with the flattened input: weights `[out][in]`, biases `[out]`."""

    weights: npt.NDArray[np.int8]
    biases: npt.NDArray[np.int32] | None = None
    weight_bits: int = WEIGHT_BITS
    kind: ClassVar[str] = "fully connected"

    def checked(self) -> Node:
        return _with_arrays(self, axes=2)

    def output_shape(self, *shapes: Shape) -> Shape:
        _expect_match(self, "inputs", math.prod(shapes[0]), self.weights.shape[1])
        return (self.weights.shape[0],)

    def reach(self, ranges: Sequence[Pair], shapes: Sequence[Shape]) -> Pair:
        return _reach_of_sums(self, ranges[0])


@dataclass(frozen=True)
class ShiftRelu(_OneInput):
    """Floor-shift by `shift` bits to the right, then ReLU; nothing is clipped from above."""

    shift: int
    kind: ClassVar[str] = "shift and ReLU"

    def checked(self) -> Node:
        _expect_integer(self, "shift", self.shift, 0, _MAX_SHIFT)
        return self

    def output_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def reach(self, ranges: Sequence[Pair], shapes: Sequence[Shape]) -> Pair:
        return 0, ranges[0][1] >> self.shift


@dataclass(frozen=True)
class Requantise(_OneInput):
    """Scale sums down to a few bits: `multipliers * 2^(exponents - 31)`, rounded and clamped.

    `q = clamp(round(value * 2^left_shift * multiplier * 2^(exponent - 31)) + zero_point)` lies in
    `low..high`; the node's value is `q - zero_point`. One multiplier (int32, 0 and up) and one
    exponent (int8, -31..30) for all channels, or one for each. `rounding` is one of
    `golden.requantisation.ROUNDINGS`.
    """

    multipliers: npt.NDArray[np.int32]
    exponents: npt.NDArray[np.int8]
    rounding: str
    zero_point: int = 0
    low: int = -128
    high: int = 127
    left_shift: int = 0
    kind: ClassVar[str] = "requantisation"

    @property
    def value_range(self) -> Pair:
        """Smallest and largest value that the node can give."""
        return self.low - self.zero_point, self.high - self.zero_point

    def checked(self) -> Node:
        if self.rounding not in ROUNDINGS:
            raise ValueError(
                f"{self.name}.rounding: expected one of {', '.join(ROUNDINGS)}, "
                f"got {self.rounding!r}"
            )
        _expect_integer(self, "left_shift", self.left_shift, 0, _MAX_SHIFT)
        _expect_integer(self, "low", self.low, INT32_MIN, INT32_MAX)
        _expect_integer(self, "high", self.high, self.low, INT32_MAX)
        _expect_integer(self, "zero_point", self.zero_point, self.low, self.high)
        multipliers = _integers(self, "multipliers", 1, 0, INT32_MAX, np.int32)
        exponents = _integers(self, "exponents", 1, MIN_EXPONENT, MAX_EXPONENT, np.int8)
        if multipliers.shape != exponents.shape:
            raise ValueError(
                f"{self.name}.exponents: expected {multipliers.size}, one a multiplier, "
                f"got {exponents.size}"
            )
        return replace(self, multipliers=multipliers, exponents=exponents)

    def output_shape(self, *shapes: Shape) -> Shape:
        if self.multipliers.size not in (1, shapes[0][-1]):
            raise ValueError(
                f"{self.name}.multipliers: expected 1 or {shapes[0][-1]}, one a channel, "
                f"got {self.multipliers.size}"
            )
        return shapes[0]

    def reach(self, ranges: Sequence[Pair], shapes: Sequence[Shape]) -> Pair:
        low, high = (end << self.left_shift for end in ranges[0])
        widest = max(-low, high) << max(int(self.exponents.max()), 0)
        if widest > INT32_MAX:
            raise ValueError(
                f"{self.name}: expected values that fit 32 bits before the multiplication, "
                f"they may reach {widest}"
            )
        pairs = zip(self.multipliers.tolist(), self.exponents.tolist(), strict=True)
        shifts = [(factor, FRACTION_BITS - exponent) for factor, exponent in pairs]
        scaled_low = -max(-low * factor >> shift for factor, shift in shifts) - 1
        scaled_high = max(high * factor >> shift for factor, shift in shifts) + 1
        return max(self.value_range[0], scaled_low), min(self.value_range[1], scaled_high)


@dataclass(frozen=True)
class Add(Node):
    """Sum of two or more feature maps of the same shape, element by element."""

    inputs: tuple[str, ...]
    kind: ClassVar[str] = "addition"

    @property
    def sources(self) -> tuple[str, ...]:
        return self.inputs

    def checked(self) -> Node:
        if not isinstance(self.inputs, tuple) or len(self.inputs) < 2:
            raise ValueError(f"{self.name}.inputs: expected two or more, got {self.inputs!r}")
        return self

    def output_shape(self, *shapes: Shape) -> Shape:
        if len(set(shapes)) > 1:
            raise ValueError(f"{self.name}: expected inputs of one shape, got {shapes}")
        return shapes[0]

    def reach(self, ranges: Sequence[Pair], shapes: Sequence[Shape]) -> Pair:
        return sum(low for low, _ in ranges), sum(high for _, high in ranges)


@dataclass(frozen=True)
class _Pool(_OneInput):
    """One value for each window and channel; window and stride `(time, coefficient)`."""

    window: Pair
    stride: Pair = (1, 1)
    padding: str = "VALID"

    @property
    def windows(self) -> Windows:
        """How the window lies on the map."""
        return Windows(self.window, self.stride, self.padding)

    def checked(self) -> Node:
        _check_window(self)
        return self

    def output_shape(self, *shapes: Shape) -> Shape:
        _expect_axes(self, shapes[0], 3)
        return (*_grid(self, self.windows, shapes[0]), shapes[0][2])


@dataclass(frozen=True)
class MaxPool(_Pool):
    """Largest value of each window; what lies outside the map does not count."""

    kind: ClassVar[str] = "max-pool"


@dataclass(frozen=True)
class AveragePool(_Pool):
    """Mean of what each window has inside the map, rounded to nearest, ties away from `q = 0`.

    The mean is that of `q = value + zero_point`, so ties go away from `-zero_point`.
    """

    zero_point: int = 0
    kind: ClassVar[str] = "average pool"

    def checked(self) -> Node:
        _expect_integer(self, "zero_point", self.zero_point, INT32_MIN, INT32_MAX)
        return super().checked()

    def largest(self, ranges: Sequence[Pair], shapes: Sequence[Shape]) -> int:
        count = self.window[0] * self.window[1]
        q = max(map(abs, ranges[0])) + abs(self.zero_point)
        return q * count + count // 2  # the half rounds


@dataclass(frozen=True)
class GlobalMaxPool(_OneInput):
    """Maximum over time and coefficient: `[t][c][channel]` becomes `[1][1][channel]`."""

    kind: ClassVar[str] = "global max-pool"

    def output_shape(self, *shapes: Shape) -> Shape:
        _expect_axes(self, shapes[0], 3)
        return (1, 1, shapes[0][2])


@dataclass(frozen=True)
class GlobalSumPool(_OneInput):
    """Sum over time and coefficient: `[t][c][channel]` becomes `[1][1][channel]`."""

    kind: ClassVar[str] = "global sum-pool"

    def output_shape(self, *shapes: Shape) -> Shape:
        _expect_axes(self, shapes[0], 3)
        return (1, 1, shapes[0][2])

    def reach(self, ranges: Sequence[Pair], shapes: Sequence[Shape]) -> Pair:
        count = shapes[0][0] * shapes[0][1]
        return ranges[0][0] * count, ranges[0][1] * count


@dataclass(frozen=True)
class Pad(_OneInput):
    """Zeros around a feature map: `amounts` before and after, for each of its axes."""

    amounts: tuple[Pair, ...]
    kind: ClassVar[str] = "padding"

    def checked(self) -> Node:
        paired = isinstance(self.amounts, tuple) and all(map(_is_pair, self.amounts))
        if not paired or not all(0 <= end <= INT32_MAX for pair in self.amounts for end in pair):
            raise ValueError(
                f"{self.name}.amounts: expected pairs of integers of 0 or more, "
                f"got {self.amounts!r}"
            )
        return self

    def output_shape(self, *shapes: Shape) -> Shape:
        _expect_axes(self, shapes[0], len(self.amounts))
        pairs = zip(self.amounts, shapes[0], strict=True)
        return tuple(before + size + after for (before, after), size in pairs)


@dataclass(frozen=True)
class Reshape(_OneInput):
    """The same values in the same order (the last axis fastest) under another shape."""

    shape: Shape
    kind: ClassVar[str] = "reshaping"

    def checked(self) -> Node:
        check_shape(f"{self.name}.shape", self.shape)
        return self

    def output_shape(self, *shapes: Shape) -> Shape:
        if math.prod(self.shape) != math.prod(shapes[0]):
            raise ValueError(
                f"{self.name}.shape: expected {math.prod(shapes[0])} elements as in "
                f"{shapes[0]}, got {self.shape}"
            )
        return self.shape


WeightedNode = Convolution | DepthwiseConvolution | FullyConnected
PoolNode = MaxPool | AveragePool
KeepsValues = MaxPool | GlobalMaxPool | Pad | Reshape  # gives values of its input, or zeros
NODE_KINDS: Mapping[str, type[Node]] = {
    node.kind: node
    for node in (
        *(Convolution, DepthwiseConvolution, FullyConnected),
        *(ShiftRelu, Requantise, Add),
        *(GlobalMaxPool, GlobalSumPool, MaxPool, AveragePool),
        *(Pad, Reshape),
    )
}
# Fields that networks of the first format did not have; at their defaults they are not stored.
LATER_FIELDS = frozenset({"biases", "dilation", "weight_bits"})


def checked_node(node: Node) -> Node:
    """Return the node with read-only arrays, each of its type and within its range."""
    if type(node) not in NODE_KINDS.values():
        raise TypeError(f"nodes: expected one of {sorted(NODE_KINDS)}, got {type(node).__name__}")
    if not isinstance(node.name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", node.name):
        raise ValueError(f"nodes: expected a name of a-z, 0-9 and _, got {node.name!r}")
    for name in node.sources:
        if not isinstance(name, str):
            raise ValueError(f"{node.name}.input: expected an earlier node, got {name!r}")
    return node.checked()


def check_shape(what: str, shape: Any) -> None:
    """Raise ValueError unless `shape` has one to three sizes above 0."""
    sizes = isinstance(shape, tuple) and all(type(size) is int and size > 0 for size in shape)
    if not sizes or not 1 <= len(shape) <= 3:
        raise ValueError(f"{what}: expected one to three integers above 0, got {shape!r}")


def arrays_of(node: Node) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays that a node holds, by field; optional ones only where they are there."""
    values = {field.name: getattr(node, field.name) for field in fields(node)}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def plain_fields(node: Node) -> dict[str, Any]:
    """Return a node's other fields; later ones only where they differ from their default.

    This is what files store, so that networks made before those fields keep their digest and text.
    """
    values = {field.name: getattr(node, field.name) for field in fields(node)}
    return {
        name: value
        for name, value in values.items()
        if not isinstance(value, np.ndarray)
        and not (name in LATER_FIELDS and value == getattr(type(node), name))
    }


def _with_arrays(node: _Kernels | FullyConnected, axes: int) -> Node:
    """Return a weighted node with its arrays checked and read-only."""
    _expect_integer(node, "weight_bits", node.weight_bits, 2, 8)
    weights = _integers(node, "weights", axes, *signed_limits(node.weight_bits), np.int8)
    if node.biases is None:
        return replace(node, weights=weights)
    biases = _integers(node, "biases", 1, INT32_MIN, INT32_MAX, np.int32)
    if len(biases) != len(weights):
        raise ValueError(
            f"{node.name}.biases: expected {len(weights)}, one an output, got {len(biases)}"
        )
    return replace(node, weights=weights, biases=biases)


def _reach_of_sums(node: _Kernels | FullyConnected, inputs: Pair) -> Pair:
    weights = node.weights.reshape(len(node.weights), -1).astype(np.int64)
    rising = weights.clip(min=0).sum(axis=1).tolist()
    falling = weights.clip(max=0).sum(axis=1).tolist()
    biases = [0] * len(weights) if node.biases is None else node.biases.tolist()
    low, high = inputs
    sums = list(zip(rising, falling, biases, strict=True))
    return (
        min(up * low + down * high + min(bias, 0) for up, down, bias in sums),
        max(up * high + down * low + max(bias, 0) for up, down, bias in sums),
    )


def _check_window(node: _Kernels | _Pool) -> None:
    if node.padding not in ("SAME", "VALID"):
        raise ValueError(f"{node.name}.padding: expected SAME or VALID, got {node.padding!r}")
    pairs = {"stride": node.stride}
    if isinstance(node, _Pool):
        pairs["window"] = node.window
    else:
        pairs["dilation"] = node.dilation
    for field, pair in pairs.items():
        if not _is_pair(pair) or not all(0 < step <= INT32_MAX for step in pair):
            raise ValueError(f"{node.name}.{field}: expected two integers above 0, got {pair!r}")


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and [type(number) for number in value] == [int, int]


def _grid(node: Node, windows: Windows, shape: Shape) -> Pair:
    grid = windows.grid(shape)
    for count, extent in zip(grid, windows.extent, strict=True):
        if count < 1:
            raise ValueError(f"{node.name}: expected a window within {shape}, kernel is {extent}")
    return grid


def _integers(
    node: Node, field: str, axes: int, low: int, high: int, dtype: type[np.integer[Any]]
) -> npt.NDArray[Any]:
    values: Any = getattr(node, field)
    if not isinstance(values, np.ndarray) or not np.issubdtype(values.dtype, np.integer):
        found = getattr(values, "dtype", type(values).__name__)
        raise TypeError(f"{node.name}.{field}: expected an array of integers, got {found}")
    if values.ndim != axes or values.size == 0:
        raise ValueError(
            f"{node.name}.{field}: expected {axes} axes, none empty, got shape {values.shape}"
        )
    outside = (values < low) | (values > high)
    if outside.any():
        place = tuple(int(i) for i in np.argwhere(outside)[0])
        raise ValueError(
            f"{node.name}.{field}: expected integers in {low}..{high}, "
            f"got {values[place]} at {place}"
        )
    return archive.read_only(values.astype(dtype))


def _expect_integer(node: Node, field: str, value: Any, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(
            f"{node.name}.{field}: expected an integer in {low}..{high}, got {value!r}"
        )


def _expect_axes(node: Node, shape: Shape, axes: int) -> None:
    if len(shape) != axes:
        raise ValueError(f"{node.name}: expected an input of {axes} axes, got shape {shape}")


def _expect_match(node: Node, what: str, expected: int, found: int) -> None:
    if expected != found:
        raise ValueError(f"{node.name}.weights: expected {expected} {what}, got {found}")
