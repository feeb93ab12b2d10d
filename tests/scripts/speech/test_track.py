"""Streaming test tracks: which clips stand where, over what noise, and what the truth says."""

from __future__ import annotations

import io
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from quant_models.audio import Samples
from quant_models.data_settings import DataSettings
from quant_models.speech_commands import TESTING, TRAINING, VALIDATION, Clip, FoundClips
from quant_models.streaming import Said, StreamResult, against_truth, read_truth
from scripts.speech.track import (
    Choice,
    Placed,
    TrackSettings,
    choose_clips,
    make_track,
    place_words,
    read_noises,
    truth_text,
    wav_bytes,
    what_was_said,
)
from tests.speech_folder import RATE_HZ, write_wav

WANTED = ("yes", "no")


def clips_of(word: str, count: int, partition: str = TESTING) -> list[Clip]:
    return [Clip(Path(word, f"{partition}_{n}.wav"), word, partition) for n in range(count)]


CHOICE = Choice([clips_of("no", 3), clips_of("yes", 5)], [clips_of("bird", 2), clips_of("cat", 4)])


def place(choice: Choice, settings: TrackSettings, seed: int = 1) -> list[Placed]:
    return place_words(choice, settings, np.random.default_rng(seed))


def track_of(
    placed: list[Placed], noises: list[Samples], settings: TrackSettings, heard: dict[Path, Samples]
) -> Samples:
    return make_track(placed, noises, settings, np.random.default_rng(2), heard.__getitem__)


@given(st.integers(0, 2**32), st.integers(0, 900), st.integers(0, 900), st.integers(3_700, 60_000))
def test_clips_are_apart_as_asked_for_and_all_within_the_track(
    seed: int, low: int, more: int, length_ms: int
) -> None:
    settings = TrackSettings(length_ms / 60_000, (low, low + more))
    assert settings.length_ms == length_ms and settings.samples == 16 * length_ms
    times = [each.time_ms for each in place(CHOICE, settings, seed)]
    gaps = [second - first - 1_000 for first, second in pairwise([-1_000, *times])]
    assert times and all(low <= gap <= low + more for gap in gaps)
    last_end_ms = times[-1] + 1_000
    assert low <= length_ms - last_end_ms < 1_000 + low + (low + more)


def test_words_are_even_and_each_clip_is_heard_before_any_is_heard_again() -> None:
    placed = place(CHOICE, TrackSettings(300, (0, 0)))
    words = Counter(each.clip.word for each in placed)
    assert len(placed) == 18_000
    assert all(4_250 < words[word] < 4_750 for word in ("yes", "no", "bird", "cat"))
    for clips in (*CHOICE.wanted, *CHOICE.others):
        heard = [each.clip for each in placed if each.clip.word == clips[0].word]
        rounds = [heard[n : n + len(clips)] for n in range(0, len(heard) - len(clips), len(clips))]
        assert all(set(each) == set(clips) for each in rounds)
        assert len({tuple(clip.path for clip in each) for each in rounds}) > 1


def test_without_other_words_there_are_wanted_ones_alone() -> None:
    placed = place(Choice(CHOICE.wanted, []), TrackSettings(1))
    assert {each.clip.word for each in placed} == {"yes", "no"}


@pytest.mark.parametrize("rate_hz", [16_000, 11_025])
def test_over_silence_the_track_holds_the_clips_and_nothing_else(rate_hz: int) -> None:
    settings = TrackSettings(0.5, (0, 1_111), sample_rate_hz=rate_hz, clip_ms=900)
    assert settings.samples == rate_hz // 2 * 60 + 30 * (rate_hz % 2)
    rng = np.random.default_rng(3)
    placed = place(CHOICE, settings)
    length = rate_hz * 9 // 10
    heard = {each.clip.path: rng.uniform(-1, 1, length).astype(np.float32) for each in placed}
    noise = rng.uniform(-1, 1, 3 * rate_hz).astype(np.float32)
    silenced = TrackSettings(0.5, (0, 1_111), 0, rate_hz, 900)
    for noises, each in (([], settings), ([noise], silenced)):
        track = track_of(placed, noises, each, heard)
        assert track.shape == (settings.samples,)
        left = track.copy()
        for word in placed:
            start = word.time_ms * rate_hz // 1_000
            assert np.array_equal(left[start : start + length], heard[word.clip.path]), word
            left[start : start + length] = 0
        assert not left.any()


