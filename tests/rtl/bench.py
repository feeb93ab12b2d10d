"""What the benches of the stream modules share: driver, monitor, checker, joined in `StreamBench`.

Runs inside the simulator, started by `scripts.simulation.rtl_simulation.simulate`, on the network
and the arrays of the job. A module's bench adds its model, which is `golden.reference`, and its
cycles.
"""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import cocotb
import numpy as np
import numpy.typing as npt
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer

from dataflow.hardware.accelerator import Accelerator, Configuration
from dataflow.hardware.build_folder import NETWORK_FILE
from dataflow.ranges.intervals import ChannelRange
from golden.network import IntegerNetwork
from scripts.simulation.rtl_simulation import JOB_FILE, JOB_VARIABLE, RESULTS_FILE
from tests.rtl.stream_agents import PAYLOAD, Sink, Source, pauses
from tests.rtl.stream_trace import UNKNOWN, Beats, Recorder, Trace

PERIOD_NS = 10
STREAMS = ("s_axis", "m_axis")
REPORTED_MISMATCHES = 10
POLL_CYCLES = 16

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LayerCheck:
    """What to check of a layer: `found` beside the model's `(frame, *axes)`, in stream order."""

    layer: str
    axes: tuple[str, ...]
    expected: Integers
    found: Beats
    unit: str = "frame"

    def mismatches(self) -> list[tuple[float, str]]:
        """Describe every difference: its cycle, and layer, place, both integers and frame."""
        expected, found = self.expected.reshape(-1), self.found.values
        common = min(expected.size, found.size)
        places = np.flatnonzero(expected[:common] != found[:common])
        count = f"{self.layer}: expected {expected.size} values, got {found.size}"
        surplus = [(math.inf, count)] if expected.size != found.size else []
        return [(self.found.cycles[place], self._difference(place)) for place in places] + surplus

    def _difference(self, place: int) -> str:
        frame, *within = np.unravel_index(place, self.expected.shape)
        named = ", ".join(f"{axis} {at}" for axis, at in zip(self.axes, within, strict=True))
        value = self.found.values[place]
        return (
            f"{self.layer}: {named}: expected {self.expected.flat[place]}, "
            f"got {'x' if value == UNKNOWN else value} "
            f"({self.unit} {frame}, cycle {self.found.cycles[place]})"
        )


