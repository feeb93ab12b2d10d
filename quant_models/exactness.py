"""Where the Keras forward pass, which computes in float32, is exact: below 2**24.

Float32 holds every integer up to 2**24, so sums of integers are exact in any order of additions as
long as the magnitudes of all terms add up to less. Whoever knows a bound that holds for every input
(`dataflow.ranges.intervals.magnitude_bound`) needs nothing else; interval bounds of deep networks,
however, grow far above what ever occurs. `check_sums` therefore takes the inputs of every layer as
they are, clip by clip.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from golden import reference
from golden.axes import layer_axes
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import WeightedNode
from golden.reference import Integers

FLOAT32_EXACT = 2**24


def check_sums(network: IntegerNetwork, layers: Mapping[str, Integers], first_clip: int = 0) -> int:
    """Return the largest sum of magnitudes in these clips, after checking that float32 is exact.

    `layers` are `(N, *shape)` as `golden.reference.run` gives them; `first_clip` is what the first
    of them is called. A sum of magnitudes is `|bias| + sum of |weight| * |input|`, of one output
    of one weighted node.

    Raises ValueError, naming layer, clip and place, for one of 2**24 or more.
    """
    largest = 0
    for name, sums in _sums_of_magnitudes(network, layers):
        largest = max(largest, int(sums.max()))
        if largest >= FLOAT32_EXACT:
            clip, *place = (int(index) for index in np.unravel_index(sums.argmax(), sums.shape))
            axes = zip(layer_axes(len(place)), place, strict=True)
            raise ValueError(
                f"{name}: expected |weight x input| to add up to less than 2^24 for exact float32, "
                f"got {largest} at clip {first_clip + clip}, "
                + ", ".join(f"{axis} {index}" for axis, index in axes)
            )
    return largest


def exactness_text(bound: int, largest_sum: int) -> str:
    """Say why the Keras forward pass was exact.

    `bound` holds for every input; where it is not enough, `largest_sum` is what `check_sums` found.
    """
    if bound < FLOAT32_EXACT:
        return f"exact for every input: sums of magnitudes reach {bound:,} < 2^24 at most"
    return (
        "exact for each of these clips: their sums of magnitudes were checked one by "
        f"one and reach {largest_sum:,} < 2^24 (the bound for every input is {bound:,})"
    )


def _sums_of_magnitudes(
    network: IntegerNetwork, layers: Mapping[str, Integers]
) -> Iterator[tuple[str, Integers]]:
    for node in network.weighted_nodes:
        values = np.abs(layers[node.input])
        if node.input == INPUT_NAME:
            values = values[..., np.newaxis]
        yield node.name, reference.compute(_without_signs(node), values)


def _without_signs(node: WeightedNode) -> WeightedNode:
    """Return the node with the magnitudes of its weights and biases; -32 becomes 32."""
    numbers: dict[str, npt.NDArray[Any]] = {
        field.name: np.abs(value.astype(np.int64))
        for field in dataclasses.fields(node)
        if isinstance(value := getattr(node, field.name), np.ndarray)
    }
    return dataclasses.replace(node, **numbers)
