"""Generated C on an emulated Cortex-M: the reference in every layer; figures and limits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from golden import reference
from golden.comparison import compare
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import Convolution, FullyConnected, GlobalMaxPool, Pad
from scripts.cortex_m import emulation
from scripts.cortex_m.emulation import (
    BOARDS,
    MEMORY_BYTES,
    STACK_BYTES,
    emulate,
    expect_tools,
    network_sizes,
)
from tests.graphs import random_graph, random_inputs
from tests.networks import random_fingerprints, random_network


@pytest.fixture
def tools(require_tool: Callable[[str], None]) -> None:
    for tool in emulation.PACKAGES:
        require_tool(tool)


def plant(monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Make `kws_infer` these statements."""
    source = f"""#include "network.h"
    int kws_infer(const int8_t features[KWS_INPUT_COUNT], kws_logit_t logits[KWS_LABEL_COUNT]) {{
        {body}
        (void)features;
        logits[0] = 0;
        return 0;
    }}"""
    monkeypatch.setattr(emulation, "network_source", lambda network: source)


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
    assert 64 < found.stack < 1_000
    sizes = network_sizes(network, "cortex-m4", "-O2")
    weights = sum(node.weights.size for node in network.weighted_nodes)
    assert weights < sizes.flash < weights + 6_000
    assert 14 * 4 * 48 * 2 <= sizes.ram < 14 * 4 * 48 * 2 + 2_000
    assert sizes.flash < found.image.flash < sizes.flash + 1_000
    assert sizes.ram + 300 < found.image.ram < sizes.ram + 1_000


def emulate_planted(cpu: str) -> emulation.Emulation:
    return emulate(random_network(1), random_fingerprints(1, 2), cpu, "-Os", keeps_layers=False)


def loop(rounds: int) -> str:
    """Return a statement of two instructions a round."""
    code = ".syntax unified\\n1: subs %0, #1\\n bne 1b"
    return f'uint32_t rounds = {rounds}u; __asm__ volatile("{code}" : "+l"(rounds) : : "cc");'


@pytest.mark.parametrize("cpu", BOARDS)
def test_instructions_are_counted_to_a_tick(
    cpu: str, tools: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rounds in (1, 1_000, 3_000_000):
        plant(monkeypatch, loop(rounds))
        first, second = emulate_planted(cpu).instructions
        assert first == second
        assert 2 * rounds - 50 < first < 2 * rounds + 150


def test_more_instructions_than_are_counted_are_refused(
    tools: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not 671 million instructions, but ones that take 64 times as long."""
    right = emulation._emulator
    monkeypatch.setattr(
        emulation,
        "_emulator",
        lambda cpu: [word.replace("shift=0", "shift=6") for word in right(cpu)],
    )
    plant(monkeypatch, loop(6_000_000))
    message = r"^image: expected fewer than 671,088,640 instructions an inference, got more$"
    with pytest.raises(ValueError, match=message):
        emulate_planted("cortex-m4")


@pytest.mark.parametrize("cpu", BOARDS)
def test_the_stack_is_that_of_the_inference(
    cpu: str, tools: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, "volatile uint32_t used[500]; used[0] = 1; (void)used[0];")
    assert 2_000 <= emulate_planted(cpu).stack < 2_040


def test_a_stack_that_is_used_up_is_refused(tools: None, monkeypatch: pytest.MonkeyPatch) -> None:
    size = STACK_BYTES
    fill = f"for (int i = 0; i < {size}; ++i) used[i] = 1;"
    plant(monkeypatch, f"volatile uint8_t used[{size}]; {fill} (void)used[0];")
    with pytest.raises(ValueError, match=r"^image: expected less stack than 8,192 bytes, all were"):
        emulate_planted("cortex-m4")


@pytest.mark.parametrize("cpu", BOARDS)
def test_a_fault_ends_the_program(cpu: str, tools: None, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, '__asm__ volatile("udf #0");')
    message = r"^qemu-system-arm: failed: the image ended with a fault$"
    with pytest.raises(ValueError, match=message):
        emulate_planted(cpu)


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
    room = MEMORY_BYTES - STACK_BYTES
    message = rf"^image: \.bss: expected to fit RAM of {room:,} bytes, got 9,036,\d{{3}}$"
    with pytest.raises(ValueError, match=message):
        emulate(network, random_inputs(1, 1, network), "cortex-m4", "-Os", keeps_layers=False)
