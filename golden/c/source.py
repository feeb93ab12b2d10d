"""`network.c` and `network.h`: a network as C99 that needs nothing but `<stdint.h>`.

Static memory, no floats, no recursion. Each layer is one call of a kernel (`golden.c.kernels`) with
operands of its own (`golden.c.operands`); which layers are stored, and where, `golden.c.steps`
plans. Compiled with `KWS_TAP`, it keeps every layer. With `KWS_LANES=16` and `lanes.h` beside it,
it computes 16 inputs at a time (`golden.c.engine`).
"""

from __future__ import annotations

import math
import re
import textwrap
from pathlib import Path
from string import Template
from typing import Any

from golden import files
from golden.c.header import quoted
from golden.c.kernels import add_kernel, add_name, c_type, functions, scalar_types
from golden.c.operands import Operands, down_scalings, rounding_rule, three
from golden.c.steps import Finish, Plan, has_outside, outside_name
from golden.c.text import braces, brackets, call, entries, flat_array, integer, range_text, wrapped
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
    WeightedNode,
)

_HEADER = Path(__file__).with_name("network.h.in")
_SOURCE = Path(__file__).with_name("network.c.in")
_INT32_MIN, _INT32_MAX = signed_limits(32)


def network_header(network: IntegerNetwork) -> str:
    """Return the text of `network.h`; equal networks give equal text."""
    plan, form = Plan(network), network.input_format
    low, high = network.reaches[network.output_name]
    return Template(files.read_text(_HEADER)).substitute(
        digest=network.digest,
        inputs=math.prod(network.input_shape),
        input_shape=brackets(network.input_shape),
        low=form.low,
        high=form.high,
        labels=len(network.labels),
        names=", ".join(map(quoted, network.labels)),
        nodes=len(network.nodes),
        memory=plan.memory_size,
        logit=f"int{logit_bits(network)}_t",
        logit_low=low,
        logit_high=high,
        value=f"int{value_bits(network)}_t",
    )


def network_source(network: IntegerNetwork) -> str:
    """Return the text of `network.c`; equal networks give equal text."""
    return _Source(Plan(network)).text()


def value_bits(network: IntegerNetwork) -> int:
    """Return the width that holds every sum of the network in any order: 32, or 64 if need be."""
    return 32 if max(network.magnitudes.values()) <= _INT32_MAX else 64


def logit_bits(network: IntegerNetwork) -> int:
    """Return the width of a logit: 32, or 64 if need be."""
    low, high = network.reaches[network.output_name]
    return 32 if low >= _INT32_MIN and high <= _INT32_MAX else 64


