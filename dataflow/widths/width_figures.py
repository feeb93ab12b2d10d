"""The bit-width report as pictures: one a layer, and an overview of all signals.

A panel shows one signal: the histogram of its values with logarithmic counts, and brackets whose
legs stand at the limits of what was observed, what witnesses reach, what is proven, what interval
arithmetic allows, and what the register holds. Ranges that are equal share a bracket.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from matplotlib.ticker import MaxNLocator

from dataflow.ranges.intervals import ChannelRange
from dataflow.ranges.observed import Histogram, constant_histograms
from dataflow.widths.signal_widths import SignalWidth
from dataflow.widths.width_report import ReportedSignal, WidthReport
from golden.integer_math import signed_bits
from golden.network import INPUT_NAME

_COLOURS = {
    "observed": "#3b6ea5",
    "witness": "#2e8b57",
    "proven": "#8e3b8a",
    "interval": "#c8641b",
    "register": "#444444",
}
_COLUMNS = 3
_MOST_ROWS = 64  # of the overview; more signals stand in columns side by side
# Shares of a panel's height: brackets hang from the top, the histogram takes what they leave.
_HIGHEST_BRACKET, _BRACKET_STEP, _HISTOGRAM_MARGIN = 0.92, 0.11, 0.06
_DOTS_PER_INCH = 100

Limits = tuple[int, int]


def layer_figure(report: WidthReport, layer: str) -> bytes:
    """Draw the signals that `layer` is the first to have; return the PNG.

    A signal without histogram shows its ranges.
    """
    signals = [signal for signal in report.signals.values() if signal.layer == layer]
    seen = report.observation
    histograms: Mapping[str, Histogram] = (
        constant_histograms(report.network) if seen is None else seen.histograms
    )
    rows = -(-len(signals) // _COLUMNS)
    height = 3.6 * rows + 0.9
    figure = Figure(figsize=(13, height), dpi=_DOTS_PER_INCH)
    kind = "input" if layer == INPUT_NAME else report.network.node(layer).kind
    figure.suptitle(f"{layer} ({kind})", x=0.06, ha="left", weight="bold")
    data = "no clips observed" if seen is None else f"values observed on {seen.clips:,} clips"
    figure.text(
        0.985,
        1 - 0.3 / height,
        f"{data}, all channels; logarithmic counts",
        ha="right",
        fontsize=10,
    )
    panels = figure.subplots(rows, _COLUMNS, squeeze=False)
    for axes, signal in zip(panels.flat, signals, strict=False):
        _draw_panel(axes, signal, histograms.get(signal.name))
    for axes in panels.flat[len(signals) :]:
        axes.set_axis_off()
    bottom, top = 0.35 / height, 1 - 0.8 / height
    figure.subplots_adjust(left=0.06, right=0.985, bottom=bottom, top=top, wspace=0.2, hspace=0.3)
    return _png(figure)


def overview_figure(report: WidthReport) -> bytes:
    """Draw the bits of every signal of the network as each kind of range needs them; a PNG."""
    signals = list(report.signals.values())
    if len(signals) > _MOST_ROWS:
        return _png(_columns_of(report, signals))
    figure = Figure(figsize=(10, 0.3 * len(signals) + 1.4), dpi=_DOTS_PER_INCH)
    axes = figure.subplots()
    _draw_bits(axes, report, signals)
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=4, frameon=False)
    figure.subplots_adjust(left=0.24, right=0.98, bottom=0.1, top=0.92)
    return _png(figure)


def _columns_of(report: WidthReport, signals: list[ReportedSignal]) -> Figure:
    """Draw the bits of many signals in columns side by side, with bits on the same scale."""
    count = -(-len(signals) // _MOST_ROWS)
    rows = -(-len(signals) // count)
    width, height = 7.5 * count, 0.3 * rows + 1.2
    figure = Figure(figsize=(width, height), dpi=_DOTS_PER_INCH)
    panels = figure.subplots(1, count, sharex=True)
    for place, axes in enumerate(panels):
        _draw_bits(axes, report, signals[place * rows : (place + 1) * rows])
        axes.set_ylim(rows - 0.4, -0.6)  # rows of all columns are of one height
    axes.set_xlim(0, max(signal.interval.bits for signal in signals) + 1.5)
    panels[0].legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, frameon=False)
    left = 2.4 / width
    figure.subplots_adjust(
        *(left, 0.5 / height, 1 - 0.15 / width, 1 - 0.4 / height), wspace=left * count * 1.3
    )
    return figure


def _draw_bits(axes: Axes, report: WidthReport, signals: list[ReportedSignal]) -> None:
    interval = [signal.interval.bits for signal in signals]
    places = range(len(signals))
    axes.barh(places, interval, color=_COLOURS["interval"], alpha=0.35, label="interval bound")
    if report.proven is not None:
        proven = [signal.width.signed_bits for signal in signals]
        axes.barh(places, proven, 0.5, color=_COLOURS["proven"], alpha=0.6, label="proven bound")
        _draw_marks(axes, [signal.reached for signal in signals], "witness", "|")
    _draw_marks(axes, [signal.width.observed for signal in signals], "observed", "D")
    widest = max(signal.interval.bits for signal in report.signals.values())
    gap = 0.35 * max(widest / 24, 1)  # so that no mark hides a number
    for place, signal in enumerate(signals):
        bits = signal.width.signed_bits
        axes.text(interval[place] + gap, place, str(bits), va="center", fontsize=9)
    axes.set_yticks(places, [_title(signal.width) for signal in signals], fontsize=9)
    axes.set_ylim(len(signals) - 0.4, -0.6)
    axes.set_xlim(0, max(interval) + 1.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("bits, two's complement; the number is the width")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_marks(axes: Axes, ranges: list[ChannelRange | None], kind: str, marker: str) -> None:
    bits = {place: values.bits for place, values in enumerate(ranges) if values is not None}
    axes.plot(
        list(bits.values()),
        list(bits),
        marker,
        color=_COLOURS[kind],
        markersize=12 if marker == "|" else 5,
        markeredgewidth=2.5 if marker == "|" else 1,
        label=kind,
    )


def _draw_panel(axes: Axes, signal: ReportedSignal, histogram: Histogram | None) -> None:
    title = _title(signal.width)
    axes.text(0, 1.03, title, transform=axes.transAxes, fontsize=10, weight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    brackets = _brackets(signal)
    heights = _HIGHEST_BRACKET - _BRACKET_STEP * np.arange(len(brackets))
    if histogram is None:
        axes.set_ylim(0, 1)
        axes.set_yticks([])
    else:
        _draw_histogram(axes, histogram, heights[-1] - _HISTOGRAM_MARGIN)
    low = min(limits[0] for limits, _, _ in brackets)
    high = max(limits[1] for limits, _, _ in brackets)
    margin = 0.03 * (high - low) + 0.5
    axes.set_xlim(low - margin, high + margin)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter(lambda value, _: _grouped(int(value)))
    for height, (limits, colour, text) in zip(heights, reversed(brackets), strict=True):
        _draw_bracket(axes, height, limits, colour, text)


def _brackets(signal: ReportedSignal) -> list[tuple[Limits, str, str]]:
    """Return limits, colour and text of the brackets, narrow ones first; equal ranges share one."""
    ranges = {"observed": signal.width.observed, "witness": signal.reached}
    if signal.proven is not None:
        ranges["proven"] = signal.width.bound
    ranges["interval"] = signal.interval
    names: dict[Limits, list[str]] = {}
    for name, values in ranges.items():
        if values is not None:
            names.setdefault((values.minimum, values.maximum), []).append(name)
    brackets = []
    for limits, kinds in names.items():
        text = "all ranges" if len(kinds) == len(ranges) > 2 else " = ".join(kinds)
        brackets.append((limits, _COLOURS[kinds[-1]], f"{text} {_span(*limits)}"))
    register = _register_limits(signal.width), _COLOURS["register"], _register_text(signal.width)
    return sorted([*brackets, register], key=lambda bracket: bracket[0][1] - bracket[0][0])


def _draw_histogram(axes: Axes, histogram: Histogram, share: float) -> None:
    """Draw bars, the highest of which takes `share` of the panel's height."""
    edges = histogram.start - 0.5 + histogram.step * np.arange(len(histogram.counts) + 1)
    # The limits are known: an artist that is not asked for its own is drawn three times as fast.
    colour = _COLOURS["observed"]
    axes.add_artist(
        StepPatch(histogram.counts, edges, baseline=0.5, color=colour, alpha=0.75, linewidth=0)
    )
    decades = np.log10(2.0 * histogram.counts.max())  # from the baseline to the highest bar
    axes.set_yscale("log")
    axes.set_ylim(0.5, 0.5 * 10 ** (decades / share))
    powers = range(0, int(np.log10(histogram.counts.max())) + 1, 1 + int(decades) // 5)
    axes.set_yticks([10**power for power in powers], [f"{10**power:,}" for power in powers])
    axes.minorticks_off()


def _draw_bracket(axes: Axes, height: float, limits: Limits, colour: str, text: str) -> None:
    """Draw legs at both limits, joined at `height` (a share of the panel), and a text above."""
    low, high = limits
    axes.plot(
        [low, low, high, high],
        [0, height, height, 0],
        color=colour,
        linewidth=1.2,
        transform=axes.get_xaxis_transform(),
    )
    axes.text(
        0.5,
        height + 0.012,
        text,
        transform=axes.transAxes,
        ha="center",
        va="bottom",
        fontsize=8.5,
        color=colour,
        bbox={"color": "white", "pad": 0.6},
    )


def _register_limits(signal: SignalWidth) -> Limits:
    if signal.unsigned_bits is not None:
        return 0, 2**signal.unsigned_bits - 1
    half: int = 2 ** (signal.signed_bits - 1)
    return -half, half - 1


def _register_text(signal: SignalWidth) -> str:
    if signal.unsigned_bits is None:
        return f"register: {signal.signed_bits} bits"
    return f"register: {signal.unsigned_bits} bits unsigned, {signal.signed_bits} signed"


def _title(signal: SignalWidth) -> str:
    """Name the signal, and its role where the name does not tell it."""
    return signal.name if "." in signal.name else f"{signal.name} ({signal.role})"


def _span(low: int, high: int) -> str:
    bits = signed_bits(low, high)
    return f"{_grouped(low)} to {_grouped(high)}: {bits} bits"


def _grouped(value: int) -> str:
    return f"{value:,}".replace("-", "\N{MINUS SIGN}")


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
