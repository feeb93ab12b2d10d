"""Frozen graphs give the reference's integers, for floor-shift networks of any shape."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.ranges.intervals import magnitude_bound
from golden import reference
from golden.comparison import compare
from golden.network import FeatureSettings, IntegerNetwork
from golden.nodes import GlobalSumPool
from quant_models.exactness import FLOAT32_EXACT
from quant_models.freezing import FINGERPRINT, LOGITS, freeze
from quant_models.latent_parameters import integer_network
from tests.checkpoints import ds_cnn_size, random_parameters
from tests.networks import random_fingerprints, random_network

LABELS = ("_silence_", "_unknown_", "yes", "no")


def deep_network(seed: int, shift: int = 5) -> IntegerNetwork:
    """Three layers; the last map is one coefficient wide."""
    info = (3, 6, 4, 4, 2, 2, 5, 3, 3, 2, 2, 7, 3, 3, 2, 2)
    size = ds_cnn_size(info, (shift,) * 5)
    return integer_network(size, random_parameters(seed, size, 4), LABELS, FeatureSettings())


def logits_of(graph: bytes, fingerprints: np.ndarray) -> np.ndarray:
    definition = tf.compat.v1.GraphDef.FromString(graph)
    with tf.Graph().as_default() as built:
        tf.compat.v1.import_graph_def(definition, name="")
    with tf.compat.v1.Session(graph=built) as session:
        one_by_one = (fingerprint[np.newaxis] for fingerprint in fingerprints)
        rows = [session.run(f"{LOGITS}:0", {f"{FINGERPRINT}:0": each}) for each in one_by_one]
    return np.concatenate(rows)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([random_network, deep_network]))
def test_logits_are_those_of_the_reference(seed: int, make: type) -> None:
    network = dataclasses.replace(make(seed), features=FeatureSettings())
    fingerprints = random_fingerprints(seed, 4)
    found = logits_of(freeze(network, magnitude_bound(network)), fingerprints)
    compare(
        {"logits": reference.run(network, fingerprints).logits}, {"logits": found}, batched=True
    )


def test_sums_beyond_float32_are_exact_too() -> None:
    network = deep_network(1, shift=0)
    bound = magnitude_bound(network)
    assert bound >= FLOAT32_EXACT
    fingerprints = random_fingerprints(1, 4)
    expected = reference.run(network, fingerprints).logits
    assert np.abs(expected).max() >= FLOAT32_EXACT
    compare({"logits": expected}, {"logits": logits_of(freeze(network, bound), fingerprints)})


def test_the_same_network_gives_the_same_bytes() -> None:
    network = deep_network(2)
    bound = magnitude_bound(network)
    assert freeze(network, bound) == freeze(network, bound)


def test_what_it_cannot_freeze_is_refused() -> None:
    network = deep_network(3)
    with pytest.raises(ValueError, match=r"^network: expected sums below 2\^53, got up to "):
        freeze(network, 2**53)
    pool = next(node for node in network.nodes if node.name == "max_pool")
    summed = [GlobalSumPool("max_pool", pool.sources[0]) if n is pool else n for n in network.nodes]
    other = dataclasses.replace(network, nodes=tuple(summed))
    with pytest.raises(ValueError, match=r"^max_pool: expected a node of a floor-shift network, "):
        freeze(other, magnitude_bound(other))
    without = dataclasses.replace(network, features=None)
    with pytest.raises(ValueError, match=r"^network: expected one with settings of its features"):
        freeze(without, magnitude_bound(without))
