"""Augmentation: what changes nothing, how far things may change, and in which direction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_models.augment import (
    AugmentationSettings,
    as_recorded,
    coloured,
    cut,
    resampled_about_centre,
    silent,
    spoken,
)

RATE_HZ = 16_000
NONE = AugmentationSettings(
    background_volume=0.0,
    background_frequency=0.0,
    time_shift_ms=0.0,
    speed_change=0.0,
    loudness_db=0.0,
    coloration=0.0,
)
ALL = AugmentationSettings()


def changed(**values: Any) -> AugmentationSettings:
    """Settings that change nothing but what is given."""
    return AugmentationSettings(**{**vars(NONE), **values})


def noise(seed: int, length: int = RATE_HZ, peak: float = 1.0) -> np.ndarray:
    """Noise as a 16-bit file holds it: even multiples of 1 / 32,768, so that half of it is too."""
    steps = np.random.default_rng(seed).integers(-16_383 * peak, 16_383 * peak, length)
    return (steps / 16_384).astype(np.float32)


# ---- identity


def test_settings_of_zero_change_nothing() -> None:
    clip = noise(0)
    for seed in range(5):
        varied = spoken(clip, noise(1), NONE, RATE_HZ, np.random.default_rng(seed))
        assert np.array_equal(varied, clip)


def test_without_background_only_the_clip_is_heard() -> None:
    settings_ = changed(background_volume=1.0, background_frequency=1.0)
    clip = noise(0)
    assert np.array_equal(spoken(clip, None, settings_, RATE_HZ, np.random.default_rng(0)), clip)
    mixed = spoken(clip, noise(1), settings_, RATE_HZ, np.random.default_rng(0))
    assert not np.array_equal(mixed, clip)


def test_speed_1_without_delay_is_the_identity() -> None:
    clip = noise(3)
    assert np.array_equal(resampled_about_centre(clip, 1.0, 0.0), clip)


def test_coloration_of_zero_changes_nothing() -> None:
    coefficients = np.random.default_rng(0).normal(size=(4, 30, 10)).astype(np.float32)
    assert np.array_equal(coloured(coefficients, NONE, np.random.default_rng(1)), coefficients)


def test_the_same_generator_gives_the_same_example() -> None:
    first, again = (
        spoken(noise(0), noise(1), ALL, RATE_HZ, np.random.default_rng(7)) for _ in range(2)
    )
    assert np.array_equal(first, again)
    other = spoken(noise(0), noise(1), ALL, RATE_HZ, np.random.default_rng(8))
    assert not np.array_equal(first, other)


# ---- time and speed


@pytest.mark.parametrize("delay", [1, 7, 4_000])
def test_a_positive_delay_moves_the_clip_later_and_leaves_silence_before(delay: int) -> None:
    clip = noise(0)
    later = resampled_about_centre(clip, 1.0, float(delay))
    assert np.array_equal(later, np.concatenate([np.zeros(delay, np.float32), clip[:-delay]]))
    earlier = resampled_about_centre(clip, 1.0, -float(delay))
    assert np.array_equal(earlier, np.concatenate([clip[delay:], np.zeros(delay, np.float32)]))


def test_half_a_sample_is_interpolated() -> None:
    clip = np.array([0, 1, 0, -1, 0], np.float32)
    assert resampled_about_centre(clip, 1.0, 0.5).tolist() == [0, 0.5, 0.5, -0.5, -0.5]


def test_twice_the_speed_takes_every_other_sample_about_the_centre() -> None:
    clip = noise(1, 401)
    fast = resampled_about_centre(clip, 2.0, 0.0)
    assert np.array_equal(fast[100:301], clip[::2])
    assert not fast[:100].any() and not fast[301:].any()


def test_half_the_speed_stretches_the_middle() -> None:
    clip = noise(2, 401)
    slow = resampled_about_centre(clip, 0.5, 0.0)
    assert np.array_equal(slow[::2], clip[100:301])


def test_the_delay_does_not_depend_on_the_speed() -> None:
    clip = np.zeros(1_001, np.float32)
    clip[500] = 1.0
    for speed in (0.5, 1.0, 2.0):
        assert np.argmax(resampled_about_centre(clip, speed, 50.0)) == 550


def drawn_delays(time_shift_ms: float, count: int = 400) -> list[int]:
    """Where a click in the middle of a clip of one second ends up, relative to the middle."""
    clip = np.zeros(RATE_HZ, np.float32)
    clip[8_000] = 1.0
    rng = np.random.default_rng(0)
    settings_ = changed(time_shift_ms=time_shift_ms)
    return [
        int(np.argmax(spoken(clip, None, settings_, RATE_HZ, rng))) - 8_000 for _ in range(count)
    ]


def test_time_shifts_reach_both_limits_and_never_pass_them() -> None:
    delays = drawn_delays(100.0)
    assert -1_600 <= min(delays) < -1_500 and 1_500 < max(delays) <= 1_600


def test_speeds_reach_both_limits_and_never_pass_them() -> None:
    ramp = np.linspace(-0.5, 0.5, RATE_HZ, dtype=np.float32)
    settings_, rng = changed(speed_change=0.25), np.random.default_rng(0)
    slopes = []
    for _ in range(300):
        varied = spoken(ramp, None, settings_, RATE_HZ, rng)
        slopes.append(float(varied[9_000] - varied[7_000]) / float(ramp[9_000] - ramp[7_000]))
    assert min(slopes) == pytest.approx(0.805, abs=0.006)
    assert max(slopes) == pytest.approx(1.24, abs=0.011)


# ---- loudness and background


def test_loudness_reaches_both_limits_and_never_passes_them() -> None:
    clip, rng = np.full(100, 3_000 / 32_768, np.float32), np.random.default_rng(0)
    settings_ = changed(loudness_db=20.0)
    steps = [
        round(float(spoken(clip, None, settings_, RATE_HZ, rng)[5] * 32_768)) for _ in range(300)
    ]
    assert 300 <= min(steps) < 330 and 27_000 < max(steps) <= 30_000


def test_the_share_of_words_with_background_is_the_frequency() -> None:
    clip, background, rng = np.zeros(100, np.float32), noise(1, 100), np.random.default_rng(0)
    settings_ = changed(background_volume=0.5, background_frequency=0.25)
    volumes = [
        float(spoken(clip, background, settings_, RATE_HZ, rng)[0] / background[0])
        for _ in range(2_000)
    ]
    heard = [volume for volume in volumes if volume]
    assert abs(len(heard) - 500) < 100  # 5 standard deviations
    assert min(heard) > 0 and 0.49 < max(heard) <= 0.5 + 1e-6


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_examples_stay_within_full_scale_and_keep_their_length(seed: int) -> None:
    loud = AugmentationSettings(
        background_volume=1.0, background_frequency=1.0, loudness_db=40.0, silence_volume=(0.1, 9.0)
    )
    rng = np.random.default_rng(seed)
    for samples in (
        spoken(noise(seed), noise(seed + 1), loud, RATE_HZ, rng),
        silent(noise(seed), loud, rng),
    ):
        assert samples.dtype == np.float32 and samples.shape == (RATE_HZ,)
        assert np.abs(samples).max() <= 1


def test_silence_is_the_background_between_both_volumes_evenly_in_decibels() -> None:
    background, rng = noise(0, 50, peak=0.5), np.random.default_rng(0)
    settings_ = AugmentationSettings(silence_volume=(0.01, 1.0))
    volumes = np.array(
        [silent(background, settings_, rng)[3] / background[3] for _ in range(2_000)]
    )
    assert 0.01 - 1e-6 <= volumes.min() < 0.0101 and 0.99 < volumes.max() <= 1 + 1e-6
    assert abs(int((volumes < 0.1).sum()) - 1_000) < 120  # half below the geometric mean


def test_very_quiet_silence_is_stray_steps_and_then_digital_silence() -> None:
    background = np.array([-0.4, -0.1, 0.2, 0.3], np.float32)
    for volume, steps in ((1e-4, [-1, 0, 1, 1]), (5e-5, [-1, 0, 0, 0]), (3e-5, [0, 0, 0, 0])):
        quiet = AugmentationSettings(silence_volume=(volume, volume))
        found = silent(background, quiet, np.random.default_rng(0))
        assert (found * 32_768).tolist() == steps


def test_recorded_samples_are_the_nearest_steps_of_16_bits() -> None:
    samples = np.array([-1.5, -1.0, -0.6 / 32_768, 0.4 / 32_768, 0.6 / 32_768, 1.0], np.float32)
    assert (as_recorded(samples) * 32_768).tolist() == [-32_768, -32_768, -1, 0, 1, 32_767]
    assert as_recorded(samples).dtype == np.float32


def test_a_fixed_silence_volume_is_exact() -> None:
    background = noise(0, 50)
    settings_ = AugmentationSettings(silence_volume=(0.5, 0.5))
    found = silent(background, settings_, np.random.default_rng(0))
    assert np.array_equal(found, background * np.float32(0.5))


def test_cuts_are_stretches_of_the_recording_from_the_first_to_the_last() -> None:
    recording, rng = np.arange(8, dtype=np.float32), np.random.default_rng(0)
    starts = set()
    for _ in range(100):
        piece = cut(recording, 5, rng)
        assert piece.tolist() == list(range(int(piece[0]), int(piece[0]) + 5))
        starts.add(int(piece[0]))
    assert starts == {0, 1, 2, 3}
    assert np.array_equal(cut(recording, 8, rng), recording)


# ---- channel


def test_coloration_adds_a_constant_to_each_coefficient_but_the_first() -> None:
    coefficients = np.random.default_rng(0).normal(size=(50, 30, 10)).astype(np.float32)
    found = coloured(coefficients, ALL, np.random.default_rng(1))
    assert found.dtype == np.float32
    assert np.array_equal(found[:, :, 0], coefficients[:, :, 0])
    offsets = found - coefficients
    assert np.allclose(offsets, offsets[:, :1], atol=1e-5)  # the same at all times
    assert len(np.unique(offsets[:, 0, 1].round(4))) == 50  # another one for each clip


def test_coloration_falls_with_the_order_of_the_coefficient() -> None:
    zeros = np.zeros((20_000, 1, 10), np.float32)
    offsets = coloured(zeros, changed(coloration=0.5), np.random.default_rng(0))[:, 0]
    deviations = offsets[:, 1:].std(axis=0) * np.arange(1, 10)
    assert np.abs(deviations / 0.5 - 1).max() < 0.03  # 6 standard deviations


# ---- settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"background_frequency": 1.1}, "background_frequency: expected 0..1, got 1.1"),
        ({"background_frequency": -0.1}, "background_frequency: expected 0..1, got -0.1"),
        ({"background_volume": 2.0}, "background_volume: expected 0..1, got 2.0"),
        ({"background_volume": float("nan")}, "background_volume: expected 0..1, got nan"),
        *(
            ({name: value}, f"{name}: expected 0..{highest}, got {value}")
            for name, highest in (("time_shift_ms", 10_000), ("speed_change", 10),
                                  ("loudness_db", 100), ("coloration", 100))
            for value in (-1.0, float("nan"), float("inf"))
        ),
        ({"silence_volume": (0.0, 1.0)},
         "silence_volume: expected 0 < low <= high, got (0.0, 1.0)"),
        ({"silence_volume": (0.5, 0.1)},
         "silence_volume: expected 0 < low <= high, got (0.5, 0.1)"),
        ({"silence_volume": (0.5, float("inf"))},
         "silence_volume: expected 0 < low <= high, got (0.5, inf)"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        AugmentationSettings(**values)
    assert str(caught.value) == message
