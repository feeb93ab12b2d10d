"""From ranges to register widths: the one place where the width of a datapath signal is decided.

The report prints these widths and the generated Verilog parameters are these widths. A width always
follows from the *bound*, never from what happened to be observed.

A network is listed layer by layer, a layer being a node with weights and what follows it without.
Each node without weights stands once: behind the last of all layers that it depends on, so that an
addition stands with the later one of its branches. What depends on no layer, such as padding of the
input, comes before the first layer, together with the input.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dataflow.ranges.accumulation import SummingPool
from dataflow.ranges.intervals import ChannelRange, Ranges, constant_ranges, part_name
from golden.integer_math import unsigned_bits
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import Node, Requantise, WeightedNode

# Which hardware a signal sizes, by its role in the layer.
UNITS = {
    "input": "multiplier",
    "weight": "multiplier",
    "product": "multiplier",
    "bias": "adder",
    "partial sum": "adder",
    "accumulator": "register",
    "output": "register",
    "scale": "multiplier",
    "scaled product": "multiplier",
    "pool sum": "adder",
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
    its last value alone. `followers` are the signals of the nodes that follow without weights: of
    each its output (shift and ReLU, pooling), and before it what lies inside. A requantisation
    multiplies its input by a `scale`, which gives a `scaled product`; the accumulator of a pool
    that sums is a `pool sum`. `bias` is None in layers without.
    """

    name: str
    kind: str
    input: SignalWidth
    weight: SignalWidth
    product: SignalWidth
    bias: SignalWidth | None
    partial_sum: SignalWidth
    accumulator: SignalWidth
    followers: tuple[SignalWidth, ...]

    @property
    def outputs(self) -> tuple[SignalWidth, ...]:
        """Outputs of the nodes that follow; the last is what the layer hands on."""
        return tuple(signal for signal in self.followers if signal.role == "output")

    @property
    def signals(self) -> tuple[SignalWidth, ...]:
        """All signals, the operands of the multiplier first."""
        bias = () if self.bias is None else (self.bias,)
        inside = (self.input, self.weight, self.product, *bias, self.partial_sum, self.accumulator)
        return inside + self.followers

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
    signal = _signals(network, bounds, observed)
    followers = _followers(network)
    return tuple(
        LayerWidths(
            name=node.name,
            kind=node.kind,
            input=signal(node.input, "input"),
            weight=signal(part_name(node, "weight"), "weight"),
            product=signal(part_name(node, "product"), "product"),
            bias=None if node.biases is None else signal(part_name(node, "bias"), "bias"),
            partial_sum=signal(part_name(node, "partial_sum"), "partial sum"),
            accumulator=signal(node.name, "accumulator"),
            followers=_widths_after(followers[node.name], signal),
        )
        for node in network.weighted_nodes
    )


def input_widths(
    network: IntegerNetwork, bounds: Ranges, observed: Ranges | None = None
) -> tuple[SignalWidth, ...]:
    """Return the widths of the input and of all nodes that depend on no layer; none without such.

    Where every node depends on some layer, the input stands there alone, as an operand.
    """
    nodes = _followers(network)[INPUT_NAME]
    if not nodes:
        return ()
    signal = _signals(network, bounds, observed)
    return (signal(INPUT_NAME, "output"), *_widths_after(nodes, signal))


def widths_of_layer(widths: tuple[LayerWidths, ...], name: str) -> LayerWidths:
    """Return the widths of the layer `name`; KeyError if there is none."""
    for layer in widths:
        if layer.name == name:
            return layer
    raise KeyError(name)


def _signals(
    network: IntegerNetwork, bounds: Ranges, observed: Ranges | None
) -> Callable[[str, str], SignalWidth]:
    """Return a function that makes the width of a signal from its name and its role."""
    seen = constant_ranges(network) if observed is None else observed
    return lambda name, role: SignalWidth(name, role, bounds[name], seen.get(name))


def _followers(network: IntegerNetwork) -> dict[str, list[Node]]:
    """Return the nodes without weights, in order, by the last layer that each depends on.

    Those that depend on none are found under the input's name.
    """
    layers = [INPUT_NAME, *(node.name for node in network.weighted_nodes)]
    places = {INPUT_NAME: 0}
    followers: dict[str, list[Node]] = {name: [] for name in layers}
    for node in network.nodes:
        if isinstance(node, WeightedNode):
            places[node.name] = layers.index(node.name)
        else:
            places[node.name] = max(places[source] for source in node.sources)
            followers[layers[places[node.name]]].append(node)
    return followers


def _widths_after(
    nodes: list[Node], signal: Callable[[str, str], SignalWidth]
) -> tuple[SignalWidth, ...]:
    widths = []
    for node in nodes:
        if isinstance(node, Requantise):
            widths.append(signal(part_name(node, "multiplier"), "scale"))
            widths.append(signal(part_name(node, "product"), "scaled product"))
        elif isinstance(node, SummingPool):
            widths.append(signal(part_name(node, "partial_sum"), "pool sum"))
        widths.append(signal(node.name, "output"))
    return tuple(widths)
