"""The bit-width report as pictures: one a layer, and an overview of all signals.

A panel shows one signal: the histogram of its values with logarithmic counts, and three brackets
whose legs stand at the limits of what was observed, what the interval bound allows, and what the
register holds.
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

from dataflow.bit_widths import LayerWidths, SignalWidth
from dataflow.observed import Histogram
from golden.network import INPUT_NAME

_OBSERVED, _BOUND, _REGISTER = "#3b6ea5", "#c8641b", "#444444"
_COLUMNS = 3
_HISTOGRAM_SHARE = 0.52  # of a panel's height; the brackets stand above it
_DOTS_PER_INCH = 100


def layer_figure(
    layer: LayerWidths, histograms: Mapping[str, Histogram], clips: int | None
) -> bytes:
    """Draw the signals of a layer, observed on `clips` clips (None: on none); return the PNG.

    A signal without histogram shows its ranges. The input is drawn only in the first layer;
    elsewhere it is the output of an earlier one.
    """
    signals = [item for item in layer.signals if item.role != "input" or item.name == INPUT_NAME]
    rows = -(-len(signals) // _COLUMNS)
    height = 3.0 * rows + 0.9
    figure = Figure(figsize=(13, height), dpi=_DOTS_PER_INCH)
    figure.suptitle(f"{layer.name} ({layer.kind})", x=0.06, ha="left", weight="bold")
    data = "no clips observed" if clips is None else f"values observed on {clips:,} clips"
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
    figure.subplots_adjust(left=0.06, right=0.985, bottom=bottom, top=top, wspace=0.2, hspace=0.35)
    return _png(figure)


def overview_figure(widths: tuple[LayerWidths, ...]) -> bytes:
    """Draw the bits of every signal of the network, bounded and observed, and return the PNG."""
    signals = [signal for layer in widths for signal in layer.signals if signal.role != "input"]
    places = range(len(signals))
    figure = Figure(figsize=(10, 0.3 * len(signals) + 1.3), dpi=_DOTS_PER_INCH)
    axes = figure.subplots()
    bits = [signal.signed_bits for signal in signals]
    axes.barh(places, bits, color=_BOUND, alpha=0.45, label="needed by the interval bound")
    seen = {place: signals[place].observed_bits or 0 for place in places if signals[place].observed}
    axes.plot(
        list(seen.values()),
        list(seen),
        "D",
        color=_OBSERVED,
        label="needed by the observed values",
    )
    for place, count in zip(places, bits, strict=True):
        axes.text(count + 0.35, place, str(count), va="center", fontsize=9)
    axes.set_yticks(places, [_title(signal) for signal in signals], fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, max(bits) + 1.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("bits, two's complement")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=2, frameon=False)
    figure.subplots_adjust(left=0.24, right=0.98, bottom=0.1, top=0.92)
    return _png(figure)


def _draw_panel(axes: Axes, signal: SignalWidth, histogram: Histogram | None) -> None:
    axes.text(0, 1.03, _title(signal), transform=axes.transAxes, fontsize=10, weight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    if histogram is None:
        axes.set_ylim(0, 1)
        axes.set_yticks([])
    else:
        _draw_histogram(axes, histogram)
    low, high = _register_limits(signal)
    margin = 0.03 * (high - low) + 0.5
    axes.set_xlim(low - margin, high + margin)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter(lambda value, _: _grouped(int(value)))
    if signal.observed is not None:
        seen = signal.observed.minimum, signal.observed.maximum
        _draw_bracket(
            axes, 0.60, seen, _OBSERVED, f"observed {_span(*seen)}: {signal.observed_bits} bits"
        )
    bound = signal.bound.minimum, signal.bound.maximum
    _draw_bracket(axes, 0.75, bound, _BOUND, f"bound {_span(*bound)}")
    _draw_bracket(axes, 0.90, (low, high), _REGISTER, _register_text(signal))


def _draw_histogram(axes: Axes, histogram: Histogram) -> None:
    edges = histogram.start - 0.5 + histogram.step * np.arange(len(histogram.counts) + 1)
    # The limits are known: an artist that is not asked for its own is drawn three times as fast.
    axes.add_artist(
        StepPatch(histogram.counts, edges, baseline=0.5, color=_OBSERVED, alpha=0.75, linewidth=0)
    )
    decades = np.log10(2.0 * histogram.counts.max())  # from the baseline to the highest bar
    axes.set_yscale("log")
    axes.set_ylim(0.5, 0.5 * 10 ** (decades / _HISTOGRAM_SHARE))
    powers = range(0, int(np.log10(histogram.counts.max())) + 1, 1 + int(decades) // 5)
    axes.set_yticks([10**power for power in powers], [f"{10**power:,}" for power in powers])
    axes.minorticks_off()


def _draw_bracket(
    axes: Axes, height: float, limits: tuple[int, int], colour: str, text: str
) -> None:
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
        height + 0.015,
        text,
        transform=axes.transAxes,
        ha="center",
        va="bottom",
        fontsize=8.5,
        color=colour,
        bbox={"color": "white", "pad": 0.6},
    )


def _register_limits(signal: SignalWidth) -> tuple[int, int]:
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
    return f"{_grouped(low)} to {_grouped(high)}"


def _grouped(value: int) -> str:
    return f"{value:,}".replace("-", "\N{MINUS SIGN}")


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
