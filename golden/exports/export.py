"""The whole export of a network: every artefact, a function of network and fingerprints alone.

Weights (`network.npz`, `weight.h`, `network.h`, `network.c`, `example_weight.txt`) and vectors
(`1.txt`, `2.txt`, `3.txt`, `lots_of_case.txt`, `cases.npz`) go to two folders; `manifest.json`
beside the weights lists the files of both with their digests. Everything is written together or not
at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from golden import files
from golden.c.header import weight_header
from golden.c.source import network_header, network_source
from golden.exports.cases import make_cases
from golden.exports.dump import dump_clip, dump_text
from golden.exports.evidence import json_bytes, sha256
from golden.exports.extremes import extremes_text, measure_extremes
from golden.exports.text_weights import weight_text
from golden.network import IntegerNetwork

MANIFEST = "manifest.json"
DUMPED_CLIPS = (0, 1, 2)


@dataclass(frozen=True)
class Export:
    """Contents by file name, for the folder of weights and for the folder of vectors."""

    network_digest: str
    weights: Mapping[str, bytes]
    vectors: Mapping[str, bytes]

    @property
    def artefacts(self) -> dict[str, bytes]:
        """Contents of both folders, by `weights/NAME` and `vectors/NAME`."""
        return {
            **{f"weights/{name}": content for name, content in self.weights.items()},
            **{f"vectors/{name}": content for name, content in self.vectors.items()},
        }


def export_network(
    network: IntegerNetwork,
    fingerprints: npt.NDArray[Any],
    label_indices: npt.NDArray[Any],
    dumped_clips: Sequence[int] = DUMPED_CLIPS,
) -> Export:
    """Build every artefact of a network; the same arguments give the same bytes.

    `fingerprints` are integers `(N, *input shape)` that the network takes, `label_indices` `(N,)`
    what was said. `1.txt` and on are the `dumped_clips`.

    Raises ValueError or TypeError for fingerprints or labels that do not fit the network.
    """
    cases = make_cases(network, fingerprints, label_indices)
    count = len(cases.fingerprints)
    if any(not 0 <= clip < count for clip in dumped_clips):
        raise ValueError(f"fingerprints: expected more than {max(dumped_clips)}, got {count}")
    extremes = measure_extremes(network, cases.fingerprints, cases.label_indices)
    dumps = [
        dump_clip(network, cases.fingerprints[clip], clip, int(cases.label_indices[clip]))
        for clip in dumped_clips
    ]
    return Export(
        network_digest=network.digest,
        weights={
            "network.npz": network.to_bytes(),
            "weight.h": weight_header(network).encode(),
            "network.h": network_header(network).encode(),
            "network.c": network_source(network).encode(),
            "example_weight.txt": weight_text(network).encode(),
        },
        vectors={
            **{f"{number}.txt": dump_text(dump).encode() for number, dump in enumerate(dumps, 1)},
            "lots_of_case.txt": extremes_text(extremes).encode(),
            "cases.npz": cases.to_bytes(),
        },
    )


def write_export(
    export: Export,
    weights_folder: Path,
    vectors_folder: Path,
    extra_weights: Mapping[str, bytes] | None = None,
    sources: Mapping[str, bytes] | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Write an export and its manifest; on any failure both folders keep what they had.

    `extra_weights` (widths, `evidence.json`) and `sources`, from which the network was made (the
    checkpoint), go beside the weights and into the manifest. Files of an earlier export of the same
    network are replaced, but for sources; others only with `overwrite`.

    Raises ValueError for a file that may not be replaced, OSError as the file system reports it.
    """
    weights = {**export.weights, **(extra_weights or {}), **(sources or {})}
    manifest = weights_folder / MANIFEST
    contents = {
        **{weights_folder / name: content for name, content in weights.items()},
        **{vectors_folder / name: content for name, content in export.vectors.items()},
        manifest: _manifest(export.network_digest, weights, export.vectors),
    }
    if not overwrite:
        ours = _files_of(export.network_digest, weights_folder, vectors_folder)
        ours -= {weights_folder / name for name in sources or {}}
        _expect_replaceable(contents, ours, export.network_digest)
    files.write_together(contents)


def check_export(weights_folder: Path, vectors_folder: Path) -> str:
    """Return the network digest of an export whose files are all what its manifest says.

    Raises OSError for a missing file and ValueError for one whose content is another.
    """
    path = weights_folder / MANIFEST
    digest, entries = _read_manifest(weights_folder, vectors_folder)
    for file, expected in entries.items():
        found = sha256(file.read_bytes())
        if found != expected:
            raise ValueError(
                f"{file}: digest does not match, {path} has {expected}, content has {found}"
            )
    return digest


def _read_manifest(weights_folder: Path, vectors_folder: Path) -> tuple[str, dict[Path, str]]:
    """Return the network digest of an export, and the digest of each of its files."""
    path = weights_folder / MANIFEST
    try:
        manifest = json.loads(files.read_text(path))
        groups = manifest["files"]
        entries = {
            folder / name: str(entry["sha256"])
            for group, folder in (("weights", weights_folder), ("vectors", vectors_folder))
            for name, entry in groups[group].items()
        }
        return str(manifest["network_digest"]), entries
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: expected a manifest, found a truncated or foreign file"
        ) from error


def _files_of(digest: str, weights_folder: Path, vectors_folder: Path) -> set[Path]:
    """Return the files of an earlier export of the network, its manifest among them."""
    try:
        found, entries = _read_manifest(weights_folder, vectors_folder)
    except (OSError, ValueError):
        return set()
    return {*entries, weights_folder / MANIFEST} if found == digest else set()


def _expect_replaceable(contents: Mapping[Path, bytes], ours: set[Path], digest: str) -> None:
    """Raise ValueError for a file of other content that is none of `ours`."""
    for path, content in contents.items():
        if path not in ours and path.is_file() and path.read_bytes() != content:
            raise ValueError(
                f"{path}: expected nothing or a file of network {digest[:12]}, found another file "
                "(--overwrite replaces it)"
            )


def _manifest(digest: str, weights: Mapping[str, bytes], vectors: Mapping[str, bytes]) -> bytes:
    groups = {"weights": weights, "vectors": vectors}
    return json_bytes(
        {
            "network_digest": digest,
            "files": {
                group: {
                    name: {"sha256": sha256(content), "size_bytes": len(content)}
                    for name, content in contents.items()
                }
                for group, contents in groups.items()
            },
        }
    )
