"""What is trained and stored, and the integers that it stands for: there and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
from quant_models.model_size import FC1, FC1_BIASES, MAX_POOL, Block, Layer, ModelSize

Parameters = Mapping[str, npt.NDArray[np.float32]]

WEIGHT_STEPS = 32  # a latent weight of 1.0 stands for the integer 32
# Keras' axis of each axis of a node's weights, and of each axis of Keras' weights the node's.
_CONVOLUTION_AXES, _CONVOLUTION_BACK = (3, 0, 1, 2), (1, 2, 3, 0)
_DEPTHWISE_AXES, _DEPTHWISE_BACK = (2, 0, 1, 3), (1, 2, 0, 3)


def integer_network(
    size: ModelSize, parameters: Parameters, labels: Sequence[str], features: FeatureSettings
) -> IntegerNetwork:
    """Turn latent parameters into the `IntegerNetwork` whose integers the forward pass used.

    Raises ValueError for arrays that are missing, misshapen or not finite.
    """
    shapes = size.parameter_shapes(len(labels))
    for name, shape in shapes.items():
        if name not in parameters or parameters[name].shape != shape:
            found = parameters[name].shape if name in parameters else "none"
            raise ValueError(f"{name}: expected shape {shape}, got {found}")
    weights = {name: _integers(name, parameters[name]) for name in shapes}
    nodes: list[Node] = []
    source = INPUT_NAME
    for block in size.blocks:
        nodes += _block_nodes(block, source, weights[block.parameter])
        source = nodes[-1].name
    nodes.append(FullyConnected("fc1", source, weights[FC1].T, weights[FC1_BIASES]))
    input_shape = (features.frames, features.coefficients)
    return IntegerNetwork(tuple(nodes), tuple(labels), input_shape, features)


def model_of(network: IntegerNetwork) -> tuple[ModelSize, Parameters]:
    """Return size and latent parameters of a model that computes `network`: the way back.

    Raises ValueError for a network of another topology than `integer_network` makes.
    """
    try:
        size = _size_of(network)
        *convolutions, last = network.weighted_nodes
        assert isinstance(last, FullyConnected)
        integers = {
            block.parameter: node.weights.transpose(
                _DEPTHWISE_BACK if block.depthwise else _CONVOLUTION_BACK
            )
            for block, node in zip(size.blocks, convolutions, strict=True)
        }
        integers |= {FC1: last.weights.T, FC1_BIASES: last.biases}
        parameters = {
            name: (values / WEIGHT_STEPS).astype(np.float32) for name, values in integers.items()
        }
        again = integer_network(size, parameters, network.labels, network.features)
    except (AssertionError, ValueError) as error:
        raise ValueError(f"network: expected one of a DS-CNN: {error}") from error
    if again.digest != network.digest:
        raise ValueError("network: expected one of a DS-CNN, got another topology")
    return size, parameters


def _block_nodes(block: Block, source: str, weights: npt.NDArray[np.int64]) -> list[Node]:
    kind = DepthwiseConvolution if block.depthwise else Convolution
    axes = _DEPTHWISE_AXES if block.depthwise else _CONVOLUTION_AXES
    nodes = [
        kind(block.name, source, weights.transpose(axes), block.stride, block.padding),
        ShiftRelu(block.relu, block.name, block.shift),
    ]
    return [*nodes, GlobalMaxPool(MAX_POOL, block.relu)] if block.pooled else nodes


def _size_of(network: IntegerNetwork) -> ModelSize:
    """Return the size that a DS-CNN of these nodes has; ValueError if they do not alternate."""
    first, *rest = network.weighted_nodes[:-1] or (None,)
    layers = [_layer(first, first)]
    layers += [
        _layer(over_map, mixer) for over_map, mixer in zip(rest[::2], rest[1::2], strict=True)
    ]
    shifts = tuple(node.shift for node in network.nodes if isinstance(node, ShiftRelu))
    return ModelSize(tuple(layers), shifts)


def _layer(over_map: WeightedNode | None, mixer: WeightedNode | None) -> Layer:
    assert isinstance(over_map, Convolution | DepthwiseConvolution), "another kind of layer"
    assert isinstance(mixer, Convolution), "another kind of layer"
    rows, columns = over_map.weights.shape[1:3]
    return Layer(len(mixer.weights), (rows, columns), over_map.stride, over_map.padding)


def _integers(name: str, latent: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    try:
        rounded = round_to_integers(latent * np.float32(WEIGHT_STEPS))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    if name == FC1_BIASES:
        return rounded
    return np.asarray(saturate(rounded, WEIGHT_MIN, WEIGHT_MAX), np.int64)
