"""The loops of a pointwise layer in every order: what each order must store and fetch.

The same multiplications (of pixel, input channel, output channel) can run in any order on one
multiplier. An order decides how many inputs and sums are alive at once, which are registers, and
how often an operand changes, which is a read. Everything here is counted by walking the loops, step
by step; `dataflow.hardware.pointwise_schedule` adds the cycles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from golden.reference import Integers


@dataclass(frozen=True)
class LayerSize:
    """Number of input and output channels of a pointwise layer."""

    inputs: int
    outputs: int

    @property
    def multiplications(self) -> int:
        """Multiplications a pixel: one for each weight."""
        return self.inputs * self.outputs


@dataclass(frozen=True)
class LoopOrder:
    """A name and the three loops `pixel`, `input`, `output`, slowest first.

    Where `pixel` is not the slowest loop, a weight serves a tile of `tile_pixels` pixels that are
    computed together. Raises ValueError for anything but a permutation of the three, and for a tile
    of several pixels where `pixel` is the slowest.
    """

    name: str
    loops: tuple[str, str, str]
    tile_pixels: int = 1

    def __post_init__(self) -> None:
        if sorted(self.loops) != ["input", "output", "pixel"]:
            raise ValueError(
                f"{self.name}.loops: expected pixel, input and output once each, got {self.loops}"
            )
        if self.tile_pixels < 1 or (self.loops[0] == "pixel" and self.tile_pixels > 1):
            raise ValueError(
                f"{self.name}.tile_pixels: expected 1, or more if pixel is not the slowest loop, "
                f"got {self.tile_pixels}"
            )


INPUT_STATIONARY = LoopOrder("input-stationary", ("pixel", "input", "output"))
OUTPUT_STATIONARY = LoopOrder("output-stationary", ("pixel", "output", "input"))
LOOP_ORDERS = (
    INPUT_STATIONARY,
    OUTPUT_STATIONARY,
    LoopOrder("weight-stationary, by input", ("input", "output", "pixel"), 4),
    LoopOrder("weight-stationary, by output", ("output", "input", "pixel"), 4),
    LoopOrder("input row-stationary", ("input", "pixel", "output"), 4),
    LoopOrder("output row-stationary", ("output", "pixel", "input"), 4),
)


@dataclass(frozen=True, eq=False)
class Steps:
    """The multiplications in the order in which they run: their three indices, int64 `[step]`."""

    size: LayerSize
    pixel: Integers
    input: Integers
    output: Integers

    @property
    def beat(self) -> Integers:
        """Which beat of the input stream each step reads: pixel by pixel, channel by channel."""
        return self.pixel * self.size.inputs + self.input

    @property
    def sum(self) -> Integers:
        """Which sum each step adds to, numbered in the order of the output stream."""
        return self.pixel * self.size.outputs + self.output


@dataclass(frozen=True)
class Traffic:
    """What one tile reads and writes, and how many sums it keeps at once.

    A read is counted when an operand differs from the one of the step before, which the operand
    register still holds. A sum that starts is not read, a sum that is complete leaves for the
    output: neither counts.
    """

    weight_reads: int
    input_reads: int
    sum_reads: int
    sum_writes: int
    live_sums: int


def walk(order: LoopOrder, size: LayerSize, tiles: int = 1) -> Steps:
    """Return the steps of `tiles` tiles, one after another.

    >>> steps = walk(INPUT_STATIONARY, LayerSize(inputs=2, outputs=3))
    >>> steps.input.tolist(), steps.output.tolist()
    ([0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2])
    """
    extents = {"pixel": order.tile_pixels, "input": size.inputs, "output": size.outputs}
    grid = np.indices([extents[loop] for loop in order.loops], np.int64).reshape(3, -1)
    index = {loop: np.tile(grid[axis], tiles) for axis, loop in enumerate(order.loops)}
    first_pixels = np.repeat(np.arange(tiles) * order.tile_pixels, grid.shape[1])
    return Steps(size, index["pixel"] + first_pixels, index["input"], index["output"])


def traffic(order: LoopOrder, size: LayerSize) -> Traffic:
    """Count reads, writes and living sums of one tile."""
    steps = walk(order, size)
    new_sum = _changes(steps.sum)
    leaving = np.append(new_sum[1:], True)
    _, first, counts = np.unique(steps.sum, return_index=True, return_counts=True)
    last = steps.sum.size - 1 - np.unique(steps.sum[::-1], return_index=True)[1]
    starts, ends = np.zeros((2, steps.sum.size), np.int64)
    starts[first], ends[last] = 1, 1
    assert (counts == size.inputs).all()
    return Traffic(
        weight_reads=int(_changes(steps.input * size.outputs + steps.output).sum()),
        input_reads=int(_changes(steps.beat).sum()),
        sum_reads=int((new_sum & (starts == 0)).sum()),
        sum_writes=int((leaving & (ends == 0)).sum()),
        live_sums=int((np.cumsum(starts) - np.cumsum(ends) + ends).max()),
    )


def _changes(index: Integers) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell for each step whether its index differs from the step before; the first one does."""
    return np.append(True, index[1:] != index[:-1])
