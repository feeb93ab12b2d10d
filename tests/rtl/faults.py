"""Faults written by hand, of kinds that small benches miss, and the scenario that notices each.

A fault names the module, a job of its bench and a scenario, and its edits: a text of the module
and what stands there instead. Registers that a fault needs are declared where the edit is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """Edits (right text, wrong text) of a module, and the job and the scenario of its bench."""

    module: str
    job: str
    scenario: str
    edits: tuple[tuple[str, str], ...]


def fault(module: str, job: str, scenario: str, *edits: tuple[str, str]) -> Fault:
    """Return a fault."""
    return Fault(module, job, scenario, edits)


def behind(anchor: str, declarations: str) -> tuple[str, str]:
    """Return the edit that puts declarations in front of a text that stays."""
    return anchor, f"{declarations}\n  {anchor}"


# High in the first cycle after a reset.
FRESH = "reg fresh_q;\n  always @(posedge clk_i) fresh_q <= ~rst_ni;"


def waits(mark: str) -> str:
    """Return a counter of the cycles for which a beat that has `mark` is stalled."""
    return (
        "reg [6:0] wait_q;\n  always @(posedge clk_i)\n"
        f"    wait_q <= m_axis_tvalid & ~m_axis_tready & {mark} ? wait_q + ~&wait_q : 7'd0;"
    )


def frames_counter(beats: str, take: str, last: str, bits: int = 4) -> str:
    """Return a counter of the right frames' worth of beats that a frame has brought so far."""
    return (
        f"reg [31:0] beats_q;\n  reg [{bits - 1}:0] frames_q;\n  always @(posedge clk_i)\n"
        f"    if (!rst_ni | ({take} & {last})) {{beats_q, frames_q}} <= 0;\n"
        f"    else if ({take}) begin\n"
        f"      beats_q <= beats_q == {beats} - 1 ? 0 : beats_q + 1;\n"
        f"      frames_q <= frames_q + (beats_q == {beats} - 1);\n    end"
    )


CHANGES_LATE = ("m_axis_tdata  = out_data_q;", "m_axis_tdata  = out_data_q ^ (wait_q > 30);")
LARGER = "sum_q > $signed({{(ACC_BITS - MAX_BITS){1'b0}}, max_before})"
FACTOR = "weights[l*WEIGHT_BITS +: WEIGHT_BITS]"

MAPS_OF_ONE_POSITION = {
    "tlast with every maximum of one position": fault(
        "dw_conv_max_pool",
        "one position",
        "back_to_back",
        (
            "out_last_q <= sum_channel_last_q",
            "out_last_q <= sum_channel_last_q | sum_plane_first_q",
        ),
    ),
    "no tlast with a maximum of one position": fault(
        "dw_conv_max_pool",
        "one position",
        "back_to_back",
        (
            "sum_channel_last_q <= product_channel_last_q",
            "sum_channel_last_q <= product_channel_last_q & ~product_plane_first_q",
        ),
    ),
    "tlast of the next channel where a plane is one position": fault(
        "dw_conv_max_pool",
        "one position",
        "back_to_back",
        (
            "out_last_q <= sum_channel_last_q",
            "out_last_q <= sum_plane_first_q ? product_channel_last_q : sum_channel_last_q",
        ),
    ),
    "maximum kept over planes of one position": fault(
        "dw_conv_max_pool",
        "one position",
        "back_to_back",
        ("sum_plane_first_q ? {MAX", "sum_plane_first_q & ~sum_plane_last_q ? {MAX"),
    ),
    "weights of channel 0 for all maps of one position": fault(
        "conv_1",
        "one position",
        "back_to_back",
        ("last_position & ~s_axis_tuser)", "last_position & ~s_axis_tuser & (position_q != 0))"),
    ),
    "an empty window ends a plane of one position": fault(
        "conv_1",
        "one position",
        "gaps_and_stalls",
        ("last_position & ~s_axis_tuser)", "last_position & (~s_axis_tuser | POSITIONS == 1))"),
    ),
    "channels of one position are not counted": fault(
        "frame_control",
        "many channels of one position",
        "one_frame_after_idle",
        ("if (map_end) channel_q", "if (map_end && MAP_ROWS * MAP_COLUMNS > 1) channel_q"),
    ),
    "no way back from a map of one position": fault(
        "frame_control",
        "many channels of one position",
        "one_frame_after_idle",
        ("else if (!map_end) read", "else if (!map_end || MAP_ROWS * MAP_COLUMNS == 1) read"),
    ),
}

