"""The number formats with which hls4ml computes exactly what a floor-shift network does."""

from __future__ import annotations

from collections.abc import Mapping

from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import GlobalMaxPool, ShiftRelu, WeightedNode

_WEIGHT_BITS = 8

Formats = Mapping[str, Mapping[str, str]]


def hls4ml_formats(network: IntegerNetwork) -> Formats:
    """Return the formats of every layer of `topologies.float_twin`, wide enough for what can occur.

    A shift is that many bits behind the point; to floor is to truncate them, which is what hls4ml
    does unless told otherwise.
    """
    low, high = network.input_format.value_range
    bits = max(high, -low - 1).bit_length() + 1
    formats: dict[str, Mapping[str, str]] = {INPUT_NAME: {"result": f"fixed<{bits},{bits}>"}}
    for node in network.nodes:
        if isinstance(node, WeightedNode):
            reader = network.consumer(node.name)
            shift = reader.shift if isinstance(reader, ShiftRelu) else 0
            wide = network.magnitudes[node.name].bit_length() + 1
            sums = f"fixed<{wide},{wide - shift}>"
            formats[node.name] = {
                "weight": f"fixed<{_WEIGHT_BITS},{_WEIGHT_BITS - shift}>",
                **dict.fromkeys(("bias", "accum", "result"), sums),
            }
            if isinstance(reader, ShiftRelu):
                formats[f"{node.name}_relu"] = {"result": _natural(network, reader.name)}
        elif isinstance(node, GlobalMaxPool):
            formats[node.name] = dict.fromkeys(("accum", "result"), _natural(network, node.name))
    return formats


def _natural(network: IntegerNetwork, name: str) -> str:
    """Return the format of a layer without negative values."""
    bits = network.reaches[name][1].bit_length()
    return f"ufixed<{bits},{bits}>"
