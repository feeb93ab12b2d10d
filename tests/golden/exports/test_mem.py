"""The `.mem` export: against hand tables, against Icarus itself, and back again."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from golden.axes import array_axes
from golden.exports.mem import check_memory, memory_text, read_memory
from golden.network import IntegerNetwork
from tests.networks import random_network

IN_OUT = ("kernel_time", "kernel_coefficient", "in", "out")


def small_network() -> IntegerNetwork:
    """Three filters, two outputs, with known pointwise weights `[out][in]`."""
    network = random_network(1, filters=3, outputs=2)
    weights = np.array([[-32, -1, 0], [1, 31, 5]]).reshape(2, 1, 1, 3)
    nodes = tuple(
        dataclasses.replace(node, weights=weights) if node.name == "pw_conv" else node
        for node in network.nodes
    )
    return dataclasses.replace(network, nodes=nodes)


def words(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("//")]


def test_words_are_twos_complement_in_the_stated_order() -> None:
    network = small_network()
    assert words(memory_text(network, "pw_conv.weights", IN_OUT, 6)) == ["20 01", "3f 1f", "00 05"]
    out_in = array_axes(4)
    assert words(memory_text(network, "pw_conv.weights", out_in, 6)) == ["20 3f 00", "01 1f 05"]


def test_wider_words_repeat_the_sign() -> None:
    text = memory_text(small_network(), "pw_conv.weights", IN_OUT, 9)
    assert words(text) == ["1e0 001", "1ff 01f", "000 005"]


def test_header_names_network_layer_order_shape_and_width() -> None:
    network = small_network()
    assert memory_text(network, "pw_conv.weights", IN_OUT, 6).splitlines()[:6] == [
        f"// network: {network.digest}",
        "// array: pw_conv.weights",
        "// order: kernel_time kernel_coefficient in out",
        "// shape: 1 1 3 2",
        "// bits: 6",
        "// lanes: 1",
    ]


def test_lanes_share_a_word_the_first_in_the_lowest_bits() -> None:
    network = small_network()
    out_in = array_axes(4)
    text = memory_text(network, "pw_conv.weights", out_in, 6, lanes=3)
    assert words(text) == [f"{0x20 | 0x3F << 6:05x}", f"{0x01 | 0x1F << 6 | 0x05 << 12:05x}"]


def test_biases_are_an_array_like_any_other(tmp_path: Path) -> None:
    network = small_network()
    path = tmp_path / "bias.mem"
    path.write_text(memory_text(network, "fc1.biases", ("out",), 12))
    memory = read_memory(path)
    assert memory.values.tolist() == network.nodes[-1].biases.tolist()
    check_memory(memory, network)


@pytest.mark.parametrize("layer", ["conv_1", "dw_conv", "pw_conv", "fc1"])
def test_reader_gives_back_the_weights_in_every_order(tmp_path: Path, layer: str) -> None:
    network = random_network(2, filters=5, outputs=3)
    node = next(node for node in network.weighted_nodes if node.name == layer)
    axes = array_axes(node.weights.ndim)
    path = tmp_path / "weights.mem"
    for order in (axes, axes[::-1], (*axes[1:], axes[0])):
        for lanes in {1, node.weights.shape[0], node.weights.size}:
            path.write_text(memory_text(network, f"{layer}.weights", order, lanes=lanes))
            memory = read_memory(path)
            assert np.array_equal(memory.values, node.weights)
            assert (memory.network, memory.array) == (network.digest, f"{layer}.weights")
            assert (memory.order, memory.bits, memory.lanes) == (order, 6, lanes)
            check_memory(memory, network)


@pytest.mark.rtl
def test_verilog_reads_the_same_integers(
    require_tool: Callable[[str], None], tmp_path: Path
) -> None:
    require_tool("vvp")
    network = random_network(3, filters=5, outputs=3)
    path, source = tmp_path / "weights.mem", tmp_path / "read.v"
    path.write_text(memory_text(network, "pw_conv.weights", IN_OUT, 7))
    source.write_text(
        "module read; reg signed [6:0] w [0:14]; integer i; initial begin\n"
        f'$readmemh("{path}", w); for (i = 0; i < 15; i = i + 1) $display("%0d", w[i]);\n'
        "end endmodule\n"
    )
    build = ["iverilog", "-g2005", "-o", str(tmp_path / "read"), str(source)]
    subprocess.run(build, check=True)
    shown = subprocess.run(
        ["vvp", "-n", str(tmp_path / "read")], capture_output=True, text=True, check=True
    )
    node = next(node for node in network.weighted_nodes if node.name == "pw_conv")
    expected = [int(node.weights[o, 0, 0, c]) for c in range(5) for o in range(3)]
    assert [int(line) for line in shown.stdout.split()] == expected


def test_layer_without_weights_is_refused() -> None:
    with pytest.raises(ValueError, match=r"max_pool\.weights: expected one of the arrays"):
        memory_text(small_network(), "max_pool.weights", IN_OUT)


def test_order_that_is_no_permutation_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"fc1\.weights\.order: expected a permutation of \('out', 'in'\)"
    ):
        memory_text(small_network(), "fc1.weights", IN_OUT)


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at least 6 bits, got 5"):
        memory_text(small_network(), "pw_conv.weights", IN_OUT, 5)


def test_lanes_that_the_values_do_not_fill_are_refused() -> None:
    with pytest.raises(ValueError, match="expected lanes that divide 6 values, got 4"):
        memory_text(small_network(), "pw_conv.weights", IN_OUT, lanes=4)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("// array: pw_conv.weights\n", "", "expected a header .* array is missing"),
        ("lanes: 1", "lanes: 0", "expected a header with"),
        ("shape: 1 1 3 2", "shape: 1 1 3 x", "expected a header with"),
        ("order: kernel_time", "order: colour", "expected a header with"),
        ("shape: 1 1 3 2", "shape: 1 1 3 3", r"expected 9 words of shape \(1, 1, 3, 3\), got 6"),
        ("3f 1f", "3f", r"expected 6 words of shape \(1, 1, 3, 2\), got 5"),
        ("3f 1f", "40 1f", "expected hexadecimal words of 6 bits, got '40' as word 2"),
        ("3f 1f", "3f -1", "expected hexadecimal words of 6 bits, got '-1' as word 3"),
    ],
)
def test_damaged_file_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = memory_text(small_network(), "pw_conv.weights", IN_OUT, 6)
    assert old in text
    path = tmp_path / "weights.mem"
    path.write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=message) as caught:
        read_memory(path)
    assert str(path) in str(caught.value)


def test_memory_of_another_network_is_refused(tmp_path: Path) -> None:
    network = small_network()
    path = tmp_path / "weights.mem"
    text = memory_text(network, "pw_conv.weights", IN_OUT, 6)
    path.write_text(text)
    with pytest.raises(ValueError, match=r"pw_conv\.weights: expected a memory of network"):
        check_memory(read_memory(path), random_network(1))
    path.write_text(text.replace("3f 1f", "3f 1e"))
    with pytest.raises(ValueError, match=r"expected 31 at \(1, 0, 0, 1\), got 30"):
        check_memory(read_memory(path), network)
    path.write_text(text.replace("shape: 1 1 3 2", "shape: 1 1 2 3"))
    with pytest.raises(
        ValueError, match=r"expected a memory of shape \(2, 1, 1, 3\), got \(3, 1, 1, 2\)"
    ):
        check_memory(read_memory(path), network)
