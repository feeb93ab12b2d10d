#!/usr/bin/env python
"""Train a keyword-spotting DS-CNN whose forward pass computes with the deployed 6-bit integers.

Writes the best validation checkpoint to TRAIN_DIR/best/ds_cnn_<accuracy>.ckpt-<step>.npz, and
curves.csv and curves.png to TRAIN_DIR. Ctrl-C ends the training and keeps what was reached.
"""

from __future__ import annotations

import argparse
import dataclasses
import signal
from pathlib import Path
from types import FrameType
from typing import Any

from golden.network import FeatureSettings
from quant_models.augment import AugmentationSettings
from quant_models.checkpoint import Checkpoint, load_checkpoint
from quant_models.data_settings import DataSettings
from quant_models.dataset import SpeechData
from quant_models.download import download_data_set
from quant_models.feature_cache import FeatureCache
from quant_models.model_size import (
    DEFAULT_MODEL_SIZE_INFO,
    DEFAULT_SHIFTS,
    Layer,
    ModelSize,
    parse_layers,
    require_fit,
)
from quant_models.speech_commands import PARTITIONS, VALIDATION, labels_for
from quant_models.training_run import TrainingRun, choose_cases
from quant_models.training_settings import TrainingSettings
from scripts.console.command_line import Parser, comma_separated, run_command
from scripts.console.flags import (
    add_data_flags,
    add_model_flags,
    integers,
    numbers,
    word_weights,
)
from scripts.console.found_clips import show_found
from scripts.console.progress import progress_bar, say
from scripts.speech.default_data import prepare_default_data

EXAMPLE = (
    "python train.py --data_dir speech_commands --wanted_words yes,no "
    "--learning_rate 0.001,0.0001 --how_many_training_steps 10000,5000"
)


def main() -> None:
    flags = parse_flags()
    layers = parse_layers(flags.model_size_info, flags.padding)
    features = feature_settings(flags)
    require_fit(layers, features)
    data_settings = settings_for_data(flags)
    settings = settings_for_training(flags)
    start = starting_checkpoint(flags, layers, data_settings, features)
    size = known_size(flags, layers, start)
    prepare_data(flags)
    data = SpeechData(
        flags.data_dir,
        data_settings,
        features,
        FeatureCache(flags.cache_dir, say),
        flags.speech_dirs,
        flags.noise_dirs,
    )
    show_found(data.found, data.labels, PARTITIONS)
    with progress_bar("features") as progress:
        validation = data.evaluation_examples(VALIDATION)
        cases = choose_cases(data, settings.seed)
        examples = data.training_examples(flags.augmented_examples, settings.seed, progress)
    import scripts.console.quiet_tensorflow  # noqa: F401
    from quant_models.shift_rule import choose_shifts
    from quant_models.training import train

    say(f"labels      {' '.join(data.labels)}")
    say(f"examples    {len(examples):,} for training, {len(validation):,} for validation")
    if size is None:
        inputs = examples.fingerprints
        shifts = choose_shifts(layers, data.labels, features, settings.seed, inputs)
        size = ModelSize(layers, shifts)
    say(f"shifts      {' '.join(map(str, size.shifts))}")
    record = {**dataclasses.asdict(settings), "augmented_examples": flags.augmented_examples}
    run = TrainingRun(flags.train_dir, size, features, data_settings, cases, record)
    interrupt = Interrupt()
    with progress_bar("training") as progress:

        def on_steps(done: int) -> bool:
            progress(done, settings.total_steps)
            return not interrupt.requested

        weights = start.parameters if start else None
        for state in train(
            size, data.labels, features, settings, examples, validation, weights, on_steps
        ):
            best = run.record(state)
            reached = state.evaluation.validation_accuracy
            progress.note(f"validation {reached:.2%}, best {best.accuracy:.2%}")
    if interrupt.requested:
        say(f"interrupted at step {run.evaluations[-1].step:,}")
    say(f"curves      {run.draw_curves()}")
    say(f"accuracy    {best.accuracy:.2%} of the validation clips at step {best.step:,}")
    say(f"checkpoint  {run.best_path}")


def parse_flags() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    add_data_flags(parser)
    add = parser.add_argument
    add(
        "--data_url",
        help="archive to download if the first DATA_DIR is not there; may end in #sha256=...; "
        "empty: none",
    )
    add("--data_sha256", help="SHA-256 of that archive")
    add("--train_dir", type=Path, default=Path("work/DS_CNN/training"), help="where results go")
    add("--start_checkpoint", type=Path, help="checkpoint whose weights training starts from")
    add_model_flags(
        parser,
        model_architecture="ds_cnn",
        model_size_info=DEFAULT_MODEL_SIZE_INFO,
        wanted_words=DataSettings().wanted_words,
        sample_rate=FeatureSettings.sample_rate_hz,
        clip_duration_ms=FeatureSettings.clip_ms,
        window_size_ms=FeatureSettings.window_ms,
        window_stride_ms=FeatureSettings.stride_ms,
        dct_coefficient_count=FeatureSettings.coefficients,
    )
    add_training_flags(parser.add_argument_group("training"))
    add_example_flags(parser.add_argument_group("data"))
    add_augmentation_flags(parser.add_argument_group("augmentation"))
    return parser.parse_args()


