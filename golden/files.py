"""Files that are whole or absent: results are written beside their place and then renamed."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, line ends as newlines.

    Raises OSError as the file system reports it, and ValueError if it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise ValueError(
            f"{path}: expected UTF-8 text, got byte {byte:#04x} at {error.start}"
        ) from None


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`; on any failure (full disk, no permission) an old file stays whole.

    Raises OSError as the file system reports it, naming `path`.
    """
    write_together({path: content})


def write_text(path: Path, content: str) -> None:
    """Write `content` as UTF-8 with newline line ends, whole or not at all."""
    write_bytes(path, content.encode())


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as CSV with a header line and newline line ends."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def numbered(path: Path) -> Iterator[Path]:
    """Yield the path, then names like it for what is not to replace it: `name-2.ext` and on.

    >>> names = numbered(Path("best/curves.csv"))
    >>> next(names).name, next(names).name, next(names).name
    ('curves.csv', 'curves-2.csv', 'curves-3.csv')
    """
    yield path
    for number in count(2):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")


def write_new(path: Path, content: bytes) -> tuple[Path, bool]:
    """Write `content` under the first of `numbered` names that nothing has; replace nothing.

    Returns where the content is, and whether it was written: a file of such a name that holds it
    already is left as it is.

    Raises OSError as the file system reports it.
    """
    for place in numbered(path):
        if not os.path.lexists(place):
            write_bytes(place, content)
            return place, True
        if place.is_file() and place.read_bytes() == content:
            break
    return place, False


def write_claimed(contents: Mapping[Path, bytes], *, overwrite: bool) -> None:
    """Write several files together, in place of others only where `overwrite` says so.

    Raises ValueError, naming the first, where a file with another content is in the way.
    """
    for path, content in contents.items():
        if not overwrite and path.is_file() and path.read_bytes() != content:
            raise ValueError(
                f"{path}: expected nothing or what is to be written, found another file "
                "(--overwrite replaces it)"
            )
    write_together(contents)


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write several files that belong together: all of them, or none.

    All are first written in full beside their places and only then renamed; if one cannot be
    renamed, the earlier ones get their old content back.

    Raises OSError as the file system reports it, naming the path that could not be written.
    """
    staged: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            with _naming(path):
                staged[path] = _stage(path, content)
        _replace_all(staged)
    finally:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)


def write_via(path: Path, save: Callable[[Path], None]) -> None:
    """Let `save` write a file of the same suffix beside `path`, then rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.new{path.suffix}")
    try:
        with _naming(path):
            save(temporary)
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _stage(path: Path, content: bytes) -> Path:
    """Write `content` in full to a new file beside `path` and return its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _replace_all(staged: Mapping[Path, Path]) -> None:
    """Rename every staged file to its path; undo the earlier renames if one fails."""
    kept: dict[Path, Path] = {}
    replaced: list[Path] = []
    try:
        for path in list(staged)[:-1]:  # nothing can fail after the last rename
            if path.is_file():
                with _naming(path):
                    kept[path] = _stage(path, path.read_bytes())
        for path, temporary in staged.items():
            with _naming(path):
                temporary.replace(path)
            replaced.append(path)
    except BaseException:
        for path in replaced:
            if path in kept:
                kept[path].replace(path)
            else:
                path.unlink()
        raise
    finally:
        for old in kept.values():
            old.unlink(missing_ok=True)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Make an OSError name `path` and not a temporary file."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
