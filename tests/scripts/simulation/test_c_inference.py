"""The generated C program: every layer is the reference's, for networks of every arrangement."""

from __future__ import annotations

from collections.abc import Callable

import hypothesis
import numpy as np
import numpy.typing as npt
import pytest

from golden import reference
from golden.c.source import network_header, network_source, value_bits
from golden.comparison import compare
from golden.exports.ties import find_ties
from golden.network import INPUT_NAME, InputFormat, IntegerNetwork
from golden.nodes import (
    INT32_MAX,
    INT32_MIN,
    Add,
    AveragePool,
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    MaxPool,
    Node,
    Pad,
    Requantise,
    ShiftRelu,
)
from golden.reference import Integers
from golden.requantisation import ROUNDINGS
from scripts.simulation.c_inference import run_c
from tests.graphs import graphs_with_inputs, random_inputs
from tests.networks import (
    networks_with_fingerprints,
    random_fingerprints,
    random_network,
    tying_network,
)


def run_compared(
    network: IntegerNetwork, fingerprints: npt.NDArray[np.int8]
) -> dict[str, Integers]:
    """Return every layer and the label as C computes them, all of which the reference gives too."""
    expected, found = reference.run(network, fingerprints), run_c(network, fingerprints)
    compare({**expected.layers, "label": expected.label_indices}, found, batched=True)
    return found


@pytest.mark.parametrize("extremes", [False, True])
def test_default_network_is_the_reference_in_every_layer_and_label(
    extremes: bool, require_tool: Callable[[str], None]
) -> None:
    require_tool("cc")
    network, clips = random_network(1), random_fingerprints(1, 20, extremes=extremes)
    found = run_compared(network, clips)
    assert found["label"].shape == (20,)
    assert list(found) == ["fingerprint", *(node.name for node in network.nodes), "label"]
    assert "typedef int32_t kws_value_t;" in network_header(network)


@hypothesis.settings(max_examples=15)
@hypothesis.given(networks_with_fingerprints())
def test_any_network_is_the_reference(case: tuple[IntegerNetwork, npt.NDArray[np.int8]]) -> None:
    run_compared(*case)


@hypothesis.settings(max_examples=80)
@hypothesis.given(graphs_with_inputs())
def test_any_graph_is_the_reference(case: tuple[IntegerNetwork, npt.NDArray[np.int8]]) -> None:
    run_compared(*case)


def layer_in_c(node: Node, numbers: list[int], shape: tuple[int, ...]) -> list[int]:
    """Return what compiled C makes of one input by `node`, which the reference gives as well."""
    outputs = int(np.prod(node.output_shape(shape)))
    logit = FullyConnected("logit", node.name, np.zeros((1, outputs), np.int8))
    form = InputFormat(-128, 127)
    network = IntegerNetwork((node, logit), ("yes",), shape, None, form)
    fingerprints = np.reshape(numbers, (1, *shape)).astype(np.int8)
    values: list[int] = run_compared(network, fingerprints)[node.name].ravel().tolist()
    return values


QUARTERS = [-6, -5, -3, -2, -1, 1, 2, 3, 5, 6]
INT32 = {"low": INT32_MIN, "high": INT32_MAX}


