"""Progress bars and messages, on a terminal of their own."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table

from scripts.console import progress


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the commands' terminal shows."""
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=120, color_system=None)
    monkeypatch.setattr(progress, "CONSOLE", console)
    return shown


def test_a_bar_shows_counts_and_the_note(terminal: io.StringIO) -> None:
    with progress.progress_bar("training") as bar:
        bar(3, 8)
        bar.note("validation 91.20%")
        bar(8, 8)
    last = terminal.getvalue().splitlines()[-2]  # the last one shows the cursor again
    assert "training" in last and "8/8" in last and "validation 91.20%" in last


def test_a_bar_that_was_never_called_stays_invisible(terminal: io.StringIO) -> None:
    with progress.progress_bar("features"):
        pass
    assert "features" not in terminal.getvalue()


def test_titles_and_notes_may_hold_brackets(terminal: io.StringIO) -> None:
    with progress.progress_bar("set [a]") as bar:
        bar(1, 2)
        bar.note("accuracy [best]")
    assert "set [a]" in terminal.getvalue() and "accuracy [best]" in terminal.getvalue()


def test_an_exception_passes_through_a_bar(terminal: io.StringIO) -> None:
    with pytest.raises(ValueError, match="loss"), progress.progress_bar("training") as bar:
        bar(1, 2)
        raise ValueError("loss")


def test_messages_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    message = "a [bold]path[/bold] 1,024 " + "x" * 200
    progress.say(message)
    assert capsys.readouterr().out == f"{message}\n"


# ---- logs


def test_in_a_log_every_note_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.progress_bar("training") as bar:
        bar(500, 2_000)
        bar.note("validation 91.20%")
        bar(1_000, 2_000)
        bar.note("validation 92.00%")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "training    500/2,000 validation 91.20%",
        "training    1,000/2,000 validation 92.00%",
    ]


def test_in_a_log_long_work_shows_now_and_then_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = iter([0.0, 1.0, 40.0, 40.0, 50.0, 71.0, 71.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    with progress.progress_bar("features") as bar:
        for done in (1, 2, 3, 4):
            bar(done, 9)
        shown = capsys.readouterr().out.splitlines()
    assert shown == ["features    2/9", "features    4/9"]


# ---- tables


def wide_table(overflow: str = "ellipsis") -> Table:
    table = Table(title="wide")
    for number in range(30):
        table.add_column(f"label {number}", overflow=overflow)
    table.add_row(*(f"{number * 1_000:,}" for number in range(30)))
    return table


def test_a_table_is_whole_on_a_narrow_terminal_and_in_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    progress.show_table(wide_table())
    in_file = capsys.readouterr().out
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=60, color_system=None)
    monkeypatch.setattr(progress, "CONSOLE", console)
    assert not progress.fits(wide_table())
    progress.show_table(wide_table())
    for text in (in_file, shown.getvalue()):
        for number in range(30):
            assert f" label {number} " in text and f" {number * 1_000:,} " in text


def test_a_table_that_may_be_folded_keeps_to_the_terminal(terminal: io.StringIO) -> None:
    table = Table()
    for heading in ("module", "verdict"):
        table.add_column(heading, overflow="fold")
    table.add_row("a" * 100, "b" * 100)
    progress.show_table(table)
    text = terminal.getvalue()
    assert max(map(len, text.splitlines())) <= 120
    assert (text.count("a"), text.count("b")) == (100, 100)
