"""DS-CNN: a convolution, then separable ones, each a depthwise and a pointwise convolution.

Zhang et al. 2017, "Hello Edge", arXiv 1711.07128; separable layers as in MobileNet, arXiv
1704.04861.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from golden.windows import Pair, Windows
from quant_models.architectures.architecture import (
    CONVOLUTION,
    DENSE,
    DEPTHWISE,
    Architecture,
    Block,
    require_kernel_fits,
    sizes,
)
from quant_models.architectures.float_layers import (
    BatchNorm,
    FloatAveragePool,
    FloatConvolution,
    FloatDense,
    FloatDepthwise,
    FloatLayer,
)

CONV_1 = "DS-CNN/conv_1/weights"
FC1 = "DS-CNN/fc1/weights"
FC1_BIASES = "DS-CNN/fc1/biases"

_NUMBERS_A_LAYER = 5
_NORM = BatchNorm(scaled=False, momentum=0.96)


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
class DsCnn(Architecture):
    """The layers of a DS-CNN. Shifts stand after `conv_1`, then two in each separable layer.

    In floor-shift form the maximum over the map stands in the last separable layer, behind the
    depthwise convolution, in float form the mean stands behind all layers.
    """

    NAME: ClassVar[str] = "ds_cnn"
    EXPECTED: ClassVar[str] = (
        "number of layers, then features, kernel height, kernel width, stride height and stride "
        "width of each: one convolution, then separable layers, whose strides are equal"
    )
    DEFAULT_INFO: ClassVar[tuple[int, ...]] = (2, 48, 4, 4, 2, 2, 16, 3, 3, 1, 1)

    layers: tuple[Layer, ...]

    @classmethod
    def parse(cls, info: Sequence[int], padding: Sequence[str] | None = None) -> DsCnn:
        """Read `2 48 4 4 2 2 16 3 3 1 1`: the number of layers, then five numbers for each.

        The five are features, kernel height and width, stride height and width. `padding` is SAME
        or VALID for each layer, in any case of letters; without it VALID for the first convolution
        and SAME for the separable layers.

        Raises ValueError for another number of values, a value below 1, another padding, or unequal
        strides in a separable layer, which TensorFlow does not compute; TypeError for values that
        are not integers.
        """
        layers = info[0] if info and isinstance(info[0], int) else 0
        expected = "the number of layers and five numbers for each"
        sizes(expected, info, 1 + _NUMBERS_A_LAYER * max(layers, 1))
        padding = default_padding(layers) if padding is None else padding
        paddings = _parse_padding(padding, layers)
        rows = [info[start : start + _NUMBERS_A_LAYER] for start in range(1, len(info), 5)]
        for number, row in enumerate(rows[1:], start=2):
            if row[3] != row[4]:
                raise ValueError(
                    f"model_size_info: expected equal strides in layer {number}, which is a "
                    f"separable one, got {row[3]} and {row[4]}"
                )
        return cls(
            tuple(
                Layer(row[0], (row[1], row[2]), (row[3], row[4]), padding)
                for row, padding in zip(rows, paddings, strict=True)
            )
        )

    @property
    def info(self) -> tuple[int, ...]:
        numbers = ((layer.features, *layer.kernel, *layer.stride) for layer in self.layers)
        return (len(self.layers), *(number for each in numbers for number in each))

    @property
    def padding(self) -> tuple[str, ...]:
        """The padding of each layer as `--padding` takes it."""
        return tuple(layer.padding for layer in self.layers)

    @property
    def shift_count(self) -> int:
        return 2 * len(self.layers) - 1

    def blocks(self, shifts: Sequence[int], grid: Pair, labels: int) -> tuple[Block, ...]:
        first, *separable = self.layers
        left = iter(shifts)
        shape = (*first.kernel, 1, first.features)
        blocks = [
            Block("conv_1", CONVOLUTION, CONV_1, shape, first.stride, first.padding,
                  shift=next(left), pooled=not separable)
        ]  # fmt: skip
        channels = first.features
        for number, layer in enumerate(separable, start=1):
            suffix = "" if len(separable) == 1 else f"_{number}"
            prefix, last = f"DS-CNN/conv_ds_{number}", number == len(separable)
            blocks += [
                Block(f"dw_conv{suffix}", DEPTHWISE, f"{prefix}/dw_conv/depthwise_weights",
                      (*layer.kernel, channels, 1), layer.stride, layer.padding,
                      shift=next(left), pooled=last),
                Block(f"pw_conv{suffix}", CONVOLUTION, f"{prefix}/pw_conv/weights",
                      (1, 1, channels, layer.features), shift=next(left)),
            ]  # fmt: skip
            channels = layer.features
        return (*blocks, Block("fc1", DENSE, FC1, (channels, labels), biases=FC1_BIASES))

    def float_layers(self, labels: int) -> tuple[FloatLayer, ...]:
        first, *separable = self.layers
        layers: list[FloatLayer] = [
            FloatConvolution(
                "conv_1",
                norm=_NORM,
                kernel=first.kernel,
                stride=first.stride,
                padding=first.padding,
                features=first.features,
            )
        ]
        for number, layer in enumerate(separable, start=1):
            name = f"conv_ds_{number}"
            layers += [
                FloatDepthwise(
                    f"{name}/dw_conv",
                    norm=_NORM,
                    kernel=layer.kernel,
                    stride=layer.stride,
                    padding=layer.padding,
                ),
                FloatConvolution(f"{name}/pw_conv", norm=_NORM, features=layer.features),
            ]
        return (*layers, FloatAveragePool("avg_pool"), FloatDense("fc1", relu=False, units=labels))

    def require_fit(self, grid: Pair) -> None:
        for number, layer in enumerate(self.layers, start=1):
            if layer.padding == "VALID":
                place = "the fingerprint" if number == 1 else "its map"
                require_kernel_fits(f"layer {number}", layer.kernel, grid, place)
            grid = Windows(layer.kernel, layer.stride, layer.padding).grid(grid)


def default_padding(layers: int) -> tuple[str, ...]:
    """VALID for the first convolution, SAME for the separable layers."""
    return ("VALID", *("SAME" for _ in range(layers - 1)))


def _parse_padding(padding: Sequence[str], layers: int) -> tuple[str, ...]:
    parsed = tuple(word.upper() for word in padding)
    if len(parsed) != layers or not set(parsed) <= {"SAME", "VALID"}:
        count = "1 layer" if layers == 1 else f"{layers} layers"
        raise ValueError(
            f"padding: expected SAME or VALID for each of {count}, got {' '.join(padding)}"
        )
    return parsed
