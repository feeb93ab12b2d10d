"""The ranges that the signals of a network require: of this project's networks, or of a report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from dataflow.ranges.intervals import ChannelRange, Ranges
from golden import files

LABEL = "label"  # what argmax adds to the signals of a network


def with_label(ranges: Ranges, labels: int) -> Ranges:
    """Add the index of the best of some labels to the ranges of a network's signals."""
    return {**ranges, LABEL: _span(0, labels - 1)}


def report_ranges(path: Path) -> Ranges:
    """Return the bounds in a report of scripts/bitwidths.py.

    Only the names and bounds of its signals are read, and its labels if it has any. Raises
    ValueError for anything else.
    """
    try:
        report = json.loads(files.read_text(path))
        ranges = {
            signal["name"]: _span(signal["bound"]["low"], signal["bound"]["high"])
            for layer in report["layers"]
            for signal in layer["signals"]
        }
        labels = report.get("network", {}).get("labels", [])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: expected a report of scripts/bitwidths.py, {error!r}") from error
    return with_label(ranges, len(labels)) if labels else ranges


def _span(low: int, high: int) -> ChannelRange:
    if not low <= high:
        raise ValueError(f"expected low <= high, got {low} and {high}")
    return ChannelRange(np.array([low]), np.array([high]))
