"""The names of all axes and arrays, stated once for the header, the text files and the messages."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from golden.network import IntegerNetwork
from golden.nodes import DepthwiseConvolution, arrays_of

_LAYER_AXES = {
    0: (),
    1: ("channel",),
    2: ("time", "coefficient"),
    3: ("time", "coefficient", "channel"),
}
_ARRAY_AXES = {1: ("out",), 2: ("out", "in"), 4: ("out", "kernel_time", "kernel_coefficient", "in")}


def layer_axes(axis_count: int) -> tuple[str, ...]:
    """Return the axis names of one clip's layer, slowest first.

    >>> layer_axes(3)
    ('time', 'coefficient', 'channel')
    """
    return _LAYER_AXES[axis_count]


def array_axes(axis_count: int) -> tuple[str, ...]:
    """Return the axis names of weights (4 or 2 axes) or of a number an output (1), slowest first.

    A depthwise filter reads one channel, so `in` has size 1; `out` is that channel, unless several
    outputs read it.

    >>> array_axes(4)
    ('out', 'kernel_time', 'kernel_coefficient', 'in')
    """
    return _ARRAY_AXES[axis_count]


def has_depthwise_multiplier(network: IntegerNetwork) -> bool:
    """Say whether some depthwise convolution has more outputs than channels."""
    return any(
        isinstance(node, DepthwiseConvolution) and len(node.weights) > network.shapes[node.input][2]
        for node in network.nodes
    )


def named_arrays(network: IntegerNetwork) -> dict[str, npt.NDArray[Any]]:
    """Return weights, biases, multipliers and exponents by `node.field`, in the nodes' order."""
    return {
        f"{node.name}.{field}": array
        for node in network.nodes
        for field, array in arrays_of(node).items()
    }
