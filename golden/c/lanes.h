/* The values of KWS_LANES clips side by side: what network.c computes with when it is compiled for
 * the host. It stands in for the scalar functions of the same names in network.c.
 *
 * In memory, every group of channels (golden/c/steps.py) is 32 bits of one clip, and the groups of
 * all lanes follow each other. Vectors are those of GNU C, which any processor has; AVX-512 with
 * VNNI, AVX2 and SSE2 multiply and add several values in one instruction.
 */

#ifndef LANES_H
#define LANES_H

#if KWS_LANES != 16
#error "KWS_LANES: expected 1 or 16"
#endif

/* KWS_PLAIN leaves processors' own instructions out, to try what other processors run. */
#if defined(__AVX512VNNI__) && !defined(KWS_PLAIN)
#define HAS_VNNI
#endif
#if defined(__AVX512BW__) && !defined(KWS_PLAIN)
#define HAS_AVX512
#elif defined(__AVX2__) && !defined(KWS_PLAIN)
#define HAS_AVX2
#elif defined(__SSE2__) && !defined(KWS_PLAIN)
#define HAS_SSE2
#endif
#if defined(HAS_AVX512) || defined(HAS_AVX2) || defined(HAS_SSE2)
#include <immintrin.h>
#endif

typedef int32_t acc_t __attribute__((vector_size(64)));
typedef int32_t stored_t __attribute__((vector_size(64), may_alias)); /* groups in memory */
typedef int64_t wide_t __attribute__((vector_size(128)));
typedef int64_t stored_wide_t __attribute__((vector_size(128), aligned(64), may_alias));

typedef int8_t weight_u8_t;
typedef int16_t weight_s16_t;
typedef int32_t weight_s32_t;
typedef int64_t weight_s64_t;
typedef int32_t single_t; /* a weight where its channel stands in a group, else 0 */

/* Each thread has its own memory; where layers are kept, there is one. */
#ifdef KWS_TAP
#define STATE static __attribute__((aligned(64)))
#else
#define STATE static __thread __attribute__((aligned(64)))
#endif
#define FOURS 2 /* of outputs computed at a time */
#define KERNEL static inline __attribute__((always_inline, unused))
#define INLINE static inline __attribute__((always_inline, unused))

INLINE acc_t splat(int32_t value) { return (acc_t){0} + value; }
INLINE wide_t splat_wide(int64_t value) { return (wide_t){0} + value; }
INLINE acc_t narrowed(wide_t value) { return __builtin_convertvector(value, acc_t); }
INLINE wide_t widened(acc_t value) { return __builtin_convertvector(value, wide_t); }

INLINE acc_t load_u8(const uint8_t *group, int32_t channel) {
    return *(const stored_t *)group >> 8 * channel & 255;
}
INLINE acc_t load_s16(const int16_t *group, int32_t channel) {
    return *(const stored_t *)group << 16 * (1 - channel) >> 16;
}
INLINE acc_t load_s32(const int32_t *group, int32_t channel) {
    (void)channel;
    return *(const stored_t *)group;
}
INLINE wide_t load_s64(const int64_t *group, int32_t channel) {
    (void)channel;
    return *(const stored_wide_t *)group;
}

INLINE void store_u8(uint8_t *group, const acc_t *v) {
    *(stored_t *)group = v[0] | v[1] << 8 | v[2] << 16 | v[3] << 24;
}
INLINE void store_s16(int16_t *group, const acc_t *v) {
    *(stored_t *)group = (v[0] & 0xffff) | v[1] << 16;
}
INLINE void store_s32(int32_t *group, const acc_t *v) { *(stored_t *)group = v[0]; }
INLINE void store_s64(int64_t *group, const wide_t *v) { *(stored_wide_t *)group = v[0]; }

/* Two products of 16 bits each, added to every lane. */
INLINE acc_t dot_pairs(acc_t sum, acc_t x, acc_t w) {
#ifdef HAS_VNNI
    return (acc_t)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)x, (__m512i)w);
#elif defined(HAS_AVX512)
    return sum + (acc_t)_mm512_madd_epi16((__m512i)x, (__m512i)w);
