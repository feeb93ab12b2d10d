"""Reads elaborated RTL twice, with pyslang and with pyverilog, and compares what they understood.

pyslang elaborates the whole design: instances, parameter values, the width and sign of every signal
(`Design.signals`), and typed expressions, which `scripts.width_lint.expression_rules` judges.
pyverilog reads every module once more, with the same parameter values, and says which signal feeds
which (`Design.feeds`). `disagreements` compares widths and signs.

Sources are the Verilog subset that pyverilog reads (no packages, typedefs, `$clog2`).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyslang
from pyslang import ast
from pyslang.parsing import PreprocessorOptions
from pyslang.syntax import SyntaxTree

from dataflow.hardware.accelerator import Accelerator
from dataflow.hardware.rtl_parameters import HEADER_FILE, accelerator_header
from golden import files
from scripts.console.places import RTL_FOLDER
from scripts.simulation.accelerator_simulation import TOP
from scripts.simulation.rtl_simulation import require_icarus

_READER = Path(__file__).with_name("pyverilog_reader.py")
_INDEX = re.compile(r"\[-?\d+\]")
_UNNAMED = re.compile(r"genblk\d+(\[-?\d+\])?\.")
_ATTRIBUTE = "width_"  # what the attributes that this lint reads begin with


@dataclass(frozen=True)
class Reading:
    """Width in bits and sign of a signal; of one element, where it is a memory."""

    bits: int
    signed: bool

    def __str__(self) -> str:
        return f"{self.bits} bits {'signed' if self.signed else 'unsigned'}"


@dataclass(frozen=True, eq=False)
class Instance:
    """An elaborated module.

    `sections` are its names in a table, the one that says most first: the instances that lead to it
    from each module above (`conv_1.mac.tree`), then the module itself.
    """

    path: str
    module: str
    sections: tuple[str, ...]
    parameters: Mapping[str, int]  # texts as the numbers that Verilog makes of them
    constants: Mapping[str, int]  # localparams too


@dataclass(frozen=True, eq=False)
class Signal:
    """A declared net or variable of an instance.

    `name` is that within the module, named generate blocks in front, with the index of their loop:
    `g_lane[0].tap`. `attributes` are those of the declaration; `place` is file and line. What is
    declared in a function or task is `local`: only pyslang tells of it.
    """

    instance: Instance
    name: str
    reading: Reading
    attributes: Mapping[str, str | int]
    place: str
    local: bool

    @property
    def table_name(self) -> str:
        """The name without the index of a loop: what a table speaks of."""
        return _plain(self.name)

    @property
    def path(self) -> str:
        """The place in the design, without the indices of loops."""
        return _plain(f"{self.instance.path}.{self.name}")


@dataclass(frozen=True, eq=False)
class Design:
    """What both readers found below the top.

    `signals` are by the hierarchical names of pyslang, `second_readings` by instance and name,
    `feeds` pairs of source and destination, both as `Signal.path`.
    """

    compilation: ast.Compilation  # it owns the symbols and expressions that `visit` shows
    source_manager: pyslang.SourceManager
    signals: Mapping[str, Signal]
    second_readings: Mapping[tuple[str, str], frozenset[Reading]]
    feeds: frozenset[tuple[str, str]]

    def visit(self, see: Callable[[Any], None]) -> None:
        """Show `see` every symbol and expression that is elaborated."""

        def visit(node: Any) -> ast.VisitAction:
            if isinstance(node, ast.GenerateBlockSymbol) and node.isUninstantiated:
                return ast.VisitAction.Skip
            see(node)
            return ast.VisitAction.Advance

        for symbol in self.compilation.getRoot().topInstances:
            symbol.visit(visit)

    def place(self, location: pyslang.SourceLocation) -> str:
        """Return `file:line`, the file without folder."""
        return _place(self.source_manager, location)


def read_design(
    sources: Sequence[Path],
    top: str,
    includes: Sequence[Path] = (),
    parameters: Sequence[str] = (),
) -> Design:
    """Elaborate `top` with both readers; `parameters` are `NAME=VALUE`, for the top.

    Raises ValueError for sources that either reader refuses, naming the reader, for a top that is
    not among them, and for parameters that it does not have; FileNotFoundError for a source, and
    for Icarus, whose preprocessor pyverilog needs.
    """
    for source in sources:
        if not source.is_file():
            raise FileNotFoundError(2, "no such file", str(source))
    require_icarus()
    manager = pyslang.SourceManager()
    compilation = _compile(manager, sources, top, includes, parameters)
    design = Design(compilation, manager, {}, {}, frozenset())
    instances = _instances(design)
    for name in (setting.partition("=")[0] for setting in parameters):
        if name not in instances[0].parameters:
            raise ValueError(f"{top}: expected a parameter of the top, got {name}")
    readings, feeds = _read_again(sources, includes, instances)
    return Design(compilation, manager, _signals(design), readings, feeds)


def read_accelerator(accelerator: Accelerator, rtl_folder: Path = RTL_FOLDER) -> Design:
    """Read this project's RTL with the parameters of `accelerator`; ValueError without any."""
    sources = sorted(rtl_folder.glob("*.v"))
    if not sources:
        raise ValueError(f"{rtl_folder}: expected a folder of Verilog files, found none")
    with tempfile.TemporaryDirectory() as name:
        files.write_text(Path(name) / HEADER_FILE, accelerator_header(accelerator))
        return read_design(sources, TOP, [Path(name)])


