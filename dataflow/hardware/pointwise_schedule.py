"""The cycles of `rtl_ref/pointwise_conv.v`, and what other orders of its loops would cost.

`timeline` predicts the cycle of every handshake and every multiplication, for any gaps of the
source and stalls of the sink; a test compares it with the simulation, cycle by cycle.
`compare_orders` applies the same rules to the alternatives, so that the choice can be checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dataflow.hardware.loop_orders import (
    LOOP_ORDERS,
    LayerSize,
    LoopOrder,
    Steps,
    traffic,
    walk,
)
from golden.network import IntegerNetwork
from golden.nodes import GlobalMaxPool, Node
from golden.reference import Integers

# The registers that a value passes, a cycle each: input (with the weight), product, output.
TAKEN_TO_MULTIPLIED = 1
MULTIPLIED_TO_ADDED = 1
ADDED_TO_OFFERED = 1
FILL_CYCLES = TAKEN_TO_MULTIPLIED + MULTIPLIED_TO_ADDED + ADDED_TO_OFFERED

# `pw_conv` keeps the beat that is being multiplied and the one that waits behind it; `fc1`, which
# has more time than it needs, only the former.
INPUT_REGISTERS = 2
FULLY_CONNECTED_REGISTERS = 1


@dataclass(frozen=True, eq=False)
class Timeline:
    """The cycle of every event: beats taken, multiplications, outputs offered and accepted."""

    taken: Integers
    multiplied: Integers
    offered: Integers
    accepted: Integers


@dataclass(frozen=True)
class OrderCost:
    """What one loop order costs. Cycles and reads are per pixel, registers are for the layer.

    `latency_cycles`: from the first beat of a tile taken to its last output offered, at full rate.
    `tail_cycles`: from the last beat of a tile taken to its last output offered, when the beats
    arrive a fixed interval apart. `register_bits`: inputs, sums, weight, product and output, but no
    control. Outputs leave in the order in which they are complete.
    """

    order: LoopOrder
    multiply_cycles: float
    cycles: float
    latency_cycles: int
    tail_cycles: int
    input_registers: int
    sum_registers: int
    register_bits: int
    weight_reads: float
    input_reads: float
    sum_reads: float
    sum_writes: float


def timeline(
    steps: Steps,
    input_registers: int = INPUT_REGISTERS,
    offers: Sequence[int] | None = None,
    ready: Callable[[int], bool] | None = None,
) -> Timeline:
    """Follow one multiplier through `steps`, cycle by cycle.

    `offers[k]` is the first cycle in which the source would offer beat k (default: all at once);
    it offers beat k in no cycle before beat k - 1 is taken. `ready(cycle)` tells whether the sink
    accepts (default: always). A beat is taken while fewer than `input_registers` are occupied; a
    register is free in the cycle after the last multiplication of its beat. One finished sum waits
    for the sink; the next one that is finished stops the multiplier.

    Raises ValueError if the steps need more input registers than there are.
    """
    taken: list[int] = []
    released: list[int] = []
    multiplied: list[int] = []
    offered: list[int] = []
    accepted: list[int] = []
    last_use = np.zeros(steps.beat.size, bool)
    last_use[steps.beat.size - 1 - np.unique(steps.beat[::-1], return_index=True)[1]] = True
    complete = np.zeros(steps.sum.size, bool)
    complete[steps.sum.size - 1 - np.unique(steps.sum[::-1], return_index=True)[1]] = True

    earliest = 0  # of the next multiplication
    for beat, releases, completes in zip(
        steps.beat.tolist(), last_use.tolist(), complete.tolist(), strict=True
    ):
        while len(taken) <= beat:
            taken.append(_next_taken(taken, released, input_registers, offers))
        cycle = max(earliest, taken[beat] + TAKEN_TO_MULTIPLIED)
        multiplied.append(cycle)
        if releases:
            released.append(cycle)
        added = cycle + MULTIPLIED_TO_ADDED
        if completes:
            added = max(added, accepted[-1]) if accepted else added
            offered.append(added + ADDED_TO_OFFERED)
            accepted.append(_first_ready(offered[-1], ready))
        earliest = max(cycle + 1, added)
    events = (taken, multiplied, offered, accepted)
    return Timeline(*(np.array(cycles, np.int64) for cycles in events))


def compare_orders(
    size: LayerSize,
    bits: Mapping[str, int],
    interval: int,
    orders: Sequence[LoopOrder] = LOOP_ORDERS,
) -> tuple[OrderCost, ...]:
    """Return the cost of every order of the loops.

    `bits` holds the Verilog widths (`IN_BITS`, `WEIGHT_BITS`, `PRODUCT_BITS`, `ACC_BITS`,
    `OUT_BITS`); `interval` is the number of cycles from one input beat to the next for the tail.
    """
    return tuple(_cost(order, size, bits, interval) for order in orders)


def fewest_input_registers(order: LoopOrder, size: LayerSize) -> int:
    """Return the smallest number of input registers with which the multiplier never waits.

    Found by bisection: with the beats of two tiles stored it certainly does not.
    """
    low, high = 1, 2 * order.tile_pixels * size.inputs
    while low < high:
        middle = (low + high) // 2
        if _never_waits(order, size, middle):
            high = middle
        else:
            low = middle + 1
    return low


def beat_interval(network: IntegerNetwork, node: Node) -> int:
    """Return the cycles between the input beats of `node` in a machine that streams channels.

    A channel takes one cycle for each position of the feature map that the max-pool before `node`
    reduces, if the layers before it have a multiplier for each weight of a window.

    Raises ValueError if something else is before it.
    """
    pool = next((pool for pool in network.nodes if pool.name == node.sources[0]), None)
    if not isinstance(pool, GlobalMaxPool):
        kind = "the input" if pool is None else f"a {pool.kind}"
        raise ValueError(f"{node.name}.input: expected a {GlobalMaxPool.kind}, got {kind}")
    time, coefficient, _ = network.shapes[pool.sources[0]]
    return time * coefficient


def _cost(order: LoopOrder, size: LayerSize, bits: Mapping[str, int], interval: int) -> OrderCost:
    registers = fewest_input_registers(order, size)
    counts = traffic(order, size)
    pixels = order.tile_pixels
    one_tile = walk(order, size)
    full_rate = timeline(one_tile, registers)
    beats = pixels * size.inputs
    spaced = timeline(one_tile, registers, offers=[beat * interval for beat in range(beats)])
    three_tiles = timeline(walk(order, size, tiles=3), registers).multiplied
    stored = registers * bits["IN_BITS"] + counts.live_sums * bits["ACC_BITS"]
    return OrderCost(
        order=order,
        multiply_cycles=one_tile.beat.size / pixels,
        cycles=int(three_tiles[-1] - three_tiles[-1 - one_tile.beat.size]) / pixels,
        latency_cycles=int(full_rate.offered.max() - full_rate.taken[0]),
        tail_cycles=int(spaced.offered.max() - spaced.taken[-1]),
        input_registers=registers,
        sum_registers=counts.live_sums,
        register_bits=stored + bits["WEIGHT_BITS"] + bits["PRODUCT_BITS"] + bits["OUT_BITS"],
        weight_reads=counts.weight_reads / pixels,
        input_reads=counts.input_reads / pixels,
        sum_reads=counts.sum_reads / pixels,
        sum_writes=counts.sum_writes / pixels,
    )


def _never_waits(order: LoopOrder, size: LayerSize, input_registers: int) -> bool:
    """Tell whether the last two of three tiles run without a bubble at full input rate."""
    steps = walk(order, size, tiles=3)
    try:
        multiplied = timeline(steps, input_registers).multiplied
    except ValueError:
        return False
    tile = steps.beat.size // 3
    return bool((np.diff(multiplied[tile - 1 :]) == 1).all())


def _next_taken(
    taken: list[int], released: list[int], input_registers: int, offers: Sequence[int] | None
) -> int:
    """Return the cycle in which the next beat is taken, or raise if no register ever gets free."""
    beat = len(taken)
    cycle = 0 if offers is None else offers[beat]
    if taken:
        cycle = max(cycle, taken[-1] + 1)
    if beat >= input_registers:
        if len(released) <= beat - input_registers:
            raise ValueError(
                f"input_registers: expected enough to reach beat {beat}, got {input_registers}"
            )
        cycle = max(cycle, released[beat - input_registers] + 1)
    return cycle


def _first_ready(cycle: int, ready: Callable[[int], bool] | None) -> int:
    while ready is not None and not ready(cycle):
        cycle += 1
    return cycle
