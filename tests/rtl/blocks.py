"""Prepares jobs for the benches of the blocks, which `jobs` and `control_jobs` list."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dataflow.hardware.accelerator import Accelerator
from dataflow.hardware.build_folder import write_accelerator
from dataflow.hardware.rtl_parameters import BLOCKS, module_parameters
from dataflow.ranges.intervals import ChannelRange
from golden import files
from scripts.simulation.rtl_simulation import JOB_FILE

# The module that a block is an instance of, where that has another name.
MODULES = {"fc1": "pointwise_conv"}


def prepare_block(
    folder: Path, accelerator: Accelerator, block: str, **arrays: npt.NDArray[Any]
) -> None:
    """Write into `folder` all that the bench of a block of the accelerator needs.

    `block` is a name of `dataflow.hardware.rtl_parameters.module_parameters`, or the top's, which
    takes its parameters from the generated header. `arrays` are written to `<name>.npy`.
    """
    write_accelerator(accelerator, folder)
    for name, array in arrays.items():
        files.write_via(folder / f"{name}.npy", lambda path, array=array: np.save(path, array))
    ranges = accelerator.ranges
    layers = {block: accelerator.layer_names[layer] for layer, block in BLOCKS.items()}
    job = {
        "layer": layers.get(block),
        "parameters": module_parameters(accelerator).get(block, {}),
        "configuration": dataclasses.asdict(accelerator.configuration),
        "ranges": ranges and {name: _ends(channels) for name, channels in ranges.items()},
    }
    files.write_text(folder / JOB_FILE, json.dumps(job, indent=2) + "\n")


def _ends(channels: ChannelRange) -> tuple[list[int], list[int]]:
    return channels.low.tolist(), channels.high.tolist()
