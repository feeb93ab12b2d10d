"""Set-up, in a checkout of nothing but its script and lock, with stand-ins for every command.

The path holds only what a test puts there, so that nothing is ever installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.repository import REPOSITORY

TOOLS = (
    *("iverilog", "verilator", "espeak-ng", "flite", "cc", "c++"),
    *("yosys", "nextpnr-ice40", "z3"),
)
INSTALL = "apt-get install -y --no-install-recommends"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose environment is up to date and whose machine has every tool."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(REPOSITORY / "scripts" / "setup.sh", tmp_path / "scripts")
    (tmp_path / ".venv").mkdir()
    for folder in (tmp_path, tmp_path / ".venv"):
        (folder / "requirements.lock").write_text("rich==15.0.0\n")
    (tmp_path / "bin").mkdir()
    for name in ("cmp", "cp", "dirname", "env", "rm", "sed"):
        found = shutil.which(name)
        assert found is not None, name
        (tmp_path / "bin" / name).symlink_to(found)
    for name in TOOLS:
        command(tmp_path, name, "exit 0")
    return tmp_path


def command(checkout: Path, name: str, script: str) -> None:
    """Put a stand-in for a command on the path."""
    path = checkout / "bin" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def remove_tools(checkout: Path, *names: str) -> None:
    for name in names:
        (checkout / "bin" / name).unlink()


def set_up(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(checkout / "scripts" / "setup.sh")],
        env={"PATH": str(checkout / "bin"), "LOG": str(checkout / "log")},
        cwd=os.sep,
        capture_output=True,
        text=True,
    )


def outcome(result: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    return result.returncode, result.stdout, result.stderr


def test_does_nothing_when_up_to_date(checkout: Path) -> None:
    assert outcome(set_up(checkout)) == (0, "", "")


def test_without_the_right_to_install_one_line_says_what_to_run(checkout: Path) -> None:
    remove_tools(checkout, "iverilog", "flite", "cc")
    command(checkout, "id", "echo 1000")
    command(checkout, "apt-get", "exit 99")
    command(checkout, "sudo", '[ "$1" != -n ]')  # without -n it would ask for a password
    line = f"setup: missing Debian packages; run: sudo {INSTALL} iverilog flite gcc libc6-dev\n"
    assert outcome(set_up(checkout)) == (2, "", line)


def test_without_apt_one_line_names_what_is_missing(checkout: Path) -> None:
    remove_tools(checkout, "verilator")
    line = "setup: missing, and there is no apt-get to install them with: verilator\n"
    assert outcome(set_up(checkout)) == (2, "", line)


@pytest.mark.parametrize(("user", "prefix"), [(0, ""), (1000, "as root: ")])
def test_missing_packages_are_installed_after_an_update(
    checkout: Path, user: int, prefix: str
) -> None:
    remove_tools(checkout, "espeak-ng")
    command(checkout, "id", f"echo {user}")
    command(checkout, "apt-get", 'echo "$AS_ROOT$*" >> $LOG')
    command(checkout, "sudo", 'if [ "$1" = -n ]; then shift; fi; AS_ROOT="as root: " exec "$@"')
    command(checkout, "true", "exit 0")
    result = set_up(checkout)
    assert outcome(result) == (0, "setup: installing Debian packages: espeak-ng\n", "")
    update, install = (checkout / "log").read_text().splitlines()
    assert update == f"{prefix}update -qq"
    assert install == f"{prefix}install -qq -y --no-install-recommends espeak-ng"


def test_failed_update_is_said_and_failed_installation_ends_the_run(checkout: Path) -> None:
    remove_tools(checkout, "espeak-ng")
    command(checkout, "id", "echo 0")
    command(checkout, "apt-get", "exit 100")
    result = set_up(checkout)
    assert result.returncode == 100
    assert result.stderr == "setup: package lists not refreshed; using those at hand\n"


def test_changed_lock_is_installed_with_hashes_and_remembered(checkout: Path) -> None:
    setuptools = "setuptools==84.0.0 \\\n    --hash=sha256:00\n"
    lock = f"rich==15.0.1 \\\n    --hash=sha256:11\n{setuptools}# end\n"
    (checkout / "requirements.lock").write_text(lock)
    (checkout / ".venv" / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    (checkout / ".venv" / "bin").mkdir()
    command(checkout, "python3.11", "exit 0")
    shutil.copy(checkout / "bin" / "python3.11", checkout / ".venv" / "bin" / "python")
    log_install = '#!/bin/sh\ncase "$*" in *"pip install"*) echo "$*" >> $LOG ;; esac\n'
    (checkout / ".venv" / "bin" / "python").write_text(log_install)
    assert set_up(checkout).returncode == 0
    build, install = (checkout / "log").read_text().splitlines()
    assert "--require-hashes" in build and build.endswith("--requirement .venv/setuptools.lock")
    assert "--require-hashes" in install and install.endswith("--requirement requirements.lock")
    assert (checkout / ".venv/setuptools.lock").read_text() == setuptools
    (checkout / "log").unlink()
    assert outcome(set_up(checkout)) == (0, "", "")
    assert not (checkout / "log").exists()


def test_failed_installation_is_tried_again(checkout: Path) -> None:
    (checkout / "requirements.lock").write_text("rich==15.0.1\n")
    (checkout / ".venv" / "bin").mkdir()
    command(checkout, "python3.11", "exit 0")
    python = checkout / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\ncase "$*" in *"pip install"*) exit 1 ;; esac\n')
    python.chmod(0o755)
    assert set_up(checkout).returncode == 1
    assert set_up(checkout).returncode == 1
