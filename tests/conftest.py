"""What every test runs under: quiet TensorFlow, hypothesis profiles, real data, required tools."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}
SPEECH_VARIABLE = "KWS_SPEECH_DIR"
MODELS_VARIABLE = "KWS_MODELS_DIR"
DATA = {SPEECH_VARIABLE: "real clips", MODELS_VARIABLE: "published models"}

# No deadlines: machines differ. In CI always the same examples: a red run can be repeated.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("ci" if IN_CI else "local")


def pytest_configure(config: pytest.Config) -> None:
    """Stop before the first test if a variable that names real data names no folder."""
    for variable in DATA:
        folder = os.environ.get(variable)
        if folder and not Path(folder).is_dir():
            raise pytest.UsageError(f"{variable}: expected a folder, found none at '{folder}'")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say which data the `data` tests use, or that they are left out."""
    lines = []
    for variable, what in DATA.items():
        folder = os.environ.get(variable)
        left_out = f"{variable} is not set, so tests marked 'data' that need them are left out"
        lines.append(f"{what}: {folder or left_out}")
    return lines


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that need real data which is not there."""
    left_out = [item for item in items if not _has_data(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _has_data(item: pytest.Item) -> bool:
    """Say whether a test has its data: published models if it asks for them, else real clips."""
    needs_models = "models_dir" in getattr(item, "fixturenames", ())
    variable = MODELS_VARIABLE if needs_models else SPEECH_VARIABLE
    return item.get_closest_marker("data") is None or bool(os.environ.get(variable))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked `rtl` need Icarus."""
    if item.get_closest_marker("rtl"):
        _require("iverilog")


@pytest.fixture
def require_tool() -> Callable[[str], None]:
    """A function that skips the test if the command it is given is missing; in CI it fails."""
    return _require


@pytest.fixture
def solver() -> None:
    """Yosys and z3 are there; otherwise the test is skipped, and fails in CI."""
    for tool in ("yosys", "yosys-smtbmc", "z3"):
        _require(tool)


@pytest.fixture
def speech_dir() -> Path:
    """The folder of real clips, for tests marked `data`."""
    return Path(os.environ[SPEECH_VARIABLE])


@pytest.fixture
def models_dir() -> Path:
    """The folder of published models, for tests marked `data`."""
    return Path(os.environ[MODELS_VARIABLE])


def _require(command: str) -> None:
    if shutil.which(command) is None:
        message = f"{command} is not on the path; `make setup` installs it"
        pytest.fail(message) if IN_CI else pytest.skip(message)
