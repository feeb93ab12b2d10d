/* Integer inference of one keyword-spotting network; network.h says how to call it. Generated:
 * do not edit. C99, without floats and with static memory alone.
 * Network f23e5731c6a855503438366ff2088a4b32c5d497021c56d3687ebb12a5b6646e.
 */

#include "network.h"

#ifndef KWS_LANES
#define KWS_LANES 1 /* inputs at a time: on the host 16 */
#endif
#define MOST_ELEMENTS 9 /* of a kernel, channels not counted */

typedef struct {
    int32_t time, coefficient, channel;
} axes_t;

/* Sizes of a layer and of what it reads, and how its windows lie on that. */
typedef struct {
    axes_t from, to, window, stride, dilation, pad;
} layer_t;

/* What becomes of a value: shift to the right and ReLU, or (value << shift) * multiplier *
 * 2^(exponent - 31), rounded by a rule and limited to low..high. Of the results, each is stored, or
 * for each channel the largest or the total; with an offset. */
typedef struct {
    enum { KEEP, SHIFT_RELU } rule;
    int32_t shift;
    const int32_t *multipliers;
    const int8_t *exponents;
    int32_t each; /* 1: a multiplier and an exponent for each channel; 0: one for all */
    int32_t low, high;
    enum { NO_POOL, LARGEST, TOTAL } pool;
    int32_t offset;
#if KWS_LANES > 1
    const struct down { int64_t half; int32_t shift; } *downs; /* of DOWN rules, for each factor */
#endif
#ifdef KWS_TAP
    kws_value_t *sums, *finished; /* where values before and after go, if anywhere */
#endif
} ending_t;

#if KWS_LANES > 1
#define DOWNS(downs) , downs
#else
#define DOWNS(downs)
#endif
#ifdef KWS_TAP
#define TAP(call) call
#define TAPS(sums, finished) , sums, finished
#define KEEP_PASSING(layer, index, value) do { if (layer) keep(layer, index, value); } while (0)
#define KEEP_PASSING_wide(layer, index, value) \
    do { if (layer) keep_wide(layer, index, value); } while (0)
#else
#define TAP(call)
#define TAPS(sums, finished)
#define KEEP_PASSING(layer, index, value) ((void)0)
#define KEEP_PASSING_wide(layer, index, value) ((void)0)
#endif

#if KWS_LANES > 1
#include "lanes.h"
#else
#define KERNEL static
#define STATE static
#define FOURS 1 /* of outputs computed at a time */
typedef int32_t acc_t;
typedef int64_t wide_t;
typedef int8_t weight_u8_t;
typedef int8_t weight_s16_t;
typedef int8_t weight_s32_t;
typedef int8_t single_t;
typedef const int8_t *features_t;

#ifdef KWS_TAP
static inline void keep(kws_value_t *layer, int32_t index, int32_t value) { layer[index] = value; }
#endif

static inline int32_t splat(int32_t value) { return value; }

static inline int32_t load_s16(const int16_t *group, int32_t channel) { return group[channel]; }

static inline int32_t load_s32(const int32_t *group, int32_t channel) { return group[channel]; }

static inline void store_s16(int16_t *group, const int32_t *values) {
    group[0] = (int16_t)values[0];
    group[1] = (int16_t)values[1];
}

static inline void store_s32(int32_t *group, const int32_t *values) { group[0] = values[0]; }

static inline int32_t dot_u8(int32_t sum, const uint8_t *x, const int8_t *w) {
    return sum + x[0] * w[0] + x[1] * w[1] + x[2] * w[2] + x[3] * w[3];
}

static inline int32_t dot_s16(int32_t sum, const int16_t *x, const int8_t *w) {
    return sum + x[0] * w[0] + x[1] * w[1];
}

static inline int32_t single_s16(int32_t sum, const int16_t *x, int32_t channel, const int8_t *w) {
    return sum + x[channel] * w[0];
}

static inline int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

static inline int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }

/* value / 2^shift, rounded towards minus infinity. */
static inline int32_t floor_shift(int32_t value, int32_t shift) {
    return value >= 0 ? value >> shift : ~(~value >> shift);
}

/* Stores the input as rows of a kernel, each filled up to groups of four. */
static inline void take_input(features_t features, const layer_t *l, int32_t offset,
                              uint8_t *out) {
    for (int32_t t = 0; t < l->to.time; ++t)
        for (int32_t c = 0; c < l->to.coefficient; ++c) {
            const int32_t column = c * l->stride.coefficient - l->pad.coefficient;
            const int32_t row = l->from.coefficient * l->from.channel;
            for (int32_t k = 0; k < (l->to.channel + 3) / 4 * 4; ++k) {
                const int32_t x = column * l->from.channel + k;
                const int inside = x >= 0 && x < row && k < l->to.channel;
                *out++ = (uint8_t)(inside ? features[t * row + x] - KWS_INPUT_MIN : offset);
            }
        }
}
#endif

static inline acc_t finished(acc_t value, const ending_t *e, int32_t channel) {
    const int32_t at = channel * e->each; /* of a factor */
    (void)at;
    switch (e->rule) {
        case KEEP: return value;
        case SHIFT_RELU: return larger(floor_shift(value, e->shift), splat(0));
        
        default: break;
    }
    return larger(smaller(value, splat(e->high)), splat(e->low));
}

/* The value of a channel of a pixel. */
static inline acc_t value_s16(const int16_t *pixel, int32_t channel) {
    const int16_t *const group = pixel + channel / 2 * 2 * KWS_LANES;
    return load_s16(group, channel % 2);
}

/* The value of a channel of a pixel. */
static inline acc_t value_s32(const int32_t *pixel, int32_t channel) {
    const int32_t *const group = pixel + channel / 1 * 1 * KWS_LANES;
    return load_s32(group, channel % 1);
}

