"""Instructions of an inference under valgrind: counts that hold, and what is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from golden import reference
from golden.importers.network_inputs import random_inputs
from golden.importers.tflite_file import parse_tflite
from golden.importers.tflite_network import import_tflite
from scripts.benchmarking import instructions
from scripts.benchmarking.instructions import c_instructions, tflite_micro_usage
from scripts.runtimes.packages import MissingRuntimeError
from scripts.runtimes.tflite_micro import expect_tflite_micro
from tests.networks import random_fingerprints, random_network
from tests.tflite_models import converted


@pytest.fixture
def valgrind(require_tool: Callable[[str], None]) -> None:
    require_tool("valgrind")


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_compiled_c_is_counted_within_the_inference_alone(
    compiler: str, valgrind: None, require_tool: Callable[[str], None]
) -> None:
    require_tool(compiler)
    network, clips = random_network(1), random_fingerprints(1, 3)
    found, counted = c_instructions(network, clips, compiler, "-O2")
    assert found["fc1"].tolist() == reference.run(network, clips).logits.tolist()
    assert counted > sum(network.multiplications.values()) / 16  # at least, in vectors
    _, thrice = c_instructions(network, np.concatenate([clips, clips, clips]), compiler, "-O2")
    assert thrice == counted


def test_tflite_micro_is_counted(valgrind: None) -> None:
    try:
        expect_tflite_micro()
    except MissingRuntimeError as error:
        pytest.skip(str(error))
    imported = import_tflite(parse_tflite(converted("wide_dense")))
    found = tflite_micro_usage(imported, random_inputs(imported.network, 2, 0))
    assert found.model_bytes == len(converted("wide_dense"))
    assert found.instructions > sum(imported.network.multiplications.values())
    assert 0 < found.arena_head_bytes < found.arena_bytes


def test_a_function_that_is_not_called_counts_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for said in ("", "==1== Collected : 0\n"):
        log.write_text(said)
        with pytest.raises(ValueError, match=r"^valgrind: expected to count instructions, it cou"):
            instructions._collected(log)


def test_a_runtime_that_ends_early_is_said() -> None:
    with pytest.raises(ValueError, match=r"^TFLite Micro: expected a model that it runs: no room$"):
        instructions._run(["sh", "-c", "echo no room >&2; exit 3"])


def test_missing_valgrind_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"^valgrind: not found, install the Debian packa"):
        instructions.expect_valgrind()
