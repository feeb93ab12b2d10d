"""Witnesses of proven ranges drive the RTL, as wide as proven, to its extremes: no bit is idle."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataflow.hardware.accelerator import (
    BALANCED,
    CONFIGURATIONS,
    FAST,
    SMALL,
    Accelerator,
    Configuration,
    accelerator_of,
)
from dataflow.hardware.rtl_parameters import BLOCKS, module_parameters
from dataflow.proof.proven_ranges import ProvenRanges
from dataflow.proof.range_prover import Budget, prove_ranges
from dataflow.proof.range_store import choose_ranges, require_proven_ranges
from dataflow.ranges.intervals import ChannelRange, Ranges
from golden import reference
from golden.comparison import Mismatch
from golden.exports.cases import read_cases
from golden.integer_math import signed_bits
from golden.network import IntegerNetwork
from golden.nodes import ShiftRelu, WeightedNode
from scripts.console.places import REPOSITORY
from scripts.simulation.accelerator_simulation import AcceleratorSimulator
from scripts.simulation.rtl_comparison import compare, compare_chunk
from scripts.simulation.rtl_simulation import prepare_pointwise, simulate
from scripts.simulation.witness_replay import replay
from tests.networks import random_network
from tests.rtl.blocks import MODULES, prepare_block
from tests.rtl.jobs import run

pytestmark = pytest.mark.rtl

SHIPPED = sorted(REPOSITORY.glob("weights/*/network.npz"))

# Every layer behind the first is narrower than interval bounds, and every range is exact.
NETWORK = random_network(
    11,
    *(2, 3, 3),
    kernel=(4, 2),
    stride=(1, 1),
    depthwise_kernel=(2, 2),
    shifts=(3, 4, 5),
    biases=(-90, 90),
    input_shape=(5, 3),
)


@cache
def proven() -> ProvenRanges:
    return prove_ranges(NETWORK, budget=Budget(seconds=30, rounds=1, workers=1))


def accelerator(configuration: Configuration) -> Accelerator:
    return Accelerator(NETWORK, configuration, proven().bounds, "proven ranges")


def lists(values: ChannelRange) -> list[list[int]]:
    return [values.low.tolist(), values.high.tolist()]


def test_network_is_proven_exactly_and_narrower_than_its_interval_bounds() -> None:
    assert all(signal.exact for signal in proven().signals.values())
    narrow = module_parameters(accelerator(FAST))
    wide = module_parameters(Accelerator(NETWORK, FAST))
    for block in ("dw_conv_max_pool", "pointwise_conv", "fc1"):
        assert int(narrow[block]["ACC_BITS"]) < int(wide[block]["ACC_BITS"]), block


@pytest.mark.parametrize("configuration", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_every_register_reaches_its_proven_extremes(
    tmp_path: Path, configuration: Configuration
) -> None:
    design, ranges = accelerator(configuration), proven()
    prepare_block(tmp_path, design, "kws_accelerator", fingerprints=ranges.fingerprints)
    result = simulate("kws_accelerator", "tests.rtl.tb_witnesses", tmp_path)
    assert (result.ran, result.failed) == (1, 0), result.excerpt()
    seen: dict[str, Any] = result.scenarios["witnesses"]
    for layer in BLOCKS:
        bounds = ranges.signals[f"{layer}.product"].bound
        assert seen[f"{layer}.product"] == lists(bounds), layer
        last, every = (ranges.signals[name].bound for name in (layer, f"{layer}.partial_sum"))
        low, high = map(np.array, seen[f"{layer}.sum"])
        if design.multipliers[layer] == 1:
            assert seen[f"{layer}.sum"] == lists(every), layer
        elif configuration == FAST:
            assert seen[f"{layer}.sum"] == lists(last), layer
        else:  # a row at a time: some partial sums, the last among them
            assert (every.low <= low).all() and (low <= last.low).all(), layer
            assert (last.high <= high).all() and (high <= every.high).all(), layer


def block_inputs() -> dict[str, tuple[str, np.ndarray]]:
    """Return what each block gets when the witnesses pass, by block: the job's array."""
    layers = reference.run(NETWORK, proven().fingerprints).layers
    return {
        "conv_1": ("fingerprints", proven().fingerprints),
        "dw_conv_max_pool": ("maps", layers["conv_1_relu"]),
        "pointwise_conv": ("pixels", layers["max_pool"][:, 0, 0]),
        "fc1": ("pixels", layers["pw_conv_relu"].reshape(len(proven().fingerprints), -1)),
        "argmax": ("logits", layers["fc1"]),
    }


@pytest.mark.parametrize(
    ("block", "configuration"),
    [
        *(("conv_1", configuration) for configuration in (SMALL, BALANCED, FAST)),
        *(("dw_conv_max_pool", configuration) for configuration in (SMALL, BALANCED, FAST)),
        *((block, FAST) for block in ("pointwise_conv", "fc1", "argmax")),
    ],
    ids=lambda value: value.name if isinstance(value, Configuration) else value,
)
def test_every_block_as_wide_as_proven_passes_on_its_part_of_the_witnesses(
    tmp_path: Path, block: str, configuration: Configuration
) -> None:
    array, values = block_inputs()[block]
    if block == "pointwise_conv":
        prepare_pointwise(tmp_path, NETWORK, values, proven().bounds)
    else:
        prepare_block(tmp_path, accelerator(configuration), block, **{array: values})
    result = run(MODULES.get(block, block), tmp_path, "back_to_back|parameters_are_as_generated")
    assert (result.ran, result.failed) == (2, 0), result.excerpt()


