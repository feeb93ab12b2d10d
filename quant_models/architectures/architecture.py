"""What every architecture states: its sizes, and the layers of its two forms.

The float form is a chain of `float_layers.FloatLayer`, as the architecture was published. The
floor-shift form, where there is one, is a chain of `Block`: its weights and inputs are integers,
and it has no biases but those of its last layer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from golden.windows import Pair, Shape
from quant_models.architectures.float_layers import FloatLayer

CONVOLUTION = "convolution"
DEPTHWISE = "depthwise convolution"
DENSE = "dense"

# Why integers do not compute recurrent architectures.
RECURRENT = (
    "its state goes through sigmoid, tanh and products of two signals, frame after frame, and an "
    "integer graph has neither a state nor nodes for those"
)


@dataclass(frozen=True)
class Block:
    """A layer with weights in floor-shift form, with the floor-shift and the ReLU behind it.

    `name` is that of its node, `weights` and `biases` those of its parameters in a checkpoint;
    `shape` is that of the weights, in Keras' axis order. Without a `shift` there is neither shift
    nor ReLU. Behind the ReLU of a `pooled` block stands the maximum over the map.
    """

    name: str
    kind: str
    weights: str
    shape: Shape
    stride: Pair = (1, 1)
    padding: str = "VALID"
    biases: str | None = None
    shift: int | None = None
    pooled: bool = False

    @property
    def relu(self) -> str:
        """Name of the node that shifts and cuts off below 0."""
        return f"{self.name}_relu"

    @property
    def parameter_shapes(self) -> dict[str, Shape]:
        """Shape of each of its parameters, by its name in a checkpoint."""
        biases = {} if self.biases is None else {self.biases: self.shape[-1:]}
        return {self.weights: self.shape, **biases}


class Architecture(ABC):
    """A kind of network with its sizes; one class each, by the name of `--model_architecture`.

    `EXPECTED` says what `--model_size_info` lists, `DEFAULT_INFO` are the sizes if none are given.
    `NO_INTEGERS` says why integers cannot compute it, None where they can.
    """

    NAME: ClassVar[str]
    EXPECTED: ClassVar[str]
    DEFAULT_INFO: ClassVar[tuple[int, ...]]
    NO_INTEGERS: ClassVar[str | None] = None

    @classmethod
    @abstractmethod
    def parse(cls, info: Sequence[int]) -> Self:
        """Read `--model_size_info`.

        Raises ValueError for another number of values, or values that no network has; TypeError for
        values that are not integers.
        """

    @property
    @abstractmethod
    def info(self) -> tuple[int, ...]:
        """The sizes as `--model_size_info` takes them."""

    @abstractmethod
    def float_layers(self, labels: int) -> tuple[FloatLayer, ...]:
        """Return the layers of the float form; the last gives a logit for each label."""

    @property
    def shift_count(self) -> int:
        """Number of shifts of the floor-shift form; only where `NO_INTEGERS` is None."""
        raise NotImplementedError

    def blocks(self, shifts: Sequence[int], grid: Pair, labels: int) -> tuple[Block, ...]:
        """Return the layers of the floor-shift form on fingerprints `[time][coefficient]`.

        Only where `NO_INTEGERS` is None.
        """
        raise NotImplementedError

    def require_fit(self, grid: Pair) -> None:  # noqa: B027, most architectures have no kernels
        """Raise ValueError at the first layer whose kernel is larger than the map it slides over.

        `grid` is the shape of the fingerprints, `(time, coefficient)`.
        """


def sizes(expected: str, info: Sequence[int], count: int | None = None) -> list[int]:
    """Return the numbers of `--model_size_info` as a list of `count`, or of any number above 0.

    Raises ValueError, saying what was `expected`, for another number of values or one below 1;
    TypeError for values that are not integers.
    """
    require_integers("model_size_info", info)
    if not info or count not in (None, len(info)):
        raise ValueError(
            f"model_size_info: expected {expected}, got {' '.join(map(str, info)) or 'nothing'}"
        )
    for place, number in enumerate(info, start=1):
        if number < 1:
            raise ValueError(
                f"model_size_info: expected numbers above 0, got {number} in place {place}"
            )
    return list(info)


def require_integers(name: str, values: Sequence[object]) -> None:
    """Raise TypeError unless all values are integers."""
    for value in values:
        if type(value) is not int:
            raise TypeError(f"{name}: expected integers, got {value!r}")


def require_kernel_fits(layer: str, kernel: Pair, grid: Pair, place: str) -> None:
    """Raise ValueError unless a kernel without padding fits a map."""
    if kernel[0] > grid[0] or kernel[1] > grid[1]:
        raise ValueError(
            f"model_size_info: expected the kernel of {layer} within {place} of "
            f"{grid[0]} x {grid[1]}, got {kernel[0]} x {kernel[1]}"
        )
