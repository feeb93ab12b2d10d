"""Builds generated C for a Cortex-M, and runs it in QEMU on a board of Arm's MPS2 family.

An instruction takes a nanosecond of the board's time (`-icount shift=0`), so that a tick of its
clock of 25 or 20 MHz is 40 or 50 instructions, and counts are exact to that.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from golden import files
from golden.c.source import network_header, network_source
from golden.c.tools import ToolError, run_tool
from golden.network import IntegerNetwork
from golden.reference import Integers
from scripts.simulation.c_inference import LABEL, STRICT, layer_fields, layers_of


@dataclass(frozen=True)
class Board:
    """A machine of QEMU, the processor that it has, where its memories start, its clock."""

    machine: str
    processor: str
    flash_start: int = 0x0000_0000
    ram_start: int = 0x2000_0000
    instructions_a_tick: int = 40


# QEMU has no Cortex-M0+. A Cortex-M3 runs the same instructions, but also unaligned accesses, on
# which a Cortex-M0+ faults. The addresses of the Cortex-M33 are those of its secure state.
BOARDS = {
    "cortex-m0plus": Board("mps2-an385", "cortex-m3"),
    "cortex-m3": Board("mps2-an385", "cortex-m3"),
    "cortex-m4": Board("mps2-an386", "cortex-m4"),
    "cortex-m7": Board("mps2-an500", "cortex-m7"),
    "cortex-m33": Board("mps2-an505", "cortex-m33", 0x1000_0000, 0x3800_0000, 50),
}
MEMORY_BYTES = 4 * 2**20  # flash as much as RAM
STACK_BYTES = 8 * 2**10
PACKAGES = {"arm-none-eabi-gcc": "gcc-arm-none-eabi", "qemu-system-arm": "qemu-system-arm"}
_HERE = Path(__file__).parent
_TICKS = "ticks "
_STACK = np.dtype(np.uint32)
_UNCOUNTED = 2**32 - 1  # as main.c has it
_FLAGS = (
    *("-mthumb", "-ffreestanding", "-fno-tree-loop-distribute-patterns"),
    *("-ffunction-sections", "-Wl,--gc-sections", "-nostdlib", "-T", "memory.ld"),
)
_SECONDS = 300


@dataclass(frozen=True)
class Sizes:
    """Bytes: flash holds code, weights and initial values, RAM all that changes but the stack."""

    flash: int
    ram: int


@dataclass(frozen=True, eq=False)
class Emulation:
    """What an image gave: `layers` as `run_c` has them, `(N, ...)`; instructions of each input.

    `stack` is the most that an inference used, in bytes.
    """

    image: Sizes
    layers: dict[str, Integers]
    instructions: Integers
    stack: int


def expect_tools() -> None:
    """Raise FileNotFoundError, naming the package, for the first tool that is missing."""
    for tool, package in PACKAGES.items():
        if shutil.which(tool) is None:
            raise FileNotFoundError(f"{tool}: not found, install the Debian package {package}")


def network_sizes(network: IntegerNetwork, cpu: str, optimisation: str) -> Sizes:
    """Return what `network.c` alone needs, compiled for a processor.

    Raises ValueError if it does not compile.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _write(network, folder)
        flags = [*STRICT, "-mthumb", "-ffreestanding", f"-mcpu={cpu}", optimisation]
        run_tool(["arm-none-eabi-gcc", *flags, "-c", "network.c", "-o", "network.o"], folder)
        return _sizes("network.o", folder)