/* Finishes four values of a pixel, of `channel` and on, and stores those that there are. */
KERNEL void end_s16(acc_t *v, const ending_t *e, int32_t pixel, int32_t channel,
        int32_t channels, int16_t *out) {
    const int32_t groups = (channels + 2 - 1) / 2, left = channels - channel;
    const int32_t place = (e->pool == NO_POOL ? pixel * groups * 2 : 0) + channel;
    int16_t *const stored = out + place * KWS_LANES;
    for (int32_t i = 0; i < 4; ++i) {
        if (i >= left) break;
        KEEP_PASSING(e->sums, pixel * channels + channel + i, v[i]);
        v[i] = finished(v[i], e, channel + i);
        KEEP_PASSING(e->finished, pixel * channels + channel + i, v[i]);
        v[i] += e->offset;
        if (e->pool != NO_POOL && pixel > 0) {
            const acc_t before = value_s16(stored, i);
            v[i] = e->pool == LARGEST ? larger(v[i], before) : v[i] + before;
        }
    }
    for (int32_t i = 0; i < 4; i += 2) {
        if (i >= left) break;
        store_s16(stored + i * KWS_LANES, v + i);
    }
}

/* Finishes four values of a pixel, of `channel` and on, and stores those that there are. */
KERNEL void end_s32(acc_t *v, const ending_t *e, int32_t pixel, int32_t channel,
        int32_t channels, int32_t *out) {
    const int32_t groups = (channels + 1 - 1) / 1, left = channels - channel;
    const int32_t place = (e->pool == NO_POOL ? pixel * groups * 1 : 0) + channel;
    int32_t *const stored = out + place * KWS_LANES;
    for (int32_t i = 0; i < 4; ++i) {
        if (i >= left) break;
        KEEP_PASSING(e->sums, pixel * channels + channel + i, v[i]);
        v[i] = finished(v[i], e, channel + i);
        KEEP_PASSING(e->finished, pixel * channels + channel + i, v[i]);
        v[i] += e->offset;
        if (e->pool != NO_POOL && pixel > 0) {
            const acc_t before = value_s32(stored, i);
            v[i] = e->pool == LARGEST ? larger(v[i], before) : v[i] + before;
        }
    }
    for (int32_t i = 0; i < 4; i += 1) {
        if (i >= left) break;
        store_s32(stored + i * KWS_LANES, v + i);
    }
}

/* Where the elements of the window at (t, c) are: pixels of a map, or what lies outside of it. */
static inline void find_u8(const uint8_t *in, const uint8_t *outside, const layer_t *l, int32_t t,
        int32_t c, const uint8_t **elements) {
    const int32_t step = (l->from.channel + 4 - 1) / 4 * 4 * KWS_LANES;
    for (int32_t i = 0; i < l->window.time; ++i)
        for (int32_t j = 0; j < l->window.coefficient; ++j) {
            const int32_t y = t * l->stride.time + i * l->dilation.time - l->pad.time;
            const int32_t x =
                c * l->stride.coefficient + j * l->dilation.coefficient - l->pad.coefficient;
            const int inside =
                y >= 0 && y < l->from.time && x >= 0 && x < l->from.coefficient;
            *elements++ = inside || !outside ? in + (y * l->from.coefficient + x) * step : outside;
        }
}

/* Where the elements of the window at (t, c) are: pixels of a map, or what lies outside of it. */
static inline void find_s16(const int16_t *in, const int16_t *outside, const layer_t *l, int32_t t,
        int32_t c, const int16_t **elements) {
    const int32_t step = (l->from.channel + 2 - 1) / 2 * 2 * KWS_LANES;
    for (int32_t i = 0; i < l->window.time; ++i)
        for (int32_t j = 0; j < l->window.coefficient; ++j) {
            const int32_t y = t * l->stride.time + i * l->dilation.time - l->pad.time;
            const int32_t x =
                c * l->stride.coefficient + j * l->dilation.coefficient - l->pad.coefficient;
            const int inside =
                y >= 0 && y < l->from.time && x >= 0 && x < l->from.coefficient;
            *elements++ = inside || !outside ? in + (y * l->from.coefficient + x) * step : outside;
        }
}

/* Sums of 4 outputs, or of 4 * fours: the weights of four follow one another, group by group. */
KERNEL void sum_u8(const uint8_t *const *elements, int32_t count, int32_t groups,
        const weight_u8_t *weights, int32_t fours, acc_t *sums) {
    const int32_t four = count * groups * 4 * 4;
    for (int32_t i = 0; i < count; ++i) {
        const uint8_t *x = elements[i];
        for (int32_t g = 0; g < groups; ++g) {
            const weight_u8_t *w = weights + (i * groups + g) * 4 * 4;
            for (int32_t n = 0; n < fours; ++n) {
                sums[4 * n] = dot_u8(sums[4 * n], x, w + n * four);
                sums[4 * n + 1] = dot_u8(sums[4 * n + 1], x, w + n * four + 4);
                sums[4 * n + 2] = dot_u8(sums[4 * n + 2], x, w + n * four + 2 * 4);
                sums[4 * n + 3] = dot_u8(sums[4 * n + 3], x, w + n * four + 3 * 4);
            }
            x += 4 * KWS_LANES;
        }
    }
}

/* Sums of 4 outputs, or of 4 * fours: the weights of four follow one another, group by group. */
KERNEL void sum_s16(const int16_t *const *elements, int32_t count, int32_t groups,
        const weight_s16_t *weights, int32_t fours, acc_t *sums) {
    const int32_t four = count * groups * 4 * 2;
    for (int32_t i = 0; i < count; ++i) {
        const int16_t *x = elements[i];
        for (int32_t g = 0; g < groups; ++g) {
            const weight_s16_t *w = weights + (i * groups + g) * 4 * 2;
            for (int32_t n = 0; n < fours; ++n) {
                sums[4 * n] = dot_s16(sums[4 * n], x, w + n * four);
                sums[4 * n + 1] = dot_s16(sums[4 * n + 1], x, w + n * four + 2);
                sums[4 * n + 2] = dot_s16(sums[4 * n + 2], x, w + n * four + 2 * 2);
                sums[4 * n + 3] = dot_s16(sums[4 * n + 3], x, w + n * four + 3 * 2);
            }
            x += 2 * KWS_LANES;
        }
    }
}

