"""Verilog parameters against the bit-width report and against hand tables."""

from __future__ import annotations

import dataclasses

import pytest

from dataflow.bit_widths import layer_widths, widths_of_layer
from dataflow.loop_orders import LayerSize
from dataflow.ranges import interval_bounds
from dataflow.rtl_parameters import pointwise_layer, pointwise_parameters
from golden.network import IntegerNetwork
from tests.networks import random_network


def without(network: IntegerNetwork, name: str) -> IntegerNetwork:
    """Return the network with one node taken out and its followers joined to its input."""
    gone = network.node(name)
    nodes = tuple(
        dataclasses.replace(node, input=gone.input) if node.input == name else node
        for node in network.nodes
        if node.name != name
    )
    return dataclasses.replace(network, nodes=nodes)


def test_widths_are_those_of_the_report() -> None:
    network = random_network(1)
    widths = widths_of_layer(layer_widths(network, interval_bounds(network)), "pw_conv")
    outputs = {signal.name: signal for signal in widths.outputs}
    assert pointwise_parameters(network, "w.mem") == {
        "IN_CHANNELS": 48,
        "OUT_CHANNELS": 16,
        "IN_BITS": widths.input.unsigned_bits,
        "WEIGHT_BITS": 6,
        "PRODUCT_BITS": widths.product.signed_bits,
        "ACC_BITS": widths.partial_sum.signed_bits,
        "OUT_BITS": outputs["pw_conv_relu"].unsigned_bits,
        "SHIFT": 8,
        "CHANNEL_BITS": 6,
        "OUTPUT_BITS": 4,
        "ADDRESS_BITS": 10,
        "WEIGHT_FILE": "w.mem",
    }


@pytest.mark.parametrize(
    ("filters", "outputs", "bits"),
    [(1, 1, (1, 1, 1)), (2, 2, (1, 1, 2)), (64, 16, (6, 4, 10)), (65, 17, (7, 5, 11))],
)
def test_counters_hold_the_last_index(filters: int, outputs: int, bits: tuple[int, ...]) -> None:
    parameters = pointwise_parameters(random_network(1, filters, outputs), "")
    assert tuple(parameters[f"{name}_BITS"] for name in ("CHANNEL", "OUTPUT", "ADDRESS")) == bits


def test_tiny_numbers_still_give_parameters_that_the_module_accepts() -> None:
    network = random_network(1, filters=2, outputs=2, weights=(0, 0), shifts=(0, 0, 9))
    parameters = pointwise_parameters(network, "")
    widths = {
        name: parameters[f"{name}_BITS"] for name in ("IN", "WEIGHT", "PRODUCT", "ACC", "OUT")
    }
    # An input that is always 0 takes a bit; 2 bits of weight; the shift alone asks for 10 of sum.
    assert widths == {"IN": 1, "WEIGHT": 2, "PRODUCT": 2, "ACC": 10, "OUT": 1}


def test_layer_of_the_default_network() -> None:
    layer = pointwise_layer(random_network(1))
    assert (layer.convolution.name, layer.shift_relu.name) == ("pw_conv", "pw_conv_relu")
    assert layer.size == LayerSize(48, 16)
    assert layer.size.multiplications == 768


def test_network_without_a_pointwise_layer_is_refused() -> None:
    network = random_network(1, filters=3, outputs=3, shifts=(3, 4, 0))
    plain = without(without(network, "pw_conv_relu"), "pw_conv")
    with pytest.raises(
        ValueError, match=r"expected one 1x1 convolution of a single pixel, got \[\]"
    ):
        pointwise_layer(plain)


def test_layer_without_shift_and_relu_is_refused() -> None:
    network = without(random_network(1), "pw_conv_relu")
    with pytest.raises(
        ValueError, match="pw_conv: expected a shift and ReLU after it, got a fully connected"
    ):
        pointwise_layer(network)


def test_layer_whose_input_may_be_negative_is_refused() -> None:
    network = without(random_network(1, shifts=(3, 4, 8)), "dw_conv_relu")
    with pytest.raises(
        ValueError, match="max_pool: expected no negative values before pw_conv, got a lower bound"
    ):
        pointwise_parameters(network, "")
