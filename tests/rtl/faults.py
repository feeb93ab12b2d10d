"""Faults written by hand, of kinds that small benches miss, and the scenario that notices each.

A fault names a bench, its job and a scenario, and its edits: a text of a module, the bench's own or
one inside it, and what stands there instead. Registers that a fault needs are declared where the
edit is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """Edits (right text, wrong text) of module `source`; bench, job and scenario that see it."""

    bench: str
    source: str
    job: str
    scenario: str
    edits: tuple[tuple[str, str], ...]


def fault(
    bench: str, job: str, scenario: str, *edits: tuple[str, str], source: str | None = None
) -> Fault:
    """Return a fault of `source`, by default the bench's own module."""
    return Fault(bench, source or bench, job, scenario, edits)


REGISTER, STAGE = "stream_register", "multiply_accumulate"


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


CHANGES_LATE = ("m_axis_tdata  = data_q;", "m_axis_tdata  = data_q ^ (wait_q > 30);")
LARGER = "sum > $signed({{(ACC_BITS - MAX_BITS){1'b0}}, max_before})"
FACTOR = "weights[l*WEIGHT_BITS +: WEIGHT_BITS]"

MAPS_OF_ONE_POSITION = {
    "tlast with every maximum of one position": fault(
        "dw_conv_max_pool",
        "one position",
        "back_to_back",
        (
            ".s_axis_tuser(sum_channel_last)",
            ".s_axis_tuser(sum_channel_last | sum_plane_first)",
        ),
    ),
    "no tlast with a maximum of one position": fault(
        "dw_conv_max_pool",
        "one position",
        "back_to_back",
        (
            ".marks_i({last_channel, ",
            ".marks_i({last_channel & ~first_position, ",
        ),
    ),
    "tlast of the next channel where a plane is one position": fault(
        "dw_conv_max_pool",
        "one position",
        "back_to_back",
        (
            ".s_axis_tuser(sum_channel_last)",
            ".s_axis_tuser(sum_plane_first ? last_channel : sum_channel_last)",
        ),
    ),
    "maximum kept over planes of one position": fault(
        "dw_conv_max_pool",
        "one position",
        "back_to_back",
        ("sum_plane_first ? {MAX", "sum_plane_first & ~sum_plane_last ? {MAX"),
    ),
    "weights of channel 0 for all maps of one position": fault(
        "conv_1",
        "one position",
        "back_to_back",
        ("last_position & ~s_axis_tuser;", "last_position & ~s_axis_tuser & (position_q != 0);"),
    ),
    "an empty window ends a plane of one position": fault(
        "conv_1",
        "one position",
        "gaps_and_stalls",
        ("last_position & ~s_axis_tuser;", "last_position & (~s_axis_tuser | POSITIONS == 1);"),
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
            f"({LARGER}) & ~(sum_plane_last & ~sum_plane_first & sum[MAX_BITS-1] &"
            " ~max_before[MAX_BITS-1])",
        ),
    ),
    "last position counts only behind a positive one": fault(
        "dw_conv_max_pool",
        "peaks",
        "back_to_back",
        (LARGER, f"({LARGER}) & ~(sum_plane_last & ~sum_plane_first & max_before == 0)"),
    ),
    "last position counts only where none was positive": fault(
        "dw_conv_max_pool",
        "peaks",
        "back_to_back",
        (LARGER, f"({LARGER}) & ~(sum_plane_last & ~sum_plane_first & max_before != 0)"),
    ),
    "sum that is larger by 1 is missed": fault(
        "dw_conv_max_pool", "peaks", "back_to_back", (LARGER, LARGER.replace("sum", "sum - 1", 1))
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
        behind("kernel_weights #(", FRESH),
        ("if (!rst_ni) product_valid_q", "if (!rst_ni | fresh_q) product_valid_q"),
        source=STAGE,
    ),
    "weights start a cycle late": fault(
        "conv_1",
        "tap",
        FIRST_CYCLE,
        behind("kernel_weights #(", FRESH),
        (".rst_ni(rst_ni)", ".rst_ni(rst_ni & ~fresh_q)"),
        source=STAGE,
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
        ("waiting | s_axis_tvalid;", "waiting | (s_axis_tvalid & ~fresh_q);"),
        behind("wire multiply_en;", FRESH),
    ),
    "first input lost": fault(
        "pointwise_conv",
        "fc1, window",
        FIRST_CYCLE,
        (
            "activate     = load & ~skipping_q & ~wrong_length;",
            "activate     = load & ~skipping_q & ~wrong_length & ~fresh_q;",
        ),
        behind("wire multiply_en;", FRESH),
    ),
    "first logit not counted": fault(
        "argmax",
        "window",
        FIRST_CYCLE,
        behind("wire advance;", FRESH),
        (
            "if (!rst_ni || (take & s_axis_tlast))",
            "if (!rst_ni || fresh_q || (take & s_axis_tlast))",
        ),
    ),
    "beat that comes with a reset is taken": fault(
        "conv_1",
        "window",
        FIRST_CYCLE,
        ("if (!rst_ni) product_valid_q", "if (!rst_ni & ~step_valid_i) product_valid_q"),
        source=STAGE,
    ),
    "logit that comes with a reset is taken": fault(
        "argmax",
        "window",
        FIRST_CYCLE,
        ("if (!rst_ni) valid_q <= 1'b0;", "if (!rst_ni) valid_q <= s_axis_tvalid & ~valid_q;"),
        source=REGISTER,
    ),
    "read that comes with a reset is taken": fault(
        "window_memory",
        "window by window",
        "reset_forgets_the_beat_and_keeps_the_frames",
        ("if (!rst_ni) valid_q", "if (!rst_ni & ~m_axis_tready) valid_q"),
        source=REGISTER,
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
        behind(
            "assign s_axis_tready = SPARE ?", frames_counter("IN_CHANNELS", "load", "next_last")
        ),
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
        source=STAGE,
    ),
    "tap of lane 13 is that of lane 12": fault(
        "conv_1",
        "one position",
        "back_to_back",
        (
            "in     = taps_i[l*TAP_BITS +: TAP_BITS]",
            "in     = taps_i[(l == 13 ? 12 : l)*TAP_BITS +: TAP_BITS]",
        ),
        source=STAGE,
    ),
    "sign of the product of lane 14 lost": fault(
        "conv_1",
        "one position",
        "back_to_back",
        (
            "{{(ACC_BITS - PRODUCT_BITS + 1){product_q[PRODUCT_BITS-1]}}",
            "{{(ACC_BITS - PRODUCT_BITS + 1){product_q[PRODUCT_BITS-1] & (l != 14)}}",
        ),
        source=STAGE,
    ),
    "weight of lane 15 of the depthwise convolution is that of lane 14": fault(
        "dw_conv_max_pool",
        "long map",
        "back_to_back",
        (FACTOR, FACTOR.replace("[l*", "[(l == 15 ? 14 : l)*")),
        source=STAGE,
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
        "pointwise_conv",
        "fc1, sixteen inputs",
        "back_to_back",
        ("= channel_q == LAST_CHANNEL;", "= ((channel_q ^ LAST_CHANNEL) & ~8) == 0;"),
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

ANY_REGISTER = "assign s_axis_tready ="
LATE_SINK = "last_beat_waits_for_a_sink_that_is_late"
STALLED_LAST_BEAT = {
    **{
        f"beat of {bench} changes in a long stall": fault(
            bench, job, LATE_SINK, CHANGES_LATE, behind(ANY_REGISTER, waits(mark)), source=REGISTER
        )
        for bench, job, mark in (
            ("argmax", "window", "m_axis_tuser"),
            ("pointwise_conv", "3 to 2", "m_axis_tuser"),
            ("pointwise_conv", "fc1, window", "m_axis_tuser"),
            ("dw_conv_max_pool", "window", "m_axis_tuser"),
            ("conv_1", "window", "1'b1"),
        )
    },
    "logit behind a label that waited for long is stale": fault(
        "argmax",
        "window",
        LATE_SINK,
        (
            "if (s_axis_tvalid & s_axis_tready) begin",
            "if (s_axis_tvalid & s_axis_tready & wait_q < 30) begin",
        ),
        behind(ANY_REGISTER, waits("m_axis_tuser")),
        source=REGISTER,
    ),
    "last output overwritten in a long stall": fault(
        "pointwise_conv",
        "3 to 2",
        LATE_SINK,
        ("advance     = ~complete | ready;", "advance     = ~complete | ready | wait_q > 30;"),
        behind("// Everything halts together", waits("m_axis_tlast")),
    ),
    "flush mark changes in a long stall": fault(
        "window_memory",
        "row by row",
        "beat_waits_for_a_sink_that_is_late",
        ("m_axis_tuser  = user_q;", "m_axis_tuser  = user_q ^ (wait_q > 30);"),
        behind(ANY_REGISTER, waits("1'b1")),
        source=REGISTER,
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
