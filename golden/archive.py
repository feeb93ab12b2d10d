"""One file for arrays and their description: an `.npz` without pickles that checks its own digest.

`numpy.load` and `unzip` read it; the JSON description is the member `description.json`. The bytes
depend on the content alone (fixed member order, fixed time stamps), so equal content gives equal
files. Networks, checkpoints and feature caches are all stored this way.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from golden import files

DESCRIPTION_MEMBER = "description.json"
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
# Far above what a network, a checkpoint or a cache needs; a small file that claims more is a bomb.
MAX_CONTENT_BYTES = 4 * 2**30

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Archive:
    """What an archive file holds: its kind, its description, its read-only arrays, its digest."""

    kind: str
    description: Mapping[str, Any]
    arrays: Arrays
    digest: str


def digest_of(kind: str, description: Mapping[str, Any], arrays: Arrays) -> str:
    """Return the SHA-256 (hexadecimal) of the canonical bytes of an archive.

    Canonical: the kind and the description as JSON with sorted keys, then each array by name with
    its type, its shape and its little-endian C-order bytes.
    """
    sha = hashlib.sha256()
    sha.update(_canonical_json({"kind": kind, "description": dict(description)}))
    for name in sorted(arrays):
        array = _little_endian(arrays[name])
        sha.update(_canonical_json([name, array.dtype.str, list(array.shape)]))
        sha.update(array.tobytes())
    return sha.hexdigest()


def archive_bytes(kind: str, description: Mapping[str, Any], arrays: Arrays) -> bytes:
    """Return the bytes of an archive file, the same for the same content."""
    header = {
        "kind": kind,
        "digest": digest_of(kind, description, arrays),
        "description": dict(description),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as container:
        _add_member(container, DESCRIPTION_MEMBER, (json.dumps(header, indent=2) + "\n").encode())
        for name in sorted(arrays):
            content = io.BytesIO()
            np.lib.format.write_array(content, _little_endian(arrays[name]), allow_pickle=False)
            _add_member(container, f"{name}.npy", content.getvalue())
    return buffer.getvalue()


def write_archive(path: Path, kind: str, description: Mapping[str, Any], arrays: Arrays) -> None:
    """Write an archive to `path`, whole or not at all."""
    files.write_bytes(path, archive_bytes(kind, description, arrays))


def read_archive(path: Path, kind: str) -> Archive:
    """Read an archive of the given kind.

    Raises ValueError, naming the file and what is wrong, for a file that is truncated, is no
    archive, is of another kind, or whose content does not match its digest.
    """
    expected = f"expected {'an' if kind[0] in 'aeiou' else 'a'} {kind} file"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: {expected}, found {_what_is_at(path)}")
    with path.open("rb") as stream:
        try:
            header, arrays = _read_members(stream)
            found, digest, description = (
                header["kind"],
                header["digest"],
                dict(header["description"]),
            )
        except Exception as error:  # bytes that are no archive can make the readers raise anything
            raise ValueError(f"{path}: {expected}, found a truncated or foreign one") from error
    if found != kind:
        raise ValueError(f"{path}: {expected}, found one of kind {found!r}")
    actual = digest_of(kind, description, arrays)
    if actual != digest:
        raise ValueError(f"{path}: digest does not match, declared {digest}, content has {actual}")
    return Archive(kind, description, arrays, digest)


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a C-ordered copy of an array that cannot be written to."""
    copy = np.array(array, order="C", copy=True)
    copy.setflags(write=False)
    return copy


def _read_members(stream: IO[bytes]) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    arrays: dict[str, npt.NDArray[Any]] = {}
    with zipfile.ZipFile(stream) as container:
        if sum(member.file_size for member in container.infolist()) > MAX_CONTENT_BYTES:
            raise ValueError(f"content: expected at most {MAX_CONTENT_BYTES} bytes")
        header: dict[str, Any] = json.loads(container.read(DESCRIPTION_MEMBER))
        for member in container.namelist():
            if member != DESCRIPTION_MEMBER:
                with container.open(member) as content:
                    array = np.lib.format.read_array(content, allow_pickle=False)
                arrays[member.removesuffix(".npy")] = read_only(array)
    return header, arrays


def _add_member(container: zipfile.ZipFile, name: str, content: bytes) -> None:
    member = zipfile.ZipInfo(name, _ZIP_EPOCH)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o644 << 16
    container.writestr(member, content)


def _canonical_json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _little_endian(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)


def _what_is_at(path: Path) -> str:
    return "a folder" if path.is_dir() else "nothing there"
