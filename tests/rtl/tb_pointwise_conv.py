"""Scenarios for `pointwise_conv`: driver, monitor, model and checker, joined in `Bench`.

Runs inside the simulator, started by `scripts.rtl_simulation.simulate`, on the network and the
pixels of the job. Dimensions come from the network and are compared with those of the design.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
import numpy.typing as npt
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from dataflow.loop_orders import INPUT_STATIONARY, walk
from dataflow.pointwise_schedule import FILL_CYCLES, compare_orders, timeline
from dataflow.rtl_export import NETWORK_FILE
from dataflow.rtl_parameters import pointwise_layer
from golden import reference
from golden.network import IntegerNetwork
from scripts.rtl_simulation import (
    JOB_FILE,
    JOB_VARIABLE,
    PIXELS_FILE,
    RESULTS_FILE,
)
from tests.rtl.stream_trace import Recorder, Trace

PERIOD_NS = 10
STREAM_SIGNALS = tuple(
    f"{stream}_{part}"
    for stream in ("s_axis", "m_axis")
    for part in ("tvalid", "tready", "tdata", "tlast")
)
REPORTED_MISMATCHES = 10
PATIENCE_US = 200  # longer than any layer here takes for a few pixels


class Model:
    """The layer by `golden.reference`: the only source of expected values."""

    def __init__(self, network: IntegerNetwork) -> None:
        self.layer = pointwise_layer(network)
        self.size = self.layer.size
        self.output_name = self.layer.shift_relu.name

    def outputs(self, pixels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the outputs `(N, output channels)` for inputs `(N, input channels)`."""
        sums = reference.compute(self.layer.convolution, pixels[:, np.newaxis, np.newaxis])
        return reference.compute(self.layer.shift_relu, sums)[:, 0, 0]


