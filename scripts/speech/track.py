"""A track to test streaming on: clips of words at random times over noise, and what was said when.

`scripts/make_track.py` writes such a track, `label_wav.py --stream --truth` hears it. Words and
noise come from one partition of data folders in the Speech Commands layout. What is random comes
from a generator that is handed in; words and noise have one each, so that the same words are said
at the same times over any noise at any volume.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import soundfile

from golden.network import FeatureSettings
from quant_models.audio import (
    HIGHEST_RATE_HZ,
    LOWEST_RATE_HZ,
    SHORTEST_MS,
    Samples,
    read_long,
    to_pcm,
)
from quant_models.augment import AugmentationSettings
from quant_models.data_settings import DataSettings
from quant_models.recordings import levelled, noise_stretch
from quant_models.sampler import by_word
from quant_models.sound_files import find_sound
from quant_models.speech_commands import (
    BACKGROUND_FOLDER,
    PARTITIONS,
    SILENCE_LABEL,
    Clip,
    FoundClips,
    require_words,
)
from quant_models.streaming import Said

_FADE_MS = 50  # from one stretch of noise to the next; half of the shortest stretch at most
_LONGEST_CLIP_MS = 10_000
_MOST_MINUTES = 300  # 1.2 GB of samples at 16 kHz, and 0.6 GB of file, twice for a moment
_LOUDEST_NOISE = 10
_BLOCK_SAMPLES = 2**20

Item = TypeVar("Item")


@dataclass(frozen=True)
class TrackSettings:
    """How long a track is, and what lies between its words.

    The time between one clip and the next, and before the first, is even in `gap_ms`, both ends
    included. `noise_volume` is the factor on noise at a root mean square of 0.2, as training's
    volumes are; the default is what training puts under words at most.
    """

    minutes: float = 5.0
    gap_ms: tuple[int, int] = (1_000, 4_000)
    noise_volume: float = AugmentationSettings.background_volume
    sample_rate_hz: int = FeatureSettings.sample_rate_hz
    clip_ms: int = FeatureSettings.clip_ms

    def __post_init__(self) -> None:
        if not 0 < self.minutes <= _MOST_MINUTES:
            raise ValueError(
                f"minutes: expected above 0 and up to {_MOST_MINUTES}, got {self.minutes:g}"
            )
        low, high = self.gap_ms
        if not 0 <= low <= high:
            raise ValueError(f"gap_ms: expected 0 <= shortest <= longest, got {low} and {high}")
        if not 0 <= self.noise_volume <= _LOUDEST_NOISE:
            raise ValueError(
                f"noise_volume: expected 0..{_LOUDEST_NOISE}, got {self.noise_volume:g}"
            )
        if not LOWEST_RATE_HZ <= self.sample_rate_hz <= HIGHEST_RATE_HZ:
            raise ValueError(
                f"sample_rate: expected {LOWEST_RATE_HZ}..{HIGHEST_RATE_HZ} Hz, "
                f"got {self.sample_rate_hz}"
            )
        if not SHORTEST_MS <= self.clip_ms <= _LONGEST_CLIP_MS:
            raise ValueError(
                f"clip_duration_ms: expected {SHORTEST_MS}..{_LONGEST_CLIP_MS}, got {self.clip_ms}"
            )
        least_ms = high + self.clip_ms + low
        if self.length_ms < least_ms:
            raise ValueError(
                f"minutes: expected {least_ms:,} ms at least, room for a word and the gaps about "
                f"it, got {self.length_ms:,} ms"
            )

    @property
    def length_ms(self) -> int:
        return round(self.minutes * 60_000)

    @property
    def samples(self) -> int:
        """The length of the track."""
        return self.samples_in(self.length_ms)

    @property
    def clip_samples(self) -> int:
        return self.samples_in(self.clip_ms)

    def samples_in(self, time_ms: int) -> int:
        """Return the samples before a time, rounded down as the sliding clip's are."""
        return time_ms * self.sample_rate_hz // 1_000


@dataclass(frozen=True)
class Choice:
    """The clips that may be heard, by word: of wanted words, and of others."""

    wanted: list[list[Clip]]
    others: list[list[Clip]]


@dataclass(frozen=True)
class Placed:
    """A clip, and when it begins."""

    time_ms: int
    clip: Clip


