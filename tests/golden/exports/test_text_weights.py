"""`example_weight.txt`: nested text that says which axis is which, and its reader."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from golden.axes import named_arrays
from golden.exports.text_weights import parse_weight_text, read_weight_text, weight_text
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import DepthwiseConvolution, FullyConnected, Requantise, ShiftRelu
from tests.graphs import graphs
from tests.networks import networks, random_network

NETWORK = random_network(5, filters=3, outputs=2)
TEXT = weight_text(NETWORK)


@given(networks() | graphs())
def test_network_to_text_to_arrays_is_the_identity(network: IntegerNetwork) -> None:
    found = parse_weight_text(weight_text(network))
    expected = named_arrays(network)
    assert found.digest == network.digest
    assert list(found.arrays) == list(expected)
    for name, array in expected.items():
        assert found.arrays[name].dtype == array.dtype
        assert np.array_equal(found.arrays[name], array)


def test_each_array_states_type_axes_and_sizes() -> None:
    assert re.findall(r"^array .*", TEXT, re.MULTILINE) == [
        "array conv_1.weights int8 axes out[3] kernel_time[4] kernel_coefficient[4] in[1]",
        "array dw_conv.weights int8 axes out[3] kernel_time[3] kernel_coefficient[3] in[1]",
        "array pw_conv.weights int8 axes out[2] kernel_time[1] kernel_coefficient[1] in[3]",
        "array fc1.weights int8 axes out[4] in[2]",
        "array fc1.biases int32 axes out[4]",
    ]


def test_multipliers_and_exponents_are_arrays_like_weights() -> None:
    nodes = (
        DepthwiseConvolution("dw", INPUT_NAME, np.array([5, -6]).reshape(2, 1, 1, 1)),
        Requantise("q", "dw", np.array([2**30, 2**31 - 1]), np.array([-31, 3]), "once"),
        FullyConnected("fc", "q", np.array([[1, 2]])),
    )
    network = IntegerNetwork(nodes, ("yes",), (1, 1), None)
    text = weight_text(network)
    assert "\narray q.multipliers int32 axes out[2]\n[1073741824, 2147483647]\n" in text
    assert "\narray q.exponents int8 axes out[2]\n[-31,   3]\n" in text
    assert "output o reads channel o // m" in text
    assert "output o reads channel o // m" not in TEXT
    assert parse_weight_text(text).digest == network.digest


def test_a_network_without_arrays_has_a_text() -> None:
    network = IntegerNetwork((ShiftRelu("relu", INPUT_NAME, 1),), ("yes",), (1,), None)
    found = parse_weight_text(weight_text(network))
    assert (found.digest, found.arrays) == (network.digest, {})


def test_python_reads_the_nested_lists_as_they_are() -> None:
    text = re.sub(r"#.*", "", TEXT)
    lists = [block.partition("\n")[2] for block in text.split("\narray ")[1:]]
    for (name, array), nested in zip(named_arrays(NETWORK).items(), lists, strict=True):
        assert ast.literal_eval(nested.strip()) == array.tolist(), name


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "weights.txt").write_text(TEXT)
    assert read_weight_text(tmp_path / "weights.txt").digest == NETWORK.digest


def line_of(text: str) -> int:
    return TEXT[: TEXT.index(text)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("network digest ", "network ",
         "line {}: expected 'network digest DIGEST arrays COUNT', got"),
        ("network digest ", "[1]\nnetwork digest ",
         "line {}: expected the network digest, got none"),
        ("array conv_1.weights", "1\narray conv_1.weights",
         "line {}: expected nothing more, got '1'"),
        ("array conv_1.weights", "array",
         "line {}: expected 'array NAME TYPE axes out[SIZE] ...', got 'array int8 axes"),
        ("array fc1.weights int8 axes", "array fc1.weights int16 axes",
         "line {}: expected 'array NAME"),
        ("array fc1.weights int8 axes out[4] in[2]", "array fc1.weights int8 axes in[4] out[2]",
         "line {}: expected 'array NAME"),
        ("array fc1.weights int8 axes out[4] in[2]", "array fc1.weights int8 axes out[4] x in[2]",
         "line {}: expected 'array NAME"),
        ("array fc1.weights int8 axes out[4] in[2]", "array fc1.weights int8 axes out[3] in[2]",
         "line {}+7: expected ']', got ','"),
        ("array fc1.weights int8 axes out[4] in[2]", "array fc1.weights int8 axes out[4] in[3]",
         "line {}+3: expected ',', got ']'"),
        ("array fc1.weights int8 axes out[4] in[2]", "array fc1.weights int8 axes out[4] in[1]",
         "line {}+3: expected ']', got ','"),
        ("array fc1.biases int32", "array fc1.weights int32",
         "line {}: expected each array once, got fc1.weights twice"),
        ("array fc1.biases int32", "[7]\narray fc1.biases int32",
         "line {}: expected nothing more, got '['"),
        ("array fc1.biases int32", "array fc1.biases int8",
         "line {}+1: expected an integer in -128..127, got"),
    ],
)  # fmt: skip
def test_an_edited_text_is_refused_with_its_line(old: str, new: str, message: str) -> None:
    assert TEXT.count(old) == 1
    line = line_of(old)
    expected = re.sub(r"\{\}([+-]\d+)?", lambda m: str(line + int(m[1] or 0)), message)
    with pytest.raises(ValueError) as caught:
        parse_weight_text(TEXT.replace(old, new), "w.txt")
    assert str(caught.value).startswith(f"w.txt {expected}")


def test_a_text_cut_off_anywhere_is_refused() -> None:
    for length in range(0, len(TEXT.rstrip()), 7):
        with pytest.raises(ValueError, match=r"^w\.txt"):
            parse_weight_text(TEXT[:length], "w.txt")


def test_a_text_without_arrays_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^w\.txt: expected 5 arrays, got 0$"):
        parse_weight_text(f"network digest {'0' * 64} arrays 5\n", "w.txt")
    with pytest.raises(ValueError, match=r"^w\.txt line 1: expected the network digest, got none$"):
        parse_weight_text("", "w.txt")
