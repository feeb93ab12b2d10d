"""Downloads from a server on this machine that cuts, forgets, changes and refuses as told."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import re
import resource
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quant_models import download

Answer = Callable[["Handler"], None]

CONTENT = bytes(range(256)) * 4_000
OTHER = CONTENT[::-1]
DIGEST = hashlib.sha256(CONTENT).hexdigest()
OTHER_DIGEST = hashlib.sha256(OTHER).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Gives the server's next answer and notes the range that was asked for."""

    server: Server

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers.get("Range"))
        self.server.answers.pop(0)(self)

    def reply(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test output clean."""


class Server(http.server.ThreadingHTTPServer):
    """Answers request after request as `answers` says."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = []
        self.ranges: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_port}/data/speech.tar.gz"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def whole(content: bytes = CONTENT, etag: str | None = '"one"', sent: int | None = None) -> Answer:
    """Answer with the whole file, whatever was asked for, and hang up after `sent` bytes."""
    headers = {"Content-Length": str(len(content))} | ({"ETag": etag} if etag else {})
    return lambda handler: handler.reply(200, headers, content[:sent])


def rest(
    content: bytes = CONTENT, etag: str = '"one"', sent: int | None = None, obey: bool = True
) -> Answer:
    """Answer with the range asked for; `obey` the condition that the file is still the same."""

    def answer(handler: Handler) -> None:
        start = int(re.fullmatch(r"bytes=(\d+)-", handler.headers["Range"] or "bytes=0-")[1])
        if obey and handler.headers["If-Range"] != etag:
            whole(content, etag)(handler)
            return
        headers = {
            "Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}",
            "Content-Length": str(len(content) - start),
            "ETag": etag,
        }
        handler.reply(206, headers, content[start:][:sent])

    return answer


def status(code: int) -> Answer:
    return lambda handler: handler.reply(code, {"Content-Length": "0"})


def fetch(server: Server, folder: Path, sha256: str | None = DIGEST) -> Path:
    """Fetch without pauses, and see that every answer was needed."""
    try:
        return download.fetch_archive(server.url, folder, sha256, lambda at, total: None, 0.0)
    finally:
        assert server.answers == []


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_arrives_whole_and_is_asked_for_once(server: Server, tmp_path: Path) -> None:
    server.answers = [whole()]
    archive = fetch(server, tmp_path / "new" / "folder")
    assert archive == tmp_path / "new" / "folder" / "speech.tar.gz"
    assert archive.read_bytes() == CONTENT
    assert names(archive.parent) == ["speech.tar.gz"]
    assert fetch(server, archive.parent) == archive
    assert server.ranges == [None]


def test_progress_tells_bytes_at_hand_and_in_all(server: Server, tmp_path: Path) -> None:
    server.answers = [whole(sent=300_000), rest()]
    told: list[tuple[int, int | None]] = []
    download.fetch_archive(
        server.url, tmp_path, DIGEST, lambda at, total: told.append((at, total)), 0.0
    )
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert (300_000, len(CONTENT)) in told
    assert told == sorted(told)


def test_length_need_not_be_told(server: Server, tmp_path: Path) -> None:
    server.answers = [lambda handler: handler.reply(200, {}, CONTENT)]
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_cut_transfer_goes_on_where_it_ended(server: Server, tmp_path: Path) -> None:
    server.answers = [whole(sent=1_000), rest(sent=2_000), status(503), rest()]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=1000-", "bytes=3000-", "bytes=3000-"]


def test_many_cuts_are_forgiven_while_bytes_arrive(server: Server, tmp_path: Path) -> None:
    cuts = 3 * download.ATTEMPTS
    server.answers = [whole(sent=10)] + [rest(sent=10)] * cuts + [rest()]
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_part_survives_and_a_later_run_goes_on(server: Server, tmp_path: Path) -> None:
    server.answers = [whole(sent=5_000)] + [status(500)] * download.ATTEMPTS
    with pytest.raises(
        ConnectionError,
        match=r"speech\.tar\.gz: expected the whole file, got HTTP 500 .*5000 bytes are kept",
    ):
        fetch(server, tmp_path)
    assert (tmp_path / "speech.tar.gz.part").read_bytes() == CONTENT[:5_000]
    server.answers = [rest()]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges[-1] == "bytes=5000-"
    assert names(tmp_path) == ["speech.tar.gz"]


