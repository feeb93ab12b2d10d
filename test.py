#!/usr/bin/env python
"""Test a checkpoint in float and in integers: accuracy and confusion matrix of each partition.

In float it is the Keras model. The integers of a model in floor-shift form are its own; those of a
model in float form are quantised after training to 8 bits (`freeze.py --format tflite --int8`), and
round as TFLite Micro does. The reference computes them, or where clips are many the compiled C.
Recurrent models have none.
With TEST_DIR it tests that folder instead of the three partitions of DATA_DIR.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from golden import files
from golden.c.engine import engine_for
from golden.network import IntegerNetwork
from quant_models.checkpoint import Checkpoint
from quant_models.feature_cache import Examples
from quant_models.model_size import FLOAT
from quant_models.speech_commands import PARTITIONS
from scripts.console.command_line import Parser, run_command
from scripts.console.progress import say
from scripts.console.quiet_stderr import quiet_stderr
from scripts.experiments.checkpoint_flags import checkpoint_of
from scripts.experiments.evaluation_sets import add_evaluation_flags, example_sets

EXAMPLE = (
    "python test.py --checkpoint work/DS_CNN/training/best/NAME.npz --data_dir speech_commands"
)
# How the original calls the partitions.
TITLES = dict(zip(PARTITIONS, ("Training", "Validation", "Test"), strict=True))

Fingerprints = npt.NDArray[np.int8]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Judge:
    """An arithmetic that labels fingerprints."""

    arithmetic: str
    predict: Callable[[Fingerprints], Indices]


def main() -> None:
    flags = parse_flags()
    checkpoint = checkpoint_of(flags)
    judges = judges_of(checkpoint)
    rows: list[list[object]] = []
    for title, examples, _ in example_sets(flags, checkpoint):
        name = TITLES.get(title.removesuffix(" partition"), title)
        predicted = []
        for judge in judges:
            predicted.append(judge.predict(examples.fingerprints))
            rows += report(name, judge.arithmetic, examples, predicted[-1], checkpoint.labels)
        if len(predicted) == 2:
            differing = int(np.sum(predicted[0] != predicted[1]))
            say(f"labels that differ between both: {differing} of {len(examples):,}")
    if flags.csv is not None:
        heading = ["set", "arithmetic", "true \\ predicted", *checkpoint.labels]
        files.write_text(flags.csv, files.csv_text(heading, rows))


def parse_flags() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    add_evaluation_flags(parser)
    parser.add_argument("--csv", type=Path, help="write the confusion matrices there")
    return parser.parse_args()


def judges_of(checkpoint: Checkpoint) -> list[Judge]:
    """Return the arithmetics to test; where integers cannot compute it, say why."""
    import scripts.console.quiet_tensorflow  # noqa: F401
    from quant_models.evaluation import Verifier
    from quant_models.model_labeller import float_model
    from quant_models.post_training import int8_network, quantised_inputs

    if checkpoint.size.form != FLOAT:
        network = checkpoint.network()
        keras = Judge("Keras", Verifier(checkpoint).answers)
        return [keras, Judge("integers, 6 bits", partial(labels_of, network))]
    judges = [Judge("float", float_model(checkpoint).predictions)]
    if checkpoint.size.architecture.NO_INTEGERS is not None:
        name, reason = checkpoint.size.architecture.NAME, checkpoint.size.architecture.NO_INTEGERS
        say(f"integers    none of {name}: {reason}")
        return judges
    with quiet_stderr():
        quantised = int8_network(checkpoint)
    say(f"integers    {quantised.digest}, 8 bits, quantised after training")

    def predict(fingerprints: Fingerprints) -> Indices:
        return labels_of(quantised, quantised_inputs(quantised, fingerprints))

    return [*judges, Judge("integers, 8 bits", predict)]


def labels_of(network: IntegerNetwork, inputs: Fingerprints) -> Indices:
    """Return the label index that a network gives to each of its inputs."""
    return engine_for(network, len(inputs)).logits(inputs).argmax(axis=1)


def report(
    name: str,
    arithmetic: str,
    examples: Examples,
    predicted: Indices,
    labels: Sequence[str],
) -> list[list[object]]:
    """Print matrix and accuracy as the original does; return the rows of the table."""
    from quant_models.evaluation import confusion_matrix

    confusion = confusion_matrix(examples.label_indices, predicted, len(labels))
    accuracy = np.trace(confusion) / len(examples)
    say(f"{arithmetic}:")
    whole = np.array2string(confusion, threshold=confusion.size, max_line_width=sys.maxsize)
    say(f"Confusion Matrix:\n {whole}")
    say(f"{name} accuracy = {accuracy:.2%} (N={len(examples)})")
    return [
        [name, arithmetic, label, *row.tolist()]
        for label, row in zip(labels, confusion, strict=True)
    ]


if __name__ == "__main__":
    run_command(main)
