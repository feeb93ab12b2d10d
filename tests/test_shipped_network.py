"""The networks under `weights/` are what their files, their checkpoints and the README say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import quant_test
from golden.c_header import read_header, weight_header
from golden.export import check_export
from golden.network import IntegerNetwork
from golden.text_weights import read_weight_text
from quant_models.checkpoint import load_checkpoint
from quant_models.dataset import read_test_folder
from quant_models.evaluation import Verifier
from quant_models.feature_cache import FeatureCache

ROOT = Path(__file__).resolve().parent.parent
VECTORS = ROOT / "golden" / "vectors"
NAMES = sorted(path.parent.name for path in ROOT.glob("weights/*/network.npz"))
MOST_WEIGHTS = 2_032
LEAST_ACCURACY = 0.945

each_network = pytest.mark.parametrize("name", NAMES)


def test_a_network_is_shipped() -> None:
    assert NAMES


@each_network
def test_every_file_is_what_the_manifest_says(name: str) -> None:
    network = IntegerNetwork.load(ROOT / "weights" / name / "network.npz")
    assert check_export(ROOT / "weights" / name, VECTORS / name) == network.digest


@each_network
def test_every_file_carries_the_same_integers(name: str) -> None:
    folder = ROOT / "weights" / name
    network = IntegerNetwork.load(folder / "network.npz")
    assert load_checkpoint(folder / f"{name}.npz").network().digest == network.digest
    assert read_header(folder / "weight.h").digest == network.digest
    assert weight_header(read_header(folder / "weight.h")) == (folder / "weight.h").read_text()
    assert read_weight_text(folder / "example_weight.txt").digest == network.digest


@each_network
def test_network_keeps_to_the_size_of_the_architecture(name: str) -> None:
    network = IntegerNetwork.load(ROOT / "weights" / name / "network.npz")
    assert sum(node.weights.size for node in network.weighted_nodes) <= MOST_WEIGHTS
    assert network.labels == ("_silence_", "_unknown_", "yes", "no")


@each_network
def test_exporting_again_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(ROOT / "weights" / name / f"{name}.npz")
    quant_test.export(checkpoint, Verifier(checkpoint), tmp_path / "weights", tmp_path / "vectors")
    for made, shipped in (("weights", ROOT / "weights" / name), ("vectors", VECTORS / name)):
        files = sorted(path.name for path in (tmp_path / made).iterdir())
        assert files == sorted(path.name for path in shipped.iterdir())
        for file in files:
            assert (tmp_path / made / file).read_bytes() == (shipped / file).read_bytes(), file


@pytest.mark.data
@each_network
def test_accuracy_on_the_test_set_is_the_one_in_the_readme(name: str, speech_dir: Path) -> None:
    checkpoint = load_checkpoint(ROOT / "weights" / name / f"{name}.npz")
    known, other = read_test_folder(
        speech_dir / "speech_commands_test",
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
        (ROOT / "README.md").read_text(),
    )


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
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["mismatches"] == 0
    assert summary["cycles_per_frame"] == {"predicted": 2_688, "simulated": [2_688]}
    total = f"| {summary['clips']:,} | {summary['values_compared_total']:,} | 0 |"
    assert total in (ROOT / "README.md").read_text()


@each_network
def test_evidence_names_the_network_and_no_mismatch(name: str) -> None:
    evidence = json.loads((ROOT / "weights" / name / "evidence.json").read_text())
    network = IntegerNetwork.load(ROOT / "weights" / name / "network.npz")
    assert evidence["network_digest"] == network.digest
    for rung in evidence["rungs"]:
        assert rung["clips"] >= 1_000
        assert rung["mismatches"] == 0
        assert list(rung["values_compared"]) and set(rung["layers"]) == {
            "fingerprint",
            *(node.name for node in network.nodes),
        }
