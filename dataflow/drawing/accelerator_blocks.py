"""What the accelerator is made of, for its readers: the parts of each block, the streams between.

Every number comes from `dataflow.hardware.rtl_parameters` and
`dataflow.hardware.accelerator_schedule`; `dataflow.drawing.accelerator_figures` draws it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dataflow.hardware.accelerator import Accelerator
from dataflow.hardware.accelerator_schedule import Schedule
from dataflow.hardware.rtl_parameters import module_parameters, stream_bits

TIMES = "\N{MULTIPLICATION SIGN}"

MEMORY, REGISTER, ARITHMETIC, CONTROL = "memory", "registers", "arithmetic", "control"


@dataclass(frozen=True)
class Part:
    """Something inside a block: a name, its size in words, and the bits it stores (0: none)."""

    kind: str
    name: str
    size: str
    bits: int = 0


@dataclass(frozen=True)
class Stream:
    """An arrow between blocks: width in bits, values a frame, cycles from value to value."""

    bits: int
    values: int
    cycles: int

    @property
    def rate(self) -> str:
        """How often a value passes, in words."""
        return "every cycle" if self.cycles == 1 else f"every {self.cycles:,} cycles"


def parts_of(accelerator: Accelerator) -> dict[str, tuple[Part, ...]]:
    """Return what every block holds, in the order of the data; pipeline registers are left out."""
    blocks: dict[str, Any] = module_parameters(accelerator)
    best = blocks["argmax"]
    return {
        "frame_control": _control_parts(blocks["frame_control"]),
        "window_memory": _memory_parts(blocks["window_memory"]),
        "conv_1": _convolution_parts(blocks["conv_1"]),
        "dw_conv_max_pool": _depthwise_parts(blocks["dw_conv_max_pool"]),
        "pointwise_conv": _pointwise_parts(blocks["pointwise_conv"]),
        "fc1": _fully_connected_parts(blocks["fc1"]),
        "argmax": (
            _array(REGISTER, "best logit", 1, best["LOGIT_BITS"]),
            _array(REGISTER, "its label", 1, best["LABEL_BITS"]),
            Part(ARITHMETIC, "comparison", f"{best['LOGIT_BITS']} bits"),
        ),
    }


def streams_of(schedule: Schedule) -> dict[str, Stream]:
    """Return the arrows by the block that each comes from; `s_axis` is the one into the first."""
    accelerator = schedule.accelerator
    blocks: dict[str, Any] = module_parameters(accelerator)
    frames, first = blocks["window_memory"], blocks["conv_1"]
    rows, columns = accelerator.frame
    windows = accelerator.channels * accelerator.positions
    return {
        "s_axis": _stream(schedule, "taken", stream_bits(frames["DATA_BITS"]), rows * columns),
        "window_memory": Stream(first["LANES"] * first["IN_BITS"], windows * first["STEPS"], 1),
        "conv_1": _stream(schedule, "conv_1_relu", first["OUT_BITS"], windows),
        "dw_conv_max_pool": _stream(
            schedule, "max_pool", blocks["dw_conv_max_pool"]["OUT_BITS"], accelerator.channels
        ),
        "pointwise_conv": _stream(
            schedule, "pw_conv_relu", blocks["pointwise_conv"]["OUT_BITS"], accelerator.features
        ),
        "fc1": _stream(schedule, "fc1", blocks["fc1"]["ACC_BITS"], accelerator.labels),
        "argmax": _stream(
            schedule, "out", stream_bits(blocks["argmax"]["OUT_BITS"]), accelerator.labels + 1
        ),
    }


def counted(number: int, one: str, several: str = "") -> str:
    """Return `1 bit` or `6 bits`; a plural that does not just add an s is `several`."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def _control_parts(block: dict[str, Any]) -> tuple[Part, ...]:
    windows = block["MAP_ROWS"] * block["MAP_COLUMNS"]
    return (
        Part(CONTROL, "windows", f"{block['CHANNELS']} {TIMES} {windows}"),
        Part(CONTROL, "steps a window", f"{block['STEP_ROWS'] * block['STEP_COLUMNS']}"),
    )


def _memory_parts(block: dict[str, Any]) -> tuple[Part, ...]:
    memories = block["LANE_ROWS"] * block["LANE_COLUMNS"]
    words = 2 ** (block["ADDRESS_BITS"] + 1)  # as declared: the highest bit is the frame
    one = _array(MEMORY, counted(memories, "memory", "memories"), words, block["DATA_BITS"])
    return (
        Part(MEMORY, one.name, one.size, memories * one.bits),
        Part(CONTROL, "2 frames", f"{counted(block['PLANE_WORDS'], 'word')} each"),
    )


def _convolution_parts(block: dict[str, Any]) -> tuple[Part, ...]:
    return (
        _weights(block, block["CHANNELS"] * block["STEPS"]),
        _multipliers(block),
        _array(REGISTER, "sum", 1, block["ACC_BITS"]),
        _shift(block),
    )


def _depthwise_parts(block: dict[str, Any]) -> tuple[Part, ...]:
    line = (block["KERNEL_ROWS"] - 1) * block["MAP_COLUMNS"] + block["KERNEL_COLUMNS"]
    return (
        _array(REGISTER, "line buffer", line, block["IN_BITS"]),
        _weights(block, block["CHANNELS"] * block["STEPS"]),
        _multipliers(block),
        _array(REGISTER, "sum", 1, block["ACC_BITS"]),
        _array(REGISTER, "maximum", 1, block["SHIFT"] + block["OUT_BITS"]),
        _shift(block),
    )


def _pointwise_parts(block: dict[str, Any]) -> tuple[Part, ...]:
    return (
        _weights(block, block["IN_CHANNELS"] * block["OUT_CHANNELS"]),
        _multipliers(block),
        _array(REGISTER, "ring of sums", block["OUT_CHANNELS"], block["ACC_BITS"]),
        _shift(block),
    )


def _fully_connected_parts(block: dict[str, Any]) -> tuple[Part, ...]:
    return (
        _weights(block, block["IN_CHANNELS"] * block["OUT_CHANNELS"]),
        _array(MEMORY, "biases", block["OUT_CHANNELS"], block["ACC_BITS"]),
        _multipliers(block),
        _array(REGISTER, "ring of sums", block["OUT_CHANNELS"], block["ACC_BITS"]),
    )


def _stream(schedule: Schedule, events: str, bits: int, values: int) -> Stream:
    """Return the stream whose beats pass in the cycles `events`, at the distance seen most."""
    distances = np.diff(schedule.cycles[events][:values])
    cycles = int(np.bincount(distances).argmax()) if distances.size else schedule.interval
    return Stream(bits, values, cycles)


def _array(kind: str, name: str, words: int, bits: int) -> Part:
    size = counted(bits, "bit") if words == 1 else f"{words:,} {TIMES} {counted(bits, 'bit')}"
    return Part(kind, name, size, words * bits)


def _multipliers(block: dict[str, Any]) -> Part:
    size = f"{block['IN_BITS']} {TIMES} {counted(block['WEIGHT_BITS'], 'bit')}"
    return Part(ARITHMETIC, counted(block.get("LANES", 1), "multiplier"), size)


def _shift(block: dict[str, Any]) -> Part:
    return Part(ARITHMETIC, f">> {block['SHIFT']}, ReLU", counted(block["OUT_BITS"], "bit"))


def _weights(block: dict[str, Any], words: int) -> Part:
    """Return the memory of the weights: a word holds one for each multiplier."""
    return _array(MEMORY, "weights", words, block.get("LANES", 1) * block["WEIGHT_BITS"])