KERNEL void convolution_u8_s16(const uint8_t *in, const uint8_t *outside,
        const weight_u8_t *weights, const int32_t *biases,
        const layer_t *l, const ending_t *e, int16_t *out) {
    const int32_t count = l->window.time * l->window.coefficient;
    const int32_t groups = (l->from.channel + 4 - 1) / 4;
    const int32_t an_output = count * groups * 4, outputs = (l->to.channel + 3) / 4 * 4;
    const uint8_t *elements[MOST_ELEMENTS];
    acc_t sums[4 * FOURS];
    for (int32_t t = 0; t < l->to.time; ++t)
        for (int32_t c = 0; c < l->to.coefficient; ++c) {
            const int32_t pixel = t * l->to.coefficient + c;
            int32_t o = 0;
            find_u8(in, outside, l, t, c, elements);
            for (; o + 4 * FOURS <= outputs; o += 4 * FOURS) {
                for (int32_t i = 0; i < 4 * FOURS; ++i) sums[i] = splat(biases[o + i]);
                sum_u8(elements, count, groups, weights + o * an_output, FOURS, sums);
                for (int32_t i = 0; i < 4 * FOURS; i += 4)
                    end_s16(sums + i, e, pixel, o + i, l->to.channel, out);
            }
            for (; FOURS > 1 && o < outputs; o += 4) {
                for (int32_t i = 0; i < 4; ++i) sums[i] = splat(biases[o + i]);
                sum_u8(elements, count, groups, weights + o * an_output, 1, sums);
                end_s16(sums, e, pixel, o, l->to.channel, out);
            }
        }
}

KERNEL void convolution_s16_s16(const int16_t *in, const int16_t *outside,
        const weight_s16_t *weights, const int32_t *biases,
        const layer_t *l, const ending_t *e, int16_t *out) {
    const int32_t count = l->window.time * l->window.coefficient;
    const int32_t groups = (l->from.channel + 2 - 1) / 2;
    const int32_t an_output = count * groups * 2, outputs = (l->to.channel + 3) / 4 * 4;
    const int16_t *elements[MOST_ELEMENTS];
    acc_t sums[4 * FOURS];
    for (int32_t t = 0; t < l->to.time; ++t)
        for (int32_t c = 0; c < l->to.coefficient; ++c) {
            const int32_t pixel = t * l->to.coefficient + c;
            int32_t o = 0;
            find_s16(in, outside, l, t, c, elements);
            for (; o + 4 * FOURS <= outputs; o += 4 * FOURS) {
                for (int32_t i = 0; i < 4 * FOURS; ++i) sums[i] = splat(biases[o + i]);
                sum_s16(elements, count, groups, weights + o * an_output, FOURS, sums);
                for (int32_t i = 0; i < 4 * FOURS; i += 4)
                    end_s16(sums + i, e, pixel, o + i, l->to.channel, out);
            }
            for (; FOURS > 1 && o < outputs; o += 4) {
                for (int32_t i = 0; i < 4; ++i) sums[i] = splat(biases[o + i]);
                sum_s16(elements, count, groups, weights + o * an_output, 1, sums);
                end_s16(sums, e, pixel, o, l->to.channel, out);
            }
        }
}

KERNEL void convolution_s16_s32(const int16_t *in, const int16_t *outside,
        const weight_s16_t *weights, const int32_t *biases,
        const layer_t *l, const ending_t *e, int32_t *out) {
    const int32_t count = l->window.time * l->window.coefficient;
    const int32_t groups = (l->from.channel + 2 - 1) / 2;
    const int32_t an_output = count * groups * 2, outputs = (l->to.channel + 3) / 4 * 4;
    const int16_t *elements[MOST_ELEMENTS];
    acc_t sums[4 * FOURS];
    for (int32_t t = 0; t < l->to.time; ++t)
        for (int32_t c = 0; c < l->to.coefficient; ++c) {
            const int32_t pixel = t * l->to.coefficient + c;
            int32_t o = 0;
            find_s16(in, outside, l, t, c, elements);
            for (; o + 4 * FOURS <= outputs; o += 4 * FOURS) {
                for (int32_t i = 0; i < 4 * FOURS; ++i) sums[i] = splat(biases[o + i]);
                sum_s16(elements, count, groups, weights + o * an_output, FOURS, sums);
                for (int32_t i = 0; i < 4 * FOURS; i += 4)
                    end_s32(sums + i, e, pixel, o + i, l->to.channel, out);
            }
            for (; FOURS > 1 && o < outputs; o += 4) {
                for (int32_t i = 0; i < 4; ++i) sums[i] = splat(biases[o + i]);
                sum_s16(elements, count, groups, weights + o * an_output, 1, sums);
                end_s32(sums, e, pixel, o, l->to.channel, out);
            }
        }
}

/* Output o reads channel o / outputs_a_channel. */
KERNEL void depthwise_s16_s16(const int16_t *in, const int16_t *outside,
        const single_t *weights, const int32_t *biases,
        const layer_t *l, const ending_t *e, int16_t *out) {
    const int32_t count = l->window.time * l->window.coefficient;
    const int32_t outputs_a_channel = l->to.channel / l->from.channel;
    const int32_t last = l->to.channel - 1;
    const int16_t *elements[MOST_ELEMENTS];
    for (int32_t t = 0; t < l->to.time; ++t)
        for (int32_t c = 0; c < l->to.coefficient; ++c) {
            find_s16(in, outside, l, t, c, elements);
            for (int32_t o = 0; o <= last; o += 4) {
                acc_t sums[4];
                for (int32_t i = 0; i < 4; ++i) sums[i] = splat(biases[o + i]);
                for (int32_t n = 0; n < count; ++n)
                    for (int32_t i = 0; i < 4; ++i) {
                        const int32_t output = o + i < last ? o + i : last;
                        const int32_t channel = output / outputs_a_channel;
                        const int32_t group = channel / 2 * 2;
                        sums[i] = single_s16(sums[i], elements[n] + group * KWS_LANES,
                                               channel - group,
                                               weights + n * l->to.channel + output);
                    }
                end_s16(sums, e, t * l->to.coefficient + c, o, l->to.channel, out);
            }
        }
}

