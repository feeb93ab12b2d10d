"""Sizes of a DS-CNN: what `--model_size_info`, `--padding` and `--shifts` say.

A network of L layers is one convolution, then L - 1 separable layers, each a depthwise and a
pointwise convolution. `ModelSize.blocks` is that chain, convolution by convolution; parameters,
Keras model and `IntegerNetwork` are all made by walking it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from golden.network import FeatureSettings
from golden.windows import Windows

CONV_1 = "DS-CNN/conv_1/weights"
MAX_POOL = "max_pool"
FC1 = "DS-CNN/fc1/weights"
FC1_BIASES = "DS-CNN/fc1/biases"

DEFAULT_MODEL_SIZE_INFO = (2, 48, 4, 4, 2, 2, 16, 3, 3, 1, 1)
DEFAULT_SHIFTS = (3, 4, 8)  # of two layers
HIGHEST_SHIFT = 31
_NUMBERS_A_LAYER = 5

Pair = tuple[int, int]


@dataclass(frozen=True)
class Layer:
    """One layer: its features, and kernel, stride and padding of its convolution over the map.

    In a separable layer that convolution is the depthwise one, and the features are the outputs of
    the pointwise one. Pairs are (time, coefficient).
    """

    features: int
    kernel: Pair
    stride: Pair
    padding: str


@dataclass(frozen=True)
class Block:
    """A convolution with the floor-shift and the ReLU behind it.

    `name` is that of its node, `parameter` that of its weights in a checkpoint, whose `shape` is in
    Keras' axis order. Behind the ReLU of the `pooled` block stands the maximum over the map.
    """

    name: str
    parameter: str
    shape: tuple[int, int, int, int]
    stride: Pair
    padding: str
    depthwise: bool
    shift: int
    pooled: bool

    @property
    def relu(self) -> str:
        """Name of the node that shifts and cuts off below 0."""
        return f"{self.name}_relu"

    def output_grid(self, grid: Pair) -> Pair:
        """Size of the map that the convolution makes of a map."""
        return Windows(self.shape[:2], self.stride, self.padding).grid(grid)


@dataclass(frozen=True)
class ModelSize:
    """Layers of a DS-CNN, and its shifts: after `conv_1`, then two for each separable layer.

    Raises ValueError for another number of shifts, or shifts outside 0..31; TypeError for shifts
    that are not integers.
    """

    layers: tuple[Layer, ...]
    shifts: tuple[int, ...]

    def __post_init__(self) -> None:
        _require_integers("shifts", self.shifts)
        count = 2 * len(self.layers) - 1
        if len(self.shifts) != count or not all(0 <= s <= HIGHEST_SHIFT for s in self.shifts):
            raise ValueError(
                f"shifts: expected {count} in 0..{HIGHEST_SHIFT} for {_layers(len(self.layers))}, "
                f"got {' '.join(map(str, self.shifts))}"
            )

    @staticmethod
    def parse(
        info: Sequence[int],
        shifts: Sequence[int] = DEFAULT_SHIFTS,
        padding: Sequence[str] | None = None,
    ) -> ModelSize:
        """Return the size of `--model_size_info`, `--shifts` and `--padding`.

        Raises ValueError or TypeError as `parse_layers` and the constructor do.
        """
        return ModelSize(parse_layers(info, padding), tuple(shifts))

    @property
    def info(self) -> tuple[int, ...]:
        """The sizes as `--model_size_info` takes them."""
        numbers = ((layer.features, *layer.kernel, *layer.stride) for layer in self.layers)
        return (len(self.layers), *(number for each in numbers for number in each))

    @property
    def padding(self) -> tuple[str, ...]:
        """The padding of each layer as `--padding` takes it."""
        return tuple(layer.padding for layer in self.layers)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The convolutions in order, `2L - 1` of them; the last one over a map is pooled."""
        first, *separable = self.layers
        shifts = iter(self.shifts)
        shape = (*first.kernel, 1, first.features)
        blocks = [
            Block("conv_1", CONV_1, shape, first.stride, first.padding, False, next(shifts),
                  pooled=not separable)
        ]  # fmt: skip
        channels = first.features
        for number, layer in enumerate(separable, start=1):
            suffix = "" if len(separable) == 1 else f"_{number}"
            prefix, last = f"DS-CNN/conv_ds_{number}", number == len(separable)
            blocks += [
                Block(f"dw_conv{suffix}", f"{prefix}/dw_conv/depthwise_weights",
                      (*layer.kernel, channels, 1), layer.stride, layer.padding, True,
                      next(shifts), pooled=last),
                Block(f"pw_conv{suffix}", f"{prefix}/pw_conv/weights",
                      (1, 1, channels, layer.features), (1, 1), "VALID", False,
                      next(shifts), pooled=False),
            ]  # fmt: skip
            channels = layer.features
        return tuple(blocks)

    def parameter_shapes(self, label_count: int) -> dict[str, tuple[int, ...]]:
        """Shape of every trained array, by its name in the checkpoint (Keras axis order)."""
        shapes: dict[str, tuple[int, ...]] = {block.parameter: block.shape for block in self.blocks}
        return {**shapes, FC1: (self.layers[-1].features, label_count), FC1_BIASES: (label_count,)}


