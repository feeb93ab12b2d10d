"""The cache of example sets: computed once, computed again when damaged, never trusted blindly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from golden import archive
from quant_models.feature_cache import Examples, FeatureCache


def some_examples(seed: int = 0) -> Examples:
    rng = np.random.default_rng(seed)
    return Examples(rng.integers(-32, 32, (5, 30, 10), dtype=np.int8), rng.integers(0, 4, 5))


def poison() -> Examples:
    raise AssertionError("computed although it was kept")


def assert_same(found: Examples, expected: Examples) -> None:
    assert np.array_equal(found.fingerprints, expected.fingerprints)
    assert np.array_equal(found.label_indices, expected.label_indices)
    assert (found.fingerprints.dtype, found.label_indices.dtype) == (np.int8, np.int64)


def test_the_second_call_computes_nothing(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "new" / "cache")
    assert_same(cache.get("key", some_examples), some_examples())
    assert_same(cache.get("key", poison), some_examples())
    assert_same(FeatureCache(tmp_path / "new" / "cache").get("key", poison), some_examples())


def test_a_cache_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    said: list[str] = []
    cache = FeatureCache(tmp_path / "file" / "cache", said.append)
    for _ in range(2):
        assert_same(cache.get("key", some_examples), some_examples())
    (line,) = said
    assert line.startswith("features are not kept for the next time: ") and "file" in line


def test_a_cache_that_can_only_be_read_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FeatureCache(tmp_path).get("kept", some_examples)

    def read_only(*arguments: object, **options: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.mkstemp", read_only)
    cache = FeatureCache(tmp_path)
    assert_same(cache.get("new", lambda: some_examples(1)), some_examples(1))
    assert_same(FeatureCache(tmp_path).get("kept", poison), some_examples())


def test_each_key_has_examples_of_its_own(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    for seed in range(3):
        cache.get(f"key {seed}", lambda seed=seed: some_examples(seed))
    for seed in range(3):
        assert_same(cache.get(f"key {seed}", poison), some_examples(seed))


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: b"not an archive",
        lambda content: archive.archive_bytes("other kind", {}, {}),
        lambda content: archive.archive_bytes("fingerprints", {}, {"spare": np.zeros(3)}),
    ],
    ids=["truncated", "empty", "foreign", "of another kind", "without examples"],
)
def test_a_damaged_file_is_computed_again_and_replaced(tmp_path: Path, damage: object) -> None:
    cache = FeatureCache(tmp_path)
    cache.get("key", some_examples)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))  # type: ignore[operator]
    assert_same(cache.get("key", some_examples), some_examples())
    assert path.read_bytes() == whole
    assert_same(cache.get("key", poison), some_examples())


def test_without_a_folder_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    calls = []
    cache = FeatureCache(None)
    for _ in range(2):
        assert_same(cache.get("key", lambda: calls.append(1) or some_examples()), some_examples())
    assert len(calls) == 2 and not list(tmp_path.iterdir())


def test_a_failed_computation_keeps_nothing(tmp_path: Path) -> None:
    def fails() -> Examples:
        raise ValueError("no sound")

    with pytest.raises(ValueError, match="no sound"):
        FeatureCache(tmp_path).get("key", fails)
    assert not list(tmp_path.iterdir())


def test_the_number_of_examples_is_their_length() -> None:
    assert len(some_examples()) == 5
