"""`lots_of_case.txt`: minimum and maximum of every layer for each of many clips, and over all.

A table of integers that `numpy.loadtxt` reads as it is; everything else is in comment lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden import files, reference
from golden.archive import read_only
from golden.network import IntegerNetwork

_BANNER = """\
# Minimum and maximum of every layer of one network, for each of many clips and over all of them.
# A row is a clip: its number in cases.npz, the index of its label, the index of the answer, then
# two columns for each layer in order. numpy.loadtxt(path, dtype=numpy.int64) reads the table."""
_KEYS = ("clip", "label", "answer")
_BATCH = 256


@dataclass(frozen=True, eq=False)
class Extremes:
    """Extremes of N clips; `minima` and `maxima` are int64 `(N, layer)`, indices int64 `(N,)`."""

    digest: str
    labels: tuple[str, ...]
    layers: tuple[str, ...]
    label_indices: npt.NDArray[np.int64]
    answers: npt.NDArray[np.int64]
    minima: npt.NDArray[np.int64]
    maxima: npt.NDArray[np.int64]

    @property
    def overall(self) -> dict[str, tuple[int, int]]:
        """Minimum and maximum of each layer over all clips."""
        pairs = zip(self.minima.min(axis=0), self.maxima.max(axis=0), strict=True)
        return {
            name: (int(low), int(high))
            for name, (low, high) in zip(self.layers, pairs, strict=True)
        }


def measure_extremes(
    network: IntegerNetwork, fingerprints: npt.NDArray[Any], label_indices: npt.NDArray[Any]
) -> Extremes:
    """Return the extremes of every layer for each fingerprint `(N, *input shape)`.

    The values are those of the reference. Raises ValueError or TypeError as it does.
    """
    if not len(fingerprints):
        raise ValueError("fingerprints: expected at least one, got none")
    minima, maxima, answers = [], [], []
    for start in range(0, len(fingerprints), _BATCH):
        result = reference.run(network, fingerprints[start : start + _BATCH])
        flat = [layer.reshape(len(layer), -1) for layer in result.layers.values()]
        minima.append(np.stack([layer.min(axis=1) for layer in flat], axis=1))
        maxima.append(np.stack([layer.max(axis=1) for layer in flat], axis=1))
        answers.append(result.label_indices)
    return Extremes(
        digest=network.digest,
        labels=network.labels,
        layers=tuple(result.layers),
        label_indices=read_only(label_indices.astype(np.int64)),
        answers=read_only(np.concatenate(answers)),
        minima=read_only(np.concatenate(minima)),
        maxima=read_only(np.concatenate(maxima)),
    )


def extremes_text(extremes: Extremes) -> str:
    """Return the text of `lots_of_case.txt`; equal extremes give equal text."""
    columns = [*_KEYS, *(f"{name}.{end}" for name in extremes.layers for end in ("min", "max"))]
    table = _table(extremes)
    widths = [max(len(str(value)) for value in column) for column in table.T.tolist()]
    lines = [
        _BANNER,
        "#",
        f"# network digest: {extremes.digest}",
        f"# clips: {len(table)}",
        *(f"# label {index}: {label}" for index, label in enumerate(extremes.labels)),
        "#",
        *_overall_lines(extremes),
        "#",
        f"# columns: {' '.join(columns)}",
    ]
    for row in table.tolist():
        lines.append(
            " ".join(f"{value:{width}d}" for value, width in zip(row, widths, strict=True))
        )
    return "\n".join(lines) + "\n"


def parse_extremes(text: str, source: str = "lots_of_case.txt") -> Extremes:
    """Return the extremes of a text.

    Raises ValueError, naming `source` and the line, if it is not such a text, or if the overall
    extremes or the clip count stated in it are not those of the table.
    """
    digest = re.search(r"^# network digest: ([0-9a-f]{64})$", text, re.MULTILINE)
    columns = re.search(
        r"^# columns: clip label answer((?: \S+\.min \S+\.max)+)$", text, re.MULTILINE
    )
    if digest is None or columns is None:
        raise ValueError(f"{source}: expected a network digest and a line of columns, found none")
    layers = tuple(name.removesuffix(".min") for name in columns[1].split()[::2])
    table = _parse_table(text, source, len(_KEYS) + 2 * len(layers))
    extremes = Extremes(
        digest=digest[1],
        labels=tuple(re.findall(r"^# label \d+: (.+)$", text, re.MULTILINE)),
        layers=layers,
        label_indices=read_only(table[:, 1]),
        answers=read_only(table[:, 2]),
        minima=read_only(table[:, 3::2]),
        maxima=read_only(table[:, 4::2]),
    )
    _expect_same_text(source, text, extremes_text(extremes))
    return extremes


def read_extremes(path: Path) -> Extremes:
    """Read such a file; OSError, or ValueError as `parse_extremes` gives it."""
    return parse_extremes(files.read_text(path), str(path))


def _table(extremes: Extremes) -> npt.NDArray[np.int64]:
    count = len(extremes.minima)
    ends = np.stack([extremes.minima, extremes.maxima], axis=2).reshape(count, -1)
    return np.column_stack([np.arange(count), extremes.label_indices, extremes.answers, ends])


def _overall_lines(extremes: Extremes) -> list[str]:
    lines = []
    for index, (name, (low, high)) in enumerate(extremes.overall.items()):
        first_low = int(np.argmin(extremes.minima[:, index]))
        first_high = int(np.argmax(extremes.maxima[:, index]))
        lines.append(
            f"# overall {name}: min {low} at clip {first_low}, max {high} at clip {first_high}"
        )
    return lines


def _parse_table(text: str, source: str, columns: int) -> npt.NDArray[np.int64]:
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        cells = line.split()
        if line.startswith("#"):
            continue
        if len(cells) != columns or not all(re.fullmatch(r"-?\d{1,19}", cell) for cell in cells):
            raise ValueError(
                f"{source} line {number}: expected {columns} integers, got {line[:40]!r}"
            )
        rows.append([int(cell) for cell in cells])
    if rows and not text.endswith("\n"):
        raise ValueError(f"{source}: expected whole lines, found a truncated file")
    if not rows:
        raise ValueError(f"{source}: expected a row for each clip, found none")
    try:
        return np.array(rows, np.int64)
    except OverflowError:
        raise ValueError(f"{source}: expected integers of 64 bits") from None


def _expect_same_text(source: str, found: str, expected: str) -> None:
    """Raise ValueError at the first line that does not follow from the table."""
    pairs = zip(found.splitlines(), expected.splitlines(), strict=False)
    for number, (theirs, ours) in enumerate(pairs, start=1):
        if theirs.split() != ours.split():
            raise ValueError(f"{source} line {number}: expected {ours[:80]!r}, got {theirs[:80]!r}")
