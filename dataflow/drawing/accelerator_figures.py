"""The accelerator as pictures: its blocks and streams, and how busy its multipliers are.

Every number in them comes from `dataflow.drawing.accelerator_blocks` and
`dataflow.hardware.accelerator_schedule`.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dataflow.drawing.accelerator_blocks import (
    ARITHMETIC,
    CONTROL,
    MEMORY,
    REGISTER,
    TIMES,
    Part,
    Stream,
    counted,
    parts_of,
    streams_of,
)
from dataflow.drawing.canvas_figures import (
    GREY,
    SMALL,
    WIDTH,
    arrow,
    box,
    new_figure,
    new_sheet,
    write,
)
from dataflow.hardware.accelerator import STAGES, Accelerator
from dataflow.hardware.accelerator_schedule import Schedule
from dataflow.hardware.rtl_parameters import module_parameters

_BLOCK = "#fafafa"
_FILLS = {MEMORY: "#fde9a9", REGISTER: "#cfe2f5", ARITHMETIC: "#f9d3b8", CONTROL: "#e6e6e6"}
_BUSY, _IDLE = "#0072b2", "#e6e6e6"


# ---- Block diagram: places, in pixels from the top left corner -----------------------------------

_BLOCK_WIDTH, _GAP, _MARGIN = 176, 93, 92
_TITLE, _PART = 26, 25  # heights
_TOP_ROW = 52


def _block_height(parts: int) -> int:
    return _TITLE + parts * _PART + 6


_COLUMNS = tuple(_MARGIN + place * (_BLOCK_WIDTH + _GAP) for place in range(3))
_BOTTOM_ROW = _TOP_ROW + _block_height(6) + 88
_PLACES = {
    "frame_control": (_COLUMNS[0], _TOP_ROW),
    "window_memory": (_COLUMNS[0], _TOP_ROW + _block_height(6) - _block_height(2)),
    "conv_1": (_COLUMNS[1], _TOP_ROW + _block_height(6) - _block_height(4)),
    "dw_conv_max_pool": (_COLUMNS[2], _TOP_ROW),
    "pointwise_conv": (_COLUMNS[0], _BOTTOM_ROW),
    "fc1": (_COLUMNS[1], _BOTTOM_ROW),
    "argmax": (_COLUMNS[2], _BOTTOM_ROW),
}


def block_diagram(schedule: Schedule) -> Figure:
    """Draw the blocks with what they hold, and the streams between them with width and rate."""
    accelerator = schedule.accelerator
    parts, streams = parts_of(accelerator), streams_of(schedule)
    figure = new_figure(_BOTTOM_ROW + _block_height(4) + 58)
    axes = new_sheet(figure)
    _draw_header(axes, accelerator)
    for name, (left, top) in _PLACES.items():
        _draw_block(axes, name, left, top, parts[name])
    address_bits = module_parameters(accelerator)["window_memory"]["ADDRESS_BITS"]
    _draw_input(axes, streams["s_axis"], f"{address_bits}-bit addresses")
    for name, following in (
        ("window_memory", "conv_1"),
        ("conv_1", "dw_conv_max_pool"),
        ("pointwise_conv", "fc1"),
        ("fc1", "argmax"),
    ):
        end = _PLACES[following][0]
        _draw_stream(axes, end - _GAP, end, _stream_height(name), streams[name])
    right = _PLACES["argmax"][0] + _BLOCK_WIDTH
    _draw_stream(
        axes, right, WIDTH - 6, _stream_height("argmax"), streams["argmax"], title="m_axis"
    )
    _draw_turn(axes, streams["dw_conv_max_pool"])
    _draw_totals(axes, parts, accelerator)
    return figure


def _stream_height(name: str) -> int:
    top_row = name in ("window_memory", "conv_1")
    return _PLACES["window_memory"][1] + 42 if top_row else _BOTTOM_ROW + _block_height(4) // 2


def _draw_header(axes: Axes, accelerator: Accelerator) -> None:
    write(axes, 8, 20, "kws_accelerator", bold=True, size=11)
    caption = (
        f"configuration {accelerator.configuration.name}, widths from {accelerator.ranges_origin}"
    )
    write(axes, 150, 20, caption, colour=GREY)
    for place, (kind, fill) in enumerate(_FILLS.items()):
        left = WIDTH - 340 + 86 * place
        box(axes, (left, 14), (12, 12), fill)
        write(axes, left + 18, 20, kind)


def _draw_block(axes: Axes, name: str, left: int, top: int, parts: Sequence[Part]) -> None:
    height = _block_height(len(parts))
    box(axes, (left, top), (_BLOCK_WIDTH, height), _BLOCK, radius=8, outline=True)
    middle = left + _BLOCK_WIDTH / 2
    write(axes, middle, top + 14, name, align="center", bold=True, size=9.5)
    for place, part in enumerate(parts):
        y = top + _TITLE + place * _PART
        box(axes, (left + 7, y), (_BLOCK_WIDTH - 14, _PART - 4), _FILLS[part.kind])
        write(axes, left + 12, y + 10.5, part.name, size=SMALL)
        write(axes, left + _BLOCK_WIDTH - 12, y + 10.5, part.size, size=SMALL, align="right")
    stored = sum(part.bits for part in parts)
    if stored:
        text = f"{stored:,} bits stored"
        write(axes, middle, top + height + 11, text, size=SMALL, align="center", colour=GREY)


def _draw_input(axes: Axes, stream: Stream, addresses: str) -> None:
    """Draw the input into the memory, its tlast into the control, and what the control drives."""
    left, y = _PLACES["window_memory"][0], _stream_height("window_memory")
    control = _PLACES["frame_control"][1]
    _draw_stream(axes, 6, left, y, stream, title="s_axis")
    arrow(axes, [(left - 16, y), (left - 16, control + 58), (left, control + 58)])
    write(axes, left - 22, control + 66, "tlast", align="right", size=SMALL)
    arrow(axes, [(left, control + 20), (6, control + 20)])
    write(axes, 6, control + 9, "frame_error", size=SMALL)
    middle = left + _BLOCK_WIDTH / 2
    bottom = control + _block_height(2)
    arrow(axes, [(middle, bottom), (middle, _PLACES["window_memory"][1])])
    write(axes, middle + 8, bottom + 9, addresses, size=SMALL)


def _draw_turn(axes: Axes, stream: Stream) -> None:
    """Draw the way from the last block of the top row to the first of the bottom row."""
    right = _PLACES["dw_conv_max_pool"][0] + _BLOCK_WIDTH
    lane = _BOTTOM_ROW - 36
    start, end = _stream_height("conv_1"), _stream_height("pointwise_conv")
    left = _PLACES["pointwise_conv"][0]
    turn = [(right, start), (right + 22, start), (right + 22, lane), (left - 22, lane)]
    arrow(axes, [*turn, (left - 22, end), (left, end)])
    write(
        axes,
        WIDTH / 2,
        lane - 10,
        f"{counted(stream.bits, 'bit')}, {stream.values:,} a frame, {stream.rate}",
        align="center",
    )


def _draw_stream(
    axes: Axes, start: float, end: float, y: float, stream: Stream, title: str = ""
) -> None:
    middle = (start + end) / 2 - 2
    arrow(axes, [(start, y), (end, y)])
    if title:
        write(axes, middle, y - 24, title, align="center", bold=True)
    write(axes, middle, y - 10, counted(stream.bits, "bit"), align="center")
    write(axes, middle, y + 11, f"{stream.values:,} a frame", align="center", size=SMALL)
    write(axes, middle, y + 24, stream.rate, align="center", size=SMALL)


def _draw_totals(axes: Axes, parts: dict[str, tuple[Part, ...]], accelerator: Accelerator) -> None:
    every = [part for block in parts.values() for part in block]
    frames = sum(part.bits for part in parts["window_memory"])
    weights = sum(part.bits for part in every if part.kind == MEMORY) - frames
    registers = sum(part.bits for part in every if part.kind == REGISTER)
    write(
        axes,
        WIDTH / 2,
        _BOTTOM_ROW + _block_height(4) + 38,
        f"In all: {counted(sum(accelerator.multipliers.values()), 'multiplier')}, {weights:,} bits "
        f"of weights and biases, {frames:,} bits for frames, "
        f"{registers:,} bits in the registers shown",
        align="center",
    )


# ---- Utilisation ---------------------------------------------------------------------------------

_PANEL_WIDTH, _PANEL_GAP, _LABELS_WIDTH = 226, 32, 150
_BAR, _ROW, _FIRST_ROW = 16, 30, 88


def utilisation_chart(schedules: Sequence[Schedule]) -> Figure:
    """Draw how busy the multipliers of every stage are, a panel for each configuration."""
    rows = (*STAGES, "all")
    figure = new_figure(_FIRST_ROW + len(rows) * _ROW + 20)
    axes = new_sheet(figure)
    title = f"Utilisation: multiplications / (multipliers {TIMES} cycles a frame)"
    write(axes, 8, 18, title, size=10, bold=True)
    multiplications = schedules[0].accelerator.multiplications
    totals = {**multiplications, "all": sum(multiplications.values())}
    write(axes, 8, _FIRST_ROW - 14, "multiplications a frame", size=SMALL, colour=GREY)
    for place, name in enumerate(rows):
        y = _row_middle(place)
        write(axes, 8, y, name, bold=True)
        write(axes, _LABELS_WIDTH - 28, y, f"{totals[name]:,}", align="right")
    for place, schedule in enumerate(schedules):
        _draw_panel(axes, _LABELS_WIDTH + place * (_PANEL_WIDTH + _PANEL_GAP), schedule)
    return figure


def _row_middle(place: int) -> float:
    """Return the height of a row; the last one, the sum, stands a little apart."""
    return _FIRST_ROW + place * _ROW + _ROW / 2 + (12 if place == len(STAGES) else 0)


def _draw_panel(axes: Axes, left: float, schedule: Schedule) -> None:
    accelerator = schedule.accelerator
    multipliers = accelerator.multipliers
    total = sum(multipliers.values())
    overall = sum(accelerator.multiplications.values()) / (total * schedule.interval)
    write(axes, left, 46, accelerator.configuration.name, bold=True, size=9.5)
    write(axes, left + 76, 46, f"{counted(schedule.interval, 'cycle')} a frame")
    write(axes, left, _FIRST_ROW - 14, "multipliers", size=SMALL, colour=GREY)
    shares = [(multipliers[stage], schedule.utilisation[stage]) for stage in STAGES]
    for place, (count, share) in enumerate([*shares, (total, overall)]):
        y = _row_middle(place)
        write(axes, left + 26, y, f"{count:,}", align="right")
        _draw_share(axes, left + 36, y, share)


def _draw_share(axes: Axes, left: float, y: float, share: float) -> None:
    """Draw a bar that is full at 1, and the share in per cent beside it."""
    width = _PANEL_WIDTH - 84
    box(axes, (left, y - _BAR / 2), (width, _BAR), _IDLE, radius=0)
    box(axes, (left, y - _BAR / 2), (width * share, _BAR), _BUSY, radius=0)
    digits = 0 if share >= 0.995 else 1 if share >= 0.01 else 2
    write(axes, left + width + 6, y, f"{100 * share:.{digits}f} %")
