"""Scenarios that every stream module must pass, whatever it computes.

A bench `tb_<module>.py` imports them beside its own; they run on the `Bench` that it defines.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge, with_timeout

from tests.rtl.bench import PERIOD_NS, StreamBench

__all__ = [
    "back_to_back",
    "gaps_and_stalls",
    "last_beat_waits_for_a_sink_that_is_late",
    "parameters_are_as_generated",
    "reset_in_mid_stream",
    "reset_while_the_output_is_stalled",
    "takes_a_beat_in_the_first_cycle_after_a_reset",
    "waits_for_a_sink_that_is_late",
]

RANDOM_MOMENTS = 7
FEWEST_FRAMES, FEWEST_CYCLES = 3, 40  # with gaps and stalls
LATE_CYCLES = 80  # longer than any burst of stalls


async def start(dut: Any, scenario: str, idle: str = "never", stall: str = "never") -> StreamBench:
    """Build the bench with these patterns of input gaps and output stalls, and reset."""
    module = import_module(f"tests.rtl.tb_{dut._name}")
    bench: StreamBench = module.Bench(dut, scenario, idle, stall)
    bench.report({})  # it started, even if it never ends
    await bench.reset()
    return bench


def last_frames(bench: StreamBench, count: int) -> list[int]:
    """Return the numbers of the last frames of the job."""
    return [*range(bench.frames)][-count:]


@cocotb.test()
async def parameters_are_as_generated(dut: Any) -> None:
    """The design elaborated the generated parameters."""
    bench = await start(dut, "parameters")
    bench.check_parameters()
    bench.report({"parameters": len(bench.parameters)})


@cocotb.test()
async def back_to_back(dut: Any) -> None:
    """All frames of the job at full rate: values, latency, and no bubble."""
    bench = await start(dut, "back_to_back")
    bench.send(range(bench.frames), dense=True)
    await bench.check()
    bench.check_full_rate(bench.trace())


@cocotb.test()
@cocotb.parametrize(idle=["never", "half", "bursts"], stall=["never", "half", "bursts"])
async def gaps_and_stalls(dut: Any, idle: str, stall: str) -> None:
    """Input gaps crossed with output stalls: nothing lost, nothing twice, cycles as predicted."""
    bench = await start(dut, f"gaps_and_stalls({idle}, {stall})", idle, stall)
    bench.send(last_frames(bench, max(FEWEST_FRAMES, FEWEST_CYCLES // bench.frame_cycles)))
    await bench.check()


@cocotb.test()
async def waits_for_a_sink_that_is_late(dut: Any) -> None:
    """A sink that accepts nothing for longer than a frame takes loses nothing."""
    bench = await start(dut, "late_sink")
    bench.sink.accept(False)
    bench.send(last_frames(bench, 3))
    await bench.cycles(3 * bench.frame_cycles + 40)
    assert dut.m_axis_tvalid.value == 1, "m_axis: tvalid waits for tready"
    bench.sink.accept(True)
    await bench.check()


@cocotb.test()
async def last_beat_waits_for_a_sink_that_is_late(dut: Any) -> None:
    """The last beat of a frame stays while the next frames pile up behind it, then they follow."""
    bench = await start(dut, "late_sink_of_the_last_beat")
    first, *others = last_frames(bench, 4)
    bench.send([first])
    before_it = bench.beats_to_come - 1
    bench.send(others)
    while before_it:
        await RisingEdge(dut.clk_i)
        before_it -= dut.m_axis_tvalid.value == 1 and dut.m_axis_tready.value == 1
    bench.sink.accept(False)
    await bench.cycles(3 * bench.frame_cycles + LATE_CYCLES)
    bench.sink.accept(True)
    await bench.check()


@cocotb.test()
async def takes_a_beat_in_the_first_cycle_after_a_reset(dut: Any) -> None:
    """A beat that is there when the reset ends counts, those that come with the reset do not."""
    bench = await start(dut, "first_cycle_after_reset")
    for turn, moment in enumerate((1, 2, bench.frame_cycles, bench.frame_cycles + 2)):
        bench.send(last_frames(bench, 2))
        await bench.cycles(moment)
        await bench.reset(offered=True)
        bench.send(last_frames(bench, 5)[turn : turn + 2], dense=True)
        bench.source.begin()
        await bench.check()
        taken = bench.trace().handshakes("s_axis")[0]
        assert taken == bench.first_cycle, f"first beat: expected {bench.first_cycle}, got {taken}"


@cocotb.test()
@cocotb.parametrize(stall=["never", "bursts"])
async def reset_in_mid_stream(dut: Any, stall: str) -> None:
    """A reset at any moment leaves nothing behind: the next frame is right, and alone."""
    bench = await start(dut, f"reset_in_mid_stream({stall})", stall=stall)
    moments = {1, 2, 3, 4, bench.frame_cycles, bench.frame_cycles + 3}
    moments |= {bench.random.randint(1, bench.frame_cycles + 10) for _ in range(RANDOM_MOMENTS)}
    for moment in sorted(moments):
        bench.send(last_frames(bench, 2))
        await bench.cycles(moment)
        await bench.reset()
        bench.send(last_frames(bench, 1))
        await bench.check()


@cocotb.test()
async def reset_while_the_output_is_stalled(dut: Any) -> None:
    """A reset takes back a beat that the sink did not accept, and everything behind it."""
    bench = await start(dut, "reset_while_stalled")
    bench.sink.accept(False)
    bench.send(last_frames(bench, 2))
    await with_timeout(RisingEdge(dut.m_axis_tvalid), 10 * bench.frame_cycles * PERIOD_NS, "ns")
    await bench.cycles(bench.frame_cycles)
    await bench.reset()
    bench.sink.accept(True)
    bench.send(last_frames(bench, 2))
    await bench.check()
