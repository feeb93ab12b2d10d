"""What the pictures of the accelerator share: a canvas in pixels, its few kinds of marks, and SVG.

A canvas is 900 pixels wide as a browser shows it; coordinates run right and down from the top left
corner, sizes of text are in points. The SVG is the same, byte by byte, every time.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.text import Text

WIDTH = 900  # pixels
TEXT, SMALL = 8.5, 8.0  # points
LINE, INK, GREY = "#444444", "#222222", "#595959"

_PIXELS_PER_INCH = 96


def new_figure(height: int) -> Figure:
    """Return an empty picture, `height` pixels high."""
    size = (WIDTH / _PIXELS_PER_INCH, height / _PIXELS_PER_INCH)
    return Figure(figsize=size, dpi=_PIXELS_PER_INCH, facecolor="white")


def new_sheet(
    figure: Figure, left: float = 0, top: float = 0, width: float = WIDTH, height: float = 0
) -> Axes:
    """Return axes without frame over a part of the picture (default: all), in pixels."""
    total = figure.get_figheight() * _PIXELS_PER_INCH
    height = height or total
    place = (left / WIDTH, 1 - (top + height) / total, width / WIDTH, height / total)
    axes = figure.add_axes(place, xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return axes


def write(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    *,
    size: float = TEXT,
    colour: str = INK,
    align: str = "left",
    bold: bool = False,
) -> Text:
    """Write a line of text, `y` its middle."""
    weight = "bold" if bold else "normal"
    return axes.text(
        x, y, text, fontsize=size, color=colour, ha=align, va="center_baseline", weight=weight
    )


def box(
    axes: Axes,
    corner: tuple[float, float],
    size: tuple[float, float],
    fill: str,
    *,
    radius: float = 3,
    outline: bool = False,
) -> None:
    """Draw a rectangle with round corners; `corner` is its top left one."""
    style = f"round,pad=0,rounding_size={radius}"
    width = 1.0 if outline else 0.0
    axes.add_patch(
        FancyBboxPatch(corner, *size, style, facecolor=fill, edgecolor=LINE, linewidth=width)
    )


def arrow(axes: Axes, corners: Sequence[tuple[float, float]]) -> None:
    """Draw straight lines through `corners`, with a tip at the last one."""
    axes.add_patch(
        FancyArrowPatch(
            path=Path(list(corners)),
            arrowstyle="-|>,head_length=5,head_width=2.5",
            color=LINE,
            linewidth=1.2,
            shrinkA=0,
            shrinkB=0,
            capstyle="butt",
            joinstyle="miter",
        )
    )


def svg(figure: Figure, title: str) -> bytes:
    """Return the picture as SVG; `title` tells what it shows."""
    buffer = io.BytesIO()
    # Text becomes outlines: it looks the same, and fits, whatever fonts the reader has.
    style: dict[Any, Any] = {
        "font.sans-serif": ["DejaVu Sans"],
        "svg.fonttype": "path",
        "svg.hashsalt": "kws",
    }
    with matplotlib.rc_context(style):
        metadata = {"Title": title, "Date": None, "Creator": None}
        figure.savefig(buffer, format="svg", metadata=metadata)
    return buffer.getvalue()
