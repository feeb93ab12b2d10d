"""Bench of the whole accelerator: fingerprints in, logits and label out, every layer observed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dataflow.hardware.accelerator_schedule import predict
from dataflow.hardware.rtl_parameters import (
    accelerator_parameters,
    module_parameters,
    stream_bits,
)
from scripts.simulation.divergence import expected_streams
from tests.rtl.bench import (
    FrameBench,
    LayerCheck,
    compare_cycles,
    compare_parameters,
    tlast_comparison,
)
from tests.rtl.frame_scenarios import *  # noqa: F403
from tests.rtl.stream_scenarios import *  # noqa: F403
from tests.rtl.stream_trace import Beats, Trace

INSTANCES = {
    "control": "frame_control",
    "frames": "window_memory",
    "first_conv": "conv_1",
    "dw_conv": "dw_conv_max_pool",
    "pw_conv": "pointwise_conv",
    "fully_connected": "fc1",
    "best_label": "argmax",
}


@dataclass(frozen=True)
class Probe:
    """Where a layer's values are seen: `data`, in cycles where all of `valid` and no `flush`.

    `bits` is the parameter that holds the width of a signed value, which may be extended to whole
    bytes.
    """

    data: str
    valid: tuple[str, ...]
    flush: str = ""
    bits: str = ""
    whole_bytes: bool = False

    @property
    def signals(self) -> tuple[str, ...]:
        """Every signal that it looks at."""
        return (self.data, *self.valid, *([self.flush] if self.flush else []))

    def beats(self, trace: Trace, parameters: dict[str, Any]) -> Beats:
        """Return the values of the layer."""
        cycles = trace.high(*self.valid)
        if self.flush:
            cycles = cycles[trace.beats(self.flush, cycles).values == 0]
        values = trace.beats(self.data, cycles)
        if not self.bits:
            return values
        bits = parameters[self.bits]
        return values.signed(stream_bits(bits) if self.whole_bytes else bits)


PROBES = {
    "conv_1": Probe(
        "first_conv.sum",
        ("first_conv.sum_valid", "first_conv.advance"),
        "first_conv.sum_flush",
        "CONV_1_ACC_BITS",
    ),
    "conv_1_relu": Probe(
        "first_conv.m_axis_tdata",
        ("first_conv.m_axis_tvalid", "first_conv.advance"),
        "first_conv.m_axis_tuser",
    ),
    "dw_conv": Probe(
        "dw_conv.sum",
        ("dw_conv.sum_valid", "dw_conv.advance"),
        bits="DW_CONV_MAX_POOL_ACC_BITS",
    ),
    "max_pool": Probe("dw_conv.m_axis_tdata", ("dw_conv.m_axis_tvalid", "dw_conv.advance")),
    "pw_conv": Probe(
        "pw_conv.sum", ("pw_conv.complete", "pw_conv.advance"), bits="POINTWISE_CONV_ACC_BITS"
    ),
    "pw_conv_relu": Probe(
        "pw_conv.m_axis_tdata", ("pw_conv.m_axis_tvalid", "fully_connected.s_axis_tready")
    ),
    "fc1": Probe(
        "fully_connected.sum",
        ("fully_connected.complete", "fully_connected.advance"),
        bits="FC1_ACC_BITS",
    ),
    "out": Probe(
        "m_axis_tdata",
        ("m_axis_tvalid", "m_axis_tready"),
        bits="ARGMAX_OUT_BITS",
        whole_bytes=True,
    ),
}
INSIDE = tuple({name: None for probe in PROBES.values() for name in probe.signals if "." in name})


class Bench(FrameBench):
    """`kws_accelerator` and its model, `golden.reference`."""

    observed = (*INSIDE, *FrameBench.observed)

    def __init__(self, dut: Any, scenario: str, *patterns: str) -> None:
        super().__init__(dut, scenario, *patterns)
        self.fingerprints = self.array("fingerprints")
        self.parameters = accelerator_parameters(self.accelerator)

    @property
    def frames(self) -> int:
        return len(self.fingerprints)

    @property
    def frame_beats(self) -> int:
        return int(self.fingerprints[0].size)

    @cached_property
    def frame_cycles(self) -> int:
        return predict(self.accelerator).latency

    @property
    def settle_cycles(self) -> int:
        return self.frame_cycles

    @property
    def beats_to_come(self) -> int:
        return len(self.sent) * (self.accelerator.labels + 1)

    def drive(self, frame: int, dense: bool) -> None:
        mask = (1 << stream_bits(self.parameters["WINDOW_MEMORY_DATA_BITS"])) - 1
        self.source.send(self.fingerprints[frame].reshape(-1).astype(np.int64) & mask)

    def comparisons(self, trace: Trace) -> list[LayerCheck]:
        accelerator = self.accelerator
        expected = expected_streams(accelerator, self.fingerprints[self.sent])
        found = []
        for stream, probe in PROBES.items():
            values, axes = expected[stream], ("value",)
            name = accelerator.layer_names.get(stream, "logits and label")
            if stream in ("conv_1", "conv_1_relu", "dw_conv"):
                shape = (len(self.sent), accelerator.channels, *accelerator.map)
                values, axes = values.reshape(shape), ("channel", "row", "column")
            found.append(LayerCheck(name, axes, values, probe.beats(trace, self.parameters)))
        return found

    def marks(self, trace: Trace) -> list[LayerCheck]:
        return [tlast_comparison(trace, len(self.sent), self.accelerator.labels + 1)]

    def check_full_rate(self, trace: Trace) -> None:
        taken = trace.handshakes("s_axis")
        predicted = predict(self.accelerator, self.frames).cycles
        compare_cycles("number taken", taken[0] + predicted["taken"], taken)
        for stream, probe in PROBES.items():
            cycles = probe.beats(trace, self.parameters).cycles
            compare_cycles(stream, taken[0] + predicted[stream], cycles)

    def check_parameters(self) -> None:
        super().check_parameters()
        for instance, block in INSTANCES.items():
            compare_parameters(
                getattr(self.dut, instance), module_parameters(self.accelerator)[block]
            )
