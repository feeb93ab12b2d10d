"""Pictures of training, of what a network gets right, and of the memory that both take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt

from golden import files

if TYPE_CHECKING:  # it imports this module
    from quant_models.training_run import Evaluation


def plot_curves(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Draw accuracy, loss and learning rate over the steps of a training run as PNG."""
    steps = [point.step for point in evaluations]
    figure, (accuracy, loss) = plt.subplots(2, 1, sharex=True, figsize=(8, 6), layout="constrained")
    best = max(evaluations, key=lambda point: point.validation_accuracy)
    training = [100 * point.training_accuracy for point in evaluations]
    validation = [100 * point.validation_accuracy for point in evaluations]
    accuracy.plot(steps, training, color="0.7", label="training (recent batch)")
    accuracy.plot(steps, validation, color="C0", label="validation")
    accuracy.plot(
        best.step,
        100 * best.validation_accuracy,
        "o",
        color="C3",
        label=f"best: {100 * best.validation_accuracy:.2f} % at step {best.step:,}",
    )
    accuracy.set_ylabel("accuracy, integer reference (%)")
    accuracy.legend(loc="lower right")
    accuracy.grid(alpha=0.3)
    loss.plot(steps, [point.loss for point in evaluations], color="C1")
    loss.set_ylabel("training loss (cross-entropy)")
    loss.set_xlabel("step")
    loss.set_yscale("log")
    loss.grid(alpha=0.3, which="both")
    rate = loss.twinx()
    rate.plot(steps, [point.learning_rate for point in evaluations], color="0.6", linestyle=":")
    rate.set_ylabel("learning rate (dotted)")
    rate.set_yscale("log")
    files.write_via(path, lambda temporary: figure.savefig(temporary, dpi=120))
    plt.close(figure)


def plot_confusion(
    counts: npt.NDArray[np.int64], labels: Sequence[str], title: str, path: Path
) -> None:
    """Draw a confusion matrix, rows true and columns predicted, as PNG."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 2.6 + 0.75 * len(labels)
    figure, axes = plt.subplots(figsize=(size + 1, size), layout="constrained")
    image = axes.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100)
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        axes.text(
            column,
            row,
            f"{count}\n{100 * share:.1f} %",
            ha="center",
            va="center",
            fontsize=9,
            color="white" if share > 0.5 else "black",
        )
    axes.set_xticks(range(len(labels)), labels, rotation=30)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(title, fontsize=10)
    figure.colorbar(image, label="share of the true label (%)", shrink=0.8)
    files.write_via(path, lambda temporary: figure.savefig(temporary, dpi=120))
    plt.close(figure)


def plot_memory(curves: Mapping[str, Sequence[tuple[int, float]]], path: Path) -> None:
    """Draw the peak memory of commands by name, `(clips, MiB)`, as PNG."""
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for name, points in curves.items():
        clips, peaks = zip(*points, strict=True)
        axes.plot(clips, peaks, "o-", label=name)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("clips of the data set")
    axes.set_ylabel("peak memory (MiB)")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    files.write_via(path, lambda temporary: figure.savefig(temporary, dpi=120))
    plt.close(figure)
