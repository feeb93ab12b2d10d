"""Ranges in the form of proven ones without a proof: interval bounds, and what given inputs reach.

Nothing is solved, so that they are there at once, and bounds and witnesses lie apart.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from dataflow.proof.proven_ranges import CONSTANT, INTERVAL, ProvenRanges, make_proven_ranges
from dataflow.proof.witness_pool import END_SIGNS, WitnessPool
from dataflow.ranges.accumulation import TapOrder, tap_weights
from dataflow.ranges.intervals import (
    Ranges,
    constant_ranges,
    element_bounds,
    interval_bounds,
    part_name,
)
from golden.integer_math import signed_bits
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import WeightedNode


def witnessed_ranges(network: IntegerNetwork, fingerprints: npt.NDArray[Any]) -> ProvenRanges:
    """Return interval bounds with the extremes of `fingerprints` as their witnesses."""
    pool = WitnessPool(network)
    pool.add(fingerprints)
    bounds = interval_bounds(network)
    constants = {INPUT_NAME, *constant_ranges(network)}
    methods = {
        (name, end): (CONSTANT if name in constants else INTERVAL,) * len(bound.low)
        for name, bound in bounds.items()
        for end in END_SIGNS
    }
    orders = {node.name: _given_order(node, bounds) for node in network.weighted_nodes}
    inputs = element_bounds(network)[INPUT_NAME]
    return make_proven_ranges(network, inputs, bounds, bounds, methods, orders, pool)


def _given_order(node: WeightedNode, bounds: Ranges) -> TapOrder:
    sums = bounds[part_name(node, "partial_sum")]
    taps = tuple(range(len(tap_weights(node))))
    return TapOrder(taps, signed_bits(sums.minimum, sums.maximum))
