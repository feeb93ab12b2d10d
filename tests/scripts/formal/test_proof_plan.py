"""Proofs of the modules around `pointwise_conv`: planted faults turn them red, ranges are right."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from dataflow.hardware.accelerator import BALANCED, FAST, SMALL, Accelerator, Configuration
from dataflow.hardware.rtl_parameters import module_parameters, pointwise_layer
from dataflow.ranges.intervals import interval_bounds
from golden.nodes import Convolution, DepthwiseConvolution
from scripts.formal import proof_plan, solver
from scripts.formal.proof_plan import Proof
from tests.networks import random_network
from tests.planted_faults import plant

NARROW = [proof for proof in proof_plan.all_proofs() if proof.fails]
NARROWED = ("ACC_BITS", "OUT_BITS")

# Widths and a map that make the proofs of dw_conv_max_pool fast.
DW_CONV_SMALL = {
    "MAP_ROWS": 3,
    "MAP_COLUMNS": 3,
    "IN_BITS": 2,
    "WEIGHT_BITS": 3,
    "PRODUCT_BITS": 5,
    "ACC_BITS": 8,
    "OUT_BITS": 6,
    "SHIFT": 1,
}
SMALL_INPUT = {"INPUT_MAX": 3}

# The parameters in which the configurations differ.
KERNEL_WALK = ("LANES", "STEPS", "STEP_BITS", "ADDRESS_BITS")
WALK = {
    "conv_1": KERNEL_WALK,
    "dw_conv_max_pool": KERNEL_WALK,
    "frame_control": tuple(proof_plan.FRAME_TAPS),
}

# Module, right text, wrong text, property that must notice, parameters of the proof.
FAULTS: dict[str, tuple[str, str, str, str, dict[str, int]]] = {
    "full buffer overwritten": (
        "frame_control",
        "s_axis_tready        = ~full_q[write_buffer_q]",
        "s_axis_tready        = 1'b1",
        "streams_write",
        {},
    ),
    "long frame reported twice": (
        "frame_control",
        "frame_error_q <= take & ~skipping_q & wrong_length",
        "frame_error_q <= take & wrong_length",
        "streams_error",
        {},
    ),
    "short frame kept": (
        "frame_control",
        "take & frame_end & s_axis_tlast & ~skipping_q",
        "take & s_axis_tlast & ~skipping_q",
        "streams_kept",
        {},
    ),
    "row phases start a row late": (
        "frame_control",
        "row_phase_q == LAST_ROW_PHASE ? row_address_q + PLANE_ROW : row_address_q",
        "row_phase_q == LAST_ROW_PHASE ? row_address_q : row_address_q + PLANE_ROW",
        "writes_row",
        {},
    ),
    "next row of windows one too far": (
        "frame_control",
        "ROW_STRIDE * PLANE_COLUMNS - (MAP_COLUMNS - 1) * COLUMN_STRIDE",
        "ROW_STRIDE * PLANE_COLUMNS - (MAP_COLUMNS - 2) * COLUMN_STRIDE",
        "reads_address",
        {},
    ),
    "empty position broken off": (
        "frame_control",
        "~(waiting & first_step)",
        "~waiting",
        "reads_address",
        proof_plan.FRAME_TAPS,
    ),
    "channels before rows": (
        "frame_control",
        "if (map_end) channel_q",
        "if (map_row_end) channel_q",
        "order_place",
        {},
    ),
    "channels of one position are not counted": (
        "frame_control",
        "if (map_end) channel_q",
        "if (map_end && MAP_ROWS * MAP_COLUMNS > 1) channel_q",
        "order_place",
        proof_plan.FRAME_ONE_POSITION,
    ),
    "no way back from a map of one position": (
        "frame_control",
        "else if (!map_end) read",
        "else if (!map_end || MAP_ROWS * MAP_COLUMNS == 1) read",
        "reads_address",
        proof_plan.FRAME_ONE_POSITION,
    ),
    "beat overwritten while stalled": (
        "stream_register",
        "if (s_axis_tvalid & s_axis_tready) begin",
        "if (s_axis_tvalid) begin",
        "streams_hold",
        {},
    ),
    "buffers mixed up": (
        "window_memory",
        "plane[{read_buffer_i, address}]",
        "plane[{write_buffer_i, address}]",
        "taps_value",
        proof_plan.SMALL_MEMORY,
    ),
    "first channel for ever": (
        "kernel_weights",
        "(channel_end && last_channel_o)",
        "channel_end",
        "walk_address",
        proof_plan.DW_CONV_TAPS,
    ),
    "weights a step late": (
        "kernel_weights",
        "words[address_d]",
        "words[address_q]",
        "walk_word",
        {},
    ),
    "mark of the beat before": (
        "stream_register",
        "user_q <= s_axis_tuser",
        "user_q <= user_q",
        "streams_taken",
        {},
    ),
    "maximum that moves on while stalled": (
        "dw_conv_max_pool",
        ".m_axis_tready(m_axis_tready)",
        ".m_axis_tready(m_axis_tready | sum_valid)",
        "streams_hold",
        DW_CONV_SMALL,
    ),
    "window ends a step late": (
        "multiply_accumulate",
        "product_last_q  <= last_step_o",
        "product_last_q  <= first_step",
        "mac.control_product",
        proof_plan.CONV_1_TAPS,
    ),
    "tap taken as unsigned": (
        "multiply_accumulate",
        "{{(PRODUCT_BITS - TAP_BITS + 1){in[TAP_BITS-1]}}, in[TAP_BITS-2:0]}",
        "{{(PRODUCT_BITS - TAP_BITS){1'b0}}, in}",
        "mac.products_exact",
        proof_plan.CONV_1_TAPS,
    ),
    "sum not started anew": (
        "multiply_accumulate",
        "product_first_q ? {ACC_BITS{1'b0}} : sum_q",
        "sum_q",
        "mac.sums_fit",
        proof_plan.CONV_1_TAPS,
    ),
    "no ReLU": (
        "conv_1",
        "negative ? {OUT_BITS{1'b0}} : ",
        "",
        "outputs_value",
        proof_plan.CONV_1_TAPS,
    ),
    "flush mark of another window": (
        "multiply_accumulate",
        "sum_marks_q <= product_marks_q",
        "sum_marks_q <= marks_i",
        "streams_sum",
        {},
    ),
    "value lost": (
        "multiply_accumulate",
        "if (advance_i) sum_valid_q <=",
        "sum_valid_q <=",
        "streams_count",
        proof_plan.CONV_1_TAPS,
    ),
    "value taken while the window works": (
        "dw_conv_max_pool",
        "advance & (~window_valid | last_step)",
        "advance",
        "windows_centre",
        DW_CONV_SMALL | proof_plan.DW_CONV_TAPS,
    ),
    "value of every window": (
        "dw_conv_max_pool",
        ".s_axis_tvalid(sum_valid & sum_plane_last)",
        ".s_axis_tvalid(sum_valid)",
        "pool_value pool_offer",  # solvers differ in which they break
        DW_CONV_SMALL,
    ),
    "columns not padded": (
        "dw_conv_max_pool",
        "{IN_BITS{row_inside[y] & column_inside[x]}}",
        "{IN_BITS{row_inside[y]}}",
        "windows_taps",
        DW_CONV_SMALL,
    ),
    "flush taken for a value": (
        "dw_conv_max_pool",
        "shifted[0] = ~s_axis_tuser",
        "shifted[0] = 1'b1",
        "windows_line",
        DW_CONV_SMALL,
    ),
    "weight taken as unsigned": (
        "multiply_accumulate",
        "{{(PRODUCT_BITS - WEIGHT_BITS + 1){factor[WEIGHT_BITS-1]}}, factor[WEIGHT_BITS-2:0]}",
        "{{(PRODUCT_BITS - WEIGHT_BITS){1'b0}}, factor}",
        "mac.products_exact",
        proof_plan.CONV_1_TAPS,
    ),
    "maximum over all channels": (
        "dw_conv_max_pool",
        "sum_plane_first ? {MAX_BITS{1'b0}} : max_q",
        "max_q",
        "pool_zero",
        DW_CONV_SMALL,
    ),
    "last position left out": (
        "dw_conv_max_pool",
        ".s_axis_tdata(max[MAX_BITS-1:SHIFT])",
        ".s_axis_tdata(max_before[MAX_BITS-1:SHIFT])",
        "pool_value",
        DW_CONV_SMALL,
    ),
    "beat taken while the multiplier works": (
        "pointwise_conv",
        "load         = next_valid & (~active_valid_q |",
        "load         = next_valid & (1'b1 |",
        "streams_active",
        proof_plan.FULLY_CONNECTED,
    ),
    "one bias for all": (
        "pointwise_conv",
        "bias_q <= biases[output_q]",
        "bias_q <= biases[0]",
        "outputs_start",
        proof_plan.FULLY_CONNECTED,
    ),
    "ReLU of logits": (
        "pointwise_conv",
        "RELU == 1 && sum[ACC_BITS-1]",
        "sum[ACC_BITS-1]",
        "outputs_value",
        proof_plan.FULLY_CONNECTED,
    ),
    "last of equal logits": (
        "argmax",
        "($signed(s_axis_tdata) > best_q)",
        "($signed(s_axis_tdata) >= best_q)",
        "label_first",
        {},
    ),
    "logits compared as unsigned": (
        "argmax",
        "($signed(s_axis_tdata) > best_q)",
        "(s_axis_tdata > best_q)",
        "label_first",
        {},
    ),
    "logit lost beside the label": (
        "argmax",
        "advance & ~label_due_q",
        "advance",
        "streams_logit",
        {},
    ),
}

NEEDS_TOOLS = pytest.mark.usefixtures("solver")


@NEEDS_TOOLS
@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_turns_its_property_red(tmp_path: Path, fault: str) -> None:
    module, right, wrong, broken, parameters = FAULTS[fault]
    rtl = plant(tmp_path, module, right, wrong)
    proven = "conv_1" if module in proof_plan.STAGES else module  # a stage, where it stands
    outcome = solver.prove(proof_of(proven, broken.split("_")[0], parameters), tmp_path, rtl)
    assert not outcome.expected, outcome
    assert set(broken.split()) & set(outcome.failed), outcome
    assert outcome.trace is not None


def proof_of(module: str, group: str, parameters: dict[str, int]) -> Proof:
    """Return the proof of a group at another size."""
    every = [
        proof for proof in proof_plan.all_proofs() if (proof.module, proof.group) == (module, group)
    ]
    found = next((proof for proof in every if proof.parameters == parameters), every[0])
    if found.parameters == parameters:
        return found
    small = SMALL_INPUT if "IN_BITS" in parameters else found.defines
    return dataclasses.replace(found, parameters=parameters, defines=small)


@NEEDS_TOOLS
@pytest.mark.parametrize(
    "group", ["streams", "windows", "mac.control", "mac.products", "mac.sums", "pool"]
)
def test_without_a_fault_the_small_size_is_proven(tmp_path: Path, group: str) -> None:
    proof = proof_of("dw_conv_max_pool", group, DW_CONV_SMALL)
    assert solver.prove(proof, tmp_path).answer == "PASSED"


@NEEDS_TOOLS
@pytest.mark.parametrize("proof", NARROW, ids=lambda proof: proof.folder)
def test_only_an_accumulator_a_bit_short_fails_from_reset(tmp_path: Path, proof: Proof) -> None:
    assert solver.prove(proof, tmp_path).expected
    right = {name: value + (name in NARROWED) for name, value in proof.parameters.items()}
    wide = dataclasses.replace(proof, parameters=right)
    assert solver.prove(wide, tmp_path).answer == "PASSED"


@pytest.mark.parametrize("configuration", [SMALL, BALANCED, FAST], ids=lambda found: found.name)
def test_every_configuration_has_its_walk_proven(configuration: Configuration) -> None:
    blocks = module_parameters(Accelerator(random_network(1), configuration))
    for module in ("conv_1", "dw_conv_max_pool", "frame_control"):
        walks = [
            {
                name: proof.parameters.get(name, proof_plan.default_parameter(module, name))
                for name in WALK[module]
            }
            for proof in proof_plan.all_proofs()
            if proof.module == module and proof.group == "streams"
        ]
        assert {name: blocks[module][name] for name in WALK[module]} in walks, module


def test_largest_inputs_are_the_bounds_of_the_worst_default_network() -> None:
    network = random_network(0)
    weights = {"conv_1": -32, "dw_conv": 31, pointwise_layer(network).convolution.name: 31}
    nodes = tuple(
        dataclasses.replace(node, weights=np.full_like(node.weights, weights[node.name]))
        if isinstance(node, Convolution | DepthwiseConvolution) and node.name in weights
        else node
        for node in network.nodes
    )
    worst = dataclasses.replace(network, nodes=nodes)
    bounds = interval_bounds(worst)
    accelerator = Accelerator(worst, FAST)
    assert proof_plan.largest_depthwise_input() == bounds[accelerator.dw_conv.input].maximum
    assert proof_plan.largest_fully_connected_input() == bounds[accelerator.fc1.input].maximum
