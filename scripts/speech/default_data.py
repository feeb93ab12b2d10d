"""The default data folder, synthesised when it is first needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scripts.console.flags import DEFAULT_DATA_DIR
from scripts.console.progress import progress_bar, say
from scripts.speech.synthetic_speech import SpeechSettings, make_speech


def prepare_default_data(data_dirs: Sequence[Path]) -> None:
    """Synthesise the default data folder if it is one of those asked for and is not there."""
    if DEFAULT_DATA_DIR not in data_dirs or DEFAULT_DATA_DIR.exists():
        return
    say(f"{DEFAULT_DATA_DIR} is not there yet: synthesising it (scripts/make_speech.py)")
    with progress_bar("speech") as progress:
        make_speech(SpeechSettings(), DEFAULT_DATA_DIR, progress)