@pytest.mark.parametrize(
    ("rounding", "exponent", "settings", "numbers", "expected"),
    [
        ("once", 0, {}, [-3, -1, 1, 3], [-1, 0, 1, 2]),
        ("twice", 0, {}, [-3, -1, 1, 3], [-1, 0, 1, 2]),
        ("once", -1, {}, QUARTERS, [-1, -1, -1, 0, 0, 0, 1, 1, 1, 2]),
        ("twice", -1, {}, QUARTERS, [-2, -1, -1, -1, 0, 1, 1, 1, 2, 2]),
        ("away", -1, {}, QUARTERS, [-2, -1, -1, -1, 0, 0, 1, 1, 1, 2]),
        ("once", 3, {}, [-33, -32, 31, 32], [-128, -128, 124, 127]),
        ("twice", 3, {}, [-33, -32, 31, 32], [-128, -128, 124, 127]),
        ("once", 3, {"zero_point": 100}, [-57, 6, 7], [-228, 24, 27]),
        ("twice", 3, {"zero_point": -128, "low": -128}, [-9, 63, 64], [0, 252, 255]),
        ("once", -20, {"left_shift": 20}, [-3, -1, 1, 3], [-1, 0, 1, 2]),
        ("twice", -20, {"left_shift": 20}, [-3, -1, 1, 3], [-2, -1, 1, 2]),
        ("once", 23, {**INT32}, [-127, 127], [-127 * 2**22, 127 * 2**22]),
        ("twice", 23, {**INT32}, [-127, 127], [-127 * 2**22, 127 * 2**22]),
        # The sum of value and zero point leaves 32 bits before it is clamped.
        ("once", 23, {**INT32, "zero_point": INT32_MAX}, [-1, 127], [-(2**22), 0]),
        ("twice", -31, {"left_shift": 23}, [-127, 127], [0, 0]),
    ],
)
def test_requantisation_rounds_as_a_table_by_hand_says(
    rounding: str,
    exponent: int,
    settings: dict[str, int],
    numbers: list[int],
    expected: list[int],
    require_tool: Callable[[str], None],
) -> None:
    """The factor is 2^(exponent - 1): with a multiplier of 2^30, ties are common."""
    require_tool("cc")
    factor = np.array([2**30]), np.array([exponent])
    node = Requantise("node", INPUT_NAME, *factor, rounding, **settings)
    assert layer_in_c(node, numbers, (len(numbers),)) == expected


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("left_shift", [0, 20])
def test_requantisation_of_all_8_bit_values_by_many_factors_is_the_reference(
    rounding: str, left_shift: int, require_tool: Callable[[str], None]
) -> None:
    require_tool("cc")
    rng, channels = np.random.default_rng(left_shift), 64
    multipliers = rng.integers(2**30, 2**31, channels)
    multipliers[::2] = 2**30  # many ties
    exponents = rng.integers(-left_shift - 7, 4, channels)
    node = Requantise(
        "node", INPUT_NAME, multipliers, exponents, rounding, **INT32, left_shift=left_shift
    )
    numbers = np.repeat(np.arange(-128, 128), channels).tolist()
    assert len(set(layer_in_c(node, numbers, (256, 1, channels)))) > 500


@pytest.mark.parametrize(
    ("rounding", "multiplier", "exponent", "sums", "expected"),
    [
        ("once", INT32_MAX, 0, [INT32_MAX, -INT32_MAX], [INT32_MAX - 1, -INT32_MAX + 1]),
        ("twice", INT32_MAX, 0, [INT32_MAX, -INT32_MAX], [INT32_MAX - 1, -INT32_MAX + 1]),
        # 2^30 (1 - 2^-31): half a step below 2^30, and rounding up leaves the negative one there.
        ("once", INT32_MAX, 30, [1, -1], [2**30, 1 - 2**30]),
        ("twice", INT32_MAX, 30, [1, -1], [2**30, 1 - 2**30]),
        # Just below a half of the last place; the first of two roundings makes it a half.
        ("once", INT32_MAX, -31, [2**30, -(2**30)], [0, 0]),
        ("twice", INT32_MAX, -31, [2**30, -(2**30)], [1, 0]),
        ("once", INT32_MAX, -31, [INT32_MAX, -INT32_MAX], [1, -1]),
        ("twice", 0, -31, [INT32_MAX, -INT32_MAX], [0, 0]),
    ],
)
def test_requantisation_of_the_largest_sums_needs_64_bits(
    rounding: str,
    multiplier: int,
    exponent: int,
    sums: list[int],
    expected: list[int],
    require_tool: Callable[[str], None],
) -> None:
    require_tool("cc")
    biases = np.array(sums)
    factor = np.array([multiplier]), np.array([exponent])
    nodes = (
        FullyConnected("sums", INPUT_NAME, np.zeros((2, 1), np.int8), biases),
        Requantise("scaled", "sums", *factor, rounding, **INT32),
    )
    network = IntegerNetwork(nodes, ("yes", "no"), (1,), None)
    found = run_compared(network, random_inputs(0, 1, network))
    assert found["scaled"].tolist() == [expected]


