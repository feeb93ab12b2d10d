"""The flags that make a recipe: network, data, augmentation and training, and what they say."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from golden.network import FeatureSettings, IntegerNetwork
from quant_models.architectures.architecture import Architecture
from quant_models.architectures.ds_cnn import DsCnn
from quant_models.architectures.registry import architecture_of
from quant_models.augment import AugmentationSettings
from quant_models.checkpoint import load_checkpoint
from quant_models.data_settings import DataSettings
from quant_models.model_size import (
    FLOAT,
    FLOOR_SHIFT,
    ModelSize,
    grid_of,
    known_shifts,
    require_integer_form,
)
from quant_models.training_settings import TrainingSettings
from scripts.console.command_line import comma_separated
from scripts.console.flags import add_data_flags, add_model_flags, integers, numbers, word_weights

DEFAULT_ARCHITECTURE = "ds_cnn"


def add_recipe_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of data, network and training, with the defaults of the settings."""
    add_data_flags(parser)
    add_model_flags(
        parser,
        wanted_words=DataSettings().wanted_words,
        sample_rate=FeatureSettings.sample_rate_hz,
        clip_duration_ms=FeatureSettings.clip_ms,
        window_size_ms=FeatureSettings.window_ms,
        window_stride_ms=FeatureSettings.stride_ms,
        dct_coefficient_count=FeatureSettings.coefficients,
    )
    _add_training_flags(parser.add_argument_group("training"))
    _add_example_flags(parser.add_argument_group("data"))
    _add_augmentation_flags(parser.add_argument_group("augmentation"))


def feature_settings(flags: argparse.Namespace) -> FeatureSettings:
    return FeatureSettings(
        sample_rate_hz=flags.sample_rate,
        clip_ms=flags.clip_duration_ms,
        window_ms=flags.window_size_ms,
        stride_ms=flags.window_stride_ms,
        coefficients=flags.dct_coefficient_count,
    )


def settings_for_data(flags: argparse.Namespace) -> DataSettings:
    if flags.augmented_examples < 1:
        raise ValueError(f"augmented_examples: expected 1 or more, got {flags.augmented_examples}")
    return DataSettings(
        **_named(flags, DataSettings),
        augmentation=AugmentationSettings(**_named(flags, AugmentationSettings)),
    )


def settings_for_training(flags: argparse.Namespace) -> TrainingSettings:
    return TrainingSettings(
        learning_rates=flags.learning_rate,
        steps=flags.how_many_training_steps,
        **_named(flags, TrainingSettings),
    )


def teachers_of(
    flags: argparse.Namespace, labels: tuple[str, ...], features: FeatureSettings
) -> list[IntegerNetwork]:
    """Return the networks to learn from; ValueError for one of other labels or features."""
    networks = []
    for path in flags.teachers:
        checkpoint = load_checkpoint(path)
        for name, found, expected in (
            ("labels", checkpoint.labels, labels),
            ("features", checkpoint.features, features),
        ):
            if found != expected:
                raise ValueError(f"{path}: expected {name} {expected} of a teacher, got {found}")
        try:
            networks.append(checkpoint.network())
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    return networks


def network_of(flags: argparse.Namespace) -> tuple[Architecture, str]:
    """Return architecture and form that the flags ask for.

    Raises ValueError or TypeError for sizes that do not describe the architecture or do not fit the
    fingerprints, for a form that it has not, and for flags of another architecture or form.
    """
    name = flags.model_architecture or DEFAULT_ARCHITECTURE
    architecture = architecture_of(name, flags.model_size_info, flags.padding)
    form = flags.form or (FLOOR_SHIFT if architecture.NO_INTEGERS is None else FLOAT)
    if form == FLOOR_SHIFT:
        require_integer_form(architecture)
    elif flags.shifts is not None:
        raise ValueError(f"shifts: expected with the floor-shift form, got them with {form}")
    elif isinstance(architecture, DsCnn) and flags.padding is None:
        same = ["SAME"] * len(architecture.layers)  # as published
        architecture = DsCnn.parse(architecture.info, same)
    architecture.require_fit(grid_of(feature_settings(flags)))
    return architecture, form


