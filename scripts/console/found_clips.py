"""What a folder of clips holds, as commands tell it: clips a word and partition, and the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from scripts.console.progress import say, show_table

if TYPE_CHECKING:  # it reads sound
    from quant_models.speech_commands import FoundClips

_MOST_WORDS = 40
_EXAMPLES = 3


def show_found(found: FoundClips, words: Sequence[str], partitions: Sequence[str] = ()) -> None:
    """Print how many clips a folder has, by word and partition, and what is left out and why.

    `words` come first; beyond so many, the others share a line. Without `partitions` clips of a
    word are counted together.
    """
    say(f"found       {len(found.clips):,} clips in {found.where}")
    columns = partitions or ("clips",)
    table = Table()
    table.add_column("word")
    for column in columns:
        table.add_column(column, justify="right")
    for name, counts in _rows(found, words):
        cells = (counts[column] if partitions else counts.total() for column in columns)
        table.add_row(escape(name), *(f"{cell:,}" for cell in cells))
    show_table(table)
    reasons: dict[str, list[Path]] = {}
    for each in found.skipped:
        reasons.setdefault(each.reason, []).append(each.path)
    for reason, paths in reasons.items():
        some = ", ".join(path.name for path in paths[:_EXAMPLES])
        more = ", ..." if len(paths) > _EXAMPLES else ""
        say(f"left out    {len(paths):,}, {reason}: {some}{more}")


def _rows(found: FoundClips, words: Sequence[str]) -> list[tuple[str, Counter[str]]]:
    """Return the counts of each word by partition, and of all that share a line."""
    counts: dict[str, Counter[str]] = {}
    for clip in found.clips:
        counts.setdefault(clip.word, Counter())[clip.partition] += 1
    first = [word for word in words if word in counts]
    order = [*first, *sorted(word for word in counts if word not in first)]
    rows = [(word, counts[word]) for word in order[:_MOST_WORDS]]
    rest = [counts[word] for word in order[_MOST_WORDS:]]
    if rest:
        rows.append((f"{len(rest):,} further words", sum(rest, Counter())))
    return rows
