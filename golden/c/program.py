"""Rung 3 of the verification ladder: the network as a C99 program around `weight.h`.

The program reads inputs (int8, in row-major order) from its standard input and writes every layer
of each to its standard output, in the order of the network, and the index of the largest logit.
Each layer is a call of a plain loop (`golden.c.loops`), whose sizes are the header's macros;
nothing is typed in twice. Values are int32 where every sum is sure to fit, otherwise int64
(`value_bits`).
"""

from __future__ import annotations

import textwrap

from golden.axes import layer_axes
from golden.c.header import layer_macros, layer_stem, macro_name
from golden.c.loops import LOOPS
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import (
    Add,
    AveragePool,
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    GlobalMaxPool,
    GlobalSumPool,
    MaxPool,
    Node,
    Pad,
    PoolNode,
    Requantise,
    Reshape,
    ShiftRelu,
    WeightedNode,
    plain_fields,
)

_PROGRAM = """\
/* Integer inference of one network. Generated from it: sizes and weights are those of weight.h.
 * Reads int8 inputs from stdin; writes every layer of each, then the label, to stdout.
 * %(width)s
 */

#include <stdint.h>
#include <stdio.h>

#include "weight.h"

typedef %(value)s value_t; /* holds every sum of this network, in any order of additions */

typedef struct {
    int32_t time, coefficient, channel;
} shape_t;

#define COUNT(map) (map##_TIME * map##_COEFFICIENT * map##_CHANNEL)
#define SHAPE(map) ((shape_t){map##_TIME, map##_COEFFICIENT, map##_CHANNEL})

%(loops)s
/* The largest logit wins, the first of equals. */
static value_t largest(const value_t *logits) {
    value_t best = 0;
    for (value_t i = 1; i < LABEL_COUNT; ++i)
        if (logits[i] > logits[best]) best = i;
    return best;
}

%(buffers)s

static void infer(const int8_t *input) {
    for (int32_t i = 0; i < %(count)s; ++i) %(input)s[i] = %(centred)s;
%(calls)s
}

int main(void) {
    static int8_t input[%(count)s];
    while (fread(input, 1, sizeof input, stdin) == sizeof input) {
        value_t label;
        infer(input);
        label = largest(%(logits)s);
%(writes)s
        fwrite(&label, sizeof label, 1, stdout);
    }
    return 0;
}
"""
_WINDOWS = """\
typedef struct {
    int32_t time, coefficient; /* elements of the window along each axis */
    int32_t stride_time, stride_coefficient;
    int32_t dilation_time, dilation_coefficient; /* from one element to the next */
    int32_t pad_time, pad_coefficient; /* rows and columns before the map */
} window_t;

#define WINDOW(layer, kernel, dilation_time, dilation_coefficient)        \\
    ((window_t){layer##_##kernel##_TIME, layer##_##kernel##_COEFFICIENT,  \\
                layer##_STRIDE_TIME, layer##_STRIDE_COEFFICIENT,          \\
                dilation_time, dilation_coefficient,                      \\
                layer##_PAD_TIME_BEFORE, layer##_PAD_COEFFICIENT_BEFORE})

/* Where element (i, j) of the window at (t, c) lies: the pixel's index, or -1 outside the map. */
static int32_t place_in(shape_t map, window_t w, int32_t t, int32_t c, int32_t i, int32_t j) {
    const int32_t y = t * w.stride_time + i * w.dilation_time - w.pad_time;
    const int32_t x = c * w.stride_coefficient + j * w.dilation_coefficient - w.pad_coefficient;
    const int inside = y >= 0 && y < map.time && x >= 0 && x < map.coefficient;
    return inside ? y * map.coefficient + x : -1;
}
"""
_WIDTHS = {
    32: "Every sum of this network fits 32 bits.",
    64: "Sums of this network may leave 32 bits, so that values have 64.",
}
_LINE_LENGTH = 100


def value_bits(network: IntegerNetwork) -> int:
    """Return the width of every value in the program, and of its output: 32, or 64 if need be."""
    return 32 if max(network.magnitudes.values()) < 2**31 else 64


def inference_program(network: IntegerNetwork) -> str:
    """Return the C99 source that computes `network` with the arrays and sizes of its `weight.h`."""
    names = [node.name for node in network.nodes]
    bits = value_bits(network)
    zero = " - INPUT_ZERO" if network.input_format.zero_point else ""
    return _PROGRAM % {
        "buffers": "\n".join(
            f"static value_t {_buffer(name)}[{_count(network, name)}];"
            for name in (INPUT_NAME, *names)
        ),
        "calls": "\n".join(_call(network, node) for node in network.nodes),
        "centred": f"input[i]{zero}",
        "count": _count(network, INPUT_NAME),
        "input": _buffer(INPUT_NAME),
        "logits": _buffer(network.output_name),
        "loops": "\n".join(_loops(network)),
        "value": f"int{bits}_t",
        "width": _WIDTHS[bits],
        "writes": "\n".join(
            f"        fwrite({_buffer(name)}, sizeof {_buffer(name)}, 1, stdout);" for name in names
        ),
    }


