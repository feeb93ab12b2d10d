"""Flags that several commands share, so that the same flag means the same everywhere."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from dataflow.proof.range_store import SOURCES
from quant_models.architectures.registry import ARCHITECTURES
from quant_models.model_size import FORMS
from scripts.console.command_line import comma_separated

DEFAULT_DATA_DIR = Path("work/synthetic_speech")
DEFAULT_CACHE_DIR = Path("work/cache")


def integers(text: str) -> tuple[int, ...]:
    """Parse `1000,2000`; an argparse type."""
    return tuple(int(item) for item in text.split(","))


def numbers(text: str) -> tuple[float, ...]:
    """Parse `0.001,0.0005`; an argparse type."""
    return tuple(float(item) for item in text.split(","))


def word_weights(text: str) -> tuple[tuple[str, float], ...]:
    """Parse `go=8,down=4`; an argparse type."""
    pairs = [item.partition("=") for item in comma_separated(text)]
    return tuple((word, float(weight)) for word, _, weight in pairs)


def positive(text: str) -> int:
    """Parse an integer above 0; an argparse type."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected an integer above 0, got {number}")
    return number


def add_data_flags(parser: argparse.ArgumentParser) -> None:
    """Add `--data_dir` and `--cache_dir`."""
    parser.add_argument(
        "--data_dir",
        type=Path,
        nargs="+",
        default=(DEFAULT_DATA_DIR,),
        help="folders of clips, <word>/<speaker>_nohash_<n>.wav and _background_noise_/*.wav; "
        "the default one is synthesised when it is first needed",
    )
    parser.add_argument(
        "--cache_dir", type=Path, default=DEFAULT_CACHE_DIR, help="where features are kept"
    )


def add_model_flags(parser: argparse.ArgumentParser, **defaults: object) -> None:
    """Add the flags that describe a network; a flag without a default is None unless given."""
    group = parser.add_argument_group("network")

    def add(name: str, help_text: str, **options: Any) -> None:
        group.add_argument(f"--{name}", default=defaults.get(name), help=help_text, **options)

    add(
        "model_architecture",
        "architecture of the network (default: the checkpoint's, if one is given, else ds_cnn)",
        choices=tuple(ARCHITECTURES),
    )
    add(
        "model_size_info",
        "; ".join(f"{name}: {kind.EXPECTED}" for name, kind in ARCHITECTURES.items())
        + " (default: "
        + "; ".join(
            f"{name} {' '.join(map(str, kind.DEFAULT_INFO))}"
            for name, kind in ARCHITECTURES.items()
        )
        + ")",
        type=int,
        nargs="+",
        metavar="N",
    )
    add(
        "form",
        "floor_shift: integers with floor-shifts; float: biases, batch normalisation and average "
        "pooling, as published (default: floor_shift where the architecture has it)",
        choices=FORMS,
    )
    add(
        "padding",
        "of ds_cnn: SAME or VALID for each layer (default: SAME, but in floor_shift form VALID for "
        "the first)",
        type=str.upper,
        nargs="+",
        metavar="P",
    )
    add(
        "shifts",
        "bits shifted off in floor-shift form; ds_cnn: after the first convolution, then after the "
        "depthwise and the pointwise one of each separable layer, dnn: after each hidden layer, "
        "cnn: after each convolution and the dense layer (default: the checkpoint's, if one is "
        "given; for a ds_cnn of two layers 3 4 8; else the smallest with which 99.9 %% of the "
        "values behind each ReLU fit 7 bits, and 4 bits behind the last, on training examples and "
        "the initial weights)",
        type=int,
        nargs="+",
        metavar="N",
    )
    add("wanted_words", "words to recognise, separated by commas", type=comma_separated)
    add("sample_rate", "samples per second", type=int)
    add("clip_duration_ms", "length of a clip in ms", type=int)
    add("window_size_ms", "length of a spectrogram window in ms", type=float)
    add("window_stride_ms", "step from window to window in ms", type=float)
    add("dct_coefficient_count", "cepstral coefficients a window", type=int)


def add_widths_flag(parser: argparse.ArgumentParser) -> None:
    """Add `--widths`, which `dataflow.proof.range_store.choose_ranges` takes as its source."""
    parser.add_argument(
        "--widths",
        choices=SOURCES,
        help="ranges that the widths follow from; observed ones on the golden cases, and other "
        "inputs overflow them (default: proven if they are stored, else interval)",
    )


def add_input_flags(parser: argparse.ArgumentParser, count: int) -> None:
    """Add `--inputs`, `--count` and `--seed`: given inputs, and random ones."""
    add = parser.add_argument_group("inputs").add_argument
    add(
        "--inputs",
        type=Path,
        help="inputs of this .npz file: int8 as the network takes them, or real numbers; the array "
        "`fingerprints`, as of golden cases, or the first one",
    )
    add("--count", type=positive, default=count, help="number of random inputs")
    add("--seed", type=int, default=1, help="of the random inputs")
