"""The default data folder is synthesised when it is missing, and no other one is."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.console.flags import DEFAULT_DATA_DIR
from scripts.speech import default_data


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that are synthesised; nothing is, in truth."""
    folders: list[Path] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        default_data, "make_speech", lambda settings, folder, progress: folders.append(folder)
    )
    return folders


def test_only_the_default_folder_is_synthesised_and_only_if_it_is_missing(
    made: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    default_data.prepare_default_data([Path("elsewhere")])
    assert made == []
    default_data.prepare_default_data([Path("elsewhere"), DEFAULT_DATA_DIR])
    assert made == [Path("work/synthetic_speech")]
    assert "work/synthetic_speech is not there yet: synthesising it" in capsys.readouterr().out
    Path("work/synthetic_speech").mkdir(parents=True)
    default_data.prepare_default_data([Path("elsewhere"), DEFAULT_DATA_DIR])
    assert len(made) == 1
