"""Builds `pointwise_conv` for several networks and runs every scenario of its bench on each.

The scenarios and their checks are in `tb_pointwise_conv.py`.
"""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataflow.hardware.rtl_parameters import pointwise_layer, pointwise_parameters
from golden import reference
from golden.exports.cases import read_cases
from golden.network import IntegerNetwork
from golden.nodes import Convolution, DepthwiseConvolution
from golden.reference import Integers
from scripts.console.places import REPOSITORY, RTL_FOLDER
from scripts.simulation.rtl_simulation import (
    JOB_FILE,
    PIXELS_FILE,
    SimulationResult,
    prepare_pointwise,
    simulate,
)
from tests.networks import random_fingerprints, random_network
from tests.rtl.jobs import (
    JOBS,
    Job,
    extreme_pixels,
    random_pixels,
    run,
)
from tests.rtl.jobs import POINTWISE_NETWORKS as NETWORKS

pytestmark = pytest.mark.rtl

TOP = "pointwise_conv"
SOURCE = RTL_FOLDER / f"{TOP}.v"
BENCH = "tests.rtl.tb_pointwise_conv"
SCENARIOS = 23
SHIPPED = {path.parent.name: path for path in sorted(REPOSITORY.glob("weights/*/network.npz"))}
REAL_PIXELS = 60


def change_parameter(folder: Path, name: str, value: int) -> None:
    """Replace one of the generated parameters of a prepared job."""
    job = json.loads((folder / "job.json").read_text())
    job["parameters"][name] = value
    (folder / "job.json").write_text(json.dumps(job))


def run_on(
    folder: Path, network: IntegerNetwork, pixels: Integers, scenarios: str | None = None
) -> SimulationResult:
    """Simulate and check that no scenario fails; the log says what went wrong."""
    prepare_pointwise(folder, network, pixels)
    result = run(TOP, folder, scenarios)
    assert result.failed == 0, result.excerpt()
    return result


@pytest.mark.parametrize("job", JOBS[TOP], ids=str)
def test_every_scenario_passes_on_random_and_extreme_inputs(tmp_path: Path, job: Job) -> None:
    job.prepare(tmp_path)
    result = run(TOP, tmp_path)
    assert (result.ran, result.failed) == (SCENARIOS, 0), result.excerpt()
    outputs = json.loads((tmp_path / JOB_FILE).read_text())["parameters"]["OUT_CHANNELS"]
    pixels, full_rate = np.load(tmp_path / PIXELS_FILE), result.scenarios["back_to_back"]
    assert full_rate["mismatches"] == 0
    assert full_rate["vectors"] == len(pixels)
    assert full_rate["values"] == len(pixels) * outputs


def test_default_layer_takes_768_multiply_cycles_and_a_fill_of_3(tmp_path: Path) -> None:
    network = NETWORKS["default"]
    fingerprints = np.concatenate(
        [random_fingerprints(1, 3), random_fingerprints(2, 3, extremes=True)]
    )
    pixels = reference.run(network, fingerprints).layers["max_pool"][:, 0, 0]
    full_rate = run_on(tmp_path, network, pixels, "back_to_back").scenarios["back_to_back"]
    assert full_rate["multiply_cycles"] == 6 * 768
    assert full_rate["multiply_cycles_per_pixel"] == 768
    assert full_rate["fill_cycles"] == 3
    assert full_rate["latency_cycles"] == 770
    assert full_rate["simulated_cycles"] == 5 * 768 + 771


def test_networks_are_shipped() -> None:
    assert SHIPPED, "weights/*/network.npz: expected at least one network"


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_network_matches_on_its_real_vectors(tmp_path: Path, name: str) -> None:
    network = IntegerNetwork.load(SHIPPED[name])
    cases = read_cases(REPOSITORY / "golden/vectors" / name / "cases.npz", network)
    layers = reference.run(network, cases.fingerprints[:REAL_PIXELS]).layers
    pixels = layers[pointwise_layer(network).convolution.input][:, 0, 0]
    every = np.concatenate([extreme_pixels(network), pixels])
    assert run_on(tmp_path, network, every).ran == SCENARIOS


def test_waveform_is_written_on_request(tmp_path: Path) -> None:
    network = NETWORKS["3 to 2"]
    prepare_pointwise(tmp_path, network, random_pixels(network, 3))
    waves = tmp_path / "wave.fst"
    assert simulate(TOP, BENCH, tmp_path, "back_to_back", waves).failed == 0
    assert waves.stat().st_size > 0


