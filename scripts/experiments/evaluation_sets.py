"""Which examples commands evaluate a checkpoint on, and whether the flags go with it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from quant_models.checkpoint import Checkpoint
from quant_models.dataset import SpeechData, read_test_folder
from quant_models.feature_cache import Examples, FeatureCache
from quant_models.speech_commands import PARTITIONS, find_clips
from scripts.console.flags import add_data_flags, add_model_flags
from scripts.console.found_clips import show_found
from scripts.console.progress import progress_bar, say
from scripts.speech.default_data import prepare_default_data


def add_evaluation_flags(parser: argparse.ArgumentParser) -> None:
    """Add `--checkpoint`, `--test_dir`, and the flags of data and network."""
    parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint of train.py")
    add_data_flags(parser)
    parser.add_argument(
        "--test_dir",
        type=Path,
        help="evaluate this folder, one folder a label, instead of DATA_DIR",
    )
    add_model_flags(parser)


def check_flags(flags: argparse.Namespace, checkpoint: Checkpoint) -> None:
    """Raise ValueError if a network flag was given that contradicts the checkpoint."""
    features, architecture = checkpoint.features, checkpoint.size.architecture
    for name, found in (
        ("model_architecture", architecture.NAME),
        ("model_size_info", architecture.info),
        ("form", checkpoint.size.form),
        ("padding", getattr(architecture, "padding", None)),
        ("shifts", checkpoint.size.shifts),
        ("wanted_words", checkpoint.data.wanted_words),
        ("sample_rate", features.sample_rate_hz),
        ("clip_duration_ms", features.clip_ms),
        ("window_size_ms", features.window_ms),
        ("window_stride_ms", features.stride_ms),
        ("dct_coefficient_count", features.coefficients),
    ):
        given = getattr(flags, name)
        given = tuple(given) if isinstance(given, list) else given
        if given is not None and given != found:
            raise ValueError(
                f"{name}: expected the checkpoint's {_as_flag(found)}, got {_as_flag(given)}"
            )


def _as_flag(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def example_sets(
    flags: argparse.Namespace, checkpoint: Checkpoint
) -> list[tuple[str, Examples, Sequence[str]]]:
    """Return the sets to evaluate, the test set last: title, examples, and words that are others'.

    The words are what is said in each example where it is no label of the network.
    """
    cache = FeatureCache(flags.cache_dir, say)
    if flags.test_dir is not None:
        found = find_clips([flags.test_dir], 0, 0)
        show_found(found, checkpoint.labels)
        there = {clip.word for clip in found.clips}
        for label in checkpoint.labels:
            if label not in there:
                say(f"without     {label}: {flags.test_dir} has no clip of it")
        with progress_bar("features") as progress:
            known, other = read_test_folder(
                found, checkpoint.labels, checkpoint.features, cache, progress
            )
        words = [clip.word for clip in found.clips if clip.word not in checkpoint.labels]
        sets = [("other words as _unknown_", other, words)] if len(other) else []
        return [*sets, (f"test set {flags.test_dir.name}", known, ())]
    prepare_default_data(flags.data_dir)
    data = SpeechData(flags.data_dir, checkpoint.data, checkpoint.features, cache)
    show_found(data.found, checkpoint.labels, PARTITIONS)
    with progress_bar("features"):
        return [
            (f"{partition} partition", data.evaluation_examples(partition), ())
            for partition in PARTITIONS
        ]
