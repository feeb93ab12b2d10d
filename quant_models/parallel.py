"""Work on every core: NumPy, SciPy and libsndfile let other threads run while they compute."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

Progress = Callable[[int, int], None]  # done, total

_WAITING = 4  # items a thread that are taken ahead


def map_threads(
    function: Callable[[Any], Any],
    items: Sequence[Any] | Iterator[Any],
    progress: Progress | None = None,
) -> list[Any]:
    """Apply a function to all items on every core, and return the results in order.

    Items are taken in order, in the calling thread, and only a few ahead of the work: they may be
    large where an iterator makes them. `progress` hears how many of a sequence are done.
    """
    results: list[Any] = []
    waiting: deque[Future[Any]] = deque()
    threads = os.cpu_count() or 1

    def finish_one() -> None:
        results.append(waiting.popleft().result())
        if progress is not None:
            progress(len(results), len(items))

    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                if len(waiting) == _WAITING * threads:
                    finish_one()
                waiting.append(pool.submit(function, item))
            while waiting:
                finish_one()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results
