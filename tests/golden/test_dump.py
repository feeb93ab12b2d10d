"""Golden vector files and the comparer: exact, or an error that names the place."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden import reference
from golden.dump import (
    READ_WITH_NUMPY,
    Comparison,
    Dump,
    LayerMismatch,
    Mismatch,
    compare,
    compare_dumps,
    dump_clip,
    dump_text,
    parse_dump,
    read_dump,
)
from golden.network import IntegerNetwork
from tests.networks import networks_with_fingerprints, random_fingerprints, random_network

NETWORK = random_network(7, filters=3, outputs=2)
FINGERPRINTS = random_fingerprints(7, 3)
DUMP = dump_clip(NETWORK, FINGERPRINTS[1], 1, 2)
TEXT = dump_text(DUMP)


# ---- files


def same(ours: Dump, theirs: Dump) -> bool:
    return compare_dumps(ours, theirs).total == sum(layer.size for layer in ours.layers.values())


@settings(max_examples=40)
@given(networks_with_fingerprints(max_count=1), st.integers(0, 10**6))
def test_dump_to_text_to_dump_is_the_identity(case: tuple[IntegerNetwork, Any], clip: int) -> None:
    network, fingerprints = case
    dump = dump_clip(network, fingerprints[0], clip, len(network.labels) - 1)
    parsed = parse_dump(dump_text(dump))
    assert same(dump, parsed)
    assert dump_text(parsed) == dump_text(dump)
    assert list(parsed.layers) == list(dump.layers)


def test_a_dump_holds_every_layer_and_the_logits() -> None:
    result = reference.run(NETWORK, FINGERPRINTS)
    assert list(DUMP.layers) == ["fingerprint", *(node.name for node in NETWORK.nodes)]
    for name, layer in DUMP.layers.items():
        assert layer.tolist() == result.layers[name][1].tolist()
    assert DUMP.logits.tolist() == result.logits[1].tolist()
    assert (DUMP.digest, DUMP.clip, DUMP.label) == (NETWORK.digest, 1, "yes")
    assert DUMP.answer == NETWORK.labels[result.label_indices[1]]


def test_the_lines_in_the_file_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "1.txt"
    path.write_text(TEXT)
    lines = [line.removeprefix("#     ") for line in TEXT.splitlines() if line.startswith("#     ")]
    assert "\n".join(lines) + "\n" == READ_WITH_NUMPY
    scope: dict[str, Any] = {"path": path}
    exec("\n".join(lines), scope)
    assert list(scope["layers"]) == list(DUMP.layers)
    for name, layer in DUMP.layers.items():
        assert scope["layers"][name].shape == layer.shape
        assert np.array_equal(scope["layers"][name], layer)


def test_layers_state_shape_and_axes() -> None:
    assert re.findall(r"^# layer .*", TEXT, re.MULTILINE)[:4] == [
        "# layer fingerprint shape 30 10 axes time coefficient",
        "# layer conv_1 shape 14 4 3 axes time coefficient channel",
        "# layer conv_1_relu shape 14 4 3 axes time coefficient channel",
        "# layer dw_conv shape 14 4 3 axes time coefficient channel",
    ]
    assert re.findall(r"^# layer .*", TEXT, re.MULTILINE)[-1] == "# layer fc1 shape 4 axes channel"


def test_the_first_axis_moves_slowest() -> None:
    body = TEXT.partition("# layer conv_1 shape 14 4 3 axes time coefficient channel\n")[2]
    rows = [[int(number) for number in line.split()] for line in body.splitlines()[:9] if line]
    assert rows[1] == DUMP.layers["conv_1"][0, 1].tolist()
    assert rows[4] == DUMP.layers["conv_1"][1, 0].tolist()


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_bytes(TEXT.replace("\n", "\r\n").encode())
    assert same(DUMP, read_dump(tmp_path / "1.txt"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# network digest: ", "# digest: ",
         ": expected one line '# network digest: [0-9a-f]{64}', found 0"),
        ("# clip: 1", "# clip: one", ": expected one line '# clip: [0-9]{1,9}', found 0"),
        ("# clip: 1", "# clip: 1\n# clip: 2", ": expected one line '# clip: [0-9]{1,9}', found 2"),
        ("# label: yes", "# label: ", ": expected one line '# label: .+', found 0"),
        ("# layer conv_1 shape 14 4 3 axes", "# layer conv_1 shape 14 4 4 axes",
         " line {}: expected 224 values of conv_1, got 168"),
        ("# layer conv_1 shape 14 4 3 axes", "# layer conv_1 shape 14 4 3 4 axes",
         " line {}: expected '# layer NAME shape SIZES axes NAMES', got '# layer conv_1 shape 14"),
        ("# layer conv_1 shape 14 4 3 axes", "# layer conv_1 shape 14 0 3 axes",
         " line {}: expected '# layer NAME"),
        ("# layer conv_1 shape 14 4 3 axes time coefficient channel",
         "# layer conv_1 shape 14 4 3 axes channel time coefficient",
         " line {}: expected '# layer NAME"),
        ("# layer conv_1 shape 14 4 3 axes", "# layer fingerprint shape 14 4 3 axes",
         " line {}: expected each layer once, got fingerprint twice"),
        ("channel\n", "channel\n1.5 ", " line {}+1: expected an integer, got '1.5'"),
        ("channel\n", "channel\n1_0 ", " line {}+1: expected an integer, got '1_0'"),
        ("channel\n", "channel\n7 ", " line {}: expected 168 values of conv_1, got 169"),
        ("channel\n", "channel\n" + "9" * 30 + " ", " line {}+1: expected an integer, got '9999"),
        ("channel\n", "channel\n# note\n", " line {}+1: expected an integer, got '#'"),
    ],
)  # fmt: skip
def test_an_edited_dump_is_refused_with_its_line(old: str, new: str, message: str) -> None:
    line = TEXT[: TEXT.index(old)].count("\n") + 1
    expected = re.sub(r"\{\}([+]\d+)?", lambda m: str(line + int(m[1] or 0)), message)
    with pytest.raises(ValueError) as caught:
        parse_dump(TEXT.replace(old, new, 1), "1.txt")
    assert str(caught.value).startswith("1.txt" + expected)


def test_a_dump_cut_off_anywhere_is_refused() -> None:
    between_layers = [match.start() for match in re.finditer("\n# layer", TEXT)]
    for length in [*range(0, len(TEXT), 53), *between_layers, len(TEXT) - 1]:
        with pytest.raises(ValueError, match=r"^1\.txt"):
            parse_dump(TEXT[:length], "1.txt")


def test_a_text_without_layers_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^x: expected golden vectors, found no layer$"):
        parse_dump("hello\n", "x")


# ---- comparison


def layers(**changes: Any) -> dict[str, np.ndarray]:
    result = reference.run(NETWORK, FINGERPRINTS).layers
    return {name: changes.get(name, layer) for name, layer in result.items()}


def test_equal_layers_are_counted() -> None:
    found = compare(layers(), layers(), batched=True)
    sizes = {name: 3 * math.prod(shape) for name, shape in NETWORK.shapes.items()}
    assert found == Comparison(clips=3, values=sizes)
    assert found.total == sum(sizes.values())
    assert compare(DUMP.layers, DUMP.layers).clips == 1


def test_floats_that_carry_the_integers_are_equal() -> None:
    floats = {name: layer.astype(np.float32) for name, layer in layers().items()}
    assert compare(layers(), floats, batched=True).total > 0


@settings(max_examples=60)
@given(networks_with_fingerprints(), st.data())
def test_one_changed_value_is_found_where_it_is(
    case: tuple[IntegerNetwork, Any], data: st.DataObject
) -> None:
    network, fingerprints = case
    expected = dict(reference.run(network, fingerprints).layers)
    name = data.draw(st.sampled_from(list(expected)))
    index = tuple(data.draw(st.integers(0, size - 1)) for size in expected[name].shape)
    step = data.draw(st.sampled_from([-1, 1, 2**33]))
    found = {**expected, name: expected[name].copy()}
    found[name][index] += step
    with pytest.raises(LayerMismatch) as caught:
        compare(expected, found, batched=True)
    value = int(expected[name][index])
    size = expected[name].size
    assert caught.value.mismatch == Mismatch(
        name, index[0], index[1:], value, value + step, 1, size
    )


def test_the_first_layer_of_the_network_and_then_the_first_place_is_named() -> None:
    changed = {name: layer.copy() for name, layer in layers().items()}
    changed["fc1"][0, 0] += 1
    changed["conv_1"][1, 3, 1, 2] = -5
    changed["conv_1"][2, 0, 0, 0] += 7
    expected = layers()["conv_1"][1, 3, 1, 2]
    backwards = dict(reversed(changed.items()))
    with pytest.raises(LayerMismatch) as caught:
        compare(layers(), backwards, batched=True)
    assert str(caught.value) == (
        "conv_1: first difference at clip 1, time 3, coefficient 1, channel 2: "
        f"expected {expected}, got -5; 2 of 504 values differ"
    )
    with pytest.raises(LayerMismatch, match=r"^conv_1: first difference at time 3, .*168 values"):
        compare(
            {name: layer[1] for name, layer in layers().items()},
            {name: layer[1] for name, layer in changed.items()},
        )


@pytest.mark.parametrize(
    ("value", "found"),
    [(0.5, "0.5"), (math.nan, "nan"), (math.inf, "inf"), (2.0**24 + 2, "16777218")],
)
def test_a_float_that_is_another_number_is_found(value: float, found: str) -> None:
    changed = layers()["fc1"].astype(np.float64)
    changed[2, 1] = value
    with pytest.raises(LayerMismatch, match=rf"^fc1: .* at clip 2, channel 1: .* {found};"):
        compare(layers(), layers(fc1=changed), batched=True)


def test_missing_and_additional_layers_are_differences() -> None:
    without = {name: layer for name, layer in layers().items() if name != "conv_1"}
    with pytest.raises(LayerMismatch, match=r"^conv_1: expected this layer, found only fing"):
        compare(layers(), without, batched=True)
    with pytest.raises(LayerMismatch, match=r"^conv_1: expected no such layer, only fingerprint, "):
        compare(without, layers(), batched=True)
    with pytest.raises(LayerMismatch, match=r"^fingerprint: expected this layer, found only none$"):
        compare(layers(), {}, batched=True)


def test_another_shape_is_a_difference_also_where_numpy_would_broadcast() -> None:
    for wrong in (layers()["fc1"][:1], layers()["fc1"][..., np.newaxis], layers()["fc1"].T):
        message = re.escape(f"fc1: expected shape (3, 4), got {wrong.shape}")
        with pytest.raises(LayerMismatch, match=f"^{message}$") as caught:
            compare(layers(), layers(fc1=wrong), batched=True)
        assert caught.value.mismatch is None


def test_nothing_to_compare_is_no_success() -> None:
    for nothing in ({}, {"fc1": np.zeros((0, 4), np.int64)}):
        with pytest.raises(ValueError, match=r"^layers: expected at least one value to compare"):
            compare(nothing, nothing, batched=True)


def test_layers_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(TypeError, match=r"^fc1: expected integers to compare with, got float64$"):
        compare(layers(fc1=layers()["fc1"] * 1.0), layers(), batched=True)
    with pytest.raises(TypeError, match=r"^fc1: expected numbers, got bool$"):
        compare(layers(), layers(fc1=layers()["fc1"] > 0), batched=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"digest": "0" * 64}, f"network digest: expected {NETWORK.digest}, got {'0' * 64}"),
        ({"clip": 2}, "clip: expected 1, got 2"),
        ({"label": "no"}, "label: expected yes, got no"),
        ({"answer": "maybe"}, f"answer: expected {DUMP.answer}, got maybe"),
    ],
)
def test_dumps_of_something_else_differ(change: dict[str, Any], message: str) -> None:
    with pytest.raises(LayerMismatch, match=rf"^{message}$") as caught:
        compare_dumps(DUMP, dataclasses.replace(DUMP, **change))
    assert caught.value.mismatch is None


def test_dumps_with_other_layers_differ() -> None:
    other = dump_clip(NETWORK, FINGERPRINTS[2], 1, 2)
    other = dataclasses.replace(other, answer=DUMP.answer)
    with pytest.raises(LayerMismatch, match=r"^fingerprint: first difference at time 0"):
        compare_dumps(DUMP, other)
