"""hls4ml as a peer: `model.keras`, in the formats of `formats.json`, in its C++ emulation."""

from __future__ import annotations

import json
from pathlib import Path

import hls4ml
import keras
import numpy as np

from scripts.benchmarking.peer_process import Inputs, Predict, serve

_BACKEND = "Vitis"


def prepare(folder: Path, inputs: Inputs) -> Predict:
    model = keras.models.load_model(folder / "model.keras")
    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend=_BACKEND)
    for layer, formats in json.loads((folder / "formats.json").read_text()).items():
        config["LayerName"][layer]["Precision"].update(formats)
    converted = hls4ml.converters.convert_from_keras_model(
        model,
        hls_config=config,
        output_dir=str(folder / "project"),
        backend=_BACKEND,
        io_type="io_stream",
    )
    converted.compile()
    real = np.ascontiguousarray(inputs.reshape(len(inputs), *model.input_shape[1:]), np.float32)
    return lambda: converted.predict(real)


if __name__ == "__main__":
    serve(prepare)
