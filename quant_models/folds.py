"""Folds: parts of the data that training never hears, to choose a recipe by.

A validation partition of a tenth of the speakers says little about clips from elsewhere: it has few
unknown words, all of which training hears, and no noise recording of its own. A fold holds out all
three kinds at once. Every clip is held out in one fold, so that the folds together judge by all.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from quant_models.speech_commands import (
    TESTING,
    TRAINING,
    VALIDATION,
    Clip,
    speaker_of,
)


@dataclass(frozen=True)
class Fold:
    """Fold `index` of `count`, both in what it holds out and in what it leaves to training.

    Held out are the speakers whose name hashes to it; of the unknown words `words` and of the noise
    recordings, in order, those whose place does, counted modulo `count`. Clips of the folders
    `judged_dirs` are held out or left out, never left to training. Raises ValueError for an index
    outside 0..count-1.
    """

    index: int
    count: int
    words: tuple[str, ...]
    judged_dirs: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if self.count < 2 or not 0 <= self.index < self.count:
            raise ValueError(
                f"fold: expected two or more, numbered 0..{self.count - 1}, "
                f"got {self.index} of {self.count}"
            )

    @property
    def held_words(self) -> tuple[str, ...]:
        """The unknown words that training never hears."""
        return self.words[self.index :: self.count]

    def holds(self, place: int) -> bool:
        """Whether the noise recording at this place in their order is held out."""
        return place % self.count == self.index

    def divided(self, clips: Sequence[Clip]) -> tuple[Clip, ...]:
        """Return the clips in the partitions that they have in this fold.

        Held speakers are for validation, also with words that training hears from others. Held
        words of other speakers are left out, as are their clips of `judged_dirs`, and clips for
        testing stay so. A clip that names no speaker is never held out.
        """
        divided = []
        for clip in clips:
            speaker = speaker_of(clip.path.name)
            if clip.partition == TESTING:
                divided.append(clip)
            elif speaker is not None and self._holds_speaker(speaker):
                divided.append(dataclasses.replace(clip, partition=VALIDATION))
            elif clip.word not in self.held_words and not self._only_judges(clip):
                divided.append(dataclasses.replace(clip, partition=TRAINING))
        return tuple(divided)

    def _only_judges(self, clip: Clip) -> bool:
        return any(clip.path.is_relative_to(folder) for folder in self.judged_dirs)

    def _holds_speaker(self, speaker: str) -> bool:
        digest = hashlib.sha256(os.fsencode(speaker)).digest()
        return int.from_bytes(digest[:8]) % self.count == self.index
