"""The far side of `peers`: a peer in its own process, asked line by line to compute its inputs.

Standard output belongs to the questions and answers; what a peer prints goes to standard error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Inputs = npt.NDArray[np.int8]
Predict = Callable[[], npt.NDArray[Any]]


def serve(prepare: Callable[[Path, Inputs], Predict]) -> None:
    """Prepare a peer for `inputs.npy` of the folder that the command line names, then compute.

    Writes `logits.npy` there and answers `ready`, or `failed` with the peer's error; then computes
    again for every line that comes in, and answers `done`.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    folder = Path(sys.argv[1])
    try:
        predict = prepare(folder, np.load(folder / "inputs.npy"))
        np.save(folder / "logits.npy", predict())
    except Exception as error:  # a peer may raise anything
        print("failed", f"{type(error).__name__}: {error}".replace("\n", " "), file=answers)
        return
    print("ready", file=answers)
    for _ in sys.stdin:
        predict()
        print("done", file=answers)
