/* Integer inference of one keyword-spotting network. Generated from it: do not edit.
 * Network f23e5731c6a855503438366ff2088a4b32c5d497021c56d3687ebb12a5b6646e.
 */

#ifndef NETWORK_H
#define NETWORK_H

#include <stdint.h>

#define KWS_INPUT_COUNT 300 /* [30][10], the last axis fastest */
#define KWS_INPUT_MIN -32
#define KWS_INPUT_MAX 31
#define KWS_LABEL_COUNT 4
#define KWS_LABEL_NAMES {"_silence_", "_unknown_", "yes", "no"}
#define KWS_NODE_COUNT 8
#define KWS_MEMORY_BYTES 5952 /* that layers share */

typedef int32_t kws_logit_t; /* logits lie in -484867..438372 */

/* Writes the logits of one input, and returns the index of the largest, the first of equals; -1,
 * and no logits, if a feature is outside KWS_INPUT_MIN..KWS_INPUT_MAX. Not reentrant. */
int kws_infer(const int8_t features[KWS_INPUT_COUNT], kws_logit_t logits[KWS_LABEL_COUNT]);

/* Compiled with KWS_TAP, every layer of the last input, the last axis fastest; layers of 8-bit
 * networks without their zero points. */
typedef int32_t kws_value_t; /* holds every sum */
#ifdef KWS_TAP
typedef struct {
    const char *name;
    int32_t count;
    const kws_value_t *values;
} kws_tap_t;
extern const kws_tap_t kws_taps[KWS_NODE_COUNT];
#endif

#endif /* NETWORK_H */
