"""Rung 3 of the verification ladder: the network as a C99 program around `weight.h`.

The program reads fingerprints (int8, time by time) from its standard input and writes every layer
of each to its standard output, in the order of the network, and the index of the largest logit.
Each layer is a call of one of five plain loops, whose sizes are the header's macros; nothing is
typed in twice. Values are int32 where every sum is sure to fit, otherwise int64 (`value_bits`).
"""

from __future__ import annotations

from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import (
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    GlobalMaxPool,
    Node,
    ShiftRelu,
)

_PROGRAM = """\
/* Integer inference of one network. Generated from it: sizes and weights are those of weight.h.
 * Reads int8 fingerprints from stdin; writes every layer of each, then the label, to stdout.
 */

#include <stdio.h>

#include "weight.h"

typedef %(value)s value_t; /* holds every sum of this network, in any order of additions */

typedef struct {
    int32_t time, coefficient, channel;
} shape_t;

typedef struct {
    int32_t time, coefficient; /* size of the kernel */
    int32_t stride_time, stride_coefficient;
    int32_t pad_time, pad_coefficient; /* zeros before the first row and column */
} window_t;

/* Division by 2^shift, rounded towards minus infinity; >> of negative numbers is not portable. */
static value_t floor_shift(value_t value, int shift) {
    return value >= 0 ? value >> shift : ~(~value >> shift);
}

/* One output: position (t, c) of filter f. A depthwise filter reads channel f alone. */
static value_t window_sum(const value_t *in, shape_t in_shape, const int8_t *weights, window_t w,
                          int depthwise, int32_t t, int32_t c, int32_t f) {
    const int32_t first = depthwise ? f : 0, count = depthwise ? 1 : in_shape.channel;
    value_t sum = 0;
    for (int32_t i = 0; i < w.time; ++i) {
        for (int32_t j = 0; j < w.coefficient; ++j) {
            const int32_t y = t * w.stride_time + i - w.pad_time;
            const int32_t x = c * w.stride_coefficient + j - w.pad_coefficient;
            if (y < 0 || y >= in_shape.time || x < 0 || x >= in_shape.coefficient) continue;
            for (int32_t k = 0; k < count; ++k)
                sum += in[(y * in_shape.coefficient + x) * in_shape.channel + first + k] *
                       weights[((f * w.time + i) * w.coefficient + j) * count + k];
        }
    }
    return sum;
}

WEIGHT_H_UNUSED static void convolution(const value_t *in, shape_t in_shape, const int8_t *weights,
                                        window_t w, int depthwise, value_t *out, shape_t shape) {
    for (int32_t t = 0; t < shape.time; ++t)
        for (int32_t c = 0; c < shape.coefficient; ++c)
            for (int32_t f = 0; f < shape.channel; ++f)
                *out++ = window_sum(in, in_shape, weights, w, depthwise, t, c, f);
}

WEIGHT_H_UNUSED static void shift_relu(const value_t *in, int32_t count, int shift, value_t *out) {
    for (int32_t i = 0; i < count; ++i) {
        const value_t shifted = floor_shift(in[i], shift);
        out[i] = shifted > 0 ? shifted : 0;
    }
}

WEIGHT_H_UNUSED static void global_max_pool(const value_t *in, shape_t in_shape, value_t *out) {
    for (int32_t k = 0; k < in_shape.channel; ++k) {
        out[k] = in[k];
        for (int32_t p = 1; p < in_shape.time * in_shape.coefficient; ++p)
            if (in[p * in_shape.channel + k] > out[k]) out[k] = in[p * in_shape.channel + k];
    }
}

WEIGHT_H_UNUSED static void fully_connected(const value_t *in, int32_t inputs,
                                            const int8_t *weights, const int32_t *biases,
                                            int32_t outputs, value_t *out) {
    for (int32_t o = 0; o < outputs; ++o) {
        out[o] = biases[o];
        for (int32_t i = 0; i < inputs; ++i) out[o] += in[i] * weights[o * inputs + i];
    }
}

/* The largest logit wins, the first of equals. */
static value_t largest(const value_t *logits) {
    value_t best = 0;
    for (value_t i = 1; i < LABEL_COUNT; ++i)
        if (logits[i] > logits[best]) best = i;
    return best;
}

%(buffers)s

static void infer(void) {
%(calls)s
}

int main(void) {
    value_t label;
    int8_t numbers[INPUT_TIME * INPUT_COEFFICIENT];
    while (fread(numbers, 1, sizeof numbers, stdin) == sizeof numbers) {
        for (int32_t i = 0; i < INPUT_TIME * INPUT_COEFFICIENT; ++i) %(input)s[i] = numbers[i];
        infer();
        label = largest(%(logits)s);
%(writes)s
        fwrite(&label, sizeof label, 1, stdout);
    }
    return 0;
}
"""


