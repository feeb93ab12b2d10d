"""The float form in Keras against plain loops, and what training changes in it."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from golden.windows import Pair, Windows
from quant_models.architectures.ds_cnn import DsCnn
from quant_models.architectures.registry import ARCHITECTURES
from quant_models.batch_norm import folded
from quant_models.convolution import convolve
from quant_models.float_model import FloatModel
from quant_models.latent_parameters import Parameters
from quant_models.model_labeller import float_model
from quant_models.model_size import ModelSize
from tests.architectures import FEATURES, SMALL_GRID, small_size
from tests.checkpoints import random_checkpoint
from tests.networks import random_fingerprints
from tests.plain_float_layers import convolved, plain_logits

Floats = npt.NDArray[np.floating]

LABELS = 4
NORMALISED = {"ds_cnn": 0.96, "cnn": 0.99}  # momentum of their batch normalisation
ONE_LAYER = ModelSize(DsCnn.parse((1, 5, 3, 3, 2, 1)), None)
SUMS = ("conv_1/kernel", "conv_1/bias")
MEAN, VARIANCE = (f"conv_1/batch_norm/moving_{array}" for array in ("mean", "variance"))


def random_parameters(size: ModelSize, grid: Pair = SMALL_GRID, seed: int = 0) -> Parameters:
    """Parameters that leave no gate and no ReLU idle, variances above 0."""
    rng = np.random.default_rng(seed)
    shapes = size.parameter_shapes(grid, LABELS)
    return {
        name: (
            rng.uniform(0.5, 2.0, shape) if name.endswith("variance") else rng.normal(0, 0.3, shape)
        ).astype(np.float32)
        for name, shape in shapes.items()
    }


def model_with(parameters: Parameters, size: ModelSize, grid: Pair = SMALL_GRID) -> FloatModel:
    model = FloatModel(size, grid, LABELS)
    model.assign_parameters(parameters)
    return model


def fingerprints_of(count: int, grid: Pair = SMALL_GRID) -> npt.NDArray[np.int8]:
    """Small ones: large ones leave every gate open or shut."""
    return random_fingerprints(1, count, grid) // 16


def assert_close(found: npt.ArrayLike, expected: npt.ArrayLike) -> None:
    """Equal but for the rounding of single precision."""
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def unchanged(model: FloatModel, parameters: Parameters) -> bool:
    found = model.latent_parameters()
    return all(np.array_equal(found[name], array) for name, array in parameters.items())


# ---- layers


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_computes_what_plain_loops_compute(name: str, folded: bool) -> None:
    size = ModelSize(small_size(name).architecture, None, folded)
    parameters, fingerprints = random_parameters(size), fingerprints_of(3)
    model = model_with(parameters, size)
    expected = [plain_logits(size, parameters, each, LABELS) for each in fingerprints]
    assert np.ptp(expected) > 0.1
    assert_close(model.logits(fingerprints), expected)
    assert_close(model(fingerprints), expected)


@pytest.mark.parametrize("name", ["basic_lstm", "lstm"])
def test_memories_keep_what_they_hold_at_first(name: str) -> None:
    """Biases of the forget gate, the second of four, begin at 1, the others at 0."""
    bias = FloatModel(small_size(name), SMALL_GRID, LABELS).latent_parameters()["lstm/bias"]
    assert bias.reshape(4, -1).tolist() == [[share] * 5 for share in (0, 1, 0, 0)]


WRONG_IN_TENSORFLOW = [
    *(
        (kernel, stride, (6, width))
        for width, kernel in [(1, (2, 1)), (2, (2, 2)), (3, (1, 3)), (3, (3, 3))]
        for stride in [(1, 2), (2, 1), (2, 3), (3, 4)]
    ),
    *(((1, 1), stride, (5, 6)) for stride in [(1, 2), (2, 1), (2, 2), (3, 4)]),
    ((3, 2), (2, 1), (7, 5)),  # an ordinary one
]


@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize("inputs", [1, 3])
@pytest.mark.parametrize(("kernel", "stride", "grid"), WRONG_IN_TENSORFLOW)
def test_shapes_that_tensorflow_gets_wrong_are_convolved_and_learnt_exactly(
    kernel: Pair, stride: Pair, grid: Pair, inputs: int, padding: str
) -> None:
    """With integers, sums are exact. Gradients say what any change does, as sums are linear."""
    rng = np.random.default_rng(0)
    windows = Windows(kernel, stride, padding)

    def draw(*shape: int) -> Floats:
        return rng.integers(-9, 10, shape).astype(np.float32)

    def convolved_maps(maps: Floats, weights: Floats) -> Floats:
        return np.stack([convolved(each, weights, stride, padding) for each in maps])

    maps, weights = draw(5, *grid, inputs), draw(*kernel, inputs, 2)
    given = tf.Variable(maps), tf.Variable(weights)
    with tf.GradientTape() as tape:
        found = convolve(*given, windows)
        upstream = draw(*found.shape)
        total = tf.reduce_sum(found * upstream)
    assert np.array_equal(found, convolved_maps(maps, weights))
    of_maps, of_weights = (each.numpy() for each in tape.gradient(total, given))
    for _ in range(3):
        moved, turned = draw(*maps.shape), draw(*weights.shape)
        assert (of_maps * moved).sum() == (convolved_maps(moved, weights) * upstream).sum()
        assert (of_weights * turned).sum() == (convolved_maps(maps, turned) * upstream).sum()


@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize(
    ("info", "grid"),
    [((1, 3, 2, 3, 1, 2), (6, 3)), ((1, 3, 2, 1, 3, 4), (6, 1)), ((1, 3, 1, 1, 2, 2), (5, 6))],
)
def test_the_model_takes_these_shapes_from_there(
    info: tuple[int, ...], grid: Pair, padding: str
) -> None:
    size = ModelSize(DsCnn.parse(info, (padding,)), None)
    parameters, fingerprints = random_parameters(size, grid), fingerprints_of(5, grid)
    expected = [plain_logits(size, parameters, each, LABELS) for each in fingerprints]
    assert_close(model_with(parameters, size, grid).logits(fingerprints), expected)


# ---- training


def batch_statistics(
    parameters: Parameters, fingerprints: npt.NDArray[np.int8]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and variance `[channel]` of what the convolution of ONE_LAYER gives in a batch."""
    kernel, bias = (parameters[name].astype(np.float64) for name in SUMS)
    maps = [convolved(each[..., np.newaxis], kernel, (2, 1), "VALID") for each in fingerprints]
    sums = np.stack(maps) + bias
    return sums.mean(axis=(0, 1, 2)), sums.var(axis=(0, 1, 2))


