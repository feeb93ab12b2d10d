"""`evidence.json`: what was compared with what, over how many values, with which tools and bytes.

Nothing in it depends on when or where it was written: equal runs give equal bytes. It can state no
mismatch, because `golden.comparison.compare` raises at the first one.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from golden.comparison import Comparison

# What computes beside the reference. TensorFlow has another package for arm64: see requirements.in.
PACKAGES = (
    *("keras", "numpy"),
    "tensorflow" if platform.machine() == "aarch64" else "tensorflow-cpu",
)


@dataclass(frozen=True)
class Rung:
    """One step of the verification ladder: `name` was compared with `against` and found equal."""

    name: str
    against: str
    comparison: Comparison


def evidence_bytes(
    network_digest: str,
    artefacts: Mapping[str, bytes],
    rungs: Sequence[Rung],
    versions: Mapping[str, str],
) -> bytes:
    """Return `evidence.json`: digests of the artefacts by name, the rungs, the tool versions.

    Raises ValueError without a rung: there would be no evidence in it.
    """
    if not rungs:
        raise ValueError("evidence: expected at least one comparison, got none")
    return json_bytes(
        {
            "network_digest": network_digest,
            "artefacts": {name: sha256(content) for name, content in artefacts.items()},
            "rungs": [_describe(rung) for rung in rungs],
            "versions": dict(versions),
        }
    )


def package_versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the installed version of each package, and Python's as major.minor.

    Raises ValueError for a package that is not installed.
    """
    versions = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            raise ValueError(f"{package}: expected an installed package, found none") from None
    return versions


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """Return JSON for people and for diff: sorted keys, two spaces, one newline at the end."""
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def sha256(content: bytes) -> str:
    """Return the SHA-256 of `content` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _describe(rung: Rung) -> dict[str, Any]:
    values = rung.comparison.values
    return {
        "name": rung.name,
        "against": rung.against,
        "clips": rung.comparison.clips,
        "layers": list(values),
        "values_compared": dict(values),
        "values_compared_total": rung.comparison.total,
        "mismatches": 0,
    }
