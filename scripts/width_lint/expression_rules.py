"""Judges typed expressions: bits cut off without a part-select, and signs that are lost.

Truncated: the right side of an assignment, initial value or port connection is wider than the left.
Unsized constants count with the bits that they need.

Sign lost: a number that may be negative is extended with zeros, compared, divided, or shifted
right with `>>>` as if it were unsigned, because it, or what stands beside it, is not signed. Such
numbers are followed through part-selects that hold the sign bit, lanes of a vector, sums, branches
of `?:`, `$signed`, and the sign extensions `{{N{x[MSB]}}, x}` and `{{N{x[MSB]}}, x[MSB-1:0]}`, not
into functions. A shift `>>` is not judged: it is right where a ReLU discards negative numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pyslang import ast

from scripts.width_lint.rtl_reading import Design
from scripts.width_lint.width_findings import SIGN_LOST, TRUNCATED, Finding
from scripts.width_lint.width_map import Requirement

_ORDER = {
    ast.BinaryOperator.LessThan,
    ast.BinaryOperator.LessThanEqual,
    ast.BinaryOperator.GreaterThan,
    ast.BinaryOperator.GreaterThanEqual,
}
_DIVISION = {ast.BinaryOperator.Divide, ast.BinaryOperator.Mod}
_KEEP_SIGN = {
    ast.BinaryOperator.Add,
    ast.BinaryOperator.Subtract,
    ast.BinaryOperator.Multiply,
    ast.BinaryOperator.BinaryAnd,
    ast.BinaryOperator.BinaryOr,
    ast.BinaryOperator.BinaryXor,
}
_SHIFTS = {
    ast.BinaryOperator.ArithmeticShiftRight,
    ast.BinaryOperator.ArithmeticShiftLeft,
    ast.BinaryOperator.LogicalShiftLeft,
}


def judge_expressions(
    design: Design, required: Mapping[str, Requirement], sections: Mapping[str, str]
) -> set[Finding]:
    """Return what is wrong with the expressions of a design.

    `required` and `sections` are by the names of `design.signals`; what is not in `required` is
    taken to be never negative.
    """
    judge = _Judge(design, required, sections, set())
    design.visit(judge.see)
    return judge.found


@dataclass(frozen=True)
class _Judge:
    design: Design
    required: Mapping[str, Requirement]
    sections: Mapping[str, str]
    found: set[Finding]

    def see(self, node: Any) -> None:
        """Judge a symbol or an expression that is met on a walk through the design."""
        match node:
            case ast.AssignmentExpression():
                self._assigned(node.left, node.right)
            case ast.NetSymbol() | ast.VariableSymbol() if node.initializer is not None:
                self._fits(node, node.type, node.initializer)
            case ast.CallExpression() if not node.isSystemCall:
                self._called(node)
            case ast.InstanceSymbol():
                for connection in node.portConnections:
                    self._connected(connection)
            case ast.ConversionExpression():
                self._converted(node)
            case ast.BinaryExpression():
                self._operated(node)
            case ast.ConcatenationExpression():
                self._padded(node)

    def _assigned(self, left: Any, right: Any) -> None:
        target = _target(left)
        if target is not None:
            self._fits(target, left.type, right)

    def _called(self, node: Any) -> None:
        for formal, actual in zip(node.subroutine.arguments, node.arguments, strict=True):
            if actual.kind != ast.ExpressionKind.Assignment:  # an output of a task
                self._fits(formal, formal.type, actual)

    def _connected(self, connection: Any) -> None:
        expression, port = connection.expression, connection.port
        if expression is None or port.internalSymbol is None:
            return
        if expression.kind != ast.ExpressionKind.Assignment:
            self._fits(port.internalSymbol, port.type, expression)
            expression.visit(self.see)  # no walk through the design meets it
        elif (target := _target(expression.left)) is not None:
            self._put_out(port, target, expression.left)

    def _put_out(self, port: Any, target: Any, left: Any) -> None:
        bits, width = port.type.bitWidth, left.type.bitWidth
        if bits > width:
            self._cut(target, left.type, bits, f"port {port.name}", left)
        path = port.internalSymbol.hierarchicalPath
        negative = path in self.required and self.required[path].negative
        if bits < width and negative and not port.type.isSigned:
            how = f"extended from {bits} to {width} bits with zeros"
            self._report_lost(path, f"port {port.name}", how, left)

    def _fits(self, target: Any, into: Any, right: Any) -> None:
        implicit = ast.ConversionKind.Implicit
        while isinstance(right, ast.ConversionExpression) and right.conversionKind == implicit:
            right = right.operand
        if right.kind == ast.ExpressionKind.EmptyArgument:  # what an output port assigns
            return
        if into.isIntegral and right.type.isIntegral:
            needed = right.effectiveWidth
            bits = right.type.bitWidth if needed is None else min(right.type.bitWidth, needed)
            if bits > into.bitWidth:
                self._cut(target, into, bits, _text(right), right)

    def _cut(self, target: Any, into: Any, bits: int, text: str, at: Any) -> None:
        self._add(
            target.hierarchicalPath,
            TRUNCATED,
            f"{bits} bits of {text} into {into.bitWidth}, without a part-select",
            at,
        )

    def _converted(self, node: ast.ConversionExpression) -> None:
        operand = node.operand
        propagated = node.conversionKind == ast.ConversionKind.Propagated
        signed = node.type.isSigned if propagated else operand.type.isSigned
        if signed or not (node.type.isIntegral and operand.type.isIntegral):
            return
        if node.type.bitWidth > operand.type.bitWidth:
            how = f"extended from {operand.type.bitWidth} to {node.type.bitWidth} bits with zeros"
            self._lost([operand], how)

    def _operated(self, node: ast.BinaryExpression) -> None:
        if node.left.type.isSigned:
            return
        if node.op in _ORDER:
            self._lost([node.left, node.right], "compared as unsigned")
        elif node.op in _DIVISION:
            self._lost([node.left, node.right], "divided as unsigned")
        elif node.op == ast.BinaryOperator.ArithmeticShiftRight:
            self._lost([node.left], "shifted right by >>> as unsigned")

    def _padded(self, node: Any) -> None:
        first, *rest = node.operands
        if len(rest) == 1 and _is_zero(first):
            self._lost(rest, f"extended to {node.type.bitWidth} bits with zeros")

    def _lost(self, operands: list[Any], how: str) -> None:
        for operand in operands:
            source = next(self._negative(operand), None)
            if source is not None:
                self._report_lost(source, _text(operand), how, operand)

    def _report_lost(self, path: str, text: str, how: str, at: Any) -> None:
        needed = self.required[path]
        carries = f"{text} carries {needed.low} to {needed.high}"
        self._add(path, SIGN_LOST, f"{carries}, it is {how}", at)

    def _add(self, path: str, verdict: str, text: str, at: Any) -> None:
        signal = self.design.signals[path]
        needed = self.required.get(path)
        place = self.design.place(at.sourceRange.start)
        name = "" if needed is None else needed.network_signal
        self.found.add(
            Finding(
                self.sections[path],
                signal.table_name,
                verdict,
                f"{text}, at {place}",
                name,
                place=signal.place,
            )
        )

    def _negative(self, node: Any) -> Iterator[str]:
        """Yield the signals that make the highest bit of an expression a sign."""
        match node:
            case ast.NamedValueExpression() | ast.ElementSelectExpression():
                if not _is_bit(node) and self._holds_sign(node, 1):
                    yield from _path(node)
            case ast.RangeSelectExpression():
                if self._selects_sign(node):
                    yield from _path(node.value)
            case ast.ConversionExpression():
                yield from self._negative(node.operand)
            case ast.CallExpression() if node.subroutineName in ("$signed", "$unsigned"):
                yield from self._negative(node.arguments[0])
            case ast.UnaryExpression() if node.op in (
                ast.UnaryOperator.Minus,
                ast.UnaryOperator.Plus,
            ):
                yield from self._negative(node.operand)
            case ast.BinaryExpression() if node.op in _KEEP_SIGN | _SHIFTS:
                yield from self._negative(node.left)
                if node.op in _KEEP_SIGN:
                    yield from self._negative(node.right)
            case ast.ConditionalExpression():
                yield from self._negative(node.left)
                yield from self._negative(node.right)
            case ast.ConcatenationExpression():
                yield from self._sign_of_concatenation(node)

    def _sign_of_concatenation(self, node: Any) -> Iterator[str]:
        """Yield the signals whose sign the first part of a concatenation holds or repeats."""
        first = _repeated(node.operands[0])
        if isinstance(first, ast.ElementSelectExpression) and _is_bit(first):
            if self._holds_sign(first.value, 1) and _index(first.selector) == _highest(first.value):
                yield from _path(first.value)
        else:
            yield from self._negative(first)

    def _selects_sign(self, node: ast.RangeSelectExpression) -> bool:
        if self._holds_sign(node.value, 1):
            simple = node.selectionKind == ast.RangeSelectionKind.Simple
            highest = _highest(node.value)
            return node.type.bitWidth == node.value.type.bitWidth or (
                simple and _index(node.left) == highest
            )
        for path in _path(node.value):
            needed = self.required.get(path)
            lane = node.value.type.bitWidth // needed.lanes if needed else 0
            return self._holds_sign(node.value, None) and node.type.bitWidth == lane
        return False

    def _holds_sign(self, node: Any, lanes: int | None) -> bool:
        """Whether a signal, or an element of a memory, carries negative numbers, in `lanes`."""
        return any(
            path in self.required
            and self.required[path].negative
            and lanes in (None, self.required[path].lanes)
            for path in _path(node)
        )


def _target(node: Any) -> Any:
    """Return the symbol that the left side of an assignment names first."""
    while isinstance(node, ast.ConcatenationExpression):
        node = node.operands[0]
    return _root(node)


def _root(node: Any) -> Any:
    """Return the symbol that an expression names or selects from, None for anything else."""
    while isinstance(node, ast.ElementSelectExpression | ast.RangeSelectExpression):
        node = node.value
    return node.symbol if isinstance(node, ast.NamedValueExpression) else None


def _path(node: Any) -> Iterator[str]:
    symbol = _root(node)
    if symbol is not None:
        yield symbol.hierarchicalPath


def _is_bit(node: Any) -> bool:
    """Whether a node selects one bit of a vector, not an element of a memory."""
    return isinstance(node, ast.ElementSelectExpression) and not node.value.type.isUnpackedArray


def _index(node: Any) -> int | None:
    return None if node.constant is None else int(node.constant.value)


def _highest(node: Any) -> int:
    return int(node.type.fixedRange.left)


def _repeated(node: Any) -> Any:
    """Return the first part of what a replication repeats; anything else as it is."""
    while node.kind == ast.ExpressionKind.Replication:
        node = node.concat.operands[0]
    return node


def _is_zero(node: Any) -> bool:
    node = _repeated(node)
    return node.constant is not None and int(node.constant.value) == 0


def _text(node: Any) -> str:
    while isinstance(node, ast.ConversionExpression):
        node = node.operand
    return "the right side" if node.syntax is None else " ".join(str(node.syntax).split())