MAXIMUM_AT_THE_LAST_POSITION = {
    "last position compared without its highest bit": fault(
        "dw_conv_max_pool",
        "peaks",
        "back_to_back",
        (
            LARGER,
            f"({LARGER}) & ~(sum_plane_last_q & ~sum_plane_first_q & sum_q[MAX_BITS-1] &"
            " ~max_before[MAX_BITS-1])",
        ),
    ),
    "last position counts only behind a positive one": fault(
        "dw_conv_max_pool",
        "peaks",
        "back_to_back",
        (LARGER, f"({LARGER}) & ~(sum_plane_last_q & ~sum_plane_first_q & max_before == 0)"),
    ),
    "last position counts only where none was positive": fault(
        "dw_conv_max_pool",
        "peaks",
        "back_to_back",
        (LARGER, f"({LARGER}) & ~(sum_plane_last_q & ~sum_plane_first_q & max_before != 0)"),
    ),
    "sum that is larger by 1 is missed": fault(
        "dw_conv_max_pool", "peaks", "back_to_back", (LARGER, LARGER.replace("sum_q", "sum_q - 1"))
    ),
    "last logit, positive behind negative ones, is missed": fault(
        "argmax",
        "window",
        "back_to_back",
        (
            "($signed(s_axis_tdata) > best_q)",
            "($signed(s_axis_tdata) > best_q) & (first_q | ~(s_axis_tlast &"
            " best_q[LOGIT_BITS-1] & ~s_axis_tdata[LOGIT_BITS-1]))",
        ),
    ),
}

FIRST_CYCLE = "takes_a_beat_in_the_first_cycle_after_a_reset"
FIRST_CYCLE_AFTER_RESET = {
    "first product lost": fault(
        "conv_1",
        "window",
        FIRST_CYCLE,
        behind("assign s_axis_tready = advance;", FRESH),
        ("if (!rst_ni) product_valid_q", "if (!rst_ni | fresh_q) product_valid_q"),
    ),
    "weights start a cycle late": fault(
        "conv_1",
        "tap",
        FIRST_CYCLE,
        behind("assign s_axis_tready = advance;", FRESH),
        (".rst_ni(rst_ni)", ".rst_ni(rst_ni & ~fresh_q)"),
    ),
    "first value is no centre": fault(
        "dw_conv_max_pool",
        "window",
        FIRST_CYCLE,
        behind("assign s_axis_tready = advance &", FRESH),
        ("if (!rst_ni) pending_q", "if (!rst_ni | fresh_q) pending_q"),
    ),
    "first channel lost": fault(
        "pointwise_conv",
        "3 to 2",
        FIRST_CYCLE,
        ("spare_valid_q | s_axis_tvalid;", "spare_valid_q | (s_axis_tvalid & ~fresh_q);"),
        behind("wire multiply_en;", FRESH),
    ),
    "first input lost": fault(
        "fc1",
        "window",
        FIRST_CYCLE,
        (
            "take        = s_axis_tvalid & s_axis_tready;",
            "take        = s_axis_tvalid & s_axis_tready & ~fresh_q;",
        ),
        behind("wire multiply_en;", FRESH),
    ),
    "first logit not counted": fault(
        "argmax",
        "window",
        FIRST_CYCLE,
        behind("wire advance =", FRESH),
        (
            "if (!rst_ni || (take & s_axis_tlast))",
            "if (!rst_ni || fresh_q || (take & s_axis_tlast))",
        ),
    ),
    "beat that comes with a reset is taken": fault(
        "conv_1",
        "window",
        FIRST_CYCLE,
        ("if (!rst_ni) product_valid_q", "if (!rst_ni & ~s_axis_tvalid) product_valid_q"),
    ),
    "logit that comes with a reset is taken": fault(
        "argmax",
        "window",
        FIRST_CYCLE,
        ("      out_valid_q <= 1'b0;", "      out_valid_q <= s_axis_tvalid & ~out_valid_q;"),
    ),
    "read that comes with a reset is taken": fault(
        "window_memory",
        "window by window",
        "reset_forgets_the_beat_and_keeps_the_frames",
        ("if (!rst_ni) valid_q", "if (!rst_ni & ~m_axis_tready) valid_q"),
    ),
    "no weights in the first cycle": fault(
        "kernel_weights",
        "window by window",
        "reset_at_any_step",
        ("    word_q    <= words", "    if (rst_ni) word_q <= words"),
    ),
}

