"""Checkpoint files: identity, names, and every way in which a file can be wrong."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from golden import archive
from golden.network import FeatureSettings, IntegerNetwork
from quant_models.architectures.ds_cnn import FC1
from quant_models.augment import AugmentationSettings
from quant_models.checkpoint import KIND, load_checkpoint
from quant_models.data_settings import DataSettings
from tests.checkpoints import SMALL, ds_cnn_size, random_checkpoint, random_parameters
from tests.networks import random_fingerprints
from tests.repository import REPOSITORY


def refusal(path: Path) -> str:
    """The one line with which loading is refused."""
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message.removeprefix(f"{path}: ")


def rewritten(folder: Path, edit: Any) -> Path:
    """Save a checkpoint whose description and arrays were edited, with a digest that matches."""
    stored = archive.read_archive(random_checkpoint().save(folder), KIND)
    description, arrays = dict(stored.description), dict(stored.arrays)
    edit(description, arrays)
    archive.write_archive(folder / "edited.npz", KIND, description, arrays)
    return folder / "edited.npz"


# ---- identity


def test_save_then_load_is_the_identity(tmp_path: Path) -> None:
    saved = random_checkpoint(
        size=ds_cnn_size(SMALL, (1, 2, 3)),
        labels=("_silence_", "_unknown_", "up", "down"),
        features=FeatureSettings(window_ms=41.5),
        data=DataSettings(
            wanted_words=("up", "down"),
            held_out_words=("bird",),
            augmentation=AugmentationSettings(silence_volume=(0.25, 0.5), speed_change=0.1),
        ),
        training={"steps": [1, 2], "note": "für später"},
    )
    loaded = load_checkpoint(saved.save(tmp_path))
    for field in dataclasses.fields(saved):
        expected, found = getattr(saved, field.name), getattr(loaded, field.name)
        if field.name == "parameters":
            assert sorted(found) == sorted(expected)
            assert all(np.array_equal(found[name], expected[name]) for name in expected)
            assert all(found[name].dtype == np.float32 for name in expected)
        else:
            assert type(found) is type(expected)
            assert np.array_equal(found, expected)
    assert loaded.to_bytes() == saved.to_bytes()
    assert loaded.network().digest == saved.network().digest


def test_the_same_content_gives_the_same_bytes() -> None:
    assert random_checkpoint(1).to_bytes() == random_checkpoint(1).to_bytes()
    assert random_checkpoint(1).to_bytes() != random_checkpoint(2).to_bytes()


@pytest.mark.parametrize(
    ("accuracy", "step", "name"),
    [
        (0.9507, 24_200, "ds_cnn_9507.ckpt-24200.npz"),
        (0.95074, 1, "ds_cnn_9507.ckpt-1.npz"),
        (0.95076, 1, "ds_cnn_9508.ckpt-1.npz"),
        (0.05, 500, "ds_cnn_0500.ckpt-500.npz"),
        (0.0, 500, "ds_cnn_0000.ckpt-500.npz"),
        (1.0, 500, "ds_cnn_10000.ckpt-500.npz"),
    ],
)
def test_name_has_architecture_accuracy_and_step(
    tmp_path: Path, accuracy: float, step: int, name: str
) -> None:
    checkpoint = random_checkpoint(accuracy=accuracy, step=step)
    assert checkpoint.save(tmp_path / "best") == tmp_path / "best" / name
    assert [path.name for path in (tmp_path / "best").iterdir()] == [name]


def test_the_suffix_may_be_left_out(tmp_path: Path) -> None:
    path = random_checkpoint().save(tmp_path)
    assert path == tmp_path / "ds_cnn_9507.ckpt-24200.npz"
    assert load_checkpoint(tmp_path / "ds_cnn_9507.ckpt-24200").step == 24_200


def test_the_network_does_not_depend_on_what_else_a_checkpoint_carries() -> None:
    other = random_checkpoint(accuracy=0.5, step=7, training={}, cases=9)
    assert other.network().digest == random_checkpoint().network().digest


@pytest.mark.parametrize(
    ("info", "padding"),
    [
        (SMALL, ("SAME", "SAME")),
        ((1, 3, 4, 4, 2, 2), None),
        ((4, *SMALL[1:], 6, 3, 3, 2, 2, 4, 2, 2, 1, 1), ("VALID", "SAME", "VALID", "SAME")),
    ],
)
def test_any_size_is_saved_and_loaded(
    tmp_path: Path, info: tuple[int, ...], padding: tuple[str, ...] | None
) -> None:
    size = ds_cnn_size(info, range(2, 2 * info[0] + 1), padding)
    saved = random_checkpoint(size=size, parameters=random_parameters(0, size, 4))
    loaded = load_checkpoint(saved.save(tmp_path))
    assert loaded.size == size
    assert loaded.network().digest == saved.network().digest


def test_only_unusual_padding_is_written_so_that_old_checkpoints_keep_their_bytes() -> None:
    assert "padding" not in random_checkpoint()._description()
    unusual = random_checkpoint(size=ds_cnn_size(SMALL, padding=("same", "same")))
    assert unusual._description()["padding"] == ["SAME", "SAME"]


def test_the_shipped_checkpoint_keeps_its_bytes() -> None:
    (path,) = (REPOSITORY / "weights").glob("*/ds_cnn_*.npz")
    checkpoint = load_checkpoint(path)
    again = archive.digest_of(KIND, checkpoint._description(), checkpoint._arrays())
    assert again == archive.read_archive(path, KIND).digest
    network = IntegerNetwork.load(path.parent / "network.npz")
    assert checkpoint.network().digest == network.digest


# ---- files that are refused


@pytest.mark.parametrize("name", ["nothing.npz", "ds_cnn_9507.ckpt-1"])
def test_a_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    expected = f"expected a {KIND} file, found nothing there"
    assert refusal(tmp_path / name) == expected


@pytest.mark.parametrize("path", [Path(), Path("/")])
def test_a_folder_is_refused(path: Path) -> None:
    assert refusal(path) == f"expected a {KIND} file, found a folder"


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    content = random_checkpoint().to_bytes()
    path = tmp_path / "cut.npz"
    for length in [*range(0, len(content), 97), len(content) - 1]:
        path.write_bytes(content[:length])
        assert refusal(path) == f"expected a {KIND} file, found a truncated or foreign one"


def test_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    content = bytearray(random_checkpoint().to_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "flipped.npz").write_bytes(content)
    assert refusal(tmp_path / "flipped.npz")


def test_a_tampered_weight_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file declares the digest that it had before one weight was changed by one step."""
    stored = archive.read_archive(random_checkpoint().save(tmp_path), KIND)
    weights = stored.arrays[FC1].copy()
    weights[0, 0] += 1 / 32
    arrays = {**stored.arrays, FC1: weights}
    with monkeypatch.context() as patch:
        patch.setattr(archive, "digest_of", lambda *content: stored.digest)
        archive.write_archive(tmp_path / "tampered.npz", KIND, stored.description, arrays)
    actual = archive.digest_of(KIND, stored.description, arrays)
    assert refusal(tmp_path / "tampered.npz") == (
        f"digest does not match, declared {stored.digest}, content has {actual}"
    )


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    random_checkpoint().network().save(tmp_path / "network.npz")
    assert refusal(tmp_path / "network.npz") == (
        f"expected a {KIND} file, found one of kind 'integer network'"
    )
    np.savez(tmp_path / "numpy.npz", weights=np.zeros(3))
    (tmp_path / "text.npz").write_text("yes, no\n")
    for name in ("numpy.npz", "text.npz"):
        message = refusal(tmp_path / name)
        assert message == f"expected a {KIND} file, found a truncated or foreign one"


