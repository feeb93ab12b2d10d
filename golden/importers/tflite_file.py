"""A `.tflite` file as typed, validated objects: tensors, operators and their options.

The flatbuffer library follows any offset that it is given and slices beyond the end in silence.
What leaves this module has been checked: indices are in range, constants are as long as their shape
says, scales and zero points belong together. What the operators mean is not known here.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tflite

IDENTIFIER = b"TFL3"
NO_TENSOR = -1  # an optional input that is left out
_OUTPUTS_FIELD = 8  # place of the subgraph's list of outputs in its table of offsets
_NAME_LENGTH = 80  # of a tensor in messages
_TYPE_NAMES = {
    value: name.lower() for name, value in vars(tflite.TensorType).items() if name.isupper()
}
_CONSTANT_TYPES = ("float32", "int8", "uint8", "int16", "int32", "int64")
_OPERATOR_NAMES = {
    value: name for name, value in vars(tflite.BuiltinOperator).items() if name.isupper()
}
_ACTIVATIONS = {
    value: name for name, value in vars(tflite.ActivationFunctionType).items() if name.isupper()
}
_PADDINGS = {tflite.Padding.SAME: "SAME", tflite.Padding.VALID: "VALID"}


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor with its batch axis: `real value = scale * (q - zero point)`.

    `scales` float32 and `zero_points` int64 have one entry, or one for each index of the axis
    `channel_axis`; both are empty where nothing is quantised. `data` is None unless it is constant;
    a `shape` entry of -1 is unknown until run time.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: npt.NDArray[np.float32]
    zero_points: npt.NDArray[np.int64]
    channel_axis: int
    data: npt.NDArray[Any] | None

    def __str__(self) -> str:
        return _tensor_text(self.index, self.name)


@dataclass(frozen=True)
class ConvolutionOptions:
    """Strides and dilations are `(height, width)`; `activation` is fused behind the operator."""

    padding: str
    stride: tuple[int, int]
    dilation: tuple[int, int]
    activation: str


@dataclass(frozen=True)
class PoolOptions:
    """Window and stride are `(height, width)`."""

    padding: str
    stride: tuple[int, int]
    window: tuple[int, int]
    activation: str


@dataclass(frozen=True)
class DenseOptions:
    """`keeps_axes`: only the last axis of the input is multiplied, the others stay."""

    activation: str
    keeps_axes: bool
    is_shuffled: bool


@dataclass(frozen=True)
class AddOptions:
    activation: str


@dataclass(frozen=True)
class SoftmaxOptions:
    """`beta` multiplies what the exponential is taken of."""

    beta: float


Options = ConvolutionOptions | PoolOptions | DenseOptions | AddOptions | SoftmaxOptions


@dataclass(frozen=True)
class Operator:
    """One step: tensors by index, `NO_TENSOR` for an optional one that is left out."""

    index: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Options | None

    def __str__(self) -> str:
        return f"operator {self.index} ({self.kind})"


@dataclass(frozen=True)
class TfliteModel:
    """The one subgraph of a file; `metadata` are buffers by name, `content` the whole file."""

    content: bytes
    description: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    metadata: Mapping[str, bytes]


def read_tflite(path: Path) -> TfliteModel:
    """Read a `.tflite` file.

    Raises OSError as the file system reports it, and ValueError, naming the file, for one that is
    truncated, foreign or contradicts itself.
    """
    content = path.read_bytes()
    try:
        return parse_tflite(content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def parse_tflite(content: bytes) -> TfliteModel:
    """Read the bytes of a `.tflite` file; ValueError if they are none, or no sound one."""
    if content[4:8] != IDENTIFIER:
        found = repr(content[4:8]) if content[4:8] else "the end of the file"
        raise ValueError(f"identifier: expected {IDENTIFIER!r} at byte 4, got {found}")
    try:
        return _parse(content)
    except _Unsound as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # the library trusts the bytes: anything may go wrong in it
        raise ValueError(
            f"flatbuffer: expected tables within the {len(content)} bytes, "
            f"found a truncated or damaged file ({type(error).__name__})"
        ) from error


class _Unsound(Exception):
    """A rule of this module that does not hold, in words for the user."""


def _parse(content: bytes) -> TfliteModel:
    model = tflite.Model.GetRootAs(content, 0)
    if model.SubgraphsLength() != 1:
        raise _Unsound(f"subgraphs: expected one, got {model.SubgraphsLength()}")
    graph = model.Subgraphs(0)
    tensors = tuple(
        _tensor(model, graph.Tensors(index), index) for index in range(graph.TensorsLength())
    )
    kinds = [_kind(model.OperatorCodes(index)) for index in range(model.OperatorCodesLength())]
    operators = tuple(
        _operator(graph.Operators(index), index, kinds) for index in range(graph.OperatorsLength())
    )
    parsed = TfliteModel(
        content=content,
        description=_text(model.Description()),
        tensors=tensors,
        operators=operators,
        inputs=tuple(graph.Inputs(index) for index in range(graph.InputsLength())),
        outputs=tuple(graph.Outputs(index) for index in range(graph.OutputsLength())),
        metadata=dict(_metadata(model, index) for index in range(model.MetadataLength())),
    )
    _check_indices(parsed)
    return parsed


def _tensor(model: Any, table: Any, index: int) -> Tensor:
    name = _text(table.Name())
    dtype = _TYPE_NAMES.get(table.Type(), f"type {table.Type()}")
    shape = tuple(table.Shape(axis) for axis in range(table.ShapeLength()))
    signature = tuple(table.ShapeSignature(axis) for axis in range(table.ShapeSignatureLength()))
    if len(signature) == len(shape):  # -1 marks what is not known; a free batch is taken as one
        shape = (*shape[:1], *signature[1:])
    where = _tensor_text(index, name)
    if any(size < -1 for size in shape):
        raise _Unsound(f"{where}: expected sizes of 0 or more, got {shape}")
    scales, zero_points, axis = _quantisation(table.Quantization(), shape, where)
    data = _constant(model, table.Buffer(), shape, dtype, where)
    return Tensor(index, name, shape, dtype, scales, zero_points, axis, data)


def _quantisation(
    table: Any, shape: tuple[int, ...], where: str
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], int]:
    """Return scales and zero points, as many of each, and the axis that they belong to."""
    if table is None or table.ScaleLength() == 0:
        return np.empty(0, np.float32), np.empty(0, np.int64), 0
    scales = np.array(table.ScaleAsNumpy(), np.float32)
    for place, scale in enumerate(scales):
        if not (np.isfinite(scale) and scale > 0):
            raise _Unsound(f"{where}: expected scales above 0, got {scale} at {place}")
    axis = table.QuantizedDimension()
    zero_points = np.zeros(len(scales), np.int64)
    if table.ZeroPointLength():
        zero_points = np.array(table.ZeroPointAsNumpy(), np.int64)
    if len(zero_points) != len(scales):
        raise _Unsound(
            f"{where}: expected a zero point for each of {len(scales)} scales, "
            f"got {len(zero_points)}"
        )
    if len(scales) > 1 and not (0 <= axis < len(shape) and len(scales) == shape[axis]):
        raise _Unsound(
            f"{where}: expected one scale or one for each index of axis {axis} of {shape}, "
            f"got {len(scales)}"
        )
    return scales, zero_points, axis


def _constant(
    model: Any, index: int, shape: tuple[int, ...], dtype: str, where: str
) -> npt.NDArray[Any] | None:
    """Return the content of a buffer in a tensor's shape; None if it is computed at run time."""
    if not 0 <= index < model.BuffersLength():
        raise _Unsound(f"{where}: expected a buffer in 0..{model.BuffersLength() - 1}, got {index}")
    buffer = model.Buffers(index)
    if buffer.Offset() > 1:
        raise _Unsound(f"{where}: expected constants in the flatbuffer, got some behind it")
    if buffer.DataLength() == 0 or dtype not in _CONSTANT_TYPES:
        return None
    raw = buffer.DataAsNumpy().tobytes()
    expected = math.prod(shape) * np.dtype(dtype).itemsize
    if len(raw) != expected:
        raise _Unsound(f"{where}: expected {expected} bytes of {dtype} {shape}, got {len(raw)}")
    values = np.frombuffer(raw, np.dtype(dtype).newbyteorder("<")).astype(dtype).reshape(shape)
    values.setflags(write=False)
    return values


