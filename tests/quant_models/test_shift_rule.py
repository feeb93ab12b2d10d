"""The rule that chooses shifts: by hand, on random networks, and for the network that has them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden import reference
from golden.network import FeatureSettings, IntegerNetwork
from golden.nodes import ShiftRelu
from quant_models.architectures.ds_cnn import DsCnn
from quant_models.checkpoint import load_checkpoint
from quant_models.floor_shift_model import FloorShiftModel
from quant_models.latent_parameters import integer_network
from quant_models.shift_rule import (
    ACTIVATION_BITS,
    FINGERPRINTS,
    LAST_BITS,
    QUANTILE,
    choose_shifts,
    observed_shifts,
    smallest_shift,
)
from tests.checkpoints import GRID, SMALL, ds_cnn_size
from tests.networks import LABELS, networks, random_fingerprints
from tests.repository import REPOSITORY

FEATURES = FeatureSettings()


@pytest.mark.parametrize(
    ("values", "bits", "expected"),
    [
        ([127], 7, 0),
        ([128], 7, 1),
        ([255, 3], 7, 1),
        ([256, -5_000], 7, 2),
        ([-1, -300], 7, 0),
        ([0], 4, 0),
        ([15], 4, 0),
        ([16], 4, 1),
        (999 * [127] + [10**6], 7, 0),  # one of a thousand may leave the range
        (998 * [127] + 2 * [10**6], 7, 13),
    ],
)
def test_the_smallest_shift_is_that_of_the_hand_table(
    values: list[int], bits: int, expected: int
) -> None:
    assert smallest_shift(np.array(values), bits) == expected


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=3_000), st.integers(1, 9))
def test_a_shift_is_enough_and_one_less_is_not(values: list[int], bits: int) -> None:
    shift = smallest_shift(np.array(values), bits)

    def share(shift: int) -> float:
        return sum(value >> shift < 2**bits for value in values) / len(values)

    assert share(shift) >= QUANTILE
    assert shift == 0 or share(shift - 1) < QUANTILE


@given(networks(), st.integers(0, 99))
def test_every_layer_fits_behind_the_shifts_before_it(network: IntegerNetwork, seed: int) -> None:
    if not any(isinstance(node, ShiftRelu) for node in network.nodes):
        return
    fingerprints = random_fingerprints(seed, 5, network.input_shape)
    shifts = iter(observed_shifts(network, fingerprints))
    nodes = tuple(
        dataclasses.replace(node, shift=next(shifts)) if isinstance(node, ShiftRelu) else node
        for node in network.nodes
    )
    layers = reference.run(dataclasses.replace(network, nodes=nodes), fingerprints).layers
    found = [node for node in nodes if isinstance(node, ShiftRelu)]
    for node in found:
        bits = LAST_BITS if node is found[-1] else ACTIVATION_BITS
        assert np.mean(layers[node.name] < 2**bits) >= QUANTILE
        if node.shift:
            less = reference.compute(
                dataclasses.replace(node, shift=node.shift - 1), layers[node.input]
            )
            assert np.mean(less < 2**bits) < QUANTILE


def test_the_shifts_of_the_network_itself_do_not_matter() -> None:
    fingerprints = random_fingerprints(0, 8)
    found = set()
    for shifts in ((0, 0, 0), (3, 4, 8), (31, 31, 31)):
        size = ds_cnn_size(SMALL, shifts)
        parameters = FloorShiftModel(size, GRID, 4, 3).latent_parameters()
        network = integer_network(size, parameters, LABELS, FEATURES)
        found.add(observed_shifts(network, fingerprints))
    assert len(found) == 1


def test_shifts_follow_the_seed_and_the_first_fingerprints_alone() -> None:
    layers = DsCnn.parse((4, *SMALL[1:], 6, 3, 3, 1, 1, 4, 3, 3, 1, 1))
    inputs = random_fingerprints(0, FINGERPRINTS + 50)
    first = choose_shifts(layers, LABELS, FEATURES, 1, inputs)
    assert first == choose_shifts(layers, LABELS, FEATURES, 1, inputs)
    assert first == choose_shifts(layers, LABELS, FEATURES, 1, inputs[:FINGERPRINTS])
    assert len(first) == 7
    others = {choose_shifts(layers, LABELS, FEATURES, seed, inputs) for seed in range(6)}
    assert len(others) > 1


def test_speech_gives_the_default_network_about_the_shifts_that_were_found_by_hand() -> None:
    """The real clips that the shipped checkpoint carries, and seven seeds."""
    (path,) = (REPOSITORY / "weights").glob("*/ds_cnn_*.npz")
    cases = load_checkpoint(path).cases
    layers = DsCnn.parse(DsCnn.DEFAULT_INFO)
    found = [choose_shifts(layers, LABELS, FEATURES, seed, cases) for seed in range(7)]
    assert found.count((3, 4, 8)) >= 3, found
    for shifts in found:
        assert all(abs(a - b) <= 1 for a, b in zip(shifts, (3, 4, 8), strict=True)), found
