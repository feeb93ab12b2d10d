"""Generated noise: its spectrum, its level, and what babble is made of."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.speech.synthetic_noise import PEAK, babble, coloured_noise, mains_hum

RATE_HZ = 16_000
LENGTH = 10 * RATE_HZ


def band_power(samples: np.ndarray, low_hz: float, high_hz: float) -> float:
    power = np.abs(np.fft.rfft(samples)) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    return float(power[(frequencies >= low_hz) & (frequencies < high_hz)].sum())


@pytest.mark.parametrize(("exponent", "octave_ratio"), [(0, 2.0), (1, 1.0), (2, 0.5)])
def test_power_of_an_octave_changes_with_the_colour(exponent: int, octave_ratio: float) -> None:
    noise = coloured_noise(np.random.default_rng(1), LENGTH, RATE_HZ, exponent)
    lower, upper = band_power(noise, 500, 1_000), band_power(noise, 1_000, 2_000)
    assert upper / lower == pytest.approx(octave_ratio, rel=0.1)


def test_hum_stands_at_the_multiples_of_50_hz() -> None:
    hum = mains_hum(np.random.default_rng(1), LENGTH, RATE_HZ)
    at_harmonics = sum(band_power(hum, 50 * n - 1, 50 * n + 1) for n in range(1, 17))
    assert at_harmonics > 0.99 * band_power(hum, 0, RATE_HZ / 2)
    assert band_power(hum, 49, 51) == pytest.approx(4 * band_power(hum, 99, 101), rel=0.1)


def test_babble_is_a_sum_of_whole_words() -> None:
    words = [np.full(7, 1.0, np.float32), np.full(11, -3.0, np.float32)]
    mixed = babble(np.random.default_rng(1), 1_000, words, voices=1)
    assert set(np.unique(mixed)) == {np.float32(PEAK / 3), np.float32(-PEAK)}
    edges = np.flatnonzero(np.diff(mixed)) + 1
    runs = np.diff(edges)
    assert len(mixed) == 1_000
    assert all(run % 7 == 0 or run % 11 == 0 for run in runs)


def test_noise_has_the_stated_peak_and_depends_on_the_seed_alone() -> None:
    first, again, other = (
        coloured_noise(np.random.default_rng(seed), LENGTH, RATE_HZ, 1) for seed in (1, 1, 2)
    )
    assert first.dtype == np.float32
    assert np.abs(first).max() == np.float32(PEAK)
    assert (first == again).all()
    assert (first != other).any()
