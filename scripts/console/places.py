"""Where the repository's own files lie, wherever a command is started."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
RTL_FOLDER = REPOSITORY / "rtl_ref"
