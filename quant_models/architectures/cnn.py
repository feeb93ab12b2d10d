"""CNN: two convolutions, a linear layer of low rank, a dense layer, then one for the labels.

Zhang et al. 2017, "Hello Edge", arXiv 1711.07128, after Sainath and Parada 2015, "Convolutional
Neural Networks for Small-footprint Keyword Spotting".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from golden.windows import Pair, Windows
from quant_models.architectures.architecture import (
    CONVOLUTION,
    DENSE,
    Architecture,
    Block,
    require_kernel_fits,
    sizes,
)
from quant_models.architectures.float_layers import (
    BatchNorm,
    FloatConvolution,
    FloatDense,
    FloatLayer,
)

_NORM = BatchNorm(scaled=True, momentum=0.99)
_DROPOUT = 0.5


@dataclass(frozen=True)
class Convolved:
    """One convolution without padding; pairs are (time, coefficient)."""

    features: int
    kernel: Pair
    stride: Pair

    @staticmethod
    def of(numbers: Sequence[int]) -> Convolved:
        """Read features, kernel height and width, stride height and width."""
        features, height, width, rows, columns = numbers
        return Convolved(features, (height, width), (rows, columns))

    @property
    def info(self) -> tuple[int, ...]:
        """The five numbers."""
        return self.features, *self.kernel, *self.stride

    def grid(self, grid: Pair) -> Pair:
        """Size of the map that it makes of a map."""
        return Windows(self.kernel, self.stride, "VALID").grid(grid)


@dataclass(frozen=True)
class Cnn(Architecture):
    """Two convolutions, then outputs of the linear and the dense layer.

    A shift stands after each convolution and after the dense layer. The linear layer is nothing but
    a product of two matrices with the dense one, and has no shift either.
    """

    NAME: ClassVar[str] = "cnn"
    EXPECTED: ClassVar[str] = (
        "features, kernel height and width, stride height and width of each of two convolutions, "
        "then outputs of the linear and of the dense layer"
    )
    DEFAULT_INFO: ClassVar[tuple[int, ...]] = (28, 10, 4, 1, 1, 30, 10, 4, 2, 1, 16, 128)

    convolutions: tuple[Convolved, Convolved]
    linear: int
    dense: int

    @classmethod
    def parse(cls, info: Sequence[int]) -> Cnn:
        expected = f"12 numbers for cnn ({cls.EXPECTED})"
        *convolutions, linear, dense = sizes(expected, info, 12)
        return cls((Convolved.of(convolutions[:5]), Convolved.of(convolutions[5:])), linear, dense)

    @property
    def info(self) -> tuple[int, ...]:
        first, second = self.convolutions
        return *first.info, *second.info, self.linear, self.dense

    @property
    def shift_count(self) -> int:
        return 3

    def blocks(self, shifts: Sequence[int], grid: Pair, labels: int) -> tuple[Block, ...]:
        first, second = self.convolutions
        left = iter(shifts)
        flat = math.prod(second.grid(first.grid(grid))) * second.features
        return (
            Block("conv_1", CONVOLUTION, "CNN/conv_1/weights",
                  (*first.kernel, 1, first.features), first.stride, shift=next(left)),
            Block("conv_2", CONVOLUTION, "CNN/conv_2/weights",
                  (*second.kernel, first.features, second.features), second.stride,
                  shift=next(left)),
            Block("linear", DENSE, "CNN/linear/weights", (flat, self.linear)),
            Block("fc1", DENSE, "CNN/fc1/weights", (self.linear, self.dense), shift=next(left)),
            Block("final_fc", DENSE, "CNN/final_fc/weights", (self.dense, labels),
                  biases="CNN/final_fc/biases"),
        )  # fmt: skip

    def float_layers(self, labels: int) -> tuple[FloatLayer, ...]:
        return (
            *(
                FloatConvolution(
                    f"conv_{number}",
                    norm=_NORM,
                    dropout=_DROPOUT,
                    kernel=each.kernel,
                    stride=each.stride,
                    features=each.features,
                )
                for number, each in enumerate(self.convolutions, start=1)
            ),
            FloatDense("linear", relu=False, units=self.linear),
            FloatDense("fc1", norm=_NORM, dropout=_DROPOUT, units=self.dense),
            FloatDense("final_fc", relu=False, units=labels),
        )

    def require_fit(self, grid: Pair) -> None:
        for number, each in enumerate(self.convolutions, start=1):
            place = "the fingerprint" if number == 1 else "its map"
            require_kernel_fits(f"convolution {number}", each.kernel, grid, place)
            grid = each.grid(grid)
