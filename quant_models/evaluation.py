"""What a trained network gets right, and the proof that Keras and the integers agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import keras
import numpy as np
import numpy.typing as npt

from golden.c.engine import Engine, ReferenceEngine, engine_for
from golden.comparison import Comparison, compare
from golden.network import INPUT_NAME, IntegerNetwork
from golden.reference import Inference
from quant_models.checkpoint import Checkpoint
from quant_models.exactness import check_sums
from quant_models.feature_cache import Examples
from quant_models.floor_shift_model import FloorShiftModel
from quant_models.model_size import grid_of
from quant_models.parallel import map_threads

_BATCH = 256


@dataclass(frozen=True)
class Result:
    """How a network did on a set of examples, by its integers.

    `confusion[t][p]` counts examples of label `t` that were taken for label `p`; `comparison` says
    how many values of Keras and `engine` were compared and found equal. `words[word][p]` counts
    examples of a word that were taken for label `p`, where the words are known.
    """

    title: str
    labels: tuple[str, ...]
    engine: str
    confusion: npt.NDArray[np.int64]
    comparison: Comparison
    words: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)

    @property
    def clips(self) -> int:
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Share of examples labelled correctly, 0..1."""
        return float(np.trace(self.confusion) / self.clips)


class Verifier:
    """Runs Keras and the integers side by side and compares every layer.

    The integers are those of `engine`: the reference, and in `evaluate` the compiled C where clips
    are many.

    With `bounded` the caller says that no input makes sums that float32 does not hold exactly;
    without, every clip is checked (`exactness.check_sums`), and `largest_sum` is the largest sum of
    magnitudes in what `compare_all` was given so far.
    """

    def __init__(self, checkpoint: Checkpoint, bounded: bool = False):
        self.network: IntegerNetwork = checkpoint.network()
        self.engine: Engine = ReferenceEngine(self.network)
        self.largest_sum = 0
        self._bounded = bounded
        grid = grid_of(checkpoint.features)
        self._model = FloorShiftModel(checkpoint.size, grid, len(checkpoint.labels))
        self._model.assign_parameters(checkpoint.parameters)

    def compare(
        self, fingerprints: npt.NDArray[np.int8], first_clip: int = 0
    ) -> tuple[Comparison, Inference, int]:
        """Compare all layers of a batch; Mismatch names the first difference.

        Returns the counts, the layers, and the largest sum of magnitudes, 0 if it is bounded.

        Raises ValueError for a sum that float32 does not hold exactly; `first_clip` is what it
        calls the first clip of the batch.
        """
        inference = self.engine.run(fingerprints)
        layers = inference.layers
        largest = 0 if self._bounded else check_sums(self.network, layers, first_clip)
        values = self._model.layer_values(fingerprints, inspect=True)
        found = {INPUT_NAME: fingerprints}
        for node in self.network.nodes:
            shape = (len(fingerprints), *self.network.shapes[node.name])
            found[node.name] = keras.ops.convert_to_numpy(values[node.name]).reshape(shape)
        return compare(layers, found, batched=True), inference, largest

    def compare_all(
        self,
        fingerprints: npt.NDArray[np.int8],
        progress: Callable[[int, int], None] | None = None,
    ) -> tuple[Comparison, npt.NDArray[np.int64]]:
        """Compare all layers of any number of clips; return the counts and the predicted labels."""
        clips = len(fingerprints)

        def part(start: int) -> tuple[Comparison, npt.NDArray[np.int64], int]:
            batch = fingerprints[start : start + _BATCH]
            comparison, inference, largest = self.compare(batch, start)
            return comparison, inference.label_indices, largest

        def on_parts(done: int, total: int) -> None:
            if progress is not None:
                progress(min(done * _BATCH, clips), clips)

        parts = map_threads(part, range(0, clips, _BATCH), on_parts)
        comparisons, predicted, largest = zip(*parts, strict=True)
        self.largest_sum = max(self.largest_sum, *largest)
        return reduce(Comparison.more_clips, comparisons), np.concatenate(predicted)

    def answers(self, fingerprints: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
        """Return the index of the largest logit as Keras computes it; ties go to the lowest."""
        parts = np.split(fingerprints, range(_BATCH, len(fingerprints), _BATCH))
        labels = [keras.ops.argmax(self._model(part), axis=1) for part in parts]
        return np.concatenate([keras.ops.convert_to_numpy(part) for part in labels], dtype=np.int64)

    def evaluate(
        self,
        title: str,
        examples: Examples,
        progress: Callable[[int, int], None] | None = None,
        words: Sequence[str] = (),
    ) -> Result:
        """Return accuracy and confusion on a set of examples, every layer compared on the way.

        `words` are what is said in each example, where that is known.
        """
        self.engine = engine_for(self.network, len(examples))
        comparison, predicted = self.compare_all(examples.fingerprints, progress)
        labels = self.network.labels
        confusion = confusion_matrix(examples.label_indices, predicted, len(labels))
        said = np.array(words)
        by_word = {
            word: np.bincount(predicted[said == word], minlength=len(labels))
            for word in dict.fromkeys(words)
        }
        return Result(title, labels, self.engine.name, confusion, comparison, by_word)


def confusion_matrix(
    true: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], label_count: int
) -> npt.NDArray[np.int64]:
    """Count pairs of labels: rows true, columns predicted.

    >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist()
    [[1, 0], [1, 1]]
    """
    counts = np.zeros((label_count, label_count), np.int64)
    np.add.at(counts, (true, predicted), 1)
    return counts
