"""The comparer that every rung uses: exact, or a mismatch that names the place."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden import reference
from golden.comparison import Comparison, Difference, Mismatch, compare
from golden.network import IntegerNetwork
from tests.networks import networks_with_fingerprints, random_fingerprints, random_network

NETWORK = random_network(7, filters=3, outputs=2)
FINGERPRINTS = random_fingerprints(7, 3)


def layers(**changes: Any) -> dict[str, np.ndarray]:
    result = reference.run(NETWORK, FINGERPRINTS).layers
    return {name: changes.get(name, layer) for name, layer in result.items()}


def one_clip() -> dict[str, np.ndarray]:
    return {name: layer[0] for name, layer in layers().items()}


def test_equal_layers_are_counted() -> None:
    found = compare(layers(), layers(), batched=True)
    sizes = {name: 3 * math.prod(shape) for name, shape in NETWORK.shapes.items()}
    assert found == Comparison(clips=3, values=sizes)
    assert found.total == sum(sizes.values())
    assert compare(one_clip(), one_clip()).clips == 1


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
    with pytest.raises(Mismatch) as caught:
        compare(expected, found, batched=True)
    value = int(expected[name][index])
    size = expected[name].size
    assert caught.value.difference == Difference(
        name, index[0], index[1:], value, value + step, 1, size
    )


def test_the_first_layer_of_the_network_and_then_the_first_place_is_named() -> None:
    changed = {name: layer.copy() for name, layer in layers().items()}
    changed["fc1"][0, 0] += 1
    changed["conv_1"][1, 3, 1, 2] = -5
    changed["conv_1"][2, 0, 0, 0] += 7
    expected = layers()["conv_1"][1, 3, 1, 2]
    backwards = dict(reversed(changed.items()))
    with pytest.raises(Mismatch) as caught:
        compare(layers(), backwards, batched=True)
    assert str(caught.value) == (
        "conv_1: first difference at clip 1, time 3, coefficient 1, channel 2: "
        f"expected {expected}, got -5; 2 of 504 values differ"
    )
    with pytest.raises(Mismatch, match=r"^conv_1: first difference at time 3, .*168 values"):
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
    with pytest.raises(Mismatch, match=rf"^fc1: .* at clip 2, channel 1: .* {found};"):
        compare(layers(), layers(fc1=changed), batched=True)


def test_missing_and_additional_layers_are_differences() -> None:
    without = {name: layer for name, layer in layers().items() if name != "conv_1"}
    with pytest.raises(Mismatch, match=r"^conv_1: expected this layer, found only fing"):
        compare(layers(), without, batched=True)
    with pytest.raises(Mismatch, match=r"^conv_1: expected no such layer, only fingerprint, "):
        compare(without, layers(), batched=True)
    with pytest.raises(Mismatch, match=r"^fingerprint: expected this layer, found only none$"):
        compare(layers(), {}, batched=True)


def test_another_shape_is_a_difference_also_where_numpy_would_broadcast() -> None:
    for wrong in (layers()["fc1"][:1], layers()["fc1"][..., np.newaxis], layers()["fc1"].T):
        message = re.escape(f"fc1: expected shape (3, 4), got {wrong.shape}")
        with pytest.raises(Mismatch, match=f"^{message}$") as caught:
            compare(layers(), layers(fc1=wrong), batched=True)
        assert caught.value.difference is None


def test_nothing_to_compare_is_no_success() -> None:
    for nothing in ({}, {"fc1": np.zeros((0, 4), np.int64)}):
        with pytest.raises(ValueError, match=r"^layers: expected at least one value to compare"):
            compare(nothing, nothing, batched=True)


def test_layers_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(TypeError, match=r"^fc1: expected integers to compare with, got float64$"):
        compare(layers(fc1=layers()["fc1"] * 1.0), layers(), batched=True)
    with pytest.raises(TypeError, match=r"^fc1: expected numbers, got bool$"):
        compare(layers(), layers(fc1=layers()["fc1"] > 0), batched=True)


def test_counts_of_other_clips_and_of_other_layers_add_up() -> None:
    few = Comparison(2, {"conv_1": 8, "fc1": 6})
    assert few.more_clips(Comparison(3, {"conv_1": 12, "fc1": 9})) == Comparison(
        5, {"conv_1": 20, "fc1": 15}
    )
    assert few.more_layers(Comparison(2, {"label": 2})) == Comparison(
        2, {"conv_1": 8, "fc1": 6, "label": 2}
    )


def test_a_mismatch_is_no_error_of_the_input() -> None:
    assert not issubclass(Mismatch, ValueError | TypeError | OSError)
