"""Pictures: they say what they were given, and are written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from quant_models.plots import plot_confusion, plot_curves, plot_memory
from quant_models.training_run import Evaluation

EVALUATIONS = [
    Evaluation(500, 0.001, 1.2, 0.5, 0.4),
    Evaluation(1_000, 0.001, 0.6, 0.7, 0.875),
    Evaluation(1_500, 0.0001, 0.5, 0.8, 0.8),
]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures that would be closed, still whole."""
    kept: list[Any] = []
    monkeypatch.setattr(plt, "close", kept.append)
    yield kept
    monkeypatch.undo()
    plt.close("all")


def texts(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_curves_show_every_point_and_the_best(tmp_path: Path, figures: list[Any]) -> None:
    plot_curves(EVALUATIONS, tmp_path / "curves.png")
    accuracy, loss, rate = figures[0].axes
    lines = [line.get_xydata().tolist() for line in accuracy.lines]
    assert lines == [
        [[500, 50], [1_000, 70], [1_500, 80]],
        [[500, 40], [1_000, 87.5], [1_500, 80]],
        [[1_000, 87.5]],
    ]
    assert accuracy.lines[2].get_label() == "best: 87.50 % at step 1,000"
    assert loss.lines[0].get_ydata().tolist() == [1.2, 0.6, 0.5]
    assert rate.lines[0].get_ydata().tolist() == [0.001, 0.001, 0.0001]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_confusion_shows_counts_and_shares_of_the_true_label(
    tmp_path: Path, figures: list[Any]
) -> None:
    counts = np.array([[3, 1, 0], [0, 0, 0], [1, 1, 2]])
    plot_confusion(counts, ("yes", "no", "go"), "a title", tmp_path / "new" / "confusion.png")
    axes = figures[0].axes[0]
    assert texts(axes) == [
        "3\n75.0 %", "1\n25.0 %", "0\n0.0 %",
        "0\n0.0 %", "0\n0.0 %", "0\n0.0 %",
        "1\n25.0 %", "1\n25.0 %", "2\n50.0 %",
    ]  # fmt: skip
    assert [label.get_text() for label in axes.get_yticklabels()] == ["yes", "no", "go"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    assert axes.get_title() == "a title"
    assert (tmp_path / "new" / "confusion.png").read_bytes().startswith(b"\x89PNG")


def test_figures_are_closed(tmp_path: Path) -> None:
    plot_curves(EVALUATIONS[:1], tmp_path / "curves.png")
    plot_confusion(np.eye(2, dtype=int), ("yes", "no"), "", tmp_path / "confusion.png")
    assert plt.get_fignums() == []


def test_a_failed_drawing_leaves_the_old_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "confusion.png"
    path.write_bytes(b"old")

    def fails(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fails)
    with pytest.raises(OSError, match="No space left"):
        plot_confusion(np.eye(2, dtype=int), ("yes", "no"), "", path)
    assert path.read_bytes() == b"old" and [item.name for item in tmp_path.iterdir()] == [path.name]
    plt.close("all")


def test_memory_has_a_curve_for_each_command(tmp_path: Path, figures: list[Any]) -> None:
    curves = {"train.py": [(5_000, 700.0), (20_000, 900.0)], "quant_test.py": [(5_000, 650.0)]}
    plot_memory(curves, tmp_path / "memory.png")
    (axes,) = figures[0].axes
    assert {line.get_label(): line.get_xydata().tolist() for line in axes.lines} == {
        "train.py": [[5_000, 700], [20_000, 900]],
        "quant_test.py": [[5_000, 650]],
    }
    assert axes.get_xlim()[0] == axes.get_ylim()[0] == 0
    assert (tmp_path / "memory.png").read_bytes().startswith(b"\x89PNG")
