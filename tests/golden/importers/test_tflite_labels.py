"""Labels in the metadata of a model, written here as their maker's tool writes them."""

from __future__ import annotations

from collections.abc import Mapping

import flatbuffers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.importers.tflite_labels import METADATA_NAME, labels_of

STRING, STRINGS = 12, 13  # types of values


def dictionary(entries: Mapping[str, str | list[str]]) -> bytes:
    """Return a dictionary: a vector of entries of key, type and value, and a version."""
    builder = flatbuffers.Builder(256)
    made = []
    for key, value in entries.items():
        words = [
            builder.CreateString(word) for word in ([value] if isinstance(value, str) else value)
        ]
        content = words[0] if isinstance(value, str) else vector(builder, words)
        builder.StartObject(1)
        builder.PrependUOffsetTRelativeSlot(0, content, 0)
        holder = builder.EndObject()
        name = builder.CreateString(key)
        builder.StartObject(3)
        builder.PrependUOffsetTRelativeSlot(0, name, 0)
        builder.PrependUint8Slot(1, STRING if isinstance(value, str) else STRINGS, 0)
        builder.PrependUOffsetTRelativeSlot(2, holder, 0)
        made.append(builder.EndObject())
    table = vector(builder, made)
    builder.StartObject(2)
    builder.PrependUint8Slot(0, 1, 0)
    builder.PrependUOffsetTRelativeSlot(1, table, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


def vector(builder: flatbuffers.Builder, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


@given(st.lists(st.text(min_size=1), min_size=1, max_size=6))
def test_labels_are_the_classes_of_the_dictionary(labels: list[str]) -> None:
    content = dictionary({"name": "kws", "classes": labels, "date": "today"})
    assert labels_of({"min_runtime_version": b"1", METADATA_NAME: content}) == tuple(labels)


def test_without_them_there_are_no_labels() -> None:
    assert labels_of({}) is None
    assert labels_of({METADATA_NAME: dictionary({"name": "kws"})}) is None
    assert labels_of({METADATA_NAME: dictionary({})}) is None


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, dictionary({"classes": ["a", "b"]})[:60]])
def test_damaged_dictionaries_are_refused(content: bytes) -> None:
    message = rf"^metadata {METADATA_NAME}: expected a dictionary, found a damaged one .* --labels$"
    with pytest.raises(ValueError, match=message):
        labels_of({METADATA_NAME: content})
