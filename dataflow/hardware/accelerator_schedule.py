"""The cycles of `rtl_ref/kws_accelerator.v`: when every value of every layer appears.

`predict` follows the handshakes of the pipeline, without computing a value, for any configuration
and any number of frames; a test compares every cycle with the simulation. Cycle 0 is the one in
which the first number of the first fingerprint is taken. The source always offers and the sink
always accepts.

Where nothing holds the first convolution up, a frame takes as many cycles as it has steps:
channels * positions * steps a window. The layers behind it are faster or work meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dataflow.hardware.accelerator import Accelerator
from dataflow.hardware.loop_orders import INPUT_STATIONARY, LayerSize, walk
from dataflow.hardware.pointwise_schedule import (
    ADDED_TO_OFFERED,
    FULLY_CONNECTED_REGISTERS,
    Timeline,
    timeline,
)
from golden.reference import Integers

# Registers between two events, a cycle each while nothing waits.
WRITTEN_TO_ISSUED = 1  # last number of a frame taken -> its first window may be read
ISSUED_TO_TAKEN = 1  # memory read -> taps taken by conv_1
TAKEN_TO_SUMMED = 2  # product, sum
SUMMED_TO_OFFERED = 1  # floor shift and ReLU, or maximum, into the output register
LOGIT_TO_OUT = 1

IN_FLIGHT = 8  # no pipeline here holds as many values at once; older waits are over
FRAMES = 4  # of which the last two answers are a steady state apart


@dataclass(frozen=True, eq=False)
class Schedule:
    """The cycle of every event by stream, int64 `[n]`, in the order of the hardware.

    `taken` are the input beats; `conv_1`, `dw_conv`, `pw_conv` and `fc1` the complete sums;
    `conv_1_relu`, `max_pool` and `pw_conv_relu` the values as the next stage takes them; `out` the
    output beats. `issued` are the reads that start a window, empty ones included.
    """

    accelerator: Accelerator
    cycles: Mapping[str, Integers]

    @property
    def answers(self) -> Integers:
        """Cycle of the last output beat of every frame."""
        return self.cycles["out"][self.accelerator.labels :: self.accelerator.labels + 1]

    @property
    def latency(self) -> int:
        """Cycles from the first number of a frame to its label, both included."""
        return int(self.answers[0]) + 1

    @property
    def interval(self) -> int:
        """Cycles from answer to answer when frames follow one another."""
        return int(self.answers[-1] - self.answers[-2])

    @property
    def utilisation(self) -> dict[str, float]:
        """Multiplications a frame over the multipliers' cycles in a steady state, by stage."""
        accelerator = self.accelerator
        return {
            stage: count / (accelerator.multipliers[stage] * self.interval)
            for stage, count in accelerator.multiplications.items()
        }


def predict(accelerator: Accelerator, frames: int = FRAMES) -> Schedule:
    """Return the cycles of all events for `frames` fingerprints back to back.

    Raises ValueError for less than two frames: an interval needs two answers.
    """
    if frames < 2:
        raise ValueError(f"frames: expected at least 2, got {frames}")
    # A value that pw_conv does not take yet holds everything before it, which may delay later
    # values: repeated until nothing moves. Each round settles at least one more channel.
    accepted: list[int] = []
    while True:
        front = _Front(accelerator, frames, accepted)
        front.run()
        pointwise = _pointwise(accelerator, frames, front.pooled)
        if pointwise.taken.tolist() == accepted:
            break
        accepted = pointwise.taken.tolist()
    size = LayerSize(accelerator.features, accelerator.labels)
    fully_connected = timeline(
        walk(INPUT_STATIONARY, size, tiles=frames),
        FULLY_CONNECTED_REGISTERS,
        offers=pointwise.accepted.tolist(),
    )
    out = fully_connected.accepted.reshape(frames, -1) + LOGIT_TO_OUT
    cycles = {
        **{name: np.array(events, np.int64) for name, events in front.events.items()},
        "max_pool": pointwise.taken,
        "pw_conv": pointwise.offered - ADDED_TO_OFFERED,
        "pw_conv_relu": pointwise.accepted,
        "fc1": fully_connected.offered - ADDED_TO_OFFERED,
        "out": np.concatenate([out, out[:, -1:] + 1], axis=1).reshape(-1),
    }
    return Schedule(accelerator, cycles)


def _pointwise(accelerator: Accelerator, frames: int, offers: list[int]) -> Timeline:
    """Return the events of `pw_conv`, whose sink, `fc1`, is busy after each beat it takes."""
    busy = accelerator.labels + FULLY_CONNECTED_REGISTERS
    free = 0

    def ready(cycle: int) -> bool:
        nonlocal free
        if cycle < free:
            return False
        free = cycle + busy
        return True

    size = LayerSize(accelerator.channels, accelerator.features)
    return timeline(walk(INPUT_STATIONARY, size, tiles=frames), offers=offers, ready=ready)


