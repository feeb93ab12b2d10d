"""Archives made member by member, honest and evil, and folders that are whole or absent."""

from __future__ import annotations

import io
import os
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from quant_models.unpack import extract_archive

CONTENT = {"yes/a_nohash_0.wav": b"yes" * 1_000, "no/b_nohash_1.wav": b"", "README.md": b"text"}


def tar_member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.linkname = target
    return member


def write_tar(path: Path, members: list[tuple[tarfile.TarInfo, bytes]], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def write_zip(path: Path, members: list[tuple[zipfile.ZipInfo, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for member, content in members:
            packed.writestr(member, content, zipfile.ZIP_DEFLATED)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def refused(archive: Path, message: str) -> None:
    """Unpack beside the archive; see the message, and that nothing at all was left or touched."""
    folder = archive.parent / "into" / "speech"
    before = {*archive.parent.rglob("*"), folder.parent}
    with pytest.raises(ValueError, match=message) as caught:
        extract_archive(archive, folder)
    assert str(caught.value).startswith(f"{archive}: ")
    assert {*archive.parent.rglob("*"), folder.parent} == before


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_of_every_compression_is_unpacked(tmp_path: Path, mode: str) -> None:
    members = [(tar_member(f"./{name}"), content) for name, content in CONTENT.items()]
    members.append((tar_member("empty", tarfile.DIRTYPE), b""))
    extract_archive(write_tar(tmp_path / "a", members, mode), tmp_path / "speech")
    assert contents(tmp_path / "speech") == CONTENT
    assert (tmp_path / "speech" / "empty").is_dir()


def test_zip_is_unpacked(tmp_path: Path) -> None:
    members = [(zipfile.ZipInfo(name), content) for name, content in CONTENT.items()]
    members.append((zipfile.ZipInfo("empty/"), b""))
    extract_archive(write_zip(tmp_path / "a", members), tmp_path / "speech")
    assert contents(tmp_path / "speech") == CONTENT
    assert (tmp_path / "speech" / "empty").is_dir()


def test_tar_that_ends_in_a_zip_is_a_tar(tmp_path: Path) -> None:
    inner = write_zip(tmp_path / "inner", [(zipfile.ZipInfo("x"), b"x")]).read_bytes()
    extract_archive(write_tar(tmp_path / "a", [(tar_member("z"), inner)], "w"), tmp_path / "s")
    assert contents(tmp_path / "s") == {"z": inner}


def test_extra_files_lie_beside_the_members(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a", [(tar_member("mark"), b"forged")])
    extract_archive(archive, tmp_path / "speech", {"mark": b"ours"})
    assert contents(tmp_path / "speech") == {"mark": b"ours"}


def test_modes_and_owners_of_the_archive_are_ignored(tmp_path: Path) -> None:
    member = tar_member("tool")
    member.mode, member.uid, member.mtime = 0o6777, 12_345, 1
    extract_archive(write_tar(tmp_path / "a", [(member, b"x")]), tmp_path / "speech")
    (tmp_path / "plain").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    found = (tmp_path / "speech" / "tool").stat()
    assert found.st_mode == (tmp_path / "plain").stat().st_mode
    assert found.st_uid == os.getuid()
    assert (tmp_path / "speech").stat().st_mode == (tmp_path / "folder").stat().st_mode


@pytest.mark.parametrize("name", ["/etc/evil", "../evil", "yes/../../evil", "..", "yes\\..\\evil"])
def test_member_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    message = "expected members inside the folder, got "
    refused(write_tar(tmp_path / "t", [(tar_member(name), b"x")]), message)
    refused(write_tar(tmp_path / "d", [(tar_member(name, tarfile.DIRTYPE), b"")]), message)
    refused(write_zip(tmp_path / "z", [(zipfile.ZipInfo(name), b"x")]), message)


@pytest.mark.parametrize("target", ["/", "..", "yes", "missing"])
def test_symbolic_link_is_refused_wherever_it_points(tmp_path: Path, target: str) -> None:
    message = "expected plain files and folders, got a link or device: 'link'"
    members = [(tar_member("link", tarfile.SYMTYPE, target), b""), (tar_member("link/evil"), b"x")]
    refused(write_tar(tmp_path / "t", members), message)
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    refused(write_zip(tmp_path / "z", [(link, target.encode())]), message)


@pytest.mark.parametrize(
    "kind", [tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_hard_link_and_device_are_refused(tmp_path: Path, kind: bytes) -> None:
    members = [(tar_member("yes"), b"x"), (tar_member("odd", kind, "yes"), b"")]
    refused(write_tar(tmp_path / "a", members), "got a link or device: 'odd'")


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a", "a/b/c"), ("a/b", "a")])
def test_path_that_comes_twice_is_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    members = [(tar_member(name), b"x") for name in names]
    refused(write_tar(tmp_path / "a", members), f"expected each member once, got '{names[1]}' ")


def cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def flip(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


def spoil(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + random.Random(1).randbytes(1_000) + data[middle + 1_000 :]


DATA = random.Random(0).randbytes(200_000)
TEXT = bytes(random.Random(0).choices(b"ACGT", k=200_000))


@pytest.mark.parametrize("content", [DATA, TEXT], ids=["data", "text"])
@pytest.mark.parametrize("damage", [cut, flip, spoil])
@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_damaged_tar_is_refused(
    tmp_path: Path, content: bytes, damage: Callable[[bytes], bytes], mode: str
) -> None:
    archive = write_tar(tmp_path / "a", [(tar_member("yes/a.wav"), content)], mode)
    archive.write_bytes(damage(archive.read_bytes()))
    refused(archive, "expected a (whole archive, got a broken one|tar or zip archive, got )")


def test_cut_plain_tar_is_refused(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a", [(tar_member("yes/a.wav"), bytes(100_000))], "w")
    archive.write_bytes(cut(archive.read_bytes()))
    refused(archive, "expected a whole archive, got a broken one: unexpected end of data")


def test_plain_tar_with_a_damaged_header_in_the_middle_is_refused(tmp_path: Path) -> None:
    members = [(tar_member("yes/a.wav"), b""), (tar_member("yes/b.wav"), b"sound")]
    archive = write_tar(tmp_path / "a", members, "w")
    archive.write_bytes(archive.read_bytes().replace(b"yes/b.wav", b"yes/c.wav"))
    refused(archive, "expected a whole archive, got a broken one: data after its end")


@pytest.mark.parametrize("content", [DATA, TEXT], ids=["data", "text"])
@pytest.mark.parametrize("damage", [flip, spoil])
def test_damaged_zip_is_refused(
    tmp_path: Path, content: bytes, damage: Callable[[bytes], bytes]
) -> None:
    archive = write_zip(tmp_path / "a", [(zipfile.ZipInfo("a.wav"), content)])
    archive.write_bytes(damage(archive.read_bytes()))
    refused(archive, "expected a whole archive, got a broken one: ")


def test_zip_of_unknown_compression_is_refused(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a", [(zipfile.ZipInfo("a.wav"), b"x" * 100)])
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\1\2") + 10] = 99  # the method in the central directory
    archive.write_bytes(data)
    refused(archive, "expected a whole archive, got a broken one: .*compression")


def test_encrypted_zip_is_refused(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a", [(zipfile.ZipInfo("a.wav"), b"x" * 100)])
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1  # the flag in the central directory
    archive.write_bytes(data)
    refused(archive, "expected no encryption, got 'a.wav'")


@pytest.mark.parametrize("data", [b"", b"RIFF....WAVE", b"<html></html>" * 100])
def test_other_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    refused(tmp_path / "a", "expected a tar or zip archive, got something else")


def test_failure_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    members = [(tar_member("yes/a"), b"x" * 10_000), (tar_member("../evil"), b"x")]
    refused(write_tar(tmp_path / "a", members), "expected members inside")


def test_empty_folder_may_exist(tmp_path: Path) -> None:
    (tmp_path / "speech").mkdir()
    extract_archive(write_tar(tmp_path / "a", [(tar_member("x"), b"x")]), tmp_path / "speech")
    assert contents(tmp_path / "speech") == {"x": b"x"}


def test_folder_or_file_in_use_is_refused_and_stays(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a", [(tar_member("x"), b"x")])
    (tmp_path / "speech").mkdir()
    (tmp_path / "speech" / "mine").write_bytes(b"mine")
    for taken in (tmp_path / "speech", archive):
        with pytest.raises(ValueError, match="expected a new or empty folder to unpack into, got "):
            extract_archive(archive, taken)
    assert contents(tmp_path / "speech") == {"mine": b"mine"}


# ---- archives as people make them


@pytest.mark.parametrize("wrapping", ["speech_commands/", "./a/b/"])
def test_a_folder_around_everything_is_taken_off(tmp_path: Path, wrapping: str) -> None:
    members = [(tar_member(f"{wrapping}{name}"), content) for name, content in CONTENT.items()]
    write_tar(tmp_path / "a.tgz", members)
    extract_archive(tmp_path / "a.tgz", tmp_path / "out", {"marker": b"1"})
    assert contents(tmp_path / "out") == {**CONTENT, "marker": b"1"}


def test_the_folder_of_the_only_word_stays(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tgz", [(tar_member("yes/a.wav"), b"1")])
    extract_archive(tmp_path / "a.tgz", tmp_path / "out")
    assert contents(tmp_path / "out") == {"yes/a.wav": b"1"}


def test_what_macos_adds_is_left_out(tmp_path: Path) -> None:
    names = ["words/yes/a.wav", "words/no/b.wav"]
    added = ["__MACOSX/words/yes/._a.wav", "words/.DS_Store", "words/yes/._a.wav"]
    write_zip(tmp_path / "a.zip", [(zipfile.ZipInfo(name), b"1") for name in names + added])
    extract_archive(tmp_path / "a.zip", tmp_path / "out")
    assert contents(tmp_path / "out") == {"yes/a.wav": b"1", "no/b.wav": b"1"}
