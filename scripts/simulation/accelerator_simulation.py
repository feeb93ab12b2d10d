"""Compiles the accelerator with Verilator or Icarus and runs fingerprints through it.

Both simulators drive the same streams and write down the same thing: every value of every layer
with its cycle (`Recording`). What is compiled is cached by the content of all that goes into it.
Verilator runs millions of cycles a second; Icarus thousands, but it starts at once and knows
unknown bits.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dataflow.hardware.accelerator import Accelerator
from dataflow.hardware.build_folder import accelerator_files, write_accelerator
from dataflow.hardware.rtl_parameters import BLOCKS, accelerator_parameters, stream_bits
from golden import reference
from golden.reference import Integers
from scripts.console.places import RTL_FOLDER
from scripts.simulation.building_place import building_place
from scripts.simulation.rtl_simulation import require_icarus

CACHE = Path("work/cache/simulators")
TOP = "kws_accelerator"
HARNESS = Path(__file__).with_name("accelerator_harness")  # .cpp for Verilator, .v for Icarus
RTL_LINK = "rtl"  # the Verilog, in the folder that a simulator is built in
SIMULATORS = ("verilator", "icarus")
# What a run records, in the order in which data pass: sums and values of every layer by its usual
# name, and the output. The hardware takes the maximum before it shifts, so dw_conv_relu exists only
# after the pooling.
STREAMS = (
    "conv_1",
    "conv_1_relu",
    "dw_conv",
    "max_pool",
    "pw_conv",
    "pw_conv_relu",
    "fc1",
    "out",
)
# What the accumulators hold after every addition, by layer; recorded only if asked for.
SUMS = {layer: f"{layer}_sums" for layer in BLOCKS}
# Verilator 5.006 computes wide trees of XOR wrongly with this optimisation.
VERILATOR_FIX = "-fno-const-bit-op-tree"
UNKNOWN = np.iinfo(np.int64).min  # a value with an unknown bit
WHOLE_RUN = range(2**63 - 1)  # as far as a cycle counts


@dataclass(frozen=True, eq=False)
class Recording:
    """What a run produced: for each stream the values and their cycles, int64 `[n]`, in order.

    The streams are those of `dataflow.hardware.accelerator_schedule.Schedule`, and those of `SUMS`,
    empty unless asked for; besides, `last` and `errors` hold the cycles of `tlast` on the output
    and of `frame_error_o`. Cycle 0 is the first after reset. `values` may be `UNKNOWN`.
    """

    values: Mapping[str, Integers]
    cycles: Mapping[str, Integers]


class Simulator:
    """A compiled harness around a design with the ports of the accelerator.

    `folder` holds the program `simulator`, made for the kind of simulator that `runner` names;
    `streams` are those of `STREAMS` that it records.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        runner: str,
        folder: Path,
        streams: tuple[str, ...] = STREAMS,
    ) -> None:
        self.accelerator = accelerator
        self.runner = runner
        self.streams = streams
        self._folder = folder

    def run(
        self,
        fingerprints: npt.NDArray[np.int8],
        *,
        gap_percent: int = 0,
        stall_percent: int = 0,
        seed: int = 0,
        waves: Path | None = None,
        traced: range = WHOLE_RUN,
        sums: bool = False,
    ) -> Recording:
        """Send `fingerprints` `(N, time, coefficient)` back to back and record what comes.

        The source pauses and the sink stalls in the given percentage of cycles. `waves` is a file
        for the cycles in `traced`, `.fst` or `.vcd` as the simulator was compiled for. `sums` adds
        the streams of `SUMS`. A run in which nothing moves any more ends early.
        """
        reference.check_fingerprints(self.accelerator.network, fingerprints)
        cycles = traced if waves is not None else range(0)
        # Longer than a frame takes in any configuration, however much is stalled.
        patience = 100 * sum(self.accelerator.multiplications.values()) + 10_000
        options = {
            "beats": int(np.prod(self.accelerator.frame)),
            "gap": gap_percent,
            "stall": stall_percent,
            "seed": seed,
            "patience": patience,
            "first": cycles.start,
            "end": cycles.stop,
            "sums": int(sums),
        }
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            run = _run_verilator if self.runner == "verilator" else _run_icarus
            run(self._folder, folder, fingerprints, options)
            if waves is not None:
                waves.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / f"waves{waves.suffix}", waves)
            return _read_recording(folder)


