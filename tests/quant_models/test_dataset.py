"""Example sets: the same for the same seed, of the right clips, in shares, kept by content."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from golden.network import FeatureSettings
from quant_models import augment, dataset, features, recordings
from quant_models.augment import AugmentationSettings
from quant_models.data_settings import DataSettings, data_settings_from, stored_settings
from quant_models.dataset import SpeechData, evenly_by_word, read_test_folder
from quant_models.feature_cache import Examples, FeatureCache
from quant_models.recordings import NOISE_RMS, levelled, noise_stretch
from quant_models.speech_commands import (
    PARTITIONS,
    TESTING,
    TRAINING,
    VALIDATION,
    Clip,
    find_clips,
    partition_of,
)
from tests.speech_folder import RATE_HZ, make_speech_folder, write_wav

FEATURES = FeatureSettings()
NO_CACHE = FeatureCache(None)
LABELS = ("_silence_", "_unknown_", "yes", "no")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 speakers who say 5 words each, and two noise recordings; not to be changed."""
    return make_speech_folder(tmp_path_factory.mktemp("speech") / "data", speakers=40)


@pytest.fixture
def own_folder(tmp_path: Path) -> Path:
    """A small folder that a test may change."""
    return make_speech_folder(tmp_path / "own", speakers=20, noise_seconds=(12.0,))


def speech_data(
    folder: Path, cache: FeatureCache = NO_CACHE, speech: tuple[Path, ...] = (), **settings: Any
) -> SpeechData:
    return SpeechData([folder], DataSettings(**settings), FEATURES, cache, speech)


def same(first: Examples, second: Examples) -> bool:
    return np.array_equal(first.fingerprints, second.fingerprints) and np.array_equal(
        first.label_indices, second.label_indices
    )


def clips_in(folder: Path, partition: str, word: str) -> list[Path]:
    """Clips of a word in a partition, by the rule itself."""
    return [
        path
        for path in sorted((folder / word).iterdir())
        if partition_of(path.name, 10, 10) == partition
    ]


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Clip]:
    """The clips that are drawn; they are not varied and features are not computed."""
    clips: list[Clip] = []
    original = recordings.Recordings.clip

    def spy(self: Any, clip: Clip) -> np.ndarray:
        clips.append(clip)
        return original(self, clip)

    monkeypatch.setattr(recordings.Recordings, "clip", spy)
    monkeypatch.setattr(augment, "spoken", lambda clip, *rest: clip)
    monkeypatch.setattr(
        features, "mfcc", lambda waves, settings: np.zeros((len(waves), 30, 10), np.float32)
    )
    return clips


# ---- training examples


def test_the_same_seed_gives_the_same_examples(folder: Path) -> None:
    first, again = (speech_data(folder).training_examples(130, seed=3) for _ in range(2))
    assert len(first) == 130 and first.fingerprints.shape == (130, 30, 10)
    assert (first.fingerprints.dtype, first.label_indices.dtype) == (np.int8, np.int64)
    assert same(first, again)
    other = speech_data(folder).training_examples(130, seed=4)
    assert not same(first, other)


