"""da4ml as a peer: `network.npz` as one circuit of adders, traced, in its interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from da4ml.trace import FixedVariableArray, FixedVariableArrayInput, comb_trace
from da4ml.trace.ops import relu

from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import (
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    GlobalMaxPool,
    Node,
    ShiftRelu,
)
from golden.reference import windows
from golden.windows import Windows
from scripts.benchmarking.peer_process import Inputs, Predict, serve


def prepare(folder: Path, inputs: Inputs) -> Predict:
    network = IntegerNetwork.load(folder / "network.npz")
    circuit = trace(network)
    real = inputs.reshape(len(inputs), -1).astype(np.float64)
    return lambda: circuit.predict(real, n_threads=1)


def trace(network: IntegerNetwork) -> Any:
    """Return a floor-shift network as da4ml's circuit.

    Raises ValueError for a node that floor-shift networks do not have.
    """
    for node in network.nodes:
        if not isinstance(
            node, Convolution | DepthwiseConvolution | FullyConnected | GlobalMaxPool | ShiftRelu
        ):
            raise ValueError(
                f"{node.name}: expected a node of a floor-shift network, got {type(node).__name__}"
            )
    low, high = network.input_format.value_range
    entry = FixedVariableArrayInput(network.shapes[INPUT_NAME])
    layers = {INPUT_NAME: entry.quantize(int(low < 0), int(max(high, -low - 1)).bit_length(), 0)}
    for node in network.nodes:
        _, largest = network.reaches[node.name]
        layers[node.name] = _traced(node, layers[node.sources[0]], largest.bit_length())
    return comb_trace(entry, layers[network.output_name])


def _traced(node: Node, values: Any, bits: int) -> Any:
    if isinstance(node, ShiftRelu):
        return relu(values * 2.0**-node.shift).quantize(0, bits, 0, "WRAP", "TRN")
    if isinstance(node, GlobalMaxPool):
        return np.amax(values, axis=(0, 1), keepdims=True)
    assert isinstance(node, Convolution | DepthwiseConvolution | FullyConnected)
    kernels = node.weights.reshape(len(node.weights), -1).T.astype(np.float64)
    biases = 0 if node.biases is None else node.biases.astype(np.float64)
    if isinstance(node, FullyConnected):
        return values.reshape(-1) @ kernels + biases
    patches = _patches(values, node.windows)
    *positions, channels = patches.shape[0], patches.shape[1], patches.shape[-1]
    if isinstance(node, Convolution):
        sums = patches.reshape(-1, len(kernels)) @ kernels
    else:
        multiplier = len(node.weights) // channels
        columns = [
            patches[..., channel].reshape(-1, len(kernels))
            @ kernels[:, multiplier * channel : multiplier * (channel + 1)]
            for channel in range(channels)
        ]
        sums = np.concatenate(columns, axis=1)
    return sums.reshape(*positions, len(node.weights)) + biases


def _patches(values: Any, lie: Windows) -> Any:
    """Return every window of a map: `(positions in T, in C, kh, kw, channel)`."""
    zero = FixedVariableArray.from_lhs(np.zeros(1), np.zeros(1), np.ones(1))
    places = 1 + np.arange(np.prod(values.shape)).reshape(1, *values.shape)
    return np.concatenate([zero, values.reshape(-1)])[windows(places, lie)[0]]


if __name__ == "__main__":
    serve(prepare)
