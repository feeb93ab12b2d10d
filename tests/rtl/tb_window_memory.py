"""Scenarios for `window_memory`: whole frames in, parts of windows out.

The model is the fingerprint itself: a read that starts at row r and column c brings the numbers
from (r, c) on, lane by lane. Which address that is, and what is written where, is the arithmetic of
the module's header comment. The model is compared with the design in every cycle.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from typing import Any

import cocotb
import numpy as np
import numpy.typing as npt

from tests.rtl.lock_step import LockStep, Values, job_folder, job_parameters, report

LATE_CYCLES = 80  # longer than any other stall


class WindowMemory:
    """The model: two frames, and the beat that was read last and is not yet taken."""

    def __init__(self, parameters: dict[str, int], frames: npt.NDArray[np.int64]) -> None:
        self.parameters, self.frames = parameters, frames
        self.kept: dict[tuple[int, ...], int] = {}  # number by buffer, row and column
        self.beat: dict[str, int] | None = None

    def place(self, row: int, column: int) -> dict[str, int]:
        """Return the phases and the address of a number of the frame."""
        p = self.parameters
        return {
            "row_phase": row % p["ROW_PHASES"],
            "column_phase": column % p["COLUMN_PHASES"],
            "address": row // p["ROW_PHASES"] * p["PLANE_COLUMNS"] + column // p["COLUMN_PHASES"],
        }

    def corners(self) -> list[tuple[int, int]]:
        """Return every row and column at which a read can start."""
        p, (_, rows, columns) = self.parameters, self.frames.shape
        return list(
            product(
                range(0, rows - p["LANE_ROWS"] + 1, p["ROW_PHASES"]),
                range(0, columns - p["LANE_COLUMNS"] + 1, p["COLUMN_PHASES"]),
            )
        )

    def outputs(self, inputs: Values) -> Values:
        """Return what the outputs must be in this cycle."""
        found = {"m_axis_tvalid": self.beat is not None, "read_ready_o": self._ready(inputs)}
        return found | (self.beat or {})

    def clock(self, inputs: Values) -> None:
        """Take a write, a read, both or none. A reset forgets the beat, and keeps the frames."""
        if not inputs["rst_ni"]:
            self.beat = None
        elif self._ready(inputs):
            self.beat = self._read(inputs) if inputs["read_valid_i"] else None
        if inputs["write_en_i"]:
            names = ("buffer", "address", "row_phase", "column_phase")
            place = tuple(inputs[f"write_{name}_i"] for name in names)
            self.kept[place] = inputs["write_data_i"]

    def _ready(self, inputs: Values) -> bool:
        return self.beat is None or bool(inputs["m_axis_tready"])

    def _read(self, inputs: Values) -> dict[str, int]:
        beat = {"m_axis_tuser": inputs["read_flush_i"]}
        if not inputs["read_flush_i"]:  # else the numbers mean nothing
            beat["m_axis_tdata"] = self._numbers(inputs["read_buffer_i"], inputs["read_address_i"])
        return beat

    def _numbers(self, buffer: int, address: int) -> int:
        p = self.parameters
        plane_row, plane_column = divmod(address, p["PLANE_COLUMNS"])
        row, column = plane_row * p["ROW_PHASES"], plane_column * p["COLUMN_PHASES"]
        lanes = product(range(p["LANE_ROWS"]), range(p["LANE_COLUMNS"]))
        numbers = 0
        for lane, (a, b) in enumerate(lanes):
            place = self.place(row + a, column + b)
            key = (buffer, place["address"], place["row_phase"], place["column_phase"])
            numbers |= self.kept[key] << (lane * p["DATA_BITS"])
        return numbers


class Bench:
    """The design beside its model, a writer that fills one buffer, a reader of the other."""

    def __init__(self, dut: Any, scenario: str) -> None:
        self.parameters = job_parameters()
        self.frames = np.load(job_folder() / "frames.npy").astype(np.int64)
        self.model = WindowMemory(self.parameters, self.frames)
        self.pair = LockStep(dut, scenario, self.model)
        self.random = random.Random(scenario)

    def writes(self, number: int) -> Iterator[dict[str, int]]:
        """Yield the writes of a frame, row by row."""
        frame = self.frames[number]
        mask = 2 ** self.parameters["DATA_BITS"] - 1
        for row, column in np.ndindex(frame.shape):
            place = self.model.place(row, column) | {"buffer": number % 2}
            names = {f"write_{name}_i": value for name, value in place.items()}
            yield {"write_en_i": 1, "write_data_i": int(frame[row, column]) & mask, **names}

    def reads(self, number: int) -> Iterator[dict[str, int]]:
        """Yield reads of a frame, some to flush: every part of a window, in random order."""
        corners = self.model.corners()
        for row, column in self.random.sample(corners, len(corners)):
            address = self.model.place(row, column)["address"]
            if self.random.random() < 0.2:
                yield self._read(number, address, flush=1)
            yield self._read(number, address, flush=0)

    async def run(self, writes: Iterator[Any], reads: Iterator[Any], idle: float, stall: float):
        """Write and read at once; each side pauses at the rate `idle`, the output at `stall`."""
        write, read = next(writes, None), next(reads, None)
        while write or read or self.model.beat:
            writing = write is not None and self.random.random() >= idle
            reading = read is not None and self.random.random() >= idle
            inputs = self.noise()
            if writing:
                inputs |= write
            if reading:
                inputs |= read
            inputs["m_axis_tready"] = self.random.random() >= stall
            outputs = await self.pair.step(inputs)
            if writing:
                write = next(writes, None)
            if reading and outputs["read_ready_o"]:
                read = next(reads, None)

    async def reset(self) -> None:
        """Reset for one clock edge; a read that comes with it does not count."""
        draw = self.random.getrandbits
        inputs = {"rst_ni": 0, "read_valid_i": draw(1), "m_axis_tready": draw(1)}
        await self.pair.step(self.noise() | inputs)

    def noise(self) -> dict[str, int]:
        """Return a cycle's inputs without write and read: all the others mean nothing."""
        p, draw = self.parameters, self.random.randrange
        return {
            "rst_ni": 1,
            "write_en_i": 0,
            "write_buffer_i": draw(2),
            "write_address_i": draw(p["PLANE_WORDS"]),
            "write_row_phase_i": draw(p["ROW_PHASES"]),
            "write_column_phase_i": draw(p["COLUMN_PHASES"]),
            "write_data_i": draw(2 ** p["DATA_BITS"]),
            "read_valid_i": 0,
            "read_buffer_i": draw(2),
            "read_address_i": draw(p["PLANE_WORDS"]),
            "read_flush_i": draw(2),
        }

    def _read(self, number: int, address: int, flush: int) -> dict[str, int]:
        names = {"valid": 1, "buffer": number % 2, "address": address, "flush": flush}
        return {f"read_{name}_i": value for name, value in names.items()}


