from __future__ import annotations

import csv

from dataflow.widths.width_csv import CSV_COLUMNS, SUMMARY_COLUMNS, csv_text, summary_text
from dataflow.widths.width_report import WidthReport, report
from tests.networks import random_fingerprints, random_network
from tests.witnessed import witnessed_ranges

NETWORK = random_network(1, filters=4, outputs=3)
INPUTS = random_fingerprints(1, 3)
DEPENDENT = 17  # signals of the default network that depend on the input
CONSTANTS = 5


def full_report() -> WidthReport:
    return report(NETWORK, witnessed_ranges(NETWORK, INPUTS), [INPUTS[:1]])


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_summary_shows_each_signal_once_under_all_hardware_that_it_sizes() -> None:
    made = full_report()
    found = rows(summary_text(made))
    assert tuple(found[0]) == SUMMARY_COLUMNS
    by_name = {row["signal"]: row for row in found}
    assert len(by_name) == len(found) == DEPENDENT + CONSTANTS
    columns = {"multiplier": set(), "adder": set(), "register": set()}
    for name, row in by_name.items():
        for unit, names in columns.items():
            if row[f"{unit}_bits"]:
                names.add(name)
                assert int(row[f"{unit}_bits"]) == made.signals[name].width.signed_bits
    nodes = ["conv_1", "dw_conv", "pw_conv", "fc1"]
    operands = {"fingerprint", "conv_1_relu", "max_pool", "pw_conv_relu"}
    parts = {f"{node}.{part}" for node in nodes for part in ("weight", "product")}
    assert columns["multiplier"] == operands | parts
    assert columns["adder"] == {"fc1.bias", *(f"{node}.partial_sum" for node in nodes)}
    assert columns["register"] == (operands - {"fingerprint"}) | {*nodes, "dw_conv_relu"}


def test_summary_names_proof_methods_and_unsigned_bits() -> None:
    for row in rows(summary_text(full_report())):
        constant = row["signal"].endswith(("weight", "bias")) or row["signal"] == "fingerprint"
        assert row["proof_method"] == ("constant" if constant else "interval")
        after_relu = row["signal"] in ("conv_1_relu", "dw_conv_relu", "max_pool", "pw_conv_relu")
        assert bool(row["unsigned_bits"]) == after_relu


def test_csv_holds_all_ranges_of_every_signal() -> None:
    made = full_report()
    found = rows(csv_text(made))
    assert tuple(found[0]) == CSV_COLUMNS
    assert [row["signal"] for row in found] == list(made.signals)
    for row, signal in zip(found, made.signals.values(), strict=True):
        assert (row["layer"], row["role"]) == (signal.layer, signal.width.role)
        assert signal.proven is not None and signal.assumed is not None
        ranges = {
            "observed": signal.width.observed,
            "interval": signal.interval,
            "assumed": signal.assumed,
            "bound": signal.width.bound,
            "witness": signal.proven.reached,
        }
        for name, values in ranges.items():
            assert int(row[f"{name}_min"]) == min(values.low.tolist())
            assert int(row[f"{name}_max"]) == max(values.high.tolist())
        assert int(row["gap_low"]) == int(row["witness_min"]) - int(row["bound_min"])
        assert int(row["gap_high"]) == int(row["bound_max"]) - int(row["witness_max"])
        assert int(row["spare_bits"]) == int(row["bound_bits"]) - int(row["witness_bits"])
        assert int(row["observed_bits"]) <= int(row["witness_bits"]) <= int(row["bound_bits"])


def test_csv_leaves_cells_without_proof_and_data_empty() -> None:
    for row in rows(csv_text(report(NETWORK))):
        constant = row["role"] in ("weight", "bias")
        assert bool(row["observed_min"]) == constant
        absent = ("assumed_min", "witness_max", "gap_low", "gap_high", "spare_bits")
        assert "".join(row[column] for column in absent) == ""
        assert row["interval_min"] == row["bound_min"]
