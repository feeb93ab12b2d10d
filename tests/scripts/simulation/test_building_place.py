"""make builds in any folder, also where the path has spaces."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from scripts.simulation import building_place as module
from scripts.simulation.building_place import building_place


def folder_in(parent: Path, name: str) -> Path:
    (parent / name / "source code").mkdir(parents=True)
    (parent / name / "source code" / "a.v").write_text("module a;")
    return parent / name


@pytest.mark.parametrize("name", ["plain", "with spaces", "with\ttab"])
def test_what_is_built_comes_to_the_folder(tmp_path: Path, name: str) -> None:
    folder = folder_in(tmp_path, name)
    with building_place(folder, {"rtl": folder / "source code"}) as place:
        assert not any(letter.isspace() for letter in str(place.resolve()))
        (place / "built").write_text((place / "rtl" / "a.v").read_text())
    assert sorted(path.name for path in folder.iterdir()) == ["built", "source code"]
    assert (folder / "built").read_text() == "module a;"
    assert place == folder or not place.exists()


def test_links_are_gone_after_a_failure(tmp_path: Path) -> None:
    folder = folder_in(tmp_path, "plain")
    with pytest.raises(ValueError, match="broken"), building_place(folder, {"rtl": tmp_path}):
        raise ValueError("broken")
    assert [path.name for path in folder.iterdir()] == ["source code"]


def test_no_place_without_spaces_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_in(tmp_path, "with spaces")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(module, "_PLACES", ())
    with (
        pytest.raises(
            ValueError, match=r"^TMPDIR: expected a folder without spaces, in which make"
        ),
        building_place(folder, {}),
    ):
        pass