def test_each_channel_is_scaled_by_its_own_factor(require_tool: Callable[[str], None]) -> None:
    require_tool("cc")
    factors = np.array([2**30, 2**30, 3 * 2**29]), np.array([0, 2, 1])  # 0.5, 2, 1.5
    node = Requantise("node", INPUT_NAME, *factors, "twice")
    assert layer_in_c(node, [10, 10, 10, -4, -4, -4], (1, 2, 3)) == [5, 20, 15, -2, -8, -6]


def test_negative_sums_end_as_0_behind_a_shift(require_tool: Callable[[str], None]) -> None:
    require_tool("cc")
    numbers = [-128, -9, -8, -1, 0, 7, 8, 127]
    assert layer_in_c(ShiftRelu("node", INPUT_NAME, 3), numbers, (8,)) == [0] * 6 + [1, 15]


@pytest.mark.parametrize(
    ("zero_point", "expected"),
    [(0, [2, 2, 1, -2, -2]), (3, [2, 2, 1, -1, -2]), (-3, [1, 2, 0, -2, -2])],
)
def test_a_mean_rounds_ties_away_from_the_zero_point(
    zero_point: int, expected: list[int], require_tool: Callable[[str], None]
) -> None:
    """Means of two but for the last, of which only one element lies inside."""
    require_tool("cc")
    node = AveragePool("node", INPUT_NAME, (1, 2), padding="SAME", zero_point=zero_point)
    # 1.5, 2, 0.5, -1.5 and -2; q is that plus the zero point
    assert layer_in_c(node, [1, 2, 2, -1, -2], (1, 5, 1)) == expected


def test_what_lies_outside_counts_for_no_maximum(require_tool: Callable[[str], None]) -> None:
    require_tool("cc")
    node = MaxPool("node", INPUT_NAME, (3, 3), padding="SAME")
    assert layer_in_c(node, [-7, -5, -9, -8], (2, 2, 1)) == [-5] * 4


@pytest.mark.parametrize("axis", [0, 1])
def test_dilated_windows_leave_elements_out(axis: int, require_tool: Callable[[str], None]) -> None:
    require_tool("cc")
    kernel, dilation, shape = ((1, 2), (1, 3), (1, 5, 1)) if axis else ((2, 1), (3, 1), (5, 1, 1))
    weights = np.array([1, 10], np.int8).reshape(1, *kernel, 1)
    node = Convolution("node", INPUT_NAME, weights, dilation=dilation)
    assert layer_in_c(node, [1, 2, 3, 4, 5], shape) == [41, 52]


@pytest.mark.parametrize(("stride", "expected"), [((1, 2), [1, 3, 4, 6]), ((2, 1), [1, 2, 3])])
def test_strides_are_those_of_their_axis(
    stride: tuple[int, int], expected: list[int], require_tool: Callable[[str], None]
) -> None:
    require_tool("cc")
    node = Convolution("node", INPUT_NAME, np.ones((1, 1, 1, 1), np.int8), stride)
    assert layer_in_c(node, [1, 2, 3, 4, 5, 6], (2, 3, 1)) == expected


def test_all_terms_are_added_up(require_tool: Callable[[str], None]) -> None:
    require_tool("cc")
    assert layer_in_c(Add("node", (INPUT_NAME,) * 3), [1, -5], (2,)) == [3, -15]


