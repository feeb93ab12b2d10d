"""The voices: speakers spread over the partitions, and every one of them really another voice."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scripts.speech.synthetic_voices import ACCENTS, ESPEAK, FLITE, VOICES, Voice, speak


def partition(speaker: str) -> str:
    """The rule of Speech Commands, in integers: hash modulo 2^27, in percent of 2^27 - 1."""
    percent = 100 * (int(hashlib.sha1(speaker.encode()).hexdigest(), 16) % 2**27)
    return ("validation", "testing", "training")[
        (percent >= 10 * (2**27 - 1)) + (percent >= 20 * (2**27 - 1))
    ]


def test_every_13_successive_voices_hold_all_partitions() -> None:
    partitions = [partition(voice.speaker) for voice in VOICES] * 2
    for begin in range(len(VOICES)):
        assert len(set(partitions[begin : begin + 13])) == 3, f"voices from {begin} on"


def test_speakers_are_distinct_and_named_as_in_speech_commands() -> None:
    speakers = [voice.speaker for voice in VOICES]
    assert len(set(speakers)) == len(speakers)
    assert all(re.fullmatch("[0-9a-f]{8}", speaker) for speaker in speakers)


def test_no_two_voices_sound_the_same(tmp_path: Path, require_tool: Callable[[str], None]) -> None:
    require_tool(ESPEAK)
    require_tool(FLITE)
    sounds = set()
    for voice in VOICES:
        speak(voice, "seven", np.random.default_rng(1), tmp_path / "a.wav")
        sounds.add((tmp_path / "a.wav").read_bytes())
    assert len(sounds) == len(VOICES)


def test_every_accent_applies_a_variant(
    tmp_path: Path, require_tool: Callable[[str], None]
) -> None:
    require_tool(ESPEAK)

    def sound(voice: str) -> bytes:
        subprocess.run([ESPEAK, "-v", voice, "-w", tmp_path / "a.wav", "four"], check=True)
        return (tmp_path / "a.wav").read_bytes()

    sounds = {sound(accent + variant) for accent in ACCENTS for variant in ("", "+f3", "+m3")}
    assert len(sounds) == 3 * len(ACCENTS)
    assert sound("en-gb+f3") == sound("en-gb"), "en-gb may join ACCENTS"


def test_failing_synthesiser_is_named(tmp_path: Path, require_tool: Callable[[str], None]) -> None:
    require_tool(ESPEAK)
    unwritable = tmp_path / "missing" / "a.wav"
    with pytest.raises(ValueError, match=r"^espeak-ng .*: expected a spoken word, got "):
        speak(Voice(ESPEAK, "f3"), "yes", np.random.default_rng(1), unwritable)


def test_empty_file_is_not_taken_for_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthesiser = tmp_path / ESPEAK  # on a full disk the real one ends like this
    synthesiser.write_text("#!/bin/sh\n: > $8\n")
    synthesiser.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match=r"got nothing \(is the disk full\?\)$"):
        speak(Voice(ESPEAK, "f3"), "yes", np.random.default_rng(1), tmp_path / "a.wav")
    assert (tmp_path / "a.wav").is_file()


@pytest.mark.parametrize(
    ("usage", "flags"), [("-D  Enable deterministic random mode", "-D "), ("", "")]
)
def test_espeak_that_draws_from_the_clock_is_told_not_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, usage: str, flags: str
) -> None:
    synthesiser = tmp_path / ESPEAK
    synthesiser.write_text(f'#!/bin/sh\necho "{usage}"\necho "$*" > {tmp_path / "a.wav"}\n')
    synthesiser.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    speak(Voice(ESPEAK, "f3"), "yes", np.random.default_rng(1), tmp_path / "a.wav")
    assert (tmp_path / "a.wav").read_text().startswith(f"{flags}-v ")
