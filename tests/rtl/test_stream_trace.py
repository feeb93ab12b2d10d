"""What a trace says of a stream, on tables of signals by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.rtl.stream_trace import UNKNOWN, Beats, Trace

FIRST = 10


def trace(valid: str, ready: str, data: str) -> Trace:
    """Return a trace of `m_axis`: a character a cycle, `x` for unknown."""
    rows = {"tvalid": valid, "tready": ready, "tdata": data}
    return Trace(
        FIRST,
        {
            f"m_axis_{part}": np.array([UNKNOWN if bit == "x" else int(bit) for bit in row])
            for part, row in rows.items()
        },
    )


def test_beats_pass_where_valid_meets_ready() -> None:
    seen = trace("0110111", "1101110", "0330456")
    assert seen.handshakes("m_axis").tolist() == [11, 14, 15]
    assert seen.beats("m_axis_tdata", seen.handshakes("m_axis")).values.tolist() == [3, 4, 5]


def test_a_beat_is_offered_from_the_first_cycle_of_its_own() -> None:
    seen = trace("0111110", "0001010", "0333440")
    assert seen.handshakes("m_axis").tolist() == [13, 15]
    assert seen.offers("m_axis").tolist() == [11, 14]


def test_an_output_moves_where_it_is_empty_or_accepted() -> None:
    assert trace("0011", "0101", "0000").moving("m_axis").tolist() == [True, True, False, True]


@pytest.mark.parametrize(
    ("valid", "ready", "data", "violation"),
    [
        ("0x0", "111", "000", "a signal is unknown in cycle 11"),
        ("000", "1x1", "000", "a signal is unknown in cycle 11"),
        ("010", "111", "0x0", "a signal is unknown in cycle 11"),
        ("0100", "0000", "0000", "tvalid falls before tready in cycle 12"),
        ("0110", "0010", "0120", "the beat changes while stalled in cycle 12"),
    ],
)
def test_broken_handshake_is_named_with_its_cycle(
    valid: str, ready: str, data: str, violation: str
) -> None:
    assert trace(valid, ready, data).violations("m_axis") == [f"m_axis: {violation}"]


def test_payload_may_be_anything_while_nothing_is_offered() -> None:
    assert trace("0010", "0111", "x230").violations("m_axis") == []


def test_values_of_more_than_64_bits_are_compared_whole() -> None:
    wide = 1 << 95
    rows = {"tvalid": [1, 1, 0], "tready": [0, 1, 1]}
    data = np.array([wide, wide + 1, 0], object)
    signals = {**{f"m_axis_{part}": np.array(row) for part, row in rows.items()}}
    seen = Trace(FIRST, {**signals, "m_axis_tdata": data})
    assert seen.violations("m_axis") == ["m_axis: the beat changes while stalled in cycle 11"]
    assert seen.beats("m_axis_tdata", np.array([11])).values.tolist() == [wide + 1]


def test_signed_values_of_64_bits_keep_their_width() -> None:
    beats = Beats(np.array([2**63 - 1, 2**63 + 1, 2**64 - 1, UNKNOWN], object), np.arange(4))
    assert beats.signed(64).values.tolist() == [2**63 - 1, -(2**63) + 1, -1, UNKNOWN]


def test_signed_values_keep_what_is_unknown() -> None:
    beats = Beats(np.array([0, 7, 8, 15, UNKNOWN]), np.arange(5))
    assert beats.signed(4).values.tolist() == [0, 7, -8, -1, UNKNOWN]
