"""What was found in a folder is told whole: counts by word and partition, and what is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from quant_models.sound_files import HIDDEN, NO_SOUND, Skipped
from quant_models.speech_commands import PARTITIONS, TRAINING, VALIDATION, Clip, FoundClips
from scripts.console.found_clips import show_found


def found(words: dict[str, tuple[int, int]], skipped: tuple[Skipped, ...] = ()) -> FoundClips:
    clips = [
        Clip(Path(f"{word}/{number}.wav"), word, partition)
        for word, counts in words.items()
        for partition, count in zip((TRAINING, VALIDATION), counts, strict=True)
        for number in range(count)
    ]
    return FoundClips((Path("data"),), tuple(clips), skipped)


def cells(text: str) -> list[list[str]]:
    """The rows of a table below its heading."""
    rows = [line.strip("│").split("│") for line in text.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in row] for row in rows]


def test_clips_are_counted_by_word_and_partition(capsys: pytest.CaptureFixture[str]) -> None:
    show_found(found({"bird": (1_200, 3), "yes": (2, 1), "no": (4, 0)}), ("yes", "no"), PARTITIONS)
    text = capsys.readouterr().out
    assert text.startswith("found       1,210 clips in data\n")
    assert cells(text) == [
        ["yes", "2", "1", "0"],
        ["no", "4", "0", "0"],
        ["bird", "1,200", "3", "0"],
    ]


def test_a_test_set_has_no_partitions(capsys: pytest.CaptureFixture[str]) -> None:
    show_found(found({"yes": (2, 1)}), ("yes", "no"))
    text = capsys.readouterr().out
    assert "clips" in text and "training" not in text
    assert cells(text) == [["yes", "3"]]


def test_many_words_share_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_found(found({f"w{number:02}": (2, 1) for number in range(50)}), ("w49",), PARTITIONS)
    rows = cells(capsys.readouterr().out)
    assert len(rows) == 41 and rows[0][0] == "w49"
    assert rows[-1] == ["10 further words", "20", "10", "0"]


def test_what_is_left_out_is_told_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    skipped = [Skipped(Path(f"yes/._{number}.wav"), HIDDEN) for number in range(4)]
    skipped.append(Skipped(Path("LICENSE"), NO_SOUND))
    show_found(found({"yes": (1, 1)}, tuple(skipped)), ("yes",), PARTITIONS)
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "left out    4, hidden: ._0.wav, ._1.wav, ._2.wav, ...",
        "left out    1, no sound by its name: LICENSE",
    ]
