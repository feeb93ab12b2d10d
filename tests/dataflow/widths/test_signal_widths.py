from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from dataflow.ranges.intervals import ChannelRange, constant_ranges, interval_bounds
from dataflow.widths.signal_widths import (
    LayerWidths,
    SignalWidth,
    input_widths,
    layer_widths,
    widths_of_layer,
)
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import Convolution, DepthwiseConvolution, FullyConnected, GlobalMaxPool, ShiftRelu
from tests.networks import eight_bit_network, features_for, networks, random_network


def widths_of(network: IntegerNetwork) -> tuple[LayerWidths, ...]:
    return layer_widths(network, interval_bounds(network))


def signal(low: list[int], high: list[int]) -> SignalWidth:
    return SignalWidth("a", "output", ChannelRange(np.array(low), np.array(high)))


@pytest.mark.parametrize(
    ("low", "high", "signed", "unsigned"),
    [
        ([0], [0], 1, 1),
        ([-1], [0], 1, None),
        ([0], [1], 2, 1),
        ([5], [7], 4, 3),
        ([-32], [31], 6, None),
        ([-32], [32], 7, None),
        ([0, -33], [3, -4], 7, None),
        ([0, 2], [1023, 1024], 12, 11),
    ],
)
def test_width_of_a_range(low: list[int], high: list[int], signed: int, unsigned: int) -> None:
    width = signal(low, high)
    assert (width.signed_bits, width.unsigned_bits) == (signed, unsigned)


@given(networks())
def test_every_width_holds_its_bound_and_one_bit_less_does_not(network: IntegerNetwork) -> None:
    for layer in widths_of(network):
        for width in layer.signals:
            low, high, bits = width.bound.minimum, width.bound.maximum, width.signed_bits
            assert -(2 ** (bits - 1)) <= low and high < 2 ** (bits - 1), width.name
            assert bits == 1 or low < -(2 ** (bits - 2)) or high >= 2 ** (bits - 2), width.name
            assert (width.unsigned_bits is None) == (low < 0), width.name
            if width.unsigned_bits is not None:
                assert width.unsigned_bits == max(bits - 1, 1), width.name


def test_widths_of_a_small_network_worked_by_hand() -> None:
    nodes = (
        Convolution("conv_1", INPUT_NAME, np.array([31, -32]).reshape(1, 1, 2, 1)),
        ShiftRelu("conv_1_relu", "conv_1", 4),
        FullyConnected("fc1", "conv_1_relu", np.array([[1, -1, 15, 0]]), np.array([-700])),
    )
    network = IntegerNetwork(nodes, ("yes",), (2, 3), features_for((2, 3)))
    table = [
        (
            *(layer.name, item.name, item.role, item.unit),
            *(item.bound.minimum, item.bound.maximum, item.signed_bits, item.unsigned_bits),
        )
        for layer in widths_of(network)
        for item in layer.signals
    ]
    assert table == [
        ("conv_1", "fingerprint", "input", "multiplier", -32, 31, 6, None),
        ("conv_1", "conv_1.weight", "weight", "multiplier", -32, 31, 6, None),
        ("conv_1", "conv_1.product", "product", "multiplier", -992, 1024, 12, None),
        ("conv_1", "conv_1.partial_sum", "partial sum", "adder", -1984, 1985, 12, None),
        ("conv_1", "conv_1", "accumulator", "register", -1984, 1985, 12, None),
        ("conv_1", "conv_1_relu", "output", "register", 0, 124, 8, 7),
        ("fc1", "conv_1_relu", "input", "multiplier", 0, 124, 8, 7),
        ("fc1", "fc1.weight", "weight", "multiplier", -1, 15, 5, None),
        ("fc1", "fc1.product", "product", "multiplier", -124, 1860, 12, None),
        ("fc1", "fc1.bias", "bias", "adder", -700, -700, 11, None),
        ("fc1", "fc1.partial_sum", "partial sum", "adder", -824, 1284, 12, None),
        ("fc1", "fc1", "accumulator", "register", -824, 1284, 12, None),
    ]


def test_layers_of_the_default_network_and_what_they_hand_on() -> None:
    widths = widths_of(random_network(3))
    assert [(layer.name, layer.kind) for layer in widths] == [
        ("conv_1", "convolution"),
        ("dw_conv", "depthwise convolution"),
        ("pw_conv", "convolution"),
        ("fc1", "fully connected"),
    ]
    outputs = [[item.name for item in layer.outputs] for layer in widths]
    assert outputs == [["conv_1_relu"], ["dw_conv_relu", "max_pool"], ["pw_conv_relu"], []]
    names = ["conv_1_relu", "max_pool", "pw_conv_relu", "fc1"]
    assert [layer.output.name for layer in widths] == names
    assert [layer.input.name for layer in widths[1:]] == names[:-1]
    assert [layer.bias is not None for layer in widths] == [False, False, False, True]


