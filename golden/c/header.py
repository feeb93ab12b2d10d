"""`weight.h`: a network as C99 macros and constant arrays.

The header carries everything that an `IntegerNetwork` holds; `golden.c.header_reader` leads back,
and header -> network -> header is the identity. It also carries what follows from the network:
output shapes, padding in numbers. What has its default value is left out where networks of the
first format did not have it.

A field of a node becomes a macro `NODE_FIELD`, one of several sources or sizes a macro each:
`NODE_INPUT_0`, `NODE_STRIDE_TIME`, `NODE_PAD_TIME_BEFORE`. No such ending may end in another one,
or nodes `a` and `a_b` could define the same name; hence the other words in `_STEMS`.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy.typing as npt

from golden.axes import array_axes, has_depthwise_multiplier, layer_axes
from golden.c.text import brackets
from golden.nested import nested_lines
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import (
    AveragePool,
    Convolution,
    DepthwiseConvolution,
    MaxPool,
    Node,
    Requantise,
    arrays_of,
    plain_fields,
)
from golden.windows import Shape

_BANNER = """\
/* Weights of one keyword-spotting network. Generated: do not edit, the digest would not match.
 *
 * These are the very integers that the network was trained and tested with; nothing was rounded.
 * Feature maps are [time][coefficient][channel]. Weights are [out][kernel time][kernel coefficient]
 * [in], or [out][in]; of a depthwise convolution `out` is the channel and `in` has size 1.
 * A shift divides by 2^SHIFT and rounds towards minus infinity; ReLU follows it. PAD_ macros count
 * the zeros around the input of a layer. The largest logit wins, the first of equals."""
_ON_DEPTHWISE_MULTIPLIERS = """\
 * Of a depthwise convolution with m outputs a channel, output o reads channel o / m.
"""
_ON_CENTRED_VALUES = """\
 * Values are centred: a layer holds q - ZERO_POINT, and first of all the input less INPUT_ZERO.
"""
_ON_REQUANTISATION = """\
 * Requantisation: q = round(value * 2^SHIFT_LEFT * MULTIPLIERS * 2^(EXPONENTS - 31)) + ZERO_POINT,
 * clamped to LOW..HIGH. ROUNDING "once": to the nearest integer, ties up. "away": ties away from
 * zero. "twice": the product with 2^(max(EXPONENTS, 0) - 31) as by "once", and then what is shifted
 * off, ties away from zero.
"""
_ON_POOLS = """\
 * Pools leave out what lies outside the map. A mean rounds to the nearest q, ties away from 0.
"""
# A translation unit need not use every array. Compilers pass over unused constants of an included
# header, not over those of a header that is compiled by itself.
_PROLOGUE = """\
#ifndef WEIGHT_H
#define WEIGHT_H

#include <stdint.h>

#if defined(__GNUC__)
#define WEIGHT_H_UNUSED __attribute__((unused))
#else
#define WEIGHT_H_UNUSED
#endif"""
# Of a reshaping, the shape is that of its output.
_STEMS = {"inputs": "INPUT", "amounts": "PAD", "shape": "OUTPUT", "left_shift": "SHIFT_LEFT"}
_USUAL_INPUT_AXES = 2

Macros = dict[str, str]


def weight_header(network: IntegerNetwork) -> str:
    """Return the text of `weight.h`; equal networks give equal text."""
    sections = [_banner(network), _PROLOGUE]
    sections += [_defines(macros) for macros in _general_macros(network) if macros]
    shapes = network.shapes
    for node in network.nodes:
        sources = ", ".join(f"{source} {brackets(shapes[source])}" for source in node.sources)
        comment = f"/* {node.name}: {node.kind} of {sources} -> {brackets(shapes[node.name])} */"
        sections.append(f"{comment}\n{_defines(_node_macros(network, node))}")
        sections += [
            _array_text(macro_name(f"{node.name}.{field}"), array)
            for field, array in arrays_of(node).items()
        ]
    return "\n\n".join([*sections, "#endif /* WEIGHT_H */"]) + "\n"


def layer_macros(network: IntegerNetwork, name: str) -> Macros:
    """Return the macros of the sizes of a layer, or of the input, slowest axis first."""
    return _sizes(layer_stem(name), network.shapes[name])


def layer_stem(name: str) -> str:
    """Return what the macros of a layer's sizes, or of the input's, begin with."""
    return "INPUT" if name == INPUT_NAME else f"{macro_name(name)}_OUTPUT"


def field_stem(field: str) -> str:
    """Return what stands behind the name of a node in the macros of one of its fields."""
    return _STEMS.get(field, macro_name(field))


def macro_name(name: str) -> str:
    """Return the macro or array of a name, or of `node.field`."""
    return name.upper().replace(".", "_")


def quoted(text: str) -> str:
    """Return a C string: whatever could be an escape, a trigraph or not ASCII, in octal."""
    safe = re.compile(rb"[A-Za-z0-9_ .,+-]")
    octal = (chr(byte) if safe.match(bytes([byte])) else f"\\{byte:03o}" for byte in text.encode())
    return f'"{"".join(octal)}"'