class _Source:
    """The parts of `network.c`."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.network = plan, plan.network
        computed = [step for step in plan.steps if step.result not in plan.aliases]
        self.operands = {step.result: Operands(plan, step) for step in computed}

    def text(self) -> str:
        operands, nodes = self.operands.values(), self.network.nodes
        finishes = [finish for each in operands for finish in each.step.finishes]
        rules = {rounding_rule(finish) for finish in finishes if isinstance(finish, Requantise)}
        adds = dict(self.add_kernel(each) for each in operands if isinstance(each.node, Add))
        calls = self.calls()
        needed = functions(re.findall(r"\w+", "".join([calls, *adds.values()])), rules)
        keeping = re.findall(r"KEEP_PASSING(\w*)\(", needed.kernels + needed.taps)
        if any(rule.startswith("down") for rule in rules):
            rules |= {"down_once", "down_twice"}  # the function of both names both
        return Template(files.read_text(_SOURCE)).substitute(
            digest=self.network.digest,
            most_elements=max(each.elements for each in operands),
            rules="".join(f", {rule.upper()}" for rule in sorted(rules)),
            types=scalar_types(),
            keeping=functions([f"keep{wide}" for wide in keeping], ()).scalars,
            scalars=needed.scalars,
            kernels="\n\n".join([needed.kernels, *adds.values()]),
            tapping=needed.taps,
            constants="\n\n".join(filter(None, map(self.constants, operands))),
            map=self.memory_map(),
            memory=self.memory(),
            tapped="\n".join(map(self.tap_array, nodes)),
            taps="\n".join(map(self.tap_entry, nodes)),
            endings="\n".join(map(self.layer_and_endings, operands)),
            calls=calls,
            logits=_values(self.network.output_name),
        )

    # ---- Constants -----------------------------------------------------------------------------

    def constants(self, operands: Operands) -> str:
        """Return the arrays of a step."""
        node, wide = operands.node, operands.wide
        texts = []
        if isinstance(node, WeightedNode):
            texts.append(self.weights(operands))
            kind = "int64_t" if wide else "int32_t"
            texts.append(flat_array(kind, f"{node.name}_biases", operands.biases))
        for finish in operands.step.finishes:
            if isinstance(finish, Requantise):
                texts += [
                    flat_array("int32_t", f"{finish.name}_multipliers", finish.multipliers),
                    flat_array("int8_t", f"{finish.name}_exponents", finish.exponents),
                ]
                if rounding_rule(finish).startswith("down"):
                    initialisers = list(map(braces, down_scalings(finish)))
                    downs = entries("struct down", f"{finish.name}_downs", initialisers)
                    texts.append(f"#if KWS_LANES > 1\n{downs}\n#endif")
        return "\n".join(texts)

    def weights(self, operands: Operands) -> str:
        """Return the weights of a step, of a depthwise convolution also as lanes take them."""
        name = f"{operands.node.name}_weights"
        if operands.wide:
            return flat_array("int8_t", name, operands.weights)
        if not operands.is_depthwise:
            return flat_array(f"weight_{operands.source.kind}_t", name, operands.weights)
        words = flat_array("single_t", name, operands.words)
        bytes_ = flat_array("single_t", name, operands.weights)
        return f"#if KWS_LANES > 1\n{words}\n#else\n{bytes_}\n#endif"

    def layer_and_endings(self, operands: Operands) -> str:
        """Return a step's sizes, what becomes of its sums, and before of the terms of a sum."""
        step, name = operands.step, operands.node.name
        sizes = braces(map(braces, operands.axes.values()))
        text = [
            wrapped(f"static const layer_t {name}_layer = {sizes};"),
            wrapped(f"static const ending_t {name}_ending = {_ending(operands)};"),
        ]
        if step.prologues:
            offsets = (self.plan.storage[source].offset for source in step.sources)
            terms = braces(map(_term, step.prologues, offsets))
            text.append(wrapped(f"static const ending_t {name}_terms[] = {terms};"))
        return "\n".join(text)

    # ---- Memory --------------------------------------------------------------------------------

    def memory(self) -> str:
        """Return the members of the union of all stored layers."""
        lines = []
        for name, at in self.plan.by_place:
            storage = self.plan.storage_of(name)
            before = f"unsigned char before[{at} * KWS_LANES];\n        " if at else ""
            values = f"{c_type(storage.kind)} values[{storage.values} * KWS_LANES];"
            lines.append(f"    struct {{\n        {before}{values}\n    }} {name}_out;")
        return "\n".join(lines)

    def memory_map(self) -> str:
        """Return a line on each stored layer: its bytes, shape, type and range."""
        lines = []
        for name, at in self.plan.by_place:
            storage = self.plan.storage_of(name)
            what = f"{name} {brackets(storage.shape)}"
            if name in self.plan.storage:
                what += f", {range_text(self.network.reaches[name])}"
            stored = c_type(storage.kind)
            if storage.offset:
                stored += f" of value + {storage.offset}"
            lines.append(f" *   bytes {at}..{at + storage.size - 1}: {what} as {stored}")
        return "\n".join(lines)

    def place(self, name: str) -> str:
        """Return the array of a stored layer."""
        return f"memory.{_values(self.plan.memory_of(name))}"

    # ---- Calls ---------------------------------------------------------------------------------

    def calls(self) -> str:
        """Return the calls that compute the network, each with what it makes and in which range."""
        lines = [wrapped(f"static const layer_t taken = {self.taking()};")]
        for name, outside in self.plan.outsides.items():
            numbers = str(outside.pixel_values), str(outside.offset)
            lines.append(call(f"fill_{outside.kind}", f"memory.{_values(name)}", *numbers))
        offset = str(self.plan.storage[INPUT_NAME].offset)
        lines.append(call("take_input", "features", "&taken", offset, self.place(INPUT_NAME)))
        for step in self.plan.steps:
            made = (f"{n.name} {range_text(self.network.reaches[n.name])}" for n in step.nodes)
            lines.append(wrapped(f"/* {step.node.kind}: {', '.join(made)} */", indent=" * "))
            if step.result in self.operands:
                lines.append(self.kernel_call(self.operands[step.result]))
            lines.append(f"TAP({self.tap(step.result)})")
        return textwrap.indent("\n".join(lines), "    ")

    def taking(self) -> str:
        """Return the sizes of the input as it comes and as it is stored."""
        shape, stored = self.network.shapes[INPUT_NAME], self.plan.input_shape
        source, stride, pad = three(stored), 1, 0
        node = self.plan.unfolded_for
        if node:
            source, stride = three(shape), node.stride[1]
            (pad, _) = node.windows.padding_of(shape)[1]
        axes = [source, three(stored), (1, 1, 0), (1, stride, 0), (1, 1, 0), (0, pad, 0)]
        return braces(map(braces, axes))

    def kernel_call(self, operands: Operands) -> str:
        """Return the call of a step's kernel."""
        step, node, source = operands.step, operands.node, operands.source
        kinds = f"{source.kind}_{operands.result.kind}{operands.wide}"
        values = [self.place(name) for name in step.sources]
        ends = [f"&{node.name}_layer", f"&{node.name}_ending", self.place(step.result)]
        offset = str(source.offset)
        match node:
            case Convolution() | DepthwiseConvolution() | FullyConnected():
                kernel = "depthwise" if operands.is_depthwise else "convolution"
                outside = "0"
                if has_outside(self.network, node):
                    outside = f"memory.{_values(outside_name(source))}"
                arrays = [f"{node.name}_weights", f"{node.name}_biases"]
                return call(f"{kernel}_{kinds}", *values, outside, *arrays, *ends)
            case Add():
                name, _ = self.add_kernel(operands)
                return call(name, *values, f"{node.name}_terms", *ends)
            case MaxPool():
                return call(f"max_pool_{kinds}", *values, offset, *ends)
            case AveragePool():
                return call(f"average_pool_{kinds}", *values, offset, str(node.zero_point), *ends)
            case ShiftRelu() | Requantise() | GlobalMaxPool() | GlobalSumPool():
                return call(f"each_{kinds}", *values, offset, *ends)
            case _:
                is_pad = "1" if isinstance(node, Pad) else "0"
                return call(f"copy_{kinds}", *values, offset, is_pad, *ends)

    def add_kernel(self, operands: Operands) -> tuple[str, str]:
        """Return name and text of the kernel that adds layers stored as those of a step."""
        inputs = tuple(self.plan.storage[name].kind for name in operands.step.sources)
        kinds = inputs, operands.result.kind, operands.wide
        return add_name(*kinds), add_kernel(*kinds)

    # ---- Taps ----------------------------------------------------------------------------------

    def tap(self, name: str) -> str:
        """Return the call that keeps a stored layer."""
        storage = self.plan.storage[name]
        wide = "_wide" if storage.kind == "s64" else ""
        numbers = map(str, (storage.offset, storage.pixels, storage.channels))
        return call(f"tap_{storage.kind}{wide}", self.place(name), *numbers, _tap(name))

    def tap_array(self, node: Node) -> str:
        count = math.prod(self.network.shapes[node.name])
        return f"STATE kws_value_t {_tap(node.name)}[{count} * KWS_LANES];"

    def tap_entry(self, node: Node) -> str:
        count = math.prod(self.network.shapes[node.name])
        return f'    {{"{node.name}", {count}, {_tap(node.name)}}},'


