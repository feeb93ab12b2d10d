"""Synthesise speech to train on, in the Speech Commands layout, with espeak-ng and flite."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.progress import Progress

from golden import files
from scripts.console.command_line import Parser, comma_separated, run_command
from scripts.console.flags import DEFAULT_DATA_DIR
from scripts.speech.synthetic_speech import OTHER_WORDS, SpeechSettings, make_speech
from scripts.speech.synthetic_voices import ENGINES, VOICES

DEFAULTS = SpeechSettings()


def main() -> None:
    """Parse the command line, make the clips, say how many there are."""
    flags = parse_flags()
    settings = settings_of(flags)
    with Progress(transient=True, disable=not sys.stdout.isatty()) as bar:
        task = bar.add_task("speaking")
        count = make_speech(
            settings,
            flags.output_dir,
            lambda done, total: bar.update(task, completed=done, total=total),
            flags.force,
        )
        bar.update(task, completed=count, total=count)
    words = len(settings.wanted_words) + len(settings.other_words)
    print(f"{flags.output_dir}: {count} clips of {words} words by {settings.voices} voices")


def parse_flags() -> argparse.Namespace:
    """Return the flags of the command line."""
    parser = Parser(
        __doc__,
        "python scripts/make_speech.py --output_dir work/synthetic_speech --wanted_words yes,no",
    )
    parser.add_argument("--output_dir", type=Path, default=DEFAULT_DATA_DIR)
    parser.add_argument(
        "--wanted_words",
        type=comma_separated,
        default=",".join(DEFAULTS.wanted_words),
        help="words to recognise, comma-separated",
    )
    parser.add_argument(
        "--words",
        type=comma_separated,
        default=",".join(OTHER_WORDS),
        help="other words, comma-separated; wanted ones are left out",
    )
    parser.add_argument(
        "--words_file", type=Path, help="file of other words, to be used instead of WORDS"
    )
    parser.add_argument(
        "--clips_per_word", type=int, default=DEFAULTS.clips_per_word, help="of each wanted word"
    )
    parser.add_argument(
        "--clips_per_other_word",
        type=int,
        default=DEFAULTS.clips_per_other_word,
        help="of each other word",
    )
    parser.add_argument("--engine", choices=("both", *ENGINES), default="both", help="synthesiser")
    parser.add_argument(
        "--voices", type=int, help="how many voices speak; unless given, all that the engine has"
    )
    parser.add_argument("--seed", type=int, default=DEFAULTS.seed, help="of all that is random")
    parser.add_argument(
        "--force", action="store_true", help="replace clips that were made with other settings"
    )
    return parser.parse_args()


def settings_of(flags: argparse.Namespace) -> SpeechSettings:
    """Return the settings that the flags ask for; raises ValueError for impossible ones."""
    engines = ENGINES if flags.engine == "both" else (flags.engine,)
    words = flags.words
    if flags.words_file is not None:
        words = tuple(files.read_text(flags.words_file).split())
    every_voice = sum(voice.engine in engines for voice in VOICES)
    return SpeechSettings(
        wanted_words=flags.wanted_words,
        other_words=tuple(word for word in words if word not in flags.wanted_words),
        clips_per_word=flags.clips_per_word,
        clips_per_other_word=flags.clips_per_other_word,
        voices=every_voice if flags.voices is None else flags.voices,
        engines=engines,
        seed=flags.seed,
    )


if __name__ == "__main__":
    run_command(main)
