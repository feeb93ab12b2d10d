"""Make a track to test streaming on: spoken words at random times over background noise.

Clips of wanted and of other words follow one another at random, from one partition of DATA_DIR
alone, over the stretches of background noise that this partition may hear. What wanted word begins
when goes to NAME.truth.csv beside OUTPUT_FILE, for `label_wav.py --stream --truth`. The same flags
and data give the same files.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from golden import files
from quant_models.audio import read_clip
from quant_models.data_settings import DataSettings
from quant_models.speech_commands import PARTITIONS, TESTING, find_clips
from scripts.console.command_line import Parser, comma_separated, run_command
from scripts.console.flags import DEFAULT_DATA_DIR
from scripts.console.progress import say
from scripts.speech.default_data import prepare_default_data
from scripts.speech.track import (
    TrackSettings,
    choose_clips,
    make_track,
    place_words,
    read_noises,
    truth_text,
    wav_bytes,
    what_was_said,
)

EXAMPLE = (
    "python scripts/make_track.py --minutes 5 --seed 1 --output_file work/track.wav\n"
    "  python label_wav.py --wav work/track.wav --truth work/track.truth.csv --stream "
    "--network weights/NAME/network.npz"
)
WORDS, NOISE = range(2)  # what has a random generator of its own


def main() -> None:
    flags = parse_flags()
    track_file, truth_file = places(flags.output_file)
    settings, data = settings_of(flags)
    prepare_default_data(flags.data_dir)
    found = find_clips(flags.data_dir, data.validation_percentage, data.testing_percentage)
    choice = choose_clips(found, data.wanted_words, flags.partition)
    noises = read_noises(flags.data_dir, flags.partition, data, settings)
    placed = place_words(choice, settings, np.random.default_rng([flags.seed, WORDS]))
    said = what_was_said(placed, data.wanted_words)
    rate, length = settings.sample_rate_hz, settings.clip_samples
    read = partial(read_clip, sample_rate_hz=rate, clip_samples=length)
    samples = make_track(placed, noises, settings, np.random.default_rng([flags.seed, NOISE]), read)
    contents = {track_file: wav_bytes(samples, rate), truth_file: truth_text(said).encode()}
    files.write_claimed(contents, overwrite=flags.overwrite)
    where = f"{flags.partition} partition of {found.where}"
    say(f"words       {len(placed):,}, {len(said):,} of them wanted, {where}")
    if noises:
        say(f"noise       {len(noises)} recordings at volume {settings.noise_volume:g}")
    else:
        say(f"noise       none in {found.where}: silence between the clips")
    say(f"track       {track_file}, {settings.length_ms / 1_000:,.1f} s")
    say(f"truth       {truth_file}")


def parse_flags() -> argparse.Namespace:
    parser, settings, data = Parser(__doc__, EXAMPLE), TrackSettings(), DataSettings()
    add = parser.add_argument
    add(
        "--data_dir",
        type=Path,
        nargs="+",
        default=(DEFAULT_DATA_DIR,),
        help="folders of clips, <word>/<speaker>_nohash_<n>.wav and _background_noise_/*.wav; "
        "the default one is synthesised when it is first needed",
    )
    add("--partition", choices=PARTITIONS, default=TESTING, help="whose clips and noise are heard")
    for name, whose in (("validation_percentage", "validation"), ("testing_percentage", "testing")):
        default = getattr(data, name)
        add(f"--{name}", type=float, default=default, help=f"share of speakers for {whose}")
    add(
        "--wanted_words",
        type=comma_separated,
        default=data.wanted_words,
        help="words that count as said, separated by commas",
    )
    add("--minutes", type=float, default=settings.minutes, help="length of the track")
    add(
        "--gap_ms",
        type=int,
        nargs=2,
        default=settings.gap_ms,
        metavar=("SHORTEST", "LONGEST"),
        help="time from the end of a clip to the next one",
    )
    add(
        "--noise_volume",
        type=float,
        default=settings.noise_volume,
        help="factor on background noise at a root mean square of 0.2",
    )
    add("--sample_rate", type=int, default=settings.sample_rate_hz, help="samples per second")
    add("--clip_duration_ms", type=int, default=settings.clip_ms, help="length of a clip in ms")
    add("--seed", type=int, default=1, help="of all that is random")
    add("--output_file", type=Path, default=Path("work/track.wav"), help="where the track goes")
    add("--overwrite", action="store_true", help="replace other files there")
    return parser.parse_args()


def places(output_file: Path) -> tuple[Path, Path]:
    """Return where track and truth go."""
    if output_file.suffix.lower() != ".wav":
        raise ValueError(f"output_file: expected a name in .wav, got {output_file}")
    return output_file, output_file.with_suffix(".truth.csv")


def settings_of(flags: argparse.Namespace) -> tuple[TrackSettings, DataSettings]:
    """Return the settings that the flags ask for; raises ValueError for impossible ones."""
    if flags.seed < 0:
        raise ValueError(f"seed: expected 0 or more, got {flags.seed}")
    track = TrackSettings(
        minutes=flags.minutes,
        gap_ms=tuple(flags.gap_ms),
        noise_volume=flags.noise_volume,
        sample_rate_hz=flags.sample_rate,
        clip_ms=flags.clip_duration_ms,
    )
    data = DataSettings(
        wanted_words=flags.wanted_words,
        validation_percentage=flags.validation_percentage,
        testing_percentage=flags.testing_percentage,
    )
    return track, data


if __name__ == "__main__":
    run_command(main)
