"""Fingerprints: what the network hears of a clip, as integers.

MFCC as the TensorFlow ops `AudioSpectrogram` (magnitude squared) and `Mfcc` compute it, in NumPy,
then rounded to the nearest integer and clipped to -32..31. A clip's fingerprint does not depend on
the batch that it is computed in.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from golden.integer_math import round_to_integers, saturate
from golden.network import INPUT_MAX, INPUT_MIN, FeatureSettings

Samples = npt.NDArray[np.float32]

# `Mfcc` op: quieter bands count as this, so that the logarithm stays finite.
_FILTERBANK_FLOOR = 1e-12
_BATCH_CLIPS = 8  # their windows and spectra, 16 kB each, stay near the core


def fingerprints(samples: Samples, settings: FeatureSettings) -> npt.NDArray[np.int8]:
    """Return the integer fingerprints, int8 `[N][time][coefficient]`, of clips `[N][samples]`."""
    return quantise(mfcc(samples, settings))


def quantise(coefficients: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int8]:
    """Round coefficients to the nearest integer (ties to even) and clip them to -32..31."""
    return saturate(round_to_integers(coefficients), INPUT_MIN, INPUT_MAX).astype(np.int8)


def mfcc(samples: Samples, settings: FeatureSettings) -> npt.NDArray[np.float32]:
    """Return the MFCC of clips: `[N][samples]` in -1..1 becomes `[N][time][coefficient]`."""
    return cepstrum(log_mel(samples, settings), settings)


def log_mel(samples: Samples, settings: FeatureSettings) -> npt.NDArray[np.float32]:
    """Return the natural logarithm of the mel bands: `[N][samples]` becomes `[N][time][band]`.

    Raises ValueError if the clips are not as long as the settings say.
    """
    if samples.ndim != 2 or samples.shape[1] != settings.clip_samples:
        raise ValueError(
            f"samples: expected shape (N, {settings.clip_samples}), got {samples.shape}"
        )
    bands = np.empty((len(samples), settings.frames, settings.mel_bands), np.float32)
    length = fft_length(settings.window_samples)
    windowed = np.zeros((_BATCH_CLIPS, settings.frames, length), np.float64)
    spectra = np.empty((_BATCH_CLIPS, settings.frames, length // 2 + 1), np.complex128)
    for start in range(0, len(samples), _BATCH_CLIPS):
        part = samples[start : start + _BATCH_CLIPS]
        count = len(part)
        _apply_window(part, settings, windowed[:count])
        np.fft.rfft(windowed[:count], out=spectra[:count])
        _mel_bands(spectra[:count], settings, bands[start : start + count])
    return np.log(np.maximum(bands, _FILTERBANK_FLOOR))


def cepstrum(
    log_bands: npt.NDArray[np.float32], settings: FeatureSettings
) -> npt.NDArray[np.float32]:
    """Return the first coefficients of the type-II DCT of mel bands `[N][time][band]`."""
    return np.matmul(log_bands, _dct_matrix(settings))


def fft_length(window_samples: int) -> int:
    """Return the smallest power of two that holds a window.

    >>> fft_length(640), fft_length(512)
    (1024, 512)
    """
    return 1 << (window_samples - 1).bit_length()


def _apply_window(
    samples: Samples, settings: FeatureSettings, windowed: npt.NDArray[np.float64]
) -> None:
    """Write the windows of clips `[N][samples]` to `[N][time][sample]`, which ends in zeros."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, settings.window_samples, axis=1)
    inside = windowed[..., : settings.window_samples]
    inside[...] = frames[:, :: settings.stride_samples]
    inside *= _hann_window(settings.window_samples)


def _mel_bands(
    spectra: npt.NDArray[np.complex128], settings: FeatureSettings, bands: npt.NDArray[np.float32]
) -> None:
    """Write the mel bands of spectra `[N][time][bin]` to `[N][time][band]`."""
    first, last, weights = _mel_filterbank(settings)
    magnitudes = np.abs(spectra[..., first:last]).astype(np.float32)
    # One matrix product a clip: BLAS rounds the same way whatever the number of clips.
    np.matmul(magnitudes, weights, out=bands)


@lru_cache(maxsize=8)
def _hann_window(length: int) -> npt.NDArray[np.float64]:
    """Periodic Hann window, as `AudioSpectrogram` applies it.

    In double precision, and with it the Fourier transform, as in the op: in single precision its
    rounding drowns the bands far from a pure tone, and coefficients are off by 0.01 and more.
    """
    window: npt.NDArray[np.float64] = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)
    return window


@lru_cache(maxsize=8)
def _mel_filterbank(settings: FeatureSettings) -> tuple[int, int, npt.NDArray[np.float32]]:
    """First bin, last bin + 1, and triangular weights `[bin][band]` on magnitudes.

    Bands are spaced evenly in mel = 1127 ln(1 + f / 700) (O'Shaughnessy 1987); every bin is shared
    between the two bands whose centres surround it. The zero-frequency bin never counts.
    """
    bins = fft_length(settings.window_samples) // 2 + 1
    hz_per_bin = 0.5 * settings.sample_rate_hz / (bins - 1)
    first = int(1.5 + settings.lower_hz / hz_per_bin)
    last = int(settings.upper_hz / hz_per_bin) + 1
    edges = np.linspace(_mel(settings.lower_hz), _mel(settings.upper_hz), settings.mel_bands + 2)
    position = np.interp(
        _mel(np.arange(first, last) * hz_per_bin), edges, np.arange(settings.mel_bands + 2)
    )
    band = np.minimum(position.astype(int), settings.mel_bands)  # the centre at or below the bin
    weights = np.zeros((last - first, settings.mel_bands + 2), np.float64)
    rows = np.arange(last - first)
    weights[rows, band] = 1.0 - (position - band)
    weights[rows, band + 1] = position - band
    return first, last, weights[:, 1:-1].astype(np.float32)


def _mel(hz: Any) -> Any:
    return 1127.0 * np.log1p(np.asarray(hz, np.float64) / 700.0)


@lru_cache(maxsize=8)
def _dct_matrix(settings: FeatureSettings) -> npt.NDArray[np.float32]:
    """`[band][coefficient]`, every coefficient (also the first) scaled by sqrt(2 / bands)."""
    band = np.arange(settings.mel_bands)[:, np.newaxis] + 0.5
    order = np.arange(settings.coefficients)[np.newaxis, :]
    scale = np.sqrt(2.0 / settings.mel_bands)
    return (scale * np.cos(np.pi / settings.mel_bands * order * band)).astype(np.float32)
