"""Work on every core: NumPy, SciPy and libsndfile let other threads run while they compute."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Progress = Callable[[int, int], None]  # done, total


def map_threads(
    function: Callable[[Any], Any], items: Sequence[Any], progress: Progress | None = None
) -> list[Any]:
    """Apply a function to all items on every core, in order."""
    results = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            for result in pool.map(function, items):
                results.append(result)
                if progress is not None:
                    progress(len(results), len(items))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results
