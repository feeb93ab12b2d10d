"""The network as plain int64 arithmetic: rung 2 of the verification ladder, written to be read.

Every other implementation (Keras, C, RTL, netlist) is compared with `run`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from golden.integer_math import floor_shift, relu, saturate
from golden.network import INPUT_NAME, InputFormat, IntegerNetwork
from golden.nodes import (
    Add,
    AveragePool,
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    GlobalMaxPool,
    GlobalSumPool,
    MaxPool,
    Node,
    Pad,
    Requantise,
    Reshape,
    ShiftRelu,
    WeightedNode,
)
from golden.requantisation import divide_rounding_away, requantise
from golden.windows import Shape, Windows

Integers = npt.NDArray[np.int64]
_LOWEST = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Inference:
    """Every layer of a batch by name, the input included, and the logits `[N][label]`."""

    layers: Mapping[str, Integers]
    logits: Integers

    @property
    def label_indices(self) -> npt.NDArray[np.int64]:
        """Index of the largest logit of each clip; ties go to the lowest index."""
        indices: npt.NDArray[np.int64] = np.argmax(self.logits, axis=1)
        return indices


def run(network: IntegerNetwork, fingerprints: npt.NDArray[Any]) -> Inference:
    """Compute every layer of `network` for a batch of inputs, exactly.

    `fingerprints` are `(N, *network.input_shape)`, integers that `network.input_format` allows.
    Each layer is int64 `(N, *network.shapes[name])`, except the fingerprint itself, which keeps its
    shape. Layers of 8-bit networks are centred, the fingerprint included: `q - zero_point`.

    Raises ValueError or TypeError for fingerprints of another shape, type or range.
    """
    check_fingerprints(network, fingerprints)
    centred = fingerprints.astype(np.int64) - network.input_format.zero_point
    layers = {INPUT_NAME: centred.reshape(len(centred), *network.shapes[INPUT_NAME])}
    for node in network.nodes:
        layers[node.name] = compute(node, *(layers[source] for source in node.sources))
    layers[INPUT_NAME] = centred
    return Inference(layers, layers[network.output_name])


def check_fingerprints(network: IntegerNetwork, fingerprints: npt.NDArray[Any]) -> None:
    """Raise ValueError or TypeError unless these are inputs that `network` accepts."""
    check_inputs(fingerprints, network.input_shape, network.input_format)


def check_inputs(fingerprints: npt.NDArray[Any], shape: Shape, accepted: InputFormat) -> None:
    """Raise ValueError or TypeError unless these are accepted integers, each input of a shape."""
    if not isinstance(fingerprints, np.ndarray) or not np.issubdtype(
        fingerprints.dtype, np.integer
    ):
        found = getattr(fingerprints, "dtype", type(fingerprints).__name__)
        raise TypeError(f"fingerprints: expected an array of integers, got {found}")
    if fingerprints.shape[1:] != shape:
        raise ValueError(f"fingerprints: expected shape {('N', *shape)}, got {fingerprints.shape}")
    outside = (fingerprints < accepted.low) | (fingerprints > accepted.high)
    if outside.any():
        place = tuple(int(i) for i in np.argwhere(outside)[0])
        raise ValueError(
            f"fingerprints: expected integers in {accepted.low}..{accepted.high}, "
            f"got {fingerprints[place]} at {place}"
        )


def compute(node: Node, *inputs: Integers) -> Integers:
    """Compute one node for a batch, each input `(N, *its shape)`."""
    values = inputs[0]
    result: Integers
    match node:
        case Convolution():
            exact = exact_type(node, values)
            patches = windows(values.astype(exact), node.windows)
            sums = np.tensordot(patches, node.weights.astype(exact), axes=([3, 4, 5], [1, 2, 3]))
            result = _with_biases(node, sums)
        case DepthwiseConvolution():
            exact, multiplier = exact_type(node, values), len(node.weights) // values.shape[-1]
            channels = values.astype(exact)
            channels = channels if multiplier == 1 else np.repeat(channels, multiplier, axis=-1)
            patches = windows(channels, node.windows)
            kernels = np.moveaxis(node.weights[..., 0], 0, 2).astype(exact, order="C")
            result = _with_biases(node, np.einsum("ntcijk,ijk->ntck", patches, kernels))
        case FullyConnected():
            exact = exact_type(node, values)
            flat = values.reshape(values.shape[0], node.weights.shape[1]).astype(exact)
            result = _with_biases(node, flat @ node.weights.astype(exact).T)
        case ShiftRelu():
            result = relu(floor_shift(values, node.shift)).astype(np.int64, copy=False)
        case Requantise():
            scaled = requantise(
                values << node.left_shift, node.multipliers, node.exponents, node.rounding
            )
            quantised = saturate(scaled + node.zero_point, node.low, node.high)
            result = (quantised - node.zero_point).astype(np.int64, copy=False)
        case Add():
            result = np.sum(inputs, axis=0)
        case MaxPool():
            result = windows(values, node.windows, outside=_LOWEST).max(axis=(3, 4))
        case AveragePool():
            result = _average(node, values)
        case GlobalMaxPool():
            result = values.max(axis=(1, 2), keepdims=True)
        case GlobalSumPool():
            result = values.sum(axis=(1, 2), keepdims=True)
        case Pad():
            result = np.pad(values, [(0, 0), *node.amounts])
        case Reshape():
            result = values.reshape(len(values), *node.shape)
        case _:
            raise TypeError(f"{node.name}: no arithmetic for a {type(node).__name__}")
    return result


def exact_type(node: WeightedNode, values: Integers) -> Any:
    """Return the fastest type that holds all sums of `values` times weights, in any order.

    Floats hold every integer up to 2^24 and 2^53, and so do sums whose magnitudes add up to less.
    """
    largest = max(int(values.max(initial=0)), -int(values.min(initial=0)))
    weights = np.abs(node.weights.reshape(len(node.weights), -1).astype(np.int64))
    bound = largest * int(weights.sum(axis=1).max())
    if bound <= 2**24:
        return np.float32
    return np.float64 if bound <= 2**53 else np.int64


def windows(values: npt.NDArray[Any], lie: Windows, outside: int = 0) -> npt.NDArray[Any]:
    """Return every window of a feature map, filled with `outside` where it reaches beyond.

    `(N, T, C, channel)` becomes `(N, positions in T, positions in C, kh, kw, channel)`.
    """
    pads = lie.padding_of(values.shape[1:])
    if any(map(any, pads)):
        values = np.pad(values, [(0, 0), *pads, (0, 0)], constant_values=outside)
    every = np.lib.stride_tricks.sliding_window_view(values, lie.extent, axis=(1, 2))
    (step_t, step_c), (apart_t, apart_c) = lie.stride, lie.dilation
    taken = every[:, ::step_t, ::step_c, :, ::apart_t, ::apart_c]  # N T C channel kh kw
    return np.moveaxis(taken, 3, 5)


def elements_inside(shape: Shape, lie: Windows) -> Integers:
    """Return how many elements each window has inside a map: `(positions in T, in C, 1)`."""
    ones = np.ones((1, *shape[:2], 1), np.int64)
    counts: Integers = windows(ones, lie).sum(axis=(3, 4))[0]
    return counts


def _average(node: AveragePool, values: Integers) -> Integers:
    counts = elements_inside(values.shape[1:], node.windows)
    sums = windows(values, node.windows).sum(axis=(3, 4)) + counts * node.zero_point
    return divide_rounding_away(sums, counts) - node.zero_point


def _with_biases(node: WeightedNode, sums: npt.NDArray[Any]) -> Integers:
    integers: Integers = sums.astype(np.int64, copy=False)
    if node.biases is not None:
        integers += node.biases
    return integers
