"""freeze.py: one graph that hears WAV files and says what the integer network says."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import freeze
import label_wav
from tests.commands.conftest import Trained
from tests.repository import REPOSITORY

(SHIPPED,) = REPOSITORY.glob("weights/*/ds_cnn_*.npz")


def labels_of(table: Path) -> list[list[str]]:
    with table.open(encoding="utf-8") as stream:
        return [row[:2] for row in csv.reader(stream)]


@pytest.fixture
def both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path, Path], list[list[str]]]:
    """Freeze a checkpoint; return the labels of a folder after checking that both agree."""

    def call(checkpoint: Path, folder: Path) -> list[list[str]]:
        def run(main: Callable[[], None], *flags: object) -> None:
            monkeypatch.setattr(sys, "argv", ["command.py", *map(str, flags)])
            main()

        graph, labels = tmp_path / "a.pb", tmp_path / "a.labels.txt"
        run(freeze.main, "--checkpoint", checkpoint, "--output_file", graph)
        sources = ("--graph", graph, "--labels", labels), ("--checkpoint", checkpoint)
        tables = []
        for number, source in enumerate(sources):
            table = tmp_path / f"{number}.csv"
            run(label_wav.main, "--wav", folder, *source, "--csv", table)
            tables.append(labels_of(table))
        assert tables[0] == tables[1]
        return tables[0]

    return call


def test_a_frozen_network_says_what_it_said(
    trained: Trained, both: Callable[[Path, Path], list[list[str]]]
) -> None:
    rows = both(trained.checkpoint, trained.data_dir / "yes")
    assert len(rows) == 1 + 60 and rows[1][1] == "yes"


def test_other_files_are_replaced_only_when_asked(
    tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, labels = tmp_path / "a.pb", tmp_path / "a.labels.txt"
    labels.write_text("mine\n")
    flags = "--checkpoint", SHIPPED, "--output_file", graph
    assert refused(freeze.main, *flags) == (
        f"{labels}: expected nothing or what is to be written, found another file "
        "(--overwrite replaces it)"
    )
    assert labels.read_text() == "mine\n" and not graph.exists()
    monkeypatch.setattr(sys, "argv", ["freeze.py", *map(str, flags), "--overwrite"])
    freeze.main()
    assert labels.read_text() == "_silence_\n_unknown_\nyes\nno\n"
    monkeypatch.setattr(sys, "argv", ["freeze.py", *map(str, flags)])
    freeze.main()  # the same bytes


@pytest.mark.data
def test_the_shipped_network_frozen_gives_the_same_labels_on_every_clip(
    both: Callable[[Path, Path], list[list[str]]], speech_dir: Path
) -> None:
    assert len(both(SHIPPED, speech_dir / "speech_commands_test")) == 1 + 2_240
