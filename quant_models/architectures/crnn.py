"""CRNN: a convolution, gated recurrent units over its frames, a dense layer, one for the labels.

Zhang et al. 2017, "Hello Edge", arXiv 1711.07128, after Arik et al. 2017, arXiv 1703.05390.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from golden.windows import Pair
from quant_models.architectures.architecture import (
    RECURRENT,
    Architecture,
    require_kernel_fits,
    sizes,
)
from quant_models.architectures.cnn import Convolved
from quant_models.architectures.float_layers import FloatConvolution, FloatDense, FloatLayer
from quant_models.architectures.gru import recurrent_layers

_DROPOUT = 0.5


@dataclass(frozen=True)
class Crnn(Architecture):
    """A convolution, layers of gated recurrent units over its frames, and a dense layer."""

    NAME: ClassVar[str] = "crnn"
    EXPECTED: ClassVar[str] = (
        "features, kernel height and width, stride height and width of the convolution, number "
        "and units of recurrent layers, outputs of the dense layer"
    )
    DEFAULT_INFO: ClassVar[tuple[int, ...]] = (48, 10, 4, 2, 2, 2, 60, 84)
    NO_INTEGERS: ClassVar[str | None] = RECURRENT

    convolution: Convolved
    layers: int
    units: int
    dense: int

    @classmethod
    def parse(cls, info: Sequence[int]) -> Crnn:
        expected = f"8 numbers for crnn ({cls.EXPECTED})"
        *convolution, layers, units, dense = sizes(expected, info, 8)
        return cls(Convolved.of(convolution), layers, units, dense)

    @property
    def info(self) -> tuple[int, ...]:
        return *self.convolution.info, self.layers, self.units, self.dense

    def float_layers(self, labels: int) -> tuple[FloatLayer, ...]:
        each = self.convolution
        return (
            FloatConvolution(
                "conv_1",
                dropout=_DROPOUT,
                kernel=each.kernel,
                stride=each.stride,
                features=each.features,
            ),
            *recurrent_layers(self.layers, self.units),
            FloatDense("fc1", dropout=_DROPOUT, units=self.dense),
            FloatDense("final_fc", relu=False, units=labels),
        )

    def require_fit(self, grid: Pair) -> None:
        require_kernel_fits("the convolution", self.convolution.kernel, grid, "the fingerprint")
