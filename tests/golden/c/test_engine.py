"""The fast engine: the reference in every layer, on every processor, its library kept."""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hypothesis
import numpy as np
import numpy.typing as npt
import pytest

from golden import reference
from golden.c import engine
from golden.c.engine import CompiledEngine, ReferenceEngine, engine_for
from golden.comparison import Mismatch, compare
from golden.network import IntegerNetwork
from tests.graphs import graphs_with_inputs, random_graph, random_inputs
from tests.networks import random_fingerprints, random_network

NATIVE = ("-march=native",)
TARGETS = [NATIVE, ("-march=native", "-DKWS_PLAIN")]
if platform.machine() == "x86_64":
    TARGETS += [("-march=x86-64",), ("-march=x86-64-v3",)]


@pytest.fixture
def cache(tmp_path: Path, require_tool: Callable[[str], None]) -> Path:
    require_tool("cc")
    return tmp_path / "engines"


def expect_reference(
    network: IntegerNetwork, inputs: npt.NDArray[np.int8], cache: Path, target: tuple[str, ...]
) -> None:
    compiled = CompiledEngine(network, 2, cache, target)
    expected, found = reference.run(network, inputs), compiled.run(inputs)
    compare(expected.layers, found.layers, batched=True)
    compare({"logits": expected.logits}, {"logits": compiled.logits(inputs)}, batched=True)
    assert all(layer.dtype == np.int64 for layer in found.layers.values())
    assert found.label_indices.tolist() == expected.label_indices.tolist()


@hypothesis.settings(
    max_examples=15, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(graphs_with_inputs(most_inputs=20))
def test_any_graph_is_the_reference(
    cache: Path, case: tuple[IntegerNetwork, npt.NDArray[np.int8]]
) -> None:
    expect_reference(*case, cache, NATIVE)


@pytest.mark.parametrize("target", TARGETS, ids=" ".join)
@pytest.mark.parametrize("seed", range(3))
def test_other_processors_compute_the_same(target: tuple[str, ...], seed: int, cache: Path) -> None:
    """More nodes each, so that the three have every kind."""
    if "x86-64-v3" in target[0] and "avx2" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("this processor has no AVX2")
    network = random_graph(seed, nodes=14)
    expect_reference(network, random_inputs(seed, 5, network), cache, target)


@pytest.mark.parametrize("count", [1, 15, 16, 17, 128, 300])
def test_any_number_of_inputs_on_two_threads(count: int, cache: Path) -> None:
    network = random_network(2)
    fingerprints = random_fingerprints(count, count, extremes=count == 17)
    shared = cache.parent.parent / "engines of any number"  # one compilation for all
    expect_reference(network, fingerprints, shared, NATIVE)


def test_threads_may_ask_for_layers_at_the_same_time(cache: Path) -> None:
    network = random_network(2)
    inputs = [random_fingerprints(seed, 64) for seed in range(4)]
    expected = [reference.run(network, part) for part in inputs]
    compiled = CompiledEngine(network, 1, cache)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(compiled.run, inputs * 25))
    for one, other in zip(expected * 25, found, strict=True):
        compare(one.layers, other.layers, batched=True)


def test_no_inputs_have_no_logits(cache: Path) -> None:
    compiled = CompiledEngine(random_network(2), 2, cache)
    assert compiled.logits(random_fingerprints(0, 0)).shape == (0, 4)
    assert compiled.run(random_fingerprints(0, 0)).layers["conv_1"].shape == (0, 14, 4, 48)


@pytest.mark.parametrize(("low", "high"), [(-(2**31), -(2**31) + 9), (2**31 - 9, 2**31 - 1)])
def test_sums_beyond_32_bits_have_64(low: int, high: int, cache: Path) -> None:
    network = random_network(3, biases=(low, high), weights=(-32, 31))
    assert network.magnitudes["fc1"] > 2**31
    expect_reference(network, random_fingerprints(3, 20, extremes=True), cache, NATIVE)


