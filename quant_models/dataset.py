"""From folders of speech to integer fingerprints with labels, for training and for evaluation.

Training examples are drawn: class, word, clip, augmentation. Evaluation sets are fixed: the clips
of a partition as they are, unknown words evenly by word, and silence: clips of it where there are
some, and besides cut from stretches of background noise that no other partition hears.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from golden.network import FeatureSettings
from quant_models import features
from quant_models.audio import Samples, read_clip
from quant_models.data_settings import DataSettings
from quant_models.feature_cache import Examples, FeatureCache
from quant_models.folds import Fold
from quant_models.parallel import Progress, map_threads
from quant_models.recordings import Recordings
from quant_models.sampler import Sampler, by_word
from quant_models.sound_files import find_sound
from quant_models.speech_commands import (
    BACKGROUND_FOLDER,
    PARTITIONS,
    SILENCE_LABEL,
    TRAINING,
    UNKNOWN_LABEL,
    VALIDATION,
    Clip,
    FoundClips,
    find_clips,
    labels_for,
    require_words,
)

_CHUNK = 64  # examples that share a random generator
_JUDGED_PERCENTAGE = 50.0  # of unknown clips and of silence for 100 wanted ones, in a fold
_OF_TRAINING = (
    "augmentation",
    "unknown_exponent",
    "word_weights",
    "running_speech",
    "spoken_share",
    "other_noise",
)  # settings that no evaluation set depends on


class SpeechData:
    """The clips of data folders, read once, and the example sets made from them.

    `speech_dirs` are folders of longer recordings without any wanted word; one-second stretches of
    them are unknown examples. `noise_dirs` are folders of noise for training alone. A `fold`
    divides clips, running speech and noise in its own way. `found` tells what there is.

    Raises ValueError or FileNotFoundError for folders or words that are not there and for files
    that are not sound.
    """

    def __init__(
        self,
        data_dirs: Sequence[Path],
        settings: DataSettings,
        feature_settings: FeatureSettings,
        cache: FeatureCache,
        speech_dirs: Sequence[Path] = (),
        noise_dirs: Sequence[Path] = (),
        fold: Fold | None = None,
    ):
        self.settings = settings
        self.features = feature_settings
        self.labels = labels_for(settings.wanted_words)
        self._cache = cache
        found = find_clips(data_dirs, settings.validation_percentage, settings.testing_percentage)
        require_words(found, settings.wanted_words, "wanted_words")
        self._clips = tuple(_moved(clip, settings.held_out_words) for clip in found.clips)
        if fold is not None:
            self._clips = fold.divided(self._clips)
        self._fold = fold
        self._trained = {clip.word for clip in self._clips if clip.partition == TRAINING}
        folders = [folder / BACKGROUND_FOLDER for folder in data_dirs]
        noise = [find_sound(folder) for folder in folders if folder.is_dir()]
        self._noise_files = [path for files in noise for path in files.sounds]
        if not (self._noise_files or SILENCE_LABEL in self._trained) and (
            settings.silence_percentage > 0
        ):
            raise ValueError(f"{folders[0]}: expected recordings of background noise, found none")
        speech = [find_sound(folder) for folder in speech_dirs]
        self._speech_files = [
            path
            for files in speech
            for path in files.sounds
            if path.parent.name not in (BACKGROUND_FOLDER, *(fold.held_words if fold else ()))
        ]
        other = [find_sound(folder) for folder in noise_dirs]
        self._other_noise_files = [path for files in other for path in files.sounds]
        skipped = chain(found.skipped, *(files.skipped for files in (*noise, *speech, *other)))
        self.found = dataclasses.replace(found, clips=self._clips, skipped=tuple(skipped))
        self._content = _content_digest(
            found.clips, self._noise_files, self._speech_files, self._other_noise_files
        )
        self._recordings: Recordings | None = None

    def training_examples(
        self, count: int, seed: int, progress: Progress | None = None
    ) -> Examples:
        """Draw `count` augmented examples from the training partition.

        The same folder, settings and seed give the same examples, from the cache if they were
        drawn before.

        Raises ValueError for held-out words that the folder does not have, and for a wanted word
        without a clip in the training partition.
        """
        require_words(self.found, self.settings.held_out_words, "held_out_words")
        weighted = [word for word, _ in self.settings.word_weights]
        require_words(self.found, weighted, "word_weights")
        for word in self.settings.wanted_words:
            if word not in self._trained:
                raise ValueError(
                    f"{self.found.where}: expected clips of {word} in the training partition, "
                    "found none (lower --validation_percentage and --testing_percentage leave "
                    "it more)"
                )
        key = self._key("training", count, seed, dataclasses.asdict(self.settings))
        return self._cache.get(key, lambda: self._draw(count, seed, progress))

    def evaluation_examples(self, partition: str, progress: Progress | None = None) -> Examples:
        """Return the fixed examples of a partition, without augmentation.

        Raises ValueError if the partition has no clip of a wanted word.
        """
        settings = dataclasses.asdict(self.settings)
        for name in _OF_TRAINING:
            del settings[name]
        settings["silence_volume"] = self.settings.augmentation.silence_volume
        key = self._key("evaluation", partition, settings)
        return self._cache.get(key, lambda: self._fixed(partition, progress))

    def other_words(self, partition: str) -> dict[str, Examples]:
        """Return a partition's clips of the words that a fold leaves to training, by word.

        Its speakers say them, whom training does not hear; they are in no evaluation set.
        """
        assert self._fold is not None
        held = (*self.settings.wanted_words, SILENCE_LABEL, *self._fold.held_words)
        clips = [
            clip for clip in self._clips if clip.partition == partition and clip.word not in held
        ]
        key = self._key("other words", partition, list(self.labels))
        words = np.array([clip.word for clip in clips])
        examples = self._cache.get(key, lambda: _joined(self._spoken(clips)))
        return {
            word: Examples(
                examples.fingerprints[words == word], examples.label_indices[words == word]
            )
            for word in dict.fromkeys(words.tolist())
        }

    def _key(self, *parts: Any) -> str:
        fold = [repr(self._fold)] if self._fold else []
        return _cache_key(*parts, *fold, dataclasses.asdict(self.features), self._content)

    def _loaded(self) -> Recordings:
        if self._recordings is None:
            self._recordings = Recordings(
                self._clips,
                self._noise_files,
                self._speech_files,
                self._other_noise_files,
                self.settings,
                self.features,
                self._fold,
            )
        return self._recordings

    def _draw(self, count: int, seed: int, progress: Progress | None) -> Examples:
        recordings = self._loaded()
        sampler = Sampler(recordings, self.labels, self.settings, self.features)

        def chunk(index: int) -> Examples:
            size = min(_CHUNK, count - index * _CHUNK)
            return sampler.draw(size, np.random.default_rng([seed, index]))

        chunks = -(-count // _CHUNK)
        return _joined(map_threads(chunk, range(chunks), progress))

    def _fixed(self, partition: str, progress: Progress | None) -> Examples:
        clips = [clip for clip in self._clips if clip.partition == partition]
        wanted = [clip for clip in clips if clip.word in self.settings.wanted_words]
        if not wanted:
            raise ValueError(
                f"{self.found.where}: expected clips of {', '.join(self.settings.wanted_words)} in "
                f"the {partition} partition, found none (a higher --{partition}_percentage gives "
                "it more speakers)"
            )
        rng = np.random.default_rng(PARTITIONS.index(partition))
        unknown = [clip for clip in clips if self._label_of(clip) == UNKNOWN_LABEL]
        if self._fold is not None:
            unknown = [clip for clip in unknown if clip.word in self._fold.held_words]
        unknown_percentage = self.settings.unknown_percentage
        silence_percentage = self.settings.silence_percentage
        if self._fold is not None:  # recipes that draw other shares are judged by the same clips
            unknown_percentage = silence_percentage = _JUDGED_PERCENTAGE
        unknown_count = round(len(wanted) * unknown_percentage / 100)
        chosen = wanted + evenly_by_word(unknown, unknown_count, rng)
        silence_count = round(len(wanted) * silence_percentage / 100)
        silence = [clip for clip in clips if clip.word == SILENCE_LABEL]
        chosen += evenly_by_word(silence, silence_count, rng)
        silence_count = max(silence_count - len(silence), 0) if self._noise_files else 0
        recordings = self._loaded()

        def silences() -> Iterator[Samples]:  # `[N][samples]`, drawn in order
            for start in range(0, silence_count, _CHUNK):
                size = min(_CHUNK, silence_count - start)
                yield np.stack(
                    [
                        recordings.silence(partition, self.settings.augmentation, rng)
                        for _ in range(size)
                    ]
                )

        def silent(waves: Samples) -> Examples:
            indices = np.full(len(waves), self.labels.index(SILENCE_LABEL))
            return Examples(features.fingerprints(waves, self.features), indices)

        return _joined([*self._spoken(chosen, progress), *map_threads(silent, silences())])

    def _spoken(self, clips: Sequence[Clip], progress: Progress | None = None) -> list[Examples]:
        """Clips as they are."""
        recordings = self._loaded()

        def chunk(start: int) -> Examples:
            part = clips[start : start + _CHUNK]
            waves = np.stack([recordings.clip(clip) for clip in part])
            indices = np.array([self.labels.index(self._label_of(clip)) for clip in part])
            return Examples(features.fingerprints(waves, self.features), indices)

        return map_threads(chunk, range(0, len(clips), _CHUNK), progress)

    def _label_of(self, clip: Clip) -> str:
        return clip.word if clip.word in self.labels else UNKNOWN_LABEL


def read_test_folder(
    found: FoundClips,
    labels: Sequence[str],
    feature_settings: FeatureSettings,
    cache: FeatureCache,
    progress: Progress | None = None,
) -> tuple[Examples, Examples]:
    """Read what was found in a folder laid out as the canonical test set, one folder a label.

    Returns the examples of the folders that are named like labels, and those of all other folders:
    words that the network does not know and should call unknown.

    Raises ValueError if no folder is named like a label, or a file is no sound.
    """
    clips = found.clips
    if not any(clip.word in labels for clip in clips):
        raise ValueError(
            f"{found.where}: expected folders of clips that are named like labels "
            f"({', '.join(labels)}), found none"
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

        return _joined(map_threads(chunk, range(0, len(clips), _CHUNK), progress))

    key = _cache_key("test", list(labels), dataclasses.asdict(feature_settings), content)
    examples = cache.get(key, compute)
    split = len(known)
    return (
        Examples(examples.fingerprints[:split], examples.label_indices[:split]),
        Examples(examples.fingerprints[split:], examples.label_indices[split:]),
    )


def evenly_by_word(clips: Sequence[Clip], count: int, rng: np.random.Generator) -> list[Clip]:
    """Choose up to `count` clips, word after word in turn, each word's clips in random order."""
    queues = [[clips[i] for i in rng.permutation(len(clips))] for clips in by_word(clips)]
    turns = [
        queue[turn]
        for turn in range(max(map(len, queues), default=0))
        for queue in queues
        if turn < len(queue)
    ]
    return turns[:count]


