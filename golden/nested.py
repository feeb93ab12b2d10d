"""Arrays as nested brackets, one axis a nesting level: the form shared by C and by the text files.

The writer puts every row of a kernel on a line of its own; the reader takes any layout, and says on
which line a bracket, a comma or a number is not what the stated shape asks for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from golden.windows import Shape

# No leading zeros: C would take 010 for eight.
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})")


@dataclass(frozen=True)
class Token:
    """A piece of text and the line (from 1) that it stands on."""

    text: str
    line: int


class Tokens:
    """The tokens of one file, taken one by one; errors name the file and the line."""

    def __init__(self, source: str, tokens: Iterable[Token]) -> None:
        self.source = source
        self._tokens: Iterator[Token] = iter(tokens)
        self._last_line = 1

    def take(self, what: str) -> Token:
        """Return the next token; ValueError, naming `what` was expected, at the end of the file."""
        token = next(self._tokens, None)
        if token is None:
            raise self.error(self._last_line, what, "the end of the file")
        self._last_line = token.line
        return token

    def expect(self, text: str) -> Token:
        """Take the next token, which must be `text`."""
        token = self.take(repr(text))
        if token.text != text:
            raise self.error(token.line, repr(text), repr(token.text))
        return token

    def expect_end(self) -> None:
        """Raise ValueError if any token is left."""
        for token in self._tokens:
            raise self.error(token.line, "nothing more", repr(token.text))

    def integer(self, dtype: type[np.signedinteger[Any]]) -> int:
        """Take an integer (with its minus sign) that fits `dtype`."""
        token = self.take("an integer")
        if not _INTEGER.fullmatch(token.text):
            raise self.error(token.line, "an integer", repr(token.text))
        value, limits = int(token.text), np.iinfo(dtype)
        if not limits.min <= value <= limits.max:
            raise self.error(token.line, f"an integer in {limits.min}..{limits.max}", str(value))
        return value

    def error(self, line: int, expected: str, found: str) -> ValueError:
        """Return the error for `line`; the caller raises it."""
        return ValueError(f"{self.source} line {line}: expected {expected}, got {found}")


def read_nested(
    tokens: Tokens, shape: Shape, brackets: str, dtype: type[np.signedinteger[Any]]
) -> npt.NDArray[Any]:
    """Take an array of exactly `shape` from `tokens`; ValueError at the first deviation."""
    return np.array(_read_axis(tokens, shape, brackets, dtype), dtype)


def nested_lines(
    array: npt.NDArray[Any], brackets: str, comment: Callable[[int], str]
) -> list[str]:
    """Return `array` as lines of nested brackets, `comment(index)` above each block of axis 0.

    An array of one axis is one line; else each row of axis 1 (of axis 0 if there are but two) is.
    """
    width = max(len(str(value)) for value in array.flat)
    if array.ndim == 1:
        return [_inline(array, brackets, width)]
    lines = [brackets[0]]
    for index, block in enumerate(array):
        end = "" if index == len(array) - 1 else ","
        lines.append(f"    {comment(index)}")
        if block.ndim == 1:
            lines.append(f"    {_inline(block, brackets, width)}{end}")
            continue
        rows = [_inline(row, brackets, width) for row in block]
        for number, row in enumerate(rows):
            opening = brackets[0] if number == 0 else " "
            closing = brackets[1] + end if number == len(rows) - 1 else ","
            lines.append(f"    {opening}{row}{closing}")
    return [*lines, brackets[1]]


def _read_axis(
    tokens: Tokens, shape: Shape, brackets: str, dtype: type[np.signedinteger[Any]]
) -> list[Any]:
    tokens.expect(brackets[0])
    items: list[Any] = []
    for index in range(shape[0]):
        if index:
            tokens.expect(",")
        if len(shape) == 1:
            items.append(tokens.integer(dtype))
        else:
            items.append(_read_axis(tokens, shape[1:], brackets, dtype))
    tokens.expect(brackets[1])
    return items


def _inline(array: npt.NDArray[Any], brackets: str, width: int) -> str:
    if array.ndim == 0:
        return f"{int(array):{width}d}"
    items = ", ".join(_inline(item, brackets, width) for item in array)
    return f"{brackets[0]}{items}{brackets[1]}"
