"""A Speech Commands folder that the project speaks itself: the embedded default for training.

    <folder>/<word>/<speaker>_nohash_<n>.wav    exactly 1 s, 16 kHz mono, 16 bits
    <folder>/_background_noise_/<kind>.wav      30 s of generated noise
    <folder>/_speech.json                       the settings, and the versions of the synthesisers

The same settings give the same bytes with the same synthesisers: each clip draws its random values
from the seed and its own name alone, so that another word or voice changes no other clip.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import tempfile
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from quant_models.audio import read_audio
from quant_models.speech_commands import BACKGROUND_FOLDER
from scripts.speech.synthetic_noise import babble, coloured_noise, mains_hum
from scripts.speech.synthetic_voices import ENGINES, VOICES, Voice, speak, synthesiser_versions

Samples = npt.NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000
CLIP_SAMPLES = SAMPLE_RATE_HZ
NOISE_SAMPLES = 30 * SAMPLE_RATE_HZ
MANIFEST = "_speech.json"

OTHER_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("up", "down", "left", "right", "on", "off", "stop", "go"),
    *("cat", "happy", "house"),
)

_WORKERS = 2  # processes of the synthesiser at a time
_TRIM_LEVEL = 0.01  # of the peak; below it, the ends of a word count as silence
_TRIM_MARGIN_SAMPLES = SAMPLE_RATE_HZ // 50
_BABBLE_WORDS = 60

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SpeechSettings:
    """What is spoken, how often, by how many of the voices.

    The defaults give 700 clips: by each voice every wanted word twice, and each other word by 20
    voices in turn. From 13 clips of a word on, every partition of 10 % or more holds the word.
    """

    wanted_words: tuple[str, ...] = ("yes", "no")
    other_words: tuple[str, ...] = OTHER_WORDS
    clips_per_word: int = 2 * len(VOICES)
    clips_per_other_word: int = 20
    voices: int = len(VOICES)
    engines: tuple[str, ...] = ENGINES
    seed: int = 1

    def __post_init__(self) -> None:
        """Check every field; raise ValueError."""
        words = (*self.wanted_words, *self.other_words)
        for word in words:
            if not (word.isascii() and word.isalpha() and word.islower()):
                raise ValueError(f"words: expected letters a-z, got '{word}'")
        if not words or len(set(words)) != len(words):
            raise ValueError(f"words: expected each word once, got {','.join(words) or 'none'}")
        for name in ("clips_per_word", "clips_per_other_word"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if not self.engines or not set(self.engines) <= set(ENGINES):
            raise ValueError(f"engines: expected some of {', '.join(ENGINES)}, got {self.engines}")
        most = sum(voice.engine in self.engines for voice in VOICES)
        if not 1 <= self.voices <= most:
            raise ValueError(f"voices: expected 1..{most}, got {self.voices}")
        if self.seed < 0:
            raise ValueError(f"seed: expected 0 or more, got {self.seed}")


@dataclass(frozen=True)
class SpokenClip:
    """One clip to be made: a word, its speaker, and the how-manieth time they speak it."""

    word: str
    voice: Voice
    take: int

    @property
    def name(self) -> str:
        """The path below the data folder."""
        return f"{self.word}/{self.voice.speaker}_nohash_{self.take}.wav"


def planned_clips(settings: SpeechSettings) -> tuple[SpokenClip, ...]:
    """Return every clip; the voices take turns, and go on doing so from one word to the next."""
    voices = [voice for voice in VOICES if voice.engine in settings.engines][: settings.voices]
    counts = [
        *((word, settings.clips_per_word) for word in settings.wanted_words),
        *((word, settings.clips_per_other_word) for word in settings.other_words),
    ]
    turns = itertools.cycle(voices)
    return tuple(
        SpokenClip(word, next(turns), index // len(voices))
        for word, count in counts
        for index in range(count)
    )


def make_speech(
    settings: SpeechSettings,
    output_dir: Path,
    progress: Progress | None = None,
    force: bool = False,
) -> int:
    """Make the data folder unless it is there already; return the number of clips of words.

    The folder is made under another name and then renamed: a broken run leaves no half of it.
    `progress` is called with (clips done, clips in all). `force` replaces a folder that was made
    with other settings; any other folder is left alone.

    Raises:
        FileNotFoundError: a synthesiser is missing.
        ValueError: the folder holds something else, or a synthesiser fails.
    """
    clips = planned_clips(settings)
    if _is_made(settings, output_dir, force):
        return len(clips)
    versions = synthesiser_versions(settings.engines)
    output_dir.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output_dir.name}.", dir=output_dir.parent) as work:
        made = Path(work) / "made"
        words = _write_clips(settings, clips, made, progress)
        _write_noises(settings.seed, words, made)
        manifest = {"settings": _as_json(settings), "synthesisers": versions, "clips": len(clips)}
        (made / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        if output_dir.exists():
            output_dir.rename(Path(work) / "replaced")
        made.rename(output_dir)
    return len(clips)


def _is_made(settings: SpeechSettings, output_dir: Path, force: bool) -> bool:
    """Return whether the folder holds these clips; raise ValueError if it may not be replaced."""
    if not output_dir.exists() or (output_dir.is_dir() and not any(output_dir.iterdir())):
        return False
    try:
        found = json.loads((output_dir / MANIFEST).read_text(encoding="utf-8"))["settings"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(
            f"{output_dir}: expected a folder of synthetic speech or nothing, found something else"
        ) from None
    if found != _as_json(settings) and not force:
        raise ValueError(
            f"{output_dir}: expected synthetic speech of the same settings, found others "
            "(--force replaces it)"
        )
    return bool(found == _as_json(settings))


def _as_json(settings: SpeechSettings) -> object:
    return json.loads(json.dumps(asdict(settings)))


def _generator(seed: int, name: str) -> np.random.Generator:
    """Return the random generator of one file."""
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])


def _write_clips(
    settings: SpeechSettings,
    clips: tuple[SpokenClip, ...],
    folder: Path,
    progress: Progress | None,
) -> list[Samples]:
    """Write every clip; return the spoken words from which the babble is made."""
    for word in (*settings.wanted_words, *settings.other_words):
        (folder / word).mkdir(parents=True)
    hiss = coloured_noise(_generator(settings.seed, "hiss"), NOISE_SAMPLES, SAMPLE_RATE_HZ, 1)

    def write_clip(clip: SpokenClip) -> Samples:
        generator = _generator(settings.seed, clip.name)
        word = _spoken_word(clip, generator, folder / clip.name)
        _write_wav(folder / clip.name, _placed(word, hiss, generator))
        return word

    spoken = []
    with ThreadPoolExecutor(_WORKERS) as pool:
        for done, word in enumerate(pool.map(write_clip, clips), start=1):
            spoken.append(word)
            if progress is not None:
                progress(done, len(clips))
    others = [
        word
        for clip, word in zip(clips, spoken, strict=True)
        if clip.word not in settings.wanted_words
    ]
    return (others or spoken)[:_BABBLE_WORDS]


def _spoken_word(clip: SpokenClip, generator: np.random.Generator, wav_path: Path) -> Samples:
    """Let the synthesiser speak; return the word alone, at 16 kHz, with a peak of 1."""
    speak(clip.voice, clip.word, generator, wav_path)
    samples = read_audio(wav_path, SAMPLE_RATE_HZ)
    samples = samples / max(float(np.abs(samples).max()), 1e-6)
    loud = np.flatnonzero(np.abs(samples) > _TRIM_LEVEL)
    if not len(loud):
        raise ValueError(f"{clip.voice.engine} {clip.voice.name}: '{clip.word}' came out silent")
    begin = max(int(loud[0]) - _TRIM_MARGIN_SAMPLES, 0)
    return np.asarray(samples[begin : loud[-1] + _TRIM_MARGIN_SAMPLES], np.float32)


def _placed(word: Samples, hiss: Samples, generator: np.random.Generator) -> Samples:
    """Return a clip with the word somewhere in it, of random loudness, over a little pink noise.

    The word's RMS level is -30..-14 dB of full scale, the noise's -75..-45 dB. A word longer than
    the clip loses its end.
    """
    word = word[:CLIP_SAMPLES]
    rms = float(np.sqrt(np.mean(np.square(word))))
    gain = min(10 ** (generator.uniform(-30, -14) / 20) / rms, 0.95)  # the word's peak is 1
    cut = int(generator.integers(len(hiss) - CLIP_SAMPLES))
    background = hiss[cut : cut + CLIP_SAMPLES]
    clip = background * (10 ** (generator.uniform(-75, -45) / 20) / float(background.std()))
    begin = int(generator.integers(CLIP_SAMPLES - len(word) + 1))
    clip[begin : begin + len(word)] += gain * word
    return clip


def _noises(seed: int, words: list[Samples]) -> Iterator[tuple[str, Samples]]:
    for name, exponent in (("white_noise", 0), ("pink_noise", 1), ("brown_noise", 2)):
        generator = _generator(seed, name)
        yield name, coloured_noise(generator, NOISE_SAMPLES, SAMPLE_RATE_HZ, exponent)
    yield "mains_hum", mains_hum(_generator(seed, "mains_hum"), NOISE_SAMPLES, SAMPLE_RATE_HZ)
    yield "babble", babble(_generator(seed, "babble"), NOISE_SAMPLES, words)


def _write_noises(seed: int, words: list[Samples], folder: Path) -> None:
    (folder / BACKGROUND_FOLDER).mkdir()
    for name, samples in _noises(seed, words):
        _write_wav(folder / BACKGROUND_FOLDER / f"{name}.wav", samples)


def _write_wav(path: Path, samples: Samples) -> None:
    integers = np.clip(np.round(samples * 32_768), -32_768, 32_767).astype(np.int16)
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, SAMPLE_RATE_HZ, len(integers), "NONE", ""))
        sound.writeframes(integers.astype("<i2").tobytes())
