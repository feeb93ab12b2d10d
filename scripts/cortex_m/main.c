/* Runs every input of inputs.bin through the network, on a bare Cortex-M whose files are those of
 * the host (semihosting), and writes to outputs.bin: with KWS_TAP each layer but the last; the
 * logits, the label, and what SysTick counted during the inference; at the end the most stack that
 * an inference used, in bytes. UNCOUNTED stands for more than SysTick counts, or than the stack has.
 */

#include <stddef.h>
#include <stdint.h>

#include "network.h"

enum { SYS_OPEN = 1, SYS_WRITE0 = 4, SYS_WRITE = 5, SYS_READ = 6, SYS_EXIT = 0x18 };
enum { READ_BINARY = 1, WRITE_BINARY = 5, FAILED = 0x20023, EXITED = 0x20026 };

#define SYSTICK ((volatile uint32_t *)0xe000e010) /* control, reload, current */
#define SYSTICK_COUNTFLAG (1u << 16)              /* it went through 0 */
#define PAINT 0xa5a5a5a5u
#define UNCOUNTED 0xffffffffu

extern uint32_t data_image[], data_start[], data_end[], bss_start[], bss_end[];
extern uint32_t stack_low[], paint_end[], stack_top[];
void reset(void);
void fault(void);

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[] = {
    (uintptr_t)stack_top,
    (uintptr_t)reset,
    (uintptr_t)fault, /* NMI */
    (uintptr_t)fault, /* HardFault, which all others become */
};

/* Compilers may call these for any copy. */
void *memcpy(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);

void *memcpy(void *to, const void *from, size_t count) {
    for (size_t i = 0; i < count; ++i) ((volatile uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    return to;
}

void *memset(void *to, int value, size_t count) {
    for (size_t i = 0; i < count; ++i) ((volatile uint8_t *)to)[i] = (uint8_t)value;
    return to;
}

static uint32_t host(uint32_t operation, const void *arguments) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static uint32_t open_file(const char *name, uint32_t length, uint32_t mode) {
    const uintptr_t arguments[] = {(uintptr_t)name, mode, length};
    return host(SYS_OPEN, arguments);
}

/* Returns how many bytes were left. */
static uint32_t transfer(uint32_t operation, uint32_t file, const void *bytes, uint32_t count) {
    const uintptr_t arguments[] = {file, (uintptr_t)bytes, count};
    return host(operation, arguments);
}

static uintptr_t stack_at_call;

static uint32_t ticks_of_inference(const int8_t *features, kws_logit_t *logits, int32_t *label) {
    SYSTICK[0] = 0;
    SYSTICK[1] = 0xffffff;
    SYSTICK[2] = 0;
    __asm__ volatile("mov %0, sp" : "=r"(stack_at_call));
    SYSTICK[0] = 5; /* on, with the processor's clock */
    *label = (int32_t)kws_infer(features, logits);
    return SYSTICK[0] & SYSTICK_COUNTFLAG ? UNCOUNTED : -SYSTICK[2] & 0xffffff;
}

__attribute__((noinline)) static void run(void) {
    static int8_t features[KWS_INPUT_COUNT];
    static kws_logit_t logits[KWS_LABEL_COUNT];
    const uint32_t inputs = open_file("inputs.bin", 10, READ_BINARY);
    const uint32_t outputs = open_file("outputs.bin", 11, WRITE_BINARY);
    const volatile uint32_t *lowest = stack_low;
    uint32_t stack;
    while (transfer(SYS_READ, inputs, features, sizeof features) == 0) {
        struct { int32_t label; uint32_t ticks; } result;
        result.ticks = ticks_of_inference(features, logits, &result.label);
#ifdef KWS_TAP
        for (int node = 0; node + 1 < KWS_NODE_COUNT; ++node)
            transfer(SYS_WRITE, outputs, kws_taps[node].values,
                     (uint32_t)kws_taps[node].count * (uint32_t)sizeof(kws_value_t));
#endif
        transfer(SYS_WRITE, outputs, logits, sizeof logits);
        transfer(SYS_WRITE, outputs, &result, sizeof result);
    }
    while (lowest < paint_end && *lowest == PAINT) ++lowest;
    stack = lowest == stack_low ? UNCOUNTED : (uint32_t)(stack_at_call - (uintptr_t)lowest);
    transfer(SYS_WRITE, outputs, &stack, sizeof stack);
}

void reset(void) {
    for (uint32_t *to = data_start, *from = data_image; to < data_end;) *to++ = *from++;
    for (uint32_t *to = bss_start; to < bss_end;) *to++ = 0;
    for (volatile uint32_t *word = stack_low; word < paint_end; ++word) *word = PAINT;
    run();
    host(SYS_EXIT, (const void *)EXITED);
    for (;;) {
    }
}

void fault(void) {
    host(SYS_WRITE0, "the image ended with a fault\n");
    host(SYS_EXIT, (const void *)FAILED);
    for (;;) {
    }
}
