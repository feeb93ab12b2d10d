"""From scores of overlapping clips to words that were said: smoothing, threshold, suppression.

A clip slides over a long recording, so that a word is heard several times, in part and as a whole.
Scores are averaged over the last clips; a label that is sure enough is reported once, and for a
while after it nothing else is. The rules of detection are those of TensorFlow's speech commands
example (`recognize_commands.cc`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from golden import files
from quant_models.audio import Samples
from quant_models.labelling import Labeller, Scores
from quant_models.parallel import Progress
from quant_models.speech_commands import SILENCE_LABEL, UNKNOWN_LABEL

_BATCH = 256  # clips
_LEAST_CLIPS = 3  # that an average rests on
_LEAST_SHARE = 0.25  # of the averaging window that has to be heard before anything is said


@dataclass(frozen=True)
class Said:
    """A word and when the clip that it stands in begins, in ms from the start of the recording."""

    time_ms: int
    label: str


@dataclass(frozen=True)
class Detection(Said):
    """A word that was detected, with its averaged score, 0..1."""

    score: float


@dataclass(frozen=True)
class StreamSettings:
    """When a label counts as said.

    The clip moves by `clip_stride_ms`; scores are averaged over `average_window_ms`; an average
    above `detection_threshold` of another label than the last one is a detection, unless the last
    one was a word, known or not, that is at most `suppression_ms` ago.
    """

    clip_stride_ms: int = 30
    average_window_ms: int = 500
    detection_threshold: float = 0.7
    suppression_ms: int = 500

    def __post_init__(self) -> None:
        if self.clip_stride_ms < 1:
            raise ValueError(f"clip_stride_ms: expected 1 or more, got {self.clip_stride_ms}")
        if self.average_window_ms < self.clip_stride_ms:
            raise ValueError(
                f"average_window_ms: expected at least the stride of {self.clip_stride_ms} ms, "
                f"got {self.average_window_ms}"
            )
        if not 0 <= self.detection_threshold <= 1:
            raise ValueError(f"detection_threshold: expected 0..1, got {self.detection_threshold}")
        if self.suppression_ms < 0:
            raise ValueError(f"suppression_ms: expected 0 or more, got {self.suppression_ms}")


@dataclass(frozen=True)
class StreamResult:
    """How detections compare with what was said.

    `right` are detections of the word that was said then, `wrong` those of another one; `missed`
    are words without a detection, `false_alarms` detections where nothing was said.
    """

    right: int
    wrong: int
    missed: int
    false_alarms: int


def sliding_scores(
    labeller: Labeller, samples: Samples, stride_ms: int, progress: Progress | None = None
) -> Scores:
    """Return the scores `[clip][label]` of clips that begin `stride_ms` apart.

    `samples` are at the labeller's rate, at least a clip of them.
    """
    every = np.lib.stride_tricks.sliding_window_view(samples, labeller.clip_samples)
    places = np.arange(0, 1_000 * len(every), stride_ms * labeller.sample_rate_hz) // 1_000
    scores: list[Scores] = []
    for start in range(0, len(places), _BATCH):
        part = places[start : start + _BATCH]
        scores.append(labeller.scores(every[part]))
        if progress is not None:
            progress(start + len(part), len(places))
    return np.concatenate(scores)


def detections(
    scores: Scores, labels: Sequence[str], settings: StreamSettings
) -> Iterator[Detection]:
    """Yield what is said, given the scores `[clip][label]` of clips a stride apart.

    Silence and unknown words are not reported; that one was heard allows the same word to be said
    again.
    """
    stride = settings.clip_stride_ms
    span = settings.average_window_ms // stride + 1  # clips whose starts lie within the window
    last_label, last_ms = SILENCE_LABEL, 0
    for number in range(len(scores)):
        first = max(number - span + 1, 0)
        heard_ms = (number - first) * stride
        if number - first + 1 < _LEAST_CLIPS:
            continue
        if heard_ms < _LEAST_SHARE * settings.average_window_ms:
            continue
        mean = scores[first : number + 1].mean(axis=0, dtype=np.float64)
        label, score = labels[int(mean.argmax())], float(mean.max())
        time_ms = number * stride
        if score <= settings.detection_threshold or label == last_label:
            continue
        if last_label != SILENCE_LABEL and time_ms - last_ms <= settings.suppression_ms:
            continue
        last_label, last_ms = label, time_ms
        if label not in (SILENCE_LABEL, UNKNOWN_LABEL):
            yield Detection(time_ms, label, score)


def read_truth(path: Path, labels: Sequence[str]) -> list[Said]:
    """Read what was said when: a line `label,time_ms` a word, as the TensorFlow example has it.

    Raises ValueError for another line or a label that is none of `labels`, OSError as the file
    system reports it.
    """
    truth = []
    for number, line in enumerate(files.read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        label, _, time_ms = (part.strip() for part in line.partition(","))
        if label not in labels or not time_ms.isdecimal():
            raise ValueError(
                f"{path}: expected label,time_ms with one of {', '.join(labels)} in line {number}, "
                f"got {line!r}"
            )
        if label not in (SILENCE_LABEL, UNKNOWN_LABEL):
            truth.append(Said(int(time_ms), label))
    return truth


def against_truth(
    found: Sequence[Said], truth: Sequence[Said], tolerance_ms: float
) -> StreamResult:
    """Compare detections, in order of time, with what was said.

    A detection is held against the nearest word within `tolerance_ms` that no other detection was
    held against, so that a word that is detected twice counts once, and as a false alarm. (The
    TensorFlow example takes the first word within the tolerance, and counts the second as wrong.)
    """
    free = sorted(truth, key=lambda word: word.time_ms)
    right = wrong = false_alarms = 0
    for detection in found:
        near = [word for word in free if abs(word.time_ms - detection.time_ms) <= tolerance_ms]
        if not near:
            false_alarms += 1
            continue
        nearest = min(near, key=lambda word: abs(word.time_ms - detection.time_ms))
        free.remove(nearest)
        if nearest.label == detection.label:
            right += 1
        else:
            wrong += 1
    return StreamResult(right, wrong, len(free), false_alarms)
