"""What each operator of a `.tflite` file becomes in the integer graph, by a function each.

Rounding was measured against LiteRT 2.3.0's reference kernels and TFLite Micro of October 2026.
They differ in dense layers and in ReLU and ReLU6 on their own: those functions say how.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from golden.importers.tflite_file import (
    AddOptions,
    ConvolutionOptions,
    DenseOptions,
    Operator,
    PoolOptions,
    Tensor,
)
from golden.importers.tflite_graph import (
    UNITY,
    WEIGHT_BITS,
    Ratios,
    TfliteGraph,
    expect_constant,
    factor_of,
    factors_of,
)
from golden.nodes import (
    INT32_MAX,
    INT32_MIN,
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
)
from golden.requantisation import mean_multiplier

ADDITION_SHIFT = 20  # bits that the inputs of an addition gain


def convolution(graph: TfliteGraph, operator: Operator) -> None:
    options = operator.options
    assert isinstance(options, ConvolutionOptions)
    weights = graph.weights(operator.inputs[1], axes=4, channel_axis=0)
    channels = graph.map_shape(operator.inputs[0])[2]
    if weights.shape[3] != channels:
        raise ValueError(
            f"{weights}: expected weights of {channels} input channels (no groups), "
            f"got {weights.shape}"
        )
    node = Convolution(
        name=f"conv_{operator.index}",
        input=graph.read(operator.inputs[0]),
        weights=expect_constant(weights, "int8"),
        stride=options.stride,
        padding=options.padding,
        biases=graph.biases(operator),
        dilation=options.dilation,
        weight_bits=WEIGHT_BITS,
    )
    _weighted(graph, operator, node, options.activation, _ratios(graph, operator, weights))


def depthwise_convolution(graph: TfliteGraph, operator: Operator) -> None:
    options = operator.options
    assert isinstance(options, ConvolutionOptions)
    weights = graph.weights(operator.inputs[1], axes=4, channel_axis=3)
    graph.map_shape(operator.inputs[0])
    kernels = expect_constant(weights, "int8").transpose(3, 1, 2, 0)  # [out][kh][kw][1]
    node = DepthwiseConvolution(
        name=f"dw_conv_{operator.index}",
        input=graph.read(operator.inputs[0]),
        weights=kernels,
        stride=options.stride,
        padding=options.padding,
        biases=graph.biases(operator),
        dilation=options.dilation,
        weight_bits=WEIGHT_BITS,
    )
    _weighted(graph, operator, node, options.activation, _ratios(graph, operator, weights))


def fully_connected(graph: TfliteGraph, operator: Operator) -> None:
    """A matrix product; over more values than it takes, one at each place: a convolution of 1x1.

    LiteRT multiplies sums by their factor in float64 and rounds once, ties away from zero. Its
    factor is not cut to 31 bits: within 2^-24 of a tie that is none the two may part by 1.
    """
    options = operator.options
    assert isinstance(options, DenseOptions)
    weights = graph.weights(operator.inputs[1], axes=2, channel_axis=0)
    if options.is_shuffled:
        raise ValueError(f"{weights}: expected weights in their order, got shuffled ones")
    matrix, biases = expect_constant(weights, "int8"), graph.biases(operator)
    name, (outputs, inputs) = f"fc_{operator.index}", matrix.shape
    values = math.prod(graph.shape(operator.inputs[0]))
    node: Node
    if values == inputs:
        source = graph.read_flat(operator.inputs[0])
        node = FullyConnected(name, source, matrix, biases, WEIGHT_BITS)
    elif values % inputs == 0:
        source = graph.read(operator.inputs[0], (values // inputs, 1, inputs))
        kernels = matrix.reshape(outputs, 1, 1, inputs)
        node = Convolution(name, source, kernels, biases=biases, weight_bits=WEIGHT_BITS)
    else:
        raise ValueError(f"{weights}: expected a divisor of {values} inputs, got {weights.shape}")
    rounding = "away" if graph.rule == "litert" else "twice"
    ratios = _ratios(graph, operator, weights)
    _weighted(graph, operator, node, options.activation, ratios, rounding)


def _weighted(
    graph: TfliteGraph,
    operator: Operator,
    node: Node,
    activation: str,
    ratios: Ratios,
    rounding: str = "twice",
) -> None:
    """Append sums and their requantisation."""
    graph.add(node)
    factors, output = factors_of(ratios), operator.outputs[0]
    scaled = graph.requantise(f"{node.name}_q", node.name, factors, output, activation, rounding)
    graph.hold(operator, scaled)


def _ratios(graph: TfliteGraph, operator: Operator, weights: Tensor) -> Ratios:
    """Return the factor of each output channel, or the one of all, in float64."""
    _, input_scale, _ = graph.activations(operator.inputs[0])
    _, output_scale, _ = graph.activations(operator.outputs[0])
    ratios: Ratios = float(input_scale) * weights.scales.astype(np.float64) / float(output_scale)
    return ratios


def addition(graph: TfliteGraph, operator: Operator) -> None:
    """Both inputs at twice the larger scale with more bits, their sum, and its requantisation."""
    assert isinstance(operator.options, AddOptions)
    name, output = f"add_{operator.index}", operator.outputs[0]
    shape = graph.shape(output)
    scales = [float(graph.activations(index)[1]) for index in operator.inputs]
    if len(scales) != 2:
        raise ValueError(f"inputs: expected two, got {len(scales)}")
    common = 2 * max(scales)
    parts = []
    for index, scale, letter in zip(operator.inputs, scales, "ab", strict=True):
        if math.prod(graph.shape(index)) != math.prod(shape):
            raise ValueError(
                f"{graph.tensor(index)}: expected as many elements as the sum (no broadcasting), "
                f"{shape}, got {graph.shape(index)}"
            )
        source = graph.read(index, shape)
        parts.append(
            graph.add(
                Requantise(
                    f"{name}_{letter}_q",
                    source,
                    *factors_of([scale / common]),
                    rounding="once" if graph.rule == "single" else "twice",
                    low=INT32_MIN,
                    high=INT32_MAX,
                    left_shift=ADDITION_SHIFT,
                )
            )
        )
    graph.add(Add(name, tuple(parts)))
    _, output_scale, _ = graph.activations(output)
    factors = factors_of([common / (2**ADDITION_SHIFT * float(output_scale))])
    graph.hold(
        operator,
        graph.requantise(f"{name}_q", name, factors, output, operator.options.activation),
    )


def pad(graph: TfliteGraph, operator: Operator) -> None:
    """Zero points around a map; a tensor of fewer axes is taken as one that is a row or a point."""
    data, output = operator.inputs[0], operator.outputs[0]
    graph.expect_same_scale(data, output)
    shape = graph.shape(data)
    table = expect_constant(graph.tensor(operator.inputs[1]), "int32", "int64")
    amounts = [(int(before), int(after)) for before, after in table.reshape(-1, 2)]
    if len(amounts) != len(shape) + 1 or any(amounts[0]):
        raise ValueError(
            f"{graph.tensor(operator.inputs[1])}: expected nothing around the batch and amounts "
            f"for each axis of {shape}, got {amounts}"
        )
    missing = 3 - len(shape)
    place = 1 if len(shape) == 2 else 0  # [time][channel] keeps time first and channels last
    as_map = (*shape[:place], *[1] * missing, *shape[place:])
    inner = amounts[1:]
    on_map = (*inner[:place], *[(0, 0)] * missing, *inner[place:])
    graph.hold(operator, graph.add(Pad(f"pad_{operator.index}", graph.read(data, as_map), on_map)))


def mean(graph: TfliteGraph, operator: Operator) -> None:
    """A sum over axes that lie together, and its requantisation, whose multiplier divides, too."""
    data, output = operator.inputs[0], operator.outputs[0]
    shape = graph.shape(data)
    first, last = _averaged_axes(graph, operator)
    before, count, after = map(math.prod, (shape[:first], shape[first:last], shape[last:]))
    name = f"mean_{operator.index}"
    if before == 1:
        is_map = len(shape) == 3 and shape[2] == after
        graph.add(GlobalSumPool(name, graph.read(data, shape if is_map else (count, 1, after))))
    else:
        ones = np.ones((after, 1, count, 1), np.int8)
        source = graph.read(data, (before, count, after))
        graph.add(DepthwiseConvolution(name, source, ones, padding="VALID", weight_bits=2))
    _, input_scale, _ = graph.activations(data)
    _, output_scale, _ = graph.activations(output)
    factor = factor_of(*mean_multiplier(float(input_scale) / float(output_scale), count))
    graph.hold(operator, graph.requantise(f"{name}_q", name, factor, output))


def _averaged_axes(graph: TfliteGraph, operator: Operator) -> tuple[int, int]:
    """Return from and up to which axis, the batch not counted, a mean goes."""
    data, tensor = graph.tensor(operator.inputs[0]), graph.tensor(operator.inputs[1])
    shape, rank = graph.shape(operator.inputs[0]), len(data.shape)
    given = expect_constant(tensor, "int32", "int64").ravel().tolist()
    if not all(-rank <= axis < rank for axis in given):
        raise ValueError(f"{tensor}: expected axes of {data.shape}, got {given}")
    axes = {axis % rank for axis in given}
    places = {axis - (rank - len(shape)) for axis in axes if data.shape[axis] > 1}
    first, last = min(places, default=0), max(places, default=-1) + 1
    if first < 0 or any(shape[place] > 1 for place in set(range(first, last)) - places):
        raise ValueError(
            f"{tensor}: expected a mean over axes that lie together behind the batch, got "
            f"{sorted(axes)} of {data.shape}"
        )
    return first, last


def max_pool(graph: TfliteGraph, operator: Operator) -> None:
    options = operator.options
    assert isinstance(options, PoolOptions)
    graph.map_shape(operator.inputs[0])
    source = graph.read(operator.inputs[0])
    name = f"max_pool_{operator.index}"
    _pooled(graph, operator, MaxPool(name, source, options.window, options.stride, options.padding))


def average_pool(graph: TfliteGraph, operator: Operator) -> None:
    options = operator.options
    assert isinstance(options, PoolOptions)
    graph.map_shape(operator.inputs[0])
    source = graph.read(operator.inputs[0])
    _, _, zero_point = graph.activations(operator.inputs[0])
    name, lie = f"avg_pool_{operator.index}", (options.window, options.stride, options.padding)
    _pooled(graph, operator, AveragePool(name, source, *lie, zero_point))


def _pooled(graph: TfliteGraph, operator: Operator, node: Node) -> None:
    """Append a pool, and a clamp where an activation is fused behind it."""
    options = operator.options
    assert isinstance(options, PoolOptions)
    graph.expect_same_scale(operator.inputs[0], operator.outputs[0])
    name = graph.add(node)
    if options.activation != "NONE":
        factor, output = factor_of(*UNITY), operator.outputs[0]
        name = graph.requantise(f"{name}_q", name, factor, output, options.activation)
    graph.hold(operator, name)


def reshape(graph: TfliteGraph, operator: Operator) -> None:
    """Another shape, which is that of the output: also where a file computes it from the batch."""
    data, output = operator.inputs[0], operator.outputs[0]
    graph.expect_same_scale(data, output)
    node = Reshape(f"reshape_{operator.index}", graph.read_flat(data), graph.shape(output))
    graph.hold(operator, graph.add(node))


def relu(graph: TfliteGraph, operator: Operator) -> None:
    _rescaled(graph, operator, f"relu_{operator.index}", "RELU")


def relu6(graph: TfliteGraph, operator: Operator) -> None:
    """As ReLU; but TFLite Micro clamps `q` in the units of the input and rescales nothing.

    Where input and output differ in scale, what it computes is no ReLU6 any more.
    """
    name = f"relu6_{operator.index}"
    if graph.rule != "tflm":
        _rescaled(graph, operator, name, "RELU6")
        return
    data = operator.inputs[0]
    _, _, input_zero = graph.activations(data)
    _, _, output_zero = graph.activations(operator.outputs[0])
    name = graph.requantise(name, graph.read(data), factor_of(*UNITY), data, "RELU6")
    if input_zero != output_zero:
        name = _offset(graph, name, input_zero - output_zero)
    graph.hold(operator, name)


def _offset(graph: TfliteGraph, source: str, amount: int) -> str:
    """Append a convolution that adds a number to every value; return its name."""
    shape = graph.held_shape(source)
    if len(shape) != 3:
        shape = (1, 1, math.prod(shape))
        source = graph.add(Reshape(f"{source}_as_map", source, shape))
    ones = np.ones((shape[2], 1, 1, 1), np.int8)
    amounts = np.full(shape[2], amount, np.int32)
    node = DepthwiseConvolution(f"{source}_offset", source, ones, biases=amounts, weight_bits=2)
    return graph.add(node)


def quantise(graph: TfliteGraph, operator: Operator) -> None:
    """From one scale and zero point of int8 to another."""
    _rescaled(graph, operator, f"quantise_{operator.index}", "NONE")


def _rescaled(graph: TfliteGraph, operator: Operator, name: str, activation: str) -> None:
    data, output = operator.inputs[0], operator.outputs[0]
    _, input_scale, _ = graph.activations(data)
    _, output_scale, _ = graph.activations(output)
    ratio = float(input_scale) / float(output_scale)
    if graph.rule == "litert" and activation != "NONE":
        ratio = float(input_scale / output_scale)  # its ReLU divides in float32, and only that
    source = graph.read(data)
    graph.hold(operator, graph.requantise(name, source, factors_of([ratio]), output, activation))


# Operators whose other inputs say only which shape comes out.
RESHAPING = ("RESHAPE", "EXPAND_DIMS", "SQUEEZE")
OPERATORS: Mapping[str, Callable[[TfliteGraph, Operator], None]] = {
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": depthwise_convolution,
    "FULLY_CONNECTED": fully_connected,
    "ADD": addition,
    "PAD": pad,
    "MEAN": mean,
    "MAX_POOL_2D": max_pool,
    "AVERAGE_POOL_2D": average_pool,
    "RESHAPE": reshape,
    "EXPAND_DIMS": reshape,
    "SQUEEZE": reshape,
    "RELU": relu,
    "RELU6": relu6,
    "QUANTIZE": quantise,
}
