"""Archive files: the same bytes each time, and one clear error for whatever is not one."""

from __future__ import annotations

import io
import json
import pickle
import random
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from golden import archive
from golden.archive import Archive, archive_bytes, read_archive, write_archive

DESCRIPTION = {"name": "küche", "sizes": [1, 2, 3], "scale": 0.5, "nested": {"none": None}}
ARRAYS = {
    "b.weights": np.arange(-4, 8, dtype=np.int8).reshape(3, 2, 2),
    "a": np.array([2**40, -1]),
    "scalar": np.array(3, np.int32),
    "empty": np.zeros((0, 4), np.float32),
}
ORIGINAL_DIGEST = archive.digest_of("test", DESCRIPTION, ARRAYS)


def members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as container:
        return {name: container.read(name) for name in container.namelist()}


def zipped(contents: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as container:
        for name, content in contents.items():
            container.writestr(name, content)
    return buffer.getvalue()


def npy(array: np.ndarray, allow_pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=allow_pickle)
    return buffer.getvalue()


def read(tmp_path: Path, content: bytes, kind: str = "test") -> Archive:
    path = tmp_path / "file.npz"
    path.write_bytes(content)
    return read_archive(path, kind)


def expect_refused_or_same(tmp_path: Path, content: bytes) -> None:
    """Dates and white space may change; all else gives an error that names the file."""
    try:
        stored = read(tmp_path, content)
    except ValueError as error:
        assert "file.npz: " in str(error)
    else:
        assert archive.digest_of("test", stored.description, stored.arrays) == ORIGINAL_DIGEST


@pytest.fixture(scope="module")
def content() -> bytes:
    return archive_bytes("test", DESCRIPTION, ARRAYS)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.npz"
    write_archive(path, "test", DESCRIPTION, ARRAYS)
    stored = read_archive(path, "test")
    assert (stored.kind, stored.description) == ("test", DESCRIPTION)
    assert stored.digest == archive.digest_of("test", DESCRIPTION, ARRAYS)
    assert set(stored.arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert stored.arrays[name].dtype == array.dtype
        assert stored.arrays[name].shape == array.shape
        assert np.array_equal(stored.arrays[name], array)
        assert not stored.arrays[name].flags.writeable


def test_numpy_reads_the_arrays_by_themselves(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file.npz").write_bytes(content)
    with np.load(tmp_path / "file.npz", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["b.weights"], ARRAYS["b.weights"])


def test_bytes_depend_on_content_alone(content: bytes) -> None:
    reordered = dict(reversed(ARRAYS.items()))
    strided = {**ARRAYS, "b.weights": np.asfortranarray(ARRAYS["b.weights"])}
    big_endian = {**ARRAYS, "a": ARRAYS["a"].astype(">i8")}
    for arrays in (reordered, strided, big_endian):
        assert archive_bytes("test", DESCRIPTION, arrays) == content


def test_digest_changes_with_kind_description_name_type_shape_and_value() -> None:
    array = np.arange(6, dtype=np.int8)
    variants = [
        ("test", {"x": 1}, {"a": array}),
        ("text", {"x": 1}, {"a": array}),
        ("test", {"x": 2}, {"a": array}),
        ("test", {"x": 1.0}, {"a": array}),
        ("test", {"x": 1, "y": None}, {"a": array}),
        ("test", {"x": 1}, {"b": array}),
        ("test", {"x": 1}, {"a": array.astype(np.uint8)}),
        ("test", {"x": 1}, {"a": array.astype(np.int16)}),
        ("test", {"x": 1}, {"a": array.reshape(2, 3)}),
        ("test", {"x": 1}, {"a": array.reshape(3, 2)}),
        ("test", {"x": 1}, {"a": array[::-1]}),
        ("test", {"x": 1}, {"a": array, "b": array}),
        ("test", {"x": 1}, {}),
    ]
    digests = {archive.digest_of(*variant) for variant in variants}
    assert len(digests) == len(variants)


def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, content: bytes) -> None:
    for length in [*range(0, len(content), 7), len(content) - 1]:
        with pytest.raises(ValueError, match=r"file\.npz: expected a test file, found a truncated"):
            read(tmp_path, content[:length])


def test_a_file_with_any_byte_changed_is_refused_or_reads_the_same(
    tmp_path: Path, content: bytes
) -> None:
    for offset in range(0, len(content), 3):
        changed = bytearray(content)
        changed[offset] ^= 0x41
        expect_refused_or_same(tmp_path, bytes(changed))


def test_damaged_members_in_a_sound_container_are_refused(tmp_path: Path, content: bytes) -> None:
    sound = members(content)
    chance = random.Random(0)
    for name in sound:
        for _ in range(60):
            damaged = bytearray(sound[name])
            for _ in range(chance.randint(1, 3)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            expect_refused_or_same(tmp_path, zipped({**sound, name: bytes(damaged)}))


FOREIGN: dict[str, Any] = {
    "nothing": b"",
    "text": b"hello\n" * 100,
    "pickle": pickle.dumps({"a": 1}),
    "zip of text": zipped({"readme.txt": b"hello"}),
    "empty zip": zipped({}),
    "no arrays' format": zipped({"description.json": b"{}", "a.npy": b"hello"}),
    "plain .npz": zipped({"a.npy": npy(np.arange(3))}),
    "JSON cut off": zipped({"description.json": b'{"kind": "te'}),
    "not UTF-8": zipped({"description.json": b'{"kind": "\xff"}'}),
    "deep JSON": zipped({"description.json": b"[" * 100_000}),
    "a list": zipped({"description.json": b"[]"}),
    "a number": zipped({"description.json": b"5"}),
    "no digest": zipped({"description.json": b'{"kind": "test", "description": {}}'}),
    "a list as description": zipped(
        {"description.json": b'{"kind": "test", "digest": "", "description": ["name"]}'}
    ),
    "text as description": zipped(
        {"description.json": b'{"kind": "test", "digest": "", "description": "name"}'}
    ),
    "null description": zipped(
        {"description.json": b'{"kind": "test", "digest": "", "description": null}'}
    ),
    "lzma cut off": zipped({"description.json": b"{}" * 99}, zipfile.ZIP_LZMA).replace(b"{", b"}"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_file_is_refused(tmp_path: Path, name: str) -> None:
    message = r"file\.npz: expected a test file, found a truncated or foreign one$"
    with pytest.raises(ValueError, match=message):
        read(tmp_path, FOREIGN[name])


def test_a_pickle_is_never_loaded(tmp_path: Path, content: bytes) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, Any]:
            return (Path.touch, (tmp_path / "sprung",))

    trap = npy(np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="truncated or foreign"):
        read(tmp_path, zipped({**members(content), "a.npy": trap}))
    assert not (tmp_path / "sprung").exists()


def test_a_tampered_array_is_refused_with_both_digests(tmp_path: Path, content: bytes) -> None:
    changed = {**ARRAYS, "a": ARRAYS["a"] + 1}
    found = archive.digest_of("test", DESCRIPTION, changed)
    message = f"digest does not match, declared {ORIGINAL_DIGEST}, content has {found}$"
    with pytest.raises(ValueError, match=message):
        read(tmp_path, zipped({**members(content), "a.npy": npy(changed["a"])}))


@pytest.mark.parametrize("change", [{"a": np.zeros(1)}, {"spare": np.zeros(1)}])
def test_missing_and_additional_arrays_are_refused(
    tmp_path: Path, content: bytes, change: dict[str, np.ndarray]
) -> None:
    more = {**members(content), **{f"{name}.npy": npy(array) for name, array in change.items()}}
    fewer = {name: member for name, member in members(content).items() if name != "a.npy"}
    for contents in (more, fewer):
        with pytest.raises(ValueError, match="digest does not match"):
            read(tmp_path, zipped(contents))


def test_a_tampered_description_is_refused(tmp_path: Path, content: bytes) -> None:
    header = json.loads(members(content)["description.json"])
    for key, value in {"name": "kuche", "sizes": [1, 2], "more": 1}.items():
        changed = {**header, "description": {**header["description"], key: value}}
        with pytest.raises(ValueError, match="digest does not match"):
            read(tmp_path, zipped({**members(content), "description.json": _json(changed)}))
    for digest in (None, 5, "", header["digest"].upper()):
        with pytest.raises(ValueError, match=f"digest does not match, declared {digest}, content"):
            read(tmp_path, zipped({**members(content), "description.json": _json(
                {**header, "digest": digest})}))  # fmt: skip


def test_another_kind_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match=r"expected a network file, found one of kind 'test'$"):
        read(tmp_path, content, kind="network")


def test_a_file_that_claims_too_much_is_not_unpacked(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked = sum(map(len, members(content).values()))
    monkeypatch.setattr(archive, "MAX_CONTENT_BYTES", unpacked)
    assert read(tmp_path, content).kind == "test"
    monkeypatch.setattr(archive, "MAX_CONTENT_BYTES", unpacked - 1)
    with pytest.raises(ValueError, match="found a truncated or foreign one") as caught:
        read(tmp_path, content)
    assert str(caught.value.__cause__) == f"content: expected at most {unpacked - 1} bytes"


def test_an_array_that_claims_a_huge_shape_is_refused(tmp_path: Path, content: bytes) -> None:
    huge = npy(np.zeros((1, 16), np.int8)).replace(b"(1, 16)", b"(10**9)")
    for shape in (b"(9999999999999,)", b"(-1, 16)", b"(2**63, )"):
        member = re.sub(rb"'shape': .*?, }", b"'shape': " + shape + b", }", huge)
        with pytest.raises(ValueError, match="truncated or foreign"):
            read(tmp_path, zipped({**members(content), "a.npy": member}))


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone: expected a test file, found nothing"):
        read_archive(tmp_path / "gone", "test")
    with pytest.raises(FileNotFoundError, match=r": expected a test file, found a folder$"):
        read_archive(tmp_path, "test")


def test_an_unreadable_file_is_reported_as_such(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise PermissionError(13, "Permission denied", "file.npz")

    (tmp_path / "file.npz").write_bytes(content)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError):
        read_archive(tmp_path / "file.npz", "test")


def test_read_only_copies() -> None:
    array = np.arange(4)
    copy = archive.read_only(array)
    array[0] = 9
    assert copy.tolist() == [0, 1, 2, 3]


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
