"""Words in long recordings: smoothing, threshold and suppression, and what was said when."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_models.labelling import Scores
from quant_models.streaming import (
    Detection,
    Said,
    StreamResult,
    StreamSettings,
    against_truth,
    detections,
    read_truth,
    sliding_scores,
)

LABELS = ("_silence_", "_unknown_", "yes", "no")
SETTINGS = StreamSettings(
    clip_stride_ms=100, average_window_ms=400, detection_threshold=0.6, suppression_ms=500
)


def surely(*heard: str) -> Scores:
    """Scores of clips of which each is surely one label."""
    return np.eye(len(LABELS), dtype=np.float32)[[LABELS.index(label) for label in heard]]


def found(*heard: str) -> list[tuple[int, str]]:
    return [(each.time_ms, each.label) for each in detections(surely(*heard), LABELS, SETTINGS)]


def test_a_word_counts_once_its_average_passes_the_threshold() -> None:
    # Five clips lie within 400 ms; four of them are 0.8, three are 0.6, which is not above it.
    assert found(*["_silence_"] * 5, *["yes"] * 8) == [(800, "yes")]
    (only,) = detections(surely(*["_silence_"] * 5, *["yes"] * 8), LABELS, SETTINGS)
    assert only.score == pytest.approx(0.8)


def test_nothing_is_said_before_three_clips_are_heard() -> None:
    assert found("yes", "yes", "yes", "yes") == [(200, "yes")]


def test_a_word_is_said_again_only_after_something_else() -> None:
    said = [*["yes"] * 5, *["_silence_"] * 6, *["yes"] * 6]
    assert found(*["yes"] * 17) == [(200, "yes")]
    assert found(*said) == [(200, "yes"), (1_400, "yes")]
    assert found(*(label.replace("_silence_", "_unknown_") for label in said)) == found(*said)


def test_after_silence_nothing_waits() -> None:
    # Silence is the last label from 800 ms on; the word is sure again 400 ms later.
    quick = [*["yes"] * 5, *["_silence_"] * 4, *["yes"] * 6]
    assert found(*quick) == [(200, "yes"), (1_200, "yes")]


def test_another_word_waits_until_the_last_one_is_past() -> None:
    close = ["yes"] * 5 + ["no"] * 10
    assert found(*close) == [(200, "yes"), (800, "no")]
    assert found(*["yes"] * 4, *["no"] * 4) == [(200, "yes")]


@given(
    st.lists(st.sampled_from(LABELS), max_size=60),
    st.integers(0, 10),
    st.floats(0, 1),
    st.integers(0, 20),
)
def test_detections_are_in_order_apart_and_above_the_threshold(
    heard: list[str], window: int, threshold: float, suppression: int
) -> None:
    settings = StreamSettings(100, 100 * window + 100, threshold, 100 * suppression)
    every = list(detections(surely(*heard), LABELS, settings))
    times = [each.time_ms for each in every]
    assert all(later - first > 100 * suppression for first, later in pairwise(times))
    assert all(each.score > threshold and each.label in LABELS[2:] for each in every)
    for each in every:
        clips = heard[max(each.time_ms // 100 - window - 1, 0) : each.time_ms // 100 + 1]
        assert each.score == pytest.approx(clips.count(each.label) / len(clips))


def test_what_was_said_is_held_against_what_was_detected() -> None:
    truth = [Said(1_000, "yes"), Said(3_000, "no"), Said(5_000, "yes"), Said(9_000, "no")]
    heard = [(1_200, "yes"), (1_500, "yes"), (2_900, "yes"), (5_750, "yes"), (7_000, "no")]
    detected = [Detection(time_ms, label, 0.9) for time_ms, label in heard]
    assert against_truth(detected, truth, 750) == StreamResult(2, 1, 1, 2)
    assert against_truth(detected, truth, 749) == StreamResult(1, 1, 2, 3)
    assert against_truth([], truth, 750) == StreamResult(0, 0, 4, 0)


def test_clips_slide_without_rounding_adding_up() -> None:
    class Sums:
        labels, sample_rate_hz, clip_samples = ("_silence_",), 11_025, 300

        def scores(self, clips: np.ndarray) -> np.ndarray:
            return clips[:, :1]

    samples = np.arange(40_000, dtype=np.float32)
    starts = sliding_scores(Sums(), samples, 7)[:, 0]
    expected = [start for n in range(9_999) if (start := 7 * n * 11_025 // 1_000) <= 40_000 - 300]
    assert starts.tolist() == expected


def test_truth_is_read_and_bad_lines_are_named(tmp_path: Path) -> None:
    path = tmp_path / "truth.txt"
    path.write_text("yes, 1500\n\n_unknown_,2000\nno,3000\n")
    assert read_truth(path, LABELS) == [Said(1_500, "yes"), Said(3_000, "no")]
    for line in ("maybe,100", "yes", "yes,-3", "yes,1.5"):
        path.write_text(f"no,0\n{line}\n")
        with pytest.raises(ValueError, match=r"expected label,time_ms with one of .* in line 2, "):
            read_truth(path, LABELS)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"clip_stride_ms": 0}, "clip_stride_ms: expected 1 or more, got 0"),
        ({"average_window_ms": 20}, "average_window_ms: expected at least the stride of 30 ms"),
        ({"detection_threshold": 1.5}, "detection_threshold: expected 0..1, got 1.5"),
        ({"suppression_ms": -1}, "suppression_ms: expected 0 or more, got -1"),
    ],
)
def test_settings_without_meaning_are_refused(setting: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        StreamSettings(**setting)
