"""Builds an RTL block with Icarus, runs its cocotb bench, and reads the result that it wrote.

The tests and the commands both simulate through these functions, so they run the same bench on the
same RTL with the same generated parameters.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dataflow.hardware.build_folder import NETWORK_FILE, check_build_folder
from dataflow.hardware.rtl_parameters import (
    POINTWISE_WEIGHT_ORDER,
    pointwise_layer,
    pointwise_parameters,
)
from dataflow.ranges.intervals import Ranges
from golden import files
from golden.exports.mem import memory_text
from golden.network import IntegerNetwork
from scripts.console.places import REPOSITORY, RTL_FOLDER

if TYPE_CHECKING:
    from cocotb_tools.runner import Icarus

JOB_VARIABLE = "RTL_JOB"  # tells the bench, which runs inside the simulator, where its job is
PIXELS_FILE, JOB_FILE = "pixels.npy", "job.json"
RESULTS_FILE, LOG_FILE = "results.json", "simulation.log"


@dataclass(frozen=True)
class SimulationResult:
    """What a bench reports: one dictionary a scenario, and how many scenarios ran and failed."""

    scenarios: dict[str, dict[str, Any]]
    ran: int
    failed: int
    log: Path

    def excerpt(self) -> str:
        """Return the lines of the log that say what went wrong."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        marks = ("Error", "mismatch", "FAIL")
        return "\n".join(line for line in lines if any(mark in line for mark in marks))


def require_icarus() -> None:
    """Raise FileNotFoundError, naming the Debian package, if Icarus Verilog is not installed."""
    missing = [tool for tool in ("iverilog", "vvp") if shutil.which(tool) is None]
    if missing:
        raise FileNotFoundError(
            f"{missing[0]}: no simulator found, install the Debian package iverilog"
        )


def prepare_pointwise(
    folder: Path, network: IntegerNetwork, pixels: npt.NDArray[Any], ranges: Ranges | None = None
) -> None:
    """Write into `folder` all that the bench of `pointwise_conv` needs.

    `pixels` `(N, input channels)` are the inputs of the layer, within the `ranges` that the widths
    follow from, by default the interval bounds.

    Raises ValueError for pixels of another shape or for a network without such a layer.
    """
    layer = pointwise_layer(network)
    name, weight_file = layer.convolution.name, folder.resolve() / "weights.mem"
    if pixels.ndim != 2 or pixels.shape[1] != layer.size.inputs or not len(pixels):
        raise ValueError(
            f"pixels: expected shape (N, {layer.size.inputs}) for {name}, got {pixels.shape}"
        )
    parameters = pointwise_parameters(network, str(weight_file), ranges)
    bits = int(parameters["WEIGHT_BITS"])
    folder.mkdir(parents=True, exist_ok=True)
    text = memory_text(network, f"{name}.weights", POINTWISE_WEIGHT_ORDER, bits)
    files.write_text(weight_file, text)
    network.save(folder / NETWORK_FILE)
    files.write_via(folder / PIXELS_FILE, lambda path: np.save(path, pixels.astype(np.int64)))
    job = {"layer": name, "parameters": parameters}
    files.write_text(folder / JOB_FILE, json.dumps(job, indent=2) + "\n")


def simulate(
    top: str,
    bench: str,
    folder: Path,
    scenarios: str | None = None,
    waves: Path | None = None,
    rtl_folder: Path = RTL_FOLDER,
) -> SimulationResult:
    """Build `<rtl_folder>/<top>.v` with the parameters of the job in `folder` and run its bench.

    `bench` is the module that holds the cocotb scenarios, `scenarios` a regular expression that
    chooses among them (default: all), `waves` an `.fst` file to write.

    Raises FileNotFoundError without Icarus, ValueError if a `.mem` file is not of the job's
    network, if the RTL does not build, or if the bench does not start.
    """
    # They load pytest, and most who import this module simulate nothing.
    from cocotb_tools.check_results import get_results
    from cocotb_tools.runner import Icarus

    require_icarus()
    if waves is not None and waves.suffix != ".fst":
        raise ValueError(f"waves: expected a file name that ends in .fst, got {waves}")
    check_build_folder(folder)
    parameters = json.loads((folder / JOB_FILE).read_text())["parameters"]
    results, log = folder / RESULTS_FILE, folder / LOG_FILE
    results.unlink(missing_ok=True)
    runner = Icarus()
    _build(runner, rtl_folder / f"{top}.v", parameters, folder, waves is not None)
    xml = folder.resolve() / "results.xml"
    # The runner hands this path on to the Python inside the simulator. Some distributions install a
    # package `tests` of their own, so the repository must come first.
    if sys.path[0] != str(REPOSITORY):
        sys.path.insert(0, str(REPOSITORY))
    # The runner exits where a scenario failed; the files that the bench wrote say which.
    with contextlib.suppress(SystemExit):
        runner.test(
            test_module=bench,
            hdl_toplevel=top,
            build_dir=folder,
            results_xml=str(xml),
            extra_env={JOB_VARIABLE: str(folder.resolve())},
            test_filter=scenarios,
            log_file=log,
            waves=waves is not None,
            plusargs=[] if waves is None else [f"+dumpfile_path={waves.resolve()}"],
        )
    if not (xml.is_file() and results.is_file()):
        raise ValueError(f"{bench}: expected results, the bench did not finish, see {log}")
    ran, failed = get_results(xml)
    return SimulationResult(json.loads(results.read_text()), ran, failed, log)


def _build(
    runner: Icarus, source: Path, parameters: dict[str, int | str], folder: Path, waves: bool
) -> None:
    literals = {
        name: json.dumps(value) if isinstance(value, str) else value
        for name, value in parameters.items()
    }
    top, log = source.stem, folder / "build.log"
    try:
        runner.build(
            sources=[source],
            hdl_toplevel=top,
            parameters=literals,
            build_dir=folder,
            includes=[folder.resolve()],
            # Blocks below the top come from its folder, a module a file. The module that cocotb
            # adds for waves is SystemVerilog.
            build_args=["-Wall", "-y", str(source.parent), *([] if waves else ["-g2005"])],
            timescale=("1ns", "1ps"),
            always=True,
            waves=waves,
            log_file=log,
        )
    except (RuntimeError, SystemExit) as error:
        reason = log.read_text().splitlines()[0] if log.is_file() else str(error)
        raise ValueError(f"{top}: does not build: {reason}") from error