def add_training_flags(group: argparse._ArgumentGroup) -> None:
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
    add_settings(group, training, "batch_size", "examples a step")
    add_settings(group, training, "eval_step_interval", "steps between evaluations")
    add_settings(group, training, "averaging", "share of the old weight average kept each step")
    add_settings(group, training, "label_smoothing", "share of a label spread over all labels")
    add_settings(group, training, "seed", "seed of weights, examples and order")


def add_example_flags(group: argparse._ArgumentGroup) -> None:
    """Add the flags of `DataSettings` and the sources of examples."""
    data = DataSettings()
    add_settings(group, data, "silence_percentage", "silence examples per 100 wanted words")
    add_settings(group, data, "unknown_percentage", "unknown examples per 100 wanted words")
    add_settings(group, data, "validation_percentage", "share of speakers for validation")
    add_settings(group, data, "testing_percentage", "share of speakers for testing")
    add_settings(group, data, "unknown_exponent", "0: unknown words evenly by word, 1: by clip")
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
    add_settings(group, data, "running_speech", "share of unknown examples cut from those")
    group.add_argument(
        "--noise_dirs",
        type=Path,
        nargs="*",
        default=(),
        help="folders of further noise, for training alone",
    )
    add_settings(group, data, "other_noise", "share of silence examples with noise from those")
    group.add_argument(
        "--augmented_examples", type=int, default=100_000, help="training examples to draw"
    )


def add_augmentation_flags(group: argparse._ArgumentGroup) -> None:
    """Add the flags of `AugmentationSettings`."""
    varied = AugmentationSettings()
    add_settings(group, varied, "background_volume", "largest volume of noise under words")
    add_settings(group, varied, "background_frequency", "share of words with noise")
    add_settings(group, varied, "time_shift_ms", "largest shift in time either way")
    add_settings(group, varied, "speed_change", "largest change of speed, 0.15 is 15 %%")
    add_settings(group, varied, "noise_speed_change", "the same of background noise")
    add_settings(group, varied, "loudness_db", "largest change of loudness either way")
    add_settings(group, varied, "coloration", "strength of random frequency responses")


def add_settings(
    group: argparse._ArgumentGroup, defaults: object, name: str, help_text: str
) -> None:
    """Add a flag whose type and default are those of a field of a settings dataclass."""
    value = getattr(defaults, name)
    group.add_argument(f"--{name}", type=type(value), default=value, help=help_text)


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
        **named(flags, DataSettings),
        augmentation=AugmentationSettings(**named(flags, AugmentationSettings)),
    )


def settings_for_training(flags: argparse.Namespace) -> TrainingSettings:
    return TrainingSettings(
        learning_rates=flags.learning_rate,
        steps=flags.how_many_training_steps,
        **named(flags, TrainingSettings),
    )


def named(flags: argparse.Namespace, kind: type) -> dict[str, Any]:
    """Return the flags that have the name of a field of a settings dataclass."""
    fields = [field.name for field in dataclasses.fields(kind)]
    return {name: getattr(flags, name) for name in fields if hasattr(flags, name)}


def prepare_data(flags: argparse.Namespace) -> None:
    """Download or synthesise the data folder where that is asked for."""
    if not flags.data_url:  # `--data_url=` was how the original took a folder as it is
        if flags.data_sha256 is not None:
            raise ValueError("data_sha256: expected together with data_url, got it alone")
        prepare_default_data(flags.data_dir)
        return
    first, *_ = flags.data_dir
    with progress_bar("download") as progress:
        download_data_set(flags.data_url, first, flags.data_sha256, progress)


def starting_checkpoint(
    flags: argparse.Namespace,
    layers: tuple[Layer, ...],
    data: DataSettings,
    features: FeatureSettings,
) -> Checkpoint | None:
    """Return the checkpoint to start from; ValueError if its network is not what the flags say."""
    path = flags.start_checkpoint
    if path is None:
        return None
    checkpoint = load_checkpoint(path)
    size = checkpoint.size
    for name, found, expected in (
        ("model_size_info", size.info, tuple(flags.model_size_info)),
        ("padding", size.padding, tuple(layer.padding for layer in layers)),
        ("shifts", size.shifts, tuple(flags.shifts or size.shifts)),
        ("labels", checkpoint.labels, labels_for(data.wanted_words)),
        ("features", checkpoint.features, features),
    ):
        if found != expected:
            raise ValueError(f"{path}: expected {name} {expected} as the flags say, got {found}")
    return checkpoint


def known_size(
    flags: argparse.Namespace, layers: tuple[Layer, ...], start: Checkpoint | None
) -> ModelSize | None:
    """Return the size, or None if its shifts are to be chosen from observed ranges."""
    if start is not None:
        return start.size
    if flags.shifts is not None:
        return ModelSize(layers, tuple(flags.shifts))
    return ModelSize(layers, DEFAULT_SHIFTS) if len(layers) == 2 else None


class Interrupt:
    """Makes the first Ctrl-C a wish to stop; the second one interrupts at once."""

    def __init__(self) -> None:
        self.requested = False
        signal.signal(signal.SIGINT, self._on_interrupt)

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)


if __name__ == "__main__":
    run_command(main)
