"""What signals really do on data: smallest and largest value and a histogram, in constant memory.

Batches of fingerprints pass through the reference, or the engine where they are many, one after
another; what is kept does not grow with their number. Every product and every partial sum is looked
at, not only a layer's result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dataflow.ranges.intervals import ChannelRange, Ranges, constant_ranges, constants
from dataflow.ranges.signals import batch_clips, signal_values
from golden import reference
from golden.c.engine import Engine, engine_for
from golden.network import IntegerNetwork
from golden.reference import Integers

MAX_BINS = 1024


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts of a signal's values, all channels together: int64 `[bin]`.

    Bin `i` counts the values `start + i * step` to `start + (i + 1) * step - 1`.
    """

    start: int
    step: int
    counts: Integers


@dataclass(frozen=True, eq=False)
class Observation:
    """What was seen on `clips` clips, by the name of the signal.

    `coefficients` is the range of each MFCC coefficient, centred, int64 `[coefficient]`; of all
    values together where the input has no such axis.
    """

    clips: int
    coefficients: ChannelRange
    ranges: Ranges
    histograms: Mapping[str, Histogram]


class Observer:
    """Watches every signal of a network while batches of fingerprints pass through it."""

    def __init__(self, network: IntegerNetwork, bounds: Ranges) -> None:
        """Start with nothing seen; `bounds` place the bins of the histograms."""
        self._network = network
        known = constants(network)
        self._tallies = {
            name: _Tally(name, bound) for name, bound in bounds.items() if name not in known
        }
        self._batch_clips = batch_clips(network)
        coefficients = network.input_shape[1] if len(network.input_shape) > 1 else 1
        lowest, highest = network.input_format.value_range
        self._input_low = np.full(coefficients, highest)
        self._input_high = np.full(coefficients, lowest)
        self._clips = 0

    def add(self, fingerprints: npt.NDArray[Any]) -> None:
        """Watch a batch `(N, *network.input_shape)` of integers that the input format allows.

        Raises ValueError or TypeError for fingerprints that the network does not accept, and
        ValueError where a signal leaves the bounds (they were made for a narrower input range).
        """
        reference.check_fingerprints(self._network, fingerprints)
        engine = engine_for(self._network, len(fingerprints))
        for start in range(0, len(fingerprints), self._batch_clips):
            self._watch(fingerprints[start : start + self._batch_clips], engine)
        self._clips += len(fingerprints)

    def result(self) -> Observation:
        """Return what was seen so far; ValueError before the first clip."""
        if self._clips == 0:
            raise ValueError("observation: expected at least one clip, got none")
        ranges = {name: tally.range() for name, tally in self._tallies.items()}
        histograms = {name: tally.histogram() for name, tally in self._tallies.items()}
        return Observation(
            self._clips,
            ChannelRange(self._input_low, self._input_high),
            ranges | constant_ranges(self._network),
            histograms | constant_histograms(self._network),
        )

    def _watch(self, fingerprints: npt.NDArray[Any], engine: Engine) -> None:
        centred = fingerprints.astype(np.int64) - self._network.input_format.zero_point
        if centred.ndim > 2:
            centred = np.moveaxis(centred, 2, -1)  # coefficients last
        centred = centred.reshape(-1, self._input_low.size)
        np.minimum(self._input_low, centred.min(axis=0), out=self._input_low)
        np.maximum(self._input_high, centred.max(axis=0), out=self._input_high)
        for signal in signal_values(self._network, fingerprints, engine):
            values = signal.values
            self._tallies[signal.name].add(values.reshape(-1, values.shape[-1]))


def constant_histograms(network: IntegerNetwork) -> dict[str, Histogram]:
    """Return the histograms of what does not depend on the input: weights, biases, multipliers."""
    histograms = {}
    ranges = constant_ranges(network)
    for name, values in constants(network).items():
        tally = _Tally(name, ranges[name])
        tally.add(values)
        histograms[name] = tally.histogram()
    return histograms


def observe(
    network: IntegerNetwork, bounds: Ranges, batches: Iterable[npt.NDArray[Any]]
) -> Observation:
    """Return what all batches together show; see `Observer`."""
    observer = Observer(network, bounds)
    for fingerprints in batches:
        observer.add(fingerprints)
    return observer.result()


class _Tally:
    """Extremes per channel and a histogram over all channels of one signal."""

    def __init__(self, name: str, bound: ChannelRange) -> None:
        self._name = name
        self._bound = bound
        self._low = np.full(bound.low.shape, np.iinfo(np.int64).max)
        self._high = np.full(bound.high.shape, np.iinfo(np.int64).min)
        # Bins of a power of two, so that a shift finds the bin of a value.
        span = bound.maximum - bound.minimum + 1
        self._shift = max((span - 1) // (MAX_BINS - 1), 0).bit_length()
        self._first = bound.minimum >> self._shift
        self._counts = np.zeros((bound.maximum >> self._shift) - self._first + 1, np.int64)

    def add(self, values: Integers) -> None:
        """Count `(rows, channels)`."""
        np.minimum(self._low, values.min(axis=0), out=self._low)
        np.maximum(self._high, values.max(axis=0), out=self._high)
        self._check_bound()
        bins = (values >> self._shift).ravel() - self._first
        self._counts += np.bincount(bins, minlength=len(self._counts))

    def range(self) -> ChannelRange:
        return ChannelRange(self._low, self._high)

    def histogram(self) -> Histogram:
        return Histogram(self._first << self._shift, 1 << self._shift, self._counts.copy())

    def _check_bound(self) -> None:
        outside = (self._low < self._bound.low) | (self._high > self._bound.high)
        if outside.any():
            channel = int(np.argmax(outside))
            raise ValueError(
                f"{self._name}: expected values in {self._bound.low[channel]}.."
                f"{self._bound.high[channel]}, observed {self._low[channel]}.."
                f"{self._high[channel]} in channel {channel}"
            )
