#!/usr/bin/env python
"""Turn a checkpoint into its integers, check them on every layer of every clip, and export them.

Evaluates the training, validation and testing partitions of DATA_DIR, or the folder TEST_DIR, with
the integers, and compares each layer of each clip with the Keras forward pass. The export
(network.npz, weight.h, network.h, network.c, example_weight.txt, evidence.json, manifest.json;
golden vectors 1.txt 2.txt 3.txt lots_of_case.txt cases.npz) depends on the checkpoint alone;
accuracy and confusion matrices go to EVALUATION_DIR. Where clips are many, the compiled C computes
them (golden.c.engine); without a compiler the NumPy reference does.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from rich.markup import escape
from rich.table import Table

from dataflow.ranges.intervals import magnitude_bound
from golden import files
from golden.comparison import Comparison
from golden.exports.evidence import PACKAGES, Rung, evidence_bytes, json_bytes, package_versions
from golden.exports.export import export_network, write_export
from golden.network import IntegerNetwork
from quant_models.checkpoint import Checkpoint
from quant_models.exactness import FLOAT32_EXACT, exactness_text
from quant_models.speech_commands import UNKNOWN_LABEL
from scripts.console.command_line import Parser, run_command
from scripts.console.places import network_name, vectors_folder, weights_folder
from scripts.console.progress import fits, progress_bar, say, show_table
from scripts.experiments.checkpoint_flags import checkpoint_of
from scripts.experiments.evaluation_sets import add_evaluation_flags, example_sets

if TYPE_CHECKING:  # it loads TensorFlow
    from quant_models.evaluation import Result, Verifier

EXAMPLE = (
    "python quant_test.py --checkpoint work/DS_CNN/training/best/ds_cnn_9507.ckpt-24200 "
    "--test_dir speech_commands_test_set"
)
MOST_CONFUSED = 3


def main() -> None:
    flags = parse_flags()
    checkpoint = checkpoint_of(flags)
    network = checkpoint.network()
    import scripts.console.quiet_tensorflow  # noqa: F401
    from quant_models.evaluation import Verifier
    from quant_models.plots import plot_confusion

    bound = magnitude_bound(network)
    verifier = Verifier(checkpoint, bounded=bound < FLOAT32_EXACT)
    name = network_name(flags.checkpoint)
    weights_dir = flags.output_dir or weights_folder(name)
    vectors_dir = flags.vectors_dir or vectors_folder(name)
    evaluation_dir = flags.evaluation_dir or Path("work/evaluation") / name
    say(f"network     {network.digest}")
    stored = {f"{name}.npz": checkpoint.to_bytes()}
    comparison = export(
        checkpoint, verifier, stored, weights_dir, vectors_dir, overwrite=flags.overwrite
    )
    say(f"export      {weights_dir}, {vectors_dir}")
    compared = [comparison]
    results = []
    for title, examples, words in example_sets(flags, checkpoint):
        with progress_bar(title) as progress:
            results.append(verifier.evaluate(title, examples, progress, words))
        compared.append(results[-1].comparison)
        show(results[-1])
        if words:
            say(f"called unknown: {by_word(results[-1])}")
    files.write_bytes(evaluation_dir / "accuracy.json", accuracy_json(network, results))
    picture = evaluation_dir / "confusion.png"
    last = results[-1]
    heading = f"{last.title}: {last.accuracy:.2%} of {last.clips:,} clips"
    plot_confusion(last.confusion, last.labels, heading, picture)
    files.write_text(evaluation_dir / "confusion.csv", confusion_csv(results))
    say(f"accuracy    {evaluation_dir}: accuracy.json, confusion.csv, {picture.name}")
    values = sum(c.total for c in compared)
    say(
        f"compared    Keras with the {results[-1].engine}: {values:,} values, "
        f"all layers of {sum(c.clips for c in compared):,} clips, 0 mismatches"
    )
    say(f"float32     {exactness_text(bound, verifier.largest_sum)}")


def parse_flags() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    add_evaluation_flags(parser)
    add = parser.add_argument
    add("--output_dir", type=Path, help="folder of the export (default: weights/<name>)")
    add("--vectors_dir", type=Path, help="folder of the vectors (default: golden/vectors/<name>)")
    add("--overwrite", action="store_true", help="replace an export of another network there")
    add(
        "--evaluation_dir", type=Path, help="folder of accuracies (default: work/evaluation/<name>)"
    )
    return parser.parse_args()


def export(
    checkpoint: Checkpoint,
    verifier: Verifier,
    stored: Mapping[str, bytes],
    weights_dir: Path,
    vectors_dir: Path,
    *,
    overwrite: bool = False,
) -> Comparison:
    """Compare Keras and reference on the checkpoint's own clips, then write the whole export.

    `stored` is the checkpoint by the name of its file.
    """
    comparison, _ = verifier.compare_all(checkpoint.cases)
    exported = export_network(verifier.network, checkpoint.cases, checkpoint.case_labels)
    evidence = evidence_bytes(
        exported.network_digest,
        {**exported.artefacts, **{f"weights/{name}": data for name, data in stored.items()}},
        [Rung("golden.reference", "Keras forward pass", comparison)],
        package_versions(PACKAGES),
    )
    write_export(
        exported,
        weights_dir,
        vectors_dir,
        {"evidence.json": evidence},
        stored,
        overwrite=overwrite,
    )
    return comparison


def show(result: Result) -> None:
    """Print accuracy and the confusion matrix, or if it is too wide what is often confused."""
    title = f"{result.title}: {result.accuracy:.2%} of {result.clips:,} clips"
    matrix = Table(title=escape(title))
    matrix.add_column("true \\ predicted")
    for label in result.labels:
        matrix.add_column(escape(label), justify="right")
    matrix.add_column("recall", justify="right")
    for index, label in enumerate(result.labels):
        row = result.confusion[index]
        matrix.add_row(escape(label), *map(str, row), recall(row, index))
    show_table(matrix if fits(matrix) else confusions(result, title))


def confusions(result: Result, title: str) -> Table:
    """Return a narrow table: each label's clips, and what they are most often taken for."""
    table = Table(title=escape(title))
    table.add_column("label", overflow="fold")
    for heading in ("clips", "right", "recall"):
        table.add_column(heading, justify="right", overflow="fold")
    table.add_column("most often taken for", overflow="fold")
    for index, label in enumerate(result.labels):
        row = result.confusion[index]
        others = [
            f"{escape(result.labels[other])} ({row[other]})"
            for other in np.argsort(-row, kind="stable")
            if other != index and row[other]
        ]
        cells = (str(row.sum()), str(row[index]), recall(row, index))
        table.add_row(escape(label), *cells, ", ".join(others[:MOST_CONFUSED]))
    return table


