"""Small folders of 'speech' in the Speech Commands layout: tones, sweeps and hiss, made at once.

The words differ so clearly that a few hundred steps of training tell them apart.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

RATE_HZ = 16_000
WANTED = ("yes", "no")
OTHER = ("bird", "cat", "dog")

# A word is a sweep between two frequencies (Hz) under some hiss.
_SWEEPS_HZ = {
    "yes": (400, 2_400),
    "no": (2_400, 400),
    "bird": (3_000, 3_000),
    "cat": (250, 250),
    "dog": (1_000, 1_000),
}


def make_speech_folder(
    folder: Path,
    speakers: int = 60,
    words: tuple[str, ...] = WANTED + OTHER,
    noise_seconds: tuple[float, ...] = (30.0, 30.0),
) -> Path:
    """Write one clip a word and speaker, and recordings of hiss; return the folder."""
    rng = np.random.default_rng(0)
    for word in words:
        (folder / word).mkdir(parents=True)
        for speaker in range(speakers):
            write_wav(folder / word / f"{speaker:08x}_nohash_0.wav", spoken_word(word, rng))
    for number, seconds in enumerate(noise_seconds):
        (folder / "_background_noise_").mkdir(exist_ok=True)
        hiss = 0.3 * rng.standard_normal(round(seconds * RATE_HZ))
        write_wav(folder / "_background_noise_" / f"hiss_{number}.wav", hiss)
    return folder


def spoken_word(word: str, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """One second with a sweep of 0.5 s in the middle, each time a little different."""
    low, high = np.array(_SWEEPS_HZ[word]) * rng.uniform(0.9, 1.1)
    seconds = np.arange(RATE_HZ // 2) / RATE_HZ
    phase = 2 * np.pi * (low * seconds + (high - low) * seconds**2)
    samples = 0.002 * rng.standard_normal(RATE_HZ)
    samples[RATE_HZ // 4 : RATE_HZ * 3 // 4] += rng.uniform(0.2, 0.6) * np.sin(phase)
    return samples


def write_wav(path: Path, samples: npt.NDArray[np.floating]) -> Path:
    """Write mono 16-bit samples at 16 kHz."""
    soundfile.write(path, samples, RATE_HZ, subtype="PCM_16")
    return path
