"""`weight.h`: a network as C99 macros and constant arrays, and the way back.

The header carries everything that an `IntegerNetwork` holds, so header -> network -> header is the
identity. It also carries what follows from it (output shapes, padding in numbers), and the parser
checks that too: a header is accepted only if the network in it would generate the same code.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden import files
from golden.axes import array_axes, layer_axes, named_arrays
from golden.nested import Token, Tokens, nested_lines, read_nested
from golden.network import INPUT_MAX, INPUT_MIN, FeatureSettings, IntegerNetwork
from golden.nodes import (
    NODE_KINDS,
    Convolution,
    DepthwiseConvolution,
    Node,
    Shape,
    ShiftRelu,
    same_padding,
)

_BANNER = """\
/* Weights of one keyword-spotting network. Generated: do not edit, the digest would not match.
 *
 * These are the very integers that the network was trained and tested with; nothing was rounded.
 * Feature maps are [time][coefficient][channel]. Weights are [out][kernel time][kernel coefficient]
 * [in], or [out][in]; of a depthwise convolution `out` is the channel and `in` has size 1.
 * A shift divides by 2^SHIFT and rounds towards minus infinity; ReLU follows it. PAD_ macros count
 * the zeros around the input of a layer. The largest logit wins, the first of equals.
 */"""
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
_C_TYPES: dict[str, type[np.signedinteger[Any]]] = {"int8_t": np.int8, "int32_t": np.int32}
_STRIDE_AXES = ("TIME", "COEFFICIENT")
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|-?[0-9][\w.]*(?:(?<=e)[+-]\d+)?|\S')


def weight_header(network: IntegerNetwork) -> str:
    """Return the text of `weight.h`; equal networks give equal text."""
    sections = [_BANNER, _PROLOGUE, *map(_defines, _general_macros(network))]
    shapes = network.shapes
    for node in network.nodes:
        shape_in, shape_out = _brackets(shapes[node.sources[0]]), _brackets(shapes[node.name])
        comment = f"/* {node.name}: {node.kind} of {node.sources[0]} {shape_in} -> {shape_out} */"
        sections.append(f"{comment}\n{_defines(_node_macros(network, node))}")
        prefix = f"{node.name}."
        sections += [
            _array_text(_macro_name(name), array)
            for name, array in named_arrays(network).items()
            if name.startswith(prefix)
        ]
    return "\n\n".join([*sections, "#endif /* WEIGHT_H */"]) + "\n"


def parse_header(text: str, source: str = "weight.h") -> IntegerNetwork:
    """Return the network of a header's text.

    Comments and spacing may have changed, code may not. Raises ValueError, naming `source` and the
    line or both digests, for anything that `weight_header` would not write.
    """
    tokens = list(_tokens(text))
    header = _Header(source, tokens)
    declared, network = header.text("NETWORK_DIGEST"), header.network()
    if network.digest != declared:
        raise ValueError(
            f"{source}: digest does not match, declared {declared}, content has {network.digest}"
        )
    _expect_same_code(source, tokens, list(_tokens(weight_header(network))))
    return network


def read_header(path: Path) -> IntegerNetwork:
    """Read a header file; OSError or ValueError as `parse_header` gives it."""
    return parse_header(files.read_text(path), str(path))


def _general_macros(network: IntegerNetwork) -> list[dict[str, str]]:
    labels = {f"LABEL_{index}": _quoted(label) for index, label in enumerate(network.labels)}
    features = {
        f"FEATURE_{_macro_name(name)}": repr(value)
        for name, value in dataclasses.asdict(network.features or FeatureSettings()).items()
    }
    nodes = {f"NODE_{index}": _quoted(node.name) for index, node in enumerate(network.nodes)}
    sizes = _sizes("INPUT", (*network.input_shape, 1))
    return [
        {"NETWORK_DIGEST": _quoted(network.digest)},
        {**sizes, "INPUT_MIN": f"({INPUT_MIN})", "INPUT_MAX": str(INPUT_MAX)},
        {"LABEL_COUNT": str(len(labels)), **labels, "LABEL_NAMES": f"{{{', '.join(labels)}}}"},
        features,
        {"NODE_COUNT": str(len(nodes)), **nodes},
    ]


def _node_macros(network: IntegerNetwork, node: Node) -> dict[str, str]:
    macros = {"KIND": _quoted(node.kind), "INPUT": _quoted(node.sources[0])}
    if isinstance(node, Convolution | DepthwiseConvolution):
        macros["PADDING"] = _quoted(node.padding)
        for axis, name in enumerate(_STRIDE_AXES):
            size, kernel = network.shapes[node.input][axis], node.weights.shape[axis + 1]
            pads = (
                same_padding(size, kernel, node.stride[axis]) if node.padding == "SAME" else (0, 0)
            )
            macros[f"STRIDE_{name}"] = str(node.stride[axis])
            macros[f"PAD_{name}_BEFORE"] = str(pads[0])
            macros[f"PAD_{name}_AFTER"] = str(pads[1])
    if isinstance(node, ShiftRelu):
        macros["SHIFT"] = str(node.shift)
    macros |= _sizes("OUTPUT", network.shapes[node.name])
    for field, array in named_arrays(network).items():
        owner, _, name = field.partition(".")
        if owner == node.name:
            macros |= _sizes(_macro_name(name), array.shape, array_axes(array.ndim))
    return {f"{_macro_name(node.name)}_{name}": value for name, value in macros.items()}


def _sizes(prefix: str, shape: Shape, axes: tuple[str, ...] | None = None) -> dict[str, str]:
    names = layer_axes(len(shape)) if axes is None else axes
    return {
        f"{prefix}_{_macro_name(axis)}": str(size) for axis, size in zip(names, shape, strict=True)
    }


def _defines(macros: dict[str, str]) -> str:
    return "\n".join(f"#define {name} {value}" for name, value in macros.items())


def _array_text(name: str, array: npt.NDArray[Any]) -> str:
    first, *rest = nested_lines(array, "{}", lambda index: f"/* {index} */")
    declaration = f"WEIGHT_H_UNUSED static const {array.dtype}_t {name}{_brackets(array.shape)} = "
    return "\n".join([declaration + first, *rest]) + ";"


def _brackets(shape: Shape) -> str:
    return "".join(f"[{size}]" for size in shape)


def _macro_name(name: str) -> str:
    return name.upper().replace(".", "_")


def _quoted(text: str) -> str:
    """Return a C string: whatever could be an escape, a trigraph or not ASCII, in octal."""
    safe = re.compile(rb"[A-Za-z0-9_ .,+-]")
    octal = (chr(byte) if safe.match(bytes([byte])) else f"\\{byte:03o}" for byte in text.encode())
    return f'"{"".join(octal)}"'


def _unquoted(quoted: str) -> str:
    """Undo `_quoted`; ValueError for other text."""
    if not re.fullmatch(r'"([A-Za-z0-9_ .,+-]|\\[0-3][0-7]{2})*"', quoted):
        raise ValueError(quoted)
    plain = re.sub(rb"\\(...)", lambda octal: bytes([int(octal[1], 8)]), quoted[1:-1].encode())
    return plain.decode()


def _tokens(text: str) -> Iterator[Token]:
    """Yield the code of a C text without comments; a directive ends with a newline token."""
    blanked = _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n") or " ", text)
    for number, line in enumerate(blanked.splitlines(), start=1):
        for match in _TOKEN.finditer(line):
            yield Token(match[0], number)
        if line.lstrip().startswith("#"):
            yield Token("\n", number)


class _Header:
    """The macros and arrays of a token list, looked up by name."""

    def __init__(self, source: str, tokens: list[Token]) -> None:
        self._source = source
        self._tokens = tokens
        self._macros: dict[str, Token] = {}
        self._arrays: dict[str, int] = {}  # index of the token after the name
        for index, token in enumerate(tokens[:-2]):
            if token.text == "define":
                self._macros[tokens[index + 1].text] = tokens[index + 2]
            elif token.text in _C_TYPES:
                self._arrays[tokens[index + 1].text] = index + 2

    def network(self) -> IntegerNetwork:
        labels = tuple(self.text(f"LABEL_{index}") for index in range(self._integer("LABEL_COUNT")))
        names = tuple(self.text(f"NODE_{index}") for index in range(self._integer("NODE_COUNT")))
        shape = self._integer("INPUT_TIME"), self._integer("INPUT_COEFFICIENT")
        nodes = tuple(self._node(name) for name in names)
        features: dict[str, Any] = {
            field.name: self._number(
                f"FEATURE_{_macro_name(field.name)}",
                float if isinstance(field.default, float) else int,
            )
            for field in dataclasses.fields(FeatureSettings)
        }
        try:
            return IntegerNetwork(nodes, labels, shape, FeatureSettings(**features))
        except (ArithmeticError, TypeError, ValueError) as error:
            raise ValueError(f"{self._source}: {error}") from error

    def text(self, macro: str) -> str:
        quoted = self._macro(macro).text
        try:
            return _unquoted(quoted)
        except ValueError:
            raise self._error(macro, "a string") from None

    def _node(self, name: str) -> Node:
        prefix = _macro_name(name)
        kind = self.text(f"{prefix}_KIND")
        if kind not in NODE_KINDS:
            raise self._error(f"{prefix}_KIND", f"one of {sorted(NODE_KINDS)}")
        values: dict[str, Any] = {}
        for field in dataclasses.fields(NODE_KINDS[kind]):
            macro = f"{prefix}_{_macro_name(field.name)}"
            if field.name == "name":
                values["name"] = name
            elif field.name in ("input", "padding"):
                values[field.name] = self.text(macro)
            elif field.name == "stride":
                values["stride"] = tuple(self._integer(f"{macro}_{axis}") for axis in _STRIDE_AXES)
            elif field.name == "shift":
                values["shift"] = self._integer(macro)
            else:
                values[field.name] = self._array(macro)
        return NODE_KINDS[kind](**values)

    def _array(self, name: str) -> npt.NDArray[Any]:
        if name not in self._arrays:
            raise ValueError(f"{self._source}: expected an array {name}, found none")
        start = self._arrays[name]
        dtype = _C_TYPES[self._tokens[start - 2].text]
        tokens = Tokens(self._source, self._tokens[start:])
        shape: list[int] = []
        while tokens.take("'['").text == "[":
            shape.append(tokens.integer(np.int64))
            tokens.expect("]")
        if not 1 <= len(shape) <= 4 or min(shape) < 1:
            expected = f"1 to 4 sizes of {name} above 0"
            raise tokens.error(self._tokens[start].line, expected, str(shape))
        return read_nested(tokens, tuple(shape), "{}", dtype)

    def _integer(self, macro: str) -> int:
        value = self._number(macro, int)
        assert isinstance(value, int)
        return value

    def _number(self, macro: str, kind: type[int] | type[float]) -> int | float:
        text = self._macro(macro).text
        try:
            return kind(text)
        except ValueError:
            raise self._error(macro, "a number") from None

    def _macro(self, name: str) -> Token:
        if name not in self._macros:
            raise ValueError(f"{self._source}: expected a macro {name}, found none")
        return self._macros[name]

    def _error(self, macro: str, expected: str) -> ValueError:
        token = self._macros[macro]
        where = f"{self._source} line {token.line}"
        return ValueError(f"{where}: expected {expected} in {macro}, got {token.text.strip()}")


def _expect_same_code(source: str, found: list[Token], expected: list[Token]) -> None:
    """Raise ValueError at the first line that `weight_header` would have written otherwise."""
    end = Token("the end of the file", found[-1].line)
    for ours, theirs in itertools.zip_longest(expected, found, fillvalue=end):
        if ours.text != theirs.text:
            raise ValueError(
                f"{source} line {theirs.line}: expected {_line_of(expected, ours)}, "
                f"got {_line_of(found, theirs)}"
            )


def _line_of(tokens: list[Token], token: Token) -> str:
    if token not in tokens:
        return token.text  # the end of the file
    line = [other.text for other in tokens if other.line == token.line]
    return repr(" ".join(line).strip())
