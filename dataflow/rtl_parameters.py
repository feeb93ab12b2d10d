"""Verilog parameters of the RTL blocks, derived from a network and from its bit widths.

No width is typed a second time: simulation, synthesis and tests all take these dictionaries.
"""

from __future__ import annotations

from dataclasses import dataclass

from dataflow.bit_widths import LayerWidths, layer_widths, widths_of_layer
from dataflow.loop_orders import LayerSize
from dataflow.ranges import interval_bounds
from golden.integer_math import unsigned_bits
from golden.network import Convolution, IntegerNetwork, ShiftRelu

# Axis order of the weight memory of pointwise_conv: input channel by input channel.
POINTWISE_WEIGHT_ORDER = ("kernel_time", "kernel_coefficient", "in", "out")


@dataclass(frozen=True, eq=False)
class PointwiseLayer:
    """The part of a network that `rtl_ref/pointwise_conv.v` computes for one pixel."""

    convolution: Convolution
    shift_relu: ShiftRelu

    @property
    def size(self) -> LayerSize:
        """Number of input and output channels."""
        outputs, _, _, inputs = self.convolution.weights.shape
        return LayerSize(inputs, outputs)


def pointwise_layer(network: IntegerNetwork) -> PointwiseLayer:
    """Return the one 1x1 convolution of `network` that works on a single pixel, and its ShiftRelu.

    Raises ValueError if there is none, more than one, or one that no ShiftRelu follows.
    """
    found = [
        node
        for node in network.nodes
        if isinstance(node, Convolution)
        and node.weights.shape[1:3] == (1, 1)
        and network.shapes[node.input][:2] == (1, 1)
    ]
    if len(found) != 1:
        names = [node.name for node in found]
        raise ValueError(f"network: expected one 1x1 convolution of a single pixel, got {names}")
    follower = network.consumer(found[0].name)
    if not isinstance(follower, ShiftRelu):
        kind = "nothing" if follower is None else f"a {follower.kind}"
        raise ValueError(f"{found[0].name}: expected a shift and ReLU after it, got {kind}")
    return PointwiseLayer(found[0], follower)


def pointwise_parameters(network: IntegerNetwork, weight_file: str) -> dict[str, int | str]:
    """Return every parameter of `rtl_ref/pointwise_conv.v` for `network`, by its Verilog name.

    Widths hold for every fingerprint (`dataflow.ranges.interval_bounds`). `weight_file` is the path
    of the `.mem` file that the simulator opens.

    Raises ValueError if the network has no such layer or if its input may be negative.
    """
    layer = pointwise_layer(network)
    widths = widths_of_layer(
        layer_widths(network, interval_bounds(network)), layer.convolution.name
    )
    return {
        "IN_CHANNELS": layer.size.inputs,
        "OUT_CHANNELS": layer.size.outputs,
        **_datapath_widths(widths, layer),
        "SHIFT": layer.shift_relu.shift,
        "CHANNEL_BITS": unsigned_bits(layer.size.inputs - 1),
        "OUTPUT_BITS": unsigned_bits(layer.size.outputs - 1),
        "ADDRESS_BITS": unsigned_bits(layer.size.multiplications - 1),
        "WEIGHT_FILE": weight_file,
    }


def _datapath_widths(widths: LayerWidths, layer: PointwiseLayer) -> dict[str, int]:
    """Return the widths of the report, raised where the module's structure asks for a bit more.

    That happens only in layers whose numbers are tiny, such as one whose weights are all 0.
    """
    outputs = {signal.name: signal for signal in widths.outputs}
    in_bits = widths.input.unsigned_bits
    if in_bits is None:
        raise ValueError(
            f"{widths.input.name}: expected no negative values before {widths.name}, "
            f"got a lower bound of {widths.input.bound.minimum}"
        )
    out_bits = outputs[layer.shift_relu.name].unsigned_bits
    assert out_bits is not None  # it follows a ReLU
    weight_bits = max(widths.weight.signed_bits, 2)
    product_bits = max(widths.product.signed_bits, in_bits + 1, weight_bits)
    acc_bits = max(widths.partial_sum.signed_bits, product_bits, layer.shift_relu.shift + out_bits)
    return {
        "IN_BITS": in_bits,
        "WEIGHT_BITS": weight_bits,
        "PRODUCT_BITS": product_bits,
        "ACC_BITS": acc_bits,
        "OUT_BITS": out_bits,
    }
