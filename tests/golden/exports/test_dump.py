"""Golden vector files: the way to text and back, and what is refused."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden import reference
from golden.comparison import Mismatch
from golden.exports.dump import (
    READ_WITH_NUMPY,
    Dump,
    compare_dumps,
    dump_clip,
    dump_text,
    parse_dump,
    read_dump,
)
from golden.network import IntegerNetwork
from tests.networks import (
    eight_bit_network,
    networks_with_fingerprints,
    random_fingerprints,
    random_network,
)

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


def test_a_dump_of_8_bits_says_the_zero_points() -> None:
    network = eight_bit_network()
    dump = dump_clip(network, np.full((10, 6), -128, np.int8), 0, 0)
    assert dump.layers["fingerprint"].tolist() == np.full((10, 6), -128 - 83).tolist()
    expected = {"conv_q": -128, "dw_q": 17, "sum_q": -3, "mean": -3, "logits": 40}
    assert dump.zero_points == {"fingerprint": 83, **expected}
    text = dump_text(dump)
    assert "# zero points: fingerprint 83, conv_q -128, dw_q 17" in text
    assert dump_text(parse_dump(text)) == text
    other = dataclasses.replace(dump, zero_points={"fingerprint": 84, **expected})
    with pytest.raises(Mismatch, match=r"^zero points: expected \{'fingerprint': 83"):
        compare_dumps(dump, other)


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
    with pytest.raises(Mismatch, match=rf"^{message}$") as caught:
        compare_dumps(DUMP, dataclasses.replace(DUMP, **change))
    assert caught.value.difference is None


def test_dumps_with_other_layers_differ() -> None:
    other = dump_clip(NETWORK, FINGERPRINTS[2], 1, 2)
    other = dataclasses.replace(other, answer=DUMP.answer)
    with pytest.raises(Mismatch, match=r"^fingerprint: first difference at time 0"):
        compare_dumps(DUMP, other)
