"""What accumulators need: for the worst partial sum, for the last one alone, in the best order.

An adder of n bits computes modulo 2**n, and additions modulo 2**n do not depend on what wrapped
before: after the last tap it holds the true sum modulo 2**n. If the true sum lies within
-2**(n-1)..2**(n-1) - 1, that residue is the sum. So n bits for the *last* sum are enough, in any
order and in any tree, as long as nothing reads the accumulator in between and nothing saturates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dataflow.ranges.accumulation import TapOrder, tap_weights
from dataflow.ranges.intervals import Ranges, part_name
from golden.network import IntegerNetwork


@dataclass(frozen=True)
class AccumulatorBits:
    """Two's-complement bits of one layer's accumulator, from bounds that hold for every input.

    `worst_bits` hold every partial sum in the order kh, kw, in, `last_bits` the last one alone;
    `best` is the order found whose partial sums need fewest. `saving_channels` would each need
    fewer bits for the last sum alone.
    """

    layer: str
    worst_bits: int
    last_bits: int
    best: TapOrder
    saving_channels: tuple[int, ...]

    @property
    def saved_bits(self) -> int:
        """Bits that the layer's accumulator saves where only the last sum must fit."""
        return self.worst_bits - self.last_bits


def accumulator_bits(
    network: IntegerNetwork, bounds: Ranges, orders: Mapping[str, TapOrder] | None = None
) -> tuple[AccumulatorBits, ...]:
    """Return the accumulator of every layer with weights, in order.

    `orders` are the best orders found, by layer; without any the taps keep theirs.
    """
    rows = []
    for node in network.weighted_nodes:
        partial, last = bounds[part_name(node, "partial_sum")], bounds[node.name]
        saving = tuple(
            channel
            for channel, (worst, alone) in enumerate(
                zip(partial.channel_bits, last.channel_bits, strict=True)
            )
            if alone < worst
        )
        given = TapOrder(tuple(range(len(tap_weights(node)))), partial.bits)
        rows.append(
            AccumulatorBits(
                node.name,
                partial.bits,
                last.bits,
                given if orders is None else orders[node.name],
                saving,
            )
        )
    return tuple(rows)
