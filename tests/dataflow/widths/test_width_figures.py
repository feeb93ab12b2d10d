from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from matplotlib.image import imread

from dataflow.ranges.observed import Histogram
from dataflow.widths.width_figures import layer_figure, overview_figure
from dataflow.widths.width_report import WidthReport, report
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import Pad, ShiftRelu
from tests.graphs import random_inputs
from tests.networks import eight_bit_network, random_fingerprints, random_network
from tests.witnessed import witnessed_ranges

SMALL = {"filters": 2, "outputs": 2}


def full_report(network: IntegerNetwork) -> WidthReport:
    inputs = random_fingerprints(1, 2)
    return report(network, witnessed_ranges(network, inputs), [inputs[:1]])


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
    made = full_report(random_network(1, weights=weights, biases=biases, **SMALL))
    for layer in made.widths:
        assert_drawn(layer_figure(made, layer.name))
    assert_drawn(overview_figure(made))


def test_graphs_of_many_signals_are_drawn_in_columns_and_layer_by_layer() -> None:
    network = eight_bit_network()
    padded = Pad("padded", INPUT_NAME, ((1, 1), (0, 0), (0, 0)))
    first = dataclasses.replace(network.nodes[0], input="padded")
    chain = [
        ShiftRelu(f"relu_{place}", f"relu_{place - 1}" if place else "logits", 0)
        for place in range(60)
    ]
    # A window of all rows keeps to the shape of what follows.
    mean = dataclasses.replace(network.node("mean"), window=(6, 6), stride=(6, 6))
    nodes = (padded, first, *network.nodes[1:], *chain)
    nodes = tuple(mean if node.name == "mean" else node for node in nodes)
    made = report(
        IntegerNetwork(nodes, network.labels, network.input_shape, None, network.input_format),
        None,
        [random_inputs(1, 2, network)],
    )
    assert len(made.signals) > 64
    height, width, _ = imread(io.BytesIO(overview_figure(made))).shape
    assert height < 0.3 * 100 * len(made.signals) and width >= 1500
    for layer in dict.fromkeys(signal.layer for signal in made.signals.values()):
        assert_drawn(layer_figure(made, layer))
    assert made.signals["padded"].layer == INPUT_NAME


def test_layers_can_be_drawn_without_data_and_without_proof() -> None:
    network = random_network(2, **SMALL)
    inputs = random_fingerprints(2, 1)
    for made in (report(network), report(network, witnessed_ranges(network, inputs))):
        assert_drawn(layer_figure(made, "dw_conv"))
        assert_drawn(overview_figure(made))


def test_figures_are_the_same_every_time_and_show_what_they_are_given() -> None:
    made = full_report(random_network(3, **SMALL))
    first = layer_figure(made, "conv_1")
    assert layer_figure(made, "conv_1") == first
    seen = made.observation
    assert seen is not None
    mirrored = {
        name: Histogram(item.start, item.step, item.counts[::-1])
        for name, item in seen.histograms.items()
    }
    for changed in (
        dataclasses.replace(seen, clips=3),
        dataclasses.replace(seen, histograms=mirrored),
    ):
        assert layer_figure(dataclasses.replace(made, observation=changed), "conv_1") != first
    unproven = report(made.network, None, [random_fingerprints(1, 2)[:1]])
    assert layer_figure(unproven, "conv_1") != first
    assert overview_figure(unproven) != overview_figure(made)
