"""The checkpoint that a command takes, and flags that describe its network once more.

The commands of old take the network's flags beside the checkpoint. Here the checkpoint knows them;
flags that are given all the same must agree with it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from quant_models.checkpoint import Checkpoint, load_checkpoint
from scripts.console.flags import add_model_flags


def add_checkpoint_flags(parser: argparse.ArgumentParser) -> None:
    """Add `--checkpoint` and the flags of the network."""
    parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint of train.py")
    add_model_flags(parser)


def checkpoint_of(flags: argparse.Namespace) -> Checkpoint:
    """Return the checkpoint; ValueError if a network flag was given that contradicts it."""
    checkpoint = load_checkpoint(flags.checkpoint)
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
    return checkpoint


def _as_flag(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
