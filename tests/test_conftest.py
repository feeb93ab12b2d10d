"""The rules of conftest.py, tried on a small suite of their own in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")
VARIABLES = {"KWS_SPEECH_DIR": "real clips", "KWS_MODELS_DIR": "published models"}
SUITE = """
import pytest

@pytest.mark.data
def test_with_real_clips(speech_dir):
    assert speech_dir.is_dir()

@pytest.mark.data
def test_with_published_models(models_dir):
    assert models_dir.is_dir()

@pytest.mark.rtl
def test_simulation():
    pass

def test_compiled(require_tool):
    require_tool("no-such-compiler")
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "test_suite.py").write_text(SUITE)
    markers = ["data: real data", "rtl: Icarus"]
    (tmp_path / "pyproject.toml").write_text(f"[tool.pytest.ini_options]\nmarkers = {markers}\n")
    return tmp_path


def run(suite: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the suite with the given variables and a path without any tool."""
    own = {"CI", *VARIABLES} | {name for name in os.environ if name.startswith("PYTEST_")}
    environment = {name: value for name, value in os.environ.items() if name not in own}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", str(suite)],
        env=environment | {"PATH": str(suite)} | variables,
        cwd=suite,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("value", [None, ""])
def test_data_tests_are_left_out_with_lines_that_say_so(suite: Path, value: str | None) -> None:
    result = run(suite, **({} if value is None else dict.fromkeys(VARIABLES, value)))
    for variable in VARIABLES:
        assert f"{variable} is not set, so tests marked 'data' that need them" in result.stdout
    assert "2 skipped, 2 deselected" in result.stdout
    assert result.returncode == 0


@pytest.mark.parametrize(("variable", "what"), VARIABLES.items())
def test_data_tests_run_when_there_is_what_they_need(suite: Path, variable: str, what: str) -> None:
    result = run(suite, **{variable: str(suite)})
    assert f"{what}: {suite}" in result.stdout
    assert "1 passed, 2 skipped, 1 deselected" in result.stdout


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable_that_names_no_folder_is_an_error(suite: Path, variable: str) -> None:
    result = run(suite, **{variable: "missing"})
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    expected = f"{variable}: expected a folder, found none at 'missing'"
    assert expected in result.stdout + result.stderr


def test_missing_tool_fails_in_ci(suite: Path) -> None:
    result = run(suite, CI="true")
    assert "iverilog is not on the path" in result.stdout
    assert "no-such-compiler is not on the path" in result.stdout
    assert "skipped" not in result.stdout
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
