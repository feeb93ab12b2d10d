"""DNN: dense layers with ReLU, then one for the labels.

Zhang et al. 2017, "Hello Edge", arXiv 1711.07128.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from golden.windows import Pair
from quant_models.architectures.architecture import DENSE, Architecture, Block, sizes
from quant_models.architectures.float_layers import FloatDense, FloatLayer

_DROPOUT = 0.5


@dataclass(frozen=True)
class Dnn(Architecture):
    """Outputs of each hidden layer. A shift stands after each."""

    NAME: ClassVar[str] = "dnn"
    EXPECTED: ClassVar[str] = "outputs of each hidden layer"
    DEFAULT_INFO: ClassVar[tuple[int, ...]] = (144, 144, 144)

    widths: tuple[int, ...]

    @classmethod
    def parse(cls, info: Sequence[int]) -> Dnn:
        return cls(tuple(sizes(f"the {cls.EXPECTED}", info)))

    @property
    def info(self) -> tuple[int, ...]:
        return self.widths

    @property
    def shift_count(self) -> int:
        return len(self.widths)

    def blocks(self, shifts: Sequence[int], grid: Pair, labels: int) -> tuple[Block, ...]:
        shapes = pairwise((math.prod(grid), *self.widths))
        hidden = [
            Block(f"fc{number}", DENSE, f"DNN/fc{number}/weights", shape, shift=shift)
            for number, (shape, shift) in enumerate(zip(shapes, shifts, strict=True), start=1)
        ]
        final = (self.widths[-1], labels)
        return (
            *hidden,
            Block("final_fc", DENSE, "DNN/final_fc/weights", final, biases="DNN/final_fc/biases"),
        )

    def float_layers(self, labels: int) -> tuple[FloatLayer, ...]:
        return (
            *(
                FloatDense(f"fc{number}", dropout=_DROPOUT, units=width)
                for number, width in enumerate(self.widths, start=1)
            ),
            FloatDense("final_fc", relu=False, units=labels),
        )
