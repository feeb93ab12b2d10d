"""What is proven of the RTL: the proofs that `scripts/prove.py` runs, module by module.

Ranges are those of the default topology with its default shifts, for any weights; the largest value
of a layer follows from that of the layer before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from golden import files
from golden.integer_math import WEIGHT_MAX, WEIGHT_MIN, floor_shift
from golden.network import INPUT_MIN
from golden.nodes import INT32_MAX
from scripts.console.places import RTL_FOLDER

INDUCTION, BOUNDED, COVER = "induction", "bmc", "cover"
# What is inside the modules. The properties of a stage are proven where it stands, on what comes to
# it there: its groups carry its instance's name.
REGISTER = ("stream_register",)
KERNEL = ("kernel_weights", "adder_tree", *REGISTER)
STAGES = {"multiply_accumulate": "mac"}

# A kernel's tap or row a cycle; the defaults are a window a cycle.
CONV_1_TAPS = {"LANES": 1, "STEPS": 16, "STEP_BITS": 4, "ADDRESS_BITS": 10}
CONV_1_ROWS = {"LANES": 4, "STEPS": 4, "STEP_BITS": 2, "ADDRESS_BITS": 8}
DW_CONV_TAPS = {"LANES": 1, "STEPS": 9, "STEP_BITS": 4, "ADDRESS_BITS": 9}
DW_CONV_ROWS = {"LANES": 3, "STEPS": 3, "STEP_BITS": 2, "ADDRESS_BITS": 8}
FRAME_ROWS = {
    "ROW_PHASES": 1,
    "ROW_STRIDE": 2,
    "STEP_ROWS": 4,
    "STEP_BITS": 2,
    "ADDRESS_BITS": 8,
}
FRAME_TAPS = {
    "ROW_PHASES": 1,
    "COLUMN_PHASES": 1,
    "PLANE_COLUMNS": 10,
    "ROW_STRIDE": 2,
    "COLUMN_STRIDE": 2,
    "STEP_ROWS": 4,
    "STEP_COLUMNS": 4,
    "STEP_BITS": 2,
    "ADDRESS_BITS": 9,
}
FRAME_ONE_POSITION = {"MAP_ROWS": 1, "MAP_COLUMNS": 1}
# Layer fc1 of the default topology: any weights, biases of 32 bits.
FULLY_CONNECTED = {
    "IN_CHANNELS": 16,
    "OUT_CHANNELS": 4,
    "IN_BITS": 18,
    "WEIGHT_BITS": 6,
    "PRODUCT_BITS": 24,
    "ACC_BITS": 33,
    "OUT_BITS": 33,
    "SHIFT": 0,
    "RELU": 0,
    "BIASES": 1,
    "INPUT_REGISTERS": 1,
    "CHANNEL_BITS": 4,
    "OUTPUT_BITS": 2,
    "ADDRESS_BITS": 6,
}
SMALL_MEMORY = {
    "DATA_BITS": 2,
    "LANE_ROWS": 2,
    "LANE_COLUMNS": 2,
    "PLANE_COLUMNS": 2,
    "PLANE_WORDS": 6,
    "ADDRESS_BITS": 3,
}


@dataclass(frozen=True)
class Proof:
    """One run of the solver: which properties of which module, how, and what must come out.

    `parameters` differ from the module's, `defines` are macros of its FORMAL block, `depth`
    counts cycles. `lemmas` are groups to assume, proven earlier with the same parameters. `cuts`
    are wires that may take any value: only the lemmas speak of them, which spares the solver what
    drives them. `stages` are modules inside it whose properties are its own, the instance's name in
    front; `helpers` are modules inside it whose properties are left out. `title` stands for long
    parameters. `fails` names the property that must fail. `registers` turns memories into registers
    and restarts the solver each cycle, which is faster where several products meet.
    """

    module: str
    group: str
    method: str = INDUCTION
    depth: int = 2
    parameters: Mapping[str, int] = field(default_factory=dict)
    defines: Mapping[str, int] = field(default_factory=dict)
    lemmas: Sequence[str] = ()
    cuts: Sequence[str] = ()
    stages: Sequence[str] = ()
    helpers: Sequence[str] = ()
    title: str = ""
    fails: str = ""
    registers: bool = False

    @property
    def modules(self) -> tuple[str, ...]:
        """The module, and the stage inside it that the properties belong to."""
        inside = [name for name in self.stages if self.group.startswith(f"{STAGES[name]}.")]
        return (self.module, *inside)

    @property
    def size(self) -> str:
        """The parameters as text."""
        return (
            self.title
            or " ".join(f"{name}={value}" for name, value in self.parameters.items())
            or "default"
        )

    @property
    def how(self) -> str:
        """The method in words."""
        if self.method == INDUCTION:
            return f"induction, depth {self.depth}"
        return f"{self.depth} cycles from reset"

    @property
    def folder(self) -> str:
        """Name of the folder that its files go to."""
        words = (self.module, self.group, self.method, *self.defines, self.size)
        return re.sub(r"\W+", "-", " ".join(words)) + ("-fails" if self.fails else "")


def all_proofs() -> tuple[Proof, ...]:
    """Return every proof, in the order of the stream."""
    return (
        *frame_control_proofs(),
        *window_memory_proofs(),
        *stream_register_proofs(),
        *kernel_weights_proofs(),
        *conv_1_proofs(),
        *dw_conv_max_pool_proofs(),
        *pointwise_proofs(),
        *fully_connected_proofs(),
        *argmax_proofs(),
    )


def frame_control_proofs() -> tuple[Proof, ...]:
    """Return the proofs of `frame_control`: a window, a row and a tap a read, a map of 1 x 1."""
    return tuple(
        Proof("frame_control", group, parameters=parameters, lemmas=lemmas)
        for parameters in ({}, FRAME_ROWS, FRAME_TAPS, FRAME_ONE_POSITION)
        for group, lemmas in (
            ("streams", ()),
            ("writes", ()),
            ("reads", ()),
            ("order", ("reads",)),
        )
    )


def window_memory_proofs() -> tuple[Proof, ...]:
    """Return the proofs of `window_memory`; what it keeps is checked at a small size."""
    return (
        Proof("window_memory", "streams", helpers=REGISTER),
        Proof("window_memory", "taps", BOUNDED, 6, SMALL_MEMORY, helpers=REGISTER),
    )


def stream_register_proofs() -> tuple[Proof, ...]:
    """Return the proof of `stream_register`."""
    return (Proof("stream_register", "streams"),)


def kernel_weights_proofs() -> tuple[Proof, ...]:
    """Return the proofs of `kernel_weights`, for one step a window and for several."""
    return tuple(
        Proof("kernel_weights", "walk", parameters=parameters) for parameters in ({}, DW_CONV_TAPS)
    )


def conv_1_proofs() -> tuple[Proof, ...]:
    """Return the proofs of `conv_1` for each walk; an accumulator a bit short must fail."""
    module = "conv_1"
    groups = {
        "streams": (),
        "mac.control": (),
        "mac.products": (),
        "mac.sums": ("mac.control", "mac.products"),
        "outputs": ("mac.control", "mac.sums"),
    }
    narrow = {"ACC_BITS": default_parameter(module, "ACC_BITS") - 1}
    witness = {"LARGEST_PRODUCTS": 1}
    return (
        *_kernel_proofs(module, groups, ({}, CONV_1_ROWS, CONV_1_TAPS), {}),
        _narrow_proof(module, 5, narrow, witness),
        _narrow_proof(module, 20, {**CONV_1_TAPS, **narrow}, witness),
    )


def dw_conv_max_pool_proofs() -> tuple[Proof, ...]:
    """Return the proofs of `dw_conv_max_pool` for each walk; a sum a bit short must fail."""
    module = "dw_conv_max_pool"
    groups = {
        "streams": (),
        "windows": (),
        "planes": (),
        "mac.control": (),
        "mac.products": ("windows", "mac.control"),
        "mac.sums": ("mac.control", "mac.products"),
        "pool": ("windows", "mac.control", "mac.sums"),
    }
    real = {"INPUT_MAX": largest_depthwise_input()}
    narrow = {name: default_parameter(module, name) - 1 for name in ("ACC_BITS", "OUT_BITS")}
    return (
        *_kernel_proofs(module, groups, ({}, DW_CONV_ROWS, DW_CONV_TAPS), real),
        _narrow_proof(module, 15, narrow, {**real, "LARGEST_PRODUCTS": 1}),
    )


def pointwise_proofs() -> tuple[Proof, ...]:
    """Return the proofs of `pointwise_conv`: its default size by induction, formulas from reset."""
    real = {"INPUT_MAX": largest_pointwise_input()}
    tiny = {"IN_BITS": 1, "WEIGHT_BITS": 2, "PRODUCT_BITS": 3, "ACC_BITS": 4, "OUT_BITS": 2}
    few = {"IN_CHANNELS": 3, "OUT_CHANNELS": 2}
    one = {"OUT_CHANNELS": 1}  # needs the fewest cycles
    small = {"INPUT_MAX": 1}
    return (
        *_pointwise_inductions({}, real),
        _pointwise_proof("cycles", INDUCTION, 2, {}, real, lemmas=("control",)),
        _narrow_pointwise_proof(36, one, real),
        _pointwise_proof("pixel", BOUNDED, 10, few, {**real, "FULL_RATE": 1}, registers=True),
        _pointwise_proof("pixel", BOUNDED, 13, {**few, **tiny, "SHIFT": 1}, small, registers=True),
        _pointwise_proof("reach", COVER, 20, few, real),
    )


def fully_connected_proofs() -> tuple[Proof, ...]:
    """Return the proofs of `pointwise_conv` as `fc1`, for biases of 32 bits, likewise."""
    real = {"INPUT_MAX": largest_fully_connected_input(), "BIAS_MAX": INT32_MAX}
    return (
        *_pointwise_inductions(FULLY_CONNECTED, real, "fc1"),
        _narrow_pointwise_proof(6, FULLY_CONNECTED, real, "fc1, a bit less"),
    )


def _pointwise_inductions(
    parameters: Mapping[str, int], defines: Mapping[str, int], title: str = ""
) -> tuple[Proof, ...]:
    cuts = ("product_q", "f_product_q")
    lemmas = ("control", "products")
    return tuple(
        _pointwise_proof(
            group, INDUCTION, 2, parameters, defines, lemmas=needed, cuts=cut, title=title
        )
        for group, needed, cut in (
            ("streams", (), ()),
            ("control", (), ()),
            ("frames", ("control",), ()),
            ("products", ("control",), ()),
            ("sums", lemmas, cuts),
            ("outputs", (*lemmas, "sums"), cuts),
        )
    )


def _narrow_pointwise_proof(
    depth: int, parameters: Mapping[str, int], defines: Mapping[str, int], title: str = ""
) -> Proof:
    """Return the proof from reset that a sum does not fit into one bit less."""
    width = parameters.get("ACC_BITS", default_parameter("pointwise_conv", "ACC_BITS"))
    narrow = {**parameters, "ACC_BITS": width - 1}
    if "OUT_BITS" in parameters:
        narrow["OUT_BITS"] = parameters["OUT_BITS"] - 1
    witness = {**defines, "FULL_RATE": 1, "SMALLEST_PRODUCTS": 1}
    return _pointwise_proof("sums", BOUNDED, depth, narrow, witness, title=title, fails="sums_fit")


def _pointwise_proof(
    group: str,
    method: str,
    depth: int,
    parameters: Mapping[str, int],
    defines: Mapping[str, int],
    **options: Any,
) -> Proof:
    return Proof(
        "pointwise_conv", group, method, depth, parameters, defines, helpers=REGISTER, **options
    )


def argmax_proofs() -> tuple[Proof, ...]:
    """Return the proofs of `argmax`, for any number of logits that its index holds."""
    return tuple(Proof("argmax", group, helpers=REGISTER) for group in ("streams", "label"))


def largest_depthwise_input() -> int:
    """Return the largest input of `dw_conv_max_pool` for any weights of the default topology."""
    return int(
        floor_shift(np.array(16 * WEIGHT_MIN * INPUT_MIN), default_parameter("conv_1", "SHIFT"))
    )


def largest_pointwise_input() -> int:
    """Return the largest input of `pointwise_conv` for any weights of the default topology."""
    taps = default_parameter("dw_conv_max_pool", "LANES")
    largest = np.array(taps * WEIGHT_MAX * largest_depthwise_input())
    return int(floor_shift(largest, default_parameter("dw_conv_max_pool", "SHIFT")))


def largest_fully_connected_input() -> int:
    """Return the largest input of `fc1` for any weights of the default topology."""
    largest = (
        default_parameter("pointwise_conv", "IN_CHANNELS") * WEIGHT_MAX * largest_pointwise_input()
    )
    return int(floor_shift(np.array(largest), default_parameter("pointwise_conv", "SHIFT")))


def _kernel_proofs(
    module: str,
    groups: Mapping[str, Sequence[str]],
    walks: Sequence[Mapping[str, int]],
    defines: Mapping[str, int],
) -> tuple[Proof, ...]:
    return tuple(
        Proof(
            module,
            group,
            parameters=walk,
            defines=defines,
            lemmas=lemmas,
            stages=tuple(STAGES),
            helpers=KERNEL,
        )
        for walk in walks
        for group, lemmas in groups.items()
    )


def _narrow_proof(
    module: str, depth: int, parameters: Mapping[str, int], defines: Mapping[str, int]
) -> Proof:
    return Proof(
        module,
        "mac.sums",
        BOUNDED,
        depth,
        parameters,
        defines,
        stages=tuple(STAGES),
        helpers=KERNEL,
        fails="mac.sums_fit",
    )


def default_parameter(module: str, name: str) -> int:
    """Return the default that `module` declares for parameter `name`."""
    source = files.read_text(RTL_FOLDER / f"{module}.v")
    match = re.search(rf"parameter {name} *= (\d+)", source)
    if match is None:
        raise ValueError(f"{module}: expected a parameter {name}, found none")
    return int(match.group(1))