static inline void fill_s16(int16_t *out, int32_t count, int32_t value) {
    for (int32_t i = 0; i < count * KWS_LANES; ++i) out[i] = (int16_t)value;
}

static const weight_u8_t conv_1_weights[768] = {
    22, -1, -12, -6, 14, 17, -11, 3, -12, 13, 12, -5, -4, 0, -9, 3, 15, -11, -23, -4, 10, 20, -15,
    6, 5, -2, -2, -6, -8, 13, -12, 8, -3, -6, -17, 5, -8, -6, 7, -3, -6, 12, -15, -3, -5, 15, -8, 0,
    -9, 3, -9, 6, -16, -27, 19, -6, -4, 8, -1, -3, -2, 3, -2, 10, 0, 6, -13, 5, -5, -4, -2, -11, -4,
    -2, -5, -1, -6, -5, 20, -5, -9, 10, -12, 0, -3, 6, 4, 4, -3, -8, -9, -2, 0, -13, 17, -20, -1,
    14, 6, -2, 8, 7, 13, 31, -4, 2, -9, -5, 2, -4, 18, -27, 0, 2, 21, 2, 0, 14, -3, 13, -8, 3, -7,
    -7, 2, 2, 12, -29, -15, -15, -8, 4, -8, -21, 17, 19, 4, 18, -1, -15, 2, -15, -15, 3, -5, 2, 0,
    4, -1, -6, 6, -3, 2, 10, 3, -15, -1, -3, -4, -20, 5, 15, 13, 2, 5, 20, -13, -9, -3, -12, 9, -7,
    3, 2, 1, -32, 9, 17, 18, 1, 11, 5, -17, 2, -2, -18, 7, 5, -3, 13, 18, -22, 3, 21, 3, -10, -11,
    12, -6, 15, -2, 9, -32, -4, 8, -12, -11, -14, 9, 7, 5, -15, 9, -26, 0, 2, 1, 0, -32, 22, -6,
    -14, -9, 4, 16, -2, 18, -24, 5, -11, 21, -16, 9, -7, -17, 17, -13, -8, -3, 7, 3, -14, 22, -7,
    -1, 20, -1, -9, 3, -16, -4, 2, -7, -4, 9, 12, -11, 8, 11, -15, -8, -14, -1, -1, 8, 21, -1, -11,
    4, 11, 15, 18, -8, -4, -21, -16, -15, -10, -4, -3, 7, 10, -19, -11, -2, -23, -32, -32, 11, -2,
    -12, -9, -13, -4, -1, -3, 2, -9, -13, 11, -4, 12, 21, 10, 14, 3, 2, -4, -7, -2, -9, -4, -6, -9,
    -1, 14, 4, 2, 3, 6, 2, 0, 16, -11, 6, 4, -7, -20, -21, 9, 20, 1, -9, 18, 19, 11, 2, 0, 4, -15,
    -3, 13, 19, -16, 2, 2, 11, -7, 12, -19, 7, -1, 16, 6, -19, 1, -7, 8, -15, -13, 13, -1, -15, -2,
    4, -10, -9, 1, -4, 20, -2, 26, 10, 11, -13, -3, 7, -1, -21, 5, -5, 14, -11, -13, 2, -8, 16, 23,
    3, 14, -21, -2, 13, 5, -13, -15, 2, 9, -16, -2, -5, -8, 7, 31, -11, 17, 0, 16, 7, 6, -2, -7, 3,
    12, -2, -18, -3, -14, -1, 27, -6, -5, -11, 6, -5, 7, 9, 2, -1, 14, 5, -15, -1, -6, -19, 31, 5,
    4, 8, -5, -16, 0, 1, 17, -5, 5, 0, -1, 11, -9, -3, -1, 5, -23, -4, -7, -10, -4, 5, -3, -9, 4,
    11, 5, 5, 1, -5, -17, 7, -14, -14, -2, 0, -2, 6, 7, 5, -9, 4, 15, -3, 18, -1, -24, -2, -3, -1,
    23, -9, -2, -2, 0, -1, 0, -32, -32, -10, 23, 10, -6, -10, -4, 14, -2, -1, -5, 2, 1, -8, -4, 18,
    3, 12, 5, -2, -8, -1, -4, 7, 22, 7, -15, 6, 10, 8, -11, 16, 4, 11, 1, -13, -9, -3, -10, 19, -6,
    1, -17, -9, 10, 3, -25, 31, -13, -2, 5, -13, 1, 2, -8, 25, -28, -2, -6, -12, -20, -6, 1, 19, -4,
    -10, 2, 14, 3, 6, -8, 18, -15, -2, 11, -16, -32, 0, 12, -12, 3, 1, -2, -7, -16, 11, 9, -3, -32,
    -9, 31, 13, -8, -10, 12, 15, 11, -2, 19, 31, 31, -11, 9, 14, -2, -7, -3, 2, -6, -6, 18, 21, 7,
    4, -27, -23, -32, -6, 4, 20, 24, 0, -9, -5, -25, 6, -11, 14, -9, 1, 21, 22, 14, 10, 11, 15, 5,
    11, 0, -5, -32, 10, -8, -31, -11, -4, 25, 20, 19, -2, -14, -20, -21, 0, 21, 16, -1, -8, -1, -6,
    2, 5, 2, 25, 7, -6, -10, -15, -11, -13, -2, -12, 20, 8, -12, 3, 3, 12, -13, -2, -10, -7, -7,
    -15, 0, 10, -24, -11, 5, 3, 9, 3, 1, 7, 8, -13, -10, -9, 5, 13, 16, 3, 2, 8, -2, -12, -2, -1,
    -7, -3, 21, 17, 12, 2, 13, -14, -2, -8, 6, 18, -23, 6, 1, 11, -31, -7, 27, -4, 13, 10, -6, -12,
    13, 4, 18, -28, -32, -9, 6, -25, 28, 6, -8, -13, 2, 0, -11, 14, 17, 8, -2, -14, -19, -11, 8, 23,
    4, 10, -15, -8, -15, -9, 6, 19, 5, 2, -9, -5, -5, -1, 14, -4, -12
};
static const int32_t conv_1_biases[48] = {
    1600, -128, 288, -64, -928, -2304, 2208, 1152, -1504, -224, 480, 2336, -1120, -96, 1632, 1952,
    1696, 3168, 224, -416, -1344, 832, -64, -288, -2304, -384, -288, 320, 352, 1184, 544, 960, 96,
    -512, 2752, -832, -1120, -2496, 1664, -896, -2496, 3296, -640, 544, -1120, -1440, 2848, -256
};