def _ending(operands: Operands) -> str:
    """Return the `ending_t` of a step: what becomes of its sums."""
    step = operands.step
    pool = "NO_POOL"
    if step.pool:
        pool = "LARGEST" if isinstance(step.pool, GlobalMaxPool) else "TOTAL"
    passing = {node.name for node in step.nodes} - {step.result}
    sums = step.node if step.node.name in passing and step.node is not step.finish else None
    finished = step.finish if step.finish and step.finish.name in passing else None
    return _ending_text(step.finish, pool, operands.result.offset, sums, finished)


def _term(finish: Finish | None, offset: int) -> str:
    """Return the `ending_t` of a term, which is stored with an offset."""
    return _ending_text(finish, "NO_POOL", offset, None, finish)


def _ending_text(
    finish: Finish | None, pool: str, offset: int, sums: Node | None, finished: Node | None
) -> str:
    """Return an `ending_t`; `sums` and `finished` are the nodes that KWS_TAP keeps on the way."""
    downs = "0"
    fields: tuple[Any, ...]
    match finish:
        case None:
            fields = ("KEEP", 0, 0, 0, 0, 0, 0)
        case ShiftRelu():
            fields = ("SHIFT_RELU", finish.shift, 0, 0, 0, 0, 0)
        case Requantise():
            rule, each = rounding_rule(finish), int(finish.multipliers.size > 1)
            low, high = (min(max(end, _INT32_MIN), _INT32_MAX) for end in finish.value_range)
            arrays = f"{finish.name}_multipliers", f"{finish.name}_exponents"
            fields = (rule.upper(), finish.left_shift, *arrays, each, integer(low), integer(high))
            if rule.startswith("down"):
                downs = f"{finish.name}_downs"
    taps = ", ".join(_tap(node.name) if node else "0" for node in (sums, finished))
    return f"{{{', '.join(map(str, (*fields, pool, offset)))} DOWNS({downs}) TAPS({taps})}}"


def _values(name: str) -> str:
    return f"{name}_out.values"


def _tap(name: str) -> str:
    return f"{name}_tap"
