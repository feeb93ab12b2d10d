"""The inputs that reach the extremes of signals, as golden vectors that every rung can replay.

`witnesses.npz` is a file of golden cases, `witnesses.csv` says which of them reaches which end of
which channel. Nobody spoke these inputs: the label of a case is the answer of the network.
"""

from __future__ import annotations

from collections.abc import Iterator

from dataflow.proof.proven_ranges import ProvenEnd, ProvenRanges
from golden import files, reference
from golden.exports.cases import Cases
from golden.network import IntegerNetwork

COLUMNS = (
    *("signal", "channel", "end"),
    *("reached", "bound", "gap", "method"),
    *("case", "position", "tap"),
)


def witness_cases(network: IntegerNetwork, proven: ProvenRanges) -> Cases:
    """Return all witnesses with the logits of the reference; labels are its answers."""
    result = reference.run(network, proven.fingerprints)
    return Cases(
        network.digest, network.labels, proven.fingerprints, result.label_indices, result.logits
    )


def witness_text(proven: ProvenRanges) -> str:
    """Return a CSV row for each end of each channel of each signal that depends on the input.

    `case` counts the golden cases, `position` the windows of a feature map row by row, `tap` the
    products or partial sums of a window; it is empty for signals without taps.
    """
    rows = (
        (name, channel, end_name, *row)
        for name, signal in proven.signals.items()
        for end_name, end in (("low", signal.low), ("high", signal.high))
        for channel, *row in _rows(end)
    )
    return files.csv_text(COLUMNS, rows)


def _rows(end: ProvenEnd) -> Iterator[tuple[int | str, ...]]:
    """Yield channel and cells from `reached` on of each channel that has a witness."""
    for channel, method in enumerate(end.method):
        case, tap = int(end.case[channel]), int(end.tap[channel])
        if case >= 0:
            yield (
                channel,
                *(int(part[channel]) for part in (end.reached, end.bound, end.gap)),
                *(method, case, int(end.position[channel])),
                tap if tap >= 0 else "",
            )
