from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given

from dataflow.ranges.intervals import constant_ranges, interval_bounds
from dataflow.ranges.observed import (
    MAX_BINS,
    Histogram,
    Observer,
    constant_histograms,
    observe,
)
from dataflow.ranges.signals import batch_clips
from golden.c import engine
from golden.network import INPUT_NAME, InputFormat, IntegerNetwork
from golden.nodes import FullyConnected, GlobalSumPool, Reshape
from tests.graphs import graphs_with_inputs
from tests.networks import networks_with_fingerprints, random_fingerprints, random_network
from tests.plain_loops import every_value, extremes


def small_network() -> IntegerNetwork:
    return random_network(1, filters=3, outputs=2, input_shape=(8, 5), kernel=(3, 2))


def counted(histogram: Histogram) -> dict[int, int]:
    """Counts by the number of the bin, empty bins left out."""
    return {i: int(count) for i, count in enumerate(histogram.counts) if count}


def binned(values: Any, histogram: Histogram) -> dict[int, int]:
    return dict(Counter((value - histogram.start) // histogram.step for value in values))


@given(networks_with_fingerprints())
def test_extremes_and_histograms_are_those_of_plain_loops(
    case: tuple[IntegerNetwork, npt.NDArray[np.int8]],
) -> None:
    network, fingerprints = case
    seen = observe(network, interval_bounds(network), [fingerprints])
    assert seen.clips == len(fingerprints)
    signals = [every_value(network, fingerprint) for fingerprint in fingerprints]
    found = extremes(network, fingerprints)
    assert found.keys() | constant_ranges(network).keys() == seen.ranges.keys()
    for name, (lows, highs) in found.items():
        assert seen.ranges[name].low.tolist() == lows, name
        assert seen.ranges[name].high.tolist() == highs, name
        values = [v for clip in signals for channel in clip[name].values() for v in channel]
        histogram = seen.histograms[name]
        assert counted(histogram) == binned(values, histogram), name
        assert len(histogram.counts) <= MAX_BINS


@given(graphs_with_inputs())
def test_extremes_and_histograms_of_any_graph_are_those_of_plain_loops(
    case: tuple[IntegerNetwork, npt.NDArray[Any]],
) -> None:
    network, inputs = case
    seen = observe(network, interval_bounds(network), [inputs])
    clips = [every_value(network, fingerprint) for fingerprint in inputs]
    assert clips[0].keys() | constant_ranges(network).keys() == seen.ranges.keys()
    for name, channels in clips[0].items():
        every = [[v for clip in clips for v in clip[name][place]] for place in sorted(channels)]
        assert seen.ranges[name].low.tolist() == [min(values) for values in every], name
        assert seen.ranges[name].high.tolist() == [max(values) for values in every], name
        histogram = seen.histograms[name]
        assert counted(histogram) == binned([v for values in every for v in values], histogram)


@pytest.mark.parametrize(
    ("shape", "low", "high"),
    [((2,), [-4], [3]), ((1, 2), [-4, -4], [1, 3]), ((1, 2, 2), [-4, -1], [1, 3])],
)
def test_coefficients_are_counted_along_their_axis_and_without_the_zero_point(
    shape: tuple[int, ...], low: list[int], high: list[int]
) -> None:
    values = {(2,): [-3, 4], (1, 2): [2, 4], (1, 2, 2): [-3, 2, 4, 0]}[shape]
    nodes: Any = (FullyConnected("fc1", INPUT_NAME, np.ones((1, int(np.prod(shape)))).astype(int)),)
    network = IntegerNetwork(nodes, ("yes",), shape, None, InputFormat(-8, 7, 1))
    inputs = np.array([values, [-3] * len(values)]).reshape(2, *shape)
    if shape == (1, 2, 2):
        inputs[1, 0, 1] = 4  # the second coefficient stays above -3
    seen = observe(network, interval_bounds(network), [inputs])
    assert seen.coefficients.low.tolist() == low and seen.coefficients.high.tolist() == high


def test_large_networks_are_watched_in_small_batches() -> None:
    nodes = (GlobalSumPool("sum", INPUT_NAME), Reshape("flat", "sum", (8,)))
    network = IntegerNetwork(nodes, tuple("abcdefgh"), (100, 100, 8), None)
    assert batch_clips(network) == 2
    assert batch_clips(small_network()) == 64


def test_batches_of_any_size_show_the_same() -> None:
    network = small_network()
    bounds = interval_bounds(network)
    count = batch_clips(network) + 7
    fingerprints = random_fingerprints(2, count, network.input_shape)
    whole = observe(network, bounds, [fingerprints])
    parts = observe(network, bounds, np.split(fingerprints, [1, 1, 30]))
    assert parts.clips == whole.clips == count
    for name, values in whole.ranges.items():
        assert parts.ranges[name].low.tolist() == values.low.tolist(), name
        assert parts.ranges[name].high.tolist() == values.high.tolist(), name
        assert counted(parts.histograms[name]) == counted(whole.histograms[name]), name


def test_where_clips_are_many_the_engine_shows_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = small_network()
    bounds = interval_bounds(network)
    fingerprints = random_fingerprints(5, 70, network.input_shape)
    by_reference = observe(network, bounds, [fingerprints])
    monkeypatch.setattr(engine, "CACHE", tmp_path)
    monkeypatch.setattr(engine, "_WORTH_COMPILING", 0)
    by_engine = observe(network, bounds, [fingerprints])
    assert list(tmp_path.glob("*.so"))
    for name, values in by_reference.ranges.items():
        assert by_engine.ranges[name].low.tolist() == values.low.tolist(), name
        assert by_engine.ranges[name].high.tolist() == values.high.tolist(), name
        assert counted(by_engine.histograms[name]) == counted(by_reference.histograms[name]), name


def test_a_result_does_not_change_when_more_is_observed() -> None:
    network = small_network()
    observer = Observer(network, interval_bounds(network))
    observer.add(random_fingerprints(3, 2, network.input_shape))
    first = observer.result()
    counts = first.histograms["conv_1"].counts.copy()
    observer.add(random_fingerprints(4, 5, network.input_shape))
    assert first.histograms["conv_1"].counts.tolist() == counts.tolist()
    assert observer.result().clips == 7


def test_constants_are_counted_from_the_network() -> None:
    network = small_network()
    histograms = constant_histograms(network)
    weights = histograms["pw_conv.weight"]
    assert counted(weights) == binned(network.node("pw_conv").weights.ravel().tolist(), weights)
    biases = histograms["fc1.bias"]
    assert counted(biases) == binned(network.nodes[-1].biases.tolist(), biases)
    assert histograms.keys() == constant_ranges(network).keys()


def test_bins_of_narrow_signals_hold_one_value_each() -> None:
    network = small_network()
    fingerprints = random_fingerprints(5, 3, network.input_shape)
    histogram = observe(network, interval_bounds(network), [fingerprints]).histograms["fingerprint"]
    assert (histogram.start, histogram.step, len(histogram.counts)) == (-32, 1, 64)


def test_no_clips_are_refused() -> None:
    network = small_network()
    with pytest.raises(ValueError, match="observation: expected at least one clip, got none"):
        observe(network, interval_bounds(network), [])


def test_values_beyond_the_bounds_are_refused() -> None:
    network = small_network()
    bounds = interval_bounds(network, (0, 3))
    fingerprints = np.full((1, *network.input_shape), 4)
    with pytest.raises(
        ValueError, match=r"fingerprint: expected values in 0\.\.3, observed 4\.\.4 in channel 0"
    ):
        observe(network, bounds, [fingerprints])


@pytest.mark.parametrize(
    ("fingerprints", "error", "message"),
    [
        (np.zeros((1, 8, 5)), TypeError, "fingerprints: expected .*integers, got float64"),
        (np.zeros((1, 8, 4), int), ValueError, "fingerprints: expected shape"),
        (np.full((1, 8, 5), 32), ValueError, r"fingerprints: expected integers in -32\.\.31"),
    ],
)
def test_what_is_no_fingerprint_is_refused(
    fingerprints: npt.NDArray[Any], error: type[Exception], message: str
) -> None:
    network = small_network()
    with pytest.raises(error, match=message):
        observe(network, interval_bounds(network), [fingerprints])
