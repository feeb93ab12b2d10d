"""What the harnesses record has its full width, in both simulators."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataflow.hardware.accelerator import FAST, Accelerator
from dataflow.hardware.rtl_parameters import module_parameters
from dataflow.ranges.intervals import ChannelRange, interval_bounds
from golden import reference
from golden.comparison import Mismatch
from golden.network import IntegerNetwork
from golden.nodes import INT32_MAX, INT32_MIN
from scripts.console.places import RTL_FOLDER
from scripts.simulation.accelerator_simulation import SIMULATORS, AcceleratorSimulator
from scripts.simulation.rtl_comparison import check
from tests.networks import random_fingerprints, random_network
from tests.planted_faults import plant

pytestmark = pytest.mark.rtl

each_simulator = pytest.mark.parametrize("simulator", SIMULATORS)
READ_BIASES = 'initial if (BIAS_FILE != "") $readmemh(BIAS_FILE, biases);'
FAR_BIASES = """initial begin : g_far
    integer i;
    $readmemh(BIAS_FILE, biases);
    for (i = 0; i < OUT_CHANNELS; i = i + 1)
      biases[i] = biases[i] + {{(ACC_BITS - 37){1'b0}}, 1'b1, 36'd0};
  end"""


def network_with(bias: int) -> IntegerNetwork:
    return random_network(*(1, 3, 2, 4), input_shape=(10, 6), shifts=(3, 4, 4), biases=(bias, bias))


@each_simulator
@pytest.mark.parametrize("bias", [INT32_MIN, INT32_MAX])
def test_sums_beyond_32_bits_are_recorded_as_they_are(
    bias: int, simulator: str, require_tool: Callable[[str], None]
) -> None:
    require_tool("verilator" if simulator == "verilator" else "iverilog")
    network = network_with(bias)
    clips = random_fingerprints(1, 3, (10, 6))
    logits = reference.run(network, clips).logits
    assert logits.min() < -(2**31) or logits.max() > 2**31 - 1
    assert check(AcceleratorSimulator(Accelerator(network, FAST), simulator), clips).clips == 3


@each_simulator
def test_paths_may_have_spaces(
    simulator: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    require_tool: Callable[[str], None],
) -> None:
    require_tool("verilator" if simulator == "verilator" else "iverilog")
    rtl, folder = tmp_path / "check out" / "rtl ref", tmp_path / "work here"
    shutil.copytree(RTL_FOLDER, rtl)
    folder.mkdir()
    monkeypatch.chdir(folder)
    network, clips = network_with(5), random_fingerprints(1, 2, (10, 6))
    built = AcceleratorSimulator(Accelerator(network, FAST), simulator, rtl)
    assert check(built, clips).clips == 2


@each_simulator
def test_an_error_above_the_lowest_32_bits_is_found(
    simulator: str, tmp_path: Path, require_tool: Callable[[str], None]
) -> None:
    require_tool("verilator" if simulator == "verilator" else "iverilog")
    network = network_with(5)
    far = ChannelRange(np.full(4, -(2**62)), np.full(4, 2**62 - 1))
    ranges = {**interval_bounds(network), "fc1.partial_sum": far, "fc1": far}
    wide = dataclasses.replace(Accelerator(network, FAST), ranges=ranges)
    assert module_parameters(wide)["fc1"]["ACC_BITS"] == 63
    clips = random_fingerprints(1, 3, (10, 6))
    assert check(AcceleratorSimulator(wide, simulator), clips).clips == 3
    rtl = plant(tmp_path, "pointwise_conv", READ_BIASES, FAR_BIASES)
    logit = int(reference.run(network, clips).logits[0, 0])
    message = rf"^clip 0: fc1 at \(0,\): expected {logit}, got {logit + 2**36}, cycle \d+$"
    with pytest.raises(Mismatch, match=message):
        check(AcceleratorSimulator(wide, simulator, rtl), clips)
