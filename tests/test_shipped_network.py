"""The networks under `weights/` are what their files, their checkpoints and the pages say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import quant_test
from dataflow.proof.proven_ranges import ProvenRanges, read_proven_ranges
from dataflow.proof.sum_extremes import SumTask, bound_sum
from dataflow.proof.witness_pool import END_SIGNS, WitnessPool
from dataflow.proof.witness_vectors import witness_cases, witness_text
from dataflow.ranges.intervals import constant_ranges, element_bounds, interval_bounds
from dataflow.ranges.observed import observe
from golden import reference
from golden.c.engine import CompiledEngine
from golden.c.header import weight_header
from golden.c.header_reader import read_header
from golden.comparison import compare
from golden.exports.cases import read_cases
from golden.exports.export import check_export
from golden.exports.text_weights import read_weight_text
from golden.exports.ties import find_ties
from golden.network import IntegerNetwork
from golden.nodes import DepthwiseConvolution
from quant_models.checkpoint import load_checkpoint
from quant_models.dataset import read_test_folder
from quant_models.evaluation import Verifier
from quant_models.feature_cache import FeatureCache
from quant_models.speech_commands import find_clips
from scripts.simulation.c_inference import run_c
from tests.repository import REPOSITORY

VECTORS = REPOSITORY / "golden" / "vectors"
NAMES = sorted(path.parent.name for path in REPOSITORY.glob("weights/*/network.npz"))
# What scripts/bitwidths.py adds to the export of a checkpoint.
FROM_BITWIDTHS = {
    "weights": {"proven_ranges.npz"},
    "vectors": {"witnesses.npz", "witnesses.csv", "ties.npz"},
}
MOST_WEIGHTS = 2_032
LEAST_ACCURACY = 0.945

each_network = pytest.mark.parametrize("name", NAMES)


def test_a_network_is_shipped() -> None:
    assert NAMES


@each_network
def test_every_file_is_what_the_manifest_says(name: str) -> None:
    network = IntegerNetwork.load(REPOSITORY / "weights" / name / "network.npz")
    assert check_export(REPOSITORY / "weights" / name, VECTORS / name) == network.digest


@each_network
def test_every_file_carries_the_same_integers(name: str) -> None:
    folder = REPOSITORY / "weights" / name
    network = IntegerNetwork.load(folder / "network.npz")
    assert load_checkpoint(folder / f"{name}.npz").network().digest == network.digest
    assert read_header(folder / "weight.h").digest == network.digest
    assert weight_header(read_header(folder / "weight.h")) == (folder / "weight.h").read_text()
    assert read_weight_text(folder / "example_weight.txt").digest == network.digest


@each_network
def test_network_keeps_to_the_size_of_the_architecture(name: str) -> None:
    network = IntegerNetwork.load(REPOSITORY / "weights" / name / "network.npz")
    assert sum(node.weights.size for node in network.weighted_nodes) <= MOST_WEIGHTS
    assert network.labels == ("_silence_", "_unknown_", "yes", "no")


@each_network
def test_exporting_again_gives_the_same_bytes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Versions are those of the machine: Python's, and the name of TensorFlow's package.
    evidence = json.loads((REPOSITORY / "weights" / name / "evidence.json").read_text())
    assert evidence["versions"].keys() == {"keras", "numpy", "python", "tensorflow-cpu"}
    monkeypatch.setattr(quant_test, "package_versions", lambda _: evidence["versions"])
    checkpoint = load_checkpoint(REPOSITORY / "weights" / name / f"{name}.npz")
    stored = {f"{name}.npz": checkpoint.to_bytes()}
    folders = tmp_path / "weights", tmp_path / "vectors"
    quant_test.export(checkpoint, Verifier(checkpoint), stored, *folders)
    for made, shipped in (("weights", REPOSITORY / "weights" / name), ("vectors", VECTORS / name)):
        files = {path.name for path in (tmp_path / made).iterdir()}
        assert {path.name for path in shipped.iterdir()} == files | FROM_BITWIDTHS[made]
        for file in sorted(files):
            assert (tmp_path / made / file).read_bytes() == (shipped / file).read_bytes(), file


@each_network
def test_bounds_are_exact_up_to_the_pool_and_at_most_a_bit_apart_behind_it(name: str) -> None:
    for signal, proven in proven_ranges(name).signals.items():
        if signal.startswith(("pw_conv", "fc1")):
            assert proven.spare_bits <= 1, signal
        else:
            assert proven.exact, signal


@each_network
def test_every_width_rests_on_integer_arithmetic_alone(name: str) -> None:
    for signal, proven in proven_ranges(name).signals.items():
        assert (proven.certified.low <= proven.bound.low).all(), signal
        assert (proven.certified.high >= proven.bound.high).all(), signal
        assert proven.certified.bits == proven.bound.bits, signal


@each_network
def test_no_bound_is_wider_than_interval_arithmetic_and_no_clip_leaves_it(name: str) -> None:
    network = IntegerNetwork.load(REPOSITORY / "weights" / name / "network.npz")
    clips = read_cases(VECTORS / name / "cases.npz", network).fingerprints
    bounds, interval = proven_ranges(name).bounds, interval_bounds(network)
    seen = observe(network, bounds, [clips]).ranges  # raises where a clip leaves a bound
    assert seen.keys() == bounds.keys() == interval.keys()
    for signal, bound in bounds.items():
        assert (interval[signal].low <= bound.low).all(), signal
        assert (bound.high <= interval[signal].high).all(), signal


@each_network
def test_every_witness_reaches_what_is_said_of_it(name: str) -> None:
    proven = proven_ranges(name)
    pool = WitnessPool(IntegerNetwork.load(REPOSITORY / "weights" / name / "network.npz"))
    pool.add(proven.fingerprints)
    constants = constant_ranges(pool.network)
    for signal, ends in proven.signals.items():
        if signal not in constants:
            for end in END_SIGNS:
                found, said = pool.reach[signal, end], getattr(ends, end)
                assert found.value.tolist() == said.reached.tolist(), signal


@pytest.mark.parametrize("channel", [8, 32, 35])
@pytest.mark.parametrize(("end", "sign"), [("low", -1), ("high", 1)])
@each_network
def test_the_solver_finds_the_stored_bounds_again(
    name: str, channel: int, end: str, sign: int
) -> None:
    network = IntegerNetwork.load(REPOSITORY / "weights" / name / "network.npz")
    node = network.node("dw_conv")
    assert isinstance(node, DepthwiseConvolution)
    again = bound_sum(SumTask(network, element_bounds(network), node, channel, sign, 0, 0))
    signals = proven_ranges(name).signals
    assert again.final == getattr(signals["dw_conv"], end).bound[channel]
    assert again.partial == getattr(signals["dw_conv.partial_sum"], end).bound[channel]


@each_network
def test_witnesses_among_the_vectors_are_those_of_the_proven_ranges(name: str) -> None:
    network = IntegerNetwork.load(REPOSITORY / "weights" / name / "network.npz")
    proven = proven_ranges(name)
    stored = (VECTORS / name / "witnesses.npz").read_bytes()
    assert stored == witness_cases(network, proven).to_bytes()
    assert (VECTORS / name / "witnesses.csv").read_text() == witness_text(proven)


@each_network
def test_shipped_ties_are_ties_and_their_label_is_the_lowest_index(name: str) -> None:
    network = IntegerNetwork.load(REPOSITORY / "weights" / name / "network.npz")
    ties = read_cases(VECTORS / name / "ties.npz", network)
    assert len(ties.fingerprints) == 64  # of 18,901 fingerprints with at most one number
    logits = reference.run(network, ties.fingerprints).logits.tolist()
    assert logits == ties.logits.tolist()
    tied = [[label for label, logit in enumerate(row) if logit == max(row)] for row in logits]
    assert all(len(labels) > 1 for labels in tied)
    assert [labels[0] for labels in tied] == ties.label_indices.tolist() == ties.answers.tolist()
    assert (VECTORS / name / "ties.npz").read_bytes() == find_ties(network).to_bytes()


def proven_ranges(name: str) -> ProvenRanges:
    folder = REPOSITORY / "weights" / name
    network = IntegerNetwork.load(folder / "network.npz")
    return read_proven_ranges(folder / "proven_ranges.npz", network)


@pytest.mark.data
@each_network
def test_accuracy_on_the_test_set_is_the_one_in_the_readme(name: str, speech_dir: Path) -> None:
    checkpoint = load_checkpoint(REPOSITORY / "weights" / name / f"{name}.npz")
    known, other = read_test_folder(
        find_clips([speech_dir / "speech_commands_test"], 0, 0),
        checkpoint.labels,
        checkpoint.features,
        FeatureCache(None),
    )
    verifier = Verifier(checkpoint)
    result = verifier.evaluate("test set", known)
    assert len(known) + len(other) == verifier.evaluate("others", other).clips + result.clips
    assert result.accuracy >= LEAST_ACCURACY
    assert re.search(
        rf"\*\*{100 * result.accuracy:.2f} %\*\* of {result.clips}",
        (REPOSITORY / "README.md").read_text(),
    )


@pytest.mark.data
@each_network
def test_generated_c_is_the_reference_on_every_clip_of_the_test_set(
    name: str, speech_dir: Path, tmp_path: Path, require_tool: Callable[[str], None]
) -> None:
    """For a microcontroller, under sanitisers, and in lanes."""
    require_tool("cc")
    checkpoint = load_checkpoint(REPOSITORY / "weights" / name / f"{name}.npz")
    folder, cache = speech_dir / "speech_commands_test", FeatureCache(None)
    sets = read_test_folder(
        find_clips([folder], 0, 0), checkpoint.labels, checkpoint.features, cache
    )
    clips = np.concatenate([examples.fingerprints for examples in sets])
    network = checkpoint.network()
    expected = reference.run(network, clips)
    layers = {**expected.layers, "label": expected.label_indices}
    assert compare(layers, run_c(network, clips), batched=True).clips == len(clips) > 2_000
    compiled = CompiledEngine(network, 2, tmp_path)
    compare(expected.layers, compiled.run(clips).layers, batched=True)
    compare({"logits": expected.logits}, {"logits": compiled.logits(clips)}, batched=True)


@pytest.mark.data
@pytest.mark.rtl
@each_network
def test_rtl_is_the_reference_on_every_clip_of_the_test_set(
    name: str, speech_dir: Path, tmp_path: Path, require_tool: Callable[[str], None]
) -> None:
    require_tool("verilator")
    command = [
        *(sys.executable, "scripts/simulate.py", "--output_dir", str(tmp_path)),
        *("--network", f"weights/{name}/network.npz"),
        *("--test_dir", str(speech_dir / "speech_commands_test")),
    ]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["mismatches"] == 0
    assert summary["cycles_per_frame"] == {"predicted": 2_688, "simulated": [2_688]}
    total = f"| {summary['clips']:,} | {summary['values_compared_total']:,} | 0 |"
    assert total in (REPOSITORY / "golden/README.md").read_text()


@each_network
def test_evidence_names_the_network_and_no_mismatch(name: str) -> None:
    evidence = json.loads((REPOSITORY / "weights" / name / "evidence.json").read_text())
    network = IntegerNetwork.load(REPOSITORY / "weights" / name / "network.npz")
    assert evidence["network_digest"] == network.digest
    for rung in evidence["rungs"]:
        assert rung["clips"] >= 1_000
        assert rung["mismatches"] == 0
        assert list(rung["values_compared"]) and set(rung["layers"]) == {
            "fingerprint",
            *(node.name for node in network.nodes),
        }
