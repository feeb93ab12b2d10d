"""The benchmark's arithmetic and flags; it is no test of speed."""

from __future__ import annotations

import sys

import pytest

from scripts import benchmark
from scripts.benchmarking.rounds import Speed
from scripts.benchmarking.side_by_side import SideBySide
from scripts.console.command_line import run_command


def test_the_ratio_is_that_of_one_thread_to_the_better_batch_within_each_round() -> None:
    speeds = [
        Speed("NumPy reference", "NumPy's", (1.0, 1.0, 1.0)),
        Speed("engine", "1", (10.0, 60.0, 30.0)),
        Speed("engine", "2", (1_000.0, 1_000.0, 1_000.0)),
        Speed("LiteRT, batch 1", "1", (9.0, 1.0, 1.0)),
        Speed("LiteRT, batch 16", "1", (5.0, 10.0, 10.0)),
    ]
    assert SideBySide(speeds, []).engine_ratio == 3.0


def test_machine_names_what_was_measured_with() -> None:
    machine = benchmark.machine()
    assert machine["processor"] and machine["cores"]
    assert {"numpy", "keras", "ai-edge-litert"} <= set(machine["versions"])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--runs", "0"], "error: runs: expected 1 or more, got 0\n"),
        (["--peer_seconds", "0"], "error: peer_seconds: expected more than 0, got 0\n"),
        ([], "error: none.npz: "),
    ],
)
def test_bad_input_is_one_line(
    flags: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "--checkpoint", "none.npz", *flags])
    with pytest.raises(SystemExit) as ended:
        run_command(benchmark.main)
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith(message) and said.count("\n") == 1
