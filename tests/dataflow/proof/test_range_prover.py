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

from dataflow.proof import range_prover
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
from dataflow.proof.range_prover import DEEP_SECONDS, prove_ranges, usual_seconds
from dataflow.ranges.intervals import interval_bounds
from dataflow.ranges.observed import observe
from golden.network import INPUT_NAME, InputFormat, IntegerNetwork
from golden.nodes import (
    Add,
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    GlobalMaxPool,
    GlobalSumPool,
    MaxPool,
    Node,
    Pad,
    Reshape,
    ShiftRelu,
)
from tests.graphs import graphs_with_inputs
from tests.networks import (
    deep_network,
    eight_bit_network,
    label_names,
    networks,
    random_fingerprints,
    random_network,
)
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
    for signal, ends in ranges.signals.items():
        assert (ends.low.reached >= ends.low.bound).all(), signal
        assert (ends.high.reached <= ends.high.bound).all(), signal
        for end in (ends.low, ends.high):
            for channel, case in enumerate(end.case):
                if case >= 0:
                    kept = values[case][signal][channel]
                    positions = np.prod(network.shapes[signal.split(".")[0]][:-1], dtype=int)
                    found = kept[_place(end, channel, len(kept) // positions)]
                    assert found == end.reached[channel], (signal, channel)


def _place(end: ProvenEnd, channel: int, taps: int) -> int:
    """Return where the plain loops keep a value: window by window, tap by tap."""
    return int(end.position[channel]) * taps + max(int(end.tap[channel]), 0)


def grown(
    shape: tuple[int, ...], labels: int, *nodes: Node, low: int = 0, high: int = 1
) -> IntegerNetwork:
    """Return a graph of some nodes; its input takes few values, so that all can be tried."""
    form = InputFormat(low, high, max(low, 0))
    return IntegerNetwork(nodes, label_names(labels), shape, None, form)


def drawn(seed: int, *shape: int) -> npt.NDArray[Any]:
    return np.random.default_rng(seed).integers(-9, 10, shape)


GRAPHS = {
    "branches of different strides": grown(
        (7, 1),
        2,
        Convolution("apart", INPUT_NAME, drawn(1, 1, 1, 1, 1), (2, 1), "SAME"),
        Convolution("near", INPUT_NAME, drawn(2, 1, 4, 1, 1), (1, 1)),
        Add("sum", ("apart", "near")),
        ShiftRelu("relu", "sum", 1),
        Convolution("last", "relu", drawn(3, 2, 2, 1, 1)),
        GlobalMaxPool("top", "last"),
        Reshape("flat", "top", (2,)),
    ),
    "another shape between": grown(
        (3, 4),
        1,
        ShiftRelu("bits", INPUT_NAME, 0),
        Reshape("turned", "bits", (6, 2, 1)),
        Convolution("first", "turned", drawn(4, 1, 2, 2, 1), padding="SAME"),
        ShiftRelu("relu", "first", 1),
        Reshape("back", "relu", (4, 3, 1)),
        Convolution("second", "back", drawn(5, 1, 2, 3, 1), biases=np.array([-3])),
        GlobalMaxPool("top", "second"),
        Reshape("flat", "top", (1,)),
    ),
    "padding, dilation, multiplier, pools": grown(
        (4, 3),
        4,
        Pad("padded", INPUT_NAME, ((1, 0), (0, 1), (0, 1))),
        Convolution("first", "padded", drawn(6, 2, 2, 1, 2), dilation=(2, 1)),
        ShiftRelu("relu", "first", 0),
        MaxPool("pool", "relu", (2, 2), (1, 1), "SAME"),
        DepthwiseConvolution("spread", "pool", drawn(7, 4, 2, 2, 1), (2, 1), "VALID"),
        GlobalSumPool("total", "spread"),
        Reshape("flat", "total", (4,)),
        FullyConnected("logits", "flat", drawn(8, 4, 4)),
    ),
    "a zero point": grown(
        (5, 2),
        1,
        Convolution("first", INPUT_NAME, drawn(9, 2, 2, 2, 1), padding="SAME"),
        ShiftRelu("relu", "first", 1),
        FullyConnected("logits", "relu", drawn(10, 1, 20)),
        low=3,
        high=4,
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_proven_sums_of_graphs_are_what_all_inputs_reach(name: str) -> None:
    network = GRAPHS[name]
    ranges = prove_ranges(network, budget=ALONE)
    form = network.input_format
    inputs = every_input((1, int(np.prod(network.input_shape))), form.low, form.high)
    inputs = inputs.reshape(-1, *network.input_shape)
    seen = observe(network, interval_bounds(network), [inputs]).ranges
    for signal, proven in ranges.signals.items():
        assert (proven.bound.low <= seen[signal].low).all(), signal
        assert (proven.bound.high >= seen[signal].high).all(), signal
        assert (proven.certified.low <= proven.bound.low).all(), signal
    for node in network.weighted_nodes:
        for signal in (node.name, f"{node.name}.partial_sum"):
            assert ranges.signals[signal].exact, signal
            assert ranges.bounds[signal].low.tolist() == seen[signal].low.tolist(), signal
            assert ranges.bounds[signal].high.tolist() == seen[signal].high.tolist(), signal


@settings(max_examples=10)
@given(graphs_with_inputs(most_nodes=5))
def test_any_graph_is_proven_as_far_as_it_goes(
    case: tuple[IntegerNetwork, npt.NDArray[np.int8]],
) -> None:
    network, inputs = case
    budget = Budget(seconds=0.3, rounds=0, workers=1, total_seconds=1)
    ranges = prove_ranges(network, budget=budget)
    assert ranges.signals.keys() == interval_bounds(network).keys()
    for signal, (lows, highs) in extremes(network, inputs).items():
        proven = ranges.signals[signal]
        for bound in (proven.bound, proven.certified):
            assert (bound.low <= lows).all() and (highs <= bound.high).all(), signal
        assert len(proven.low.method) == len(proven.high.method) == len(lows), signal
    assert_witnesses_reach_their_values(network, ranges)


def test_layers_behind_requantisation_have_interval_bounds() -> None:
    network = eight_bit_network()
    ranges = prove_ranges(network, budget=ALONE)
    methods = {name: signal.methods for name, signal in ranges.signals.items()}
    for name in ("conv", "conv.partial_sum", "conv_q", "conv_q.product", "left", "dw.product"):
        assert methods[name] == (CLOSED_FORM,), name
        if name != "left":  # the clamp of another node is not where this one ends
            assert ranges.signals[name].exact, name
    for name in ("dw", "dw_q.product", "sum", "mean.partial_sum", "mean", "dense", "logits"):
        assert methods[name] == (INTERVAL,), name
    assert ranges.stopped_after is None


def test_a_deep_network_is_bounded_layer_by_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(range_prover, "EXACT_DEPTH", 10)
    network = deep_network(1, channels=2, input_shape=(10, 8))
    ranges = prove_ranges(network, budget=Budget(rounds=0, workers=1))
    assert ranges.signals["dw_conv_1"].methods == (MILP,)  # 9 shifted values before
    assert ranges.signals["pw_conv_1"].methods == (INTERVAL,)  # 18 and 2
    assert ranges.signals["dw_conv_2"].methods == (INTERVAL,)
    interval = interval_bounds(network)
    assert ranges.bounds["dw_conv_2"].maximum < interval["dw_conv_2"].maximum
    assert ranges.stopped_after is None


def test_without_any_time_interval_bounds_stand_and_the_file_says_so(tmp_path: Path) -> None:
    network = deep_network(2)
    ranges = prove_ranges(network, budget=Budget(workers=1, total_seconds=0))
    assert ranges.stopped_after == 0
    interval = interval_bounds(network)
    for name, bound in ranges.bounds.items():
        assert bound.low.tolist() == interval[name].low.tolist(), name
        assert bound.high.tolist() == interval[name].high.tolist(), name
    assert ranges.signals["conv_1"].methods == (CLOSED_FORM,)
    assert ranges.signals["dw_conv_1"].methods == (INTERVAL,)
    path = tmp_path / "proven_ranges.npz"
    path.write_bytes(ranges.to_bytes())
    assert read_proven_ranges(path, network).stopped_after == 0


def test_what_was_solved_in_time_stays_when_time_runs_out() -> None:
    network = deep_network(3, channels=8)
    budget = Budget(rounds=0, workers=1, total_seconds=2)
    ranges = prove_ranges(network, budget=budget)
    assert ranges.stopped_after == 2
    assert INTERVAL in ranges.signals["fc1"].methods
    inputs = random_fingerprints(0, 3, extremes=True)
    for signal, (lows, highs) in extremes(network, inputs).items():
        bound = ranges.signals[signal].bound
        assert (bound.low <= lows).all() and (highs <= bound.high).all(), signal
    assert_witnesses_reach_their_values(network, ranges)


def test_time_is_limited_by_itself_where_layers_are_too_deep() -> None:
    assert usual_seconds(random_network(1)) == np.inf
    assert usual_seconds(deep_network(1, channels=8)) == DEEP_SECONDS
    assert usual_seconds(deep_network(1, channels=1)) == DEEP_SECONDS  # few ReLUs, but in turns
    assert usual_seconds(eight_bit_network()) == DEEP_SECONDS


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
