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

from quant_models.audio import Samples, to_pcm
from quant_models.labelling import Scores


class FrozenGraph:
    """A graph in a session; `labels` name its outputs in order, rate and length are of its clips.

    Raises ValueError for a file that is no graph, a graph without the named input or output, and
    for another number of labels than the graph has outputs.
    """

    def __init__(
        self,
        path: Path,
        labels: tuple[str, ...],
        input_name: str,
        output_name: str,
        sample_rate_hz: int,
        clip_ms: int,
    ):
        self.labels = labels
        self.sample_rate_hz = sample_rate_hz
        self.clip_samples = sample_rate_hz * clip_ms // 1_000
        graph = _graph(path)
        for name in (input_name, output_name):
            _require_tensor(graph, name, path)
        self._input, self._output = input_name, output_name
        self._session = tf.compat.v1.Session(graph=graph)
        count = self.scores(np.zeros((1, self.clip_samples), np.float32)).shape[1]
        if count != len(labels):
            raise ValueError(
                f"labels: expected {count}, as many as {output_name} of {path} has outputs, "
                f"got {len(labels)}"
            )

    def scores(self, clips: Samples) -> Scores:
        """Return the graph's output for clips, one by one, as 16-bit WAV files hold them."""
        return np.concatenate([self._run(clip) for clip in clips]).astype(np.float32)

    def _run(self, clip: Samples) -> Scores:
        wav = io.BytesIO()
        soundfile.write(wav, to_pcm(clip), self.sample_rate_hz, format="WAV")
        scores: Scores = self._session.run(self._output, {self._input: wav.getvalue()})
        return scores


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
