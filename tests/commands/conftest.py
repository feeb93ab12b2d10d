"""What the tests of the commands share: a folder of tones, and one network trained on it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.console.command_line import run_command
from tests.repository import REPOSITORY
from tests.speech_folder import make_speech_folder

TRAINING_FLAGS = (
    "--model_size_info 2 48 4 4 2 2 16 3 3 1 1 --batch_size 50 --augmented_examples 1500 "
    "--averaging 0.9 --eval_step_interval 100 --coloration 0.5 --seed 1"
)


@dataclass(frozen=True)
class Trained:
    """What `train.py` left in `folder`, the folder it ran in, and what it printed."""

    folder: Path
    data_dir: Path

    @property
    def best(self) -> list[Path]:
        return sorted((self.folder / "work/DS_CNN/training/best").iterdir())

    @property
    def checkpoint(self) -> Path:
        return self.best[0]

    def printed(self, stream: str) -> str:
        return (self.folder / stream).read_text()


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A network that `train.py` trained for 200 steps, once for all workers of the session."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "trained"
    with shared.with_name("trained.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = Trained(shared, shared / "tones")
        if not shared.exists():
            make_speech_folder(result.data_dir)
            flags = ["--learning_rate", "0.004,0.001", "--how_many_training_steps", "150,50"]
            done = run_script(
                shared,
                "train.py",
                "--data_dir",
                str(result.data_dir),
                *TRAINING_FLAGS.split(),
                *flags,
            )
            (shared / "stdout").write_text(done.stdout)
            (shared / "stderr").write_text(done.stderr)
            (shared / "returncode").write_text(str(done.returncode))
    assert result.printed("returncode") == "0", result.printed("stderr")
    return result


def run_script(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the repository in `folder`."""
    arguments = [sys.executable, str(REPOSITORY / command[0]), *command[1:]]
    return subprocess.run(
        arguments, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )


def environment() -> dict[str, str]:
    """The environment as a user has it: without what the tests set to keep TensorFlow quiet."""
    ours = ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND")
    return {name: value for name, value in os.environ.items() if name not in ours}


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run `main` with flags in an empty folder; return the one line it is refused with.

    There is no traceback, and nothing was written to the folder. The exit status is 2, or 1 for a
    mismatch.
    """
    folder = tmp_path / "empty folder"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(main: Callable[[], None], *flags: object, status: int = 2) -> str:
        monkeypatch.setattr(sys, "argv", ["command.py", *map(str, flags)])
        with pytest.raises(SystemExit) as caught:
            run_command(main)
        assert caught.value.code == status
        error = capsys.readouterr().err
        what = {1: "MISMATCH: ", 2: "error: "}[status]
        assert error.startswith(what) and error.endswith("\n")
        assert error.count("\n") == 1, error
        assert list(folder.rglob("*")) == []
        return error.removeprefix(what).removesuffix("\n")

    return run