def test_clips_are_added_to_the_noise() -> None:
    settings = TrackSettings(0.2)
    noises = [np.random.default_rng(4).standard_normal(RATE_HZ).astype(np.float32)]
    clip = np.full(RATE_HZ, 0.25, np.float32)
    noise = track_of([], noises, settings, {})
    placed = [Placed(1_234, CHOICE.wanted[0][0])]
    added = track_of(placed, noises, settings, {placed[0].clip.path: clip}) - noise
    assert np.flatnonzero(added)[[0, -1]].tolist() == [16 * 1_234, 16 * 2_234 - 1]


def test_noise_never_pauses_and_has_its_volume_outside_of_fades() -> None:
    lengths = [2 * RATE_HZ, RATE_HZ, 3 * RATE_HZ]
    track = track_of(
        [], [np.ones(n, np.float32) for n in lengths], TrackSettings(1, noise_volume=0.5), {}
    )
    fade = RATE_HZ * 50 // 1_000
    whole = track == 0.5
    assert np.all(track[fade:] >= 0.5) and np.all(track > 0) and track.max() < 0.7072
    # A piece of a second or more, less a fade, passes between two fades.
    fades = np.flatnonzero(np.diff(whole.astype(int)) == -1)
    assert np.diff(fades).min() >= RATE_HZ - fade and 1 - whole.mean() < 0.05