class Bench:
    """A design under test with its clock, source, sink, recorder and model."""

    def __init__(self, dut: Any, scenario: str) -> None:
        self.dut = dut
        self.scenario = scenario
        self.folder = Path(os.environ[JOB_VARIABLE])
        self.parameters = json.loads((self.folder / JOB_FILE).read_text())["parameters"]
        self.pixels: npt.NDArray[np.int64] = np.load(self.folder / PIXELS_FILE)
        self.model = Model(IntegerNetwork.load(self.folder / NETWORK_FILE))
        self.random = random.Random(len(self.pixels))
        cocotb.start_soon(Clock(dut.clk_i, PERIOD_NS, unit="ns").start())
        self.source = _quiet(AxiStreamSource, dut, "s_axis")
        self.sink = _quiet(AxiStreamSink, dut, "m_axis")
        names = (*STREAM_SIGNALS, "multiply_en", "frame_error_o")
        self.recorder = Recorder(dut, names, PERIOD_NS)
        self.first_cycle = 0

    async def reset(self, edges: int = 1) -> None:
        """Reset for some clock edges, of which one is enough; the trace starts after them."""
        self.dut.rst_ni.value = 0
        await ClockCycles(self.dut.clk_i, edges)
        self.dut.rst_ni.value = 1
        self.first_cycle = self.recorder.cycle

    def send(self, *frames: npt.NDArray[np.int64]) -> None:
        """Queue frames for the source; it sets tlast on the last beat of each."""
        for frame in frames:
            self.source.send_nowait(AxiStreamFrame(tdata=[int(value) for value in frame]))

    async def receive(self, count: int) -> list[list[int]]:
        """Wait for `count` frames, then listen for beats that nobody asked for."""
        patience_us = 20 * (count + 1) * (self.model.size.multiplications + 100) * PERIOD_NS // 1000
        frames = [
            list((await with_timeout(self.sink.recv(), patience_us + 100, "us")).tdata)
            for _ in range(count)
        ]
        await ClockCycles(self.dut.clk_i, 2 * self.model.size.outputs + 10)
        assert self.sink.empty() and not self.sink.active, "m_axis: beats after the last frame"
        assert self.dut.s_axis_tready.value == 1, "s_axis: tready is low with nothing in flight"
        return frames

    def trace(self) -> Trace:
        """Return what happened since the last reset."""
        return self.recorder.trace(self.first_cycle)

    def check(
        self, pixels: npt.NDArray[np.int64], frames: list[list[int]], errors: int = 0
    ) -> dict[str, Any]:
        """Compare frames with the model, handshakes with their rules, and count frame errors."""
        expected = self.model.outputs(pixels)
        trace = self.trace()
        mismatches = self._mismatches(expected, frames, trace)
        for mismatch in mismatches[:REPORTED_MISMATCHES]:
            self.dut._log.error("mismatch: %s", mismatch)
        report = {
            "vectors": len(pixels),
            "values": sum(len(frame) for frame in frames),
            "mismatches": len(mismatches),
            "first_mismatches": mismatches[:REPORTED_MISMATCHES],
            "multiply_cycles": int(trace.high("multiply_en").size),
        }
        self.report(report)
        assert not mismatches, f"{len(mismatches)} mismatches, first: {mismatches[0]}"
        violations = trace.violations("m_axis") + trace.violations("s_axis")
        assert not violations, violations[0]
        raised = trace.high("frame_error_o").size
        assert raised == errors, f"frame_error_o: expected {errors} cycles, got {raised}"
        return report

    def check_cycles(self, pixels: npt.NDArray[np.int64]) -> None:
        """Compare every handshake and every multiplication with the predicted cycle."""
        trace = self.trace()
        ready = trace.signals["m_axis_tready"]
        predicted = timeline(
            walk(INPUT_STATIONARY, self.model.size, tiles=len(pixels)),
            offers=trace.offers("s_axis").tolist(),
            ready=lambda cycle: bool(ready[cycle - trace.first]),
        )
        for event, cycles, simulated in (
            ("beat taken", predicted.taken, trace.handshakes("s_axis")),
            ("multiplication", predicted.multiplied, trace.high("multiply_en")),
            ("output offered", predicted.offered, trace.offers("m_axis")),
            ("output accepted", predicted.accepted, trace.handshakes("m_axis")),
        ):
            assert cycles.size == simulated.size, (
                f"{event}: expected {cycles.size} times, got {simulated.size}"
            )
            different = np.flatnonzero(cycles != simulated)
            assert not different.size, (
                f"{event} {different[0]}: expected cycle {cycles[different[0]]}, "
                f"got {simulated[different[0]]}"
            )

    def report(self, values: dict[str, Any]) -> None:
        """Add `values` to the result of this scenario."""
        path = self.folder / RESULTS_FILE
        results = json.loads(path.read_text()) if path.is_file() else {}
        results.setdefault(self.scenario, {}).update(values)
        path.write_text(json.dumps(results, indent=2) + "\n")

    def _mismatches(
        self, expected: npt.NDArray[np.int64], frames: list[list[int]], trace: Trace
    ) -> list[str]:
        """Describe every difference: layer, channel, both integers, pixel and cycle."""
        cycles = iter(trace.handshakes("m_axis").tolist())
        found = []
        for pixel, (wanted, frame) in enumerate(zip(expected.tolist(), frames, strict=True)):
            if len(frame) != len(wanted):
                found.append(
                    f"{self.model.output_name}: pixel {pixel}: expected {len(wanted)} beats up to "
                    f"tlast, got {len(frame)}"
                )
            for channel, got in enumerate(frame):
                cycle = next(cycles, None)
                if channel < len(wanted) and got != wanted[channel]:
                    found.append(
                        f"{self.model.output_name}: channel {channel}: expected {wanted[channel]}, "
                        f"got {got} (pixel {pixel}, cycle {cycle})"
                    )
        return found


def _quiet(kind: type, dut: Any, prefix: str) -> Any:
    """Connect a source or sink whose beats are single numbers; it logs warnings alone."""
    bus = AxiStreamBus.from_prefix(dut, prefix)
    agent = kind(bus, dut.clk_i, dut.rst_ni, reset_active_level=False, byte_lanes=1)
    agent.log.setLevel("WARNING")
    return agent


