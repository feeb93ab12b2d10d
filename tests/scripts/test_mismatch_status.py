"""A value that differs between two rungs ends each command that compares with exit status 1.

`test_verify.py`, `test_simulate.py` and `test_quant_test.py` plant differences in theirs.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from golden import files
from golden.comparison import Mismatch
from golden.exports.cases import make_cases
from golden.network import IntegerNetwork
from scripts import benchmark, demo, simulate_pointwise, synthesise
from scripts.console.command_line import run_command
from scripts.simulation.rtl_simulation import simulate
from scripts.synthesis import ice40
from scripts.synthesis.yosys import top_design
from tests.accelerators import small_networks
from tests.networks import random_fingerprints, random_network
from tests.planted_faults import plant


def ends(
    main: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *flags: object,
) -> str:
    """Run a command that must end with exit status 1 and return its line on stderr."""
    monkeypatch.setattr(sys, "argv", ["command.py", *map(str, flags)])
    with pytest.raises(SystemExit) as caught:
        run_command(main)
    assert caught.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("MISMATCH: ") and error.count("\n") == 1
    return error.removeprefix("MISMATCH: ").removesuffix("\n")


def stored(network: IntegerNetwork, folder: Path) -> list[object]:
    """Return the flags that name the network and five cases of it."""
    network.save(folder / "tiny/network.npz")
    fingerprints = random_fingerprints(1, 5, network.input_shape)
    cases = make_cases(network, fingerprints, np.zeros(5, np.int64))
    files.write_bytes(folder / "cases.npz", cases.to_bytes())
    return ["--network", folder / "tiny/network.npz", "--cases", folder / "cases.npz"]


@pytest.mark.rtl
def test_a_fault_in_the_pointwise_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rtl = plant(tmp_path, "pointwise_conv", "product_first_q ? addend : oldest", "oldest")
    monkeypatch.setattr(simulate_pointwise, "simulate", partial(simulate, rtl_folder=rtl))
    inputs = stored(random_network(1, filters=6, outputs=4, shifts=(3, 4, 5)), tmp_path)
    flags = (*inputs, "--build_dir", tmp_path / "build", "--pixels", 3)
    line = ends(simulate_pointwise.main, monkeypatch, capsys, *flags)
    assert "pw_conv_relu: channel 0: expected " in line


@pytest.mark.rtl
def test_a_fault_in_the_netlist(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    require_tool: Callable[[str], None],
) -> None:
    for tool in ("yosys", "nextpnr-ice40", "verilator", "c++"):
        require_tool(tool)
    right = "$signed(s_axis_tdata) > best_q"
    rtl = plant(tmp_path, "argmax", right, right.replace(">", "<"))
    monkeypatch.setattr(synthesise, "top_design", partial(top_design, rtl_folder=rtl))
    monkeypatch.setattr(ice40, "place_and_route", lambda design: None)  # nothing here reads it
    inputs = stored(small_networks()["plain"], tmp_path)
    flags = (*inputs, "--configs", "small", "--output_dir", tmp_path / "out")
    line = ends(synthesise.main, monkeypatch, capsys, *flags)
    assert line.startswith("iCE40 netlist, small: clip 0: label at (): expected ")
    assert not (tmp_path / "out/synthesis.json").exists()


@pytest.mark.parametrize(("status", "kind"), [(1, Mismatch), (2, ValueError)])
def test_a_step_of_the_demo_passes_on_what_it_ended_with(
    status: int, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match=f"exit status {status}$"):
        demo.step("A step", ["python", "-c", f"raise SystemExit({status})"])


@pytest.mark.parametrize(
    ("status", "said", "kind", "message"),
    [
        (1, "MISMATCH: fc1: got 2\n", Mismatch, "^quant_test.py: fc1: got 2$"),
        (2, "error: no\n", ValueError, "^quant_test.py: expected to succeed, got: error: no$"),
    ],
)
def test_the_benchmark_passes_on_what_quant_test_ended_with(
    monkeypatch: pytest.MonkeyPatch, status: int, said: str, kind: type[Exception], message: str
) -> None:
    done = subprocess.CompletedProcess([], status, "", said)
    monkeypatch.setattr(benchmark.subprocess, "run", lambda *args, **options: done)
    with pytest.raises(kind, match=message):
        benchmark.run_quant_test(Path("a.npz"), Path("clips"), Path("out"))