def unquoted(text: str) -> str:
    """Undo `quoted`; ValueError for other text."""
    if not re.fullmatch(r'"([A-Za-z0-9_ .,+-]|\\[0-3][0-7]{2})*"', text):
        raise ValueError(text)
    plain = re.sub(rb"\\(...)", lambda octal: bytes([int(octal[1], 8)]), text[1:-1].encode())
    return plain.decode()


def _banner(network: IntegerNetwork) -> str:
    """Return the first comment, with a sentence on each thing that this network needs it for."""
    kinds = {type(node) for node in network.nodes}
    zero_points = [getattr(node, "zero_point", 0) for node in network.nodes]
    needed = {
        _ON_DEPTHWISE_MULTIPLIERS: has_depthwise_multiplier(network),
        _ON_CENTRED_VALUES: any([network.input_format.zero_point, *zero_points]),
        _ON_REQUANTISATION: Requantise in kinds,
        _ON_POOLS: bool(kinds & {MaxPool, AveragePool}),
    }
    return "".join([f"{_BANNER}\n", *(text for text, is_so in needed.items() if is_so), " */"])


def _general_macros(network: IntegerNetwork) -> list[Macros]:
    labels = {f"LABEL_{index}": quoted(label) for index, label in enumerate(network.labels)}
    features = dataclasses.asdict(network.features) if network.features else {}
    nodes = {f"NODE_{index}": quoted(node.name) for index, node in enumerate(network.nodes)}
    identity = {"NETWORK_DIGEST": quoted(network.digest)}
    if network.rounding is not None:
        identity["ROUNDING_RULE"] = quoted(network.rounding)
    return [
        identity,
        _input_macros(network),
        {"LABEL_COUNT": str(len(labels)), **labels, "LABEL_NAMES": f"{{{', '.join(labels)}}}"},
        {f"FEATURE_{macro_name(name)}": repr(value) for name, value in features.items()},
        {"NODE_COUNT": str(len(nodes)), **nodes},
    ]


def _input_macros(network: IntegerNetwork) -> Macros:
    form, axes = network.input_format, len(network.input_shape)
    macros = layer_macros(network, INPUT_NAME)
    if axes != _USUAL_INPUT_AXES:
        macros["INPUT_AXIS_COUNT"] = str(axes)
    macros |= {"INPUT_MIN": _constant(form.low), "INPUT_MAX": _constant(form.high)}
    if form.zero_point:
        macros["INPUT_ZERO"] = _constant(form.zero_point)
    if form.scale is not None:
        macros["INPUT_SCALE"] = _constant(form.scale)
    return macros


def _node_macros(network: IntegerNetwork, node: Node) -> Macros:
    macros: Macros = {"KIND": quoted(node.kind)}
    by_axis: dict[str, tuple[Any, ...]] = {}
    for field, value in plain_fields(node).items():
        if field == "inputs":
            macros |= {f"INPUT_{index}": quoted(name) for index, name in enumerate(value)}
        elif isinstance(value, tuple):
            by_axis[field_stem(field)] = value
        elif field != "name":
            macros[field_stem(field)] = _constant(value)
    if isinstance(node, Convolution | DepthwiseConvolution | MaxPool | AveragePool):
        by_axis["PAD"] = node.windows.padding_of(network.shapes[node.input])
    by_axis.pop("OUTPUT", None)
    macros |= _by_axis(by_axis)
    macros = {f"{macro_name(node.name)}_{name}": value for name, value in macros.items()}
    macros |= layer_macros(network, node.name)
    for field, array in arrays_of(node).items():
        name = macro_name(f"{node.name}.{field}")
        macros |= _sizes(name, array.shape, array_axes(array.ndim))
    return macros


def _by_axis(stems: dict[str, tuple[Any, ...]]) -> Macros:
    """Return a macro, or one before and one after, for each axis of each tuple, axis by axis."""
    macros: Macros = {}
    for axis, name in enumerate(layer_axes(max(map(len, stems.values()), default=0))):
        for stem, values in stems.items():
            macro, value = f"{stem}_{macro_name(name)}", values[axis]
            if isinstance(value, tuple):
                macros |= {f"{macro}_BEFORE": str(value[0]), f"{macro}_AFTER": str(value[1])}
            else:
                macros[macro] = str(value)
    return macros


def _sizes(prefix: str, shape: Shape, axes: tuple[str, ...] | None = None) -> Macros:
    names = layer_axes(len(shape)) if axes is None else axes
    return {
        f"{prefix}_{macro_name(axis)}": str(size) for axis, size in zip(names, shape, strict=True)
    }


def _defines(macros: Macros) -> str:
    return "\n".join(f"#define {name} {value}" for name, value in macros.items())


def _array_text(name: str, array: npt.NDArray[Any]) -> str:
    first, *rest = nested_lines(array, "{}", lambda index: f"/* {index} */")
    declaration = f"WEIGHT_H_UNUSED static const {array.dtype}_t {name}{brackets(array.shape)} = "
    return "\n".join([declaration + first, *rest]) + ";"


def _constant(value: str | int | float) -> str:
    """Return a value as a C constant: a string, or a number that may stand behind any operator."""
    if isinstance(value, str):
        return quoted(value)
    return repr(value) if value >= 0 else f"({value!r})"
