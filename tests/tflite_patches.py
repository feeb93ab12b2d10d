"""Single numbers of a `.tflite` file, changed in place: what no converter writes on demand."""

from __future__ import annotations

import struct

import tflite

_SCALES, _ZERO_POINTS = 8, 10  # places in the table of a tensor's quantisation
_SHAPE, _TYPE, _BUFFER, _SIGNATURE = 4, 6, 8, 18  # in a tensor's
_INPUTS = 6  # in an operator's
_BETA = 4  # in a softmax's options
_OLD_CODE, _NEW_CODE = 4, 10  # in an operator code's


def with_scale(content: bytes, tensor: int, scale: float, place: int = 0) -> bytes:
    """Return the file with another scale of a tensor."""
    table = _graph(content).Tensors(tensor).Quantization()._tab
    return _packed(content, table.Vector(table.Offset(_SCALES)) + 4 * place, "<f", scale)


def with_zero_point(content: bytes, tensor: int, zero_point: int) -> bytes:
    """Return the file with another zero point of a tensor."""
    table = _graph(content).Tensors(tensor).Quantization()._tab
    return _packed(content, table.Vector(table.Offset(_ZERO_POINTS)), "<q", zero_point)


def with_zero_point_count(content: bytes, tensor: int, count: int) -> bytes:
    """Return the file with another number of zero points of a tensor."""
    table = _graph(content).Tensors(tensor).Quantization()._tab
    return _packed(content, table.Vector(table.Offset(_ZERO_POINTS)) - 4, "<I", count)


def with_size(
    content: bytes, tensor: int, axis: int, size: int, *, signature: bool = False
) -> bytes:
    """Return the file with another size of a tensor, in its shape or in its signature."""
    table = _graph(content).Tensors(tensor)._tab
    place = table.Vector(table.Offset(_SIGNATURE if signature else _SHAPE))
    return _packed(content, place + 4 * axis, "<i", size)


def with_type(content: bytes, tensor: int, number: int) -> bytes:
    """Return the file with another type of a tensor, by its number in the schema."""
    table = _graph(content).Tensors(tensor)._tab
    return _packed(content, table.Pos + table.Offset(_TYPE), "<b", number)


def with_buffer(content: bytes, tensor: int, number: int) -> bytes:
    """Return the file with another buffer of a tensor."""
    table = _graph(content).Tensors(tensor)._tab
    return _packed(content, table.Pos + table.Offset(_BUFFER), "<I", number)


def with_input(content: bytes, operator: int, place: int, tensor: int) -> bytes:
    """Return the file with another tensor as an input of an operator."""
    table = _graph(content).Operators(operator)._tab
    return _packed(content, table.Vector(table.Offset(_INPUTS)) + 4 * place, "<i", tensor)


def with_kind(content: bytes, kind: int, other: int) -> bytes:
    """Return the file with every operator of a kind turned into another, by their codes."""
    model = tflite.Model.GetRootAs(content, 0)
    for index in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(index)
        if max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) == kind:
            for field, form in ((_OLD_CODE, "<b"), (_NEW_CODE, "<i")):
                offset = code._tab.Offset(field)
                if offset:
                    content = _packed(content, code._tab.Pos + offset, form, other)
    return content


def with_beta(content: bytes, beta: float) -> bytes:
    """Return the file with another factor in every softmax."""
    graph = _graph(content)
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        if operator.BuiltinOptionsType() == tflite.BuiltinOptions.SoftmaxOptions:
            options = tflite.SoftmaxOptions()
            union = operator.BuiltinOptions()
            options.Init(union.Bytes, union.Pos)
            offset = options._tab.Offset(_BETA)
            content = _packed(content, options._tab.Pos + offset, "<f", beta)
    return content


def with_subgraphs(content: bytes, count: int) -> bytes:
    """Return the file with another number of subgraphs, where no others are."""
    table = tflite.Model.GetRootAs(content, 0)._tab
    return _packed(content, table.Vector(table.Offset(8)) - 4, "<I", count)


def _graph(content: bytes) -> tflite.SubGraph:
    return tflite.Model.GetRootAs(content, 0).Subgraphs(0)


def _packed(content: bytes, place: int, form: str, value: float) -> bytes:
    changed = bytearray(content)
    struct.pack_into(form, changed, place, value)
    return bytes(changed)
