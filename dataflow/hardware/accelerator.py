"""The network as the accelerator of `rtl_ref/` runs it: stages, and how parallel each works.

`Accelerator` is the one place that says whether a network and a configuration fit the hardware;
parameters, memories and cycles are all derived from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TypeVar

from dataflow.proof.range_store import ChosenRanges
from dataflow.ranges.intervals import Ranges
from golden.integer_math import WEIGHT_BITS
from golden.network import INPUT_MAX, INPUT_MIN, INPUT_NAME, IntegerNetwork
from golden.nodes import (
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    GlobalMaxPool,
    Node,
    ShiftRelu,
    WeightedNode,
)
from golden.windows import same_padding

NodeKind = TypeVar("NodeKind", bound=Node)

# What a stage works off in a cycle, with one multiplier for each: a tap of the kernel, a row of it,
# or all of it.
TAP, ROW, WINDOW = "tap", "row", "window"

_ARCHITECTURE: tuple[type[Node], ...] = (
    Convolution,
    ShiftRelu,
    DepthwiseConvolution,
    ShiftRelu,
    GlobalMaxPool,
    Convolution,
    ShiftRelu,
    FullyConnected,
)

_LAYERS = (
    "conv_1",
    "conv_1_relu",
    "dw_conv",
    "dw_conv_relu",
    "max_pool",
    "pw_conv",
    "pw_conv_relu",
    "fc1",
)


@dataclass(frozen=True)
class Configuration:
    """How much of its kernel each stage works off in a cycle: `tap`, `row` or `window`.

    `pw_conv` and `fc1` work off one weight a cycle, always; they have as long as the stages before
    them take for a whole plane. Raises ValueError, naming the stage, for anything else.
    """

    name: str
    conv_1: str
    dw_conv: str
    pw_conv: str = TAP
    fc1: str = TAP

    def __post_init__(self) -> None:
        for stage in STAGES:
            offered = (TAP, ROW, WINDOW) if stage in ("conv_1", "dw_conv") else (TAP,)
            if getattr(self, stage) not in offered:
                raise ValueError(
                    f"{self.name}.{stage}: expected one of {', '.join(offered)}, "
                    f"got {getattr(self, stage)!r}"
                )


STAGES = tuple(field.name for field in fields(Configuration) if field.name != "name")
SMALL = Configuration("small", conv_1=TAP, dw_conv=TAP, pw_conv=TAP, fc1=TAP)
BALANCED = Configuration("balanced", conv_1=ROW, dw_conv=ROW, pw_conv=TAP, fc1=TAP)
FAST = Configuration("fast", conv_1=WINDOW, dw_conv=WINDOW, pw_conv=TAP, fc1=TAP)
CONFIGURATIONS: Mapping[str, Configuration] = {
    configuration.name: configuration for configuration in (SMALL, BALANCED, FAST)
}


@dataclass(frozen=True)
class Kernel:
    """A kernel of `rows` x `columns` taps, worked off `lane_rows` x `lane_columns` at a time."""

    rows: int
    columns: int
    lane_rows: int
    lane_columns: int

    @property
    def lanes(self) -> int:
        """Taps worked off in a cycle, each by a multiplier of its own."""
        return self.lane_rows * self.lane_columns

    @property
    def steps(self) -> int:
        """Cycles a window takes."""
        return self.rows * self.columns // self.lanes


@dataclass(frozen=True, eq=False)
class Accelerator:
    """A network and a configuration that fit `rtl_ref/kws_accelerator.v`.

    Every width follows from `ranges`, of every signal (`dataflow.ranges.intervals`); without them
    from the interval bounds. `ranges_origin` is what the generated header calls them. Ranges that
    some input leaves give hardware that this input overflows.

    Raises ValueError, naming the layer, for a network of another architecture.
    """

    network: IntegerNetwork
    configuration: Configuration
    ranges: Ranges | None = None
    ranges_origin: str = "interval bounds"

    def __post_init__(self) -> None:
        _check_chain(self.network)
        _check_input(self.network)
        _check_numbers(self.network)
        if self.conv_1.padding != "VALID":
            raise ValueError(
                f"{self.conv_1.name}.padding: expected VALID, got {self.conv_1.padding}"
            )
        if self.dw_conv.padding != "SAME" or self.dw_conv.stride != (1, 1):
            raise ValueError(
                f"{self.dw_conv.name}: expected padding SAME and stride (1, 1), "
                f"got {self.dw_conv.padding} and {self.dw_conv.stride}"
            )
        if self.pw_conv.weights.shape[1:3] != (1, 1):
            raise ValueError(
                f"{self.pw_conv.name}: expected a kernel of 1x1, "
                f"got {self.pw_conv.weights.shape[1:3]}"
            )

    @property
    def conv_1(self) -> Convolution:
        """The first convolution."""
        return _as(Convolution, self.network.nodes[0])

    @property
    def dw_conv(self) -> DepthwiseConvolution:
        """The depthwise convolution."""
        return _as(DepthwiseConvolution, self.network.nodes[2])

    @property
    def pw_conv(self) -> Convolution:
        """The pointwise convolution, on the one pooled pixel."""
        return _as(Convolution, self.network.nodes[5])

    @property
    def fc1(self) -> FullyConnected:
        """The fully connected layer."""
        return _as(FullyConnected, self.network.nodes[7])

    @property
    def shifts(self) -> tuple[int, int, int]:
        """Shift after `conv_1`, `dw_conv` and `pw_conv`."""
        first, second, third = (_as(ShiftRelu, self.network.nodes[place]) for place in (1, 3, 6))
        return first.shift, second.shift, third.shift

    @property
    def layer_names(self) -> dict[str, str]:
        """The network's own names of the layers whose values the hardware holds, by stage."""
        nodes = (node.name for node in self.network.nodes)
        return dict(zip(_LAYERS, nodes, strict=True))

    @property
    def conv_1_kernel(self) -> Kernel:
        """Kernel of `conv_1` and how it is worked off."""
        return _kernel(self.conv_1, self.configuration.conv_1)

    @property
    def dw_conv_kernel(self) -> Kernel:
        """Kernel of `dw_conv` and how it is worked off."""
        return _kernel(self.dw_conv, self.configuration.dw_conv)

    @property
    def frame(self) -> tuple[int, int]:
        """Rows (time) and columns (coefficients) of a fingerprint."""
        rows, columns = self.network.input_shape
        return rows, columns

    @property
    def map(self) -> tuple[int, int]:
        """Rows and columns of the feature map between `conv_1` and the max-pool."""
        rows, columns, _ = self.network.shapes[self.conv_1.name]
        return rows, columns

    @property
    def positions(self) -> int:
        """Windows a channel."""
        return self.map[0] * self.map[1]

    @property
    def channels(self) -> int:
        """Filters of `conv_1`."""
        return int(self.conv_1.weights.shape[0])

    @property
    def features(self) -> int:
        """Outputs of `pw_conv`."""
        return int(self.pw_conv.weights.shape[0])

    @property
    def labels(self) -> int:
        """Outputs of `fc1`."""
        return len(self.network.labels)

    @property
    def padding(self) -> tuple[int, int]:
        """Zeros before the first row and before the first column of the map of `dw_conv`."""
        kernel = self.dw_conv_kernel
        rows, columns = self.map
        return same_padding(rows, kernel.rows, 1)[0], same_padding(columns, kernel.columns, 1)[0]

    @property
    def lag(self) -> int:
        """How many values of the map pass between a window's centre and its last value."""
        kernel, (rows, columns) = self.dw_conv_kernel, self.padding
        return (kernel.rows - 1 - rows) * self.map[1] + kernel.columns - 1 - columns

    @property
    def multipliers(self) -> dict[str, int]:
        """Multipliers by stage."""
        return {
            "conv_1": self.conv_1_kernel.lanes,
            "dw_conv": self.dw_conv_kernel.lanes,
            "pw_conv": 1,
            "fc1": 1,
        }

    @property
    def multiplications(self) -> dict[str, int]:
        """Multiplications a frame by stage; those with a padding zero are counted."""
        windows = self.channels * self.positions
        return {
            "conv_1": windows * self.conv_1_kernel.lanes * self.conv_1_kernel.steps,
            "dw_conv": windows * self.dw_conv_kernel.lanes * self.dw_conv_kernel.steps,
            "pw_conv": self.channels * self.features,
            "fc1": self.features * self.labels,
        }


