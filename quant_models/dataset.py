"""From a folder of speech to integer fingerprints with labels, for training and for evaluation.

Training examples are drawn: class, word, clip, augmentation. Evaluation sets are fixed: the clips
of a partition as they are, unknown words evenly by word, and silence cut from stretches of
background noise that no other partition hears.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden.network import FeatureSettings
from quant_models import augment, features
from quant_models.audio import Samples, read_clip, read_long
from quant_models.augment import AugmentationSettings
from quant_models.feature_cache import Examples, FeatureCache
from quant_models.speech_commands import (
    BACKGROUND_FOLDER,
    PARTITIONS,
    SILENCE_LABEL,
    TESTING,
    TRAINING,
    UNKNOWN_LABEL,
    VALIDATION,
    Clip,
    audio_files,
    find_clips,
    labels_for,
    require_words,
)

Progress = Callable[[int, int], None]  # done, total

_CHUNK = 64  # examples that share a random generator
_FULL_SCALE = 32_768
_HIGHEST_PERCENTAGE = 10_000


@dataclass(frozen=True)
class DataSettings:
    """Which clips count as what, and how often.

    `silence_percentage` and `unknown_percentage` are relative to the number of examples of wanted
    words. `unknown_exponent` sets how unknown words are drawn: a word's share grows with its number
    of clips to this power, 0 draws evenly by word, 1 evenly by clip. Words in `held_out_words` are
    never trained on: all their clips are for validation. `running_speech` is the share of unknown
    examples that are cut from longer recordings, if there are any.
    """

    wanted_words: tuple[str, ...] = ("yes", "no")
    silence_percentage: float = 50.0
    unknown_percentage: float = 50.0
    validation_percentage: float = 10.0
    testing_percentage: float = 10.0
    unknown_exponent: float = 0.5
    held_out_words: tuple[str, ...] = ()
    running_speech: float = 0.3
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)

    def __post_init__(self) -> None:
        labels_for(self.wanted_words)
        for name in ("silence_percentage", "unknown_percentage"):
            if not 0 <= getattr(self, name) <= _HIGHEST_PERCENTAGE:
                raise ValueError(
                    f"{name}: expected 0..{_HIGHEST_PERCENTAGE}, got {getattr(self, name)}"
                )
        validation, testing = self.validation_percentage, self.testing_percentage
        if not (validation >= 0 and testing >= 0 and validation + testing < 100):
            raise ValueError(
                "validation_percentage and testing_percentage: expected 0 or more and less than "
                f"100 together, got {self.validation_percentage} and {self.testing_percentage}"
            )
        for word in self.held_out_words:
            if word in self.wanted_words:
                raise ValueError(f"held_out_words: expected no wanted word, got {word!r}")
        for name in ("unknown_exponent", "running_speech"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected 0..1, got {getattr(self, name)}")


def read_test_folder(
    test_dir: Path,
    labels: Sequence[str],
    feature_settings: FeatureSettings,
    cache: FeatureCache,
    progress: Progress | None = None,
) -> tuple[Examples, Examples]:
    """Read a folder laid out as the canonical test set, one folder a label.

    Returns the examples of the folders that are named like labels, and those of all other folders:
    words that the network does not know and should call unknown.

    Raises FileNotFoundError or ValueError for a folder without clips or without a label's folder.
    """
    clips = find_clips(test_dir, 0, 0)
    missing = [label for label in labels if label not in {clip.word for clip in clips}]
    if missing:
        raise ValueError(
            f"{test_dir}: expected a folder of clips for each label, found none for {missing[0]}"
        )
    known = [clip for clip in clips if clip.word in labels]
    other = [clip for clip in clips if clip.word not in labels]
    content = _content_digest(clips)
    rate, length = feature_settings.sample_rate_hz, feature_settings.clip_samples

    def compute() -> Examples:
        def chunk(start: int) -> Examples:
            part = (known + other)[start : start + _CHUNK]
            waves = np.stack([read_clip(clip.path, rate, length) for clip in part])
            names = [clip.word if clip.word in labels else UNKNOWN_LABEL for clip in part]
            return Examples(
                features.fingerprints(waves, feature_settings),
                np.array([labels.index(name) for name in names]),
            )

        return _joined(_map_threads(chunk, range(0, len(clips), _CHUNK), progress))

    key = _cache_key("test", list(labels), dataclasses.asdict(feature_settings), content)
    examples = cache.get(key, compute)
    split = len(known)
    return (
        Examples(examples.fingerprints[:split], examples.label_indices[:split]),
        Examples(examples.fingerprints[split:], examples.label_indices[split:]),
    )


def data_settings_from(stored: Mapping[str, Any]) -> DataSettings:
    """Rebuild settings from what `dataclasses.asdict` and JSON made of them."""
    values: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in stored.items()
    }
    varied = dict(values.pop("augmentation"))
    varied["silence_volume"] = tuple(varied["silence_volume"])
    return DataSettings(**values, augmentation=AugmentationSettings(**varied))


class SpeechData:
    """The clips of a data folder, read once, and the example sets made from them.

    `speech_dirs` are folders of longer recordings without any wanted word; one-second stretches of
    them are unknown examples. Raises ValueError or FileNotFoundError for folders or words that are
    not there and for files that are not sound.
    """

    def __init__(
        self,
        data_dir: Path,
        settings: DataSettings,
        feature_settings: FeatureSettings,
        cache: FeatureCache,
        speech_dirs: Sequence[Path] = (),
    ):
        self.settings = settings
        self.features = feature_settings
        self.labels = labels_for(settings.wanted_words)
        self._cache = cache
        clips = find_clips(data_dir, settings.validation_percentage, settings.testing_percentage)
        require_words(clips, settings.wanted_words, data_dir, "wanted_words")
        self._clips = [_moved(clip, settings.held_out_words) for clip in clips]
        self._data_dir = data_dir
        noise = data_dir / BACKGROUND_FOLDER
        self._noise_files = audio_files([noise]) if noise.is_dir() else []
        if not self._noise_files and settings.silence_percentage > 0:
            raise ValueError(f"{noise}: expected recordings of background noise, found none")
        self._speech_files = [
            path for path in audio_files(speech_dirs) if path.parent.name != BACKGROUND_FOLDER
        ]
        self._content = _content_digest(clips, self._noise_files, self._speech_files)
        self._samples: _Samples | None = None

    def training_examples(
        self, count: int, seed: int, progress: Progress | None = None
    ) -> Examples:
        """Draw `count` augmented examples from the training partition.

        The same folder, settings and seed give the same examples, from the cache if they were
        drawn before.

        Raises ValueError for held-out words that the folder does not have.
        """
        require_words(self._clips, self.settings.held_out_words, self._data_dir, "held_out_words")
        key = self._key("training", count, seed, dataclasses.asdict(self.settings))
        return self._cache.get(key, lambda: self._draw(count, seed, progress))

    def evaluation_examples(self, partition: str, progress: Progress | None = None) -> Examples:
        """Return the fixed examples of a partition, without augmentation.

        Raises ValueError if the partition has no clip of a wanted word.
        """
        settings = dataclasses.asdict(self.settings)
        del settings["augmentation"], settings["unknown_exponent"], settings["running_speech"]
        settings["silence_volume"] = self.settings.augmentation.silence_volume
        key = self._key("evaluation", partition, settings)
        return self._cache.get(key, lambda: self._fixed(partition, progress))

    def _key(self, *parts: Any) -> str:
        return _cache_key(*parts, dataclasses.asdict(self.features), self._content)

    def _loaded(self) -> _Samples:
        if self._samples is None:
            self._samples = _Samples(
                self._clips, self._noise_files, self._speech_files, self.settings, self.features
            )
        return self._samples

    def _draw(self, count: int, seed: int, progress: Progress | None) -> Examples:
        samples = self._loaded()
        sampler = _Sampler(samples, self.labels, self.settings, self.features)

        def chunk(index: int) -> Examples:
            size = min(_CHUNK, count - index * _CHUNK)
            return sampler.draw(size, np.random.default_rng([seed, index]))

        chunks = -(-count // _CHUNK)
        return _joined(_map_threads(chunk, range(chunks), progress))

    def _fixed(self, partition: str, progress: Progress | None) -> Examples:
        clips = [clip for clip in self._clips if clip.partition == partition]
        wanted = [clip for clip in clips if clip.word in self.settings.wanted_words]
        if not wanted:
            raise ValueError(
                f"{self._data_dir}: expected clips of {', '.join(self.settings.wanted_words)} in "
                f"the {partition} partition, found none"
            )
        rng = np.random.default_rng(PARTITIONS.index(partition))
        unknown = [clip for clip in clips if clip.word not in self.settings.wanted_words]
        unknown_count = round(len(wanted) * self.settings.unknown_percentage / 100)
        chosen = wanted + evenly_by_word(unknown, unknown_count, rng)
        silence_count = round(len(wanted) * self.settings.silence_percentage / 100)
        samples = self._loaded()
        waves = [samples.clip(clip) for clip in chosen] + [
            samples.silence(partition, self.settings.augmentation, rng)
            for _ in range(silence_count)
        ]
        label_indices = [self._label_index(clip.word) for clip in chosen]
        label_indices += [self.labels.index(SILENCE_LABEL)] * silence_count

        def chunk(start: int) -> Examples:
            batch = np.stack(waves[start : start + _CHUNK])
            fingerprints = features.fingerprints(batch, self.features)
            return Examples(fingerprints, np.array(label_indices[start : start + _CHUNK]))

        return _joined(_map_threads(chunk, range(0, len(waves), _CHUNK), progress))

    def _label_index(self, word: str) -> int:
        return self.labels.index(word if word in self.settings.wanted_words else UNKNOWN_LABEL)


class _Samples:
    """All recordings in memory, as 16-bit integers."""

    def __init__(
        self,
        clips: Sequence[Clip],
        noise_files: Sequence[Path],
        speech_files: Sequence[Path],
        settings: DataSettings,
        feature_settings: FeatureSettings,
    ):
        rate, length = feature_settings.sample_rate_hz, feature_settings.clip_samples
        self.length = length
        self.clips = clips
        self._waves = {
            clip.path: wave
            for clip, wave in zip(
                clips,
                _map_threads(lambda clip: _pcm(read_clip(clip.path, rate, length)), clips),
                strict=True,
            )
        }
        self.speech = _map_threads(lambda path: _pcm(read_long(path, rate, length)), speech_files)
        noise = [read_long(path, rate, length) for path in noise_files]
        held_back = settings.validation_percentage, settings.testing_percentage
        self._noise = {
            partition: [noise_stretch(wave, partition, *held_back, length) for wave in noise]
            for partition in PARTITIONS
        }

    def clip(self, clip: Clip) -> Samples:
        return _from_pcm(self._waves[clip.path])

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


class _Sampler:
    """Draws augmented training examples: class, then word, then clip."""

    def __init__(
        self,
        samples: _Samples,
        labels: tuple[str, ...],
        settings: DataSettings,
        feature_settings: FeatureSettings,
    ):
        self._samples = samples
        self._labels = labels
        self._settings = settings
        self._features = feature_settings
        training = [clip for clip in samples.clips if clip.partition == TRAINING]
        self._wanted = [clip for clip in training if clip.word in settings.wanted_words]
        unknown = [clip for clip in training if clip.word not in settings.wanted_words]
        self._words = _by_word(unknown)
        shares = np.array([len(clips) for clips in self._words], np.float64)
        shares **= settings.unknown_exponent
        self._word_shares = shares / shares.sum()
        parts = np.array([settings.silence_percentage, settings.unknown_percentage, 100.0])
        if not self._words and not samples.speech:
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
        background = self._background(rng)
        assert background is not None  # the constructor of SpeechData asks for noise
        return augment.silent(background, self._settings.augmentation, rng), SILENCE_LABEL

    def _background(self, rng: np.random.Generator) -> Samples | None:
        """A mixture of two stretches of training noise at changed speed, or None without noise."""
        stretches = self._samples.noise_stretches(TRAINING)
        if not stretches:
            return None
        change = self._settings.augmentation.noise_speed_change
        first, second = (
            augment.noise(stretches[int(index)], self._samples.length, change, rng)
            for index in rng.integers(len(stretches), size=2)
        )
        return augment.mixed(first, second, rng)

    def _draw_unknown(self, rng: np.random.Generator) -> tuple[Samples, str]:
        speech = self._samples.speech
        if speech and (not self._words or rng.random() < self._settings.running_speech):
            recording = speech[int(rng.integers(len(speech)))]
            return self._vary(_from_pcm(augment.cut(recording, self._samples.length, rng)), rng), (
                UNKNOWN_LABEL
            )
        clips = self._words[int(rng.choice(len(self._words), p=self._word_shares))]
        clip = clips[int(rng.integers(len(clips)))]
        return self._vary(self._samples.clip(clip), rng), UNKNOWN_LABEL

    def _draw_wanted(self, rng: np.random.Generator) -> tuple[Samples, str]:
        clip = self._wanted[int(rng.integers(len(self._wanted)))]
        return self._vary(self._samples.clip(clip), rng), clip.word

    def _vary(self, wave: Samples, rng: np.random.Generator) -> Samples:
        background = self._background(rng)
        settings = self._settings.augmentation
        return augment.spoken(wave, background, settings, self._features.sample_rate_hz, rng)


def evenly_by_word(clips: Sequence[Clip], count: int, rng: np.random.Generator) -> list[Clip]:
    """Choose up to `count` clips, word after word in turn, each word's clips in random order."""
    queues = [[clips[i] for i in rng.permutation(len(clips))] for clips in _by_word(clips)]
    turns = [
        queue[turn]
        for turn in range(max(map(len, queues), default=0))
        for queue in queues
        if turn < len(queue)
    ]
    return turns[:count]


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


