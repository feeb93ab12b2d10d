"""The width lint: clean designs pass, planted faults are found by name, errors are one line."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dataflow.hardware.accelerator import BALANCED, FAST, SMALL, Accelerator, Configuration
from dataflow.ranges.intervals import Ranges, interval_bounds
from dataflow.widths.width_report import json_text, report
from golden.network import IntegerNetwork
from scripts import lint_widths
from scripts.console.command_line import run_command
from scripts.width_lint.required_ranges import report_ranges, with_label
from scripts.width_lint.rtl_reading import Design, read_accelerator
from scripts.width_lint.width_map import read_table
from scripts.width_lint.width_rules import lint
from tests.accelerators import small_networks
from tests.foreign_rtl import (
    FOREIGN,
    FOREIGN_RANGES,
    FOREIGN_TABLE,
    in_words,
    lint_foreign,
    plant_foreign,
    read_foreign,
    sound_foreign,
)
from tests.networks import random_network
from tests.planted_faults import plant
from tests.repository import REPOSITORY

SHIPPED = min((REPOSITORY / "weights").glob("*/network.npz"))
OUR_TABLE = REPOSITORY / "rtl_ref" / "width_map.toml"

# File, right text, wrong text, and every failure that follows: module, signal, verdict and reason.
FAULTS = {
    "accumulator one bit short": (
        "RowConv",
        ".AW(AW))",
        ".AW(AW - 1))",
        {"MultAcc.Acc: too narrow: -43 to 46 needs 7 bits, it has 6"},
    ),
    "operand of a product without sign": (
        "MultAcc",
        "input  signed [CW-1:0] Coef",
        "input  [CW-1:0] Coef",
        {
            "MultAcc.Coef: unsigned: carries -3 to 2 and is not declared signed",
            "MultAcc.Coef: sign lost: Coef carries -3 to 2, it is extended from 3 to 6 bits with "
            "zeros, at MultAcc.v:15",
            "MultAcc.Sample: sign lost: Sample carries -8 to 7, it is extended from 4 to 6 bits "
            "with zeros, at MultAcc.v:15",
        },
    ),
    "maximum without sign": (
        "RowConv",
        "reg  signed [AW-1:0]    Best",
        "reg  [AW-1:0]    Best",
        {
            "RowConv.Half.Best: unsigned: carries -43 to 46 and is not declared signed",
            "RowConv.Half.Best: sign lost: Best carries -43 to 46, it is compared as unsigned, "
            "at RowConv.v:56",
            "RowConv.Half.Total: sign lost: Total carries -43 to 46, it is compared as unsigned, "
            "at RowConv.v:56",
        },
    ),
    "silent truncation on assignment": (
        "RowConv",
        "Total[AW-1:SH]",
        "Total >>> SH",
        {
            "RowConv.Half.Scaled: truncated: 7 bits of Total >>> SH into 5, without a "
            "part-select, at RowConv.v:52"
        },
    ),
    "silent truncation on an initial value": (
        "RowConv",
        "PairReg[k*SW +: SW]",
        "PairReg >> k*SW",
        {
            "RowConv.Half.Pixel: truncated: 8 bits of PairReg >> k*SW into 4, without a "
            "part-select, at RowConv.v:43"
        },
    ),
    "silent truncation into a function": (
        "RowConv",
        "Positive(Scaled)",
        "Positive(Total)",
        {
            "RowConv.Positive.Value: truncated: 7 bits of Total into 5, without a part-select, "
            "at RowConv.v:53"
        },
    ),
    "silent truncation into a port": (
        "RowConv",
        ".Sample(Pixel)",
        ".Sample(PairReg)",
        {
            "MultAcc.Sample: truncated: 8 bits of PairReg into 4, without a part-select, "
            "at RowConv.v:49"
        },
    ),
    "silent truncation out of a port": (
        "RowConv",
        ".AW(AW))",
        ".AW(AW + 1))",
        {
            "RowConv.Half.Total: truncated: 8 bits of port Acc into 7, without a part-select, "
            "at RowConv.v:49"
        },
    ),
    "datapath signal that nobody mapped": (
        "MultAcc",
        "assign Prod",
        "wire signed [AW-1:0] Twice = Acc + Acc; assign Prod",
        {
            "MultAcc.Twice: unmapped: is fed by RowConv.Half.Mac.Acc, and is neither mapped nor "
            "exempt"
        },
    ),
    "source of data that nobody mapped": (
        "MultAcc",
        "assign Prod = Sample * Coef;",
        "reg signed [CW-1:0] Step; assign Prod = Sample * (Coef + Step);",
        {"MultAcc.Step: unmapped: feeds RowConv.Half.Mac.Prod, and is neither mapped nor exempt"},
    ),
    # pyverilog keeps 5 in a localparam of 2 bits, where Verilog leaves 1 of it.
    "width that the readers read differently": (
        "RowConv",
        "reg [1:0]           Phase;",
        "localparam [1:0] MSB = 5; reg [MSB:0] Phase;",
        {
            "RowConv.Phase: readers disagree: pyslang reads 2 bits unsigned, "
            "pyverilog 6 bits unsigned"
        },
    ),
}


@pytest.fixture(autouse=True)
def icarus(require_tool: Callable[[str], None]) -> None:
    require_tool("iverilog")


def interval_ranges(network: IntegerNetwork) -> Ranges:
    return with_label(interval_bounds(network), len(network.labels))


@functools.cache
def shipped(configuration: Configuration) -> tuple[Design, Ranges]:
    network = IntegerNetwork.load(SHIPPED)
    return read_accelerator(Accelerator(network, configuration)), interval_ranges(network)


def run(monkeypatch: pytest.MonkeyPatch, *flags: object) -> int:
    """Run the command in this process and return its exit status."""
    monkeypatch.setattr(sys, "argv", ["scripts/lint_widths.py", *map(str, flags)])
    try:
        run_command(lint_widths.main)
    except SystemExit as error:
        return int(error.code or 0)
    return 0


def foreign_flags(folder: Path = FOREIGN) -> tuple[object, ...]:
    sources = sorted(folder.glob("*.v"))
    ranges = ("--ranges", FOREIGN_RANGES, "--table", FOREIGN_TABLE)
    return (*ranges, "--top", "RowConv", "--sources", *sources)


# ---- Foreign RTL ---------------------------------------------------------------------------------


def test_sound_foreign_rtl_is_exactly_as_wide_as_its_ranges() -> None:
    findings = lint_foreign(sound_foreign())
    assert in_words(findings) == set()
    declared = {f"{one.module}.{one.signal}": (one.declared_bits, one.lanes) for one in findings}
    assert declared == {
        "MultAcc.Sample": (4, 1),
        "MultAcc.Coef": (3, 1),
        "MultAcc.Prod": (6, 1),
        "MultAcc.Acc": (7, 1),
        "RowConv.Pair": (4, 2),
        "RowConv.PairReg": (4, 2),
        "RowConv.CoefRom": (3, 1),
        "RowConv.CoefReg": (3, 1),
        "RowConv.Half.Pixel": (4, 1),
        "RowConv.Half.Total": (7, 1),
        "RowConv.Half.Scaled": (5, 1),
        "RowConv.Half.Best": (7, 1),
        "RowConv.Results": (4, 2),
    }


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_found(tmp_path: Path, fault: str) -> None:
    file, right, wrong, expected = FAULTS[fault]
    findings = lint_foreign(read_foreign(plant_foreign(tmp_path, file, right, wrong)))
    failures = tuple(finding for finding in findings if finding.fails)
    assert in_words(failures) == expected
    assert findings[: len(failures)] == failures


def test_a_bit_too_many_is_a_warning_with_the_bits_of_all_lanes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rtl = plant_foreign(tmp_path, "MultAcc", "signed [SW+CW-2:0]", "signed [SW+CW-1:0]")
    flags = (*foreign_flags(rtl), "--parameters", "OW=5")
    assert run(monkeypatch, *flags, "--json", tmp_path / "findings.json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [re.sub(" +", " ", line).strip() for line in lines[2:4]] == [
        "MultAcc Prod row.product 6 7 too wide: wastes 1 bit",
        "RowConv Results max(0, row_shift) 2 x 4 2 x 5 too wide: wastes 2 bits",
    ]
    assert lines[4:] == ["failures: 0, warnings: 2, wasted bits: 3, right: 11"]
    written = json.loads((tmp_path / "findings.json").read_text())["findings"]
    assert written[0] == {
        "module": "MultAcc",
        "signal": "Prod",
        "verdict": "too wide",
        "text": "wastes 1 bit",
        "network_signal": "row.product",
        "required_bits": 6,
        "declared_bits": 7,
        "lanes": 1,
        "place": "MultAcc.v:13",
    }


def test_failures_come_first_and_give_exit_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rtl = plant_foreign(tmp_path, *FAULTS["accumulator one bit short"][:3])
    assert run(monkeypatch, *foreign_flags(rtl), "--all") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split()[:5] == ["MultAcc", "Acc", "row.partial_sum", "7", "6"]
    assert lines[-1] == "failures: 1, warnings: 0, wasted bits: 0, right: 12"
    assert len(lines) == 2 + 13 + 1


def test_exempt_signal_ends_the_datapath() -> None:
    table = {name: dict(entries) for name, entries in read_table(FOREIGN_TABLE).items()}
    exempt = dataclasses.replace(table["RowConv"]["Results"], signals=(), exempt="a display")
    table["RowConv"]["Results"] = exempt
    findings = lint_foreign(sound_foreign(), table)
    assert in_words(findings) == set()
    assert "Results" not in {finding.signal for finding in findings}


# ---- This project's RTL --------------------------------------------------------------------------


@pytest.mark.parametrize("configuration", [SMALL, BALANCED, FAST], ids=lambda one: one.name)
def test_shipped_accelerator_is_exactly_as_wide_as_its_ranges(configuration: Configuration) -> None:
    design, ranges = shipped(configuration)
    findings = lint(design, read_table(OUR_TABLE), ranges, OUR_TABLE)
    assert in_words(findings) == set()
    assert len(findings) == sum(map(len, read_table(OUR_TABLE).values()))


@pytest.mark.parametrize("name", ["default", "even kernel, strides beyond it"])
def test_accelerator_of_any_network_passes(name: str) -> None:
    network = random_network(1) if name == "default" else small_networks()[name]
    design = read_accelerator(Accelerator(network, SMALL))
    findings = lint(design, read_table(OUR_TABLE), interval_ranges(network), OUR_TABLE)
    assert in_words(findings) == set()


def test_widths_that_a_module_needs_for_its_structure_are_warnings() -> None:
    network = small_networks()["one of everything"]
    design = read_accelerator(Accelerator(network, FAST))
    findings = lint(design, read_table(OUR_TABLE), interval_ranges(network), OUR_TABLE)
    assert in_words(findings) == {
        "kws_accelerator.fully_connected.activation: too wide: wastes 3 bits",
        "kws_accelerator.fully_connected.product_q: too wide: wastes 3 bits",
    }


@pytest.mark.parametrize("owner", ["foreign", "ours"])
def test_every_entry_of_a_table_is_needed(owner: str) -> None:
    path = FOREIGN_TABLE if owner == "foreign" else OUR_TABLE
    design, ranges = (
        (sound_foreign(), report_ranges(FOREIGN_RANGES)) if owner == "foreign" else shipped(SMALL)
    )
    table = read_table(path)
    for section, entries in table.items():
        for name in entries:
            rest = {kept: entry for kept, entry in entries.items() if kept != name}
            failures = [f for f in lint(design, table | {section: rest}, ranges, path) if f.fails]
            found = [(one.module, one.signal, one.verdict) for one in failures]
            assert found == [(section, name, "unmapped")]


@pytest.mark.parametrize(
    ("module", "right", "wrong", "expected"),
    [
        (
            "dw_conv_max_pool",
            "sum > $signed({{(ACC_BITS - MAX_BITS){1'b0}}, max_before})",
            "sum > {{(ACC_BITS - MAX_BITS){1'b0}}, max_before}",
            ("dw_conv_max_pool.sum: sign lost: sum carries ", "it is compared as unsigned"),
        ),
        (
            "pointwise_conv",
            "+ 1){weight_q[WEIGHT_BITS-1]}}, weight_q[WEIGHT_BITS-2:0]}",
            "){1'b0}}, weight_q}",
            ("kws_accelerator.pw_conv.weight_q: sign lost: ", "bits with zeros"),
        ),
        (
            "pointwise_conv",
            "reg  [OUT_CHANNELS*ACC_BITS-1:0] ring_q;",
            "reg  [OUT_CHANNELS*ACC_BITS-OUT_CHANNELS-1:0] ring_q;",
            ("kws_accelerator.fully_connected.ring_q: too narrow: ", " bits, it has "),
        ),
    ],
)
def test_fault_in_this_projects_rtl_is_found(
    tmp_path: Path, module: str, right: str, wrong: str, expected: tuple[str, str]
) -> None:
    network = IntegerNetwork.load(SHIPPED)
    rtl = plant(tmp_path, module, right, wrong)
    design = read_accelerator(Accelerator(network, SMALL), rtl)
    findings = lint(design, read_table(OUR_TABLE), interval_ranges(network), OUR_TABLE)
    failures = in_words(tuple(finding for finding in findings if finding.fails))
    assert any(text.startswith(expected[0]) and expected[1] in text for text in failures), failures


def test_command_lints_the_accelerator_of_a_network(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(REPOSITORY)
    assert run(monkeypatch, SHIPPED, "--config", "small") == 0
    assert capsys.readouterr().out.endswith(
        "failures: 0, warnings: 0, wasted bits: 0, right: 117\n"
    )


def test_report_of_bit_widths_holds_the_ranges_of_its_network(tmp_path: Path) -> None:
    network = random_network(3)
    path = tmp_path / "bit_widths.json"
    path.write_text(json_text(report(network)))
    read, made = report_ranges(path), interval_ranges(network)
    assert read.keys() == made.keys()
    for name, found in read.items():
        assert (found.minimum, found.maximum) == (made[name].minimum, made[name].maximum), name
    assert (read["label"].minimum, read["label"].maximum) == (0, 3)


# ---- Errors --------------------------------------------------------------------------------------


def test_design_without_a_mapped_signal_is_refused() -> None:
    design = read_foreign(FOREIGN, "MultAcc")
    with pytest.raises(ValueError, match=r"widths.toml: expected at least one mapped signal"):
        lint_foreign(design, {})


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"layers": [{"signals": [{"name": "row"}]}]}',
        '{"layers": [{"signals": [{"name": "row", "bound": {"low": 3, "high": 2}}]}]}',
    ],
)
def test_ranges_that_are_no_report_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bit_widths.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"expected a report of scripts/bitwidths\.py"):
        report_ranges(path)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "flags: expected either a network or --ranges"),
        (("a.npz", "--ranges", "b.json"), "flags: expected either a network or --ranges"),
        (
            ("--ranges", "b.json", "--top", "row"),
            "--ranges: expected --sources, --top and --table with it",
        ),
        (
            (*foreign_flags(), "--parameters", "AW"),
            "--parameters: expected NAME=VALUE, got AW",
        ),
        ((*foreign_flags()[:-2], "nothing.v"), "nothing.v: no such file"),
        (("nothing.npz", "--table", FOREIGN_TABLE), "nothing.npz"),
        ((SHIPPED, "--rtl_dir", "nowhere"), "nowhere: expected a folder of Verilog files"),
        (("--table", "nothing.toml", SHIPPED), "nothing.toml"),
    ],
)
def test_bad_flags_are_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: tuple[object, ...],
    message: str,
) -> None:
    assert run(monkeypatch, *flags) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_it_runs_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["lint_widths.py", str(SHIPPED)])
    run_command(lint_widths.main)
