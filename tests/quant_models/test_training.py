"""Training: the same seed gives the same network, and each rule of the recipe holds exactly."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from golden import reference
from golden.network import FeatureSettings
from quant_models.distillation import soft_targets
from quant_models.feature_cache import Examples
from quant_models.floor_shift_model import FloorShiftModel
from quant_models.latent_parameters import Parameters, integer_network
from quant_models.training import (
    Trainer,
    _batches,
    _blocks,
    accuracy,
    predictions,
    train,
)
from quant_models.training_run import TrainingState
from quant_models.training_settings import TrainingSettings
from tests.checkpoints import GRID, SMALL, ds_cnn_size, random_parameters
from tests.networks import LABELS, random_fingerprints

SIZE = ds_cnn_size(SMALL, (3, 4, 4))
SHORT = TrainingSettings(
    learning_rates=(0.004, 0.001),
    steps=(30, 20),
    batch_size=8,
    eval_step_interval=20,
    averaging=0.9,
)


def easy_examples(seed: int, count: int) -> Examples:
    """Fingerprints of a pattern that only the label decides, under noise."""
    labels = np.arange(count) % 4
    patterns = np.tile(random_fingerprints(99, 4, (4, 2)), (1, 8, 5))[:, :30] // 2
    return Examples(random_fingerprints(seed, count) // 8 + patterns[labels], labels)


TRAINING, VALIDATION = easy_examples(0, 40), easy_examples(1, 24)


def run(settings: TrainingSettings = SHORT, **arguments: Any) -> list[TrainingState]:
    return list(train(SIZE, LABELS, FeatureSettings(), settings, TRAINING, VALIDATION, **arguments))


def same(first: Parameters, second: Parameters) -> bool:
    return list(first) == list(second) and all(
        np.array_equal(first[name], second[name]) for name in first
    )


@pytest.fixture
def eager() -> Iterator[None]:
    """Run steps one by one: for short runs that is quicker than compiling them."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def states() -> list[TrainingState]:
    return run()


# ---- reproducibility


def test_the_same_seed_gives_the_same_states_bit_for_bit(states: list[TrainingState]) -> None:
    keras.utils.set_random_seed(99)  # what other code does must not matter
    tf.random.normal((3,))
    again = run()
    assert [state.evaluation for state in again] == [state.evaluation for state in states]
    assert all(
        same(*(state.parameters for state in pair)) for pair in zip(again, states, strict=True)
    )


@pytest.mark.usefixtures("eager")
def test_another_seed_gives_another_network() -> None:
    settings = dataclasses.replace(SHORT, steps=(1, 1), eval_step_interval=2)
    (first,), (other,) = (run(dataclasses.replace(settings, seed=seed)) for seed in (0, 1))
    assert not same(other.parameters, first.parameters)


def test_a_state_comes_after_every_interval_and_after_the_last_step(
    states: list[TrainingState],
) -> None:
    points = [(state.evaluation.step, state.evaluation.learning_rate) for state in states]
    assert points == [(20, 0.004), (40, 0.001), (50, 0.001)]


def test_accuracies_are_those_of_the_integers_by_the_reference(
    states: list[TrainingState],
) -> None:
    for state in states:
        network = integer_network(SIZE, state.parameters, LABELS, FeatureSettings())
        answers = reference.run(network, VALIDATION.fingerprints).logits.argmax(axis=1)
        right = sum(int(a == b) for a, b in zip(answers, VALIDATION.label_indices, strict=True))
        assert state.evaluation.validation_accuracy == right / 24
        assert 0 <= state.evaluation.training_accuracy * 8 <= 8
        assert (state.evaluation.training_accuracy * 8).is_integer()


def test_training_learns(states: list[TrainingState]) -> None:
    longer = run(dataclasses.replace(SHORT, steps=(150, 50), eval_step_interval=100))
    assert longer[-1].evaluation.loss < states[0].evaluation.loss
    assert longer[-1].evaluation.validation_accuracy > 0.5  # guessing gives a quarter


# ---- start, stop, failure


@pytest.mark.usefixtures("eager")
def test_training_starts_from_the_given_parameters() -> None:
    start = random_parameters(4, SIZE, 4)
    settings = dataclasses.replace(
        SHORT, learning_rates=(1e-12,), steps=(1,), averaging=0.0, eval_step_interval=1
    )
    (state,) = run(settings, start=start)
    for name, array in start.items():
        assert np.abs(state.parameters[name] - array).max() < 1e-6
    network = integer_network(SIZE, start, LABELS, FeatureSettings())
    assert state.evaluation.validation_accuracy == accuracy(
        partial(predictions, network), VALIDATION
    )


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("seed", [0, 5])
def test_training_starts_from_the_weights_of_the_seed(seed: int) -> None:
    settings = dataclasses.replace(
        SHORT, learning_rates=(1e-12,), steps=(1,), averaging=0.0, seed=seed
    )
    (state,) = run(settings)
    for name, array in FloorShiftModel(SIZE, GRID, 4, seed).latent_parameters().items():
        assert np.abs(state.parameters[name] - array).max() < 1e-6


