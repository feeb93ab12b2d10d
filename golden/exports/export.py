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
) -> None:
    """Write an export and its manifest; on any failure both folders keep what they had.

    `extra_weights` (the checkpoint, `evidence.json`) go beside the weights and into the manifest.

    Raises OSError as the file system reports it.
    """
    weights = {**export.weights, **(extra_weights or {})}
    manifest = _manifest(export.network_digest, weights, export.vectors)
    files.write_together(
        {
            **{weights_folder / name: content for name, content in weights.items()},
            **{vectors_folder / name: content for name, content in export.vectors.items()},
            weights_folder / MANIFEST: manifest,
        }
    )


def check_export(weights_folder: Path, vectors_folder: Path) -> str:
    """Return the network digest of an export whose files are all what its manifest says.

    Raises OSError for a missing file and ValueError for one whose content is another.
    """
    path = weights_folder / MANIFEST
    try:
        manifest = json.loads(files.read_text(path))
        digest, groups = str(manifest["network_digest"]), manifest["files"]
        entries = [
            (folder / name, str(entry["sha256"]))
            for group, folder in (("weights", weights_folder), ("vectors", vectors_folder))
            for name, entry in groups[group].items()
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: expected a manifest, found a truncated or foreign file"
        ) from error
    for file, expected in entries:
        found = sha256(file.read_bytes())
        if found != expected:
            raise ValueError(
                f"{file}: digest does not match, {path} has {expected}, content has {found}"
            )
    return digest


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
