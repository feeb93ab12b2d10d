"""One rule for the name of a network, whichever of its files a command is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.console.places import golden_cases, network_name, vectors_folder, weights_folder


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("weights/ds_cnn_9742.ckpt-12000/network.npz", "ds_cnn_9742.ckpt-12000"),
        ("weights/ds_cnn_9742.ckpt-12000/ds_cnn_9742.ckpt-12000.npz", "ds_cnn_9742.ckpt-12000"),
        ("best/ds_cnn_9742.ckpt-12000", "ds_cnn_9742.ckpt-12000"),
        ("elsewhere/mine.npz", "mine"),
    ],
)
def test_a_file_is_named_after_itself_or_as_a_plain_network_after_its_folder(
    path: str, name: str
) -> None:
    assert network_name(Path(path)) == name


def test_a_plain_network_in_this_folder_is_named_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    assert network_name(Path("network.npz")) == "mine"


def test_what_belongs_to_a_network_lies_under_its_name() -> None:
    assert weights_folder("mine") == Path("weights/mine")
    assert vectors_folder("mine") == Path("golden/vectors/mine")
    assert golden_cases(Path("weights/mine/network.npz")) == Path("golden/vectors/mine/cases.npz")
