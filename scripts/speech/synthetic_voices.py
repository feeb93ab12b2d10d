"""The voices of espeak-ng and flite, and one word spoken by one of them.

One process of the synthesiser speaks one word, which makes the result repeatable; espeak-ng inside
a process that goes on keeps state from word to word.
"""

from __future__ import annotations

import functools
import hashlib
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ESPEAK, FLITE = ENGINES = ("espeak-ng", "flite")

# Accents to which espeak-ng 1.51 applies a voice variant. For en-gb, which is `en`, it ignores the
# variant and says nothing; en-us-nyc sounds as en-us does.
ACCENTS = (
    "en",
    "en-029",
    "en-gb-scotland",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-gb-x-rp",
    "en-us",
)

# A voice is a speaker: all its clips fall in one partition, by the hash of its name. The order of
# these variants matters: among any 13 voices that follow each other at least one is for validation
# and one for testing. Variants that sound alike are not spread over partitions, and those that
# sound like machines are left out.
_VARIANTS = """
    Andrea Mike Alicia Annie Denis Diogo Gene Gene2
    Mario Henrique Hugo Jacky Lee Marco Michael Nguyen
    f2 anika adam antonio aunty belinda boris caleb
    grandma david ed edward f1 f3 f4 f5
    m1 m6 grandpa iven iven2 iven3 iven4 kaukovalta
    m7 michel linda m3 m4 m5 marcelo max miguel
    rob quincy norbert pablo paul pedro sandro shelby
    john gustave steph steph2 travis victor zac Andy benjamin
"""
# The mean pitch of each flite voice; rms keeps its own whatever it is asked for.
_FLITE_PITCH_HZ = {"slt": 172, "rms": 90, "awb": 122, "kal16": 105}


@dataclass(frozen=True)
class Voice:
    """One speaker: a variant of espeak-ng or a voice of flite."""

    engine: str
    name: str

    @property
    def speaker(self) -> str:
        """Eight hexadecimal digits, as in the file names of Speech Commands."""
        return hashlib.sha256(f"{self.engine} {self.name}".encode()).hexdigest()[:8]


VOICES = (
    *(Voice(ESPEAK, name) for name in _VARIANTS.split()),
    *(Voice(FLITE, name) for name in _FLITE_PITCH_HZ),
)


def synthesiser_versions(engines: tuple[str, ...]) -> dict[str, str]:
    """Return the version of each engine.

    Raises FileNotFoundError, which names the Debian package, if one is missing.
    """
    for engine in engines:
        if shutil.which(engine) is None:
            raise FileNotFoundError(
                f"{engine}: expected this speech synthesiser on the path, found none "
                f"(Debian: apt-get install {engine})"
            )
    return {engine: _version(engine) for engine in engines}


def speak(voice: Voice, word: str, generator: np.random.Generator, wav_path: Path) -> None:
    """Write `word` as a WAV file at the synthesiser's own rate; accent, speed and pitch are drawn.

    Raises ValueError if the synthesiser fails.
    """
    draw = _espeak_command if voice.engine == ESPEAK else _flite_command
    command = draw(voice, word, generator, wav_path)
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode != 0 or not wav_path.is_file() or wav_path.stat().st_size == 0:
        found = result.stderr.strip() or "nothing (is the disk full?)"
        raise ValueError(f"{' '.join(command)}: expected a spoken word, got {found}")


def _espeak_command(
    voice: Voice, word: str, generator: np.random.Generator, wav_path: Path
) -> list[str]:
    accent = ACCENTS[generator.integers(len(ACCENTS))]
    words_per_minute = generator.integers(130, 201)
    pitch = generator.integers(30, 71)  # of 0..99; 50 is the voice's own
    settings = ["-v", f"{accent}+{voice.name}", "-s", f"{words_per_minute}", "-p", f"{pitch}"]
    return [ESPEAK, *_without_chance(shutil.which(ESPEAK)), *settings, "-w", f"{wav_path}", word]


@functools.cache
def _without_chance(espeak: str | None) -> tuple[str, ...]:
    """Return the flag that makes breathy voices repeatable: espeak-ng 1.52 seeds by the clock."""
    if espeak is None:
        return ()
    usage = subprocess.run([espeak, "--help"], capture_output=True, text=True).stdout
    return ("-D",) if "deterministic" in usage else ()


def _flite_command(
    voice: Voice, word: str, generator: np.random.Generator, wav_path: Path
) -> list[str]:
    stretch = generator.uniform(0.85, 1.25)
    pitch_hz = _FLITE_PITCH_HZ[voice.name] * generator.uniform(0.9, 1.1)
    settings = [f"duration_stretch={stretch:.3f}", f"int_f0_target_mean={pitch_hz:.1f}"]
    flags = [item for setting in settings for item in ("--setf", setting)]
    return [FLITE, "-voice", voice.name, *flags, "-t", word, "-o", f"{wav_path}"]


def _version(engine: str) -> str:
    result = subprocess.run(
        [engine, "--version"], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    found = re.search(r"\d+\.\d[\w.]*", result.stdout + result.stderr)
    return found.group() if found else "unknown"
