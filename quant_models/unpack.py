"""Archives to folders: the last step of a download, and the one that must not trust its input.

Only plain files and folders are written, each below a temporary folder that contains no links and
gets its final name when it is complete. The checks are our own: the `data` filter of `tarfile`
came with Python 3.11.4 and has changed its rules since.
"""

from __future__ import annotations

import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

_CHUNK_BYTES = 2**18
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # of zipfile: a kind of compression that it does not know
)


def extract_archive(archive: Path, folder: Path, extra: dict[str, bytes] | None = None) -> None:
    """Unpack a tar (plain, gzip, bzip2, xz) or zip archive as `folder`, completely or not at all.

    Only plain files and folders are accepted, none of them outside `folder`; modes, owners and
    times in the archive are ignored, and so is what macOS adds (`__MACOSX`, `._*`, `.DS_Store`). A
    folder that holds all others and no file beside them stands for `folder` itself. `extra` names
    further files to write beside them.

    Raises ValueError if `folder` exists and is not empty, if the archive is broken or of another
    kind, and for a member that is absolute, climbs with `..`, is a link or device, or comes twice.
    """
    check_vacant(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        root = Path(temporary) / "content"
        root.mkdir()
        _unpack(archive, root)
        root = _without_wrapping(root)
        for name, data in (extra or {}).items():
            (root / name).write_bytes(data)
        root.rename(folder)


def _without_wrapping(root: Path) -> Path:
    """Return the first folder on the way down that holds anything but one folder of folders."""
    while True:
        entries = list(root.iterdir())
        if len(entries) != 1 or not entries[0].is_dir():
            return root
        if not any(entry.is_dir() for entry in entries[0].iterdir()):
            return root  # of one word
        root = entries[0]


def check_vacant(folder: Path) -> None:
    """Raise ValueError unless `folder` does not exist yet or is empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder}: expected a new or empty folder to unpack into, got one in use")


def _unpack(archive: Path, root: Path) -> None:
    try:
        for name, content in _members(archive):
            if not _is_of_macos(name):
                _place(archive, root, name, content)
    except (OSError, *_BROKEN) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the file system; those of gzip and bz2 have no number
        raise ValueError(
            f"{archive}: expected a whole archive, got a broken one: {error}"
        ) from None


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    """Yield name and content (None for a folder) of every member; ValueError for other kinds."""
    if tarfile.is_tarfile(archive):  # first: a tar may end in a zip, and then looks like one
        yield from _tar_members(archive)
    elif zipfile.is_zipfile(archive):
        yield from _zip_members(archive)
    else:
        raise ValueError(f"{archive}: expected a tar or zip archive, got something else")


def _tar_members(archive: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    with tarfile.open(archive) as tar:
        for member in tar:
            if not (member.isreg() or member.isdir()):
                raise _not_plain(archive, member.name)
            yield member.name, tar.extractfile(member)
        _read_to_the_end(tar)


def _read_to_the_end(tar: tarfile.TarFile) -> None:
    """Read what follows the last member, so that gzip, bzip2 and xz compare their checksums.

    Only zeros may follow: `tarfile` takes a damaged header in the middle for the end.
    """
    assert tar.fileobj is not None
    while chunk := tar.fileobj.read(_CHUNK_BYTES):
        if any(chunk):
            raise tarfile.ReadError("data after its end")


def _zip_members(archive: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _not_plain(archive, member.filename)
            if member.flag_bits & 1:
                raise ValueError(f"{archive}: expected no encryption, got {member.filename!r}")
            if member.is_dir():
                yield member.filename, None
            else:
                with packed.open(member) as content:
                    yield member.filename, content


def _is_of_macos(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or any(p == ".DS_Store" or p.startswith("._") for p in parts)


def _not_plain(archive: Path, name: str) -> ValueError:
    return ValueError(
        f"{archive}: expected plain files and folders, got a link or device: {name!r}"
    )


def _place(archive: Path, root: Path, name: str, content: IO[bytes] | None) -> None:
    """Write one member below `root`, which holds no links, so that its path leads nowhere else."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise ValueError(f"{archive}: expected members inside the folder, got {name!r}")
    target = root / path
    try:
        if content is None:
            target.mkdir(parents=True, exist_ok=True)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as stream:
            shutil.copyfileobj(content, stream, _CHUNK_BYTES)
    except (FileExistsError, NotADirectoryError):
        raise ValueError(f"{archive}: expected each member once, got {name!r} twice") from None
