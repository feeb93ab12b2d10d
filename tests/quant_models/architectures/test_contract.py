"""What holds for every architecture in every form: trained, stored, evaluated, frozen, in integers.

Whoever registers a new one gives it small sizes in `tests.architectures`, and has all these tests.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest

from freeze import FORMATS, frozen_bytes
from golden import reference
from golden.comparison import compare
from quant_models import features
from quant_models.architectures.registry import ARCHITECTURES, architecture_of
from quant_models.audio import from_pcm, to_pcm
from quant_models.checkpoint import Checkpoint, load_checkpoint
from quant_models.exactness import check_sums
from quant_models.feature_cache import Examples
from quant_models.floor_shift_model import FloorShiftModel
from quant_models.freezing import LOGITS
from quant_models.frozen_graph import FrozenGraph
from quant_models.labelling import GRAPH_INPUT, GRAPH_OUTPUT, Labeller, NetworkLabeller
from quant_models.latent_parameters import Parameters
from quant_models.model_labeller import ModelLabeller, float_model
from quant_models.model_size import FLOAT, FLOOR_SHIFT, ModelSize, size_from
from quant_models.post_training import int8_network
from quant_models.training import keras_model, predictors, train
from quant_models.training_run import TrainingState
from quant_models.training_settings import TrainingSettings
from scripts.simulation.c_inference import run_c
from tests.architectures import FEATURES, PAIRS, SMALL_GRID, SMALL_INFO, Pair, small_size
from tests.checkpoints import random_checkpoint
from tests.float_runtimes import RUNTIMES
from tests.networks import LABELS, random_fingerprints
from tests.speech_folder import OTHER, RATE_HZ, WANTED, spoken_word
from tests.tflite_oracles import compare as compare_with_runtime
from tests.tflite_oracles import each_oracle

TEN_STEPS = TrainingSettings(
    learning_rates=(0.01,), steps=(10,), batch_size=8, eval_step_interval=10, averaging=0.0, seed=3
)
EXAMPLES = Examples(random_fingerprints(0, 24, SMALL_GRID), np.arange(24) % len(LABELS))
UNSEEN = random_fingerprints(1, 12, SMALL_GRID)


@dataclass(frozen=True)
class Trained:
    """What ten steps made of a small network, and its checkpoint before and after its file."""

    size: ModelSize
    state: TrainingState
    checkpoint: Checkpoint
    loaded: Checkpoint

    @cached_property
    def frozen(self) -> dict[str, bytes]:
        """What freeze.py writes in each format."""
        return {each: frozen_bytes(self.loaded, each, int8=False) for each in FORMATS}


def ten_steps(size: ModelSize) -> TrainingState:
    (state,) = train(size, LABELS, FEATURES, TEN_STEPS, EXAMPLES, EXAMPLES)
    return state


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    size = small_size(*request.param)
    state = ten_steps(size)
    checkpoint = dataclasses.replace(
        random_checkpoint(),
        size=size,
        features=FEATURES,
        parameters=state.parameters,
        accuracy=state.evaluation.validation_accuracy,
        step=state.evaluation.step,
        cases=EXAMPLES.fingerprints,
        case_labels=EXAMPLES.label_indices,
    )
    path = checkpoint.save(tmp_path_factory.mktemp("checkpoint"))
    return Trained(size, state, checkpoint, load_checkpoint(path))


def trained_where(holds: Callable[[Pair], bool]) -> pytest.MarkDecorator:
    """Give a test the `trained` of some pairs alone."""
    chosen = [pair for pair in PAIRS if holds(pair)]
    return pytest.mark.parametrize("trained", chosen, indirect=True, ids="-".join)


in_integers = trained_where(lambda pair: pair[1] == FLOOR_SHIFT)
in_float = trained_where(lambda pair: pair[1] == FLOAT)
to_be_quantised = trained_where(
    lambda pair: pair[1] == FLOAT and ARCHITECTURES[pair[0]].NO_INTEGERS is None
)


def same(first: Parameters, second: Parameters) -> bool:
    return set(first) == set(second) and all(
        np.array_equal(first[name], second[name]) for name in first
    )


# ---- sizes


def test_every_architecture_has_small_sizes_for_these_tests() -> None:
    assert set(SMALL_INFO) == set(ARCHITECTURES)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_sizes_are_read_and_given_back(name: str) -> None:
    kind = ARCHITECTURES[name]
    for info in (SMALL_INFO[name], kind.DEFAULT_INFO):
        assert kind.parse(info).info == info
        assert kind.parse(list(info)) == architecture_of(name, info)
    assert architecture_of(name).info == kind.DEFAULT_INFO
    assert name == kind.NAME


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_what_a_checkpoint_says_of_a_size_gives_it_back(pair: Pair) -> None:
    size = small_size(*pair)
    assert size.form == pair[1]
    assert size_from(json.loads(json.dumps(size.stored()))) == size


def test_only_the_float_form_is_folded() -> None:
    size = small_size("ds_cnn", FLOOR_SHIFT)
    with pytest.raises(ValueError, match=r"^folded: expected with the float form alone"):
        ModelSize(size.architecture, size.shifts, folded=True)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_the_keras_model_has_the_arrays_that_the_size_states(pair: Pair) -> None:
    size = small_size(*pair)
    model = keras_model(size, FEATURES, len(LABELS))
    shapes = {name: tuple(array.shape) for name, array in model.parameters.items()}
    assert shapes == size.parameter_shapes(SMALL_GRID, len(LABELS))
    stored = {id(array) for array in model.parameters.values()}
    assert {id(array) for array in model.trainable_variables} <= stored
    if size.form == FLOAT:  # arrays of one shape are not mixed up
        names = [name.rpartition("/")[2] for name in model.parameters]
        assert names == [array.name for array in model.parameters.values()]


# ---- training


def test_ten_steps_change_every_array_and_give_a_finite_loss(trained: Trained) -> None:
    keras.utils.set_random_seed(TEN_STEPS.seed)
    model = keras_model(trained.size, FEATURES, len(LABELS), TEN_STEPS.seed)
    assert np.isfinite(trained.state.evaluation.loss)
    assert list(trained.state.parameters) == list(model.parameters)
    for name, array in model.latent_parameters().items():
        found = trained.state.parameters[name]
        assert np.isfinite(found).all() and not np.array_equal(found, array), name


def test_the_same_seed_gives_the_same_network(trained: Trained) -> None:
    keras.utils.set_random_seed(99)  # what other code does must not matter
    again = ten_steps(trained.size)
    assert again.evaluation == trained.state.evaluation
    assert same(again.parameters, trained.state.parameters)


# ---- the file and evaluation


def test_a_checkpoint_survives_its_file(trained: Trained) -> None:
    assert trained.loaded.size == trained.size
    assert same(trained.loaded.parameters, trained.state.parameters)
    assert trained.loaded.to_bytes() == trained.checkpoint.to_bytes()


def test_evaluation_is_the_same_before_and_after_the_file(trained: Trained) -> None:
    predict_with = predictors(trained.size, LABELS, FEATURES)
    found = predict_with(trained.state.parameters)(UNSEEN)
    assert found.shape == (len(UNSEEN),)
    assert set(found.tolist()) <= set(range(len(LABELS)))
    predict = predict_with(trained.loaded.parameters)
    assert np.array_equal(predict(UNSEEN), found)
    assert np.array_equal(np.concatenate([predict(each[np.newaxis]) for each in UNSEEN]), found)
    right = predict(EXAMPLES.fingerprints) == EXAMPLES.label_indices
    assert trained.state.evaluation.validation_accuracy == right.mean()


# ---- frozen


def spoken_clips() -> npt.NDArray[np.float32]:
    """The middle of one clip of each word, as 16-bit files hold it."""
    rng, length = np.random.default_rng(0), FEATURES.clip_samples
    start = (RATE_HZ - length) // 2
    words = [spoken_word(word, rng)[start : start + length] for word in WANTED + OTHER]
    return from_pcm(to_pcm(np.stack(words)))


def logits_of(checkpoint: Checkpoint, fingerprints: npt.NDArray[np.int8]) -> npt.NDArray:
    """Return the logits of the integer reference or the Keras model, before any scale."""
    if checkpoint.size.form == FLOAT:
        return float_model(checkpoint).logits(fingerprints)
    return reference.run(checkpoint.network(), fingerprints).logits


def assert_same_logits(form: str, expected: npt.NDArray, found: npt.NDArray) -> None:
    """Integers are equal; real numbers are but for rounding, and in the same order."""
    if form == FLOOR_SHIFT:
        compare({LOGITS: expected}, {LOGITS: found}, batched=True)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert np.array_equal(np.argsort(found, kind="stable"), np.argsort(expected, kind="stable"))


def test_its_graph_hears_in_clips_what_the_checkpoint_hears(
    trained: Trained, tmp_path: Path
) -> None:
    graph, clips, checkpoint = tmp_path / "a.pb", spoken_clips(), trained.loaded
    graph.write_bytes(trained.frozen["pb"])
    labeller: Labeller = (
        ModelLabeller(checkpoint)
        if trained.size.form == FLOAT
        else NetworkLabeller(checkpoint.network())
    )
    shares, logits = (
        FrozenGraph(graph, LABELS, f"{GRAPH_INPUT}:0", f"{end}:0", RATE_HZ, FEATURES.clip_ms)
        for end in (GRAPH_OUTPUT, LOGITS)
    )
    found, expected = shares.scores(clips), labeller.scores(clips)
    assert np.array_equal(found.argmax(axis=1), expected.argmax(axis=1))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    fingerprints = features.fingerprints(clips, FEATURES)
    expected_logits = logits_of(checkpoint, fingerprints)
    assert_same_logits(trained.size.form, expected_logits, logits.scores(clips))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_its_files_compute_the_same_in_other_runtimes(trained: Trained, runtime: str) -> None:
    file_format, run = RUNTIMES[runtime]
    found, shares = run(trained.frozen[file_format], UNSEEN)
    expected, form = logits_of(trained.loaded, UNSEEN), trained.size.form
    steps = 64 if form == FLOOR_SHIFT else 1  # the loss takes integer logits in steps of 1/64
    assert_same_logits(form, expected, found * steps)
    powers = np.exp((expected - expected.max(axis=1, keepdims=True)).astype(np.float64) / steps)
    softmax = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, softmax, rtol=1e-5, atol=1e-7)
    assert np.array_equal(shares.argmax(axis=1), expected.argmax(axis=1))


# ---- integers


@in_integers
def test_every_layer_is_that_of_the_reference_in_keras_and_in_c(
    trained: Trained, require_tool: Callable[[str], None]
) -> None:
    require_tool("cc")
    network = trained.loaded.network()
    expected = reference.run(network, UNSEEN)
    assert all(layer.any() for layer in expected.layers.values())
    check_sums(network, expected.layers)
    model = keras_model(trained.size, FEATURES, len(LABELS))
    assert isinstance(model, FloorShiftModel)
    model.assign_parameters(trained.loaded.parameters)
    found = {
        name: keras.ops.convert_to_numpy(values).reshape(expected.layers[name].shape)
        for name, values in model.layer_values(UNSEEN, inspect=True).items()
    }
    assert list(found) == [node.name for node in network.nodes]
    compare({name: expected.layers[name] for name in found}, found, batched=True)
    layers = {**expected.layers, "label": expected.label_indices}
    compare(layers, run_c(network, UNSEEN), batched=True)


@to_be_quantised
@each_oracle
def test_its_int8_file_is_a_network_of_integers_that_runtimes_compute(
    trained: Trained, rounding: str
) -> None:
    content = frozen_bytes(trained.loaded, "tflite", int8=True)
    comparison = compare_with_runtime(content, rounding)
    assert comparison.clips == 20 and comparison.total > 20 * len(LABELS)


@in_float
def test_the_float_form_is_no_network_of_integers_and_says_why(trained: Trained) -> None:
    name, reason = trained.size.architecture.NAME, trained.size.architecture.NO_INTEGERS
    refused = [trained.loaded.network]
    message = (
        f"{name}: expected the floor-shift form, whose weights are integers, got the float form "
        "(freeze.py --format tflite --int8 quantises it)"
    )
    if reason is not None:
        message = f"{name}: expected an architecture that integers compute, but {reason}"
        refused += [
            lambda: int8_network(trained.loaded),
            lambda: ModelSize(trained.size.architecture, (4,)),
        ]
    for refuse in refused:
        with pytest.raises(ValueError) as caught:
            refuse()
        assert str(caught.value) == message
