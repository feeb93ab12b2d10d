"""Quantisation after training: a float model as 8-bit integers, by way of TensorFlow Lite."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from golden.importers.tflite_file import parse_tflite
from golden.importers.tflite_network import import_tflite
from golden.network import IntegerNetwork
from golden.requantisation import quantise
from quant_models.checkpoint import Checkpoint
from quant_models.exchange_formats import int8_tflite
from quant_models.model_labeller import float_model
from quant_models.model_size import require_integer_form


def int8_network(checkpoint: Checkpoint) -> IntegerNetwork:
    """Return the integers that `freeze.py --format tflite --int8` writes, as they are imported.

    Ranges are those on the checkpoint's own fingerprints; it rounds as TFLite Micro does.

    Raises ValueError, saying why, for an architecture that integers do not compute.
    """
    require_integer_form(checkpoint.size.architecture)
    model = parse_tflite(int8_tflite(float_model(checkpoint), checkpoint.cases))
    return import_tflite(model, checkpoint.labels).network


def quantised_inputs(
    network: IntegerNetwork, fingerprints: npt.NDArray[np.int8]
) -> npt.NDArray[np.int8]:
    """Return fingerprints as an imported network takes them, by the scale of its input."""
    form = network.input_format
    if form.scale is None:
        raise ValueError("network: expected one with a scale of its input, got none")
    values = fingerprints.astype(np.float32)
    return quantise(values, form.scale, form.zero_point, form.low, form.high).astype(np.int8)
