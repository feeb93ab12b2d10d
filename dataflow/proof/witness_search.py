"""Inputs that drive a sum far up or down: gradient on a straight-through model, then coordinates.

Behind a global maximum no solver finds the extreme of a sum; a witness is searched for instead.
The gradient passes through floor shifts as if they only scaled and leaks a little through closed
ReLUs (Y. Bengio, N. Leonard, A. Courville, "Estimating or Propagating Gradients Through Stochastic
Neurons for Conditional Computation", 2013). Sums are close to convex in each number of the
fingerprint, so the search moves between the ends of its range. Every value is computed with the
reference; the same arguments give the same witness.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dataflow.proof.deadline import NEVER, Deadline
from dataflow.proof.receptive_fields import as_fingerprint, nodes_before
from dataflow.ranges.intervals import Box
from golden import reference
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import (
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    GlobalMaxPool,
    Node,
    ShiftRelu,
    WeightedNode,
)
from golden.reference import Integers

Floats = npt.NDArray[np.floating[Any]]

_CLOSED_RELU_LEAK = 0.1
_MOMENTUM = 0.9
# A step that tries each number of the input may take so many multiplications.
_MOST_MULTIPLICATIONS = 2_000_000_000
_SEARCHED = WeightedNode | ShiftRelu | GlobalMaxPool


@dataclass(frozen=True)
class Effort:
    """How long a search takes, counted so that it ends the same on every machine.

    `starts` random inputs follow the gradient for `steps` steps; the best of them is improved
    coordinate by coordinate, then disturbed and improved again `rounds` times.
    """

    starts: int = 64
    steps: int = 40
    rounds: int = 0


@dataclass(frozen=True, eq=False)
class Goal:
    """Drive output `channel` of `node`, after its first `taps` taps, up (`sign` 1) or down (-1).

    `node` must have a single position, as behind a global maximum.
    """

    network: IntegerNetwork
    node: WeightedNode
    channel: int
    taps: int
    sign: int

    def chain(self) -> tuple[Node, ...]:
        """Return the nodes from the input to the sum; later taps have weight 0."""
        weights = self.node.weights.reshape(len(self.node.weights), -1).copy()
        weights[:, self.taps :] = 0
        last = replace(self.node, weights=weights.reshape(self.node.weights.shape))
        return (*nodes_before(self.network, self.node.name)[:-1], last)


def is_searchable(network: IntegerNetwork, name: str) -> bool:
    """Tell whether `search` has gradients for all that a node depends on, and is not hopeless.

    The nodes before must be a chain of floor-shift layers on a feature map, small enough to try
    each number of an input.
    """
    nodes = nodes_before(network, name)
    chain = all(
        isinstance(node, _SEARCHED) and node.input == before
        for node, before in zip(nodes, [INPUT_NAME, *(node.name for node in nodes)], strict=False)
    )
    multiplications = sum(network.multiplications.get(node.name, 0) for node in nodes)
    work = math.prod(network.input_shape) * multiplications
    return chain and len(network.shapes[INPUT_NAME]) == 3 and work <= _MOST_MULTIPLICATIONS


def search(
    goal: Goal, box: Box, effort: Effort, seed: int, deadline: Deadline = NEVER
) -> npt.NDArray[np.int8]:
    """Return the input, of the network's shape and within `box`, that drives the goal furthest.

    After the deadline it is the best one so far.
    """
    climber = _Climber(goal, box, np.random.default_rng(seed), deadline)
    best = climber.improve(*climber.follow_gradient(effort))
    for _ in range(effort.rounds):
        if deadline.passed:
            break
        found = climber.improve(*climber.disturb(best[0]))
        best = max(best, found, key=lambda pair: pair[1])
    return as_fingerprint(goal.network, best[0])


class _Climber:
    """Moves between the ends of the input range; inputs are int64, as the first layers see them."""

    def __init__(
        self, goal: Goal, box: Box, random: np.random.Generator, deadline: Deadline
    ) -> None:
        self._goal = goal
        self._chain = goal.chain()
        self._box = box
        self._random = random
        self._deadline = deadline

    def follow_gradient(self, effort: Effort) -> tuple[Integers, int]:
        """Return the best input met on the way, and its value."""
        shape = (effort.starts, *self._box.low.shape)
        speed = self._random.normal(scale=3.0, size=shape).astype(np.float32)
        inputs = self._ends(speed)
        best, reached = inputs[0], self._values(inputs[:1])[0]
        for _ in range(effort.steps):
            if self._deadline.passed:
                break
            layers = self._forward(inputs)
            values = self._read(layers)
            if values.max() > reached:
                best, reached = inputs[values.argmax()], values.max()
            gradient = self._gradient(layers)
            scale = np.abs(gradient).max(axis=(1, 2, 3), keepdims=True) + 1e-9
            speed = _MOMENTUM * speed + gradient / scale
            inputs = self._ends(speed)
        return best, int(reached)

    def improve(self, start: Integers, value: int) -> tuple[Integers, int]:
        """Flip the numbers that help, several at once where they help together, until none does."""
        while not self._deadline.passed:
            flipped = np.where(start > self._box.low, self._box.low, self._box.high)
            single = np.eye(start.size, dtype=bool).reshape(-1, *start.shape)
            values = self._values(np.where(single, flipped, start))
            helpful = np.argsort(-values, kind="stable")[: int((values > value).sum())]
            if not len(helpful):
                return start, value
            start, value = self._flip_together(start, flipped, helpful, int(values.max()))
        return start, value

    def disturb(self, start: Integers) -> tuple[Integers, int]:
        """Replace a random rectangle: by noise, by its opposite, or rows by other rows."""
        rows, columns, _ = start.shape
        height = int(self._random.integers(1, max(rows // 3, 1) + 1))
        width = int(self._random.integers(1, columns + 1))
        row = int(self._random.integers(0, rows - height + 1))
        column = int(self._random.integers(0, columns - width + 1))
        place = np.s_[row : row + height, column : column + width]
        changed = start.copy()
        match int(self._random.integers(3)):
            case 0:
                noise = self._ends(self._random.normal(size=start.shape))
                changed[place] = noise[place]
            case 1:
                changed[place] = (self._box.low + self._box.high - start)[place]
            case _:
                other = int(self._random.integers(0, rows - height + 1))
                changed[row : row + height] = start[other : other + height]
                changed = np.clip(changed, self._box.low, self._box.high)
        return changed, int(self._values(changed[np.newaxis])[0])

    def _flip_together(
        self, start: Integers, flipped: Integers, helpful: Integers, single: int
    ) -> tuple[Integers, int]:
        """Flip the most helpful half, quarter, ... as long as one flip alone would do more."""
        count = len(helpful)
        while True:
            changed = start.copy()
            changed.flat[helpful[:count]] = flipped.flat[helpful[:count]]
            value = int(self._values(changed[np.newaxis])[0])
            if value >= single or count == 1:
                return changed, value
            count //= 2

    def _ends(self, direction: Floats) -> Integers:
        return np.where(direction > 0, self._box.high, self._box.low)

    def _values(self, inputs: Integers) -> Integers:
        return self._read(self._forward(inputs))

    def _read(self, layers: list[Integers]) -> Integers:
        outputs = layers[-1].reshape(len(layers[-1]), -1)
        return self._goal.sign * outputs[:, self._goal.channel]

    def _forward(self, inputs: Integers) -> list[Integers]:
        layers = [inputs]
        for node in self._chain:
            layers.append(reference.compute(node, layers[-1]))
        return layers

    def _gradient(self, layers: list[Integers]) -> Floats:
        gradient: Floats = np.zeros(layers[-1].shape, np.float32)
        gradient[..., self._goal.channel] = self._goal.sign
        for node, inputs, outputs in zip(
            reversed(self._chain), reversed(layers[:-1]), reversed(layers[1:]), strict=True
        ):
            gradient = _backward(node, inputs, outputs, gradient)
        return gradient


def _backward(node: Node, inputs: Integers, outputs: Integers, gradient: Floats) -> Floats:
    """Return the gradient at a node's inputs from that at its outputs, floors ignored."""
    match node:
        case FullyConnected():
            return (gradient @ node.weights.astype(np.float32)).reshape(inputs.shape)
        case Convolution() | DepthwiseConvolution():
            return _backward_windows(node, inputs.shape, gradient)
        case ShiftRelu():
            return np.where(outputs > 0, gradient, np.float32(_CLOSED_RELU_LEAK) * gradient)
        case GlobalMaxPool():
            flat = inputs.reshape(len(inputs), -1, inputs.shape[-1])
            attained = flat.argmax(axis=1)[:, np.newaxis]
            result = np.zeros(flat.shape, np.float32)
            np.put_along_axis(result, attained, gradient.reshape(attained.shape), axis=1)
            return result.reshape(inputs.shape)
        case _:
            raise TypeError(f"{node.name}: no gradient for a {type(node).__name__}")


def _backward_windows(
    node: Convolution | DepthwiseConvolution, shape: tuple[int, ...], gradient: Floats
) -> Floats:
    lie = node.windows
    pads = lie.padding_of(shape[1:])
    padded = np.zeros((shape[0], shape[1] + sum(pads[0]), shape[2] + sum(pads[1]), shape[3]))
    rows, columns = (
        (count - 1) * step + 1 for count, step in zip(gradient.shape[1:3], lie.stride, strict=True)
    )
    weights = node.weights.astype(np.float32)
    for i, j in np.ndindex(*lie.kernel):
        tap = weights[:, i, j]  # out, in
        if isinstance(node, DepthwiseConvolution):  # several outputs may read one channel
            share = (gradient * tap[:, 0]).reshape(*gradient.shape[:3], shape[3], -1).sum(axis=-1)
        else:
            share = gradient @ tap
        top, left = i * lie.dilation[0], j * lie.dilation[1]
        padded[:, top : top + rows : lie.stride[0], left : left + columns : lie.stride[1]] += share
    (top, _), (left, _) = pads
    result: Floats = padded[:, top : top + shape[1], left : left + shape[2]]
    return result