class StreamBench:
    """A design under test with its clock, source, sink, recorder and job.

    A bench sends frames of the job by their numbers, waits for what comes out, and checks all that
    happened since the last reset.
    """

    observed: ClassVar[tuple[str, ...]] = ()  # signals besides those of the streams

    def __init__(self, dut: Any, scenario: str, idle: str = "never", stall: str = "never") -> None:
        self.dut = dut
        self.scenario = scenario
        self.folder = Path(os.environ[JOB_VARIABLE])
        self.job = json.loads((self.folder / JOB_FILE).read_text())
        self.parameters: dict[str, Any] = self.job["parameters"]
        self.network = IntegerNetwork.load(self.folder / NETWORK_FILE)
        self.random = random.Random(scenario)
        self.sent: list[int] = []  # frames since the last reset
        cocotb.start_soon(Clock(dut.clk_i, PERIOD_NS, unit="ns").start())
        self.source = Source(dut, pauses(idle, self.random))
        self.sink = Sink(dut, pauses(stall, self.random))
        self.recorder = Recorder(dut, (*_stream_signals(dut), *self.observed), PERIOD_NS)
        self.first_cycle = 0

    # ---- What a module's bench says ------------------------------------------------------------

    @property
    def frames(self) -> int:
        """Number of frames in the job."""
        raise NotImplementedError

    @property
    def frame_cycles(self) -> int:
        """Cycles that a frame takes at full rate."""
        raise NotImplementedError

    def drive(self, frame: int, dense: bool) -> None:
        """Queue a frame; `dense` leaves out whatever is optional in the stream."""
        raise NotImplementedError

    def comparisons(self, trace: Trace) -> list[LayerCheck]:
        """Return what to compare with the model for the frames that were sent."""
        raise NotImplementedError

    def marks(self, trace: Trace) -> list[LayerCheck]:
        """Return tlast, or tuser, beside what it must be."""
        raise NotImplementedError

    def check_cycles(self, trace: Trace) -> None:
        """Compare the cycles of the handshakes with the module's header, stalls included."""
        raise NotImplementedError

    def check_full_rate(self, trace: Trace) -> None:
        """Compare latency and throughput, without gaps and stalls, with the module's header."""
        raise NotImplementedError

    @property
    def beats_to_come(self) -> int:
        """Beats of `m_axis` that all that was sent must give."""
        raise NotImplementedError

    @property
    def settle_cycles(self) -> int:
        """How long to listen for beats that nobody asked for."""
        return 20

    # ---- What all of them do -------------------------------------------------------------------

    @cached_property
    def accelerator(self) -> Accelerator:
        """The network of the job in the configuration and with the ranges of the job."""
        ranges = self.job["ranges"]
        return Accelerator(
            self.network,
            Configuration(**self.job["configuration"]),
            ranges and {name: ChannelRange(*map(np.array, ends)) for name, ends in ranges.items()},
        )

    def array(self, name: str) -> npt.NDArray[Any]:
        """Return an array of the job."""
        loaded: npt.NDArray[Any] = np.load(self.folder / f"{name}.npy")
        return loaded

    async def cycles(self, count: int) -> None:
        """Wait for so many rising edges of the clock."""
        await Timer(count * PERIOD_NS - PERIOD_NS // 2, "ns")
        await RisingEdge(self.dut.clk_i)

    async def reset(self, edges: int = 1, offered: bool = False) -> None:
        """Reset for some clock edges, of which one is enough; the trace starts after them.

        `offered` beats stand at the input as long as it lasts.
        """
        self.source.clear()
        self.dut.s_axis_tvalid.value = int(offered)
        self.dut.rst_ni.value = 0
        await self.cycles(edges)
        self.dut.rst_ni.value = 1
        self.dut.s_axis_tvalid.value = 0
        self.sent = []
        self.first_cycle = self.recorder.cycle

    def send(self, frames: Sequence[int], dense: bool = False) -> None:
        """Queue frames, by their numbers in the job."""
        for frame in frames:
            self.drive(frame, dense)
            self.sent.append(frame)

    async def check(self) -> None:
        """Wait until all that was sent has come out, and some cycles more; then check it."""
        await self._wait()
        trace = self.trace()
        self._check_values(trace)
        violations = [text for stream in STREAMS for text in trace.violations(stream)]
        assert not violations, violations[0]
        assert self.dut.s_axis_tready.value == 1, "s_axis: tready is low with nothing in flight"
        self.check_cycles(trace)

    def trace(self) -> Trace:
        """Return what happened since the last reset."""
        return self.recorder.trace(self.first_cycle)

    async def _wait(self) -> None:
        """Wait for the last beat, or until none has come for much longer than a frame takes."""
        patience_cycles = 20 * (self.frame_cycles + self.settle_cycles) + 1000
        passed, quiet_cycles = 0, 0
        while passed < self.beats_to_come and quiet_cycles < patience_cycles:
            await self.cycles(POLL_CYCLES)
            trace = self.recorder.trace(self.first_cycle, ("m_axis_tvalid", "m_axis_tready"))
            before, passed = passed, trace.handshakes("m_axis").size
            quiet_cycles = quiet_cycles + POLL_CYCLES if passed == before else 0
        await self.cycles(self.settle_cycles)

    def _check_values(self, trace: Trace) -> None:
        """Compare values and marks with the model, and report how many there were."""
        comparisons = self.comparisons(trace)
        every = [*comparisons, *self.marks(trace)]
        found = [mismatch for each in every for mismatch in each.mismatches()]
        mismatches = [text for _, text in sorted(found, key=lambda mismatch: mismatch[0])]
        for mismatch in mismatches[:REPORTED_MISMATCHES]:
            self.dut._log.error("mismatch: %s", mismatch)
        self.report(
            {
                "vectors": len(self.sent),
                "values": sum(each.expected.size for each in comparisons),
                "mismatches": len(mismatches),
                "first_mismatches": mismatches[:REPORTED_MISMATCHES],
            }
        )
        assert not mismatches, f"{len(mismatches)} mismatches, first: {mismatches[0]}"

    def check_parameters(self) -> None:
        """Compare every parameter that the design elaborated with the generated one."""
        compare_parameters(self.dut, self.parameters)

    def report(self, values: dict[str, Any]) -> None:
        """Add `values` to the result of this scenario."""
        path = self.folder / RESULTS_FILE
        results = json.loads(path.read_text()) if path.is_file() else {}
        results.setdefault(self.scenario, {}).update(values)
        path.write_text(json.dumps(results, indent=2) + "\n")


class FrameBench(StreamBench):
    """A design that checks the length of its input frames and reports the wrong ones."""

    observed: ClassVar[tuple[str, ...]] = ("frame_error_o",)

    def __init__(self, dut: Any, scenario: str, *patterns: str) -> None:
        super().__init__(dut, scenario, *patterns)
        self.wrong_frames = 0  # since the last reset

    @property
    def frame_beats(self) -> int:
        """Beats of a right frame."""
        raise NotImplementedError

    async def reset(self, edges: int = 1, offered: bool = False) -> None:
        """Reset, as every bench does."""
        await super().reset(edges, offered)
        self.wrong_frames = 0

    def send_wrong(self, beats: int) -> None:
        """Queue a frame of so many beats, which must raise an error and give no output."""
        self.source.send([self.random.getrandbits(1) for _ in range(beats)])
        self.wrong_frames += 1

    def check_cycles(self, trace: Trace) -> None:
        """Count the frame errors."""
        assert set(trace.signals["frame_error_o"]) <= {0, 1}, "frame_error_o: unknown"
        errors = trace.high("frame_error_o").size
        assert errors == self.wrong_frames, (
            f"frame_error_o: expected {self.wrong_frames} cycles, got {errors}"
        )


def compare_parameters(instance: Any, generated: dict[str, Any]) -> None:
    """Raise AssertionError unless an instance elaborated exactly these parameters."""
    for name, expected in generated.items():
        value = getattr(instance, name).value
        found = value.decode() if isinstance(value, bytes) else int(value)
        assert found == expected, f"{instance._path}.{name}: expected {expected}, got {found}"


def compare_cycles(event: str, expected: Integers, found: Integers) -> None:
    """Raise AssertionError at the first event that is not in its cycle."""
    assert expected.size == found.size, f"{event}: expected {expected.size} times, got {found.size}"
    different = np.flatnonzero(expected != found)
    assert not different.size, (
        f"{event} {different[0]}: expected cycle {expected[different[0]]}, "
        f"got {found[different[0]]}"
    )


def compare_ready(trace: Trace, expected: npt.NDArray[np.bool_]) -> None:
    """Raise AssertionError at the first cycle in which `s_axis_tready` is not as expected."""
    different = np.flatnonzero(trace.signals["s_axis_tready"] != expected)
    assert not different.size, (
        f"s_axis_tready: expected {int(expected[different[0]])} "
        f"in cycle {different[0] + trace.first}, got {trace.signals['s_axis_tready'][different[0]]}"
    )


def tlast_comparison(trace: Trace, frames: int, beats: int) -> LayerCheck:
    """Return the comparison of `m_axis_tlast`: only the last of `beats` beats has it."""
    expected = np.zeros((frames, beats), np.int64)
    expected[:, -1:] = 1
    return LayerCheck(
        "m_axis_tlast", ("beat",), expected, trace.beats("m_axis_tlast", trace.handshakes("m_axis"))
    )


def _stream_signals(dut: Any) -> tuple[str, ...]:
    names = (f"{stream}_{part}" for stream in STREAMS for part in ("tvalid", "tready", *PAYLOAD))
    return tuple(name for name in names if hasattr(dut, name))