def accelerator_of(
    network: IntegerNetwork, chosen: ChosenRanges, configuration: str
) -> Accelerator:
    """Return the accelerator of chosen ranges; ValueError as its parts raise it."""
    return Accelerator(network, parse_configuration(configuration), chosen.ranges, chosen.title)


def parse_configuration(text: str) -> Configuration:
    """Return a named configuration, or one of the form `conv_1=window,dw_conv=row`.

    Raises ValueError for an unknown name or stage, or if `conv_1` or `dw_conv` is missing.
    """
    if text in CONFIGURATIONS:
        return CONFIGURATIONS[text]
    pairs = [entry.partition("=")[::2] for entry in text.split(",")]
    entries = dict(pairs)
    complete = {"conv_1", "dw_conv"} <= entries.keys() <= set(STAGES)
    if "=" not in text or not complete or len(entries) < len(pairs):
        raise ValueError(
            f"configuration: expected one of {', '.join(CONFIGURATIONS)}, "
            f"or conv_1=...,dw_conv=... with {TAP}, {ROW} or {WINDOW} for each, got {text!r}"
        )
    return Configuration(text, **entries)


def _kernel(node: Convolution | DepthwiseConvolution, parallelism: str) -> Kernel:
    rows, columns = node.weights.shape[1:3]
    lane_rows = rows if parallelism == WINDOW else 1
    lane_columns = 1 if parallelism == TAP else columns
    return Kernel(rows, columns, lane_rows, lane_columns)


