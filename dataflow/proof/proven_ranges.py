"""Proven ranges as data: bounds, the values that inputs reach, and those inputs.

They belong to one network, by digest, and are stored as an archive (`golden.archive`), so that what
took minutes is there at once the next time. `dataflow.proof.range_prover` makes them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dataflow.proof.witness_pool import END_SIGNS, Reach, WitnessPool
from dataflow.ranges.accumulation import TapOrder
from dataflow.ranges.intervals import Box, ChannelRange, Ranges, constant_ranges
from golden import archive
from golden.archive import read_only
from golden.network import IntegerNetwork
from golden.reference import Integers

KIND = "proven ranges"

CONSTANT = "constant"
CLOSED_FORM = "closed form"
INTERVAL = "interval"
MILP = "MILP"
MILP_POOL_FREE = "MILP, pool free"
METHODS = (CONSTANT, CLOSED_FORM, MILP, MILP_POOL_FREE, INTERVAL)  # from exact to loose

_NOWHERE = -1  # case, position and tap of what depends on no input


@dataclass(frozen=True)
class Budget:
    """How much work goes into proving ranges.

    `seconds` is the limit of one program, `total_seconds` that of the whole proof: afterwards
    interval bounds stand for what is left. `rounds` is how often the search behind the pool goes on
    from its best input; `workers` processes share the work.
    """

    seconds: float = 20.0
    rounds: int = 8
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    total_seconds: float = math.inf


@dataclass(frozen=True, eq=False)
class ProvenEnd:
    """The smallest or the largest value of a signal, one entry a channel.

    `bound` holds for every input; `reached` is what the witness gives, number `case` of the stored
    inputs, at `position` (windows of a feature map, row by row) and `tap` (-1 for signals without
    taps; all three are -1 for constants). `method` tells how the bound was found. `certified` is a
    bound that rests on integer arithmetic alone, not on a solver; it may be a little wider.
    """

    bound: Integers
    certified: Integers
    reached: Integers
    case: Integers
    position: Integers
    tap: Integers
    method: tuple[str, ...]

    @property
    def gap(self) -> Integers:
        """Distance between bound and witness: 0 where the range is exact."""
        distance: Integers = np.abs(self.bound - self.reached)
        return distance


@dataclass(frozen=True, eq=False)
class ProvenSignal:
    """Both ends of a signal."""

    low: ProvenEnd
    high: ProvenEnd

    @property
    def bound(self) -> ChannelRange:
        """A range that no input leaves."""
        return ChannelRange(self.low.bound, self.high.bound)

    @property
    def reached(self) -> ChannelRange:
        """The range that the witnesses span."""
        return ChannelRange(self.low.reached, self.high.reached)

    @property
    def certified(self) -> ChannelRange:
        """A range that no input leaves, by integer arithmetic alone."""
        return ChannelRange(self.low.certified, self.high.certified)

    @property
    def exact(self) -> bool:
        """Whether a witness attains the bound at both ends of every channel."""
        return not (self.low.gap.any() or self.high.gap.any())

    @property
    def spare_bits(self) -> int:
        """How many bits more the bound needs than the witnesses, all channels together."""
        return self.bound.bits - self.reached.bits

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods behind the bounds, each once, in the order of `METHODS`."""
        used = {*self.low.method, *self.high.method}
        return tuple(method for method in METHODS if method in used)