#if KWS_LANES > 1
static const single_t dw_conv_weights[432] = {
    65524, 851968, 3, -983040, 2, 131072, 7, 524288, 65523, -131072, 10, -196608, 65534, 393216, 6,
    -131072, 65533, 655360, 65526, 524288, 65529, -196608, 65528, -327680, 9, 262144, 9, 458752, 12,
    -1179648, 65522, 1048576, 65527, -131072, 8, -786432, 5, 589824, 65535, 0, 65504, 589824, 65534,
    -589824, 65530, 1048576, 15, -131072, 65534, 65536, 4, 393216, 65532, -65536, 65531, -327680, 0,
    589824, 9, 0, 9, 786432, 2, -131072, 65534, -720896, 6, 131072, 21, -786432, 0, 589824, 4,
    983040, 9, 393216, 0, 262144, 8, 327680, 65535, -65536, 65534, 1245184, 65531, -458752, 3,
    524288, 2, -131072, 3, 0, 65533, -458752, 11, 0, 65529, -393216, 15, -458752, 0, 1703936, 65515,
    -524288, 65535, 131072, 65531, 1179648, 65530, 262144, 65519, 1703936, 3, -1376256, 0, 1376256,
    65533, 720896, 12, 327680, 65531, -786432, 65534, -65536, 65504, 589824, 65528, 1769472, 12,
    655360, 65534, -65536, 7, -262144, 2, 262144, 65533, -786432, 9, -65536, 2, 1572864, 65508,
    1114112, 65531, 851968, 3, 0, 6, -65536, 6, -524288, 65504, -65536, 8, -65536, 1, -851968,
    65532, -65536, 65517, -655360, 15, 262144, 6, 65536, 65523, -458752, 65535, -393216, 6, 327680,
    18, -196608, 65504, -196608, 14, 131072, 10, -655360, 4, 655360, 65529, -65536, 65529, -262144,
    4, -196608, 13, 983040, 65531, 393216, 3, 65536, 14, 393216, 2, 983040, 65533, -786432, 9,
    1179648, 8, 851968, 65530, 524288, 14, 65536, 10, -327680, 65534, 524288, 65521, 1245184, 7, 0,
    65531, -917504, 10, 917504, 9, 655360, 5, 720896, 22, 720896, 4, 0, 7, 262144, 65522, 983040,
    17, -786432, 65524, -393216, 65534, -1310720, 3, 589824, 25, -983040, 4, -131072, 65533, 524288,
    65517, -262144, 1, 1114112, 4, -327680, 65526, 786432, 65530, 196608, 1, -851968, 13, 1441792,
    65532, -65536, 15, 0, 16, -1114112, 0, 196608, 6, 196608, 65528, 1048576, 11, 524288, 65529,
    -655360, 5, -393216, 65533, 0, 65527, 1048576, 13, -524288, 0, 655360, 65532, -196608, 65530,
    262144, 65522, 262144, 12, 1048576, 3, -786432, 65529, -1900544, 3, 524288, 65523, 1048576, 8,
    131072, 65527, -262144, 2, 851968, 65529, 851968, 65515, 1245184, 1, 65536, 4, -131072, 8,
    131072, 65504, 327680, 18, 851968, 65532, 589824, 6, -131072, 15, 1310720, 9, -131072, 13,
    -262144, 65529, 851968, 65533, -262144, 2, -65536, 0, 458752, 65533, -65536, 65530, 720896, 6,
    -65536, 4, -524288, 65530, 196608, 65535, 0, 3, 327680, 65524, 589824, 1, 196608, 4, -1638400,
    13, -720896, 13, -131072, 13, 327680, 7, 131072, 6, 262144, 19, -131072, 4, 196608, 65534,
    -589824, 4, 393216, 17, -131072, 16, 196608, 65528, 393216, 1, -393216, 7, -131072, 65533,
    -786432, 65509, 393216, 65531, 262144, 7, -589824, 65528, 720896, 16, -262144, 30, 917504, 3,
    2031616, 65531, 851968, 65504, -458752, 65534, 1114112, 13, -458752, 9, 458752, 65529, 393216,
    2, 131072, 65527, 131072, 31, 131072, 65516, -1703936, 65524, 589824, 65533, -589824, 65529,
    327680, 10, 327680
};
#else
static const single_t dw_conv_weights[432] = {
    -12, 13, 3, -15, 2, 2, 7, 8, -13, -2, 10, -3, -2, 6, 6, -2, -3, 10, -10, 8, -7, -3, -8, -5, 9,
    4, 9, 7, 12, -18, -14, 16, -9, -2, 8, -12, 5, 9, -1, 0, -32, 9, -2, -9, -6, 16, 15, -2, -2, 1,
    4, 6, -4, -1, -5, -5, 0, 9, 9, 0, 9, 12, 2, -2, -2, -11, 6, 2, 21, -12, 0, 9, 4, 15, 9, 6, 0, 4,
    8, 5, -1, -1, -2, 19, -5, -7, 3, 8, 2, -2, 3, 0, -3, -7, 11, 0, -7, -6, 15, -7, 0, 26, -21, -8,
    -1, 2, -5, 18, -6, 4, -17, 26, 3, -21, 0, 21, -3, 11, 12, 5, -5, -12, -2, -1, -32, 9, -8, 27,
    12, 10, -2, -1, 7, -4, 2, 4, -3, -12, 9, -1, 2, 24, -28, 17, -5, 13, 3, 0, 6, -1, 6, -8, -32,
    -1, 8, -1, 1, -13, -4, -1, -19, -10, 15, 4, 6, 1, -13, -7, -1, -6, 6, 5, 18, -3, -32, -3, 14, 2,
    10, -10, 4, 10, -7, -1, -7, -4, 4, -3, 13, 15, -5, 6, 3, 1, 14, 6, 2, 15, -3, -12, 9, 18, 8, 13,
    -6, 8, 14, 1, 10, -5, -2, 8, -15, 19, 7, 0, -5, -14, 10, 14, 9, 10, 5, 11, 22, 11, 4, 0, 7, 4,
    -14, 15, 17, -12, -12, -6, -2, -20, 3, 9, 25, -15, 4, -2, -3, 8, -19, -4, 1, 17, 4, -5, -10, 12,
    -6, 3, 1, -13, 13, 22, -4, -1, 15, 0, 16, -17, 0, 3, 6, 3, -8, 16, 11, 8, -7, -10, 5, -6, -3, 0,
    -9, 16, 13, -8, 0, 10, -4, -3, -6, 4, -14, 4, 12, 16, 3, -12, -7, -29, 3, 8, -13, 16, 8, 2, -9,
    -4, 2, 13, -7, 13, -21, 19, 1, 1, 4, -2, 8, 2, -32, 5, 18, 13, -4, 9, 6, -2, 15, 20, 9, -2, 13,
    -4, -7, 13, -3, -4, 2, -1, 0, 7, -3, -1, -6, 11, 6, -1, 4, -8, -6, 3, -1, 0, 3, 5, -12, 9, 1, 3,
    4, -25, 13, -11, 13, -2, 13, 5, 7, 2, 6, 4, 19, -2, 4, 3, -2, -9, 4, 6, 17, -2, 16, 3, -8, 6, 1,
    -6, 7, -2, -3, -12, -27, 6, -5, 4, 7, -9, -8, 11, 16, -4, 30, 14, 3, 31, -5, 13, -32, -7, -2,
    17, 13, -7, 9, 7, -7, 6, 2, 2, -9, 2, 31, 2, -20, -26, -12, 9, -3, -9, -7, 5, 10, 5
};
#endif
static const int32_t dw_conv_biases[48] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
};