class _Waits:
    """Cycles in which a pipeline stands still because its last register is not taken."""

    def __init__(self) -> None:
        self._spans: list[tuple[int, int]] = []

    def add(self, first: int, end: int) -> None:
        """Stand still from cycle `first` up to, not including, `end`. Spans come in order."""
        if end > first:
            self._spans = [*self._spans[-IN_FLIGHT:], (first, end)]

    def moving(self, cycle: int) -> int:
        """Return the first cycle from `cycle` on in which the pipeline moves."""
        for first, end in self._spans:
            if first <= cycle < end:
                cycle = end
        return cycle

    def after(self, cycle: int, steps: int) -> int:
        """Return the cycle in which what moves in `cycle` has moved `steps` registers on."""
        if not self._spans or self._spans[-1][1] <= cycle:
            return cycle + steps
        for _ in range(steps):
            cycle = self.moving(cycle + 1)
        return cycle


class _Front:
    """Everything up to the maximum: control, window memory, `conv_1`, `dw_conv`.

    `accepted[k]` is the cycle in which channel k's maximum is taken, as far as it is known.
    """

    def __init__(self, accelerator: Accelerator, frames: int, accepted: list[int]) -> None:
        self._accelerator = accelerator
        self._frames = frames
        self._accepted = accepted
        self._windows = accelerator.channels * accelerator.positions
        self._conv_1_waits, self._dw_conv_waits = _Waits(), _Waits()
        self._read_taken = 0  # when conv_1 took the last step: the window memory is free again
        self._value_taken = 0  # when dw_conv took the last value
        self._window_steps = 0  # what it has to do since
        self._pending = [False] * accelerator.lag  # which of the newest values wait as centres
        self._centres = 0
        self.pooled: list[int] = []  # when each channel's maximum is first offered
        self.events: dict[str, list[int]] = {
            name: [] for name in ("taken", "issued", "conv_1", "conv_1_relu", "dw_conv")
        }

    def run(self) -> None:
        """Follow all frames, and the empty positions after the last one."""
        released: list[int] = []
        for frame in range(self._frames):
            written = self._write(frame, released)
            if frame:
                self._flush(until=written + WRITTEN_TO_ISSUED)
            for _ in range(self._windows):
                self._window(written + WRITTEN_TO_ISSUED, real=True)
            released.append(self._issued)
        self._flush(until=None)

    def _write(self, frame: int, released: list[int]) -> int:
        """Take a frame's numbers as soon as its buffer is free; return the last one's cycle."""
        taken = self.events["taken"]
        first = taken[-1] + 1 if taken else 0
        if frame >= 2:
            first = max(first, released[frame - 2] + 1)
        rows, columns = self._accelerator.frame
        taken += range(first, first + rows * columns)
        return taken[-1]

    def _flush(self, until: int | None) -> None:
        """Issue empty positions until the next frame can be read or all are issued."""
        for _ in range(self._accelerator.lag):
            if until is not None and self._read_taken >= until:
                break
            self._window(0, real=False)

    def _window(self, available: int, *, real: bool) -> None:
        """Read a window step by step; `conv_1` takes each step, and the value goes on."""
        waits, steps = self._conv_1_waits, self._accelerator.conv_1_kernel.steps
        issued = max(available, self._read_taken)
        self.events["issued"].append(issued)
        taken = waits.moving(issued + ISSUED_TO_TAKEN)
        if steps > 1:
            taken = waits.after(taken, steps - 2)
            issued, taken = taken, waits.after(taken, 1)
        self._issued, self._read_taken = issued, taken
        summed = waits.after(taken, TAKEN_TO_SUMMED)
        if real:
            self.events["conv_1"].append(summed)
        self._value(summed + SUMMED_TO_OFFERED, real=real)

    def _value(self, offered: int, *, real: bool) -> None:
        """Let `dw_conv` take a value when it has done with the window before."""
        waits = self._dw_conv_waits
        taken = offered
        if self._window_steps:
            taken = max(taken, waits.after(self._value_taken, self._window_steps))
        taken = waits.moving(taken)
        self._conv_1_waits.add(offered, taken)
        if real:
            self.events["conv_1_relu"].append(taken)
        self._pending.append(real)
        centre = self._pending.pop(0)
        self._value_taken = taken
        self._window_steps = self._accelerator.dw_conv_kernel.steps if centre else 1
        if centre:
            self._centre(taken)

    def _centre(self, taken: int) -> None:
        """Sum up the window that the value taken in cycle `taken` completes."""
        waits, steps = self._dw_conv_waits, self._accelerator.dw_conv_kernel.steps
        summed = waits.after(taken, steps + TAKEN_TO_SUMMED)
        self.events["dw_conv"].append(summed)
        self._centres += 1
        if self._centres % self._accelerator.positions:
            return
        offered = summed + SUMMED_TO_OFFERED
        if len(self.pooled) < len(self._accepted):
            waits.add(offered, self._accepted[len(self.pooled)])
        self.pooled.append(offered)
