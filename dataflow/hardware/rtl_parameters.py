"""Verilog parameters of the RTL blocks, derived from a network and from its bit widths.

Widths follow from ranges that the caller chooses, such as proven ones
(`dataflow.proof.proven_ranges.ProvenRanges.bounds`), and from the interval bounds if it chooses
none. No number is typed a second time: simulation, synthesis and tests all take these dictionaries,
by the parameters' Verilog names. `accelerator_header` writes them for the top, and `memories` says
which `.mem` files the blocks read.
"""

from __future__ import annotations

from dataclasses import dataclass

from dataflow.hardware.accelerator import Accelerator, Kernel, check_weights
from dataflow.hardware.loop_orders import LayerSize
from dataflow.hardware.pointwise_schedule import FULLY_CONNECTED_REGISTERS, INPUT_REGISTERS
from dataflow.ranges.intervals import Ranges, interval_bounds
from dataflow.widths.signal_widths import LayerWidths, SignalWidth, layer_widths, widths_of_layer
from golden.integer_math import unsigned_bits
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import Convolution, ShiftRelu

Parameters = dict[str, int | str]

# Axis orders of the weight memories: input by input, and channel by channel, tap by tap.
POINTWISE_WEIGHT_ORDER = ("kernel_time", "kernel_coefficient", "in", "out")
FULLY_CONNECTED_WEIGHT_ORDER = ("in", "out")
KERNEL_WEIGHT_ORDER = ("out", "kernel_time", "kernel_coefficient", "in")

# The block that computes each weighted layer, by the layers' usual names.
BLOCKS = {
    "conv_1": "conv_1",
    "dw_conv": "dw_conv_max_pool",
    "pw_conv": "pointwise_conv",
    "fc1": "fc1",
}

HEADER_FILE = "kws_accelerator.vh"


@dataclass(frozen=True, eq=False)
class PointwiseLayer:
    """The part of a network that `rtl_ref/pointwise_conv.v` computes for one pixel."""

    convolution: Convolution
    shift_relu: ShiftRelu

    @property
    def size(self) -> LayerSize:
        """Number of input and output channels."""
        outputs, _, _, inputs = self.convolution.weights.shape
        return LayerSize(inputs, outputs)


def pointwise_layer(network: IntegerNetwork) -> PointwiseLayer:
    """Return the one 1x1 convolution of a single pixel behind another layer, and its ShiftRelu.

    Raises ValueError if there is none, more than one, one that no ShiftRelu follows, or one with
    biases or wide weights.
    """
    found = [
        node
        for node in network.nodes
        if isinstance(node, Convolution)
        and node.input != INPUT_NAME
        and node.weights.shape[1:3] == (1, 1)
        and network.shapes[node.input][:2] == (1, 1)
    ]
    if len(found) != 1:
        names = [node.name for node in found]
        raise ValueError(f"network: expected one 1x1 convolution of a single pixel, got {names}")
    check_weights(found[0])
    if found[0].biases is not None:
        raise ValueError(f"{found[0].name}.biases: expected none, got {len(found[0].biases)}")
    follower = network.consumer(found[0].name)
    if not isinstance(follower, ShiftRelu):
        kind = "nothing" if follower is None else f"a {follower.kind}"
        raise ValueError(f"{found[0].name}: expected a shift and ReLU after it, got {kind}")
    return PointwiseLayer(found[0], follower)


def pointwise_parameters(
    network: IntegerNetwork, weight_file: str, ranges: Ranges | None = None
) -> Parameters:
    """Return every parameter of `rtl_ref/pointwise_conv.v` for `network`, by its Verilog name.

    Widths follow from `ranges`, by default the interval bounds. `weight_file` is the path of the
    `.mem` file that the simulator opens.

    Raises ValueError if the network has no such layer or if its input may be negative.
    """
    layer = pointwise_layer(network)
    widths = widths_of_layer(_network_widths(network, ranges), layer.convolution.name)
    return {
        "IN_CHANNELS": layer.size.inputs,
        "OUT_CHANNELS": layer.size.outputs,
        **_datapath_widths(widths, layer),
        "SHIFT": layer.shift_relu.shift,
        "RELU": 1,
        "BIASES": 0,
        "INPUT_REGISTERS": INPUT_REGISTERS,
        **_pointwise_counters(layer.size),
        "WEIGHT_FILE": weight_file,
        "BIAS_FILE": "",
    }


