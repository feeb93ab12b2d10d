"""Verilog parameters against the bit-width report and against hand tables."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.hardware.accelerator import (
    BALANCED,
    FAST,
    ROW,
    SMALL,
    TAP,
    WINDOW,
    Accelerator,
    Configuration,
)
from dataflow.hardware.loop_orders import LayerSize
from dataflow.hardware.rtl_parameters import (
    accelerator_parameters,
    module_parameters,
    pointwise_layer,
    pointwise_parameters,
)
from dataflow.ranges.intervals import interval_bounds
from dataflow.widths.signal_widths import layer_widths, widths_of_layer
from golden.network import IntegerNetwork
from tests.networks import random_network


def without(network: IntegerNetwork, name: str) -> IntegerNetwork:
    """Return the network with one node taken out and its followers joined to its input."""
    gone = network.node(name)
    nodes = tuple(
        dataclasses.replace(node, input=gone.input) if node.input == name else node
        for node in network.nodes
        if node.name != name
    )
    return dataclasses.replace(network, nodes=nodes)


def test_widths_are_those_of_the_report() -> None:
    network = random_network(1)
    widths = widths_of_layer(layer_widths(network, interval_bounds(network)), "pw_conv")
    outputs = {signal.name: signal for signal in widths.outputs}
    assert pointwise_parameters(network, "w.mem") == {
        "IN_CHANNELS": 48,
        "OUT_CHANNELS": 16,
        "IN_BITS": widths.input.unsigned_bits,
        "WEIGHT_BITS": 6,
        "PRODUCT_BITS": widths.product.signed_bits,
        "ACC_BITS": widths.partial_sum.signed_bits,
        "OUT_BITS": outputs["pw_conv_relu"].unsigned_bits,
        "SHIFT": 8,
        "RELU": 1,
        "BIASES": 0,
        "INPUT_REGISTERS": 2,
        "CHANNEL_BITS": 6,
        "OUTPUT_BITS": 4,
        "ADDRESS_BITS": 10,
        "WEIGHT_FILE": "w.mem",
        "BIAS_FILE": "",
    }


@pytest.mark.parametrize(
    ("filters", "outputs", "bits"),
    [(1, 1, (1, 1, 1)), (2, 2, (1, 1, 2)), (64, 16, (6, 4, 10)), (65, 17, (7, 5, 11))],
)
def test_counters_hold_the_last_index(filters: int, outputs: int, bits: tuple[int, ...]) -> None:
    parameters = pointwise_parameters(random_network(1, filters, outputs), "")
    assert tuple(parameters[f"{name}_BITS"] for name in ("CHANNEL", "OUTPUT", "ADDRESS")) == bits


def test_tiny_numbers_still_give_parameters_that_the_module_accepts() -> None:
    network = random_network(1, filters=2, outputs=2, weights=(0, 0), shifts=(0, 0, 9))
    parameters = pointwise_parameters(network, "")
    widths = {
        name: parameters[f"{name}_BITS"] for name in ("IN", "WEIGHT", "PRODUCT", "ACC", "OUT")
    }
    # An input that is always 0 takes a bit; 2 bits of weight; the shift alone asks for 10 of sum.
    assert widths == {"IN": 1, "WEIGHT": 2, "PRODUCT": 2, "ACC": 10, "OUT": 1}


def test_layer_of_the_default_network() -> None:
    layer = pointwise_layer(random_network(1))
    assert (layer.convolution.name, layer.shift_relu.name) == ("pw_conv", "pw_conv_relu")
    assert layer.size == LayerSize(48, 16)
    assert layer.size.multiplications == 768


def test_network_without_a_pointwise_layer_is_refused() -> None:
    network = random_network(1, filters=3, outputs=3, shifts=(3, 4, 0))
    plain = without(without(network, "pw_conv_relu"), "pw_conv")
    with pytest.raises(
        ValueError, match=r"expected one 1x1 convolution of a single pixel, got \[\]"
    ):
        pointwise_layer(plain)


def test_layer_without_shift_and_relu_is_refused() -> None:
    network = without(random_network(1), "pw_conv_relu")
    with pytest.raises(
        ValueError, match="pw_conv: expected a shift and ReLU after it, got a fully connected"
    ):
        pointwise_layer(network)


def test_layer_whose_input_may_be_negative_is_refused() -> None:
    network = without(random_network(1, shifts=(3, 4, 8)), "dw_conv_relu")
    with pytest.raises(
        ValueError, match="max_pool: expected no negative values before pw_conv, got a lower bound"
    ):
        pointwise_parameters(network, "")


# ---- All blocks of the accelerator -------------------------------------------------------------


def tiny_network() -> IntegerNetwork:
    """Return a network whose widths are counted by hand below: one filter, two outputs, labels."""
    network = random_network(
        1,
        filters=1,
        outputs=2,
        labels=2,
        kernel=(1, 2),
        stride=(1, 1),
        depthwise_kernel=(1, 1),
        shifts=(1, 2, 0),
        input_shape=(2, 3),
    )
    arrays: dict[str, dict[str, list[int]]] = {
        "conv_1": {"weights": [3, -1]},
        "dw_conv": {"weights": [2]},
        "pw_conv": {"weights": [-3, 5]},
        "fc1": {"weights": [1, -1, 0, 2], "biases": [100, -7]},
    }
    nodes = tuple(
        dataclasses.replace(
            node,
            **{
                name: np.array(values).reshape(getattr(node, name).shape)
                for name, values in arrays.get(node.name, {}).items()
            },
        )
        for node in network.nodes
    )
    return dataclasses.replace(network, nodes=nodes)


def datapath_widths(accelerator: Accelerator) -> dict[str, dict[str, int | str]]:
    """Return the widths of operands, products, sums and outputs by block."""
    return {
        block: {
            name.removesuffix("_BITS"): values[name]
            for name in values
            if name.split("_")[0] in ("IN", "WEIGHT", "PRODUCT", "ACC", "OUT", "LOGIT")
            and name.endswith("_BITS")
        }
        for block, values in module_parameters(accelerator).items()
    }


def test_widths_of_a_tiny_network_counted_by_hand() -> None:
    widths = datapath_widths(Accelerator(tiny_network(), FAST))
    # Inputs -32..31, weights 3 and -1: products -96..93, sums -127..125, after the shift 0..62.
    assert widths["conv_1"] == {"IN": 6, "WEIGHT": 3, "PRODUCT": 8, "ACC": 8, "OUT": 6}
    # 0..62 times 2: 0..124; after the shift 0..31.
    assert widths["dw_conv_max_pool"] == {"IN": 6, "WEIGHT": 3, "PRODUCT": 8, "ACC": 8, "OUT": 5}
    # 0..31 times -3 and 5: -93..155; no shift, so 0..155.
    assert widths["pointwise_conv"] == {"IN": 5, "WEIGHT": 4, "PRODUCT": 9, "ACC": 9, "OUT": 8}
    # Inputs 0..0 and 0..155: products -155..310, sums 100 - 155 to -7 + 310.
    assert widths["fc1"] == {"IN": 8, "WEIGHT": 3, "PRODUCT": 10, "ACC": 10, "OUT": 10}
    assert widths["argmax"] == {"LOGIT": 10, "OUT": 10}


def test_widths_follow_the_ranges_that_are_given() -> None:
    network = tiny_network()
    ranges = interval_bounds(network, (0, 7))
    widths = datapath_widths(Accelerator(network, FAST, ranges, "inputs of 0 to 7"))
    # Inputs 0..7, weights 3 and -1: products -7..21, sums -7..21, after the shift 0..10.
    assert widths["conv_1"] == {"IN": 4, "WEIGHT": 3, "PRODUCT": 6, "ACC": 6, "OUT": 4}
    # 0..10 times 2: 0..20; after the shift 0..5.
    assert widths["dw_conv_max_pool"] == {"IN": 4, "WEIGHT": 3, "PRODUCT": 6, "ACC": 6, "OUT": 3}
    # 0..5 times -3 and 5: -15..25.
    assert widths["pointwise_conv"] == {"IN": 3, "WEIGHT": 4, "PRODUCT": 6, "ACC": 6, "OUT": 5}
    # Inputs 0..0 and 0..25: products -25..50, sums 100 - 25 to -7 + 50.
    assert widths["fc1"] == {"IN": 5, "WEIGHT": 3, "PRODUCT": 7, "ACC": 8, "OUT": 8}
    assert widths["argmax"] == {"LOGIT": 8, "OUT": 8}
    assert pointwise_parameters(network, "", ranges)["ACC_BITS"] == 6


def test_sum_is_as_wide_as_a_bias_that_no_sum_is_as_large_as() -> None:
    network = tiny_network()
    pointwise, fully_connected = network.nodes[5], network.nodes[7]
    changes = {
        "pw_conv": dataclasses.replace(pointwise, weights=np.full((2, 1, 1, 1), 5)),
        "fc1": dataclasses.replace(
            fully_connected, weights=np.full((2, 2), -1), biases=np.array([128, 0])
        ),
    }
    nodes = tuple(changes.get(node.name, node) for node in network.nodes)
    network = dataclasses.replace(network, nodes=nodes)
    # Of inputs of 7 alone: 14 >> 1 = 7, 14 >> 2 = 3, 15 twice, 128 - 15 = 113 at most.
    widths = datapath_widths(Accelerator(network, FAST, interval_bounds(network, (7, 7))))
    assert widths["fc1"]["ACC"] == 9


FRAME = {"ROWS": 30, "COLUMNS": 10, "CHANNELS": 48, "MAP_ROWS": 14, "MAP_COLUMNS": 4, "FLUSH": 5}
FRAME_BITS = {
    "ROW_BITS": 5,
    "COLUMN_BITS": 4,
    "CHANNEL_BITS": 6,
    "FLUSH_BITS": 3,
    "ROW_PHASE_BITS": 1,
    "COLUMN_PHASE_BITS": 1,
}


@pytest.mark.parametrize(
    ("configuration", "phases", "plane", "strides", "steps", "bits", "lanes"),
    [
        (FAST, (2, 2), (15, 5), (1, 1), (1, 1), (1, 7), (4, 4)),
        (BALANCED, (1, 2), (30, 5), (2, 1), (4, 1), (2, 8), (1, 4)),
        (SMALL, (1, 1), (30, 10), (2, 2), (4, 4), (2, 9), (1, 1)),
    ],
)
def test_walk_over_the_default_frame(
    configuration: Configuration,
    phases: tuple[int, int],
    plane: tuple[int, int],
    strides: tuple[int, int],
    steps: tuple[int, int],
    bits: tuple[int, int],
    lanes: tuple[int, int],
) -> None:
    parameters = module_parameters(Accelerator(random_network(1), configuration))
    in_common = {
        "ROW_PHASES": phases[0],
        "COLUMN_PHASES": phases[1],
        "PLANE_COLUMNS": plane[1],
        "ADDRESS_BITS": bits[1],
    }
    assert parameters["frame_control"] == {
        **FRAME,
        **FRAME_BITS,
        **in_common,
        "ROW_STRIDE": strides[0],
        "COLUMN_STRIDE": strides[1],
        "STEP_ROWS": steps[0],
        "STEP_COLUMNS": steps[1],
        "STEP_BITS": bits[0],
    }
    assert parameters["window_memory"] == {
        **in_common,
        "DATA_BITS": 6,
        "LANE_ROWS": lanes[0],
        "LANE_COLUMNS": lanes[1],
        "PLANE_WORDS": plane[0] * plane[1],
        "ROW_PHASE_BITS": 1,
        "COLUMN_PHASE_BITS": 1,
    }


@st.composite
def accelerators(draw: st.DrawFn) -> Accelerator:
    """Small accelerators of every shape that fits, weights of all sizes."""
    frame = draw(st.tuples(st.integers(3, 9), st.integers(2, 9)))
    kernel = tuple(draw(st.integers(1, size)) for size in frame)
    extreme = draw(st.sampled_from([(-32, 31), (0, 0), (1, 1), (-32, -32), (31, 31)]))
    network = random_network(
        draw(st.integers(0, 1000)),
        *(draw(st.integers(1, 5)) for _ in range(3)),
        kernel=kernel,
        stride=draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        depthwise_kernel=draw(st.tuples(st.integers(1, 4), st.integers(1, 4))),
        shifts=draw(st.tuples(*[st.integers(0, 12)] * 3)),
        weights=extreme,
        input_shape=frame,
    )
    parallelism = st.sampled_from((TAP, ROW, WINDOW))
    return Accelerator(network, Configuration("drawn", draw(parallelism), draw(parallelism)))


@given(accelerators())
@settings(max_examples=50)
def test_neighbours_agree_about_the_signals_between_them(accelerator: Accelerator) -> None:
    blocks = module_parameters(accelerator)
    control, frames, conv_1 = blocks["frame_control"], blocks["window_memory"], blocks["conv_1"]
    dw_conv, pw_conv, fc1 = (blocks[name] for name in ("dw_conv_max_pool", "pointwise_conv", "fc1"))
    for name in ("ADDRESS_BITS", "ROW_PHASE_BITS", "COLUMN_PHASE_BITS", "ROW_PHASES"):
        assert control[name] == frames[name], name
    assert frames["LANE_ROWS"] * frames["LANE_COLUMNS"] == conv_1["LANES"]
    assert control["STEP_ROWS"] * control["STEP_COLUMNS"] == conv_1["STEPS"]
    assert control["MAP_ROWS"] * control["MAP_COLUMNS"] == conv_1["POSITIONS"]
    assert control["CHANNELS"] == conv_1["CHANNELS"] == dw_conv["CHANNELS"]
    assert dw_conv["CHANNELS"] == pw_conv["IN_CHANNELS"]
    assert pw_conv["OUT_CHANNELS"] == fc1["IN_CHANNELS"]
    for source, sink in ((conv_1, dw_conv), (dw_conv, pw_conv), (pw_conv, fc1)):
        assert source["OUT_BITS"] == sink["IN_BITS"]
    assert frames["DATA_BITS"] == conv_1["IN_BITS"]
    assert fc1["OUT_BITS"] == blocks["argmax"]["LOGIT_BITS"]
    assert fc1["OUTPUT_BITS"] == blocks["argmax"]["LABEL_BITS"]


def test_top_takes_the_parameters_of_every_block_under_its_name() -> None:
    accelerator = Accelerator(tiny_network(), SMALL)
    blocks, top = module_parameters(accelerator), accelerator_parameters(accelerator)
    assert len(top) == sum(len(parameters) for parameters in blocks.values())
    assert top["CONV_1_OUT_BITS"] == blocks["conv_1"]["OUT_BITS"]
    assert top["DW_CONV_MAX_POOL_WEIGHT_FILE"] == "dw_conv.mem"
