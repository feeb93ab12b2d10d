"""Features beside the TensorFlow ops that define them, fingerprints beside decimal rounding."""

from __future__ import annotations

import dataclasses
import decimal

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from golden.network import FeatureSettings
from quant_models import features

Clips = npt.NDArray[np.float32]

DEFAULT = FeatureSettings()
TOLERANCE = 1e-3

SETTINGS = {
    "default": DEFAULT,
    "30 ms every 10 ms": FeatureSettings(window_ms=30.0, stride_ms=10.0),
    "20 ms, gaps between windows": FeatureSettings(window_ms=20.0, stride_ms=50.0),
    "64 ms, a power of two": FeatureSettings(window_ms=64.0, stride_ms=32.0),
    "25.5 ms every 12.3 ms": FeatureSettings(window_ms=25.5, stride_ms=12.3),
    "one window": FeatureSettings(window_ms=1_000.0, stride_ms=1_000.0),
    "40 coefficients": FeatureSettings(coefficients=40),
    "1 coefficient": FeatureSettings(coefficients=1),
    "20 bands": FeatureSettings(mel_bands=20, upper_hz=7_600.0, coefficients=13),
    "up to half the rate": FeatureSettings(lower_hz=0.0, upper_hz=8_000.0),
    "8 kHz": FeatureSettings(sample_rate_hz=8_000, upper_hz=3_800.0),
    "44.1 kHz, half a second": FeatureSettings(sample_rate_hz=44_100, clip_ms=500),
    "two seconds": FeatureSettings(clip_ms=2_000),
}


def tensorflow_mfcc(samples: Clips, settings: FeatureSettings) -> Clips:
    """Return `[N][time][coefficient]` as the original training scripts compute it."""
    spectrogram = tf.raw_ops.AudioSpectrogram(
        input=samples.T,  # [samples][channel]: the clips stand side by side as channels
        window_size=settings.window_samples,
        stride=settings.stride_samples,
        magnitude_squared=True,
    )
    coefficients = tf.raw_ops.Mfcc(
        spectrogram=spectrogram,
        sample_rate=settings.sample_rate_hz,
        upper_frequency_limit=settings.upper_hz,
        lower_frequency_limit=settings.lower_hz,
        filterbank_channel_count=settings.mel_bands,
        dct_coefficient_count=settings.coefficients,
    )
    return coefficients.numpy()