FRAMES_OF_MANY_FRAMES = {
    "frame of sixteen frames raises another error": fault(
        "pointwise_conv",
        "3 to 2",
        "frame_of_many_frames",
        ("load & ~skipping_q & wrong_length;", "load & (~skipping_q & wrong_length | &frames_q);"),
        behind("assign s_axis_tready = ~spare", frames_counter("IN_CHANNELS", "load", "next_last")),
    ),
    "frame of sixteen frames is kept": fault(
        "frame_control",
        "one row of windows",
        "frame_of_many_frames",
        (
            "take & frame_end & s_axis_tlast & ~skipping_q;",
            "take & s_axis_tlast & (skipping_q ? &frames_q : frame_end);",
        ),
        behind(
            "assign s_axis_tready        =",
            frames_counter("ROWS * COLUMNS", "take", "s_axis_tlast"),
        ),
    ),
}

ONE_LANE = {
    "weight of lane 15 is that of lane 14": fault(
        "conv_1",
        "one position",
        "back_to_back",
        (FACTOR, FACTOR.replace("[l*", "[(l == 15 ? 14 : l)*")),
    ),
    "tap of lane 13 is that of lane 12": fault(
        "conv_1",
        "one position",
        "back_to_back",
        (
            "in     = s_axis_tdata[l*IN_BITS +: IN_BITS]",
            "in     = s_axis_tdata[(l == 13 ? 12 : l)*IN_BITS +: IN_BITS]",
        ),
    ),
    "sign of the product of lane 14 lost": fault(
        "conv_1",
        "one position",
        "back_to_back",
        (
            "{{(ACC_BITS - PRODUCT_BITS + 1){product_q[PRODUCT_BITS-1]}}",
            "{{(ACC_BITS - PRODUCT_BITS + 1){product_q[PRODUCT_BITS-1] & (l != 14)}}",
        ),
    ),
    "weight of lane 15 of the depthwise convolution is that of lane 14": fault(
        "dw_conv_max_pool",
        "long map",
        "back_to_back",
        (FACTOR, FACTOR.replace("[l*", "[(l == 15 ? 14 : l)*")),
    ),
    "lane (3, 3) reads one word too far": fault(
        "window_memory",
        "default lanes",
        "reads_follow_one_another",
        ("PLANE_COLUMNS + b / COLUMN_PHASES;", "PLANE_COLUMNS + b / COLUMN_PHASES + (a * b == 9);"),
    ),
    "a bit of the weight of lane 15 stuck": fault(
        "kernel_weights",
        "default lanes",
        "reset_at_any_step",
        (
            "= word_q;",
            "= word_q & ~({{(LANES*WEIGHT_BITS-1){1'b0}}, 1'b1} << (15 * WEIGHT_BITS));",
        ),
    ),
    "term 15 left out": fault(
        "adder_tree",
        "16 inputs of 7 bits",
        "single_terms",
        ("place + distance < INPUTS;", "place + distance < INPUTS && place + distance != 15;"),
    ),
}


def ignoring(bit: int, left: str, right: str) -> tuple[str, str]:
    """Return the edit of a comparison that leaves out one bit."""
    return f"{left} == {right}", f"(({left} ^ {right}) & ~{1 << bit}) == 0"