def emulate(
    network: IntegerNetwork,
    fingerprints: npt.NDArray[np.int8],
    cpu: str,
    optimisation: str,
    *,
    keeps_layers: bool,
) -> Emulation:
    """Run inputs `(N, *network.input_shape)`; without `keeps_layers`, only logits and label come.

    Raises ValueError if the image is not built, does not fit the board, ends early, or takes more
    instructions or stack than can be counted.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _write(network, folder)
        for name in ("main.c", "memory.ld"):
            shutil.copy(_HERE / name, folder)
        kept = ["-DKWS_TAP"] if keeps_layers else []
        flags = [*STRICT, *_FLAGS, *_memories(cpu), f"-mcpu={cpu}", optimisation, *kept]
        sources = ["network.c", "main.c", "-lgcc", "-o", "image.elf"]
        _link(["arm-none-eabi-gcc", *flags, *sources], folder)
        image = _sizes("image.elf", folder)
        files.write_bytes(folder / "inputs.bin", fingerprints.astype(np.int8).tobytes())
        run_tool(_emulator(cpu), folder, seconds=_SECONDS)
        written = (folder / "outputs.bin").read_bytes()
    fields = layer_fields(network) if keeps_layers else layer_fields(network)[-1:]
    record = np.dtype([*fields, (LABEL, np.int32), (_TICKS, np.uint32)])
    results, stack = written[: -_STACK.itemsize], written[-_STACK.itemsize :]
    if len(results) != len(fingerprints) * record.itemsize:
        raise ValueError(f"image: expected results of {len(fingerprints)} inputs, it ended early")
    table = np.frombuffer(results, record)
    if (table[_TICKS] == _UNCOUNTED).any():
        most = 2**24 * BOARDS[cpu].instructions_a_tick
        raise ValueError(f"image: expected fewer than {most:,} instructions an inference, got more")
    used = int(np.frombuffer(stack, _STACK)[0])
    if used == _UNCOUNTED:
        raise ValueError(f"image: expected less stack than {STACK_BYTES:,} bytes, all were used")
    return Emulation(
        image,
        layers_of(network, fingerprints, table),
        table[_TICKS].astype(np.int64) * BOARDS[cpu].instructions_a_tick,
        used,
    )


def _memories(cpu: str) -> list[str]:
    """Return the flags that say to memory.ld where the board's memories are."""
    board = BOARDS[cpu]
    symbols = {
        "flash_start": board.flash_start,
        "ram_start": board.ram_start,
        "memory_bytes": MEMORY_BYTES,
        "stack_bytes": STACK_BYTES,
    }
    return [f"-Wl,--defsym={name}={value}" for name, value in symbols.items()]


def _sizes(file: str, folder: Path) -> Sizes:
    _, line = run_tool(["arm-none-eabi-size", file], folder).decode().splitlines()
    text, data, bss = map(int, line.split()[:3])
    return Sizes(text + data, data + bss)


def _emulator(cpu: str) -> list[str]:
    board = BOARDS[cpu]
    return [
        *("qemu-system-arm", "-machine", board.machine, "-cpu", board.processor),
        *("-display", "none"),
        *("-monitor", "none", "-serial", "none", "-icount", "shift=0"),
        *("-semihosting-config", "enable=on,target=native", "-kernel", "image.elf"),
    ]


def _write(network: IntegerNetwork, folder: Path) -> None:
    files.write_text(folder / "network.c", network_source(network))
    files.write_text(folder / "network.h", network_header(network))


def _link(command: list[str], folder: Path) -> None:
    """Compile and link; ValueError also names a memory that is too small."""
    try:
        run_tool(command, folder)
    except ToolError as error:
        _expect_room(error.said)
        raise


def _expect_room(said: str) -> None:
    """Raise ValueError if the linker found a memory too small."""
    overflow = re.search(r"region `(\w+)' overflowed by (\d+) bytes", said)
    if overflow is None:
        return
    memory, excess = overflow[1], int(overflow[2])
    (section,) = re.findall(rf"section `(\S+)' will not fit in region `{memory}'", said)[:1]
    room = MEMORY_BYTES - (STACK_BYTES if memory == "RAM" else 0)
    raise ValueError(
        f"image: {section}: expected to fit {memory} of {room:,} bytes, got {room + excess:,}"
    )
