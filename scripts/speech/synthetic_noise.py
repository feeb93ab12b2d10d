"""Generated background noise for synthetic speech: coloured noise, mains hum and babble.

Every function takes its own random generator and returns float32 samples with a peak of 0.5, so
that a recording depends on nothing but its seed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

PEAK = 0.5
LOWEST_FREQUENCY_HZ = 20.0


def coloured_noise(
    generator: np.random.Generator, length: int, sample_rate_hz: int, exponent: float
) -> Samples:
    """Return noise whose power falls with frequency as 1 / f ** exponent.

    The exponents 0, 1 and 2 are white, pink and brown. The fall begins at 20 Hz, below which the
    power would grow without bound.
    """
    frequencies = np.fft.rfftfreq(length, 1 / sample_rate_hz)
    amplitudes = np.maximum(frequencies, LOWEST_FREQUENCY_HZ) ** (-exponent / 2)
    spectrum = np.fft.rfft(generator.standard_normal(length)) * amplitudes
    return _scaled(np.fft.irfft(spectrum, length))


def mains_hum(generator: np.random.Generator, length: int, sample_rate_hz: int) -> Samples:
    """Return a 50 Hz hum with harmonics of random phase and falling strength, over faint hiss."""
    seconds = np.arange(length) / sample_rate_hz
    hum = 0.01 * generator.standard_normal(length)
    for harmonic in range(1, 17):
        phase = generator.uniform(0, 2 * np.pi)
        hum += np.sin(2 * np.pi * 50 * harmonic * seconds + phase) / harmonic
    return _scaled(hum)


def babble(
    generator: np.random.Generator, length: int, words: Sequence[Samples], voices: int = 6
) -> Samples:
    """Return several voices at once, each of which speaks words drawn at random, without a pause.

    `words` holds float32 samples of any length; at least one must not be empty.
    """
    mixed = np.zeros(length)
    for _ in range(voices):
        begin = 0
        while begin < length:
            word = words[generator.integers(len(words))][: length - begin]
            mixed[begin : begin + len(word)] += word
            begin += len(word)
    return _scaled(mixed)


def _scaled(samples: npt.NDArray[np.float64]) -> Samples:
    return (samples * (PEAK / np.abs(samples).max())).astype(np.float32)
