"""`IntegerNetwork`: the one hand-over between learning and hardware.

Frozen dataclasses of named nodes with named inputs, integer weights, shifts, shapes, labels and the
feature settings that made the input. It is validated when it is built; whoever holds one need not
check it again. Its digest is written into every artefact made from it.

Axis order: feature maps are `[time][coefficient][channel]`, weights `[out][kernel time]
[kernel coefficient][in]`.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from golden import archive
from golden.integer_math import WEIGHT_MAX, WEIGHT_MIN

KIND = "integer network"
INPUT_NAME = "fingerprint"
INPUT_MIN = -32
INPUT_MAX = 31
BIAS_MIN = -(2**31)
BIAS_MAX = 2**31 - 1
_INT64_MAX = 2**63 - 1

Shape = tuple[int, ...]


@dataclass(frozen=True)
class FeatureSettings:
    """How a clip becomes a fingerprint: MFCC as the TensorFlow `Mfcc` op defines them, rounded."""

    sample_rate_hz: int = 16_000
    clip_ms: int = 1_000
    window_ms: float = 40.0
    stride_ms: float = 33.0
    mel_bands: int = 40
    lower_hz: float = 20.0
    upper_hz: float = 4_000.0
    coefficients: int = 10

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            kind = float if isinstance(field.default, float) else int
            number = _number(f"features.{field.name}", getattr(self, field.name), kind)
            object.__setattr__(self, field.name, number)
            if number <= 0 and field.name != "lower_hz":
                raise ValueError(f"features.{field.name}: expected more than 0, got {number}")
        if not 0 <= self.lower_hz < self.upper_hz <= self.sample_rate_hz / 2:
            raise ValueError(
                f"features: expected 0 <= lower_hz < upper_hz <= {self.sample_rate_hz / 2} Hz, "
                f"got {self.lower_hz} and {self.upper_hz}"
            )
        if self.coefficients > self.mel_bands:
            raise ValueError(
                f"features.coefficients: expected at most mel_bands ({self.mel_bands}), "
                f"got {self.coefficients}"
            )
        if self.window_samples > self.clip_samples:
            raise ValueError(
                f"features.window_ms: expected at most the clip's {self.clip_ms} ms, "
                f"got {self.window_ms}"
            )
        if self.window_samples < 2 or self.stride_samples < 1:
            raise ValueError(
                f"features: expected a window of 2 samples and a stride of 1 or more, "
                f"got {self.window_samples} and {self.stride_samples}"
            )

    @property
    def clip_samples(self) -> int:
        return self.sample_rate_hz * self.clip_ms // 1_000

    @property
    def window_samples(self) -> int:
        return int(self.sample_rate_hz * self.window_ms / 1_000)

    @property
    def stride_samples(self) -> int:
        return int(self.sample_rate_hz * self.stride_ms / 1_000)

    @property
    def frames(self) -> int:
        return 1 + (self.clip_samples - self.window_samples) // self.stride_samples


@dataclass(frozen=True)
class Node:
    """A layer: its own name and the name of the node that feeds it."""

    name: str
    input: str
    kind: ClassVar[str] = "node"

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape that this node makes of `input_shape`; ValueError if it cannot."""
        raise NotImplementedError


@dataclass(frozen=True)
class Convolution(Node):
    """Bias-free convolution, weights int8 `[out][kh][kw][in]`, stride `(time, coefficient)`."""

    weights: npt.NDArray[np.int8]
    stride: tuple[int, int] = (1, 1)
    padding: str = "VALID"
    kind: ClassVar[str] = "convolution"

    def output_shape(self, input_shape: Shape) -> Shape:
        _expect_axes(self, input_shape, 3)
        _expect_match(self, "input channels", input_shape[2], self.weights.shape[3])
        return (*_window_grid(self, input_shape), self.weights.shape[0])