def pauses(kind: str, source: random.Random, longest: int) -> Iterator[bool] | None:
    """Return an endless pattern of paused cycles: none, half of them, or bursts up to `longest`."""
    match kind:
        case "never":
            return None
        case "half":
            return iter(lambda: source.random() < 0.5, None)
        case "bursts":
            return _bursts(source, longest)
        case _:
            raise ValueError(f"pauses: expected never, half or bursts, got {kind!r}")


def _bursts(source: random.Random, longest: int) -> Iterator[bool]:
    while True:
        for paused in (True, False):
            yield from [paused] * source.randint(1, longest)


async def start(dut: Any, scenario: str, idle: str = "never", stall: str = "never") -> Bench:
    """Build the bench, apply the patterns of input gaps and output stalls, and reset."""
    bench = Bench(dut, scenario)
    longest = 2 * bench.model.size.outputs + 3
    for agent, kind in ((bench.source, idle), (bench.sink, stall)):
        pattern = pauses(kind, bench.random, longest)
        if pattern is not None:
            agent.set_pause_generator(pattern)
    await bench.reset(edges=3)  # the sink cannot read what is unknown after power-up
    return bench


@cocotb.test()
async def parameters_and_registers_are_as_generated(dut: Any) -> None:
    """Every parameter that the design elaborated is the generated one; so are its registers."""
    bench = await start(dut, "parameters")
    elaborated = {name: getattr(dut, name).value for name in bench.parameters}
    weight_file = elaborated.pop("WEIGHT_FILE").decode()
    found = {name: int(value) for name, value in elaborated.items()}
    assert {**found, "WEIGHT_FILE": weight_file} == bench.parameters
    (cost,) = compare_orders(bench.model.size, found, interval=1, orders=[INPUT_STATIONARY])
    datapath = ("active_data_q", "spare_data_q", "ring_q", "weight_q", "product_q", "out_data_q")
    register_bits = sum(len(getattr(dut, name)) for name in datapath)
    if bench.model.size.inputs > 1:  # of a single channel no sum waits, but the ring is there
        assert register_bits == cost.register_bits
    bench.report({"register_bits": register_bits})


@cocotb.test()
async def back_to_back(dut: Any) -> None:
    """All pixels of the job at full rate: values, one multiplication a weight, fill, no bubble."""
    bench = await start(dut, "back_to_back")
    bench.send(*bench.pixels)
    report = bench.check(bench.pixels, await bench.receive(len(bench.pixels)))
    bench.check_cycles(bench.pixels)
    trace, size = bench.trace(), bench.model.size
    multiplied, offered = trace.high("multiply_en"), trace.offers("m_axis")
    taken = trace.handshakes("s_axis")
    latency = offered[size.outputs - 1] - taken[0]
    assert report["multiply_cycles"] == size.multiplications * len(bench.pixels)
    assert (np.diff(multiplied) == 1).all(), "multiply_en: a bubble at full rate"
    assert latency == size.multiplications - 1 + FILL_CYCLES
    assert np.array_equal(
        offered[size.outputs - 1 :: size.outputs] - offered[size.outputs - 1],
        np.arange(len(bench.pixels)) * size.multiplications,
    )
    bench.report(
        {
            "multiply_cycles_per_pixel": size.multiplications,
            "fill_cycles": int(latency - size.multiplications + 1),
            "latency_cycles": int(latency),
            "simulated_cycles": int(offered[-1] - taken[0]) + 1,
        }
    )


@cocotb.test()
@cocotb.parametrize(idle=["never", "half", "bursts"], stall=["never", "half", "bursts"])
async def gaps_and_stalls(dut: Any, idle: str, stall: str) -> None:
    """Input gaps crossed with output stalls: nothing lost, nothing twice, cycles as predicted."""
    bench = await start(dut, f"gaps_and_stalls({idle}, {stall})", idle, stall)
    pixels = bench.pixels[-3:]
    bench.send(*pixels)
    report = bench.check(pixels, await bench.receive(len(pixels)))
    bench.check_cycles(pixels)
    assert report["multiply_cycles"] == bench.model.size.multiplications * len(pixels)