static const weight_s16_t pw_conv_weights[768] = {
    -10, -3, -7, -2, 2, 2, 25, 12, -7, -10, -2, -1, -9, 5, 7, 5, 8, 2, -12, 4, -2, -6, 7, 6, 4, -23,
    1, -4, 5, 11, -7, 1, 9, -6, 9, -3, -12, 10, 4, -9, 1, 18, 0, 2, -5, -2, 10, -11, 5, 0, -15, 13,
    2, 9, -20, -19, -1, -20, 3, 8, 7, -2, -18, 22, -6, -4, 0, -12, 12, 5, -8, -6, -12, -6, -3, -9,
    10, 5, -7, 4, -15, -8, -2, 5, 5, 11, 8, -7, -1, 17, -2, -2, -2, -15, 14, -3, 6, -16, 1, -4, 2,
    12, -1, 1, 9, 7, 2, 0, -4, -3, -11, -5, 15, -7, 1, -10, -8, 1, -10, 9, -2, 0, -14, -3, 3, -2,
    -10, 0, -4, -13, -6, -7, 2, 6, 14, 14, 15, -10, 5, 2, -6, 13, -12, -16, -5, -13, -9, 0, 3, 15,
    6, -6, -8, 7, 10, -6, 14, -16, -2, 13, 5, 5, 2, -10, -16, -8, 7, 8, 3, 3, -2, 7, 5, 3, -13, -4,
    13, -11, -10, -4, 4, 9, -24, -7, -9, -3, -8, 4, 11, 5, -5, 1, -4, -19, -14, -27, -13, -8, -10,
    -31, 11, 7, 10, 7, -9, -2, -3, -17, 11, 5, 5, 0, -5, 1, 4, 9, 5, 2, -9, -19, 5, -5, -29, -18,
    -5, 3, -22, -23, -2, 8, -32, -8, 1, -7, -26, 5, -4, 10, -18, 5, -8, -4, -14, 16, 7, 8, -2, 9, 1,
    1, -6, -15, 10, -7, 10, -3, -8, -12, 9, -13, 5, 2, 1, -32, -2, 1, -18, 13, 6, 7, 9, 31, 2, -2,
    2, 6, -7, 8, 8, 15, -22, -12, -21, 19, -8, 2, -32, 1, 4, -3, 7, -1, 5, -1, 4, -2, 1, 11, -8,
    -13, 10, 0, -17, 4, -6, 5, -6, 15, 7, -10, -7, 15, 8, 5, 6, 15, 7, 3, -22, 21, -9, 3, -3, -3,
    -8, -9, 4, 6, -2, 1, -2, -1, 13, 8, 7, 1, -4, 0, 12, 5, 5, 2, 31, 0, -18, -6, 12, -1, 3, -6, 4,
    -8, 14, 5, -9, -16, -6, -6, -2, 4, -5, -5, 20, 7, 9, 0, 9, 2, -15, -5, 16, 4, 10, 4, 0, -4, -16,
    -5, 0, 14, 4, 1, -1, 18, 9, -12, 9, 4, 1, 0, -1, 6, 16, -1, 0, -2, -6, -1, -7, -14, 24, 3, 7, 6,
    -6, 6, 3, -4, -28, 17, -1, -2, 9, 1, -4, -8, 8, -13, 8, -11, 1, -5, -3, -2, -15, 2, -2, -1, 4,
    12, 6, -13, -11, 9, -12, -13, -2, -4, 6, -5, 1, -5, -12, 18, 2, -3, -11, -8, 4, -19, -12, -9,
    -8, -4, -12, -14, -13, 9, -4, 17, -2, 7, 4, -8, -10, 10, 4, -11, -4, 1, 14, -4, -9, 1, 6, 4, 1,
    -2, 7, -7, -20, -5, 8, -3, 9, -2, 6, 4, -3, -4, -8, 3, 4, 8, 0, -5, 2, -2, -1, 7, 3, -1, -2, -3,
    -16, -10, -6, 7, 6, 2, -7, -15, 0, -12, 5, 8, -5, -1, -2, -13, 2, 1, 0, -15, 6, 0, -6, 3, 8, 18,
    14, -9, 9, -6, -4, -8, 7, -9, -8, 3, -2, 7, -3, -7, -8, -16, 15, 13, 10, 9, 0, -7, 2, 1, -5, -6,
    -7, -2, -2, -7, 9, 2, -9, -12, 1, -5, 2, 1, -4, 10, -9, 4, 0, -8, -4, -8, -6, 10, -8, 2, -4, -9,
    9, 2, -10, -5, 2, -14, 3, 2, 6, 2, -13, -9, -4, 11, -2, -3, 6, 3, -2, 5, -1, -20, -10, -8, 1,
    -5, -2, -3, 14, -17, -8, 2, 2, 3, -3, -10, 2, 20, -7, -2, 5, -9, -4, -5, 1, -8, -12, -6, -4, -3,
    8, -3, -1, -10, -2, -10, -2, 21, 0, -14, -19, -8, -22, -11, 4, -2, -6, -16, -15, 6, 4, -3, 6,
    10, -2, -12, -13, -15, 3, -4, 2, 0, -8, -4, 0, 16, -10, -8, 4, -1, -12, 3, 13, -19, -9, -11, -2,
    -2, 3, 3, 13, 17, -7, 3, 2, -2, 2, 9, 13, 0, 3, -9, -7, -2, -2, -14, 0, 8, 10, -1, -6, 2, 2, 7,
    -3, -15, -2, 2, 11, 6, 4, 2, 15, -16, -10, -7, -4, -7, -18, -4, 6, -19, 11, -11, 7, 7, -5, 14,
    -17, 15, -8, -2, -1, -3, 0, 0, 15, 12, 2, -2, -7, -2, 8, -6, -10, -4, 3, 6, 2, -2, -4, -1, 10,
    -12, -6, 2, -9, 2, 0, -2, -13, -3, -8, -11, -1, 0
};
static const int32_t pw_conv_biases[16] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
};

