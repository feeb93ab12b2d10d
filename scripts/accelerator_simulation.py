"""Compiles the accelerator with Verilator and runs fingerprints through it, millions of cycles/s.

The compiled simulator is cached by the content of everything that went into it. A run gives back
every value of every layer with its cycle (`Recording`); `compare_with_reference` holds that against
`golden.reference`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dataflow.accelerator import Accelerator
from dataflow.rtl_export import accelerator_files, write_accelerator
from dataflow.rtl_parameters import accelerator_parameters
from golden import reference
from golden.reference import Integers

REPOSITORY = Path(__file__).resolve().parents[1]
RTL_FOLDER = REPOSITORY / "rtl_ref"
HARNESS = REPOSITORY / "scripts" / "accelerator_harness.cpp"
CACHE = Path("work/cache/verilator")
TOP = "kws_accelerator"

# The layers that the harness records, by their usual names, in the order in which data pass.
STREAMS = ("conv_1", "conv_1_relu", "dw_conv", "max_pool", "pw_conv", "pw_conv_relu", "fc1")
LABEL = "label"  # the name of the last comparison


@dataclass(frozen=True, eq=False)
class Recording:
    """What a run produced: for each stream the values and their cycles, int64 `[n]`, in order.

    `taken` are the input beats, `out` the output beats, `last` and `errors` the cycles of `tlast`
    on the output and of `frame_error_o`. Cycle 0 is the first one after reset.
    """

    values: Mapping[str, Integers]
    cycles: Mapping[str, Integers]


@dataclass(frozen=True)
class Divergence:
    """The first value, in time, that is not the reference's.

    `place` is the index in the layer, `(time, coefficient, channel)` or `(channel,)`; `found` is
    None where the value never came.
    """

    clip: int
    layer: str
    place: tuple[int, ...]
    expected: int
    found: int | None
    cycle: int | None

    def __str__(self) -> str:
        got = "nothing" if self.found is None else str(self.found)
        cycle = "" if self.cycle is None else f", cycle {self.cycle}"
        return (
            f"clip {self.clip}: {self.layer} at {self.place}: expected {self.expected}, "
            f"got {got}{cycle}"
        )


class AcceleratorSimulator:
    """A compiled accelerator.

    `rtl_folder` holds the Verilog, `trace` makes every run write a waveform. Raises
    FileNotFoundError without Verilator or a C++ compiler, ValueError if the RTL does not compile.
    """

    def __init__(
        self, accelerator: Accelerator, rtl_folder: Path = RTL_FOLDER, *, trace: bool = False
    ) -> None:
        require_verilator()
        self.accelerator = accelerator
        self.folder = _build(accelerator, rtl_folder, trace)

    def run(
        self,
        fingerprints: npt.NDArray[np.int8],
        *,
        gap_percent: int = 0,
        stall_percent: int = 0,
        seed: int = 0,
        waves: Path | None = None,
    ) -> Recording:
        """Send `fingerprints` `(N, time, coefficient)` back to back and record what comes.

        The source pauses and the sink stalls in the given percentage of cycles.
        """
        reference.check_fingerprints(self.accelerator.network, fingerprints)
        beats = int(np.prod(self.accelerator.frame))
        patience = 4 * (self.accelerator.multiplications["conv_1"] + 1000)
        with tempfile.TemporaryDirectory() as scratch:
            frames = Path(scratch) / "frames.bin"
            fingerprints.astype(np.int8).tofile(frames)
            numbers = (beats, scratch, gap_percent, stall_percent, seed, patience)
            subprocess.run(
                [str(self.folder / "simulator"), str(frames), *map(str, numbers)],
                cwd=self.folder,
                check=True,
            )
            if waves is not None:
                shutil.copyfile(Path(scratch) / "waves.fst", waves)
            return _read_recording(Path(scratch))


def require_verilator() -> None:
    """Raise FileNotFoundError, naming the Debian package, if Verilator or g++ is missing."""
    for tool, package in (("verilator", "verilator"), ("c++", "g++"), ("make", "make")):
        if shutil.which(tool) is None:
            raise FileNotFoundError(f"{tool}: not found, install the Debian package {package}")


def expected_streams(
    accelerator: Accelerator, fingerprints: npt.NDArray[np.int8]
) -> dict[str, Integers]:
    """Return what each stream must carry, `(N, values a clip)`, in the order of the hardware.

    The hardware works channel by channel: maps come channel first. The output stream carries the
    logits of a clip and then its label.
    """
    result = reference.run(accelerator.network, fingerprints)
    expected = {}
    for stream in STREAMS:
        layer = result.layers[accelerator.layer_names[stream]]
        if layer.ndim == 4:
            layer = layer.transpose(0, 3, 1, 2)
        expected[stream] = layer.reshape(len(fingerprints), -1)
    labels = result.label_indices[:, np.newaxis]
    return {**expected, "out": np.concatenate([result.logits, labels], axis=1)}


def first_divergence(
    accelerator: Accelerator, expected: Mapping[str, Integers], recording: Recording
) -> Divergence | None:
    """Return the earliest wrong, missing or surplus value of any stream, or None."""
    found = [
        divergence
        for stream, values in expected.items()
        if (divergence := _stream_divergence(accelerator, stream, values, recording)) is not None
    ]
    never = np.iinfo(np.int64).max
    return min(found, key=lambda at: never if at.cycle is None else at.cycle, default=None)


def _stream_divergence(
    accelerator: Accelerator, stream: str, expected: Integers, recording: Recording
) -> Divergence | None:
    values, cycles = recording.values[stream], recording.cycles[stream]
    flat = expected.reshape(-1)
    common = min(flat.size, values.size)
    different = np.flatnonzero(flat[:common] != values[:common])
    if not different.size and flat.size == values.size:
        return None
    index = int(different[0]) if different.size else common
    surplus = index >= flat.size
    clip, within = divmod(min(index, flat.size - 1), expected.shape[1])
    layer, place = _place(accelerator, stream, within)
    return Divergence(
        clip=clip,
        layer=f"after the end of {layer}" if surplus else layer,
        place=place,
        expected=int(flat[min(index, flat.size - 1)]),
        found=int(values[index]) if index < values.size else None,
        cycle=int(cycles[index]) if index < values.size else None,
    )


def _place(accelerator: Accelerator, stream: str, within: int) -> tuple[str, tuple[int, ...]]:
    """Return the layer's own name and the index in it of a stream's value `within` a clip."""
    if stream == "out":
        if within == accelerator.labels:
            return LABEL, (0,)
        return "output stream", (within,)
    name = accelerator.layer_names[stream]
    if stream in ("conv_1", "conv_1_relu", "dw_conv"):
        channel, position = divmod(within, accelerator.positions)
        return name, (*divmod(position, accelerator.map[1]), channel)
    return name, (within,)


def _build(accelerator: Accelerator, rtl_folder: Path, trace: bool) -> Path:
    """Compile, or find what was compiled from the same content before."""
    folder = CACHE.resolve() / _content_digest(accelerator, rtl_folder, trace)
    if (folder / "simulator").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix="build-", dir=folder.parent))
    try:
        write_accelerator(accelerator, partial)
        _compile(accelerator, rtl_folder, partial, trace)
        shutil.rmtree(partial / "obj")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _compile(accelerator: Accelerator, rtl_folder: Path, folder: Path, trace: bool) -> None:
    parameters = accelerator_parameters(accelerator)
    macros = {
        "INPUT_BITS": parameters["WINDOW_MEMORY_DATA_BITS"],
        "OUTPUT_BITS": parameters["ARGMAX_OUT_BITS"],
        "CONV_1_BITS": parameters["CONV_1_ACC_BITS"],
        "DW_CONV_BITS": parameters["DW_CONV_MAX_POOL_ACC_BITS"],
        "PW_CONV_BITS": parameters["POINTWISE_CONV_ACC_BITS"],
        "FC1_BITS": parameters["FC1_ACC_BITS"],
        **({"TRACE": 1} if trace else {}),
    }
    flags = " ".join(f"-D{name}={value}" for name, value in macros.items())
    command = ["verilator", "--cc", "--exe", "--build", "-Wall", "-O3", "-Mdir", "obj"]
    command += ["-CFLAGS", f"-O2 {flags}", "-I.", "-y", str(rtl_folder), "--top-module", TOP]
    command += ["--trace-fst"] if trace else []
    command += [str(rtl_folder / "observed.vlt"), str(rtl_folder / f"{TOP}.v"), str(HARNESS)]
    build = subprocess.run(
        [*command, "-o", "../simulator"], cwd=folder, capture_output=True, text=True, check=False
    )
    if build.returncode:
        lines = (build.stdout + build.stderr).splitlines()
        reason = next((line for line in lines if line.startswith("%")), lines[-1] if lines else "")
        raise ValueError(f"{TOP}: does not compile: {reason}")


def _content_digest(accelerator: Accelerator, rtl_folder: Path, trace: bool) -> str:
    sources = [HARNESS, *sorted(rtl_folder.glob("*.v")), rtl_folder / "observed.vlt"]
    version = subprocess.run(
        ["verilator", "--version"], capture_output=True, text=True, check=True
    ).stdout
    content = hashlib.sha256(f"{version} {trace} {os.uname().machine}".encode())
    for path in sources:
        content.update(path.name.encode() + path.read_bytes())
    for name, text in accelerator_files(accelerator).items():
        content.update(name.encode() + text.encode())
    return content.hexdigest()


def _read_recording(folder: Path) -> Recording:
    values, cycles = {}, {}
    for path in folder.glob("*.bin"):
        if path.name == "frames.bin":
            continue
        pairs = np.fromfile(path, np.int32).reshape(-1, 2).astype(np.int64)
        values[path.stem], cycles[path.stem] = pairs[:, 0], pairs[:, 1]
    return Recording(values, cycles)