def _loops(network: IntegerNetwork) -> list[str]:
    """Return the functions that the network's nodes call, those of each kind once."""
    kinds = {type(node) for node in network.nodes}
    windows = {Convolution, DepthwiseConvolution, MaxPool, AveragePool}
    prelude = [_WINDOWS] if kinds & windows else []
    return prelude + [loop for kind, loop in LOOPS.items() if kind in kinds]


def _call(network: IntegerNetwork, node: Node) -> str:
    """Return the call that computes a node, on as many lines as it needs."""
    function, *arguments = _function_and_arguments(network, node)
    unbroken = ", ".join(argument.replace(" ", "\xa0") for argument in arguments)
    wrapper = textwrap.TextWrapper(
        width=_LINE_LENGTH,
        subsequent_indent=" " * len(f"    {function}("),
        break_long_words=False,
        break_on_hyphens=False,
    )
    lines = wrapper.wrap(f"    {function}({unbroken});")
    return "\n".join(lines).replace("\xa0", " ")


def _function_and_arguments(network: IntegerNetwork, node: Node) -> list[str]:
    prefix, source = macro_name(node.name), node.sources[0]
    values, out = _buffer(source), _buffer(node.name)
    count = _count(network, source)
    shape, to = _shape(network, source), _shape(network, node.name)
    match node:
        case Convolution():
            return ["convolution", values, shape, *_weights(node), _window(node), out, to]
        case DepthwiseConvolution():
            return ["depthwise_convolution", values, shape, *_weights(node), _window(node), out, to]
        case FullyConnected():
            return ["fully_connected", values, count, *_weights(node), out, f"{prefix}_WEIGHTS_OUT"]
        case ShiftRelu():
            return ["shift_relu", values, count, f"{prefix}_SHIFT", out]
        case Requantise():
            scaling = f"REQUANTISATION({prefix}, {node.rounding.upper()})"
            return ["requantise", values, count, scaling, out]
        case Add():
            pointers = ", ".join(map(_buffer, node.inputs))
            inputs = f"(const value_t *const[]){{{pointers}}}"
            return ["add", inputs, str(len(node.inputs)), count, out]
        case GlobalMaxPool():
            return ["global_max_pool", values, shape, out]
        case GlobalSumPool():
            return ["global_sum_pool", values, shape, out]
        case MaxPool():
            return ["max_pool", values, shape, _window(node), out, to]
        case AveragePool():
            zero_point = f"{prefix}_ZERO_POINT"
            return ["average_pool", values, shape, _window(node), zero_point, out, to]
        case Pad():
            axes = layer_axes(len(node.amounts))
            before = {axis: f"{prefix}_PAD_{macro_name(axis)}_BEFORE" for axis in axes}
            return ["pad", values, shape, _three_numbers(before, "0"), out, to]
        case Reshape():
            return ["reshape", values, count, out]
        case _:
            raise TypeError(f"{node.name}: no C code for a {type(node).__name__}")


def _weights(node: WeightedNode) -> list[str]:
    """Return pointers to the first weight and to the first bias, if there is one."""
    prefix = macro_name(node.name)
    biases = "NULL" if node.biases is None else f"{prefix}_BIASES"
    return [f"&{prefix}_WEIGHTS{'[0]' * node.weights.ndim}", biases]


def _window(node: Convolution | DepthwiseConvolution | PoolNode) -> str:
    prefix = macro_name(node.name)
    kernel = "WINDOW" if isinstance(node, PoolNode) else "WEIGHTS_KERNEL"
    dilation = ["1", "1"]
    if "dilation" in plain_fields(node):
        dilation = [f"{prefix}_DILATION_{axis}" for axis in ("TIME", "COEFFICIENT")]
    return f"WINDOW({', '.join([prefix, kernel, *dilation])})"


def _buffer(name: str) -> str:
    """Return the array of a layer; the ending keeps it apart from keywords and functions."""
    return f"{name}_values"


def _count(network: IntegerNetwork, name: str) -> str:
    macros = list(layer_macros(network, name))
    return f"COUNT({layer_stem(name)})" if len(macros) == 3 else " * ".join(macros)


def _shape(network: IntegerNetwork, name: str) -> str:
    axes, macros = layer_axes(len(network.shapes[name])), layer_macros(network, name)
    if len(axes) == 3:
        return f"SHAPE({layer_stem(name)})"
    return _three_numbers(dict(zip(axes, macros, strict=True)), "1")


def _three_numbers(macros: dict[str, str], missing: str) -> str:
    """Return a shape_t of the macros of some axes, and of another number for those without one."""
    return f"(shape_t){{{', '.join(macros.get(axis, missing) for axis in layer_axes(3))}}}"
