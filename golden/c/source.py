"""`network.c` and `network.h`: a network as C99 that needs nothing but `<stdint.h>`.

Static memory, no floats, no recursion. Each layer is one call of a kernel (`golden.c.kernels`) with
constants of its own; which layers are stored, and where, `golden.c.steps` plans. Compiled with
`KWS_TAP`, it keeps every layer. With `KWS_LANES=16` and `lanes.h` beside it, it computes 16 inputs
at a time (`golden.c.engine`).
"""

from __future__ import annotations

import math
import re
import textwrap
from typing import Any

import numpy as np
import numpy.typing as npt

from golden.c.header import quoted
from golden.c.kernels import add_kernel, add_name, c_type, functions, scalar_types
from golden.c.steps import Finish, Plan, Step, has_outside, outside_name
from golden.integer_math import signed_limits
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
    Requantise,
    ShiftRelu,
)
from golden.windows import Shape

_HEADER = """\
/* Integer inference of one keyword-spotting network. Generated from it: do not edit.
 * Network %(digest)s.
 */

#ifndef NETWORK_H
#define NETWORK_H

#include <stdint.h>

#define KWS_INPUT_COUNT %(inputs)d /* %(input_shape)s, the last axis fastest */
#define KWS_INPUT_MIN %(low)s
#define KWS_INPUT_MAX %(high)s
#define KWS_LABEL_COUNT %(labels)d
#define KWS_LABEL_NAMES {%(names)s}
#define KWS_NODE_COUNT %(nodes)d
#define KWS_MEMORY_BYTES %(memory)d /* that layers share */

typedef %(logit)s kws_logit_t; /* logits lie in %(logit_low)d..%(logit_high)d */

/* Writes the logits of one input, and returns the index of the largest, the first of equals; -1,
 * and no logits, if a feature is outside KWS_INPUT_MIN..KWS_INPUT_MAX. Not reentrant. */
int kws_infer(const int8_t features[KWS_INPUT_COUNT], kws_logit_t logits[KWS_LABEL_COUNT]);

/* Compiled with KWS_TAP, every layer of the last input, the last axis fastest; layers of 8-bit
 * networks without their zero points. */
typedef %(value)s kws_value_t; /* holds every sum */
#ifdef KWS_TAP
typedef struct {
    const char *name;
    int32_t count;
    const kws_value_t *values;
} kws_tap_t;
extern const kws_tap_t kws_taps[KWS_NODE_COUNT];
#endif

#endif /* NETWORK_H */
"""
_SOURCE = """\
/* Integer inference of one keyword-spotting network; network.h says how to call it. Generated:
 * do not edit. C99, without floats and with static memory alone.
 * Network %(digest)s.
 */

#include "network.h"

#ifndef KWS_LANES
#define KWS_LANES 1 /* inputs at a time: on the host 16 */
#endif
#define MOST_ELEMENTS %(most_elements)d /* of a kernel, channels not counted */

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
    enum { KEEP, SHIFT_RELU%(rules)s } rule;
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
#define KEEP_PASSING_wide(layer, index, value) \\
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
%(types)s

#ifdef KWS_TAP
%(keeping)s
#endif

%(scalars)s
#endif

%(kernels)s

%(constants)s

/* Layers, and what lies outside of their maps. Those that are not needed at one time share memory.
%(map)s
 */
STATE union {
%(memory)s
} memory;

#ifdef KWS_TAP
%(tapping)s

%(tapped)s

const kws_tap_t kws_taps[KWS_NODE_COUNT] = {
%(taps)s
};
#endif

%(endings)s

static void infer(features_t features) {
%(calls)s
}

#if KWS_LANES > 1
%(many)s
#else
int kws_infer(const int8_t features[KWS_INPUT_COUNT], kws_logit_t logits[KWS_LABEL_COUNT]) {
    int label = 0;
    for (int32_t i = 0; i < KWS_INPUT_COUNT; ++i)
        if (features[i] < KWS_INPUT_MIN || features[i] > KWS_INPUT_MAX) return -1;
    infer(features);
    for (int i = 0; i < KWS_LABEL_COUNT; ++i) {
        logits[i] = memory.%(logits)s[i];
        if (logits[i] > logits[label]) label = i;
    }
    return label;
}
#endif
"""
_MANY = """\
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
                    memory.%(logits)s[i * KWS_LANES + lane];
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
}"""
_LINE_LENGTH = 100
_INT32_MIN, _INT32_MAX = signed_limits(32)
_LARGEST_BYTE = 255

