"""Which ranges a command takes: where they are looked for, and what is said of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from dataflow.proof import range_store
from dataflow.proof.range_store import (
    INTERVAL,
    OBSERVED,
    PROVEN,
    choose_ranges,
    find_proven_ranges,
    require_proven_ranges,
    store_proven_ranges,
)
from dataflow.ranges.intervals import Ranges, interval_bounds
from dataflow.ranges.observed import observe
from golden import files
from golden.exports.cases import make_cases
from tests.accelerators import small_networks
from tests.networks import random_fingerprints, random_network
from tests.witnessed import witnessed_ranges

NETWORK = small_networks()["plain"]
STORED = witnessed_ranges(NETWORK, random_fingerprints(0, 4, NETWORK.input_shape))


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network file, and a cache with nothing in it."""
    monkeypatch.setattr(range_store, "CACHE", tmp_path / "cache")
    NETWORK.save(tmp_path / "tiny/network.npz")
    return tmp_path / "tiny/network.npz"


def same(first: Ranges, second: Ranges) -> bool:
    return first.keys() == second.keys() and all(
        np.array_equal(getattr(first[name], end), getattr(second[name], end))
        for name in first
        for end in ("low", "high")
    )


def test_without_anything_proven_widths_follow_from_interval_bounds(path: Path) -> None:
    assert find_proven_ranges(path, NETWORK) is None
    chosen = choose_ranges(path, NETWORK, None)
    assert same(chosen.ranges, interval_bounds(NETWORK))
    assert chosen.source == INTERVAL
    assert chosen.origin == "interval bounds, nothing proven yet (scripts/bitwidths.py)"
    assert choose_ranges(path, NETWORK, INTERVAL).origin == "interval bounds"
    message = r"network\.npz: expected proven ranges beside it or in .*, found none"
    with pytest.raises(ValueError, match=message):
        choose_ranges(path, NETWORK, PROVEN)
    with pytest.raises(ValueError, match=message):
        require_proven_ranges(path, NETWORK)


@pytest.mark.parametrize("place", ["beside", "cache"])
def test_proven_ranges_are_the_default_where_they_are_stored(path: Path, place: str) -> None:
    if place == "cache":
        stored = store_proven_ranges(path, STORED)
    else:
        stored = path.parent / "proven_ranges.npz"
        files.write_bytes(stored, STORED.to_bytes())
    for source in (None, PROVEN):
        chosen = choose_ranges(path, NETWORK, source)
        assert same(chosen.ranges, STORED.bounds)
        assert (chosen.source, chosen.origin) == (PROVEN, f"proven ({stored})")
    assert choose_ranges(path, NETWORK, INTERVAL).origin == "interval bounds"
    assert require_proven_ranges(path, NETWORK).to_bytes() == STORED.to_bytes()


def test_ranges_beside_a_network_that_are_of_another_are_refused(path: Path) -> None:
    other = witnessed_ranges(
        random_network(5, 2, 2, 2, input_shape=(6, 5)), random_fingerprints(0, 4, (6, 5))
    )
    files.write_bytes(path.parent / "proven_ranges.npz", other.to_bytes())
    with pytest.raises(ValueError, match=rf"of the network {NETWORK.digest}, got "):
        choose_ranges(path, NETWORK, None)


def test_ranges_that_do_not_hold_for_every_fingerprint_are_refused(path: Path) -> None:
    narrow = dataclasses.replace(STORED, input_high=np.minimum(STORED.input_high, 7))
    stored = path.parent / "proven_ranges.npz"
    files.write_bytes(stored, narrow.to_bytes())
    message = (
        r"proven_ranges\.npz: expected ranges proven for all inputs in -32\.\.31, got .* -32\.\.7$"
    )
    with pytest.raises(ValueError, match=message):
        choose_ranges(path, NETWORK, None)


def test_observed_ranges_are_those_of_the_cases(path: Path) -> None:
    fingerprints = random_fingerprints(1, 3, NETWORK.input_shape)
    cases = path.parent / "cases.npz"
    made = make_cases(NETWORK, fingerprints, np.zeros(3, np.int64))
    files.write_bytes(cases, made.to_bytes())
    chosen = choose_ranges(path, NETWORK, OBSERVED, cases)
    expected = observe(NETWORK, interval_bounds(NETWORK), [fingerprints]).ranges
    assert same(chosen.ranges, expected)
    assert (chosen.source, chosen.origin) == (OBSERVED, f"observed on 3 clips of {cases}")
    with pytest.raises(ValueError, match="expected --cases to observe signals on, got none"):
        choose_ranges(path, NETWORK, OBSERVED)


def test_unknown_source_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="widths: expected one of proven, interval, observed, got"):
        choose_ranges(path, NETWORK, "guessed")
