"""Reads modules with pyverilog, in a process of its own: declarations, and what feeds what.

pyverilog writes its tables into the current folder and leaves files open, so
`scripts.width_lint.rtl_reading` starts this file in a folder of its own. Its arguments are a job
file (JSON: sources, includes, and modules with their parameter values) and the result file to write
(JSON: one object a module).

Every module is analysed alone, with the values of its parameters written in as defaults and the
modules below it reduced to their ports: below an instance, pyverilog 1.3.0 computes localparams
from the defaults of the parameters, even where the instance overrides them.
"""

from __future__ import annotations

import copy
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyverilog.dataflow import dataflow as tree
from pyverilog.dataflow.bindvisitor import BindVisitor
from pyverilog.dataflow.modulevisitor import ModuleVisitor
from pyverilog.dataflow.optimizer import VerilogDataflowOptimizer
from pyverilog.dataflow.signalvisitor import SignalVisitor
from pyverilog.vparser import ast
from pyverilog.vparser.parser import VerilogCodeParser

_SHIFTS = {"Sll", "Srl", "Sra", "Power"}
_ARITHMETIC = {"Plus", "Minus", "Times", "Divide", "Mod", "And", "Or", "Xor", "Xnor"}
_DATA_CALLS = {"signed", "unsigned"}
_RENAMED = re.compile(r"_rn\d+_(.*)")  # a further value of a signal in an always block
_UNNAMED = re.compile(r"\w*block\d+")


def main() -> None:
    """Read the job, analyse every module, write the result."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    parser = VerilogCodeParser(job["sources"], preprocess_include=job["includes"], debug=False)
    source = parser.parse()
    shells = copy.deepcopy(source)
    for part in _modules(shells).values():
        _reduce_to_ports(part)
    result = []
    for module in job["modules"]:
        try:
            result.append(_read(source, shells, module["module"], module["parameters"]))
        except ValueError as error:
            result.append({"error": str(error)})
        except Exception as error:  # pyverilog raises whatever it stumbles over
            result.append({"error": f"{type(error).__name__}: {error}"})
    Path(sys.argv[2]).write_text(json.dumps(result), encoding="utf-8")


def _modules(source: ast.Source) -> dict[str, ast.ModuleDef]:
    parts = source.description.definitions
    return {part.name: part for part in parts if isinstance(part, ast.ModuleDef)}


def _refuse_clog2(module: ast.ModuleDef) -> None:
    pending: list[Any] = [module]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.SystemCall) and node.syscall == "clog2":
            raise ValueError("expected no $clog2, which pyverilog reads as 0")
        pending.extend(node.children())


def _read(
    source: ast.Source, shells: ast.Source, module: str, parameters: dict[str, int]
) -> dict[str, Any]:
    """Return declarations `{name: [[bits, signed]]}` and feeds `[[destination, source]]`.

    Names are those within the module: `g_lane[0].tap`; of an instance's port `tree.sum_o`.
    """
    modules = ModuleVisitor()
    modules.visit(_alone(source, shells, module, parameters))
    table = modules.get_moduleinfotable()
    signals = SignalVisitor(table, module)
    signals.start_visit()
    binds = BindVisitor(table, module, signals.getFrameTable(), noreorder=False)
    binds.start_visit()
    flow = binds.getDataflows()
    optimizer = VerilogDataflowOptimizer(flow.getTerms(), flow.getBinddict())
    optimizer.resolveConstant()
    declared = binds.getFrameTable().getAllSignals()
    return {
        "declarations": _declarations(optimizer.resolved_terms, declared),
        "feeds": sorted(_feeds(flow)),
    }


def _alone(
    source: ast.Source, shells: ast.Source, module: str, parameters: dict[str, int]
) -> ast.Source:
    """Return a source of `module` with its parameters set, and of the shells of the others."""
    _refuse_clog2(_modules(source)[module])
    alone = copy.deepcopy(_modules(source)[module])
    _set_parameters(alone, parameters)
    _forget_edges(alone)
    others = [part for name, part in _modules(shells).items() if name != module]
    return ast.Source("", ast.Description((alone, *others)))


def _set_parameters(module: ast.ModuleDef, parameters: dict[str, int]) -> None:
    declared = [*(module.paramlist.params if module.paramlist else ()), *module.items]
    for declaration in declared:
        for node in declaration.children() if isinstance(declaration, ast.Decl) else ():
            if type(node) is ast.Parameter and node.name in parameters:
                node.value = ast.Rvalue(_constant(parameters[node.name]))


def _forget_edges(node: Any) -> None:
    """Let every block run at any change: pyverilog knows clocks and resets by their names alone."""
    for child in node.children():
        if isinstance(child, ast.Always):
            child.sens_list = ast.SensList((ast.Sens(None, "all"),))
        else:
            _forget_edges(child)


def _constant(value: int) -> ast.Node:
    return ast.IntConst(str(value)) if value >= 0 else ast.Uminus(ast.IntConst(str(-value)))


def _reduce_to_ports(module: ast.ModuleDef) -> None:
    """Keep ports, without widths, and parameters: what an instance connects and overrides."""
    kept = []
    for item in module.items:
        for node in item.list if isinstance(item, ast.Decl) else ():
            if isinstance(node, ast.Input | ast.Output | ast.Inout) or type(node) is ast.Parameter:
                kept.append(ast.Decl((node,)))
    module.items = tuple(kept)
    ports = [port.first for port in module.portlist.ports if isinstance(port, ast.Ioport)]
    for node in [*ports, *(declaration.list[0] for declaration in kept)]:
        if not isinstance(node, ast.Parameter):
            node.width = None
    for port in module.portlist.ports:
        if isinstance(port, ast.Ioport) and port.second is not None:
            port.second.width = None


def _declarations(terms: dict[Any, Any], declared: dict[Any, Any]) -> dict[str, list[list[Any]]]:
    found: dict[str, list[list[Any]]] = {}
    for chain, nodes in declared.items():
        if sum(scope.scopetype == "module" for scope in chain.scopechain) > 1:
            continue  # a port of an instance
        term = terms[chain]
        ends = term.msb, term.lsb
        if not all(isinstance(end, tree.DFEvalValue) for end in ends):
            raise ValueError(f"{_name(chain)}: the width cannot be resolved")
        bits = abs(ends[0].value - ends[1].value) + 1
        reading = [bits, any(node.signed for node in nodes)]
        readings = found.setdefault(_name(chain), [])
        if reading not in readings:
            readings.append(reading)
    return found


def _name(chain: Any) -> str:
    """Return a signal's name within its module, the index of a loop behind the block it makes."""
    words: list[str] = []
    loop = None
    for scope in chain.scopechain[1:]:
        if scope.scopetype == "for":
            loop = scope.scopeloop
        elif scope.scopetype == "block" and not _UNNAMED.fullmatch(scope.scopename):
            words.append(scope.scopename + ("" if loop is None else f"[{loop}]"))
            loop = None
        elif scope.scopetype in ("module", "signal"):
            renamed = _RENAMED.fullmatch(scope.scopename)
            words.append(renamed[1] if renamed else scope.scopename)
    return ".".join(words)


