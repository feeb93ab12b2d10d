#!/usr/bin/env python
"""Say which word recordings hold: labels and scores of a network, a checkpoint or a frozen graph.

Prints the HOW_MANY_LABELS likeliest labels of each file of WAV, which may be sound files, folders
of them and patterns such as 'clips/*.wav'. A recording that cannot be read is named, the others are
labelled, and the exit status is 1. TensorFlow is loaded for graphs and float checkpoints alone.

With `--stream` a clip slides over recordings of any length, and every word that is detected is
printed with its time, the start of the clip that it was detected in. Given what was said when
(`--truth`), hits, misses and false alarms are counted.
"""

from __future__ import annotations

import argparse
import dataclasses
import glob
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from golden import files
from golden.network import IntegerNetwork
from quant_models.audio import read_clip, read_long
from quant_models.checkpoint import load_checkpoint
from quant_models.labelling import (
    GRAPH_INPUT,
    GRAPH_OUTPUT,
    Labeller,
    NetworkLabeller,
    Scores,
    doubts,
)
from quant_models.model_size import FLOAT
from quant_models.sound_files import find_sound
from quant_models.streaming import (
    Detection,
    Said,
    StreamSettings,
    against_truth,
    detections,
    read_truth,
    sliding_scores,
)
from scripts.console.command_line import Parser, one_line, run_command
from scripts.console.flags import positive
from scripts.console.progress import ERRORS, progress_bar, say

EXAMPLE = "python label_wav.py --wav yes.wav --network weights/NAME/network.npz"
UNREADABLE = 1  # exit status

Heard = TypeVar("Heard")


@dataclass
class Remarks:
    """What there is to say of some recordings: doubts, and why others could not be read."""

    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def main() -> None:
    flags = parse_flags()
    paths = recordings(flags.wav)
    label = stream_labels if flags.stream else clip_labels
    remarks = label(flags, labeller_of(flags), paths)
    sys.stdout.flush()
    for warning in remarks.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for error in remarks.errors:
        print(f"error: {error}", file=sys.stderr)
    if remarks.errors:
        raise SystemExit(UNREADABLE)


def parse_flags() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--wav", nargs="+", required=True, help="sound files, folders of them, patterns")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--network", type=Path, help="network.npz of an export")
    source.add_argument("--checkpoint", type=Path, help="checkpoint of train.py")
    source.add_argument("--graph", type=Path, help="frozen TensorFlow graph (.pb)")
    add("--how_many_labels", type=positive, default=3, help="labels to show for each recording")
    add("--csv", type=Path, help="write the scores of all labels, or the detections, there")
    _add_graph_flags(parser.add_argument_group("graph"))
    _add_stream_flags(parser.add_argument_group("stream"))
    flags = parser.parse_args()
    if (flags.graph is None) != (flags.labels is None):
        given, missing = ("graph", "labels") if flags.labels is None else ("labels", "graph")
        raise ValueError(f"{missing}: expected together with --{given}, got none")
    return flags


