"""What fits the accelerator and what is refused, by name; sizes against hand tables."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from dataflow.hardware.accelerator import (
    BALANCED,
    CONFIGURATIONS,
    FAST,
    SMALL,
    Accelerator,
    Configuration,
    Kernel,
    accelerator_of,
    parse_configuration,
)
from dataflow.hardware.pointwise_schedule import beat_interval
from dataflow.hardware.rtl_parameters import (
    accelerator_header,
    module_parameters,
    pointwise_parameters,
)
from dataflow.proof.range_store import PROVEN, ChosenRanges
from dataflow.ranges.intervals import interval_bounds
from dataflow.widths.shrinking import dead_channels, lossy_changes
from golden.network import INPUT_NAME, InputFormat, IntegerNetwork
from golden.nodes import (
    Add,
    Convolution,
    FullyConnected,
    GlobalMaxPool,
    Node,
    Reshape,
    ShiftRelu,
)
from tests.graphs import graphs
from tests.networks import label_names, networks, random_network


def changed(network: IntegerNetwork, name: str, **fields: Any) -> IntegerNetwork:
    """Return the network with fields of one node replaced."""
    nodes = tuple(
        dataclasses.replace(node, **fields) if node.name == name else node for node in network.nodes
    )
    return dataclasses.replace(network, nodes=nodes)


def with_nodes(network: IntegerNetwork, *nodes: Node) -> IntegerNetwork:
    """Return the network with other nodes."""
    return dataclasses.replace(network, nodes=nodes)


def small_network() -> IntegerNetwork:
    """Return a network of the architecture with few weights."""
    return random_network(1, filters=3, outputs=2, labels=2)


@pytest.mark.parametrize(
    ("configuration", "conv_1", "dw_conv"),
    [
        (SMALL, Kernel(4, 4, 1, 1), Kernel(3, 3, 1, 1)),
        (BALANCED, Kernel(4, 4, 1, 4), Kernel(3, 3, 1, 3)),
        (FAST, Kernel(4, 4, 4, 4), Kernel(3, 3, 3, 3)),
    ],
)
def test_kernels_of_the_default_network(
    configuration: Configuration, conv_1: Kernel, dw_conv: Kernel
) -> None:
    accelerator = Accelerator(random_network(1), configuration)
    assert (accelerator.conv_1_kernel, accelerator.dw_conv_kernel) == (conv_1, dw_conv)
    multipliers = {"conv_1": conv_1.lanes, "dw_conv": dw_conv.lanes, "pw_conv": 1, "fc1": 1}
    assert accelerator.multipliers == multipliers
    assert accelerator.multiplications == {
        "conv_1": 48 * 56 * 16,
        "dw_conv": 48 * 56 * 9,
        "pw_conv": 768,
        "fc1": 64,
    }


@pytest.mark.parametrize(
    ("kernel", "lanes", "steps"),
    [
        (Kernel(2, 3, 1, 1), 1, 6),
        (Kernel(2, 3, 1, 3), 3, 2),
        (Kernel(2, 3, 2, 3), 6, 1),
        (Kernel(1, 1, 1, 1), 1, 1),
    ],
)
def test_a_kernel_takes_its_taps_in_lanes_and_steps(kernel: Kernel, lanes: int, steps: int) -> None:
    assert (kernel.lanes, kernel.steps) == (lanes, steps)


def test_sizes_of_the_default_network() -> None:
    accelerator = Accelerator(random_network(1), FAST)
    sizes = ("frame", "map", "positions", "channels", "features", "labels", "shifts")
    assert {name: getattr(accelerator, name) for name in sizes} == {
        "frame": (30, 10),
        "map": (14, 4),
        "positions": 56,
        "channels": 48,
        "features": 16,
        "labels": 4,
        "shifts": (3, 4, 8),
    }
    assert list(accelerator.layer_names) == list(accelerator.layer_names.values())


def test_layers_keep_the_names_of_the_network() -> None:
    network = small_network()
    renamed = {node.name: f"layer_{place}" for place, node in enumerate(network.nodes)}
    nodes = [
        dataclasses.replace(
            node, name=renamed[node.name], input=renamed.get(node.input, node.input)
        )
        for node in network.nodes
    ]
    accelerator = Accelerator(with_nodes(network, *nodes), SMALL)
    assert accelerator.layer_names == renamed
    assert accelerator.fc1.name == "layer_7"


@pytest.mark.parametrize(
    ("kernel", "padding", "lag"),
    [
        ((3, 3), (1, 1), 4 + 1),
        ((1, 1), (0, 0), 0),
        ((1, 3), (0, 1), 1),
        ((3, 1), (1, 0), 4),
        ((2, 2), (0, 0), 4 + 1),
        ((4, 2), (1, 0), 2 * 4 + 1),
        ((5, 4), (2, 1), 2 * 4 + 2),
    ],
)
def test_a_window_ends_some_values_after_its_centre(
    kernel: tuple[int, int], padding: tuple[int, int], lag: int
) -> None:
    network = random_network(1, filters=2, depthwise_kernel=kernel)  # maps of 14 x 4
    accelerator = Accelerator(network, SMALL)
    assert (accelerator.padding, accelerator.lag) == (padding, lag)


@pytest.mark.parametrize(
    ("node", "fields", "message"),
    [
        ("conv_1", {"padding": "SAME"}, r"conv_1\.padding: expected VALID, got SAME"),
        (
            "dw_conv",
            {"padding": "VALID"},
            r"dw_conv: expected padding SAME and stride \(1, 1\), got VALID and \(1, 1\)",
        ),
        (
            "dw_conv",
            {"stride": (2, 1)},
            r"dw_conv: expected padding SAME and stride \(1, 1\), got SAME and \(2, 1\)",
        ),
        (
            "pw_conv",
            {"padding": "SAME", "weights": np.ones((2, 3, 1, 3), np.int8)},
            r"pw_conv: expected a kernel of 1x1, got \(3, 1\)",
        ),
        ("conv_1", {"biases": np.ones(3, np.int32)}, r"conv_1\.biases: expected none, got 3"),
        ("dw_conv", {"biases": np.ones(3, np.int32)}, r"dw_conv\.biases: expected none, got 3"),
        ("fc1", {"biases": None}, r"fc1\.biases: expected one a label, got none"),
        ("conv_1", {"dilation": (2, 1)}, r"conv_1\.dilation: expected \(1, 1\), got \(2, 1\)"),
        ("fc1", {"weight_bits": 7}, r"fc1\.weight_bits: expected at most 6, got 7"),
    ],
)
def test_layer_that_does_not_fit_is_refused_by_name(
    node: str, fields: dict[str, Any], message: str
) -> None:
    network = changed(small_network(), node, **fields)
    with pytest.raises(ValueError, match=f"^{message}$"):
        Accelerator(network, FAST)


@pytest.mark.parametrize("layer", ["dw_conv", "fc1"])
def test_layer_that_reads_another_one_is_refused_by_name(layer: str) -> None:
    network = small_network()
    *nodes, fc1 = network.nodes
    skipped = {"dw_conv": "conv_1_relu", "fc1": "pw_conv_relu"}[layer]
    source = network.node(skipped).input
    nodes = [
        dataclasses.replace(node, input=source) if node.name == layer else node
        for node in network.nodes
    ]
    # What is skipped is read at the end, so that the network is valid.
    count = int(np.prod(network.shapes[skipped]))
    other = FullyConnected("other", skipped, np.ones((2, count), np.int8))
    forked = with_nodes(network, *nodes, other, Add("sum", (fc1.name, "other")))
    with pytest.raises(ValueError, match=rf"^{layer}\.input: expected {skipped}, got {source}$"):
        Accelerator(forked, FAST)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"input_format": InputFormat(-32, 31, 1)},
            r"fingerprint: expected integers in -32\.\.31 with zero point 0, got -32\.\.31 with 1",
        ),
        (
            {"input_shape": (30, 10, 1), "features": None},
            r"fingerprint: expected two axes, time and coefficient, got \(30, 10, 1\)",
        ),
    ],
)
def test_input_that_does_not_fit_is_refused(fields: dict[str, Any], message: str) -> None:
    network = dataclasses.replace(small_network(), **fields)
    with pytest.raises(ValueError, match=f"^{message}$"):
        Accelerator(network, FAST)


def test_several_filters_a_channel_are_refused() -> None:
    network = small_network()
    dw_conv, pw_conv = network.node("dw_conv"), network.node("pw_conv")
    twice = dataclasses.replace(dw_conv, weights=np.repeat(dw_conv.weights, 2, axis=0))
    wide = dataclasses.replace(pw_conv, weights=np.repeat(pw_conv.weights, 2, axis=3))
    changes = {"dw_conv": twice, "pw_conv": wide}
    nodes = [changes.get(node.name, node) for node in network.nodes]
    message = r"^dw_conv\.weights: expected a filter for each of 3 channels, got 6$"
    with pytest.raises(ValueError, match=message):
        Accelerator(with_nodes(network, *nodes), FAST)


@given(graphs() | networks())
def test_every_graph_fits_or_is_refused(network: IntegerNetwork) -> None:
    entries: list[Callable[[], object]] = [
        lambda: module_parameters(Accelerator(network, FAST)),
        lambda: pointwise_parameters(network, "weights.mem"),
        lambda: dead_channels(network, interval_bounds(network)),
        lambda: list(lossy_changes(network)),
        *(functools.partial(beat_interval, network, node) for node in network.weighted_nodes),
    ]
    for entry in entries:
        with contextlib.suppress(ValueError):
            entry()


@pytest.mark.parametrize("count", range(1, 8))
def test_architectures_that_stop_anywhere_are_refused(count: int) -> None:
    network = small_network()
    nodes = network.nodes[:count]
    size = int(np.prod(network.shapes[nodes[-1].name]))
    flat = Reshape("flat", nodes[-1].name, (size,))
    cut = IntegerNetwork((*nodes, flat), label_names(size), network.input_shape, network.features)
    with pytest.raises(ValueError, match=r"^flat: expected a [a-zA-Z -]+ here, got a reshaping$"):
        Accelerator(cut, FAST)


def test_network_of_one_layer_is_refused() -> None:
    conv_1 = Convolution("conv_1", INPUT_NAME, np.ones((1, 1, 1, 1), np.int8))
    network = IntegerNetwork((conv_1, Reshape("flat", "conv_1", (1,))), ("yes",), (1, 1), None)
    with pytest.raises(ValueError, match=r"^flat: expected a shift and ReLU here, got a"):
        Accelerator(network, FAST)


def test_layer_of_another_kind_is_refused_by_name() -> None:
    network = small_network()
    pooled = GlobalMaxPool("early_pool", "conv_1_relu")
    dw_conv = dataclasses.replace(network.nodes[2], input="early_pool")
    nodes = (*network.nodes[:2], pooled, dw_conv, *network.nodes[3:])
    with pytest.raises(
        ValueError, match=r"^early_pool: expected a depthwise convolution here, got a global max-"
    ):
        Accelerator(with_nodes(network, *nodes), FAST)


def test_network_that_ends_early_is_refused() -> None:
    network = small_network()
    logits = FullyConnected("fc1", "max_pool", np.ones((2, 3), np.int8), np.zeros(2, np.int32))
    with pytest.raises(ValueError, match=r"^fc1: expected a convolution here, got a fully conn"):
        Accelerator(with_nodes(network, *network.nodes[:5], logits), FAST)


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (0, "pool: expected a convolution here"),
        (2, "pool: expected a depthwise convolution here"),
        (4, "fc1: expected a convolution here"),
    ],
)
def test_shorter_network_is_refused_at_its_first_other_node(kept: int, message: str) -> None:
    """Whatever a network leaves out, it ends with logits, so it differs before it ends."""
    network = small_network()
    before = network.nodes[:kept]
    source = before[-1].name if before else "fingerprint"
    pool = GlobalMaxPool("pool", source)
    channels = network.shapes[source][2]
    logits = FullyConnected("fc1", "pool", np.ones((2, channels), np.int8), np.zeros(2, np.int32))
    with pytest.raises(ValueError, match=f"^{message}, got a "):
        Accelerator(with_nodes(network, *before, pool, logits), FAST)


def test_network_that_goes_on_is_refused() -> None:
    network = small_network()
    nodes = (*network.nodes, ShiftRelu("logits_relu", "fc1", 0))
    with pytest.raises(ValueError, match=r"^logits_relu: expected nothing after fc1$"):
        Accelerator(with_nodes(network, *nodes), FAST)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ({"conv_1": "plane"}, r"x\.conv_1: expected one of tap, row, window, got 'plane'"),
        ({"dw_conv": ""}, r"x\.dw_conv: expected one of tap, row, window, got ''"),
        ({"pw_conv": "row"}, r"x\.pw_conv: expected one of tap, got 'row'"),
        ({"fc1": "window"}, r"x\.fc1: expected one of tap, got 'window'"),
    ],
)
def test_parallelism_that_is_not_offered_is_refused(stages: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        Configuration("x", **{"conv_1": "tap", "dw_conv": "tap", **stages})


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_configuration_has_a_name(name: str) -> None:
    assert parse_configuration(name) is CONFIGURATIONS[name]
    assert CONFIGURATIONS[name].name == name


@pytest.mark.parametrize(
    ("text", "stages"),
    [
        ("conv_1=window,dw_conv=row", ("window", "row")),
        ("dw_conv=tap,conv_1=row,fc1=tap,pw_conv=tap", ("row", "tap")),
    ],
)
def test_configuration_may_be_spelled_out(text: str, stages: tuple[str, str]) -> None:
    configuration = parse_configuration(text)
    assert (configuration.conv_1, configuration.dw_conv) == stages
    assert (configuration.name, configuration.pw_conv, configuration.fc1) == (text, "tap", "tap")


@pytest.mark.parametrize(
    "text",
    ["", "huge", "conv_1", "conv_1=window", "dw_conv=row", "conv_1=tap,dw_conv=tap,fc2=tap"],
)
def test_unknown_configuration_is_refused_with_the_choice(text: str) -> None:
    with pytest.raises(
        ValueError,
        match=rf"^configuration: expected one of small, balanced, fast, or .*, got '{text}'$",
    ):
        parse_configuration(text)


def test_spelled_out_configuration_names_the_stage_that_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"dw_conv: expected one of tap, row, window, got 'all'"):
        parse_configuration("conv_1=tap,dw_conv=all")


def test_accelerator_of_chosen_ranges_names_their_source_but_no_path() -> None:
    network = small_network()
    chosen = ChosenRanges(interval_bounds(network), PROVEN, "proven (a/b.npz)")
    accelerator = accelerator_of(network, chosen, "small")
    assert accelerator.configuration == SMALL
    assert accelerator.ranges is chosen.ranges
    assert "// widths: proven ranges\n" in accelerator_header(accelerator)
    assert "a/b" not in accelerator_header(accelerator)
