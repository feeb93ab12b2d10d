"""Jobs for the benches of the control blocks, of the weights and of the adders, by module.

Small accelerators, chosen for what they set to 1, to a power of two, and to neither.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dataflow.hardware.accelerator import BALANCED, FAST, SMALL, Accelerator
from dataflow.hardware.rtl_parameters import Parameters, module_parameters
from golden import files
from scripts.simulation.rtl_simulation import JOB_FILE
from tests.networks import random_fingerprints, random_network
from tests.rtl.blocks import prepare_block
from tests.rtl.jobs import Job, Prepare

WINDOW_BY_WINDOW = Accelerator(
    random_network(
        1, filters=3, outputs=2, labels=2, kernel=(4, 3), stride=(3, 2), input_shape=(8, 7)
    ),
    FAST,
)
ROW_BY_ROW = Accelerator(
    random_network(
        2, filters=4, outputs=2, labels=2, kernel=(3, 4), stride=(2, 3), input_shape=(5, 8)
    ),
    BALANCED,
)
TAP_BY_TAP = Accelerator(
    random_network(
        3,
        filters=2,
        outputs=1,
        labels=2,
        kernel=(2, 4),
        stride=(1, 3),
        depthwise_kernel=(1, 3),
        input_shape=(4, 8),
    ),
    SMALL,
)
# Frames of two rows, whose planes are as long as a power of two: steps by half an address space.
ONE_ROW = Accelerator(
    random_network(
        5, filters=2, outputs=1, labels=2, kernel=(2, 3), stride=(1, 1), input_shape=(2, 8)
    ),
    BALANCED,
)
SINGLE = Accelerator(
    random_network(
        4,
        filters=1,
        outputs=1,
        labels=2,
        kernel=(1, 2),
        stride=(1, 1),
        depthwise_kernel=(1, 1),
        input_shape=(1, 2),
    ),
    FAST,
)
# Last indices with the high bits of those of the default network: 24 (11000 in binary) and 8 in a
# frame, 12 and 4 in a map.
LONG_FRAME = Accelerator(
    random_network(
        6, filters=1, outputs=1, labels=2, kernel=(1, 1), stride=(2, 2), input_shape=(25, 9)
    ),
    FAST,
)
# And with every bit set: 64 channels of one position, 1,024 weights.
MANY_CHANNELS, MANY_WORDS = (
    Accelerator(
        random_network(
            7, filters=64, outputs=1, labels=2, kernel=shape, stride=(1, 1), input_shape=shape
        ),
        SMALL,
    )
    for shape in ((1, 3), (2, 8))
)
# The default network: as many lanes and as many words as there are.
DEFAULT_LANES, DEFAULT_WORDS = (
    Accelerator(random_network(8), configuration) for configuration in (FAST, SMALL)
)


def control_job(accelerator: Accelerator, **changes: int) -> Prepare:
    """Return what prepares a job of `frame_control`, some of its parameters replaced."""
    parameters = module_parameters(accelerator)["frame_control"] | changes
    return lambda folder: prepare(folder, accelerator, parameters)


def memory_job(accelerator: Accelerator, count: int = 6) -> Prepare:
    """Return what prepares a job of `window_memory`: its parameters and frames to keep."""
    frames = random_fingerprints(5, count, accelerator.frame)
    parameters = module_parameters(accelerator)["window_memory"]
    return lambda folder: prepare(folder, accelerator, parameters, frames=frames)


def weights_job(accelerator: Accelerator, block: str) -> Prepare:
    """Return what prepares a job of `kernel_weights` as it stands in `block`.

    The words, `words[step of the frame][lane]`, come from the network, not from the memory file.
    """
    parameters = module_parameters(accelerator)[block]
    names = ("LANES", "STEPS", "CHANNELS", "WEIGHT_BITS", "STEP_BITS", "ADDRESS_BITS")
    layer = accelerator.conv_1 if block == "conv_1" else accelerator.dw_conv
    words = layer.weights.reshape(-1, int(parameters["LANES"])).astype(np.int64)
    chosen = {name: parameters[name] for name in (*names, "WEIGHT_FILE")}
    return lambda folder: prepare(folder, accelerator, chosen, words=words)


def adder_job(inputs: int, bits: int) -> Prepare:
    """Return what prepares a job of `adder_tree`."""
    return lambda folder: prepare(folder, SINGLE, {"INPUTS": inputs, "BITS": bits})


def prepare(
    folder: Path,
    accelerator: Accelerator,
    parameters: Parameters,
    **arrays: npt.NDArray[Any],
) -> None:
    """Write a job with the given parameters, the memories of `accelerator`, and arrays."""
    prepare_block(folder, accelerator, "", **arrays)
    files.write_text(folder / JOB_FILE, json.dumps({"parameters": parameters}) + "\n")


TWO_STEPS = Accelerator(random_network(8, 3, 2, 2, kernel=(2, 1), input_shape=(5, 3)), SMALL)
ONE_BEAT = {"COLUMNS": 1, "PLANE_COLUMNS": 1}

JOBS: Mapping[str, tuple[Job, ...]] = {
    "frame_control": (
        Job("window by window", control_job(WINDOW_BY_WINDOW)),
        Job("row by row", control_job(ROW_BY_ROW)),
        Job("tap by tap", control_job(TAP_BY_TAP)),
        Job("one row of windows", control_job(ONE_ROW)),
        Job("frames of one beat", control_job(SINGLE, **ONE_BEAT)),
        Job("long frame", control_job(LONG_FRAME)),
        Job("many channels of one position", control_job(MANY_CHANNELS)),
    ),
    "window_memory": (
        Job("window by window", memory_job(WINDOW_BY_WINDOW)),
        Job("row by row", memory_job(ROW_BY_ROW)),
        Job("tap by tap", memory_job(TAP_BY_TAP)),
        Job("default lanes", memory_job(DEFAULT_LANES, count=3)),
        Job("default words", memory_job(DEFAULT_WORDS, count=3)),
    ),
    "kernel_weights": (
        Job("window by window", weights_job(WINDOW_BY_WINDOW, "conv_1")),
        Job("row by row", weights_job(ROW_BY_ROW, "dw_conv_max_pool")),
        Job("tap by tap", weights_job(TAP_BY_TAP, "conv_1")),
        Job("two steps", weights_job(TWO_STEPS, "conv_1")),
        Job("one word", weights_job(SINGLE, "conv_1")),
        Job("default lanes", weights_job(DEFAULT_LANES, "conv_1")),
        Job("1,024 words", weights_job(MANY_WORDS, "conv_1")),
    ),
    "adder_tree": tuple(
        Job(f"{inputs} inputs of {bits} bits", adder_job(inputs, bits))
        for inputs, bits in ((1, 5), (2, 4), (3, 3), (9, 14), (16, 7))
    ),
}
