"""Published networks: every tensor equal to the runtimes', imported and exported in seconds."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from golden.importers.tflite_file import read_tflite
from golden.importers.tflite_network import ImportedNetwork, import_tflite
from golden.nodes import Convolution, DepthwiseConvolution, FullyConnected
from scripts import import_tflite as command
from scripts.console.command_line import run_command
from tests.tflite_oracles import compare, each_oracle

pytestmark = pytest.mark.data

WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
LABELS = {
    "keyword_spotting": (*WORDS, "unknown", "_background_noise_"),
    "keyword_spotting_alexa": ("alexa", "_unknown_"),
}
SHAPES = {"keyword_spotting": (50, 10), "keyword_spotting_alexa": (118, 1, 108)}
MULTIPLICATIONS = {"keyword_spotting": 2_656_768, "keyword_spotting_alexa": 4_562_000}
SECONDS = 10  # for import, checks and report on 20 inputs

each_model = pytest.mark.parametrize("name", LABELS)


def imported(models_dir: Path, name: str) -> ImportedNetwork:
    return import_tflite(read_tflite(models_dir / f"{name}.tflite"))


@each_oracle
@each_model
def test_every_tensor_is_equal(models_dir: Path, name: str, rounding: str) -> None:
    compared = compare((models_dir / f"{name}.tflite").read_bytes(), rounding)
    assert compared.total > 1_000_000


@each_model
def test_labels_and_input_are_those_of_its_makers(models_dir: Path, name: str) -> None:
    network = imported(models_dir, name).network
    assert network.labels == LABELS[name]
    assert network.input_shape == SHAPES[name]


@each_model
def test_multiplications_are_as_many_as_published(models_dir: Path, name: str) -> None:
    network = imported(models_dir, name).network
    total = 0
    for node in network.weighted_nodes:
        places = network.shapes[node.name][:-1]
        uses = places[0] * places[1] if isinstance(node, Convolution | DepthwiseConvolution) else 1
        total += node.weights.size * uses
        assert isinstance(node, Convolution | DepthwiseConvolution | FullyConnected)
    assert total == pytest.approx(MULTIPLICATIONS[name], rel=0.001)


@each_model
def test_import_and_checks_take_seconds(
    models_dir: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = [str(models_dir / f"{name}.tflite"), "--output_dir", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["import_tflite.py", *flags])
    start = time.process_time()
    run_command(command.main)
    assert time.process_time() - start < SECONDS
    assert (tmp_path / "bit_widths.json").exists()