def test_the_number_of_threads_does_not_matter(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for threads in (1, 5):
        monkeypatch.setattr(os, "cpu_count", lambda threads=threads: threads)
        data = speech_data(folder)
        found.append((data.training_examples(150, 0), data.evaluation_examples(VALIDATION)))
    assert same(found[0][0], found[1][0]) and same(found[0][1], found[1][1])


@pytest.mark.parametrize("held_clips", [0, 3])
def test_how_many_clips_stay_in_memory_does_not_matter(
    folder: Path, monkeypatch: pytest.MonkeyPatch, held_clips: int
) -> None:
    expected = speech_data(folder).training_examples(150, 0)
    monkeypatch.setattr(recordings, "CLIP_BYTES", held_clips * 2 * RATE_HZ)
    reads = []
    original = recordings.read_clip
    monkeypatch.setattr(
        recordings, "read_clip", lambda path, *rest: reads.append(path) or original(path, *rest)
    )
    assert same(speech_data(folder).training_examples(150, 0), expected)
    assert len(reads) > len(set(reads)) == 200  # each at first, then those that are drawn


def test_more_examples_begin_with_the_same_ones(folder: Path) -> None:
    data = speech_data(folder)
    few, many = data.training_examples(64, 0), data.training_examples(128, 0)
    assert np.array_equal(few.fingerprints, many.fingerprints[:64])


def test_fresh_examples_are_not_repetitions(folder: Path) -> None:
    examples = speech_data(folder).training_examples(200, 0)
    assert len(np.unique(examples.fingerprints.reshape(200, -1), axis=0)) == 200


@pytest.mark.parametrize(
    ("silence", "unknown", "shares"),
    [(50, 50, (1 / 4, 1 / 4, 1 / 2)), (10, 90, (0.05, 0.45, 0.5)), (0, 0, (0, 0, 1))],
)
def test_classes_come_in_the_shares_that_were_asked_for(
    folder: Path, heard: list[Clip], silence: float, unknown: float, shares: tuple[float, ...]
) -> None:
    data = speech_data(folder, silence_percentage=silence, unknown_percentage=unknown)
    labels = data.training_examples(1_500, 0).label_indices
    counts = np.bincount(labels, minlength=4)
    for found, share in zip((counts[0], counts[1], counts[2] + counts[3]), shares, strict=True):
        assert abs(found - 1_500 * share) <= 6 * np.sqrt(1_500 * share * (1 - share))
    wanted = counts[2] + counts[3]
    assert abs(counts[2] - wanted / 2) < 3 * np.sqrt(wanted)


def test_training_hears_only_its_own_speakers_and_never_a_held_out_word(
    folder: Path, heard: list[Clip]
) -> None:
    data = speech_data(folder, held_out_words=("cat",), unknown_percentage=200)
    data.training_examples(1_500, 0)
    assert {clip.word for clip in heard} == {"yes", "no", "bird", "dog"}
    assert all(partition_of(clip.path.name, 10, 10) == TRAINING for clip in heard)
    yes = {clip.path for clip in heard if clip.word == "yes"}
    assert yes == set(clips_in(folder, TRAINING, "yes"))


def test_a_held_out_word_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError) as caught:
        speech_data(folder, held_out_words=("cta",)).training_examples(1, 0)
    assert str(caught.value) == (
        f"held_out_words: expected words that {folder} has (bird, cat, dog, no, yes), got 'cta'"
    )


@pytest.mark.parametrize(("exponent", "share"), [(0.0, 1 / 2), (0.5, 3 / 4), (1.0, 9 / 10)])
def test_the_exponent_sets_the_share_of_frequent_words(
    folder: Path, tmp_path: Path, heard: list[Clip], exponent: float, share: float
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    shutil.rmtree(copy / "dog")
    for path in clips_in(copy, TRAINING, "cat")[3:]:
        path.unlink()
    for path in clips_in(copy, TRAINING, "bird")[27:]:
        path.unlink()
    data = speech_data(copy, unknown_exponent=exponent, unknown_percentage=300)
    data.training_examples(800, 0)
    words = Counter(clip.word for clip in heard)
    unknown = words["bird"] + words["cat"]
    assert abs(words["bird"] - share * unknown) < 6 * np.sqrt(unknown * share * (1 - share))


def test_a_word_with_a_weight_is_drawn_as_often_more(folder: Path, heard: list[Clip]) -> None:
    data = speech_data(folder, word_weights=(("dog", 4.0),), unknown_percentage=300)
    data.training_examples(800, 0)
    words = Counter(clip.word for clip in heard)
    others = words["bird"] + words["cat"]
    assert abs(words["dog"] - 2 * others) < 6 * np.sqrt(2 * others)


def test_a_weight_of_a_word_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError) as caught:
        speech_data(folder, word_weights=(("go", 2.0),)).training_examples(1, 0)
    assert str(caught.value) == (
        f"word_weights: expected words that {folder} has (bird, cat, dog, no, yes), got 'go'"
    )


