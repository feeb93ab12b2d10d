"""`IntegerNetwork`: the one hand-over between learning and hardware.

A frozen graph of named nodes (`golden.nodes`) with integer weights, its labels, and what its input
is. It is validated when it is built; whoever holds one need not check it again. Its digest is
written into every artefact made from it.

Axis order: feature maps are `[time][coefficient][channel]`, weights `[out][kernel time]
[kernel coefficient][in]`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden import archive
from golden.integer_math import signed_limits
from golden.nodes import (
    NODE_KINDS,
    AveragePool,
    KeepsValues,
    Node,
    Requantise,
    WeightedNode,
    arrays_of,
    check_shape,
    checked_node,
    plain_fields,
)
from golden.windows import Pair, Shape

KIND = "integer network"
INPUT_NAME = "fingerprint"
INPUT_MIN, INPUT_MAX = signed_limits(6)  # of floor-shift networks
ROUNDING_RULES = ("tflm", "litert", "single")
_INT64_MAX = 2**63 - 1


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
class InputFormat:
    """Which integers the network takes, int8 in `low..high`, and what they stand for.

    The first layers see `q - zero_point`. `scale` is the real value of a step: features that are
    real numbers become `q = round(real / scale) + zero_point`; None where they are integers.
    """

    low: int = INPUT_MIN
    high: int = INPUT_MAX
    zero_point: int = 0
    scale: float | None = None

    def __post_init__(self) -> None:
        for field in ("low", "high", "zero_point"):
            number = _number(f"input_format.{field}", getattr(self, field), int)
            object.__setattr__(self, field, number)
        if not -128 <= self.low < self.high <= 127:
            raise ValueError(
                f"input_format: expected -128 <= low < high <= 127, got {self.low} and {self.high}"
            )
        if not self.low <= self.zero_point <= self.high:
            raise ValueError(
                f"input_format.zero_point: expected {self.low}..{self.high}, got {self.zero_point}"
            )
        if self.scale is not None:
            object.__setattr__(self, "scale", _number("input_format.scale", self.scale, float))
            if self.scale <= 0:
                raise ValueError(f"input_format.scale: expected more than 0, got {self.scale}")

    @property
    def value_range(self) -> tuple[int, int]:
        """Smallest and largest value that the first layers see."""
        return self.low - self.zero_point, self.high - self.zero_point


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """A keyword-spotting network whose every number is an integer.

    `nodes` are in order of computation; each reads earlier nodes or `fingerprint`, the input, whose
    `input_shape` is `(time, coefficient)`, `(time, coefficient, channel)` or `(value,)` and whose
    values are those of `input_format`. The last node gives the logits, one a label; every other one
    is read. `features` say how a clip becomes an input, where that is known. `rounding` names the
    rule of an 8-bit network (`ROUNDING_RULES`). Two networks with the same digest are the same
    network.

    Raises ValueError or TypeError, naming node, rule and place, when anything does not hold.
    """

    nodes: tuple[Node, ...]
    labels: tuple[str, ...]
    input_shape: Shape
    features: FeatureSettings | None
    input_format: InputFormat = dataclasses.field(default_factory=InputFormat)
    rounding: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", tuple(checked_node(node) for node in self.nodes))
        object.__setattr__(self, "labels", tuple(self.labels))
        _check_names(self.nodes)
        _check_labels(self.labels)
        self._check_input()
        if self.rounding not in (None, *ROUNDING_RULES):
            raise ValueError(
                f"rounding: expected one of {', '.join(ROUNDING_RULES)}, got {self.rounding!r}"
            )
        shapes = self.shapes
        _check_readers(self.nodes)
        if shapes[self.nodes[-1].name] != (len(self.labels),):
            raise ValueError(
                f"labels: expected one for each of the outputs {shapes[self.nodes[-1].name]} "
                f"of {self.nodes[-1].name}, got {len(self.labels)}"
            )
        for name, reach in self.magnitudes.items():
            if reach > _INT64_MAX:
                raise ValueError(f"{name}: expected sums that fit 64 bits, they may reach {reach}")

    def _check_input(self) -> None:
        if not isinstance(self.features, FeatureSettings | None):
            raise TypeError(
                f"features: expected FeatureSettings, got {type(self.features).__name__}"
            )
        if not isinstance(self.input_format, InputFormat):
            raise TypeError(
                f"input_format: expected InputFormat, got {type(self.input_format).__name__}"
            )
        if self.features is None:
            check_shape("input_shape", self.input_shape)
            return
        input_shape = (self.features.frames, self.features.coefficients)
        if not np.array_equal(self.input_shape, input_shape):
            raise ValueError(
                f"input_shape: expected {input_shape} from the feature settings, "
                f"got {self.input_shape}"
            )
        object.__setattr__(self, "input_shape", input_shape)

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """Shape of every node's output, the input included, without the batch axis.

        An input `(time, coefficient)` counts as one channel: `(time, coefficient, 1)`.
        """
        single = (1,) if len(self.input_shape) == 2 else ()
        shapes: dict[str, Shape] = {INPUT_NAME: (*self.input_shape, *single)}
        names = {node.name for node in self.nodes}
        for node in self.nodes:
            for source in node.sources:
                if source not in shapes:
                    later = " (a later one, or itself)" if source in names else ""
                    raise ValueError(
                        f"{node.name}.input: expected an earlier node, got {source!r}{later}"
                    )
            shapes[node.name] = node.output_shape(*(shapes[source] for source in node.sources))
        return shapes

    @cached_property
    def reaches(self) -> Mapping[str, Pair]:
        """A range that each node's values, and sums in any order on the way to them, cannot leave.

        Coarse: one range stands for all channels and positions of an input (`Node.reach`).
        """
        reaches = {INPUT_NAME: self.input_format.value_range}
        for node in self.nodes:
            reaches[node.name] = node.reach(*self._seen_by(node, reaches))
        return reaches

    @cached_property
    def magnitudes(self) -> Mapping[str, int]:
        """A bound on the absolute value of all that each node computes; as coarse as `reaches`."""
        magnitudes = {INPUT_NAME: max(map(abs, self.reaches[INPUT_NAME]))}
        for node in self.nodes:
            magnitudes[node.name] = node.largest(*self._seen_by(node, self.reaches))
        return magnitudes

    def _seen_by(self, node: Node, reaches: Mapping[str, Pair]) -> tuple[list[Pair], list[Shape]]:
        """Return the ranges and the shapes of a node's inputs."""
        return [reaches[name] for name in node.sources], [self.shapes[n] for n in node.sources]

    @cached_property
    def multiplications(self) -> Mapping[str, int]:
        """Multiplications of weights for one input, by weighted node; padding zeros are counted."""
        return {
            node.name: math.prod(self.shapes[node.name]) * node.weights[0].size
            for node in self.weighted_nodes
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical bytes: the identity of this network."""
        return archive.digest_of(KIND, self._description(), self._arrays())

    @cached_property
    def zero_points(self) -> Mapping[str, int]:
        """Zero point of every centred layer, the input included: `q = value + zero_point`.

        Sums have none, and layers of floor-shift networks have none or 0.
        """
        known = {INPUT_NAME: self.input_format.zero_point}
        for node in self.nodes:
            if isinstance(node, Requantise | AveragePool):
                known[node.name] = node.zero_point
            elif isinstance(node, KeepsValues) and node.sources[0] in known:
                known[node.name] = known[node.sources[0]]
        return known

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
        return next((node for node in self.nodes if name in node.sources), None)

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
        description: dict[str, Any] = {
            "nodes": [_describe(node) for node in self.nodes],
            "labels": list(self.labels),
            "input_shape": list(self.input_shape),
        }
        if self.features is not None:
            description["features"] = dataclasses.asdict(self.features)
        if self.input_format != InputFormat():
            description["input_format"] = dataclasses.asdict(self.input_format)
        if self.rounding is not None:
            description["rounding"] = self.rounding
        return description

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {
            f"{node.name}.{field}": array
            for node in self.nodes
            for field, array in arrays_of(node).items()
        }


def _from_archive(stored: archive.Archive) -> IntegerNetwork:
    description = stored.description
    features, input_format = description.get("features"), description.get("input_format", {})
    return IntegerNetwork(
        nodes=tuple(_node_from(entry, stored.arrays) for entry in description["nodes"]),
        labels=tuple(description["labels"]),
        input_shape=tuple(description["input_shape"]),
        features=None if features is None else FeatureSettings(**features),
        input_format=InputFormat(**input_format),
        rounding=description.get("rounding"),
    )


def _node_from(entry: Mapping[str, Any], arrays: archive.Arrays) -> Node:
    if entry["kind"] not in NODE_KINDS:
        raise ValueError(
            f"nodes: expected one of {sorted(NODE_KINDS)}, got {entry['kind']!r} "
            "(a network of a later version?)"
        )
    kind = NODE_KINDS[entry["kind"]]
    values = {key: _tuples(value) for key, value in entry.items() if key != "kind"}
    for field in dataclasses.fields(kind):
        array = arrays.get(f"{entry['name']}.{field.name}")
        if array is not None:
            values[field.name] = array
    return kind(**values)


def _describe(node: Node) -> dict[str, Any]:
    """Return a node's kind and its fields but its arrays; the digest hashes what is here."""
    return {
        "kind": node.kind,
        **{name: _lists(value) for name, value in plain_fields(node).items()},
    }


def _lists(value: Any) -> Any:
    return [_lists(item) for item in value] if isinstance(value, tuple) else value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


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


def _check_names(nodes: tuple[Node, ...]) -> None:
    if not nodes:
        raise ValueError("nodes: expected at least one, got none")
    seen = {INPUT_NAME}
    for node in nodes:
        if node.name in seen:
            raise ValueError(f"nodes: expected each name once, got {node.name!r} twice")
        seen.add(node.name)


def _check_readers(nodes: tuple[Node, ...]) -> None:
    """Raise ValueError if a node before the last is read by none: it would be a second output."""
    read = {source for node in nodes for source in node.sources}
    for node in nodes[:-1]:
        if node.name not in read:
            raise ValueError(
                f"{node.name}: expected a node that reads it, got none; "
                f"only the last, {nodes[-1].name}, is an output"
            )
