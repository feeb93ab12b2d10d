"""Which files of a folder are recordings, which are left out, and why."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".au"}

# Why a file or folder is left out.
HIDDEN = "hidden"  # also `._x.wav`, what macOS keeps beside a file on other file systems
NO_SOUND = "no sound by its name"
NO_FILE = "neither a file nor a folder"
TWICE = "a folder that links to one that was read already"
EMPTY = "no sound in it"
OUTSIDE = "in no folder of a word"


@dataclass(frozen=True)
class Skipped:
    """What was left out, and one of the reasons above."""

    path: Path
    reason: str


@dataclass(frozen=True)
class SoundFiles:
    """The recordings in a folder, sorted, and what else is there."""

    sounds: tuple[Path, ...]
    skipped: tuple[Skipped, ...]


def find_sound(folder: Path) -> SoundFiles:
    """Return the sound files at any depth below a folder, also behind links to folders.

    Raises FileNotFoundError for a missing folder, OSError for one that cannot be read.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: expected a folder of audio, found nothing there")
    sounds, skipped = [], []
    seen = {os.path.realpath(folder)}
    for place, folders, names in os.walk(folder, onerror=_raise, followlinks=True):
        here = Path(place)
        folders.sort()  # which of two links counts must not depend on the file system
        for name in list(folders):
            reason = HIDDEN if is_hidden(name) else TWICE if _is_in(seen, here / name) else None
            if reason is not None:
                folders.remove(name)
                skipped.append(Skipped(here / name, reason))
        for path in (here / name for name in names):
            reason = _why_not(path)
            if reason is None:
                sounds.append(path)
            else:
                skipped.append(Skipped(path, reason))
    return SoundFiles(tuple(sorted(sounds)), tuple(sorted(skipped, key=lambda each: each.path)))


def is_hidden(name: str) -> bool:
    return name.startswith(".")


def _why_not(path: Path) -> str | None:
    """Return why a file is no recording, or None if it is one; a broken link counts as a file."""
    if is_hidden(path.name):
        return HIDDEN
    if path.suffix.lower() not in SUFFIXES:
        return NO_SOUND
    return NO_FILE if path.exists() and not path.is_file() else None


def _is_in(seen: set[str], folder: Path) -> bool:
    """Say whether a folder was seen before, and remember it."""
    place = os.path.realpath(folder)
    known = place in seen
    seen.add(place)
    return known


def _raise(error: OSError) -> None:
    raise error