def _add_graph_flags(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--labels", type=Path, help="file with its labels, one a line")
    add("--input_name", default=f"{GRAPH_INPUT}:0", help="its input")
    add("--output_name", default=f"{GRAPH_OUTPUT}:0", help="its output")
    add("--sample_rate", type=positive, default=16_000, help="samples a second that it expects")
    add("--clip_duration_ms", type=positive, default=1_000, help="length of its clips in ms")


def _add_stream_flags(group: argparse._ArgumentGroup) -> None:
    add, settings = group.add_argument, StreamSettings()
    add("--stream", action="store_true", help="detect words in recordings of any length")
    helps = {
        "clip_stride_ms": "step from clip to clip in ms",
        "average_window_ms": "time over which scores are averaged",
        "detection_threshold": "averaged score above which a word counts as said, 0..1",
        "suppression_ms": "time after a detection in which there is no other",
    }
    for name, text in helps.items():
        default = getattr(settings, name)
        add(f"--{name}", type=type(default), default=default, help=text)
    add(
        "--truth", type=Path, help="what was said when in the one recording: lines of label,time_ms"
    )
    add("--time_tolerance_ms", type=positive, default=750, help="how far off a detection may be")


def recordings(places: Sequence[str]) -> list[Path]:
    """Return the files that places name, each once; ValueError for a place that names none."""
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
    return list(dict.fromkeys(paths))


def labeller_of(flags: argparse.Namespace) -> Labeller:
    if flags.network is not None:
        return NetworkLabeller(IntegerNetwork.load(flags.network))
    if flags.checkpoint is not None:
        checkpoint = load_checkpoint(flags.checkpoint)
        if checkpoint.size.form == FLOAT:
            import scripts.console.quiet_tensorflow
            from quant_models.model_labeller import ModelLabeller

            return ModelLabeller(checkpoint)
        return NetworkLabeller(checkpoint.network())
    lines = files.read_text(flags.labels).split("\n")
    labels = tuple(line.strip() for line in lines if line.strip())
    import scripts.console.quiet_tensorflow  # noqa: F401
    from quant_models.frozen_graph import FrozenGraph

    ends = flags.input_name, flags.output_name
    clips = flags.sample_rate, flags.clip_duration_ms
    return FrozenGraph(flags.graph, labels, *ends, *clips)


def clip_labels(flags: argparse.Namespace, labeller: Labeller, paths: Sequence[Path]) -> Remarks:
    """Print and write the labels of recordings of one word; return what there is to say of some."""
    remarks = Remarks()

    def hear(path: Path) -> Scores:
        clip = read_clip(path, labeller.sample_rate_hz, labeller.clip_samples)
        doubt = doubts(clip)
        if doubt is not None:
            remarks.warnings.append(f"{path} is {doubt}")
        return labeller.scores(clip[np.newaxis])[0]

    heard = each_of(paths, hear, remarks)
    for path, scores in heard.items():
        if len(paths) > 1:
            say(f"{path}")
        for line in likeliest(labeller.labels, scores, flags.how_many_labels):
            say(line)
    if flags.csv is not None:
        rows = (
            [path, labeller.labels[int(scores.argmax())], *(f"{score:.5f}" for score in scores)]
            for path, scores in heard.items()
        )
        files.write_text(flags.csv, files.csv_text(["file", "label", *labeller.labels], rows))
    return remarks


def stream_labels(flags: argparse.Namespace, labeller: Labeller, paths: Sequence[Path]) -> Remarks:
    """Print and write the words detected in recordings; return what there is to say of some."""
    names = [field.name for field in dataclasses.fields(StreamSettings)]
    settings = StreamSettings(**{name: getattr(flags, name) for name in names})
    truth = None if flags.truth is None else read_truth(flags.truth, labeller.labels)
    if truth is not None and len(paths) > 1:
        raise ValueError(f"truth: expected one recording, got {len(paths)}")
    remarks, seconds = Remarks(), 0.0

    def hear(path: Path) -> list[Detection]:
        nonlocal seconds
        samples = read_long(path, labeller.sample_rate_hz, labeller.clip_samples)
        seconds += len(samples) / labeller.sample_rate_hz
        with progress_bar("clips", ERRORS) if len(paths) == 1 else nullcontext() as progress:
            scores = sliding_scores(labeller, samples, settings.clip_stride_ms, progress)
        return list(detections(scores, labeller.labels, settings))

    heard = each_of(paths, hear, remarks)
    for path, found in heard.items():
        if len(paths) > 1 and found:
            say(f"{path}")
        for each in found:
            say(f"{each.time_ms}ms: {each.label} (score = {each.score:.5f})")
    count = sum(map(len, heard.values()))
    say(f"detections  {count} in {seconds:,.1f} s, {an_hour(count, seconds)}")
    for found in heard.values() if truth is not None else ():
        say_result(found, truth, flags.time_tolerance_ms, seconds)
    if flags.csv is not None:
        rows = (
            [path, each.time_ms, each.label, f"{each.score:.5f}"]
            for path, found in heard.items()
            for each in found
        )
        files.write_text(flags.csv, files.csv_text(["file", "time_ms", "label", "score"], rows))
    return remarks


def say_result(
    found: Sequence[Said], truth: Sequence[Said], tolerance_ms: int, seconds: float
) -> None:
    result = against_truth(found, truth, tolerance_ms)
    say(f"hits        {result.right} of {len(truth)} words")
    say(f"misses      {result.missed}, taken for another word {result.wrong}")
    alarms = an_hour(result.false_alarms, seconds)
    say(f"false       {result.false_alarms} alarms, {alarms}")


def an_hour(count: int, seconds: float) -> str:
    return f"{3_600 * count / seconds:.2f} an hour" if seconds else "none heard"


def each_of(
    paths: Sequence[Path], hear: Callable[[Path], Heard], remarks: Remarks
) -> dict[Path, Heard]:
    """Return what is heard in all recordings that can be read; the others get a remark."""
    heard: dict[Path, Heard] = {}
    with progress_bar("recordings", ERRORS) if len(paths) > 1 else nullcontext() as progress:
        for number, path in enumerate(paths, start=1):
            try:
                heard[path] = hear(path)
            except (ValueError, OSError) as error:
                remarks.errors.append(one_line(error))
            if progress is not None:
                progress(number, len(paths))
    return heard


def likeliest(labels: Sequence[str], scores: Scores, count: int) -> list[str]:
    """Return lines as the original prints them; of equal scores the lower index comes first."""
    order = np.argsort(-scores, kind="stable")[:count]
    return [f"{labels[index]} (score = {scores[index]:.5f})" for index in order]


if __name__ == "__main__":
    run_command(main)
