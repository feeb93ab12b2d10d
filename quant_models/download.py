"""Speech archives from the web: downloaded, resumed and verified before anything reads them.

An archive is known by its SHA-256, which comes from the command line and nowhere else. A download
that breaks off leaves `NAME.part` and `NAME.part.json` (which version of the file it is), and goes
on from there when the command runs again. `quant_models.unpack` turns the archive into a folder.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from golden import files
from quant_models.unpack import check_vacant, extract_archive

Progress = Callable[[int, int | None], None]
"""Called with the bytes at hand and the bytes in all (None if the server does not tell)."""

ATTEMPTS = 5  # in a row that bring nothing new
TIMEOUT_S = 30.0
MARKER = ".download.json"

_CHUNK_BYTES = 2**18
_WORTH_A_RETRY = (408, 425, 429)


class _Interrupted(Exception):
    """The transfer failed in a way that another attempt may mend."""


@dataclass(frozen=True)
class _Version:
    """Which file a `.part` is the beginning of. `validator` is its ETag or modification time."""

    url: str
    validator: str | None
    total_bytes: int | None


def download_data_set(
    url: str, folder: Path, sha256: str | None, progress: Progress, pause_s: float = 1.0
) -> Path:
    """Make `folder` hold the unpacked archive at `url`, and return it; at once if it already does.

    The archive itself stays in `FOLDER.download/`, from where it may be deleted.

    Raises ValueError if `folder` holds anything else, and as `fetch_archive` and `extract_archive`.
    """
    address, expected = split_digest(url, sha256)
    if (folder / MARKER).is_file():
        _check_origin(folder, address, expected)
        return folder
    check_vacant(folder)
    downloads = folder.with_name(f"{folder.name}.download")
    archive = fetch_archive(url, downloads, sha256, progress, pause_s)
    origin = json.dumps({"url": address, "sha256": expected}, indent=2) + "\n"
    extract_archive(archive, folder, {MARKER: origin.encode()})
    return folder


def split_digest(url: str, sha256: str | None) -> tuple[str, str | None]:
    """Split `URL#sha256=DIGEST` into address and digest; `sha256` may give the digest instead.

    Raises ValueError for an address that is not HTTP or HTTPS, names no file, or for a digest that
    is not 64 hexadecimal digits or contradicts the other one.
    """
    address, _, fragment = url.partition("#")
    if not _file_name(address):
        raise ValueError(f"data_url: expected http(s)://HOST/.../FILE, got {url!r}")
    if fragment and not fragment.startswith("sha256="):
        raise ValueError(f"data_url: expected #sha256=DIGEST at its end, got #{fragment}")
    given = [text.lower() for text in (fragment.removeprefix("sha256="), sha256) if text]
    for digest in given:
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ValueError(f"data_sha256: expected 64 hexadecimal digits, got {digest!r}")
    if len(set(given)) > 1:
        raise ValueError(f"data_sha256: expected one digest, got {given[0]} and {given[1]}")
    return address, given[0] if given else None


def fetch_archive(
    url: str, folder: Path, sha256: str | None, progress: Progress, pause_s: float = 1.0
) -> Path:
    """Download `url` into `folder`, check its SHA-256 and return the file.

    The digest comes from `sha256` or from the end of the URL, `#sha256=DIGEST`. A file that is
    already there is only checked. A broken transfer is taken up where it ended, after `pause_s`
    and then ever longer; `ATTEMPTS` in a row without a new byte end it.

    Raises:
        ValueError: the address or digest is not valid; no digest was given (the message tells the
            one found, to be added if it is trusted, and the download is kept); the archive is
            another than expected (it is removed); the server refuses the file.
        ConnectionError: the network or the server failed; what arrived is kept.
    """
    address, expected = split_digest(url, sha256)
    archive = folder / _file_name(address)
    if archive.exists():
        _check_digest(f"{archive} (delete it to download it anew)", archive, expected)
        return archive
    folder.mkdir(parents=True, exist_ok=True)
    part = archive.with_name(f"{archive.name}.part")
    _download(address, part, progress, pause_s)
    try:
        _check_digest(address, part, expected)
    except ValueError:
        if expected is not None:
            _forget(part)
        raise
    part.replace(archive)
    _version_path(part).unlink()
    return archive


def _check_origin(folder: Path, address: str, expected: str | None) -> None:
    """Raise ValueError if the data set in `folder` is not the one of that address or digest."""
    try:
        origin = json.loads((folder / MARKER).read_text())
        same = origin["sha256"] == expected or (expected is None and origin["url"] == address)
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{folder / MARKER}: expected where the data came from") from None
    if not same:
        raise ValueError(
            f"{folder}: expected the data of {address}, SHA-256 {expected}, "
            f"got those of {origin['url']}, {origin['sha256']}"
        )


def _file_name(address: str) -> str:
    """Return the name of the file at an HTTP address, or nothing if there is none."""
    try:
        parts = urllib.parse.urlsplit(address)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # of urlsplit and of port
        return ""
    if not valid or not re.fullmatch(r"[!-~]+", address):
        return ""
    name = PurePosixPath(urllib.parse.unquote(parts.path)).name
    return "" if name in (".", "..") or "\0" in name else name


def _check_digest(source: str, file: Path, expected: str | None) -> None:
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if expected is None:
        raise ValueError(
            f"{source}: expected its SHA-256 to be given, got none; the file has {found}: "
            f"if you trust it, add #sha256={found} to the URL"
        )
    if found != expected:
        raise ValueError(f"{source}: expected SHA-256 {expected}, got {found}")


def _download(url: str, part: Path, progress: Progress, pause_s: float) -> None:
    """Complete `part`, in as many attempts as bring it forward."""
    most_bytes = _size(part)
    failures = 0
    while True:
        try:
            _attempt(url, part, progress)
            return
        except _Interrupted as error:
            failures = 0 if _size(part) > most_bytes else failures + 1
            most_bytes = max(most_bytes, _size(part))
            if failures == ATTEMPTS:
                raise ConnectionError(
                    f"{url}: expected the whole file, {error} ({ATTEMPTS} attempts; "
                    f"{_size(part)} bytes are kept, run the command again to go on)"
                ) from None
        time.sleep(pause_s * 2**failures)


def _attempt(url: str, part: Path, progress: Progress) -> None:
    """Fetch what `part` still lacks; `_Interrupted` if less arrives."""
    version = _stored_version(part, url)
    at_hand = _size(part)
    if version.total_bytes is not None and version.total_bytes == at_hand:
        return
    with _request(url, part, version, at_hand) as response:
        resumed = _is_continuation(response, part, version, at_hand)
        total = version.total_bytes if resumed else _content_length(response)
        with part.open("ab" if resumed else "wb") as stream:
            if not resumed:
                version = _Version(url, _validator(response), total)
                _store_version(part, version)
            _receive(response, stream, total, progress)
    received = _size(part)
    if total is not None and received < total:
        raise _Interrupted(f"got {received} of {total} bytes")
    if total is not None and received > total:
        _forget(part)
        raise _Interrupted(f"got {received} bytes, more than the {total} announced")
    _store_version(part, _Version(url, version.validator, received))


def _request(url: str, part: Path, version: _Version, at_hand: int) -> http.client.HTTPResponse:
    """Ask for the file, or for the rest of the very version that `part` begins with."""
    headers = {"User-Agent": "keyword-spotting-data"}
    if at_hand and version.validator:
        headers |= {"Range": f"bytes={at_hand}-", "If-Range": version.validator}
    request = urllib.request.Request(url, headers=headers)
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # no such range: the file became shorter
            _forget(part)
        elif error.code < 500 and error.code not in _WORTH_A_RETRY:
            raise ValueError(
                f"{url}: expected a file, got HTTP {error.code} {error.reason}"
            ) from None
        raise _Interrupted(f"got HTTP {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise _Interrupted(f"got no connection: {error.reason}") from None
    except (OSError, http.client.HTTPException) as error:
        raise _Interrupted(f"got no answer: {error!r}") from None
    return response


def _is_continuation(
    response: http.client.HTTPResponse, part: Path, version: _Version, at_hand: int
) -> bool:
    """True if the answer starts where `part` ends, False if it is the whole file."""
    if response.status == 200:
        return False
    expected = f"bytes {at_hand}-"
    found = response.headers.get("Content-Range", "")
    same_total = version.total_bytes is None or found.endswith(f"/{version.total_bytes}")
    same_file = _validator(response) in (None, version.validator)
    if response.status == 206 and found.startswith(expected) and same_total and same_file:
        return True
    _forget(part)
    raise _Interrupted(f"got HTTP {response.status} with another range or version ({found!r})")


def _receive(
    response: http.client.HTTPResponse, stream: BinaryIO, total: int | None, progress: Progress
) -> None:
    progress(stream.tell(), total)
    while True:
        try:
            chunk = response.read(_CHUNK_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise _Interrupted(f"the connection broke: {error!r}") from None
        if not chunk:
            return
        stream.write(chunk)
        progress(stream.tell(), total)


def _validator(response: http.client.HTTPResponse) -> str | None:
    """Return what tells versions of a file apart: a strong ETag, or the time of its last change."""
    etag = response.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")


def _content_length(response: http.client.HTTPResponse) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _version_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _store_version(part: Path, version: _Version) -> None:
    files.write_text(_version_path(part), json.dumps(asdict(version), indent=2) + "\n")


def _stored_version(part: Path, url: str) -> _Version:
    """Return what `part` is the beginning of; one whose origin is not known is started anew."""
    try:
        version = _Version(**json.loads(_version_path(part).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        version = _Version("", None, None)
    if version.url != url:
        _forget(part)
        return _Version(url, None, None)
    return version


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _version_path(part).unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