async def start(dut: Any, scenario: str) -> Bench:
    """Build the bench, reset once, and write the first frame."""
    bench = Bench(dut, scenario)
    await bench.reset()
    await bench.run(bench.writes(0), iter(()), idle=0.3, stall=0)
    return bench


@cocotb.test()
@cocotb.parametrize(idle=[0, 0.5], stall=[0, 0.5])
async def every_part_of_every_window(dut: Any, idle: float, stall: float) -> None:
    """One frame is read, all corners of it, while the next one is written into the other buffer."""
    scenario = f"windows({idle}, {stall})"
    bench = await start(dut, scenario)
    for number in range(1, len(bench.frames)):
        await bench.run(bench.writes(number), bench.reads(number - 1), idle, stall)
    report(scenario, cycles=bench.pair.cycle)


@cocotb.test()
async def reads_follow_one_another(dut: Any) -> None:
    """A read a cycle; each is offered in the next one."""
    bench = await start(dut, "full_rate")
    reads = list(bench.reads(0))
    first = bench.pair.cycle
    await bench.run(iter(()), iter(reads), idle=0, stall=0)
    assert bench.pair.cycle == first + len(reads) + 1
    report("full_rate", cycles=bench.pair.cycle)


@cocotb.test()
async def beat_waits_for_a_sink_that_is_late(dut: Any) -> None:
    """A beat, empty or not, stays for longer than any other stall, whatever the inputs do then."""
    bench = await start(dut, "late_sink")
    for read in list(bench.reads(0))[:6]:
        await bench.pair.step(bench.noise() | read | {"m_axis_tready": 1})
        behind = next(bench.reads(0))
        for _ in range(LATE_CYCLES):
            offered = behind if bench.random.getrandbits(1) else {}
            await bench.pair.step(bench.noise() | offered | {"m_axis_tready": 0})
        await bench.run(iter(()), bench.reads(0), idle=0, stall=0.5)
    report("late_sink", cycles=bench.pair.cycle)


@cocotb.test()
async def reset_forgets_the_beat_and_keeps_the_frames(dut: Any) -> None:
    """A beat that waits is gone after a reset; the frames are still there."""
    bench = await start(dut, "reset")
    for _ in range(5):
        read = next(bench.reads(0))
        await bench.pair.step(bench.noise() | read | {"m_axis_tready": 0})
        await bench.reset()
        await bench.run(iter(()), bench.reads(0), idle=0.5, stall=0.5)
    report("reset", cycles=bench.pair.cycle)
