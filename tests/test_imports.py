"""The import rules: data and imports flow one way, and exports never load a training framework.

Every import statement counts, also those inside functions: `golden/` and `dataflow/` must not load
TensorFlow at any time.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repository import REPOSITORY

# Package -> the top-level modules it may import, besides the standard library and itself.
ALLOWED = {
    "golden": {"numpy"},
    "dataflow": {"golden", "numpy", "scipy"},
    "quant_models": {"golden", "keras", "numpy", "scipy", "soundfile", "tensorflow"},
}
# Modules that draw, by name: these alone may import matplotlib.
DRAWING_NAMES = ("figures.py", "plots.py")


def imported_modules(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, top-level module) of every import statement; relative imports stay inside."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module.partition(".")[0]


def forbidden_imports(path: Path, package: str) -> list[str]:
    """Describe each import in the file at `path` that `package` may not have."""
    allowed = ALLOWED[package] | {package}
    if path.name.endswith(DRAWING_NAMES):
        allowed = allowed | {"matplotlib"}
    return [
        f"{path}:{line}: {package} may not import {module}"
        for line, module in imported_modules(path.read_text(encoding="utf-8"))
        if module not in allowed and module not in sys.stdlib_module_names
    ]


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_package_imports_only_what_the_layout_allows(package: str) -> None:
    files = sorted((REPOSITORY / package).rglob("*.py"))
    assert files, f"{package}: expected Python files, found none"
    assert [line for path in files for line in forbidden_imports(path, package)] == []


@pytest.mark.parametrize(
    ("package", "name", "statement", "culprit"),
    [
        ("golden", "a.py", "import tensorflow as tf", "tensorflow"),
        ("golden", "a.py", "import os, scipy.signal", "scipy"),
        ("golden", "a.py", "from quant_models.audio import load", "quant_models"),
        ("golden", "a.py", "def f():\n    import keras", "keras"),
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
    path = tmp_path / name
    path.write_text(f"import json\n{statement}\n")
    (found,) = forbidden_imports(path, package)
    assert found.endswith(f"{package} may not import {culprit}")


@pytest.mark.parametrize(
    ("package", "name", "statement"),
    [
        ("golden", "a.py", "import numpy.typing\nfrom golden.network import Node\nfrom . import b"),
        ("dataflow", "bitwidths_figures.py", "from matplotlib.figure import Figure"),
        ("quant_models", "a.py", "import tensorflow, keras, soundfile\nfrom scipy import signal"),
    ],
)
def test_allowed_import_passes(tmp_path: Path, package: str, name: str, statement: str) -> None:
    path = tmp_path / name
    path.write_text(statement)
    assert forbidden_imports(path, package) == []
