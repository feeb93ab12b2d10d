"""Loop orders against counts by hand and against a second, plain simulation of registers."""

from __future__ import annotations

import itertools

import pytest

from dataflow.hardware.loop_orders import (
    INPUT_STATIONARY,
    LOOP_ORDERS,
    OUTPUT_STATIONARY,
    LayerSize,
    LoopOrder,
    Traffic,
    traffic,
    walk,
)

SIZES = [LayerSize(1, 1), LayerSize(1, 4), LayerSize(5, 1), LayerSize(3, 2), LayerSize(6, 5)]


def plain_traffic(order: LoopOrder, size: LayerSize) -> Traffic:
    """Count the same by running the loops with dictionaries for memories."""
    extents = {"pixel": order.tile_pixels, "input": size.inputs, "output": size.outputs}
    weight = value = place = None
    sums: dict[tuple[int, int], int] = {}
    done: dict[tuple[int, int], int] = {}
    counts = dict.fromkeys(("weight_reads", "input_reads", "sum_reads", "sum_writes"), 0)
    live = 0
    for indices in itertools.product(*(range(extents[loop]) for loop in order.loops)):
        at = dict(zip(order.loops, indices, strict=True))
        pixel, channel, output = at["pixel"], at["input"], at["output"]
        counts["weight_reads"] += weight != (channel, output)
        counts["input_reads"] += value != (pixel, channel)
        if place != (pixel, output):
            if place in sums:
                counts["sum_writes"] += 1
            counts["sum_reads"] += (pixel, output) in sums
        weight, value, place = (channel, output), (pixel, channel), (pixel, output)
        sums[place] = sums.get(place, 0) + 1
        live = max(live, len(sums))
        if sums[place] == size.inputs:
            done[place] = sums.pop(place)
    assert len(done) == order.tile_pixels * size.outputs
    return Traffic(**counts, live_sums=live)


@pytest.mark.parametrize("order", LOOP_ORDERS, ids=lambda order: order.name)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_traffic_equals_a_plain_simulation(order: LoopOrder, size: LayerSize) -> None:
    assert traffic(order, size) == plain_traffic(order, size)


def test_traffic_of_the_default_layer_by_hand() -> None:
    size = LayerSize(48, 16)
    # Each input is fetched once; each of 16 sums is fetched and put back for every input, except
    # that it is not fetched for the first input and not put back for the last.
    assert traffic(INPUT_STATIONARY, size) == Traffic(768, 48, 47 * 16, 47 * 16, 16)
    # The one sum stays where it is; each input is fetched for every output.
    assert traffic(OUTPUT_STATIONARY, size) == Traffic(768, 768, 0, 0, 1)


@pytest.mark.parametrize("order", LOOP_ORDERS, ids=lambda order: order.name)
def test_every_order_multiplies_every_weight_once_a_pixel(order: LoopOrder) -> None:
    size = LayerSize(3, 2)
    steps = walk(order, size, tiles=2)
    seen = list(zip(steps.pixel.tolist(), steps.input.tolist(), steps.output.tolist(), strict=True))
    pixels = 2 * order.tile_pixels
    assert sorted(seen) == list(itertools.product(range(pixels), range(3), range(2)))


@pytest.mark.parametrize(
    ("loops", "tile", "message"),
    [
        (("pixel", "input", "input"), 1, r"odd\.loops: expected pixel, input and output once each"),
        (("pixel", "input", "output"), 2, r"odd\.tile_pixels: expected 1, or more if pixel"),
        (("input", "output", "pixel"), 0, r"odd\.tile_pixels: expected 1, or more if pixel"),
    ],
)
def test_impossible_orders_are_refused(
    loops: tuple[str, str, str], tile: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        LoopOrder("odd", loops, tile)
