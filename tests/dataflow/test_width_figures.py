from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.image import imread

from dataflow.bit_widths import layer_widths
from dataflow.observed import Histogram, Observation, constant_histograms, observe
from dataflow.ranges import interval_bounds
from dataflow.width_figures import layer_figure, overview_figure
from golden.network import IntegerNetwork
from tests.networks import random_fingerprints, random_network

SMALL = {"filters": 2, "outputs": 2}


def observed(network: IntegerNetwork) -> Observation:
    return observe(network, interval_bounds(network), [random_fingerprints(1, 2)])


def assert_drawn(png: bytes) -> None:
    pixels = imread(io.BytesIO(png))  # height, width, colour
    assert pixels.shape[0] > 200 and pixels.shape[1] > 800
    assert 0.01 < np.mean(pixels[..., 0] < 0.9) < 0.6  # neither empty nor filled


@pytest.mark.parametrize(
    ("weights", "biases"), [((-32, 31), (-2000, 2000)), ((0, 0), (0, 0)), ((31, 31), (-1, -1))]
)
def test_every_layer_of_any_network_can_be_drawn(
    weights: tuple[int, int], biases: tuple[int, int]
) -> None:
    network = random_network(1, weights=weights, biases=biases, **SMALL)
    seen = observed(network)
    widths = layer_widths(network, interval_bounds(network), seen.ranges)
    for layer in widths:
        assert_drawn(layer_figure(layer, seen.histograms, seen.clips))
    assert_drawn(overview_figure(widths))


def test_layers_can_be_drawn_without_observations() -> None:
    network = random_network(2, **SMALL)
    widths = layer_widths(network, interval_bounds(network))
    assert_drawn(layer_figure(widths[1], constant_histograms(network), None))
    assert_drawn(overview_figure(widths))


def test_figures_are_the_same_every_time_and_show_what_they_are_given() -> None:
    network = random_network(3, **SMALL)
    seen = observed(network)
    layer = layer_widths(network, interval_bounds(network), seen.ranges)[0]
    first = layer_figure(layer, seen.histograms, 2)
    assert layer_figure(layer, seen.histograms, 2) == first
    assert layer_figure(layer, seen.histograms, 3) != first
    mirrored = {
        name: Histogram(item.start, item.step, item.counts[::-1])
        for name, item in seen.histograms.items()
    }
    assert layer_figure(layer, mirrored, 2) != first
