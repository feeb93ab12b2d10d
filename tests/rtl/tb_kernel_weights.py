"""Scenarios for `kernel_weights`: windows of steps, planes of windows, frames of channels.

The model is three loops; the words come from the network itself. It is compared with the design in
every cycle.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import cocotb
import numpy as np
import numpy.typing as npt

from tests.rtl.lock_step import LockStep, Values, job_folder, job_parameters, report


class KernelWeights:
    """The model: how far the windows of a channel have come."""

    def __init__(self, parameters: dict[str, int], words: npt.NDArray[np.int64]) -> None:
        self.parameters = parameters
        self.words = [self._pack(word) for word in words.tolist()]
        self.channel, self.step = 0, 0

    def outputs(self, inputs: Values) -> Values:
        """Return what the outputs must be in this cycle."""
        steps = self.parameters["STEPS"]
        found = {
            "weights_o": self.words[self.channel * steps + self.step],
            "step_o": self.step,
            "first_step_o": self.step == 0,
            "last_step_o": self.step == steps - 1,
        }
        if self.step == steps - 1:
            found["last_channel_o"] = self.channel == self.parameters["CHANNELS"] - 1
        return found

    def clock(self, inputs: Values) -> None:
        """Take a step, or none."""
        if not inputs["rst_ni"]:
            self.channel, self.step = 0, 0
        elif inputs["step_en_i"]:
            self.step = (self.step + 1) % self.parameters["STEPS"]
            if self.step == 0 and inputs["plane_end_i"]:
                self.channel = (self.channel + 1) % self.parameters["CHANNELS"]

    def _pack(self, lanes: list[int]) -> int:
        bits = self.parameters["WEIGHT_BITS"]
        fields = [(value % 2**bits) << (lane * bits) for lane, value in enumerate(lanes)]
        return sum(fields)


class Bench:
    """The design beside its model."""

    def __init__(self, dut: Any, scenario: str) -> None:
        self.parameters = job_parameters()
        words = np.load(job_folder() / "words.npy")
        self.model = KernelWeights(self.parameters, words)
        self.pair = LockStep(dut, scenario, self.model)
        self.random = random.Random(scenario)

    async def reset(self) -> None:
        """Reset for one clock edge; a step that comes with it does not count."""
        draw = self.random.getrandbits
        await self.pair.step({"rst_ni": 0, "step_en_i": draw(1), "plane_end_i": draw(1)})

    async def run(self, steps: Iterator[int], gaps: float) -> None:
        """Take steps, each with its `plane_end_i`; in a gap that signal means nothing."""
        for plane_end in steps:
            while self.random.random() < gaps:
                noise = self.random.getrandbits(1)
                await self.pair.step({"rst_ni": 1, "step_en_i": 0, "plane_end_i": noise})
            await self.pair.step({"rst_ni": 1, "step_en_i": 1, "plane_end_i": plane_end})

    @property
    def steps(self) -> int:
        """Steps of a frame of one window a plane."""
        return int(self.parameters["CHANNELS"] * self.parameters["STEPS"])

    def frame(self, windows: int) -> Iterator[int]:
        """Yield `plane_end_i` for every step of a frame, `windows` windows a plane."""
        for _ in range(self.parameters["CHANNELS"]):
            for window in range(windows):
                for _ in range(self.parameters["STEPS"]):
                    yield int(window == windows - 1)


MOMENTS = 60  # of a reset, at most
MANY_STEPS = 500  # of a frame; fewer windows a plane are enough then


@cocotb.test()
@cocotb.parametrize(gaps=[0, 0.5])
async def frames_of_several_windows_a_plane(dut: Any, gaps: float) -> None:
    """Every window of a plane gets the channel's words; after the last channel comes channel 0."""
    scenario = f"frames({gaps})"
    bench = Bench(dut, scenario)
    await bench.reset()
    for windows in (1, 2, 3, 1, 7) if bench.steps < MANY_STEPS else (1, 2):
        await bench.run(bench.frame(windows), gaps)
        assert (bench.model.channel, bench.model.step) == (0, 0)
    report(scenario, cycles=bench.pair.cycle)


@cocotb.test()
async def reset_at_any_step(dut: Any) -> None:
    """After a reset, wherever it comes, the first step is that of channel 0."""
    bench = Bench(dut, "reset")
    await bench.reset()
    steps = list(bench.frame(2))
    moments = range(len(steps) + 1)
    if len(moments) > MOMENTS:
        moments = sorted(bench.random.sample(moments, MOMENTS * 100 // len(moments)))
    for count in moments:
        await bench.run(iter(steps[:count]), gaps=0.2)
        await bench.reset()
        await bench.run(bench.frame(2), gaps=0)
    report("reset", cycles=bench.pair.cycle)
