"""What is trained and stored, and the integers that it stands for: there and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from golden.integer_math import WEIGHT_MAX, WEIGHT_MIN, round_to_integers, saturate
from golden.network import INPUT_NAME, FeatureSettings, IntegerNetwork
from golden.nodes import (
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    GlobalMaxPool,
    Node,
    ShiftRelu,
    WeightedNode,
)
from golden.windows import Shape
from quant_models.architectures.architecture import CONVOLUTION, DENSE, DEPTHWISE, Block
from quant_models.architectures.ds_cnn import DsCnn, Layer
from quant_models.model_size import ModelSize, grid_of

Parameters = Mapping[str, npt.NDArray[np.float32]]

WEIGHT_STEPS = 32  # a latent weight of 1.0 stands for the integer 32
MAX_POOL = "max_pool"  # name of the node behind a pooled block
# Keras' axis of each axis of a node's weights, and of each axis of Keras' weights the node's.
_AXES = {CONVOLUTION: (3, 0, 1, 2), DEPTHWISE: (2, 0, 1, 3), DENSE: (1, 0)}
_BACK = {CONVOLUTION: (1, 2, 3, 0), DEPTHWISE: (1, 2, 0, 3), DENSE: (1, 0)}


def integer_network(
    size: ModelSize, parameters: Parameters, labels: Sequence[str], features: FeatureSettings
) -> IntegerNetwork:
    """Turn latent parameters into the `IntegerNetwork` whose integers the forward pass used.

    Raises ValueError for arrays that are missing, misshapen or not finite.
    """
    grid = grid_of(features)
    for name, shape in size.parameter_shapes(grid, len(labels)).items():
        require_parameter(parameters, name, shape)
    nodes: list[Node] = []
    source = INPUT_NAME
    for block in size.blocks(grid, len(labels)):
        nodes += _block_nodes(block, source, parameters)
        source = nodes[-1].name
    return IntegerNetwork(tuple(nodes), tuple(labels), grid, features)


def model_of(network: IntegerNetwork) -> tuple[ModelSize, Parameters]:
    """Return size and latent parameters of a model that computes `network`: the way back.

    Raises ValueError for a network of another topology than `integer_network` makes.
    """
    try:
        size = _size_of(network)
        assert network.features is not None, "no features"
        blocks = size.blocks(grid_of(network.features), len(network.labels))
        parameters: dict[str, npt.NDArray[np.float32]] = {}
        for block, node in zip(blocks, network.weighted_nodes, strict=True):
            parameters[block.weights] = _latent(node.weights.transpose(_BACK[block.kind]))
            if block.biases is not None:
                assert node.biases is not None, "no biases"
                parameters[block.biases] = _latent(node.biases)
        again = integer_network(size, parameters, network.labels, network.features)
    except (AssertionError, ValueError) as error:
        raise ValueError(f"network: expected one of a DS-CNN: {error}") from error
    if again.digest != network.digest:
        raise ValueError("network: expected one of a DS-CNN, got another topology")
    return size, parameters


def require_parameter(parameters: Parameters, name: str, shape: Shape) -> None:
    """Raise ValueError unless a parameter is there and has this shape."""
    if name not in parameters or parameters[name].shape != shape:
        found = parameters[name].shape if name in parameters else "none"
        raise ValueError(f"{name}: expected shape {shape}, got {found}")


def _block_nodes(block: Block, source: str, parameters: Parameters) -> list[Node]:
    weights = _integers(block.weights, parameters)
    weights = np.asarray(saturate(weights, WEIGHT_MIN, WEIGHT_MAX), np.int64)
    weights = weights.transpose(_AXES[block.kind])
    biases = None if block.biases is None else _integers(block.biases, parameters)
    nodes: list[Node] = []
    if block.kind == DENSE:
        nodes.append(FullyConnected(block.name, source, weights, biases))
    else:
        kind = DepthwiseConvolution if block.kind == DEPTHWISE else Convolution
        nodes.append(kind(block.name, source, weights, block.stride, block.padding, biases))
    if block.shift is not None:
        nodes.append(ShiftRelu(block.relu, block.name, block.shift))
    if block.pooled:
        nodes.append(GlobalMaxPool(MAX_POOL, block.relu))
    return nodes


def _size_of(network: IntegerNetwork) -> ModelSize:
    """Return the size that a DS-CNN of these nodes has; ValueError if they do not alternate."""
    first, *rest = network.weighted_nodes[:-1] or (None,)
    layers = [_layer(first, first)]
    layers += [
        _layer(over_map, mixer) for over_map, mixer in zip(rest[::2], rest[1::2], strict=True)
    ]
    shifts = tuple(node.shift for node in network.nodes if isinstance(node, ShiftRelu))
    return ModelSize(DsCnn(tuple(layers)), shifts)


def _layer(over_map: WeightedNode | None, mixer: WeightedNode | None) -> Layer:
    assert isinstance(over_map, Convolution | DepthwiseConvolution), "another kind of layer"
    assert isinstance(mixer, Convolution), "another kind of layer"
    rows, columns = over_map.weights.shape[1:3]
    return Layer(len(mixer.weights), (rows, columns), over_map.stride, over_map.padding)


def _integers(name: str, parameters: Parameters) -> npt.NDArray[np.int64]:
    try:
        return round_to_integers(parameters[name] * np.float32(WEIGHT_STEPS))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _latent(integers: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    latent: npt.NDArray[np.float32] = (integers / WEIGHT_STEPS).astype(np.float32)
    return latent
