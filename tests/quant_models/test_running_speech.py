"""Clips cut from longer recordings have speech in them, wherever there is some."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quant_models.running_speech import spoken_starts

RATE_HZ = 16_000
SECOND = RATE_HZ
SHARE = 0.3


def recording(*levels: float) -> np.ndarray:
    """Noise at one level (root mean square) after another, half a second each."""
    rng = np.random.default_rng(0)
    parts = [level * rng.standard_normal(SECOND // 2) for level in levels]
    return np.concatenate(parts).astype(np.float32)


def test_a_pause_gives_no_clip() -> None:
    samples = recording(0.2, 0.001, 0.001, 0.001, 0.2)
    starts = spoken_starts(samples, SECOND, RATE_HZ, SHARE)
    loud = np.abs(samples) > 0.02
    assert min(loud[start : start + SECOND].mean() for start in starts) > 0.25
    assert starts.min() == 0 and starts.max() == len(samples) - SECOND


def test_without_a_share_every_place_is_as_good() -> None:
    assert len(spoken_starts(recording(0.2, 0, 0, 0.2), SECOND, RATE_HZ, 0.0)) == 51


def test_all_of_even_speech_is_used() -> None:
    starts = spoken_starts(recording(0.1, 0.1, 0.1, 0.1), SECOND, RATE_HZ, SHARE)
    assert starts.tolist() == list(range(0, SECOND + 1, RATE_HZ // 50))


def test_a_short_word_in_a_long_pause_is_found() -> None:
    samples = recording(0, 0, 0, 0, 0)
    samples[20_000:22_000] = 0.1
    (start,) = spoken_starts(samples, SECOND, RATE_HZ, SHARE)
    assert start <= 20_000 and start + SECOND >= 22_000


def test_digital_silence_is_used_as_it_is() -> None:
    assert len(spoken_starts(recording(0, 0, 0), SECOND, RATE_HZ, SHARE)) == 26


@given(
    extra=st.integers(0, 20_000),
    rate_hz=st.sampled_from([8_000, 11_025, 16_000, 22_050]),
    seed=st.integers(0, 9),
)
def test_every_clip_is_inside_its_recording(extra: int, rate_hz: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples = rng.standard_normal(rate_hz + extra) * rng.choice([0.001, 1.0], rate_hz + extra)
    starts = spoken_starts(samples.astype(np.float32), rate_hz, rate_hz, SHARE)
    assert len(starts) and starts.min() >= 0 and starts.max() + rate_hz <= len(samples)
