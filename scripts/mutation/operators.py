"""Mutation operators for Verilog: the small mistakes that a bench must notice.

Each function here looks at one node of a module's syntax tree and yields the edits that its
operator makes there. `scripts.mutation.mutants` walks the tree and collects them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pyslang.syntax import SyntaxKind, SyntaxNode

OPERATORS = {
    "width_minus_one": "a signal loses its highest bit",
    "depth_minus_one": "a memory loses its last word",
    "sign_dropped": "a signed signal or shift becomes unsigned",
    "zero_extended": "a sign extension fills with zeros",
    "sign_extended": "a zero extension fills with copies of the highest bit",
    "floor_to_truncation": "a shift rounds towards zero",
    "floor_to_nearest": "a shift rounds to the nearest integer",
    "relu_missing": "negative numbers pass",
    "shift_off_by_one": "a shift is one bit longer or shorter",
    "slice_off_by_one": "a part of a vector is taken one bit higher or lower",
    "index_off_by_one": "a memory address or bit number is one too high",
    "constant_off_by_one": "a number in an expression is one too high",
    "comparison_flipped": "a comparison becomes its opposite",
    "tie_broken": "equal operands of < or > count the other way",
    "operator_swapped": "another operator of arithmetic",
    "operand_dropped": "one operand of arithmetic is missing",
    "term_dropped": "one term of a condition is missing",
    "handshake_term_dropped": "a valid or ready is missing from a condition",
    "negation_dropped": "a signal is taken without its negation",
    "branch_always": "a condition is ignored and taken as true",
    "branch_never": "a condition is ignored and taken as false",
    "reset_missing": "a register has no reset",
    "reset_at_power_up_only": "a register is reset once, but not in operation",
    "update_missing": "a register is never written there",
    "register_stale": "a register's old value is used for its next one",
    "parts_swapped": "the parts of a concatenation change places",
    "connection_stuck": "an input of an instance is tied to 0 or 1",
    "connection_open": "an output of an instance is not connected",
    "parameter_off_by_one": "a parameter of an instance is one too low",
}

_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_OTHER_AT_TIE = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_SWAPPED = {"+": "-", "-": "+", "*": "+"}
_ZERO = re.compile(r"\{\w+\{1'b0\}\}|0|\d+'[bdh]0+")
_HANDSHAKE = re.compile(r"valid|ready")
_RESET = re.compile(r"[!~]rst_ni")
# What tells a ReLU from any other choice between zero and a value.
_NEGATIVE = re.compile(r"negative\w*|\w+\[\w+ *- *1\]|\w+ *< *0")


@dataclass(frozen=True)
class Edit:
    """Replace the characters `start` to `end` of a module by `text`, as `operator` does."""

    operator: str
    start: int
    end: int
    text: str


class Source:
    """The text of a module, and what of it the operators look up."""

    def __init__(self, text: str, ports: dict[str, dict[str, str]]) -> None:
        self.text = text
        self.ports = ports  # module -> port -> direction
        self.names = set(re.findall(r"\w+", text))

    def of(self, node: SyntaxNode) -> str:
        """Return the text of `node`."""
        start, end = span(node)
        return self.text[start:end]

    def replace(self, operator: str, node: SyntaxNode, text: str) -> Edit:
        """Return the edit that puts `text` in the place of `node`, in parentheses if needed."""
        if node.parent.kind in _BINARY and re.search(r"[^\w\[\]]", text):
            text = f"({text})"
        return Edit(operator, *span(node), text)


def span(node: SyntaxNode) -> tuple[int, int]:
    """Return where `node` begins and ends in its file."""
    return node.sourceRange.start.offset, node.sourceRange.end.offset


Operator = Callable[[Source, Any], Iterator[Edit]]


def comparisons(source: Source, node: Any) -> Iterator[Edit]:
    """`==`, `<` and the like: the opposite, and ties the other way."""
    left, right, sign = _operands(source, node)
    yield source.replace("comparison_flipped", node, f"{left} {_OPPOSITE[sign]} {right}")
    if sign in _OTHER_AT_TIE:
        yield source.replace("tie_broken", node, f"{left} {_OTHER_AT_TIE[sign]} {right}")


def two_operands(source: Source, node: Any) -> Iterator[Edit]:
    """Arithmetic and logic: one operand alone, another operator of arithmetic.

    `&` and `|` are not exchanged: whoever notices a missing term notices that too.
    """
    left, right, sign = _operands(source, node)
    for kept, dropped in ((node.left, node.right), (node.right, node.left)):
        if dropped.kind == node.kind or kept.kind in _NUMBERS:
            continue  # of a & b & c one term is dropped, never two
        yield source.replace(_dropping(sign, source.of(dropped)), node, source.of(kept))
    if sign in _SWAPPED:
        yield source.replace("operator_swapped", node, f"{left} {_SWAPPED[sign]} {right}")


def shifts(source: Source, node: Any) -> Iterator[Edit]:
    """`>>`, `>>>` and `<<`: one bit more, the sign dropped, another rounding."""
    left, right, sign = _operands(source, node)
    yield source.replace("shift_off_by_one", node, f"{left} {sign} ({right} + 1)")
    if sign == ">>>":
        yield source.replace("sign_dropped", node, f"{left} >> {right}")
        yield from _roundings(source, node, left, right)


def selections(source: Source, node: Any) -> Iterator[Edit]:
    """`x[index]` and `x[high:low]` where they are read or written."""
    for selector in (part.selector for part in _nodes(node) if hasattr(part, "selector")):
        text = source.of(selector)
        if selector.kind == SyntaxKind.BitSelect:
            yield Edit("index_off_by_one", *span(selector), f"{text} + 1'b1")
        elif selector.kind == SyntaxKind.SimpleRangeSelect:
            yield from _slices(source, node, selector)
        else:  # x[base +: width]
            yield Edit("slice_off_by_one", *span(selector.left), f"{source.of(selector.left)} + 1")


def choices(source: Source, node: Any) -> Iterator[Edit]:
    """`condition ? a : b`: only a, only b; who notices these notices an exchange of a and b too."""
    condition, left, right = map(source.of, (node.predicate, node.left, node.right))
    relu = _ZERO.fullmatch(left) and _NEGATIVE.fullmatch(condition.strip("()"))
    yield source.replace("relu_missing" if relu else "branch_never", node, right)
    yield source.replace("branch_always", node, left)


def conditions(source: Source, node: Any) -> Iterator[Edit]:
    """`if (condition)` of a clocked or combinational block."""
    condition = source.of(node.predicate)
    if _RESET.fullmatch(condition):
        return  # reset_missing looks at each register
    yield Edit("branch_always", *span(node.predicate), "1'b1")
    yield Edit("branch_never", *span(node.predicate), "1'b0")


def assignments(source: Source, node: Any) -> Iterator[Edit]:
    """`register <= value;` in a clocked block, `signal = value;` in a combinational one."""
    if not _is_assignment(node.expr):
        return
    statement, name = source.of(node), source.of(node.expr.left)
    if _within_reset(source, node):
        yield Edit("reset_missing", *span(node), ";")
        once = f"begin if (^{name} === 1'bx) {statement} end"
        yield Edit("reset_at_power_up_only", *span(node), once)
    elif node.parent.kind != SyntaxKind.ConditionalStatement:  # else branch_never does the same
        yield Edit("update_missing", *span(node), ";")


def negations(source: Source, node: Any) -> Iterator[Edit]:
    """`~signal` and `!signal`."""
    text = source.of(node)
    if node.operatorToken.rawText in "~!" and not _RESET.fullmatch(text):
        yield source.replace("negation_dropped", node, source.of(node.operand))


def literals(source: Source, node: Any) -> Iterator[Edit]:
    """Numbers, of which one bit wraps: 1'b0 becomes 1'b1, and a step of 1'b1 becomes 2."""
    text = source.of(node)
    if text.isdecimal():
        yield Edit("constant_off_by_one", *span(node), str(int(text) + 1))
        return
    size, base, digits = re.fullmatch(r"(\d+)'([bdh])(\w+)", text).groups()
    value = int(digits, {"b": 2, "d": 10, "h": 16}[base]) + 1
    if text == "1'b1" and node.parent.kind in _STEPS:
        replacement = "2'd2"
    else:
        replacement = f"{size}'d{value % 2 ** int(size)}"
    yield Edit("constant_off_by_one", *span(node), replacement)


