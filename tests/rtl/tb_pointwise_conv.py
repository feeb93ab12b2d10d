"""Bench of `pointwise_conv`: pixels in, one value an output channel out.

The layer is a pointwise convolution with shift and ReLU, or a fully connected one with biases.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dataflow.hardware.loop_orders import INPUT_STATIONARY, LayerSize, walk
from dataflow.hardware.pointwise_schedule import FILL_CYCLES, compare_orders, timeline
from golden import reference
from golden.network import IntegerNetwork
from golden.nodes import Convolution, ShiftRelu
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

DATAPATH = ("active_data_q", "spare_data_q", "ring_q", "weight_q", "product_q")


class Model:
    """The layer by `golden.reference`: the only source of expected values."""

    def __init__(self, network: IntegerNetwork, layer: str) -> None:
        self.layer = network.node(layer)
        follower = network.consumer(layer)
        self.shift_relu = follower if isinstance(follower, ShiftRelu) else None
        outputs, *_, inputs = self.layer.weights.shape
        self.size = LayerSize(inputs, outputs)

    @property
    def name(self) -> str:
        """The node whose values leave."""
        return self.layer.name if self.shift_relu is None else self.shift_relu.name

    def outputs(self, pixels: Integers) -> Integers:
        """Return the outputs `(N, output channel)` for inputs `(N, input channel)`."""
        if isinstance(self.layer, Convolution):
            pixels = pixels[:, np.newaxis, np.newaxis]
        sums = reference.compute(self.layer, pixels)
        values = sums if self.shift_relu is None else reference.compute(self.shift_relu, sums)
        return values.reshape(len(pixels), -1)


class Bench(FrameBench):
    """`pointwise_conv` and its model."""

    observed = ("multiply_en", *FrameBench.observed)

    def __init__(self, dut: Any, scenario: str, *patterns: str) -> None:
        super().__init__(dut, scenario, *patterns)
        self.model = Model(self.network, self.job["layer"])
        self.size = self.model.size
        self.pixels = self.array("pixels")

    @property
    def frames(self) -> int:
        return len(self.pixels)

    @property
    def frame_beats(self) -> int:
        return self.size.inputs

    @property
    def beat_cycles(self) -> int:
        """Cycles from a beat to the next: without a second register one to take it."""
        return self.size.outputs + (self.parameters["INPUT_REGISTERS"] == 1)

    @property
    def frame_cycles(self) -> int:
        return self.size.inputs * self.beat_cycles

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
        if not self.parameters["RELU"]:
            outputs = outputs.signed(self.parameters["OUT_BITS"])
        expected = self.model.outputs(self.pixels[self.sent])
        return [LayerCheck(self.model.name, ("channel",), expected, outputs, unit="pixel")]

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
            self.parameters["INPUT_REGISTERS"],
            offers=trace.offers("s_axis").tolist(),
            ready=lambda cycle: bool(ready[cycle - trace.first]),
        )
        compare_cycles("beat taken", predicted.taken, trace.handshakes("s_axis"))
        compare_cycles("multiplication", predicted.multiplied, multiplied)
        compare_cycles("output offered", predicted.offered, trace.offers("m_axis"))

    def check_full_rate(self, trace: Trace) -> None:
        size, taken = self.size, trace.handshakes("s_axis")
        multiplied, offered = trace.high("multiply_en"), trace.offers("m_axis")
        beats = taken[0] + np.arange(self.frames * size.inputs) * self.beat_cycles
        each = beats[:, np.newaxis] + 1 + np.arange(size.outputs)
        last = beats[size.inputs - 1 :: size.inputs, np.newaxis]
        outputs = last + FILL_CYCLES + np.arange(size.outputs)
        compare_cycles("multiplication", each.reshape(-1), multiplied)
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
        registers = (*(getattr(self.dut, name) for name in DATAPATH), self.dut.out.data_q)
        register_bits = sum(map(len, registers))
        if (
            self.size.inputs > 1 and self.parameters["INPUT_REGISTERS"] > 1
        ):  # of a single channel no sum waits, but the ring is there
            assert register_bits == cost.register_bits
        self.report({"register_bits": register_bits})
