"""GRU: layers of gated recurrent units over the frames, then a dense layer.

Zhang et al. 2017, "Hello Edge", arXiv 1711.07128.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from quant_models.architectures.architecture import RECURRENT, Architecture, sizes
from quant_models.architectures.float_layers import FloatDense, FloatGru, FloatLayer


@dataclass(frozen=True)
class Gru(Architecture):
    """Layers of so many gated recurrent units, then a dense layer."""

    NAME: ClassVar[str] = "gru"
    EXPECTED: ClassVar[str] = "number of layers, units of each"
    DEFAULT_INFO: ClassVar[tuple[int, ...]] = (1, 154)
    NO_INTEGERS: ClassVar[str | None] = RECURRENT

    layers: int
    units: int

    @classmethod
    def parse(cls, info: Sequence[int]) -> Gru:
        return cls(*sizes(f"2 numbers for gru ({cls.EXPECTED})", info, 2))

    @property
    def info(self) -> tuple[int, ...]:
        return self.layers, self.units

    def float_layers(self, labels: int) -> tuple[FloatLayer, ...]:
        return (
            *recurrent_layers(self.layers, self.units),
            FloatDense("output", relu=False, units=labels),
        )


def recurrent_layers(layers: int, units: int) -> tuple[FloatLayer, ...]:
    """Return layers of gated recurrent units, `gru_1` and on; the last gives one vector."""
    return tuple(
        FloatGru(f"gru_{number}", units, last=number == layers) for number in range(1, layers + 1)
    )