def by_word(result: Result) -> str:
    """Say how often each of the words is called unknown, those first that seldom are."""
    unknown = result.labels.index(UNKNOWN_LABEL)
    shares = {word: row[unknown] / row.sum() for word, row in result.words.items()}
    return ", ".join(
        f"{word} {shares[word]:.1%} of {result.words[word].sum():,}"
        for word in sorted(shares, key=lambda word: shares[word])
    )


def recall(row: npt.NDArray[np.int64], index: int) -> str:
    return f"{row[index] / row.sum():.1%}" if row.sum() else "-"


def confusion_csv(results: Sequence[Result]) -> str:
    """Return the confusion matrices as CSV, one row a set and true label, or word of no label."""
    rows = [
        [result.title, said, *row.tolist()]
        for result in results
        for said, row in (
            *zip(result.labels, result.confusion, strict=True),
            *result.words.items(),
        )
    ]
    return files.csv_text(["set", "true \\ predicted", *results[0].labels], rows)


def accuracy_json(network: IntegerNetwork, results: list[Result]) -> bytes:
    content = {
        "network_digest": network.digest,
        "labels": list(network.labels),
        "results": [
            {
                "title": result.title,
                "clips": result.clips,
                "accuracy": result.accuracy,
                "confusion": result.confusion.tolist(),
                "values_compared": result.comparison.total,
                "mismatches": 0,
            }
            for result in results
        ],
    }
    return json_bytes(content)


if __name__ == "__main__":
    run_command(main)