def repetitions(source: Source, node: Any) -> Iterator[Edit]:
    """`{COUNT{bit}}`: zero becomes one; as an extension, the other kind of it."""
    (repeated,) = node.concatenation.expressions
    count, bit, next_part = source.of(node.expression), source.of(repeated), _next_part(node)
    if next_part is None:
        if bit == "1'b0":
            yield source.replace("constant_off_by_one", node, f"{source.of(node)} + 1'b1")
    elif bit == "1'b0":
        yield Edit(
            "sign_extended", *span(node), f"{{{count}{{{_highest_bit(source, next_part)}}}}}"
        )
    else:
        yield Edit("zero_extended", *span(node), f"{{{count}{{1'b0}}}}")


def concatenations(source: Source, node: Any) -> Iterator[Edit]:
    """`{a, b}` that joins two signals."""
    parts = list(_nodes(node))
    if len(parts) == 2 and parts[0].kind != SyntaxKind.MultipleConcatenationExpression:
        yield Edit(
            "parts_swapped", *span(node), f"{{{source.of(parts[1])}, {source.of(parts[0])}}}"
        )


def names(source: Source, node: Any) -> Iterator[Edit]:
    """A register's next value `x_d` where it is read."""
    name = source.of(node)
    if name.endswith("_d") and f"{name[:-1]}q" in source.names and not _is_target(node):
        yield Edit("register_stale", *span(node), f"{name[:-1]}q")


