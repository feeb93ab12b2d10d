"""The Speech Commands folder layout: which clips there are, and which partition each belongs to.

`<folder>/<word>/<speaker>_nohash_<n>.wav`, and `<folder>/_background_noise_/*.wav` for recordings
of any length. The partition is decided by the SHA-1 of the file name up to `_nohash_`, so that all
clips of a speaker stay together and a larger data set never moves a clip (P. Warden, "Speech
Commands", arXiv 1804.03209, section 7).
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from quant_models.sound_files import (
    EMPTY,
    HIDDEN,
    NO_SOUND,
    OUTSIDE,
    SUFFIXES,
    Skipped,
    find_sound,
    is_hidden,
)

BACKGROUND_FOLDER = "_background_noise_"
SILENCE_LABEL = "_silence_"
UNKNOWN_LABEL = "_unknown_"
TRAINING, VALIDATION, TESTING = PARTITIONS = ("training", "validation", "testing")

_SPEAKER_MARK = "_nohash_"
_MAX_CLIPS_PER_WORD = 2**27 - 1


@dataclass(frozen=True)
class Clip:
    """One recording of one word."""

    path: Path
    word: str
    partition: str


@dataclass(frozen=True)
class FoundClips:
    """The clips of data folders, sorted by word, folder and file name, and what was left out."""

    folders: tuple[Path, ...]
    clips: tuple[Clip, ...]
    skipped: tuple[Skipped, ...]

    @property
    def where(self) -> str:
        """The folders, for people."""
        return _named(self.folders)


def labels_for(wanted_words: Sequence[str]) -> tuple[str, ...]:
    """Return the labels of a network: silence, unknown, then the wanted words in order.

    Raises ValueError for no words, a word twice, or a reserved name.
    """
    if not wanted_words:
        raise ValueError("wanted_words: expected at least one word, got none")
    labels = (SILENCE_LABEL, UNKNOWN_LABEL, *wanted_words)
    if len(set(labels)) != len(labels) or BACKGROUND_FOLDER in labels:
        raise ValueError(
            "wanted_words: expected each word once and no reserved name, "
            f"got {','.join(wanted_words)}"
        )
    return labels


def partition_of(file_name: str, validation_percentage: float, testing_percentage: float) -> str:
    """Return the partition of a clip by the data set's own rule.

    >>> partition_of("0a7c2a8d_nohash_0.wav", 10, 10)
    'training'
    """
    speaker = re.sub(rf"{_SPEAKER_MARK}.*$", "", file_name)
    hashed = int(hashlib.sha1(os.fsencode(speaker)).hexdigest(), 16) % (_MAX_CLIPS_PER_WORD + 1)
    percentage = hashed * (100.0 / _MAX_CLIPS_PER_WORD)
    if percentage < validation_percentage:
        return VALIDATION
    if percentage < validation_percentage + testing_percentage:
        return TESTING
    return TRAINING


def speaker_of(file_name: str) -> str | None:
    """Return the speaker that the name of a clip states, if it states one.

    >>> speaker_of("0a7c2a8d_nohash_0.wav")
    '0a7c2a8d'
    """
    speaker, mark, _ = file_name.partition(_SPEAKER_MARK)
    return speaker if mark else None


def find_clips(
    data_dirs: Sequence[Path], validation_percentage: float, testing_percentage: float
) -> FoundClips:
    """Return every clip of some data folders.

    A word is the name of its folder, in Unicode's composed form. In a data folder that names
    speakers, a clip whose own name states none (no `_nohash_`) is used for training only: its
    speaker could be in any partition. Where no clip of it names a speaker, each counts as a speaker
    of its own.

    Raises FileNotFoundError for a missing folder, ValueError for one without clips or given twice.
    """
    if len({folder.resolve() for folder in data_dirs}) < len(data_dirs):
        raise ValueError(f"data_dir: expected each folder once, got {_named(data_dirs)}")
    found = [_clips_of(folder, validation_percentage, testing_percentage) for folder in data_dirs]
    clips = [clip for each in found for clip in each.clips]
    return FoundClips(
        tuple(data_dirs),
        tuple(sorted(clips, key=lambda clip: clip.word)),  # it keeps the order of folders and names
        tuple(skipped for each in found for skipped in each.skipped),
    )


def _clips_of(
    data_dir: Path, validation_percentage: float, testing_percentage: float
) -> FoundClips:
    if not data_dir.is_dir():
        raise FileNotFoundError(f"{data_dir}: expected a folder of words, found nothing there")
    found, skipped = [], []
    for entry in sorted(data_dir.iterdir()):
        if is_hidden(entry.name):
            skipped.append(Skipped(entry, HIDDEN))
        elif not entry.is_dir():
            is_sound = entry.suffix.lower() in SUFFIXES
            skipped.append(Skipped(entry, OUTSIDE if is_sound else NO_SOUND))
        elif entry.name != BACKGROUND_FOLDER:
            inside = find_sound(entry)
            found += [(composed(entry.name), path) for path in inside.sounds]
            skipped += inside.skipped if inside.sounds else [Skipped(entry, EMPTY)]
    if not found:
        raise ValueError(f"{data_dir}: expected <word>/<clip>.wav, found no audio file")
    speakers_named = any(_SPEAKER_MARK in path.name for _, path in found)
    clips = tuple(
        Clip(
            path,
            word,
            TRAINING
            if speakers_named and _SPEAKER_MARK not in path.name
            else partition_of(path.name, validation_percentage, testing_percentage),
        )
        for word, path in sorted(found)
    )
    return FoundClips((data_dir,), clips, tuple(skipped))


def composed(word: str) -> str:
    """Return a word as all systems spell it: macOS takes accents apart in names of files."""
    return unicodedata.normalize("NFC", word)


def require_words(found: FoundClips, words: Sequence[str], setting: str) -> None:
    """Raise ValueError, naming the `setting`, unless every one of its `words` has clips."""
    available = sorted({clip.word for clip in found.clips})
    for word in words:
        if word not in available:
            raise ValueError(
                f"{setting}: expected words that {found.where} has ({', '.join(available)}), "
                f"got {word!r}"
            )


def _named(folders: Sequence[Path]) -> str:
    return ", ".join(map(str, folders))