class AcceleratorSimulator(Simulator):
    """The RTL of an accelerator, compiled or found compiled.

    `rtl_folder` holds the Verilog; `trace` lets `run` write `.fst` waveforms. Raises
    FileNotFoundError, naming the Debian package, if a tool is missing, and ValueError if the RTL
    does not compile.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        runner: str = "verilator",
        rtl_folder: Path = RTL_FOLDER,
        *,
        trace: bool = False,
    ) -> None:
        if runner not in SIMULATORS:
            raise ValueError(f"simulator: expected one of {SIMULATORS}, got {runner!r}")
        require_verilator() if runner == "verilator" else require_icarus()
        self.rtl_folder = rtl_folder
        command = _compile_command(accelerator, runner, trace)
        super().__init__(accelerator, runner, _compiled(accelerator, command, rtl_folder))


def harness_flags(accelerator: Accelerator, **macros: int) -> str:
    """Return the C++ macros that tell `accelerator_harness.cpp` the widths of the design."""
    parameters = accelerator_parameters(accelerator)
    widths = {
        "INPUT_BITS": stream_bits(int(parameters["WINDOW_MEMORY_DATA_BITS"])),
        "OUTPUT_BITS": stream_bits(int(parameters["ARGMAX_OUT_BITS"])),
        "CONV_1_BITS": parameters["CONV_1_ACC_BITS"],
        "DW_CONV_BITS": parameters["DW_CONV_MAX_POOL_ACC_BITS"],
        "PW_CONV_BITS": parameters["POINTWISE_CONV_ACC_BITS"],
        "FC1_BITS": parameters["FC1_ACC_BITS"],
    }
    return " ".join(f"-D{name}={value}" for name, value in {**widths, **macros}.items())


def require_verilator() -> None:
    """Raise FileNotFoundError, naming the Debian package, if Verilator or g++ is missing."""
    for tool, package in (("verilator", "verilator"), ("c++", "g++"), ("make", "make")):
        if shutil.which(tool) is None:
            raise FileNotFoundError(f"{tool}: not found, install the Debian package {package}")


def _run_verilator(
    build: Path, folder: Path, fingerprints: npt.NDArray[np.int8], options: dict[str, int]
) -> None:
    frames = folder / "frames"
    fingerprints.astype(np.int8).tofile(frames)
    beats, *numbers = options.values()
    command = [build / "simulator", frames, beats, folder, *numbers]
    subprocess.run(list(map(str, command)), cwd=build, check=True)


def _run_icarus(
    build: Path, folder: Path, fingerprints: npt.NDArray[np.int8], options: dict[str, int]
) -> None:
    frames = folder / "frames"
    np.savetxt(frames, fingerprints.reshape(-1), fmt="%d")
    flags = {"frames": frames, "folder": folder, "count": len(fingerprints), **options}
    command = ["vvp", "-n", str(build / "simulator"), "-fst"]
    command += [f"+{name}={value}" for name, value in flags.items()]
    subprocess.run(command, cwd=build, check=True, stdout=subprocess.DEVNULL)


def _read_recording(folder: Path) -> Recording:
    values, cycles = {}, {}
    for path in (*folder.glob("*.bin"), *folder.glob("*.txt")):
        if path.suffix == ".bin":
            pairs = np.fromfile(path, np.int64).reshape(-1, 2)
        else:
            words = path.read_text().replace("x", str(UNKNOWN)).split()
            pairs = np.array(words, np.int64).reshape(-1, 2)
        values[path.stem], cycles[path.stem] = pairs[:, 0], pairs[:, 1]
    return Recording(values, cycles)


def harness_links() -> dict[str, Path]:
    """Return both harnesses by the names that commands give them in a folder to build in."""
    return {f"{HARNESS.name}{suffix}": HARNESS.with_suffix(suffix) for suffix in (".cpp", ".v")}


def _compile_command(accelerator: Accelerator, runner: str, trace: bool) -> list[str]:
    """Return the command that makes `simulator` from what `write_accelerator` has written."""
    if runner == "icarus":
        command = ["iverilog", "-g2012", "-Wall", "-Wno-timescale", "-I.", "-y", RTL_LINK]
        return [*command, "-s", HARNESS.name, "-o", "simulator", f"{HARNESS.name}.v"]
    flags = harness_flags(accelerator, **({"TRACE_FST": 1} if trace else {}))
    command = ["verilator", "--cc", "--exe", "--build", "-Wall", "-O3", "-Mdir", "obj"]
    command += [
        VERILATOR_FIX,
        "-CFLAGS",
        f"-O2 {flags}",
        "-I.",
        "-y",
        RTL_LINK,
        "--top-module",
        TOP,
    ]
    command += ["--trace-fst"] if trace else []
    command += [f"{RTL_LINK}/observed.vlt", f"{RTL_LINK}/{TOP}.v", f"{HARNESS.name}.cpp"]
    return [*command, "-o", "../simulator"]


def _compiled(accelerator: Accelerator, command: list[str], rtl_folder: Path) -> Path:
    """Compile, or find what was compiled from the same content before; return its folder."""
    folder = CACHE.resolve() / _content_digest(accelerator, command, rtl_folder)
    if (folder / "simulator").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix="build-", dir=folder.parent))
    try:
        with building_place(partial, {RTL_LINK: rtl_folder, **harness_links()}) as place:
            write_accelerator(accelerator, place)
            build = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
            if build.returncode:
                raise ValueError(f"{TOP}: does not compile: {_reason(build.stderr + build.stdout)}")
            shutil.rmtree(place / "obj", ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as old:
            if folder.exists():
                folder.rename(Path(old) / "damaged")
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _reason(output: str) -> str:
    lines = output.splitlines()
    marked = [line for line in lines if line.startswith("%") or "error" in line]
    return next(iter(marked or lines), "no message")


def _content_digest(accelerator: Accelerator, command: list[str], rtl_folder: Path) -> str:
    version = subprocess.run(
        [command[0], "-V" if command[0] == "iverilog" else "--version"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    content = hashlib.sha256("\n".join([version, platform.machine(), *command]).encode())
    harnesses = [HARNESS.with_suffix(suffix) for suffix in (".cpp", ".v")]
    for path in (*harnesses, *sorted(rtl_folder.glob("*.v")), *rtl_folder.glob("*.vlt")):
        content.update(path.name.encode() + path.read_bytes())
    for name, text in accelerator_files(accelerator).items():
        content.update(name.encode() + text.encode())
    return content.hexdigest()
