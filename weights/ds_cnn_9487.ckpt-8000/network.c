/* Integer inference of one keyword-spotting network; network.h says how to call it. Generated:
 * do not edit. C99, without floats and with static memory alone.
 * Network e2c2300c05a574c9aa7a14c0e75d0f82c6355530a491ab89bb1d0bb74a5a5162.
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
    -9, 7, 1, 25, 12, -16, -3, -4, 7, 30, 4, -17, -4, -11, -5, -7, 1, -15, 21, 3, -5, 6, 2, -13, 3,
    17, 8, -18, -4, -7, -5, 1, 5, 22, 31, -16, -3, 20, 6, -20, -7, -8, 0, 4, -9, -2, -12, -4, 8, 16,
    -16, -12, 0, 19, 11, -11, -5, -24, -5, 14, -15, 1, -4, -20, 1, -5, -1, -19, -8, -6, -22, -6, -4,
    8, -17, 13, 11, -18, 14, 7, 4, 1, 16, -5, -14, 14, 1, 13, 11, -7, -25, 16, 2, -18, -9, 2, 15,
    29, 31, 31, 4, 27, 31, 5, 13, -17, -8, 20, -5, -7, -22, -31, -4, -5, 10, 7, 16, 22, 16, 4, 5, 9,
    -5, -3, 2, 18, -3, -32, -4, 8, 16, -28, 6, -12, -9, -11, 8, -11, -27, -3, 6, 7, -10, 31, -1, 13,
    -15, -32, 5, 10, -2, 13, 4, 19, -23, 3, 6, -7, -10, 25, 13, 12, -26, -17, 8, -5, 2, 4, -12, -1,
    2, 28, -10, -16, 26, -19, -1, -15, -12, -7, -3, -32, 13, 20, 4, 5, 22, -21, -12, -4, 23, -32,
    -1, 27, -19, -24, -3, -2, -2, 10, -1, -13, 8, -5, 10, 3, -8, -2, 8, 13, -20, -17, 7, 15, -26, 7,
    10, 19, -6, -16, 8, 10, -18, -26, 3, -10, -7, -9, -11, 28, 1, 3, 0, 3, -23, -14, -6, 20, -2,
    -27, -5, -4, 8, -3, -9, 11, -1, -16, 3, 4, -24, -2, -18, 22, 7, -9, 0, 8, 4, -26, 4, -10, 3, 31,
    -15, -22, 5, -14, -4, 13, -1, -5, 13, 8, 12, -1, 7, 1, -18, 16, 0, 8, 3, -16, 8, 11, 2, -27, 1,
    -4, -11, -2, -1, 16, -12, -17, -1, 5, -1, -7, 4, -2, 20, -32, 6, 21, 7, -19, -5, 13, -3, -12,
    -14, -4, -18, -2, 8, 0, 14, -32, -10, -25, 11, -12, 22, 2, -23, -9, -8, 19, -2, 13, -2, -5, 18,
    -9, -1, -16, 13, -13, 5, 26, -7, 17, 2, 5, 31, -21, 23, -30, 9, 5, -8, -5, 5, -2, -7, 3, 12, 8,
    3, -5, 26, -27, -3, -8, 1, 5, -7, -20, 0, 3, -9, -29, 15, -19, -3, 5, 4, -32, 0, -14, -3, -14,
    1, 23, 17, 11, -12, 29, -1, 11, -5, 3, -17, 12, -15, -6, -12, 20, -12, 15, 16, -3, -1, -13, -3,
    -5, -6, 13, -10, 7, -6, 9, -8, 15, -3, -13, -23, -3, 4, -22, 15, -10, -6, 21, -3, -6, -6, 5, -9,
    -5, 15, 4, -8, -19, 1, -18, 16, -9, -8, 9, -11, -7, -8, -14, -18, -10, -8, 9, 3, -32, -13, 10,
    23, 20, -10, -6, -8, -5, -12, 19, 2, -3, 1, 3, -32, 9, -8, 15, 30, 13, -7, -6, -4, 9, -7, -7,
    -14, -4, 3, -16, -17, 2, 6, -3, 7, -6, -1, -12, -4, 14, 8, -13, -1, -23, 10, -10, 6, 7, 10, -4,
    -25, -19, -8, -13, -6, 5, 14, -5, 12, -11, 6, -28, -32, -1, 24, -3, -12, -4, 13, 11, 4, -9, 2,
    -21, -17, -3, -11, -22, -21, 28, 17, -10, -26, -3, 9, 7, 4, 4, -6, 31, 31, -3, -16, -4, 17, 20,
    0, -5, -17, -5, -4, -2, 10, 20, 8, -24, -12, 22, 7, 6, 22, 1, -11, 8, -8, 3, -18, 4, -6, 21, -5,
    7, -5, -15, 9, 2, 28, -18, 2, -3, 7, 16, -6, 15, 3, 5, 0, -8, 18, 13, 13, -15, -21, -6, 4, -22,
    27, -14, 14, 11, -3, -8, -2, -11, 19, -4, 5, 29, -16, 23, 3, -20, 31, 2, 15, 10, -11, -9, 1,
    -13, 22, -24, -14, 21, -2, 31, -6, 13, 6, -3, -5, 3, -12, -9, 4, -9, 19, -16, -3, 20, -3, -9,
    -6, 31, 15, 17, -12, -12, 5, 4, 10, -32, 2, -16, -1, 24, -16, 5, -2, 16, 3, 7, 0, -7, 0, -13,
    -4, -10, -11, -12, 3, 14, -19, 0, 16, -11, -3, -6, 9, 20, 6, -11, 2, -5, 31, 12, 4, -12, -7, 12,
    4, -10, -10, -14, 10, 11, -4, -4, -2, -32, -14, -32, -13, 21, -6, 2, 6, 14, -4, -23, -14, 15,
    25, 11, 11, -3, 9, -13, 17, -32, -9, 4, -10, 10, 9, -1, 2, 0, 17, -3, 14, 5, 27, -19, 4, -2,
    -23, 5, 0, 4, 18, 5, 7, -8, -13, -19, -21, -1, 6, 9, 4, 6, -22, -23, 2, 15, 20, 3, 8, -4, -30,
    -17, 8, 4, -9, -11
};
static const int32_t conv_1_biases[48] = {
    -2304, -32, -96, 3424, -3392, -3104, -288, 2848, 3072, -224, 96, -128, 1920, -384, 1824, 1152,
    -544, -416, 2976, 736, 2784, -224, -320, 864, -576, 576, 448, 2176, 1984, -1792, 1984, 1440,
    896, 1664, -2176, 320, -2208, -1376, -416, -288, -384, -1504, -64, 3616, 2144, -2176, 736, -512
};

#if KWS_LANES > 1
static const single_t dw_conv_weights[432] = {
    65535, -1114112, 65517, 786432, 1, -1179648, 0, 851968, 18, -1048576, 65504, -655360, 11,
    851968, 65528, 196608, 65525, 1114112, 8, 917504, 65512, 65536, 23, 131072, 65517, -1376256,
    65533, -1245184, 5, 983040, 1, 1048576, 65522, -262144, 14, -65536, 65507, -786432, 65524,
    -458752, 18, 196608, 2, 1245184, 65524, 917504, 65521, 786432, 9, 0, 12, 327680, 0, 262144,
    65534, 917504, 13, 786432, 6, -458752, 65521, -262144, 65521, 262144, 3, -458752, 65535, 393216,
    65533, 851968, 65524, 393216, 2, 196608, 65517, 524288, 65517, -1703936, 65529, -327680, 1, 0,
    65529, 589824, 15, 1245184, 4, -262144, 65526, -65536, 2, -196608, 9, 655360, 7, 524288, 65524,
    -196608, 65522, 393216, 27, 655360, 25, -262144, 65504, 1245184, 0, 1310720, 4, -393216, 10,
    65536, 7, 851968, 65504, -917504, 65504, -655360, 65504, 589824, 65530, -65536, 65516, -720896,
    1, -1572864, 0, -2097152, 65507, -983040, 9, 2031616, 65529, 131072, 65534, 851968, 16, 196608,
    15, 851968, 5, -720896, 15, -1703936, 10, 0, 65515, -65536, 5, -131072, 9, -327680, 65533,
    786432, 65529, 65536, 4, 0, 14, 655360, 65508, 786432, 3, -131072, 9, 1245184, 65527, -262144,
    7, -1441792, 9, -786432, 6, -65536, 65520, 327680, 65515, 0, 8, 327680, 3, -786432, 7, 393216,
    65531, 1638400, 23, -720896, 16, 458752, 6, -1966080, 65508, 524288, 12, -720896, 65532, 720896,
    0, 1245184, 7, -458752, 5, -458752, 19, -262144, 18, -655360, 2, -131072, 65531, -851968, 3,
    458752, 3, 131072, 65525, -262144, 65526, 131072, 65508, -983040, 18, 851968, 65522, 262144,
    65526, 524288, 65524, -458752, 0, 786432, 7, -851968, 5, -458752, 65535, -524288, 14, 196608,
    18, 720896, 65526, 1507328, 65531, 262144, 65528, 524288, 65527, -589824, 65532, 1441792, 8,
    -786432, 15, -1638400, 65513, 1572864, 65510, -1376256, 65533, -1376256, 3, -2097152, 65521,
    -1376256, 0, -65536, 65512, -65536, 65530, -851968, 20, 2031616, 16, 2031616, 65519, -589824,
    65525, 655360, 65521, -1835008, 65526, -2097152, 3, -1572864, 65533, 655360, 65515, -917504,
    65528, -65536, 5, 0, 65530, 851968, 65534, 589824, 12, -131072, 65519, -65536, 65534, 917504,
    16, 65536, 5, -1441792, 1, 262144, 65531, 1376256, 7, -2097152, 11, 65536, 12, -65536, 17,
    131072, 65518, -851968, 15, 786432, 65530, 917504, 2, 1245184, 65533, -262144, 3, 983040, 65529,
    655360, 14, 720896, 65532, 1114112, 0, 196608, 4, 589824, 6, -983040, 65529, 393216, 14, 65536,
    4, 589824, 65530, 983040, 14, 262144, 65529, -1245184, 0, 131072, 65525, 196608, 21, 983040, 5,
    -1048576, 15, -393216, 65519, 327680, 5, 327680, 7, -1376256, 0, -196608, 9, 655360, 7,
    -1441792, 28, -720896, 1, 720896, 65512, -458752, 11, 1048576, 65525, 1048576, 26, -1572864,
    65523, 1507328, 22, -1376256, 65504, -851968, 7, 1245184, 3, 851968, 7, -1179648, 65504,
    -720896, 3, -1703936, 9, -458752, 65528, -196608, 65534, -1048576, 65504, 131072, 8, 1376256,
    13, 327680, 6, 2031616, 65522, 327680, 29, 524288, 5, -1310720, 65522, 917504, 14, -327680,
    65526, -1179648
};
#else
static const single_t dw_conv_weights[432] = {
    -1, -17, -19, 12, 1, -18, 0, 13, 18, -16, -32, -10, 11, 13, -8, 3, -11, 17, 8, 14, -24, 1, 23,
    2, -19, -21, -3, -19, 5, 15, 1, 16, -14, -4, 14, -1, -29, -12, -12, -7, 18, 3, 2, 19, -12, 14,
    -15, 12, 9, 0, 12, 5, 0, 4, -2, 14, 13, 12, 6, -7, -15, -4, -15, 4, 3, -7, -1, 6, -3, 13, -12,
    6, 2, 3, -19, 8, -19, -26, -7, -5, 1, 0, -7, 9, 15, 19, 4, -4, -10, -1, 2, -3, 9, 10, 7, 8, -12,
    -3, -14, 6, 27, 10, 25, -4, -32, 19, 0, 20, 4, -6, 10, 1, 7, 13, -32, -14, -32, -10, -32, 9, -6,
    -1, -20, -11, 1, -24, 0, -32, -29, -15, 9, 31, -7, 2, -2, 13, 16, 3, 15, 13, 5, -11, 15, -26,
    10, 0, -21, -1, 5, -2, 9, -5, -3, 12, -7, 1, 4, 0, 14, 10, -28, 12, 3, -2, 9, 19, -9, -4, 7,
    -22, 9, -12, 6, -1, -16, 5, -21, 0, 8, 5, 3, -12, 7, 6, -5, 25, 23, -11, 16, 7, 6, -30, -28, 8,
    12, -11, -4, 11, 0, 19, 7, -7, 5, -7, 19, -4, 18, -10, 2, -2, -5, -13, 3, 7, 3, 2, -11, -4, -10,
    2, -28, -15, 18, 13, -14, 4, -10, 8, -12, -7, 0, 12, 7, -13, 5, -7, -1, -8, 14, 3, 18, 11, -10,
    23, -5, 4, -8, 8, -9, -9, -4, 22, 8, -12, 15, -25, -23, 24, -26, -21, -3, -21, 3, -32, -15, -21,
    0, -1, -24, -1, -6, -13, 20, 31, 16, 31, -17, -9, -11, 10, -15, -28, -10, -32, 3, -24, -3, 10,
    -21, -14, -8, -1, 5, 0, -6, 13, -2, 9, 12, -2, -17, -1, -2, 14, 16, 1, 5, -22, 1, 4, -5, 21, 7,
    -32, 11, 1, 12, -1, 17, 2, -18, -13, 15, 12, -6, 14, 2, 19, -3, -4, 3, 15, -7, 10, 14, 11, -4,
    17, 0, 3, 4, 9, 6, -15, -7, 6, 14, 1, 4, 9, -6, 15, 14, 4, -7, -19, 0, 2, -11, 3, 21, 15, 5,
    -16, 15, -6, -17, 5, 5, 5, 7, -21, 0, -3, 9, 10, 7, -22, 28, -11, 1, 11, -24, -7, 11, 16, -11,
    16, 26, -24, -13, 23, 22, -21, -32, -13, 7, 19, 3, 13, 7, -18, -32, -11, 3, -26, 9, -7, -8, -3,
    -2, -16, -32, 2, 8, 21, 13, 5, 6, 31, -14, 5, 29, 8, 5, -20, -14, 14, 14, -5, -10, -18
};
#endif
static const int32_t dw_conv_biases[48] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
};

static const weight_s16_t pw_conv_weights[768] = {
    21, 1, -2, -3, -7, -5, 11, -19, -15, 2, 11, 5, -4, -2, -8, 7, 8, -14, 12, 15, -1, -5, 1, 1, 2,
    -11, -1, 6, -12, 5, -6, -25, 2, 0, -6, 6, 0, -3, 2, -4, -6, -16, -7, 9, 6, -2, 24, -15, -10, 11,
    -3, 3, 16, -5, -3, 0, -4, -3, 7, -2, -21, 1, 7, -1, 7, -3, 4, 6, -13, -15, 1, -9, 1, 2, -7, 2,
    -3, 12, -5, -9, 15, 8, 1, 0, -5, -3, -16, 18, 6, 11, 5, 17, -13, -4, 10, 8, -4, 2, -2, -1, -4,
    -3, -6, -13, 4, 17, -11, 7, -4, 14, 6, 0, 2, 2, -7, 9, 1, -12, -6, 2, 9, -7, -5, -10, 6, -7, 5,
    -5, 21, 5, 16, 13, -10, -3, 16, 17, -13, -2, 0, 4, -8, 8, -6, -9, 9, -11, 3, -6, 4, -6, 24, -12,
    13, 0, 3, 5, 2, -9, 18, 21, -1, -1, -4, 7, 6, -5, -10, -11, -18, -2, 2, -1, 0, 3, 0, 0, 3, -13,
    4, -16, -11, 1, -13, 12, -2, 5, 25, -1, 4, -15, 9, -13, 6, 17, -3, 1, 3, -14, 2, 11, 2, -4, -3,
    -3, 3, -19, 3, -4, 0, 3, -13, 3, -22, 3, -12, 6, 10, 16, 5, -12, 7, 0, 16, 10, -9, -3, 1, 2, 20,
    14, 1, 8, -2, 10, -14, -5, 7, -4, 8, 24, -7, -7, 4, 3, 17, -1, 9, -24, -3, 16, 4, 2, 26, -12, 2,
    -1, -11, 23, -4, 5, -14, 1, -3, 12, 10, 1, -11, 2, 2, -6, 4, 26, 8, -29, -7, -11, -3, 1, 2, -12,
    -13, 1, -3, -10, 10, -11, -12, 2, -4, 10, -9, 7, 3, -2, 9, 9, -16, -6, 6, -8, 0, 6, -13, -7, 4,
    11, -11, 6, -1, -6, 7, 6, -2, 9, 2, -8, -8, 20, -3, -5, 0, -3, -10, -6, 6, 13, 8, -15, 3, -4,
    -5, 5, 10, -20, 12, -1, -26, 3, 1, -18, 14, 10, -4, 15, -2, -6, 7, -1, 0, 7, -12, -8, -9, 5, 9,
    2, 5, -14, 13, 15, -5, -10, -3, 1, 12, -9, -8, -12, 18, -5, -3, -3, -8, 13, 11, -8, -7, 1, 3,
    -3, 12, 7, 5, 14, 9, -20, 24, -4, -11, -15, 14, 8, -20, 22, -10, -13, 3, 1, -8, -11, 13, -11,
    12, -4, -1, -5, 13, -15, 1, 9, 3, -3, 21, -19, 0, 3, 1, 11, 14, 13, 14, 2, -1, 6, 14, 4, 25, 17,
    -1, 6, 3, 18, 17, -21, -2, 13, 12, -10, 4, 0, 6, -4, 11, -7, -3, -11, 7, 10, 12, -10, -7, -3,
    -13, -17, -9, 6, -6, 3, -15, 5, 11, 15, 8, 2, 7, -6, -15, 12, -14, 9, 6, -12, 10, 1, 20, 2, 15,
    -14, -7, -8, 0, -20, 13, -3, 0, 5, 10, 8, -27, -12, -19, -6, -2, 18, -1, 5, 3, -32, 12, -12, 7,
    -18, 15, -23, -18, -17, -27, 0, -1, 4, -11, 22, 4, -2, 7, 2, -1, 4, -9, -1, -27, 31, -7, 31, 14,
    6, 3, 8, 3, -17, 17, 16, 7, 7, -6, 6, 17, 3, 9, 1, -2, 7, -11, 2, 1, 11, 3, -7, 19, -10, -7,
    -11, -10, 12, 3, 13, 13, 4, 9, 4, 4, -5, -7, 11, -5, 3, -7, 8, -25, 6, -8, 28, -15, 11, -17, 17,
    2, -5, 13, 1, -14, 9, -7, -4, 8, -8, -4, -7, 23, -1, 17, 1, -6, -17, -8, -15, 0, 19, -9, 13, 9,
    7, 10, 0, -10, 10, -4, 7, -4, 12, 2, 12, -2, -15, 3, -6, 8, 5, -1, 5, -13, 5, -2, -13, 2, -13,
    11, -8, -10, -8, 2, -2, 5, -11, 5, -1, -16, 19, 8, -7, 2, 0, -14, -1, 7, 17, -5, -11, 10, 0, 7,
    7, -3, -3, 2, -6, 1, -18, 1, -4, -3, 7, -10, 10, -3, -8, -9, -9, -2, 11, 11, -3, -2, 4, 15, 17,
    -10, -2, -12, -10, -8, -9, 10, 10, -17, 5, -8, 6, 7, -2, 8, 1, -10, 18, -13, 10, 1, 4, -1, 7, 8,
    -11, 8, 2, 3, -2, -4, -10, -4, 5, 29, 25, 0, -7, 11, -6, 12, -14, 1, 1, -9, -6, -6, 15, 3, -8,
    -9, -17, -2, -2, -13, 1, 3, -5, 16, 9, 0, 0, 20, 6, -9, 13, -10, -1, -5, -3, 5, -7, -18, -2, -1,
    -4, -2, -2, 0, 13, 6, 0, 5, -8, 3, 2, -6, 0, 19, -16, 10, -15
};
static const int32_t pw_conv_biases[16] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
};

static const weight_s16_t fc1_weights[64] = {
    13, -12, -6, -2, 3, 2, -2, 3, -7, -13, -2, 0, -5, 21, 2, -10, -12, -2, 1, -11, -25, 5, 1, -5,
    -32, -5, 13, 9, 8, -12, -14, 7, 23, 31, -7, 0, -7, 0, -12, -6, 2, 4, 17, 9, 0, -4, -12, -6, -11,
    7, 4, 14, -3, -2, -16, 4, -22, -32, -6, 2, -4, 13, 9, 5
};
static const int32_t fc1_biases[4] = {
    78, -60, -29, 30
};

/* Layers, and what lies outside of their maps. Those that are not needed at one time share memory.
 *   bytes 0..5375: conv_1_relu [14][4][48], 0..991 as int16_t
 *   bytes 0..31: pw_conv_relu [1][1][16], 0..10354 as int16_t
 *   bytes 32..47: fc1 [4], -1532392..828398 as int32_t
 *   bytes 5376..5855: fingerprint [30][4][4], -32..31 as uint8_t of value + 32
 *   bytes 5376..5471: max_pool [1][1][48], 0..7866 as int16_t
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
    /* convolution: conv_1 -8004..7935, conv_1_relu 0..991 */
    convolution_u8_s16(memory.fingerprint_out.values, 0, conv_1_weights, conv_1_biases,
                       &conv_1_layer, &conv_1_ending, memory.conv_1_relu_out.values);
    TAP(tap_s16(memory.conv_1_relu_out.values, 0, 56, 48, conv_1_relu_tap);)
    /* depthwise convolution: dw_conv -103064..125857, dw_conv_relu 0..7866, max_pool 0..7866 */
    depthwise_s16_s16(memory.conv_1_relu_out.values, memory.OUTSIDE_s16_0_out.values,
                      dw_conv_weights, dw_conv_biases, &dw_conv_layer, &dw_conv_ending,
                      memory.max_pool_out.values);
    TAP(tap_s16(memory.max_pool_out.values, 0, 1, 48, max_pool_tap);)
    /* convolution: pw_conv -2438460..2650842, pw_conv_relu 0..10354 */
    convolution_s16_s16(memory.max_pool_out.values, 0, pw_conv_weights, pw_conv_biases,
                        &pw_conv_layer, &pw_conv_ending, memory.pw_conv_relu_out.values);
    TAP(tap_s16(memory.pw_conv_relu_out.values, 0, 1, 16, pw_conv_relu_tap);)
    /* fully connected: fc1 -1532392..828398 */
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
