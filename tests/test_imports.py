"""The import rules: data and imports flow one way, and exports never load a training framework.

Every import statement counts, also those inside functions: `golden/` and `dataflow/` must not load
TensorFlow at any time. Within `golden/`, `dataflow/` and `scripts/` the rooms have an order, too.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repository import REPOSITORY

# Package -> the top-level modules it may import, besides the standard library and itself.
ALLOWED = {
    "golden": {"numpy"},
    "dataflow": {"golden", "numpy", "scipy"},
    "quant_models": {"golden", "keras", "numpy", "scipy", "soundfile", "tensorflow", "tf2onnx"},
}
# What single rooms may import besides.
ALLOWED_IN_ROOMS = {"golden/importers": {"flatbuffers", "tflite"}}
# Room -> the rooms beside it that it may import, besides itself. Commands stand on the shelf of
# `scripts/`, in no room: they may import every room, and no room imports a command. In `golden/`
# the graph and its arithmetic stand on the shelf: every room may import them, they import no room.
ROOMS = {
    "golden": {
        "c": set(),
        "exports": {"c"},
        "importers": set(),
    },
    "dataflow": {
        "ranges": set(),
        "proof": {"ranges"},
        "widths": {"proof", "ranges"},
        "hardware": {"widths", "proof", "ranges"},
        "drawing": {"hardware", "widths", "proof", "ranges"},
    },
    "scripts": {
        "console": set(),
        "simulation": {"console"},
        "synthesis": {"simulation", "console"},
        "mutation": {"simulation", "console"},
        "width_lint": {"simulation", "console"},
        "speech": {"console"},
        "experiments": {"speech", "console"},
        "formal": {"console"},
        "runtimes": {"console"},
        "benchmarking": {"runtimes", "simulation", "console"},
        "cortex_m": {"simulation", "console"},
    },
}
# Modules that draw, by name: these alone may import matplotlib.
DRAWING_NAMES = ("figures.py", "plots.py")
# The commands and what they are made of: these alone may import rich.
TALKING = (
    "scripts/", "train.py", "test.py", "quant_test.py", "fold_batchnorm.py", "freeze.py",
    "label_wav.py",
)  # fmt: skip
# What takes a command longer to load than all the rest, and the command that loads it before it
# reads its flags.
HEAVY = {"cocotb", "cocotb_tools", "keras", "matplotlib", "pytest", "pyverilog", "scipy",
         "tensorflow", "z3"}  # fmt: skip
HEAVY_COMMAND = "scripts/benchmark.py"
COMMANDS = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for path in [*REPOSITORY.glob("*.py"), *(REPOSITORY / "scripts").glob("*.py")]
    if path.name != "__init__.py"
)


def imported_modules(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted module) of every import; relative imports stay inside.

    `from a.b import c` gives `a.b` and `a.b.c`, as `c` may be a module.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def forbidden_imports(path: Path, package: str) -> list[str]:
    """Describe each import in the file at `path` that `package` may not have."""
    allowed = ALLOWED[package] | {package}
    allowed |= ALLOWED_IN_ROOMS.get("/".join(path.parts[-3:-1]), set())
    if path.name.endswith(DRAWING_NAMES):
        allowed = allowed | {"matplotlib"}
    found = {
        f"{path}:{line}: {package} may not import {module.partition('.')[0]}"
        for line, module in imported_modules(path.read_text(encoding="utf-8"))
        if module.partition(".")[0] not in allowed | sys.stdlib_module_names
    }
    return sorted(found)


def shelf(package: str) -> set[str]:
    """Return the modules of a package that stand in no room."""
    return {path.stem for path in (REPOSITORY / package).glob("*.py")}


def forbidden_rooms(path: Path, package: str, room: str) -> list[str]:
    """Describe each import in the file at `path` that leaves its room for one out of its reach."""
    allowed = ROOMS[package][room] | {room}
    allowed |= shelf(package) if package == "golden" else set()
    found = {
        f"{path}:{line}: {package}.{room} may not import {package}.{names[1]}"
        for line, module in imported_modules(path.read_text(encoding="utf-8"))
        if (names := module.split("."))[0] == package and names[1:] and names[1] not in allowed
    }
    return sorted(found)


def forbidden_frills(path: Path) -> list[str]:
    """Describe each import of matplotlib outside modules that draw, of rich outside commands."""
    name = path.relative_to(REPOSITORY).as_posix()
    draws, talks = name.endswith(DRAWING_NAMES), name.startswith(TALKING)
    frills = {"matplotlib": draws, "rich": talks}
    found = {
        f"{name}:{line}: expected no {top} here"
        for line, module in imported_modules(path.read_text(encoding="utf-8"))
        if not frills.get(top := module.partition(".")[0], True)
    }
    return sorted(found)


def loaded_for_help(command: str) -> set[str]:
    """Return the top-level modules that a command loads, in a fresh interpreter, for `--help`."""
    arguments = [sys.executable, "-X", "importtime", command, "--help"]
    done = subprocess.run(arguments, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: ")
    return set(re.findall(r"^import time: .*\| +(\w+)", done.stderr, re.MULTILINE))


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != HEAVY_COMMAND])
def test_command_loads_nothing_heavy_before_it_reads_its_flags(command: str) -> None:
    loaded = loaded_for_help(command)
    assert "argparse" in loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_package_imports_only_what_the_layout_allows(package: str) -> None:
    files = sorted((REPOSITORY / package).rglob("*.py"))
    assert files, f"{package}: expected Python files, found none"
    assert [line for path in files for line in forbidden_imports(path, package)] == []


@pytest.mark.parametrize("package", sorted(ROOMS))
def test_rooms_are_those_of_the_layout_and_import_only_downward(package: str) -> None:
    rooms = {path.parent.name for path in (REPOSITORY / package).glob("*/__init__.py")}
    assert rooms == set(ROOMS[package])
    files = [(room, path) for room in rooms for path in (REPOSITORY / package / room).glob("*.py")]
    assert [line for room, path in files for line in forbidden_rooms(path, package, room)] == []


def test_the_graph_and_its_arithmetic_import_no_room() -> None:
    found = [
        f"{path}:{line}: golden may not import {module}"
        for path in (REPOSITORY / "golden").glob("*.py")
        for line, module in imported_modules(path.read_text(encoding="utf-8"))
        if module.startswith(tuple(f"golden.{room}." for room in ROOMS["golden"]))
    ]
    assert found == []


def test_dataflow_has_no_module_outside_its_rooms() -> None:
    assert [path.name for path in (REPOSITORY / "dataflow").glob("*.py")] == ["__init__.py"]


def test_only_modules_that_draw_load_matplotlib_and_only_commands_load_rich() -> None:
    folders = ("golden", "dataflow", "quant_models", "scripts")
    files = [path for folder in folders for path in (REPOSITORY / folder).rglob("*.py")]
    files += REPOSITORY.glob("*.py")
    assert [line for path in sorted(files) for line in forbidden_frills(path)] == []


@pytest.mark.parametrize(
    ("package", "name", "statement", "culprit"),
    [
        ("golden", "a.py", "import tensorflow as tf", "tensorflow"),
        ("golden", "a.py", "import os, scipy.signal", "scipy"),
        ("golden", "a.py", "from quant_models.audio import load", "quant_models"),
        ("golden", "a.py", "from dataflow.ranges import intervals", "dataflow"),
        ("golden", "a.py", "def f():\n    import keras", "keras"),
        ("golden", "a.py", "import tflite", "tflite"),
        ("golden", "importers/a.py", "import tensorflow", "tensorflow"),
        ("golden", "importers/a.py", "from ai_edge_litert import interpreter", "ai_edge_litert"),
        ("golden", "importers/a.py", "import tflite_micro", "tflite_micro"),
        ("dataflow", "a.py", "from quant_models import ds_cnn", "quant_models"),
        ("dataflow", "a.py", "from matplotlib import pyplot", "matplotlib"),
        ("dataflow", "a.py", "from scripts.console.command_line import Parser", "scripts"),
        ("quant_models", "a.py", "import dataflow.schedule", "dataflow"),
        ("quant_models", "a.py", "import rich.progress", "rich"),
        ("quant_models", "training_plots.py", "import dataflow", "dataflow"),
    ],
)
def test_planted_import_is_found(
    tmp_path: Path, package: str, name: str, statement: str, culprit: str
) -> None:
    path = tmp_path / package / name
    path.parent.mkdir(parents=True)
    path.write_text(f"import json\n{statement}\n")
    (found,) = forbidden_imports(path, package)
    assert found.endswith(f"{package} may not import {culprit}")


@pytest.mark.parametrize(
    ("package", "room", "statement", "culprit"),
    [
        ("golden", "c", "from golden.exports.mem import memory_text", "exports"),
        ("golden", "exports", "from golden.importers import tflite_file", "importers"),
        ("golden", "importers", "import golden.c.header", "c"),
        ("dataflow", "ranges", "from dataflow.proof.range_prover import prove_ranges", "proof"),
        ("dataflow", "proof", "from dataflow.hardware import accelerator", "hardware"),
        ("dataflow", "widths", "from dataflow import hardware", "hardware"),
        ("dataflow", "hardware", "def f():\n    import dataflow.drawing.canvas_figures", "drawing"),
        ("scripts", "console", "from scripts.speech.synthetic_speech import x", "speech"),
        ("scripts", "console", "from scripts.simulation import divergence", "simulation"),
        ("scripts", "simulation", "from scripts.synthesis.yosys import run_tool", "synthesis"),
        ("scripts", "synthesis", "from scripts.width_lint.width_map import x", "width_lint"),
        ("scripts", "mutation", "import scripts.synthesis.yosys", "synthesis"),
        ("scripts", "formal", "from scripts.simulation.divergence import x", "simulation"),
        ("scripts", "speech", "from scripts.formal import solver", "formal"),
        # Commands on the shelf.
        ("scripts", "formal", "from scripts import prove", "prove"),
        ("scripts", "width_lint", "from scripts.lint_widths import main", "lint_widths"),
    ],
)
def test_planted_import_of_another_room_is_found(
    tmp_path: Path, package: str, room: str, statement: str, culprit: str
) -> None:
    path = tmp_path / "a.py"
    path.write_text(f"import json\n{statement}\n")
    (found,) = forbidden_rooms(path, package, room)
    assert found.endswith(f"{package}.{room} may not import {package}.{culprit}")


@pytest.mark.parametrize(
    ("name", "statement", "culprit"),
    [
        ("dataflow/widths/a.py", "import matplotlib.pyplot", "matplotlib"),
        ("scripts/console/a.py", "from matplotlib import pyplot", "matplotlib"),
        ("dataflow/widths/a_figures.py", "from rich.table import Table", "rich"),
        ("golden/a.py", "def f():\n    import rich", "rich"),
    ],
)
def test_planted_frill_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, statement: str, culprit: str
) -> None:
    monkeypatch.setattr("tests.test_imports.REPOSITORY", tmp_path)
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(f"import json\n{statement}\n")
    (found,) = forbidden_frills(path)
    assert found.endswith(f"expected no {culprit} here")


@pytest.mark.parametrize(
    ("package", "name", "statement"),
    [
        ("golden", "a.py", "import numpy.typing\nfrom golden.network import Node\nfrom . import b"),
        ("golden", "importers/a.py", "import tflite\nfrom flatbuffers.table import Table"),
        ("dataflow", "bitwidths_figures.py", "from matplotlib.figure import Figure"),
        ("quant_models", "a.py", "import tensorflow, keras, soundfile\nfrom scipy import signal"),
    ],
)
def test_allowed_import_passes(tmp_path: Path, package: str, name: str, statement: str) -> None:
    path = tmp_path / package / name
    path.parent.mkdir(parents=True)
    path.write_text(statement)
    assert forbidden_imports(path, package) == []


@pytest.mark.parametrize(
    ("package", "room", "statement"),
    [
        ("dataflow", "drawing", "from dataflow.ranges import intervals\nimport dataflow.hardware"),
        ("scripts", "synthesis", "from scripts.simulation.divergence import Divergence"),
        ("scripts", "formal", "from scripts.console.places import RTL_FOLDER\nimport scripts"),
    ],
)
def test_allowed_room_passes(tmp_path: Path, package: str, room: str, statement: str) -> None:
    path = tmp_path / "a.py"
    path.write_text(statement)
    assert forbidden_rooms(path, package, room) == []
