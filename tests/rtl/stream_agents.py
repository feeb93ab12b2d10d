"""The two sides of a stream, driven from the bench: a source of beats and a sink that accepts them.

The source never waits for tready before it offers, holds a beat until it is taken, and makes the
payload unknown while it offers nothing: a design that looks at it becomes unknown. The sink hands
unknown bits on, so that a mismatch can name them. (A library's agents keep the last payload and
raise an error at the first unknown bit, without its place.)
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any

import cocotb
from cocotb.triggers import Event, RisingEdge
from cocotb.types import LogicArray

PAYLOAD = ("tdata", "tlast", "tuser")


class Source:
    """Drives `s_axis` of a design; `gaps` tells for each cycle whether it pauses between beats."""

    def __init__(self, dut: Any, gaps: Iterator[bool]) -> None:
        self._valid, self._ready = dut.s_axis_tvalid, dut.s_axis_tready
        names = {part: f"s_axis_{part}" for part in PAYLOAD}
        self._payload = {
            part: getattr(dut, name) for part, name in names.items() if hasattr(dut, name)
        }
        self._gaps = gaps
        self._beats: deque[tuple[int, ...]] = deque()
        self._queued = Event()
        self.clear()
        cocotb.start_soon(self._run(dut.clk_i))

    def send(self, numbers: Iterable[int], users: Iterable[int] = repeat(0)) -> None:
        """Queue beats, tuser beside each; tlast comes with the last of them."""
        frame = list(numbers)
        for place, (number, user) in enumerate(zip(frame, users, strict=False)):
            beat = {"tdata": int(number), "tlast": int(place == len(frame) - 1), "tuser": user}
            self._beats.append(tuple(beat[part] for part in self._payload))
        self._queued.set()

    def begin(self) -> None:
        """Offer the first beat in the cycle that has just begun, not only in the next one."""
        self._offer(self._beats.popleft())

    def clear(self) -> None:
        """Take everything back, as a reset does."""
        self._beats.clear()
        self._offering = False
        self._valid.value = 0
        for signal in self._payload.values():
            signal.value = LogicArray("X" * len(signal))

    async def _run(self, clock: Any) -> None:
        while True:
            if not self._offering and not self._beats:
                self._queued.clear()
                await self._queued.wait()
            await RisingEdge(clock)
            if self._offering and self._ready.value != 1:
                continue
            if self._beats and not next(self._gaps):
                self._offer(self._beats.popleft())
            elif self._offering:
                self._offer(None)

    def _offer(self, beat: tuple[int, ...] | None) -> None:
        self._offering = beat is not None
        self._valid.value = int(self._offering)
        for place, signal in enumerate(self._payload.values()):
            signal.value = LogicArray("X" * len(signal)) if beat is None else beat[place]


class Sink:
    """Drives `m_axis_tready` of a design; `stalls` tells for each cycle whether it is low."""

    def __init__(self, dut: Any, stalls: Iterator[bool]) -> None:
        self._ready = dut.m_axis_tready
        self.accept(True)
        if not isinstance(stalls, repeat):  # there is nothing to change in a cycle
            cocotb.start_soon(self._run(dut.clk_i, stalls))

    def accept(self, ready: bool) -> None:
        """Accept beats from now on, or no longer."""
        self._ready.value = int(ready)

    async def _run(self, clock: Any, stalls: Iterator[bool]) -> None:
        for stalled in stalls:
            self.accept(not stalled)
            await RisingEdge(clock)


def pauses(kind: str, source: random.Random, longest: int = 20) -> Iterator[bool]:
    """Return an endless pattern of paused cycles: none, half of them, or bursts up to `longest`."""
    match kind:
        case "never":
            return repeat(False)
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
