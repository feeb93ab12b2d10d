"""Builds `pointwise_conv` for several networks and runs every scenario of its bench on each.

The scenarios and their checks are in `tb_pointwise_conv.py`. Set RTL_WAVES to a folder to get a
waveform of every simulation.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from dataflow.bit_widths import layer_widths, widths_of_layer
from dataflow.ranges import interval_bounds
from dataflow.rtl_parameters import pointwise_layer, pointwise_parameters
from golden import reference
from golden.cases import read_cases
from golden.network import IntegerNetwork
from scripts.rtl_simulation import (
    REPOSITORY,
    RTL_FOLDER,
    SimulationResult,
    prepare_pointwise,
    simulate,
)
from tests.networks import random_fingerprints, random_network

pytestmark = pytest.mark.rtl

TOP = "pointwise_conv"
SOURCE = RTL_FOLDER / f"{TOP}.v"
BENCH = "tests.rtl.tb_pointwise_conv"
SCENARIOS = 20
SHIPPED = {path.parent.name: path for path in sorted(REPOSITORY.glob("weights/*/network.npz"))}
REAL_PIXELS = 200

# Every key set: dimensions at 1, powers of two and others, shift zero, weights of one sign only.
NETWORKS = {
    "default": random_network(1),
    "largest weights": random_network(2, weights=(31, 31)),
    "smallest weights": random_network(3, filters=5, outputs=3, weights=(-32, -32)),
    "either extreme": random_network(4, filters=7, outputs=4, weights=(-32, 31)),
    "weights 0": random_network(5, filters=2, outputs=2, weights=(0, 0)),
    "3 to 2": random_network(6, filters=3, outputs=2, shifts=(3, 4, 4)),
    "1 to 1": random_network(7, filters=1, outputs=1, shifts=(3, 4, 0)),
    "1 to 4": random_network(8, filters=1, outputs=4, shifts=(3, 4, 1)),
    "5 to 1": random_network(9, filters=5, outputs=1, shifts=(3, 4, 3)),
    "8 to 16, no shift": random_network(10, filters=8, outputs=16, shifts=(3, 4, 0)),
}


def extreme_pixels(network: IntegerNetwork) -> npt.NDArray[np.int64]:
    """Return inputs `(N, input channels)` at the ends of the layer's bounds.

    All lowest, all highest, and for each output channel the inputs that make its sum the largest
    and the smallest there is: each reaches the interval bound of the layer, so that a register
    that is one bit too narrow cannot hold it.
    """
    layer = pointwise_layer(network)
    bound = interval_bounds(network)[layer.convolution.input]
    weights = layer.convolution.weights[:, 0, 0].astype(np.int64)  # [out][in]
    largest = np.where(weights > 0, bound.high, bound.low)
    smallest = np.where(weights < 0, bound.high, bound.low)
    return np.concatenate([[bound.low], [bound.high], largest, smallest])


def random_pixels(network: IntegerNetwork, count: int) -> npt.NDArray[np.int64]:
    """Return uniformly random inputs `(count, input channels)` within the layer's bounds."""
    bound = interval_bounds(network)[pointwise_layer(network).convolution.input]
    rng = np.random.default_rng(count)
    return rng.integers(bound.low, bound.high + 1, (count, bound.high.size))


def run(
    folder: Path, network: IntegerNetwork, pixels: npt.NDArray[np.int64], scenarios: str | None
) -> SimulationResult:
    """Simulate and check that no scenario fails; the log says what went wrong."""
    prepare_pointwise(folder, network, pixels)
    waves = os.environ.get("RTL_WAVES")
    fst = Path(waves).resolve() / f"{folder.name}.fst" if waves else None
    result = simulate(TOP, BENCH, folder, scenarios, fst)
    assert result.failed == 0, result.excerpt()
    return result


