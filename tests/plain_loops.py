"""Every signal of a network once more, by plain Python loops over Python integers.

Slow and without NumPy's arithmetic: the other route by which ranges and observations are checked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import Convolution, DepthwiseConvolution, FullyConnected, GlobalMaxPool, ShiftRelu

Values = dict[tuple[int, ...], int]  # a feature map: (time, coefficient, channel) -> value
Signals = dict[str, dict[int, list[int]]]  # name of the signal -> channel -> every value it takes


def every_value(network: IntegerNetwork, fingerprint: npt.NDArray[Any]) -> Signals:
    """Return every value of every signal for one fingerprint `(time, coefficient)`."""
    signals: Signals = defaultdict(lambda: defaultdict(list))
    maps: dict[str, Values] = {
        INPUT_NAME: {(*place, 0): int(value) for place, value in np.ndenumerate(fingerprint)}
    }
    for node in network.nodes:
        inputs = maps[node.input]
        shape = network.shapes[node.input]
        match node:
            case ShiftRelu():
                maps[node.name] = {
                    place: max(value // 2**node.shift, 0) for place, value in inputs.items()
                }
            case GlobalMaxPool():
                maps[node.name] = {
                    (0, 0, channel): max(v for place, v in inputs.items() if place[2] == channel)
                    for channel in range(shape[2])
                }
            case Convolution() | DepthwiseConvolution() | FullyConnected():
                maps[node.name] = {}
                for place in np.ndindex(*network.shapes[node.name]):
                    channel = place[-1]
                    total = int(node.biases[channel]) if isinstance(node, FullyConnected) else 0
                    for weight, value in _taps(node, place, inputs, shape):
                        total += weight * value
                        signals[f"{node.name}.product"][channel].append(weight * value)
                        signals[f"{node.name}.partial_sum"][channel].append(total)
                    maps[node.name][place] = total
    for name, values in maps.items():
        for place, value in values.items():
            signals[name][place[-1]].append(value)
    return signals


def extremes(network: IntegerNetwork, fingerprints: npt.NDArray[Any]) -> dict[str, Any]:
    """Return `(low, high)` of every signal on all fingerprints, each a list by channel."""
    everything: Signals = defaultdict(lambda: defaultdict(list))
    for fingerprint in fingerprints:
        for name, channels in every_value(network, fingerprint).items():
            for channel, values in channels.items():
                everything[name][channel] += [min(values), max(values)]
    return {
        name: (
            [min(channels[channel]) for channel in sorted(channels)],
            [max(channels[channel]) for channel in sorted(channels)],
        )
        for name, channels in everything.items()
    }


def _taps(
    node: Any, place: tuple[int, ...], inputs: Values, shape: tuple[int, ...]
) -> Iterator[tuple[int, int]]:
    """Yield weight and value of each tap of one output in the order kh, kw, in."""
    channel = place[-1]
    if isinstance(node, FullyConnected):
        for index, source in enumerate(sorted(inputs)):  # sorted places: time, coefficient, channel
            yield int(node.weights[channel, index]), inputs[source]
        return
    top, left = (
        place[axis] * node.stride[axis] - _zeros_before(node, shape[axis], axis) for axis in (0, 1)
    )
    for row, column, source in np.ndindex(*node.weights.shape[1:]):
        read = channel if isinstance(node, DepthwiseConvolution) else source
        value = inputs.get((top + row, left + column, read), 0)  # beyond the map: zero
        yield int(node.weights[channel, row, column, source]), value


def _zeros_before(node: Any, size: int, axis: int) -> int:
    if node.padding == "VALID":
        return 0
    step, kernel = node.stride[axis], node.weights.shape[1 + axis]
    last_start = (-(-size // step) - 1) * step
    return max(last_start + kernel - size, 0) // 2
