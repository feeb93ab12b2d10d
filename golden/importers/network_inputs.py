"""Inputs for a network that comes without clips: random ones, and those that a user gives."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden.network import InputFormat, IntegerNetwork
from golden.requantisation import quantise

PREFERRED = "fingerprints"  # the array of golden cases


def random_inputs(network: IntegerNetwork, count: int, seed: int) -> npt.NDArray[np.int8]:
    """Return `count` inputs `(N, *input shape)`, uniform over all that the network takes.

    Raises ValueError for a negative seed.
    """
    if seed < 0:
        raise ValueError(f"seed: expected 0 or more, got {seed}")
    rng = np.random.default_rng(seed)
    form = network.input_format
    return rng.integers(form.low, form.high + 1, (count, *network.input_shape), dtype=np.int8)


def read_inputs(path: Path, network: IntegerNetwork) -> npt.NDArray[np.int8]:
    """Read inputs `(N, *input shape)` from a `.npz` file: integers as they are, or real values.

    The array `fingerprints` is taken if there is one, else the first; axes of one element may be
    missing or too many.

    Raises OSError as the file system reports it, and ValueError or TypeError, naming the file, for
    anything else than numbers of that shape and range.
    """
    name, values = _read_array(path)
    where = f"{path}: {name}"
    shapes = (values.shape[1:], network.input_shape)
    given, wanted = ([size for size in shape if size > 1] for shape in shapes)
    if values.ndim < 2 or given != wanted or 0 in values.shape:
        raise ValueError(
            f"{where}: expected shape {('N', *network.input_shape)}, got {values.shape}"
        )
    values = values.reshape(len(values), *network.input_shape)
    if np.issubdtype(values.dtype, np.floating):
        return _quantised(where, values, network.input_format)
    if values.dtype.kind not in "iu":
        raise TypeError(f"{where}: expected integers or real numbers, got {values.dtype}")
    low, high = network.input_format.low, network.input_format.high
    outside = (values < low) | (values > high)
    if outside.any():
        place = tuple(int(i) for i in np.argwhere(outside)[0])
        raise ValueError(
            f"{where}: expected integers in {low}..{high}, got {values[place]} at {place}"
        )
    return values.astype(np.int8)


def _read_array(path: Path) -> tuple[str, npt.NDArray[Any]]:
    content = path.read_bytes()
    try:
        stored = np.load(io.BytesIO(content), allow_pickle=False)
        with stored:  # a single array, of an .npy file, has nothing to close
            names = [name for name in stored.files if not name.endswith(".json")]
            name = PREFERRED if PREFERRED in names else names[0]
            return name, np.asarray(stored[name])
    except Exception as error:  # bytes that are no archive can make the readers raise anything
        raise ValueError(
            f"{path}: expected an .npz file with an array, found a truncated or foreign file"
        ) from error


def _quantised(
    where: str, values: npt.NDArray[np.floating[Any]], form: InputFormat
) -> npt.NDArray[np.int8]:
    if form.scale is None:
        raise TypeError(f"{where}: expected integers, got {values.dtype}")
    try:
        with np.errstate(over="ignore"):
            quantised = quantise(values, form.scale, form.zero_point, form.low, form.high)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    return quantised.astype(np.int8)
