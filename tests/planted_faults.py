"""Faults planted in copies of the RTL, for the tests that must notice them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from scripts.console.places import RTL_FOLDER


def plant(folder: Path, module: str, right: str, wrong: str) -> Path:
    """Copy the RTL to `folder` with one text of a module replaced."""
    return plant_all(folder, module, [(right, wrong)])


def plant_all(folder: Path, module: str, edits: Iterable[tuple[str, str]]) -> Path:
    """Copy the RTL to `folder` with texts of a module replaced, each a right one by a wrong one.

    Raises AssertionError for a right text that the module does not have exactly once.
    """
    rtl = shutil.copytree(RTL_FOLDER, folder / "rtl")
    source = (rtl / f"{module}.v").read_text()
    for right, wrong in edits:
        assert source.count(right) == 1, (
            f"{module}: expected one '{right}', got {source.count(right)}"
        )
        source = source.replace(right, wrong)
    (rtl / f"{module}.v").write_text(source)
    return rtl
