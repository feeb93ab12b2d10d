"""The synthetic data folder: layout, repeatability, and that no run leaves half a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from scripts.speech.synthetic_speech import SpeechSettings, make_speech, planned_clips
from scripts.speech.synthetic_voices import ESPEAK, FLITE, Voice
from tests.scripts.speech.test_synthetic_voices import partition

SMALL = SpeechSettings(("yes",), ("nine", "go"), clips_per_word=4, clips_per_other_word=2, voices=3)


@pytest.fixture(autouse=True)
def _synthesisers(request: pytest.FixtureRequest, require_tool: Callable[[str], None]) -> None:
    if "tmp_path" in request.fixturenames:  # the tests that make clips
        require_tool(ESPEAK)
        require_tool(FLITE)


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("speech") / "small"
    make_speech(SMALL, folder)
    yield folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_default_is_700_clips_and_every_partition_holds_every_word() -> None:
    clips = planned_clips(SpeechSettings())
    assert len(clips) == len({clip.name for clip in clips}) == 700
    words = {clip.word for clip in clips}
    assert len(words) == 23
    held = {(partition(clip.voice.speaker), clip.word) for clip in clips}
    assert len(held) == 3 * len(words)


def test_wanted_words_are_spread_evenly_over_the_voices() -> None:
    speakers = [clip.voice.speaker for clip in planned_clips(SMALL) if clip.word == "yes"]
    assert sorted(map(speakers.count, set(speakers))) == [1, 1, 2]


def test_one_engine_alone() -> None:
    clips = planned_clips(SpeechSettings(voices=4, engines=(FLITE,)))
    assert {clip.voice.name for clip in clips} == {"slt", "rms", "awb", "kal16"}


def test_folder_is_laid_out_as_speech_commands(small_folder: Path) -> None:
    clips = sorted(small_folder.glob("[a-z]*/*_nohash_*.wav"))
    assert [path.parent.name for path in clips] == ["go"] * 2 + ["nine"] * 2 + ["yes"] * 4
    for path in clips:
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.frames) == (16_000, 1, 16_000), path
        assert (info.format, info.subtype) == ("WAV", "PCM_16"), path
    noises = sorted(small_folder.glob("_background_noise_/*.wav"))
    assert [path.stem for path in noises] == [
        *("babble", "brown_noise", "mains_hum", "pink_noise", "white_noise")
    ]
    assert {soundfile.info(path).frames for path in noises} == {30 * 16_000}
    assert json.loads((small_folder / "_speech.json").read_text())["clips"] == 8


def test_each_clip_holds_one_word_amid_near_silence(small_folder: Path) -> None:
    for path in small_folder.glob("[a-z]*/*.wav"):
        samples, _ = soundfile.read(path)
        blocks = np.sqrt(np.mean(samples.reshape(100, 160) ** 2, axis=1))  # 10 ms each
        assert 0.03 < np.abs(samples).max() <= 1, path
        loud = np.flatnonzero(blocks > 0.1 * blocks.max())
        assert 0.1 <= (loud[-1] - loud[0]) / 100 < 0.95, path
        assert 0 < blocks.min() < 0.01, path


def test_same_settings_give_the_same_bytes(small_folder: Path, tmp_path: Path) -> None:
    make_speech(SMALL, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(small_folder)


def test_another_word_changes_no_other_clip(small_folder: Path, tmp_path: Path) -> None:
    more = SpeechSettings(("yes",), ("nine", "go", "up"), 4, 2, voices=3)
    make_speech(more, tmp_path / "more")
    before, after = contents(small_folder), contents(tmp_path / "more")
    clips = {name for name in before if "_nohash_" in name}
    assert clips < set(after)
    assert all(after[name] == before[name] for name in clips)


def test_another_seed_changes_every_clip(small_folder: Path, tmp_path: Path) -> None:
    make_speech(SpeechSettings(("yes",), ("nine", "go"), 4, 2, 3, seed=2), tmp_path / "other")
    before, after = contents(small_folder), contents(tmp_path / "other")
    assert set(before) == set(after)
    assert [name for name in before if before[name] == after[name]] == []


def test_two_takes_of_a_word_by_one_voice_differ(small_folder: Path) -> None:
    (second,) = small_folder.glob("yes/*_nohash_1.wav")
    first = second.with_name(second.name.replace("_1.wav", "_0.wav"))
    assert first.read_bytes() != second.read_bytes()
    begins = {int(np.argmax(np.abs(soundfile.read(path)[0]))) for path in (first, second)}
    assert len(begins) == 2


def test_silence_around_a_word_is_trimmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def speak_late(voice: Voice, word: str, generator: np.random.Generator, path: Path) -> None:
        samples = np.zeros(3 * 22_050)
        samples[2 * 22_050 :][: 22_050 // 5] = 0.1 * np.sin(np.arange(22_050 // 5))
        soundfile.write(path, samples, 22_050)

    monkeypatch.setattr("scripts.speech.synthetic_speech.speak", speak_late)
    make_speech(SpeechSettings(("yes",), (), 1, voices=1), tmp_path / "late")
    (clip,) = (tmp_path / "late").glob("yes/*.wav")
    samples, _ = soundfile.read(clip)
    loud = np.flatnonzero(np.abs(samples) > 0.5 * np.abs(samples).max())
    assert loud[-1] - loud[0] == pytest.approx(16_000 / 5, abs=10)


def test_word_longer_than_the_clip_is_cut(tmp_path: Path) -> None:
    settings = SpeechSettings((), ("antidisestablishmentarianism",), 1, 1, voices=1)
    make_speech(settings, tmp_path / "long")
    (clip,) = (tmp_path / "long").glob("[a-z]*/*.wav")
    assert soundfile.info(clip).frames == 16_000


def test_second_run_makes_nothing(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # without synthesisers
    assert make_speech(SMALL, small_folder) == 8


def test_other_settings_are_refused_and_replaced_by_force(tmp_path: Path) -> None:
    folder = tmp_path / "speech"
    make_speech(SMALL, folder)
    other = SpeechSettings(("no",), (), clips_per_word=1, voices=1)
    with pytest.raises(ValueError, match=r"speech: expected synthetic speech of the same settings"):
        make_speech(other, folder)
    assert make_speech(other, folder, force=True) == 1
    assert sorted(path.name for path in folder.iterdir()) == [
        *("_background_noise_", "_speech.json", "no")
    ]
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("manifest", [None, "", "[]", '{"clips": 3}'])
def test_foreign_folder_is_never_replaced(tmp_path: Path, manifest: str | None) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    if manifest is not None:
        (tmp_path / "_speech.json").write_text(manifest)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="expected a folder of synthetic speech or nothing"):
        make_speech(SMALL, tmp_path, force=True)
    assert contents(tmp_path) == before


def test_broken_run_leaves_the_old_folder_whole(tmp_path: Path) -> None:
    folder = tmp_path / "speech"
    make_speech(SMALL, folder)
    before = contents(folder)

    def interrupt(done: int, total: int) -> None:
        assert total == 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_speech(SpeechSettings(("no",), (), 1, voices=1), folder, interrupt, force=True)
    assert contents(folder) == before
    assert list(tmp_path.iterdir()) == [folder]


def test_missing_synthesiser_names_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"^espeak-ng: .*apt-get install espeak-ng"):
        make_speech(SMALL, tmp_path / "speech")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"wanted_words": ("Yes",)}, "words: expected letters a-z, got 'Yes'"),
        ({"wanted_words": ("..",)}, "words: expected letters a-z, got '..'"),
        ({"other_words": ("yes",)}, "words: expected each word once, got yes,no,yes"),
        ({"wanted_words": (), "other_words": ()}, "words: expected each word once, got none"),
        ({"clips_per_word": 0}, "clips_per_word: expected at least 1, got 0"),
        ({"clips_per_other_word": -1}, "clips_per_other_word: expected at least 1, got -1"),
        ({"engines": ("festival",)}, "engines: expected some of espeak-ng, flite, got"),
        ({"voices": 0}, r"voices: expected 1\.\.70, got 0"),
        ({"voices": 5, "engines": (FLITE,)}, r"voices: expected 1\.\.4, got 5"),
        ({"seed": -1}, "seed: expected 0 or more, got -1"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        SpeechSettings(**changes)