@dataclass(frozen=True)
class DepthwiseConvolution(Node):
    """Bias-free convolution of each channel alone, weights int8 `[channel][kh][kw][1]`."""

    weights: npt.NDArray[np.int8]
    stride: tuple[int, int] = (1, 1)
    padding: str = "SAME"
    kind: ClassVar[str] = "depthwise convolution"

    def output_shape(self, input_shape: Shape) -> Shape:
        _expect_axes(self, input_shape, 3)
        _expect_match(self, "multiplier", 1, self.weights.shape[3])
        _expect_match(self, "channels", input_shape[2], self.weights.shape[0])
        return (*_window_grid(self, input_shape), input_shape[2])


@dataclass(frozen=True)
class ShiftRelu(Node):
    """Floor-shift by `shift` bits to the right, then ReLU; nothing is clipped from above."""

    shift: int
    kind: ClassVar[str] = "shift and ReLU"

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


@dataclass(frozen=True)
class GlobalMaxPool(Node):
    """Maximum over time and coefficient: `[t][c][channel]` becomes `[1][1][channel]`."""

    kind: ClassVar[str] = "global max-pool"

    def output_shape(self, input_shape: Shape) -> Shape:
        _expect_axes(self, input_shape, 3)
        return (1, 1, input_shape[2])


@dataclass(frozen=True)
class FullyConnected(Node):
    """Matrix product with the flattened input: weights int8 `[out][in]`, biases int32 `[out]`."""

    weights: npt.NDArray[np.int8]
    biases: npt.NDArray[np.int32]
    kind: ClassVar[str] = "fully connected"

    def output_shape(self, input_shape: Shape) -> Shape:
        _expect_match(self, "inputs", int(np.prod(input_shape)), self.weights.shape[1])
        return (self.weights.shape[0],)


