"""What a folder of clips holds, as commands tell it: clips a word and partition, and the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from scripts.console.progress import say, show_table

if TYPE_CHECKING:  # it reads sound
    from quant_models.speech_commands import FoundClips

_MOST_WORDS = 40
_EXAMPLES = 3


def show_found(found: FoundClips, words: Sequence[str]) -> None:
    """Print the clips of a folder by word, these `words` first, and what is left out of it."""
    counts: dict[str, Counter[str]] = {}
    for clip in found.clips:
        counts.setdefault(clip.word, Counter())[clip.partition] += 1
    partitions = tuple(dict.fromkeys(clip.partition for clip in found.clips))
    show_table(_table(counts, found.folder, words, partitions))
    reasons: dict[str, list[Path]] = {}
    for each in found.skipped:
        reasons.setdefault(each.reason, []).append(each.path)
    for reason, paths in reasons.items():
        some = ", ".join(path.name for path in paths[:_EXAMPLES])
        more = ", ..." if len(paths) > _EXAMPLES else ""
        say(f"left out    {len(paths):,}, {reason}: {some}{more}")


def _table(
    counts: Mapping[str, Counter[str]],
    folder: Path,
    words: Sequence[str],
    partitions: Sequence[str],
) -> Table:
    """Return the counts as a table; beyond so many words the rest is one row."""
    table = Table(title=escape(f"clips in {folder}"))
    table.add_column("word")
    for partition in partitions:
        table.add_column(partition, justify="right")
    first = [word for word in words if word in counts]
    order = [*first, *sorted(word for word in counts if word not in first)]
    rows = [(word, counts[word]) for word in order[:_MOST_WORDS]]
    rest = order[_MOST_WORDS:]
    if rest:
        rows.append(
            (f"{len(rest):,} further words", sum((counts[word] for word in rest), Counter()))
        )
    for word, row in [*rows, ("all", sum(counts.values(), Counter()))]:
        table.add_row(escape(word), *(f"{row[partition]:,}" for partition in partitions))
    return table
