"""Every recording of a folder is found, and whatever is not taken is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quant_models.sound_files import Skipped, find_sound


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(folder: Path) -> tuple[list[str], dict[str, str]]:
    files = find_sound(folder)
    sounds = [path.relative_to(folder).as_posix() for path in files.sounds]
    return sounds, {s.path.relative_to(folder).as_posix(): s.reason for s in files.skipped}


def test_sound_is_known_by_its_name_at_any_depth(tmp_path: Path) -> None:
    touch(tmp_path, "b.wav", "a.FLAC", "deep/er/c.opus", "deep/d.ogg", "x.aiff", "list.txt", "wav")
    sounds, skipped = found(tmp_path)
    assert sounds == ["a.FLAC", "b.wav", "deep/d.ogg", "deep/er/c.opus", "x.aiff"]
    assert skipped == {"list.txt": "no sound by its name", "wav": "no sound by its name"}


def test_linked_folders_count_once_and_circles_end(tmp_path: Path) -> None:
    touch(tmp_path, "word/a.wav", "elsewhere/b.wav", "elsewhere/in/c.wav")
    word = tmp_path / "word"
    (word / "link").symlink_to(tmp_path / "elsewhere")
    (word / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "in" / "back").symlink_to(word)
    (word / "one.wav").symlink_to(tmp_path / "elsewhere" / "b.wav")
    sounds, skipped = found(word)
    assert sounds == ["a.wav", "link/b.wav", "link/in/c.wav", "one.wav"]
    assert set(skipped) == {"more", "link/in/back"}
    assert set(skipped.values()) == {"a folder that links to one that was read already"}


def test_which_of_two_links_counts_does_not_depend_on_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "word/a/x.txt", "word/b/y.txt", "elsewhere/c.wav")
    word, real = tmp_path / "word", os.walk
    for name in "ab":
        (word / name / "link").symlink_to(tmp_path / "elsewhere")

    def backwards(*arguments: Any, **options: Any) -> Iterator[Any]:
        for place, folders, names in real(*arguments, **options):
            folders.sort(reverse=True)
            yield place, folders, names

    monkeypatch.setattr(os, "walk", backwards)
    assert found(word)[0] == ["a/link/c.wav"]


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "._a.wav", ".Trashes/b.wav", "a.wav")
    assert found(tmp_path) == (["a.wav"], {"._a.wav": "hidden", ".Trashes": "hidden"})


def test_folders_and_pipes_with_a_sound_s_name_are_no_sound(tmp_path: Path) -> None:
    touch(tmp_path, "x.wav/a.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    assert found(tmp_path) == (["x.wav/a.wav"], {"pipe.wav": "neither a file nor a folder"})


def test_a_broken_link_is_a_file_that_will_be_missed(tmp_path: Path) -> None:
    (tmp_path / "a.wav").symlink_to("nowhere")
    assert found(tmp_path) == (["a.wav"], {})


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        find_sound(tmp_path / "nowhere")
    assert str(caught.value) == (
        f"{tmp_path}/nowhere: expected a folder of audio, found nothing there"
    )


def test_a_folder_that_cannot_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a.wav", "closed/b.wav")
    real = os.scandir

    def refused(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(PermissionError, match="closed"):
        find_sound(tmp_path)


def test_skipped_files_are_sorted(tmp_path: Path) -> None:
    touch(tmp_path, "b.txt", "a.txt", "c/.d")
    assert find_sound(tmp_path).skipped == (
        Skipped(tmp_path / "a.txt", "no sound by its name"),
        Skipped(tmp_path / "b.txt", "no sound by its name"),
        Skipped(tmp_path / "c/.d", "hidden"),
    )