def test_pooling_before_the_shift_gives_the_same_output_width() -> None:
    default = random_network(4, filters=5)
    dw_conv = default.node("dw_conv")
    assert isinstance(dw_conv, DepthwiseConvolution)
    nodes = (
        *default.nodes[:3],
        GlobalMaxPool("max_pool", "dw_conv"),
        ShiftRelu("dw_conv_relu", "max_pool", 4),
        Convolution("pw_conv", "dw_conv_relu", default.node("pw_conv").weights),
        *default.nodes[6:],
    )
    pooled_first = IntegerNetwork(nodes, default.labels, default.input_shape, default.features)
    one, other = (widths_of(network)[1].output for network in (default, pooled_first))
    assert other.name == "dw_conv_relu"
    assert other.bound.low.tolist() == one.bound.low.tolist()
    assert other.bound.high.tolist() == one.bound.high.tolist()


def test_observations_stand_beside_the_bounds_and_change_no_width() -> None:
    network = random_network(6, filters=4)
    bounds = interval_bounds(network)
    seen = {name: ChannelRange(item.low * 0, item.low * 0 + 1) for name, item in bounds.items()}
    for without, given_seen in zip(
        layer_widths(network, bounds), layer_widths(network, bounds, seen), strict=True
    ):
        for one, other in zip(without.signals, given_seen.signals, strict=True):
            assert one.signed_bits == other.signed_bits
            assert other.observed is seen[other.name]


def test_without_observations_only_constants_count_as_observed() -> None:
    network = random_network(7, filters=4)
    for layer in widths_of(network):
        for item in layer.signals:
            constant = item.role in ("weight", "bias")
            assert (item.observed is not None) == constant
            assert item.observed is None or item.observed.bits == item.signed_bits


def test_constants_have_the_range_of_their_values_channel_by_channel() -> None:
    network = random_network(8, filters=4, outputs=3)
    ranges = constant_ranges(network)
    for node in network.weighted_nodes:
        rows = [[int(weight) for weight in channel.flat] for channel in node.weights]
        assert ranges[f"{node.name}.weight"].low.tolist() == [min(row) for row in rows]
        assert ranges[f"{node.name}.weight"].high.tolist() == [max(row) for row in rows]
    biases = network.nodes[-1].biases.tolist()
    assert ranges["fc1.bias"].low.tolist() == ranges["fc1.bias"].high.tolist() == biases


def test_widths_are_found_by_the_name_of_the_layer() -> None:
    widths = widths_of(random_network(9, filters=2))
    assert widths_of_layer(widths, "pw_conv") is widths[2]
    with pytest.raises(KeyError, match="conv_9"):
        widths_of_layer(widths, "conv_9")


def test_nodes_stand_behind_the_last_layer_that_they_depend_on() -> None:
    network = eight_bit_network()
    widths = widths_of(network)
    assert [layer.name for layer in widths] == ["conv", "dw", "dense"]
    conv, dw, dense = ([item.name for item in layer.outputs] for layer in widths)
    assert conv == ["conv_q", "left"]
    assert dw == ["dw_q", "right", "sum", "sum_q", "mean"]
    assert dense == ["logits"]
    assert [layer.bias is not None for layer in widths] == [
        node.biases is not None for node in network.weighted_nodes
    ]


def test_requantisation_and_pools_show_what_lies_inside_them() -> None:
    _, dw, _ = widths_of(eight_bit_network())
    roles = {item.name: (item.role, item.unit) for item in dw.followers}
    assert roles["dw_q.multiplier"] == ("scale", "multiplier")
    assert roles["dw_q.product"] == ("scaled product", "multiplier")
    assert roles["mean.partial_sum"] == ("pool sum", "adder")
    names = list(roles)
    assert names[:3] == ["dw_q.multiplier", "dw_q.product", "dw_q"]
    assert dw.output.name == "mean"


def test_what_depends_on_no_layer_comes_first() -> None:
    weights = np.ones((1, 2), np.int64)
    nodes = (ShiftRelu("relu", INPUT_NAME, 1), FullyConnected("fc1", "relu", weights))
    network = IntegerNetwork(nodes, ("yes",), (2,), None)
    bounds = interval_bounds(network)
    assert [item.name for item in input_widths(network, bounds)] == [INPUT_NAME, "relu"]
    assert input_widths(random_network(1), interval_bounds(random_network(1))) == ()