class Bomb:
    """Unpickling it writes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    payload = np.empty(1, object)
    payload[0] = Bomb(tmp_path / "was here")
    np.savez(tmp_path / "pickle.npz", allow_pickle=True, weights=payload)
    np.save(tmp_path / "pickle.npy", payload, allow_pickle=True)
    for name in ("pickle.npz", "pickle.npy"):
        message = refusal(tmp_path / name)
        assert message == f"expected a {KIND} file, found a truncated or foreign one"
    assert not (tmp_path / "was here").exists()


# ---- content that contradicts itself


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": ds_cnn_size((2, 4, *SMALL[2:]))},
         r"DS-CNN/conv_1/weights: expected shape \(4, 4, 1, 4\), got \(4, 4, 1, 3\)"),
        ({"features": FeatureSettings(coefficients=3)},
         "model_size_info: expected the kernel of layer 1 within the fingerprint of 30 x 3"),
        ({"labels": ("_silence_", "_unknown_", "yes")},
         "labels: expected _silence_ _unknown_ yes no as its wanted words say, "
         "got _silence_ _unknown_ yes"),
        ({"labels": ("_silence_", "_unknown_", "no", "yes")},
         "labels: expected _silence_ _unknown_ yes no as its wanted words say, got "),
        ({"accuracy": 1.5}, r"accuracy: expected 0\.\.1, got 1\.5"),
        ({"accuracy": float("nan")}, r"accuracy: expected 0\.\.1, got nan"),
        ({"step": -1}, "step: expected 0 or more, got -1"),
        ({"cases": random_fingerprints(0, 8, (10, 30))},
         r"cases: expected shape \('N', 30, 10\), got \(8, 10, 30\)"),
        ({"cases": np.full((8, 30, 10), 32, np.int8)},
         r"cases: expected integers in -32\.\.31, got 32 at \(0, 0, 0\)"),
        ({"cases": np.zeros((8, 30, 10), np.float32)}, "cases: expected an array of integers"),
        ({"cases": random_fingerprints(0, 7)},
         r"case_labels: expected 7 integers in 0\.\.3, one a case, got shape \(8,\)"),
        ({"case_labels": np.arange(8)},
         r"case_labels: expected 8 integers in 0\.\.3, one a case, got 7"),
        ({"case_labels": np.zeros(8)},
         r"case_labels: expected 8 integers in 0\.\.3, one a case, got float64"),
        ({"cases": random_fingerprints(0, 0), "case_labels": np.zeros(0, np.int64)},
         "cases: expected at least one, got none"),
    ],
)  # fmt: skip
def test_a_checkpoint_that_contradicts_itself_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    checkpoint = random_checkpoint()
    archive.write_archive(
        tmp_path / "wrong.npz", KIND, *edited(dataclasses.replace(checkpoint, **changes))
    )
    assert re.match(f"not a valid checkpoint: {message}", refusal(tmp_path / "wrong.npz"))


def edited(checkpoint: Any) -> tuple[Any, Any]:
    """Description and arrays of a checkpoint, consistent or not."""
    return checkpoint._description(), checkpoint._arrays()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d, a: d.pop("labels"), "'labels'"),
        (lambda d, a: d.update(labels=5), "not iterable"),
        (lambda d, a: d.update(features=None), "NoneType"),
        (lambda d, a: d["features"].update(hop_ms=1), "hop_ms"),
        (lambda d, a: d.update(data=[1, 2]), "'list' object has no attribute 'items'"),
        (lambda d, a: d["data"].update(colour="red"), "colour"),
        (lambda d, a: d["data"].pop("augmentation"), "'augmentation'"),
        (lambda d, a: d["data"].update(silence_percentage=-1), "silence_percentage: expected 0"),
        (lambda d, a: d.update(model_size_info=[2, 48]), "model_size_info: expected the number"),
        (lambda d, a: d.update(model_size_info=[2, 3.0, *SMALL[2:]]), "expected integers"),
        (lambda d, a: d.update(shifts=[1, 2]), "shifts: expected 3 in"),
        (lambda d, a: d.update(padding=["SAME"]), "padding: expected SAME or VALID for each"),
        (lambda d, a: d.update(padding=[1, 2]), "'int' object has no attribute 'upper'"),
        (lambda d, a: d.update(accuracy=10**400), "int too large"),
        (lambda d, a: d.update(step="many"), "invalid literal"),
        (lambda d, a: a.pop("DS-CNN/fc1/weights"), "DS-CNN/fc1/weights: .* got none"),
        (lambda d, a: a.pop("cases/fingerprints"), "'cases/fingerprints'"),
        (lambda d, a: a.update(spare=np.zeros(3)), "spare: expected no such array"),
        (lambda d, a: a.update({FC1: np.full((5, 4), np.nan, "f4")}), "fc1.*: .* got nan at"),
        (lambda d, a: a.update({FC1: np.full((5, 4), "yes")}), FC1),
    ],
)
def test_a_file_with_wrong_content_is_refused(tmp_path: Path, edit: Any, message: str) -> None:
    found = refusal(rewritten(tmp_path, edit))
    assert re.match(f"not a valid checkpoint: .*{message}", found), found


def test_a_failed_save_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = random_checkpoint().save(tmp_path)
    old = path.read_bytes()

    def full_disk(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    other = random_checkpoint(parameters=random_parameters(9, ds_cnn_size(SMALL), 4))
    with pytest.raises(OSError, match="No space left on device"):
        other.save(tmp_path)
    assert path.read_bytes() == old
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