NODE_KINDS: Mapping[str, type[Node]] = {
    node.kind: node
    for node in (Convolution, DepthwiseConvolution, ShiftRelu, GlobalMaxPool, FullyConnected)
}
WeightedNode = Convolution | DepthwiseConvolution | FullyConnected


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """A keyword-spotting network whose every number is an integer.

    `nodes` are in order of computation; each reads an earlier node or `fingerprint`, the input of
    shape `input_shape` = `(time, coefficient)` with values in -32..31. The last node gives the
    logits, one a label. Two networks with the same digest are the same network.

    Raises ValueError or TypeError, naming node, rule and place, when anything does not hold.
    """

    nodes: tuple[Node, ...]
    labels: tuple[str, ...]
    input_shape: tuple[int, int]
    features: FeatureSettings

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", tuple(_checked(node) for node in self.nodes))
        object.__setattr__(self, "labels", tuple(self.labels))
        _check_names(self.nodes)
        _check_labels(self.labels)
        if not isinstance(self.features, FeatureSettings):
            raise TypeError(
                f"features: expected FeatureSettings, got {type(self.features).__name__}"
            )
        input_shape = (self.features.frames, self.features.coefficients)
        if not np.array_equal(self.input_shape, input_shape):
            raise ValueError(
                f"input_shape: expected {input_shape} from the feature settings, "
                f"got {self.input_shape}"
            )
        object.__setattr__(self, "input_shape", input_shape)
        shapes = self.shapes
        if shapes[self.nodes[-1].name] != (len(self.labels),):
            raise ValueError(
                f"labels: expected one for each of the outputs {shapes[self.nodes[-1].name]} "
                f"of {self.nodes[-1].name}, got {len(self.labels)}"
            )
        for name, reach in self.magnitudes.items():
            if reach > _INT64_MAX:
                raise ValueError(f"{name}: expected sums that fit 64 bits, they may reach {reach}")

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """Shape of every node's output, the input included, without the batch axis.

        The input counts as one channel: `fingerprint` is `(time, coefficient, 1)`.
        """
        shapes: dict[str, Shape] = {INPUT_NAME: (*self.input_shape, 1)}
        for node in self.nodes:
            if not isinstance(node.input, str) or node.input not in shapes:
                raise ValueError(f"{node.name}.input: expected an earlier node, got {node.input!r}")
            shapes[node.name] = node.output_shape(shapes[node.input])
        return shapes

    @cached_property
    def magnitudes(self) -> Mapping[str, int]:
        """A bound on the absolute value of all that each node computes, sums in any order included.

        Coarse: it takes every input of a node to be as large as the largest can be.
        """
        reach = {INPUT_NAME: max(-INPUT_MIN, INPUT_MAX)}
        for node in self.nodes:
            reach[node.name] = reach[node.input]
            if isinstance(node, WeightedNode):
                weights = np.abs(node.weights.astype(np.int64))
                reach[node.name] *= int(weights.reshape(len(weights), -1).sum(axis=1).max())
            if isinstance(node, FullyConnected):
                reach[node.name] += int(np.abs(node.biases.astype(np.int64)).max())
            if isinstance(node, ShiftRelu):
                reach[node.name] >>= node.shift
        return reach

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical bytes: the identity of this network."""
        return archive.digest_of(KIND, self._description(), self._arrays())

    @property
    def output_name(self) -> str:
        """Name of the node that gives the logits."""
        return self.nodes[-1].name

    @property
    def weighted_nodes(self) -> tuple[WeightedNode, ...]:
        """The nodes that hold weights, in order."""
        return tuple(node for node in self.nodes if isinstance(node, WeightedNode))

    def node(self, name: str) -> Node:
        """Return the node of that name; KeyError if there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def consumer(self, name: str) -> Node | None:
        """Return the first node that reads `name`, or None."""
        return next((node for node in self.nodes if node.input == name), None)

    def to_bytes(self) -> bytes:
        """Return the bytes of the network file."""
        return archive.archive_bytes(KIND, self._description(), self._arrays())

    def save(self, path: Path | str) -> None:
        """Write the network as `.npz` (no pickles; its JSON description is a member of it)."""
        archive.write_archive(Path(path), KIND, self._description(), self._arrays())

    @staticmethod
    def load(path: Path | str) -> IntegerNetwork:
        """Read a network file; ValueError if it is truncated, foreign, tampered with or invalid."""
        stored = archive.read_archive(Path(path), KIND)
        try:
            network = _from_archive(stored)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: not a valid integer network: {error}") from error
        if network.digest != stored.digest:
            raise ValueError(
                f"{path}: not a valid integer network: it holds more than a network does"
            )
        return network

    def _description(self) -> dict[str, Any]:
        return {
            "nodes": [_describe(node) for node in self.nodes],
            "labels": list(self.labels),
            "input_shape": list(self.input_shape),
            "features": dataclasses.asdict(self.features),
        }

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {
            f"{node.name}.{field.name}": getattr(node, field.name)
            for node in self.nodes
            for field in dataclasses.fields(node)
            if isinstance(getattr(node, field.name), np.ndarray)
        }


def _from_archive(stored: archive.Archive) -> IntegerNetwork:
    description = stored.description
    nodes = []
    for entry in description["nodes"]:
        values = {key: value for key, value in entry.items() if key != "kind"}
        for field in dataclasses.fields(NODE_KINDS[entry["kind"]]):
            array = stored.arrays.get(f"{entry['name']}.{field.name}")
            if array is not None:
                values[field.name] = array
            elif field.name == "stride":
                values["stride"] = tuple(values["stride"])
        nodes.append(NODE_KINDS[entry["kind"]](**values))
    return IntegerNetwork(
        nodes=tuple(nodes),
        labels=tuple(description["labels"]),
        input_shape=tuple(description["input_shape"]),
        features=FeatureSettings(**description["features"]),
    )


def _describe(node: Node) -> dict[str, Any]:
    values = {field.name: getattr(node, field.name) for field in dataclasses.fields(node)}
    plain = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if not isinstance(value, np.ndarray)
    }
    return {"kind": node.kind, **plain}


