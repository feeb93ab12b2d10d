"""The command: tracks that hold what their truth says, and what it refuses."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import label_wav
from quant_models.speech_commands import TESTING, TRAINING, Clip, find_clips
from scripts import make_track
from scripts.console.command_line import run_command
from scripts.console.flags import DEFAULT_DATA_DIR
from scripts.speech.synthetic_speech import SpeechSettings, make_speech
from scripts.speech.synthetic_voices import ESPEAK, FLITE
from tests.repository import REPOSITORY
from tests.speech_folder import RATE_HZ, make_speech_folder

(NETWORK,) = REPOSITORY.glob("weights/*/network.npz")
SHORT = "--minutes", 0.5


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_speech_folder(tmp_path_factory.mktemp("speech") / "tones", speakers=40)


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run the command in a folder of its own; return what it prints."""
    monkeypatch.chdir(tmp_path)

    def call(*flags: object, main: Callable[[], None] = make_track.main) -> str:
        monkeypatch.setattr(sys, "argv", ["command.py", *map(str, flags)])
        run_command(main)
        return capsys.readouterr().out

    return call


@pytest.fixture
def refused(run: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the command; return the one line that it is refused with."""

    def call(*flags: object) -> str:
        with pytest.raises(SystemExit) as caught:
            run(*flags)
        error = capsys.readouterr().err
        assert caught.value.code == 2 and error.count("\n") == 1
        return error.removeprefix("error: ").removesuffix("\n")

    return call


def truth_of(path: Path) -> list[tuple[str, int]]:
    rows = (line.split(",") for line in path.read_text().splitlines())
    return [(label, int(time_ms)) for label, time_ms in rows]


def clips_by_sound(clips: tuple[Clip, ...]) -> dict[bytes, Clip]:
    """The clips by their 16-bit samples."""
    return {soundfile.read(clip.path, dtype="int16")[0].tobytes(): clip for clip in clips}


def test_the_same_flags_give_the_same_files(run: Callable[..., str], tones: Path) -> None:
    given = ("--data_dir", tones, *SHORT)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(*given, "--output_file", f"{name}.wav", "--seed", seed)
    for suffix in (".wav", ".truth.csv"):
        a, b, c = (Path(f"{name}{suffix}").read_bytes() for name in "abc")
        assert a == b != c


def test_the_truth_says_where_clips_of_the_testing_partition_are(
    run: Callable[..., str], tones: Path
) -> None:
    printed = run("--data_dir", tones, "--minutes", 2, "--noise_volume", 0)
    track, rate = soundfile.read("work/track.wav", dtype="int16")
    truth = truth_of(Path("work/track.truth.csv"))
    assert rate == RATE_HZ and track.shape == (2 * 60 * RATE_HZ,)
    every = clips_by_sound(find_clips([tones], 10, 10).clips)
    left = track.copy()
    for label, time_ms in truth:
        part = left[16 * time_ms : 16 * time_ms + RATE_HZ]
        clip = every[part.tobytes()]
        assert (clip.word, clip.partition) == (label, TESTING), time_ms
        part[:] = 0
    # What remains are clips of other words: the first of their samples is seldom 0.
    others = []
    while left.any():
        start = (int(np.flatnonzero(left)[0]) // 16) * 16
        part = left[start : start + RATE_HZ]
        clip = every[part.tobytes()]
        others.append(clip.word)
        assert clip.partition == TESTING and clip.word not in ("yes", "no")
        part[:] = 0
    assert {label for label, _ in truth} == {"yes", "no"} and set(others) == {"bird", "cat", "dog"}
    assert printed.splitlines() == [
        f"words       {len(truth) + len(others)}, {len(truth)} of them wanted, "
        f"testing partition of {tones}",
        "noise       2 recordings at volume 0",
        "track       work/track.wav, 120.0 s",
        "truth       work/track.truth.csv",
    ]


def test_noise_changes_no_word_and_another_partition_changes_all(
    run: Callable[..., str], tones: Path
) -> None:
    given = ("--data_dir", tones, *SHORT)
    run(*given, "--output_file", "a.wav", "--noise_volume", 0)
    run(*given, "--output_file", "b.wav", "--noise_volume", 0.01)
    run(*given, "--output_file", "c.wav", "--noise_volume", 0, "--partition", TRAINING)
    a, b, c = (soundfile.read(f"{name}.wav", dtype="int16")[0].astype(int) for name in "abc")
    assert truth_of(Path("a.truth.csv")) == truth_of(Path("b.truth.csv"))
    noise = b - a
    assert 0.001 * 32_768 < noise.std() < 0.003 * 32_768 and abs(noise).max() < 0.02 * 32_768
    training = clips_by_sound(find_clips([tones], 10, 10).clips)
    (label, time_ms), *_ = truth_of(Path("c.truth.csv"))
    clip = training[c[16 * time_ms : 16 * time_ms + RATE_HZ].astype(np.int16).tobytes()]
    assert (clip.word, clip.partition) == (label, TRAINING)


def test_words_gaps_rate_and_length_are_as_asked_for(run: Callable[..., str], tones: Path) -> None:
    flags = ("--wanted_words", "cat", "--gap_ms", 250, 250, "--sample_rate", 8_000)
    run("--data_dir", tones, *flags, "--minutes", 0.205, "--output_file", "made/here.WAV")
    info = soundfile.info("made/here.WAV")
    assert (info.samplerate, info.frames, info.subtype) == (8_000, 12_300 * 8, "PCM_16")
    truth = truth_of(Path("made/here.truth.csv"))
    assert {label for label, _ in truth} == {"cat"}
    assert {(time_ms - 250) % 1_250 for _, time_ms in truth} == {0}
    assert truth[-1][1] + 1_250 <= 12_300


def test_without_noise_there_is_silence_and_a_line_says_so(
    run: Callable[..., str], tmp_path: Path
) -> None:
    folder = make_speech_folder(tmp_path / "words", noise_seconds=(), speakers=40)
    printed = run("--data_dir", folder, *SHORT)
    assert f"\nnoise       none in {folder}: silence between the clips\n" in printed
    track, _ = soundfile.read("work/track.wav", dtype="int16")
    assert not track[:RATE_HZ].any() and track.any()


def test_other_files_are_replaced_only_when_asked_for(
    run: Callable[..., str], refused: Callable[..., str], tones: Path
) -> None:
    given = ("--data_dir", tones, *SHORT)
    run(*given)
    track, truth = Path("work/track.wav"), Path("work/track.truth.csv")
    first = track.read_bytes(), truth.read_bytes()
    run(*given)  # it is what is to be written
    line = "expected nothing or what is to be written, found another file (--overwrite replaces it)"
    assert refused(*given, "--seed", 2) == f"work/track.wav: {line}"
    assert (track.read_bytes(), truth.read_bytes()) == first
    track.unlink()
    assert refused(*given, "--seed", 2) == f"work/track.truth.csv: {line}"
    assert not track.exists() and truth.read_bytes() == first[1]
    run(*given, "--seed", 2, "--overwrite")
    assert track.read_bytes() != first[0] and truth.read_bytes() != first[1]
    assert sorted(path.name for path in Path("work").iterdir()) == [truth.name, track.name]


def test_bad_input_is_one_line_and_writes_nothing(
    refused: Callable[..., str], tones: Path, tmp_path: Path
) -> None:
    given = ("--data_dir", tones)
    assert refused(*given, "--testing_percentage", 0) == (
        f"{tones}: expected clips of yes in the testing partition, found none "
        f"({count(tones, 'yes', TRAINING)} for training, {count(tones, 'yes', 'validation')} for "
        "validation, 0 for testing; --partition takes another)"
    )
    assert refused(*given, "--wanted_words", "maybe").startswith(
        f"wanted_words: expected words that {tones} has (bird, cat, dog, no, yes), got 'maybe'"
    )
    assert refused(*given, "--seed", -1) == "seed: expected 0 or more, got -1"
    assert refused(*given, "--minutes", 0) == "minutes: expected above 0 and up to 300, got 0"
    assert refused(*given, "--gap_ms", 2, 1) == (
        "gap_ms: expected 0 <= shortest <= longest, got 2 and 1"
    )
    assert refused(*given, "--output_file", "track.flac") == (
        "output_file: expected a name in .wav, got track.flac"
    )
    missing = tmp_path / "missing"
    assert refused("--data_dir", missing) == (
        f"{missing}: expected a folder of words, found nothing there"
    )
    assert "invalid choice: 'test'" in refused(*given, "--partition", "test")
    broken = make_speech_folder(tmp_path / "broken", 40)
    noise = broken / "_background_noise_/hiss_0.wav"
    noise.write_bytes(b"no sound")
    assert refused("--data_dir", broken).startswith(f"{noise}: expected a sound file")
    assert list(tmp_path.iterdir()) == [broken]


def count(folder: Path, word: str, partition: str) -> int:
    clips = find_clips([folder], 10, 0).clips
    return sum((clip.word, clip.partition) == (word, partition) for clip in clips)


def test_the_shipped_network_is_judged_by_a_track_of_the_default_speech(
    run: Callable[..., str], require_tool: Callable[[str], None]
) -> None:
    require_tool(ESPEAK)
    require_tool(FLITE)
    # 13 clips of each word are the fewest with which every partition has the word.
    settings = SpeechSettings(other_words=("cat",), clips_per_word=13, clips_per_other_word=13)
    make_speech(settings, DEFAULT_DATA_DIR)
    printed = run("--minutes", 1, "--noise_volume", 0.01)
    assert f"testing partition of {DEFAULT_DATA_DIR}\n" in printed
    said = len(truth_of(Path("work/track.truth.csv")))
    heard = run(
        "--wav", "work/track.wav", "--network", NETWORK, "--stream",
        "--truth", "work/track.truth.csv", main=label_wav.main,
    )  # fmt: skip
    lines = re.search(
        r"^detections  (\d+) in 60.0 s, .* an hour\nhits        (\d+) of (\d+) words\n"
        r"misses      (\d+), taken for another word (\d+)\nfalse       (\d+) alarms, .* an hour$",
        heard,
        re.MULTILINE,
    )
    assert lines is not None, heard
    found, right, of, missed, wrong, alarms = map(int, lines.groups())
    assert found == heard.count("(score = ") == right + wrong + alarms
    assert of == said == right + wrong + missed
    assert right > 0
