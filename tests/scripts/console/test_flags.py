"""The flags that commands share: the same flag means the same everywhere."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from scripts.console import flags
from scripts.console.command_line import Parser


def parse(*arguments: str, **defaults: object) -> argparse.Namespace:
    parser = Parser("", "")
    flags.add_data_flags(parser)
    flags.add_model_flags(parser, **defaults)
    return parser.parse_args(arguments)


def test_lists_of_numbers_are_parsed() -> None:
    assert flags.integers("1000,20") == (1_000, 20)
    assert flags.numbers("0.00001,5e-4,1") == (0.00001, 0.0005, 1.0)
    for parse_list, text in (
        (flags.integers, "1.5"),
        (flags.integers, ""),
        (flags.integers, "1,"),
        (flags.numbers, "a"),
        (flags.numbers, ","),
    ):
        with pytest.raises(ValueError):
            parse_list(text)


def test_data_flags_have_their_defaults() -> None:
    found = parse()
    assert found.data_dir == (Path("work/synthetic_speech"),)
    assert found.cache_dir == Path("work/cache")
    found = parse("--data_dir", "a", "c", "--cache_dir", "b")
    assert (found.data_dir, found.cache_dir) == ([Path("a"), Path("c")], Path("b"))


def test_a_model_flag_without_a_default_is_none_unless_given() -> None:
    found = vars(parse("--shifts", "3", "4", "8"))
    assert found.pop("shifts") == [3, 4, 8]
    del found["data_dir"], found["cache_dir"]
    assert set(found) == {
        "model_architecture", "model_size_info", "padding", "form", "wanted_words", "sample_rate",
        "clip_duration_ms", "window_size_ms", "window_stride_ms", "dct_coefficient_count",
    }  # fmt: skip
    assert set(found.values()) == {None}


def test_model_flags_are_parsed_to_their_kinds() -> None:
    found = parse(
        "--model_architecture", "ds_cnn", "--model_size_info", "2", "48", "4",
        "--wanted_words", "yes,no", "--sample_rate", "8000", "--clip_duration_ms", "900",
        "--window_size_ms", "30", "--window_stride_ms", "20.5", "--dct_coefficient_count", "12",
        "--padding", "valid", "Same", shifts=(1, 2, 3),
    )  # fmt: skip
    assert found.padding == ["VALID", "SAME"]
    assert found.model_size_info == [2, 48, 4] and found.shifts == (1, 2, 3)
    assert found.wanted_words == ("yes", "no")
    assert (found.sample_rate, found.clip_duration_ms) == (8_000, 900)
    assert (found.window_size_ms, found.window_stride_ms) == (30.0, 20.5)
    assert found.dct_coefficient_count == 12


@pytest.mark.parametrize(
    "arguments",
    [
        ["--model_architecture", "tcn"],
        ["--form", "double"],
        ["--shifts", "1", "a"],
        ["--padding"],
        ["--model_size_info", "a"],
        ["--sample_rate", "8e3"],
    ],
)
def test_wrong_model_flags_are_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(*arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: argument {arguments[0]}: ")


def test_widths_flag_takes_the_three_sources_and_by_default_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parser = Parser("", "")
    flags.add_widths_flag(parser)
    assert parser.parse_args([]).widths is None
    assert parser.parse_args(["--widths", "observed"]).widths == "observed"
    with pytest.raises(SystemExit):
        parser.parse_args(["--widths", "guessed"])
    assert "invalid choice: 'guessed'" in capsys.readouterr().err
