"""Ties: all of them tie, the search is the same every time, and a wrong file is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from golden import files
from golden.exports import ties
from golden.exports.cases import Cases, make_cases
from golden.exports.ties import count_text, find_ties, has_tie, ties_of
from golden.network import IntegerNetwork
from tests.networks import random_fingerprints, random_network, tying_network

NETWORK = tying_network()
RARE = tying_network(4)  # with a single number that is not 0 it never ties


def tied_labels(cases: Cases) -> list[tuple[int, ...]]:
    """Return the labels with the largest logit of each case, counted one by one."""
    return [
        tuple(label for label, logit in enumerate(logits) if logit == max(logits))
        for logits in cases.logits.tolist()
    ]


def never_tied() -> IntegerNetwork:
    """Return a network whose first label always wins by far."""
    network = random_network(2, 2, 2, 2, input_shape=(5, 4))
    node = network.node("fc1")
    biases = np.array([2**30, 0])
    nodes = (*network.nodes[:-1], type(node)("fc1", node.input, node.weights, biases))
    return IntegerNetwork(nodes, network.labels, network.input_shape, network.features)


def test_a_tie_is_one_of_the_largest_logit() -> None:
    logits = np.array([[1, 2, 2], [2, 1, 1], [3, 3, 3], [-5, -4, -5]])
    assert has_tie(logits).tolist() == [True, False, True, False]


def test_every_case_ties_and_its_answer_is_the_lowest_index() -> None:
    found = find_ties(NETWORK)
    assert 0 < len(found.fingerprints) <= ties.MOST
    labels = tied_labels(found)
    assert all(len(tied) > 1 for tied in labels)
    assert found.label_indices.tolist() == [tied[0] for tied in labels]
    assert ((found.fingerprints != 0).sum(axis=(1, 2)) <= 1).all()


def test_the_first_cases_are_of_different_sets_of_labels() -> None:
    labels = tied_labels(find_ties(NETWORK))
    kinds = len(set(labels))
    assert kinds > 1
    assert len(set(labels[:kinds])) == kinds


def test_the_search_gives_the_same_bytes_again() -> None:
    assert find_ties(NETWORK).to_bytes() == find_ties(NETWORK).to_bytes()


def test_two_numbers_are_tried_where_one_gives_no_tie() -> None:
    found = find_ties(RARE)
    assert len(found.fingerprints)
    assert all(len(tied) > 1 for tied in tied_labels(found))
    assert ((found.fingerprints != 0).sum(axis=(1, 2)) == 2).all()


def test_a_network_without_ties_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ties, "PAIRED", 2_000)
    network = never_tied()
    found = find_ties(network)
    assert found.fingerprints.shape == (0, 5, 4)
    assert count_text(network, found) == (
        "no tie of the largest logit, in all inputs of one number and 2,000 inputs of two numbers"
    )
    assert count_text(NETWORK, find_ties(NETWORK)) == "37 ties of the largest logit"


def test_a_large_network_is_searched_for_as_long_as_the_work_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = never_tied()
    monkeypatch.setattr(ties, "WORK", 150 * sum(network.multiplications.values()))
    assert count_text(network, find_ties(network)) == (
        "no tie of the largest logit, in 150 inputs of two numbers"
    )


def test_stored_ties_are_taken_and_others_found(tmp_path: Path) -> None:
    found = ties_of(NETWORK, tmp_path)
    assert found.to_bytes() == find_ties(NETWORK).to_bytes()
    two = make_cases(NETWORK, found.fingerprints[:2], found.label_indices[:2])
    files.write_bytes(tmp_path / "ties.npz", two.to_bytes())
    assert ties_of(NETWORK, tmp_path).to_bytes() == two.to_bytes()


def test_a_file_with_a_case_that_does_not_tie_is_refused(tmp_path: Path) -> None:
    found = find_ties(NETWORK).fingerprints[:1]
    both = np.concatenate([found, random_fingerprints(1, 1, (10, 6))])
    files.write_bytes(
        tmp_path / "ties.npz", make_cases(NETWORK, both, np.zeros(2, np.int64)).to_bytes()
    )
    with pytest.raises(ValueError, match=r"ties\.npz: expected ties of the largest logit"):
        ties_of(NETWORK, tmp_path)
    with pytest.raises(ValueError, match=r"ties\.npz: expected cases of the network "):
        ties_of(never_tied(), tmp_path)