def test_a_library_is_compiled_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = random_network(4)
    first = CompiledEngine(network, 1, cache).logits(random_fingerprints(1, 3))
    (library,) = cache.iterdir()
    made = library.stat().st_mtime_ns
    again = CompiledEngine(network, 1, cache).logits(random_fingerprints(1, 3))
    assert again.tolist() == first.tolist()
    assert library.stat().st_mtime_ns == made
    CompiledEngine(random_network(5), 1, cache)
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("what", ["cut", "of another network", "of another processor"])
def test_a_library_of_something_else_is_made_anew(what: str, cache: Path) -> None:
    network, clips = random_network(4), random_fingerprints(1, 3)
    CompiledEngine(network, 1, cache)
    (library,) = cache.iterdir()
    if what == "cut":
        content = library.read_bytes()
        library.unlink()  # it is mapped
        library.write_bytes(content[: len(content) // 2])
    else:
        other = network if what == "of another processor" else random_network(5)
        target = ("-march=native", *(["-DKWS_PLAIN"] if other is network else []))
        CompiledEngine(other, 1, cache.parent / "other", target)
        (wrong,) = (cache.parent / "other").iterdir()
        library.unlink()
        shutil.copy(wrong, library)
    expect_reference(network, clips, cache, NATIVE)


def test_without_a_compiler_the_reference_computes_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(engine, "CACHE", tmp_path)
    said: list[str] = []
    network, clips = random_network(1), random_fingerprints(1, 2)
    few = engine_for(network, 3, said.append)
    assert isinstance(few, ReferenceEngine)
    assert not said
    found = engine_for(network, 10**6, said.append)
    assert isinstance(found, ReferenceEngine)
    assert found.logits(clips).tolist() == reference.run(network, clips).logits.tolist()
    assert said == [
        "cc: not found, install the Debian packages gcc and libc6-dev; "
        "the NumPy reference computes instead, many times slower"
    ]


def test_a_cache_that_cannot_be_written_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, require_tool: Callable[[str], None]
) -> None:
    require_tool("cc")
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(engine, "CACHE", tmp_path / "file" / "engines")
    said: list[str] = []
    assert isinstance(engine_for(random_network(1), 10**6, said.append), ReferenceEngine)
    assert re.fullmatch(r".*Not a directory: .*engines'; the NumPy reference computes .*", *said)


def test_many_inputs_are_worth_compiling(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "CACHE", cache)
    network = random_network(1)
    assert isinstance(engine_for(network, 1_000), ReferenceEngine)
    assert isinstance(engine_for(network, 100_000), CompiledEngine)


def test_what_a_failing_compiler_says_is_shown(
    monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    network = random_network(1)
    broken = engine.network_source(network).replace("return value;", "return volume;")
    monkeypatch.setattr(engine, "network_source", lambda network: broken)
    message = r"^cc: failed: network\.c:\d+:\d+: error: .volume. undeclared"
    with pytest.raises(ValueError, match=message):
        CompiledEngine(network, 1, cache)
    assert list(cache.iterdir()) == []


def test_a_fault_in_the_generated_code_is_seen(
    monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    network = random_network(1)
    wrong = engine.network_source(network).replace("NO_POOL, 0 DOWNS", "NO_POOL, 1 DOWNS", 1)
    monkeypatch.setattr(engine, "network_source", lambda network: wrong)
    with pytest.raises(Mismatch, match=r"^conv_1_relu: first difference at clip 0"):
        expect_reference(network, random_fingerprints(1, 2), cache, NATIVE)


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        (
            np.full((1, 30, 10), 32, np.int8),
            r"^fingerprints: expected integers in -32\.\.31, got 32",
        ),
        (np.zeros((1, 30, 9), np.int8), r"^fingerprints: expected shape \('N', 30, 10\), got"),
    ],
)
def test_inputs_that_the_network_does_not_take_are_refused(
    clips: npt.NDArray[np.int8], message: str, cache: Path
) -> None:
    compiled = CompiledEngine(random_network(1), 1, cache)
    for compute in (compiled.run, compiled.logits):
        with pytest.raises(ValueError, match=message):
            compute(clips)