@dataclass(frozen=True)
class MemoryFile:
    """A `.mem` file: the array it holds, the order of its axes, bits a value, values a word."""

    file_name: str
    array: str
    order: tuple[str, ...]
    bits: int
    lanes: int


def module_parameters(accelerator: Accelerator) -> dict[str, Parameters]:
    """Return every parameter of every block under `rtl_ref/kws_accelerator.v`, by block.

    Widths follow from the ranges of the accelerator. Weight files are names without folder: tools
    run in the folder that holds them.
    """
    network, ranges = accelerator.network, accelerator.ranges
    widths = _network_widths(network, ranges)
    conv_1, dw_conv, _, fc1 = widths
    fully_connected = _fully_connected(accelerator, fc1)
    return {
        "frame_control": _frame_control(accelerator),
        "window_memory": _window_memory(accelerator, conv_1),
        "conv_1": _conv_1(accelerator, conv_1),
        "dw_conv_max_pool": _depthwise(accelerator, dw_conv),
        "pointwise_conv": pointwise_parameters(network, "pw_conv.mem", ranges),
        "fc1": fully_connected,
        "argmax": _argmax(accelerator, int(fully_connected["OUT_BITS"])),
    }


def accelerator_parameters(accelerator: Accelerator) -> Parameters:
    """Return the parameters of the top: those of every block, the block's name in front."""
    return {
        f"{block.upper()}_{name}": value
        for block, parameters in module_parameters(accelerator).items()
        for name, value in parameters.items()
    }


