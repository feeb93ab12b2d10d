#!/usr/bin/env python
"""Freeze a checkpoint into one file that other tools run: a TensorFlow graph, a .tflite, an .onnx.

`pb` holds everything: it takes the bytes of a WAV file (`wav_data`), computes the features with
TensorFlow's audio ops, then every layer, and gives `labels_softmax`; `label_wav.py --graph` runs
it. `tflite` and `onnx` take the integers of the fingerprint. Layers in floor-shift form become
floating-point operations that are exact on their integers. The labels go to a text file beside it.

`--int8` quantises a model in float form after training, on the fingerprints in its checkpoint, for
`scripts/import_tflite.py`, which takes it to C and bit widths.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dataflow.ranges.intervals import magnitude_bound
from golden import files, reference
from quant_models.checkpoint import Checkpoint
from quant_models.exactness import FLOAT32_EXACT, check_sums, exactness_text
from quant_models.model_size import FLOAT, grid_of, require_integer_form
from scripts.console.command_line import Parser, run_command
from scripts.console.progress import say
from scripts.console.quiet_stderr import quiet_stderr
from scripts.experiments.checkpoint_flags import add_checkpoint_flags, checkpoint_of

EXAMPLE = "python freeze.py --checkpoint weights/NAME/NAME.npz --output_file work/NAME.pb"
FORMATS = ("pb", "tflite", "onnx")


def main() -> None:
    flags = parse_flags()
    checkpoint = checkpoint_of(flags)
    if flags.int8 and flags.format != "tflite":
        raise ValueError(f"int8: expected with --format tflite, got it with {flags.format}")
    if flags.int8 and checkpoint.size.form != FLOAT:
        raise ValueError(
            f"{flags.checkpoint}: expected the float form to quantise, got {checkpoint.size.form}, "
            "whose weights are integers already"
        )
    if flags.int8:
        require_integer_form(checkpoint.size.architecture)
    frozen, labels_file = flags.output_file, flags.output_file.with_suffix(".labels.txt")
    contents = {
        frozen: frozen_bytes(checkpoint, flags.format, int8=flags.int8),
        labels_file: "".join(f"{label}\n" for label in checkpoint.labels).encode(),
    }
    files.write_claimed(contents, overwrite=flags.overwrite)
    say(f"frozen      {frozen}, {len(contents[frozen]):,} bytes")
    say(f"labels      {labels_file}")


def parse_flags() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    add_checkpoint_flags(parser)
    add = parser.add_argument
    add("--output_file", type=Path, required=True, help="where it goes, such as NAME.pb")
    add("--format", choices=FORMATS, default="pb", help="what is written")
    add("--int8", action="store_true", help="quantise a model in float form to 8 bits")
    add("--overwrite", action="store_true", help="replace other files there")
    return parser.parse_args()


def frozen_bytes(checkpoint: Checkpoint, file_format: str, *, int8: bool) -> bytes:
    """Return the file, and say how exact its sums are where they are of integers."""
    import scripts.console.quiet_tensorflow  # noqa: F401
    from quant_models import exchange_formats
    from quant_models.freezing import freeze, freeze_model
    from quant_models.model_labeller import float_model
    from quant_models.training import keras_model

    if checkpoint.size.form == FLOAT:
        model = float_model(checkpoint)
        if int8:
            with quiet_stderr():
                return exchange_formats.int8_tflite(model, checkpoint.cases)
        if file_format == "pb":
            return freeze_model(model, checkpoint.features)
    else:
        network = checkpoint.network()
        bound = magnitude_bound(network)
        say(f"network     {network.digest}")
        if file_format == "pb":
            return freeze(network, bound)
        layers = reference.run(network, checkpoint.cases).layers
        largest = 0 if bound < FLOAT32_EXACT else check_sums(network, layers)
        say(f"float32     {exactness_text(bound, largest)}")
        model = keras_model(checkpoint.size, checkpoint.features, len(checkpoint.labels))
        model.assign_parameters(checkpoint.parameters)
    convert = exchange_formats.tflite if file_format == "tflite" else exchange_formats.onnx
    with quiet_stderr():
        return convert(model, grid_of(checkpoint.features))


if __name__ == "__main__":
    run_command(main)