def _kind(code: Any) -> str:
    """Return an operator's name; files from before 2020 hold it in a field of one byte."""
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    name = _OPERATOR_NAMES.get(number, f"operator code {number}")
    return f"CUSTOM {_text(code.CustomCode())}" if name == "CUSTOM" else name


def _operator(table: Any, index: int, kinds: list[str]) -> Operator:
    code = table.OpcodeIndex()
    if not 0 <= code < len(kinds):
        raise _Unsound(
            f"operator {index}: expected a code in 0..{len(kinds) - 1} of the file's, got {code}"
        )
    kind = kinds[code]
    options = None
    if kind in _OPTIONS:
        option_type, reader = _OPTIONS[kind]
        options = reader(_option_table(table, option_type, f"operator {index} ({kind})"))
    return Operator(
        index=index,
        kind=kind,
        inputs=tuple(table.Inputs(place) for place in range(table.InputsLength())),
        outputs=tuple(table.Outputs(place) for place in range(table.OutputsLength())),
        options=options,
    )


def _option_table(operator: Any, option_type: type[Any], where: str) -> Any:
    expected = getattr(tflite.BuiltinOptions, option_type.__name__)
    union = operator.BuiltinOptions()
    if union is None or operator.BuiltinOptionsType() != expected:
        raise _Unsound(f"{where}: expected {option_type.__name__}, found none")
    options = option_type()
    options.Init(union.Bytes, union.Pos)
    return options


