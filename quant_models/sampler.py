"""Augmented training examples, drawn one by one: class, then word, then clip, then variation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from golden.network import FeatureSettings
from quant_models import augment, features
from quant_models.audio import Samples
from quant_models.data_settings import DataSettings
from quant_models.feature_cache import Examples
from quant_models.recordings import Recordings
from quant_models.speech_commands import SILENCE_LABEL, TRAINING, UNKNOWN_LABEL, Clip


class Sampler:
    """Draws examples from the training partition of a data set's recordings."""

    def __init__(
        self,
        recordings: Recordings,
        labels: tuple[str, ...],
        settings: DataSettings,
        feature_settings: FeatureSettings,
    ):
        self._recordings = recordings
        self._labels = labels
        self._settings = settings
        self._features = feature_settings
        training = [clip for clip in recordings.clips if clip.partition == TRAINING]
        self._wanted = [clip for clip in training if clip.word in settings.wanted_words]
        self._silences = [clip for clip in training if clip.word == SILENCE_LABEL]
        unknown = [
            clip
            for clip in training
            if clip.word not in settings.wanted_words and clip.word != SILENCE_LABEL
        ]
        self._words = by_word(unknown)
        shares = np.array([len(clips) for clips in self._words], np.float64)
        shares **= settings.unknown_exponent
        weights = dict(settings.word_weights)
        shares *= [weights.get(clips[0].word, 1.0) for clips in self._words]
        self._word_shares = shares / shares.sum()
        parts = np.array([settings.silence_percentage, settings.unknown_percentage, 100.0])
        if not self._words and not recordings.has_speech:
            parts[1] = 0.0
        self._class_shares = parts / parts.sum()

    def draw(self, count: int, rng: np.random.Generator) -> Examples:
        waves, label_indices = [], []
        for kind in rng.choice(3, size=count, p=self._class_shares):
            wave, label = (self._draw_silence, self._draw_unknown, self._draw_wanted)[kind](rng)
            waves.append(wave)
            label_indices.append(self._labels.index(label))
        coefficients = features.mfcc(np.stack(waves), self._features)
        coefficients = augment.coloured(coefficients, self._settings.augmentation, rng)
        return Examples(features.quantise(coefficients), np.array(label_indices))

    def _draw_silence(self, rng: np.random.Generator) -> tuple[Samples, str]:
        clips = self._silences
        if clips and (not self._recordings.noise_stretches(TRAINING) or rng.random() < 0.5):
            clip = clips[int(rng.integers(len(clips)))]
            return self._vary(self._recordings.clip(clip), rng), SILENCE_LABEL
        others = self._recordings.other_noise
        with_other = bool(others) and rng.random() < self._settings.other_noise
        background = self._background(rng, others if with_other else ())
        assert background is not None  # the constructor of SpeechData asks for noise
        return augment.silent(background, self._settings.augmentation, rng), SILENCE_LABEL

    def _background(
        self, rng: np.random.Generator, others: Sequence[Samples] = ()
    ) -> Samples | None:
        """A mixture of two stretches of training noise at changed speed, or None without noise.

        Where there are `others`, the first is of them and the second may be.
        """
        own = self._recordings.noise_stretches(TRAINING)
        if not own:
            return None
        first, second = (
            augment.noise(
                stretches[int(rng.integers(len(stretches)))],
                self._recordings.length,
                self._settings.augmentation.noise_speed_change,
                rng,
            )
            for stretches in (others or own, [*own, *others])
        )
        return augment.mixed(first, second, rng)

    def _draw_unknown(self, rng: np.random.Generator) -> tuple[Samples, str]:
        if self._recordings.has_speech and (
            not self._words or rng.random() < self._settings.running_speech
        ):
            return self._vary(self._recordings.spoken_stretch(rng), rng), UNKNOWN_LABEL
        clips = self._words[int(rng.choice(len(self._words), p=self._word_shares))]
        clip = clips[int(rng.integers(len(clips)))]
        return self._vary(self._recordings.clip(clip), rng), UNKNOWN_LABEL

    def _draw_wanted(self, rng: np.random.Generator) -> tuple[Samples, str]:
        clip = self._wanted[int(rng.integers(len(self._wanted)))]
        return self._vary(self._recordings.clip(clip), rng), clip.word

    def _vary(self, wave: Samples, rng: np.random.Generator) -> Samples:
        background = self._background(rng)
        settings = self._settings.augmentation
        return augment.spoken(wave, background, settings, self._features.sample_rate_hz, rng)


def by_word(clips: Sequence[Clip]) -> list[list[Clip]]:
    """Group clips by word, the words in alphabetical order."""
    words: dict[str, list[Clip]] = {}
    for clip in clips:
        words.setdefault(clip.word, []).append(clip)
    return [words[word] for word in sorted(words)]
