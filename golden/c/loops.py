"""The C99 functions of the program, one plain loop nest a node kind.

They share `value_t` (every sum fits), `shape_t` and `window_t` of `golden.c.program`, and keep to
what the standard defines: nothing negative is shifted to the right, nothing overflows.
"""

from __future__ import annotations

from collections.abc import Mapping

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
    Requantise,
    Reshape,
    ShiftRelu,
)

_CONVOLUTION = """\
static void convolution(const value_t *in, shape_t from, const int8_t *weights,
                        const int32_t *biases, window_t w, value_t *out, shape_t to) {
    for (int32_t t = 0; t < to.time; ++t)
        for (int32_t c = 0; c < to.coefficient; ++c)
            for (int32_t o = 0; o < to.channel; ++o) {
                const int8_t *kernel = weights + o * w.time * w.coefficient * from.channel;
                value_t sum = biases ? biases[o] : 0;
                for (int32_t i = 0; i < w.time; ++i)
                    for (int32_t j = 0; j < w.coefficient; ++j) {
                        const int32_t place = place_in(from, w, t, c, i, j);
                        if (place < 0) continue;
                        for (int32_t k = 0; k < from.channel; ++k)
                            sum += in[place * from.channel + k] *
                                   kernel[(i * w.coefficient + j) * from.channel + k];
                    }
                *out++ = sum;
            }
}
"""

_DEPTHWISE_CONVOLUTION = """\
/* With several outputs a channel, neighbours read the same one. */
static void depthwise_convolution(const value_t *in, shape_t from, const int8_t *weights,
                                  const int32_t *biases, window_t w, value_t *out, shape_t to) {
    const int32_t multiplier = to.channel / from.channel;
    for (int32_t t = 0; t < to.time; ++t)
        for (int32_t c = 0; c < to.coefficient; ++c)
            for (int32_t o = 0; o < to.channel; ++o) {
                const int8_t *kernel = weights + o * w.time * w.coefficient;
                value_t sum = biases ? biases[o] : 0;
                for (int32_t i = 0; i < w.time; ++i)
                    for (int32_t j = 0; j < w.coefficient; ++j) {
                        const int32_t place = place_in(from, w, t, c, i, j);
                        if (place < 0) continue;
                        sum += in[place * from.channel + o / multiplier] *
                               kernel[i * w.coefficient + j];
                    }
                *out++ = sum;
            }
}
"""

_FULLY_CONNECTED = """\
static void fully_connected(const value_t *in, int32_t inputs, const int8_t *weights,
                            const int32_t *biases, value_t *out, int32_t outputs) {
    for (int32_t o = 0; o < outputs; ++o) {
        value_t sum = biases ? biases[o] : 0;
        for (int32_t i = 0; i < inputs; ++i) sum += in[i] * weights[o * inputs + i];
        out[o] = sum;
    }
}
"""

_SHIFT_RELU = """\
/* Division by 2^shift, rounded towards minus infinity: negative numbers end as 0 in any case. */
static void shift_relu(const value_t *in, int32_t count, int shift, value_t *out) {
    for (int32_t i = 0; i < count; ++i) out[i] = in[i] > 0 ? in[i] >> shift : 0;
}
"""

_REQUANTISE = """\
typedef struct {
    const int32_t *multipliers;
    const int8_t *exponents;
    int32_t factors; /* how many of both: one a channel, or one for all */
    enum { TWICE, ONCE, AWAY } rounding;
    int shift_left;
    int32_t zero_point, low, high;
} requantisation_t;

#define REQUANTISATION(layer, rounding)                                                   \\
    ((requantisation_t){layer##_MULTIPLIERS, layer##_EXPONENTS, layer##_MULTIPLIERS_OUT,  \\
                        rounding, layer##_SHIFT_LEFT,                                     \\
                        layer##_ZERO_POINT, layer##_LOW, layer##_HIGH})

/* value * multiplier * 2^(exponent - 31), to the nearest integer, ties up. */
static int64_t scaled_once(int64_t value, int32_t multiplier, int exponent) {
    const int shift = 31 - exponent;
    const int64_t raised = value * multiplier + (INT64_C(1) << (shift - 1));
    return raised >= 0 ? raised >> shift : ~(~raised >> shift);
}

/* The same, ties away from zero. */
static int64_t scaled_away(int64_t value, int32_t multiplier, int exponent) {
    return value >= 0 ? scaled_once(value, multiplier, exponent)
                      : -scaled_once(-value, multiplier, exponent);
}

/* The same in two steps: to 32 bits, ties up, and what is then shifted off, ties away from zero. */
static int64_t scaled_twice(int64_t value, int32_t multiplier, int exponent) {
    const int left = exponent > 0 ? exponent : 0, right = left - exponent;
    const int64_t product = value * (INT64_C(1) << left) * multiplier;
    const int64_t nudge = product >= 0 ? INT64_C(1) << 30 : 1 - (INT64_C(1) << 30);
    const int64_t high = (product + nudge) / (INT64_C(1) << 31); /* cuts off towards zero */
    const int64_t half = (INT64_C(1) << right) >> 1;
    return high >= 0 ? (high + half) >> right : -((half - high) >> right);
}

static void requantise(const value_t *in, int32_t count, requantisation_t r, value_t *out) {
    for (int32_t i = 0; i < count; ++i) {
        const int32_t factor = i % r.factors; /* the channel is the fastest axis */
        const int32_t multiplier = r.multipliers[factor];
        const int exponent = r.exponents[factor];
        const int64_t value = in[i] * (INT64_C(1) << r.shift_left);
        int64_t q = r.zero_point;
        switch (r.rounding) {
            case TWICE: q += scaled_twice(value, multiplier, exponent); break;
            case ONCE: q += scaled_once(value, multiplier, exponent); break;
            case AWAY: q += scaled_away(value, multiplier, exponent); break;
        }
        if (q < r.low) q = r.low;
        if (q > r.high) q = r.high;
        out[i] = (value_t)(q - r.zero_point);
    }
}
"""