@pytest.mark.parametrize("name", NETWORKS)
def test_every_scenario_passes_on_random_and_extreme_inputs(tmp_path: Path, name: str) -> None:
    network = NETWORKS[name]
    pixels = np.concatenate([extreme_pixels(network), random_pixels(network, 6)])
    result = run(tmp_path, network, pixels, None)
    assert result.ran == SCENARIOS
    full_rate = result.scenarios["back_to_back"]
    assert full_rate["mismatches"] == 0
    assert full_rate["vectors"] == len(pixels)
    assert full_rate["values"] == len(pixels) * pointwise_layer(network).size.outputs


def test_default_layer_takes_768_multiply_cycles_and_a_fill_of_3(tmp_path: Path) -> None:
    network = NETWORKS["default"]
    fingerprints = np.concatenate(
        [random_fingerprints(1, 3), random_fingerprints(2, 3, extremes=True)]
    )
    pixels = reference.run(network, fingerprints).layers["max_pool"][:, 0, 0]
    full_rate = run(tmp_path, network, pixels, "back_to_back").scenarios["back_to_back"]
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
    assert run(tmp_path, network, every, None).ran == SCENARIOS


def test_waveform_is_written_on_request(tmp_path: Path) -> None:
    network = NETWORKS["3 to 2"]
    prepare_pointwise(tmp_path, network, random_pixels(network, 3))
    waves = tmp_path / "wave.fst"
    assert simulate(TOP, BENCH, tmp_path, "back_to_back", waves).failed == 0
    assert waves.stat().st_size > 0


def test_mismatch_names_layer_channel_integers_pixel_and_cycle(tmp_path: Path) -> None:
    network = NETWORKS["3 to 2"]
    pixels = extreme_pixels(network)
    prepare_pointwise(tmp_path, network, pixels)
    job = json.loads((tmp_path / "job.json").read_text())
    words = (tmp_path / "weights.mem").read_text().split("\n")
    words[-2] = words[-2].replace(words[-2].split()[0], f"{~int(words[-2].split()[0], 16) & 63:02x}")
    (tmp_path / "weights.mem").write_text("\n".join(words))
    result = simulate(TOP, BENCH, tmp_path, "back_to_back")
    assert result.failed == 1
    (first, *_) = result.scenarios["back_to_back"]["first_mismatches"]
    assert first.startswith("pw_conv_relu: channel 0: expected ")
    assert "pixel" in first and "cycle" in first
    assert f"mismatch: {first}" in result.excerpt()
    assert job["parameters"]["IN_CHANNELS"] == 3


@pytest.mark.parametrize("name", NETWORKS)
def test_verilator_has_no_warning(require_tool, tmp_path: Path, name: str) -> None:
    require_tool("verilator")
    flags = [
        f'-G{key}="{value}"' if isinstance(value, str) else f"-G{key}={value}"
        for key, value in pointwise_parameters(NETWORKS[name], "weights.mem").items()
    ]
    command = ["verilator", "--lint-only", "-Wall", *flags, str(SOURCE)]
    lint = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (lint.returncode, lint.stdout + lint.stderr) == (0, "")


def test_defaults_are_clean_and_hold_for_any_weights_of_the_default_topology(
    require_tool, tmp_path: Path
) -> None:
    require_tool("verilator")
    lint = subprocess.run(
        ["verilator", "--lint-only", "-Wall", str(SOURCE)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (lint.returncode, lint.stdout + lint.stderr) == (0, "")
    defaults = default_parameters()
    # The largest activations come from filters of -32 on inputs of -32, then from taps of 31; the
    # largest sums from weights of either sign.
    first, _, depthwise, *rest = random_network(0, weights=(31, 31)).nodes
    assert depthwise.name == "dw_conv"
    for weight in (31, -32):
        network = worst_network(weight)
        needed = pointwise_parameters(network, "")
        for name, value in needed.items():
            if name.endswith("BITS"):
                assert defaults[name] >= int(value), name
        for name in ("IN_CHANNELS", "OUT_CHANNELS", "SHIFT", "CHANNEL_BITS", "ADDRESS_BITS"):
            assert defaults[name] == needed[name]
