"""Mutants of the Verilog modules: what they are, how they are made, how they are named for good.

A mutant is a module with one small mistake in it. The mistakes come from the operators of
`scripts.mutation.operators`, applied to the module's syntax tree. A mutant's identity is what its
operator does to which text, never a line number, so that it survives edits elsewhere.
"""

from __future__ import annotations

import difflib
import random
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyslang.syntax import SyntaxKind, SyntaxNode, SyntaxTree

from golden import files
from scripts.mutation.operators import BY_KIND, OPERATORS, Edit, Source

_INCLUDE, _PARAMETER = re.compile(r'`include +"[^"]+"'), "parameter X=0"
_KEYS = {"module", "operator", "before", "after", "occurrence", "why"}
# Elaboration checks these, not the bench; or they only repeat what the declaration says.
_LEFT_OUT = (
    SyntaxKind.ParameterPortList,  # defaults that every bench overrides
    SyntaxKind.EventControlWithExpression,
    SyntaxKind.VariableDimension,  # the operators for declarations look at them
    SyntaxKind.ElementSelect,  # the operator for selections looks at them
    SyntaxKind.InitialBlock,
)


@dataclass(frozen=True)
class Mutant:
    """One mutant: `before` becomes `after` in the `occurrence`-th place (from 1) where it can."""

    module: str
    operator: str
    before: str  # the lines that change, spaces folded
    after: str
    occurrence: int
    line: int = field(compare=False)  # for people; the identity does without
    source: str = field(compare=False, repr=False)  # the whole module with the mistake in it

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What identifies the mutant."""
        return self.module, self.operator, self.before, self.after, self.occurrence

    def describe(self) -> str:
        """Return where it is, what it does, and the lines before and after."""
        where = f"{self.module}.v:{self.line} {self.operator}"
        if self.occurrence > 1:
            where += f" (occurrence {self.occurrence})"
        return f"{where}\n  - {self.before}\n  + {self.after}"


def diff(original: str, mutant: Mutant) -> str:
    """Return the unified diff that makes `mutant` from the text of its module."""
    name = f"rtl_ref/{mutant.module}.v"
    lines = difflib.unified_diff(
        original.splitlines(), mutant.source.splitlines(), f"a/{name}", f"b/{name}", "", "", 1, ""
    )
    return "\n".join(lines) + "\n"


def read_modules(folder: Path) -> dict[str, str]:
    """Return the text of every module in `folder`, by name.

    Raises ValueError if there is none, or for one that is not ASCII or does not parse.
    """
    modules = {path.stem: files.read_text(path) for path in sorted(folder.glob("*.v"))}
    if not modules:
        raise ValueError(f"{folder}: expected Verilog modules, found none")
    for name, text in modules.items():
        if not text.isascii():  # the parser counts bytes
            raise ValueError(f"{name}.v: expected ASCII text")
        errors = [item for item in _parse(text).diagnostics if item.isError()]
        if errors:
            raise ValueError(f"{name}.v: expected Verilog, got {len(errors)} errors of syntax")
    return modules


def make_mutants(modules: dict[str, str], chosen: Sequence[str]) -> list[Mutant]:
    """Return every mutant of the chosen modules, in the order of their text.

    Raises ValueError for a module that is not among `modules`.
    """
    for name in chosen:
        if name not in modules:
            raise ValueError(f"modules: expected some of {', '.join(modules)}, got {name}")
    ports = {name: _ports(text) for name, text in modules.items()}
    return [mutant for name in chosen for mutant in _mutants(name, modules[name], ports)]


def sample(mutants: Sequence[Mutant], limit: int, seed: int) -> list[Mutant]:
    """Return `limit` of the mutants, drawn by `seed`, as even over modules and operators as can be.

    Those of each module and operator are shuffled; then every one of these groups gives in turn.
    """
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, mutant in enumerate(mutants):
        groups[mutant.module, mutant.operator].append(number)
    generator = random.Random(seed)
    order = []
    for group in groups.values():
        generator.shuffle(group)
        order += [(turn, generator.random(), number) for turn, number in enumerate(group)]
    return [mutants[number] for number in sorted(number for *_, number in sorted(order)[:limit])]


def read_equivalents(path: Path, mutants: Sequence[Mutant]) -> dict[Mutant, str]:
    """Return the mutants that `path` argues to be equivalent, each with its argument.

    `mutants` are all there are of the modules that are looked at; entries of others are left out.

    Raises ValueError for an entry that is not complete, that comes twice, or that matches none.
    """
    known = {mutant.key: mutant for mutant in mutants}
    modules = {mutant.module for mutant in mutants}
    found: dict[Mutant, str] = {}
    for number, entry in enumerate(_entries(path), 1):
        key = _entry_key(f"{path}: entry {number}", entry)
        if key[0] not in modules:
            continue
        if key not in known:
            raise ValueError(f"{path}: entry {number}: matches no mutant: {_short(key)}")
        if known[key] in found:
            raise ValueError(f"{path}: entry {number}: comes twice: {_short(key)}")
        found[known[key]] = entry["why"]
    return found


def instantiated(text: str) -> set[str]:
    """Return the names of the modules that the module in `text` instantiates."""
    return {
        node.type.rawText
        for node in _walk(_parse(text).root, ())
        if node.kind == SyntaxKind.HierarchyInstantiation
    }


def _mutants(name: str, text: str, ports: dict[str, dict[str, str]]) -> Iterator[Mutant]:
    """Yield the mutants of one module; of those with the same text only the first."""
    source, seen, places = Source(text, ports), {text}, Counter[tuple[str, str, str]]()
    for node in _walk(_parse(text).root, _LEFT_OUT):
        operator = BY_KIND.get(node.kind)
        for edit in operator(source, node) if operator else ():
            mutated = text[: edit.start] + edit.text + text[edit.end :]
            if mutated in seen:
                continue
            seen.add(mutated)
            before, after = _changed_lines(text, edit)
            places[edit.operator, before, after] += 1
            occurrence = places[edit.operator, before, after]
            line = text.count("\n", 0, edit.start) + 1
            yield Mutant(name, edit.operator, before, after, occurrence, line, mutated)


def _changed_lines(text: str, edit: Edit) -> tuple[str, str]:
    """Return the lines that `edit` touches and what it makes of them, without comments."""
    start = text.rfind("\n", 0, edit.start) + 1
    end = text.find("\n", edit.end)
    end = len(text) if end < 0 else end
    return (
        _folded(text[start:end]),
        _folded(text[start : edit.start] + edit.text + text[edit.end : end]),
    )


def _folded(lines: str) -> str:
    return " ".join(re.sub(r"//.*", "", lines).split())


def _parse(text: str) -> SyntaxTree:
    """Parse a module; a parameter, as long, stands for each included list of parameters."""
    return SyntaxTree.fromText(_INCLUDE.sub(lambda found: _PARAMETER.ljust(len(found[0])), text))


def _walk(node: Any, left_out: tuple[SyntaxKind, ...]) -> Iterator[Any]:
    """Yield the nodes under `node` in the order of the text."""
    yield node
    for child in node:
        if isinstance(child, SyntaxNode) and not _is_left_out(child, left_out):
            yield from _walk(child, left_out)


def _is_left_out(node: Any, left_out: tuple[SyntaxKind, ...]) -> bool:
    if not left_out:
        return False
    parent = node.parent.kind
    if node.kind == SyntaxKind.IfGenerate:
        return "_requires_" in str(node.block)  # the parameter checks: elaboration is their test
    if parent == SyntaxKind.LoopGenerate:
        return node.kind != SyntaxKind.GenerateBlock
    if parent == SyntaxKind.MultipleConcatenationExpression:
        return True  # the operator for repetitions looks at it
    return node.kind in left_out


def _ports(text: str) -> dict[str, str]:
    """Return the direction of every port."""
    return {
        node.declarator.name.rawText: node.header.direction.rawText
        for node in _walk(_parse(text).root, ())
        if node.kind == SyntaxKind.ImplicitAnsiPort
    }


def _entries(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    try:
        content = tomllib.loads(files.read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: expected TOML, {error}") from None
    if set(content) - {"equivalent"}:
        raise ValueError(f"{path}: expected only [[equivalent]] tables, got {', '.join(content)}")
    return list(content.get("equivalent", []))


def _entry_key(where: str, entry: dict[str, Any]) -> tuple[str, str, str, str, int]:
    entry.setdefault("occurrence", 1)
    if set(entry) != _KEYS:
        wrong = ", ".join(sorted(set(entry) ^ _KEYS))
        raise ValueError(f"{where}: expected the keys {', '.join(sorted(_KEYS))}; differs: {wrong}")
    if entry["operator"] not in OPERATORS:
        raise ValueError(f"{where}: operator: expected a known one, got {entry['operator']}")
    if not str(entry["why"]).strip():
        raise ValueError(f"{where}: why: expected an argument, got none")
    return tuple(entry[key] for key in ("module", "operator", "before", "after", "occurrence"))


def _short(key: tuple[str, str, str, str, int]) -> str:
    module, operator, before, after, occurrence = key
    return f"{module} {operator} '{before}' -> '{after}' (occurrence {occurrence})"
