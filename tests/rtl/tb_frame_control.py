"""Scenarios for `frame_control`: frames of any length in, the walk over their windows out.

The model keeps how many frames were written and walked, and the list of addresses that the loops in
the header comment of the module give; it is compared with the design in every cycle.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import cocotb

from tests.rtl.lock_step import LockStep, Values, job_parameters, report

PATIENCE_CYCLES = 40_000
MANY_FRAMES, SEVERAL_FRAMES = 64, 4
FEW_BEATS = 20  # of a frame, so that many frames are not too many beats
LATE_CYCLES = 80  # longer than any other stall
FEW_ROWS = 8  # so many that every number of whole rows is tried as a length
Moment = Callable[["FrameControl"], bool]


@dataclass(frozen=True)
class Layout:
    """A frame and the walk over it, by the parameters of the design."""

    parameters: dict[str, int]

    @property
    def beats(self) -> int:
        """Beats of a right frame."""
        return self.parameters["ROWS"] * self.parameters["COLUMNS"]

    @property
    def steps(self) -> int:
        """Reads of a position."""
        return self.parameters["STEP_ROWS"] * self.parameters["STEP_COLUMNS"]

    @property
    def flush(self) -> int:
        """Empty positions after the last frame."""
        return self.parameters["FLUSH"]

    def place(self, beat: int) -> dict[str, int]:
        """Return the phases and the address that belong to a beat."""
        p = self.parameters
        row, column = divmod(beat, p["COLUMNS"])
        return {
            "write_row_phase_o": row % p["ROW_PHASES"],
            "write_column_phase_o": column % p["COLUMN_PHASES"],
            "write_address_o": row // p["ROW_PHASES"] * p["PLANE_COLUMNS"]
            + column // p["COLUMN_PHASES"],
        }

    def addresses(self) -> list[int]:
        """Return the addresses of a frame's reads, in their order."""
        p = self.parameters
        loops = ("CHANNELS", "MAP_ROWS", "MAP_COLUMNS", "STEP_ROWS", "STEP_COLUMNS")
        return [
            (row * p["ROW_STRIDE"] + i) * p["PLANE_COLUMNS"] + column * p["COLUMN_STRIDE"] + j
            for _, row, column, i, j in product(*(range(p[name]) for name in loops))
        ]

    def moments(self) -> list[Moment]:
        """Return the states in which a reset has something to forget."""
        several = self.steps > 1
        found: list[tuple[bool, Moment]] = [
            (self.beats > 1, lambda model: model.beat > 0),
            (True, lambda model: model.skipping),
            (True, lambda model: model.error),
            (True, lambda model: model.waiting == 2),
            (True, lambda model: model.written % 2 > 0 and model.waiting == 0),
            (True, lambda model: model.walked % 2 > 0 and model.waiting == 1),
            (True, lambda model: model.read >= len(model.addresses) // 2 and model.waiting > 0),
            (several, lambda model: model.read % self.steps == self.steps - 1),
            (self.flush > 0, lambda model: model.empty > 0 and model.waiting == 0),
            (several and self.flush > 0, lambda model: model.empty_step > 0),
        ]
        return [moment for possible, moment in found if possible]


class FrameControl:
    """The model: what was written, what was walked, and what comes next."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.addresses = layout.addresses()
        self.restart()

    def restart(self) -> None:
        """Forget everything."""
        self.beat, self.skipping, self.error = 0, False, False
        self.written, self.walked = 0, 0  # frames
        self.read = 0  # reads of the frame that is walked
        self.empty, self.empty_step = 0, 0  # empty positions still to come, reads of this one

    @property
    def waiting(self) -> int:
        """Frames that are written and not yet walked to their end."""
        return self.written - self.walked

    @property
    def flushing(self) -> bool:
        """Whether a read that is taken now is an empty one."""
        return self.empty_step > 0 or (self.empty > 0 and not self.waiting)

    @property
    def idle(self) -> bool:
        """Whether nothing is left to read."""
        return not (self.waiting or self.flushing)

    def outputs(self, inputs: Values) -> Values:
        """Return what the outputs must be in this cycle."""
        ready = self.waiting < 2
        write = inputs["s_axis_tvalid"] and ready and not self.skipping
        found = {
            "s_axis_tready": ready,
            "frame_error_o": self.error,
            "write_en_o": write,
            "read_valid_o": not self.idle,
        }
        if write:
            found |= {"write_buffer_o": self.written % 2, **self.layout.place(self.beat)}
        if not self.idle:
            found["read_flush_o"] = self.flushing
        if not self.idle and not self.flushing:
            found |= {
                "read_buffer_o": self.walked % 2,
                "read_address_o": self.addresses[self.read],
            }
        return found

    def clock(self, inputs: Values) -> None:
        """Take a beat, a read, both or none."""
        if not inputs["rst_ni"]:
            self.restart()
            return
        taken = inputs["s_axis_tvalid"] and self.waiting < 2
        issued = inputs["read_ready_i"] and not self.idle
        if issued:
            self._read()
        self.error = False
        if taken:
            self._write(bool(inputs["s_axis_tlast"]))

    def _write(self, last: bool) -> None:
        full = self.beat == self.layout.beats - 1
        if self.skipping:
            self.skipping = not last
        elif full and last:
            self.written, self.beat = self.written + 1, 0
        elif full or last:
            self.error, self.skipping, self.beat = True, not last, 0
        else:
            self.beat += 1

    def _read(self) -> None:
        if self.flushing:
            self.empty_step = (self.empty_step + 1) % self.layout.steps
            self.empty -= self.empty_step == 0
            return
        self.read, self.empty = self.read + 1, 0
        if self.read == len(self.addresses):
            self.walked, self.read, self.empty = self.walked + 1, 0, self.layout.flush


@dataclass
class Source:
    """Offers frames of given lengths; holds a beat until it is taken, pauses between beats."""

    lengths: Iterable[int]
    idle: float
    random: random.Random
    _frames: Iterator[int] = field(init=False)
    _left: int = field(init=False, default=0)
    _offered: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._frames = iter(self.lengths)
        self.next_frame()

    @property
    def done(self) -> bool:
        """Whether every frame is taken."""
        return self._left == 0

    @property
    def last(self) -> bool:
        """Whether the next beat is the last of its frame."""
        return self._left == 1

    def next_frame(self) -> None:
        """Drop what is left of the frame."""
        self._left, self._offered = next(self._frames, 0), False

    def offer(self, held_back: bool = False) -> dict[str, int]:
        """Return this cycle's inputs: a beat, or no beat and a `tlast` that means nothing."""
        self._offered |= not (self.done or held_back) and self.random.random() >= self.idle
        last = self.last if self._offered else self.random.getrandbits(1)
        return {"s_axis_tvalid": self._offered, "s_axis_tlast": last}

    def taken(self) -> None:
        """The beat that was offered passes."""
        self._left, self._offered = self._left - 1, False
        if self._left == 0:
            self.next_frame()


class Bench:
    """The design beside its model, and the two sides that drive it."""

    def __init__(self, dut: Any, scenario: str) -> None:
        self.layout = Layout(job_parameters())
        self.model = FrameControl(self.layout)
        self.pair = LockStep(dut, scenario, self.model)
        self.random = random.Random(scenario)
        self.scenario = scenario
        self.source = self.frames([])
        self.reads: list[int] = []  # cycles in which a frame's read is taken
        self.empty_reads: list[int] = []
        self.last_beats: list[int] = []  # cycles in which a right frame's last beat is taken

    def frames(self, lengths: Iterable[int], idle: float = 0) -> Source:
        """Return a source of frames."""
        return Source(lengths, idle, self.random)

    async def reset(self) -> None:
        """Reset for one clock edge, of which one is enough."""
        inputs = {"rst_ni": 0, "read_ready_i": self.random.getrandbits(1)}
        await self.pair.step(inputs | self.source.offer())

    async def step(self, ready: bool = True, held_back: bool = False) -> None:
        """Run a cycle: offer what the source has, take a read if `ready`."""
        inputs = {"rst_ni": 1, "read_ready_i": ready, **self.source.offer(held_back)}
        model, cycle, written = self.model, self.pair.cycle, self.model.written
        issued = ready and not model.idle
        kind = self.empty_reads if model.flushing else self.reads
        outputs = await self.pair.step(inputs)
        if issued:
            kind.append(cycle)
        if inputs["s_axis_tvalid"] and outputs["s_axis_tready"]:
            self.source.taken()
        if model.written > written:
            self.last_beats.append(cycle)

    async def run(self, lengths: Iterable[int], idle: float = 0, stall: float = 0) -> None:
        """Send frames and wait until all is read, at the given rates of gaps and stalls."""
        self.source = self.frames(lengths, idle)
        await self.drain(stall)

    async def drain(self, stall: float = 0) -> None:
        """Wait until all frames are sent and read, then see that nothing follows."""
        limit = self.pair.cycle + PATIENCE_CYCLES
        while not (self.source.done and self.model.idle):
            assert self.pair.cycle < limit, f"{self.scenario}: expected the end of the reads"
            await self.step(self.random.random() >= stall)
        for _ in range(3):
            await self.step()

    async def hunt(self, moment: Moment) -> None:
        """Send frames, now fast and now slowly, until the model is in this state."""
        limit = self.pair.cycle + PATIENCE_CYCLES
        slow = 1 - self.layout.beats / (4 * len(self.model.addresses))  # slower than the reads
        while not moment(self.model):
            idle, stall = self.random.choice((0, max(slow, 0.7))), self.random.choice((0, 0.7))
            self.source = self.frames(self.mixed_lengths(3), idle)
            while not moment(self.model) and not self.source.done:
                assert self.pair.cycle < limit, f"{self.scenario}: expected the moment to come"
                await self.step(self.random.random() >= stall)

    def mixed_lengths(self, count: int) -> list[int]:
        """Return `count` lengths of frames, two of three of them right."""
        wrong, right = self.random.choices(self.wrong_lengths(), k=count), self.layout.beats
        return [self.random.choice((right, right, length)) for length in wrong]

    def wrong_lengths(self) -> list[int]:
        """Return lengths of frames that must be discarded: whole rows, whole frames, near them."""
        beats, columns = self.layout.beats, self.layout.parameters["COLUMNS"]
        rows = self.layout.parameters["ROWS"]
        some = range(1, rows) if rows <= FEW_ROWS else (1, rows // 2, rows - 1)
        found = {1, *(columns * row for row in some), beats - 1, beats + 1}
        found |= {2 * beats - 1, 2 * beats, 2 * beats + 1}
        return sorted(found - {0, beats})

    def finish(self) -> None:
        """Put down how long the scenario was."""
        report(self.scenario, cycles=self.pair.cycle)


async def start(dut: Any, scenario: str) -> Bench:
    """Build the bench and reset once."""
    bench = Bench(dut, scenario)
    await bench.reset()
    return bench


@cocotb.test()
async def one_frame_after_idle(dut: Any) -> None:
    """The first read comes a cycle after the last beat; then one a cycle, then the flush."""
    bench = await start(dut, "one_frame")
    for _ in range(3):
        await bench.step()
    await bench.run([bench.layout.beats])
    count, first = len(bench.model.addresses), bench.last_beats[0] + 1
    assert bench.reads == list(range(first, first + count))
    empty = bench.layout.flush * bench.layout.steps
    assert bench.empty_reads == list(range(first + count, first + count + empty))
    bench.finish()


@cocotb.test()
async def frames_back_to_back(dut: Any) -> None:
    """Two frames that wait are read without a bubble, with no flush between, again and again."""
    bench = await start(dut, "back_to_back")
    count = len(bench.model.addresses)
    for _ in range(3):
        bench.source = bench.frames([bench.layout.beats] * 3)
        while bench.model.waiting < 2:
            await bench.step(ready=False)
        for _ in range(3):
            await bench.step(ready=False)
        first = bench.pair.cycle
        while bench.model.waiting or not bench.source.done:
            await bench.step()
        await bench.run([])
        assert bench.reads[: 2 * count] == list(range(first, first + 2 * count))
        assert len(bench.reads) == 3 * count
        bench.reads.clear()
    bench.finish()


@cocotb.test()
async def gaps_and_stalls(dut: Any) -> None:
    """Input gaps crossed with output stalls, frames of right and wrong lengths mixed."""
    bench = await start(dut, "gaps_and_stalls")
    for idle, stall in product((0, 0.7), repeat=2):
        await bench.run(bench.mixed_lengths(5), idle, stall)
    bench.finish()


@cocotb.test()
async def every_wrong_length(dut: Any) -> None:
    """A frame of a wrong length vanishes, with one error; the next one is right."""
    bench = await start(dut, "wrong_lengths")
    for length in bench.wrong_lengths():
        await bench.run([length])
        assert not bench.reads, f"{length} beats: expected no read"
    lengths = [part for length in bench.wrong_lengths() for part in (length, bench.layout.beats)]
    await bench.run(lengths)
    assert len(bench.last_beats) == len(lengths) // 2
    bench.finish()


@cocotb.test()
async def frame_of_many_frames(dut: Any) -> None:
    """A frame as long as many right ones, or as many and one, is one error and nothing else."""
    bench = await start(dut, "frame_of_many_frames")
    right = bench.layout.beats
    many = MANY_FRAMES if right <= FEW_BEATS else SEVERAL_FRAMES
    for count in (many, many + 1):
        await bench.run([count * right])
        assert not bench.reads, f"{count} frames in one: expected no read"
        await bench.run([right])
        bench.reads.clear()
    bench.finish()


@cocotb.test()
async def last_read_waits_for_long(dut: Any) -> None:
    """The last read of a frame stays while the other buffer is filled and refused more."""
    bench = await start(dut, "late_reader")
    model = bench.model
    bench.source = bench.frames([bench.layout.beats] * 4)
    for _ in range(3):
        while not (model.waiting and model.read == len(model.addresses) - 1):
            await bench.step()
        for _ in range(bench.layout.beats + LATE_CYCLES):
            await bench.step(ready=False)
        await bench.step()
    await bench.drain()
    bench.finish()


@cocotb.test()
async def frame_that_comes_at_any_moment_of_a_flush(dut: Any) -> None:
    """A frame ends the flush after the empty position that has begun, if one has."""
    bench = await start(dut, "frame_in_flush")
    layout, model = bench.layout, bench.model
    for moment in range(layout.flush * layout.steps + 2):
        bench.source = bench.frames([layout.beats] * 3)
        while not (model.waiting and bench.source.last):
            await bench.step(ready=False)
        while model.waiting:
            await bench.step(held_back=True)
        bench.empty_reads.clear()
        while len(bench.empty_reads) < moment and not model.idle:
            await bench.step(ready=bench.random.getrandbits(1) > 0, held_back=True)
        await bench.drain(stall=(0, 0.5)[moment % 2])
    bench.finish()


@cocotb.test()
async def reset_at_any_moment(dut: Any) -> None:
    """A reset forgets everything, whatever goes on; the frames after it are right."""
    bench = await start(dut, "reset")
    for moment in bench.layout.moments():
        await bench.hunt(moment)
        await bench.reset()
        await bench.run([bench.layout.beats] * 2)
    bench.finish()
