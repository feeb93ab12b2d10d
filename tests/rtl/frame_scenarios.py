"""Scenarios for modules that check the length of their frames; see `stream_scenarios`."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import RisingEdge, with_timeout

from tests.rtl.bench import PERIOD_NS
from tests.rtl.stream_scenarios import last_frames, start

__all__ = ["frame_of_many_frames", "reset_while_a_frame_is_wrong", "tlast_in_the_wrong_place"]


MANY_FRAMES, SEVERAL_FRAMES = 64, 4
FEW_BEATS = 20  # of a frame, so that many frames are not too many beats


@cocotb.test()
async def frame_of_many_frames(dut: Any) -> None:
    """A frame as long as many right ones, or as many and one, is one error and nothing else.

    Whoever counts its beats or its frames modulo a power of two takes one of them for right.
    """
    bench = await start(dut, "frame_of_many_frames")
    many = MANY_FRAMES if bench.frame_beats <= FEW_BEATS else SEVERAL_FRAMES
    for count in (many, many + 1):
        bench.send_wrong(count * bench.frame_beats)
        bench.send(last_frames(bench, 1))
    await bench.check()


@cocotb.test()
async def reset_while_a_frame_is_wrong(dut: Any) -> None:
    """A reset takes back a frame error and ends the skipping of the frame that raised it."""
    bench = await start(dut, "reset_while_wrong")
    bench.send_wrong(3 * bench.frame_beats)
    await with_timeout(RisingEdge(dut.frame_error_o), 20 * bench.frame_cycles * PERIOD_NS, "ns")
    await bench.reset()
    bench.send(last_frames(bench, 2))
    await bench.check()


@cocotb.test()
@cocotb.parametrize(idle=["never", "bursts"], stall=["never", "bursts"])
async def tlast_in_the_wrong_place(dut: Any, idle: str, stall: str) -> None:
    """Frames that are too short or too long vanish, raise one error each, and harm no other."""
    bench = await start(dut, f"tlast_in_the_wrong_place({idle}, {stall})", idle, stall)
    beats = bench.frame_beats
    lengths = [beats - 1, beats + 1, 1, 2 * beats, beats // 2, 2 * beats + 1]
    wrong = [length for length in lengths if length not in (0, beats)]
    bench.send_wrong(wrong[0])
    # A right one after each, so that no later mistake can hide what an earlier one left behind.
    for length, frame in zip(wrong, last_frames(bench, len(wrong)), strict=True):
        bench.send_wrong(length)
        bench.send([frame])
    await bench.check()
