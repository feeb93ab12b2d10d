"""A folder that make can build in: GNU make knows no paths with spaces."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_PLACES = ("/var/tmp", "/tmp", "/dev/shm")  # where TMPDIR has spaces, too


@contextmanager
def building_place(folder: Path, links: Mapping[str, Path]) -> Iterator[Path]:
    """Give the folder to build in, with links of these names in it, so that no path has a space.

    Where the path of `folder` has one, that is another folder, and what was built comes to `folder`
    at the end. The links are gone then.

    Raises ValueError if there is no place without spaces.
    """
    if not _has_space(folder.resolve()):
        with _linked(folder, links):
            yield folder
        return
    with tempfile.TemporaryDirectory(prefix="kws-", dir=_plain_place()) as scratch:
        place = Path(scratch) / "build"
        place.mkdir()
        with _linked(place, links):
            yield place
        shutil.copytree(place, folder, dirs_exist_ok=True)


@contextmanager
def _linked(folder: Path, links: Mapping[str, Path]) -> Iterator[None]:
    for name, target in links.items():
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target.resolve())
    try:
        yield
    finally:
        for name in links:
            (folder / name).unlink()


def _plain_place() -> str:
    for place in (tempfile.gettempdir(), *_PLACES):
        if Path(place).is_dir() and not _has_space(Path(place).resolve()):
            return place
    raise ValueError(
        f"TMPDIR: expected a folder without spaces, in which make can build, got {place}"
    )


def _has_space(path: Path) -> bool:
    return any(letter.isspace() for letter in str(path))
