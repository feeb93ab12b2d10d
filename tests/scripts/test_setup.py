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
    *("iverilog", "verilator", "espeak-ng", "flite", "cc", "c++", "clang"),
    *("arm-none-eabi-gcc", "qemu-system-arm", "valgrind"),
    *("yosys", "nextpnr-ice40", "z3"),
)
INSTALLING = (
    "setup: installing the Python packages of requirements.lock (2 GB on disk, a few minutes)\n"
)
INSTALL = "apt-get install -y --no-install-recommends"
OS_RELEASE, ZLIB = "/etc/os-release", "/usr/include/zlib.h"
CELL_LIBRARY = "/usr/share/qflow/tech/osu035/osu035_stdcells.lib"
SYSTEMS = {
    "Debian 12": ('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"', "ID=debian", 'VERSION_ID="12"'),
    "Debian 13": ('PRETTY_NAME="Debian GNU/Linux 13 (trixie)"', "ID=debian", 'VERSION_ID="13"'),
    "Ubuntu": ('PRETTY_NAME="Ubuntu 24.04.2 LTS"', 'VERSION_ID="24.04"', "ID=ubuntu"),
    "Fedora": ('PRETTY_NAME="Fedora Linux 41"', "ID=fedora", "VERSION_ID=41"),
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout on Debian 12 with every tool and an environment that is up to date."""
    script = (REPOSITORY / "scripts" / "setup.sh").read_text()
    for path in (OS_RELEASE, ZLIB, CELL_LIBRARY):
        assert path in script
        script = script.replace(path, str(tmp_path / Path(path).name))
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "setup.sh").write_text(script)
    run_on(tmp_path, "Debian 12")
    for path in (ZLIB, CELL_LIBRARY):
        (tmp_path / Path(path).name).touch()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / ".venv"):
        (folder / "requirements.lock").write_text("rich==15.0.0\n")
    (tmp_path / "bin").mkdir()
    command(tmp_path, "../.venv/bin/python", "exit 0")
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


def run_on(checkout: Path, system: str) -> None:
    """Make the machine one of SYSTEMS."""
    (checkout / Path(OS_RELEASE).name).write_text("\n".join(SYSTEMS[system]) + "\n")


def python_of(checkout: Path, version: str, *, base: str, machine: str = "x86_64") -> None:
    """Put a stand-in for the system's Python on the path, with neither venv nor shared library."""
    major, minor = version.split(".")
    supported = (3, 11) <= (int(major), int(minor)) <= (3, 13)
    answers = f"""case "$2" in
    *sys.exit*) exit {int(not supported)} ;;
    venv) exit 99 ;;
    *machine*) echo {machine} ;;
    *base_prefix*) echo {base} ;;
    *version_info*) echo {version} ;;
    *) exit 1 ;;
    esac"""
    command(checkout, "python3", answers)


def remove_tools(checkout: Path, *names: str) -> None:
    for name in names:
        (checkout / "bin" / name).unlink()


def environment_python(checkout: Path, at_installation: str) -> None:
    """Make the environment's Python a stand-in that works and does this where pip installs."""
    script = f'case "$*" in *"pip install"*) {at_installation} ;; esac'
    command(checkout, "../.venv/bin/python", script)


def set_up(checkout: Path, *folders: str) -> subprocess.CompletedProcess[str]:
    """Run set-up with these folders of the checkout on the path."""
    path = os.pathsep.join(str(checkout / folder) for folder in folders or ("bin",))
    return subprocess.run(
        ["/bin/sh", str(checkout / "scripts" / "setup.sh")],
        env={"PATH": path, "LOG": str(checkout / "log")},
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


def needs_environment(checkout: Path) -> None:
    """Take the environment away, so that set-up looks for a Python."""
    shutil.rmtree(checkout / ".venv")


def without_rights(checkout: Path) -> None:
    command(checkout, "id", "echo 1000")
    command(checkout, "apt-get", "exit 99")
    command(checkout, "sudo", "exit 1")


@pytest.mark.parametrize(
    ("system", "version", "packages"),
    [
        ("Debian 12", "3.11", "flite zlib1g-dev qflow-tech-osu035 python3.11-venv libpython3.11"),
        ("Debian 13", "3.13", "flite zlib1g-dev python3.13-venv libpython3.13"),
        ("Ubuntu", "3.12", "flite zlib1g-dev python3.12-venv libpython3.12t64"),
        ("Ubuntu", "3.13", "flite zlib1g-dev python3.13-venv libpython3.13"),  # of another archive
    ],
)
def test_packages_go_by_the_distribution_and_its_python(
    checkout: Path, system: str, version: str, packages: str
) -> None:
    run_on(checkout, system)
    needs_environment(checkout)
    without_rights(checkout)
    remove_tools(checkout, "flite")
    for path in (ZLIB, CELL_LIBRARY):
        (checkout / Path(path).name).unlink()
    python_of(checkout, version, base="/usr")
    line = f"setup: missing {system.split()[0]} packages; run: sudo {INSTALL} {packages}\n"
    assert outcome(set_up(checkout)) == (2, "", line)
    assert not (checkout / ".venv").exists()


def test_on_arm64_cocotb_is_built_and_needs_headers(checkout: Path) -> None:
    needs_environment(checkout)
    without_rights(checkout)
    script = checkout / "scripts" / "setup.sh"
    script.write_text(script.read_text().replace("/usr/include", "/nowhere"))
    python_of(checkout, "3.11", base="/usr", machine="aarch64")
    packages = "python3.11-venv libpython3.11 python3.11-dev"
    line = f"setup: missing Debian packages; run: sudo {INSTALL} {packages}\n"
    assert outcome(set_up(checkout)) == (2, "", line)


def test_python_from_elsewhere_needs_no_packages(checkout: Path) -> None:
    needs_environment(checkout)
    python_of(checkout, "3.13", base="/opt/python")
    assert outcome(set_up(checkout)) == (99, "", "")  # on to `python3 -m venv`


@pytest.mark.parametrize("system", ["Fedora", None])
def test_unknown_system_is_told_the_commands_and_installs_nothing(
    checkout: Path, system: str | None
) -> None:
    if system is None:
        (checkout / Path(OS_RELEASE).name).unlink()
    else:
        run_on(checkout, system)
    needs_environment(checkout)
    command(checkout, "apt-get", "echo $* >> $LOG")
    remove_tools(checkout, "cc", "nextpnr-ice40")
    python_of(checkout, "3.13", base="/usr")
    things = "cc nextpnr-ice40 ensurepip libpython3.13.so.1.0"
    name = "an unknown system" if system is None else "Fedora Linux 41"
    line = f"setup: missing on {name}, whose packages have other names: {things}\n"
    assert outcome(set_up(checkout)) == (2, "", line)
    assert not (checkout / "log").exists()
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize(
    ("system", "where"),
    [
        ("Debian 12", "; Debian GNU/Linux 12 (bookworm) has it as python3"),
        ("Ubuntu", "; Ubuntu 24.04.2 LTS has it as python3"),
        ("Fedora", ""),
    ],
)
@pytest.mark.parametrize("version", [None, "3.10", "3.14"])
def test_without_a_supported_python_one_line_says_so(
    checkout: Path, system: str, where: str, version: str | None
) -> None:
    run_on(checkout, system)
    needs_environment(checkout)
    if version:
        python_of(checkout, version, base="/usr")
    line = f"setup: Python 3.11, 3.12 or 3.13 is needed and not found{where}\n"
    assert outcome(set_up(checkout)) == (2, "", line)


def test_python_that_refuses_to_run_hides_no_other(checkout: Path) -> None:
    run_on(checkout, "Debian 13")
    needs_environment(checkout)
    without_rights(checkout)
    python_of(checkout, "3.13", base="/usr")
    (checkout / "shims").mkdir()
    command(checkout, "../shims/python3", "echo no such version >&2; exit 127")
    line = f"setup: missing Debian packages; run: sudo {INSTALL} python3.13-venv libpython3.13\n"
    assert outcome(set_up(checkout, "shims", "bin")) == (2, "", line)


def test_environment_whose_python_is_gone_is_made_anew(checkout: Path) -> None:
    python = checkout / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3.11")
    line = "setup: Python 3.11, 3.12 or 3.13 is needed and not found"
    assert set_up(checkout).stderr.startswith(line)


@pytest.mark.parametrize(
    ("machine", "source"), [("x86_64", "pyverilog"), ("aarch64", "pyverilog,cocotb")]
)
def test_changed_lock_is_installed_with_hashes_and_remembered(
    checkout: Path, machine: str, source: str
) -> None:
    setuptools = "setuptools==84.0.0 \\\n    --hash=sha256:00\n"
    lock = f"rich==15.0.1 \\\n    --hash=sha256:11\n{setuptools}# end\n"
    (checkout / "requirements.lock").write_text(lock)
    environment_python(checkout, f'echo "$*" >> $LOG ;; *machine*) echo {machine}')
    assert outcome(set_up(checkout)) == (0, INSTALLING, "")
    build, install = (checkout / "log").read_text().splitlines()
    assert "--require-hashes" in build and build.endswith("--requirement .venv/build.lock")
    assert "--require-hashes" in install and install.endswith("--requirement requirements.lock")
    assert f"--only-binary :all: --no-binary {source} " in install
    assert (checkout / ".venv/build.lock").read_text() == setuptools
    (checkout / "log").unlink()
    assert outcome(set_up(checkout)) == (0, "", "")
    assert not (checkout / "log").exists()


def test_failed_installation_is_tried_again(checkout: Path) -> None:
    (checkout / "requirements.lock").write_text("rich==15.0.1\n")
    environment_python(checkout, "exit 1")
    assert set_up(checkout).returncode == 1
    assert set_up(checkout).returncode == 1


@pytest.mark.parametrize("system", ["Debian 13", "Ubuntu"])
def test_cell_library_without_a_package_is_said_once(checkout: Path, system: str) -> None:
    run_on(checkout, system)
    (checkout / Path(CELL_LIBRARY).name).unlink()
    (checkout / "requirements.lock").write_text("rich==15.0.1\n")
    _, said = set_up(checkout).stdout.splitlines()
    assert said.endswith("Debian 12's will do: dpkg-deb -x qflow-tech-osu035_*.deb /")
    assert outcome(set_up(checkout)) == (0, "", "")
