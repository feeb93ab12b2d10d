"""Folds: what one holds out no training of it hears, and together they hold out everything."""

from __future__ import annotations

import dataclasses
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.network import FeatureSettings
from quant_models.data_settings import DataSettings
from quant_models.dataset import SpeechData
from quant_models.feature_cache import FeatureCache
from quant_models.folds import Fold
from quant_models.recordings import Recordings
from quant_models.speech_commands import (
    PARTITIONS,
    TESTING,
    TRAINING,
    VALIDATION,
    Clip,
    speaker_of,
)
from tests.speech_folder import OTHER, make_speech_folder

FEATURES = FeatureSettings()
COUNT = 3


def folds() -> list[Fold]:
    return [Fold(index, COUNT, OTHER) for index in range(COUNT)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 speakers who say 5 words each, and three noise recordings; not to be changed."""
    place = tmp_path_factory.mktemp("speech") / "data"
    return make_speech_folder(place, speakers=40, noise_seconds=(12.0, 12.0, 12.0))


def fold_data(folder: Path, fold: Fold, speech: tuple[Path, ...] = ()) -> SpeechData:
    return SpeechData([folder], DataSettings(), FEATURES, FeatureCache(None), speech, fold=fold)


speakers = st.integers(0, 10**9).map(lambda number: f"{number:08x}")
some_clips = st.lists(
    st.builds(
        Clip,
        st.builds(lambda speaker: Path(f"{speaker}_nohash_0.wav"), speakers),
        st.sampled_from(["yes", "no", *OTHER]),
        st.sampled_from(PARTITIONS),
    ),
    min_size=1,
)


@given(clips=some_clips)
def test_no_speaker_and_no_held_word_is_on_both_sides(clips: list[Clip]) -> None:
    for fold in folds():
        divided = fold.divided(clips)
        trained = [clip for clip in divided if clip.partition == TRAINING]
        held = [clip for clip in divided if clip.partition == VALIDATION]
        assert not {speaker_of(c.path.name) for c in trained} & {
            speaker_of(c.path.name) for c in held
        }
        assert not {clip.word for clip in trained} & set(fold.held_words)
        assert [c for c in divided if c.partition == TESTING] == [
            c for c in clips if c.partition == TESTING
        ]


@given(clips=some_clips)
def test_every_clip_is_held_out_once(clips: list[Clip]) -> None:
    held = Counter(
        clip.path
        for fold in folds()
        for clip in fold.divided(clips)
        if clip.partition == VALIDATION
    )
    assert held == Counter(clip.path for clip in clips if clip.partition != TESTING)
    assert Counter(word for fold in folds() for word in fold.held_words) == Counter(OTHER)


def test_a_clip_without_a_speaker_is_trained_on() -> None:
    clip = Clip(Path("7_jackson_3.wav"), "seven", TRAINING)
    assert all(fold.divided([clip]) == (clip,) for fold in folds())


@given(clips=some_clips)
def test_a_folder_that_only_judges_is_never_trained_on(clips: list[Clip]) -> None:
    folder = Path("judged")
    more = [Clip(folder / clip.path, clip.word, TRAINING) for clip in clips]
    for fold in folds():
        judging = dataclasses.replace(fold, judged_dirs=(folder,))
        alone, held = (
            [clip for clip in fold.divided(each) if clip.partition == VALIDATION]
            for each in (clips, more)
        )
        divided = judging.divided([*clips, *more])
        assert [clip for clip in divided if clip.partition == VALIDATION] == [*alone, *held]
        assert [clip for clip in divided if clip.partition == TRAINING] == [
            clip for clip in fold.divided(clips) if clip.partition == TRAINING
        ]


@pytest.mark.parametrize(("index", "count"), [(-1, 3), (3, 3), (0, 1)])
def test_a_fold_that_is_none_is_refused(index: int, count: int) -> None:
    with pytest.raises(
        ValueError, match=f"^fold: expected two or more, .*, got {index} of {count}"
    ):
        Fold(index, count, ())


def test_an_evaluation_hears_held_speakers_words_and_all_noise(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Clip] = []
    clip = Recordings.clip
    monkeypatch.setattr(Recordings, "clip", lambda self, c: (heard.append(c), clip(self, c))[1])
    fold = folds()[1]
    data = fold_data(folder, fold)
    data.evaluation_examples(VALIDATION)
    assert {clip.word for clip in heard} == {"yes", "no", *fold.held_words}
    assert all(clip.partition == VALIDATION for clip in heard)
    heard.clear()
    other = data.other_words(VALIDATION)
    assert set(other) == set(OTHER) - set(fold.held_words)
    assert Counter(clip.word for clip in heard) == {word: len(other[word]) for word in other}
    assert all((examples.label_indices == 1).all() for examples in other.values())
    heard.clear()
    data.training_examples(300, 0)
    assert all(clip.partition == TRAINING for clip in heard)
    assert not {clip.word for clip in heard} & set(fold.held_words)


def test_recipes_are_judged_by_the_same_clips_whatever_they_draw(folder: Path) -> None:
    cache, fold = FeatureCache(None), folds()[0]
    sets = [
        SpeechData([folder], settings, FEATURES, cache, fold=fold).evaluation_examples(VALIDATION)
        for settings in (DataSettings(), DataSettings(unknown_percentage=90, silence_percentage=5))
    ]
    assert np.array_equal(sets[0].fingerprints, sets[1].fingerprints)
    counts = Counter(sets[0].label_indices.tolist())
    assert counts[0] == counts[1] == round((counts[2] + counts[3]) / 2)


def test_a_held_noise_recording_is_heard_whole_and_by_the_evaluation_alone(folder: Path) -> None:
    noise = sorted((folder / "_background_noise_").iterdir())
    recordings = Recordings([], noise, [], [], DataSettings(), FEATURES, folds()[2])
    lengths = [len(stretch) for stretch in recordings.noise_stretches(VALIDATION)]
    assert len(recordings.noise_stretches(TRAINING)) == 2
    assert lengths[2] == 12 * 16_000 and max(lengths[:2]) < lengths[2] / 2


def test_speech_of_a_held_word_is_left_out(folder: Path, tmp_path: Path) -> None:
    for word in ("dog", "tree"):
        shutil.copytree(folder / "dog", tmp_path / word)
    of_dogs = next(fold for fold in folds() if "dog" in fold.held_words)
    other = next(fold for fold in folds() if "dog" not in fold.held_words)
    for fold, files in ((of_dogs, 40), (other, 80)):
        assert len(fold_data(folder, fold, (tmp_path,))._speech_files) == files


def test_folds_are_kept_apart_in_the_cache(folder: Path, tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    sets = [
        SpeechData([folder], DataSettings(), FEATURES, cache, fold=fold).training_examples(100, 0)
        for fold in folds()
    ]
    assert not np.array_equal(sets[0].fingerprints, sets[1].fingerprints)
    assert len(list(tmp_path.iterdir())) == 3