def test_stretches_of_running_speech_are_unknown_examples(
    folder: Path, tmp_path: Path, heard: list[Clip]
) -> None:
    speech = write_wav(tmp_path / "speech" / "long.wav", mkdir(tmp_path / "speech"))
    data = speech_data(folder, speech=(speech.parent,), unknown_percentage=300, running_speech=0.5)
    labels = data.training_examples(1_000, 0).label_indices
    unknown = int((labels == 1).sum())
    from_words = sum(clip.word not in ("yes", "no") for clip in heard)
    assert abs(from_words - unknown / 2) < 3 * np.sqrt(unknown)


def mkdir(folder: Path) -> np.ndarray:
    """Make a folder; return three seconds of noise to put into it."""
    folder.mkdir()
    return 0.1 * np.random.default_rng(0).standard_normal(3 * RATE_HZ)


def test_a_folder_of_wanted_words_alone_has_no_unknown_examples(tmp_path: Path) -> None:
    folder = make_speech_folder(tmp_path / "data", speakers=20, words=("yes", "no"))
    labels = speech_data(folder).training_examples(300, 0).label_indices
    assert set(labels.tolist()) == {0, 2, 3}


def test_progress_ends_with_all_chunks_done(folder: Path) -> None:
    calls: list[tuple[int, int]] = []
    speech_data(folder).training_examples(130, 0, lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]


# ---- evaluation sets


@pytest.mark.parametrize("partition", PARTITIONS)
def test_an_evaluation_set_is_the_partition_as_it_is(folder: Path, partition: str) -> None:
    examples = speech_data(folder).evaluation_examples(partition)
    wanted = [*clips_in(folder, partition, "no"), *clips_in(folder, partition, "yes")]
    waves = np.stack([soundfile.read(path, dtype="float32")[0] for path in wanted])
    assert np.array_equal(
        examples.fingerprints[: len(wanted)], features.fingerprints(waves, FEATURES)
    )
    half = round(len(wanted) / 2)
    names = [LABELS[index] for index in examples.label_indices]
    expected = [path.parent.name for path in wanted] + ["_unknown_"] * half + ["_silence_"] * half
    assert names == expected


def test_unknown_clips_of_an_evaluation_set_come_evenly_by_word(
    folder: Path, heard: list[Clip]
) -> None:
    speech_data(folder, unknown_percentage=100).evaluation_examples(TRAINING)
    words = Counter(clip.word for clip in heard)
    assert words["bird"] + words["cat"] + words["dog"] == words["yes"] + words["no"]
    assert max(words[word] for word in ("bird", "cat", "dog")) - words["dog"] <= 1
    assert len({clip.path for clip in heard}) == len(heard)


def test_held_out_words_are_validated_on(folder: Path, heard: list[Clip]) -> None:
    data = speech_data(folder, held_out_words=("cat",), unknown_percentage=1_000)
    data.evaluation_examples(VALIDATION)
    cats = {clip.path for clip in heard if clip.word == "cat"}
    assert cats == {*clips_in(folder, VALIDATION, "cat"), *clips_in(folder, TRAINING, "cat")}
    heard.clear()
    data.evaluation_examples(TESTING)
    cats = {clip.path for clip in heard if clip.word == "cat"}
    assert cats == set(clips_in(folder, TESTING, "cat"))