static const weight_s16_t fc1_weights[64] = {
    4, 7, 4, -2, 10, -12, -9, 5, -1, 1, 4, -15, 0, 6, -9, -8, 9, 8, -1, -14, -5, -6, -2, -9, 0, 31,
    2, 0, -11, 5, 2, 4, 6, -5, -11, -11, -2, 1, -8, -1, -6, -1, 7, 4, 2, -1, 1, 7, -11, -2, -4, -15,
    3, -9, 3, 12, -7, -6, 7, 6, 8, 2, -2, -4
};
static const int32_t fc1_biases[4] = {
    -13, -1, -11, 20
};

/* Layers, and what lies outside of their maps. Those that are not needed at one time share memory.
 *   bytes 0..5375: conv_1_relu [14][4][48], 0..994 as int16_t
 *   bytes 0..31: pw_conv_relu [1][1][16], 0..6642 as int16_t
 *   bytes 32..47: fc1 [4], -484867..438372 as int32_t
 *   bytes 5376..5855: fingerprint [30][4][4], -32..31 as uint8_t of value + 32
 *   bytes 5376..5471: max_pool [1][1][48], 0..7330 as int16_t
 *   bytes 5856..5951: OUTSIDE_s16_0 [48] as int16_t
 */
STATE union {
    struct {
        int16_t values[2688 * KWS_LANES];
    } conv_1_relu_out;
    struct {
        int16_t values[16 * KWS_LANES];
    } pw_conv_relu_out;
    struct {
        unsigned char before[32 * KWS_LANES];
        int32_t values[4 * KWS_LANES];
    } fc1_out;
    struct {
        unsigned char before[5376 * KWS_LANES];
        uint8_t values[480 * KWS_LANES];
    } fingerprint_out;
    struct {
        unsigned char before[5376 * KWS_LANES];
        int16_t values[48 * KWS_LANES];
    } max_pool_out;
    struct {
        unsigned char before[5856 * KWS_LANES];
        int16_t values[48 * KWS_LANES];
    } OUTSIDE_s16_0_out;
} memory;

#ifdef KWS_TAP
/* The values of a stored layer. */
static inline void tap_s16(const int16_t *in, int32_t offset, int32_t pixels, int32_t channels,
        kws_value_t *layer) {
    const int32_t step = (channels + 2 - 1) / 2 * 2 * KWS_LANES;
    for (int32_t i = 0; i < pixels * channels; ++i)
        KEEP_PASSING(layer, i, value_s16(in + i / channels * step, i % channels) - offset);
}

/* The values of a stored layer. */
static inline void tap_s32(const int32_t *in, int32_t offset, int32_t pixels, int32_t channels,
        kws_value_t *layer) {
    const int32_t step = (channels + 1 - 1) / 1 * 1 * KWS_LANES;
    for (int32_t i = 0; i < pixels * channels; ++i)
        KEEP_PASSING(layer, i, value_s32(in + i / channels * step, i % channels) - offset);
}

STATE kws_value_t conv_1_tap[2688 * KWS_LANES];
STATE kws_value_t conv_1_relu_tap[2688 * KWS_LANES];
STATE kws_value_t dw_conv_tap[2688 * KWS_LANES];
STATE kws_value_t dw_conv_relu_tap[2688 * KWS_LANES];
STATE kws_value_t max_pool_tap[48 * KWS_LANES];
STATE kws_value_t pw_conv_tap[16 * KWS_LANES];
STATE kws_value_t pw_conv_relu_tap[16 * KWS_LANES];
STATE kws_value_t fc1_tap[4 * KWS_LANES];