def disagreements(design: Design) -> Iterator[tuple[Signal, str]]:
    """Yield every signal that the readers understand differently, and both readings in words."""
    first: dict[tuple[str, str], list[Signal]] = defaultdict(list)
    for signal in design.signals.values():
        if not signal.local:
            first[signal.instance.path, signal.name].append(signal)
    for key, signals in first.items():  # several where generate blocks have no name
        ours = frozenset(signal.reading for signal in signals)
        theirs = design.second_readings.get(key, frozenset())
        if ours != theirs:
            yield signals[0], f"pyslang reads {_in_words(ours)}, pyverilog {_in_words(theirs)}"


def _plain(path: str) -> str:
    return _INDEX.sub("", path)


def _place(manager: pyslang.SourceManager, location: pyslang.SourceLocation) -> str:
    return f"{Path(manager.getFileName(location)).name}:{manager.getLineNumber(location)}"


def _in_words(readings: Iterable[Reading]) -> str:
    return " or ".join(sorted(map(str, readings))) or "not declared"


def _compile(
    manager: pyslang.SourceManager,
    sources: Sequence[Path],
    top: str,
    includes: Sequence[Path],
    parameters: Sequence[str],
) -> ast.Compilation:
    preprocessor, options = PreprocessorOptions(), ast.CompilationOptions()
    preprocessor.additionalIncludePaths = [str(folder) for folder in includes]
    options.topModules = {top}
    options.paramOverrides = list(parameters)
    options.defaultTimeScale = pyslang.TimeScale.fromString("1ns/1ns")  # files may do without
    bag = pyslang.Bag([preprocessor, options])
    compilation = ast.Compilation(bag)
    for source in sources:
        compilation.addSyntaxTree(SyntaxTree.fromFile(str(source), manager, bag))
    engine = pyslang.DiagnosticEngine(manager)
    for diagnostic in compilation.getAllDiagnostics():
        if diagnostic.isError():
            known = manager.isFileLoc(diagnostic.location)
            place = _place(manager, diagnostic.location) if known else "sources"
            raise ValueError(f"{place}: pyslang: {engine.formatMessage(diagnostic)}")
    return compilation


def _instances(design: Design) -> tuple[Instance, ...]:
    found: list[Instance] = []
    design.visit(
        lambda node: found.append(_instance(node)) if isinstance(node, ast.InstanceSymbol) else None
    )
    return tuple(found)


