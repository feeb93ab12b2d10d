"""Records signals of a running simulation and gives them back cycle by cycle.

The recorder wakes only when a signal changes; the checks run afterwards on whole arrays. A signal's
value in cycle n is what it settled to after rising edge n, and what rising edge n + 1 samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import cocotb
import numpy as np
import numpy.typing as npt
from cocotb.triggers import ReadOnly, ValueChange
from cocotb.utils import get_sim_time

UNKNOWN = np.iinfo(np.int64).min  # a signal with X or Z in it


class Recorder:
    """Writes down every change of some signals of a design, with the time of the change.

    A name with dots is that of a signal in an instance below: `first_conv.sum_q`.
    """

    def __init__(self, dut: Any, names: Sequence[str], period_ns: int) -> None:
        self._signals = {name: reduce(getattr, name.split("."), dut) for name in names}
        self._changes: dict[str, list[tuple[int, int]]] = {name: [] for name in names}
        self._period_ns = period_ns
        for name in names:
            cocotb.start_soon(self._record(name))

    @property
    def cycle(self) -> int:
        """The cycle that is running."""
        return round(get_sim_time("ns")) // self._period_ns

    def trace(self, first: int, names: Sequence[str] | None = None) -> Trace:
        """Return signals (default: all) from cycle `first` to the last one that is over."""
        cycles = np.arange(first, self.cycle)
        chosen = self._signals if names is None else names
        return Trace(first, {name: self._expand(name, cycles) for name in chosen})

    async def _record(self, name: str) -> None:
        signal = self._signals[name]
        changes = self._changes[name]
        while True:
            await ReadOnly()
            value = signal.value
            changes.append((self.cycle, int(value) if value.is_resolvable else UNKNOWN))
            await ValueChange(signal)

    def _expand(self, name: str, cycles: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        times, values = zip(*self._changes[name], strict=True)
        latest = np.searchsorted(np.array(times), cycles, side="right") - 1
        return _integers(values)[latest]


def _integers(values: Sequence[int]) -> npt.NDArray[Any]:
    """Return int64, or Python's own integers where a value has more bits than that."""
    return np.array(values, np.int64 if max(values) < 2**63 else object)


@dataclass(frozen=True, eq=False)
class Beats:
    """Values that passed one after another and the cycle of each, `[n]`, as in a `Trace`."""

    values: npt.NDArray[np.int64]
    cycles: npt.NDArray[np.int64]

    def signed(self, bits: int) -> Beats:
        """Return the values as two's complement of `bits` bits; unknown ones stay so."""
        sign = 1 << (bits - 1)
        values = [
            value if value == UNKNOWN else (value ^ sign) - sign for value in self.values.tolist()
        ]
        return Beats(np.array(values, np.int64), self.cycles)


@dataclass(frozen=True, eq=False)
class Trace:
    """The value of each signal in each cycle, `[cycle]`, from the cycle `first` on.

    Values are int64, and Python's own integers in a signal that has more bits.
    """

    first: int
    signals: dict[str, npt.NDArray[np.int64]]

    def high(self, *names: str) -> npt.NDArray[np.int64]:
        """Return the cycles in which all of these one-bit signals are 1."""
        every = np.logical_and.reduce([self.signals[name] == 1 for name in names])
        return np.flatnonzero(every) + self.first

    def beats(self, name: str, cycles: npt.NDArray[np.int64]) -> Beats:
        """Return what a signal was in these cycles."""
        return Beats(self.signals[name][cycles - self.first], cycles)

    def handshakes(self, stream: str) -> npt.NDArray[np.int64]:
        """Return the cycles in which a beat of `stream` passes."""
        return self.high(f"{stream}_tvalid", f"{stream}_tready")

    def moving(self, stream: str) -> npt.NDArray[np.bool_]:
        """Return for each cycle whether the register that offers `stream` is or becomes free."""
        valid, ready = (self.signals[f"{stream}_{part}"] for part in ("tvalid", "tready"))
        return (valid == 0) | (ready == 1)

    def offers(self, stream: str) -> npt.NDArray[np.int64]:
        """Return for each beat of `stream` the first cycle in which it is offered."""
        valid = self.high(f"{stream}_tvalid")
        after = np.append(self.first, self.handshakes(stream) + 1)
        places = np.searchsorted(valid, after)
        return valid[places[places < valid.size]]

    def violations(self, stream: str) -> list[str]:
        """Describe each cycle in which `stream` breaks the handshake rules or is unknown."""
        valid, ready = (self.signals[f"{stream}_{part}"] for part in ("tvalid", "tready"))
        payload = np.array(
            [
                self.signals[name]
                for part in ("tdata", "tlast", "tuser")
                if (name := f"{stream}_{part}") in self.signals
            ]
        )
        unknown = (valid == UNKNOWN) | (ready == UNKNOWN)
        unknown |= (valid == 1) & (payload == UNKNOWN).any(axis=0)
        stalled = (valid[:-1] == 1) & (ready[:-1] == 0)
        dropped = stalled & (valid[1:] != 1)
        changed = stalled & (payload[:, 1:] != payload[:, :-1]).any(axis=0)
        found = (
            ("a signal is unknown", unknown, 0),
            ("tvalid falls before tready", dropped, 1),
            ("the beat changes while stalled", changed, 1),
        )
        return [
            f"{stream}: {what} in cycle {cycle + self.first + offset}"
            for what, places, offset in found
            for cycle in np.flatnonzero(places)
        ]
