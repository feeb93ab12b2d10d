"""Peers in processes of their own: exact where they are told to be, and heard where they fail."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from golden import reference
from scripts.benchmarking import peers
from scripts.benchmarking.hls4ml_formats import hls4ml_formats
from scripts.benchmarking.peers import PeerError, da4ml, hls4ml, version_of
from scripts.benchmarking.side_by_side import Contest, PeerSettings, start_peers
from scripts.benchmarking.topologies import float_twin
from tests.graphs import random_graph
from tests.networks import random_fingerprints, random_network
from tests.repository import REPOSITORY

PACKAGES = REPOSITORY / "work" / "peers"
installed = pytest.mark.skipif(
    not PACKAGES.is_dir(), reason="hls4ml and da4ml are not installed (make peers)"
)
LIMIT_S = 300.0


@installed
def test_da4ml_is_exact_and_computes_as_often_as_it_is_asked_to() -> None:
    network, clips = random_network(3), random_fingerprints(3, 20)
    with da4ml(network, clips, PACKAGES, LIMIT_S) as peer:
        for _ in range(3):
            peer.participant.run()
    logits = reference.run(network, clips).logits
    assert peer.equal_to(logits) == 20
    assert peer.equal_to(logits + (np.arange(20) < 5)[:, np.newaxis]) == 15
    assert peer.participant.name == "da4ml 0.6.0"


@installed
def test_hls4ml_is_exact_in_the_formats_of_the_network() -> None:
    network, clips = random_network(4), random_fingerprints(4, 20)
    with hls4ml(float_twin(network), hls4ml_formats(network), clips, PACKAGES, LIMIT_S) as peer:
        peer.participant.run()
    assert peer.equal_to(reference.run(network, clips).logits) == 20


@installed
def test_what_a_peer_cannot_run_is_said_in_one_line() -> None:
    network = random_graph(0, nodes=14)
    clips = np.zeros((2, *network.input_shape), np.int8)
    with (
        pytest.raises(
            PeerError, match=r"^ValueError: .* a node of a floor-shift network, got \w+$"
        ),
        da4ml(network, clips, PACKAGES, LIMIT_S),
    ):
        pass


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages, and in it a process of da4ml that a test writes."""
    (tmp_path / "da4ml-9.dist-info").mkdir()
    (tmp_path / "da4ml-9.dist-info" / "METADATA").write_text("Name: da4ml\nVersion: 9\n")
    monkeypatch.setattr(peers, "_HERE", tmp_path)
    yield tmp_path


@pytest.mark.parametrize(
    ("process", "error"),
    [
        ("import nothing", "ended early: ModuleNotFoundError: No module named 'nothing'"),
        ("", "ended early: no message"),
        ("import time; time.sleep(60)", "not ready within 1 s"),
        (
            "from scripts.benchmarking.peer_process import serve\n"
            "def prepare(folder, inputs):\n"
            "    print('as it likes')\n"
            "    raise OverflowError('too\\nlarge')\n"
            "serve(prepare)",
            "OverflowError: too large",
        ),
    ],
)  # fmt: skip
def test_a_peer_that_fails_is_heard(fake: Path, process: str, error: str) -> None:
    (fake / "da4ml_process.py").write_text(process)
    start = time.monotonic()
    with (
        pytest.raises(PeerError) as raised,
        da4ml(
            random_network(0), random_fingerprints(0, 2), fake, 1.0 if "sleep" in process else 60.0
        ),
    ):
        pass
    assert str(raised.value) == error
    assert time.monotonic() - start < 50


def test_a_peer_that_dies_in_a_round_is_an_error(fake: Path) -> None:
    (fake / "da4ml_process.py").write_text(
        "import numpy as np\n"
        "from scripts.benchmarking.peer_process import serve\n"
        "calls = []\n"
        "def predict():\n"
        "    calls.append(1)\n"
        "    if len(calls) == 3:\n"
        "        raise MemoryError('no room')\n"
        "    return np.zeros((2, 4))\n"
        "serve(lambda folder, inputs: predict)"
    )
    with da4ml(random_network(0), random_fingerprints(0, 2), fake, 60.0) as peer:
        peer.participant.run()
        with pytest.raises(PeerError, match=r"^ended early: MemoryError: no room$"):
            peer.participant.run()


def test_what_is_not_installed_is_said_with_the_remedy(tmp_path: Path) -> None:
    contest = Contest(random_network(0), random_fingerprints(0, 3), None, b"", None)
    assert version_of("hls4ml", tmp_path) is None
    with contextlib.ExitStack() as running:
        ready, results = start_peers(contest, 3, PeerSettings(tmp_path, LIMIT_S), running)
    assert ready == []
    assert [result.sentence for result in results] == [
        f"{name} does not take part: not installed in {tmp_path} (make peers)"
        for name in ("hls4ml", "da4ml")
    ]
