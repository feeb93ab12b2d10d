"""The export: every artefact from network and fingerprints alone, all written or none."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from golden.c.header_reader import read_header
from golden.exports.cases import read_cases
from golden.exports.dump import compare_dumps, dump_clip, read_dump
from golden.exports.export import Export, check_export, export_network, write_export
from golden.exports.extremes import read_extremes
from golden.exports.text_weights import read_weight_text
from golden.network import IntegerNetwork
from tests.networks import networks_with_fingerprints, random_fingerprints, random_network

NETWORK = random_network(2, filters=3, outputs=2)
FINGERPRINTS = random_fingerprints(2, 30)
LABEL_INDICES = np.arange(30) % 4
OTHER = random_network(3, filters=3, outputs=2)


@pytest.fixture(scope="module")
def export() -> Export:
    return export_network(NETWORK, FINGERPRINTS, LABEL_INDICES)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "weights", tmp_path / "vectors"


def listing(*folders: Path) -> dict[str, bytes]:
    files = [path for folder in folders for path in folder.iterdir()]
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in files}


def test_the_export_is_complete(export: Export) -> None:
    assert list(export.weights) == [
        *("network.npz", "weight.h", "network.h", "network.c", "example_weight.txt")
    ]
    assert list(export.vectors) == ["1.txt", "2.txt", "3.txt", "lots_of_case.txt", "cases.npz"]
    assert export.artefacts["weights/weight.h"] == export.weights["weight.h"]
    assert export.artefacts["vectors/1.txt"] == export.vectors["1.txt"]
    assert len(export.artefacts) == 10


def test_every_artefact_carries_the_digest(export: Export) -> None:
    for name, content in export.artefacts.items():
        assert NETWORK.digest.encode() in content or name.endswith(".npz")


def test_every_artefact_is_read_back(export: Export, folders: tuple[Path, Path]) -> None:
    weights, vectors = folders
    write_export(export, weights, vectors)
    assert IntegerNetwork.load(weights / "network.npz").digest == NETWORK.digest
    assert read_header(weights / "weight.h").digest == NETWORK.digest
    assert read_weight_text(weights / "example_weight.txt").digest == NETWORK.digest
    assert read_extremes(vectors / "lots_of_case.txt").digest == NETWORK.digest
    assert read_cases(vectors / "cases.npz", NETWORK).fingerprints.tolist() == FINGERPRINTS.tolist()
    for clip in range(3):
        expected = dump_clip(NETWORK, FINGERPRINTS[clip], clip, clip % 4)
        assert compare_dumps(expected, read_dump(vectors / f"{clip + 1}.txt")).total > 0


def test_other_clips_can_be_dumped(folders: tuple[Path, Path]) -> None:
    export = export_network(NETWORK, FINGERPRINTS, LABEL_INDICES, dumped_clips=(29, 5))
    write_export(export, *folders)
    assert [read_dump(folders[1] / name).clip for name in ("1.txt", "2.txt")] == [29, 5]
    assert not (folders[1] / "3.txt").exists()


@settings(max_examples=10)
@given(networks_with_fingerprints(max_count=3))
def test_any_network_is_exported_to_the_same_bytes_each_time(
    case: tuple[IntegerNetwork, Any],
) -> None:
    network, fingerprints = case
    clips = range(len(fingerprints))
    labels = np.zeros(len(fingerprints), np.int64)
    first = export_network(network, fingerprints, labels, clips)
    rebuilt = IntegerNetwork(network.nodes, network.labels, network.input_shape, network.features)
    second = export_network(rebuilt, fingerprints.astype(np.int64), labels.astype(np.int8), clips)
    assert first == second


def test_the_manifest_lists_every_file(export: Export, folders: tuple[Path, Path]) -> None:
    write_export(export, *folders, {"evidence.json": b"{}"})
    found = listing(*folders)
    manifest = json.loads(found.pop("weights/manifest.json"))
    assert manifest["network_digest"] == NETWORK.digest == check_export(*folders)
    assert {
        f"{group}/{name}": (entry["sha256"], entry["size_bytes"])
        for group, entries in manifest["files"].items()
        for name, entry in entries.items()
    } == {
        name: (hashlib.sha256(content).hexdigest(), len(content)) for name, content in found.items()
    }


def test_a_changed_file_is_found(export: Export, folders: tuple[Path, Path]) -> None:
    write_export(export, *folders)
    for path in [*folders[0].iterdir(), *folders[1].iterdir()]:
        if path.name == "manifest.json":
            continue
        content = path.read_bytes()
        path.write_bytes(content + b" ")
        with pytest.raises(
            ValueError, match=f"{path.name}: digest does not match, .*manifest.json"
        ):
            check_export(*folders)
        path.unlink()
        with pytest.raises(FileNotFoundError):
            check_export(*folders)
        path.write_bytes(content)
    assert check_export(*folders) == NETWORK.digest


@pytest.mark.parametrize("content", ["", "{}", "[]", "5", '{"network_digest": "", "files": []}'])
def test_a_foreign_manifest_is_refused(
    export: Export, folders: tuple[Path, Path], content: str
) -> None:
    write_export(export, *folders)
    (folders[0] / "manifest.json").write_text(content)
    with pytest.raises(ValueError, match=r"manifest\.json: expected a manifest, found a truncated"):
        check_export(*folders)


@pytest.mark.parametrize("number", [0, 5, 8, 9, 16])
def test_a_full_disk_leaves_the_old_export(
    export: Export, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    expect_old_export_kept(export, folders, monkeypatch, os, "fsync", number, errno.ENOSPC)


@pytest.mark.parametrize("number", [0, 3, 8])
def test_a_failing_rename_leaves_the_old_export(
    export: Export, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    expect_old_export_kept(export, folders, monkeypatch, Path, "replace", number, errno.EROFS)


def expect_old_export_kept(
    export: Export,
    folders: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    number: int,
    code: int,
) -> None:
    """Let call `number` of `owner.name` fail while another network's export is written."""
    write_export(export, *folders)
    before = listing(*folders)
    real, calls = getattr(owner, name), iter(range(1_000))

    def call(*args: Any) -> Any:
        if next(calls) == number:
            raise OSError(code, os.strerror(code))
        return real(*args)

    other = export_network(OTHER, FINGERPRINTS, LABEL_INDICES)
    monkeypatch.setattr(owner, name, call)
    with pytest.raises(OSError, match=os.strerror(code)):
        write_export(other, *folders, overwrite=True)
    assert listing(*folders) == before
    assert check_export(*folders) == NETWORK.digest