def known_size(
    flags: argparse.Namespace, architecture: Architecture, form: str
) -> ModelSize | None:
    """Return the size, or None if its shifts are to be chosen from observed ranges."""
    if form == FLOAT:
        return ModelSize(architecture, None)
    shifts = known_shifts(architecture, flags.shifts)
    return None if shifts is None else ModelSize(architecture, shifts)


def _add_training_flags(group: argparse._ArgumentGroup) -> None:
    """Add the flags of `TrainingSettings`."""
    training = TrainingSettings()
    group.add_argument(
        "--learning_rate",
        type=numbers,
        default=training.learning_rates,
        help="learning rates of the stages",
    )
    group.add_argument(
        "--how_many_training_steps",
        type=integers,
        default=training.steps,
        help="steps of the stages, as many as learning rates",
    )
    _add_settings(group, training, "batch_size", "examples a step")
    _add_settings(group, training, "eval_step_interval", "steps between evaluations")
    _add_settings(group, training, "averaging", "share of the old weight average kept each step")
    _add_settings(group, training, "label_smoothing", "share of a label spread over all labels")
    group.add_argument(
        "--teachers",
        type=Path,
        nargs="*",
        default=(),
        help="checkpoints of the same labels and features to learn from, besides the labels",
    )
    _add_settings(group, training, "distillation", "share of the loss that compares with teachers")
    _add_settings(group, training, "temperature", "what the logits are divided by for that")
    _add_settings(group, training, "seed", "seed of weights, examples and order")


def _add_example_flags(group: argparse._ArgumentGroup) -> None:
    """Add the flags of `DataSettings` and the sources of examples."""
    data = DataSettings()
    _add_settings(group, data, "silence_percentage", "silence examples per 100 wanted words")
    _add_settings(group, data, "unknown_percentage", "unknown examples per 100 wanted words")
    _add_settings(group, data, "validation_percentage", "share of speakers for validation")
    _add_settings(group, data, "testing_percentage", "share of speakers for testing")
    _add_settings(group, data, "unknown_exponent", "0: unknown words evenly by word, 1: by clip")
    group.add_argument(
        "--word_weights",
        type=word_weights,
        default=data.word_weights,
        metavar="WORD=N,...",
        help="how many times as often unknown words are drawn, those mistaken for wanted ones",
    )
    group.add_argument(
        "--held_out_words",
        type=comma_separated,
        default=(),
        help="unknown words for validation only",
    )
    group.add_argument(
        "--speech_dirs",
        type=Path,
        nargs="*",
        default=(),
        help="folders of longer recordings without wanted words; stretches of them are unknown",
    )
    _add_settings(group, data, "running_speech", "share of unknown examples cut from those")
    _add_settings(group, data, "spoken_share", "least share of such a clip that is speech")
    group.add_argument(
        "--noise_dirs",
        type=Path,
        nargs="*",
        default=(),
        help="folders of further noise, for training alone",
    )
    _add_settings(group, data, "other_noise", "share of silence examples with noise from those")
    group.add_argument(
        "--augmented_examples", type=int, default=100_000, help="training examples to draw"
    )


def _add_augmentation_flags(group: argparse._ArgumentGroup) -> None:
    """Add the flags of `AugmentationSettings`."""
    varied = AugmentationSettings()
    _add_settings(group, varied, "background_volume", "largest volume of noise under words")
    _add_settings(group, varied, "background_frequency", "share of words with noise")
    _add_settings(group, varied, "time_shift_ms", "largest shift in time either way")
    _add_settings(group, varied, "speed_change", "largest change of speed, 0.15 is 15 %%")
    _add_settings(group, varied, "noise_speed_change", "the same of background noise")
    _add_settings(group, varied, "loudness_db", "largest change of loudness either way")
    _add_settings(group, varied, "coloration", "strength of random frequency responses")


def _add_settings(
    group: argparse._ArgumentGroup, defaults: object, name: str, help_text: str
) -> None:
    """Add a flag whose type and default are those of a field of a settings dataclass."""
    value = getattr(defaults, name)
    group.add_argument(f"--{name}", type=type(value), default=value, help=help_text)


def _named(flags: argparse.Namespace, kind: type) -> dict[str, Any]:
    """Return the flags that have the name of a field of a settings dataclass."""
    fields = [field.name for field in dataclasses.fields(kind)]
    return {name: getattr(flags, name) for name in fields if hasattr(flags, name)}
