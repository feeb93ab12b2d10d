"""Builds generated C for a Cortex-M, and runs it in QEMU on a board of Arm's MPS2 family.

The board counts one tick of its 25 MHz clock for every 40 instructions (`-icount shift=0`: an
instruction takes a nanosecond of its time), so that counts of instructions are exact to 40.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from golden import files
from golden.c.source import network_header, network_source
from golden.network import IntegerNetwork
from golden.reference import Integers
from scripts.simulation.c_inference import LABEL, STRICT, layer_fields, layers_of

BOARDS = {"cortex-m3": "mps2-an385", "cortex-m4": "mps2-an386", "cortex-m7": "mps2-an500"}
INSTRUCTIONS_A_TICK = 40
PACKAGES = {"arm-none-eabi-gcc": "gcc-arm-none-eabi", "qemu-system-arm": "qemu-system-arm"}
_HERE = Path(__file__).parent
_TICKS = "ticks "
_STACK_BYTES = 4
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
    """What an image gave: `layers` as `run_c` has them, `(N, ...)`; instructions of each input."""

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
        _run(["arm-none-eabi-gcc", *flags, "-c", "network.c", "-o", "network.o"], folder)
        text, data, bss = (
            _run(["arm-none-eabi-size", "network.o"], folder).split("\n")[1].split()[:3]
        )
    return Sizes(int(text) + int(data), int(data) + int(bss))


def emulate(
    network: IntegerNetwork,
    fingerprints: npt.NDArray[np.int8],
    cpu: str,
    optimisation: str,
    *,
    keeps_layers: bool,
) -> Emulation:
    """Run inputs `(N, *network.input_shape)`; without `keeps_layers`, only logits and label come.

    Raises ValueError if the image is not built, does not fit the board, or ends early.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _write(network, folder)
        for name in ("main.c", "memory.ld"):
            shutil.copy(_HERE / name, folder)
        kept = ["-DKWS_TAP"] if keeps_layers else []
        flags = [*STRICT, *_FLAGS, f"-mcpu={cpu}", optimisation, *kept]
        sources = ["network.c", "main.c", "-lgcc", "-o", "image.elf"]
        _run(["arm-none-eabi-gcc", *flags, *sources], folder)
        files.write_bytes(folder / "inputs.bin", fingerprints.astype(np.int8).tobytes())
        _run(_emulator(cpu), folder)
        written = (folder / "outputs.bin").read_bytes()
    fields = layer_fields(network) if keeps_layers else layer_fields(network)[-1:]
    record = np.dtype([*fields, (LABEL, np.int32), (_TICKS, np.uint32)])
    if len(written) != len(fingerprints) * record.itemsize + _STACK_BYTES:
        raise ValueError(f"image: expected results of {len(fingerprints)} inputs, it ended early")
    table = np.frombuffer(written[:-_STACK_BYTES], record)
    return Emulation(
        layers_of(network, fingerprints, table),
        table[_TICKS].astype(np.int64) * INSTRUCTIONS_A_TICK,
        int.from_bytes(written[-_STACK_BYTES:], "little"),
    )


def _emulator(cpu: str) -> list[str]:
    return [
        *("qemu-system-arm", "-machine", BOARDS[cpu], "-cpu", cpu, "-display", "none"),
        *("-monitor", "none", "-serial", "none", "-icount", "shift=0"),
        *("-semihosting-config", "enable=on,target=native", "-kernel", "image.elf"),
    ]


def _write(network: IntegerNetwork, folder: Path) -> None:
    files.write_text(folder / "network.c", network_source(network))
    files.write_text(folder / "network.h", network_header(network))


def _run(command: list[str], folder: Path) -> str:
    try:
        result = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"{command[0]}: expected an end within {_SECONDS} s, got none") from None
    if result.returncode:
        said = [re.sub(r"^.*/ld: ", "", line) for line in result.stderr.splitlines()]
        overflows = [line for line in said if "overflowed by" in line]
        errors = [line for line in said if "error" in line or "expected" in line]
        first = next(iter(overflows + errors + said), "no message")
        raise ValueError(f"{command[0]}: failed: {first}")
    return result.stdout
