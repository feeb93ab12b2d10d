"""How far two participants agree, and the first place where they part, with its accumulator."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from golden import reference
from golden.importers.tflite_network import ImportedNetwork
from golden.network import INPUT_NAME
from golden.nodes import Requantise
from golden.requantisation import FRACTION_BITS
from scripts.runtimes.participants import Participant, Tensors, inner_tensors


@dataclass(frozen=True)
class Accumulator:
    """The sum before it is scaled by `multiplier * 2^(exponent - 31)`."""

    value: int
    multiplier: int
    exponent: int

    @property
    def product(self) -> float:
        """What is rounded, before the zero point is added."""
        return self.value * self.multiplier * 2.0 ** (self.exponent - FRACTION_BITS)


@dataclass(frozen=True)
class Parting:
    """The first layer that differs, on the first input where it does.

    `tensor` is its index and name in the file, `place` one of it, without its batch; `results` are
    both values of `q` there. `accumulator` is None where the layer scales nothing.
    """

    layer: str
    tensor: str
    differing: int
    values: int
    clip: int
    place: tuple[int, ...]
    accumulator: Accumulator | None
    results: tuple[int, int]


@dataclass(frozen=True)
class Agreement:
    """How many of the values and labels that two participants computed differ."""

    names: tuple[str, str]
    values: int
    differing: int
    clips: int
    labels: int
    parting: Parting | None


def agreements(
    imported: ImportedNetwork,
    inputs: npt.NDArray[np.int8],
    participants: Sequence[Participant],
) -> list[Agreement]:
    """Compare each pair of participants on every tensor between input and logits.

    `imported` names the layers and says what an accumulator is.
    """
    return [
        _agreement(imported, inputs, first, second)
        for first, second in itertools.combinations(participants, 2)
    ]


def _agreement(
    imported: ImportedNetwork,
    inputs: npt.NDArray[np.int8],
    first: Participant,
    second: Participant,
) -> Agreement:
    indices = inner_tensors(imported)
    differing = {
        index: int((first.tensors[index] != second.tensors[index]).sum()) for index in indices
    }
    where = next((index for index in indices if differing[index]), None)
    labels = [np.argmax(each.tensors[imported.logits], axis=1) for each in (first, second)]
    return Agreement(
        names=(first.name, second.name),
        values=sum(first.tensors[index].size for index in indices),
        differing=sum(differing.values()),
        clips=len(inputs),
        labels=int((labels[0] != labels[1]).sum()),
        parting=None if where is None else _parting(imported, inputs, (first, second), where),
    )


def _parting(
    imported: ImportedNetwork,
    inputs: npt.NDArray[np.int8],
    pair: tuple[Participant, Participant],
    index: int,
) -> Parting:
    first, second = (each.tensors[index] for each in pair)
    clip, element = (int(i) for i in np.argwhere(first != second)[0])
    tensor = imported.model.tensors[index]
    layer = imported.node_of(index)
    return Parting(
        layer=layer,
        tensor=str(tensor),
        differing=int((first != second).sum()),
        values=first.size,
        clip=clip,
        place=tuple(int(i) for i in np.unravel_index(element, tensor.shape[1:])),
        accumulator=_accumulator(imported, layer, inputs[clip], pair[0].tensors, clip, element),
        results=(int(first[clip, element]), int(second[clip, element])),
    )


def _accumulator(
    imported: ImportedNetwork,
    layer: str,
    given: npt.NDArray[np.int8],
    tensors: Tensors,
    clip: int,
    element: int,
) -> Accumulator | None:
    """Return what a layer scales, from what a participant computed before it."""
    network = imported.network
    node = network.node(layer)
    if not isinstance(node, Requantise):
        return None

    def values_of(name: str) -> reference.Integers:
        shape = (1, *network.shapes[name])
        if name == INPUT_NAME:
            return (given.astype(np.int64) - network.input_format.zero_point).reshape(shape)
        if name in imported.tensors:
            held = tensors[imported.tensors[name]][clip].astype(np.int64)
            return (held - imported.zero_point(name)).reshape(shape)
        inner = network.node(name)
        return reference.compute(inner, *map(values_of, inner.sources))

    sums = values_of(node.input).ravel()
    channel = element % network.shapes[layer][-1] if node.multipliers.size > 1 else 0
    return Accumulator(
        int(sums[element]), int(node.multipliers[channel]), int(node.exponents[channel])
    )
