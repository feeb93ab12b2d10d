"""Shifts for a network that is given none: from the ranges that its initial weights show.

A shift that is too small lets the values, and with them the sums, grow from layer to layer; one
that is too large floors them all to 0, and nothing is learnt behind. The rule keeps the values of
all layers at one size: going from the input to the logits it takes for each layer the smallest
shift with which `QUANTILE` of what is left after the ReLU fits `ACTIVATION_BITS` bits, and in front
of `fc1` `LAST_BITS` bits, so that the first logits are of the size that the loss expects. For two
layers of the default size that gives the 3 4 8 that were found by hand.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from golden import reference
from golden.network import INPUT_NAME, FeatureSettings, IntegerNetwork
from golden.nodes import ShiftRelu
from quant_models.architectures.architecture import Architecture
from quant_models.floor_shift_model import FloorShiftModel
from quant_models.latent_parameters import integer_network
from quant_models.model_size import HIGHEST_SHIFT, ModelSize, grid_of

FINGERPRINTS = 256  # training examples that the ranges are observed on, the first ones
QUANTILE = 0.999
ACTIVATION_BITS = 7
LAST_BITS = 4


def choose_shifts(
    architecture: Architecture,
    labels: Sequence[str],
    features: FeatureSettings,
    seed: int,
    fingerprints: npt.NDArray[np.int8],
) -> tuple[int, ...]:
    """Return the shifts for a network that starts from the weights of `seed`.

    `fingerprints` are those of the training, `[N][time][coefficient]`; the first `FINGERPRINTS` of
    them are observed. The same arguments give the same shifts.
    """
    size = ModelSize(architecture, (HIGHEST_SHIFT,) * architecture.shift_count)  # any will do
    model = FloorShiftModel(size, grid_of(features), len(labels), seed)
    parameters = model.latent_parameters()
    network = integer_network(size, parameters, labels, features)
    return observed_shifts(network, fingerprints[:FINGERPRINTS])


def observed_shifts(network: IntegerNetwork, fingerprints: npt.NDArray[np.int8]) -> tuple[int, ...]:
    """Return the shifts that the rule gives to `network`, whose own shifts do not matter.

    `fingerprints` are integers `[N][time][coefficient]` in -32..31, at least one.
    """
    reference.check_fingerprints(network, fingerprints)
    last = [node.name for node in network.nodes if isinstance(node, ShiftRelu)][-1]
    values = {INPUT_NAME: fingerprints.astype(np.int64)[..., np.newaxis]}
    shifts = []
    for node in network.nodes:
        if isinstance(node, ShiftRelu):
            bits = LAST_BITS if node.name == last else ACTIVATION_BITS
            shifts.append(smallest_shift(values[node.input], bits))
            node = dataclasses.replace(node, shift=shifts[-1])
        values[node.name] = reference.compute(node, values[node.input])
    return tuple(shifts)


def smallest_shift(values: npt.NDArray[np.int64], bits: int) -> int:
    """Return the smallest shift that leaves `QUANTILE` of the values below `2**bits`.

    >>> smallest_shift(np.array([-5_000, 0, 127]), 7), smallest_shift(np.array([3, 128]), 7)
    (0, 1)
    """
    highest = int(np.quantile(values, QUANTILE, method="inverted_cdf"))
    return max(max(highest, 0).bit_length() - bits, 0)