_ADD = """\
static void add(const value_t *const *in, int32_t inputs, int32_t count, value_t *out) {
    for (int32_t i = 0; i < count; ++i) {
        out[i] = in[0][i];
        for (int32_t k = 1; k < inputs; ++k) out[i] += in[k][i];
    }
}
"""

_GLOBAL_MAX_POOL = """\
static void global_max_pool(const value_t *in, shape_t from, value_t *out) {
    for (int32_t k = 0; k < from.channel; ++k) {
        out[k] = in[k];
        for (int32_t p = 1; p < from.time * from.coefficient; ++p)
            if (in[p * from.channel + k] > out[k]) out[k] = in[p * from.channel + k];
    }
}
"""

_GLOBAL_SUM_POOL = """\
static void global_sum_pool(const value_t *in, shape_t from, value_t *out) {
    for (int32_t k = 0; k < from.channel; ++k) {
        out[k] = 0;
        for (int32_t p = 0; p < from.time * from.coefficient; ++p)
            out[k] += in[p * from.channel + k];
    }
}
"""

_MAX_POOL = """\
static void max_pool(const value_t *in, shape_t from, window_t w, value_t *out, shape_t to) {
    for (int32_t t = 0; t < to.time; ++t)
        for (int32_t c = 0; c < to.coefficient; ++c)
            for (int32_t k = 0; k < to.channel; ++k) {
                int seen = 0;
                for (int32_t i = 0; i < w.time; ++i)
                    for (int32_t j = 0; j < w.coefficient; ++j) {
                        const int32_t place = place_in(from, w, t, c, i, j);
                        if (place < 0) continue;
                        if (!seen || in[place * from.channel + k] > *out)
                            *out = in[place * from.channel + k];
                        seen = 1;
                    }
                ++out;
            }
}
"""

_AVERAGE_POOL = """\
/* The mean of q = value + zero_point inside the map, to the nearest integer, ties away from 0. */
static void average_pool(const value_t *in, shape_t from, window_t w, int32_t zero_point,
                         value_t *out, shape_t to) {
    for (int32_t t = 0; t < to.time; ++t)
        for (int32_t c = 0; c < to.coefficient; ++c)
            for (int32_t k = 0; k < to.channel; ++k) {
                value_t sum = 0, count = 0;
                for (int32_t i = 0; i < w.time; ++i)
                    for (int32_t j = 0; j < w.coefficient; ++j) {
                        const int32_t place = place_in(from, w, t, c, i, j);
                        if (place < 0) continue;
                        sum += in[place * from.channel + k] + zero_point;
                        ++count;
                    }
                *out++ = (sum + (sum < 0 ? -count / 2 : count / 2)) / count - zero_point;
            }
}
"""

_PAD = """\
static void pad(const value_t *in, shape_t from, shape_t before, value_t *out, shape_t to) {
    for (int32_t t = 0; t < to.time; ++t)
        for (int32_t c = 0; c < to.coefficient; ++c)
            for (int32_t k = 0; k < to.channel; ++k) {
                const int32_t y = t - before.time, x = c - before.coefficient;
                const int32_t z = k - before.channel;
                const int inside = y >= 0 && y < from.time && x >= 0 && x < from.coefficient &&
                                   z >= 0 && z < from.channel;
                *out++ = inside ? in[(y * from.coefficient + x) * from.channel + z] : 0;
            }
}
"""

_RESHAPE = """\
static void reshape(const value_t *in, int32_t count, value_t *out) {
    for (int32_t i = 0; i < count; ++i) out[i] = in[i];
}
"""

LOOPS: Mapping[type[Node], str] = {
    Convolution: _CONVOLUTION,
    DepthwiseConvolution: _DEPTHWISE_CONVOLUTION,
    FullyConnected: _FULLY_CONNECTED,
    ShiftRelu: _SHIFT_RELU,
    Requantise: _REQUANTISE,
    Add: _ADD,
    GlobalMaxPool: _GLOBAL_MAX_POOL,
    GlobalSumPool: _GLOBAL_SUM_POOL,
    MaxPool: _MAX_POOL,
    AveragePool: _AVERAGE_POOL,
    Pad: _PAD,
    Reshape: _RESHAPE,
}