ALL_BITS_BUT_ONE = {
    "last position, all bits but 4": fault(
        "conv_1", "long map", "back_to_back", ignoring(4, "position_q", "LAST_POSITION")
    ),
    "last address, all bits but 9": fault(
        "kernel_weights",
        "1,024 words",
        "reset_at_any_step",
        ignoring(9, "address_q", "LAST_ADDRESS"),
    ),
    "last row of the map, all bits but 3": fault(
        "dw_conv_max_pool",
        "long map",
        "back_to_back",
        ("(row_q == LAST_ROW)", "(((row_q ^ LAST_ROW) & ~8) == 0)"),
    ),
    "last channel, all bits but 4": fault(
        "pointwise_conv",
        "64 to 8",
        "back_to_back",
        ("= channel_q == LAST_CHANNEL;", "= ((channel_q ^ LAST_CHANNEL) & ~16) == 0;"),
    ),
    "last weight, all bits but 8": fault(
        "pointwise_conv",
        "64 to 8",
        "back_to_back",
        ("(address_q == LAST_ADDRESS)", "(((address_q ^ LAST_ADDRESS) & ~256) == 0)"),
    ),
    "last input, all bits but 3": fault(
        "fc1",
        "sixteen inputs",
        "back_to_back",
        ("= input_q == LAST_INPUT;", "= ((input_q ^ LAST_INPUT) & ~8) == 0;"),
    ),
    "last row of a frame, all bits but 4": fault(
        "frame_control",
        "long frame",
        "one_frame_after_idle",
        ("(row_q == LAST_ROW)", "(((row_q ^ LAST_ROW) & ~16) == 0)"),
    ),
    "last row of windows, all bits but 3": fault(
        "frame_control",
        "long frame",
        "one_frame_after_idle",
        ("(map_row_q == LAST_MAP_ROW)", "(((map_row_q ^ LAST_MAP_ROW) & ~8) == 0)"),
    ),
    "last channel of a frame, all bits but 5": fault(
        "frame_control",
        "many channels of one position",
        "one_frame_after_idle",
        ("(channel_q == LAST_CHANNEL)", "(((channel_q ^ LAST_CHANNEL) & ~32) == 0)"),
    ),
    "words, all bits of the address but 8": fault(
        "window_memory",
        "default words",
        "reads_follow_one_another",
        ("{write_buffer_i, write_address_i}]", "{write_buffer_i, write_address_i} & ~256]"),
        ("{read_buffer_i, address}]", "{read_buffer_i, address} & ~256]"),
    ),
}

LATE_SINK = "last_beat_waits_for_a_sink_that_is_late"
STALLED_LAST_BEAT = {
    "label changes in a long stall": fault(
        "argmax", "window", LATE_SINK, CHANGES_LATE, behind("wire advance =", waits("m_axis_tlast"))
    ),
    "logit behind a label that waited for long is stale": fault(
        "argmax",
        "window",
        LATE_SINK,
        (
            "    if (advance) begin\n      out_data_q",
            "    if (advance & wait_q < 30) begin\n      out_data_q",
        ),
        behind("wire advance =", waits("m_axis_tlast")),
    ),
    "last output changes in a long stall": fault(
        "pointwise_conv",
        "3 to 2",
        LATE_SINK,
        CHANGES_LATE,
        behind("wire emit =", waits("m_axis_tlast")),
    ),
    "last output overwritten in a long stall": fault(
        "pointwise_conv",
        "3 to 2",
        LATE_SINK,
        ("& m_axis_tvalid & ~m_axis_tready);", "& m_axis_tvalid & ~m_axis_tready & wait_q < 30);"),
        behind("wire advance =", waits("m_axis_tlast")),
    ),
    "last logit changes in a long stall": fault(
        "fc1", "window", LATE_SINK, CHANGES_LATE, behind("wire emit =", waits("m_axis_tlast"))
    ),
    "last maximum changes in a long stall": fault(
        "dw_conv_max_pool",
        "window",
        LATE_SINK,
        CHANGES_LATE,
        behind("assign m_axis_tvalid = out_valid_q;", waits("m_axis_tlast")),
    ),
    "value changes in a long stall": fault(
        "conv_1",
        "window",
        LATE_SINK,
        CHANGES_LATE,
        behind("assign m_axis_tvalid = out_valid_q;", waits("1'b1")),
    ),
    "flush mark changes in a long stall": fault(
        "window_memory",
        "row by row",
        "beat_waits_for_a_sink_that_is_late",
        ("m_axis_tuser  = flush_q;", "m_axis_tuser  = flush_q ^ (wait_q > 30);"),
        behind("wire advance =", waits("1'b1")),
    ),
}

FAULTS: Mapping[str, Fault] = {
    **MAPS_OF_ONE_POSITION,
    **MAXIMUM_AT_THE_LAST_POSITION,
    **FIRST_CYCLE_AFTER_RESET,
    **FRAMES_OF_MANY_FRAMES,
    **ONE_LANE,
    **ALL_BITS_BUT_ONE,
    **STALLED_LAST_BEAT,
}