def test_interrupt_keeps_the_part(server: Server, tmp_path: Path) -> None:
    def interrupt(at_hand: int, total: int | None) -> None:
        if at_hand:
            raise KeyboardInterrupt

    server.answers = [whole()]
    with pytest.raises(KeyboardInterrupt):
        download.fetch_archive(server.url, tmp_path, DIGEST, interrupt, 0.0)
    at_hand = (tmp_path / "speech.tar.gz.part").stat().st_size
    server.answers = [rest()]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges[-1] == f"bytes={at_hand}-"


def test_full_disk_ends_the_download_at_once_and_keeps_the_part(
    server: Server, tmp_path: Path
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    server.answers = [whole()]
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            fetch(server, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    server.answers = [rest()]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-"]


def test_server_without_ranges_sends_all_again(server: Server, tmp_path: Path) -> None:
    server.answers = [whole(sent=1_000), whole()]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=1000-"]


def test_file_without_a_version_is_never_continued(server: Server, tmp_path: Path) -> None:
    server.answers = [whole(etag=None, sent=1_000), whole(etag='W/"weak"', sent=1_000), whole()]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, None, None]


def test_time_of_change_serves_as_version(server: Server, tmp_path: Path) -> None:
    changed = {"Last-Modified": "Tue, 01 Oct 2024 10:00:00 GMT"}
    conditions: list[str | None] = []

    def second_half(handler: Handler) -> None:
        conditions.append(handler.headers["If-Range"])
        content_range = f"bytes 1000-{len(CONTENT) - 1}/{len(CONTENT)}"
        handler.reply(206, changed | {"Content-Range": content_range}, CONTENT[1_000:])

    length = {"Content-Length": str(len(CONTENT))}
    server.answers = [
        lambda handler: handler.reply(200, changed | length, CONTENT[:1_000]),
        second_half,
    ]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert conditions == ["Tue, 01 Oct 2024 10:00:00 GMT"]


@pytest.mark.parametrize("obey", [True, False])
def test_file_that_changes_between_attempts_is_started_anew(
    server: Server, tmp_path: Path, obey: bool
) -> None:
    server.answers = [whole(sent=1_000), rest(OTHER, etag='"two"', obey=obey)]
    if not obey:
        server.answers.append(whole(OTHER, etag='"two"'))
    assert fetch(server, tmp_path, OTHER_DIGEST).read_bytes() == OTHER


def test_file_that_became_shorter_is_started_anew(server: Server, tmp_path: Path) -> None:
    server.answers = [whole(OTHER + OTHER, sent=len(OTHER) + 10), status(416), whole(etag='"two"')]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges[-1] is None


@pytest.mark.parametrize("content_range", ["bytes 0-9/1024000", "bytes 1000-1999/2000", ""])
def test_answer_with_another_range_is_not_appended(
    server: Server, tmp_path: Path, content_range: str
) -> None:
    headers = {"Content-Range": content_range, "Content-Length": "10", "ETag": '"one"'}
    server.answers = [
        whole(sent=1_000),
        lambda handler: handler.reply(206, headers, b"0123456789"),
        whole(),
    ]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=1000-", None]


def test_more_bytes_than_announced_are_thrown_away(server: Server, tmp_path: Path) -> None:
    headers = {"Content-Range": f"bytes 1000-{len(CONTENT) - 1}/{len(CONTENT)}"}
    server.answers = [
        whole(sent=1_000),
        lambda handler: handler.reply(206, headers, CONTENT[1_000:] + b"more"),
        whole(),
    ]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=1000-", None]


def test_nothing_at_hand_is_nothing_to_continue(server: Server, tmp_path: Path) -> None:
    server.answers = [whole(sent=0), whole()]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, None]