def stream_bits(bits: int) -> int:
    """Return the width of `tdata` for numbers of `bits`: AXI4-Stream carries whole bytes.

    >>> [stream_bits(bits) for bits in (1, 8, 9)]
    [8, 8, 16]
    """
    return 8 * -(-bits // 8)


def accelerator_header(accelerator: Accelerator) -> str:
    """Return the text of `kws_accelerator.vh`, the parameter list that the top includes."""
    configuration = accelerator.configuration
    parameters = accelerator_parameters(accelerator)
    lines = [
        f"parameter {name} = " + (f'"{value}"' if isinstance(value, str) else str(value))
        for name, value in parameters.items()
    ]
    lines.insert(0, f"parameter NETWORK = 256'h{accelerator.network.digest}")
    return (
        f"// network: {accelerator.network.digest}\n"
        f"// widths: {accelerator.ranges_origin}\n"
        f"// configuration: {configuration.name}, "
        f"conv_1={configuration.conv_1}, dw_conv={configuration.dw_conv}, "
        f"pw_conv={configuration.pw_conv}, fc1={configuration.fc1}\n" + ",\n".join(lines) + "\n"
    )


def memories(accelerator: Accelerator) -> tuple[MemoryFile, ...]:
    """Return the `.mem` files that the blocks read."""
    blocks = module_parameters(accelerator)

    def weights(block: str, layer: str, order: tuple[str, ...]) -> MemoryFile:
        parameters = blocks[block]
        bits, lanes = int(parameters["WEIGHT_BITS"]), int(parameters.get("LANES", 1))
        return MemoryFile(str(parameters["WEIGHT_FILE"]), f"{layer}.weights", order, bits, lanes)

    fc1 = accelerator.fc1.name
    fc1_bits = int(blocks["fc1"]["ACC_BITS"])
    return (
        weights("conv_1", accelerator.conv_1.name, KERNEL_WEIGHT_ORDER),
        weights("dw_conv_max_pool", accelerator.dw_conv.name, KERNEL_WEIGHT_ORDER),
        weights("pointwise_conv", accelerator.pw_conv.name, POINTWISE_WEIGHT_ORDER),
        weights("fc1", fc1, FULLY_CONNECTED_WEIGHT_ORDER),
        MemoryFile(str(blocks["fc1"]["BIAS_FILE"]), f"{fc1}.biases", ("out",), fc1_bits, 1),
    )


def _network_widths(network: IntegerNetwork, ranges: Ranges | None) -> tuple[LayerWidths, ...]:
    return layer_widths(network, interval_bounds(network) if ranges is None else ranges)


def _frame_control(accelerator: Accelerator) -> Parameters:
    rows, columns = accelerator.frame
    map_rows, map_columns = accelerator.map
    kernel, phases = accelerator.conv_1_kernel, _phases(accelerator)
    stride = accelerator.conv_1.stride
    step_rows, step_columns = kernel.rows // kernel.lane_rows, kernel.columns // kernel.lane_columns
    return {
        "ROWS": rows,
        "COLUMNS": columns,
        "ROW_PHASES": phases[0],
        "COLUMN_PHASES": phases[1],
        "PLANE_COLUMNS": -(-columns // phases[1]),
        "CHANNELS": accelerator.channels,
        "MAP_ROWS": map_rows,
        "MAP_COLUMNS": map_columns,
        "ROW_STRIDE": stride[0] // phases[0],
        "COLUMN_STRIDE": stride[1] // phases[1],
        "STEP_ROWS": step_rows,
        "STEP_COLUMNS": step_columns,
        "FLUSH": accelerator.lag,
        "ROW_BITS": unsigned_bits(rows - 1),
        "COLUMN_BITS": unsigned_bits(columns - 1),
        "CHANNEL_BITS": unsigned_bits(accelerator.channels - 1),
        "STEP_BITS": unsigned_bits(max(step_rows, step_columns) - 1),
        "FLUSH_BITS": unsigned_bits(accelerator.lag),
        "ROW_PHASE_BITS": unsigned_bits(phases[0] - 1),
        "COLUMN_PHASE_BITS": unsigned_bits(phases[1] - 1),
        "ADDRESS_BITS": unsigned_bits(_plane_words(accelerator) - 1),
    }


def _window_memory(accelerator: Accelerator, widths: LayerWidths) -> Parameters:
    kernel, phases = accelerator.conv_1_kernel, _phases(accelerator)
    return {
        "DATA_BITS": max(widths.input.signed_bits, 2),
        "LANE_ROWS": kernel.lane_rows,
        "LANE_COLUMNS": kernel.lane_columns,
        "ROW_PHASES": phases[0],
        "COLUMN_PHASES": phases[1],
        "PLANE_COLUMNS": -(-accelerator.frame[1] // phases[1]),
        "PLANE_WORDS": _plane_words(accelerator),
        "ROW_PHASE_BITS": unsigned_bits(phases[0] - 1),
        "COLUMN_PHASE_BITS": unsigned_bits(phases[1] - 1),
        "ADDRESS_BITS": unsigned_bits(_plane_words(accelerator) - 1),
    }


def _conv_1(accelerator: Accelerator, widths: LayerWidths) -> Parameters:
    kernel, shift = accelerator.conv_1_kernel, accelerator.shifts[0]
    in_bits, weight_bits = max(widths.input.signed_bits, 2), max(widths.weight.signed_bits, 2)
    product_bits = max(widths.product.signed_bits, in_bits, weight_bits)
    out_bits = _unsigned(widths.output)
    return {
        **_walk(kernel, accelerator.channels),
        "POSITIONS": accelerator.positions,
        "CHANNELS": accelerator.channels,
        "IN_BITS": in_bits,
        "WEIGHT_BITS": weight_bits,
        "PRODUCT_BITS": product_bits,
        "ACC_BITS": max(widths.partial_sum.signed_bits, product_bits, shift + out_bits),
        "OUT_BITS": out_bits,
        "SHIFT": shift,
        "POSITION_BITS": unsigned_bits(accelerator.positions - 1),
        "WEIGHT_FILE": "conv_1.mem",
    }


def _depthwise(accelerator: Accelerator, widths: LayerWidths) -> Parameters:
    kernel, shift = accelerator.dw_conv_kernel, accelerator.shifts[1]
    map_rows, map_columns = accelerator.map
    multiplier = _unsigned_multiplier(widths)
    out_bits = _unsigned(widths.output)
    return {
        **_walk(kernel, accelerator.channels),
        "KERNEL_ROWS": kernel.rows,
        "KERNEL_COLUMNS": kernel.columns,
        "PAD_ROWS": accelerator.padding[0],
        "PAD_COLUMNS": accelerator.padding[1],
        "MAP_ROWS": map_rows,
        "MAP_COLUMNS": map_columns,
        "CHANNELS": accelerator.channels,
        **multiplier,
        "ACC_BITS": max(
            widths.partial_sum.signed_bits, multiplier["PRODUCT_BITS"], shift + out_bits + 1
        ),
        "OUT_BITS": out_bits,
        "SHIFT": shift,
        "ROW_BITS": unsigned_bits(map_rows - 1),
        "COLUMN_BITS": unsigned_bits(map_columns - 1),
        "WEIGHT_FILE": "dw_conv.mem",
    }


def _fully_connected(accelerator: Accelerator, widths: LayerWidths) -> Parameters:
    size = LayerSize(accelerator.features, accelerator.labels)
    multiplier = _unsigned_multiplier(widths)
    assert widths.bias is not None
    # No partial sum is a bias alone: where inputs are never 0 it may need more bits than any.
    acc_bits = max(
        widths.partial_sum.signed_bits, widths.bias.signed_bits, multiplier["PRODUCT_BITS"]
    )
    return {
        "IN_CHANNELS": size.inputs,
        "OUT_CHANNELS": size.outputs,
        **multiplier,
        "ACC_BITS": acc_bits,
        "OUT_BITS": acc_bits,
        "SHIFT": 0,
        "RELU": 0,
        "BIASES": 1,
        "INPUT_REGISTERS": FULLY_CONNECTED_REGISTERS,
        **_pointwise_counters(size),
        "WEIGHT_FILE": "fc1.mem",
        "BIAS_FILE": "fc1_bias.mem",
    }


def _pointwise_counters(size: LayerSize) -> dict[str, int]:
    """Return the widths of the counters of `pointwise_conv.v`."""
    return {
        "CHANNEL_BITS": unsigned_bits(size.inputs - 1),
        "OUTPUT_BITS": unsigned_bits(size.outputs - 1),
        "ADDRESS_BITS": unsigned_bits(size.multiplications - 1),
    }


def _argmax(accelerator: Accelerator, logit_bits: int) -> Parameters:
    label_bits = unsigned_bits(accelerator.labels - 1)
    return {
        "LOGIT_BITS": logit_bits,
        "LABEL_BITS": label_bits,
        "OUT_BITS": max(logit_bits, label_bits + 1),
    }


def _walk(kernel: Kernel, channels: int) -> dict[str, int]:
    """Return the parameters of `kernel_weights.v` that count lanes, steps and words."""
    return {
        "LANES": kernel.lanes,
        "STEPS": kernel.steps,
        "STEP_BITS": unsigned_bits(kernel.steps - 1),
        "ADDRESS_BITS": unsigned_bits(channels * kernel.steps - 1),
    }


def _phases(accelerator: Accelerator) -> tuple[int, int]:
    """Return how many rows and columns apart the numbers are that one lane needs.

    A lane that serves one row (column) of the kernel alone advances by the stride; one that serves
    all of them needs every row (column) of the frame.
    """
    kernel, stride = accelerator.conv_1_kernel, accelerator.conv_1.stride
    return (
        stride[0] if kernel.lane_rows == kernel.rows else 1,
        stride[1] if kernel.lane_columns == kernel.columns else 1,
    )


def _plane_words(accelerator: Accelerator) -> int:
    """Return how many numbers of a frame one lane keeps."""
    (rows, columns), phases = accelerator.frame, _phases(accelerator)
    return -(-rows // phases[0]) * -(-columns // phases[1])


def _datapath_widths(widths: LayerWidths, layer: PointwiseLayer) -> dict[str, int]:
    """Return the widths of the report, raised where the module's structure asks for a bit more.

    That happens only in layers whose numbers are tiny, such as one whose weights are all 0.
    """
    multiplier = _unsigned_multiplier(widths)
    outputs = {signal.name: signal for signal in widths.outputs}
    out_bits = _unsigned(outputs[layer.shift_relu.name])
    acc_bits = max(
        widths.partial_sum.signed_bits,
        multiplier["PRODUCT_BITS"],
        layer.shift_relu.shift + out_bits,
    )
    return {**multiplier, "ACC_BITS": acc_bits, "OUT_BITS": out_bits}


def _unsigned_multiplier(widths: LayerWidths) -> dict[str, int]:
    """Return the widths of a multiplier whose input is unsigned.

    Raises ValueError if the input may be negative.
    """
    in_bits = widths.input.unsigned_bits
    if in_bits is None:
        raise ValueError(
            f"{widths.input.name}: expected no negative values before {widths.name}, "
            f"got a lower bound of {widths.input.bound.minimum}"
        )
    weight_bits = max(widths.weight.signed_bits, 2)
    return {
        "IN_BITS": in_bits,
        "WEIGHT_BITS": weight_bits,
        "PRODUCT_BITS": max(widths.product.signed_bits, in_bits + 1, weight_bits),
    }


def _unsigned(signal: SignalWidth) -> int:
    """Return the width of a signal that follows a ReLU."""
    assert signal.unsigned_bits is not None
    return signal.unsigned_bits
