"""Bench of the whole accelerator on witnesses: what its accumulators and products went through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np

from tests.rtl.bench import PERIOD_NS, Integers
from tests.rtl.stream_trace import Beats, Recorder, Trace
from tests.rtl.tb_kws_accelerator import Bench


@dataclass(frozen=True)
class Datapath:
    """Multipliers and accumulator of an instance, its `block` in front of its parameters' names.

    Products are valid in cycles where all of `valid` are high and no `flush`; their sum stands in
    `total` in the next cycle, or at once where it is a wire. `outputs` names the parameter that
    counts the sums which take turns; without one a plane is summed up before the next.
    """

    instance: str
    block: str
    valid: tuple[str, ...]
    total: str
    flush: str = ""
    outputs: str = ""

    def products(self, parameters: dict[str, Any]) -> tuple[str, ...]:
        """Return the registers of all multipliers."""
        if self.outputs:
            return (f"{self.instance}.product_q",)
        lanes = range(parameters[f"{self.block}_LANES"])
        return tuple(f"{self.instance}.mac.g_lane[{lane}].product_q" for lane in lanes)

    def signals(self, parameters: dict[str, Any]) -> tuple[str, ...]:
        """Return every signal to record."""
        flags = (*self.valid, self.total, *([self.flush] if self.flush else []))
        return (*(f"{self.instance}.{name}" for name in flags), *self.products(parameters))

    def cycles(self, trace: Trace) -> Integers:
        """Return the cycles in which products are added."""
        cycles = trace.high(*(f"{self.instance}.{name}" for name in self.valid))
        if not self.flush:
            return cycles
        return cycles[trace.beats(f"{self.instance}.{self.flush}", cycles).values == 0]

    def by_channel(self, beats: Beats, bits: int, bench: Bench) -> Integers:
        """Return values as `(channel, value)`."""
        values = beats.signed(bits).values
        if self.outputs:
            return values.reshape(-1, bench.parameters[f"{self.block}_{self.outputs}"]).T
        planes = values.reshape(bench.frames, bench.accelerator.channels, -1)
        return planes.transpose(1, 0, 2).reshape(bench.accelerator.channels, -1)


DATAPATHS = {
    "conv_1": Datapath(
        "first_conv",
        "CONV_1",
        ("mac.product_valid_q", "advance"),
        "mac.sum_q",
        flush="mac.product_marks_q",
    ),
    "dw_conv": Datapath(
        "dw_conv", "DW_CONV_MAX_POOL", ("mac.product_valid_q", "advance"), "mac.sum_q"
    ),
    "pw_conv": Datapath(
        "pw_conv", "POINTWISE_CONV", ("accumulate_en",), "sum", outputs="OUT_CHANNELS"
    ),
    "fc1": Datapath("fully_connected", "FC1", ("accumulate_en",), "sum", outputs="OUT_CHANNELS"),
}


@cocotb.test()
async def registers_are_recorded(dut: Any) -> None:
    """All frames of the job, every value compared; then the extremes of every register."""
    bench = Bench(dut, "witnesses")
    names = [name for path in DATAPATHS.values() for name in path.signals(bench.parameters)]
    recorder = Recorder(dut, names, PERIOD_NS)
    await bench.reset()
    bench.send(range(bench.frames), dense=True)
    await bench.check()
    trace = recorder.trace(bench.first_cycle)
    for layer, path in DATAPATHS.items():
        cycles = path.cycles(trace)
        total_cycles = cycles if path.outputs else cycles + 1
        bits = bench.parameters[f"{path.block}_ACC_BITS"]
        sums = trace.beats(f"{path.instance}.{path.total}", total_cycles)
        bench.report({f"{layer}.sum": _ends(path.by_channel(sums, bits, bench))})
        bits = bench.parameters[f"{path.block}_PRODUCT_BITS"]
        products = [
            path.by_channel(trace.beats(name, cycles), bits, bench)
            for name in path.products(bench.parameters)
        ]
        bench.report({f"{layer}.product": _ends(np.concatenate(products, axis=1))})


def _ends(values: Integers) -> list[list[int]]:
    """Return the smallest and the largest of `(channel, value)`, a list each."""
    return [values.min(axis=1).tolist(), values.max(axis=1).tolist()]
