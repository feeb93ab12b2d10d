#!/usr/bin/env python
"""Train a keyword-spotting network: in 6-bit integers, those that are deployed, or in float.

Writes the best validation checkpoint to TRAIN_DIR/best, named by architecture, accuracy and step,
and curves.csv and curves.png to TRAIN_DIR. Ctrl-C ends the training and keeps what was reached.
"""

from __future__ import annotations

import argparse
import dataclasses
import signal
from pathlib import Path
from types import FrameType

from golden.network import FeatureSettings
from quant_models.architectures.architecture import Architecture
from quant_models.architectures.ds_cnn import DsCnn
from quant_models.checkpoint import Checkpoint, load_checkpoint
from quant_models.data_settings import DataSettings
from quant_models.dataset import SpeechData
from quant_models.download import download_data_set
from quant_models.feature_cache import FeatureCache
from quant_models.model_size import ModelSize
from quant_models.speech_commands import PARTITIONS, VALIDATION, labels_for
from quant_models.training_run import TrainingRun, choose_cases
from scripts.console.command_line import Parser, run_command
from scripts.console.found_clips import show_found
from scripts.console.progress import progress_bar, say, show_table
from scripts.experiments.recipe_flags import (
    add_recipe_flags,
    feature_settings,
    known_size,
    network_of,
    settings_for_data,
    settings_for_training,
    teachers_of,
)
from scripts.experiments.recipes import (
    parse_with_recipe,
    read_recipe,
    recipe_names,
    recipe_table,
)
from scripts.speech.default_data import prepare_default_data

EXAMPLE = (
    "python train.py --data_dir speech_commands --wanted_words yes,no "
    "--learning_rate 0.001,0.0001 --how_many_training_steps 10000,5000"
)


def main() -> None:
    flags = parse_flags()
    if flags.list_recipes:
        show_table(recipe_table([read_recipe(name) for name in recipe_names()]))
        return
    start = starting_checkpoint(flags)
    architecture, form = network_of(flags)
    features = feature_settings(flags)
    data_settings = settings_for_data(flags)
    settings = settings_for_training(flags)
    if start is not None:
        check_start(start, flags, architecture, form, data_settings, features)
    size = start.size if start else known_size(flags, architecture, form)
    teachers = teachers_of(flags, labels_for(data_settings.wanted_words), features)
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
        shifts = choose_shifts(architecture, data.labels, features, settings.seed, inputs)
        size = ModelSize(architecture, shifts)
    say_network(size)
    record = {
        **dataclasses.asdict(settings),
        "augmented_examples": flags.augmented_examples,
        **({"teachers": [teacher.digest for teacher in teachers]} if teachers else {}),
    }
    train_dir = flags.train_dir or Path("work") / architecture.NAME.upper() / "training"
    run = TrainingRun(train_dir, size, features, data_settings, cases, record)
    interrupt = Interrupt()
    with progress_bar("training") as progress:

        def on_steps(done: int) -> bool:
            progress(done, settings.total_steps)
            return not interrupt.requested

        weights = start.parameters if start else None
        for state in train(
            size,
            data.labels,
            features,
            settings,
            examples,
            validation,
            weights,
            on_steps,
            teachers,
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
    parser.add_argument(
        "--recipe",
        help="flags of this recipe, in front of those that are given (default: none, and the "
        "defaults below)",
    )
    parser.add_argument("--list_recipes", action="store_true", help="list all recipes and stop")
    add_recipe_flags(parser)
    add = parser.add_argument
    add(
        "--data_url",
        help="archive to download if the first DATA_DIR is not there; may end in #sha256=...; "
        "empty: none",
    )
    add("--data_sha256", help="SHA-256 of that archive")
    add("--train_dir", type=Path, help="where results go (default: work/<ARCHITECTURE>/training)")
    add("--start_checkpoint", type=Path, help="checkpoint whose weights training starts from")
    return parse_with_recipe(parser)


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


def starting_checkpoint(flags: argparse.Namespace) -> Checkpoint | None:
    """Return the checkpoint to start from, if any; flags that are not given follow it."""
    if flags.start_checkpoint is None:
        return None
    start = load_checkpoint(flags.start_checkpoint)
    follow_checkpoint(flags, start)
    return start


def say_network(size: ModelSize) -> None:
    info = " ".join(map(str, size.architecture.info))
    say(f"network     {size.architecture.NAME} {info}, in {size.form} form")
    if size.shifts is not None:
        say(f"shifts      {' '.join(map(str, size.shifts))}")


def follow_checkpoint(flags: argparse.Namespace, start: Checkpoint) -> None:
    """Take over the network of the checkpoint to start from, as far as no flag describes it."""
    architecture = start.size.architecture
    if flags.model_architecture not in (None, architecture.NAME):
        return
    for name, value in (
        ("model_architecture", architecture.NAME),
        ("model_size_info", architecture.info),
        ("form", start.size.form),
        ("padding", padding_of(architecture)),
    ):
        if getattr(flags, name) is None:
            setattr(flags, name, value)


def check_start(
    start: Checkpoint,
    flags: argparse.Namespace,
    architecture: Architecture,
    form: str,
    data: DataSettings,
    features: FeatureSettings,
) -> None:
    """Raise ValueError if the checkpoint to start from is not what the flags describe."""
    size = start.size
    for name, found, expected in (
        ("model_architecture", size.architecture.NAME, architecture.NAME),
        ("model_size_info", size.architecture.info, architecture.info),
        ("padding", padding_of(size.architecture), padding_of(architecture)),
        ("form", size.form, form),
        ("shifts", size.shifts, size.shifts if flags.shifts is None else tuple(flags.shifts)),
        ("batch normalisation", "folded" if size.folded else "as trained", "as trained"),
        ("labels", start.labels, labels_for(data.wanted_words)),
        ("features", start.features, features),
    ):
        if found != expected:
            raise ValueError(
                f"{flags.start_checkpoint}: expected {name} {expected} as the flags say, "
                f"got {found}"
            )


def padding_of(architecture: Architecture) -> tuple[str, ...] | None:
    return architecture.padding if isinstance(architecture, DsCnn) else None


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
