"""Sound files to samples: the first step of the pipeline, before the features.

Whatever libsndfile reads, at any rate, sample width and channel count, becomes float32 mono in
-1..1 at the rate asked for. 16-bit mono files of that very rate, such as Speech Commands, pass
through exactly: each sample is its integer divided by 32,768, as the TensorFlow `decode_wav` op
gives it.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

Samples = npt.NDArray[np.float32]

FULL_SCALE = np.float32(32_768)

# Below this there is no word in a file, only the remains of a broken recording. The shortest words
# of the Free Spoken Digit Dataset last 160 ms.
SHORTEST_MS = 100

# Cutting more than this many clips down to one would throw away most of what was said.
LONGEST_CLIPS = 3

# Lossy coding, resampling and float files may pass full scale a little, and are clipped there. More
# than this (12 dB) are samples on another scale, for instance 16-bit integers kept as floats.
PEAK_LIMIT = 4.0

# Sound files carry speech between these rates; others are broken headers, for which the resampling
# filter would not fit in memory.
LOWEST_RATE_HZ = 1_000
HIGHEST_RATE_HZ = 768_000

_BLOCK_VALUES = 2**22

# What libsndfile notes where a header gives its sound another length than the file has.
_WRONG_LENGTH = re.compile(
    r"^ *(?:data|SSND|Data Size|Riff size|riff) *: (\d+) \(should be (\d+)\)", re.MULTILINE
)
_MORE_BEHIND = re.compile(
    r"^ *data : (\d+)\n(?:.*\n)*?.*Unknown chunk marker .*?at position (\d+)", re.MULTILINE
)
_LONGEST_TRAILER = 1_024  # bytes that are no chunk behind the sound; more are sound, too
# Programs that write to a pipe put a length near a limit of 32 bits, as they cannot know it yet.
_LEAST_UNKNOWN_LENGTH = 2**31 - 2**16


def read_audio(path: Path | str, sample_rate_hz: int) -> Samples:
    """Read a whole sound file, of any length, as float32 `[samples]`, mono, in -1..1.

    Channels are averaged. A file of another rate is resampled by the exact ratio of the two rates
    (polyphase FIR, Kaiser window, linear phase); n frames become ceil(n * new rate / old rate).

    Raises:
        FileNotFoundError: there is no such file (other OSErrors as the file system reports them).
        ValueError: it is not a sound file, is empty or incomplete, or a sample is NaN, infinite or
            on another scale than -1..1.
    """
    with _opened(path) as sound:
        return _resampled(_mono(sound, path), sound.samplerate, sample_rate_hz)


def read_clip(path: Path | str, sample_rate_hz: int, clip_samples: int) -> Samples:
    """Read one spoken word as exactly one clip: float32 `[clip_samples]`, mono, in -1..1.

    A shorter file is padded with zeros behind and a longer one cut at its end, as `decode_wav` does
    with `desired_samples`. The file must last `SHORTEST_MS` at least and `LONGEST_CLIPS` clips at
    most.

    Raises ValueError for a file that is too short or too long, and as `read_audio` does.
    """
    with _opened(path) as sound:
        _check_length(sound, path, LONGEST_CLIPS * clip_samples / sample_rate_hz)
        samples = _resampled(_mono(sound, path), sound.samplerate, sample_rate_hz)
    clip = np.zeros(clip_samples, np.float32)
    kept = samples[:clip_samples]
    clip[: len(kept)] = kept
    return clip


def read_long(path: Path | str, sample_rate_hz: int, least_samples: int) -> Samples:
    """Read a long recording, such as background noise: float32 `[samples]`, mono, in -1..1.

    Raises ValueError if it is shorter than `least_samples`, and as `read_audio` does.
    """
    samples = read_audio(path, sample_rate_hz)
    if len(samples) < least_samples:
        raise ValueError(
            f"{path}: expected at least {least_samples / sample_rate_hz:g} s of sound, "
            f"got {len(samples) / sample_rate_hz:g} s"
        )
    return samples


def to_pcm(samples: Samples) -> npt.NDArray[np.int16]:
    """Return samples as a 16-bit file would hold them."""
    rounded = np.rint(samples * FULL_SCALE)
    pcm: npt.NDArray[np.int16] = np.clip(rounded, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    return pcm


def from_pcm(samples: npt.NDArray[np.int16]) -> Samples:
    """Return 16-bit samples as float32 in -1..1."""
    return samples.astype(np.float32) / FULL_SCALE


def _opened(path: Path | str) -> soundfile.SoundFile:
    """Open a sound file and check its header; the caller closes it."""
    try:
        sound = soundfile.SoundFile(os.fsencode(path))  # names need not be text
    except (soundfile.LibsndfileError, TypeError):  # TypeError: a name in .raw, which has no header
        with Path(path).open("rb") as stream:  # a missing or unreadable file, or a folder: OSError
            found = "something else" if stream.read(1) else "an empty file (0 bytes)"
        raise ValueError(
            f"{path}: expected a sound file (WAV, FLAC, Ogg, ...), got {found}"
        ) from None
    if not LOWEST_RATE_HZ <= sound.samplerate <= HIGHEST_RATE_HZ:
        sound.close()
        raise ValueError(
            f"{path}: expected a sample rate of {LOWEST_RATE_HZ}..{HIGHEST_RATE_HZ} Hz, "
            f"got {sound.samplerate}"
        )
    try:
        _check_complete(sound.extra_info, path)
    except ValueError:
        sound.close()
        raise
    return sound


def _check_complete(notes: str, path: Path | str) -> None:
    """Raise ValueError where libsndfile's notes on a header say that sound is missing."""
    wrong = _WRONG_LENGTH.search(notes)
    if wrong and int(wrong[2]) < int(wrong[1]) < _LEAST_UNKNOWN_LENGTH:
        raise ValueError(
            f"{path}: expected a complete sound file, got one that breaks off: {int(wrong[1]):,} "
            f"bytes of sound as its header says, {int(wrong[2]):,} there"
        )
    more = _MORE_BEHIND.search(notes)
    behind = Path(path).stat().st_size - int(more[2]) if more else 0
    if more and (behind > _LONGEST_TRAILER or int(more[1]) == 0):
        raise ValueError(
            f"{path}: expected the length of its sound in its header, got {int(more[1]):,} bytes "
            f"and {behind:,} bytes of sound behind them (from a recording that was cut short or "
            "put together; ffmpeg -ignore_length 1 -i IN.wav OUT.wav rewrites it)"
        )


