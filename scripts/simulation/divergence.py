"""Where a simulation leaves the reference: the first wrong value in time, and a small input.

`golden.reference` gives every expected value, or where clips are many the engine that equals it;
nothing else is held against the RTL.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataflow.hardware.accelerator import Accelerator
from golden.c.engine import Engine, ReferenceEngine
from golden.reference import Integers
from scripts.simulation.accelerator_simulation import STREAMS, UNKNOWN, Recording


@dataclass(frozen=True)
class Divergence:
    """The first value, in time, that is not the reference's.

    `place` is the index in the layer, `(time, coefficient, channel)` or `(channel,)`; `found` is
    None where the value never came.
    """

    clip: int
    layer: str
    place: tuple[int, ...]
    expected: int
    found: int | None
    cycle: int | None

    def later(self, clips: int) -> Divergence:
        """Return the same divergence where `clips` come before."""
        return dataclasses.replace(self, clip=self.clip + clips)

    def __str__(self) -> str:
        got = {None: "nothing", UNKNOWN: "x"}.get(self.found, str(self.found))
        cycle = "" if self.cycle is None else f", cycle {self.cycle}"
        return (
            f"clip {self.clip}: {self.layer} at {self.place}: expected {self.expected}, "
            f"got {got}{cycle}"
        )


def expected_streams(
    accelerator: Accelerator, fingerprints: npt.NDArray[np.int8], engine: Engine | None = None
) -> dict[str, Integers]:
    """Return what each stream must carry, `(N, values a clip)`, in the order of the hardware.

    The hardware works channel by channel: maps come channel first. The output stream carries the
    logits of a clip and then its label. The reference computes them, or the engine that is given.
    """
    result = (engine or ReferenceEngine(accelerator.network)).run(fingerprints)
    expected = {}
    for stream in STREAMS[:-1]:
        layer = result.layers[accelerator.layer_names[stream]]
        if layer.ndim == 4:
            layer = layer.transpose(0, 3, 1, 2)
        expected[stream] = layer.reshape(len(fingerprints), -1)
    labels = result.label_indices[:, np.newaxis]
    return {**expected, "out": np.concatenate([result.logits, labels], axis=1)}


def first_divergence(
    accelerator: Accelerator, expected: Mapping[str, Integers], recording: Recording
) -> Divergence | None:
    """Return the earliest wrong, missing or surplus value of any stream, or None."""
    found = [
        divergence
        for stream, values in expected.items()
        if (divergence := _stream_divergence(accelerator, stream, values, recording)) is not None
    ]
    never = np.iinfo(np.int64).max
    return min(found, key=lambda at: never if at.cycle is None else at.cycle, default=None)


def _stream_divergence(
    accelerator: Accelerator, stream: str, expected: Integers, recording: Recording
) -> Divergence | None:
    values, cycles = recording.values[stream], recording.cycles[stream]
    flat = expected.reshape(-1)
    common = min(flat.size, values.size)
    different = np.flatnonzero(flat[:common] != values[:common])
    if not different.size and flat.size == values.size:
        return None
    index = int(different[0]) if different.size else common
    surplus = index >= flat.size
    clip, within = divmod(min(index, flat.size - 1), expected.shape[1])
    layer, place = _place(accelerator, stream, within)
    return Divergence(
        clip=clip,
        layer=f"after the end of {layer}" if surplus else layer,
        place=place,
        expected=int(flat[min(index, flat.size - 1)]),
        found=int(values[index]) if index < values.size else None,
        cycle=int(cycles[index]) if index < values.size else None,
    )


def _place(accelerator: Accelerator, stream: str, within: int) -> tuple[str, tuple[int, ...]]:
    """Return the layer's own name and the index in it of a stream's value `within` a clip."""
    if stream == "out":
        if within == accelerator.labels:
            return "label", ()
        return "output stream", (within,)
    name = accelerator.layer_names[stream]
    if stream in ("conv_1", "conv_1_relu", "dw_conv"):
        channel, position = divmod(within, accelerator.positions)
        return name, (*divmod(position, accelerator.map[1]), channel)
    return name, (within,)


def minimise(
    fingerprint: npt.NDArray[np.int8], fails: Callable[[npt.NDArray[np.int8]], bool]
) -> npt.NDArray[np.int8]:
    """Return a fingerprint that still fails, with as many zeros as can be had one by one.

    Delta debugging (Zeller and Hildebrandt 2002) on the numbers that are not 0: parts of them are
    set to 0, first halves, in the end single numbers, as long as `fails` says so.
    """
    kept = fingerprint.reshape(-1).copy()
    parts = 2
    while True:
        places = np.flatnonzero(kept)
        if not places.size:
            return kept.reshape(fingerprint.shape)
        parts = min(parts, places.size)
        for part in np.array_split(places, parts):
            candidate = kept.copy()
            candidate[part] = 0
            if fails(candidate.reshape(fingerprint.shape)):
                kept, parts = candidate, max(parts - 1, 2)
                break
        else:
            if parts == places.size:
                return kept.reshape(fingerprint.shape)
            parts *= 2
