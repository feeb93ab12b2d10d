from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given

from dataflow.ranges.intervals import constant_ranges, interval_bounds
from dataflow.ranges.observed import (
    BATCH_CLIPS,
    MAX_BINS,
    Histogram,
    Observer,
    constant_histograms,
    observe,
)
from golden.network import IntegerNetwork
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


def test_batches_of_any_size_show_the_same() -> None:
    network = small_network()
    bounds = interval_bounds(network)
    fingerprints = random_fingerprints(2, BATCH_CLIPS + 7, network.input_shape)
    whole = observe(network, bounds, [fingerprints])
    parts = observe(network, bounds, np.split(fingerprints, [1, 1, 30]))
    assert parts.clips == whole.clips == BATCH_CLIPS + 7
    for name, values in whole.ranges.items():
        assert parts.ranges[name].low.tolist() == values.low.tolist(), name
        assert parts.ranges[name].high.tolist() == values.high.tolist(), name
        assert counted(parts.histograms[name]) == counted(whole.histograms[name]), name


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