def sounds(settings: FeatureSettings) -> dict[str, Clips]:
    """Return one clip of each kind by name, float32 `[samples]`."""
    generator = np.random.default_rng(0)
    length = settings.clip_samples
    seconds = np.arange(length) / settings.sample_rate_hz
    noise = generator.uniform(-1, 1, length)
    impulse = np.zeros(length)
    impulse[length // 2] = 1.0
    padded = np.where(seconds < 0.3 * length / settings.sample_rate_hz, noise, 0.0)
    clips = {
        "noise": noise,
        "faint noise": noise / 2**15,
        "silence": np.zeros(length),
        "offset": np.ones(length),
        "impulse": impulse,
        "word, then silence": padded,
        "chirp": speech_like(seconds),
        "chirp in 16 bits": np.round(speech_like(seconds) * 2**15) / 2**15,
        "square wave": np.sign(np.sin(2 * np.pi * 440.3 * seconds + 0.1)),
        "alternating full scale": 1.0 - 2.0 * (np.arange(length) % 2),
        "largest noise": np.sign(noise),
    }
    for hz in (50.0, 440.0, 997.0, 3_333.3):
        tone = np.sin(2 * np.pi * hz * seconds)
        clips |= {f"{hz} Hz": tone, f"{hz} Hz in 16 bits": np.round(0.5 * tone * 2**15) / 2**15}
    return {name: clip.astype(np.float32) for name, clip in clips.items()}


def speech_like(seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A voice of gliding pitch: harmonics that fall off, in syllables, with some breath."""
    phase = 2 * np.pi * (110.0 * seconds + 40.0 * seconds**2)
    voice = sum(np.sin(k * phase) / k for k in range(1, 20))
    breath = np.random.default_rng(1).normal(0, 0.01, len(seconds))
    return 0.3 * (voice * np.sin(2 * np.pi * 3 * seconds) ** 2 + breath)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_mfcc_equals_the_tensorflow_ops(settings: FeatureSettings) -> None:
    clips = sounds(settings)
    samples = np.stack(list(clips.values()))
    found = features.mfcc(samples, settings)
    assert found.dtype == np.float32
    assert found.shape == (len(clips), settings.frames, settings.coefficients)
    errors = np.abs(found - tensorflow_mfcc(samples, settings)).max(axis=(1, 2))
    assert dict(zip(clips, errors, strict=True)) == pytest.approx(
        dict.fromkeys(clips, 0), abs=TOLERANCE
    )


def test_comparison_is_sharp_enough_to_tell_settings_apart() -> None:
    samples = np.stack(list(sounds(DEFAULT).values()))
    expected = tensorflow_mfcc(samples, dataclasses.replace(DEFAULT, upper_hz=3_999.0))
    assert np.abs(features.mfcc(samples, DEFAULT) - expected).max() > 5 * TOLERANCE


def test_default_fingerprint_has_30_times_10_integers() -> None:
    clips = sounds(DEFAULT)
    found = features.fingerprints(np.stack(list(clips.values())), DEFAULT)
    assert found.dtype == np.int8
    assert found.shape == (len(clips), 30, 10)
    assert found.min() == -32
    assert found.max() == 31


def test_fingerprint_is_the_rounded_mfcc_of_the_tensorflow_ops() -> None:
    samples = np.stack(list(sounds(DEFAULT).values()))
    expected = tensorflow_mfcc(samples, DEFAULT)
    found = features.fingerprints(samples, DEFAULT)
    near_a_tie = np.abs(expected - np.floor(expected) - 0.5) < TOLERANCE
    assert near_a_tie.mean() < 0.01
    assert np.array_equal(found[~near_a_tie], [rounded(x) for x in expected[~near_a_tie]])


def rounded(value: float) -> int:
    """Round and clip one coefficient in decimal arithmetic."""
    nearest = decimal.Decimal(float(value)).to_integral_value(decimal.ROUND_HALF_EVEN)
    return int(min(max(nearest, decimal.Decimal(-32)), decimal.Decimal(31)))


@given(st.lists(st.floats(-40, 40, width=32), min_size=1))
def test_coefficients_are_rounded_to_the_nearest_integer_and_clipped(values: list[float]) -> None:
    found = features.quantise(np.array(values, np.float32))
    assert found.dtype == np.int8
    assert found.tolist() == [rounded(value) for value in values]


def test_every_tie_goes_to_the_even_neighbour_and_the_ends_are_minus_32_and_31() -> None:
    ties = np.arange(-33.5, 34.0)
    assert features.quantise(ties).tolist() == [rounded(tie) for tie in ties]
    near = np.array([-1e6, -32.51, -32.5, -31.51, 30.49, 30.51, 31.5, 1e6], np.float32)
    assert features.quantise(near).tolist() == [-32, -32, -32, -32, 30, 31, 31, 31]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_coefficient_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"expected finite values, got -?(nan|inf) at \(1, 2\)$"):
        features.quantise(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, value]]))


@pytest.mark.parametrize("name", ["default", "30 ms every 10 ms", "40 coefficients"])
def test_fingerprint_does_not_depend_on_the_batch(name: str) -> None:
    settings = SETTINGS[name]
    samples = np.stack([*sounds(settings).values()] * 4)  # 76 clips: more than one block
    samples *= np.random.default_rng(2).uniform(0.1, 1, (len(samples), 1)).astype(np.float32)
    together = features.mfcc(samples, settings)
    alone = np.concatenate([features.mfcc(clip[np.newaxis], settings) for clip in samples])
    assert np.array_equal(together, alone)
    for start, stop in ((0, 7), (60, 70), (63, 65), (1, 76)):
        assert np.array_equal(features.mfcc(samples[start:stop], settings), together[start:stop])
    assert np.array_equal(features.mfcc(samples[::-1], settings), together[::-1])
    assert np.array_equal(features.mfcc(np.asfortranarray(samples), settings), together)


def test_clips_are_left_as_they_were() -> None:
    samples = np.stack(list(sounds(DEFAULT).values()))
    before = samples.copy()
    features.fingerprints(samples, DEFAULT)
    assert np.array_equal(samples, before)


def test_no_clips_give_no_fingerprints() -> None:
    assert features.fingerprints(np.empty((0, 16_000), np.float32), DEFAULT).shape == (0, 30, 10)


@pytest.mark.parametrize(
    "shape", [(16_000,), (2, 15_999), (2, 16_001), (1, 1, 16_000), (16_000, 1)]
)
def test_samples_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^samples: expected shape \(N, 16000\), got \(.*\)$"):
        features.fingerprints(np.zeros(shape, np.float32), DEFAULT)


def test_clip_with_nan_gives_no_fingerprint() -> None:
    samples = np.zeros((1, 16_000), np.float32)
    samples[0, 8_000] = np.nan
    with pytest.raises(ValueError, match="expected finite values, got nan at "):
        features.fingerprints(samples, DEFAULT)


@pytest.mark.parametrize(
    ("window", "length"), [(2, 2), (3, 4), (512, 512), (513, 1024), (640, 1024)]
)
def test_transform_is_the_next_power_of_two(window: int, length: int) -> None:
    assert features.fft_length(window) == length
