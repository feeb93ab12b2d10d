"""Broken designs turn the benches red, for the right reason and with the place of the mistake.

Mutation testing plants many more mistakes; here it is the text of the failures that counts.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from scripts.console.places import RTL_FOLDER
from tests.rtl.jobs import JOBS, run

pytestmark = pytest.mark.rtl

SCENARIOS = "back_to_back|stall=half|tlast_in_the_wrong_place"
MAP_PLACE = r"channel \d, row \d, column \d: expected -?\d+, got -?\d+ \(frame \d+, cycle \d+\)"

# Bench, job, module that is broken, its text before and after, and what the bench says.
BROKEN = {
    "ReLU missing": (
        ("conv_1", "window"),
        ("conv_1", "negative ? {OUT_BITS{1'b0}} : sum", "1'b0 ? {OUT_BITS{1'b0}} : sum"),
        rf"mismatch: conv_1_relu: {MAP_PLACE}",
    ),
    "flush not passed on": (
        ("conv_1", "row"),
        ("conv_1", ".s_axis_tuser(sum_flush),", ".s_axis_tuser(1'b0),"),
        r"mismatch: m_axis_tuser: window \d+: expected 1, got 0 \(frame 0, cycle \d+\)",
    ),
    "a bubble": (
        ("dw_conv_max_pool", "row"),
        ("dw_conv_max_pool", "advance & (~window_valid | last_step);", "advance & ~window_valid;"),
        r"s_axis_tready: expected 1 in cycle \d+, got 0",
    ),
    "a cycle late": (
        ("argmax", "row"),
        ("stream_register", "assign m_axis_tdata  = data_q;", "assign #10 m_axis_tdata = data_q;"),
        r"mismatch: logits and label: beat 0: expected -?\d+, got x \(frame 0, cycle \d+\)",
    ),
    "no padding": (
        ("dw_conv_max_pool", "window"),
        ("dw_conv_max_pool", "{row_inside[y] & column_inside[x]}", "{row_inside[y]}"),
        rf"mismatch: dw_conv: {MAP_PLACE}",
    ),
    "biases missing": (
        ("pointwise_conv", "fc1, row"),
        ("pointwise_conv", "$readmemh(BIAS_FILE, biases);", ";"),
        r"mismatch: fc1: channel 0: expected -?\d+, got x \(pixel 0, cycle \d+\)",
    ),
    "ties to the highest index": (
        ("argmax", "window"),
        ("argmax", "> best_q", ">= best_q"),
        r"mismatch: logits and label: beat 3: expected \d, got \d \(frame 0, cycle \d+\)",
    ),
    "tlast on the wrong beat": (
        ("argmax", "window"),
        ("argmax", ".s_axis_tuser(label_due_q),", ".s_axis_tuser(take & s_axis_tlast),"),
        r"mismatch: m_axis_tlast: beat 2: expected 0, got 1 \(frame 0, cycle \d+\)",
    ),
    "beat changes while stalled": (
        ("argmax", "window"),
        (
            "stream_register",
            "m_axis_tdata  = data_q;",
            "m_axis_tdata = m_axis_tready ? data_q : 0;",
        ),
        r"AssertionError: m_axis: the beat changes while stalled in cycle \d+",
    ),
    "a layer inside": (
        ("kws_accelerator", "window"),
        ("multiply_accumulate", "<= sum_before + step_sum", "<= sum_before - step_sum"),
        rf"mismatch: conv_1: {MAP_PLACE}",
    ),
    "a stage that does not wait": (
        ("kws_accelerator", "one row"),
        ("kws_accelerator", ".m_axis_tready(pooled_tready)", ".m_axis_tready(1'b1)"),
        r"mismatch: pw_conv: expected \d+ values, got \d+",
    ),
    "frame error missing": (
        ("kws_accelerator", "single"),
        ("frame_control", "frame_error_q <= take & ~skipping_q & wrong_length;", ";"),
        r"AssertionError: frame_error_o: expected \d+ cycles, got 0",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_design_is_described(tmp_path: Path, name: str) -> None:
    (bench, job), (module, before, after), message = BROKEN[name]
    rtl = tmp_path / "rtl"
    shutil.copytree(RTL_FOLDER, rtl)
    source = rtl / f"{module}.v"
    assert source.read_text().count(before) == 1
    source.write_text(source.read_text().replace(before, after))
    (chosen,) = (each for each in JOBS[bench] if each.name == job)
    chosen.prepare(tmp_path / "job")
    result = run(bench, tmp_path / "job", SCENARIOS, rtl)
    assert result.failed
    assert re.search(message, result.excerpt()), result.excerpt()
