"""Random networks and fingerprints for every test: by seed, or as hypothesis strategies."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from golden.integer_math import WEIGHT_MAX, WEIGHT_MIN
from golden.network import (
    INPUT_MAX,
    INPUT_MIN,
    INPUT_NAME,
    FeatureSettings,
    InputFormat,
    IntegerNetwork,
)
from golden.nodes import (
    Add,
    AveragePool,
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    GlobalMaxPool,
    Node,
    Requantise,
    ShiftRelu,
)

LABELS = ("_silence_", "_unknown_", "yes", "no")


def random_network(
    seed: int,
    filters: int = 48,
    outputs: int = 16,
    labels: int = 4,
    *,
    kernel: tuple[int, int] = (4, 4),
    stride: tuple[int, int] = (2, 2),
    depthwise_kernel: tuple[int, int] = (3, 3),
    shifts: tuple[int, int, int] = (3, 4, 8),
    weights: tuple[int, int] = (WEIGHT_MIN, WEIGHT_MAX),
    biases: tuple[int, int] = (-2000, 2000),
    input_shape: tuple[int, int] = (30, 10),
) -> IntegerNetwork:
    """Return a network of the default topology with uniformly random weights and biases.

    `weights` and `biases` are inclusive ranges; equal ends make every weight that extreme.
    """
    rng = np.random.default_rng(seed)
    nodes = (
        Convolution(
            "conv_1", INPUT_NAME, _draw(rng, weights, (filters, *kernel, 1)), stride, "VALID"
        ),
        ShiftRelu("conv_1_relu", "conv_1", shifts[0]),
        DepthwiseConvolution(
            "dw_conv", "conv_1_relu", _draw(rng, weights, (filters, *depthwise_kernel, 1))
        ),
        ShiftRelu("dw_conv_relu", "dw_conv", shifts[1]),
        GlobalMaxPool("max_pool", "dw_conv_relu"),
        Convolution("pw_conv", "max_pool", _draw(rng, weights, (outputs, 1, 1, filters))),
        ShiftRelu("pw_conv_relu", "pw_conv", shifts[2]),
        FullyConnected(
            "fc1",
            "pw_conv_relu",
            _draw(rng, weights, (labels, outputs)),
            _draw(rng, biases, (labels,)),
        ),
    )
    return IntegerNetwork(nodes, label_names(labels), input_shape, features_for(input_shape))


def tying_network(seed: int = 5) -> IntegerNetwork:
    """Return a small network with inputs of few numbers whose largest logits tie."""
    return random_network(
        seed, 4, 3, input_shape=(10, 6), shifts=(3, 4, 4), weights=(-8, 8), biases=(-9, 9)
    )


def deep_network(
    seed: int,
    blocks: int = 2,
    channels: int = 4,
    input_shape: tuple[int, int] = (30, 10),
) -> IntegerNetwork:
    """Return a DS-CNN of several separable blocks with uniformly random weights, two labels."""
    rng, weights = np.random.default_rng(seed), (WEIGHT_MIN, WEIGHT_MAX)
    first = _draw(rng, weights, (channels, 4, 4, 1))
    nodes: list[Node] = [Convolution("conv_1", INPUT_NAME, first, (2, 2), "VALID")]
    nodes.append(ShiftRelu("conv_1_relu", "conv_1", 3))
    for block in range(1, blocks + 1):
        depthwise, pointwise = f"dw_conv_{block}", f"pw_conv_{block}"
        spread = _draw(rng, weights, (channels, 3, 3, 1))
        nodes.append(DepthwiseConvolution(depthwise, nodes[-1].name, spread))
        nodes.append(ShiftRelu(f"{depthwise}_relu", depthwise, 4))
        if block == blocks:
            nodes.append(GlobalMaxPool("max_pool", nodes[-1].name))
        mixed = _draw(rng, weights, (channels, 1, 1, channels))
        nodes.append(Convolution(pointwise, nodes[-1].name, mixed))
        nodes.append(ShiftRelu(f"{pointwise}_relu", pointwise, 8))
    dense = _draw(rng, weights, (2, channels)), _draw(rng, (-2000, 2000), (2,))
    nodes.append(FullyConnected("fc1", nodes[-1].name, *dense))
    return IntegerNetwork(tuple(nodes), label_names(2), input_shape, features_for(input_shape))


def eight_bit_network(seed: int = 0) -> IntegerNetwork:
    """Return a small 8-bit network with a residual addition, zero points and both roundings."""
    rng = np.random.default_rng(seed)

    def scaled(name: str, source: str, channels: int, exponent: int, **values: Any) -> Requantise:
        factors = rng.integers(2**30, 2**31, channels), np.full(channels, exponent)
        return Requantise(name, source, *factors, **{"rounding": "twice", **values})

    int32 = {"low": -(2**31), "high": 2**31 - 1}
    first = _draw(rng, (-127, 127), (4, 3, 2, 1)), (2, 1), "SAME", _draw(rng, (-900, 900), (4,))
    spread = _draw(rng, (-127, 127), (4, 3, 3, 1)), (1, 1), "SAME", _draw(rng, (-900, 900), (4,))
    dense = _draw(rng, (-127, 127), (3, 4)), _draw(rng, (-900, 900), (3,))
    nodes = (
        Convolution("conv", INPUT_NAME, *first, weight_bits=8),
        scaled("conv_q", "conv", 4, -8, zero_point=-128),
        DepthwiseConvolution("dw", "conv_q", *spread, weight_bits=8),
        scaled("dw_q", "dw", 4, -9, zero_point=17),
        scaled("left", "conv_q", 1, -1, left_shift=20, **int32),
        scaled("right", "dw_q", 1, 0, left_shift=20, **int32),
        Add("sum", ("left", "right")),
        scaled("sum_q", "sum", 1, -19, zero_point=-3),
        AveragePool("mean", "sum_q", (5, 6), (5, 6), zero_point=-3),
        FullyConnected("dense", "mean", *dense, weight_bits=8),
        scaled("logits", "dense", 1, -6, rounding="once", zero_point=40),
    )
    form = InputFormat(-128, 127, 83, 0.5)
    return IntegerNetwork(nodes, label_names(3), (10, 6), None, form, "litert")


def with_depthwise_weights(network: IntegerNetwork, centre: int, around: int) -> IntegerNetwork:
    """Return the network with the depthwise weight `centre`, and `around` it another."""

    def change(node: Node) -> Node:
        if not isinstance(node, DepthwiseConvolution):
            return node
        weights = np.full_like(node.weights, around)
        rows, columns = weights.shape[1:3]
        weights[:, (rows - 1) // 2, (columns - 1) // 2] = centre
        return dataclasses.replace(node, weights=weights)

    return dataclasses.replace(network, nodes=tuple(change(node) for node in network.nodes))


def random_fingerprints(
    seed: int, count: int, shape: tuple[int, int] = (30, 10), *, extremes: bool = False
) -> npt.NDArray[np.int8]:
    """Return int8 fingerprints `(count, *shape)`, uniform in -32..31, or only -32 and 31."""
    rng = np.random.default_rng(seed)
    if extremes:
        return rng.choice(np.array([INPUT_MIN, INPUT_MAX], np.int8), size=(count, *shape))
    return rng.integers(INPUT_MIN, INPUT_MAX + 1, (count, *shape), dtype=np.int8)


def features_for(input_shape: tuple[int, int]) -> FeatureSettings:
    """Return settings (the defaults where they fit) that make fingerprints of `input_shape`."""
    frames, coefficients = input_shape
    default = FeatureSettings()
    if input_shape == (default.frames, default.coefficients):
        return default
    clip_ms = int(default.window_ms) + int(default.stride_ms) * (frames - 1)
    return FeatureSettings(clip_ms=clip_ms, coefficients=coefficients)


def label_names(count: int) -> tuple[str, ...]:
    """Return `count` different labels, the usual ones first."""
    return (LABELS + tuple(f"word_{index}" for index in range(len(LABELS), count)))[:count]


@st.composite
def networks(draw: st.DrawFn) -> IntegerNetwork:
    """Small networks of every node kind in many arrangements, weights up to the extremes."""
    frames, coefficients = draw(st.integers(4, 9)), draw(st.integers(3, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = draw(st.sampled_from([(WEIGHT_MIN, WEIGHT_MAX), (-3, 3), (31, 31), (-32, -32)]))
    filters = draw(st.integers(1, 5))
    nodes: list[Node] = [
        Convolution(
            "first",
            INPUT_NAME,
            _draw(rng, weights, (filters, draw(st.integers(1, 4)), draw(st.integers(1, 3)), 1)),
            draw(_strides),
            draw(_paddings),
        )
    ]
    _append_shift(draw, nodes)
    if draw(st.booleans()):
        kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
        depthwise = _draw(rng, weights, (filters, *kernel, 1))
        nodes.append(DepthwiseConvolution("depthwise", nodes[-1].name, depthwise, draw(_strides)))
        _append_shift(draw, nodes)
    if draw(st.booleans()):
        nodes.append(GlobalMaxPool("pool", nodes[-1].name))
    if draw(st.booleans()):
        outputs = draw(st.integers(1, 4))
        nodes.append(
            Convolution("pointwise", nodes[-1].name, _draw(rng, weights, (outputs, 1, 1, filters)))
        )
        _append_shift(draw, nodes)
    labels = draw(st.integers(1, 5))
    inputs = int(np.prod(_shape_after(nodes, (frames, coefficients, 1))))
    biases = draw(st.sampled_from([(-50, 50), (-(2**31), 2**31 - 1)]))
    nodes.append(
        FullyConnected(
            "logits",
            nodes[-1].name,
            _draw(rng, weights, (labels, inputs)),
            _draw(rng, biases, (labels,)),
        )
    )
    shape = (frames, coefficients)
    return IntegerNetwork(tuple(nodes), label_names(labels), shape, features_for(shape))


@st.composite
def networks_with_fingerprints(
    draw: st.DrawFn, max_count: int = 3
) -> tuple[IntegerNetwork, npt.NDArray[np.int8]]:
    """A small network and one to `max_count` fingerprints for it, uniform or extreme."""
    network = draw(networks())
    seed, count = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, max_count))
    return network, random_fingerprints(
        seed, count, network.input_shape, extremes=draw(st.booleans())
    )


_strides = st.tuples(st.integers(1, 2), st.integers(1, 2))
_paddings = st.sampled_from(["SAME", "VALID"])


def _append_shift(draw: st.DrawFn, nodes: list[Node]) -> None:
    if draw(st.booleans()):
        nodes.append(ShiftRelu(f"{nodes[-1].name}_relu", nodes[-1].name, draw(st.integers(0, 6))))


def _shape_after(nodes: list[Node], shape: tuple[int, ...]) -> tuple[int, ...]:
    for node in nodes:
        shape = node.output_shape(shape)
    return shape


def _draw(
    rng: np.random.Generator, bounds: tuple[int, int], shape: tuple[int, ...]
) -> npt.NDArray[Any]:
    return rng.integers(bounds[0], bounds[1] + 1, shape)