def _convolution_options(table: Any) -> ConvolutionOptions:
    return ConvolutionOptions(
        padding=_PADDINGS[table.Padding()],
        stride=(table.StrideH(), table.StrideW()),
        dilation=(table.DilationHFactor(), table.DilationWFactor()),
        activation=_ACTIVATIONS[table.FusedActivationFunction()],
    )


def _pool_options(table: Any) -> PoolOptions:
    return PoolOptions(
        padding=_PADDINGS[table.Padding()],
        stride=(table.StrideH(), table.StrideW()),
        window=(table.FilterHeight(), table.FilterWidth()),
        activation=_ACTIVATIONS[table.FusedActivationFunction()],
    )


def _dense_options(table: Any) -> DenseOptions:
    return DenseOptions(
        activation=_ACTIVATIONS[table.FusedActivationFunction()],
        keeps_axes=bool(table.KeepNumDims()),
        is_shuffled=table.WeightsFormat() != tflite.FullyConnectedOptionsWeightsFormat.DEFAULT,
    )


def _add_options(table: Any) -> AddOptions:
    return AddOptions(_ACTIVATIONS[table.FusedActivationFunction()])


def _softmax_options(table: Any) -> SoftmaxOptions:
    return SoftmaxOptions(table.Beta())


_OPTIONS: Mapping[str, tuple[type[Any], Callable[[Any], Options]]] = {
    "CONV_2D": (tflite.Conv2DOptions, _convolution_options),
    "DEPTHWISE_CONV_2D": (tflite.DepthwiseConv2DOptions, _convolution_options),
    "MAX_POOL_2D": (tflite.Pool2DOptions, _pool_options),
    "AVERAGE_POOL_2D": (tflite.Pool2DOptions, _pool_options),
    "FULLY_CONNECTED": (tflite.FullyConnectedOptions, _dense_options),
    "ADD": (tflite.AddOptions, _add_options),
    "SOFTMAX": (tflite.SoftmaxOptions, _softmax_options),
}


def _metadata(model: Any, index: int) -> tuple[str, bytes]:
    entry = model.Metadata(index)
    if not 0 <= entry.Buffer() < model.BuffersLength():
        raise _Unsound(
            f"metadata {index}: expected a buffer in 0..{model.BuffersLength() - 1}, "
            f"got {entry.Buffer()}"
        )
    buffer = model.Buffers(entry.Buffer())
    content = buffer.DataAsNumpy().tobytes() if buffer.DataLength() else b""
    return _text(entry.Name()), content


def _text(raw: bytes | None) -> str:
    """Return a name as printable text, whatever bytes it is made of."""
    text = (raw or b"").decode("utf-8", errors="replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _tensor_text(index: int, name: str) -> str:
    """Name a tensor by its index and the first of the layers that were merged into it."""
    return f"tensor {index} ({name.partition(';')[0][:_NAME_LENGTH]})"


def _check_indices(model: TfliteModel) -> None:
    """Raise unless every tensor that is named exists, where one may be left out and where not."""
    last = len(model.tensors) - 1
    groups = [("inputs", model.inputs, 0), ("outputs", model.outputs, 0)]
    for operator in model.operators:
        groups.append((f"{operator} inputs", operator.inputs, NO_TENSOR))
        groups.append((f"{operator} outputs", operator.outputs, 0))
    for where, indices, lowest in groups:
        for index in indices:
            if not lowest <= index <= last:
                raise _Unsound(f"{where}: expected tensors in 0..{last}, got {index}")


def with_outputs(model: TfliteModel, tensors: Sequence[int]) -> bytes:
    """Return the file with other outputs: any inner tensors, so that every runtime shows them.

    A new list of outputs goes behind the file, as it may be longer than the old one.
    """
    content = bytearray(model.content)
    content += bytes(-len(content) % 4)
    graph = tflite.Model.GetRootAs(model.content, 0).Subgraphs(0)._tab
    place = graph.Pos + graph.Offset(_OUTPUTS_FIELD)
    struct.pack_into("<I", content, place, len(content) - place)
    return bytes(content) + struct.pack(f"<I{len(tensors)}i", len(tensors), *tensors)