def _moved(clip: Clip, held_out_words: Sequence[str]) -> Clip:
    if clip.word in held_out_words and clip.partition == TRAINING:
        return dataclasses.replace(clip, partition=VALIDATION)
    return clip


def _by_word(clips: Sequence[Clip]) -> list[list[Clip]]:
    words: dict[str, list[Clip]] = {}
    for clip in clips:
        words.setdefault(clip.word, []).append(clip)
    return [words[word] for word in sorted(words)]


def _cache_key(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _content_digest(
    clips: Sequence[Clip], noise_files: Sequence[Path] = (), speech_files: Sequence[Path] = ()
) -> str:
    """SHA-256 over the words, names and bytes of all files, in order."""
    used = [(f"word {clip.word}", clip.path) for clip in clips]
    used += [("noise", path) for path in noise_files]
    used += [("speech", path) for path in speech_files]

    def one(entry: tuple[str, Path]) -> list[str]:
        use, path = entry
        return [use, path.name, hashlib.sha256(path.read_bytes()).hexdigest()]

    return _cache_key(*_map_threads(one, used))


def _pcm(samples: Samples) -> npt.NDArray[np.int16]:
    return np.clip(np.rint(samples * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)


def _from_pcm(samples: npt.NDArray[np.int16]) -> Samples:
    return samples.astype(np.float32) / np.float32(_FULL_SCALE)


def _map_threads(
    function: Callable[[Any], Any], items: Sequence[Any], progress: Progress | None = None
) -> list[Any]:
    """Apply a function to all items on every core, in order."""
    results = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            for result in pool.map(function, items):
                results.append(result)
                if progress is not None:
                    progress(len(results), len(items))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results


def _joined(parts: Sequence[Examples]) -> Examples:
    return Examples(
        np.concatenate([part.fingerprints for part in parts]),
        np.concatenate([part.label_indices for part in parts]),
    )
