"""Bench of `fc1`: features in, logits out."""

from __future__ import annotations

from typing import Any

import numpy as np

from dataflow.hardware.loop_orders import INPUT_STATIONARY, LayerSize, walk
from dataflow.hardware.pointwise_schedule import timeline
from golden import reference
from golden.network import IntegerNetwork
from tests.rtl.bench import (
    Integers,
    LayerCheck,
    StreamBench,
    compare_cycles,
    tlast_comparison,
)
from tests.rtl.stream_scenarios import *  # noqa: F403
from tests.rtl.stream_trace import Trace

INPUT_REGISTERS = 1
LATENCY_CYCLES = 3  # from the last input taken to the first logit offered


class Model:
    """The fully connected layer by `golden.reference`."""

    def __init__(self, network: IntegerNetwork) -> None:
        self.layer = network.nodes[-1]

    def logits(self, features: Integers) -> Integers:
        """Return the logits `(N, label)` for features `(N, input)`."""
        return reference.compute(self.layer, features)


class Bench(StreamBench):
    """`fc1` and its model."""

    def __init__(self, dut: Any, scenario: str, *patterns: str) -> None:
        super().__init__(dut, scenario, *patterns)
        self.model = Model(self.network)
        self.features = self.array("features")
        self.size = LayerSize(self.parameters["INPUTS"], self.parameters["LABELS"])

    @property
    def frames(self) -> int:
        return len(self.features)

    @property
    def frame_cycles(self) -> int:
        return self.size.inputs * (self.size.outputs + 1)

    @property
    def beats_to_come(self) -> int:
        return len(self.sent) * self.size.outputs

    def drive(self, frame: int, dense: bool) -> None:
        self.source.send(self.features[frame])

    def comparisons(self, trace: Trace) -> list[LayerCheck]:
        logits = trace.beats("m_axis_tdata", trace.handshakes("m_axis"))
        return [
            LayerCheck(
                self.model.layer.name,
                ("label",),
                self.model.logits(self.features[self.sent]),
                logits.signed(self.parameters["ACC_BITS"]),
            ),
        ]

    def marks(self, trace: Trace) -> list[LayerCheck]:
        return [tlast_comparison(trace, len(self.sent), self.size.outputs)]

    def check_cycles(self, trace: Trace) -> None:
        ready = trace.signals["m_axis_tready"]
        predicted = timeline(
            walk(INPUT_STATIONARY, self.size, tiles=len(self.sent)),
            INPUT_REGISTERS,
            offers=trace.offers("s_axis").tolist(),
            ready=lambda cycle: bool(ready[cycle - trace.first]),
        )
        compare_cycles("input taken", predicted.taken, trace.handshakes("s_axis"))
        compare_cycles("logit offered", predicted.offered, trace.offers("m_axis"))

    def check_full_rate(self, trace: Trace) -> None:
        taken, offered = trace.handshakes("s_axis"), trace.offers("m_axis")
        beats = taken[0] + np.arange(taken.size) * (self.size.outputs + 1)
        compare_cycles("input taken", beats, taken)
        last_inputs = beats[self.size.inputs - 1 :: self.size.inputs, np.newaxis]
        logits = last_inputs + LATENCY_CYCLES + np.arange(self.size.outputs)
        compare_cycles("logit offered", logits.reshape(-1), offered)
