"""Files that are either whole or absent: results are written beside their place and then renamed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`; on any failure (full disk, no permission) an old file stays whole.

    Raises OSError as the file system reports it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_text(path: Path, content: str) -> None:
    """Write `content` as UTF-8 with newline line ends, whole or not at all."""
    write_bytes(path, content.encode())


def write_together(contents: dict[Path, bytes]) -> None:
    """Write several files that belong together.

    All are first written in full beside their places and only then renamed, so that a full disk or
    a read-only folder leaves every old file as it was.
    """
    staged: list[tuple[Path, Path]] = []
    try:
        for path, content in contents.items():
            temporary = path.with_name(f".{path.name}.new")
            write_bytes(temporary, content)
            staged.append((temporary, path))
        for temporary, path in staged:
            temporary.replace(path)
    except BaseException:
        for temporary, _ in staged:
            temporary.unlink(missing_ok=True)
        raise


def write_via(path: Path, save: Callable[[Path], None]) -> None:
    """Let `save` write a file of the same suffix beside `path`, then rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.new{path.suffix}")
    try:
        save(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
