"""Progress bars, messages and tables of the commands, on the terminal or in a log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

CONSOLE = Console(highlight=False, soft_wrap=True)
ERRORS = Console(highlight=False, soft_wrap=True, stderr=True)  # where stdout is for programs
_LOG_SECONDS = 30.0  # between two lines of progress in a log
_ANY_WIDTH = 10_000


class Bar:
    """A running progress bar: call it with (done, total); `note` sets the words behind it.

    In a log, where nothing can be drawn over, every note is a line, and so is now and then how far
    the work is.
    """

    def __init__(self, progress: Progress, task: TaskID, title: str):
        self._progress = progress
        self._console = progress.console
        self._task = task
        self._title = title
        self._counts = ""
        self._last_line = time.monotonic()

    def __call__(self, done: int, total: int | None) -> None:
        self._progress.update(self._task, completed=done, total=total, visible=True)
        self._counts = f"{done:,}" if total is None else f"{done:,}/{total:,}"
        if time.monotonic() - self._last_line > _LOG_SECONDS:
            self._log("")

    def note(self, text: str) -> None:
        """Show `text` behind the bar."""
        self._progress.update(self._task, note=text)
        self._log(text)

    def _log(self, text: str) -> None:
        if not self._console.is_terminal:
            line = f"{self._title:<11} {self._counts} {text}".rstrip()
            self._console.print(line, markup=False)
            self._last_line = time.monotonic()


@contextmanager
def progress_bar(title: str, console: Console | None = None) -> Iterator[Bar]:
    """Show a bar with counts, elapsed time and time to go, from the first call of it on.

    It goes where everything else does, or to another console.
    """
    columns = (
        TextColumn("{task.description:<10}", markup=False),
        BarColumn(bar_width=10),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=console or CONSOLE) as progress:
        yield Bar(progress, progress.add_task(title, total=None, note="", visible=False), title)


def say(message: str) -> None:
    """Print a line of plain text."""
    CONSOLE.print(message, markup=False)


def show_table(table: Table, most_columns: int = _ANY_WIDTH) -> None:
    """Print a table whole: at its own width, or on a narrow terminal folded if all columns may be.

    One whose words can be wrapped to `most_columns` without loss is no wider. What a file or a pipe
    gets does not depend on any terminal.
    """
    width = min(_natural_width(table), most_columns)
    if CONSOLE.is_terminal and all(column.overflow == "fold" for column in table.columns):
        width = min(width, CONSOLE.width)
    Console(file=CONSOLE.file, highlight=False, width=width).print(table)


def fits(table: Table) -> bool:
    """Say whether the terminal is wide enough for a table; a file is for any."""
    return not CONSOLE.is_terminal or _natural_width(table) <= CONSOLE.width


def _natural_width(table: Table) -> int:
    return Measurement.get(CONSOLE, CONSOLE.options.update(max_width=_ANY_WIDTH), table).maximum
