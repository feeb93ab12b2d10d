from __future__ import annotations

import csv
import json
import re
from typing import Any

import dataflow.width_report
from dataflow.bit_widths import LayerWidths, layer_widths
from dataflow.observed import observe
from dataflow.ranges import interval_bounds, magnitude_bound
from dataflow.width_report import CSV_COLUMNS, csv_text, json_text, report
from golden.network import IntegerNetwork
from tests.networks import random_fingerprints, random_network

NETWORK = random_network(1, filters=4, outputs=3)


def observed_widths(network: IntegerNetwork = NETWORK) -> tuple[LayerWidths, ...]:
    bounds = interval_bounds(network)
    seen = observe(network, bounds, [random_fingerprints(1, 3)])
    return layer_widths(network, bounds, seen.ranges)


def keys_of(value: Any) -> set[str]:
    """Every key at any depth."""
    if isinstance(value, list):
        return set().union(*map(keys_of, value))
    if isinstance(value, dict):
        return set(value).union(*map(keys_of, value.values()))
    return set()


def test_json_holds_the_report_and_keeps_arrays_on_a_line() -> None:
    content = report(NETWORK, observed_widths(), 3)
    text = json_text(content)
    assert json.loads(text) == content
    assert re.search(r'^ +"channel_low": \[-?\d+(, -?\d+)*\],$', text, re.MULTILINE)
    assert text.endswith("}\n")


def test_every_key_of_the_report_is_documented() -> None:
    documentation = dataflow.width_report.__doc__ or ""
    for key in keys_of(report(NETWORK, observed_widths(), 3)):
        assert re.search(rf"\b{key}\b", documentation), key


def test_report_describes_the_network_and_its_layers() -> None:
    widths = observed_widths()
    content = report(NETWORK, widths, 3)
    assert content["network"] == {"digest": NETWORK.digest, "labels": list(NETWORK.labels)}
    assert content["input_range"] == [-32, 31]
    assert content["observed_clips"] == 3
    assert content["magnitude_bound"] == magnitude_bound(NETWORK)
    assert [layer["taps"] for layer in content["layers"]] == [16, 9, 4, 3]
    for layer, entry in zip(widths, content["layers"], strict=True):
        assert entry["multiplier"] == {
            "input_bits": layer.input.signed_bits,
            "input_unsigned_bits": layer.input.unsigned_bits,
            "weight_bits": layer.weight.signed_bits,
            "product_bits": layer.product.signed_bits,
        }
        assert entry["adder"] == {"accumulator_bits": layer.partial_sum.signed_bits}
        assert entry["register"] == {
            "output_bits": layer.output.signed_bits,
            "output_unsigned_bits": layer.output.unsigned_bits,
        }
        assert [item["name"] for item in entry["signals"]] == [s.name for s in layer.signals]
        for item, signal in zip(entry["signals"], layer.signals, strict=True):
            assert item["bound"]["channel_high"] == signal.bound.high.tolist()
            assert item["bound"]["high"] == max(item["bound"]["channel_high"])
            assert item["observed"]["low"] == min(item["observed"]["channel_low"])
            assert item["observed_bits"] <= item["signed_bits"]


def test_report_without_clips_says_so() -> None:
    widths = layer_widths(NETWORK, interval_bounds(NETWORK))
    content = report(NETWORK, widths, None)
    assert content["observed_clips"] is None
    for layer in content["layers"]:
        for item in layer["signals"]:
            assert (item["observed"] is None) == (item["role"] not in ("weight", "bias"))


def test_csv_puts_the_bits_of_each_signal_under_its_hardware() -> None:
    widths = observed_widths()
    rows = list(csv.DictReader(csv_text(widths).splitlines()))
    assert tuple(rows[0]) == CSV_COLUMNS
    signals = [(layer, item) for layer in widths for item in layer.signals]
    assert len(rows) == len(signals) == 25
    for row, (layer, item) in zip(rows, signals, strict=True):
        assert (row["layer"], row["signal"], row["role"]) == (layer.name, item.name, item.role)
        assert int(row["bound_min"]) == item.bound.minimum
        assert int(row["bound_max"]) == item.bound.maximum
        assert item.observed is not None
        assert int(row["observed_min"]) == item.observed.minimum
        assert int(row["observed_max"]) == item.observed.maximum
        assert int(row["observed_bits"]) == item.observed_bits
        for unit in ("multiplier", "adder", "register"):
            expected = str(item.signed_bits) if unit == item.unit else ""
            assert row[f"{unit}_bits"] == expected
        assert row["unsigned_bits"] == str(item.unsigned_bits or "")


def test_csv_leaves_unobserved_cells_empty() -> None:
    rows = csv.DictReader(csv_text(layer_widths(NETWORK, interval_bounds(NETWORK))).splitlines())
    products = [row for row in rows if row["role"] == "product"]
    assert {row["observed_min"] + row["observed_bits"] for row in products} == {""}