def _check_length(sound: soundfile.SoundFile, path: Path | str, longest_s: float) -> None:
    length_s = sound.frames / sound.samplerate
    if length_s > longest_s:
        raise ValueError(
            f"{path}: expected at most {longest_s:g} s for one clip, got {length_s:.6g} s"
        )
    if 0 < length_s < SHORTEST_MS / 1_000:
        raise ValueError(
            f"{path}: expected at least {SHORTEST_MS} ms of sound, got {1_000 * length_s:.4g} ms"
        )


def _mono(sound: soundfile.SoundFile, path: Path | str) -> Samples:
    """Return all frames with the channels averaged, at the file's own rate, checked and clipped."""
    frames = _frames(sound, path)
    if len(frames) == 0:
        raise ValueError(f"{path}: expected sound, got an empty file (0 frames)")
    peak = np.abs(frames).max()  # NaN if any sample is
    if not peak <= PEAK_LIMIT:
        frame, channel = np.argwhere(~(np.abs(frames) <= PEAK_LIMIT))[0]
        raise ValueError(
            f"{path}: expected samples in -1..1, got {frames[frame, channel]:g} in frame {frame}, "
            f"channel {channel}"
        )
    samples: Samples = (
        frames[:, 0] if frames.shape[1] == 1 else frames.mean(axis=1, dtype=np.float32)
    )
    return np.clip(samples, -1, 1) if peak > 1 else samples


def _frames(sound: soundfile.SoundFile, path: Path | str) -> Samples:
    """Return float32 `[frame][channel]`; a false length in the header costs no memory."""
    block_frames = max(1, _BLOCK_VALUES // sound.channels)
    blocks: list[Samples] = []
    try:
        while not blocks or len(blocks[-1]) == block_frames:
            blocks.append(sound.read(block_frames, dtype="float32", always_2d=True))
    except soundfile.LibsndfileError as error:
        raise ValueError(
            f"{path}: expected a complete sound file, got one that breaks off: {error}"
        ) from None
    frames = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    if len(frames) < sound.frames:
        raise ValueError(
            f"{path}: expected {sound.frames} frames as its header says, got {len(frames)}"
        )
    return frames


def _resampled(samples: Samples, old_rate_hz: int, new_rate_hz: int) -> Samples:
    if old_rate_hz == new_rate_hz:
        return samples
    from scipy.signal import resample_poly  # takes longer to load than a test set to read

    common = math.gcd(old_rate_hz, new_rate_hz)
    resampled = resample_poly(samples, new_rate_hz // common, old_rate_hz // common)
    clipped: Samples = np.clip(resampled, -1, 1).astype(np.float32)  # it overshoots at full scale
    return clipped