def test_part_of_another_address_is_not_continued(server: Server, tmp_path: Path) -> None:
    (tmp_path / "speech.tar.gz.part").write_bytes(b"something else")
    version = {"url": "http://elsewhere/speech.tar.gz", "validator": '"one"', "total_bytes": 14}
    (tmp_path / "speech.tar.gz.part.json").write_text(json.dumps(version))
    server.answers = [whole()]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None]


@pytest.mark.parametrize("note", [None, "not JSON", '{"unknown": 1}'])
def test_part_of_unknown_origin_is_not_continued(
    server: Server, tmp_path: Path, note: str | None
) -> None:
    (tmp_path / "speech.tar.gz.part").write_bytes(b"something else")
    if note is not None:
        (tmp_path / "speech.tar.gz.part.json").write_text(note)
    server.answers = [whole()]
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_wrong_archive_is_removed_and_both_digests_named(server: Server, tmp_path: Path) -> None:
    server.answers = [whole(OTHER)]
    with pytest.raises(ValueError) as caught:
        fetch(server, tmp_path)
    assert str(caught.value) == f"{server.url}: expected SHA-256 {DIGEST}, got {OTHER_DIGEST}"
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "answer", [whole(), lambda handler: handler.reply(200, {}, CONTENT)], ids=["length", "none"]
)
def test_without_digest_the_found_one_is_told_and_nothing_is_lost(
    server: Server, tmp_path: Path, answer: Answer
) -> None:
    server.answers = [answer]
    with pytest.raises(ValueError, match=rf"got none; the file has {DIGEST}: if you trust it"):
        fetch(server, tmp_path, None)
    assert names(tmp_path) == ["speech.tar.gz.part", "speech.tar.gz.part.json"]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None]


def test_other_file_of_that_name_stays_and_is_an_error(server: Server, tmp_path: Path) -> None:
    (tmp_path / "speech.tar.gz").write_bytes(OTHER)
    with pytest.raises(
        ValueError,
        match=rf"speech\.tar\.gz \(delete it to download it anew\): expected .*{OTHER_DIGEST}",
    ):
        fetch(server, tmp_path)
    assert (tmp_path / "speech.tar.gz").read_bytes() == OTHER


@pytest.mark.parametrize("code", [403, 404, 410])
def test_refusal_is_not_repeated(server: Server, tmp_path: Path, code: int) -> None:
    server.answers = [status(code)]
    with pytest.raises(ValueError, match=rf"speech\.tar\.gz: expected a file, got HTTP {code} "):
        fetch(server, tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("code", [408, 429, 500, 503])
def test_trouble_of_the_server_is_worth_a_retry(server: Server, tmp_path: Path, code: int) -> None:
    server.answers = [status(code)] * (download.ATTEMPTS - 1) + [whole()]
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_server_that_hangs_up_at_once_is_an_error(server: Server, tmp_path: Path) -> None:
    server.answers = [lambda handler: handler.connection.close()] * download.ATTEMPTS
    with pytest.raises(ConnectionError, match="expected the whole file, got no "):
        fetch(server, tmp_path)


def test_no_server_is_an_error(tmp_path: Path) -> None:
    with Server() as closed:
        url = closed.url
    with pytest.raises(ConnectionError, match="expected the whole file, got no connection: "):
        download.fetch_archive(url, tmp_path, DIGEST, lambda at, total: None, 0.0)


def test_silent_server_is_given_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TIMEOUT_S", 0.05)
    silence = threading.Event()
    server.answers = [lambda handler: handler.reply(200, {}) or silence.wait(5)] * 2
    monkeypatch.setattr(download, "ATTEMPTS", 2)
    with pytest.raises(ConnectionError, match="the connection broke: TimeoutError"):
        fetch(server, tmp_path)
    silence.set()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "speech.tar.gz",
        "ftp://host/speech.tar.gz",
        "file:///etc/speech.tar.gz",
        "http://host",
        "http://host/",
        "http:///speech.tar.gz",
        "http://host/..",
        "http://host/%2e%2e",
        "http://host:port/speech.tar.gz",
        "http://[::1/speech.tar.gz",
        "http://host/a b.tar.gz",
        "http://host/\u00e4.tar.gz",
        "http://host/a%00.tar.gz",
    ],
)
def test_address_must_name_a_file(url: str) -> None:
    with pytest.raises(ValueError, match=r"^data_url: expected http\(s\)://HOST/\.\.\./FILE, got "):
        download.split_digest(url, DIGEST)