@dataclass(frozen=True, eq=False)
class ProvenRanges:
    """Proven ranges of the network with this digest, for inputs within `input_low`, `input_high`.

    Both are int64 of the input's shape, as the first layers see it; `fingerprints` int8 `(case,
    *shape)` are the witnesses, as the network takes them; `signals` are named as in
    `dataflow.ranges.intervals`; `orders` give for each weighted node the best order of additions
    that was found. `stopped_after` are the seconds after which the proof was cut off, None where it
    came to its end; what was left has interval bounds.
    """

    network_digest: str
    input_low: Integers
    input_high: Integers
    fingerprints: npt.NDArray[np.int8]
    signals: Mapping[str, ProvenSignal]
    orders: Mapping[str, TapOrder]
    stopped_after: float | None = None

    @property
    def bounds(self) -> Ranges:
        """Ranges that no input leaves, of every signal."""
        return {name: signal.bound for name, signal in self.signals.items()}

    @property
    def reached(self) -> Ranges:
        """Ranges that the witnesses span, of every signal."""
        return {name: signal.reached for name, signal in self.signals.items()}

    def to_bytes(self) -> bytes:
        """Return the bytes of the file, the same for the same ranges."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "input_low": self.input_low,
            "input_high": self.input_high,
            "fingerprints": self.fingerprints,
        }
        for name, signal in self.signals.items():
            arrays[f"{name}.low"], arrays[f"{name}.high"] = (
                _packed(signal.low),
                _packed(signal.high),
            )
        description: dict[str, Any] = {
            "network_digest": self.network_digest,
            "methods": list(METHODS),
            "signals": list(self.signals),
            "orders": {
                name: {"taps": list(order.taps), "bits": order.bits}
                for name, order in self.orders.items()
            },
        }
        if self.stopped_after is not None:
            description["stopped_after"] = self.stopped_after
        return archive.archive_bytes(KIND, description, arrays)


def read_proven_ranges(path: Path, network: IntegerNetwork) -> ProvenRanges:
    """Read the proven ranges of a network.

    Raises FileNotFoundError, and ValueError for a file that is foreign, tampered with, not valid,
    or made for another network.
    """
    stored = archive.read_archive(path, KIND)
    found = stored.description.get("network_digest")
    if found != network.digest:
        raise ValueError(
            f"{path}: expected proven ranges of the network {network.digest}, got {found}"
        )
    try:
        return _from_archive(network, stored)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a valid proven ranges: {error}") from error


def make_proven_ranges(
    network: IntegerNetwork,
    inputs: Box,
    bounds: Ranges,
    certified: Ranges,
    methods: Mapping[tuple[str, str], tuple[str, ...]],
    orders: Mapping[str, TapOrder],
    pool: WitnessPool,
    stopped_after: float | None = None,
) -> ProvenRanges:
    """Join bounds and what the inputs in `pool` reach; keep those that are some end's witness."""
    constants = constant_ranges(network)
    cases = sorted({int(case) for reach in pool.reach.values() for case in reach.case})
    number = {case: index for index, case in enumerate(cases)}
    signals = {}
    for name, bound in bounds.items():
        ends = {}
        for end in END_SIGNS:
            limit = getattr(bound, end)
            if name in constants:
                nowhere = np.full(limit.shape, _NOWHERE)
                reach = Reach(limit, nowhere, nowhere, nowhere)
            else:
                reach = pool.reach[name, end]
                renumbered = np.array([number[int(case)] for case in reach.case])
                reach = Reach(reach.value, renumbered, reach.position, reach.tap)
            safe = getattr(certified[name], end)
            ends[end] = _proven_end(limit, safe, reach, methods[name, end])
        signals[name] = ProvenSignal(**ends)
    return ProvenRanges(
        network.digest,
        read_only(inputs.low.reshape(network.input_shape)),
        read_only(inputs.high.reshape(network.input_shape)),
        read_only(pool.fingerprints[cases]),
        signals,
        orders,
        stopped_after,
    )


def _proven_end(
    bound: Integers, certified: Integers, reach: Reach, method: tuple[str, ...]
) -> ProvenEnd:
    return ProvenEnd(
        bound=read_only(bound),
        certified=read_only(certified),
        reached=read_only(reach.value),
        case=read_only(reach.case),
        position=read_only(reach.position),
        tap=read_only(reach.tap),
        method=method,
    )


def _packed(end: ProvenEnd) -> Integers:
    """Return the arrays of an end as int64 `(7, channel)`, methods by their place in `METHODS`."""
    methods = [METHODS.index(method) for method in end.method]
    places = end.case, end.position, end.tap
    return np.array([end.bound, end.certified, end.reached, *places, methods], np.int64)


def _unpacked(packed: Integers, methods: list[str]) -> ProvenEnd:
    *parts, codes = map(read_only, packed)
    bound, certified, reached, case, position, tap = parts
    method = tuple(methods[code] for code in codes)
    return ProvenEnd(bound, certified, reached, case, position, tap, method)


def _from_archive(network: IntegerNetwork, stored: archive.Archive) -> ProvenRanges:
    description, arrays = stored.description, stored.arrays
    methods = description["methods"]
    signals = {
        name: ProvenSignal(
            _unpacked(arrays[f"{name}.low"], methods), _unpacked(arrays[f"{name}.high"], methods)
        )
        for name in description["signals"]
    }
    orders = {
        name: TapOrder(tuple(order["taps"]), order["bits"])
        for name, order in description["orders"].items()
    }
    inputs = arrays["input_low"], arrays["input_high"]
    stopped_after = description.get("stopped_after")
    return ProvenRanges(
        network.digest,
        *inputs,
        arrays["fingerprints"],
        signals,
        orders,
        None if stopped_after is None else float(stopped_after),
    )
