"""Our reference beside the runtimes of TensorFlow Lite, which are optional outside of CI."""

from __future__ import annotations

import platform

import pytest

from golden.comparison import Comparison
from golden.importers.network_inputs import random_inputs
from golden.importers.tflite_file import parse_tflite
from golden.importers.tflite_network import import_tflite
from scripts.runtimes.oracles import ORACLES, compare_with_oracle
from scripts.runtimes.packages import MissingRuntimeError
from tests.conftest import IN_CI

HAS_WHEELS = platform.machine() == "x86_64"  # TFLite Micro has none for others

each_oracle = pytest.mark.parametrize("rounding", ORACLES)


def compare(
    content: bytes, rounding: str, count: int = 20, arithmetic: str | None = None
) -> Comparison:
    """Compare every tensor of random inputs with the runtime that a rule follows.

    `arithmetic` is the rule by which our reference computes, if it is another one.
    """
    imported = import_tflite(parse_tflite(content), rounding=arithmetic or rounding)
    inputs = random_inputs(imported.network, count, 1)
    try:
        return compare_with_oracle(imported, inputs, rounding).comparison
    except MissingRuntimeError as error:
        if IN_CI and HAS_WHEELS:
            pytest.fail(str(error))
        pytest.skip(str(error))