def test_an_export_of_another_network_is_replaced_only_when_asked(
    export: Export, folders: tuple[Path, Path]
) -> None:
    write_export(export, *folders)
    before = listing(*folders)
    other = export_network(OTHER, FINGERPRINTS, LABEL_INDICES)
    for place in (folders, (folders[0].with_name("new"), folders[1])):
        with pytest.raises(ValueError, match=r": expected nothing or a file of network \w{12}, fo"):
            write_export(other, *place)
        assert listing(*folders) == before
        assert not folders[0].with_name("new").exists()
    write_export(other, *folders, overwrite=True)
    assert check_export(*folders) == OTHER.digest


def test_an_export_of_the_same_network_is_replaced(
    export: Export, folders: tuple[Path, Path]
) -> None:
    write_export(export, *folders, {"evidence.json": b"{}"})
    changed = replace(export, weights={**export.weights, "network.c": b"/* of a later version */"})
    write_export(changed, *folders, {"evidence.json": b"{} "})
    assert (folders[0] / "network.c").read_bytes() == b"/* of a later version */"
    assert check_export(*folders) == NETWORK.digest


def test_what_a_network_was_made_from_is_replaced_only_when_asked(
    export: Export, folders: tuple[Path, Path]
) -> None:
    """Latent weights may differ where their integers are equal."""
    write_export(export, *folders, sources={"a.npz": b"latent weights"})
    write_export(export, *folders, sources={"a.npz": b"latent weights"})
    with pytest.raises(ValueError, match=r"a\.npz: expected nothing or a file of network"):
        write_export(export, *folders, sources={"a.npz": b"others"})
    assert (folders[0] / "a.npz").read_bytes() == b"latent weights"


def test_a_file_that_no_manifest_lists_stays(export: Export, folders: tuple[Path, Path]) -> None:
    folders[0].mkdir(parents=True)
    (folders[0] / "weight.h").write_text("mine")
    with pytest.raises(ValueError, match=r"weight\.h: .* \(--overwrite replaces it\)$"):
        write_export(export, *folders)
    assert [path.read_text() for path in folders[0].iterdir()] == ["mine"]
    assert not folders[1].exists()


def test_too_few_fingerprints_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^fingerprints: expected more than 2, got 2$"):
        export_network(NETWORK, FINGERPRINTS[:2], LABEL_INDICES[:2])
    with pytest.raises(ValueError, match=r"^fingerprints: expected at least one, got none$"):
        export_network(NETWORK, FINGERPRINTS[:0], LABEL_INDICES[:0], dumped_clips=())


def test_labels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^label_indices: expected shape \(30,\), got \(29,\)$"):
        export_network(NETWORK, FINGERPRINTS, LABEL_INDICES[:29])
