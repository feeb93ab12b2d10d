"""A memory file that is missing, or of another network, stops every tool that reads the RTL."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dataflow.hardware.accelerator import FAST, Accelerator
from dataflow.hardware.build_folder import write_accelerator
from scripts.simulation.rtl_simulation import RTL_FOLDER
from tests.networks import random_network

TOP = "kws_accelerator"
MEMORIES = ("conv_1.mem", "dw_conv.mem", "pw_conv.mem", "fc1.mem", "fc1_bias.mem")
SHAPE = {"filters": 2, "outputs": 2, "labels": 2}
MAIN = """
#include "Vkws_accelerator.h"
int main() {
    VerilatedContext context;
    Vkws_accelerator top{&context};
    top.eval();
    return 0;
}
"""

Tool = Callable[[Path], subprocess.CompletedProcess[str]]


def build(folder: Path, seed: int = 1) -> None:
    """Write the generated files of a small accelerator."""
    write_accelerator(Accelerator(random_network(seed, **SHAPE), FAST), folder)


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def icarus(folder: Path) -> subprocess.CompletedProcess[str]:
    sources = ["-I.", "-y", str(RTL_FOLDER), str(RTL_FOLDER / f"{TOP}.v")]
    built = run(["iverilog", "-g2005", "-s", TOP, "-o", "simulator", *sources], folder)
    assert built.returncode == 0, built.stderr
    return run(["vvp", "-n", "simulator"], folder)


def verilator(folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "main.cpp").write_text(MAIN)
    sources = ["-I.", "-y", str(RTL_FOLDER), str(RTL_FOLDER / f"{TOP}.v"), "main.cpp"]
    flags = ["--cc", "--exe", "--build", "-Wall", "-CFLAGS", "-O0", "--Mdir", "obj"]
    built = run(["verilator", *flags, "--top-module", TOP, *sources], folder)
    assert built.returncode == 0, built.stdout + built.stderr
    return run([f"obj/V{TOP}"], folder)


def yosys(folder: Path) -> subprocess.CompletedProcess[str]:
    """As `rtl_ref/README.md` says: in the folder of the generated files, all sources at once."""
    read = f"read_verilog -I. {RTL_FOLDER}/*.v; hierarchy -check -top {TOP}; proc"
    return run(["yosys", "-q", "-p", read], folder)


TOOLS: dict[str, Tool] = {"iverilog": icarus, "verilator": verilator, "yosys": yosys}


@pytest.mark.rtl
@pytest.mark.parametrize("tool", TOOLS)
def test_tool_accepts_the_generated_files(
    require_tool: Callable[[str], None], tmp_path: Path, tool: str
) -> None:
    require_tool(tool)
    build(tmp_path)
    result = TOOLS[tool](tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.rtl
@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("tool", ["iverilog", "yosys"])
def test_missing_memory_stops_the_tool(
    require_tool: Callable[[str], None], tmp_path: Path, tool: str, memory: str
) -> None:
    require_tool(tool)
    build(tmp_path)
    (tmp_path / memory).unlink()
    result = TOOLS[tool](tmp_path)
    assert result.returncode != 0
    assert memory in result.stdout + result.stderr


@pytest.mark.rtl
@pytest.mark.parametrize("memory", MEMORIES)
def test_memory_of_another_network_stops_the_simulation(
    require_tool: Callable[[str], None], tmp_path: Path, memory: str
) -> None:
    require_tool("iverilog")
    build(tmp_path)
    build(tmp_path / "other", seed=2)
    (tmp_path / "other" / memory).replace(tmp_path / memory)
    result = icarus(tmp_path)
    assert result.returncode != 0
    assert f"{memory}: expected a memory of network " in result.stdout


@pytest.mark.rtl
@pytest.mark.parametrize("fault", ["missing", "of another network"])
def test_verilator_stops_as_well(
    require_tool: Callable[[str], None], tmp_path: Path, fault: str
) -> None:
    require_tool("verilator")
    build(tmp_path)
    build(tmp_path / "other", seed=2)
    (tmp_path / "fc1.mem").unlink()
    if fault != "missing":
        (tmp_path / "other/fc1.mem").replace(tmp_path / "fc1.mem")
    result = verilator(tmp_path)
    assert result.returncode != 0
    words = "no such memory file" if fault == "missing" else "expected a memory of network "
    assert f"fc1.mem: {words}" in result.stdout