def test_training_normalises_with_the_batch_and_moves_the_running_statistics() -> None:
    parameters, fingerprints = random_parameters(ONE_LAYER), fingerprints_of(6)
    model = model_with(parameters, ONE_LAYER)
    mean, variance = batch_statistics(parameters, fingerprints)
    normal = {**parameters, MEAN: mean, VARIANCE: variance}
    expected = [plain_logits(ONE_LAYER, normal, each, LABELS) for each in fingerprints]
    assert_close(model(fingerprints, training=True), expected)
    found = model.latent_parameters()
    assert_close(found[MEAN], 0.96 * parameters[MEAN] + 0.04 * mean)
    assert_close(found[VARIANCE], 0.96 * parameters[VARIANCE] + 0.04 * variance)
    trained = {name: array for name, array in parameters.items() if "moving" not in name}
    assert unchanged(model, trained)


@pytest.mark.parametrize("name", NORMALISED)
def test_running_statistics_keep_their_momentum(name: str) -> None:
    """The first convolution's: a batch of nothing but 0 has the mean of the bias, variance 0."""
    parameters = random_parameters(small_size(name))
    model = model_with(parameters, small_size(name))
    model(np.zeros((2, *SMALL_GRID), np.int8), training=True)
    kept, found = NORMALISED[name], model.latent_parameters()
    assert_close(found[VARIANCE], kept * parameters[VARIANCE])
    assert_close(found[MEAN], kept * parameters[MEAN] + (1 - kept) * parameters["conv_1/bias"])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_evaluation_changes_nothing_and_drops_nothing(name: str) -> None:
    size = small_size(name)
    parameters, fingerprints = random_parameters(size), fingerprints_of(4)
    model = model_with(parameters, size)
    first = model.logits(fingerprints)
    model(fingerprints)
    assert np.array_equal(model.logits(fingerprints), first)
    assert unchanged(model, parameters)


@pytest.mark.parametrize("name", ["dnn", "cnn", "crnn"])
def test_training_drops_outputs_at_random(name: str) -> None:
    """In a batch of equal fingerprints, what comes out differs from one to the other."""
    size = small_size(name)
    model = model_with(random_parameters(size), size)
    equal = np.repeat(fingerprints_of(1), 64, axis=0)
    keras.utils.set_random_seed(0)
    rows = np.unique(keras.ops.convert_to_numpy(model(equal, training=True)), axis=0)
    assert len(rows) > 10


# ---- evaluation


@pytest.mark.parametrize("name", NORMALISED)
def test_folding_batch_normalisation_keeps_the_logits(name: str) -> None:
    size, fingerprints = small_size(name), fingerprints_of(4)
    parameters = random_parameters(size)
    checkpoint = dataclasses.replace(
        random_checkpoint(), size=size, features=FEATURES, parameters=parameters
    )
    found = folded(checkpoint)
    assert not any("batch_norm" in array for array in found.parameters)
    expected = [plain_logits(size, parameters, each, LABELS) for each in fingerprints]
    assert_close(float_model(found).logits(fingerprints), expected)


def test_logits_do_not_depend_on_the_batches_that_they_are_made_in() -> None:
    size = small_size("dnn")
    model = model_with(random_parameters(size), size)
    fingerprints = fingerprints_of(300)
    one_by_one = np.concatenate([model.logits(each[np.newaxis]) for each in fingerprints])
    assert_close(model.logits(fingerprints), one_by_one)
    assert model.logits(fingerprints).shape == (300, LABELS)


def test_ties_go_to_the_lowest_label() -> None:
    size = small_size("dnn")
    zeros = {name: np.zeros_like(array) for name, array in random_parameters(size).items()}
    assert model_with(zeros, size).predictions(fingerprints_of(3)).tolist() == [0, 0, 0]
