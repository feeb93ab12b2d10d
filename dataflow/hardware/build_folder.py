"""Writes the files that the accelerator is built with, and recognises those of another network.

A build folder holds `kws_accelerator.vh`, a `.mem` file a memory, and `network.npz`; simulators and
synthesis run in it, with `rtl_ref/` as the source folder.
"""

from __future__ import annotations

import re
from pathlib import Path

from dataflow.hardware.accelerator import Accelerator
from dataflow.hardware.rtl_parameters import HEADER_FILE, accelerator_header, memories
from golden import files
from golden.exports.mem import check_memory, memory_text, read_memory
from golden.network import IntegerNetwork

NETWORK_FILE = "network.npz"
_DIGEST_LINE = re.compile(r"// network: ([0-9a-f]{64})")


def accelerator_files(accelerator: Accelerator) -> dict[str, str]:
    """Return the text of the header and of every memory, by file name."""
    network = accelerator.network
    texts = {
        memory.file_name: memory_text(
            network, memory.array, memory.order, memory.bits, memory.lanes
        )
        for memory in memories(accelerator)
    }
    return {HEADER_FILE: accelerator_header(accelerator), **texts}


def write_accelerator(accelerator: Accelerator, folder: Path) -> None:
    """Write the files of `accelerator_files` and the network into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in accelerator_files(accelerator).items():
        files.write_text(folder / name, text)
    accelerator.network.save(folder / NETWORK_FILE)


def check_build_folder(folder: Path) -> None:
    """Raise ValueError unless header and memories in `folder` are those of its own network."""
    network = IntegerNetwork.load(folder / NETWORK_FILE)
    header = folder / HEADER_FILE
    if header.is_file():
        found = _DIGEST_LINE.match(header.read_text(encoding="utf-8"))
        if found is None or found[1] != network.digest:
            raise ValueError(
                f"{header}: expected the parameters of network {network.digest}, "
                f"got those of {found[1] if found else 'none'}"
            )
    for path in sorted(folder.glob("*.mem")):
        try:
            check_memory(read_memory(path), network)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