def choose_clips(found: FoundClips, wanted_words: Sequence[str], partition: str) -> Choice:
    """Return the clips of one partition; there may be none of other words.

    Raises ValueError for a wanted word that has no clips, or none in the partition.
    """
    require_words(found, wanted_words, "wanted_words")
    counts = Counter((clip.word, clip.partition) for clip in found.clips)
    for word in wanted_words:
        if not counts[word, partition]:
            there = ", ".join(f"{counts[word, name]:,} for {name}" for name in PARTITIONS)
            raise ValueError(
                f"{found.where}: expected clips of {word} in the {partition} partition, found "
                f"none ({there}; --partition takes another)"
            )
    heard = [clip for clip in found.clips if clip.partition == partition]
    wanted = [clip for clip in heard if clip.word in wanted_words]
    others = [clip for clip in heard if clip.word not in (*wanted_words, SILENCE_LABEL)]
    return Choice(by_word(wanted), by_word(others))


def read_noises(
    data_dirs: Sequence[Path], partition: str, data: DataSettings, settings: TrackSettings
) -> list[Samples]:
    """Return the stretches of background noise that a partition may hear, equally loud.

    Raises ValueError or OSError for a file that is no sound.
    """
    folders = [folder / BACKGROUND_FOLDER for folder in data_dirs]
    paths = [path for each in folders if each.is_dir() for path in find_sound(each).sounds]
    rate, least = settings.sample_rate_hz, settings.clip_samples
    held_back = data.validation_percentage, data.testing_percentage
    return [
        noise_stretch(levelled(read_long(path, rate, least)), partition, *held_back, least)
        for path in paths
    ]


def place_words(choice: Choice, settings: TrackSettings, rng: np.random.Generator) -> list[Placed]:
    """Return which clip begins when, in order: one at least.

    Wanted words and others are equally likely, and so are the words of either kind. No clip is
    heard again before all of its word were. The shortest gap at least is left behind the last clip.
    """
    kinds = [
        [_dealt(clips, rng) for clips in words] for words in (choice.wanted, choice.others) if words
    ]
    low, high = settings.gap_ms
    placed: list[Placed] = []
    time_ms = int(rng.integers(low, high + 1))
    while time_ms + settings.clip_ms + low <= settings.length_ms:
        words = kinds[rng.integers(len(kinds))]
        placed.append(Placed(time_ms, next(words[rng.integers(len(words))])))
        time_ms += settings.clip_ms + int(rng.integers(low, high + 1))
    return placed


def what_was_said(placed: Sequence[Placed], wanted_words: Sequence[str]) -> list[Said]:
    """Return the wanted words of a track; others should not be detected, and are no truth."""
    return [Said(each.time_ms, each.clip.word) for each in placed if each.clip.word in wanted_words]


def make_track(
    placed: Sequence[Placed],
    noises: Sequence[Samples],
    settings: TrackSettings,
    rng: np.random.Generator,
    read: Callable[[Path], Samples],
) -> Samples:
    """Return the track `[samples]`: the clips, as `read` gives them, added to the noise."""
    track = _noise_bed(noises, settings, rng)
    for each in placed:
        start = settings.samples_in(each.time_ms)
        track[start : start + settings.clip_samples] += read(each.clip.path)
    return track


def wav_bytes(samples: Samples, sample_rate_hz: int) -> bytes:
    """Return a WAV file of 16 bits; what is louder than full scale is clipped."""
    stream = io.BytesIO()
    header = {"samplerate": sample_rate_hz, "channels": 1, "format": "WAV", "subtype": "PCM_16"}
    with soundfile.SoundFile(stream, "w", **header) as sound:
        for start in range(0, len(samples), _BLOCK_SAMPLES):
            sound.write(to_pcm(samples[start : start + _BLOCK_SAMPLES]))
    return stream.getvalue()


def truth_text(said: Sequence[Said]) -> str:
    """Return the lines that `quant_models.streaming.read_truth` reads."""
    return "".join(f"{word.label},{word.time_ms}\n" for word in said)


def _noise_bed(
    noises: Sequence[Samples], settings: TrackSettings, rng: np.random.Generator
) -> Samples:
    """Return noise after noise in random order, each faded into the next at the same power.

    Without noises it is silence.
    """
    bed = np.zeros(settings.samples, np.float32)
    fade = settings.samples_in(_FADE_MS)
    rise = np.sqrt(np.arange(1, fade + 1, dtype=np.float32) / np.float32(fade + 1))
    start = 0
    for noise in _dealt(noises, rng):
        piece = noise.copy()
        piece[:fade] *= rise
        piece[-fade:] *= rise[::-1]
        part = piece[: len(bed) - start]
        bed[start : start + len(part)] += part
        start += len(piece) - fade
        if start >= len(bed):
            break
    bed *= np.float32(settings.noise_volume)
    return bed


def _dealt(items: Sequence[Item], rng: np.random.Generator) -> Iterator[Item]:
    """Yield items without end, each time all of them in another random order; of none, none."""
    while items:
        for index in rng.permutation(len(items)):
            yield items[index]