def test_neighbouring_outputs_of_a_depthwise_convolution_read_one_channel(
    require_tool: Callable[[str], None],
) -> None:
    require_tool("cc")
    weights = np.array([1, 2, 3, 4], np.int8).reshape(4, 1, 1, 1)
    node = DepthwiseConvolution("node", INPUT_NAME, weights)
    assert layer_in_c(node, [5, -7], (1, 1, 2)) == [5, 10, -21, -28]


def test_zeros_are_padded_on_every_axis(require_tool: Callable[[str], None]) -> None:
    require_tool("cc")
    node = Pad("node", INPUT_NAME, ((1, 0), (0, 1), (1, 1)))
    expected = [0] * 12 + [0, 1, 2, 0, 0, 3, 4, 0, 0, 0, 0, 0]
    assert layer_in_c(node, [1, 2, 3, 4], (1, 2, 2)) == expected


def test_inputs_are_centred_first(require_tool: Callable[[str], None]) -> None:
    require_tool("cc")
    logits = FullyConnected("logits", INPUT_NAME, np.eye(2, dtype=np.int8))
    form = InputFormat(-128, 127, 127)
    network = IntegerNetwork((logits,), ("yes", "no"), (2,), None, form)
    found = run_compared(network, np.array([[-128, 127]], np.int8))
    assert found[INPUT_NAME].tolist() == found["logits"].tolist() == [[-255, 0]]


@pytest.mark.parametrize("bias", [INT32_MIN, INT32_MAX])
def test_sums_beyond_32_bits_are_the_reference(
    bias: int, require_tool: Callable[[str], None]
) -> None:
    require_tool("cc")
    network = random_network(3, biases=(bias, bias), weights=(31, 31))
    if bias < 0:
        network = random_network(3, biases=(bias, bias), weights=(-32, 31))
    clips = random_fingerprints(3, 50, extremes=True)
    logits = reference.run(network, clips).logits
    assert logits.max() >= 2**31 if bias > 0 else logits.min() < -(2**31)
    assert value_bits(network) == 64
    assert "typedef int64_t kws_value_t;" in network_header(network)
    assert "typedef int64_t kws_logit_t;" in network_header(network)
    run_compared(network, clips)


def test_a_mean_whose_half_leaves_32_bits_is_the_reference(
    require_tool: Callable[[str], None],
) -> None:
    """Nine values whose sum is 2^31 - 2: with the half that rounds, 4, it does not fit."""
    require_tool("cc")
    pixels = np.zeros((1, 1, 1, 1), np.int8)
    nodes = (
        Convolution("same", INPUT_NAME, pixels, biases=np.array([(2**31 - 2) // 9])),
        AveragePool("mean", "same", (3, 3)),
        FullyConnected("logit", "mean", np.zeros((1, 1), np.int8)),
    )
    network = IntegerNetwork(nodes, ("yes",), (3, 3), None)
    assert value_bits(network) == 64
    run_compared(network, random_inputs(0, 1, network))


def test_the_first_of_equal_logits_is_the_label(require_tool: Callable[[str], None]) -> None:
    require_tool("cc")
    network = random_network(1, weights=(0, 0), biases=(5, 5))
    assert run_c(network, random_fingerprints(1, 2))["label"].tolist() == [0, 0]
    network = tying_network()
    ties = find_ties(network)
    assert len(ties.fingerprints)
    run_compared(network, ties.fingerprints)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("return label;", "return labels;", r"^cc: failed: network\.c:\d+:\d+: error: .labels."),
        ("int label = 0;", "int label = INT32_MAX; ++label;",
         r"^\./network: failed: network\.c:\d+:\d+: runtime error: signed integer overflow"),
    ],
)  # fmt: skip
def test_a_program_that_does_not_compile_or_overflows_is_refused(
    old: str,
    new: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    require_tool: Callable[[str], None],
) -> None:
    require_tool("cc")
    program = "scripts.simulation.c_inference.network_source"
    monkeypatch.setattr(program, lambda network: network_source(network).replace(old, new))
    with pytest.raises(ValueError, match=message):
        run_c(tying_network(), random_fingerprints(1, 1, (10, 6)))