@pytest.mark.usefixtures("eager")
def test_a_start_of_another_shape_is_refused() -> None:
    start = random_parameters(0, ds_cnn_size((2, 4, *SMALL[2:])), 4)
    with pytest.raises(ValueError, match=r"^DS-CNN/conv_1/weights: expected shape"):
        run(start=start)


@pytest.mark.usefixtures("eager")
def test_stopping_yields_one_more_state() -> None:
    heard: list[int] = []

    def stop_at_3(done: int) -> bool:
        heard.append(done)
        return done < 3

    settings = dataclasses.replace(SHORT, steps=(3, 9), eval_step_interval=2)
    assert [state.evaluation.step for state in run(settings, on_steps=stop_at_3)] == [2, 3]
    assert heard == [2, 3]


@pytest.mark.usefixtures("eager")
def test_stopping_at_an_evaluation_yields_its_state_once() -> None:
    settings = dataclasses.replace(SHORT, steps=(3, 9), eval_step_interval=2)
    states = run(settings, on_steps=lambda done: False)
    assert [state.evaluation.step for state in states] == [2]


@pytest.mark.usefixtures("eager")
def test_a_loss_that_is_not_finite_is_refused() -> None:
    start = {name: array.copy() for name, array in random_parameters(0, SIZE, 4).items()}
    start["DS-CNN/fc1/biases"][0] = np.inf
    with pytest.raises(ValueError, match=r"^loss: expected a finite number, got nan at step 0$"):
        run(start=start)


# ---- the recipe


@pytest.mark.usefixtures("eager")
def test_averages_are_those_of_the_formula() -> None:
    model = FloorShiftModel(SIZE, GRID, 4, seed=3)
    trainer = Trainer(model, averaging=0.75)
    assert same(trainer.averaged_parameters(), model.latent_parameters())
    history = []
    for step in range(5):
        rows = np.arange(step * 8, step * 8 + 8)
        trainer.run(TRAINING.fingerprints[None, rows], TRAINING.label_indices[None, rows], 0.01)
        history.append(model.latent_parameters())
    found = trainer.averaged_parameters()
    shares = 0.25 * 0.75 ** np.arange(4, -1, -1)
    for name in found:
        expected = sum(
            share * step[name].astype(np.float64)
            for share, step in zip(shares, history, strict=True)
        )
        expected = expected / shares.sum()
        assert np.abs(found[name] - expected).max() < 1e-6
        assert not np.array_equal(found[name], history[-1][name])


@pytest.mark.usefixtures("eager")
def test_without_averaging_the_weights_themselves_are_kept() -> None:
    model = FloorShiftModel(SIZE, GRID, 4)
    trainer = Trainer(model)
    trainer.run(TRAINING.fingerprints[None, :8], TRAINING.label_indices[None, :8], 0.01)
    assert same(trainer.averaged_parameters(), model.latent_parameters())


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize(("distillation", "temperature"), [(0.0, 1.0), (0.5, 2.0), (1.0, 3.0)])
def test_the_loss_is_the_cross_entropy_with_smoothed_labels_and_with_teachers(
    smoothing: float, distillation: float, temperature: float
) -> None:
    parameters, first = random_parameters(1, SIZE, 4), TRAINING.fingerprints[:8]
    networks = [
        integer_network(SIZE, random_parameters(seed, SIZE, 4), LABELS, FeatureSettings())
        for seed in (1, 2, 3)
    ]
    logits = [reference.run(network, first).logits / 64 for network in networks]
    taught = np.mean([np.exp(log_softmax(each / temperature)) for each in logits[1:]], axis=0)
    soft = soft_targets(networks[1:], first, temperature)
    assert soft == pytest.approx(taught, rel=1e-6)
    targets = np.eye(4)[TRAINING.label_indices[:8]] * (1 - smoothing) + smoothing / 4
    expected = -(1 - distillation) * (targets * log_softmax(logits[0])).sum(1).mean()
    learned = -(taught * log_softmax(logits[0] / temperature)).sum(1).mean()
    expected += distillation * temperature**2 * learned
    model = FloorShiftModel(SIZE, GRID, 4)
    model.assign_parameters(parameters)
    trainer = Trainer(model, 0.0, smoothing, distillation, temperature)
    batch = first[None], TRAINING.label_indices[None, :8]
    found = trainer.run(*batch, 0.001, soft[None] if distillation else None)
    assert found == pytest.approx(expected, rel=1e-5)


def test_a_network_learns_what_its_teachers_say_and_not_the_labels() -> None:
    longer = dataclasses.replace(SHORT, steps=(150, 50), distillation=1.0, temperature=1.0)
    (*_, taught) = run(longer)
    assert taught.evaluation.validation_accuracy > 0.9
    teacher = integer_network(SIZE, taught.parameters, LABELS, FeatureSettings())
    wrong = Examples(TRAINING.fingerprints, (TRAINING.label_indices + 1) % 4)
    settings = FeatureSettings(), longer, wrong, VALIDATION
    *_, last = train(SIZE, LABELS, *settings, teachers=[teacher])
    assert last.evaluation.validation_accuracy > 0.9


