"""The accelerator's cycles as a picture: frames back to back, the first channels, a frame's end.

Every mark stands where `dataflow.hardware.accelerator_schedule` puts the event. Colour is the
frame, shade the channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import FuncFormatter, MaxNLocator

from dataflow.drawing.accelerator_blocks import counted, streams_of
from dataflow.drawing.canvas_figures import (
    GREY,
    INK,
    LINE,
    SMALL,
    WIDTH,
    new_figure,
    new_sheet,
    write,
)
from dataflow.hardware.accelerator_schedule import Schedule
from dataflow.hardware.loop_orders import INPUT_STATIONARY, LayerSize, walk
from dataflow.hardware.pointwise_schedule import timeline

# From Okabe and Ito's set, which the colour-blind can tell apart.
_FRAMES = (("#0072b2", "#74b3da"), ("#d98a00", "#f3cb7a"), ("#009e73", "#85d0b8"))

_LEFT, _RIGHT = 130, 14  # margins of the panels, in pixels
_PANEL_WIDTH = WIDTH - _LEFT - _RIGHT
_TITLE = 22  # height
_BAR = 18
_APART = 3.5  # pixels; narrower events are drawn without a line between them

_OVERVIEW_TOP, _OVERVIEW_HEIGHT = 6, 196
_CHANNELS_TOP, _CHANNELS_HEIGHT = 262, 226
_TAIL_TOP, _TAIL_HEIGHT = 548, 204


@dataclass(frozen=True)
class _Span:
    """Cycles from `first` to before `end` in which a stage works for one channel of one frame."""

    first: int
    end: int
    frame: int
    channel: int = 0

    @property
    def colour(self) -> str:
        return _FRAMES[self.frame % len(_FRAMES)][self.channel % 2]


@dataclass(frozen=True)
class _Panel:
    """Axes whose x are cycles and whose y are pixels from the top, and the cycles they show."""

    axes: Axes
    first: int
    end: int

    @property
    def cycles_a_pixel(self) -> float:
        return (self.end - self.first) / _PANEL_WIDTH

    def row(self, y: float, block: str, what: str, spans: Sequence[_Span]) -> None:
        """Draw a row of bars, `y` their top; beside them the block, and `what` its bars are."""
        middle = y + _BAR / 2
        self._label(middle - 6 if what else middle, block, bold=True)
        if what:
            self._label(middle + 7, what)
        self.axes.axhline(y + _BAR, color="#d8d8d8", linewidth=0.8, zorder=0)
        seen = [span for span in spans if span.first < self.end and span.end > self.first]
        for colour in dict.fromkeys(span.colour for span in seen):
            self._bars(y, colour, [span for span in seen if span.colour == colour])

    def note(self, cycle: float, y: float, text: str, offset: int = 6) -> None:
        """Write right of `cycle`, or left of it for a negative `offset`, which is in pixels.

        The text moves left where it would leave the picture, and hides lines behind it.
        """
        align = "center" if offset == 0 else "left" if offset > 0 else "right"
        x = cycle + offset * self.cycles_a_pixel
        shown = write(self.axes, x, y, text, size=SMALL, align=align)
        shown.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.8})
        beyond = shown.get_window_extent().x1 - (WIDTH - 6)
        if beyond > 0:
            shown.set_x(x - beyond * self.cycles_a_pixel)

    def path(self, points: Sequence[tuple[float, float]]) -> None:
        """Draw a thin line through `points` (cycle, y)."""
        cycles, heights = zip(*points, strict=True)
        self.axes.plot(cycles, heights, color=INK, linewidth=0.9)

    def extent(self, first: float, end: float, y: float, text: str) -> None:
        """Draw a dimension line over the cycles `first` to `end`, its text upon it."""
        arrow = {"arrowstyle": "<|-|>", "color": LINE, "shrinkA": 0, "shrinkB": 0}
        self.axes.annotate("", (first, y), (end, y), arrowprops=arrow)
        self.note((first + end) / 2, y, text, offset=0)

    def axis(self, y: float) -> None:
        """Show the axis of cycles below the panel, whose height is `y`."""
        axes = self.axes
        axes.set_axis_on()
        axes.spines[["left", "top", "right"]].set_visible(False)
        axes.set_yticks([])
        axes.xaxis.set_major_locator(MaxNLocator(14, integer=True, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{int(value):,}"))
        axes.tick_params(labelsize=SMALL, color=LINE, length=3, pad=2)
        self._label(y + 10, "cycle")

    def _label(self, y: float, text: str, *, bold: bool = False) -> None:
        """Write left of the panel."""
        colour = INK if bold else GREY
        shown = write(
            self.axes,
            -8 / _PANEL_WIDTH,
            y,
            text,
            size=SMALL,
            align="right",
            bold=bold,
            colour=colour,
        )
        shown.set_transform(self.axes.get_yaxis_transform())

    def _bars(self, y: float, colour: str, spans: Sequence[_Span]) -> None:
        apart, low = _APART * self.cycles_a_pixel, y + _BAR
        if spans[-1].end - spans[-1].first < apart:
            spans = _merged(spans, self.cycles_a_pixel)
        bars = [
            Path([(bar.first, y), (bar.end, y), (bar.end, low), (bar.first, low), (bar.first, y)])
            for bar in spans
        ]
        narrow = min(bar.end - bar.first for bar in spans) < apart
        self.axes.add_patch(
            PathPatch(
                Path.make_compound_path(*bars),
                facecolor=colour,
                edgecolor=colour if narrow else "white",
                linewidth=0.6,
            )
        )


def _merged(spans: Sequence[_Span], gap: float) -> list[_Span]:
    """Join spans of one channel that are less than `gap` cycles apart."""
    merged = [spans[0]]
    for span in spans[1:]:
        last = merged[-1]
        if (span.frame, span.channel) == (last.frame, last.channel) and span.first - last.end < gap:
            merged[-1] = _Span(last.first, span.end, last.frame, last.channel)
        else:
            merged.append(span)
    return merged


def timing_diagram(schedule: Schedule) -> Figure:
    """Draw two frames back to back, and of the first one its first channels and its end."""
    figure = new_figure(_TAIL_TOP + _TITLE + _TAIL_HEIGHT + 26)
    channels, tail = _channels_range(schedule), _tail_range(schedule)
    _draw_overview(figure, schedule, {"A": channels, "B": tail})
    _draw_channels(figure, schedule, channels)
    _draw_tail(figure, schedule, tail)
    return figure


def _panel(figure: Figure, top: int, height: int, cycles: tuple[int, int], title: str) -> _Panel:
    """Add a panel below its title, with an axis of cycles at the bottom."""
    write(new_sheet(figure, 0, top, WIDTH, _TITLE), 8, 10, title, bold=True, size=9.5)
    axes = new_sheet(figure, _LEFT, top + _TITLE, _PANEL_WIDTH, height)
    axes.set_xlim(*cycles)
    panel = _Panel(axes, *cycles)
    panel.axis(height)
    return panel


def _draw_rows(
    panel: _Panel, rows: Sequence[tuple[str, str, Sequence[_Span]]], top: int, pitch: int
) -> list[int]:
    """Draw rows of (block, what its bars are, bars) and return their tops."""
    tops = [top + pitch * place for place in range(len(rows))]
    for y, (block, what, spans) in zip(tops, rows, strict=True):
        panel.row(y, block, what, spans)
    return tops


# ---- When each stage works -----------------------------------------------------------------------


def _loads(schedule: Schedule) -> list[_Span]:
    """Return the cycles in which each frame is taken."""
    rows, columns = schedule.accelerator.frame
    frames = schedule.cycles["taken"].reshape(-1, rows * columns).tolist()
    return [_Span(taken[0], taken[-1] + 1, frame) for frame, taken in enumerate(frames)]


def _reads(schedule: Schedule) -> list[_Span]:
    """Return the reads of each window of the first frame; later ones have empty ones among them."""
    accelerator = schedule.accelerator
    windows = schedule.cycles["issued"][: accelerator.channels * accelerator.positions].tolist()
    steps = accelerator.conv_1_kernel.steps
    return [
        _Span(first, first + steps, 0, place // accelerator.positions)
        for place, first in enumerate(windows)
    ]


def _sums(schedule: Schedule, layer: str) -> list[_Span]:
    """Return the cycles in which `conv_1` or `dw_conv` adds up each window."""
    accelerator = schedule.accelerator
    kernels = {"conv_1": accelerator.conv_1_kernel, "dw_conv": accelerator.dw_conv_kernel}
    steps = kernels[layer].steps
    return [
        _Span(
            last + 1 - steps,
            last + 1,
            *divmod(place // accelerator.positions, accelerator.channels),
        )
        for place, last in enumerate(schedule.cycles[layer].tolist())
    ]


def _maxima(schedule: Schedule) -> list[_Span]:
    """Return the cycle in which `pw_conv` takes each channel's maximum."""
    channels = schedule.accelerator.channels
    return [
        _Span(taken, taken + 1, *divmod(plane, channels))
        for plane, taken in enumerate(schedule.cycles["max_pool"].tolist())
    ]


