"""What every command shares: one line for what goes wrong, and the exit statuses."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from golden.comparison import Mismatch
from scripts.console.command_line import Parser, comma_separated, require_exclusive, run_command
from tests.repository import REPOSITORY


def fails_with(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        print("so far")
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("seed: expected 0 or more, got -1"), "seed: expected 0 or more, got -1"),
        (TypeError("shift: expected int"), "shift: expected int"),
        (ValueError("two\nlines  and\tmore\n"), "two lines and more"),
        (ValueError(), "ValueError"),
        (FileNotFoundError("a: expected a folder"), "a: expected a folder"),
        (OSError(errno.ENOSPC, "No space left on device", "out/a.npz"),
         "out/a.npz: no space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "out"), "out: permission denied"),
        (OSError("the line is cut"), "the line is cut"),
    ],
)  # fmt: skip
def test_bad_input_and_failing_files_are_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], error: Exception, line: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        run_command(fails_with(error))
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("so far\n", f"error: {line}\n")


def test_a_value_that_differs_between_rungs_is_one_line_and_status_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        run_command(fails_with(Mismatch("fc1: first difference at\nclip 0: expected 1, got 2")))
    assert caught.value.code == 1
    line = "MISMATCH: fc1: first difference at clip 0: expected 1, got 2\n"
    assert capsys.readouterr() == ("so far\n", line)


def test_an_interrupt_is_status_130(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run_command(fails_with(KeyboardInterrupt()))
    assert caught.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    for error in (AssertionError("impossible"), KeyError("name"), RuntimeError("broken")):
        with pytest.raises(type(error)):
            run_command(fails_with(error))


def test_success_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    run_command(lambda: None)
    assert capsys.readouterr() == ("", "")


def test_a_reading_file_that_is_missing_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit):
        run_command(lambda: print((tmp_path / "a.txt").read_text()))
    assert capsys.readouterr().err == f"error: {tmp_path}/a.txt: no such file or directory\n"


def test_a_wrong_flag_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser("What it does.", "python command.py --count 3")
    parser.add_argument("--count", type=int)
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(["--count", "three"])
    assert caught.value.code == 2
    expected = "error: argument --count: invalid int value: 'three' (--help lists the flags)\n"
    assert capsys.readouterr() == ("", expected)


def test_help_has_defaults_and_the_example_as_typed(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser("What it does.\n\n  - kept as it is", "python command.py \\\n    --count 3")
    parser.add_argument("--count", type=int, default=7, help="how many")
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "how many (default: 7)" in text
    assert "What it does.\n\n  - kept as it is" in text
    assert text.endswith("example:\n  python command.py \\\n    --count 3\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("yes,no", ("yes", "no")),
        (" yes , no ", ("yes", "no")),
        ("yes", ("yes",)),
        ("yes,,", ("yes",)),
        ("", ()),
    ],
)
def test_words_are_separated_by_commas(text: str, words: tuple[str, ...]) -> None:
    assert comma_separated(text) == words


def test_flags_that_exclude_each_other_are_refused() -> None:
    require_exclusive([("--a", False), ("--b", True), ("--c", False)])
    require_exclusive([("--a", False)])
    with pytest.raises(ValueError, match=r"^flags: expected only one of --a, --c, got 2$"):
        require_exclusive([("--a", True), ("--b", False), ("--c", True)])


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    statement = "from scripts.console.command_line import run_command as run"
    lines = f"{statement}; run(lambda: print('x\\n' * 10**6))"
    command = [sys.executable, "-c", lines]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == b"x\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_names_that_a_terminal_does_not_know_are_spelled_out(encoding: str) -> None:
    script = (
        "from scripts.console.command_line import run_command\n"
        "from scripts.console.progress import say\n"
        "def main():\n"
        "    say('caf\\u00e9 \\u2026 \\udcff.wav')\n"
        "    raise ValueError('\\udcff.wav: not sound')\n"
        "run_command(main)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == b"error: \\udcff.wav: not sound\n"
    expected = {
        "ascii": b"caf\\xe9 \\u2026 \\udcff.wav\n",
        "latin-1": b"caf\xe9 \\u2026 \\udcff.wav\n",
        "utf-8": "café … \\udcff.wav\n".encode(),
    }
    assert done.stdout == expected[encoding]


def test_words_are_taken_in_the_composed_form() -> None:
    assert comma_separated("cafe\N{COMBINING ACUTE ACCENT}, no") == ("café", "no")
