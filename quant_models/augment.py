"""What may happen to a clip before training hears it: speed, time shift, loudness, background.

Every function takes its own random generator, so that an example depends on its seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quant_models.audio import FULL_SCALE, Samples

# Far beyond what helps; more than this, or no number at all, is a slip.
_HIGHEST = {
    "time_shift_ms": 10_000,
    "speed_change": 10,
    "noise_speed_change": 10,
    "loudness_db": 100,
    "coloration": 100,
}


@dataclass(frozen=True)
class AugmentationSettings:
    """How training examples vary.

    `background_volume` is the largest factor on background noise under a word and
    `background_frequency` the share of words that get any. `speed_change` 0.15 plays clips between
    1/1.15 and 1.15 times their speed, `noise_speed_change` does so with background noise.
    `loudness_db` is the largest change of loudness either way.
    `silence_volume` is the range of factors on background noise that counts as silence, drawn
    evenly in decibels. `coloration` is the standard deviation that a random channel adds to the
    first cepstral coefficient after the loudness; higher ones get less, in inverse proportion.
    """

    background_volume: float = 0.02
    background_frequency: float = 0.8
    time_shift_ms: float = 100.0
    speed_change: float = 0.15
    noise_speed_change: float = 0.5
    loudness_db: float = 10.0
    silence_volume: tuple[float, float] = (0.0001, 2.0)
    coloration: float = 0.7

    def __post_init__(self) -> None:
        if not 0 <= self.background_frequency <= 1:
            raise ValueError(
                f"background_frequency: expected 0..1, got {self.background_frequency}"
            )
        if not 0 <= self.background_volume <= 1:
            raise ValueError(f"background_volume: expected 0..1, got {self.background_volume}")
        for name, highest in _HIGHEST.items():
            if not 0 <= getattr(self, name) <= highest:
                raise ValueError(f"{name}: expected 0..{highest}, got {getattr(self, name)}")
        if not 0 < self.silence_volume[0] <= self.silence_volume[1] < np.inf:
            raise ValueError(f"silence_volume: expected 0 < low <= high, got {self.silence_volume}")


def spoken(
    clip: Samples,
    background: Samples | None,
    settings: AugmentationSettings,
    sample_rate_hz: int,
    rng: np.random.Generator,
) -> Samples:
    """Return a clip `[samples]` at another speed, time and loudness, over some background."""
    shift_samples = settings.time_shift_ms * sample_rate_hz / 1_000
    limit = np.log1p(settings.speed_change)
    varied = resampled_about_centre(
        clip, float(np.exp(rng.uniform(-limit, limit))), rng.uniform(-shift_samples, shift_samples)
    )
    varied = varied * np.float32(10 ** (rng.uniform(-1, 1) * settings.loudness_db / 20))
    if background is not None and rng.random() < settings.background_frequency:
        varied = varied + background * np.float32(rng.uniform(0, settings.background_volume))
    return as_recorded(varied)


def silent(
    background: Samples, settings: AugmentationSettings, rng: np.random.Generator
) -> Samples:
    """Return background noise `[samples]` at a random volume: an example of silence."""
    low, high = np.log(settings.silence_volume)
    return as_recorded(background * np.float32(np.exp(rng.uniform(low, high))))


def as_recorded(samples: Samples) -> Samples:
    """Return samples as a 16-bit file would hold them.

    What is very quiet becomes a few stray steps and then digital silence, whose logarithmic
    spectrum is nothing like that of the same noise before rounding.
    """
    return np.clip(np.rint(samples * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1) / FULL_SCALE


def noise(
    recording: Samples, length: int, speed_change: float, rng: np.random.Generator
) -> Samples:
    """Return a random stretch of noise, played at a random speed, as `length` samples."""
    limit = np.log1p(speed_change)
    speed = min(float(np.exp(rng.uniform(-limit, limit))), len(recording) / length)
    stretch = cut(recording, max(2, int(length * speed)), rng)
    positions = np.linspace(0, len(stretch) - 1, length)
    return np.interp(positions, np.arange(len(stretch)), stretch).astype(np.float32)


def mixed(first: Samples, second: Samples, rng: np.random.Generator) -> Samples:
    """Return a random mixture of two noises `[samples]`, the second one played backwards.

    In half of the cases it is the first one alone.
    """
    share = np.float32(max(0.0, rng.uniform(-1.0, 1.0)))
    return (1 - share) * first + share * second[::-1]


def resampled_about_centre(clip: Samples, speed: float, delay_samples: float) -> Samples:
    """Play a clip at `speed` about its centre, later by `delay_samples`; beyond it is silence."""
    if speed == 1.0 and delay_samples == 0.0:
        return clip
    times = np.arange(len(clip), dtype=np.float64)
    centre = (len(clip) - 1) / 2
    positions = (times - centre - delay_samples) * speed + centre
    values = np.interp(positions, times, clip, left=0.0, right=0.0)
    return values.astype(np.float32)


def cut(recording: Samples, length: int, rng: np.random.Generator) -> Samples:
    """Return a random stretch of `length` samples of a longer recording."""
    start = int(rng.integers(0, len(recording) - length + 1))
    return recording[start : start + length]


def coloured(
    coefficients: npt.NDArray[np.float32],
    settings: AugmentationSettings,
    rng: np.random.Generator,
) -> npt.NDArray[np.float32]:
    """Add a random constant channel to each clip's cepstrum `[N][time][coefficient]`.

    A microphone or room with a fixed frequency response adds a constant to the logarithmic mel
    bands, and so to every coefficient; the overall loudness, coefficient 0, is left alone.
    """
    count, _, orders = coefficients.shape
    deviation = np.zeros(orders, np.float32)
    deviation[1:] = settings.coloration / np.arange(1, orders)
    offsets = rng.standard_normal((count, 1, orders), dtype=np.float32) * deviation
    return coefficients + offsets
