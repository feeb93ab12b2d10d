"""Where two participants part, told from differences that are planted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from golden.importers.network_inputs import random_inputs
from golden.importers.tflite_file import parse_tflite
from golden.importers.tflite_network import ImportedNetwork, import_tflite
from golden.nodes import Convolution, Requantise
from golden.requantisation import requantise
from scripts.runtimes.participants import Participant, inner_tensors, run_rule
from scripts.runtimes.partings import Agreement, agreements
from tests.tflite_models import converted

Changes = dict[str, dict[tuple[int, int], int]]  # layer -> (input, element) -> what is added


def parted(name: str, changes: Changes) -> tuple[ImportedNetwork, npt.NDArray[np.int8], Agreement]:
    """Compare our reference on four inputs with itself after changes."""
    imported = import_tflite(parse_tflite(converted(name)))
    inputs = random_inputs(imported.network, 4, 2)
    first = run_rule(imported, inputs)
    tensors = {index: values.astype(int) for index, values in first.tensors.items()}
    for layer, places in changes.items():
        for place, amount in places.items():
            tensors[imported.tensors[layer]][place] += amount
    (found,) = agreements(imported, inputs, [first, Participant("other", tensors)])
    return imported, inputs, found


def test_nothing_differs_from_itself() -> None:
    imported, _, found = parted("residual", {})
    assert (found.differing, found.labels, found.parting) == (0, 0, None)
    assert found.names == ("rule tflm", "other")
    assert found.values == 4 * sum(
        int(np.prod(imported.model.tensors[index].shape)) for index in inner_tensors(imported)
    )


def test_the_first_layer_on_its_first_input_is_named() -> None:
    _, _, found = parted(
        "classifier", {"fc_2_q": {(0, 1): 9, (3, 0): 1}, "conv_0_q": {(2, 13): 1, (3, 0): 1}}
    )
    assert found.differing == 4
    assert found.parting is not None
    assert (found.parting.layer, found.parting.clip) == ("conv_0_q", 2)
    assert found.parting.place == (0, 2, 1)  # element 13 of (8, 6, 6)
    assert (found.parting.differing, found.parting.values) == (2, 4 * 8 * 6 * 6)
    assert found.parting.results[1] == found.parting.results[0] + 1
    assert found.parting.tensor.startswith("tensor ")


def test_labels_count_where_another_logit_is_largest() -> None:
    imported, inputs, found = parted("classifier", {"fc_2_q": {(0, 1): 500, (1, 1): 500}})
    answers = np.argmax(run_rule(imported, inputs).tensors[imported.logits], axis=1)
    assert found.labels == (answers[:2] != 1).sum()


@pytest.mark.parametrize("layer", ["conv_0_q", "conv_1_q", "add_3_q", "fc_9_q"])
def test_accumulators_give_what_the_reference_gives(layer: str) -> None:
    """Also behind sums, whose inputs are scaled first, and with a factor a channel."""
    imported, _, found = parted("residual", {layer: {(1, 3): 1}})
    assert found.parting is not None and found.parting.accumulator is not None
    scaled, node = found.parting.accumulator, imported.network.node(layer)
    assert isinstance(node, Requantise)
    numbers = (np.array([n]) for n in (scaled.value, scaled.multiplier, scaled.exponent))
    result = int(requantise(*numbers, node.rounding)[0]) + node.zero_point
    assert found.parting.results[0] == min(max(result, node.low), node.high)
    assert abs(scaled.product - (result - node.zero_point)) < 0.75


def test_the_accumulator_of_a_first_layer_is_its_sum_by_hand() -> None:
    imported, inputs, found = parted("classifier", {"conv_0_q": {(0, 7): 1}})
    assert found.parting is not None and found.parting.accumulator is not None
    node = imported.network.node("conv_0")
    assert isinstance(node, Convolution) and node.biases is not None
    row, column, channel = found.parting.place
    patch = inputs[0, row : row + 3, column : column + 3].astype(int)
    centred = patch - imported.network.input_format.zero_point
    expected = int((centred * node.weights[channel, :, :, 0]).sum() + node.biases[channel])
    assert found.parting.accumulator.value == expected


def test_layers_that_scale_nothing_have_no_accumulator() -> None:
    _, _, found = parted("max_pools", {"max_pool_1": {(0, 0): 1}})
    assert found.parting is not None
    assert (found.parting.layer, found.parting.accumulator) == ("max_pool_1", None)
