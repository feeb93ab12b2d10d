"""Files are written whole or not at all; whatever fails, what was there before stays."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from golden import files

OLD = {"a.txt": b"old a", "b.txt": b"old b", "c.txt": b"old c"}
NEW = {"a.txt": b"new a", "b.txt": b"new b", "c.txt": b"new c"}


def fill(folder: Path, contents: dict[str, bytes]) -> None:
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def listing(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones too."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def in_folder(folder: Path, contents: dict[str, bytes]) -> dict[Path, bytes]:
    return {folder / name: content for name, content in contents.items()}


def failing_nth(number: int, real: Callable[..., Any], code: int) -> Callable[..., Any]:
    """Return `real` with its call of that number (from 0) failing as a file system does."""
    calls = iter(range(1_000))

    def call(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == number:
            raise OSError(code, os.strerror(code))
        return real(*args, **kwargs)

    return call


def test_files_are_written_together_into_new_folders(tmp_path: Path) -> None:
    contents = {tmp_path / "x" / "a": b"1", tmp_path / "y" / "z" / "b": b"2"}
    files.write_together(contents)
    assert {path: path.read_bytes() for path in contents} == contents
    assert listing(tmp_path / "x") == {"a": b"1"}


def test_old_files_are_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    fill(tmp_path, OLD)
    files.write_together(in_folder(tmp_path, NEW))
    assert listing(tmp_path) == NEW


def test_what_is_new_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "best" / "a.b-1.npz"
    assert files.write_new(path, b"1") == (path, True)
    assert files.write_new(path, b"1") == (path, False)
    assert files.write_new(path, b"2") == (tmp_path / "best" / "a.b-1-2.npz", True)
    (tmp_path / "best" / "a.b-1-3.npz").symlink_to("nowhere")
    (tmp_path / "best" / "a.b-1-4.npz").mkdir()
    assert files.write_new(path, b"3") == (tmp_path / "best" / "a.b-1-5.npz", True)
    assert files.write_new(path, b"2") == (tmp_path / "best" / "a.b-1-2.npz", False)
    assert path.read_bytes() == b"1"


def test_nothing_to_write_is_fine() -> None:
    files.write_together({})


def test_text_is_utf_8_with_newlines(tmp_path: Path) -> None:
    files.write_text(tmp_path / "a", "größer\n")
    assert (tmp_path / "a").read_bytes() == b"gr\xc3\xb6\xc3\x9fer\n"
    assert files.read_text(tmp_path / "a") == "größer\n"


def test_text_of_another_system_is_read_with_newlines(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one\r\ntwo\r\n")
    assert files.read_text(tmp_path / "a") == "one\ntwo\n"


def test_what_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc\xff")
    with pytest.raises(ValueError, match=r"/a: expected UTF-8 text, got byte 0xff at 3$"):
        files.read_text(tmp_path / "a")


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        files.write_bytes(tmp_path / "a", b"1")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


@pytest.mark.parametrize("number", range(5))
def test_a_full_disk_leaves_every_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    # Three new files, then copies of the two old ones that a later failure would need.
    fill(tmp_path, OLD)
    monkeypatch.setattr(os, "fsync", failing_nth(number, os.fsync, errno.ENOSPC))
    name = ["a.txt", "b.txt", "c.txt", "a.txt", "b.txt"][number]
    with pytest.raises(OSError, match="No space left on device") as caught:
        files.write_together(in_folder(tmp_path, NEW))
    assert caught.value.filename == str(tmp_path / name)
    assert listing(tmp_path) == OLD


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("old", [OLD, {"b.txt": b"old b"}, {}])
def test_a_failing_rename_gives_back_every_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, old: dict[str, bytes]
) -> None:
    fill(tmp_path, old)
    monkeypatch.setattr(Path, "replace", failing_nth(number, Path.replace, errno.EIO))
    with pytest.raises(OSError, match="Input/output error") as caught:
        files.write_together(in_folder(tmp_path, NEW))
    assert caught.value.filename == str(tmp_path / list(NEW)[number])
    assert listing(tmp_path) == old


def test_an_interrupt_between_renames_gives_back_every_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = Path.replace, iter(range(100))

    def replace(self: Path, target: Path) -> Path:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return real(self, target)

    fill(tmp_path, OLD)
    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        files.write_together(in_folder(tmp_path, NEW))
    assert listing(tmp_path) == OLD


def test_a_folder_in_the_place_of_a_file_stops_all(tmp_path: Path) -> None:
    fill(tmp_path, {"a.txt": b"old a"})
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        files.write_together(in_folder(tmp_path, NEW))
    assert caught.value.filename == str(tmp_path / "b.txt")
    assert listing(tmp_path) == {"a.txt": b"old a"}


def test_a_read_only_folder_keeps_its_files_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Simulated: chmod does not stop root, who runs these tests in a container.
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", "/temporary/name")

    fill(tmp_path, OLD)
    monkeypatch.setattr(files.tempfile, "mkstemp", refuse)
    with pytest.raises(PermissionError) as caught:
        files.write_bytes(tmp_path / "a.txt", b"new a")
    assert caught.value.filename == str(tmp_path / "a.txt")
    assert listing(tmp_path) == OLD


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    fill(tmp_path, OLD)
    with pytest.raises(OSError, match=r"a\.txt"):
        files.write_bytes(tmp_path / "a.txt" / "b.txt", b"new")
    assert listing(tmp_path) == OLD


def test_write_via_lets_another_writer_write_whole_files(tmp_path: Path) -> None:
    path = tmp_path / "new" / "figure.png"
    names = []

    def save(temporary: Path) -> None:
        names.append(temporary.suffix)
        temporary.write_bytes(b"picture")

    files.write_via(path, save)
    assert names == [".png"]
    assert listing(path.parent) == {"figure.png": b"picture"}


def test_write_via_keeps_the_old_file_when_the_writer_fails(tmp_path: Path) -> None:
    def save(temporary: Path) -> None:
        temporary.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    fill(tmp_path, OLD)
    with pytest.raises(OSError, match="No space left") as caught:
        files.write_via(tmp_path / "a.txt", save)
    assert caught.value.filename == str(tmp_path / "a.txt")
    assert listing(tmp_path) == OLD
