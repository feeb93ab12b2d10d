"""Training: examples in, parameters out.

In floor-shift form the forward pass of every step computes with the integers that would be deployed
at that step. What is evaluated and kept is a running average of the parameters (Polyak and Juditsky
1992), there of latent weights, which are rounded like any others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import ops

from golden import reference
from golden.network import FeatureSettings, IntegerNetwork
from quant_models.distillation import soft_targets
from quant_models.feature_cache import Examples
from quant_models.float_model import FloatModel
from quant_models.floor_shift_model import FloorShiftModel
from quant_models.latent_parameters import Parameters, integer_network
from quant_models.model_size import FLOAT, ModelSize, grid_of
from quant_models.trained_model import TrainedModel
from quant_models.training_run import Evaluation, TrainingState
from quant_models.training_settings import TrainingSettings

_BLOCK_STEPS = 50  # steps that run without coming back to Python
_EVALUATION_BATCH = 256

Fingerprints = npt.NDArray[np.int8]
Indices = npt.NDArray[np.int64]
Predict = Callable[[Fingerprints], Indices]


class Trainer:
    """Adam on one model, in blocks of steps; also the float twin's, for comparison of speed."""

    def __init__(
        self,
        model: TrainedModel,
        averaging: float = 0.0,
        label_smoothing: float = 0.0,
        distillation: float = 0.0,
        temperature: float = 1.0,
    ):
        self.model = model
        self._averaging = averaging
        self._smoothing = label_smoothing
        self._distillation = distillation
        self._temperature = temperature
        self._optimiser = keras.optimizers.Adam()
        self._optimiser.build(model.trainable_variables)
        self._averages = [
            tf.Variable(tf.zeros(variable.shape)) for variable in model.parameters.values()
        ]
        self._correction = tf.Variable(0.0)  # weight of what the averages have seen, as in Adam
        self._block = tf.function(self._run_block, reduce_retracing=True)

    def run(
        self,
        batches: npt.NDArray[np.int8],
        labels: npt.NDArray[np.int64],
        learning_rate: float,
        soft: npt.NDArray[np.float32] | None = None,
    ) -> float:
        """Train on batches `[step][N][time][coefficient]`; return the mean loss.

        `soft` are the teachers' probabilities `[step][N][label]`, for distillation above 0.
        """
        self._optimiser.learning_rate.assign(learning_rate)
        batch = [tf.constant(batches), tf.constant(labels)]
        return float(self._block(*batch, *([] if soft is None else [tf.constant(soft)])))

    def averaged_parameters(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the averaged parameters by checkpoint name; before any step, the parameters."""
        if self._averaging == 0.0 or float(self._correction) == 0.0:
            return self.model.latent_parameters()
        correction = np.float32(self._correction.numpy())
        return {
            name: average.numpy() / correction
            for name, average in zip(self.model.parameters, self._averages, strict=True)
        }

    def _run_block(self, batches: tf.Tensor, labels: tf.Tensor, *soft: tf.Tensor) -> tf.Tensor:
        total = 0.0
        for step in tf.range(tf.shape(batches)[0]):
            total += self._step(batches[step], labels[step], *(each[step] for each in soft))
        return total / tf.cast(tf.shape(batches)[0], tf.float32)

    def _step(
        self, fingerprints: tf.Tensor, labels: tf.Tensor, soft: tf.Tensor | None = None
    ) -> tf.Tensor:
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            logits = self.model(fingerprints, training=True) * self.model.logit_scale
            targets = ops.one_hot(labels, logits.shape[-1])
            targets = targets * (1 - self._smoothing) + self._smoothing / logits.shape[-1]
            loss = ops.mean(ops.categorical_crossentropy(targets, logits, from_logits=True))
            if soft is not None:
                share, heat = self._distillation, self._temperature
                learned = ops.categorical_crossentropy(soft, logits / heat, from_logits=True)
                loss = (1 - share) * loss + share * heat**2 * ops.mean(learned)
        self._optimiser.apply(tape.gradient(loss, variables), variables)
        if self._averaging > 0.0:
            share = 1.0 - self._averaging
            self._correction.assign(self._averaging * self._correction + share)
            kept = self.model.parameters.values()
            for average, variable in zip(self._averages, kept, strict=True):
                average.assign(self._averaging * average + share * variable)
        return loss


def train(
    size: ModelSize,
    labels: Sequence[str],
    features: FeatureSettings,
    settings: TrainingSettings,
    training: Examples,
    validation: Examples,
    start: Parameters | None = None,
    on_steps: Callable[[int], bool] = lambda done: True,
    teachers: Sequence[IntegerNetwork] = (),
) -> Iterator[TrainingState]:
    """Train a network and yield its state after every `eval_step_interval` and after the last step.

    `start` gives initial weights, `teachers` what is learnt besides the labels; `on_steps` hears
    the number of steps done and ends the training early by returning False, after one more state.
    The same arguments give the same states.

    Raises ValueError for `start` of another shape or a loss that is not finite.
    """
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(settings.seed)
    model = keras_model(size, features, len(labels), settings.seed)
    if start is not None:
        model.assign_parameters(start)
    trainer = Trainer(
        model,
        settings.averaging,
        settings.label_smoothing,
        settings.distillation,
        settings.temperature,
    )
    soft = soft_targets(teachers, training.fingerprints, settings.temperature) if teachers else None
    predict_with = predictors(size, labels, features)
    order = _batches(len(training), settings.batch_size, settings.seed)
    losses: list[float] = []
    for step, count in _blocks(settings):
        rows = np.stack([next(order) for _ in range(count)])
        rate = settings.learning_rate_at(step)
        batches = training.fingerprints[rows], training.label_indices[rows]
        losses.append(trainer.run(*batches, rate, None if soft is None else soft[rows]))
        if not np.isfinite(losses[-1]):
            raise ValueError(f"loss: expected a finite number, got {losses[-1]} at step {step}")
        done = step + count
        going_on = on_steps(done) and done < settings.total_steps
        if done % settings.eval_step_interval == 0 or not going_on:
            parameters = trainer.averaged_parameters()
            predict = predict_with(parameters)
            recent = Examples(training.fingerprints[rows[-1]], training.label_indices[rows[-1]])
            yield TrainingState(
                Evaluation(
                    done,
                    rate,
                    float(np.mean(losses)),
                    accuracy(predict, recent),
                    accuracy(predict, validation),
                ),
                parameters,
            )
            losses.clear()
        if not going_on:
            return


def keras_model(
    size: ModelSize, features: FeatureSettings, labels: int, seed: int = 0
) -> TrainedModel:
    """Return the Keras model of a size, in its form; the float form takes Keras' global seed."""
    grid = grid_of(features)
    if size.form == FLOAT:
        return FloatModel(size, grid, labels)
    return FloorShiftModel(size, grid, labels, seed)


def predictors(
    size: ModelSize, labels: Sequence[str], features: FeatureSettings
) -> Callable[[Parameters], Predict]:
    """Return what makes of parameters what labels fingerprints with them.

    In floor-shift form that is the integer reference, in float form one Keras model, which holds
    the parameters that were given last.
    """
    if size.form == FLOAT:
        model = FloatModel(size, grid_of(features), len(labels))

        def with_parameters(parameters: Parameters) -> Predict:
            model.assign_parameters(parameters)
            return model.predictions

        return with_parameters
    return lambda parameters: partial(
        predictions, integer_network(size, parameters, labels, features)
    )


def predictions(network: IntegerNetwork, fingerprints: Fingerprints) -> Indices:
    """Return the label index that the integer reference gives to each fingerprint."""
    return np.concatenate(
        [
            reference.run(network, fingerprints[start : start + _EVALUATION_BATCH]).label_indices
            for start in range(0, len(fingerprints), _EVALUATION_BATCH)
        ]
    )


def accuracy(predict: Predict, examples: Examples) -> float:
    """Return the share, 0..1, of examples that are labelled correctly."""
    return float(np.mean(predict(examples.fingerprints) == examples.label_indices))


def _blocks(settings: TrainingSettings) -> Iterator[tuple[int, int]]:
    """Split all steps at stage ends and evaluations: (first step, number of steps)."""
    ends = set(accumulate(settings.steps))
    ends.update(range(0, settings.total_steps, settings.eval_step_interval))
    step = 0
    for end in sorted(ends - {0}):
        while step < end:
            count = min(_BLOCK_STEPS, end - step)
            yield step, count
            step += count


def _batches(examples: int, batch_size: int, seed: int) -> Iterator[npt.NDArray[np.int64]]:
    """Yield rows of each batch for ever, every example once before any comes again."""
    rng = np.random.default_rng(seed)
    waiting = np.empty(0, np.int64)
    while True:
        while len(waiting) < batch_size:
            waiting = np.concatenate([waiting, rng.permutation(examples)])
        yield waiting[:batch_size]
        waiting = waiting[batch_size:]
