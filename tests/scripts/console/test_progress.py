"""Progress bars and messages, on a terminal of their own."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

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
