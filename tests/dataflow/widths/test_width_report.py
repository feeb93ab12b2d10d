from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given

import dataflow.widths.width_report
from dataflow.proof.proven_ranges import ProvenRanges
from dataflow.ranges.intervals import interval_bounds, magnitude_bound
from dataflow.widths.signal_widths import layer_widths
from dataflow.widths.width_csv import csv_text
from dataflow.widths.width_report import WidthReport, json_text, report
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import FullyConnected, Pad
from tests.graphs import graphs_with_inputs
from tests.networks import random_fingerprints, random_network
from tests.plain_loops import every_value
from tests.witnessed import witnessed_ranges

NETWORK = random_network(1, filters=4, outputs=3, weights=(-32, 31))
INPUTS = random_fingerprints(1, 3)


def proven() -> ProvenRanges:
    """Interval bounds; the extremes of `INPUTS` and of one constant input are witnesses."""
    lowest = np.full((1, 30, 10), -32, np.int8)
    return witnessed_ranges(NETWORK, np.concatenate([INPUTS, lowest]))


def full_report() -> WidthReport:
    return report(NETWORK, proven(), [INPUTS[:2], INPUTS[2:]])


def entries(made: WidthReport) -> dict[str, Any]:
    return json.loads(json_text(made))


def signal_entries(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [signal for layer in content["layers"] for signal in layer["signals"]]


def keys_of(value: Any) -> set[str]:
    """Every key at any depth."""
    if isinstance(value, list):
        return set().union(*map(keys_of, value))
    if isinstance(value, dict):
        return set(value).union(*map(keys_of, value.values()))
    return set()


def two_complement_bits(low: int, high: int) -> int:
    return max((-low - 1 if low < 0 else low).bit_length(), max(high, -1 - high).bit_length()) + 1


def test_json_keeps_arrays_on_a_line_whatever_labels_hold() -> None:
    strange = random_network(1, filters=2, outputs=2, labels=2)
    labels = ("a  ]b", 'c, [" d')
    renamed = type(strange)(strange.nodes, labels, strange.input_shape, strange.features)
    text = json_text(report(renamed))
    assert json.loads(text)["network"]["labels"] == list(labels)
    assert re.search(r'^ +"channel_low": \[-?\d+(, -?\d+)*\],$', text, re.MULTILINE)
    text = json_text(full_report())
    assert re.search(r'^ +"method": \["interval"(, "interval")*\],$', text, re.MULTILINE)
    assert text.endswith("}\n")


def test_every_key_of_the_report_is_documented() -> None:
    documentation = dataflow.widths.width_report.__doc__ or ""
    for key in keys_of(entries(full_report())):
        assert re.search(rf"\b{key}\b", documentation), key


def test_report_describes_the_network_and_its_layers() -> None:
    made = full_report()
    content = entries(made)
    assert content["schema"] == 2
    assert content["network"] == {"digest": NETWORK.digest, "labels": list(NETWORK.labels)}
    assert content["input_range"] == [-32, 31]
    assert (content["widths_follow"], content["witnesses"]) == ("proven", 4)
    assert content["observed_clips"] == 3
    assert content["magnitude_bound"] == magnitude_bound(NETWORK)
    assert [layer["taps"] for layer in content["layers"]] == [16, 9, 4, 3]
    for layer, entry in zip(made.widths, content["layers"], strict=True):
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
            assert item["observed"]["bits"] <= item["signed_bits"]


def test_widths_follow_from_proven_bounds_where_there_are_any() -> None:
    ranges = proven()
    fc1 = ranges.signals["fc1"]
    object.__setattr__(fc1.low, "bound", fc1.low.reached)
    object.__setattr__(fc1.high, "bound", fc1.high.reached)
    made = report(NETWORK, ranges)
    assert made.signals["fc1"].width.bound.low.tolist() == fc1.low.reached.tolist()
    assert made.signals["fc1"].width.signed_bits < two_complement_bits(
        made.signals["fc1"].interval.minimum, made.signals["fc1"].interval.maximum
    )
    entry = next(item for item in signal_entries(entries(made)) if item["name"] == "fc1")
    assert entry["bound"]["channel_low"] == fc1.low.reached.tolist()
    assert entry["interval"]["channel_low"] == interval_bounds(NETWORK)["fc1"].low.tolist()
    assert entry["proven"]["exact"] and entry["proven"]["spare_bits"] == 0


def test_every_signal_carries_methods_witnesses_and_gaps() -> None:
    ranges = proven()
    for item in signal_entries(entries(report(NETWORK, ranges))):
        signal, entry, bound = ranges.signals[item["name"]], item["proven"], item["bound"]
        constant = item["role"] in ("weight", "bias")
        expected = "constant" if constant or item["name"] == "fingerprint" else "interval"
        assert entry["methods"] == [expected]
        channels = range(len(bound["channel_low"]))
        reached = entry["reached"]
        for end, name in ((signal.low, "low"), (signal.high, "high")):
            limits, values = bound[f"channel_{name}"], reached[f"channel_{name}"]
            assert values == end.reached.tolist()
            gaps = [abs(limits[channel] - values[channel]) for channel in channels]
            assert entry[f"{name}_end"] == {
                "gap": gaps,
                "method": [expected for _ in channels],
                "case": end.case.tolist(),
                "position": end.position.tolist(),
                "tap": end.tap.tolist(),
            }
        apart = [
            two_complement_bits(bound["channel_low"][channel], bound["channel_high"][channel])
            - two_complement_bits(reached["channel_low"][channel], reached["channel_high"][channel])
            for channel in channels
        ]
        assert entry["channel_spare_bits"] == apart
        assert entry["spare_bits"] == item["signed_bits"] - reached["bits"]


def test_assumed_ranges_are_interval_bounds_within_the_coefficients_that_were_seen() -> None:
    quiet = np.zeros((2, 30, 10), np.int8)
    quiet[0, 7, 2], quiet[1, 0, 2], quiet[1, 3, 9] = 5, -4, 7
    made = report(NETWORK, None, [quiet])
    content = entries(made)
    low, high = [0, 0, -4, *[0] * 7], [0, 0, 5, *[0] * 6, 7]
    assert content["assumed_input_range"] == {"low": low, "high": high}
    within = interval_bounds(NETWORK, (low, high))
    unchanged = layer_widths(NETWORK, interval_bounds(NETWORK))
    for item in signal_entries(content):
        assert item["assumed"]["channel_low"] == within[item["name"]].low.tolist()
        assert item["assumed"]["channel_high"] == within[item["name"]].high.tolist()
    for layer, other in zip(made.widths, unchanged, strict=True):
        assert [s.signed_bits for s in layer.signals] == [s.signed_bits for s in other.signals]


def test_accumulators_are_listed_by_layer_with_an_order_of_their_taps() -> None:
    rows = entries(full_report())["accumulators"]
    assert [row["layer"] for row in rows] == ["conv_1", "dw_conv", "pw_conv", "fc1"]
    bounds = interval_bounds(NETWORK)
    for row in rows:
        last, worst = bounds[row["layer"]], bounds[f"{row['layer']}.partial_sum"]
        assert row["last_bits"] == two_complement_bits(last.minimum, last.maximum)
        assert row["worst_bits"] == two_complement_bits(worst.minimum, worst.maximum)
        assert row["last_bits"] <= row["best_bits"] <= row["worst_bits"]
        assert sorted(row["best_order"]) == list(range(len(row["best_order"])))
    assert [len(row["best_order"]) for row in rows] == [16, 9, 4, 3]


def test_audit_names_the_witness_that_overflows_a_formula() -> None:
    # The lowest input meets the lowest weight: 1024 does not fit the 11 bits of that rule.
    network = random_network(2, filters=2, outputs=2, weights=(-32, -32))
    inputs = np.stack([np.zeros((30, 10), np.int8), np.full((30, 10), -32, np.int8)])
    ranges = witnessed_ranges(network, inputs)
    content = entries(report(network, ranges))
    assert len(content["audit"]) == len(report(network, ranges).audit)
    short = next(row for row in content["audit"] if row["formula"] == "qtools_1_2")
    assert (short["layer"], short["quantity"], short["verdict"]) == ("conv_1", "product", "short")
    assert (short["bits"], short["needed_bits"], short["excess_bits"]) == (11, 12, -1)
    found = short["overflow"]
    assert (found["signal"], found["end"], found["value"]) == ("conv_1.product", "high", 1024)
    assert ranges.fingerprints[found["case"]].min() == -32


def test_a_signal_belongs_to_the_layer_that_has_it_first_and_sizes_all_its_users() -> None:
    signals = report(NETWORK).signals
    assert (signals["max_pool"].layer, signals["max_pool"].width.role) == ("dw_conv", "output")
    assert signals["max_pool"].units == {"multiplier", "register"}
    assert signals["fingerprint"].units == {"multiplier"}
    assert (signals["fingerprint"].layer, next(iter(signals))) == ("conv_1", "fingerprint")


def test_report_without_data_and_proof_says_so() -> None:
    content = entries(report(NETWORK))
    assert content["widths_follow"] == "interval"
    for key in ("witnesses", "observed_clips", "assumed_input_range", "audit"):
        assert content[key] is None
    assert [row["layer"] for row in content["accumulators"]] == [
        layer["name"] for layer in content["layers"]
    ]
    for item in signal_entries(content):
        assert (item["observed"] is None) == (item["role"] not in ("weight", "bias"))
        assert item["assumed"] is None and item["proven"] is None
        assert item["interval"] == {**item["bound"], "bits": item["signed_bits"]}


def test_data_beyond_a_proven_bound_are_refused() -> None:
    ranges = proven()
    high = ranges.signals["conv_1"].high
    object.__setattr__(high, "bound", high.bound - high.bound)
    with pytest.raises(ValueError, match=r"conv_1: expected values in -?\d+\.\.0, observed"):
        report(NETWORK, ranges, [INPUTS])


@given(graphs_with_inputs())
def test_report_of_any_graph_has_every_signal_once_and_holds_what_inputs_need(
    case: tuple[IntegerNetwork, npt.NDArray[Any]],
) -> None:
    network, inputs = case
    made = report(network, None, [inputs])
    assert made.signals.keys() == interval_bounds(network).keys()
    for fingerprint in inputs:
        for name, channels in every_value(network, fingerprint).items():
            bits = made.signals[name].width.signed_bits
            for values in channels.values():
                assert two_complement_bits(min(values), max(values)) <= bits, name
    content = entries(made)
    listed = [item["name"] for item in signal_entries(content)]
    assert set(listed) == set(made.signals)
    assert content["input_range"] == list(network.input_format.value_range)
    assert len(csv_text(made).splitlines()) == 1 + len(made.signals)


def test_what_comes_before_any_layer_stands_with_the_input() -> None:
    nodes = (
        Pad("padded", INPUT_NAME, ((0, 0), (0, 1), (0, 0))),
        FullyConnected("fc1", "padded", np.ones((2, 3), np.int64)),
    )
    made = report(IntegerNetwork(nodes, ("a", "b"), (1, 2), None))
    assert [signal.name for signal in made.inputs] == [INPUT_NAME, "padded"]
    assert made.signals["padded"].units == {"register", "multiplier"}
    first, second = entries(made)["layers"]
    assert (first["name"], first["kind"]) == (INPUT_NAME, "input")
    assert [item["role"] for item in first["signals"]] == ["output", "output"]
    assert second["signals"][0]["name"] == "padded"