def parse_layers(info: Sequence[int], padding: Sequence[str] | None = None) -> tuple[Layer, ...]:
    """Read `2 48 4 4 2 2 16 3 3 1 1`: the number of layers, then five numbers for each.

    The five are features, kernel height and width, stride height and width. `padding` is SAME or
    VALID for each layer, in any case of letters; without it `default_padding`.

    Raises ValueError for another number of values, a value below 1, another padding, or unequal
    strides in a separable layer, which TensorFlow does not compute; TypeError for values that are
    not integers.
    """
    _require_integers("model_size_info", info)
    if not info or len(info) != 1 + _NUMBERS_A_LAYER * max(info[0], 1):
        raise ValueError(
            "model_size_info: expected the number of layers and five numbers for each, "
            f"got {' '.join(map(str, info)) or 'nothing'}"
        )
    if min(info) < 1:
        raise ValueError(f"model_size_info: expected numbers above 0, got {min(info)}")
    paddings = default_padding(info[0]) if padding is None else _parse_padding(padding, info[0])
    rows = [info[start : start + _NUMBERS_A_LAYER] for start in range(1, len(info), 5)]
    for number, row in enumerate(rows[1:], start=2):
        if row[3] != row[4]:
            raise ValueError(
                f"model_size_info: expected equal strides in layer {number}, which is a separable "
                f"one, got {row[3]} and {row[4]}"
            )
    return tuple(
        Layer(row[0], (row[1], row[2]), (row[3], row[4]), padding)
        for row, padding in zip(rows, paddings, strict=True)
    )


def default_padding(layers: int) -> tuple[str, ...]:
    """VALID for the first convolution, SAME for the separable layers."""
    return ("VALID", *("SAME" for _ in range(layers - 1)))


def require_fit(layers: Sequence[Layer], features: FeatureSettings) -> None:
    """Raise ValueError at the first layer without padding whose kernel is larger than its map."""
    grid = (features.frames, features.coefficients)
    for number, layer in enumerate(layers, start=1):
        if layer.padding == "VALID" and (layer.kernel[0] > grid[0] or layer.kernel[1] > grid[1]):
            place = "the fingerprint" if number == 1 else "its map"
            raise ValueError(
                f"model_size_info: expected the kernel of layer {number} within {place} of "
                f"{grid[0]} x {grid[1]}, got {layer.kernel[0]} x {layer.kernel[1]}"
            )
        grid = Windows(layer.kernel, layer.stride, layer.padding).grid(grid)


def _parse_padding(padding: Sequence[str], layers: int) -> tuple[str, ...]:
    parsed = tuple(word.upper() for word in padding)
    if len(parsed) != layers or not set(parsed) <= {"SAME", "VALID"}:
        raise ValueError(
            f"padding: expected SAME or VALID for each of {_layers(layers)}, "
            f"got {' '.join(padding)}"
        )
    return parsed


def _layers(count: int) -> str:
    return "1 layer" if count == 1 else f"{count} layers"


def _require_integers(name: str, values: Sequence[object]) -> None:
    for value in values:
        if type(value) is not int:
            raise TypeError(f"{name}: expected integers, got {value!r}")