#elif defined(HAS_AVX2)
    union { acc_t all; __m256i part[2]; } a = {x}, b = {w};
    for (int i = 0; i < 2; ++i) a.part[i] = _mm256_madd_epi16(a.part[i], b.part[i]);
    return sum + a.all;
#elif defined(HAS_SSE2)
    union { acc_t all; __m128i part[4]; } a = {x}, b = {w};
    for (int i = 0; i < 4; ++i) a.part[i] = _mm_madd_epi16(a.part[i], b.part[i]);
    return sum + a.all;
#else
    return sum + (x << 16 >> 16) * (w << 16 >> 16) + (x >> 16) * (w >> 16);
#endif
}

/* Four products of a byte without and a byte with a sign, added to every lane. */
INLINE acc_t dot_bytes(acc_t sum, acc_t x, int32_t w) {
#ifdef HAS_VNNI
    return (acc_t)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, _mm512_set1_epi32(w));
#else
    const acc_t four = splat(w);
    const acc_t even = ((four << 24 >> 24) & 0xffff) | four << 8 >> 24 << 16;
    const acc_t odd = ((four << 16 >> 24) & 0xffff) | four >> 24 << 16;
    sum = dot_pairs(sum, x & 0x00ff00ff, even);
    return dot_pairs(sum, x >> 8 & 0x00ff00ff, odd);
#endif
}

INLINE int32_t word_of(const void *weights) {
    int32_t word;
    __builtin_memcpy(&word, weights, sizeof word);
    return word;
}

INLINE acc_t dot_u8(acc_t sum, const uint8_t *x, const weight_u8_t *w) {
    return dot_bytes(sum, *(const stored_t *)x, word_of(w));
}
INLINE acc_t dot_s16(acc_t sum, const int16_t *x, const weight_s16_t *w) {
    return dot_pairs(sum, *(const stored_t *)x, splat(word_of(w)));
}
INLINE acc_t dot_s32(acc_t sum, const int32_t *x, const weight_s32_t *w) {
    return sum + *(const stored_t *)x * w[0];
}

INLINE acc_t single_u8(acc_t sum, const uint8_t *x, int32_t channel, const single_t *w) {
    (void)channel;
    return dot_bytes(sum, *(const stored_t *)x, *w);
}
INLINE acc_t single_s16(acc_t sum, const int16_t *x, int32_t channel, const single_t *w) {
    (void)channel;
    return dot_pairs(sum, *(const stored_t *)x, splat(*w));
}
INLINE acc_t single_s32(acc_t sum, const int32_t *x, int32_t channel, const single_t *w) {
    (void)channel;
    return sum + *(const stored_t *)x * *w;
}

INLINE acc_t larger(acc_t a, acc_t b) {
#ifdef HAS_AVX512
    return (acc_t)_mm512_max_epi32((__m512i)a, (__m512i)b);
#else
    const acc_t first = a > b;
    return (a & first) | (b & ~first);
#endif
}
INLINE wide_t larger_wide(wide_t a, wide_t b) {
    const wide_t first = a > b;
    return (a & first) | (b & ~first);
}
INLINE acc_t smaller(acc_t a, acc_t b) {
#ifdef HAS_AVX512
    return (acc_t)_mm512_min_epi32((__m512i)a, (__m512i)b);
#else
    return ~larger(~a, ~b);
#endif
}

INLINE acc_t floor_shift(acc_t value, int32_t shift) { return value >> shift; }
INLINE wide_t floor_shift_wide(wide_t value, int32_t shift) { return value >> shift; }

/* value * multiplier / 2^shift to the nearest integer, ties up; it fits 32 bits. */
INLINE acc_t scaled(acc_t value, int32_t multiplier, int32_t shift) {
#ifdef HAS_AVX512
    const __m512i factor = _mm512_set1_epi32(multiplier), x = (__m512i)value;
    const __m512i half = _mm512_set1_epi64(INT64_C(1) << (shift - 1));
    const __m128i count = _mm_cvtsi32_si128(shift);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(x, factor), half);
    const __m512i high = _mm512_srli_epi64(x, 32);
    const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(high, factor), half);
    return (acc_t)_mm512_mask_blend_epi32(
        0xaaaa, _mm512_sra_epi64(even, count),
        _mm512_slli_epi64(_mm512_sra_epi64(odd, count), 32));
