"""`network.c`: what it is made of, on every compiler. What it computes: `test_c_inference.py`."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from golden import reference
from golden.c.header import weight_header
from golden.c.source import network_header, network_source
from golden.c.steps import Plan
from golden.comparison import compare
from golden.network import INPUT_NAME, InputFormat, IntegerNetwork
from golden.nodes import NODE_KINDS, Convolution, FullyConnected, ShiftRelu
from scripts.simulation.c_inference import STRICT, run_c
from tests.graphs import graphs, random_graph, random_inputs
from tests.networks import random_network


def code_of(text: str) -> str:
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("optimisation", ["-O2", "-Os"])
@pytest.mark.parametrize("seed", range(3))
def test_every_compiler_gives_the_reference(
    compiler: str, optimisation: str, seed: int, require_tool: Callable[[str], None]
) -> None:
    require_tool(compiler)
    network = random_graph(seed, nodes=14)
    inputs = random_inputs(seed, 4, network)
    expected = reference.run(network, inputs)
    layers = {**expected.layers, "label": expected.label_indices}
    compare(layers, run_c(network, inputs, compiler, [optimisation]), batched=True)


def test_those_graphs_have_every_kind_of_node() -> None:
    kinds = {type(node) for seed in range(3) for node in random_graph(seed, nodes=14).nodes}
    assert kinds == set(NODE_KINDS.values())


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_warned_of_where_layers_are_not_kept(
    compiler: str, seed: int, tmp_path: Path, require_tool: Callable[[str], None]
) -> None:
    require_tool(compiler)
    network = random_graph(seed, nodes=14)
    (tmp_path / "network.c").write_text(network_source(network))
    (tmp_path / "network.h").write_text(network_header(network))
    command = [compiler, *STRICT, "-O2", "-c", "network.c"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.parametrize("limits", [(-128, 100), (-100, 127), (-128, 127), (-3, 4)])
def test_inputs_of_every_range_are_checked_without_a_warning(
    limits: tuple[int, int], require_tool: Callable[[str], None]
) -> None:
    require_tool("gcc")
    logit = FullyConnected("logit", INPUT_NAME, np.ones((1, 3), np.int8))
    network = IntegerNetwork((logit,), ("yes",), (3,), None, InputFormat(*limits))
    inputs = random_inputs(0, 4, network, extremes=True)
    found = run_c(network, inputs, "gcc", ["-O2"])
    assert found["logit"].ravel().tolist() == inputs.sum(axis=1, dtype=int).tolist()


def test_a_layer_may_be_called_as_what_lies_outside() -> None:
    """Three words that the source has for itself; the second is no kernel's output."""
    kernels = np.ones((1, 3, 3, 1), np.int8)
    nodes = (
        Convolution("outside_u8_32", INPUT_NAME, kernels, padding="SAME"),
        ShiftRelu("taken", "outside_u8_32", 2),
        FullyConnected("memory", "taken", np.ones((1, 12), np.int8)),
    )
    network = IntegerNetwork(nodes, ("yes",), (4, 3), None)
    inputs = random_inputs(0, 3, network)
    expected = reference.run(network, inputs)
    layers = {**expected.layers, "label": expected.label_indices}
    compare(layers, run_c(network, inputs), batched=True)


@given(graphs())
def test_there_are_no_floats_and_no_libraries(network: IntegerNetwork) -> None:
    source, header = code_of(network_source(network)), code_of(network_header(network))
    assert not re.search(r"\b(float|double|malloc|\d+\.\d*f?)\b", source + header)
    assert re.findall("#include (.*)", header) == ["<stdint.h>"]
    assert [each.strip() for each in re.findall("#include (.*)", source)] == [
        '"network.h"',
        '"lanes.h"',  # of builds for the host alone
    ]


def test_equal_networks_give_equal_text() -> None:
    assert network_source(random_network(1)) == network_source(random_network(1))
    assert network_header(random_network(1)) != network_header(random_network(2))


def test_weights_are_those_of_the_header() -> None:
    """As sets of numbers an array: their order is another."""
    network = random_network(1)
    found = {
        name: sorted(map(int, re.findall(r"-?\d+", body)))
        for name, body in re.findall(
            r"(?:weight_\w+_t|int8_t) (conv_1|pw_conv|fc1)_weights\[\d+\] = \{(.*?)\}",
            network_source(network),
            flags=re.DOTALL,
        )
    }
    assert found == {
        name: sorted(network.node(name).weights.ravel().tolist())  # type: ignore[attr-defined]
        for name in ("conv_1", "pw_conv", "fc1")
    }
    assert "CONV_1_WEIGHTS" in weight_header(network)


def test_a_feature_outside_the_range_has_no_label(
    tmp_path: Path, require_tool: Callable[[str], None]
) -> None:
    require_tool("cc")
    network = random_network(1)
    (tmp_path / "network.c").write_text(network_source(network))
    (tmp_path / "network.h").write_text(network_header(network))
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "network.h"\nint main(void) {\n'
        "    int8_t features[KWS_INPUT_COUNT] = {0};\n"
        "    kws_logit_t logits[KWS_LABEL_COUNT] = {7};\n"
        "    features[299] = 32;\n"
        '    printf("%d %d", kws_infer(features, logits), (int)logits[0]);\n'
        "    features[299] = -33;\n"
        '    printf(" %d", kws_infer(features, logits));\n'
        "    features[299] = -32;\n"
        '    printf(" %d", kws_infer(features, logits) >= 0);\n}\n'
    )
    sources = ["network.c", "main.c", "-o", "main"]
    subprocess.run(["cc", "-std=c99", *sources], cwd=tmp_path, check=True)
    result = subprocess.run(["./main"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert result.stdout == "-1 7 -1 1"


@settings(max_examples=200)
@given(graphs())
def test_layers_that_are_needed_at_one_time_do_not_overlap(network: IntegerNetwork) -> None:
    plan = Plan(network)
    needed: dict[str, set[int]] = {}
    for at, step in enumerate(plan.steps):
        for name in (*map(plan.memory_of, step.sources), plan.memory_of(step.result)):
            first = min(needed.get(name, {at}))
            needed[name] = set(range(first, at + 1))
    for name, outside in plan.outsides.items():
        needed[name] = set(range(len(plan.steps)))
        assert outside.pixels == 1
    first_reader = plan.memory_of(plan.steps[0].sources[0])
    assert 0 in needed[first_reader]
    taken: dict[tuple[int, int], str] = {}
    for name, times in needed.items():
        place, size = plan.places[name], plan.storage_of(name).size
        assert place + size <= plan.memory_size
        for time in times:
            for byte in range(place, place + size):
                assert taken.setdefault((time, byte), name) == name


@settings(max_examples=200)
@given(graphs())
def test_stored_layers_hold_their_ranges(network: IntegerNetwork) -> None:
    plan = Plan(network)
    for name, storage in plan.storage.items():
        low, high = (end + storage.offset for end in network.reaches[name])
        bits = int(storage.kind[1:])
        least, most = (
            (0, 255) if storage.kind == "u8" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        )
        assert least <= low <= high <= most
        assert np.prod(storage.shape) >= np.prod(network.shapes[name]) or name == "fingerprint"
