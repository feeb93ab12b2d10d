"""Faults planted in copies of the RTL, for the tests that must notice them."""

from __future__ import annotations

import shutil
from pathlib import Path

from scripts.console.places import RTL_FOLDER


def plant(folder: Path, module: str, right: str, wrong: str) -> Path:
    """Copy the RTL to `folder` with one text of a module replaced."""
    rtl = shutil.copytree(RTL_FOLDER, folder / "rtl")
    source = (rtl / f"{module}.v").read_text()
    assert source.count(right) == 1, f"{module}: expected one '{right}', got {source.count(right)}"
    (rtl / f"{module}.v").write_text(source.replace(right, wrong))
    return rtl
