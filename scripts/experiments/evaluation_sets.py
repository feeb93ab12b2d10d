"""Which examples commands evaluate a checkpoint on."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from quant_models.checkpoint import Checkpoint
from quant_models.dataset import SpeechData, read_test_folder
from quant_models.feature_cache import Examples, FeatureCache
from quant_models.speech_commands import PARTITIONS, find_clips
from scripts.console.flags import add_data_flags
from scripts.console.found_clips import show_found
from scripts.console.progress import progress_bar, say
from scripts.experiments.checkpoint_flags import add_checkpoint_flags
from scripts.speech.default_data import prepare_default_data


def add_evaluation_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the checkpoint and of the data, and `--test_dir`."""
    add_checkpoint_flags(parser)
    add_data_flags(parser)
    parser.add_argument(
        "--test_dir",
        type=Path,
        help="evaluate this folder, one folder a label, instead of DATA_DIR",
    )


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
