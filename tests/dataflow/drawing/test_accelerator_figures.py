"""The pictures of the accelerator: their numbers, the places of their marks, and their layout."""

from __future__ import annotations

from itertools import combinations

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path
from matplotlib.text import Text

from dataflow.drawing.accelerator_blocks import (
    MEMORY,
    REGISTER,
    TIMES,
    Stream,
    counted,
    parts_of,
    streams_of,
)
from dataflow.drawing.accelerator_figures import block_diagram, utilisation_chart
from dataflow.drawing.canvas_figures import svg
from dataflow.drawing.timing_figures import timing_diagram
from dataflow.hardware.accelerator import (
    BALANCED,
    CONFIGURATIONS,
    FAST,
    SMALL,
    Accelerator,
    Configuration,
)
from dataflow.hardware.accelerator_schedule import Schedule, predict
from dataflow.hardware.rtl_parameters import memories, module_parameters
from golden.exports.mem import memory_text
from golden.network import IntegerNetwork
from tests.networks import random_network

DEFAULT = random_network(1)
# A map of 10 x 3, 3 channels, 7 features, 2 labels.
OTHER = random_network(
    2, 3, 7, 2, kernel=(3, 2), stride=(1, 2), depthwise_kernel=(2, 3), input_shape=(12, 6)
)
# fc1 needs more cycles than two channels bring maxima, so that everything before it waits.
WAITING = random_network(3, 4, 12, 9, kernel=(2, 2), input_shape=(6, 6))
ONE_OF_ALL = random_network(
    4, 1, 1, 1, kernel=(1, 1), stride=(1, 1), depthwise_kernel=(1, 1), input_shape=(4, 3)
)
NETWORKS = {"default": DEFAULT, "other": OTHER}
ODD_NETWORKS = {"waiting": WAITING, "one of all": ONE_OF_ALL}


def schedule_of(network: IntegerNetwork, configuration: Configuration = FAST) -> Schedule:
    return predict(Accelerator(network, configuration))


def texts(figure: Figure) -> list[Text]:
    """Return what a reader can read."""
    figure.draw_without_rendering()
    found = [text for axes in figure.axes for text in axes.texts if text.get_text()]
    for axes in panels(figure):
        low, high = axes.get_xlim()
        ticks = axes.xaxis.get_major_ticks()
        found += [tick.label1 for tick in ticks if low <= tick.get_loc() <= high]
    return found


def panels(figure: Figure) -> list[Axes]:
    """Return the parts of a timing diagram: overview, first channels, end of the frame."""
    return [axes for axes in figure.axes if axes.axison]


def words(figure: Figure) -> set[str]:
    return {text.get_text() for text in texts(figure)}


def assert_readable(figure: Figure) -> None:
    """Every text lies in the picture, at 8 points or more, and on no other text."""
    shown = texts(figure)
    boxes = [(text.get_text(), text.get_window_extent()) for text in shown]
    assert min(text.get_fontsize() for text in shown) >= 8
    for text, box in boxes:
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1, text
        assert box.y0 >= 0 and box.y1 <= figure.bbox.y1, text
    for (first, one), (second, other) in combinations(boxes, 2):
        assert not one.padded(-1.5).overlaps(other.padded(-1.5)), (first, second)


def bars(axes: Axes) -> dict[float, list[tuple[int, int]]]:
    """Return the bars of a timing panel as (first cycle, end), by the height of their row."""
    rows: dict[float, list[tuple[int, int]]] = {}
    for patch in axes.patches:
        if isinstance(patch, PathPatch):
            path = patch.get_path()
            for start in (path.codes == Path.MOVETO).nonzero()[0]:
                (first, y), (end, _) = path.vertices[start : start + 2]
                rows.setdefault(y, []).append((int(first), int(end)))
    return {y: sorted(rows[y]) for y in sorted(rows)}


@pytest.mark.parametrize(
    ("name", "configuration"),
    [("default", SMALL), ("default", FAST), ("other", BALANCED), ("other", FAST)],
)
def test_every_text_can_be_read(name: str, configuration: Configuration) -> None:
    schedule = schedule_of(NETWORKS[name], configuration)
    assert_readable(block_diagram(schedule))
    assert_readable(timing_diagram(schedule))


