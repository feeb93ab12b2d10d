"""`evidence.json`: the same bytes for the same comparison, and never without one."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import sys

import pytest

from golden.comparison import Comparison
from golden.exports.evidence import Rung, evidence_bytes, json_bytes, package_versions

RUNG = Rung("golden.reference", "Keras", Comparison(3, {"fingerprint": 900, "conv_1": 8064}))
ARTEFACTS = {"weights/weight.h": b"int", "weights/network.npz": b"npz"}


def test_evidence_states_what_was_compared() -> None:
    content = json.loads(evidence_bytes("d" * 64, ARTEFACTS, [RUNG], {"numpy": "2.4.6"}))
    assert content == {
        "network_digest": "d" * 64,
        "artefacts": {
            name: hashlib.sha256(content).hexdigest() for name, content in ARTEFACTS.items()
        },
        "rungs": [
            {
                "name": "golden.reference",
                "against": "Keras",
                "clips": 3,
                "layers": ["fingerprint", "conv_1"],
                "values_compared": {"fingerprint": 900, "conv_1": 8064},
                "values_compared_total": 8964,
                "mismatches": 0,
            }
        ],
        "versions": {"numpy": "2.4.6"},
    }


def test_bytes_do_not_depend_on_the_order_of_the_arguments() -> None:
    versions = {"numpy": "1", "keras": "2"}
    first = evidence_bytes("d", ARTEFACTS, [RUNG], versions)
    swapped = dict(reversed(ARTEFACTS.items())), [RUNG], dict(reversed(versions.items()))
    assert evidence_bytes("d", *swapped) == first
    assert first.endswith(b"}\n")


def test_no_comparison_is_no_evidence() -> None:
    with pytest.raises(ValueError, match=r"^evidence: expected at least one comparison, got none$"):
        evidence_bytes("d", ARTEFACTS, [], {})


def test_versions_are_those_installed() -> None:
    assert package_versions(["numpy", "pytest"]) == {
        "python": ".".join(sys.version.split(".")[:2]),
        "numpy": importlib.metadata.version("numpy"),
        "pytest": importlib.metadata.version("pytest"),
    }


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(ValueError, match=r"^no-such-package: expected an installed package, found"):
        package_versions(["no-such-package"])


def test_json_is_sorted_and_readable() -> None:
    assert json_bytes({"b": 1, "a": {"d": 2, "c": 3}}) == (
        b'{\n  "a": {\n    "c": 3,\n    "d": 2\n  },\n  "b": 1\n}\n'
    )
