"""Frozen TensorFlow graphs that hear WAV files, as the speech commands example freezes them.

A graph is a serialised GraphDef. Its input is the bytes of a WAV file, which it decodes itself, its
output the probabilities of the labels. Graphs of TensorFlow 1 run as they are, loops included.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile
import tensorflow as tf

from quant_models.audio import Samples, read_clip, to_pcm
from quant_models.labelling import Scores

INPUT_NAME = "wav_data:0"
OUTPUT_NAME = "labels_softmax:0"


class FrozenGraph:
    """A graph in a session; `labels` name its outputs in order, rate and length are of its clips.

    Raises ValueError for a file that is no graph, a graph without the named input or output, and
    for another number of labels than the graph has outputs.
    """

    def __init__(
        self,
        path: Path,
        labels: tuple[str, ...],
        input_name: str = INPUT_NAME,
        output_name: str = OUTPUT_NAME,
        sample_rate_hz: int = 16_000,
        clip_ms: int = 1_000,
    ):
        self.labels = labels
        self._rate = sample_rate_hz
        self._clip_samples = sample_rate_hz * clip_ms // 1_000
        graph = _graph(path)
        for name in (input_name, output_name):
            _require_tensor(graph, name, path)
        self._input, self._output = input_name, output_name
        self._session = tf.compat.v1.Session(graph=graph)
        count = len(self.scores(np.zeros(self._clip_samples, np.float32)))
        if count != len(labels):
            raise ValueError(
                f"labels: expected {count}, as many as {output_name} of {path} has outputs, "
                f"got {len(labels)}"
            )

    def read(self, path: Path) -> Samples:
        return read_clip(path, self._rate, self._clip_samples)

    def scores(self, clip: Samples) -> Scores:
        """Return the graph's output for samples at its rate, as a 16-bit WAV file holds them."""
        wav = io.BytesIO()
        soundfile.write(wav, to_pcm(clip), self._rate, format="WAV")
        (scores,) = self._session.run(self._output, {self._input: wav.getvalue()})
        return np.asarray(scores, np.float32)


def _graph(path: Path) -> tf.Graph:
    definition = tf.compat.v1.GraphDef()
    data = path.read_bytes()
    try:
        definition.ParseFromString(data)
    except Exception as error:  # protobuf's own, which differs from version to version
        raise ValueError(f"{path}: expected a frozen TensorFlow graph, got another file") from error
    graph = tf.Graph()
    with graph.as_default():
        tf.compat.v1.import_graph_def(definition, name="")
    return graph


def _require_tensor(graph: tf.Graph, name: str, path: Path) -> None:
    try:
        graph.get_tensor_by_name(name)
    except (KeyError, ValueError):
        inputs = [node.name for node in graph.get_operations() if node.type == "Placeholder"]
        raise ValueError(
            f"{path}: expected a node {name}, found none (inputs: {', '.join(inputs) or 'none'}; "
            f"last node: {graph.get_operations()[-1].name if graph.get_operations() else 'none'})"
        ) from None
