"""LSTM over the frames, basic or with peepholes and a projection, then a dense layer.

Zhang et al. 2017, "Hello Edge", arXiv 1711.07128; the projection after Sun et al. 2017, arXiv
1705.02411.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from quant_models.architectures.architecture import RECURRENT, Architecture, sizes
from quant_models.architectures.float_layers import FloatDense, FloatLayer, FloatLstm


@dataclass(frozen=True)
class BasicLstm(Architecture):
    """One LSTM of so many units, then a dense layer."""

    NAME: ClassVar[str] = "basic_lstm"
    EXPECTED: ClassVar[str] = "units"
    DEFAULT_INFO: ClassVar[tuple[int, ...]] = (118,)
    NO_INTEGERS: ClassVar[str | None] = RECURRENT

    units: int

    @classmethod
    def parse(cls, info: Sequence[int]) -> BasicLstm:
        return cls(*sizes("1 number for basic_lstm (units)", info, 1))

    @property
    def info(self) -> tuple[int, ...]:
        return (self.units,)

    def float_layers(self, labels: int) -> tuple[FloatLayer, ...]:
        return FloatLstm("lstm", self.units), FloatDense("output", relu=False, units=labels)


@dataclass(frozen=True)
class Lstm(Architecture):
    """One LSTM with peepholes and a projection of its output, then a dense layer."""

    NAME: ClassVar[str] = "lstm"
    EXPECTED: ClassVar[str] = "outputs of the projection, units"
    DEFAULT_INFO: ClassVar[tuple[int, ...]] = (98, 144)
    NO_INTEGERS: ClassVar[str | None] = RECURRENT

    projection: int
    units: int

    @classmethod
    def parse(cls, info: Sequence[int]) -> Lstm:
        return cls(*sizes(f"2 numbers for lstm ({cls.EXPECTED})", info, 2))

    @property
    def info(self) -> tuple[int, ...]:
        return self.projection, self.units

    def float_layers(self, labels: int) -> tuple[FloatLayer, ...]:
        return (
            FloatLstm("lstm", self.units, projection=self.projection),
            FloatDense("output", relu=False, units=labels),
        )
