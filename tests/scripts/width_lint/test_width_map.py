"""Tables: what an entry asks of a signal, and every rule that one can break."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.width_lint.width_map import read_table
from tests.foreign_rtl import (
    FOREIGN_TABLE,
    in_words,
    lint_foreign,
    plant_foreign,
    read_foreign,
    sound_foreign,
)


@pytest.fixture(autouse=True)
def icarus(require_tool: Callable[[str], None]) -> None:
    require_tool("iverilog")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            {"signal": "samples", "lanes": 3, "encoding": "twos_complement"},
            "too narrow: 8 bits do not divide into 3 lanes",
        ),
        ({"signal": "samples", "lanes": 2}, "unsigned: carries -8 to 7 and is not declared signed"),
        (
            {"signal": "samples", "lanes": 2, "encoding": "unsigned"},
            "unsigned: the table says unsigned, it carries -8 to 7",
        ),
        (
            {"signal": "row_shift", "relu": True, "lanes": 2, "encoding": "signed"},
            "too narrow: 0 to 11 needs 5 bits, it has 4",
        ),
    ],
)
def test_encoding_and_lanes_of_a_vector(
    tmp_path: Path, entry: dict[str, Any], expected: str
) -> None:
    cells = ", ".join(f"{key} = {json.dumps(value)}" for key, value in entry.items())
    lines = FOREIGN_TABLE.read_text().splitlines()
    path = tmp_path / "table.toml"
    path.write_text(
        "\n".join(f"Pair = {{ {cells} }}" if line.startswith("Pair =") else line for line in lines)
    )
    found = {one.signal: one for one in lint_foreign(sound_foreign(), read_table(path))}
    assert f"{found['Pair'].verdict}: {found['Pair'].text}" == expected


def test_unsigned_in_the_table_and_signed_in_the_source_fails() -> None:
    table = {name: dict(entries) for name, entries in read_table(FOREIGN_TABLE).items()}
    best = table["RowConv"]["Half.Best"]
    table["RowConv"]["Half.Best"] = dataclasses.replace(best, encoding="unsigned", relu=True)
    assert "RowConv.Half.Best: unsigned: the table says unsigned, it is signed" in in_words(
        lint_foreign(sound_foreign(), table)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[RowConv", "expected TOML, "),
        ("sum = 3", "expected sections of signals, got sum outside of one"),
        ("[RowConv]\nPair = 3", "RowConv.Pair: expected a signal of the network or a table, got 3"),
        ("[RowConv]\nPair = { width = 3 }", "RowConv.Pair: expected keys of signal, lanes, "),
        (
            "[RowConv]\nPair = { signal = 'samples', lanes = 1.5 }",
            "RowConv.Pair: expected another kind of lanes, got 1.5",
        ),
        ("[RowConv]\nPair = { signal = [] }", "RowConv.Pair: expected signals by name, got []"),
        ("[RowConv]\nPair = { lanes = 2 }", "RowConv.Pair: expected either signal or exempt"),
        (
            "[RowConv]\nPair = { exempt = ' ' }",
            "RowConv.Pair: expected exempt alone, with a reason",
        ),
        (
            "[RowConv]\nPair = { exempt = 'flag', lanes = 2 }",
            "RowConv.Pair: expected exempt alone, with a reason",
        ),
        (
            "[RowConv]\nPair = { signal = 'samples', encoding = 'grey' }",
            "RowConv.Pair: expected an encoding of signed, twos_complement, unsigned, got grey",
        ),
        ("[FoldConv]\nPair = 'samples'", "FoldConv: expected a module or instance with signals"),
        ("[RowConv]\nPears = 'samples'", "RowConv.Pears: expected a signal of the module"),
        (
            "[RowConv]\nPair = 'sample'",
            "RowConv.Pair: expected a signal of the network (row, row.partial_sum, row.product, "
            "row.weight, row_shift, samples), got sample",
        ),
        (
            "[RowConv]\nPair = { signal = 'samples', room_for = 'row.sum' }",
            "got row.sum",
        ),
        (
            "[RowConv]\nPair = { signal = 'samples', lanes = 'SW + 1' }",
            "RowConv.Pair: expected lanes of numbers and parameters, got 'SW + 1'",
        ),
        (
            "[RowConv]\nPair = { signal = 'samples', lanes = 0 }",
            "RowConv.Pair: expected at least 1 lane, got 0",
        ),
        ("[RowConv]\nCoefRom = 'row.weight'", "CoefRom: expected the table or attributes to map"),
    ],
)
def test_table_that_breaks_a_rule_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "table.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(message)):
        lint_foreign(sound_foreign(), read_table(path))


def test_attribute_that_breaks_a_rule_is_refused(tmp_path: Path) -> None:
    rtl = plant_foreign(tmp_path, "RowConv", "width_signal =", "width_signals =")
    with pytest.raises(ValueError, match=r"RowConv.v:20: CoefRom: expected keys of signal, lanes"):
        lint_foreign(read_foreign(rtl))


def test_attributes_take_numbers(tmp_path: Path) -> None:
    right = '(* width_signal = "row.weight" *)'
    rtl = plant_foreign(
        tmp_path, "RowConv", right, '(* width_signal = "row.weight" *) (* width_lanes = 2 *)'
    )
    assert in_words(lint_foreign(read_foreign(rtl))) == {
        "RowConv.CoefRom: too narrow: 3 bits do not divide into 2 lanes"
    }