def _check_chain(network: IntegerNetwork) -> None:
    """Raise ValueError at the first node that is not the architecture's, or reads another one.

    Only a fully connected layer gives logits, so a shorter network differs before it ends.
    """
    expected_input = INPUT_NAME
    # No network ends earlier: of these kinds, only the last one gives logits.
    for kind, node in zip(_ARCHITECTURE, network.nodes, strict=False):
        if type(node) is not kind:
            raise ValueError(f"{node.name}: expected a {kind.kind} here, got a {node.kind}")
        if node.sources[0] != expected_input:
            raise ValueError(f"{node.name}.input: expected {expected_input}, got {node.sources[0]}")
        expected_input = node.name
    if len(network.nodes) > len(_ARCHITECTURE):
        extra = network.nodes[len(_ARCHITECTURE)]
        raise ValueError(f"{extra.name}: expected nothing after {expected_input}")


def _check_input(network: IntegerNetwork) -> None:
    """Raise ValueError unless fingerprints are `(time, coefficient)` of 6-bit integers."""
    if len(network.input_shape) != 2:
        raise ValueError(
            f"{INPUT_NAME}: expected two axes, time and coefficient, got {network.input_shape}"
        )
    form = network.input_format
    if (form.low, form.high, form.zero_point) != (INPUT_MIN, INPUT_MAX, 0):
        raise ValueError(
            f"{INPUT_NAME}: expected integers in {INPUT_MIN}..{INPUT_MAX} with zero point 0, "
            f"got {form.low}..{form.high} with {form.zero_point}"
        )


def _check_numbers(network: IntegerNetwork) -> None:
    """Raise ValueError for weights, biases or windows that the blocks have no place for."""
    for node in network.weighted_nodes:
        check_weights(node)
        if isinstance(node, FullyConnected):
            if node.biases is None:
                raise ValueError(f"{node.name}.biases: expected one a label, got none")
        elif node.biases is not None:
            raise ValueError(f"{node.name}.biases: expected none, got {len(node.biases)}")
        elif node.dilation != (1, 1):
            raise ValueError(f"{node.name}.dilation: expected (1, 1), got {node.dilation}")
        if isinstance(node, DepthwiseConvolution):
            channels = network.shapes[node.input][2]
            if len(node.weights) != channels:
                raise ValueError(
                    f"{node.name}.weights: expected a filter for each of {channels} channels, "
                    f"got {len(node.weights)}"
                )


def check_weights(node: WeightedNode) -> None:
    """Raise ValueError, naming the layer, for weights of more bits than blocks are proven for."""
    if node.weight_bits > WEIGHT_BITS:
        raise ValueError(
            f"{node.name}.weight_bits: expected at most {WEIGHT_BITS}, got {node.weight_bits}"
        )


def _as(kind: type[NodeKind], node: Node) -> NodeKind:
    """Return `node`, whose kind `_check_chain` has seen, typed."""
    assert isinstance(node, kind)
    return node
