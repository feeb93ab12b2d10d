"""What the kernel of a step is called with: sizes, weights, biases, factors, in its own order.

A kernel computes four outputs at a time, and reads the weights of one group of channels for all
four before those of the next: `[four outputs][element of the window][group][output][channel]`.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import numpy.typing as npt

from golden.c.steps import Plan, Step
from golden.integer_math import signed_limits
from golden.nodes import (
    AveragePool,
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    MaxPool,
    Pad,
    Requantise,
    WeightedNode,
)
from golden.windows import Shape

OUTPUTS = 4  # that a kernel computes at a time
_INT32_MAX = signed_limits(32)[1]
_LARGEST_BYTE = 255

Axes = tuple[int, int, int]


class Operands:
    """The operands of one step of a plan."""

    def __init__(self, plan: Plan, step: Step) -> None:
        self.plan, self.step, self.node = plan, step, step.node
        self.source, self.result = plan.storage[step.sources[0]], plan.storage[step.result]

    @cached_property
    def wide(self) -> str:
        """`_wide`, the ending of kernels with sums of 64 bits, if 32 might not do; else nothing."""
        network = self.plan.network
        largest = max(network.magnitudes[node.name] for node in self.step.nodes)
        if isinstance(self.node, WeightedNode):
            low, high = network.reaches[self.step.sources[0]]
            stored = _LARGEST_BYTE if self.source.kind == "u8" else max(-low, high)
            sums = np.abs(self._rows).sum(axis=1) * stored + np.abs(self.biases[: len(self._rows)])
            largest = max(largest, int(sums.max()))
        names = (*self.step.sources, self.step.result)
        stored_wide = any(self.plan.storage[name].kind == "s64" for name in names)
        return "_wide" if largest > _INT32_MAX or stored_wide else ""

    @cached_property
    def axes(self) -> dict[str, Axes]:
        """The numbers of a `layer_t`, by member."""
        node, shape = self.node, self.plan.network.shapes[self.node.name]
        axes = {
            "from": three(self.source.shape),
            "to": three(shape),
            "window": (1, 1, 0),
            "stride": (1, 1, 0),
            "dilation": (1, 1, 0),
            "pad": (0, 0, 0),
        }
        match node:
            case FullyConnected():
                if self.source.pixel_values == self.source.channels:
                    axes["from"] = (1, 1, math.prod(self.source.shape))
                axes["window"] = (*axes["from"][:2], 0)
            case Convolution() | DepthwiseConvolution() | MaxPool() | AveragePool():
                axes |= self._window_axes(node)
            case Pad():
                axes["pad"] = three(tuple(before for before, _ in node.amounts), missing=0)
            case _:
                pass
        return axes

    @property
    def elements(self) -> int:
        """Elements of a kernel's window, channels not counted; 1 where there are no weights."""
        if not isinstance(self.node, WeightedNode):
            return 1
        return math.prod(self.axes["window"][:2])

    @property
    def is_depthwise(self) -> bool:
        """Whether an output reads one of several channels."""
        shapes = self.plan.network.shapes
        return isinstance(self.node, DepthwiseConvolution) and shapes[self.node.input][2] > 1

    @cached_property
    def weights(self) -> npt.NDArray[np.int8]:
        """The weights in the order of reading; of a depthwise convolution `[element][output]`."""
        assert isinstance(self.node, WeightedNode)
        weights = self.node.weights.reshape(len(self.node.weights), -1)
        if self.is_depthwise:
            return weights.T
        group = self.source.group
        rows = weights.reshape(len(weights), -1, self.axes["from"][2])
        rows = np.pad(rows, [(0, -len(rows) % OUTPUTS), (0, 0), (0, -rows.shape[2] % group)])
        groups = rows.reshape(len(rows) // OUTPUTS, OUTPUTS, rows.shape[1], -1, group)
        return groups.transpose(0, 2, 3, 1, 4)

    @cached_property
    def words(self) -> npt.NDArray[np.int64]:
        """Each weight of a depthwise convolution where its channel stands in a group of 32 bits."""
        channel = np.arange(self.weights.shape[1]) * self.source.channels // self.weights.shape[1]
        bits = 32 // self.source.group
        words = self.weights.astype(np.int64) & ((1 << bits) - 1)
        words <<= channel % self.source.group * bits
        signed: npt.NDArray[np.int64] = np.where(words > _INT32_MAX, words - 2**32, words)
        return signed

    @cached_property
    def biases(self) -> npt.NDArray[np.int64]:
        """What sums of stored values begin with, so that they become sums of values.

        Filled up to the next multiple of `OUTPUTS`.
        """
        assert isinstance(self.node, WeightedNode)
        biases: npt.NDArray[np.int64] = -self.source.offset * self._rows.sum(axis=1)
        if self.node.biases is not None:
            biases = biases + self.node.biases
        return np.pad(biases, (0, -len(biases) % OUTPUTS))

    @property
    def _rows(self) -> npt.NDArray[np.int64]:
        """The weights of each output."""
        assert isinstance(self.node, WeightedNode)
        return self.node.weights.reshape(len(self.node.weights), -1).astype(np.int64)

    def _window_axes(
        self, node: Convolution | DepthwiseConvolution | MaxPool | AveragePool
    ) -> dict[str, Axes]:
        (top, _), (left, _) = node.windows.padding_of(self.plan.network.shapes[node.input])
        (height, width), (down, right) = node.windows.kernel, node.windows.stride
        if node is self.plan.unfolded_for:  # a pixel is a whole row of the kernel
            width, right, left = 1, 1, 0
        return {
            "window": (height, width, 0),
            "stride": (down, right, 0),
            "dilation": (*node.windows.dilation, 0),
            "pad": (top, left, 0),
        }


def rounding_rule(node: Requantise) -> str:
    """Return the rule of rounding, or the simpler one where only results above 0 count."""
    if node.value_range[0] < 0 or node.exponents.max() >= 0:
        return node.rounding
    return "down_twice" if node.rounding == "twice" else "down_once"


def down_scalings(node: Requantise) -> list[tuple[int, int]]:
    """Return, for each factor of a `down` rule, what is added to a product, and the shift less 32.

    >>> factors = np.array([2**30]), np.array([-2], np.int8)
    >>> down_scalings(Requantise("q", "sums", *factors, "once", low=0)) == [(2**32, 1)]
    True
    """
    first = 2**30 if node.rounding == "twice" else 0
    return [(first + 2 ** (30 - exponent), -1 - exponent) for exponent in node.exponents.tolist()]


def three(shape: Shape, missing: int = 1) -> Axes:
    """Return time, coefficient and channel of a shape, whose last axis is the channel.

    >>> three((5,)), three((2, 3), missing=0)
    ((1, 1, 5), (0, 2, 3))
    """
    first, second, third = (*(missing,) * (3 - len(shape)), *shape)
    return first, second, third