def declared_types(source: Source, node: Any) -> Iterator[Edit]:
    """`reg signed [BITS-1:0]`: without its sign, one bit narrower."""
    if node.signing.rawText == "signed":
        start = node.signing.location.offset
        yield Edit("sign_dropped", start, start + len("signed "), "")
    for dimension in node.dimensions:
        limits = dimension.specifier.selector
        yield Edit("width_minus_one", *span(limits.left), _one_less(source.of(limits.left)))


def declared_names(source: Source, node: Any) -> Iterator[Edit]:
    """`memory [0:WORDS-1]`: one word less."""
    for dimension in node.dimensions:
        limits = dimension.specifier.selector
        yield Edit("depth_minus_one", *span(limits.right), _one_less(source.of(limits.right)))


def signed_casts(source: Source, node: Any) -> Iterator[Edit]:
    """`$signed(x)`."""
    text = source.of(node)
    if text.startswith("$signed"):
        yield Edit("sign_dropped", *span(node), text.replace("$signed", "$unsigned", 1))


def connections(source: Source, node: Any) -> Iterator[Edit]:
    """`.port(signal)` of an instance."""
    module = source.of(node.parent.parent).split()[0]
    direction = source.ports.get(module, {}).get(node.name.rawText)
    if node.expr is None or node.name.rawText in ("clk_i", "rst_ni"):
        return
    if direction == "input":
        for level in "01":
            yield Edit("connection_stuck", *span(node.expr), f"1'b{level}")
    elif direction == "output":
        yield Edit("connection_open", *span(node.expr), "")


def instance_parameters(source: Source, node: Any) -> Iterator[Edit]:
    """`.PARAMETER(value)` of an instance."""
    if node.expr is not None and not source.of(node.expr).endswith("_FILE"):
        yield Edit("parameter_off_by_one", *span(node.expr), f"{source.of(node.expr)} - 1")


_COMPARISONS = (
    SyntaxKind.EqualityExpression,
    SyntaxKind.InequalityExpression,
    SyntaxKind.LessThanExpression,
    SyntaxKind.LessThanEqualExpression,
    SyntaxKind.GreaterThanExpression,
    SyntaxKind.GreaterThanEqualExpression,
)
_STEPS = (SyntaxKind.AddExpression, SyntaxKind.SubtractExpression)
_NUMBERS = (SyntaxKind.IntegerLiteralExpression, SyntaxKind.IntegerVectorExpression)
_TWO_OPERANDS = (
    *_STEPS,
    SyntaxKind.MultiplyExpression,
    SyntaxKind.BinaryAndExpression,
    SyntaxKind.BinaryOrExpression,
    SyntaxKind.BinaryXorExpression,
    SyntaxKind.LogicalAndExpression,
    SyntaxKind.LogicalOrExpression,
)
_SHIFTS = (
    SyntaxKind.ArithmeticShiftRightExpression,
    SyntaxKind.LogicalShiftRightExpression,
    SyntaxKind.LogicalShiftLeftExpression,
)
_BINARY = frozenset((*_COMPARISONS, *_TWO_OPERANDS, *_SHIFTS))

