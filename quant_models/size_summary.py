"""What each layer of an untrained network holds and computes, by its sizes alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from golden.network import FeatureSettings
from golden.nodes import ShiftRelu
from golden.summary import LayerSummary, summarise
from golden.windows import Pair, Shape
from quant_models.latent_parameters import integer_network
from quant_models.model_size import FLOAT, ModelSize, grid_of

_BITS_AFTER_TRAINING = 8  # the width that a float form is quantised to


def summarise_size(
    size: ModelSize, features: FeatureSettings, labels: Sequence[str]
) -> list[LayerSummary]:
    """Return a summary of every layer, in order: those of the float form at 8 bits a weight.

    Batch normalisation counts nothing: it is folded into weights and biases.
    """
    grid = grid_of(features)
    if size.form != FLOAT:
        shapes = size.parameter_shapes(grid, len(labels)).items()
        zeros = {name: np.zeros(shape, np.float32) for name, shape in shapes}
        return summarise(integer_network(size, zeros, labels, features))
    rows = []
    for layer, shape in size.float_layers(grid, len(labels)):
        shapes = layer.folded().parameter_shapes(shape)
        biases = sum(math.prod(each) for name, each in shapes.items() if name.endswith("/bias"))
        weights = sum(map(math.prod, shapes.values())) - biases
        bits = _BITS_AFTER_TRAINING if weights else 0
        held = weights, biases, bits, layer.multiplications(shape)
        rows.append(LayerSummary(layer.name, layer.KIND, layer.output_shape(shape), *held))
    return rows


def activation_bytes(rows: Sequence[LayerSummary], grid: Pair) -> int:
    """Return the bytes of the largest input and output of a layer together, a byte a value.

    Shifts take no place of their own: sums are not stored, only what becomes of them.
    """
    stored = (row.shape for row in rows if row.kind != ShiftRelu.kind)
    shapes: list[Shape] = [grid, *stored]
    sizes = [math.prod(shape) for shape in shapes]
    return max(before + after for before, after in pairwise(sizes))
