from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from dataflow.proof.proven_ranges import ProvenRanges
from dataflow.proof.witness_vectors import COLUMNS, witness_cases, witness_text
from dataflow.ranges.intervals import interval_bounds
from golden import reference
from golden.exports.cases import read_cases
from golden.network import IntegerNetwork
from tests.networks import random_fingerprints, random_network
from tests.plain_loops import every_value
from tests.witnessed import witnessed_ranges

SHAPE = (8, 6)
NETWORK = random_network(1, filters=3, outputs=2, labels=2, input_shape=SHAPE)
TAPS = {"conv_1": 16, "dw_conv": 9, "pw_conv": 3, "fc1": 2}


def ranges(network: IntegerNetwork = NETWORK) -> ProvenRanges:
    return witnessed_ranges(network, random_fingerprints(1, 6, SHAPE))


def rows(proven: ProvenRanges) -> list[dict[str, str]]:
    return list(csv.DictReader(witness_text(proven).splitlines()))


def test_witnesses_are_cases_labelled_with_the_answers_of_the_network(tmp_path: Path) -> None:
    proven = ranges()
    path = tmp_path / "witnesses.npz"
    path.write_bytes(witness_cases(NETWORK, proven).to_bytes())
    cases = read_cases(path, NETWORK)
    assert np.array_equal(cases.fingerprints, proven.fingerprints)
    assert np.array_equal(cases.logits, reference.run(NETWORK, proven.fingerprints).logits)
    assert np.array_equal(cases.label_indices, cases.answers)


def test_every_row_names_where_its_value_is_reached() -> None:
    proven = ranges()
    values = [every_value(NETWORK, fingerprint) for fingerprint in proven.fingerprints]
    for row in rows(proven):
        node = row["signal"].partition(".")[0]
        place = int(row["position"])
        if row["tap"]:
            place = place * TAPS[node] + int(row["tap"])
        taken = values[int(row["case"])][row["signal"]][int(row["channel"])]
        assert taken[place] == int(row["reached"]), row


def test_rows_hold_bound_gap_and_method_of_every_channel_end_but_those_of_constants() -> None:
    proven, bounds = ranges(), interval_bounds(NETWORK)
    found = rows(proven)
    assert tuple(found[0]) == COLUMNS
    expected = {
        (name, str(channel), end)
        for name, bound in bounds.items()
        for channel in range(len(bound.low))
        for end in ("low", "high")
        if not name.endswith((".weight", ".bias"))
    }
    assert len(found) == len(expected)
    assert {(row["signal"], row["channel"], row["end"]) for row in found} == expected
    for row in found:
        bound = getattr(bounds[row["signal"]], row["end"])[int(row["channel"])]
        assert int(row["bound"]) == bound
        assert int(row["gap"]) == abs(bound - int(row["reached"]))
        assert row["method"] == ("constant" if row["signal"] == "fingerprint" else "interval")
        assert bool(row["tap"]) == row["signal"].endswith((".product", ".partial_sum"))
