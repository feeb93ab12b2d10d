"""Node kinds: the values that each takes, the shapes that it makes, how far it may reach."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from golden import reference
from golden.nodes import (
    Add,
    AveragePool,
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    GlobalSumPool,
    MaxPool,
    Node,
    Pad,
    Requantise,
    Reshape,
    checked_node,
)
from golden.reference import Integers

HALF = {"multipliers": np.array([2**30]), "exponents": np.array([0]), "rounding": "once"}


def weights(*shape: int) -> np.ndarray:
    return np.ones(shape, np.int8)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (Convolution("x", "a", weights(2, 3, 3, 1), dilation=(0, 1)),
         "x.dilation: expected two integers above 0, got (0, 1)"),
        (Convolution("x", "a", weights(2, 3, 3, 1), weight_bits=9),
         "x.weight_bits: expected an integer in 2..8, got 9"),
        (Convolution("x", "a", 4 * weights(2, 3, 3, 1), weight_bits=3),
         "x.weights: expected integers in -4..3, got 4 at (0, 0, 0, 0)"),
        (Convolution("x", "a", weights(2, 3, 3, 1), biases=np.zeros(3, int)),
         "x.biases: expected 2, one an output, got 3"),
        (Requantise("x", "a", **HALF | {"rounding": "tflm"}),
         "x.rounding: expected one of twice, once, away, got 'tflm'"),
        (Requantise("x", "a", **HALF | {"multipliers": np.array([-1])}),
         "x.multipliers: expected integers in 0..2147483647, got -1 at (0,)"),
        (Requantise("x", "a", **HALF | {"exponents": np.array([31])}),
         "x.exponents: expected integers in -31..30, got 31 at (0,)"),
        (Requantise("x", "a", **HALF | {"exponents": np.array([1, 2])}),
         "x.exponents: expected 1, one a multiplier, got 2"),
        (Requantise("x", "a", **HALF, zero_point=128),
         "x.zero_point: expected an integer in -128..127, got 128"),
        (Requantise("x", "a", **HALF, low=5, high=4),
         "x.high: expected an integer in 5..2147483647, got 4"),
        (Requantise("x", "a", **HALF, left_shift=-1),
         "x.left_shift: expected an integer in 0..31, got -1"),
        (Add("x", ("a",)), "x.inputs: expected two or more, got ('a',)"),
        (Add("x", ("a", 5)), "x.input: expected an earlier node, got 5"),  # type: ignore[arg-type]
        (MaxPool("x", "a", (2, 0)), "x.window: expected two integers above 0, got (2, 0)"),
        (AveragePool("x", "a", (2, 2), padding="FULL"),
         "x.padding: expected SAME or VALID, got 'FULL'"),
        (Pad("x", "a", ((1, 1), (0, -1))),
         "x.amounts: expected pairs of integers of 0 or more, got ((1, 1), (0, -1))"),
        (Pad("x", "a", 3),  # type: ignore[arg-type]
         "x.amounts: expected pairs of integers of 0 or more, got 3"),
        (Pad("x", "a", ([1, 1], (0, 0))),  # type: ignore[arg-type]
         "x.amounts: expected pairs of integers of 0 or more, got ([1, 1], (0, 0))"),
        (MaxPool("x", "a", [2, 2]),  # type: ignore[arg-type]
         "x.window: expected two integers above 0, got [2, 2]"),
        (MaxPool("x", "a", (2, 2**31)),
         "x.window: expected two integers above 0, got (2, 2147483648)"),
        (Reshape("x", "a", (2, 0)), "x.shape: expected one to three integers above 0, got (2, 0)"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused(node: Node, message: str) -> None:
    with pytest.raises(ValueError) as refusal:
        checked_node(node)
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("node", "shapes", "expected"),
    [
        (Convolution("x", "a", weights(7, 3, 2, 4), (2, 3)), [(9, 8, 4)], (4, 3, 7)),
        (Convolution("x", "a", weights(7, 3, 2, 4), dilation=(3, 2)), [(9, 8, 4)], (3, 6, 7)),
        (Convolution("x", "a", weights(7, 3, 2, 4), (2, 3), "SAME"), [(9, 8, 4)], (5, 3, 7)),
        (DepthwiseConvolution("x", "a", weights(8, 3, 3, 1)), [(9, 8, 4)], (9, 8, 8)),
        (FullyConnected("x", "a", weights(5, 24)), [(2, 3, 4)], (5,)),
        (Requantise("x", "a", **HALF), [(2, 3)], (2, 3)),
        (Add("x", ("a", "b", "c")), [(2, 3)] * 3, (2, 3)),
        (MaxPool("x", "a", (2, 2), (2, 2)), [(9, 8, 4)], (4, 4, 4)),
        (AveragePool("x", "a", (2, 2), (2, 2), "SAME"), [(9, 8, 4)], (5, 4, 4)),
        (GlobalSumPool("x", "a"), [(9, 8, 4)], (1, 1, 4)),
        (Pad("x", "a", ((1, 0), (0, 2), (3, 4))), [(9, 8, 4)], (10, 10, 11)),
        (Reshape("x", "a", (6, 4)), [(2, 3, 4)], (6, 4)),
    ],
)
def test_shapes_follow_from_the_inputs(
    node: Node, shapes: list[tuple[int, ...]], expected: tuple[int, ...]
) -> None:
    assert node.output_shape(*shapes) == expected
    values = [np.ones((2, *shape), np.int64) for shape in shapes]
    assert reference.compute(node, *values).shape == (2, *expected)


@pytest.mark.parametrize(
    ("node", "shapes", "message"),
    [
        (Convolution("x", "a", weights(7, 3, 2, 4), dilation=(5, 1)), [(9, 8, 4)],
         "x: expected a window within (9, 8, 4), kernel is 11"),
        (DepthwiseConvolution("x", "a", weights(6, 3, 3, 1)), [(9, 8, 4)],
         "x.weights: expected a multiple of 4 channels, got 6"),
        (Requantise("x", "a", np.ones(2, int), np.ones(2, int), "once"), [(9, 8, 4)],
         "x.multipliers: expected 1 or 4, one a channel, got 2"),
        (Add("x", ("a", "b")), [(2, 3), (3, 2)],
         "x: expected inputs of one shape, got ((2, 3), (3, 2))"),
        (MaxPool("x", "a", (2, 9)), [(9, 8, 4)],
         "x: expected a window within (9, 8, 4), kernel is 9"),
        (GlobalSumPool("x", "a"), [(24,)], "x: expected an input of 3 axes, got shape (24,)"),
        (Pad("x", "a", ((1, 1),)), [(9, 8, 4)],
         "x: expected an input of 1 axes, got shape (9, 8, 4)"),
        (Reshape("x", "a", (4, 2**62 + 1, 1)), [(2, 2, 1)],
         f"x.shape: expected 4 elements as in (2, 2, 1), got (4, {2**62 + 1}, 1)"),
        (Reshape("x", "a", (5, 5)), [(2, 3, 4)],
         "x.shape: expected 24 elements as in (2, 3, 4), got (5, 5)"),
    ],
)  # fmt: skip
def test_inputs_of_a_wrong_shape_are_refused(
    node: Node, shapes: list[tuple[int, ...]], message: str
) -> None:
    with pytest.raises(ValueError) as refusal:
        node.output_shape(*shapes)
    assert str(refusal.value) == message


def test_values_of_32_bits_and_more_cannot_be_requantised() -> None:
    node = Requantise("x", "a", **HALF | {"exponents": np.array([2])}, left_shift=20)
    assert node.reach([(-511, 0)], [(1,)]) == (-128, 1)
    with pytest.raises(ValueError, match=r"^x: expected values that fit 32 bits before the multip"):
        node.reach([(-512, 0)], [(1,)])


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(
    "node",
    [
        Convolution("x", "a", -3 * weights(2, 3, 2, 4), biases=np.array([-5, 7]), padding="SAME"),
        DepthwiseConvolution("x", "a", 2 * weights(8, 3, 3, 1), dilation=(2, 2)),
        Requantise("x", "a", **HALF, zero_point=-100),
        Requantise("x", "a", **HALF, low=-(2**31), high=2**31 - 1, left_shift=3),
        Add("x", ("a", "a")),
        AveragePool("x", "a", (2, 2), padding="SAME", zero_point=9),
        GlobalSumPool("x", "a"),
    ],
)
def test_no_value_goes_beyond_the_reach(node: Node, sign: int) -> None:
    values: Integers = np.full((1, 6, 5, 4), sign * 201)
    inputs = [values] * len(node.sources)
    found = reference.compute(node, *inputs)
    range_in = (min(sign * 201, 0), max(sign * 201, 0))
    low, high = node.reach([range_in] * len(inputs), [(6, 5, 4)] * len(inputs))
    assert low <= int(found.min()) and int(found.max()) <= high


@pytest.mark.parametrize(
    ("zero_point", "expected"), [(0, [-2, 2]), (3, [-1, 2]), (-3, [-2, 1]), (100, [-1, 2])]
)
def test_averages_tie_away_from_the_zero_of_q(zero_point: int, expected: list[int]) -> None:
    node: Any = AveragePool("x", "a", (1, 2), zero_point=zero_point)
    values = np.array([[-1, -2], [1, 2]]).reshape(2, 1, 2, 1)
    assert reference.compute(node, values).ravel().tolist() == expected
