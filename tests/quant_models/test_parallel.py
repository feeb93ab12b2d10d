"""Work on every core: results in order, a few items ahead, errors as they come."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from quant_models.parallel import map_threads


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The number of cores that the machine is said to have."""
    count: int = request.param
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    return count


@pytest.mark.parametrize("count", [0, 1, 100])
def test_results_come_in_order_and_progress_counts_them(threads: int, count: int) -> None:
    calls: list[tuple[int, int]] = []
    found = map_threads(lambda x: x * x, range(count), lambda *call: calls.append(call))
    assert found == [x * x for x in range(count)]
    assert calls == [(done + 1, count) for done in range(count)]


def test_an_iterator_is_taken_only_a_few_items_ahead(threads: int) -> None:
    done: list[int] = []
    ahead: list[int] = []

    def items() -> Iterator[int]:
        for item in range(200):
            ahead.append(item - len(done))
            yield item

    assert map_threads(done.append, items()) == [None] * 200
    assert max(ahead) <= 5 * threads


def test_items_are_made_in_the_calling_thread(threads: int) -> None:
    makers = map_threads(lambda maker: maker, (threading.get_ident() for _ in range(20)))
    assert set(makers) == {threading.get_ident()}


def test_the_first_error_in_order_is_raised_and_ends_the_work(threads: int) -> None:
    started: list[int] = []

    def work(item: int) -> None:
        started.append(item)
        if item >= 5:
            raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match=r"^item 5$"):
        map_threads(work, range(1_000))
    assert len(started) < 50
