"""Inputs of networks that come without clips."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from golden.exports.cases import make_cases
from golden.importers.network_inputs import random_inputs, read_inputs
from golden.network import InputFormat, IntegerNetwork
from golden.nodes import FullyConnected
from tests.networks import random_network

FORM = InputFormat(-128, 127, -8, 0.5)


def network(shape: tuple[int, ...] = (3, 2), form: InputFormat = FORM) -> IntegerNetwork:
    weights = np.ones((2, int(np.prod(shape))), np.int8)
    return IntegerNetwork(
        (FullyConnected("fc", "fingerprint", weights),), ("a", "b"), shape, None, form
    )


def stored(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path / "inputs.npz", **arrays)
    return path / "inputs.npz"


def test_random_inputs_fill_the_whole_range_and_repeat() -> None:
    inputs = random_inputs(network(), 500, 4)
    assert (inputs.shape, inputs.dtype) == ((500, 3, 2), np.int8)
    assert (inputs.min(), inputs.max()) == (-128, 127)
    assert np.array_equal(inputs, random_inputs(network(), 500, 4))
    assert not np.array_equal(inputs, random_inputs(network(), 500, 5))
    narrow = random_inputs(network(form=InputFormat()), 500, 4)
    assert (narrow.min(), narrow.max()) == (-32, 31)


@pytest.mark.parametrize("shape", [(4, 3, 2), (4, 1, 3, 2, 1), (4, 3, 1, 2)])
def test_integers_are_taken_as_they_are(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = np.arange(-12, 12)
    found = read_inputs(stored(tmp_path, x=values.reshape(shape)), network())
    assert found.dtype == np.int8
    assert np.array_equal(found.ravel(), values)
    assert found.shape == (4, 3, 2)


def test_real_values_are_quantised(tmp_path: Path) -> None:
    values = np.array([-99.0, -0.25, 0.0, 0.25, 0.74, 99.0], np.float32).reshape(1, 3, 2)
    found = read_inputs(stored(tmp_path, x=values), network())
    assert found.ravel().tolist() == [-128, -9, -8, -7, -7, 127]


def test_fingerprints_are_preferred_to_other_arrays(tmp_path: Path) -> None:
    wanted = np.full((1, 3, 2), 5)
    found = read_inputs(stored(tmp_path, a=wanted + 1, fingerprints=wanted), network())
    assert np.array_equal(found, wanted)


def test_golden_cases_are_read(tmp_path: Path) -> None:
    made = random_network(1)
    inputs = random_inputs(made, 3, 1)
    (tmp_path / "cases.npz").write_bytes(make_cases(made, inputs, np.zeros(3, int)).to_bytes())
    assert np.array_equal(read_inputs(tmp_path / "cases.npz", made), inputs)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((4, 2, 3)), r"expected shape \('N', 3, 2\), got \(4, 2, 3\)"),
        (np.zeros((4, 6)), r"expected shape \('N', 3, 2\), got \(4, 6\)"),
        (np.zeros((1, 3, 2), "m8[s]"), r"expected integers or real numbers, got timedelta64\[s\]"),
        (np.zeros((4, 5)), r"expected shape \('N', 3, 2\), got \(4, 5\)"),
        (np.zeros((3, 2)), r"expected shape \('N', 3, 2\), got \(3, 2\)"),
        (np.zeros((0, 3, 2)), r"expected shape \('N', 3, 2\), got \(0, 3, 2\)"),
        (np.full((1, 3, 2), 128), r"expected integers in -128..127, got 128 at \(0, 0, 0\)"),
        (np.full((1, 3, 2), np.nan), r"inputs: expected finite values, got nan at \(0, 0, 0\)"),
        (np.full((1, 3, 2), "a"), r"expected integers or real numbers, got <U1"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, values: np.ndarray, message: str) -> None:
    path = stored(tmp_path, x=values)
    with pytest.raises((ValueError, TypeError), match=rf"^{re.escape(str(path))}: x: {message}$"):
        read_inputs(path, network())


def test_real_values_need_a_scale(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"x: expected integers, got float64$"):
        read_inputs(stored(tmp_path, x=np.zeros((1, 3, 2))), network(form=InputFormat()))


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    array = io.BytesIO()
    np.save(array, np.zeros((1, 3, 2)))
    empty = stored(tmp_path).read_bytes()
    truncated = stored(tmp_path, x=np.zeros(9)).read_bytes()[:99]
    for content in (b"", b"text", array.getvalue(), empty, truncated):
        path = tmp_path / "foreign.npz"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"foreign.npz: expected an .npz file with an array"):
            read_inputs(path, network())


def test_a_file_of_other_things_is_no_array(tmp_path: Path) -> None:
    path = tmp_path / "notes.zip"
    with zipfile.ZipFile(path, "w") as container:
        container.writestr("notes.txt", "no array")
    with pytest.raises(ValueError, match=r"notes\.zip: notes\.txt: expected shape"):
        read_inputs(path, network())
    with pytest.raises(FileNotFoundError):
        read_inputs(tmp_path / "nowhere.npz", network())


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^seed: expected 0 or more, got -1$"):
        random_inputs(network(), 1, -1)