def test_silence_of_each_partition_comes_from_noise_that_no_other_hears(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ramp = np.linspace(-0.99, 0.99, 12 * RATE_HZ)  # a sample's value is its place in the file
    write_wav(own_folder / "_background_noise_" / "hiss_0.wav", ramp)
    places: dict[str, list[float]] = {partition: [] for partition in PARTITIONS}

    def spy(background: np.ndarray, *rest: object) -> np.ndarray:
        places[partition] += [float(background[0]), float(background[-1])]
        return background

    monkeypatch.setattr(augment, "silent", spy)
    data = speech_data(own_folder, silence_percentage=2_000)
    for partition in PARTITIONS:
        data.evaluation_examples(partition)
    partition = TRAINING
    data.training_examples(300, 0)
    assert max(places[TRAINING]) < min(places[VALIDATION])
    assert max(places[VALIDATION]) < min(places[TESTING])


def test_a_partition_without_wanted_words_is_refused(own_folder: Path) -> None:
    data = speech_data(own_folder, validation_percentage=0.0)
    with pytest.raises(ValueError) as caught:
        data.evaluation_examples(VALIDATION)
    assert str(caught.value) == (
        f"{own_folder}: expected clips of yes, no in the validation partition, found none "
        "(a higher --validation_percentage gives it more speakers)"
    )


def test_a_wanted_word_without_training_clips_is_refused(own_folder: Path) -> None:
    for path in clips_in(own_folder, TRAINING, "no"):
        path.unlink()
    with pytest.raises(ValueError) as caught:
        speech_data(own_folder).training_examples(10, 0)
    assert str(caught.value) == (
        f"{own_folder}: expected clips of no in the training partition, found none "
        "(lower --validation_percentage and --testing_percentage leave it more)"
    )


# ---- folders as people have them


def with_silence(folder: Path) -> Path:
    """Add clips of silence to a data folder, one a speaker."""
    (folder / "_silence_").mkdir()
    for path in (folder / "yes").iterdir():
        write_wav(folder / "_silence_" / path.name, np.full(RATE_HZ, 0.001))
    return folder


def test_several_folders_are_heard_together(own_folder: Path, tmp_path: Path) -> None:
    other = make_speech_folder(tmp_path / "other", words=("yes", "cat"), noise_seconds=())
    data = SpeechData([other, own_folder], DataSettings(), FEATURES, NO_CACHE)
    assert len(data.found.clips) == 20 * 5 + 60 * 2
    both = data.evaluation_examples(VALIDATION)
    alone = speech_data(own_folder).evaluation_examples(VALIDATION)
    yes = LABELS.index("yes")
    more = len(clips_in(other, VALIDATION, "yes"))
    assert (both.label_indices == yes).sum() == (alone.label_indices == yes).sum() + more > more


def test_noise_of_other_folders_has_its_share_of_silence_in_training_alone(
    own_folder: Path, tmp_path: Path
) -> None:
    for path in (own_folder / "_background_noise_").iterdir():
        write_wav(path, np.zeros(12 * RATE_HZ))
    other = write_wav(tmp_path / "rain" / "loud.wav", mkdir(tmp_path / "rain")).parent
    settings = DataSettings(
        silence_percentage=1_000,
        other_noise=0.25,
        augmentation=AugmentationSettings(silence_volume=(1.0, 1.0), coloration=0.0),
    )
    data = SpeechData([own_folder], settings, FEATURES, NO_CACHE, noise_dirs=(other,))

    def loud(examples: Examples) -> list[bool]:
        silence = examples.fingerprints[examples.label_indices == 0]
        return [len(np.unique(each, axis=0)) > 1 for each in silence]

    trained = loud(data.training_examples(1_000, 0))
    expected = 0.25 * len(trained)
    assert abs(sum(trained) - expected) < 4 * np.sqrt(expected)
    assert not any(loud(data.evaluation_examples(VALIDATION)))


def test_clips_of_silence_are_silence(own_folder: Path, heard: list[Clip]) -> None:
    data = speech_data(with_silence(own_folder))
    training = data.training_examples(400, 0)
    drawn = sum(clip.word == "_silence_" for clip in heard)
    silent = int((training.label_indices == 0).sum())
    assert 0.3 * silent < drawn < 0.7 * silent  # the rest is noise
    assert {clip.partition for clip in heard if clip.word == "_silence_"} == {TRAINING}
    heard.clear()
    data.evaluation_examples(VALIDATION)
    words = [clip.word for clip in heard]
    expected = len(clips_in(own_folder, VALIDATION, "_silence_"))
    assert words.count("_silence_") == expected > 0


def test_clips_of_silence_need_no_noise(own_folder: Path) -> None:
    with_silence(own_folder)
    shutil.rmtree(own_folder / "_background_noise_")
    data = speech_data(own_folder)
    for examples in (data.training_examples(50, 0), data.evaluation_examples(VALIDATION)):
        silent = examples.label_indices == 0
        assert silent.any() and not silent.all()


def test_what_is_in_the_folders_is_told(own_folder: Path, tmp_path: Path) -> None:
    (own_folder / "yes" / "._x.wav").touch()
    (own_folder / "_background_noise_" / "README.md").touch()
    (tmp_path / "talk").mkdir()
    write_wav(tmp_path / "talk" / "a.wav", np.full(2 * RATE_HZ, 0.1))
    (tmp_path / "talk" / "a.txt").touch()
    found = speech_data(own_folder, speech=(tmp_path / "talk",)).found
    assert len(found.clips) == 20 * 5
    told = {(each.path.name, each.reason) for each in found.skipped}
    assert told == {
        ("._x.wav", "hidden"),
        ("README.md", "no sound by its name"),
        ("a.txt", "no sound by its name"),
    }


def test_a_file_whose_name_is_no_text_is_read(own_folder: Path) -> None:
    (path, *_) = clips_in(own_folder, TRAINING, "yes")
    path.rename(path.with_name(os.fsdecode(b"\xff_nohash_0.wav")))
    assert len(speech_data(own_folder).training_examples(20, 0)) == 20


# ---- choosing clips and noise


@given(counts=st.lists(st.integers(1, 9), min_size=1, max_size=5), count=st.integers(0, 40))
def test_clips_are_chosen_evenly_by_word(counts: list[int], count: int) -> None:
    clips = [
        Clip(Path(f"{word}/{number}.wav"), str(word), VALIDATION)
        for word, clips_of_word in enumerate(counts)
        for number in range(clips_of_word)
    ]
    chosen = evenly_by_word(clips, count, np.random.default_rng(0))
    assert len(chosen) == min(count, len(clips)) == len(set(chosen))
    found = Counter(clip.word for clip in chosen)
    most = max(found.values(), default=0)
    for word, available in enumerate(counts):
        assert found[str(word)] >= min(available, most - 1)


def test_which_clips_are_chosen_depends_on_the_generator() -> None:
    clips = [Clip(Path(f"{number}.wav"), "bird", VALIDATION) for number in range(50)]
    first, again, other = (
        evenly_by_word(clips, 10, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    assert first == again != other


@given(
    length=st.integers(300, 5_000),
    validation=st.floats(0.01, 60),
    testing=st.floats(0.01, 39),
)
def test_stretches_of_noise_never_overlap(length: int, validation: float, testing: float) -> None:
    recording = np.arange(length, dtype=np.float32)
    stretches = [
        noise_stretch(recording, partition, validation, testing, 100) for partition in PARTITIONS
    ]
    assert all(len(stretch) >= 100 for stretch in stretches)
    assert np.array_equal(np.concatenate(stretches), recording)


def test_stretches_of_a_long_recording_are_as_long_as_the_percentages_say() -> None:
    recording = np.arange(10_000, dtype=np.float32)
    ends = [noise_stretch(recording, p, 10.0, 20.0, 100)[[0, -1]].tolist() for p in PARTITIONS]
    assert ends == [[0, 6_999], [7_000, 7_999], [8_000, 9_999]]


def test_a_recording_too_short_to_share_is_heard_whole_by_all() -> None:
    recording = np.arange(299, dtype=np.float32)
    for partition in PARTITIONS:
        found = noise_stretch(recording, partition, 10.0, 10.0, 100)
        assert np.array_equal(found, recording)


# ---- cache


def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make reading clips and computing features fail."""

    def poison(*arguments: object) -> None:
        raise AssertionError("computed although it was kept")

    for module, name in ((features, "mfcc"), (features, "fingerprints"), (dataset, "read_clip")):
        monkeypatch.setattr(module, name, poison)


def test_a_second_run_computes_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def examples() -> list[Examples]:
        data = speech_data(folder, FeatureCache(tmp_path))
        return [data.training_examples(70, 1), data.evaluation_examples(TESTING)]

    first = examples()
    poisoned(monkeypatch)
    assert all(same(*pair) for pair in zip(first, examples(), strict=True))


def test_the_folder_may_be_moved_without_computing_again(
    own_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = FeatureCache(tmp_path / "cache")
    first = speech_data(own_folder, cache).evaluation_examples(TESTING)
    own_folder.rename(tmp_path / "moved")
    poisoned(monkeypatch)
    assert same(first, speech_data(tmp_path / "moved", cache).evaluation_examples(TESTING))


def flip_a_bit(folder: Path) -> None:
    path = clips_in(folder, TRAINING, "bird")[0]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def flip_a_bit_of_noise(folder: Path) -> None:
    path = folder / "_background_noise_" / "hiss_0.wav"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def rename_a_speaker(folder: Path) -> None:
    path = clips_in(folder, TRAINING, "yes")[0]
    path.rename(path.with_name("ffffffff_nohash_0.wav"))


def remove_a_clip(folder: Path) -> None:
    clips_in(folder, TRAINING, "cat")[0].unlink()


@pytest.mark.parametrize(
    "change", [flip_a_bit, flip_a_bit_of_noise, rename_a_speaker, remove_a_clip]
)
def test_a_changed_folder_is_computed_again(
    own_folder: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    cache = tmp_path / "cache"
    speech_data(own_folder, FeatureCache(cache)).evaluation_examples(VALIDATION)
    change(own_folder)
    speech_data(own_folder, FeatureCache(cache)).evaluation_examples(VALIDATION)
    assert len(list(cache.iterdir())) == 2


def test_clips_in_deeper_folders_count_by_their_word(tmp_path: Path) -> None:
    """The same files in the same order, but one of them under another word."""
    sounds = np.random.default_rng(0).uniform(-0.1, 0.1, (4, RATE_HZ))
    found = []
    for name, words in (
        ("first", ("bird", "no", "no", "yes")),
        ("then", ("no", "no", "yes", "yes")),
    ):
        for number, word in enumerate(words):
            path = tmp_path / name / word / "deep" / f"8b775397_nohash_{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_wav(path, sounds[number])
        data = speech_data(
            tmp_path / name, FeatureCache(tmp_path / "cache"), silence_percentage=0.0
        )
        found.append(data.evaluation_examples(VALIDATION).label_indices.tolist())
    assert found == [[3, 3, 2, 1], [3, 3, 2, 2]]


@pytest.mark.parametrize(
    "settings",
    [
        {"wanted_words": ("no", "yes")},
        {"silence_percentage": 40.0},
        {"validation_percentage": 20.0},
        {"held_out_words": ("dog",)},
        {"augmentation": AugmentationSettings(silence_volume=(0.5, 0.5))},
    ],
)
def test_an_evaluation_set_of_other_settings_is_another_one(
    folder: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    cache = FeatureCache(tmp_path)
    plain = speech_data(folder, cache).evaluation_examples(VALIDATION)
    found = speech_data(folder, cache, **settings).evaluation_examples(VALIDATION)
    assert same(found, speech_data(folder, **settings).evaluation_examples(VALIDATION))
    assert not same(found, plain)


def test_an_evaluation_set_is_kept_when_only_training_changes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = FeatureCache(tmp_path)
    first = speech_data(folder, cache).evaluation_examples(VALIDATION)
    poisoned(monkeypatch)
    settings = {"unknown_exponent": 1.0, "augmentation": AugmentationSettings(loudness_db=0.0)}
    assert same(first, speech_data(folder, cache, **settings).evaluation_examples(VALIDATION))


def test_other_features_are_another_set(folder: Path, tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    for count in (10, 8):
        settings = FeatureSettings(coefficients=count)
        data = SpeechData([folder], DataSettings(), settings, cache)
        assert data.evaluation_examples(TESTING).fingerprints.shape[2] == count


# ---- bad folders and files


def test_a_missing_or_empty_folder_and_an_unknown_word_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere: expected a folder of words, found"):
        speech_data(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"expected <word>/<clip>\.wav, found no audio file"):
        speech_data(tmp_path)
    with pytest.raises(ValueError, match=r"^wanted_words: .* \(bird, .*, yes\), got 'jes'$"):
        speech_data(folder, wanted_words=("jes",))


def test_a_folder_without_noise_is_refused_unless_no_silence_is_asked_for(tmp_path: Path) -> None:
    folder = make_speech_folder(tmp_path / "data", speakers=20, noise_seconds=())
    with pytest.raises(ValueError) as caught:
        speech_data(folder)
    assert str(caught.value) == (
        f"{folder}/_background_noise_: expected recordings of background noise, found none"
    )
    data = speech_data(folder, silence_percentage=0.0)
    labels = [*data.training_examples(70, 0).label_indices]
    labels += [*data.evaluation_examples(TRAINING).label_indices]
    assert 0 not in labels


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(0), "expected sound, got an empty file"),
        (np.zeros(800), "expected at least 100 ms of sound, got 50 ms"),
        (np.zeros(4 * RATE_HZ), "expected at most 3 s for one clip, got 4 s"),
        (np.full(RATE_HZ, np.nan), r"expected samples in -1\.\.1, got nan"),
        (None, "expected a sound file .*, got something else"),
        (b"", "expected a sound file .*, got an empty file"),
    ],
)  # fmt: skip
def test_a_bad_clip_is_refused_by_name(
    own_folder: Path, samples: np.ndarray | bytes | None, message: str
) -> None:
    path = clips_in(own_folder, TRAINING, "cat")[0]
    if isinstance(samples, np.ndarray):
        soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")
    else:
        path.write_bytes(b"yes, no" if samples is None else samples)
    for use in (
        lambda data: data.training_examples(1, 0),
        lambda data: data.evaluation_examples(TESTING),
    ):
        with pytest.raises(ValueError, match=f"^{path}: {message}"):
            use(speech_data(own_folder))


def test_noise_shorter_than_a_clip_is_refused_by_name(own_folder: Path) -> None:
    path = write_wav(own_folder / "_background_noise_" / "short.wav", np.zeros(RATE_HZ // 2))
    with pytest.raises(ValueError, match=rf"^{path}: expected at least 1 s of sound, got 0\.5 s"):
        speech_data(own_folder).training_examples(1, 0)


# ---- test folders


def make_test_folder(folder: Path, labels: tuple[str, ...] = (*LABELS, "bird", "cat")) -> Path:
    """Three clips of noise a label, in the canonical layout."""
    rng = np.random.default_rng(0)
    for label in labels:
        (folder / label).mkdir(parents=True)
        for number in range(3):
            write_wav(folder / label / f"{number}.wav", rng.uniform(-0.1, 0.1, RATE_HZ))
    return folder


def test_a_test_folder_gives_known_and_other_words(tmp_path: Path) -> None:
    folder = make_test_folder(tmp_path / "test")
    known, other = read_test_folder(find_clips([folder], 0, 0), LABELS, FEATURES, NO_CACHE)
    assert known.label_indices.tolist() == [0] * 3 + [1] * 3 + [3] * 3 + [2] * 3  # by folder name
    assert other.label_indices.tolist() == [1] * 6
    for examples, words in (
        (known, ("_silence_", "_unknown_", "no", "yes")),
        (other, ("bird", "cat")),
    ):
        waves = [
            soundfile.read(path, dtype="float32")[0]
            for word in words
            for path in sorted((folder / word).iterdir())
        ]
        expected = features.fingerprints(np.stack(waves), FEATURES)
        assert np.array_equal(examples.fingerprints, expected)


def test_a_test_folder_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, cache = make_test_folder(tmp_path / "test"), FeatureCache(tmp_path / "cache")
    first = read_test_folder(find_clips([folder], 0, 0), LABELS, FEATURES, cache)
    with monkeypatch.context() as patch:
        poisoned(patch)
        again = read_test_folder(find_clips([folder], 0, 0), LABELS, FEATURES, cache)
    assert same(first[0], again[0]) and same(first[1], again[1])
    swapped = read_test_folder(
        find_clips([folder], 0, 0), (*LABELS[:2], "no", "yes"), FEATURES, cache
    )
    assert swapped[0].label_indices.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3


def test_a_test_folder_without_other_words_has_no_others(tmp_path: Path) -> None:
    known, other = read_test_folder(
        find_clips([make_test_folder(tmp_path / "test", LABELS)], 0, 0), LABELS, FEATURES, NO_CACHE
    )
    assert (len(known), len(other)) == (12, 0)


def test_a_test_folder_may_lack_labels_but_not_all(tmp_path: Path) -> None:
    folder = make_test_folder(tmp_path / "some", ("yes", "bird"))
    known, other = read_test_folder(find_clips([folder], 0, 0), LABELS, FEATURES, NO_CACHE)
    assert set(known.label_indices.tolist()) == {LABELS.index("yes")}
    assert set(other.label_indices.tolist()) == {1}
    folder = make_test_folder(tmp_path / "none", ("bird",))
    with pytest.raises(ValueError) as caught:
        read_test_folder(find_clips([folder], 0, 0), LABELS, FEATURES, NO_CACHE)
    assert str(caught.value) == (
        f"{folder}: expected folders of clips that are named like labels ({', '.join(LABELS)}), "
        "found none"
    )


# ---- settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"wanted_words": ()}, "wanted_words: expected at least one word, got none"),
        *(
            ({name: value}, f"{name}: expected 0..10000, got {value}")
            for name in ("silence_percentage", "unknown_percentage")
            for value in (-1.0, float("nan"), float("inf"))
        ),
        *(
            ({"validation_percentage": v, "testing_percentage": t},
             "validation_percentage and testing_percentage: expected 0 or more and less than "
             f"100 together, got {v} and {t}")
            for v, t in ((60.0, 40.0), (-1.0, 10.0), (10.0, -1.0), (float("nan"), 10.0),
                         (10.0, float("inf")))
        ),
        ({"unknown_exponent": float("nan")}, "unknown_exponent: expected 0..1, got nan"),
        ({"unknown_exponent": -0.5}, "unknown_exponent: expected 0..1, got -0.5"),
        ({"word_weights": (("no", 2.0),)},
         "word_weights: expected unknown words, each once, got 'no'"),
        ({"word_weights": (("go", 2.0), ("go", 3.0))},
         "word_weights: expected unknown words, each once, got 'go'"),
        ({"word_weights": (("go", 0.0),)},
         "word_weights: expected above 0 and up to 1000, got 0.0 for 'go'"),
        ({"word_weights": (("go", float("nan")),)},
         "word_weights: expected above 0 and up to 1000, got nan for 'go'"),
        ({"held_out_words": ("bird", "no")}, "held_out_words: expected no wanted word, got 'no'"),
        ({"other_noise": -0.1}, "other_noise: expected 0..1, got -0.1"),
        ({"running_speech": 1.5}, "running_speech: expected 0..1, got 1.5"),
        ({"running_speech": float("nan")}, "running_speech: expected 0..1, got nan"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        DataSettings(**values)
    assert str(caught.value) == message


def test_settings_come_back_from_json() -> None:
    settings = DataSettings(
        wanted_words=("up", "go"),
        silence_percentage=12.5,
        word_weights=(("go2", 8.0), ("down", 0.5)),
        held_out_words=("bird",),
        augmentation=AugmentationSettings(silence_volume=(0.25, 0.5), time_shift_ms=1.5),
    )
    stored = json.loads(json.dumps(stored_settings(settings)))
    assert data_settings_from(stored) == settings


def test_settings_from_before_there_were_all_of_them_are_stored_as_they_were() -> None:
    old = dataclasses.replace(DataSettings(), spoken_share=0.0, other_noise=0.0)
    stored = stored_settings(old)
    assert not {"word_weights", "spoken_share", "other_noise"} & set(stored)
    assert data_settings_from(stored) == old


def test_noise_is_brought_to_one_level_whatever_it_was_recorded_at() -> None:
    wave = np.sin(np.arange(1_000, dtype=np.float32))
    for factor in (0.001, 0.03, 1.0):
        found = levelled(np.float32(factor) * wave)
        assert np.sqrt(np.mean(np.square(found, dtype=np.float64))) == pytest.approx(NOISE_RMS)
        assert np.allclose(found / found[1], wave / wave[1], rtol=1e-5)
    assert not levelled(np.zeros(10, np.float32)).any()
