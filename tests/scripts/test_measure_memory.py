"""How memory grows with the data set: the folder that is made, the figures, and bad flags."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from quant_models.speech_commands import PARTITIONS, find_clips
from scripts.console.command_line import run_command
from scripts.measure_memory import LEAST_CLIPS, WORDS, main, make_data_set, peak_mib
from tests.checkpoints import random_checkpoint
from tests.repository import REPOSITORY


def test_the_data_set_has_so_many_clips_of_every_word_in_every_partition(tmp_path: Path) -> None:
    clips = find_clips([make_data_set(tmp_path / "speech", LEAST_CLIPS)], 10, 10).clips
    assert len(clips) == LEAST_CLIPS
    found = {(clip.word, clip.partition) for clip in clips}
    assert found == {(word, partition) for word in WORDS for partition in PARTITIONS}


def test_the_peak_is_that_of_the_command(tmp_path: Path) -> None:
    (tmp_path / "hold.py").write_text("import sys\nheld = b'1' * (int(sys.argv[2]) * 2**20)\n")
    code = f"""
from pathlib import Path
from scripts.measure_memory import peak_mib
folder = Path({str(tmp_path)!r})
print(*(peak_mib(str(folder / "hold.py"), {{"mib": mib}}, folder) for mib in (0, 500)))
"""  # in a process that is small itself
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    little, much = map(float, found.stdout.split())
    assert little < 400 and 500 < much < 600


def test_a_command_that_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^train\.py: expected to succeed, got: error: .*nowhere"):
        peak_mib("train.py", {"data_dir": tmp_path / "nowhere"}, tmp_path)


def test_both_commands_are_measured_and_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = random_checkpoint().save(tmp_path)
    output = tmp_path / "figures" / "memory.json"
    flags = ["--checkpoint", str(checkpoint), "--clips", str(LEAST_CLIPS)]
    flags += ["--augmented_examples", "100", "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["measure_memory.py", *flags])
    run_command(main)
    peaks = json.loads(output.read_text())["peaks"]
    assert [(peak["command"], peak["clips"]) for peak in peaks] == [
        ("train.py", LEAST_CLIPS),
        ("quant_test.py", LEAST_CLIPS),
    ]
    assert all(100 < peak["peak_mib"] < 4_096 for peak in peaks)
    assert output.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert f"{LEAST_CLIPS}" in capsys.readouterr().out


def test_fewer_clips_than_every_partition_needs_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = str(LEAST_CLIPS - 1)
    monkeypatch.setattr(
        sys, "argv", ["measure_memory.py", "--checkpoint", "a.npz", "--clips", "5000", few]
    )
    with pytest.raises(SystemExit) as caught:
        run_command(main)
    assert caught.value.code == 2
    assert capsys.readouterr().err == f"error: clips: expected {LEAST_CLIPS} or more, got {few}\n"
