"""From ranges to register widths: the one place where the width of a datapath signal is decided.

The report prints these widths and the generated Verilog parameters are these widths. A width always
follows from the *bound*, never from what happened to be observed.
"""

from __future__ import annotations

from dataclasses import dataclass

from dataflow.ranges.intervals import ChannelRange, Ranges, constant_ranges, part_name
from golden.integer_math import unsigned_bits
from golden.network import IntegerNetwork
from golden.nodes import FullyConnected, Node, WeightedNode

# Which hardware a signal sizes, by its role in the layer.
UNITS = {
    "input": "multiplier",
    "weight": "multiplier",
    "product": "multiplier",
    "bias": "adder",
    "partial sum": "adder",
    "accumulator": "register",
    "output": "register",
}


@dataclass(frozen=True, eq=False)
class SignalWidth:
    """One signal: its name (`dataflow.ranges.intervals`), its bound, what was observed, the bits.

    `role` says what the signal is to its layer; `UNITS` lists the roles.
    """

    name: str
    role: str
    bound: ChannelRange
    observed: ChannelRange | None = None

    @property
    def signed_bits(self) -> int:
        """Width of the two's-complement register that holds every value within the bound."""
        return self.bound.bits

    @property
    def unsigned_bits(self) -> int | None:
        """Width of the unsigned register for the same values; None where they may be negative."""
        return unsigned_bits(self.bound.maximum) if self.bound.minimum >= 0 else None

    @property
    def unit(self) -> str:
        """Which hardware the signal sizes: multiplier, adder or register."""
        return UNITS[self.role]


@dataclass(frozen=True, eq=False)
class LayerWidths:
    """Every signal of a weighted layer, in the order in which data pass.

    The multiplier has the operands `input` and `weight` and the result `product`. The adder and its
    register hold `partial_sum`: the accumulator from the first tap to the last. `accumulator` is
    its last value alone. `outputs` are the nodes that follow without weights (shift and ReLU,
    pooling), the last of which feeds the next weighted layer. `bias` is None in layers without.
    """

    name: str
    kind: str
    input: SignalWidth
    weight: SignalWidth
    product: SignalWidth
    bias: SignalWidth | None
    partial_sum: SignalWidth
    accumulator: SignalWidth
    outputs: tuple[SignalWidth, ...]

    @property
    def signals(self) -> tuple[SignalWidth, ...]:
        """All signals, the operands of the multiplier first."""
        bias = () if self.bias is None else (self.bias,)
        inside = (self.input, self.weight, self.product, *bias, self.partial_sum, self.accumulator)
        return inside + self.outputs

    @property
    def output(self) -> SignalWidth:
        """What the layer hands on: its last output, or the accumulator where nothing follows."""
        return self.outputs[-1] if self.outputs else self.accumulator


def layer_widths(
    network: IntegerNetwork, bounds: Ranges, observed: Ranges | None = None
) -> tuple[LayerWidths, ...]:
    """Return the widths of every weighted layer of `network`, in order.

    `bounds` must hold for every input (`dataflow.ranges.intervals.interval_bounds`, or the proven
    ones of `dataflow.proof.proven_ranges`); `observed` is reported beside them and changes no
    width. Without it, weights and biases alone count as observed.
    """
    return tuple(_widths_of(network, node, bounds, observed) for node in network.weighted_nodes)


def widths_of_layer(widths: tuple[LayerWidths, ...], name: str) -> LayerWidths:
    """Return the widths of the layer `name`; KeyError if there is none."""
    for layer in widths:
        if layer.name == name:
            return layer
    raise KeyError(name)


def _widths_of(
    network: IntegerNetwork, node: WeightedNode, bounds: Ranges, observed: Ranges | None
) -> LayerWidths:
    seen = constant_ranges(network) if observed is None else observed

    def signal(name: str, role: str) -> SignalWidth:
        return SignalWidth(name, role, bounds[name], seen.get(name))

    return LayerWidths(
        name=node.name,
        kind=node.kind,
        input=signal(node.input, "input"),
        weight=signal(part_name(node, "weight"), "weight"),
        product=signal(part_name(node, "product"), "product"),
        bias=signal(part_name(node, "bias"), "bias") if isinstance(node, FullyConnected) else None,
        partial_sum=signal(part_name(node, "partial_sum"), "partial sum"),
        accumulator=signal(node.name, "accumulator"),
        outputs=tuple(signal(after.name, "output") for after in _followers(network, node)),
    )


def _followers(network: IntegerNetwork, node: Node) -> tuple[Node, ...]:
    """Return the nodes without weights that work on the output of `node`, in order."""
    reached = {node.name}
    followers = []
    for later in network.nodes:
        if later.sources[0] in reached and not isinstance(later, WeightedNode):
            reached.add(later.name)
            followers.append(later)
    return tuple(followers)
