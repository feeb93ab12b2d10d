"""The command that draws the accelerator, and the pictures that are shipped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dataflow.hardware.accelerator import (
    FAST,
    SMALL,
    Accelerator,
    accelerator_of,
    parse_configuration,
)
from dataflow.proof.range_store import PROVEN, choose_ranges
from golden.network import IntegerNetwork
from scripts.draw_accelerator import draw
from tests.networks import random_network
from tests.repository import REPOSITORY

NAMES = ["block_diagram.svg", "channel_timing.svg", "utilisation.svg"]


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/draw_accelerator.py", *flags]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "tiny/network.npz"
    random_network(1, filters=3, outputs=4).save(path)
    return path


def test_shipped_pictures_are_those_of_the_shipped_network() -> None:
    (path,) = REPOSITORY.glob("weights/*/network.npz")
    network = IntegerNetwork.load(path)
    chosen = choose_ranges(path, network, PROVEN)
    pictures = draw(accelerator_of(network, chosen, "fast"))
    for name, content in pictures.items():
        assert (REPOSITORY / "rtl_ref" / name).read_bytes() == content, (
            f"rtl_ref/{name}: run scripts/draw_accelerator.py --network {path.parent.name}"
        )


def test_writes_three_pictures_and_says_where(network: Path, tmp_path: Path) -> None:
    output = tmp_path / "pictures"
    result = run("--network", str(network), "--config", "small", "--output_dir", str(output))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == (
        "Widths: interval bounds, nothing proven yet (scripts/bitwidths.py)\n"
        f"Written to {output}: {', '.join(NAMES)}\n"
    )
    assert sorted(path.name for path in output.iterdir()) == NAMES
    assert "configuration small" in (output / "block_diagram.svg").read_text()
    assert draw(Accelerator(IntegerNetwork.load(network), SMALL)) == {
        name: (output / name).read_bytes() for name in NAMES
    }


def test_configuration_changes_the_first_two_pictures_alone(network: Path) -> None:
    loaded = IntegerNetwork.load(network)
    mixed = draw(Accelerator(loaded, parse_configuration("conv_1=window,dw_conv=row")))
    fast = draw(Accelerator(loaded, FAST))
    assert [name for name in NAMES if fast[name] != mixed[name]] == NAMES[:2]


def test_unknown_configuration_is_one_line(network: Path, tmp_path: Path) -> None:
    output = tmp_path / "pictures"
    result = run("--network", str(network), "--config", "huge", "--output_dir", str(output))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "error: configuration: expected one of small, balanced, fast, or conv_1=...,dw_conv=... "
        "with tap, row or window for each, got 'huge'\n"
    )
    assert not output.exists()
