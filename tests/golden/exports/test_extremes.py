"""`lots_of_case.txt`: a table that NumPy reads, extremes that follow from it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from golden import reference
from golden.exports import extremes as extremes_module
from golden.exports.extremes import extremes_text, measure_extremes, parse_extremes, read_extremes
from golden.network import IntegerNetwork
from tests.networks import networks_with_fingerprints, random_fingerprints, random_network

NETWORK = random_network(9, filters=3, outputs=2)
FINGERPRINTS = random_fingerprints(9, 12)
LABEL_INDICES = np.arange(12) % 4
EXTREMES = measure_extremes(NETWORK, FINGERPRINTS, LABEL_INDICES)
TEXT = extremes_text(EXTREMES)


@settings(max_examples=30)
@given(networks_with_fingerprints(max_count=5))
def test_extremes_are_those_of_the_layers(case: tuple[IntegerNetwork, Any]) -> None:
    network, fingerprints = case
    found = measure_extremes(network, fingerprints, np.zeros(len(fingerprints), int))
    layers = reference.run(network, fingerprints).layers
    assert found.layers == tuple(layers)
    for column, (name, layer) in enumerate(layers.items()):
        values = layer.reshape(len(layer), -1).tolist()
        assert found.minima[:, column].tolist() == [min(clip) for clip in values]
        assert found.maxima[:, column].tolist() == [max(clip) for clip in values]
        assert found.overall[name] == (min(map(min, values)), max(map(max, values)))
    text = extremes_text(found)
    assert extremes_text(parse_extremes(text)) == text


def test_batches_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extremes_module, "_BATCH", 5)
    assert extremes_text(measure_extremes(NETWORK, FINGERPRINTS, LABEL_INDICES)) == TEXT


def test_numpy_reads_the_table(tmp_path: Path) -> None:
    path = tmp_path / "lots_of_case.txt"
    path.write_text(TEXT)
    table = np.loadtxt(path, dtype=np.int64)
    (columns,) = re.findall(r"^# columns: (.*)$", TEXT, re.MULTILINE)
    assert table.shape == (12, len(columns.split())) == (12, 3 + 2 * 9)
    named = dict(zip(columns.split(), table.T.tolist(), strict=True))
    assert named["clip"] == list(range(12))
    assert named["label"] == LABEL_INDICES.tolist()
    assert named["answer"] == reference.run(NETWORK, FINGERPRINTS).label_indices.tolist()
    assert named["fingerprint.min"] == FINGERPRINTS.min(axis=(1, 2)).tolist()
    assert named["fc1.max"] == reference.run(NETWORK, FINGERPRINTS).logits.max(axis=1).tolist()


def test_overall_extremes_name_the_first_clip_that_reaches_them() -> None:
    logits = reference.run(NETWORK, FINGERPRINTS).logits
    low, high = int(logits.min()), int(logits.max())
    clips = [np.argwhere(logits == value)[0][0] for value in (low, high)]
    line = f"# overall fc1: min {low} at clip {clips[0]}, max {high} at clip {clips[1]}"
    assert line in TEXT.splitlines()


def test_a_file_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "lots_of_case.txt").write_bytes(TEXT.replace("\n", "\r\n").encode())
    found = read_extremes(tmp_path / "lots_of_case.txt")
    assert (found.digest, found.labels) == (NETWORK.digest, NETWORK.labels)
    for field in ("label_indices", "answers", "minima", "maxima"):
        assert np.array_equal(getattr(found, field), getattr(EXTREMES, field))


def edited_row(index: int, column: int, value: str) -> str:
    lines = TEXT.splitlines()
    row = lines[index].split()
    row[column] = value
    lines[index] = " ".join(row)
    return "\n".join(lines) + "\n"


LAST = len(TEXT.splitlines())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello\n", ": expected a network digest and a line of columns, found none"),
        (TEXT.replace("network digest", "digest"), ": expected a network digest and a line of"),
        (TEXT.replace("fc1.max\n", "fc1.top\n"), ": expected a network digest and a line of"),
        (TEXT[: TEXT.index("fc1.max\n") + 8], ": expected a row for each clip, found none"),
        (edited_row(-1, 4, "x"), f" line {LAST}: expected 21 integers, got"),
        (edited_row(-1, 4, "1 2"), f" line {LAST}: expected 21 integers, got"),
        (edited_row(-1, 0, "7"), f" line {LAST}: expected '11 "),
        (edited_row(-1, 20, "999999"), " line 20: expected '# overall fc1: min"),
        (TEXT[:-1], ": expected whole lines, found a truncated file"),
        (TEXT[:-2], ": expected whole lines, found a truncated file"),
        (TEXT.replace("# clips: 12", "# clips: 13"), " line 6: expected '# clips: 12', got"),
        ("\n".join(TEXT.splitlines()[:-1]) + "\n", " line 6: expected '# clips: 11', got"),
        (TEXT.replace("max_pool: min", "max_pool: low"), " line 17: expected '# overall max_pool"),
    ],
)
def test_an_edited_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_extremes(text, "lots.txt")
    assert str(caught.value).startswith("lots.txt" + message)


def test_no_clips_have_no_extremes() -> None:
    with pytest.raises(ValueError, match=r"^fingerprints: expected at least one, got none$"):
        measure_extremes(NETWORK, FINGERPRINTS[:0], LABEL_INDICES[:0])
