"""Bench of `pointwise_conv`: pixels in, one value an output channel out."""

from __future__ import annotations

from typing import Any

import numpy as np

from dataflow.hardware.loop_orders import INPUT_STATIONARY, walk
from dataflow.hardware.pointwise_schedule import FILL_CYCLES, compare_orders, timeline
from dataflow.hardware.rtl_parameters import pointwise_layer
from golden import reference
from golden.network import IntegerNetwork
from tests.rtl.bench import (
    FrameBench,
    Integers,
    LayerCheck,
    compare_cycles,
    tlast_comparison,
)
from tests.rtl.frame_scenarios import *  # noqa: F403
from tests.rtl.stream_scenarios import *  # noqa: F403
from tests.rtl.stream_trace import Trace

DATAPATH = ("active_data_q", "spare_data_q", "ring_q", "weight_q", "product_q", "out_data_q")


class Model:
    """The layer by `golden.reference`: the only source of expected values."""

    def __init__(self, network: IntegerNetwork) -> None:
        self.layer = pointwise_layer(network)
        self.size = self.layer.size

    def outputs(self, pixels: Integers) -> Integers:
        """Return the outputs `(N, output channel)` for inputs `(N, input channel)`."""
        sums = reference.compute(self.layer.convolution, pixels[:, np.newaxis, np.newaxis])
        return reference.compute(self.layer.shift_relu, sums)[:, 0, 0]


class Bench(FrameBench):
    """`pointwise_conv` and its model."""

    observed = ("multiply_en", *FrameBench.observed)

    def __init__(self, dut: Any, scenario: str, *patterns: str) -> None:
        super().__init__(dut, scenario, *patterns)
        self.model = Model(self.network)
        self.size = self.model.size
        self.pixels = self.array("pixels")

    @property
    def frames(self) -> int:
        return len(self.pixels)

    @property
    def frame_beats(self) -> int:
        return self.size.inputs

    @property
    def frame_cycles(self) -> int:
        return self.size.multiplications

    @property
    def settle_cycles(self) -> int:
        return 2 * self.size.outputs + 10

    @property
    def beats_to_come(self) -> int:
        return len(self.sent) * self.size.outputs

    def drive(self, frame: int, dense: bool) -> None:
        self.source.send(self.pixels[frame])

    def comparisons(self, trace: Trace) -> list[LayerCheck]:
        outputs = trace.beats("m_axis_tdata", trace.handshakes("m_axis"))
        name, expected = (
            self.model.layer.shift_relu.name,
            self.model.outputs(self.pixels[self.sent]),
        )
        return [
            LayerCheck(name, ("channel",), expected, outputs, unit="pixel"),
        ]

    def marks(self, trace: Trace) -> list[LayerCheck]:
        return [tlast_comparison(trace, len(self.sent), self.size.outputs)]

    def check_cycles(self, trace: Trace) -> None:
        super().check_cycles(trace)
        multiplied = trace.high("multiply_en")
        self.report({"multiply_cycles": multiplied.size})
        if self.wrong_frames:
            return
        ready = trace.signals["m_axis_tready"]
        predicted = timeline(
            walk(INPUT_STATIONARY, self.size, tiles=len(self.sent)),
            offers=trace.offers("s_axis").tolist(),
            ready=lambda cycle: bool(ready[cycle - trace.first]),
        )
        compare_cycles("beat taken", predicted.taken, trace.handshakes("s_axis"))
        compare_cycles("multiplication", predicted.multiplied, multiplied)
        compare_cycles("output offered", predicted.offered, trace.offers("m_axis"))

    def check_full_rate(self, trace: Trace) -> None:
        size, taken = self.size, trace.handshakes("s_axis")
        multiplied, offered = trace.high("multiply_en"), trace.offers("m_axis")
        frames = taken[0] + np.arange(self.frames) * size.multiplications
        first = frames[:, np.newaxis] + FILL_CYCLES + (size.inputs - 1) * size.outputs
        outputs = first + np.arange(size.outputs)
        compare_cycles("multiplication", taken[0] + 1 + np.arange(multiplied.size), multiplied)
        compare_cycles("output offered", outputs.reshape(-1), offered)
        latency = int(offered[size.outputs - 1] - taken[0])
        self.report(
            {
                "multiply_cycles_per_pixel": multiplied.size / self.frames,
                "fill_cycles": latency - size.multiplications + 1,
                "latency_cycles": latency,
                "simulated_cycles": int(offered[-1] - taken[0]) + 1,
            }
        )

    def check_parameters(self) -> None:
        super().check_parameters()
        (cost,) = compare_orders(self.size, self.parameters, interval=1, orders=[INPUT_STATIONARY])
        register_bits = sum(len(getattr(self.dut, name)) for name in DATAPATH)
        if self.size.inputs > 1:  # of a single channel no sum waits, but the ring is there
            assert register_bits == cost.register_bits
        self.report({"register_bits": register_bits})
