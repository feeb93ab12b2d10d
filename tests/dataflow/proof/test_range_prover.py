"""Proven ranges against all inputs of small networks, and against inputs that try to break them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.proof.proven_ranges import (
    CLOSED_FORM,
    INTERVAL,
    MILP,
    MILP_POOL_FREE,
    Budget,
    ProvenEnd,
    ProvenRanges,
    read_proven_ranges,
)
from dataflow.proof.range_prover import prove_ranges
from dataflow.ranges.intervals import interval_bounds
from dataflow.ranges.observed import observe
from golden.network import IntegerNetwork
from tests.networks import networks, random_fingerprints, random_network
from tests.plain_loops import every_value, extremes

ALONE = Budget(seconds=20, rounds=1, workers=1)


def every_input(shape: tuple[int, int], low: int, high: int) -> npt.NDArray[np.int8]:
    """Return all fingerprints with values in low..high."""
    grid = itertools.product(range(low, high + 1), repeat=shape[0] * shape[1])
    return np.array(list(grid), np.int8).reshape(-1, *shape)


def small(seed: int, shape: tuple[int, int], **changes: Any) -> IntegerNetwork:
    return random_network(
        seed,
        filters=changes.pop("filters", 2),
        outputs=2,
        labels=2,
        kernel=changes.pop("kernel", (2, 2)),
        stride=changes.pop("stride", (1, 1)),
        shifts=changes.pop("shifts", (1, 2, 3)),
        biases=(-20, 20),
        input_shape=shape,
        **changes,
    )


SMALL_NETWORKS = {
    "one bit, 3x3 windows": (small(1, (4, 3)), (0, 1)),
    "one bit and sign": (small(2, (4, 3)), (-1, 0)),
    "two bits": (small(3, (3, 2), kernel=(2, 1)), (-2, 1)),
    "two bits, stride": (small(4, (3, 2), kernel=(1, 1), stride=(2, 1), filters=2), (-2, 1)),
    "no shift": (small(5, (3, 4), shifts=(0, 0, 0)), (0, 1)),
    "all weights -32": (small(6, (3, 4), weights=(-32, -32)), (-1, 0)),
    "large shifts": (small(7, (4, 3), shifts=(5, 6, 7)), (-1, 0)),
}


@pytest.mark.parametrize("name", SMALL_NETWORKS)
def test_proven_ranges_are_what_all_inputs_reach(name: str) -> None:
    network, (low, high) = SMALL_NETWORKS[name]
    ranges = prove_ranges(network, (low, high), ALONE)
    inputs = every_input(network.input_shape, low, high)
    seen = observe(network, interval_bounds(network, (low, high)), [inputs]).ranges
    for signal, proven in ranges.signals.items():
        expected = seen[signal].low.tolist(), seen[signal].high.tolist()
        assert (proven.bound.low.tolist(), proven.bound.high.tolist()) == expected, signal
        assert proven.exact, signal
        assert (proven.certified.low <= proven.bound.low).all(), signal
        assert (proven.certified.high >= proven.bound.high).all(), signal


@settings(max_examples=10)
@given(networks(), st.integers(-32, 31), st.integers(0, 63), st.integers(0, 2**32 - 1))
def test_no_input_leaves_the_proven_ranges_and_every_witness_reaches_its_value(
    network: IntegerNetwork, low: int, span: int, seed: int
) -> None:
    input_range = low, min(low + span, 31)
    ranges = prove_ranges(network, input_range, Budget(seconds=0.3, rounds=0, workers=1))
    inputs = np.clip(random_fingerprints(seed, 3, network.input_shape), *input_range)
    for signal, (lows, highs) in extremes(network, inputs).items():
        bound = ranges.signals[signal].bound
        assert (bound.low <= lows).all() and (highs <= bound.high).all(), signal
    assert_witnesses_reach_their_values(network, ranges)
    assert (ranges.fingerprints >= low).all() and (ranges.fingerprints <= input_range[1]).all()


def assert_witnesses_reach_their_values(network: IntegerNetwork, ranges: ProvenRanges) -> None:
    """Compute the named place of every witness by plain loops."""
    values = [every_value(network, fingerprint) for fingerprint in ranges.fingerprints]
    taps = {node.name: node.weights[0].size for node in network.weighted_nodes}
    for signal, ends in ranges.signals.items():
        assert (ends.low.reached >= ends.low.bound).all(), signal
        assert (ends.high.reached <= ends.high.bound).all(), signal
        for end in (ends.low, ends.high):
            for channel, case in enumerate(end.case):
                if case >= 0:
                    found = values[case][signal][channel][_place(end, channel, taps, signal)]
                    assert found == end.reached[channel], (signal, channel)


def _place(end: ProvenEnd, channel: int, taps: dict[str, int], signal: str) -> int:
    """Return where the plain loops keep a value: window by window, tap by tap."""
    if end.tap[channel] < 0:
        return int(end.position[channel])
    return int(end.position[channel]) * taps[signal.split(".")[0]] + int(end.tap[channel])


def test_a_network_too_deep_for_programs_is_bounded_and_searched() -> None:
    network = random_network(0, filters=8, outputs=3)
    ranges = prove_ranges(network, budget=ALONE)
    assert ranges.signals["conv_1"].methods == (CLOSED_FORM,)
    for exact in ("conv_1", "conv_1_relu", "dw_conv.product", "dw_conv", "max_pool"):
        assert ranges.signals[exact].exact, exact
    assert ranges.signals["dw_conv.partial_sum"].methods == (MILP,)
    assert ranges.signals["pw_conv"].methods == (INTERVAL,)
    weights = network.node("pw_conv").weights[:, 0, 0].astype(int)
    pooled = ranges.bounds["max_pool"].high
    highest = (np.maximum(weights, 0) * pooled).sum(axis=1)
    assert ranges.bounds["pw_conv"].high.tolist() == highest.tolist()
    assert ranges.bounds["pw_conv.partial_sum"].high.tolist() == highest.tolist()
    assert set(ranges.signals["fc1"].methods) <= {INTERVAL, MILP_POOL_FREE}
    interval = interval_bounds(network)
    assert ranges.bounds["dw_conv"].maximum < interval["dw_conv"].maximum
    inputs = random_fingerprints(0, 3, extremes=True)
    for signal, (lows, highs) in extremes(network, inputs).items():
        bound = ranges.signals[signal].bound
        assert (bound.low <= lows).all() and (highs <= bound.high).all(), signal


def test_two_workers_prove_the_same_bytes_as_one() -> None:
    network = small(3, (4, 4))
    alone = prove_ranges(network, (-4, 3), Budget(rounds=1, workers=1))
    assert (
        prove_ranges(network, (-4, 3), Budget(rounds=1, workers=2)).to_bytes() == alone.to_bytes()
    )


def test_when_time_runs_out_a_wider_bound_stands_and_is_not_exact() -> None:
    network = random_network(2, filters=3, outputs=2)
    hurried = prove_ranges(network, budget=Budget(seconds=0, rounds=0, workers=1))
    exact = prove_ranges(network, budget=ALONE).bounds["dw_conv"]
    interval = interval_bounds(network)["dw_conv"]
    bound = hurried.bounds["dw_conv"]
    assert (interval.high >= bound.high).all() and (bound.high >= exact.high).all()
    assert (interval.low <= bound.low).all() and (bound.low <= exact.low).all()
    assert not hurried.signals["dw_conv"].exact


def test_proven_ranges_are_read_back_as_they_were(tmp_path: Path) -> None:
    network = small(1, (3, 3))
    ranges = prove_ranges(network, budget=ALONE)
    path = tmp_path / "proven_ranges.npz"
    path.write_bytes(ranges.to_bytes())
    again = read_proven_ranges(path, network)
    assert again.to_bytes() == ranges.to_bytes()
    assert list(again.signals) == list(ranges.signals)
    assert again.signals["dw_conv"].methods == ranges.signals["dw_conv"].methods


def test_proven_ranges_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "proven_ranges.npz"
    path.write_bytes(prove_ranges(small(1, (3, 3)), budget=ALONE).to_bytes())
    other = small(2, (3, 3))
    with pytest.raises(
        ValueError, match=f"expected proven ranges of the network {other.digest}, got"
    ):
        read_proven_ranges(path, other)
