"""Pieces of C text that several files are made of."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

import numpy.typing as npt

from golden.integer_math import signed_limits
from golden.windows import Shape

_LINE_LENGTH = 100
_INT32_MAX = signed_limits(32)[1]


def brackets(shape: Shape) -> str:
    """Return sizes as C has them behind the name of an array.

    >>> brackets((14, 4, 48))
    '[14][4][48]'
    """
    return "".join(f"[{size}]" for size in shape)


def braces(values: Iterable[Any]) -> str:
    """Return the initialiser of a structure.

    >>> braces((3, 1, 0))
    '{3, 1, 0}'
    """
    return f"{{{', '.join(map(str, values))}}}"


def integer(value: int) -> str:
    """Return an integer as a C constant; the least of its type has no literal.

    >>> integer(-5), integer(-(2**31)), integer(2**31)
    ('-5', 'INT32_MIN', 'INT64_C(2147483648)')
    """
    for bits, macro in ((32, "INT32_MIN"), (64, "INT64_MIN")):
        if value == signed_limits(bits)[0]:
            return macro
    return str(value) if abs(value) <= _INT32_MAX else f"INT64_C({value})"


def range_text(reach: tuple[int, int]) -> str:
    """Return a range as comments have it.

    >>> range_text((-8, 7))
    '-8..7'
    """
    return f"{reach[0]}..{reach[1]}"


def call(function: str, *arguments: str) -> str:
    """Return a call, on as many lines as it needs."""
    return wrapped(f"{function}({', '.join(arguments)});", indent=" " * (len(function) + 1))


def wrapped(text: str, indent: str = "    ") -> str:
    """Return a statement or a comment, on as many lines as it needs."""
    wrapper = textwrap.TextWrapper(
        width=_LINE_LENGTH - 8,  # it may be moved in
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapper.fill(text)


def flat_array(kind: str, name: str, values: npt.NDArray[Any]) -> str:
    """Return the definition of an array of integers of C type `kind`, its last axis fastest."""
    return entries(kind, name, list(map(integer, values.ravel().tolist())))


def entries(kind: str, name: str, initialisers: list[str]) -> str:
    """Return the definition of an array of C type `kind`."""
    text = ", ".join(initialisers)
    lines = textwrap.wrap(text, _LINE_LENGTH - 4, break_on_hyphens=False)
    body = textwrap.indent("\n".join(lines), "    ")
    return f"static const {kind} {name}[{len(initialisers)}] = {{\n{body}\n}};"
