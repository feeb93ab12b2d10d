"""Accuracy by hand, and differences between Keras and reference that must be found."""

from __future__ import annotations

import numpy as np
import pytest

from golden import reference
from golden.comparison import Comparison, Mismatch
from quant_models.architectures.ds_cnn import CONV_1, FC1_BIASES, DsCnn
from quant_models.evaluation import Result, Verifier, confusion_matrix
from quant_models.exactness import check_sums
from quant_models.feature_cache import Examples
from tests.checkpoints import ds_cnn_size, random_checkpoint, random_parameters
from tests.networks import random_fingerprints

VALUES_A_CLIP = {  # of the default sizes
    "fingerprint": 300, "conv_1": 14 * 4 * 48, "conv_1_relu": 14 * 4 * 48,
    "dw_conv": 14 * 4 * 48, "dw_conv_relu": 14 * 4 * 48, "max_pool": 48,
    "pw_conv": 16, "pw_conv_relu": 16, "fc1": 4,
}  # fmt: skip


def plant(verifier: Verifier, name: str, place: tuple[int, ...], steps: int) -> None:
    """Change one latent weight of the Keras model by so many integer steps."""
    variable = verifier._model.parameters[name]
    latent = variable.value.numpy()
    latent[place] += steps / 32
    variable.assign(latent)


def test_confusion_counts_true_labels_in_rows() -> None:
    true, predicted = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 2, 2, 1, 1, 2])
    assert confusion_matrix(true, predicted, 4).tolist() == [
        [1, 0, 2, 0],
        [0, 1, 0, 0],
        [0, 1, 1, 0],
        [0, 0, 0, 0],
    ]


def test_accuracy_is_the_share_of_the_diagonal() -> None:
    confusion = np.array([[3, 1], [2, 4]])
    result = Result("set", ("yes", "no"), "reference", confusion, Comparison(10, {}))
    assert (result.clips, result.accuracy) == (10, 0.7)


def test_every_value_of_every_layer_is_compared() -> None:
    size = ds_cnn_size(DsCnn.DEFAULT_INFO)
    checkpoint = random_checkpoint(size=size, parameters=random_parameters(0, size, 4))
    verifier = Verifier(checkpoint)
    fingerprints = random_fingerprints(0, 3)
    comparison, inference, largest = verifier.compare(fingerprints)
    assert comparison == Comparison(3, {name: 3 * n for name, n in VALUES_A_CLIP.items()})
    assert inference.logits.shape == (3, 4)
    assert largest == check_sums(verifier.network, inference.layers)


def test_every_clip_is_checked_for_exact_sums_and_the_largest_is_kept() -> None:
    verifier = Verifier(random_checkpoint())
    fingerprints = random_fingerprints(5, 300)
    assert verifier.largest_sum == 0
    verifier.compare_all(fingerprints)
    layers = reference.run(verifier.network, fingerprints).layers
    assert verifier.largest_sum == check_sums(verifier.network, layers) > 0


def test_a_clip_whose_sums_leave_float32_is_refused_unless_a_bound_is_known() -> None:
    size = ds_cnn_size((1, 1, 1, 1, 1, 1), (0,))
    parameters = dict(random_parameters(0, size, 4))
    parameters[CONV_1] = np.full((1, 1, 1, 1), -1, np.float32)  # -32
    parameters[FC1_BIASES] = np.full(4, 2**24 / 32, np.float32)
    checkpoint = random_checkpoint(size=size, parameters=parameters)
    fingerprints = np.zeros((300, 30, 10), np.int8)
    message = r"^fc1: expected \|weight x input\| .*, got 16777216 at clip 0, channel 0$"
    with pytest.raises(ValueError, match=message):
        Verifier(checkpoint).compare_all(fingerprints)
    Verifier(checkpoint, bounded=True).compare_all(fingerprints)
    parameters[FC1_BIASES] -= np.float32(1)  # 32 integers
    checkpoint = random_checkpoint(size=size, parameters=parameters)
    fingerprints[270, 3, 4] = -32
    with pytest.raises(ValueError, match=r"^fc1: .* at clip 270, channel \d$"):
        Verifier(checkpoint).compare_all(fingerprints)


def test_evaluation_counts_over_many_batches() -> None:
    verifier = Verifier(random_checkpoint())
    rng = np.random.default_rng(0)
    examples = Examples(random_fingerprints(5, 600), rng.integers(0, 4, 600))
    calls: list[tuple[int, int]] = []
    result = verifier.evaluate("noise", examples, lambda *call: calls.append(call))
    answers = reference.run(verifier.network, examples.fingerprints).label_indices
    expected = [
        [int(((examples.label_indices == t) & (answers == p)).sum()) for p in range(4)]
        for t in range(4)
    ]
    assert result.confusion.tolist() == expected
    assert (result.title, result.clips) == ("noise", 600)
    assert result.accuracy == float(np.mean(answers == examples.label_indices))
    assert result.comparison.clips == 600
    assert result.comparison.values["fc1"] == 2_400
    assert calls == [(256, 600), (512, 600), (600, 600)]


def test_a_planted_weight_is_found_with_layer_place_and_both_integers() -> None:
    checkpoint = random_checkpoint(seed=1)
    verifier = Verifier(checkpoint)
    weight = int(verifier.network.node("conv_1").weights[2, 1, 3, 0])
    steps = 3 if weight < 20 else -3
    plant(verifier, CONV_1, (1, 3, 0, 2), steps)
    fingerprints = np.zeros((5, 30, 10), np.int8)
    fingerprints[4, 2 * 6 + 1, 2 * 2 + 3] = 7  # seen with that weight at position (6, 2) alone
    expected = 7 * weight
    with pytest.raises(Mismatch) as caught:
        verifier.compare(fingerprints)
    mismatch = caught.value.difference
    assert mismatch is not None
    assert (mismatch.layer, mismatch.clip, mismatch.place) == ("conv_1", 4, (6, 2, 2))
    assert mismatch.expected == expected
    assert abs(int(mismatch.found) - expected - 7 * steps) <= 7  # a tie may round the other way
    assert mismatch.differing == 1
    for part in (
        "conv_1",
        "clip 4",
        "time 6",
        "coefficient 2",
        "channel 2",
        f"expected {expected}",
    ):
        assert part in str(caught.value)


def test_a_planted_bias_is_found_in_the_last_layer_and_in_a_later_batch() -> None:
    checkpoint = random_checkpoint(seed=1)
    verifier = Verifier(checkpoint)
    plant(verifier, FC1_BIASES, (3,), 2)
    with pytest.raises(Mismatch, match=r"^fc1: first difference at clip 0, .* 3: expected"):
        verifier.compare_all(random_fingerprints(0, 300))