def _signals(design: Design) -> dict[str, Signal]:
    found: dict[str, Signal] = {}
    local: set[str] = set()

    def see(node: Any) -> None:
        if isinstance(node, ast.SubroutineSymbol):
            node.visit(lambda inner: local.add(getattr(inner, "hierarchicalPath", "")))
        elif isinstance(node, ast.NetSymbol | ast.VariableSymbol):
            path = node.hierarchicalPath
            found[path] = _signal(design, node, path in local)

    design.visit(see)
    return found


def _instance(symbol: ast.InstanceSymbol) -> Instance:
    values = {
        parameter.name: (parameter.isLocalParam, int(parameter.value.value))
        for parameter in symbol.body.parameters
        if isinstance(parameter.value.value, pyslang.SVInt)
    }
    return Instance(
        _named(symbol.hierarchicalPath),
        symbol.definition.name,
        (*_ways_to(symbol), symbol.definition.name),
        {name: value for name, (local, value) in values.items() if not local},
        {name: value for name, (_, value) in values.items()},
    )


def _ways_to(symbol: ast.InstanceSymbol) -> list[str]:
    """Return the names of an instance within each module above it, from the top down."""
    ways, names = [], symbol.name
    owner = symbol.parentScope.containingInstance
    while owner is not None:
        above = owner.parentInstance
        ways.insert(0, f"{owner.definition.name}.{names}")
        names = f"{above.name}.{names}"
        owner = above.parentScope.containingInstance
    return ways


def _signal(design: Design, symbol: Any, local: bool) -> Signal:
    instance = symbol.parentScope.containingInstance.parentInstance
    element = symbol.type
    while element.isUnpackedArray:
        element = element.arrayElementType
    return Signal(
        _instance(instance),
        _named(symbol.hierarchicalPath.removeprefix(f"{instance.hierarchicalPath}.")),
        Reading(element.bitWidth, element.isSigned),
        {
            attribute.name.removeprefix(_ATTRIBUTE): _text_or_number(attribute.value.value)
            for attribute in design.compilation.getAttributes(symbol)
            if attribute.name.startswith(_ATTRIBUTE)
        },
        design.place(symbol.location),
        local,
    )


def _named(path: str) -> str:
    """Return a path without the blocks to which the source gives no name."""
    return _UNNAMED.sub("", path)


def _text_or_number(value: pyslang.SVInt) -> str | int:
    """Return an attribute's value. Verilog keeps a text as a vector: small ones are numbers."""
    number = int(value)
    if value.bitWidth == 32 and number < 2**16:
        return number
    return number.to_bytes(value.bitWidth // 8, "big").decode("ascii", errors="replace")


def _read_again(
    sources: Sequence[Path], includes: Sequence[Path], instances: Sequence[Instance]
) -> tuple[dict[tuple[str, str], frozenset[Reading]], frozenset[tuple[str, str]]]:
    """Let pyverilog read every different module once, and place what it found in the instances."""
    wanted = {(one.module, tuple(sorted(one.parameters.items()))): one for one in instances}
    job = {
        "sources": [str(source.resolve()) for source in sources],
        "includes": [str(folder.resolve()) for folder in includes],
        "modules": [{"module": module, "parameters": dict(values)} for module, values in wanted],
    }
    found = dict(zip(wanted, _run_pyverilog(job), strict=True))
    readings = {}
    feeds = set()
    for one in instances:
        result = found[one.module, tuple(sorted(one.parameters.items()))]
        if "error" in result:
            raise ValueError(f"{one.module}: pyverilog: {result['error']}")
        for name, values in result["declarations"].items():
            readings[one.path, name] = frozenset(Reading(*value) for value in values)
        feeds |= {
            (_plain(f"{one.path}.{source}"), _plain(f"{one.path}.{destination}"))
            for destination, source in result["feeds"]
        }
    return readings, frozenset(feeds)


def _run_pyverilog(job: dict[str, Any]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        command = [sys.executable, str(_READER), "job.json", "result.json"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise ValueError(f"sources: pyverilog: {reason[0]}")
        result: list[dict[str, Any]] = json.loads((folder / "result.json").read_text("utf-8"))
        return result
