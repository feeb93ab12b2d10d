"""Keeps stderr for the commands' own words while TensorFlow's libraries load.

They announce themselves there whatever `TF_CPP_MIN_LOG_LEVEL` says. Switching off what they
announce (`TF_ENABLE_ONEDNN_OPTS=0`) is no way out: a training step would take a third longer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send to nowhere what libraries print on file descriptor 2; exceptions pass as ever."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
