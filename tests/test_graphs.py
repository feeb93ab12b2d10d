"""The random graphs: valid, the same for a seed, and of every kind that the tests are to see."""

from __future__ import annotations

from collections import Counter

from hypothesis import given

from golden.c.source import value_bits
from golden.network import INPUT_NAME, ROUNDING_RULES, IntegerNetwork
from golden.nodes import (
    NODE_KINDS,
    Add,
    AveragePool,
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    MaxPool,
    Pad,
    Requantise,
    Reshape,
    WeightedNode,
)
from golden.requantisation import ROUNDINGS
from tests.graphs import graphs, random_graph, random_inputs

SEEDS = 200


def traits(network: IntegerNetwork) -> Counter[str]:
    """Count what a graph has that a backend could get wrong."""
    found: Counter[str] = Counter(node.kind for node in network.nodes)
    read = Counter(source for node in network.nodes for source in node.sources)
    found["branch"] += any(count > 1 for count in read.values())
    found["read input twice"] += read[INPUT_NAME] > 1
    found[f"{len(network.input_shape)} input axes"] += 1
    found[f"{value_bits(network)} bits"] += 1
    found[f"rule {network.rounding}"] += 1
    found["features"] += network.features is not None
    found["no features"] += network.features is None
    found["input scale"] += network.input_format.scale is not None
    found["input zero point"] += network.input_format.zero_point != 0
    for node in network.nodes:
        shapes = [network.shapes[source] for source in node.sources]
        match node:
            case Convolution() | DepthwiseConvolution() | MaxPool() | AveragePool():
                windows = node.windows
                found["dilation"] += windows.dilation[0] != windows.dilation[1]
                found["unequal strides"] += windows.stride[0] != windows.stride[1]
                found[f"{node.kind}, padded"] += any(map(any, windows.padding_of(shapes[0])))
                found[f"{node.kind}, VALID"] += windows.padding == "VALID"
            case Requantise():
                found[f"{node.rounding}, factors"] += node.multipliers.size > 1
                found[f"{node.rounding}, exponent > 0"] += node.exponents.max() > 0
                found[f"{node.rounding}, exponent < -5"] += node.exponents.min() < -5
                found[f"{node.rounding}, half"] += (node.multipliers == 2**30).any()
                found["left shift"] += node.left_shift > 0
                found["zero point"] += node.zero_point != 0
            case Add():
                found["three terms"] += len(node.inputs) > 2
            case Pad():
                found[f"pad {len(node.amounts)}"] += any(map(any, node.amounts))
                found["pad channels"] += len(node.amounts) > 1 and any(node.amounts[-1])
            case Reshape():
                found[f"reshape to {len(node.shape)}"] += 1
        if isinstance(node, WeightedNode):
            found[f"{node.weight_bits} bits a weight"] += 1
            found["biases"] += node.biases is not None
            found["no biases"] += node.biases is None
        if isinstance(node, DepthwiseConvolution):
            found[f"multiplier {len(node.weights) // shapes[0][2]}"] += 1
    return found


EXPECTED = {
    *NODE_KINDS,
    *("branch", "read input twice", "three terms", "biases", "no biases", "features"),
    *("no features", "input scale", "input zero point", "dilation", "unequal strides"),
    *("left shift", "zero point", "pad channels", "32 bits", "64 bits", "rule None"),
    *(f"rule {rule}" for rule in ROUNDING_RULES),
    *(f"{axes} input axes" for axes in (1, 2, 3)),
    *(f"pad {axes}" for axes in (1, 2, 3)),
    *(f"reshape to {axes}" for axes in (1, 2, 3)),
    *(f"multiplier {outputs}" for outputs in (1, 2, 3)),
    *(f"{bits} bits a weight" for bits in range(2, 9)),
    *(
        f"{kind.kind}, {how}"
        for kind in (Convolution, DepthwiseConvolution, MaxPool, AveragePool)
        for how in ("padded", "VALID")
    ),
    *(
        f"{rounding}, {what}"
        for rounding in ROUNDINGS
        for what in ("factors", "exponent > 0", "exponent < -5", "half")
    ),
}


def test_every_node_kind_and_every_trait_occurs() -> None:
    found: Counter[str] = Counter()
    for seed in range(SEEDS):
        found += traits(random_graph(seed, nodes=seed % 9))
    assert {trait for trait in EXPECTED if not found[trait]} == set()


@given(graphs())
def test_the_last_node_is_fully_connected_or_a_requantisation(network: IntegerNetwork) -> None:
    assert isinstance(network.nodes[-1], FullyConnected | Requantise)


def test_a_seed_gives_the_same_graph_and_inputs() -> None:
    for seed in range(5):
        network, again = random_graph(seed), random_graph(seed)
        assert network.digest == again.digest
        inputs = random_inputs(seed, 3, network)
        assert inputs.shape == (3, *network.input_shape)
        assert inputs.tolist() == random_inputs(seed, 3, again).tolist()
