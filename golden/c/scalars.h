/* What the kernels compute with, for one clip; lanes.h has the same functions for several.
 *
 * network.c holds those that it needs. A group of channels is 32 bits (golden/c/steps.py), so that
 * `group` points at the first of 4, 2 or 1 values. What is shifted to the right is never negative.
 */

typedef int32_t acc_t;
typedef int64_t wide_t;
typedef int8_t weight_u8_t;
typedef int8_t weight_s16_t;
typedef int8_t weight_s32_t;
typedef int8_t single_t;

static inline int32_t splat(int32_t value) { return value; }

static inline int64_t splat_wide(int64_t value) { return value; }

static inline int32_t narrowed(int64_t value) { return (int32_t)value; }

static inline int64_t widened(int32_t value) { return value; }

static inline int32_t load_u8(const uint8_t *group, int32_t channel) { return group[channel]; }

static inline int32_t load_s16(const int16_t *group, int32_t channel) { return group[channel]; }

static inline int32_t load_s32(const int32_t *group, int32_t channel) { return group[channel]; }

static inline int64_t load_s64(const int64_t *group, int32_t channel) { return group[channel]; }

static inline void store_u8(uint8_t *group, const int32_t *values) {
    group[0] = (uint8_t)values[0];
    group[1] = (uint8_t)values[1];
    group[2] = (uint8_t)values[2];
    group[3] = (uint8_t)values[3];
}

static inline void store_s16(int16_t *group, const int32_t *values) {
    group[0] = (int16_t)values[0];
    group[1] = (int16_t)values[1];
}

static inline void store_s32(int32_t *group, const int32_t *values) { group[0] = values[0]; }

static inline void store_s64(int64_t *group, const int64_t *values) { group[0] = values[0]; }

static inline int32_t dot_u8(int32_t sum, const uint8_t *x, const int8_t *w) {
    return sum + x[0] * w[0] + x[1] * w[1] + x[2] * w[2] + x[3] * w[3];
}

static inline int32_t dot_s16(int32_t sum, const int16_t *x, const int8_t *w) {
    return sum + x[0] * w[0] + x[1] * w[1];
}

static inline int32_t dot_s32(int32_t sum, const int32_t *x, const int8_t *w) {
    return sum + x[0] * w[0];
}

static inline int32_t single_u8(int32_t sum, const uint8_t *x, int32_t channel, const int8_t *w) {
    return sum + x[channel] * w[0];
}

static inline int32_t single_s16(int32_t sum, const int16_t *x, int32_t channel, const int8_t *w) {
    return sum + x[channel] * w[0];
}

static inline int32_t single_s32(int32_t sum, const int32_t *x, int32_t channel, const int8_t *w) {
    return sum + x[channel] * w[0];
}

static inline int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

static inline int64_t larger_wide(int64_t a, int64_t b) { return a > b ? a : b; }

static inline int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }

/* value / 2^shift, rounded towards minus infinity. */
static inline int32_t floor_shift(int32_t value, int32_t shift) {
    return value >= 0 ? value >> shift : ~(~value >> shift);
}

static inline int64_t floor_shift_wide(int64_t value, int32_t shift) {
    return value >= 0 ? value >> shift : ~(~value >> shift);
}

/* value * multiplier / 2^shift to the nearest integer, ties up; it fits 32 bits. */
static inline int32_t scaled(int32_t value, int32_t multiplier, int32_t shift) {
    const int64_t raised = (int64_t)value * multiplier + (INT64_C(1) << (shift - 1));
    return (int32_t)(raised >= 0 ? raised >> shift : ~(~raised >> shift));
}

/* What is left of all rules where results below 0 become 0 and exponents are negative: there, ties
 * up are ties away from zero, and to round twice is to add half of the first last place. */
static inline int32_t scaled_down(int32_t value, const ending_t *e, int32_t at) {
    const int32_t shift = 31 - e->exponents[at];
    const int64_t half = (INT64_C(1) << (shift - 1)) + (e->rule == DOWN_TWICE ? 1 << 30 : 0);
    const int64_t sum = (int64_t)value * e->multipliers[at] + half;
    return (int32_t)(sum >= 0 ? sum >> shift : ~(~sum >> shift));
}

/* value * 2^shift, which fits. */
static inline int32_t raised(int32_t value, int32_t shift) { return value * (INT32_C(1) << shift); }

static inline int32_t magnitude(int32_t value) { return value < 0 ? -value : value; }

static inline int64_t magnitude_wide(int64_t value) { return value < 0 ? -value : value; }

/* A magnitude with the sign of another value. */
static inline int32_t signed_as(int32_t value, int32_t sign) { return sign < 0 ? -value : value; }

static inline int64_t signed_as_wide(int64_t value, int64_t sign) {
    return sign < 0 ? -value : value;
}

/* 1 below 0, else 0. */
static inline int32_t is_negative(int32_t value) { return value < 0; }

static inline void keep(kws_value_t *layer, int32_t index, int32_t value) { layer[index] = value; }

static inline void keep_wide(kws_value_t *layer, int32_t index, int64_t value) {
    layer[index] = value;
}

typedef const int8_t *features_t;

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
