"""Bench of `dw_conv_max_pool`: maps in, value by value, one maximum a channel out.

Flushing beats come between planes, any number of them, and full of numbers that must not count.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from golden import reference
from golden.network import IntegerNetwork
from tests.rtl.bench import (
    Integers,
    LayerCheck,
    StreamBench,
    compare_cycles,
    compare_ready,
    tlast_comparison,
)
from tests.rtl.stream_scenarios import *  # noqa: F403
from tests.rtl.stream_trace import Trace

MULTIPLIED_TO_OFFERED = 3  # from the last step of a plane multiplied to its value offered


class Model:
    """Depthwise convolution and max-pool by `golden.reference`."""

    def __init__(self, network: IntegerNetwork) -> None:
        self.convolution, self.shift_relu, self.max_pool = network.nodes[2:5]

    def sums(self, maps: Integers) -> Integers:
        """Return the sums `(N, channel, row, column)` of maps `(N, row, column, channel)`."""
        return reference.compute(self.convolution, maps).transpose(0, 3, 1, 2)

    def maxima(self, maps: Integers) -> Integers:
        """Return the pooled values `(N, channel)`."""
        values = reference.compute(self.shift_relu, reference.compute(self.convolution, maps))
        return reference.compute(self.max_pool, values)[:, 0, 0]


class Bench(StreamBench):
    """`dw_conv_max_pool` and its model."""

    observed = ("sum_valid", "sum")

    def __init__(self, dut: Any, scenario: str, *patterns: str) -> None:
        super().__init__(dut, scenario, *patterns)
        self.model = Model(self.network)
        self.maps = self.array("maps")
        self.values: list[bool] = []  # for each beat sent: no flush

    @property
    def frames(self) -> int:
        return len(self.maps)

    @property
    def frame_cycles(self) -> int:
        return int(self.parameters["CHANNELS"]) * self.plane_cycles

    @property
    def beats_to_come(self) -> int:
        return len(self.sent) * int(self.parameters["CHANNELS"])

    @property
    def plane_cycles(self) -> int:
        """Cycles that a channel takes at full rate."""
        p = self.parameters
        return int(p["MAP_ROWS"] * p["MAP_COLUMNS"] * p["STEPS"])

    @property
    def lag(self) -> int:
        """Values that pass between a window's centre and its last value."""
        return self.accelerator.lag

    async def reset(self, edges: int = 1, offered: bool = False) -> None:
        await super().reset(edges, offered)
        self.values = []

    def send(self, frames: Any, dense: bool = False) -> None:
        super().send(frames, dense)
        self._flush(self.lag)

    def drive(self, frame: int, dense: bool) -> None:
        for plane in np.moveaxis(self.maps[frame], 2, 0):
            if not dense:
                self._flush(self.random.choice((0, 0, 1, self.random.randint(0, self.lag + 3))))
            self.source.send(plane.reshape(-1))
            self.values += [True] * plane.size

    def comparisons(self, trace: Trace) -> list[LayerCheck]:
        maps = self.maps[self.sent]
        summed = trace.high("sum_valid")
        summed = summed[trace.moving("m_axis")[summed - trace.first]]
        sums = trace.beats("sum", summed).signed(self.parameters["ACC_BITS"])
        maxima = trace.beats("m_axis_tdata", trace.handshakes("m_axis"))
        return [
            LayerCheck(
                self.model.convolution.name,
                ("channel", "row", "column"),
                self.model.sums(maps),
                sums,
            ),
            LayerCheck(self.model.max_pool.name, ("channel",), self.model.maxima(maps), maxima),
        ]

    def marks(self, trace: Trace) -> list[LayerCheck]:
        return [tlast_comparison(trace, len(self.sent), self.parameters["CHANNELS"])]

    def check_cycles(self, trace: Trace) -> None:
        steps = int(self.parameters["STEPS"])
        moving, taken = trace.moving("m_axis"), trace.handshakes("s_axis")
        moves = np.flatnonzero(moving) + trace.first
        completed = np.searchsorted(moves, self._completing(taken))  # moves in which windows are
        ready = moving.copy()
        for step in range(1, steps):  # all but the last
            ready[moves[completed + step] - trace.first] = False
        compare_ready(trace, ready)
        planes = completed[self._positions - 1 :: self._positions]
        leaves = moves[planes + steps + MULTIPLIED_TO_OFFERED - 1]
        compare_cycles("maximum offered", leaves + 1, trace.offers("m_axis"))

    def check_full_rate(self, trace: Trace) -> None:
        steps = int(self.parameters["STEPS"])
        taken, offered = trace.handshakes("s_axis"), trace.offers("m_axis")
        completing = self._completing(taken)
        compare_cycles("window", completing[0] + np.arange(completing.size) * steps, completing)
        first = completing[self._positions - 1] + steps + MULTIPLIED_TO_OFFERED
        planes = first + np.arange(offered.size) * self.plane_cycles
        compare_cycles("maximum offered", planes, offered)
        assert completing[0] == taken[0] + self.lag

    @property
    def _positions(self) -> int:
        return int(self.parameters["MAP_ROWS"] * self.parameters["MAP_COLUMNS"])

    def _completing(self, taken: Integers) -> Integers:
        """Return the cycles in which the beats are taken that complete a window."""
        assert taken.size == len(self.values), (
            f"s_axis: expected {len(self.values)} beats taken, got {taken.size}"
        )
        centres = np.array(self.values[: taken.size - self.lag])
        return taken[self.lag :][centres]

    def _flush(self, count: int) -> None:
        """Queue beats that only move on what is in flight, with the largest numbers there are."""
        if count:
            self.source.send([(1 << self.parameters["IN_BITS"]) - 1] * count, [1] * count)
            self.values += [False] * count
