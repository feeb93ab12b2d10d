"""`ties.npz`: golden cases whose largest logit comes more than once, so that the label is a choice.

The lowest index wins (`golden.reference`). Real clips hardly ever tie, so whoever takes the last of
equals computes the same as the reference on all of them; these inputs tell the two apart. They are
looked for among fingerprints in which hardly a number is not 0, always the same ones. In networks
whose zero point is another, that number takes the place of 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from golden import reference
from golden.exports.cases import Cases, make_cases, read_cases
from golden.network import IntegerNetwork
from golden.reference import Integers

FILE_NAME = "ties.npz"
MOST = 64  # ties that are kept
PAIRED = 20_000  # fingerprints with two numbers that are tried if no other has a tie
WORK = 1_500_000_000  # multiplications after which a search ends: large networks try fewer
_BATCH = 1_000


def ties_of(network: IntegerNetwork, vectors: Path) -> Cases:
    """Return the ties stored in the folder `vectors`, or found now if there are none.

    Raises ValueError for a file that is foreign or not valid, is of another network, or holds a
    case without a tie.
    """
    path = vectors / FILE_NAME
    if not path.is_file():
        return find_ties(network)
    ties = read_cases(path, network)
    without = np.flatnonzero(~has_tie(reference.run(network, ties.fingerprints).logits))
    if without.size:
        raise ValueError(f"{path}: expected ties of the largest logit, got none in {without[0]}")
    return ties


def find_ties(network: IntegerNetwork) -> Cases:
    """Return up to `MOST` cases whose largest logit comes more than once; labels are the answers.

    Fingerprints with at most one number that is not 0 are tried all; if none has a tie, `PAIRED`
    with two, drawn from a fixed seed. What is more than `WORK` is left out: all of the first kind,
    the rest of the second. The cases start with one of each set of labels that tie.
    """
    singles, pairs = _counts(network)
    found = [_ties_among(network, batch) for batch in _single(network)] if singles else []
    if not any(len(ties) for ties, _ in found):
        found = [_ties_among(network, batch) for batch in _pairs(network, pairs)]
    ties, logits = (np.concatenate(parts) for parts in zip(*found, strict=True))
    chosen = _in_turn(logits)[:MOST]
    return make_cases(network, ties[chosen], np.argmax(logits[chosen], axis=1))


def count_text(network: IntegerNetwork, ties: Cases) -> str:
    """Say how many ties there are, or how far they were looked for in vain."""
    if len(ties.fingerprints):
        return f"{len(ties.fingerprints)} ties of the largest logit"
    singles, pairs = _counts(network)
    first = "all inputs of one number and " if singles else ""
    return f"no tie of the largest logit, in {first}{pairs:,} inputs of two numbers"


def has_tie(logits: Integers) -> npt.NDArray[np.bool_]:
    """Return for each clip of `(N, label)` whether its largest logit comes more than once."""
    ties: npt.NDArray[np.bool_] = _largest(logits).sum(axis=1) > 1
    return ties


def _ties_among(
    network: IntegerNetwork, fingerprints: npt.NDArray[np.int8]
) -> tuple[npt.NDArray[np.int8], Integers]:
    """Return those of some fingerprints that tie, and their logits."""
    logits = reference.run(network, fingerprints).logits
    ties = has_tie(logits)
    return fingerprints[ties], logits[ties]


def _largest(logits: Integers) -> npt.NDArray[np.bool_]:
    largest: npt.NDArray[np.bool_] = logits == logits.max(axis=1, keepdims=True)
    return largest


def _in_turn(logits: Integers) -> list[int]:
    """Return the clips by turns: the first of each set of labels that tie, the second of each."""
    seen: dict[bytes, int] = {}
    turns = []
    for clip, labels in enumerate(_largest(logits)):
        turn = seen[labels.tobytes()] = seen.get(labels.tobytes(), -1) + 1
        turns.append((turn, clip))
    return [clip for _, clip in sorted(turns)]


def _counts(network: IntegerNetwork) -> tuple[int, int]:
    """Return how many fingerprints of one number and of two are tried."""
    limit = max(WORK // sum(network.multiplications.values()), 1)
    values = network.input_format.high - network.input_format.low
    singles = 1 + values * math.prod(network.input_shape)
    return (singles if singles <= limit else 0), min(PAIRED, limit)


def _single(network: IntegerNetwork) -> Iterator[npt.NDArray[np.int8]]:
    """Yield every fingerprint with at most one number that is not 0, place by place."""
    form = network.input_format
    values = [value for value in range(form.low, form.high + 1) if value != form.zero_point]
    yield _blank(network, 1)
    for place in range(math.prod(network.input_shape)):
        batch = _blank(network, len(values))
        batch.reshape(len(values), -1)[:, place] = values
        yield batch


def _pairs(network: IntegerNetwork, count: int) -> Iterator[npt.NDArray[np.int8]]:
    """Yield fingerprints with two numbers, or fewer where they meet, always the same ones."""
    rng = np.random.default_rng(0)
    form = network.input_format
    for start in range(0, count, _BATCH):
        batch = _blank(network, min(_BATCH, count - start))
        places = rng.integers(math.prod(network.input_shape), size=(len(batch), 2))
        numbers = rng.integers(form.low, form.high + 1, (len(batch), 2), np.int8)
        np.put_along_axis(batch.reshape(len(batch), -1), places, numbers, axis=1)
        yield batch


def _blank(network: IntegerNetwork, count: int) -> npt.NDArray[np.int8]:
    return np.full((count, *network.input_shape), network.input_format.zero_point, np.int8)
