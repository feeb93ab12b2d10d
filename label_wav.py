#!/usr/bin/env python
"""Say which word recordings hold: labels and scores of a network, a checkpoint or a frozen graph.

Prints the HOW_MANY_LABELS likeliest labels of each file of WAV, which may be sound files, folders
of them and patterns such as 'clips/*.wav'. A recording that cannot be read is named, the others are
labelled, and the exit status is 1. Only `--graph` loads TensorFlow.
"""

from __future__ import annotations

import argparse
import csv
import glob
import io
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from golden import files
from golden.network import IntegerNetwork
from quant_models.checkpoint import load_checkpoint
from quant_models.labelling import Labeller, NetworkLabeller, Scores, doubts
from quant_models.sound_files import find_sound
from scripts.console.command_line import Parser, one_line, run_command
from scripts.console.flags import positive
from scripts.console.progress import ERRORS, progress_bar, say

EXAMPLE = "python label_wav.py --wav yes.wav --network weights/NAME/network.npz"
UNREADABLE = 1  # exit status


@dataclass(frozen=True)
class Heard:
    """A recording and its scores, in the order of the labels."""

    path: Path
    scores: Scores


def main() -> None:
    flags = parse_flags()
    paths = recordings(flags.wav)
    labeller = labeller_of(flags)
    heard, remarks = label_all(labeller, paths)
    for each in heard:
        if len(paths) > 1:
            say(f"{each.path}")
        for line in likeliest(labeller.labels, each.scores, flags.how_many_labels):
            say(line)
    if flags.csv is not None:
        files.write_text(flags.csv, scores_csv(labeller.labels, heard))
    for remark in remarks:
        print(remark, file=sys.stderr)
    if len(heard) < len(paths):
        sys.stdout.flush()
        raise SystemExit(UNREADABLE)


def parse_flags() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--wav", nargs="+", required=True, help="sound files, folders of them, patterns")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--network", type=Path, help="network.npz of an export")
    source.add_argument("--checkpoint", type=Path, help="checkpoint of train.py, as its integers")
    source.add_argument("--graph", type=Path, help="frozen TensorFlow graph (.pb)")
    add("--labels", type=Path, help="file with the labels of a graph, one a line")
    add("--how_many_labels", type=positive, default=3, help="labels to show for each recording")
    add("--input_name", default="wav_data:0", help="input of a graph")
    add("--output_name", default="labels_softmax:0", help="output of a graph")
    add(
        "--sample_rate", type=positive, default=16_000, help="samples a second that a graph expects"
    )
    add("--clip_duration_ms", type=positive, default=1_000, help="length of its clips in ms")
    add("--csv", type=Path, help="write the scores of all labels there, a row a recording")
    flags = parser.parse_args()
    if (flags.graph is None) != (flags.labels is None):
        given, missing = ("graph", "labels") if flags.labels is None else ("labels", "graph")
        raise ValueError(f"{missing}: expected together with --{given}, got none")
    return flags


def recordings(places: Sequence[str]) -> list[Path]:
    """Return the files that places name; ValueError for a pattern or folder that names none."""
    paths: list[Path] = []
    for place in places:
        path = Path(place)
        if path.is_dir():
            found = list(find_sound(path).sounds)
        elif path.exists() or not glob.has_magic(place):
            found = [path]
        else:
            names = glob.glob(place, recursive=True)  # noqa: PTH207, Path takes no absolute patterns
            found = [Path(name) for name in sorted(names)]
        if not found:
            raise ValueError(f"{place}: expected recordings, found none")
        paths += found
    return paths


def labeller_of(flags: argparse.Namespace) -> Labeller:
    if flags.network is not None:
        return NetworkLabeller(IntegerNetwork.load(flags.network))
    if flags.checkpoint is not None:
        return NetworkLabeller(load_checkpoint(flags.checkpoint).network())
    names = tuple(flags.labels.read_text(encoding="utf-8").split("\n"))
    names = tuple(name.strip() for name in names if name.strip())
    import scripts.console.quiet_tensorflow  # noqa: F401
    from quant_models.frozen_graph import FrozenGraph

    ends = flags.input_name, flags.output_name
    clips = flags.sample_rate, flags.clip_duration_ms
    return FrozenGraph(flags.graph, names, *ends, *clips)


def label_all(labeller: Labeller, paths: Sequence[Path]) -> tuple[list[Heard], list[str]]:
    """Label all recordings that can be read; return them, and what there is to say of some."""
    heard, remarks = [], []
    with progress_bar("recordings", ERRORS) if len(paths) > 1 else nullcontext() as progress:
        for number, path in enumerate(paths, start=1):
            try:
                clip = labeller.read(path)
            except (ValueError, OSError) as error:
                remarks.append(f"error: {one_line(error)}")
                continue
            doubt = doubts(clip)
            if doubt is not None:
                remarks.append(f"warning: {path} is {doubt}")
            heard.append(Heard(path, labeller.scores(clip)))
            if progress is not None:
                progress(number, len(paths))
    return heard, remarks


def likeliest(labels: Sequence[str], scores: Scores, count: int) -> list[str]:
    """Return lines as the original prints them; of equal scores the lower index comes first."""
    order = np.argsort(-scores, kind="stable")[:count]
    return [f"{labels[index]} (score = {scores[index]:.5f})" for index in order]


def scores_csv(labels: Sequence[str], heard: Sequence[Heard]) -> str:
    """Return a row a recording: the file, its label, and the score of every label."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "label", *labels])
    for each in heard:
        scores = [f"{score:.5f}" for score in each.scores]
        writer.writerow([each.path, labels[int(each.scores.argmax())], *scores])
    return text.getvalue()


if __name__ == "__main__":
    run_command(main)