def _products(schedule: Schedule) -> list[_Span]:
    """Return the multiplications of `pw_conv`, those of each channel's maximum one by one."""
    channels, features = schedule.accelerator.channels, schedule.accelerator.features
    cycles = schedule.cycles
    taken, left = cycles["max_pool"].tolist(), set(cycles["pw_conv_relu"].tolist())
    steps = walk(INPUT_STATIONARY, LayerSize(channels, features), tiles=len(taken) // channels)
    multiplied = timeline(steps, offers=taken, ready=left.__contains__).multiplied
    return [
        _Span(cycle, cycle + 1, *divmod(place // features, channels))
        for place, cycle in enumerate(multiplied.tolist())
    ]


def _values(schedule: Schedule, stream: str, frame_values: int) -> list[_Span]:
    """Return the cycle of each value behind the channels."""
    return [
        _Span(cycle, cycle + 1, place // frame_values)
        for place, cycle in enumerate(schedule.cycles[stream].tolist())
    ]


def _fully_connected(schedule: Schedule) -> list[_Span]:
    """Return the multiplications of `fc1`, a span a feature."""
    accelerator = schedule.accelerator
    return [
        _Span(taken.end, taken.end + accelerator.labels, taken.frame)
        for taken in _values(schedule, "pw_conv_relu", accelerator.features)
    ]


def _each_cycle(spans: Sequence[_Span]) -> list[_Span]:
    """Return a span for each cycle of `spans`."""
    return [
        _Span(cycle, cycle + 1, span.frame, span.channel)
        for span in spans
        for cycle in range(span.first, span.end)
    ]


def _outputs(schedule: Schedule) -> list[_Span]:
    return _values(schedule, "out", schedule.accelerator.labels + 1)


# ---- Overview ------------------------------------------------------------------------------------


def _draw_overview(figure: Figure, schedule: Schedule, details: dict[str, tuple[int, int]]) -> None:
    accelerator, answer = schedule.accelerator, int(schedule.answers[1])
    title = (
        f"Frames back to back, {counted(accelerator.channels, 'channel')} each "
        f"(configuration {accelerator.configuration.name})"
    )
    shown = (0, answer + answer // 40)
    panel = _panel(figure, _OVERVIEW_TOP, _OVERVIEW_HEIGHT, shown, title)
    legend = new_sheet(figure, WIDTH / 2, _OVERVIEW_TOP, WIDTH / 2, _TITLE)
    write(
        legend, WIDTH / 2 - _RIGHT, 10, "colour: frame, shade: channel", align="right", colour=GREY
    )
    panel.extent(0, schedule.latency, 14, f"first number to label: {schedule.latency:,} cycles")
    panel.extent(schedule.latency, answer + 1, 14, f"label to label: {schedule.interval:,} cycles")
    for letter, (first, end) in details.items():
        panel.axes.axvspan(first, end, 0, 0.88, color="#dcdcdc", linewidth=0, zorder=-1)
        panel.note((first + end) / 2, _OVERVIEW_HEIGHT - 10, letter, offset=0)
    rows = (
        ("s_axis", _loads(schedule)),
        ("conv_1", _sums(schedule, "conv_1")),
        ("dw_conv_max_pool", _sums(schedule, "dw_conv")),
        ("pointwise_conv", _products(schedule)),
        ("fc1", _fully_connected(schedule)),
        ("m_axis", _outputs(schedule)),
    )
    _draw_rows(panel, [(block, "", spans) for block, spans in rows], 30, 25)


# ---- A: the first channels -----------------------------------------------------------------------


def _channels_range(schedule: Schedule) -> tuple[int, int]:
    """Return cycles that show two channels from their first read to their last product."""
    accelerator = schedule.accelerator
    start = int(schedule.cycles["issued"][0]) - 8 * accelerator.conv_1_kernel.steps
    maximum, product = _maxima(schedule)[1], _products(schedule)[2 * accelerator.features - 1]
    ends = (product.end + (product.end - start) // 50, maximum.end + (maximum.end - start) // 10)
    return start, max(ends)


def _draw_channels(figure: Figure, schedule: Schedule, cycles: tuple[int, int]) -> None:
    accelerator = schedule.accelerator
    title = (
        f"A   The first channels: {counted(accelerator.positions, 'window')} each, "
        f"{counted(accelerator.conv_1_kernel.steps, 'cycle')} a window"
    )
    panel = _panel(figure, _CHANNELS_TOP, _CHANNELS_HEIGHT, cycles, title)
    windows = [_reads(schedule), _sums(schedule, "conv_1"), _sums(schedule, "dw_conv")]
    maxima, products = _maxima(schedule), _products(schedule)
    rows = (
        ("window_memory", "window read", windows[0]),
        ("conv_1", "sum", windows[1]),
        ("dw_conv_max_pool", "sum", windows[2]),
        ("", "maximum taken", maxima),
        ("pointwise_conv", "multiplications", products),
    )
    tops = _draw_rows(panel, rows, 24, 44)
    for plane in range(min(3, accelerator.channels)):
        starts = [spans[plane * accelerator.positions].first for spans in windows]
        panel.path(_through(starts, tops))
        panel.note(starts[0], tops[0] - 11, f"channel {plane}", offset=1)
    firsts = products[:: accelerator.features]
    for maximum, product in list(zip(maxima, firsts, strict=True))[:2]:
        place = maximum.frame * accelerator.channels + maximum.channel + 1
        last = windows[2][place * accelerator.positions - 1]
        panel.path(_through([last.end, maximum.first, product.first], tops[2:]))
        panel.note(maximum.end, tops[3] + _BAR / 2, f"channel {maximum.channel}")
    _explain_delays(panel, schedule, tops)


def _through(cycles: Sequence[int], tops: Sequence[int]) -> list[tuple[float, float]]:
    """Return the corners of a line that crosses each row in its cycle."""
    rows = zip(cycles, tops, strict=False)
    return [(cycle, y) for cycle, top in rows for y in (top, top + _BAR)]


def _explain_delays(panel: _Panel, schedule: Schedule, tops: Sequence[int]) -> None:
    """Write between the rows how long a value needs from one to the next, and why."""
    accelerator, cycles = schedule.accelerator, schedule.cycles
    events = [cycles[name] for name in ("issued", "conv_1", "dw_conv")]
    read, first, summed = (int(event[0]) for event in events)
    last, taken = int(events[2][accelerator.positions - 1]), int(cycles["max_pool"][0])
    products = _products(schedule)
    idle = products[accelerator.features].first - products[accelerator.features - 1].end
    places = (first, summed, taken, products[0].first)
    texts = (
        f"{counted(first - read, 'cycle')} from read to sum",
        f"{counted(summed - first, 'cycle')}: its window needs {accelerator.lag} more values",
        f"{counted(taken - last, 'cycle')} after the last sum",
        f"{counted(accelerator.features, 'multiplication')}, "
        f"then idle for {counted(idle, 'cycle')}",
    )
    for cycle, top, text in zip(places, tops, texts, strict=False):
        panel.note(cycle, top + _BAR + 13, text)


# ---- B: the end of a frame -----------------------------------------------------------------------


def _tail_range(schedule: Schedule) -> tuple[int, int]:
    """Return cycles that show the last sums of the first frame, and its answer."""
    accelerator = schedule.accelerator
    last = int(schedule.cycles["conv_1"][accelerator.channels * accelerator.positions - 1])
    start = last - 6 * accelerator.conv_1_kernel.steps
    answer = int(schedule.answers[0]) + 1
    return start, answer + (answer - start) // 12


def _draw_tail(figure: Figure, schedule: Schedule, cycles: tuple[int, int]) -> None:
    accelerator = schedule.accelerator
    features, labels = accelerator.features, accelerator.labels
    title = "B   The end of a frame, and the beginning of the next one"
    panel = _panel(figure, _TAIL_TOP, _TAIL_HEIGHT, cycles, title)
    windows = accelerator.channels * accelerator.positions
    firsts, seconds = _sums(schedule, "conv_1"), _sums(schedule, "dw_conv")
    sums, fed = _values(schedule, "pw_conv", features), _fully_connected(schedule)
    outputs = _outputs(schedule)[: labels + 1]
    rows = (
        ("conv_1", "sum", firsts),
        ("dw_conv_max_pool", "sum", seconds),
        ("pointwise_conv", "sum complete", sums),
        ("fc1", "multiplications", _each_cycle(fed)),
        ("m_axis", "value out", outputs),
    )
    tops = _draw_rows(panel, rows, 10, 42)
    following = [firsts[windows].first, seconds[windows].first]
    panel.path(_through(following, tops))
    panel.path(_through([seconds[windows - 1].end, sums[0].first], tops[1:]))
    panel.path(_through([sums[0].end, fed[0].first], tops[2:]))
    rate = streams_of(schedule)["pointwise_conv"].rate
    notes = (
        (following[1], "next frame"),
        (sums[0].first, f"{counted(features, 'sum')}, one {rate}"),
        (fed[0].first, f"{counted(labels, 'multiplication')} a sum"),
    )
    for (cycle, text), top in zip(notes, tops, strict=False):
        panel.note(cycle, top + _BAR + 12, text)
    middle = tops[-1] + _BAR / 2
    panel.note(outputs[0].first, middle, counted(labels, "logit"), offset=-6)
    panel.note(outputs[-1].end, middle, "label")
