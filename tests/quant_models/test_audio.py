"""Sound files of many kinds written, read back, and compared with the numbers that made them."""

from __future__ import annotations

import math
import re
import struct
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from quant_models import audio

RATE_HZ = 16_000

# Rounding of a sample on its way into a file, in units of full scale.
STEPS = {
    "PCM_U8": 2**-7,
    "PCM_16": 2**-15,
    "PCM_24": 2**-23,
    "PCM_32": 2**-23,
    "FLOAT": 2**-23,
    "DOUBLE": 2**-23,
    "ULAW": 2**-5,
    "ALAW": 2**-5,
}


def write_pcm16(path: Path, integers: npt.NDArray[np.int16], rate_hz: int = RATE_HZ) -> Path:
    """Write mono 16-bit WAV with the standard library alone."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(integers.astype("<i2").tobytes())
    return path


def sine(rate_hz: int, seconds: float = 1.0, hz: float = 440.0) -> npt.NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(rate_hz * seconds)) / rate_hz)


def every_integer() -> npt.NDArray[np.int16]:
    return np.random.default_rng(0).permutation(np.arange(-(2**15), 2**15)).astype(np.int16)


def test_every_16_bit_sample_passes_exactly(tmp_path: Path) -> None:
    integers = every_integer()
    samples = audio.read_audio(write_pcm16(tmp_path / "a.wav", integers), RATE_HZ)
    assert samples.dtype == np.float32
    assert [float(x) * 2**15 for x in samples] == integers.tolist()


@pytest.mark.parametrize("length", [1_600, 15_999, 16_000, 16_001, 48_000])
def test_clip_equals_what_decode_wav_gives(tmp_path: Path, length: int) -> None:
    path = write_pcm16(tmp_path / "a.wav", every_integer()[:length])
    expected = tf.audio.decode_wav(path.read_bytes(), 1, RATE_HZ).audio[:, 0].numpy()
    clip = audio.read_clip(path, RATE_HZ, RATE_HZ)
    assert clip.dtype == np.float32
    assert clip.shape == (RATE_HZ,)
    assert np.array_equal(clip, expected)


def test_clip_does_not_hold_on_to_a_longer_recording(tmp_path: Path) -> None:
    path = write_pcm16(tmp_path / "a.wav", np.ones(40_000, np.int16))
    assert audio.read_clip(path, RATE_HZ, RATE_HZ).base is None


@pytest.mark.parametrize("subtype", sorted(STEPS))
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_every_width_and_channel_count_is_read(tmp_path: Path, subtype: str, channels: int) -> None:
    parts = [sine(RATE_HZ, hz=200.0 * (channel + 1)) for channel in range(channels)]
    soundfile.write(tmp_path / "a.wav", np.stack(parts, axis=1), RATE_HZ, subtype)
    samples = audio.read_audio(tmp_path / "a.wav", RATE_HZ)
    assert samples.shape == (RATE_HZ,)
    assert np.abs(samples - sum(parts) / channels).max() <= STEPS[subtype]


@pytest.mark.parametrize("name", ["a.flac", "a.aiff", "a.au", "a.caf", "a.w64"])
def test_other_lossless_containers_give_the_same_samples(tmp_path: Path, name: str) -> None:
    integers = every_integer()
    soundfile.write(tmp_path / name, integers, RATE_HZ, "PCM_16")
    assert np.array_equal(audio.read_audio(tmp_path / name, RATE_HZ), integers / np.float32(2**15))


@pytest.mark.parametrize("name", ["a.ogg", "a.mp3"])
def test_lossy_files_are_read(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / name, sine(RATE_HZ), RATE_HZ)
    samples = audio.read_audio(tmp_path / name, RATE_HZ)
    assert np.abs(samples - sine(RATE_HZ))[200:-200].max() < 0.05


@pytest.mark.parametrize(
    "rate_hz", [4_000, 8_000, 11_025, 15_999, 22_050, 32_000, 44_100, 48_000, 96_000]
)
def test_tone_keeps_pitch_level_and_phase_at_any_rate(tmp_path: Path, rate_hz: int) -> None:
    soundfile.write(tmp_path / "a.wav", sine(rate_hz), rate_hz, "FLOAT")
    samples = audio.read_audio(tmp_path / "a.wav", RATE_HZ)
    assert samples.dtype == np.float32
    assert samples.shape == (RATE_HZ,)
    error = np.abs(samples - sine(RATE_HZ))
    assert error[400:-400].max() < 2e-3  # the filter's ripple; at the ends there is no sound beyond


def test_resampling_does_not_fold_what_is_above_half_the_new_rate(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", sine(48_000, hz=11_000.0), 48_000, "FLOAT")
    samples = audio.read_audio(tmp_path / "a.wav", RATE_HZ)
    assert np.abs(samples[400:-400]).max() < 2e-3


@given(
    frames=st.integers(1, 3_000),
    rates=st.tuples(st.integers(1_000, 48_000), st.integers(1_000, 48_000)),
)
def test_length_after_resampling_is_the_exact_ratio_rounded_up(
    tmp_path_factory: pytest.TempPathFactory, frames: int, rates: tuple[int, int]
) -> None:
    path = tmp_path_factory.mktemp("audio") / "a.wav"
    write_pcm16(path, np.full(frames, 1_000, np.int16), rates[0])
    assert len(audio.read_audio(path, rates[1])) == -(-frames * rates[1] // rates[0])


def test_resampled_full_scale_stays_within_one(tmp_path: Path) -> None:
    square = np.where(np.arange(44_100) % 100 < 50, -(2**15), 2**15 - 1)
    samples = audio.read_audio(write_pcm16(tmp_path / "a.wav", square, 44_100), RATE_HZ)
    assert samples.min() == -1.0
    assert samples.max() == 1.0


def test_a_little_over_full_scale_is_clipped(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", [0.5, 1.25, -4.0], RATE_HZ, "FLOAT")
    assert audio.read_audio(tmp_path / "a.wav", RATE_HZ).tolist() == [0.5, 1.0, -1.0]


def test_block_size_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = np.random.default_rng(0).uniform(-1, 1, (10_000, 2))
    soundfile.write(tmp_path / "a.flac", parts, RATE_HZ)
    whole = audio.read_audio(tmp_path / "a.flac", RATE_HZ)
    for values in (1, 2_000, 20_000):
        monkeypatch.setattr(audio, "_BLOCK_VALUES", values)
        assert np.array_equal(audio.read_audio(tmp_path / "a.flac", RATE_HZ), whole)


def test_long_recordings_are_read_whole(tmp_path: Path) -> None:
    path = write_pcm16(tmp_path / "a.wav", np.zeros(3 * RATE_HZ, np.int16))
    assert audio.read_long(path, RATE_HZ, RATE_HZ).shape == (3 * RATE_HZ,)
    with pytest.raises(ValueError, match=r"a\.wav: expected at least 4 s of sound, got 3 s$"):
        audio.read_long(path, RATE_HZ, 4 * RATE_HZ)


@pytest.mark.parametrize("length", [1_600, 48_000])
def test_shortest_and_longest_clip_are_read(tmp_path: Path, length: int) -> None:
    path = write_pcm16(tmp_path / "a.wav", np.full(length, 7, np.int16))
    assert np.count_nonzero(audio.read_clip(path, RATE_HZ, RATE_HZ)) == min(length, RATE_HZ)


@pytest.mark.parametrize(
    ("length", "rate_hz", "message"),
    [
        (1_599, 16_000, "expected at least 100 ms of sound, got 99.94 ms"),
        (1, 16_000, "expected at least 100 ms of sound, got 0.0625 ms"),
        (48_001, 16_000, "expected at most 3 s for one clip, got 3.00006 s"),
        (799, 8_000, "expected at least 100 ms of sound, got 99.88 ms"),
        (192_001, 48_000, "expected at most 3 s for one clip, got 4.00002 s"),
    ],
)
def test_clip_too_short_or_too_long_is_refused(
    tmp_path: Path, length: int, rate_hz: int, message: str
) -> None:
    path = write_pcm16(tmp_path / "a.wav", np.ones(length, np.int16), rate_hz)
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}: {message}')}$"):
        audio.read_clip(path, RATE_HZ, RATE_HZ)


def refused(path: Path, message: str) -> None:
    """Every way of reading a file refuses it with the same line."""
    readers = (
        lambda: audio.read_audio(path, RATE_HZ),
        lambda: audio.read_clip(path, RATE_HZ, RATE_HZ),
        lambda: audio.read_long(path, RATE_HZ, 1),
    )
    for read in readers:
        with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: {message}") as caught:
            read()
        assert "\n" not in str(caught.value)


NOT_SOUND = r"expected a sound file \(WAV, FLAC, Ogg, \.\.\.\), got "


@pytest.mark.parametrize(
    "data", [b"text\n", bytes(5_000), b"\x89PNG\r\n" * 100, b"RIFF", b"RIFF\x24\0\0\0WAVE"]
)
def test_file_that_is_not_sound_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(data)
    refused(tmp_path / "a.wav", f"{NOT_SOUND}something else$")


def test_samples_without_a_header_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(bytes(32_000))
    refused(tmp_path / "a.raw", f"{NOT_SOUND}something else$")


def test_file_of_no_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"")
    refused(tmp_path / "a.wav", rf"{NOT_SOUND}an empty file \(0 bytes\)$")


def test_file_of_no_frames_is_refused(tmp_path: Path) -> None:
    path = write_pcm16(tmp_path / "a.wav", np.empty(0, np.int16))
    refused(path, r"expected sound, got an empty file \(0 frames\)$")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 4.5, -32768.0])
def test_sample_off_the_scale_is_refused(tmp_path: Path, value: float) -> None:
    samples = np.zeros((8_000, 2))
    samples[1_234, 1] = value
    soundfile.write(tmp_path / "a.wav", samples, RATE_HZ, "FLOAT")
    refused(
        tmp_path / "a.wav",
        rf"expected samples in -1\.\.1, got {value:g} in frame 1234, channel 1$",
    )


@pytest.mark.parametrize("rate_hz", [1, 999, 768_001, 2**31 - 1])
def test_impossible_sample_rate_is_refused(tmp_path: Path, rate_hz: int) -> None:
    path = write_pcm16(tmp_path / "a.wav", np.ones(16_000, np.int16))
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, 24, rate_hz)
    path.write_bytes(data)
    refused(path, rf"expected a sample rate of 1000\.\.768000 Hz, got {rate_hz}$")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.flac", "expected a complete sound file, got one that breaks off: "),
        ("a.mp3", r"expected 20000 frames as its header says, got \d+$"),
    ],
)
def test_file_that_breaks_off_is_refused(tmp_path: Path, name: str, message: str) -> None:
    path = tmp_path / name
    soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, 20_000), RATE_HZ)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(path, message)


@pytest.mark.parametrize("kept", [0.25, 0.5, 0.999])
@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        *(("WAV", subtype) for subtype in ("PCM_U8", "PCM_16", "FLOAT", "ULAW", "IMA_ADPCM")),
        *(("WAVEX", "PCM_24"), ("RF64", "PCM_16"), ("W64", "PCM_16")),
        *(("AIFF", "PCM_16"), ("AIFF", "FLOAT"), ("AU", "PCM_16")),
    ],
)
def test_file_shorter_than_its_header_says_is_refused(
    tmp_path: Path, container: str, subtype: str, kept: float
) -> None:
    path = tmp_path / "a"
    sound = np.random.default_rng(0).uniform(-1, 1, 20_000)
    soundfile.write(path, sound, RATE_HZ, subtype, format=container)
    assert len(audio.read_audio(path, RATE_HZ)) >= 20_000  # ADPCM comes in blocks
    path.write_bytes(path.read_bytes()[: round(kept * path.stat().st_size)])
    refused(path, r"expected a complete sound file, got one that breaks off: [\d,]+ bytes of soun")


def with_lengths(path: Path, outer: int, data: int) -> Path:
    """Write a WAV file of 1,000 samples whose header gives other lengths."""
    write_pcm16(path, every_integer()[:1_000])
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, 4, outer)
    struct.pack_into("<I", content, 40, data)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("outer", "data"), [(2**32 - 1, 2**32 - 1), (0x7FFFF024, 0x7FFFF000), (7, 2_000)]
)
def test_a_length_that_was_not_known_when_it_was_written_is_found(
    tmp_path: Path, outer: int, data: int
) -> None:
    samples = audio.read_audio(with_lengths(tmp_path / "a.wav", outer, data), RATE_HZ)
    assert [float(x) * 2**15 for x in samples] == every_integer()[:1_000].tolist()


@pytest.mark.parametrize(("data", "behind"), [(0, 2_000), (500, 1_500), (501, 1_498)])
def test_sound_behind_what_the_header_says_is_not_lost(
    tmp_path: Path, data: int, behind: int
) -> None:
    path = with_lengths(tmp_path / "a.wav", 2_036, data)
    refused(
        path,
        f"expected the length of its sound in its header, got {data} bytes and {behind:,} bytes of "
        r"sound behind them .* rewrites it\)$",
    )


@pytest.mark.parametrize(
    "trailer",
    [
        b"LIST\4\0\0\0INFO",
        b"abcd\4\0\0\0" + bytes(range(4)),
        b"TAG" + b"x" * 125,
        bytes(5_000),
        bytes(range(128, 256)) * 8,
    ],
)
def test_what_programs_leave_behind_the_sound_is_no_sound(tmp_path: Path, trailer: bytes) -> None:
    path = tmp_path / "a.wav"
    write_pcm16(path, every_integer()[:1_000])
    path.write_bytes(path.read_bytes() + trailer)
    assert len(audio.read_audio(path, RATE_HZ)) == 1_000


def test_missing_file_and_folder_give_the_error_of_the_system(tmp_path: Path) -> None:
    for path, kind in ((tmp_path / "a.wav", FileNotFoundError), (tmp_path, IsADirectoryError)):
        with pytest.raises(kind) as caught:
            audio.read_audio(path, RATE_HZ)
        assert caught.value.filename == str(path)