@pytest.mark.parametrize("name", ODD_NETWORKS)
def test_any_network_can_be_drawn(name: str) -> None:
    schedule = schedule_of(ODD_NETWORKS[name])
    for figure in (block_diagram(schedule), timing_diagram(schedule)):
        assert svg(figure, name).startswith(b"<?xml")
    assert_readable(utilisation_chart([schedule_of(ODD_NETWORKS[name], SMALL), schedule]))


def test_drawing_again_gives_the_same_bytes() -> None:
    first, again = (svg(timing_diagram(schedule_of(OTHER)), "title") for _ in range(2))
    assert first == again
    assert b"<title>title</title>" in first
    assert b"<dc:date>" not in first


def test_parts_have_the_sizes_of_the_network() -> None:
    accelerator = Accelerator(OTHER, FAST)
    widths = module_parameters(accelerator)
    line = widths["conv_1"]["OUT_BITS"]
    sizes = {
        block: {part.name: part.size.replace(TIMES, "x") for part in parts}
        for block, parts in parts_of(accelerator).items()
    }
    assert sizes["frame_control"] == {"windows": "3 x 30", "steps a window": "1"}
    assert sizes["window_memory"] == {"6 memories": "128 x 6 bits", "2 frames": "36 words each"}
    assert sizes["conv_1"]["weights"] == "3 x 36 bits"
    assert sizes["conv_1"]["6 multipliers"] == "6 x 6 bits"
    assert sizes["dw_conv_max_pool"]["line buffer"] == f"6 x {line} bits"
    assert sizes["dw_conv_max_pool"]["6 multipliers"] == f"{line} x 6 bits"
    assert sizes["pointwise_conv"]["weights"] == "21 x 6 bits"
    assert sizes["pointwise_conv"]["ring of sums"].startswith("7 x ")
    assert sizes["fc1"]["weights"] == "14 x 6 bits"
    assert sizes["argmax"]["its label"] == "1 bit"


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_weights_have_the_bits_of_the_memory_files(configuration: str) -> None:
    accelerator = Accelerator(OTHER, CONFIGURATIONS[configuration])
    written = 0
    for memory in memories(accelerator):
        text = memory_text(OTHER, memory.array, memory.order, memory.bits, memory.lanes)
        lines = (line for line in text.splitlines() if not line.startswith("//"))
        written += sum(len(line.split()) for line in lines) * memory.bits * memory.lanes
    blocks = parts_of(accelerator)
    stored = [
        part.bits
        for block, parts in blocks.items()
        for part in parts
        if part.kind == MEMORY and block != "window_memory"
    ]
    assert sum(stored) == written


def test_streams_have_the_widths_and_the_pace_of_the_network() -> None:
    streams = streams_of(schedule_of(OTHER, BALANCED))
    bits = {name: stream.bits for name, stream in streams.items()}
    assert streams["s_axis"] == Stream(8, 72, 1)
    assert streams["window_memory"] == Stream(12, 3 * 30 * 3, 1)
    assert streams["conv_1"] == Stream(bits["conv_1"], 90, 3)
    assert streams["dw_conv_max_pool"] == Stream(bits["dw_conv_max_pool"], 3, 90)
    assert streams["pointwise_conv"] == Stream(bits["pointwise_conv"], 7, 3)
    assert streams["fc1"] == Stream(bits["fc1"], 2, 1)
    assert streams["argmax"] == Stream(bits["argmax"], 3, 1)
    assert streams["conv_1"].rate == "every 3 cycles"
    assert streams["fc1"].rate == "every cycle"


def test_block_diagram_shows_all_parts_and_streams() -> None:
    schedule = schedule_of(OTHER)
    shown = words(block_diagram(schedule))
    blocks = parts_of(schedule.accelerator)
    for block, parts in blocks.items():
        assert {block, *(part.name for part in parts), *(part.size for part in parts)} <= shown
    for stream in streams_of(schedule).values():
        assert any(f"{stream.values:,} a frame" in text for text in shown)
        assert any(stream.rate in text for text in shown)
    registers = sum(
        part.bits for parts in blocks.values() for part in parts if part.kind == REGISTER
    )
    (total,) = (text for text in shown if text.startswith("In all: 14 multipliers, "))
    assert total.endswith(f" 4,608 bits for frames, {registers:,} bits in the registers shown")


