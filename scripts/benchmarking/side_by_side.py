"""All participants on one network, in one run: reference, engine, Keras, LiteRT, hls4ml, da4ml."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden import reference
from golden.importers.tflite_file import parse_tflite
from golden.importers.tflite_network import import_tflite
from golden.network import INPUT_NAME, IntegerNetwork
from scripts.benchmarking.hls4ml_formats import Formats, hls4ml_formats
from scripts.benchmarking.participants import of_integers, of_keras, of_litert
from scripts.benchmarking.peers import Peer, PeerError, da4ml, hls4ml, version_of
from scripts.benchmarking.rounds import Participant, Speed, fastest, ratio, take_turns
from scripts.benchmarking.topologies import float_twin, int8_model

Inputs = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Counts:
    """How many inputs each participant gets a round: fewer for those that are slow."""

    fast: int
    reference: int
    peers: int


@dataclass(frozen=True)
class PeerSettings:
    """Where the peers' packages are, and how many seconds one may take until it is ready."""

    packages: Path
    limit_s: float


@dataclass(frozen=True)
class PeerResult:
    """What became of a peer: the `error` that it gave, or how long it took until it was ready.

    `equal` counts those of `inputs` for which its logits are the reference's; None if its numbers
    are not those of the network.
    """

    name: str
    version: str | None
    inputs: int
    seconds: float | None = None
    equal: int | None = None
    error: str | None = None

    @property
    def sentence(self) -> str:
        title = f"{self.name} {self.version or ''}".rstrip()
        if self.error is not None:
            return f"{title} does not take part: {self.error}"
        numbers = "in number formats of its own"
        if self.equal is not None:
            numbers = f"logits of {self.equal:,} of {self.inputs:,} inputs equal to the reference's"
        return f"{title}: ready in {self.seconds:.0f} s, {numbers}"


@dataclass(frozen=True)
class SideBySide:
    """The speeds of who took part, and what became of each peer."""

    speeds: Sequence[Speed]
    peers: Sequence[PeerResult]

    @property
    def engine_ratio(self) -> float:
        """The speed of the engine on one thread over LiteRT's at its better batch size."""
        (engine,) = (each for each in self.speeds if each.name == "engine" and each.threads == "1")
        litert = fastest([speed for speed in self.speeds if speed.name.startswith("LiteRT")])
        return ratio(engine, litert)


@dataclass(frozen=True)
class Contest:
    """One network as each participant takes it: integers, float Keras model, int8 flatbuffer.

    hls4ml gets the Keras model, in these `formats`, in formats of its own where there are none.
    """

    network: IntegerNetwork
    inputs: Inputs
    model: Any
    content: bytes
    formats: Formats | None

    @staticmethod
    def of_floor_shifts(network: IntegerNetwork, inputs: Inputs) -> Contest:
        """Return a floor-shift network; LiteRT gets its topology, which the converter quantises."""
        twin = float_twin(network)
        content = int8_model(twin, inputs[:200, ..., np.newaxis].astype(np.float32))
        return Contest(network, inputs, twin, content, hls4ml_formats(network))

    @staticmethod
    def of_keras(model: Any, count: int, rng: np.random.Generator) -> Contest:
        """Return a float Keras model that the converter brings to 8 bits, with random inputs."""
        examples = rng.normal(size=(50, *model.input_shape[1:])).astype(np.float32)
        content = int8_model(model, examples)
        network = import_tflite(parse_tflite(content)).network
        inputs = rng.integers(-128, 128, (count, *network.input_shape)).astype(np.int8)
        return Contest(network, inputs, model, content, None)

    @property
    def shaped(self) -> Inputs:
        """The inputs with an axis of channels."""
        return self.inputs.reshape(len(self.inputs), *self.network.shapes[INPUT_NAME])


def side_by_side(
    contest: Contest,
    counts: Counts,
    settings: PeerSettings,
    runs: int,
    progress: Callable[[int, int], None],
) -> SideBySide:
    """Let everyone who can take turns on a network, `runs` rounds."""
    with contextlib.ExitStack() as running:
        ready, results = start_peers(contest, counts.peers, settings, running)
        participants = [
            *of_integers(contest.network, contest.inputs, counts.reference),
            of_keras(contest.model, contest.shaped.astype(np.float32)),
            *of_litert(contest.content, contest.shaped),
            *ready,
        ]
        return SideBySide(take_turns(participants, runs, progress), results)


def start_peers(
    contest: Contest, count: int, settings: PeerSettings, running: contextlib.ExitStack
) -> tuple[list[Participant], list[PeerResult]]:
    """Start the peers on the first inputs, and return those that are ready, and what became of all.

    They end when `running` is closed.
    """
    inputs = contest.inputs[:count]
    logits = reference.run(contest.network, inputs).logits
    packages, limit_s = settings.packages, settings.limit_s
    starts: dict[str, tuple[bool, Callable[[], AbstractContextManager[Peer]]]] = {
        "hls4ml": (
            contest.formats is not None,
            lambda: hls4ml(contest.model, contest.formats or {}, inputs, packages, limit_s),
        ),
        "da4ml": (True, lambda: da4ml(contest.network, inputs, packages, limit_s)),
    }
    ready, results = [], []
    for name, (exact, start) in starts.items():
        version = version_of(name, packages)
        try:
            peer = running.enter_context(start())
        except PeerError as error:
            results.append(PeerResult(name, version, count, error=str(error)))
        else:
            ready.append(peer.participant)
            equal = peer.equal_to(logits) if exact else None
            results.append(PeerResult(name, version, count, peer.seconds, equal))
    return ready, results