BY_KIND: dict[SyntaxKind, Operator] = {
    **dict.fromkeys(_COMPARISONS, comparisons),
    **dict.fromkeys(_TWO_OPERANDS, two_operands),
    **dict.fromkeys(_SHIFTS, shifts),
    SyntaxKind.IdentifierSelectName: selections,
    SyntaxKind.ConditionalExpression: choices,
    SyntaxKind.ConditionalStatement: conditions,
    SyntaxKind.ExpressionStatement: assignments,
    SyntaxKind.UnaryBitwiseNotExpression: negations,
    SyntaxKind.UnaryLogicalNotExpression: negations,
    **dict.fromkeys(_NUMBERS, literals),
    SyntaxKind.MultipleConcatenationExpression: repetitions,
    SyntaxKind.ConcatenationExpression: concatenations,
    SyntaxKind.IdentifierName: names,
    SyntaxKind.RegType: declared_types,
    SyntaxKind.ImplicitType: declared_types,
    SyntaxKind.Declarator: declared_names,
    SyntaxKind.InvocationExpression: signed_casts,
    SyntaxKind.NamedPortConnection: connections,
    SyntaxKind.NamedParamAssignment: instance_parameters,
}


def _operands(source: Source, node: Any) -> tuple[str, str, str]:
    return source.of(node.left), source.of(node.right), node.operatorToken.rawText


def _nodes(node: SyntaxNode) -> Iterator[Any]:
    return (child for child in node if isinstance(child, SyntaxNode))


def _dropping(sign: str, dropped: str) -> str:
    """Return the operator that leaves out the operand `dropped`."""
    if sign in _SWAPPED:
        return "operand_dropped"
    if _RESET.search(dropped):
        return "reset_missing"
    return "handshake_term_dropped" if _HANDSHAKE.search(dropped) else "term_dropped"


def _slices(source: Source, node: Any, selector: Any) -> Iterator[Edit]:
    """A part `x[high:low]` above bit 0, moved and, where it is a shift, rounded otherwise."""
    high, low = source.of(selector.left), source.of(selector.right)
    if low == "0":
        return
    is_shift = "SHIFT" in low
    operator = "shift_off_by_one" if is_shift else "slice_off_by_one"
    for step in ("+ 1", "- 1"):
        yield Edit(operator, *span(selector), f"{high} {step}:{low} {step}")
    if is_shift:
        yield from _roundings(source, node, node.identifier.rawText, low)


def _roundings(source: Source, node: Any, value: str, shift: str) -> Iterator[Edit]:
    """Other roundings of `value / 2**shift`; the width follows from where the result goes."""
    truncated = f"$signed({value} / (1 << {shift}))"
    nearest = f"$signed(({value} + ((1 << {shift}) >> 1)) >>> {shift})"
    yield Edit("floor_to_truncation", *span(node), truncated)
    yield Edit("floor_to_nearest", *span(node), nearest)


def _next_part(node: Any) -> Any:
    """Return what follows `node` in the concatenation that it extends, if there is one."""
    if node.parent.kind != SyntaxKind.ConcatenationExpression:
        return None
    parts = list(_nodes(node.parent))
    place = [span(part) for part in parts].index(span(node)) + 1
    return parts[place] if place < len(parts) else None


def _highest_bit(source: Source, node: Any) -> str:
    """Return the text for the highest bit of a whole vector, by its declaration."""
    name = source.of(node)
    declared = re.search(rf"\[([^:\[\]]+):0\] *{re.escape(name)}\b", source.text)
    return f"{name}[{declared.group(1)}]" if declared else "1'b1"


def _one_less(limit: str) -> str:
    """Return the text for `limit - 1`."""
    if limit.isdecimal():
        return str(max(int(limit) - 1, 0))
    less, count = re.subn(r"- *1$", "-2", limit)
    return less if count else f"{limit}-1"


def _is_assignment(node: SyntaxNode) -> bool:
    return node.kind in (
        SyntaxKind.NonblockingAssignmentExpression,
        SyntaxKind.AssignmentExpression,
    )


def _is_target(node: SyntaxNode) -> bool:
    parent = node.parent
    return _is_assignment(parent) and span(parent.left) == span(node)


def _within_reset(source: Source, node: SyntaxNode) -> bool:
    """Whether `node` is in the branch that `if (!rst_ni)` takes."""
    while node.parent is not None:
        child, node = node, node.parent
        if node.kind == SyntaxKind.ConditionalStatement and span(child) == span(node.statement):
            return _RESET.match(source.of(node.predicate)) is not None
    return False
