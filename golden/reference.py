"""The network as plain int64 arithmetic: rung 2 of the verification ladder, written to be read.

Every other implementation (Keras, C, RTL, netlist) is compared with `run`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from golden.integer_math import floor_shift, relu
from golden.network import (
    INPUT_MAX,
    INPUT_MIN,
    INPUT_NAME,
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    GlobalMaxPool,
    IntegerNetwork,
    Node,
    ShiftRelu,
)

Integers = npt.NDArray[np.int64]


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
    """Compute every layer of `network` for a batch of fingerprints, exactly.

    `fingerprints` is `(N, time, coefficient)`, integers in -32..31. Each layer is int64
    `(N, *network.shapes[name])`, except the fingerprint itself, which keeps its shape.

    Raises ValueError or TypeError for fingerprints of another shape, type or range.
    """
    check_fingerprints(network, fingerprints)
    layers: dict[str, Integers] = {INPUT_NAME: fingerprints.astype(np.int64)[..., np.newaxis]}
    for node in network.nodes:
        layers[node.name] = compute(node, layers[node.input])
    layers[INPUT_NAME] = layers[INPUT_NAME][..., 0]
    return Inference(layers, layers[network.output_name])


def check_fingerprints(network: IntegerNetwork, fingerprints: npt.NDArray[Any]) -> None:
    """Raise ValueError or TypeError unless these are fingerprints that `network` accepts."""
    if not isinstance(fingerprints, np.ndarray) or not np.issubdtype(
        fingerprints.dtype, np.integer
    ):
        found = getattr(fingerprints, "dtype", type(fingerprints).__name__)
        raise TypeError(f"fingerprints: expected an array of integers, got {found}")
    if fingerprints.shape[1:] != network.input_shape:
        raise ValueError(
            f"fingerprints: expected shape {('N', *network.input_shape)}, got {fingerprints.shape}"
        )
    outside = (fingerprints < INPUT_MIN) | (fingerprints > INPUT_MAX)
    if outside.any():
        place = tuple(int(i) for i in np.argwhere(outside)[0])
        raise ValueError(
            f"fingerprints: expected integers in {INPUT_MIN}..{INPUT_MAX}, "
            f"got {fingerprints[place]} at {place}"
        )


def compute(node: Node, values: Integers) -> Integers:
    """Compute one node for a batch `(N, *input shape)`."""
    result: Integers
    match node:
        case Convolution():
            patches = windows(values, node.weights.shape[1:3], node.stride, node.padding)
            result = np.tensordot(
                patches, node.weights.astype(np.int64), axes=([3, 4, 5], [1, 2, 3])
            )
        case DepthwiseConvolution():
            patches = windows(values, node.weights.shape[1:3], node.stride, node.padding)
            kernel = node.weights[..., 0].astype(np.int64)  # [channel][kh][kw]
            result = np.einsum("ntcijk,kij->ntck", patches, kernel)
        case ShiftRelu():
            result = relu(floor_shift(values, node.shift)).astype(np.int64, copy=False)
        case GlobalMaxPool():
            result = values.max(axis=(1, 2), keepdims=True)
        case FullyConnected():
            flat = values.reshape(values.shape[0], node.weights.shape[1])
            result = flat @ node.weights.astype(np.int64).T + node.biases
        case _:
            raise TypeError(f"{node.name}: no arithmetic for a {type(node).__name__}")
    return result


def windows(
    values: Integers, kernel: tuple[int, ...], stride: tuple[int, int], padding: str
) -> Integers:
    """Return every window of a feature map, outside the map zero where padding is SAME.

    `(N, T, C, channel)` becomes `(N, positions in T, positions in C, kh, kw, channel)`.
    """
    if padding == "SAME":
        pads = [
            same_padding(size, extent, step)
            for size, extent, step in zip(values.shape[1:3], kernel, stride, strict=True)
        ]
        values = np.pad(values, [(0, 0), *pads, (0, 0)])
    every = np.lib.stride_tricks.sliding_window_view(values, kernel, axis=(1, 2))  # N T C ch kh kw
    return np.moveaxis(every[:, :: stride[0], :: stride[1]], 3, 5)


def same_padding(size: int, kernel: int, step: int) -> tuple[int, int]:
    """Return the zeros before and after an axis under TensorFlow's SAME rule.

    >>> same_padding(14, 3, 1), same_padding(30, 4, 2), same_padding(5, 2, 1)
    ((1, 1), (1, 1), (0, 1))
    """
    total = max((-(-size // step) - 1) * step + kernel - size, 0)
    return total // 2, total - total // 2