#else
    return narrowed((widened(value) * multiplier + (INT64_C(1) << (shift - 1))) >> shift);
#endif
}

/* (value * multiplier + half) / 2^(32 + shift), rounded down. */
INLINE acc_t scaled_down(acc_t value, const ending_t *e, int32_t at) {
    const int32_t multiplier = e->multipliers[at], shift = e->downs[at].shift;
    const int64_t half = e->downs[at].half;
#ifdef HAS_AVX512
    const __m512i factor = _mm512_set1_epi32(multiplier), halves = _mm512_set1_epi64(half);
    const __m512i x = (__m512i)value, odd = _mm512_srli_epi64(x, 32);
    const __m512i low = _mm512_add_epi64(_mm512_mul_epi32(x, factor), halves);
    const __m512i high = _mm512_add_epi64(_mm512_mul_epi32(odd, factor), halves);
    const __m512i upper = _mm512_mask_shuffle_epi32(high, 0x5555, low, _MM_PERM_DDBB);
    return (acc_t)_mm512_srav_epi32(upper, _mm512_set1_epi32(shift));
#else
    return narrowed((widened(value) * multiplier + half) >> 32 >> shift);
#endif
}

INLINE acc_t raised(acc_t value, int32_t shift) { return value << shift; }

/* |value|, and that with the sign of another. */
INLINE acc_t magnitude(acc_t value) { return (value ^ value >> 31) - (value >> 31); }
INLINE acc_t signed_as(acc_t value, acc_t sign) { return (value ^ sign >> 31) - (sign >> 31); }
INLINE wide_t magnitude_wide(wide_t value) { return (value ^ value >> 63) - (value >> 63); }
INLINE wide_t signed_as_wide(wide_t value, wide_t sign) {
    return (value ^ sign >> 63) - (sign >> 63);
}

/* 1 where a value is negative, else 0. */
INLINE acc_t is_negative(acc_t value) { return -(value >> 31); }

INLINE void keep(kws_value_t *layer, int32_t index, acc_t value) {
    for (int i = 0; i < KWS_LANES; ++i) layer[index * KWS_LANES + i] = value[i];
}
INLINE void keep_wide(kws_value_t *layer, int32_t index, wide_t value) {
    for (int i = 0; i < KWS_LANES; ++i)
        layer[index * KWS_LANES + i] = (kws_value_t)value[i];
}

typedef struct {
    const int8_t *first;
    acc_t clip; /* where the clip of each lane begins behind the first */
} features_t;

/* Four values of each clip, as bytes. */
INLINE acc_t four_values(features_t features, int32_t at) {
    acc_t word;
    for (int i = 0; i < KWS_LANES; ++i) word[i] = word_of(features.first + features.clip[i] + at);
    return word;
}

INLINE void take_input(features_t features, const layer_t *l, int32_t offset, uint8_t *out) {
    typedef uint8_t bytes_t __attribute__((vector_size(64)));
    const int32_t row = l->from.coefficient * l->from.channel;
    for (int32_t t = 0; t < l->to.time; ++t)
        for (int32_t c = 0; c < l->to.coefficient; ++c)
            for (int32_t k = 0; k < l->to.channel; k += 4, out += 4 * KWS_LANES) {
                const int32_t x =
                    (c * l->stride.coefficient - l->pad.coefficient) * l->from.channel + k;
                if (x >= 0 && x + 4 <= row) {
                    const bytes_t values = (bytes_t)four_values(features, t * row + x);
                    *(stored_t *)out = (stored_t)(values - (uint8_t)KWS_INPUT_MIN);
                    continue;
                }
                for (int32_t i = 0; i < 4 * KWS_LANES; ++i) {
                    const int32_t at = x + i % 4;
                    const int8_t *const clip = features.first + features.clip[i / 4];
                    const int inside = at >= 0 && at < row;
                    out[i] = (uint8_t)(inside ? clip[t * row + at] - KWS_INPUT_MIN : offset);
                }
            }
}

#endif /* LANES_H */
