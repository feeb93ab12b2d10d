"""Predicted cycles against hand calculation; `tests/rtl` compares them with the simulation."""

from __future__ import annotations

import pytest

from dataflow.hardware.loop_orders import (
    INPUT_STATIONARY,
    LOOP_ORDERS,
    OUTPUT_STATIONARY,
    LayerSize,
    walk,
)
from dataflow.hardware.pointwise_schedule import (
    INPUT_REGISTERS,
    OrderCost,
    beat_interval,
    compare_orders,
    fewest_input_registers,
    timeline,
)
from dataflow.hardware.rtl_parameters import pointwise_layer
from tests.networks import random_network

DEFAULT = LayerSize(48, 16)
BITS = {"IN_BITS": 12, "WEIGHT_BITS": 6, "PRODUCT_BITS": 18, "ACC_BITS": 20, "OUT_BITS": 10}


def costs() -> dict[str, OrderCost]:
    return {cost.order.name: cost for cost in compare_orders(DEFAULT, BITS, interval=56)}


def test_first_cycles_of_a_small_layer_by_hand() -> None:
    # Two inputs, two outputs. Cycle 0: input 0 is taken; cycles 1 and 2: it is multiplied; cycle 1:
    # input 1 is taken and waits; cycles 3 and 4: it is multiplied; added in 4 and 5; offered in
    # 5 and 6. Input 2 is taken once input 1 has left the waiting register at the end of cycle 2.
    times = timeline(walk(INPUT_STATIONARY, LayerSize(2, 2), tiles=2))
    assert times.taken.tolist() == [0, 1, 3, 5]
    assert times.multiplied.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert times.offered.tolist() == [5, 6, 9, 10]
    assert times.accepted.tolist() == times.offered.tolist()


def test_stall_keeps_one_output_waiting_and_then_stops_the_multiplier() -> None:
    # One input, three outputs, a sink that is ready from cycle 10 on. The first output waits in the
    # output register from cycle 3 on, the second as a product, and the third is not multiplied.
    times = timeline(walk(INPUT_STATIONARY, LayerSize(1, 3)), ready=lambda cycle: cycle >= 10)
    assert times.multiplied.tolist() == [1, 2, 10]
    assert times.offered.tolist() == [3, 11, 12]
    assert times.accepted.tolist() == [10, 11, 12]


def test_gaps_of_the_source_delay_only_what_needs_the_beat() -> None:
    times = timeline(walk(INPUT_STATIONARY, LayerSize(2, 3)), offers=[4, 20])
    assert times.taken.tolist() == [4, 20]
    assert times.multiplied.tolist() == [5, 6, 7, 21, 22, 23]


@pytest.mark.parametrize("pixels", [1, 2, 5])
def test_default_layer_takes_768_cycles_a_pixel_and_a_fill_of_3(pixels: int) -> None:
    times = timeline(walk(INPUT_STATIONARY, DEFAULT, tiles=pixels))
    assert times.multiplied.tolist() == list(range(1, 768 * pixels + 1))
    assert times.offered[:16].tolist() == list(range(755, 771))
    assert times.offered[-1] == 768 * pixels + 2


def test_two_input_registers_are_the_fewest_for_the_order_that_is_built() -> None:
    assert fewest_input_registers(INPUT_STATIONARY, DEFAULT) == INPUT_REGISTERS == 2
    one = timeline(walk(INPUT_STATIONARY, DEFAULT), input_registers=1)
    assert one.multiplied[-1] == 768 + 47  # a bubble for every beat but the first


def test_output_stationary_stores_the_whole_pixel() -> None:
    assert fewest_input_registers(OUTPUT_STATIONARY, DEFAULT) == 48
    with pytest.raises(
        ValueError, match="input_registers: expected enough to reach beat 47, got 4"
    ):
        timeline(walk(OUTPUT_STATIONARY, DEFAULT), input_registers=47)


def test_the_order_that_is_built_is_the_smallest_and_the_quickest_after_the_last_input() -> None:
    table = costs()
    assert len(table) == len(LOOP_ORDERS)
    built = table.pop("input-stationary")
    assert all(built.register_bits < other.register_bits for other in table.values())
    assert all(built.tail_cycles < other.tail_cycles for other in table.values())
    assert all(built.latency_cycles <= other.latency_cycles for other in table.values())
    assert all(built.input_reads <= other.input_reads for other in table.values())
    assert all(built.cycles == other.cycles == 768 for other in table.values())


def test_cost_of_the_default_layer_by_hand() -> None:
    table = costs()
    built, other = table["input-stationary"], table["output-stationary"]
    assert built.register_bits == 2 * 12 + 16 * 20 + 6 + 18 + 10
    assert other.register_bits == 48 * 12 + 1 * 20 + 6 + 18 + 10
    assert built.tail_cycles == 16 + 2  # the last input meets 16 weights, then product and output
    assert other.tail_cycles == 1 + 15 * 48 + 2  # 15 outputs have not begun
    by_weight = table["weight-stationary, by input"]
    assert by_weight.weight_reads == 768 / 4


def test_interval_of_the_default_network_is_one_map() -> None:
    network = random_network(1)
    assert beat_interval(network, pointwise_layer(network).convolution) == 14 * 4
