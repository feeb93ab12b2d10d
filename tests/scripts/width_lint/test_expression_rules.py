"""Lost signs and cut bits: one line of Verilog a case."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.width_lint.expression_rules import judge_expressions
from scripts.width_lint.rtl_reading import read_design
from scripts.width_lint.width_findings import SIGN_LOST, TRUNCATED
from scripts.width_lint.width_map import Requirement

# s is signed, t carries two's complement without being declared so, u is never negative, v has two
# lanes of t, m is a memory of s, and leaf puts out z, which is as t. Each line declares a y; True
# where a sign is lost in it, or bits are cut off.
SIGNS = {
    "wire signed [7:0] y = s;": False,
    "wire signed [7:0] y = t;": True,
    "wire signed [7:0] y = $signed(t);": False,
    "wire signed [7:0] y = u;": False,
    "wire signed [7:0] y = s + u;": True,
    "wire signed [7:0] y = s + $signed({1'b0, u});": False,
    "wire signed [7:0] y = s * t;": True,
    "wire signed [7:0] y = -t;": True,
    "wire signed [7:0] y = s[3:0];": True,
    "wire signed [7:0] y = s[2:0];": False,
    "wire signed [7:0] y = s[3:1];": True,
    "wire signed [7:0] y = {{4{t[3]}}, t};": False,
    "wire signed [7:0] y = {{5{t[3]}}, t[2:0]};": False,
    "wire signed [7:0] y = {{3{t[3]}}, t};": True,
    "wire signed [7:0] y = {{3{t[2]}}, t};": False,
    "wire signed [7:0] y = {4'b0, t};": True,
    "wire signed [7:0] y = {{4{1'b0}}, t[3:0]};": True,
    "wire signed [7:0] y = {4'b0, u};": False,
    "wire signed [7:0] y = v[7:4];": True,
    "wire signed [7:0] y = v[k*4 +: 4];": True,
    "wire signed [7:0] y = $signed(v[k*4 +: 4]);": False,
    "wire signed [7:0] y = v[6:4];": False,
    "wire signed [7:0] y = m[k];": False,
    "wire signed [7:0] y = m[k][3:0];": True,
    "wire signed [7:0] y = k ? t : 4'b0;": True,
    "wire signed [7:0] y = k ? s : 4'sd0;": False,
    "wire y = s > t;": True,
    "wire y = s > 0;": False,
    "wire y = s > 4'd0;": True,
    "wire y = u > 3;": False,
    "wire y = s == t;": False,
    "wire signed [3:0] y = s >>> 1;": False,
    "wire signed [3:0] y = t >>> 1;": True,
    "wire signed [3:0] y = t >> 1;": False,
    "wire signed [3:0] y = s / 2;": False,
    "wire signed [3:0] y = t / 2;": True,
    "wire signed [3:0] y = u % 4'd3;": False,
    "wire [3:0] y; leaf i (.a(t), .z(y));": True,
    "wire [3:0] y; leaf i (.a(s), .z(y));": False,
    "wire signed [7:0] y; leaf i (.a(s), .z(y));": True,
}
CUTS = {
    "wire [3:0] y = v;": True,
    "wire [3:0] y = v[3:0];": False,
    "wire [3:0] y = 0;": False,
    "wire [3:0] y = 5;": False,
    "wire [3:0] y = 16;": True,
    "wire [3:0] y = u + 1;": False,
    "wire [3:0] y = v + 1;": True,
    "wire [3:0] y = {u, 1'b0};": False,
    "wire [3:0] y = {u, 2'b0};": True,
    "wire [3:0] y = u * u;": False,
    "wire [3:0] y = k ? v : u;": True,
    "wire [7:0] y; assign y[3:0] = v;": True,
    "wire [7:0] y; assign y[3:0] = u;": False,
    "reg [3:0] y [0:1]; always @* y[k] = v;": True,
    "reg [3:0] y [0:1]; always @* y[k] = u;": False,
    "wire [3:0] y; wire c; assign {c, y} = u + 4'd9;": False,
    "wire [3:0] y; wire c; assign {c, y} = v;": True,
    "wire [2:0] y; leaf i (.a(s), .z(y));": True,
    "wire [3:0] y; leaf i (.a(v), .z(y));": False,
    "wire [3:0] y; leaf i (.a({v, k}), .z(y));": True,
}


OPERANDS = """
module leaf (input signed [7:0] a, output [3:0] z); assign z = a[3:0]; endmodule
module rules (input signed [3:0] s, input [3:0] t, input [2:0] u, input [7:0] v, input k);
  reg signed [3:0] m [0:1];
  generate
"""


@pytest.fixture(autouse=True)
def icarus(require_tool: Callable[[str], None]) -> None:
    require_tool("iverilog")


@functools.cache
def judged_lines(verdict: str) -> frozenset[int]:
    """Return the lines with the verdict, of a source that holds every case in a line of its own."""
    blocks = [f"if (1) begin : b{line} {case} end" for line, case in enumerate((*SIGNS, *CUTS))]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "rules.v"
        source.write_text("\n".join([OPERANDS, *blocks, "endgenerate endmodule"]))
        design = read_design([source], "rules")
    negative = {"s": (1, None), "t": (1, "twos_complement"), "v": (2, "twos_complement")}
    required = {
        f"rules.{name}": Requirement(name, -8, 7, lanes, 4, encoding)
        for name, (lanes, encoding) in negative.items()
    }
    required |= {"rules.m": required["rules.s"]}
    required |= {path: required["rules.t"] for path in design.signals if path.endswith(".z")}
    found = judge_expressions(design, required, dict.fromkeys(design.signals, "rules"))
    first = OPERANDS.count("\n") + 2
    return frozenset(
        int(one.text.rsplit(":", 1)[1]) - first for one in found if one.verdict == verdict
    )


@pytest.mark.parametrize("case", SIGNS)
def test_sign_is_lost_where_a_negative_number_counts_as_unsigned(case: str) -> None:
    assert (list((*SIGNS, *CUTS)).index(case) in judged_lines(SIGN_LOST)) == SIGNS[case]


@pytest.mark.parametrize("case", CUTS)
def test_bits_are_cut_off_where_the_right_side_needs_more(case: str) -> None:
    assert (list((*SIGNS, *CUTS)).index(case) in judged_lines(TRUNCATED)) == CUTS[case]