@cocotb.test()
async def waits_for_a_sink_that_is_late(dut: Any) -> None:
    """A sink that accepts nothing for longer than a pixel takes loses nothing."""
    bench = await start(dut, "late_sink")
    bench.sink.pause = True
    pixels = bench.pixels[-3:]
    bench.send(*pixels)
    await ClockCycles(dut.clk_i, 2 * bench.model.size.multiplications + 20)
    assert dut.m_axis_tvalid.value == 1, "m_axis: tvalid waits for tready"
    bench.sink.pause = False
    bench.check(pixels, await bench.receive(len(pixels)))
    bench.check_cycles(pixels)


@cocotb.test()
@cocotb.parametrize(stall=["never", "bursts"])
async def reset_in_mid_stream(dut: Any, stall: str) -> None:
    """A reset at any moment leaves no beat behind: the next pixel is right, and alone."""
    bench = await start(dut, f"reset_in_mid_stream({stall})", stall=stall)
    size = bench.model.size
    moments = {1, 2, 3, size.outputs, size.outputs + 1, size.multiplications + FILL_CYCLES}
    moments |= {bench.random.randrange(1, size.multiplications + size.outputs) for _ in range(3)}
    for moment in sorted(moments):
        bench.send(bench.pixels[-1], bench.pixels[-2])
        await ClockCycles(dut.clk_i, moment)
        bench.source.clear()
        await bench.reset()
        bench.sink.clear()
        pixels = bench.pixels[-1:]
        bench.send(*pixels)
        report = bench.check(pixels, await bench.receive(1))
        bench.check_cycles(pixels)
        assert report["multiply_cycles"] == size.multiplications


@cocotb.test()
async def reset_while_the_output_is_stalled(dut: Any) -> None:
    """A reset takes back a beat that the sink did not accept, and everything behind it."""
    bench = await start(dut, "reset_while_stalled")
    size = bench.model.size
    bench.sink.pause = True
    bench.send(bench.pixels[-1], bench.pixels[-2])
    await with_timeout(RisingEdge(dut.m_axis_tvalid), PATIENCE_US, "us")
    await ClockCycles(dut.clk_i, 2 * size.outputs)
    bench.source.clear()
    await bench.reset()
    bench.sink.clear()
    bench.sink.pause = False
    pixels = bench.pixels[-2:]
    bench.send(*pixels)
    bench.check(pixels, await bench.receive(len(pixels)))
    bench.check_cycles(pixels)


@cocotb.test()
async def reset_while_a_frame_is_wrong(dut: Any) -> None:
    """A reset takes back a frame error and ends the skipping of the frame that raised it."""
    bench = await start(dut, "reset_while_wrong")
    bench.send(np.concatenate([bench.pixels[-1]] * 3))
    await with_timeout(RisingEdge(dut.frame_error_o), PATIENCE_US, "us")
    bench.source.clear()
    await bench.reset()
    pixels = bench.pixels[-2:]
    bench.send(*pixels)
    bench.check(pixels, await bench.receive(len(pixels)))
    bench.check_cycles(pixels)


@cocotb.test()
@cocotb.parametrize(idle=["never", "bursts"], stall=["never", "bursts"])
async def tlast_in_the_wrong_place(dut: Any, idle: str, stall: str) -> None:
    """Frames that are too short or too long vanish, raise one error each, and harm no other."""
    bench = await start(dut, f"tlast_in_the_wrong_place({idle}, {stall})", idle, stall)
    channels = bench.model.size.inputs
    beats = np.concatenate([bench.pixels[-1]] * 3)
    lengths = [channels - 1, channels + 1, 1, 2 * channels, channels // 2, 2 * channels + 1]
    wrong = [length for length in lengths if length not in (0, channels)]
    pixels = bench.pixels[-len(wrong) :]
    bench.send(beats[: wrong[0]])
    # A right one after each, so that no later mistake can hide what an earlier one left behind.
    for length, pixel in zip(wrong, pixels, strict=True):
        bench.send(beats[:length], pixel)
    bench.check(pixels, await bench.receive(len(pixels)), errors=len(wrong) + 1)
