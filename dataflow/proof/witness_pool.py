"""The inputs that came closest to the extremes of every signal, out of all that were offered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from dataflow.proof.deadline import NEVER, Deadline
from dataflow.ranges.intervals import ChannelRange
from dataflow.ranges.signals import batch_clips, signal_values
from golden.network import IntegerNetwork
from golden.reference import Integers

END_SIGNS = {"low": -1, "high": 1}


@dataclass(eq=False)
class Reach:
    """How far one end of a signal was reached, and where first: int64 `[channel]` each.

    `case` counts the inputs that were taken, `position` the windows of a feature map, row by row,
    `tap` the products and partial sums of a window (-1 for signals without taps).
    """

    value: Integers
    case: Integers
    position: Integers
    tap: Integers


@dataclass(eq=False)
class WitnessPool:
    """Offer inputs with `add`; `reach` tells by signal and end how far they went."""

    network: IntegerNetwork
    reach: dict[tuple[str, str], Reach] = field(default_factory=dict)
    _batches: list[npt.NDArray[np.int8]] = field(default_factory=list)
    _count: int = 0

    @property
    def fingerprints(self) -> npt.NDArray[np.int8]:
        """All inputs that were taken, int8 `(case, *network.input_shape)`."""
        return np.concatenate(self._batches)

    def add(
        self,
        fingerprints: Sequence[npt.NDArray[Any]] | npt.NDArray[Any],
        deadline: Deadline = NEVER,
    ) -> None:
        """Offer inputs `(N, *network.input_shape)`; after the deadline no further batch of them."""
        inputs = np.asarray(fingerprints, np.int8)
        clips = batch_clips(self.network)
        for start in range(0, len(inputs), clips):
            if self._batches and deadline.passed:
                return
            batch = inputs[start : start + clips]
            for signal in signal_values(self.network, batch):
                for end, sign in END_SIGNS.items():
                    self._update(signal.name, end, sign, signal.tap, signal.values)
            self._batches.append(batch)
            self._count += len(batch)

    def range(self, name: str) -> ChannelRange:
        """Return the smallest and largest value of a signal that was reached."""
        return ChannelRange(self.reach[name, "low"].value, self.reach[name, "high"].value)

    def _update(self, name: str, end: str, sign: int, tap: int, values: Integers) -> None:
        _, positions, channels = values.shape
        flat = values.reshape(-1, channels)
        best = flat.max(axis=0) if sign > 0 else flat.min(axis=0)
        known = self.reach.get((name, end))
        better = np.ones(channels, bool) if known is None else sign * best > sign * known.value
        if not better.any():
            return
        if known is None:
            known = Reach(*(np.zeros(channels, np.int64) for _ in range(4)))
            self.reach[name, end] = known
        columns = flat[:, better]
        rows = columns.argmax(axis=0) if sign > 0 else columns.argmin(axis=0)
        known.value[better] = best[better]
        known.case[better] = self._count + rows // positions
        known.position[better] = rows % positions
        known.tap[better] = tap
