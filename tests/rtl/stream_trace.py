"""Records signals of a running simulation and gives them back cycle by cycle.

The recorder wakes only when a signal changes; the checks run afterwards on whole arrays. A signal's
value in cycle n is what it settled to after rising edge n, and what rising edge n + 1 samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np
import numpy.typing as npt
from cocotb.triggers import ReadOnly, ValueChange
from cocotb.utils import get_sim_time

UNKNOWN = -1  # a signal with X or Z in it


class Recorder:
    """Writes down every change of some signals of a design, with the time of the change."""

    def __init__(self, dut: Any, names: Sequence[str], period_ns: int) -> None:
        self._signals = {name: getattr(dut, name) for name in names}
        self._changes: dict[str, list[tuple[int, int]]] = {name: [] for name in names}
        self._period_ns = period_ns
        for name in names:
            cocotb.start_soon(self._record(name))

    @property
    def cycle(self) -> int:
        """The cycle that is running."""
        return round(get_sim_time("ns")) // self._period_ns

    def trace(self, first: int) -> Trace:
        """Return everything from cycle `first` to the one that is running."""
        count = self.cycle + 1
        return Trace(first, {name: self._expand(name, count)[first:] for name in self._signals})

    async def _record(self, name: str) -> None:
        signal = self._signals[name]
        while True:
            await ReadOnly()
            value = int(signal.value) if signal.value.is_resolvable else UNKNOWN
            self._changes[name].append((self.cycle, value))
            await ValueChange(signal)

    def _expand(self, name: str, count: int) -> npt.NDArray[np.int64]:
        values = np.empty(count, np.int64)
        for cycle, value in self._changes[name]:
            values[cycle:] = value
        return values


@dataclass(frozen=True, eq=False)
class Trace:
    """The value of each signal in each cycle, int64 `[cycle]`, from the cycle `first` on."""

    first: int
    signals: dict[str, npt.NDArray[np.int64]]

    def high(self, name: str) -> npt.NDArray[np.int64]:
        """Return the cycles in which a one-bit signal is 1."""
        return np.flatnonzero(self.signals[name] == 1) + self.first

    def handshakes(self, stream: str) -> npt.NDArray[np.int64]:
        """Return the cycles in which a beat of `stream` passes."""
        valid, ready = (self.signals[f"{stream}_{part}"] for part in ("tvalid", "tready"))
        return np.flatnonzero((valid == 1) & (ready == 1)) + self.first

    def offers(self, stream: str) -> npt.NDArray[np.int64]:
        """Return for each beat of `stream` the first cycle in which it is offered."""
        valid = self.high(f"{stream}_tvalid")
        after = np.append(self.first, self.handshakes(stream) + 1)
        places = np.searchsorted(valid, after)
        return valid[places[places < valid.size]]

    def violations(self, stream: str) -> list[str]:
        """Describe each cycle in which `stream` breaks the handshake rules or is unknown."""
        parts = ("tvalid", "tready", "tdata", "tlast")
        valid, ready, data, last = (self.signals[f"{stream}_{part}"] for part in parts)
        unknown = (valid == UNKNOWN) | (ready == UNKNOWN)
        unknown |= (valid == 1) & ((data == UNKNOWN) | (last == UNKNOWN))
        stalled = (valid[:-1] == 1) & (ready[:-1] == 0)
        dropped = stalled & (valid[1:] != 1)
        changed = stalled & ((data[1:] != data[:-1]) | (last[1:] != last[:-1]))
        found = (
            ("a signal is unknown", unknown, 0),
            ("tvalid falls before tready", dropped, 1),
            ("tdata or tlast changes while stalled", changed, 1),
        )
        return [
            f"{stream}: {what} in cycle {cycle + self.first + offset}"
            for what, places, offset in found
            for cycle in np.flatnonzero(places)
        ]
