"""Mutants of Verilog: which mistakes each operator makes where, and what identifies a mutant."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.console.places import RTL_FOLDER
from scripts.mutation.mutants import (
    Mutant,
    diff,
    instantiated,
    make_mutants,
    read_equivalents,
    read_modules,
    sample,
)
from scripts.mutation.operators import OPERATORS

# A line of a module, and every mutant of it: (operator, the line after).
LINES = [
    ("wire [BITS-1:0] a;", [("width_minus_one", "wire [BITS-2:0] a;")]),
    ("wire [3:0] a;", [("width_minus_one", "wire [2:0] a;")]),
    (
        "reg signed [N*B-1:0] a;",
        [
            ("sign_dropped", "reg [N*B-1:0] a;"),
            ("width_minus_one", "reg signed [N*B-2:0] a;"),
        ],
    ),
    ("reg a [0:WORDS-1];", [("depth_minus_one", "reg a [0:WORDS-2];")]),
    (
        "assign a = b < c;",
        [("comparison_flipped", "assign a = b >= c;"), ("tie_broken", "assign a = b <= c;")],
    ),
    ("assign a = b == c;", [("comparison_flipped", "assign a = b != c;")]),
    (
        "assign a = b + c;",
        [
            ("operand_dropped", "assign a = b;"),
            ("operand_dropped", "assign a = c;"),
            ("operator_swapped", "assign a = b - c;"),
        ],
    ),
    (
        "assign a = b + 1'b1;",
        [
            ("operand_dropped", "assign a = b;"),
            ("operator_swapped", "assign a = b - 1'b1;"),
            ("constant_off_by_one", "assign a = b + 2'd2;"),
        ],
    ),
    (
        "assign a = b & c & d_tready;",
        [
            ("handshake_term_dropped", "assign a = b & c;"),
            ("term_dropped", "assign a = b & d_tready;"),
            ("term_dropped", "assign a = c & d_tready;"),
        ],
    ),
    (
        "assign a = ~rst_ni | b;",
        [("term_dropped", "assign a = ~rst_ni;"), ("reset_missing", "assign a = b;")],
    ),
    # What comes into the place of an operand keeps its rank.
    (
        "assign a = b - (c * d);",
        [
            ("operand_dropped", "assign a = b;"),
            ("operand_dropped", "assign a = (c * d);"),
            ("operator_swapped", "assign a = b + (c * d);"),
            ("operand_dropped", "assign a = b - (c);"),
            ("operand_dropped", "assign a = b - (d);"),
            ("operator_swapped", "assign a = b - (c + d);"),
        ],
    ),
    (
        "assign a = b * c - d;",
        [
            ("operand_dropped", "assign a = b * c;"),
            ("operand_dropped", "assign a = d;"),
            ("operator_swapped", "assign a = b * c + d;"),
            ("operand_dropped", "assign a = b - d;"),
            ("operand_dropped", "assign a = c - d;"),
            ("operator_swapped", "assign a = (b + c) - d;"),
        ],
    ),
    ("assign a = ~b;", [("negation_dropped", "assign a = b;")]),
    (
        "assign a = b ? c : d;",
        [("branch_never", "assign a = d;"), ("branch_always", "assign a = c;")],
    ),
    (
        "assign a = negative ? {N{1'b0}} : b;",
        [
            ("relu_missing", "assign a = b;"),
            ("branch_always", "assign a = {N{1'b0}};"),
            ("constant_off_by_one", "assign a = negative ? {N{1'b0}} + 1'b1 : b;"),
        ],
    ),
    (
        "assign a = b[S-1] ? 0 : c;",
        [
            ("relu_missing", "assign a = c;"),
            ("branch_always", "assign a = 0;"),
            ("index_off_by_one", "assign a = b[S-1 + 1'b1] ? 0 : c;"),
            ("constant_off_by_one", "assign a = b[S-1] ? 1 : c;"),
        ],
    ),
    (
        "assign a = b >>> S;",
        [
            ("shift_off_by_one", "assign a = b >>> (S + 1);"),
            ("sign_dropped", "assign a = b >> S;"),
            ("floor_to_truncation", "assign a = $signed(b / (1 << S));"),
            ("floor_to_nearest", "assign a = $signed((b + ((1 << S) >> 1)) >>> S);"),
        ],
    ),
    (
        "assign a = b[SHIFT+N-1:SHIFT];",
        [
            ("shift_off_by_one", "assign a = b[SHIFT+N-1 + 1:SHIFT + 1];"),
            ("shift_off_by_one", "assign a = b[SHIFT+N-1 - 1:SHIFT - 1];"),
            ("floor_to_truncation", "assign a = $signed(b / (1 << SHIFT));"),
            ("floor_to_nearest", "assign a = $signed((b + ((1 << SHIFT) >> 1)) >>> SHIFT);"),
        ],
    ),
    ("assign a = b[N-1:0];", []),
    (
        "assign a = b[2*N-1:N];",
        [
            ("slice_off_by_one", "assign a = b[2*N-1 + 1:N + 1];"),
            ("slice_off_by_one", "assign a = b[2*N-1 - 1:N - 1];"),
        ],
    ),
    ("assign a[b*N +: N] = c;", [("slice_off_by_one", "assign a[b*N + 1 +: N] = c;")]),
    ("assign a = $signed(b);", [("sign_dropped", "assign a = $unsigned(b);")]),
    ("assign a = {b, c};", [("parts_swapped", "assign a = {c, b};")]),
    (
        "assign a = {{(N - M){b[M-1]}}, b};",
        [("zero_extended", "assign a = {{(N - M){1'b0}}, b};")],
    ),
    (
        "wire [M-1:0] b = {{(N - M){1'b0}}, b};",
        [
            ("width_minus_one", "wire [M-2:0] b = {{(N - M){1'b0}}, b};"),
            ("sign_extended", "wire [M-1:0] b = {{(N - M){b[M-1]}}, b};"),
        ],
    ),
    ("assign a = b_d; assign c = b_q;", [("register_stale", "assign a = b_q; assign c = b_q;")]),
    ("always @(posedge clk_i) a <= b;", [("update_missing", "always @(posedge clk_i) ;")]),
    (
        "always @(posedge clk_i) if (b) a <= c;",
        [
            ("branch_always", "always @(posedge clk_i) if (1'b1) a <= c;"),
            ("branch_never", "always @(posedge clk_i) if (1'b0) a <= c;"),
        ],
    ),
    (
        "always @(posedge clk_i) if (!rst_ni) a <= b; else a <= c;",
        [
            ("reset_missing", "always @(posedge clk_i) if (!rst_ni) ; else a <= c;"),
            (
                "reset_at_power_up_only",
                "always @(posedge clk_i) if (!rst_ni) begin if (^a === 1'bx) a <= b; end "
                "else a <= c;",
            ),
            ("update_missing", "always @(posedge clk_i) if (!rst_ni) a <= b; else ;"),
        ],
    ),
    (
        "child #(.N(M)) u (.clk_i(clk_i), .in(a), .out(b));",
        [
            ("parameter_off_by_one", "child #(.N(M - 1)) u (.clk_i(clk_i), .in(a), .out(b));"),
            ("connection_stuck", "child #(.N(M)) u (.clk_i(clk_i), .in(1'b0), .out(b));"),
            ("connection_stuck", "child #(.N(M)) u (.clk_i(clk_i), .in(1'b1), .out(b));"),
            ("connection_open", "child #(.N(M)) u (.clk_i(clk_i), .in(a), .out());"),
        ],
    ),
    # Left out: checks of parameters, the bounds of generated loops, initial contents.
    ("generate if (N < 1) begin : g m_requires_N illegal (); end endgenerate", []),
    (
        "generate for (i = 0; i < N; i = i + 1) begin : g assign a = ~b; end endgenerate",
        [
            (
                "negation_dropped",
                "generate for (i = 0; i < N; i = i + 1) begin : g assign a = b; end endgenerate",
            )
        ],
    ),
    ("initial $readmemh(FILE, a);", []),
]
CHILD = "module child (input wire clk_i, input wire in, output wire out); endmodule\n"


def mutants_of(line: str) -> list[Mutant]:
    modules = {"m": f"module m #(parameter N = 4) ();\n  {line}\nendmodule\n", "child": CHILD}
    return make_mutants(modules, ["m"])


@pytest.mark.parametrize(("line", "expected"), LINES, ids=[line for line, _ in LINES])
def test_operators_make_just_these_mutants(line: str, expected: list[tuple[str, str]]) -> None:
    mutants = mutants_of(line)
    assert [(mutant.operator, mutant.after) for mutant in mutants] == expected
    assert all(mutant.before == line for mutant in mutants)


def test_every_operator_is_tried_here_and_occurs_in_the_modules() -> None:
    assert {operator for _, expected in LINES for operator, _ in expected} == set(OPERATORS)
    modules = read_modules(RTL_FOLDER)
    assert {mutant.operator for mutant in make_mutants(modules, list(modules))} == set(OPERATORS)


def test_there_are_at_least_150_mutants_and_some_of_every_module() -> None:
    modules = read_modules(RTL_FOLDER)
    mutants = make_mutants(modules, list(modules))
    assert len(mutants) >= 150
    assert {mutant.module for mutant in mutants} == set(modules)


def test_mutants_of_the_modules_are_all_different_in_key_and_text() -> None:
    modules = read_modules(RTL_FOLDER)
    mutants = make_mutants(modules, list(modules))
    assert len({mutant.key for mutant in mutants}) == len(mutants)
    assert len({mutant.source for mutant in mutants} | set(modules.values())) == len(mutants) + len(
        modules
    )


def test_key_survives_edits_elsewhere_and_tells_equal_lines_apart() -> None:
    line = "always @(posedge clk_i) a <= b;"
    once, twice = mutants_of(line), mutants_of(f"wire c;\n  // more\n  {line}  // why\n  {line}")
    assert [mutant.key for mutant in once] == [mutant.key for mutant in twice[:1]]
    assert [(mutant.occurrence, mutant.line) for mutant in twice] == [(1, 4), (2, 5)]


def test_diff_is_what_patch_reads() -> None:
    modules = {"m": "module m ();\n  assign a = ~b;\nendmodule\n"}
    (mutant,) = make_mutants(modules, ["m"])
    assert diff(modules["m"], mutant) == (
        "--- a/rtl_ref/m.v\n+++ b/rtl_ref/m.v\n@@ -1,3 +1,3 @@\n module m ();\n"
        "-  assign a = ~b;\n+  assign a = b;\n endmodule\n"
    )
    assert mutant.describe() == "m.v:2 negation_dropped\n  - assign a = ~b;\n  + assign a = b;"


def test_sample_depends_on_the_seed_alone_and_takes_from_every_group() -> None:
    mutants = mutants_of("assign a = ~b; assign c = ~d & e & f; assign g = h ? i : j;")
    drawn = sample(mutants, 4, seed=1)
    assert drawn == sample(mutants, 4, seed=1)
    assert {mutant.operator for mutant in drawn} == {mutant.operator for mutant in mutants}
    assert any(sample(mutants, 4, seed) != drawn for seed in range(2, 9))
    assert sample(mutants, 99, seed=1) == mutants


def test_instantiated_modules_are_found_in_generate_blocks_too() -> None:
    text = "module m (); generate if (N) begin : g child u (); end endgenerate endmodule"
    assert instantiated(text) == {"child"}


def test_unknown_module_is_refused() -> None:
    with pytest.raises(ValueError, match=r"modules: expected some of m, got n"):
        make_mutants({"m": "module m (); endmodule"}, ["n"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("module m (); wire é; endmodule", r"m\.v: expected ASCII text"),
        ("module m (); wire a = ; endmodule", r"m\.v: expected Verilog, got 1 errors of syntax"),
    ],
)
def test_module_that_cannot_be_read_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "m.v").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_modules(tmp_path)


def test_folder_without_modules_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected Verilog modules, found none"):
        read_modules(tmp_path)


ENTRY = """
[[equivalent]]
module = "m"
operator = "negation_dropped"
before = "assign a = ~b;"
after = "assign a = b;"
why = "b is never used"
"""


def test_argument_finds_its_mutant(tmp_path: Path) -> None:
    (tmp_path / "list.toml").write_text(ENTRY)
    (mutant,) = mutants_of("assign a = ~b;")
    assert read_equivalents(tmp_path / "list.toml", [mutant]) == {mutant: "b is never used"}


def test_arguments_for_modules_that_are_not_looked_at_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "list.toml").write_text(ENTRY)
    assert read_equivalents(tmp_path / "list.toml", []) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ENTRY.replace("~b", "~c"), "entry 1: matches no mutant: m negation_dropped"),
        (ENTRY.replace("why", "occurrence = 2\nwhy"), r"matches no mutant: .*\(occurrence 2\)"),
        (ENTRY + ENTRY, "entry 2: comes twice"),
        (ENTRY.replace("why =", "because ="), "differs: because, why"),
        (ENTRY.replace("negation", "nothing"), "operator: expected a known one, got nothing"),
        (ENTRY.replace("b is never used", " "), "why: expected an argument, got none"),
        (ENTRY.replace("equivalent", "other"), r"expected only \[\[equivalent\]\] tables"),
        ("a = ", "expected TOML"),
    ],
)
def test_list_that_rots_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "list.toml").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_equivalents(tmp_path / "list.toml", mutants_of("assign a = ~b;"))


def test_every_argument_is_about_a_mutant_there_is() -> None:
    modules = read_modules(RTL_FOLDER)
    mutants = make_mutants(modules, list(modules))
    read_equivalents(RTL_FOLDER / "equivalent_mutants.toml", mutants)
