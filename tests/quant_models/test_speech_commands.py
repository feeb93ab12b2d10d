"""The folder layout and the partition rule, against a second implementation and known names."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_models.speech_commands import (
    PARTITIONS,
    TESTING,
    TRAINING,
    VALIDATION,
    find_clips,
    labels_for,
    partition_of,
    require_words,
)


def partition_by_fractions(name: str, validation: int, testing: int) -> str:
    """The published rule in exact arithmetic."""
    speaker = name.split("_nohash_")[0] if "_nohash_" in name else name
    digest = hashlib.sha1(speaker.encode("utf-8")).digest()
    place = Fraction(100 * (int.from_bytes(digest, "big") & 0x7FFFFFF), 0x7FFFFFF)
    if place < validation:
        return VALIDATION
    return TESTING if place < validation + testing else TRAINING


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def partitions(folder: Path) -> dict[str, str]:
    return {
        f"{clip.word}/{clip.path.name}": clip.partition
        for clip in find_clips([folder], 10, 10).clips
    }


# ---- partition rule


@pytest.mark.parametrize(
    ("partition", "speakers"),
    [
        # From validation_list.txt and testing_list.txt, which come with the data set.
        (VALIDATION, ["8b775397", "2643992f", "060cd039", "dbb40d24", "a69b9b3e", "439c84f4"]),
        (TESTING, ["0c40e715", "0ea0e2f4"]),
        (TRAINING, ["00176480", "0a7c2a8d"]),
    ],
)
def test_known_speakers_are_where_the_data_set_has_them(
    partition: str, speakers: list[str]
) -> None:
    for speaker in speakers:
        for number in (0, 1, 12):
            assert partition_of(f"{speaker}_nohash_{number}.wav", 10, 10) == partition


@given(
    name=st.text(st.characters(codec="utf-8"), max_size=20),
    mark=st.sampled_from(["", "_nohash_0.wav", "_nohash_"]),
    validation=st.integers(0, 60),
    testing=st.integers(0, 39),
)
def test_the_rule_is_the_published_one(name: str, mark: str, validation: int, testing: int) -> None:
    found = partition_of(name + mark, validation, testing)
    assert found == partition_by_fractions(name + mark, validation, testing)


def test_shares_of_many_speakers_are_near_the_percentages() -> None:
    names = [f"{speaker:08x}_nohash_0.wav" for speaker in range(5_000)]
    found = [partition_of(name, 10, 20) for name in names]
    assert abs(found.count(VALIDATION) - 500) < 150  # 7 standard deviations
    assert abs(found.count(TESTING) - 1_000) < 200


@given(speaker=st.from_regex("[0-9a-f]{8}", fullmatch=True), validation=st.floats(0, 50))
def test_a_speaker_never_crosses_partitions(speaker: str, validation: float) -> None:
    names = [f"{speaker}_nohash_{number}.{suffix}" for number in range(9) for suffix in ("wav", "")]
    assert len({partition_of(name, validation, 30.0) for name in names}) == 1


def test_zero_per_cent_leaves_everything_to_training() -> None:
    names = [f"{speaker:x}_nohash_0.wav" for speaker in range(300)]
    assert {partition_of(name, 0, 0) for name in names} == {TRAINING}


# ---- folders


def test_clips_are_found_by_word_in_a_fixed_order(tmp_path: Path) -> None:
    touch(tmp_path, "yes/b_nohash_0.wav", "yes/a_nohash_0.wav", "no/deep/c_nohash_1.FLAC")
    touch(tmp_path, "yes/notes.txt", "README.md", "empty/.keep", "loose_nohash_0.wav")
    touch(tmp_path, "_background_noise_/hiss.wav", ".hidden/x_nohash_0.wav")
    clips = find_clips([tmp_path], 10, 10).clips
    assert [(clip.word, clip.path.relative_to(tmp_path).as_posix()) for clip in clips] == [
        ("no", "no/deep/c_nohash_1.FLAC"),
        ("yes", "yes/a_nohash_0.wav"),
        ("yes", "yes/b_nohash_0.wav"),
    ]
    assert all(clip.partition == partition_by_fractions(clip.path.name, 10, 10) for clip in clips)


def test_several_folders_are_one_set_in_the_order_of_words_then_folders(tmp_path: Path) -> None:
    touch(tmp_path, "b/yes/1_nohash_0.wav", "b/cat/x_nohash_0.wav", "b/notes.txt")
    touch(tmp_path, "a/yes/2_nohash_0.wav", "a/bird/3.wav", "c/yes/4.wav")
    found = find_clips([tmp_path / name for name in "bac"], 10, 10)
    assert [clip.path.relative_to(tmp_path).as_posix() for clip in found.clips] == [
        "a/bird/3.wav",
        "b/cat/x_nohash_0.wav",
        "b/yes/1_nohash_0.wav",
        "a/yes/2_nohash_0.wav",
        "c/yes/4.wav",
    ]
    assert found.clips[0].partition == TRAINING  # its folder names speakers, it does not
    assert found.clips[-1].partition == partition_by_fractions("4.wav", 10, 10)
    assert [each.path for each in found.skipped] == [tmp_path / "b" / "notes.txt"]
    assert found.where == ", ".join(str(tmp_path / name) for name in "bac")


def test_a_folder_given_twice_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "yes/a.wav")
    with pytest.raises(ValueError, match=r"^data_dir: expected each folder once, got "):
        find_clips([tmp_path, tmp_path / "yes" / ".."], 10, 10)


def test_what_is_left_out_is_told_with_the_reason(tmp_path: Path) -> None:
    touch(tmp_path, "yes/a.wav", "yes/._a.wav", "yes/notes.txt", "yes/.Trashes/b.wav", "README.md")
    touch(tmp_path, "loose.wav", ".Spotlight/x.wav", "empty/.keep", "_background_noise_/hiss.wav")
    found = find_clips([tmp_path], 10, 10)
    assert [clip.path.name for clip in found.clips] == ["a.wav"]
    told = {each.path.relative_to(tmp_path).as_posix(): each.reason for each in found.skipped}
    assert told == {
        "yes/._a.wav": "hidden",
        "yes/.Trashes": "hidden",
        "yes/notes.txt": "no sound by its name",
        "README.md": "no sound by its name",
        "loose.wav": "in no folder of a word",
        ".Spotlight": "hidden",
        "empty": "no sound in it",
    }


def test_a_word_is_the_same_however_its_accents_are_spelled(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "cafe\N{COMBINING ACUTE ACCENT}/a.wav",
        "caf\N{LATIN SMALL LETTER E WITH ACUTE}/b.wav",
    )
    clips = find_clips([tmp_path], 10, 10).clips
    assert [(clip.word, clip.path.name) for clip in clips] == [("café", "a.wav"), ("café", "b.wav")]


def test_a_name_that_is_no_text_has_a_partition(tmp_path: Path) -> None:
    (tmp_path / "yes").mkdir()
    (tmp_path / "yes" / os.fsdecode(b"\xff_nohash_0.wav")).touch()
    (clip,) = find_clips([tmp_path], 10, 10).clips
    assert clip.partition in PARTITIONS


def test_a_speaker_stays_in_one_partition_across_words(tmp_path: Path) -> None:
    speakers = [f"{number:08x}" for number in range(60)]
    for word in ("yes", "no", "bird"):
        touch(
            tmp_path, *(f"{word}/{speaker}_nohash_{n}.wav" for speaker in speakers for n in (0, 3))
        )
    homes = defaultdict(set)
    for name, partition in partitions(tmp_path).items():
        homes[name.split("/")[1].split("_")[0]].add(partition)
    assert len(homes) == 60 and all(len(found) == 1 for found in homes.values())
    assert set().union(*homes.values()) == set(PARTITIONS)


def test_clips_without_a_speaker_are_for_training_where_others_have_one(tmp_path: Path) -> None:
    names = [f"yes/{number}_jackson.wav" for number in range(50)]
    touch(tmp_path, *names, "no/8b775397_nohash_0.wav")
    found = partitions(tmp_path)
    assert found.pop("no/8b775397_nohash_0.wav") == VALIDATION
    assert set(found.values()) == {TRAINING}


def test_where_no_clip_names_a_speaker_each_is_its_own(tmp_path: Path) -> None:
    names = [f"yes/{number}.wav" for number in range(80)]
    touch(tmp_path, *names)
    found = partitions(tmp_path)
    assert set(found.values()) == set(PARTITIONS)
    for name, partition in found.items():
        assert partition == partition_by_fractions(name.removeprefix("yes/"), 10, 10)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path / "file"):
        touch(tmp_path, "file")
        with pytest.raises(FileNotFoundError) as caught:
            find_clips([path], 10, 10)
        assert str(caught.value) == f"{path}: expected a folder of words, found nothing there"


def test_a_folder_without_clips_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "yes/notes.txt", "clip.wav", ".hidden/clip.wav", "_background_noise_/a.wav")
    with pytest.raises(ValueError) as caught:
        find_clips([tmp_path], 10, 10)
    assert str(caught.value) == f"{tmp_path}: expected <word>/<clip>.wav, found no audio file"


# ---- words


def test_labels_are_silence_unknown_and_the_words_in_order() -> None:
    assert labels_for(("yes", "no")) == ("_silence_", "_unknown_", "yes", "no")
    assert labels_for(["no"]) == ("_silence_", "_unknown_", "no")


@pytest.mark.parametrize(
    "words", [("yes", "yes"), ("_silence_",), ("yes", "_unknown_"), ("_background_noise_",)]
)
def test_words_twice_and_reserved_names_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError) as caught:
        labels_for(words)
    assert str(caught.value) == (
        f"wanted_words: expected each word once and no reserved name, got {','.join(words)}"
    )


def test_no_words_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^wanted_words: expected at least one word, got none$"):
        labels_for(())


def test_an_unknown_word_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "yes/a.wav", "no/b.wav")
    found = find_clips([tmp_path], 10, 10)
    require_words(found, ("no", "yes"), "wanted_words")
    with pytest.raises(ValueError) as caught:
        require_words(found, ("yes", "jes"), "held_out_words")
    assert str(caught.value) == (
        f"held_out_words: expected words that {tmp_path} has (no, yes), got 'jes'"
    )
