"""Two readers of RTL: where they differ, and what they refuse."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.width_lint.rtl_reading import Reading, disagreements
from tests.foreign_rtl import FOREIGN, plant_foreign, read_foreign, sound_foreign


@pytest.fixture(autouse=True)
def icarus(require_tool: Callable[[str], None]) -> None:
    require_tool("iverilog")


def test_sign_that_the_readers_read_differently_is_a_failure() -> None:
    design = sound_foreign()
    readings = {
        **design.second_readings,
        ("RowConv", "Half[1].Best"): frozenset({Reading(7, False)}),
        ("RowConv", "Phase"): frozenset(),
    }
    found = {
        signal.name: text
        for signal, text in disagreements(dataclasses.replace(design, second_readings=readings))
    }
    assert found == {
        "Half[1].Best": "pyslang reads 7 bits signed, pyverilog 7 bits unsigned",
        "Phase": "pyslang reads 2 bits unsigned, pyverilog not declared",
    }


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("TAPS - 1", "$clog2(TAPS)", "RowConv: pyverilog: expected no $clog2"),
        ("endmodule", "endmodul", "pyslang: "),
        ("reg [1:0]           Phase;", "logic [1:0] Phase = '0;", "sources: pyverilog: "),
        (
            "Phase <= Phase + 1;",
            "begin : b integer n; for (n = 0; n < Phase; n = n + 1) Phase <= n[1:0]; end",
            "RowConv: pyverilog: DefinitionError: constant value not found: RowConv.Phase",
        ),
        ("MultAcc #(", "Accumulator #(", "RowConv.v:48: pyslang: unknown module 'Accumulator'"),
    ],
)
def test_source_that_a_reader_refuses_is_one_error(
    tmp_path: Path, right: str, wrong: str, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read_foreign(plant_foreign(tmp_path, "RowConv", right, wrong))


@pytest.mark.parametrize(
    ("top", "parameters", "message"),
    [
        ("Nothing", (), "sources: pyslang: 'Nothing' is not a valid top-level module"),
        ("RowConv", ("LAST=3",), "RowConv: expected a parameter of the top, got LAST"),
    ],
)
def test_top_and_parameters_must_exist(top: str, parameters: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read_foreign(FOREIGN, top, *parameters)


def test_missing_icarus_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FileNotFoundError, match="install the Debian package iverilog"):
        read_foreign()
