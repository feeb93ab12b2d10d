"""The fast exact engine: `network.c` compiled for this machine, behind the call of the reference.

Sixteen inputs are computed at a time, one in each lane of a vector (`lanes.h`), and the cores share
the batches. Libraries are kept by what they were made from: the text of the network, the compiler,
and the instructions that this processor has.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from golden import files, reference
from golden.c.kernels import LANES_HEADER
from golden.c.source import logit_bits, network_header, network_source, value_bits
from golden.c.tools import run_tool
from golden.network import INPUT_NAME, IntegerNetwork
from golden.reference import Inference, Integers

CACHE = Path(__file__).parents[2] / "work" / "engines"
LANES = 16
MISSING_COMPILER = "cc: not found, install the Debian packages gcc and libc6-dev"
_FLAGS = ("-std=gnu11", "-O3", "-fPIC", "-shared", f"-DKWS_LANES={LANES}")
_NATIVE = ("-march=native",)
_WORTH_COMPILING = 2_000_000_000  # multiplications: the reference takes seconds, as a compiler does
_KEEPING_LAYERS = Lock()  # a library that keeps layers has one memory for all threads
_LANES_A_THREAD = 64  # batches of a thread are not smaller


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


class Engine(Protocol):
    """What computes a network exactly: the compiled one, or the reference."""

    @property
    def name(self) -> str:
        """What it is, for people."""

    def run(self, fingerprints: npt.NDArray[Any]) -> Inference:
        """Compute every layer of a batch, as `golden.reference.run` does."""

    def logits(self, fingerprints: npt.NDArray[Any]) -> Integers:
        """Compute the logits `(N, label)`, int64, of `fingerprints` `(N, *network.input_shape)`."""


class ReferenceEngine:
    """`golden.reference`, where there is no compiler."""

    name = "NumPy reference"

    def __init__(self, network: IntegerNetwork) -> None:
        self.network = network

    def run(self, fingerprints: npt.NDArray[Any]) -> Inference:
        return reference.run(self.network, fingerprints)

    def logits(self, fingerprints: npt.NDArray[Any]) -> Integers:
        return self.run(fingerprints).logits


class CompiledEngine:
    """The generated C, compiled and loaded; `target` are the compiler's flags for the processor.

    Raises FileNotFoundError without a C compiler, ValueError, with its message, if it fails, and
    OSError as the file system reports it.
    """

    def __init__(
        self,
        network: IntegerNetwork,
        threads: int | None = None,
        cache: Path | None = None,
        target: Sequence[str] = _NATIVE,
    ) -> None:
        self.network, self._cache, self._target = network, cache or CACHE, target
        self.threads = threads or len(os.sched_getaffinity(0))
        self._logits_only = _load(network, self._cache, target)
        self._with_layers: ctypes.CDLL | None = None

    @property
    def name(self) -> str:
        return f"compiled C, {LANES} inputs at a time on {self.threads} threads"

    def logits(self, fingerprints: npt.NDArray[Any]) -> Integers:
        features = _features(self.network, fingerprints)
        found = self._empty_logits(len(features))
        share = -(-len(features) // self.threads)
        share = -(-share // _LANES_A_THREAD) * _LANES_A_THREAD
        starts = range(0, len(features), max(share, 1))

        def compute(start: int) -> None:
            part = slice(start, start + share)
            _infer(self._logits_only, features[part], found[part], None)

        if len(starts) > 1:
            with ThreadPoolExecutor(len(starts)) as pool:
                list(pool.map(compute, starts))
        else:
            compute(0)
        return found.astype(np.int64)

    def run(self, fingerprints: npt.NDArray[Any]) -> Inference:
        network = self.network
        features = _features(network, fingerprints)
        kind = np.int32 if value_bits(network) == 32 else np.int64
        names = [node.name for node in network.nodes]
        found = {name: np.empty((len(features), *network.shapes[name]), kind) for name in names}
        logits = self._empty_logits(len(features))
        pointers = (ctypes.c_void_p * len(found))(*(each.ctypes.data for each in found.values()))
        with _KEEPING_LAYERS:
            if self._with_layers is None:
                self._with_layers = _load(network, self._cache, [*self._target, "-DKWS_TAP"])
            _infer(self._with_layers, features, logits, pointers)
        layers = {INPUT_NAME: features.astype(np.int64) - network.input_format.zero_point}
        layers |= {name: layer.astype(np.int64) for name, layer in found.items()}
        return Inference(layers, layers[network.output_name])

    def _empty_logits(self, count: int) -> npt.NDArray[np.signedinteger[Any]]:
        kind = np.int32 if logit_bits(self.network) == 32 else np.int64
        return np.empty((count, len(self.network.labels)), kind)


def engine_for(
    network: IntegerNetwork, inputs: int, tell: Callable[[str], None] = _to_stderr
) -> Engine:
    """Return what computes so many inputs soonest: for a few, the reference needs no compiler.

    Where the compiled engine would serve and there is none, `tell` hears why, and the reference
    serves.
    """
    if inputs * sum(network.multiplications.values()) < _WORTH_COMPILING:
        return ReferenceEngine(network)
    try:
        return CompiledEngine(network)
    except (OSError, ValueError) as error:  # also of a folder that cannot be written
        tell(f"{error}; the NumPy reference computes instead, many times slower")
        return ReferenceEngine(network)


def _features(network: IntegerNetwork, fingerprints: npt.NDArray[Any]) -> npt.NDArray[np.int8]:
    reference.check_fingerprints(network, fingerprints)
    return np.ascontiguousarray(fingerprints, np.int8)


def _infer(
    library: ctypes.CDLL,
    features: npt.NDArray[np.int8],
    logits: npt.NDArray[np.signedinteger[Any]],
    layers: Any,
) -> None:
    library.kws_infer_many(
        ctypes.c_void_p(features.ctypes.data),
        ctypes.c_int64(len(features)),
        ctypes.c_void_p(logits.ctypes.data),
        layers,
    )


def _load(network: IntegerNetwork, cache: Path, further_flags: Sequence[str]) -> ctypes.CDLL:
    """Load the library of a network from the cache, made anew if it is not there or damaged."""
    flags = [*_FLAGS, *further_flags]
    texts = {
        "network.c": network_source(network),
        "network.h": network_header(network),
        "lanes.h": files.read_text(LANES_HEADER),
    }
    key = sha256("\0".join([_macros(flags), *flags, *texts.values()]).encode()).hexdigest()
    path = cache / f"{key[:32]}.so"
    if not (path.exists() and _is_of(path, key)):
        _compile(texts, [*flags, f'-DKWS_KEY="{key}"'], path)
        if not _is_of(path, key):
            raise ValueError(f"{path}: expected the library just compiled, found another")
    return ctypes.CDLL(str(path))


def _is_of(path: Path, key: str) -> bool:
    """Say whether a library can be loaded and was made for `key`."""
    try:
        library = ctypes.CDLL(str(path))
        return ctypes.c_char_p.in_dll(library, "kws_key").value == key.encode()
    except (OSError, ValueError):
        return False


def _compile(texts: dict[str, str], flags: list[str], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        for name, text in texts.items():
            files.write_text(Path(scratch) / name, text)
        run_tool(["cc", *flags, "network.c", "-o", "network.so"], Path(scratch))
        (Path(scratch) / "network.so").replace(path)


def _macros(flags: Sequence[str]) -> str:
    """Return what the compiler defines: its version, and the processor's instructions."""
    if shutil.which("cc") is None:
        raise FileNotFoundError(MISSING_COMPILER)
    return run_tool(["cc", *flags, "-E", "-dM", "-x", "c", os.devnull], Path.cwd()).decode()
