"""Progress bars and messages of the commands, on the terminal or in a log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

CONSOLE = Console(highlight=False, soft_wrap=True)


class Bar:
    """A running progress bar: call it with (done, total); `note` sets the words behind it."""

    def __init__(self, progress: Progress, task: TaskID):
        self._progress = progress
        self._task = task

    def __call__(self, done: int, total: int | None) -> None:
        self._progress.update(self._task, completed=done, total=total, visible=True)

    def note(self, text: str) -> None:
        """Show `text` behind the bar."""
        self._progress.update(self._task, note=text)


@contextmanager
def progress_bar(title: str) -> Iterator[Bar]:
    """Show a bar with counts, elapsed time and time to go, from the first call of it on."""
    columns = (
        TextColumn("{task.description:<10}", markup=False),
        BarColumn(bar_width=10),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=CONSOLE) as progress:
        yield Bar(progress, progress.add_task(title, total=None, note="", visible=False))


def say(message: str) -> None:
    """Print a line of plain text."""
    CONSOLE.print(message, markup=False)
