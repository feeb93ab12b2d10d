"""The labels that Silicon Labs' MLTK writes into a model: a dictionary in a flatbuffer of its own.

Its root holds a vector of entries, each a key, a type and a value; the labels are a list of strings
under the key `classes`. There is no published reader that would be worth a dependency.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flatbuffers import number_types
from flatbuffers.table import Table

METADATA_NAME = "SL_PARAMSv1"
KEY = b"classes"
# Places in a table of offsets; the first field stands at 4, each further one 2 bytes on.
_ENTRIES = 6
_ENTRY_KEY, _ENTRY_VALUE = 4, 8
_STRINGS = 4


def labels_of(metadata: Mapping[str, bytes]) -> tuple[str, ...] | None:
    """Return the labels in a model's metadata, or None if there are none.

    Raises ValueError for a dictionary that is damaged.
    """
    content = metadata.get(METADATA_NAME)
    if content is None:
        return None
    try:
        return _classes(content)
    except Exception as error:  # the library trusts the bytes: anything may go wrong in it
        raise ValueError(
            f"metadata {METADATA_NAME}: expected a dictionary, found a damaged one "
            f"({type(error).__name__}); give the labels with --labels"
        ) from error


def _classes(content: bytes) -> tuple[str, ...] | None:
    root = Table(content, number_types.UOffsetTFlags.packer_type.unpack_from(content)[0])
    for entry in _tables(root, _ENTRIES):
        if entry.String(entry.Pos + entry.Offset(_ENTRY_KEY)) == KEY:
            value = Table(b"", 0)
            entry.Union(value, entry.Offset(_ENTRY_VALUE))
            return tuple(_string(value, place) for place in _places(value, _STRINGS))
    return None


def _tables(table: Any, field: int) -> list[Any]:
    return [Table(table.Bytes, table.Indirect(place)) for place in _places(table, field)]


def _places(table: Any, field: int) -> range:
    """Return where the elements of a vector of offsets stand."""
    offset = table.Offset(field)
    if offset == 0:
        return range(0)
    start = table.Vector(offset)
    return range(start, start + 4 * table.VectorLen(offset), 4)


def _string(table: Any, place: int) -> str:
    return bytes(table.String(place)).decode()
