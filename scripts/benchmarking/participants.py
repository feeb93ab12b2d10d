"""Who computes a network in the benchmark: the reference, the engine, Keras, LiteRT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from golden import reference
from golden.c.engine import CompiledEngine
from golden.network import IntegerNetwork
from scripts.benchmarking.rounds import Participant
from scripts.console.quiet_stderr import quiet_stderr
from scripts.runtimes.litert import expect_litert

REFERENCE_BATCH = 16  # what fits the caches
LITERT_BATCHES = (1, 16, 64, 256)

Inputs = npt.NDArray[np.int8]


def of_integers(network: IntegerNetwork, inputs: Inputs, some: int) -> list[Participant]:
    """Return the reference, on the first `some` inputs, and the engine, on one and on all cores.

    Raises FileNotFoundError or ValueError as the engine does.
    """
    one, every = CompiledEngine(network, 1), CompiledEngine(network)

    def run_reference() -> None:
        for start in range(0, some, REFERENCE_BATCH):
            reference.run(network, inputs[start : min(start + REFERENCE_BATCH, some)])

    found = [
        Participant("NumPy reference", "NumPy's", some, run_reference),
        Participant("engine", "1", len(inputs), lambda: one.logits(inputs)),
    ]
    if every.threads > 1:
        threads = str(every.threads)
        found.append(Participant("engine", threads, len(inputs), lambda: every.logits(inputs)))
    return found


def of_keras(model: keras.Model, inputs: npt.NDArray[np.float32]) -> Participant:
    """Return Keras's predict, in float32, in batches of 256."""
    return Participant(
        "Keras predict",
        "TensorFlow's",
        len(inputs),
        lambda: model.predict(inputs, batch_size=256, verbose=0),
    )


def of_litert(
    content: bytes, inputs: npt.NDArray[Any], batches: Sequence[int] = LITERT_BATCHES
) -> list[Participant]:
    """Return LiteRT with XNNPACK on an int8 model, for each size of batches.

    Raises MissingRuntimeError without LiteRT.
    """
    expect_litert()
    return [_litert(content, inputs, batch) for batch in batches if batch <= len(inputs)]


def _litert(content: bytes, inputs: npt.NDArray[Any], batch: int) -> Participant:
    with quiet_stderr():
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_content=content, num_threads=1)
        (entry,) = interpreter.get_input_details()
        interpreter.resize_tensor_input(entry["index"], (batch, *entry["shape"][1:]))
        interpreter.allocate_tensors()
    count = len(inputs) // batch * batch
    parts = inputs[:count].astype(entry["dtype"]).reshape(-1, batch, *entry["shape"][1:])

    def run() -> None:
        for part in parts:
            interpreter.set_tensor(entry["index"], part)
            interpreter.invoke()

    return Participant(f"LiteRT, batch {batch}", "1", count, run)
