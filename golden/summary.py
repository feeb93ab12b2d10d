"""What each layer of a network holds and computes: shape, parameters, bytes, multiplications."""

from __future__ import annotations

from dataclasses import dataclass

from golden.network import IntegerNetwork
from golden.nodes import WeightedNode
from golden.windows import Shape

_BIAS_BYTES = 4


@dataclass(frozen=True)
class LayerSummary:
    """One node: the shape of its output, what it stores, and its work for one input.

    `weight_bits` is 0 without weights; `multiplications` are of weights, padding zeros included.
    """

    name: str
    kind: str
    shape: Shape
    weights: int
    biases: int
    weight_bits: int
    multiplications: int

    @property
    def parameter_bytes(self) -> int:
        """Bytes of weights packed without gaps, and of biases of 32 bits."""
        return -(-self.weights * self.weight_bits // 8) + _BIAS_BYTES * self.biases


def summarise(network: IntegerNetwork) -> list[LayerSummary]:
    """Return a summary of every node, in order."""
    rows = []
    for node in network.nodes:
        name, kind, shape = node.name, node.kind, network.shapes[node.name]
        if isinstance(node, WeightedNode):
            biases = 0 if node.biases is None else node.biases.size
            held = node.weights.size, biases, node.weight_bits, network.multiplications[name]
        else:
            held = 0, 0, 0, 0
        rows.append(LayerSummary(name, kind, shape, *held))
    return rows