# ---- A bit less --------------------------------------------------------------------------------


def a_bit_less(network: IntegerNetwork, ranges: Ranges, layer: str, bits: int) -> Ranges:
    """Return ranges that give the accumulator of `layer` one of its `bits` less.

    The modules ask for products and values that fit the sums: they are cut, too.
    """
    low, high = -(1 << (bits - 2)), (1 << (bits - 2)) - 1
    cut = {
        name: ChannelRange(*(ends.clip(low, high) for ends in (known.low, known.high)))
        for name in (layer, f"{layer}.product", f"{layer}.partial_sum")
        for known in (ranges[name],)
    }
    follower = network.consumer(layer)
    while follower is not None and not isinstance(follower, WeightedNode):
        known = ranges[follower.name]
        shift = follower.shift if isinstance(follower, ShiftRelu) else 0
        high >>= shift
        cut[follower.name] = ChannelRange(known.low.clip(0, high), known.high.clip(0, high))
        follower = network.consumer(follower.name)
    return {**ranges, **cut}


def furthest_case(ranges: ProvenRanges, layer: str) -> int:
    """Return the witness of the sum that needs the most bits."""
    signal = ranges.signals[layer]
    return max(
        (signed_bits(int(value), int(value)), int(case))
        for end in (signal.low, signal.high)
        for value, case in zip(end.reached, end.case, strict=True)
    )[1]


def assert_a_bit_less_shows(network: IntegerNetwork, ranges: ProvenRanges, layer: str) -> None:
    """Replay one witness in a design whose accumulator is a bit too narrow for it."""
    right = Accelerator(network, FAST, ranges.bounds)
    bits = int(module_parameters(right)[BLOCKS[layer]]["ACC_BITS"])
    narrow = dataclasses.replace(right, ranges=a_bit_less(network, ranges.bounds, layer, bits))
    assert module_parameters(narrow)[BLOCKS[layer]]["ACC_BITS"] == bits - 1
    witness = ranges.fingerprints[[furthest_case(ranges, layer)]]
    assert compare_chunk(AcceleratorSimulator(right, "icarus"), witness)[1] is None
    _, divergence = compare_chunk(AcceleratorSimulator(narrow, "icarus"), witness)
    assert divergence is not None
    assert divergence.layer == layer
    assert divergence.found is not None
    # A bit is missing, no more: what is left wraps around.
    assert (divergence.expected - divergence.found) % (1 << (bits - 1)) == 0


@pytest.mark.parametrize("layer", BLOCKS)
def test_accumulator_a_bit_narrower_than_proven_breaks_on_its_witness(layer: str) -> None:
    assert_a_bit_less_shows(NETWORK, proven(), layer)


@pytest.mark.parametrize("layer", ["conv_1", "dw_conv"])  # witnesses need a bit less behind them
def test_accumulator_of_the_shipped_network_needs_every_proven_bit(layer: str) -> None:
    (path,) = SHIPPED
    network = IntegerNetwork.load(path)
    assert_a_bit_less_shows(network, require_proven_ranges(path, network), layer)


# ---- The shipped network -----------------------------------------------------------------------


def test_accumulators_of_the_shipped_network_reach_their_proven_extremes(
    require_tool: Callable[[str], None],
) -> None:
    require_tool("verilator")
    (path,) = SHIPPED
    network = IntegerNetwork.load(path)
    ranges = require_proven_ranges(path, network)
    chosen = choose_ranges(path, network, "proven")
    # Where one tap a cycle is added, the register holds every partial sum.
    simulator = AcceleratorSimulator(accelerator_of(network, chosen, "small"))
    assert compare(simulator, ranges.fingerprints)[1] is None
    found = {each.signal: each for each in replay(simulator, ranges)}
    assert list(found) == [f"{layer}.partial_sum" for layer in BLOCKS]
    for name, each in found.items():
        assert lists(each.seen) == lists(ranges.signals[name].reached), name
    for name in ("conv_1.partial_sum", "dw_conv.partial_sum"):
        assert lists(found[name].seen) == lists(found[name].proven.bound), name


def test_widths_that_a_data_set_shows_break_on_a_witness() -> None:
    (path,) = SHIPPED
    network = IntegerNetwork.load(path)
    cases = REPOSITORY / "golden/vectors" / path.parent.name / "cases.npz"
    design = accelerator_of(network, choose_ranges(path, network, "observed", cases), "fast")
    ranges = require_proven_ranges(path, network)
    for fingerprints, fits in (
        (read_cases(cases, network).fingerprints[:1], True),
        (ranges.fingerprints[[furthest_case(ranges, "conv_1")]], False),
    ):
        _, divergence = compare_chunk(AcceleratorSimulator(design, "icarus"), fingerprints)
        assert (divergence is None) == fits


def test_accumulator_that_does_not_go_as_far_as_it_must_is_a_mismatch() -> None:
    right = accelerator(SMALL)
    bits = int(module_parameters(right)["fc1"]["ACC_BITS"])
    narrow = dataclasses.replace(right, ranges=a_bit_less(NETWORK, proven().bounds, "fc1", bits))
    message = r"^accumulator of fc1, small: channel \d: expected to reach -?\d+, got -?\d+$"
    with pytest.raises(Mismatch, match=message):
        replay(AcceleratorSimulator(narrow, "icarus"), proven())