def _feeds(flow: Any) -> set[tuple[str, str]]:
    return {
        (_name(chain), _name(source))
        for chain, binds in flow.getBinddict().items()
        for bind in binds
        for source in _data(bind.tree, flow.getTerms())
    }


def _data(node: Any, terms: dict[Any, Any], in_concat: bool = False) -> Iterator[Any]:
    """Yield the terminals whose value reaches the result, not those that choose or index.

    A single bit of a vector is a flag, except where a concatenation puts it among others.
    """
    match node:
        case tree.DFTerminal():
            yield node.name
        case tree.DFBranch():
            for branch in (node.truenode, node.falsenode):
                yield from _data(branch, terms)
        case tree.DFOperator():
            data = node.operator in _ARITHMETIC or node.operator in {"Uminus", "Uplus", "Unot"}
            operands = node.nextnodes if data else node.nextnodes[: node.operator in _SHIFTS]
            for operand in operands:
                yield from _data(operand, terms)
        case tree.DFConcat():
            for part in node.nextnodes:
                yield from _data(part, terms, in_concat=True)
        case tree.DFSyscall():
            for argument in node.nextnodes if node.syscall in _DATA_CALLS else ():
                yield from _data(argument, terms)
        case tree.DFPartselect():
            if in_concat or node.msb.tostr() != node.lsb.tostr():
                yield from _data(node.var, terms)
        case tree.DFPointer():
            if in_concat or _is_array(node.var, terms):
                yield from _data(node.var, terms)


def _is_array(node: Any, terms: dict[Any, Any]) -> bool:
    return isinstance(node, tree.DFTerminal) and bool(terms[node.name].dims)


if __name__ == "__main__":
    sys.setrecursionlimit(16 * 1024)
    main()