Axes = tuple[int, int, int]


def network_header(network: IntegerNetwork) -> str:
    """Return the text of `network.h`; equal networks give equal text."""
    plan, form = Plan(network), network.input_format
    low, high = network.reaches[network.output_name]
    return _HEADER % {
        "digest": network.digest,
        "inputs": math.prod(network.input_shape),
        "input_shape": _brackets(network.input_shape),
        "low": _constant(form.low),
        "high": _constant(form.high),
        "labels": len(network.labels),
        "names": ", ".join(map(quoted, network.labels)),
        "nodes": len(network.nodes),
        "memory": plan.memory_size,
        "logit": c_type(plan.storage[network.output_name].kind),
        "logit_low": low,
        "logit_high": high,
        "value": f"int{value_bits(network)}_t",
    }


def value_bits(network: IntegerNetwork) -> int:
    """Return the width that holds every sum of the network in any order: 32, or 64 if need be."""
    return 32 if max(network.magnitudes.values()) <= _INT32_MAX else 64


def network_source(network: IntegerNetwork) -> str:
    """Return the text of `network.c`; equal networks give equal text."""
    return _Source(Plan(network)).text()


class _Source:
    """The parts of `network.c`."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.network = plan, plan.network
        self.steps = [step for step in plan.steps if step.result not in plan.aliases]

    def text(self) -> str:
        finishes = [f for step in self.steps for f in (step.finish, *step.prologues) if f]
        roundings = {_rule(f) for f in finishes if isinstance(f, Requantise)}
        adds = {
            add_name(*kinds): add_kernel(*kinds)
            for kinds in (self.add_kinds(s) for s in self.steps if isinstance(s.node, Add))
        }
        inference = self.inference()
        called = re.findall(r"\w+", "".join([inference, *adds.values()]))
        needed = functions(called, roundings)
        kept = {
            f"keep{w}" for w in re.findall(r"KEEP_PASSING(\w*)\(", needed.kernels + needed.taps)
        }
        logits = _values(self.network.output_name)
        rules = set(roundings)
        if any(rule.startswith("down") for rule in rules):
            rules |= {"down_once", "down_twice"}
        text = _SOURCE % {
            "digest": self.network.digest,
            "most_elements": max(map(self.elements, self.steps)),
            "rules": "".join(f", {rule.upper()}" for rule in sorted(rules)),
            "types": scalar_types(),
            "keeping": functions(kept, ()).scalars,
            "scalars": needed.scalars,
            "kernels": "\n\n".join([needed.kernels, *adds.values()]),
            "tapping": needed.taps,
            "constants": "\n\n".join(filter(None, map(self.constants, self.steps))),
            "map": self.memory_map(),
            "memory": self.memory(),
            "tapped": "\n".join(map(self.tap_array, self.network.nodes)),
            "taps": "\n".join(map(self.tap_entry, self.network.nodes)),
            "endings": "\n".join(map(self.layer_and_endings, self.steps)),
            "calls": inference,
            "many": _MANY % {"logits": logits},
            "logits": logits,
        }
        form = self.network.input_format
        return text if (form.low, form.high) != (-128, 127) else _without_check(text)

    def wide(self, step: Step) -> str:
        """Return the ending of the kernels of a step whose sums need 64 bits, otherwise nothing."""
        largest = max(self.network.magnitudes[node.name] for node in (*step.passing, *_last(step)))
        if isinstance(step.node, Convolution | DepthwiseConvolution | FullyConnected):
            source = self.plan.storage[step.sources[0]]
            low, high = self.network.reaches[step.sources[0]]
            stored = _LARGEST_BYTE if source.kind == "u8" else max(-low, high)
            weights = step.node.weights.reshape(len(step.node.weights), -1).astype(np.int64)
            sums = np.abs(weights).sum(axis=1) * stored + np.abs(self.biases(step))
            largest = max(largest, int(sums.max()))
        kinds = [self.plan.storage[name].kind for name in (*step.sources, step.result)]
        return "_wide" if largest > _INT32_MAX or "s64" in kinds else ""

    def biases(self, step: Step) -> npt.NDArray[np.int64]:
        """Return what sums of stored values begin with, so that they are sums of values."""
        node = step.node
        assert isinstance(node, Convolution | DepthwiseConvolution | FullyConnected)
        weights = node.weights.reshape(len(node.weights), -1).astype(np.int64)
        shifted = self.plan.storage[step.sources[0]].offset * weights.sum(axis=1)
        biases: npt.NDArray[np.int64] = -shifted
        return biases if node.biases is None else biases + node.biases

    def is_depthwise(self, step: Step) -> bool:
        node = step.node
        return isinstance(node, DepthwiseConvolution) and self.network.shapes[node.input][2] > 1

    def elements(self, step: Step) -> int:
        """Return the elements of a step's kernels, channels not counted."""
        if not isinstance(step.node, Convolution | DepthwiseConvolution | FullyConnected):
            return 1
        return math.prod(self.axes(step)["window"][:2])

    def axes(self, step: Step) -> dict[str, Axes]:
        """Return the numbers of a step's `layer_t`."""
        node, source = step.node, self.plan.storage[step.sources[0]]
        shape = self.network.shapes[node.name]
        axes = {
            "from": _three(source.shape),
            "to": _three(shape),
            "window": (1, 1, 0),
            "stride": (1, 1, 0),
            "dilation": (1, 1, 0),
            "pad": (0, 0, 0),
        }
        match node:
            case FullyConnected():
                if source.pixel_values == source.channels:
                    axes["from"] = (1, 1, math.prod(source.shape))
                axes["window"] = (*axes["from"][:2], 0)
            case Convolution() | DepthwiseConvolution() | MaxPool() | AveragePool():
                (top, _), (left, _) = node.windows.padding_of(self.network.shapes[node.input])
                height, width = node.windows.kernel
                axes["window"] = (height, width, 0)
                axes["stride"] = (*node.windows.stride, 0)
                axes["dilation"] = (*node.windows.dilation, 0)
                axes["pad"] = (top, left, 0)
                if node is self.plan.unfolded_for:
                    axes["window"] = (height, 1, 0)
                    axes["stride"] = (node.stride[0], 1, 0)
                    axes["pad"] = (top, 0, 0)
            case Pad():
                axes["pad"] = _three(tuple(before for before, _ in node.amounts), missing=0)
            case _:
                pass
        return axes

    def weights(self, step: Step) -> npt.NDArray[np.int8]:
        """Return the weights in the order of reading."""
        node, axes = step.node, self.axes(step)
        assert isinstance(node, Convolution | DepthwiseConvolution | FullyConnected)
        outputs = len(node.weights)
        if self.is_depthwise(step):
            return node.weights.reshape(outputs, -1).T
        group = self.plan.storage[step.sources[0]].group
        rows = node.weights.reshape(outputs, -1, axes["from"][2])
        rows = np.pad(rows, [(0, -outputs % 4), (0, 0), (0, -rows.shape[2] % group)])
        groups = rows.reshape(len(rows) // 4, 4, rows.shape[1], -1, group)
        return groups.transpose(0, 2, 3, 1, 4)

    def words(self, step: Step) -> npt.NDArray[np.int64]:
        """Return each weight of a depthwise convolution where its channel stands in a group."""
        weights = self.weights(step).astype(np.int64)
        source = self.plan.storage[step.sources[0]]
        channel = np.arange(weights.shape[1]) // (weights.shape[1] // source.channels)
        bits = 32 // source.group
        words = (weights & ((1 << bits) - 1)) << (channel % source.group * bits)
        signed: npt.NDArray[np.int64] = np.where(words > _INT32_MAX, words - 2**32, words)
        return signed

    def constants(self, step: Step) -> str:
        """Return the arrays of a step."""
        texts = []
        node, wide = step.node, self.wide(step)
        if isinstance(node, Convolution | DepthwiseConvolution | FullyConnected):
            name, weights = f"{node.name}_weights", self.weights(step)
            kind = self.plan.storage[step.sources[0]].kind
            if self.is_depthwise(step):
                text = _array("int8_t" if wide else "single_t", name, weights)
                if not wide:
                    words = _array("single_t", name, self.words(step))
                    text = f"#if KWS_LANES > 1\n{words}\n#else\n{text}\n#endif"
            else:
                text = _array("int8_t" if wide else f"weight_{kind}_t", name, weights)
            biases = self.biases(step)
            biases = np.pad(biases, (0, -len(biases) % 4))
            texts = [text, _array("int64_t" if wide else "int32_t", f"{node.name}_biases", biases)]
        for finish in (step.finish, *step.prologues):
            if isinstance(finish, Requantise):
                texts += [
                    _array("int32_t", f"{finish.name}_multipliers", finish.multipliers),
                    _array("int8_t", f"{finish.name}_exponents", finish.exponents),
                ]
                if _rule(finish).startswith("down"):
                    texts.append(_downs(finish))
        return "\n".join(texts)

    def layer_and_endings(self, step: Step) -> str:
        numbers = ", ".join(_braces(axes) for axes in self.axes(step).values())
        name = step.node.name
        text = [_wrapped(f"static const layer_t {name}_layer = {{{numbers}}};")]
        text.append(_wrapped(f"static const ending_t {name}_ending = {self.ending(step)};"))
        if step.prologues:
            terms = [
                _ending(finish, "NO_POOL", self.plan.storage[source].offset, None, finish)
                for finish, source in zip(step.prologues, step.sources, strict=True)
            ]
            terms_text = f"static const ending_t {name}_terms[] = {{{', '.join(terms)}}};"
            text.append(_wrapped(terms_text))
        return "\n".join(text)

    def ending(self, step: Step) -> str:
        pool = "NO_POOL"
        if step.pool:
            pool = "LARGEST" if isinstance(step.pool, GlobalMaxPool) else "TOTAL"
        passing = {node.name for node in step.passing}
        return _ending(
            step.finish,
            pool,
            self.plan.storage[step.result].offset,
            step.node if step.node.name in passing and step.node is not step.finish else None,
            step.finish if step.finish and step.finish.name in passing else None,
        )

    def add_kinds(self, step: Step) -> tuple[tuple[str, ...], str, str]:
        inputs = tuple(self.plan.storage[name].kind for name in step.sources)
        return inputs, self.plan.storage[step.result].kind, self.wide(step)

    def call(self, step: Step) -> str:
        node, source = step.node, self.plan.storage[step.sources[0]]
        ending, wide = self.plan.storage[step.result].kind, self.wide(step)
        kinds = f"{source.kind}_{ending}{wide}"
        values = [self.place(name) for name in step.sources]
        layer, end = f"&{node.name}_layer", f"&{node.name}_ending"
        out = self.place(step.result)
        offset = str(source.offset)
        match node:
            case Convolution() | DepthwiseConvolution() | FullyConnected():
                kernel = "depthwise" if self.is_depthwise(step) else "convolution"
                outside = "0"
                if has_outside(self.network, node):
                    outside = f"memory.{_values(outside_name(source))}"
                arrays = [f"{node.name}_weights", f"{node.name}_biases"]
                return _call(f"{kernel}_{kinds}", *values, outside, layer, *arrays, end, out)
            case Add():
                name = add_name(*self.add_kinds(step))
                return _call(name, *values, f"{node.name}_terms", layer, end, out)
            case MaxPool():
                return _call(f"max_pool_{kinds}", *values, offset, layer, end, out)
            case AveragePool():
                zero = str(node.zero_point)
                return _call(f"average_pool_{kinds}", *values, offset, zero, layer, end, out)
            case ShiftRelu() | Requantise() | GlobalMaxPool() | GlobalSumPool():
                return _call(f"each_{kinds}", *values, offset, layer, end, out)
            case _:
                is_pad = "1" if isinstance(node, Pad) else "0"
                return _call(f"copy_{kinds}", *values, offset, is_pad, layer, end, out)

    def place(self, name: str) -> str:
        return f"memory.{_values(self.plan.memory_of(name))}"

    def inference(self) -> str:
        """Return the calls that compute the network, each with what it makes and in which range."""
        lines = [_wrapped(f"static const layer_t taken = {{{self.taking()}}};")]
        for name, outside in self.plan.outsides.items():
            numbers = str(outside.pixel_values), str(outside.offset)
            lines.append(_call(f"fill_{outside.kind}", f"memory.{_values(name)}", *numbers))
        taken = str(self.plan.storage[INPUT_NAME].offset)
        lines.append(_call("take_input", "features", "&taken", taken, self.place(INPUT_NAME)))
        for step in self.plan.steps:
            lines.append(self.comment(step))
            if step.result not in self.plan.aliases:
                lines.append(self.call(step))
            lines.append(f"TAP({self.tap(step.result)})")
        return textwrap.indent("\n".join(lines), "    ")

    def comment(self, step: Step) -> str:
        reaches = self.network.reaches
        ranges = (f"{node.name} {_range(reaches[node.name])}" for node in step.passing)
        stored = f"{step.result} {_range(reaches[step.result])}"
        return _wrapped(f"/* {step.node.kind}: {', '.join([*ranges, stored])} */", indent=" * ")

    def tap(self, name: str) -> str:
        """Return the call that keeps a stored layer."""
        storage = self.plan.storage[name]
        wide = "_wide" if storage.kind == "s64" else ""
        numbers = map(str, (storage.offset, storage.pixels, storage.channels))
        return _call(f"tap_{storage.kind}{wide}", self.place(name), *numbers, _tap(name))

    def tap_array(self, node: Node) -> str:
        count = math.prod(self.network.shapes[node.name])
        return f"STATE kws_value_t {_tap(node.name)}[{count} * KWS_LANES];"

    def tap_entry(self, node: Node) -> str:
        count = math.prod(self.network.shapes[node.name])
        return f'    {{"{node.name}", {count}, {_tap(node.name)}}},'

    def memory(self) -> str:
        """Return the members of the union of all stored layers."""
        lines = []
        for name, at in sorted(self.plan.places.items(), key=lambda item: item[1]):
            storage = self.plan.storage_of(name)
            before = f"unsigned char before[{at} * KWS_LANES]; " if at else ""
            values = f"{c_type(storage.kind)} values[{storage.values} * KWS_LANES];"
            lines.append(f"    struct {{\n        {before}{values}\n    }} {name}_out;")
        return "\n".join(lines)

    def memory_map(self) -> str:
        """Return a line on each stored layer: its bytes, shape, type and range."""
        lines = []
        for name, at in sorted(self.plan.places.items(), key=lambda item: item[1]):
            storage = self.plan.storage_of(name)
            what = f"{name} {_brackets(storage.shape)}"
            if name in self.plan.storage:
                what += f", {_range(self.network.reaches[name])}"
            stored = f"{c_type(storage.kind)}"
            if storage.offset:
                stored += f" of value + {storage.offset}"
            lines.append(f" *   bytes {at}..{at + storage.size - 1}: {what} as {stored}")
        return "\n".join(lines)

    def taking(self) -> str:
        """Return the numbers of the `layer_t` that says how the input is taken."""
        shape, stored = self.network.shapes[INPUT_NAME], self.plan.input_shape
        source, stride, pad = _three(stored), 1, 0
        node = self.plan.unfolded_for
        if node:
            source, stride = _three(shape), node.stride[1]
            (pad, _) = node.windows.padding_of(shape)[1]
        axes = [source, _three(stored), (1, 1, 0), (1, stride, 0), (1, 1, 0), (0, pad, 0)]
        return ", ".join(map(_braces, axes))


def _without_check(text: str) -> str:
    """Return the source without the check of features, where any int8 is one."""
    start = text.index("    for (int32_t i = 0; i < KWS_INPUT_COUNT; ++i)\n        if (features")
    return text[:start] + text[text.index("    infer(features);", start) :]


def _last(step: Step) -> tuple[Node, ...]:
    return tuple(node for node in (step.pool or step.finish or step.node,))


def _ending(
    finish: Finish | None, pool: str, offset: int, sums: Node | None, finished: Node | None
) -> str:
    """Return an `ending_t`; `sums` and `finished` are the nodes that KWS_TAP keeps on the way."""
    taps = ", ".join(_tap(node.name) if node else "0" for node in (sums, finished))
    fields: tuple[Any, ...]
    match finish:
        case None:
            fields = ("KEEP", 0, 0, 0, 0, 0, 0)
        case ShiftRelu():
            fields = ("SHIFT_RELU", finish.shift, 0, 0, 0, 0, 0)
        case Requantise():
            low, high = (min(max(end, _INT32_MIN), _INT32_MAX) for end in finish.value_range)
            arrays = f"{finish.name}_multipliers", f"{finish.name}_exponents"
            each = int(finish.multipliers.size > 1)
            rule = _rule(finish).upper()
            fields = (rule, finish.left_shift, *arrays, each, _constant(low), _constant(high))
    downs = "0"
    if isinstance(finish, Requantise) and _rule(finish).startswith("down"):
        downs = f"{finish.name}_downs"
    return f"{{{', '.join(map(str, (*fields, pool, offset)))} DOWNS({downs}) TAPS({taps})}}"


def _downs(finish: Requantise) -> str:
    """Return, for a build in lanes, what is added to each product and by what it is shifted."""
    first = 2**30 if finish.rounding == "twice" else 0
    entries = (
        f"{{{_constant(first + 2 ** (30 - exponent))}, {-1 - exponent}}}"
        for exponent in finish.exponents.tolist()
    )
    name = f"{finish.name}_downs[{finish.exponents.size}]"
    lines = textwrap.wrap(", ".join(entries), _LINE_LENGTH - 4)
    body = "\n".join(f"    {line}" for line in lines)
    return f"#if KWS_LANES > 1\nstatic const struct down {name} = {{\n{body}\n}};\n#endif"


def _rule(finish: Requantise) -> str:
    """Return the rule of rounding, or the simpler one where only results above 0 count."""
    if finish.value_range[0] < 0 or finish.exponents.max() >= 0:
        return finish.rounding
    return "down_twice" if finish.rounding == "twice" else "down_once"


def _three(shape: Shape, missing: int = 1) -> Axes:
    """Return time, coefficient and channel of a shape, whose last axis is the channel."""
    first, second, third = (*(missing,) * (3 - len(shape)), *shape)
    return first, second, third


def _call(function: str, *arguments: str) -> str:
    """Return a call, on as many lines as it needs."""
    text = f"{function}({', '.join(arguments)});"
    return _wrapped(text, indent=" " * (len(function) + 1))


def _wrapped(text: str, indent: str = "    ") -> str:
    """Return a statement or a comment on as many lines as it needs."""
    wrapper = textwrap.TextWrapper(
        width=_LINE_LENGTH - 8,  # it may be moved in
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapper.fill(text)


def _array(kind: str, name: str, values: npt.NDArray[Any]) -> str:
    numbers = list(map(_constant, values.ravel().tolist()))
    lines = textwrap.wrap(", ".join(numbers), _LINE_LENGTH - 4, break_on_hyphens=False)
    body = "\n".join(f"    {line}" for line in lines)
    return f"static const {kind} {name}[{len(numbers)}] = {{\n{body}\n}};"


def _constant(value: int) -> str:
    """Return an integer as a C constant; the least of its type has no literal."""
    for bits, macro in ((32, "INT32_MIN"), (64, "INT64_MIN")):
        if value == signed_limits(bits)[0]:
            return macro
    return str(value) if abs(value) <= _INT32_MAX else f"INT64_C({value})"


def _values(name: str) -> str:
    return f"{name}_out.values"


def _tap(name: str) -> str:
    return f"{name}_tap"


def _braces(numbers: Axes) -> str:
    return f"{{{', '.join(map(str, numbers))}}}"


def _brackets(shape: Shape) -> str:
    return "".join(f"[{size}]" for size in shape)


def _range(reach: tuple[int, int]) -> str:
    return f"{reach[0]}..{reach[1]}"