@pytest.mark.usefixtures("eager")
def test_a_first_step_of_adam_moves_weights_by_the_learning_rate() -> None:
    model = FloorShiftModel(SIZE, GRID, 4, seed=2)
    before = model.latent_parameters()
    trainer = Trainer(model)
    trainer.run(TRAINING.fingerprints[None, :8], TRAINING.label_indices[None, :8], 0.002)
    moved = np.concatenate(
        [np.abs(after - before[name]).ravel() for name, after in model.latent_parameters().items()]
    )
    assert moved.max() == pytest.approx(0.002, rel=1e-2)


def test_learning_rates_hold_for_their_steps() -> None:
    settings = TrainingSettings(learning_rates=(0.1, 0.2, 0.3), steps=(2, 1, 3))
    rates = [settings.learning_rate_at(step) for step in range(6)]
    assert rates == [0.1, 0.1, 0.2, 0.3, 0.3, 0.3]
    assert settings.total_steps == 6
    with pytest.raises(ValueError, match=r"^step: expected 0\.\.5, got 6$"):
        settings.learning_rate_at(6)


@given(steps=st.lists(st.integers(1, 250), min_size=1, max_size=4), interval=st.integers(1, 400))
def test_blocks_cover_each_step_once_and_end_with_stages_and_evaluations(
    steps: list[int], interval: int
) -> None:
    rates = tuple(0.1 * (stage + 1) for stage in range(len(steps)))
    settings = TrainingSettings(rates, tuple(steps), eval_step_interval=interval)
    blocks = list(_blocks(settings))
    covered = [step for first, count in blocks for step in range(first, first + count)]
    assert covered == list(range(sum(steps)))
    for first, count in blocks:
        assert len({settings.learning_rate_at(step) for step in range(first, first + count)}) == 1
        assert not any(done % interval == 0 for done in range(first + 1, first + count))


@given(examples=st.integers(1, 30), batch_size=st.integers(1, 40), seed=st.integers(0, 99))
def test_every_example_comes_once_before_any_comes_again(
    examples: int, batch_size: int, seed: int
) -> None:
    batches = list(islice(_batches(examples, batch_size, seed), 4 * examples // batch_size + 1))
    assert all(len(batch) == batch_size for batch in batches)
    rows = np.concatenate(batches)
    for start in range(0, len(rows) - examples + 1, examples):
        assert sorted(rows[start : start + examples]) == list(range(examples))


def test_the_order_of_examples_follows_the_seed_and_changes_each_time_round() -> None:
    first, again, other = (next(_batches(50, 100, seed)).tolist() for seed in (0, 0, 1))
    assert first == again != other
    assert first[:50] != first[50:]


def test_predictions_do_not_depend_on_the_batches_they_are_made_in() -> None:
    network = integer_network(SIZE, random_parameters(0, SIZE, 4), LABELS, FeatureSettings())
    fingerprints = random_fingerprints(0, 300)
    found = predictions(network, fingerprints)
    assert np.array_equal(found, reference.run(network, fingerprints).label_indices)


# ---- settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        *(
            ({"learning_rates": rates, "steps": steps},
             "learning_rate and how_many_training_steps: expected lists of equal length, "
             f"got {len(rates)} and {len(steps)}")
            for rates, steps in (((0.1,), (1, 2)), ((0.1, 0.2), (1,)), ((), ()))
        ),
        *(
            ({"learning_rates": rates, "steps": steps},
             f"learning_rate and how_many_training_steps: expected values above 0, got {got}")
            for rates, steps, got in (
                ((0.1, 0.0), (1, 2), "0.0 and 1"),
                ((0.1, -0.5), (1, 2), "-0.5 and 1"),
                ((0.1, 0.2), (1, 0), "0.1 and 0"),
            )
        ),
        *(
            ({"learning_rates": (0.1, value), "steps": (1, 2)},
             f"learning_rate: expected finite numbers, got {value}")
            for value in (float("nan"), float("inf"))
        ),
        ({"batch_size": 0}, "batch_size: expected 1 or more, got 0"),
        ({"eval_step_interval": -5}, "eval_step_interval: expected 1 or more, got -5"),
        ({"averaging": 1.0}, "averaging: expected 0 or more and below 1, got 1.0"),
        ({"averaging": float("nan")}, "averaging: expected 0 or more and below 1, got nan"),
        ({"label_smoothing": -0.1}, "label_smoothing: expected 0 or more and below 1, got -0.1"),
        ({"distillation": 1.5}, "distillation: expected 0..1, got 1.5"),
        ({"temperature": 0.0}, "temperature: expected above 0 and up to 100, got 0.0"),
        ({"temperature": float("nan")}, "temperature: expected above 0 and up to 100, got nan"),
        ({"seed": -1}, "seed: expected 0..4294967295, got -1"),
        ({"seed": 2**32}, "seed: expected 0..4294967295, got 4294967296"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        TrainingSettings(**values)
    assert str(caught.value) == message
