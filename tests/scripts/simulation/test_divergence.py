"""The first wrong value of a recording, in time, and the smallest input that shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from dataflow.hardware.accelerator_schedule import predict
from golden.c.engine import CompiledEngine
from scripts.simulation.accelerator_simulation import UNKNOWN, Recording
from scripts.simulation.divergence import expected_streams, first_divergence, minimise
from tests.accelerators import small_accelerator
from tests.networks import random_fingerprints

ACCELERATOR = small_accelerator()
FINGERPRINTS = random_fingerprints(1, 3, ACCELERATOR.network.input_shape)
EXPECTED = expected_streams(ACCELERATOR, FINGERPRINTS)


def recording() -> Recording:
    """Return what a right simulation of the three clips gives, in the predicted cycles."""
    cycles = predict(ACCELERATOR, 3).cycles
    values = {stream: array.reshape(-1).copy() for stream, array in EXPECTED.items()}
    return Recording(values, {stream: cycles[stream].copy() for stream in values})


def found(wrong: Recording) -> str:
    return str(first_divergence(ACCELERATOR, EXPECTED, wrong))


def test_right_recording_has_no_divergence() -> None:
    assert first_divergence(ACCELERATOR, EXPECTED, recording()) is None


def test_where_clips_are_many_the_engine_expects_the_same(tmp_path: Path) -> None:
    engine = CompiledEngine(ACCELERATOR.network, cache=tmp_path)
    expected = expected_streams(ACCELERATOR, FINGERPRINTS, engine)
    assert expected.keys() == EXPECTED.keys()
    for stream, values in EXPECTED.items():
        np.testing.assert_array_equal(expected[stream], values, strict=True)


def test_wrong_value_is_named_by_clip_layer_place_and_cycle() -> None:
    # 4 x 2 positions a channel: value 8 * 2 + 5 of a clip is row 2, column 1 of channel 2.
    wrong, clip = recording(), EXPECTED["dw_conv"].shape[1]
    assert ACCELERATOR.map == (4, 2)
    index = clip + 8 * 2 + 5
    value = int(wrong.values["dw_conv"][index])
    wrong.values["dw_conv"][index] += 1
    cycle = wrong.cycles["dw_conv"][index]
    assert found(wrong) == (
        f"clip 1: dw_conv at (2, 1, 2): expected {value}, got {value + 1}, cycle {cycle}"
    )


def test_earliest_in_time_wins_not_the_first_layer() -> None:
    wrong = recording()
    wrong.values["conv_1"][-1] += 1
    wrong.values["max_pool"][0] += 1
    assert found(wrong).startswith("clip 0: max_pool at (0,): ")


def test_unknown_value_is_shown_as_x() -> None:
    wrong = recording()
    wrong.values["pw_conv"][0] = UNKNOWN
    assert ", got x, cycle" in found(wrong)


def test_missing_value_is_a_divergence_without_cycle() -> None:
    wrong = recording()
    values = {**wrong.values, "out": wrong.values["out"][:-1]}
    label = int(EXPECTED["out"][2, -1])
    expected = f"clip 2: label at (): expected {label}, got nothing"
    assert found(Recording(values, wrong.cycles)) == expected


def test_surplus_value_is_a_divergence() -> None:
    wrong = recording()
    for streams in (wrong.values, wrong.cycles):
        streams["fc1"] = np.append(streams["fc1"], 7)  # type: ignore[index]
    assert found(wrong).startswith("clip 2: after the end of fc1 at (3,): ")


@pytest.mark.parametrize("needed", [(), (5,), (0, 59), (3, 17, 40)])
def test_minimise_keeps_exactly_the_numbers_that_are_needed(needed: tuple[int, ...]) -> None:
    fingerprint = np.arange(1, 61, dtype=np.int8).reshape(10, 6) % 32

    def fails(clip: npt.NDArray[np.int8]) -> bool:
        return all(clip.reshape(-1)[place] == fingerprint.reshape(-1)[place] for place in needed)

    small = minimise(np.where(fingerprint == 0, 1, fingerprint).astype(np.int8), fails)
    assert np.flatnonzero(small).tolist() == list(needed)
