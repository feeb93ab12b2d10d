"""From a `.tflite` file to an `IntegerNetwork`: where it begins and ends, and what lies between.

At its beginning a QUANTIZE of real or unsigned inputs becomes the network's input format. At its
end SOFTMAX and DEQUANTIZE are left out: they keep the order of the logits, and only that matters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from golden.importers.tflite_file import Operator, SoftmaxOptions, Tensor, TfliteModel
from golden.importers.tflite_graph import HIGH, LOW, TfliteGraph
from golden.importers.tflite_labels import labels_of
from golden.importers.tflite_operators import OPERATORS, RESHAPING
from golden.network import InputFormat, IntegerNetwork
from golden.nodes import Reshape
from golden.windows import Shape

UNSIGNED_OFFSET = 128  # of uint8 values over the same ones as int8
ORDER_KEEPING = ("SOFTMAX", "DEQUANTIZE")


@dataclass(frozen=True, eq=False)
class ImportedNetwork:
    """A network and what its nodes are in the file that it comes from.

    `tensors` gives the tensor of the file that a node holds, centred, the input included and in
    order of computation; nodes between (sums before they are scaled) have none. `left_out` are the
    operators at the end that keep the order of the logits.
    """

    network: IntegerNetwork
    model: TfliteModel
    tensors: Mapping[str, int]
    left_out: tuple[Operator, ...]

    def zero_point(self, name: str) -> int:
        """Return what a node's values are less than the tensor's."""
        return int(self.model.tensors[self.tensors[name]].zero_points[0])

    @property
    def logits(self) -> int:
        """The tensor of the logits, before what keeps their order."""
        return list(self.tensors.values())[-1]

    def node_of(self, tensor: int) -> str:
        """Return the name of the node that holds a tensor."""
        return next(name for name, index in self.tensors.items() if index == tensor)

    def runtime_inputs(self, inputs: npt.NDArray[np.int8]) -> npt.NDArray[Any]:
        """Return int8 inputs as the file takes them: so, as uint8, or as real numbers (float32)."""
        dtype = self.model.tensors[self.model.inputs[0]].dtype
        if dtype == "uint8":
            return (inputs.astype(np.int16) + UNSIGNED_OFFSET).astype(np.uint8)
        if dtype == "float32":
            form = self.network.input_format
            centred = inputs.astype(np.float32) - np.float32(form.zero_point)
            return centred * np.float32(form.scale)
        return inputs


def import_tflite(
    model: TfliteModel, labels: Sequence[str] | None = None, rounding: str = "tflm"
) -> ImportedNetwork:
    """Turn an int8 model into an `IntegerNetwork` that rounds as `rounding` says.

    Without `labels` they come from the file's metadata, or are called `label_0` and on.

    Raises ValueError, naming operator or tensor, index and reason, for what is not supported.
    """
    entry = _entry(model)
    final, left_out = _final(model)
    for index in (entry, final):
        _expect_single(model.tensors[index])
    graph = TfliteGraph(model, entry, rounding)
    _, scale, zero_point = graph.activations(entry)
    for operator in _needed(model, entry, final):
        if operator.kind not in OPERATORS:
            raise ValueError(f"{operator}: {_reason(operator)}")
        try:
            OPERATORS[operator.kind](graph, operator)
        except (ValueError, IndexError) as error:
            raise ValueError(f"{operator}: {_said(error)}") from error
    logits = _end_with_logits(graph, final)
    network = IntegerNetwork(
        nodes=tuple(graph.nodes),
        labels=tuple(labels_of(model.metadata) or _numbered(logits) if labels is None else labels),
        input_shape=_input_shape(graph.shape(entry)),
        features=None,
        input_format=InputFormat(LOW, HIGH, zero_point, float(scale)),
        rounding=rounding,
    )
    return ImportedNetwork(network, model, graph.tensors, left_out)


def _said(error: Exception) -> str:
    return "inputs: expected more than there are" if isinstance(error, IndexError) else str(error)


def _reason(operator: Operator) -> str:
    if operator.kind in ORDER_KEEPING:
        return "expected it only behind the last layer"
    return f"expected one of {', '.join((*OPERATORS, *ORDER_KEEPING))}"


def _entry(model: TfliteModel) -> int:
    """Return the int8 tensor that the integer network begins with."""
    if len(model.inputs) != 1:
        raise ValueError(f"inputs: expected one, got {len(model.inputs)}")
    given = model.tensors[model.inputs[0]]
    if given.dtype == "int8":
        return given.index
    readers = [operator for operator in model.operators if given.index in operator.inputs]
    kinds = [operator.kind for operator in readers]
    if given.dtype not in ("float32", "uint8") or kinds != ["QUANTIZE"]:
        raise ValueError(
            f"{given}: expected an int8 input, or a float32 or uint8 one that only a QUANTIZE "
            f"reads, got {given.dtype} read by {', '.join(kinds) or 'none'}"
        )
    if not readers[0].outputs:
        raise ValueError(f"{readers[0]}: expected an output, found none")
    quantised = readers[0].outputs[0]
    if given.dtype == "uint8":
        _expect_shifted(model, quantised, given.index)
    return quantised


def _expect_single(tensor: Tensor) -> None:
    """Raise for a batch of several inputs or outputs."""
    if len(tensor.shape) > 1 and tensor.shape[0] > 1:
        raise ValueError(f"{tensor}: expected a batch of 1, got {tensor.shape}")


def _final(model: TfliteModel) -> tuple[int, tuple[Operator, ...]]:
    """Return the tensor of the logits, and the operators behind it, which keep their order."""
    if len(model.outputs) != 1:
        raise ValueError(f"outputs: expected one, got {len(model.outputs)}")
    makers = {operator.outputs[0]: operator for operator in model.operators if operator.outputs}
    final, left_out = model.outputs[0], []
    while (maker := makers.get(final)) is not None and maker.inputs:
        source = maker.inputs[0]
        if maker.kind == "QUANTIZE" and model.tensors[final].dtype == "uint8":
            _expect_shifted(model, source, final)
        elif maker.kind not in ORDER_KEEPING:
            break
        _expect_order_kept(maker, model.tensors[source])
        if maker in left_out:
            raise ValueError(f"{maker}: expected an output, found a circle")
        left_out.append(maker)
        final = source
    return final, tuple(reversed(left_out))


def _expect_order_kept(operator: Operator, source: Tensor) -> None:
    """Raise for a softmax that does not keep the order of the logits."""
    options = operator.options
    if not isinstance(options, SoftmaxOptions):
        return
    if source.shape[-1:] != (math.prod(source.shape),):
        raise ValueError(
            f"{operator}: expected one row of logits, whose order it keeps, got {source.shape}"
        )
    if not options.beta > 0:
        raise ValueError(f"{operator}: expected a beta above 0, got {options.beta}")


def _expect_shifted(model: TfliteModel, signed: int, unsigned: int) -> None:
    """Raise unless a uint8 tensor holds the values of an int8 one, 128 higher."""
    first, second = model.tensors[signed], model.tensors[unsigned]
    expected = (first.scales.tolist(), (first.zero_points + UNSIGNED_OFFSET).tolist())
    found = (second.scales.tolist(), second.zero_points.tolist())
    if expected != found:
        raise ValueError(
            f"{second}: expected scale and zero point {expected} of {first}, 128 higher, "
            f"got {found}"
        )


def _needed(model: TfliteModel, entry: int, final: int) -> list[Operator]:
    """Return the operators between the input and the logits, in order of computation."""
    wanted, needed = {final}, []
    for operator in reversed(model.operators):
        if wanted.intersection(operator.outputs) and entry not in operator.outputs:
            if len(operator.outputs) != 1:
                raise ValueError(f"{operator}: expected one output, got {len(operator.outputs)}")
            needed.append(operator)
            wanted.update(operator.inputs[:1] if operator.kind in RESHAPING else operator.inputs)
    return needed[::-1]


def _end_with_logits(graph: TfliteGraph, final: int) -> Shape:
    """Let the last node hold the logits along one axis; return its shape."""
    if not graph.nodes:
        raise ValueError("operators: expected some between input and output, got none")
    shape = graph.shape(final)
    flat = (int(np.prod(shape)),)
    name = graph.read_flat(final)
    if graph.held_shape(name) != flat:
        graph.add(Reshape("logits", name, flat))
    return flat


def _input_shape(shape: Shape) -> Shape:
    """Return how the network's input is written: a map of one channel by its two axes."""
    return shape[:2] if len(shape) == 3 and shape[2] == 1 else shape


def _numbered(shape: Shape) -> tuple[str, ...]:
    return tuple(f"label_{index}" for index in range(shape[0]))
