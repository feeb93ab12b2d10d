"""`ties.npz`: golden cases whose largest logit comes more than once, so that the label is a choice.

The lowest index wins (`golden.reference`). Real clips hardly ever tie, so whoever takes the last of
equals computes the same as the reference on all of them; these inputs tell the two apart. They are
looked for among fingerprints in which hardly a number is not 0, always the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from golden import reference
from golden.cases import Cases, make_cases, read_cases
from golden.network import INPUT_MAX, INPUT_MIN, IntegerNetwork
from golden.reference import Integers

FILE_NAME = "ties.npz"
MOST = 64  # ties that are kept
PAIRED = 20_000  # fingerprints with two numbers that are tried if no other has a tie
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
    with two, drawn from a fixed seed. The cases start with one of each set of labels that tie.
    """
    for candidates in (_single(network), _pairs(network)):
        found = [_ties_among(network, batch) for batch in candidates]
        ties, logits = (np.concatenate(parts) for parts in zip(*found, strict=True))
        if len(ties):
            break
    chosen = _in_turn(logits)[:MOST]
    return make_cases(network, ties[chosen], np.argmax(logits[chosen], axis=1))


def count_text(ties: Cases) -> str:
    """Say how many ties there are, or how far they were looked for in vain."""
    if len(ties.fingerprints):
        return f"{len(ties.fingerprints)} ties of the largest logit"
    return f"no tie of the largest logit, in all inputs of one number and {PAIRED:,} of two"


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


def _single(network: IntegerNetwork) -> Iterator[npt.NDArray[np.int8]]:
    """Yield every fingerprint with at most one number that is not 0, place by place."""
    values = [value for value in range(INPUT_MIN, INPUT_MAX + 1) if value]
    size = int(np.prod(network.input_shape))
    yield np.zeros((1, *network.input_shape), np.int8)
    for place in range(size):
        batch = np.zeros((len(values), size), np.int8)
        batch[:, place] = values
        yield batch.reshape(-1, *network.input_shape)


def _pairs(network: IntegerNetwork) -> Iterator[npt.NDArray[np.int8]]:
    """Yield fingerprints with two numbers, or fewer where they meet, always the same ones."""
    rng = np.random.default_rng(0)
    size = int(np.prod(network.input_shape))
    rows = np.arange(_BATCH)[:, np.newaxis]
    for _ in range(0, PAIRED, _BATCH):
        batch = np.zeros((_BATCH, size), np.int8)
        places = rng.integers(size, size=(_BATCH, 2))
        batch[rows, places] = rng.integers(INPUT_MIN, INPUT_MAX + 1, (_BATCH, 2), np.int8)
        yield batch.reshape(-1, *network.input_shape)