def test_encoded_slash_does_not_leave_the_folder(server: Server, tmp_path: Path) -> None:
    server.url = server.url.replace("speech.tar.gz", "..%2f..%2fetc%2fspeech.tar.gz")
    server.answers = [whole()]
    assert fetch(server, tmp_path) == tmp_path / "speech.tar.gz"


def test_digest_comes_from_url_or_argument() -> None:
    url = "http://host/a.zip"
    expected = (url, DIGEST)
    assert download.split_digest(f"{url}#sha256={DIGEST}", None) == expected
    assert download.split_digest(url, DIGEST.upper()) == expected
    assert download.split_digest(f"{url}#sha256={DIGEST}", DIGEST) == expected
    assert download.split_digest(url, None) == (url, None)


@pytest.mark.parametrize(
    ("fragment", "sha256", "message"),
    [
        ("#md5=0", None, "data_url: expected #sha256=DIGEST at its end, got #md5=0"),
        ("#sha256=0g", None, "data_sha256: expected 64 hexadecimal digits, got '0g'"),
        ("", DIGEST[:-1], "data_sha256: expected 64 hexadecimal digits, got "),
        (f"#sha256={DIGEST}", OTHER_DIGEST, f"expected one digest, got {DIGEST} and "),
    ],
)
def test_digest_must_be_one_of_64_digits(fragment: str, sha256: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        download.split_digest(f"http://host/a.zip{fragment}", sha256)


def speech_archive() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("./yes/a_nohash_0.wav")
        member.size = 5
        tar.addfile(member, io.BytesIO(b"sound"))
    return packed.getvalue()


def fetch_data(server: Server, folder: Path, sha256: str | None) -> Path:
    return download.download_data_set(server.url, folder, sha256, lambda at, total: None, 0.0)


def test_data_set_is_downloaded_unpacked_and_found_again(server: Server, tmp_path: Path) -> None:
    archive = speech_archive()
    digest = hashlib.sha256(archive).hexdigest()
    folder = tmp_path / "speech"
    server.answers = [whole(archive, sent=50), rest(archive)]
    assert fetch_data(server, folder, digest) == folder
    assert (folder / "yes" / "a_nohash_0.wav").read_bytes() == b"sound"
    assert names(tmp_path) == ["speech", "speech.download"]
    assert fetch_data(server, folder, digest) == folder
    assert fetch_data(server, folder, None) == folder
    assert len(server.ranges) == 2


def test_data_set_of_another_digest_is_an_error(server: Server, tmp_path: Path) -> None:
    archive = speech_archive()
    digest = hashlib.sha256(archive).hexdigest()
    server.answers = [whole(archive)]
    folder = fetch_data(server, tmp_path / "speech", digest)
    with pytest.raises(ValueError, match=rf"speech: expected .*{DIGEST}, got .*{digest}$"):
        fetch_data(server, folder, DIGEST)
    (folder / download.MARKER).write_text("{}")
    with pytest.raises(ValueError, match=r"json: expected where the data came from$"):
        fetch_data(server, folder, digest)


def test_folder_in_use_is_not_touched_and_nothing_is_downloaded(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "mine.wav").write_bytes(b"mine")
    with pytest.raises(ValueError, match="expected a new or empty folder to unpack into"):
        fetch_data(server, tmp_path, DIGEST)
    assert names(tmp_path) == ["mine.wav"]
    assert server.ranges == []


def test_broken_archive_leaves_no_folder(server: Server, tmp_path: Path) -> None:
    server.answers = [whole()]
    with pytest.raises(ValueError, match="expected a tar or zip archive, got something else"):
        fetch_data(server, tmp_path / "speech", DIGEST)
    assert names(tmp_path) == ["speech.download"]