def _checked(node: Node) -> Node:
    """Return the node with read-only arrays, each of its type and within its range."""
    if type(node) not in NODE_KINDS.values():
        raise TypeError(f"nodes: expected one of {sorted(NODE_KINDS)}, got {type(node).__name__}")
    if not isinstance(node.name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", node.name):
        raise ValueError(f"nodes: expected a name of a-z, 0-9 and _, got {node.name!r}")
    if isinstance(node, ShiftRelu) and not (type(node.shift) is int and 0 <= node.shift <= 31):
        raise ValueError(f"{node.name}.shift: expected an integer in 0..31, got {node.shift!r}")
    if isinstance(node, Convolution | DepthwiseConvolution):
        _check_convolution(node)
    if isinstance(node, WeightedNode):
        axes = 2 if isinstance(node, FullyConnected) else 4
        weights = _integers(node, "weights", node.weights, axes, WEIGHT_MIN, WEIGHT_MAX, np.int8)
        node = dataclasses.replace(node, weights=weights)
    if isinstance(node, FullyConnected):
        biases = _integers(node, "biases", node.biases, 1, BIAS_MIN, BIAS_MAX, np.int32)
        _expect_match(node, "outputs", biases.shape[0], node.weights.shape[0])
        node = dataclasses.replace(node, biases=biases)
    return node


def _check_labels(labels: tuple[str, ...]) -> None:
    for label in labels:
        if not isinstance(label, str):
            raise TypeError(f"labels: expected strings, got {label!r}")
        if not label.isprintable() or not label or label != label.strip():
            raise ValueError(f"labels: expected printable words, got {label!r}")
    if len(set(labels)) != len(labels):
        raise ValueError(f"labels: expected each once, got {list(labels)}")


def _number(name: str, value: Any, kind: type[int] | type[float]) -> int | float:
    """Return a finite number as `kind`, so that 40 and 40.0 give the same digest."""
    numbers = (int, float, np.integer, np.floating) if kind is float else (int, np.integer)
    if isinstance(value, bool) or not isinstance(value, numbers):
        raise TypeError(f"{name}: expected {kind.__name__}, got {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{name}: expected a finite number, got {value}")
    return kind(value)


def _check_convolution(node: Convolution | DepthwiseConvolution) -> None:
    if node.padding not in ("SAME", "VALID"):
        raise ValueError(f"{node.name}.padding: expected SAME or VALID, got {node.padding!r}")
    if np.shape(node.stride) != (2,) or not all(
        type(step) is int and step > 0 for step in node.stride
    ):
        raise ValueError(f"{node.name}.stride: expected two integers above 0, got {node.stride!r}")


def _integers(
    node: Node,
    field: str,
    values: Any,
    axes: int,
    low: int,
    high: int,
    dtype: type[np.integer[Any]],
) -> npt.NDArray[Any]:
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


def _check_names(nodes: tuple[Node, ...]) -> None:
    if not nodes:
        raise ValueError("nodes: expected at least one, got none")
    seen = {INPUT_NAME}
    for node in nodes:
        if node.name in seen:
            raise ValueError(f"nodes: expected each name once, got {node.name!r} twice")
        seen.add(node.name)


def _window_grid(node: Convolution | DepthwiseConvolution, input_shape: Shape) -> tuple[int, int]:
    """Number of window positions along time and coefficient (TensorFlow's VALID and SAME rules)."""
    grid = []
    for size, kernel, step in zip(input_shape, node.weights.shape[1:3], node.stride, strict=False):
        count = -(-size // step) if node.padding == "SAME" else (size - kernel) // step + 1
        if count < 1:
            raise ValueError(
                f"{node.name}: expected a window within {input_shape}, kernel is {kernel}"
            )
        grid.append(count)
    return grid[0], grid[1]


def _expect_axes(node: Node, shape: Shape, axes: int) -> None:
    if len(shape) != axes:
        raise ValueError(f"{node.name}: expected an input of {axes} axes, got shape {shape}")


def _expect_match(node: Node, what: str, expected: int, found: int) -> None:
    if expected != found:
        raise ValueError(f"{node.name}.weights: expected {expected} {what}, got {found}")
