"""`cases.npz`: validated when made and when read."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from golden import archive, reference
from golden.exports.cases import KIND, Cases, make_cases, read_cases
from golden.network import INPUT_NAME, InputFormat, IntegerNetwork
from golden.nodes import FullyConnected
from tests.networks import random_fingerprints, random_network

NETWORK = random_network(4, filters=3, outputs=2)
FINGERPRINTS = random_fingerprints(4, 20)
LABEL_INDICES = np.arange(20) % 4
CASES = make_cases(NETWORK, FINGERPRINTS, LABEL_INDICES)


def write(path: Path, cases: Cases = CASES) -> Path:
    path.write_bytes(cases.to_bytes())
    return path


def test_cases_are_read_back(tmp_path: Path) -> None:
    found = read_cases(write(tmp_path / "cases.npz"), NETWORK)
    assert (found.network_digest, found.labels) == (NETWORK.digest, NETWORK.labels)
    for field, dtype in (
        ("fingerprints", np.int8),
        ("label_indices", np.int64),
        ("logits", np.int64),
    ):
        ours, theirs = getattr(CASES, field), getattr(found, field)
        assert ours.dtype == theirs.dtype == dtype
        assert np.array_equal(ours, theirs)
        assert not theirs.flags.writeable
    assert found.to_bytes() == CASES.to_bytes()


def test_logits_and_answers_are_those_of_the_reference() -> None:
    result = reference.run(NETWORK, FINGERPRINTS)
    assert CASES.logits.tolist() == result.logits.tolist()
    assert CASES.answers.tolist() == result.label_indices.tolist()


def test_wider_integers_are_narrowed() -> None:
    wide = make_cases(NETWORK, FINGERPRINTS.astype(np.int64), LABEL_INDICES.astype(np.int16))
    assert wide.to_bytes() == CASES.to_bytes()


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"fingerprints": FINGERPRINTS * 1.0}, TypeError,
         "fingerprints: expected an array of integers, got float64"),
        ({"fingerprints": [[0]]}, TypeError,
         "fingerprints: expected an array of integers, got list"),
        ({"fingerprints": FINGERPRINTS[:, 0, 0]}, ValueError,
         "fingerprints: expected shape (20, 'any'), got (20,)"),
        ({"fingerprints": FINGERPRINTS[np.newaxis, np.newaxis]}, ValueError,
         "fingerprints: expected shape (1, 'any', 'any', 'any'), got (1, 1, 20, 30, 10)"),
        ({"fingerprints": np.full((20, 30, 10), 300)}, ValueError,
         "fingerprints: expected integers in -128..127, got 300 at (0, 0, 0)"),
        ({"label_indices": LABEL_INDICES[:19]}, ValueError,
         "label_indices: expected shape (20,), got (19,)"),
        ({"label_indices": LABEL_INDICES + 1}, ValueError,
         "label_indices: expected integers in 0..3, got 4 at (3,)"),
        ({"label_indices": LABEL_INDICES - 1}, ValueError,
         "label_indices: expected integers in 0..3, got -1 at (0,)"),
        ({"logits": CASES.logits[:, :3]}, ValueError,
         "logits: expected shape (20, 4), got (20, 3)"),
    ],
)  # fmt: skip
def test_wrong_cases_are_refused(
    change: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        dataclasses.replace(CASES, **change)


def test_fingerprints_that_the_network_does_not_accept_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^fingerprints: expected shape \('N', 30, 10\)"):
        make_cases(NETWORK, FINGERPRINTS[:, :, :9], LABEL_INDICES)


def test_stored_cases_that_the_network_does_not_accept_are_refused(tmp_path: Path) -> None:
    outside = np.full((20, 30, 10), 32, np.int8)
    cases = Cases(NETWORK.digest, NETWORK.labels, outside, LABEL_INDICES, np.zeros((20, 4), int))
    (tmp_path / "cases.npz").write_bytes(cases.to_bytes())
    message = r"not valid golden cases: fingerprints: expected integers in -32\.\.31, got 32 at"
    with pytest.raises(ValueError, match=message):
        read_cases(tmp_path / "cases.npz", NETWORK)


def test_inputs_of_8_bits_and_of_any_shape_are_cases() -> None:
    network = IntegerNetwork(
        (FullyConnected("logits", INPUT_NAME, np.ones((2, 24), np.int8)),),
        ("yes", "no"),
        (2, 3, 4),
        None,
        InputFormat(-128, 127, 5),
    )
    inputs = np.full((3, 2, 3, 4), -128, np.int8)
    assert make_cases(network, inputs, np.zeros(3, int)).logits.tolist() == [[-133 * 24] * 2] * 3


def test_cases_of_another_network_are_refused(tmp_path: Path) -> None:
    other = random_network(5, filters=3, outputs=2)
    path = write(tmp_path / "cases.npz")
    assert read_cases(path).network_digest == NETWORK.digest
    message = f"cases.npz: expected cases of the network {other.digest}, got {NETWORK.digest}$"
    with pytest.raises(ValueError, match=message):
        read_cases(path, other)


@pytest.mark.parametrize(
    ("description", "arrays", "message"),
    [
        ({}, {}, "'labels'"),
        ({"labels": "abcd", "network_digest": ""}, {}, "labels: expected a list of strings, got"),
        ({"labels": [1, 2], "network_digest": ""}, {}, "labels: expected a list of strings, got"),
        ({"labels": ["a"], "network_digest": ""}, {}, "'fingerprints'"),
        ({"labels": ["a"], "network_digest": ""},
         {"fingerprints": np.zeros((1, 2)), "label_indices": np.zeros(1), "logits": np.zeros(1)},
         "fingerprints: expected an array of integers"),
    ],
)  # fmt: skip
def test_a_sound_archive_of_wrong_content_is_refused(
    tmp_path: Path, description: dict[str, Any], arrays: dict[str, np.ndarray], message: str
) -> None:
    archive.write_archive(tmp_path / "cases.npz", KIND, description, arrays)
    with pytest.raises(ValueError, match=rf"cases\.npz: not valid golden cases: {message}"):
        read_cases(tmp_path / "cases.npz")


def test_a_network_file_is_no_cases_file(tmp_path: Path) -> None:
    NETWORK.save(tmp_path / "network.npz")
    with pytest.raises(
        ValueError, match="expected a golden cases file, found one of kind 'integer"
    ):
        read_cases(tmp_path / "network.npz")