const kws_tap_t kws_taps[KWS_NODE_COUNT] = {
    {"conv_1", 2688, conv_1_tap},
    {"conv_1_relu", 2688, conv_1_relu_tap},
    {"dw_conv", 2688, dw_conv_tap},
    {"dw_conv_relu", 2688, dw_conv_relu_tap},
    {"max_pool", 48, max_pool_tap},
    {"pw_conv", 16, pw_conv_tap},
    {"pw_conv_relu", 16, pw_conv_relu_tap},
    {"fc1", 4, fc1_tap},
};
#endif

static const layer_t conv_1_layer = {{30, 4, 4}, {14, 4, 48}, {4, 1, 0}, {2, 1, 0}, {1, 1,
    0}, {0, 0, 0}};
static const ending_t conv_1_ending = {SHIFT_RELU, 3, 0, 0, 0, 0, 0, NO_POOL, 0 DOWNS(0)
    TAPS(conv_1_tap, 0)};
static const layer_t dw_conv_layer = {{14, 4, 48}, {14, 4, 48}, {3, 3, 0}, {1, 1, 0}, {1, 1,
    0}, {1, 1, 0}};
static const ending_t dw_conv_ending = {SHIFT_RELU, 4, 0, 0, 0, 0, 0, LARGEST, 0 DOWNS(0)
    TAPS(dw_conv_tap, dw_conv_relu_tap)};
static const layer_t pw_conv_layer = {{1, 1, 48}, {1, 1, 16}, {1, 1, 0}, {1, 1, 0}, {1, 1,
    0}, {0, 0, 0}};
static const ending_t pw_conv_ending = {SHIFT_RELU, 8, 0, 0, 0, 0, 0, NO_POOL, 0 DOWNS(0)
    TAPS(pw_conv_tap, 0)};
static const layer_t fc1_layer = {{1, 1, 16}, {1, 1, 4}, {1, 1, 0}, {1, 1, 0}, {1, 1, 0},
    {0, 0, 0}};
static const ending_t fc1_ending = {KEEP, 0, 0, 0, 0, 0, 0, NO_POOL, 0 DOWNS(0) TAPS(0, 0)};

static void infer(features_t features) {
    static const layer_t taken = {{30, 10, 1}, {30, 4, 4}, {1, 1, 0}, {1, 2, 0}, {1, 1, 0}, {0,
        0, 0}};
    fill_s16(memory.OUTSIDE_s16_0_out.values, 48, 0);
    take_input(features, &taken, 32, memory.fingerprint_out.values);
    /* convolution: conv_1 -7987..7952, conv_1_relu 0..994 */
    convolution_u8_s16(memory.fingerprint_out.values, 0, conv_1_weights, conv_1_biases,
                       &conv_1_layer, &conv_1_ending, memory.conv_1_relu_out.values);
    TAP(tap_s16(memory.conv_1_relu_out.values, 0, 56, 48, conv_1_relu_tap);)
    /* depthwise convolution: dw_conv -100394..117292, dw_conv_relu 0..7330, max_pool 0..7330 */
    depthwise_s16_s16(memory.conv_1_relu_out.values, memory.OUTSIDE_s16_0_out.values,
                      dw_conv_weights, dw_conv_biases, &dw_conv_layer, &dw_conv_ending,
                      memory.max_pool_out.values);
    TAP(tap_s16(memory.max_pool_out.values, 0, 1, 48, max_pool_tap);)
    /* convolution: pw_conv -2184340..1700560, pw_conv_relu 0..6642 */
    convolution_s16_s16(memory.max_pool_out.values, 0, pw_conv_weights, pw_conv_biases,
                        &pw_conv_layer, &pw_conv_ending, memory.pw_conv_relu_out.values);
    TAP(tap_s16(memory.pw_conv_relu_out.values, 0, 1, 16, pw_conv_relu_tap);)
    /* fully connected: fc1 -484867..438372 */
    convolution_s16_s32(memory.pw_conv_relu_out.values, 0, fc1_weights, fc1_biases, &fc1_layer,
                        &fc1_ending, memory.fc1_out.values);
    TAP(tap_s32(memory.fc1_out.values, 0, 1, 4, fc1_tap);)
}

#if KWS_LANES > 1
const char *const kws_key = KWS_KEY; /* what the library was made from */

/* The logits of many inputs; with KWS_TAP also layers[node][input][index]. */
void kws_infer_many(const int8_t *features, int64_t count, kws_logit_t *logits,
                    kws_value_t *const *layers) {
    for (int64_t first = 0; first < count; first += KWS_LANES) {
        const int lanes = count - first < KWS_LANES ? (int)(count - first) : KWS_LANES;
        features_t batch;
        batch.first = features + first * KWS_INPUT_COUNT;
        for (int lane = 0; lane < KWS_LANES; ++lane)
            batch.clip[lane] = (lane < lanes ? lane : 0) * KWS_INPUT_COUNT;
        infer(batch);
        for (int lane = 0; lane < lanes; ++lane)
            for (int i = 0; i < KWS_LABEL_COUNT; ++i)
                logits[(first + lane) * KWS_LABEL_COUNT + i] =
                    memory.fc1_out.values[i * KWS_LANES + lane];
#ifdef KWS_TAP
        for (int n = 0; n < KWS_NODE_COUNT; ++n)
            for (int lane = 0; lane < lanes; ++lane)
                for (int32_t i = 0; i < kws_taps[n].count; ++i)
                    layers[n][(first + lane) * kws_taps[n].count + i] =
                        kws_taps[n].values[i * KWS_LANES + lane];
#else
        (void)layers;
#endif
    }
}
#else
int kws_infer(const int8_t features[KWS_INPUT_COUNT], kws_logit_t logits[KWS_LABEL_COUNT]) {
    int label = 0;
    for (int32_t i = 0; i < KWS_INPUT_COUNT; ++i) {
        const int32_t feature = features[i];
        if (feature < KWS_INPUT_MIN || feature > KWS_INPUT_MAX) return -1;
    }
    infer(features);
    for (int i = 0; i < KWS_LABEL_COUNT; ++i) {
        logits[i] = memory.fc1_out.values[i];
        if (logits[i] > logits[label]) label = i;
    }
    return label;
}
#endif
