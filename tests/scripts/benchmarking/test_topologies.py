"""The benchmark's networks: the twin has the layers and weights of the integers, 8 bits come in."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from golden import reference
from golden.importers.tflite_file import parse_tflite
from golden.importers.tflite_network import import_tflite
from scripts.benchmarking.topologies import ds_cnn, float_twin, int8_model
from tests.graphs import random_graph
from tests.networks import random_fingerprints, random_network


def test_the_float_twin_computes_the_network_but_for_the_floors() -> None:
    """Floors lose less than 1 of values that go into the thousands."""
    network = random_network(1)
    clips = random_fingerprints(1, 20)
    expected = reference.run(network, clips).logits
    found = keras.ops.convert_to_numpy(
        float_twin(network)(clips[..., np.newaxis].astype("float32"))
    )
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.999


def test_other_nodes_have_no_twin() -> None:
    with pytest.raises(ValueError, match=r"expected a node of a floor-shift network$"):
        float_twin(random_graph(0, nodes=14))


def test_the_network_of_12_labels_comes_in_as_integers() -> None:
    rng = np.random.default_rng(0)
    examples = rng.normal(size=(10, 50, 10, 1)).astype(np.float32)
    network = import_tflite(parse_tflite(int8_model(ds_cnn(12, 4, 64), examples))).network
    assert sum(network.multiplications.values()) == 2_656_768  # as the published one has
    assert len(network.labels) == 12
