"""Peers that are installed apart (make peers): hls4ml and da4ml, each in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden import files
from golden.network import IntegerNetwork
from golden.reference import Integers
from scripts.benchmarking.hls4ml_formats import Formats
from scripts.benchmarking.rounds import Participant

_HERE = Path(__file__).parent
_REPOSITORY = _HERE.parents[1]

Inputs = npt.NDArray[np.int8]


class PeerError(ValueError):
    """A peer is not there, cannot run a network, or takes too long; says so in its own words."""


@dataclass(frozen=True)
class Peer:
    """A peer that is ready: how long that took, and the logits that it gives."""

    participant: Participant
    seconds: float
    logits: npt.NDArray[np.float64]

    def equal_to(self, logits: Integers) -> int:
        """Return for how many inputs all logits are those of the reference."""
        return int(np.all(self.logits.reshape(logits.shape) == logits, axis=1).sum())


def version_of(name: str, packages: Path) -> str | None:
    """Return the version of a peer that is installed in the folder of packages, None if none is."""
    found = (each for each in distributions(path=[str(packages)]) if each.name.lower() == name)
    return next((each.version for each in found), None)


@contextlib.contextmanager
def hls4ml(
    model: Any, formats: Formats, inputs: Inputs, packages: Path, limit_s: float
) -> Iterator[Peer]:
    """Have hls4ml compile a Keras model, in these number formats, in its own where none are given.

    Raises PeerError.
    """
    with _folder("hls4ml", packages) as folder:
        model.save(folder / "model.keras")
        files.write_text(folder / "formats.json", json.dumps(formats))
        with _process("hls4ml", folder, inputs, packages, limit_s) as peer:
            yield peer


@contextlib.contextmanager
def da4ml(
    network: IntegerNetwork, inputs: Inputs, packages: Path, limit_s: float
) -> Iterator[Peer]:
    """Have da4ml make a circuit of a floor-shift network. Raises PeerError."""
    with _folder("da4ml", packages) as folder:
        network.save(folder / "network.npz")
        with _process("da4ml", folder, inputs, packages, limit_s) as peer:
            yield peer


@contextlib.contextmanager
def _folder(name: str, packages: Path) -> Iterator[Path]:
    """Return a folder for what a peer is given, if there is such a peer."""
    if version_of(name, packages) is None:
        raise PeerError(f"not installed in {packages} (make peers)")
    with tempfile.TemporaryDirectory() as scratch:
        yield Path(scratch)


@contextlib.contextmanager
def _process(
    name: str, folder: Path, inputs: Inputs, packages: Path, limit_s: float
) -> Iterator[Peer]:
    """Start the process of a peer on what is in the folder, wait until it is ready, end it."""
    np.save(folder / "inputs.npy", inputs)
    paths = (str(packages.resolve()), str(_REPOSITORY), os.environ.get("PYTHONPATH"))
    errors = folder / "errors.txt"
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, str(_HERE / f"{name}_process.py"), str(folder)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            bufsize=1,
            start_new_session=True,
        )
    try:
        start = time.perf_counter()
        _expect("ready", process, errors, limit_s)
        yield Peer(
            Participant(
                f"{name} {version_of(name, packages)}",
                "1",
                len(inputs),
                lambda: _ask(process, errors),
            ),
            time.perf_counter() - start,
            np.load(folder / "logits.npy"),
        )
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # with the compilers that it has started
        process.communicate()


def _ask(process: subprocess.Popen[str], errors: Path) -> None:
    assert process.stdin is not None
    process.stdin.write("run\n")
    _expect("done", process, errors)


def _expect(
    answer: str, process: subprocess.Popen[str], errors: Path, limit_s: float | None = None
) -> None:
    """Wait for an answer. Raises PeerError for another, for none, and if it takes too long."""
    assert process.stdout is not None
    if not select.select([process.stdout], [], [], limit_s)[0]:
        raise PeerError(f"not ready within {limit_s:g} s")
    said = process.stdout.readline().strip()
    if said != answer:
        *_, last = ["no message", *errors.read_text().splitlines()]
        raise PeerError(said.removeprefix("failed ") or f"ended early: {last}")
