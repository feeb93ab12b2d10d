"""`weight.h` read back: the network in a header's text, or where the text is none.

A header is accepted only if the network in it would generate the same code (`golden.c.header`).
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
from golden.axes import layer_axes
from golden.c.header import field_stem, macro_name, unquoted, weight_header
from golden.nested import Token, Tokens, read_nested
from golden.network import FeatureSettings, InputFormat, IntegerNetwork
from golden.nodes import LATER_FIELDS, NODE_KINDS, Node
from golden.windows import Pair, Shape

_C_TYPES: dict[str, type[np.signedinteger[Any]]] = {"int8_t": np.int8, "int32_t": np.int32}
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|-?[0-9][\w.]*(?:(?<=e)[+-]\d+)?|\S')


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
                value = tokens[index + 2 : index + 4]  # a negative number stands in parentheses
                self._macros[tokens[index + 1].text] = value[-1 if value[0].text == "(" else 0]
            elif token.text in _C_TYPES:
                self._arrays[tokens[index + 1].text] = index + 2

    def network(self) -> IntegerNetwork:
        labels = tuple(self.text(f"LABEL_{index}") for index in range(self._integer("LABEL_COUNT")))
        names = tuple(self.text(f"NODE_{index}") for index in range(self._integer("NODE_COUNT")))
        nodes = tuple(self._node(name) for name in names)
        shape = self._sizes("INPUT")
        if "INPUT_AXIS_COUNT" not in self._macros:
            shape = shape[:2]
        rounding = self.text("ROUNDING_RULE") if "ROUNDING_RULE" in self._macros else None
        features, form = self._features(), self._input_format()
        try:
            settings = None if features is None else FeatureSettings(**features)
            input_format = InputFormat(**form)
            return IntegerNetwork(nodes, labels, shape, settings, input_format, rounding)
        except (ArithmeticError, TypeError, ValueError) as error:
            raise ValueError(f"{self._source}: {error}") from error

    def text(self, macro: str) -> str:
        quoted = self._macro(macro).text
        try:
            return unquoted(quoted)
        except ValueError:
            raise self._error(macro, "a string") from None

    def _features(self) -> dict[str, Any] | None:
        fields = {f"FEATURE_{macro_name(f.name)}": f for f in dataclasses.fields(FeatureSettings)}
        if not fields.keys() & self._macros.keys():
            return None
        return {
            field.name: self._number(macro, float if isinstance(field.default, float) else int)
            for macro, field in fields.items()
        }

    def _input_format(self) -> dict[str, Any]:
        form: dict[str, Any] = {
            "low": self._integer("INPUT_MIN"),
            "high": self._integer("INPUT_MAX"),
        }
        if "INPUT_ZERO" in self._macros:
            form["zero_point"] = self._integer("INPUT_ZERO")
        if "INPUT_SCALE" in self._macros:
            form["scale"] = self._number("INPUT_SCALE", float)
        return form

    def _node(self, name: str) -> Node:
        prefix = macro_name(name)
        kind = self.text(f"{prefix}_KIND")
        if kind not in NODE_KINDS:
            raise self._error(f"{prefix}_KIND", f"one of {sorted(NODE_KINDS)}")
        values: dict[str, Any] = {"name": name}
        for field in dataclasses.fields(NODE_KINDS[kind]):
            macro = f"{prefix}_{field_stem(field.name)}"
            there = {macro, f"{macro}_TIME"} & (self._macros.keys() | self._arrays.keys())
            if field.name != "name" and (there or field.name not in LATER_FIELDS):
                values[field.name] = self._field(str(field.type), macro)
        return NODE_KINDS[kind](**values)

    def _field(self, kind: str, stem: str) -> Any:
        """Return the value of a field that is annotated as `kind`."""
        match kind:
            case "str":
                return self.text(stem)
            case "int":
                return self._integer(stem)
            case "Pair" | "Shape":
                return self._sizes(stem)
            case "tuple[Pair, ...]":
                return self._pads(stem)
            case "tuple[str, ...]":
                return self._texts(stem)
            case _:
                return self._array(stem)

    def _texts(self, stem: str) -> tuple[str, ...]:
        texts: list[str] = []
        while (macro := f"{stem}_{len(texts)}") in self._macros:
            texts.append(self.text(macro))
        return tuple(texts)

    def _sizes(self, stem: str) -> Shape:
        return tuple(self._integer(macro) for macro in self._axes(stem, ""))

    def _pads(self, stem: str) -> tuple[Pair, ...]:
        befores, afters = self._axes(stem, "_BEFORE"), self._axes(stem, "_AFTER")
        pairs = zip(befores, afters, strict=False)
        return tuple((self._integer(before), self._integer(after)) for before, after in pairs)

    def _axes(self, stem: str, ending: str) -> list[str]:
        """Return the macros of those axes that are there, slowest first."""
        macros = [f"{stem}_{macro_name(axis)}{ending}" for axis in layer_axes(3)]
        return [macro for macro in macros if macro in self._macros]

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