def _moved(clip: Clip, held_out_words: Sequence[str]) -> Clip:
    if clip.word in held_out_words and clip.partition == TRAINING:
        return dataclasses.replace(clip, partition=VALIDATION)
    return clip


def _cache_key(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _content_digest(
    clips: Sequence[Clip],
    noise_files: Sequence[Path] = (),
    speech_files: Sequence[Path] = (),
    other_noise_files: Sequence[Path] = (),
) -> str:
    """SHA-256 over the uses, names and bytes of all files, in order."""
    used = [
        ("silence" if clip.word == SILENCE_LABEL else f"word {clip.word}", clip.path)
        for clip in clips
    ]
    used += [("noise", path) for path in noise_files]
    used += [("speech", path) for path in speech_files]
    used += [("other noise", path) for path in other_noise_files]

    def chunk(start: int) -> list[list[str]]:
        return [
            [use, path.name, hashlib.sha256(path.read_bytes()).hexdigest()]
            for use, path in used[start : start + _CHUNK]
        ]

    return _cache_key(*chain(*map_threads(chunk, range(0, len(used), _CHUNK))))


def _joined(parts: Sequence[Examples]) -> Examples:
    return Examples(
        np.concatenate([part.fingerprints for part in parts]),
        np.concatenate([part.label_indices for part in parts]),
    )
