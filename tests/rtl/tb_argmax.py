"""Bench of `argmax`: the logits of a frame in, the same and the label out."""

from __future__ import annotations

from typing import Any

import numpy as np

from golden.reference import Inference
from tests.rtl.bench import (
    Integers,
    LayerCheck,
    StreamBench,
    compare_cycles,
    compare_ready,
    tlast_comparison,
)
from tests.rtl.stream_scenarios import *  # noqa: F403
from tests.rtl.stream_trace import Trace


class Model:
    """The choice of the label by `golden.reference`."""

    def beats(self, logits: Integers) -> Integers:
        """Return the output `(N, logits and label)` for logits `(N, label)`."""
        labels = Inference({}, logits).label_indices
        return np.concatenate([logits, labels[:, np.newaxis]], axis=1)


class Bench(StreamBench):
    """`argmax` and its model."""

    def __init__(self, dut: Any, scenario: str, *patterns: str) -> None:
        super().__init__(dut, scenario, *patterns)
        self.model = Model()
        self.logits = self.array("logits")

    @property
    def frames(self) -> int:
        return len(self.logits)

    @property
    def frame_cycles(self) -> int:
        return self.labels + 1

    @property
    def beats_to_come(self) -> int:
        return len(self.sent) * (self.labels + 1)

    @property
    def labels(self) -> int:
        """Number of logits of a frame."""
        return int(self.logits.shape[1])

    def drive(self, frame: int, dense: bool) -> None:
        mask = (1 << self.parameters["LOGIT_BITS"]) - 1
        self.source.send(self.logits[frame] & mask)

    def comparisons(self, trace: Trace) -> list[LayerCheck]:
        beats = trace.beats("m_axis_tdata", trace.handshakes("m_axis"))
        return [
            LayerCheck(
                "logits and label",
                ("beat",),
                self.model.beats(self.logits[self.sent]),
                beats.signed(self.parameters["OUT_BITS"]),
            ),
        ]

    def marks(self, trace: Trace) -> list[LayerCheck]:
        return [tlast_comparison(trace, len(self.sent), self.labels + 1)]

    def check_cycles(self, trace: Trace) -> None:
        moving, taken = trace.moving("m_axis"), trace.handshakes("s_axis")
        moves = np.flatnonzero(moving) + trace.first
        entered = np.searchsorted(moves, taken)  # moves in which logits are taken
        last = entered[self.labels - 1 :: self.labels]
        ready = moving.copy()
        ready[moves[last + 1] - trace.first] = False  # the label takes the output then
        compare_ready(trace, ready)
        leaves = np.sort(np.concatenate([entered, last + 1]))
        compare_cycles("beat offered", moves[leaves] + 1, trace.offers("m_axis"))

    def check_full_rate(self, trace: Trace) -> None:
        taken, offered = trace.handshakes("s_axis"), trace.offers("m_axis")
        frames = taken[0] + np.arange(self.frames)[:, np.newaxis] * self.frame_cycles
        logits = frames + np.arange(self.labels)
        compare_cycles("logit taken", logits.reshape(-1), taken)
        beats = frames + 1 + np.arange(self.labels + 1)
        compare_cycles("beat offered", beats.reshape(-1), offered)
