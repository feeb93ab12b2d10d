"""Generated C on an emulated Cortex-M: the reference in every layer, faults and limits named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from golden import reference
from golden.comparison import Mismatch, compare
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import Convolution, FullyConnected, GlobalMaxPool, Pad
from scripts import firmware
from scripts.cortex_m import emulation
from scripts.cortex_m.emulation import BOARDS, emulate, expect_tools, network_sizes
from tests.graphs import random_graph, random_inputs
from tests.networks import random_fingerprints, random_network


@pytest.fixture
def tools(require_tool: Callable[[str], None]) -> None:
    for tool in emulation.PACKAGES:
        require_tool(tool)


@pytest.mark.parametrize("cpu", BOARDS)
def test_every_processor_gives_the_reference(cpu: str, tools: None) -> None:
    """Of a graph with every kind of node and sums of 64 bits, on a machine of 32."""
    network = random_graph(1, nodes=14)
    inputs = random_inputs(1, 3, network)
    expected = reference.run(network, inputs)
    found = emulate(network, inputs, cpu, "-Os", keeps_layers=True)
    layers = {**expected.layers, "label": expected.label_indices}
    compare(layers, found.layers, batched=True)
    assert found.instructions.shape == (3,)


def test_what_an_inference_needs_is_measured(tools: None) -> None:
    network, clips = random_network(1), random_fingerprints(1, 4)
    found = emulate(network, clips, "cortex-m4", "-O2", keeps_layers=False)
    expected = reference.run(network, clips)
    assert found.layers["fc1"].tolist() == expected.logits.tolist()
    assert found.layers["label"].tolist() == expected.label_indices.tolist()
    assert set(found.layers) == {INPUT_NAME, "fc1", "label"}
    multiplications = sum(network.multiplications.values())
    assert (found.instructions > multiplications).all()
    assert np.ptp(found.instructions) < 0.05 * multiplications
    assert 64 < found.stack < 2_000
    sizes = network_sizes(network, "cortex-m4", "-O2")
    weights = sum(node.weights.size for node in network.weighted_nodes)
    assert weights < sizes.flash < weights + 6_000
    assert 14 * 4 * 48 * 2 <= sizes.ram < 14 * 4 * 48 * 2 + 2_000


def test_a_fault_is_a_mismatch(tools: None, monkeypatch: pytest.MonkeyPatch) -> None:
    network = random_network(1)
    right = emulation.network_source
    monkeypatch.setattr(
        emulation,
        "network_source",
        lambda network: right(network).replace("value >> shift", "value / (1 << shift) + 1"),
    )
    with pytest.raises(Mismatch, match=r"^conv_1_relu: first difference at clip 0, "):
        firmware.measured(network, random_fingerprints(1, 2), "cortex-m4", "-Os")


def test_a_missing_tool_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    message = "arm-none-eabi-gcc: not found, install the Debian package gcc-arm-none-eabi"
    with pytest.raises(FileNotFoundError, match=message):
        expect_tools()


def test_what_does_not_fit_the_board_is_refused(tools: None) -> None:
    nodes = (
        Convolution("one", INPUT_NAME, np.ones((1, 1, 1, 1), np.int8)),
        Pad("huge", "one", ((0, 1_500), (0, 1_500), (0, 0))),
        GlobalMaxPool("largest", "huge"),
        FullyConnected("logit", "largest", np.ones((1, 1), np.int8)),
    )
    network = IntegerNetwork(nodes, ("yes",), (3, 3), None)
    with pytest.raises(
        ValueError, match=r"^arm-none-eabi-gcc: failed: region .RAM. overflowed by \d+ bytes$"
    ):
        emulate(network, random_inputs(1, 1, network), "cortex-m4", "-Os", keeps_layers=False)
