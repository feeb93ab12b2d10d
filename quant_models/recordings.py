"""The recordings of a data set, and which stretch of noise each partition may hear."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from golden.network import FeatureSettings
from quant_models import augment
from quant_models.audio import Samples, from_pcm, read_clip, read_long, to_pcm
from quant_models.augment import AugmentationSettings
from quant_models.data_settings import DataSettings
from quant_models.folds import Fold
from quant_models.parallel import map_threads
from quant_models.running_speech import spoken_starts
from quant_models.speech_commands import PARTITIONS, TESTING, TRAINING, VALIDATION, Clip

NOISE_RMS = 0.2  # of full scale, about as loud as speech close to a microphone
CLIP_BYTES = 2**30  # of clips stay in memory; what is beyond is read again when it is drawn


class Recordings:
    """All recordings as 16-bit integers, in memory as far as `CLIP_BYTES` go.

    Raises ValueError or OSError for any file that is no sound, drawn or not.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        noise_files: Sequence[Path],
        speech_files: Sequence[Path],
        other_noise_files: Sequence[Path],
        settings: DataSettings,
        feature_settings: FeatureSettings,
        fold: Fold | None = None,
    ):
        rate, length = feature_settings.sample_rate_hz, feature_settings.clip_samples
        self.length = length
        self.clips = clips
        keep = lru_cache(CLIP_BYTES // (2 * length))
        self._wave = keep(lambda path: to_pcm(read_clip(path, rate, length)))

        def check(clip: Clip) -> None:
            self._wave(clip.path)

        map_threads(check, clips)
        least = settings.spoken_share
        self._speech = map_threads(lambda path: self._running(path, rate, least), speech_files)
        noise, self.other_noise = (
            [levelled(read_long(path, rate, length)) for path in files]
            for files in (noise_files, other_noise_files)
        )
        held_back = settings.validation_percentage, settings.testing_percentage
        self._noise: dict[str, list[Samples]] = {partition: [] for partition in PARTITIONS}
        for place, wave in enumerate(noise):
            if fold is not None and fold.holds(place):
                self._noise[VALIDATION].append(wave)
                continue
            for partition, stretches in self._noise.items():
                stretches.append(noise_stretch(wave, partition, *held_back, length))

    def clip(self, clip: Clip) -> Samples:
        return from_pcm(self._wave(clip.path))

    @property
    def has_speech(self) -> bool:
        """Whether there are longer recordings to cut clips from."""
        return bool(self._speech)

    def spoken_stretch(self, rng: np.random.Generator) -> Samples:
        """A clip with speech in it, cut from one of the longer recordings."""
        pcm, starts = self._speech[int(rng.integers(len(self._speech)))]
        start = int(starts[rng.integers(len(starts))])
        return from_pcm(pcm[start : start + self.length])

    def _running(
        self, path: Path, rate_hz: int, spoken_share: float
    ) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int64]]:
        """A longer recording, and where clips of it begin."""
        samples = read_long(path, rate_hz, self.length)
        return to_pcm(samples), spoken_starts(samples, self.length, rate_hz, spoken_share)

    def noise_stretches(self, partition: str) -> list[Samples]:
        """The background noise that a partition may hear."""
        return self._noise[partition]

    def silence(
        self, partition: str, settings: AugmentationSettings, rng: np.random.Generator
    ) -> Samples:
        """A second of a partition's noise as it is, at a random volume."""
        stretches = self._noise[partition]
        background = augment.cut(stretches[int(rng.integers(len(stretches)))], self.length, rng)
        return augment.silent(background, settings, rng)


def levelled(recording: Samples) -> Samples:
    """Return a noise recording at a root mean square of `NOISE_RMS`, so that volumes compare.

    How loud a noise was recorded says nothing about how loud it is where words are spotted.
    Digital silence stays what it is; samples may exceed 1.
    """
    rms = np.sqrt(np.mean(np.square(recording, dtype=np.float64)))
    return recording * np.float32(NOISE_RMS / rms) if rms > 0 else recording


def noise_stretch(
    recording: Samples,
    partition: str,
    validation_percentage: float,
    testing_percentage: float,
    least_samples: int,
) -> Samples:
    """Return the stretch of a noise recording that a partition may hear.

    Training hears the beginning, then comes validation, then testing, each at least
    `least_samples` long, and no two hear the same. A recording too short for that is heard whole by
    all.
    """
    length = len(recording)
    if length < len(PARTITIONS) * least_samples:
        return recording
    testing = int(length * (100 - testing_percentage) / 100)
    testing = min(max(testing, 2 * least_samples), length - least_samples)
    validation = int(length * (100 - testing_percentage - validation_percentage) / 100)
    validation = min(max(validation, least_samples), testing - least_samples)
    bounds = {
        TRAINING: (0, validation),
        VALIDATION: (validation, testing),
        TESTING: (testing, length),
    }
    start, end = bounds[partition]
    return recording[start:end]
