"""The float form once more: plain loops over the frames and places of one example, in float64.

Written from the equations alone: the other route by which the Keras model is checked.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from golden.windows import Pair
from quant_models.architectures.float_layers import (
    FloatAveragePool,
    FloatConvolution,
    FloatDense,
    FloatDepthwise,
    FloatGru,
    FloatLayer,
    FloatLstm,
)
from quant_models.latent_parameters import Parameters
from quant_models.model_size import ModelSize

EPSILON = 0.001  # of batch normalisation

Array = npt.NDArray[np.float64]


def plain_logits(
    size: ModelSize, parameters: Parameters, fingerprint: npt.NDArray[np.int8], labels: int
) -> Array:
    """Return the logits `[label]` of one fingerprint `[time][coefficient]`."""
    values = fingerprint.astype(np.float64)[..., np.newaxis]
    for layer, _ in size.float_layers(fingerprint.shape, labels):
        prefix = f"{layer.name}/"
        arrays = {
            name.removeprefix(prefix): array.astype(np.float64)
            for name, array in parameters.items()
            if name.startswith(prefix)
        }
        values = _outputs(layer, values, arrays)
    return values


def convolved(values: Array, kernel: Array, stride: Pair, padding: str) -> Array:
    """Convolve `[time][coefficient][in]` with `[kh][kw][in][out]`."""
    if padding == "SAME":
        values = np.pad(values, [*map(_zeros, values.shape, kernel.shape[:2], stride), (0, 0)])
    rows, columns = (
        (values.shape[axis] - kernel.shape[axis]) // stride[axis] + 1 for axis in (0, 1)
    )
    sums = np.zeros((rows, columns, kernel.shape[3]))
    for row, column in np.ndindex(rows, columns):
        for y, x in np.ndindex(*kernel.shape[:2]):
            seen = values[row * stride[0] + y, column * stride[1] + x]
            sums[row, column] += seen @ kernel[y, x]
    return sums


def _outputs(layer: FloatLayer, values: Array, arrays: dict[str, Array]) -> Array:
    match layer:
        case FloatLstm() | FloatGru():
            return _recurrent(layer, values.reshape(len(values), -1), arrays)
        case FloatAveragePool():
            return values.mean(axis=(0, 1))
        case FloatConvolution():
            sums = convolved(values, arrays["kernel"], layer.stride, layer.padding)
        case FloatDepthwise():
            alone = [
                convolved(
                    values[..., [c]], arrays["kernel"][:, :, [c]], layer.stride, layer.padding
                )
                for c in range(values.shape[2])
            ]
            sums = np.concatenate(alone, axis=2)
        case FloatDense():
            sums = values.ravel() @ arrays["kernel"]
    sums = sums + arrays["bias"]
    if layer.norm is not None:
        norm = {name: arrays[f"batch_norm/{name}"] for name in layer.norm.arrays}
        sums = (sums - norm["moving_mean"]) / np.sqrt(norm["moving_variance"] + EPSILON)
        sums = sums * norm.get("gamma", 1.0) + norm["beta"]
    return np.maximum(sums, 0) if layer.relu else sums


def _recurrent(layer: FloatLstm | FloatGru, frames: Array, arrays: dict[str, Array]) -> Array:
    h, c = np.zeros(layer.outputs), np.zeros(layer.units)
    outputs = []
    for frame in frames:
        if isinstance(layer, FloatGru):
            h = _gru_step(frame, h, arrays)
        else:
            step = _projected_step if layer.projection else _lstm_step
            h, c = step(frame, h, c, arrays)
        outputs.append(h)
    return h if layer.last else np.stack(outputs)


def _lstm_step(x: Array, h: Array, c: Array, arrays: dict[str, Array]) -> tuple[Array, Array]:
    i, f, g, o = _gates(x, h, arrays, 4)
    c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
    return _sigmoid(o) * np.tanh(c), c


def _projected_step(x: Array, h: Array, c: Array, arrays: dict[str, Array]) -> tuple[Array, Array]:
    i, f, g, o = _gates(x, h, arrays, 4)
    w_i, w_f, w_o = arrays["peepholes"]
    c = _sigmoid(f + w_f * c) * c + _sigmoid(i + w_i * c) * np.tanh(g)
    return _sigmoid(o + w_o * c) * np.tanh(c) @ arrays["projection"], c


def _gru_step(x: Array, h: Array, arrays: dict[str, Array]) -> Array:
    """The reset gate acts on the state before the product with the recurrent weights."""
    z, r, _ = (_sigmoid(gate) for gate in _gates(x, h, arrays, 3))
    _, _, new = _gates(x, r * h, arrays, 3)
    return z * h + (1 - z) * np.tanh(new)


def _gates(x: Array, h: Array, arrays: dict[str, Array], count: int) -> list[Array]:
    sums = x @ arrays["kernel"] + h @ arrays["recurrent_kernel"] + arrays["bias"]
    return np.split(sums, count)


def _sigmoid(values: Array) -> Array:
    return 1 / (1 + np.exp(-values))


def _zeros(size: int, kernel: int, step: int) -> Pair:
    """Zeros before and after an axis: as many windows as steps, the odd zero behind."""
    windows = -(-size // step)
    missing = max((windows - 1) * step + kernel - size, 0)
    return missing // 2, missing - missing // 2
