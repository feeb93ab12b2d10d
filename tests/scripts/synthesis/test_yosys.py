"""Synthesised netlists of a small accelerator run like the RTL, and what is wrong is noticed."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dataflow.hardware.accelerator import SMALL, Accelerator
from dataflow.hardware.build_folder import write_accelerator
from dataflow.hardware.rtl_parameters import accelerator_parameters, stream_bits
from dataflow.ranges.intervals import interval_bounds
from dataflow.ranges.observed import observe
from golden.comparison import Mismatch
from scripts.console.places import RTL_FOLDER
from scripts.simulation.rtl_comparison import check, compare
from scripts.synthesis import ice40, standard_cells, width_costs
from scripts.synthesis.netlist_simulation import GATES, ICE40, NetlistKind, NetlistSimulator
from scripts.synthesis.yosys import Design, top_design
from scripts.synthesise import measure_energy
from tests.accelerators import small_accelerator
from tests.networks import random_fingerprints
from tests.planted_faults import plant
from tests.repository import REPOSITORY

CLIPS = random_fingerprints(1, 20, small_accelerator().network.input_shape)


@pytest.fixture(autouse=True)
def tools(require_tool: Callable[[str], None]) -> None:
    for tool in ("yosys", "verilator", "c++"):
        require_tool(tool)


@pytest.fixture
def cell_library() -> None:
    """The standard cells are there; otherwise the test is skipped: only Debian 12 has a package."""
    try:
        standard_cells.require_library()
    except FileNotFoundError as error:
        pytest.skip(str(error))


def prepared(accelerator: Accelerator, folder: Path, rtl_folder: Path = RTL_FOLDER) -> Design:
    write_accelerator(accelerator, folder)
    return top_design(folder, rtl_folder)


def test_ice40_netlist_is_the_reference_and_fits(
    tmp_path: Path, require_tool: Callable[[str], None]
) -> None:
    require_tool("nextpnr-ice40")
    accelerator = small_accelerator(configuration=SMALL)
    design = prepared(accelerator, tmp_path)
    cells = ice40.synthesise(design)
    assert cells["SB_MAC16"] == sum(accelerator.multipliers.values())
    comparison = check(NetlistSimulator(accelerator, ICE40, tmp_path, "icarus"), CLIPS)
    assert comparison.values == {"out": len(CLIPS) * 5}
    placement = ice40.place_and_route(design)
    assert placement.fits
    assert placement.dsp_blocks == cells["SB_MAC16"]
    assert placement.ram_blocks == cells["SB_RAM40_4K"]
    # Both streams with their tvalid, tready and tlast; reset, error and capture.
    out_bits = stream_bits(int(accelerator_parameters(accelerator)["ARGMAX_OUT_BITS"]))
    assert placement.pin_registers == (8 + 3) + (out_bits + 3) + 1 + 1 + 1


@pytest.mark.usefixtures("cell_library")
def test_gate_netlist_is_the_reference_and_its_toggles_have_an_energy(tmp_path: Path) -> None:
    accelerator = small_accelerator(configuration=SMALL)
    gates = standard_cells.synthesise(prepared(accelerator, tmp_path))
    assert gates.area_um2 > 0
    assert gates.flip_flops > 100
    # Two frames of 60 numbers, in a power of two of words. Yosys narrows ROMs whose bits repeat.
    (frames,) = [memory for memory in gates.memories if not memory.rom]
    assert frames.size_bits == 2 * 64 * 6
    roms = [memory for memory in gates.memories if memory.rom]
    biases = accelerator.labels * int(accelerator_parameters(accelerator)["FC1_ACC_BITS"])
    weights = 6 * sum(node.weights.size for node in accelerator.network.weighted_nodes)
    assert len(roms) == 5
    assert 0 < sum(memory.size_bits for memory in roms) <= weights + biases
    simulator = NetlistSimulator(accelerator, GATES, tmp_path, trace=True)
    assert check(simulator, CLIPS).clips == len(CLIPS)
    energy = measure_energy(simulator, tmp_path, CLIPS[:1])
    assert 0 < energy.clock_pj < energy.total_pj


@pytest.mark.parametrize(
    ("kind", "synthesise"),
    [(ICE40, ice40.synthesise), (GATES, standard_cells.synthesise)],
)
def test_fault_in_the_netlist_is_found(
    kind: NetlistKind,
    synthesise: Callable[[Design], object],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    if kind == GATES:
        request.getfixturevalue("cell_library")
    rtl = plant(tmp_path, "argmax", "best_index_q <= index_q;", "best_index_q <= ~index_q;")
    accelerator = small_accelerator(configuration=SMALL)
    synthesise(prepared(accelerator, tmp_path / "build", rtl))
    simulator = NetlistSimulator(accelerator, kind, tmp_path / "build", "icarus")
    _, divergence = compare(simulator, CLIPS)
    assert divergence is not None
    assert divergence.layer == "label"
    with pytest.raises(Mismatch, match=r"^clip .*: label at"):
        check(simulator, CLIPS)


def test_memory_that_is_too_short_is_one_error(tmp_path: Path) -> None:
    design = prepared(small_accelerator(), tmp_path)
    memory = tmp_path / "fc1.mem"
    memory.write_text("\n".join(memory.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(ValueError, match=r"weights: expected every word of the ROM to be set"):
        ice40.synthesise(design)


@pytest.mark.usefixtures("cell_library")
def test_warning_of_yosys_is_an_error(tmp_path: Path) -> None:
    right = "m_axis_tuser  = user_q"
    rtl = plant(tmp_path, "stream_register", right, right.replace("user_q", "z"))
    design = prepared(small_accelerator(), tmp_path / "build", rtl)
    with pytest.raises(ValueError, match=r"yosys: .*; see .*log"):
        standard_cells.synthesise(design)


@pytest.mark.usefixtures("cell_library")
def test_costs_of_all_widths_stand_side_by_side(
    tmp_path: Path, require_tool: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    require_tool("nextpnr-ice40")
    wide = small_accelerator(configuration=SMALL)
    seen = observe(wide.network, interval_bounds(wide.network), [CLIPS[:1]]).ranges
    narrow = dataclasses.replace(wide, ranges=seen, ranges_origin="observed ranges")
    cost = width_costs.measure(narrow, tmp_path)
    costs = [[cost, dataclasses.replace(cost, accelerator=wide)]]
    figures = width_costs.summary(costs)["small"]
    assert list(figures) == ["observed ranges", "interval bounds"]
    for accelerator, each in zip((narrow, wide), figures.values(), strict=True):
        assert (
            each["accumulator_bits"]["fc1"] == accelerator_parameters(accelerator)["FC1_ACC_BITS"]
        )
        assert 0 < each["ice40_up5k"]["logic_cells"] < 5280
        assert each["osu035"]["area_um2"] > 0
    assert (tmp_path / "small_observed_ranges/nextpnr.log").is_file()
    width_costs.print_table(costs)
    assert re.search(r"small +observed ranges +interval bounds", capsys.readouterr().out)


@pytest.mark.usefixtures("cell_library")
@pytest.mark.parametrize(
    ("flags", "path", "message"),
    [
        (("--configs", "huge"), None, "configuration: expected one of small, balanced, fast"),
        (("--clips", "0"), None, "--clips: expected at least 1, got 0"),
        (
            ("--widths", "proven", "--compare_widths"),
            None,
            "flags: expected only one of --widths, --compare_widths, got 2",
        ),
        ((), "/nowhere", "yosys: not found, install the Debian package yosys"),
    ],
)
def test_bad_input_is_one_line(
    flags: tuple[str, ...], path: str | None, message: str, tmp_path: Path
) -> None:
    network = "weights/ds_cnn_9742.ckpt-12000/network.npz"
    result = subprocess.run(
        [
            *(sys.executable, "scripts/synthesise.py", "--network", network),
            *("--output_dir", str(tmp_path), *flags),
        ],
        cwd=REPOSITORY,
        env=os.environ | ({} if path is None else {"PATH": path}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
