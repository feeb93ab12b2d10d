"""Many random graphs on every rung of software, and how many values were compared.

    python -m tests.compare_graphs --count 300

The tests draw a few hundred; this counts as well: reference = plain loops over Python's integers
(the first input of each graph), reference = compiled C (one input at a time under sanitisers, and
in lanes), network = network read back from its header. It ends at the first difference.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from golden import reference
from golden.c.engine import CompiledEngine
from golden.c.header import weight_header
from golden.c.header_reader import parse_header
from golden.comparison import compare
from golden.network import IntegerNetwork
from scripts.console.command_line import Parser, run_command
from scripts.console.progress import progress_bar
from scripts.simulation.c_inference import run_c
from tests.graphs import random_graph, random_inputs
from tests.plain_loops import every_layer

NATIVE_UNOPTIMISED = ("-march=native", "-O1")
INPUTS = 3
MOST_NODES = 13


def main() -> None:
    flags = parse_flags()
    kinds: Counter[str] = Counter()
    values: Counter[str] = Counter()
    with progress_bar("graphs") as progress:
        for done in range(flags.count):
            seed = flags.first_seed + done
            network = random_graph(seed, nodes=seed % MOST_NODES)
            values.update(compared(seed, network))
            kinds.update(node.kind for node in network.nodes)
            progress(done + 1, flags.count)
    print(f"{flags.count:,} graphs, {kinds.total():,} nodes of {len(kinds)} kinds, 0 mismatches")
    for name, count in values.items():
        print(f"  {name}: {count:,}")
    for kind, count in kinds.most_common():
        print(f"  {kind}: {count:,} nodes")


def parse_flags() -> argparse.Namespace:
    parser = Parser(__doc__, "-m tests.compare_graphs --count 300")
    parser.add_argument("--count", type=int, default=200, help="graphs to draw")
    parser.add_argument("--first_seed", type=int, default=0, help="seed of the first")
    return parser.parse_args()


def compared(seed: int, network: IntegerNetwork) -> Mapping[str, int]:
    """Compare one graph on every rung; return how many values were equal, by rung."""
    inputs = random_inputs(seed, INPUTS, network, extremes=seed % 3 == 0)
    result = reference.run(network, inputs)
    expected = {**result.layers, "label": result.label_indices}
    in_c = compare(expected, run_c(network, inputs), batched=True)
    with tempfile.TemporaryDirectory() as cache:
        lanes = CompiledEngine(network, 1, Path(cache), NATIVE_UNOPTIMISED).run(inputs)
    in_lanes = compare(result.layers, lanes.layers, batched=True)
    plain = {
        name: np.array([places[place] for place in sorted(places)]).reshape(network.shapes[name])
        for name, places in every_layer(network, inputs[0]).items()
    }
    first = {name: result.layers[name][0].reshape(network.shapes[name]) for name in plain}
    by_hand = compare(first, plain)
    again = parse_header(weight_header(network))
    assert again.to_bytes() == network.to_bytes(), f"seed {seed}: another network from the header"
    return {
        "values, compiled C = reference": in_c.total,
        "values, engine = reference": in_lanes.total,
        "values, plain loops = reference": by_hand.total,
        "networks, read back from weight.h": 1,
    }


if __name__ == "__main__":
    run_command(main)