def test_timing_diagram_shows_every_event_in_its_cycle() -> None:
    schedule = schedule_of(OTHER)
    channels = panels(timing_diagram(schedule))[1]
    first, end = channels.get_xlim()
    reads, sums, depthwise, maxima, products = bars(channels).values()

    def seen(stream: str) -> list[tuple[int, int]]:
        cycles = schedule.cycles[stream].tolist()
        return [(cycle, cycle + 1) for cycle in cycles if first <= cycle < end]

    assert reads == [cycle for cycle in seen("issued") if cycle[0] < 72 + 3 * 30]
    assert reads[0] == (72, 73)  # the frame is loaded in cycles 0 to 71
    assert (sums, depthwise, maxima) == (seen("conv_1"), seen("dw_conv"), seen("max_pool"))
    starts = [maximum[1] for maximum in maxima]
    assert products == [(start + k, start + k + 1) for start in starts for k in range(7)]


def test_timing_diagram_shows_the_end_of_a_frame() -> None:
    schedule = schedule_of(OTHER)
    tail = panels(timing_diagram(schedule))[2]
    *_, sums, products, out = bars(tail).values()
    taken = schedule.cycles["pw_conv_relu"][:7].tolist()
    assert [first for first, _ in sums] == schedule.cycles["pw_conv"][:7].tolist()
    assert [first for first, _ in products] == [cycle + k for cycle in taken for k in (1, 2)]
    assert [first for first, _ in out] == schedule.cycles["out"][:3].tolist()


def test_multiplications_that_wait_are_drawn_where_they_happen() -> None:
    """While fc1 works off a frame, pointwise_conv cannot start on the next one."""
    schedule = schedule_of(WAITING)
    overview = panels(timing_diagram(schedule))[0]
    products = list(bars(overview).values())[3]
    last_sum = int(schedule.cycles["pw_conv"][11])
    of_the_next_frame = schedule.cycles["max_pool"][4]
    assert of_the_next_frame < last_sum
    assert min(first for first, _ in products if first >= last_sum) == last_sum


def test_timing_diagram_says_what_the_schedule_says() -> None:
    shown = words(timing_diagram(schedule_of(DEFAULT, BALANCED)))
    assert {
        "first number to label: 11,168 cycles",
        "label to label: 10,752 cycles",
        "6 cycles from read to sum",
        "26 cycles: its window needs 5 more values",
        "16 multiplications, then idle for 208 cycles",
        "4 logits",
    } <= shown


def test_utilisation_chart_shows_multipliers_cycles_and_shares() -> None:
    figure = utilisation_chart([schedule_of(DEFAULT, item) for item in CONFIGURATIONS.values()])
    shown = [text.get_text() for text in texts(figure)]
    assert {"43,008 cycles a frame", "10,752 cycles a frame", "2,688 cycles a frame"} <= set(shown)
    # By hand: 9 / 16, 3 x 9 / (3 x 12), 16 / 56, and all 68,032 over 27 x 2,688.
    assert {"56.2 %", "75.0 %", "28.6 %", "93.7 %"} <= set(shown)
    assert [shown.count(count) for count in ("16", "9", "4", "3", "27")] == [1, 2, 2, 1, 1]
    widths = [
        patch.get_width() for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch)
    ]
    full = max(widths)
    assert [width / full for width in widths[1::2]] == pytest.approx(
        [
            *(1, 9 / 16, 768 / 43008, 64 / 43008, 68032 / (4 * 43008)),
            *(1, 9 / 12, 768 / 10752, 64 / 10752, 68032 / (9 * 10752)),
            *(1, 1, 768 / 2688, 64 / 2688, 68032 / (27 * 2688)),
        ]
    )


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "0 memories"), (1, "1 memory"), (1200, "1,200 memories")]
)
def test_counted_takes_the_right_number(number: int, expected: str) -> None:
    assert counted(number, "memory", "memories") == expected
    assert counted(2, "bit") == "2 bits"