def test_mismatch_names_layer_channel_integers_pixel_and_cycle(tmp_path: Path) -> None:
    network = NETWORKS["3 to 2"]
    prepare_pointwise(tmp_path, network, extreme_pixels(network))
    change_parameter(tmp_path, "SHIFT", 3)
    result = simulate(TOP, BENCH, tmp_path, "back_to_back")
    assert result.failed == 1
    first = result.scenarios["back_to_back"]["first_mismatches"][0]
    pattern = r"pw_conv_relu: channel \d: expected \d+, got \d+ \(pixel \d+, cycle \d+\)"
    assert re.fullmatch(pattern, first)
    assert f"mismatch: {first}" in result.excerpt()


@pytest.mark.parametrize("name", NETWORKS)
def test_verilator_has_no_warning(
    require_tool: Callable[[str], None], tmp_path: Path, name: str
) -> None:
    require_tool("verilator")
    flags = [
        f'-G{key}="{value}"' if isinstance(value, str) else f"-G{key}={value}"
        for key, value in pointwise_parameters(NETWORKS[name], "weights.mem").items()
    ]
    command = ["verilator", "--lint-only", "-Wall", *flags, "-y", str(RTL_FOLDER), str(SOURCE)]
    lint = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (lint.returncode, lint.stderr) == (0, "")


def test_defaults_are_the_widths_of_the_worst_default_network(
    require_tool: Callable[[str], None], tmp_path: Path
) -> None:
    require_tool("verilator")
    lint = subprocess.run(
        ["verilator", "--lint-only", "-Wall", "-y", str(RTL_FOLDER), str(SOURCE)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (lint.returncode, lint.stderr) == (0, "")
    needed = [pointwise_parameters(worst_network(weight), "") for weight in (-32, 31)]
    worst = {
        name: max(int(parameters[name]) for parameters in needed)
        for name in needed[0]
        if not name.endswith("_FILE")
    }
    found = re.findall(r"parameter (\w+) *= (\d+)", SOURCE.read_text())
    assert {name: int(value) for name, value in found} == worst


def worst_network(pointwise_weight: int) -> IntegerNetwork:
    """Return the default topology with the weights that give the widest signals up to `pw_conv`.

    Filters of -32 turn inputs of -32 into the largest activations, and taps of 31 keep them so.
    """
    network = random_network(0)
    weights = {"conv_1": -32, "dw_conv": 31, "pw_conv": pointwise_weight}
    nodes = tuple(
        dataclasses.replace(node, weights=np.full_like(node.weights, weights[node.name]))
        if isinstance(node, Convolution | DepthwiseConvolution)
        else node
        for node in network.nodes
    )
    return dataclasses.replace(network, nodes=nodes)


def test_rtl_that_does_not_build_is_one_error_that_names_the_rule(tmp_path: Path) -> None:
    network = NETWORKS["3 to 2"]
    prepare_pointwise(tmp_path, network, random_pixels(network, 1))
    change_parameter(tmp_path, "IN_CHANNELS", 0)
    with pytest.raises(ValueError, match=r"pointwise_conv: does not build: .*IN_CHANNELS_of"):
        simulate(TOP, BENCH, tmp_path)


def test_memory_of_another_network_is_refused(tmp_path: Path) -> None:
    network = NETWORKS["3 to 2"]
    other = random_network(60, filters=3, outputs=2, shifts=(3, 4, 4))
    prepare_pointwise(tmp_path / "other", other, random_pixels(other, 1))
    prepare_pointwise(tmp_path / "job", network, random_pixels(network, 1))
    (tmp_path / "other/weights.mem").replace(tmp_path / "job/weights.mem")
    with pytest.raises(ValueError, match=rf"expected a memory of network {network.digest}"):
        simulate(TOP, BENCH, tmp_path / "job")


def test_pixels_of_another_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"pixels: expected shape \(N, 3\) for pw_conv, got \(4, 2\)"
    ):
        prepare_pointwise(tmp_path, NETWORKS["3 to 2"], np.zeros((4, 2), np.int64))


def test_waveform_of_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"waves: expected a file name that ends in \.fst"):
        simulate(TOP, BENCH, tmp_path, waves=tmp_path / "wave.vcd")