def test_fades_keep_the_power_of_noises_that_differ() -> None:
    rng = np.random.default_rng(5)
    noises = [rng.choice([-1.0, 1.0], RATE_HZ).astype(np.float32) for _ in range(100)]
    track = track_of([], noises, TrackSettings(10, noise_volume=1), {})[RATE_HZ:]
    step = RATE_HZ - RATE_HZ * 50 // 1_000
    pieces = track[: len(track) // step * step].reshape(-1, step)
    power = np.mean(np.square(pieces), axis=0)  # at each place of a piece, over all pieces
    assert 0.8 < power.min() <= power.max() < 1.2


def test_each_partition_hears_its_own_stretch_of_noise(tmp_path: Path) -> None:
    folder = tmp_path / "_background_noise_"
    folder.mkdir()
    # The last tenth is for testing, the one before for validation; levels are evened out.
    for name, level in (("loud", 0.4), ("quiet", 0.01)):
        parts = np.repeat([-level, -level, level, level / 2], [12_000, 116_000, 16_000, 16_000])
        write_wav(folder / f"{name}.wav", parts)
    data, settings = DataSettings(), TrackSettings()
    heard = {
        partition: read_noises([tmp_path, tmp_path / "none"], partition, data, settings)
        for partition in (TRAINING, VALIDATION, TESTING)
    }
    assert [len(noise) for noise in heard[TRAINING]] == [128_000] * 2
    assert [len(noise) for noise in heard[TESTING]] == [16_000] * 2
    assert all(np.all(noise < 0) for noise in heard[TRAINING])
    for validation, testing in zip(heard[VALIDATION], heard[TESTING], strict=True):
        assert np.all(testing > 0) and np.ptp(testing) == 0
        assert validation[0] == pytest.approx(2 * testing[0], rel=0.01)
        assert validation[0] == pytest.approx(0.2 / np.sqrt(0.925), rel=0.01)


def test_only_clips_of_the_partition_are_chosen_and_silence_is_no_word() -> None:
    clips = [
        *clips_of("_silence_", 2),
        *clips_of("bird", 2),
        *clips_of("no", 1, VALIDATION),
        *clips_of("no", 3),
        *clips_of("yes", 2, TRAINING),
        *clips_of("yes", 1),
    ]
    found = FoundClips((Path("speech"),), tuple(clips), ())
    choice = choose_clips(found, WANTED, TESTING)
    assert choice == Choice([clips_of("no", 3), clips_of("yes", 1)], [clips_of("bird", 2)])
    assert choose_clips(found, ["no"], VALIDATION).others == []


def test_a_wanted_word_without_clips_is_named() -> None:
    clips = (*clips_of("no", 3), *clips_of("yes", 1_200, TRAINING), *clips_of("yes", 2, VALIDATION))
    found = FoundClips((Path("speech"),), clips, ())
    with pytest.raises(ValueError) as caught:
        choose_clips(found, WANTED, TESTING)
    assert str(caught.value) == (
        "speech: expected clips of yes in the testing partition, found none "
        "(1,200 for training, 2 for validation, 0 for testing; --partition takes another)"
    )
    with pytest.raises(ValueError, match=r"^wanted_words: expected words that speech has \(no, ye"):
        choose_clips(found, ["no", "maybe"], TESTING)


def test_truth_is_what_streaming_reads_and_detections_of_it_are_hits(tmp_path: Path) -> None:
    no, yes, bird = (clips[0] for clips in (*CHOICE.wanted, CHOICE.others[0]))
    placed = [Placed(1_000, yes), Placed(4_321, bird), Placed(8_000, no)]
    said = what_was_said(placed, WANTED)
    assert truth_text(said) == "yes,1000\nno,8000\n"
    path = tmp_path / "truth.csv"
    path.write_text(truth_text(said))
    truth = read_truth(path, ("_silence_", "_unknown_", *WANTED))
    assert truth == said == [Said(1_000, "yes"), Said(8_000, "no")]
    assert against_truth(said, truth, 0) == StreamResult(2, 0, 0, 0)


def test_the_file_has_16_bits_and_clips_what_is_too_loud() -> None:
    samples = np.zeros(3_000_000, np.float32)
    samples[-5:] = [0, 1.5, -1.5, 0.25, -1 / 32_768]
    pcm, rate = soundfile.read(io.BytesIO(wav_bytes(samples, 11_025)), dtype="int16")
    assert pcm.shape == samples.shape and not pcm[:-5].any() and rate == 11_025
    assert pcm[-5:].tolist() == [0, 32_767, -32_768, 8_192, -1]
    info = soundfile.info(io.BytesIO(wav_bytes(samples, 11_025)))
    assert (info.format, info.subtype, info.channels) == ("WAV", "PCM_16", 1)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"minutes": 0}, "minutes: expected above 0 and up to 300, got 0"),
        ({"minutes": float("nan")}, "minutes: expected above 0 and up to 300, got nan"),
        ({"minutes": 301}, "minutes: expected above 0 and up to 300, got 301"),
        (
            {"minutes": 0.05},
            "minutes: expected 6,000 ms at least, room for a word and the gaps about it, "
            "got 3,000 ms",
        ),
        ({"gap_ms": (-1, 5)}, "gap_ms: expected 0 <= shortest <= longest, got -1 and 5"),
        ({"gap_ms": (6, 5)}, "gap_ms: expected 0 <= shortest <= longest, got 6 and 5"),
        ({"noise_volume": -0.1}, "noise_volume: expected 0..10, got -0.1"),
        ({"noise_volume": float("inf")}, "noise_volume: expected 0..10, got inf"),
        ({"sample_rate_hz": 0}, "sample_rate: expected 1000..768000 Hz, got 0"),
        ({"clip_ms": 99}, "clip_duration_ms: expected 100..10000, got 99"),
    ],
)
def test_settings_without_meaning_are_refused(setting: dict, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        TrackSettings(**setting)
    assert str(caught.value) == message


def test_the_shortest_track_holds_a_word() -> None:
    settings = TrackSettings(0.1)
    assert all(len(place(CHOICE, settings, seed)) in (1, 2) for seed in range(50))
