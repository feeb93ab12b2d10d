"""The default data folder, synthesised when it is first needed."""

from __future__ import annotations

from pathlib import Path

from scripts.console.flags import DEFAULT_DATA_DIR
from scripts.console.progress import progress_bar, say
from scripts.speech.synthetic_speech import SpeechSettings, make_speech


def prepare_default_data(data_dir: Path) -> None:
    """Synthesise the default data folder if that is the one asked for and it is not there."""
    if data_dir != DEFAULT_DATA_DIR or data_dir.exists():
        return
    say(f"{data_dir} is not there yet: synthesising it (scripts/make_speech.py)")
    with progress_bar("speech") as progress:
        make_speech(SpeechSettings(), data_dir, progress)
