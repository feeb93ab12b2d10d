"""Bench of `conv_1`: windows of fingerprints in, one value a position and channel out.

Flushing windows come anywhere between the others, and any number of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from golden import reference
from golden.network import IntegerNetwork
from tests.rtl.bench import Integers, LayerCheck, StreamBench, compare_cycles, compare_ready
from tests.rtl.stream_scenarios import *  # noqa: F403
from tests.rtl.stream_trace import Beats, Trace

LATENCY_CYCLES = 3  # from the last step of a window taken to its value offered
FLUSH_RATE = 0.2
POSITION_AXES = ("channel", "row", "column")


class Model:
    """The first convolution by `golden.reference`: the only source of expected values."""

    def __init__(self, network: IntegerNetwork) -> None:
        self.convolution, self.shift_relu = network.nodes[:2]

    def windows(self, fingerprints: Integers) -> Integers:
        """Return the windows `(N, position, tap)` of fingerprints `(N, time, coefficient)`."""
        node = self.convolution
        found = reference.windows(fingerprints[..., np.newaxis], node.windows)
        return found.reshape(len(found), -1, node.weights[0].size)

    def sums(self, fingerprints: Integers) -> Integers:
        """Return the sums `(N, channel, row, column)`."""
        sums = reference.compute(self.convolution, fingerprints[..., np.newaxis])
        return sums.transpose(0, 3, 1, 2)

    def values(self, fingerprints: Integers) -> Integers:
        """Return the values after shift and ReLU, likewise."""
        return reference.compute(self.shift_relu, self.sums(fingerprints))


class Bench(StreamBench):
    """`conv_1` and its model."""

    observed = ("sum_valid", "sum_flush", "sum")

    def __init__(self, dut: Any, scenario: str, *patterns: str) -> None:
        super().__init__(dut, scenario, *patterns)
        self.model = Model(self.network)
        self.fingerprints = self.array("fingerprints").astype(np.int64)
        self.windows = self.model.windows(self.fingerprints)
        self.flushes: list[bool] = []  # for each window sent

    @property
    def frames(self) -> int:
        return len(self.fingerprints)

    @property
    def frame_cycles(self) -> int:
        p = self.parameters
        return int(p["CHANNELS"] * p["POSITIONS"] * p["STEPS"])

    @property
    def beats_to_come(self) -> int:
        return len(self.flushes)

    async def reset(self, edges: int = 1, offered: bool = False) -> None:
        await super().reset(edges, offered)
        self.flushes = []

    def drive(self, frame: int, dense: bool) -> None:
        for _ in range(self.parameters["CHANNELS"]):
            for window in self.windows[frame]:
                while not dense and self.random.random() < FLUSH_RATE:
                    self._window(self.random.choice(self.windows[frame]), flush=True)
                self._window(window, flush=False)

    def comparisons(self, trace: Trace) -> list[LayerCheck]:
        fingerprints, model = self.fingerprints[self.sent], self.model
        out, summed = self._flags(trace)
        values = trace.beats("m_axis_tdata", out.cycles[out.values == 0])
        sums = trace.beats("sum", summed.cycles[summed.values == 0])
        sums = sums.signed(self.parameters["ACC_BITS"])
        return [
            LayerCheck(model.convolution.name, POSITION_AXES, model.sums(fingerprints), sums),
            LayerCheck(model.shift_relu.name, POSITION_AXES, model.values(fingerprints), values),
        ]

    def marks(self, trace: Trace) -> list[LayerCheck]:
        out, summed = self._flags(trace)
        flushes = np.array([self.flushes], np.int64)
        return [
            LayerCheck("m_axis_tuser", ("window",), flushes, out),
            LayerCheck("sum_flush", ("window",), flushes, summed),
        ]

    def check_cycles(self, trace: Trace) -> None:
        moving = trace.moving("m_axis")
        compare_ready(trace, moving)
        moves = np.flatnonzero(moving) + trace.first
        last_steps = trace.handshakes("s_axis")[self.parameters["STEPS"] - 1 :: self.steps]
        leaves = np.searchsorted(moves, last_steps) + LATENCY_CYCLES - 1
        compare_cycles("value offered", moves[leaves] + 1, trace.offers("m_axis"))

    def check_full_rate(self, trace: Trace) -> None:
        taken = trace.handshakes("s_axis")
        beats = taken[0] + np.arange(len(self.flushes) * self.steps)
        compare_cycles("step taken", beats, taken)
        values = beats[self.steps - 1 :: self.steps] + LATENCY_CYCLES
        compare_cycles("value offered", values, trace.offers("m_axis"))

    @property
    def steps(self) -> int:
        """Beats of a window."""
        return int(self.parameters["STEPS"])

    def _flags(self, trace: Trace) -> tuple[Beats, Beats]:
        """Return for each window that leaves, and for each that is summed up, if it flushes."""
        summed = trace.high("sum_valid")
        moving = trace.moving("m_axis")[summed - trace.first]
        return (
            trace.beats("m_axis_tuser", trace.handshakes("m_axis")),
            trace.beats("sum_flush", summed[moving]),
        )

    def _window(self, taps: Integers, flush: bool) -> None:
        """Queue the steps of a window, the first tap of each in the lowest bits."""
        bits = self.parameters["IN_BITS"]
        numbers = taps.reshape(self.steps, -1) & ((1 << bits) - 1)
        words = [
            sum(number << (lane * bits) for lane, number in enumerate(step))
            for step in numbers.tolist()
        ]
        self.source.send(words, [int(flush)] * self.steps)
        self.flushes.append(flush)