def value_bits(network: IntegerNetwork) -> int:
    """Return the width of every value in the program, and of its output: 32, or 64 if need be."""
    return 32 if max(network.magnitudes.values()) < 2**31 else 64


def inference_program(network: IntegerNetwork) -> str:
    """Return the C99 source that computes `network` with the arrays and sizes of its `weight.h`."""
    names = [node.name for node in network.nodes]
    buffers = [f"static value_t {INPUT_NAME}[INPUT_TIME * INPUT_COEFFICIENT];"]
    buffers += [f"static value_t {name}[{' * '.join(_sizes(network, name))}];" for name in names]
    writes = [f"        fwrite({name}, sizeof {name}, 1, stdout);" for name in names]
    return _PROGRAM % {
        "buffers": "\n".join(buffers),
        "calls": "\n".join(f"    {_call(network, node)}" for node in network.nodes),
        "input": INPUT_NAME,
        "logits": network.output_name,
        "value": f"int{value_bits(network)}_t",
        "writes": "\n".join(writes),
    }


def _call(network: IntegerNetwork, node: Node) -> str:
    prefix, source = node.name.upper(), node.sources[0]
    count = " * ".join(_sizes(network, node.sources[0]))
    match node:
        case Convolution() | DepthwiseConvolution():
            depthwise = int(isinstance(node, DepthwiseConvolution))
            arguments = (
                f"{source}, {_shape(network, source)}, &{prefix}_WEIGHTS[0][0][0][0], "
                f"{_window(prefix)}, {depthwise}, {node.name}, {_shape(network, node.name)}"
            )
            return f"convolution({arguments});"
        case ShiftRelu():
            return f"shift_relu({source}, {count}, {prefix}_SHIFT, {node.name});"
        case GlobalMaxPool():
            return f"global_max_pool({source}, {_shape(network, source)}, {node.name});"
        case FullyConnected():
            arguments = f"&{prefix}_WEIGHTS[0][0], {prefix}_BIASES, {prefix}_WEIGHTS_OUT"
            return f"fully_connected({source}, {count}, {arguments}, {node.name});"
        case _:
            raise TypeError(f"{node.name}: no C code for a {type(node).__name__}")


def _window(prefix: str) -> str:
    fields = (
        "WEIGHTS_KERNEL_TIME",
        "WEIGHTS_KERNEL_COEFFICIENT",
        "STRIDE_TIME",
        "STRIDE_COEFFICIENT",
        "PAD_TIME_BEFORE",
        "PAD_COEFFICIENT_BEFORE",
    )
    return "(window_t){" + ", ".join(f"{prefix}_{field}" for field in fields) + "}"


def _shape(network: IntegerNetwork, name: str) -> str:
    return "(shape_t){" + ", ".join(_sizes(network, name)) + "}"


def _sizes(network: IntegerNetwork, name: str) -> list[str]:
    """Return the macros of a layer's sizes, slowest axis first."""
    if name == INPUT_NAME:
        return ["INPUT_TIME", "INPUT_COEFFICIENT", "INPUT_CHANNEL"]
    axes = ("TIME", "COEFFICIENT", "CHANNEL") if len(network.shapes[name]) == 3 else ("CHANNEL",)
    return [f"{name.upper()}_OUTPUT_{axis}" for axis in axes]
