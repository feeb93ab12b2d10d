"""Replays the witnesses of proven ranges in the RTL and watches how far its accumulators go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rich.box import SIMPLE_HEAD
from rich.table import Table

from dataflow.hardware.accelerator import Accelerator
from dataflow.hardware.rtl_parameters import BLOCKS, module_parameters
from dataflow.proof.proven_ranges import ProvenRanges, ProvenSignal
from dataflow.ranges.intervals import ChannelRange, Ranges
from dataflow.ranges.signals import signal_values
from golden.comparison import Mismatch
from golden.reference import Integers
from scripts.console.progress import show_table
from scripts.simulation.accelerator_simulation import SUMS, Simulator

CHUNK_CLIPS = 32  # the slowest configuration adds two million times in a run of so many


@dataclass(frozen=True, eq=False)
class Accumulator:
    """An accumulator of the design: its layer, its bits, what it went through, what is proven.

    A register that adds a tap at a time holds every partial sum; of one that adds more at a time
    only the last sum is sure to be held, and `proven` is the range of that.
    """

    signal: str
    bits: int
    seen: ChannelRange
    proven: ProvenSignal

    @property
    def channels_at_both_ends(self) -> int:
        """Number of channels in which both proven bounds were reached."""
        bound = self.proven.bound
        return int(((self.seen.low <= bound.low) & (self.seen.high >= bound.high)).sum())


def replay(simulator: Simulator, proven: ProvenRanges) -> tuple[Accumulator, ...]:
    """Run all witnesses and return the accumulators of the design, in the order of the layers.

    Raises Mismatch at the first that does not go exactly as far as the reference says.
    """
    accelerator = simulator.accelerator
    blocks = module_parameters(accelerator)
    seen = _simulated(simulator, proven.fingerprints)
    expected = _expected(accelerator, proven.fingerprints)
    found = []
    for layer in SUMS:
        name = accelerator.layer_names[layer]
        _check(f"{name}, {accelerator.configuration.name}", seen[layer], expected[layer])
        signal = name if accelerator.multipliers[layer] > 1 else f"{name}.partial_sum"
        bits = int(blocks[BLOCKS[layer]]["ACC_BITS"])
        found.append(Accumulator(signal, bits, seen[layer], proven.signals[signal]))
    return tuple(found)


def print_accumulators(accumulators: tuple[Accumulator, ...], title: str) -> None:
    """Print a line an accumulator: its bits, the proven range, the range in the simulation."""
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    table.add_column("accumulator", no_wrap=True)
    for heading in ("bits", "proven", "simulated", "both\nends"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in accumulators:
        ends = f"{each.channels_at_both_ends}/{each.seen.low.size}"
        proven, seen = _span(each.proven.bound), _span(each.seen)
        table.add_row(each.signal, str(each.bits), proven, seen, ends)
    show_table(table)


def _simulated(simulator: Simulator, fingerprints: npt.NDArray[np.int8]) -> Ranges:
    """Return what every accumulator held after any addition, by layer and channel."""
    accelerator = simulator.accelerator
    found: dict[str, ChannelRange] = {}
    for start in range(0, len(fingerprints), CHUNK_CLIPS):
        part = fingerprints[start : start + CHUNK_CLIPS]
        values = simulator.run(part, sums=True).values
        for layer, stream in SUMS.items():
            _widen(found, layer, _by_channel(accelerator, layer, values[stream], len(part)))
    return found


def _by_channel(accelerator: Accelerator, layer: str, sums: Integers, clips: int) -> Integers:
    """Return sums in the order of the hardware as `(addition, channel)`."""
    outputs = {"pw_conv": accelerator.features, "fc1": accelerator.labels}
    if layer in outputs:  # input by input, all outputs of each
        return sums.reshape(-1, outputs[layer])
    planes = sums.reshape(clips, accelerator.channels, -1)
    return planes.transpose(0, 2, 1).reshape(-1, accelerator.channels)


def _expected(accelerator: Accelerator, fingerprints: npt.NDArray[np.int8]) -> Ranges:
    """Return what `_simulated` must find, by the reference: the sums after each step."""
    layers = {f"{accelerator.layer_names[layer]}.partial_sum": layer for layer in SUMS}
    found: dict[str, ChannelRange] = {}
    for start in range(0, len(fingerprints), CHUNK_CLIPS):
        for signal in signal_values(accelerator.network, fingerprints[start : start + CHUNK_CLIPS]):
            layer = layers.get(signal.name)
            if layer is not None and (signal.tap + 1) % accelerator.multipliers[layer] == 0:
                _widen(found, layer, signal.values.reshape(-1, signal.values.shape[-1]))
    return found


def _widen(ranges: dict[str, ChannelRange], layer: str, sums: Integers) -> None:
    """Widen the range of a layer so that it holds `sums`, `(addition, channel)`."""
    low, high = sums.min(axis=0), sums.max(axis=0)
    known = ranges.get(layer, ChannelRange(low, high))
    ranges[layer] = ChannelRange(np.minimum(low, known.low), np.maximum(high, known.high))


def _check(where: str, seen: ChannelRange, expected: ChannelRange) -> None:
    for end in ("low", "high"):
        found, wanted = getattr(seen, end), getattr(expected, end)
        different = np.flatnonzero(found != wanted)
        if different.size:
            channel = different[0]
            raise Mismatch(
                f"accumulator of {where}: channel {channel}: expected to reach {wanted[channel]}, "
                f"got {found[channel]}"
            )


def _span(values: ChannelRange) -> str:
    return f"{values.minimum:,} .. {values.maximum:,}"
