"""The command that plants mistakes in the RTL: how it judges, what it reports, how it refuses."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import mutate_rtl
from scripts.console.command_line import run_command
from scripts.console.places import REPOSITORY, RTL_FOLDER
from scripts.mutation.bench import JUDGES, Copy, Judgement, Verdict, benches, copies
from scripts.mutation.mutants import make_mutants, read_modules
from scripts.mutation.report import score
from tests.rtl.jobs import JOBS

SURVIVING = Judgement(Verdict.SURVIVING)
KILLED = Judgement(Verdict.KILLED, "tests/test_a.py::test_a")
MODULE = "module m ();\n  assign a = ~b;\n  assign c = d == e;\nendmodule\n"


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one module, which the command mutates instead of rtl_ref/: two mutants."""
    folder = tmp_path / "rtl"
    folder.mkdir()
    (folder / "m.v").write_text(MODULE)
    monkeypatch.setattr(mutate_rtl, "RTL_FOLDER", folder)
    monkeypatch.setattr(mutate_rtl, "EQUIVALENTS", folder / "equivalent_mutants.toml")
    for name in ("require_icarus", "require_tools"):
        monkeypatch.setattr(mutate_rtl, name, lambda: None)
    return folder


def run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, judgements: list[Judgement], *flags: str
) -> int:
    """Run the command with these verdicts and return its exit status."""
    monkeypatch.setattr(mutate_rtl, "_judge", lambda *_: judgements)
    monkeypatch.setattr(sys, "argv", ["mutate_rtl", "--output", f"{tmp_path}/out.json", *flags])
    try:
        run_command(mutate_rtl.main)
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def argue(folder: Path) -> None:
    """Argue that the first mutant of the module is equivalent."""
    (folder / "equivalent_mutants.toml").write_text(
        '[[equivalent]]\nmodule = "m"\noperator = "negation_dropped"\n'
        'before = "assign a = ~b;"\nafter = "assign a = b;"\nwhy = "nobody reads a"\n'
    )


def test_all_killed_is_status_0(
    modules: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hanging = Judgement(Verdict.HANGING)
    assert run(monkeypatch, tmp_path, [KILLED, hanging]) == 0
    assert "100.0%" in capsys.readouterr().out
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["by_module"] == {"m": {"killed": 1, "hanging": 1}}
    assert report["by_operator"] == {
        "comparison_flipped": {"hanging": 1},
        "negation_dropped": {"killed": 1},
    }
    assert report["mutants"][0]["test"] == "tests/test_a.py::test_a"
    assert "+  assign a = b;" in report["mutants"][0]["diff"]


def test_survivor_is_status_1_and_shown(
    modules: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, tmp_path, [SURVIVING, KILLED]) == 1
    shown = capsys.readouterr().out
    assert "survives: m.v:2 negation_dropped\n  - assign a = ~b;\n  + assign a = b;\n" in shown
    assert "50.0%" in shown


def test_survivor_that_is_argued_for_is_status_0(
    modules: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    argue(modules)
    assert run(monkeypatch, tmp_path, [SURVIVING, KILLED]) == 0
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["by_module"] == {"m": {"equivalent": 1, "killed": 1}}
    assert report["mutants"][0]["why"] == "nobody reads a"
    assert "survives" not in capsys.readouterr().out


@pytest.mark.parametrize("verdict", [Verdict.KILLED, Verdict.HANGING, Verdict.STILLBORN])
def test_argument_for_a_mutant_that_dies_is_one_line(
    modules: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    verdict: Verdict,
) -> None:
    argue(modules)
    assert run(monkeypatch, tmp_path, [Judgement(verdict, "test_a"), KILLED]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: m.v:2 negation_dropped - assign a = ~b; + assign a = b;")
    assert message.endswith(f"argued to be equivalent, got {verdict} by test_a\n")


def test_list_shows_every_mutant_and_judges_none(
    modules: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, tmp_path, [], "--list") == 0
    shown = capsys.readouterr().out
    assert "m.v:3 comparison_flipped\n  - assign c = d == e;\n  + assign c = d != e;\n" in shown
    assert shown.endswith("2 mutants\n")
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--limit", "0"), "--limit: expected at least 1, got 0"),
        (("--jobs", "0"), "--jobs: expected at least 1, got 0"),
        (("--modules", "n"), "modules: expected some of m, got n"),
    ],
)
def test_bad_flag_is_one_line(
    modules: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    flags: tuple[str, ...],
    message: str,
) -> None:
    assert run(monkeypatch, tmp_path, [], *flags) == 2
    assert message in capsys.readouterr().err


def test_score_leaves_out_equivalent_and_stillborn_mutants() -> None:
    labels = Counter(killed=2, hanging=1, surviving=1, equivalent=5, stillborn=7)
    assert score(labels) == 0.75
    assert score(Counter(stillborn=1)) is None


TESTS = """
def test_passes(): pass
def test_fails(): assert False, "got 1"
def test_does_not_build(): raise ValueError("m: does not build: m.v:1: syntax error")
def test_hangs():
    import time
    time.sleep(600)
"""


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copy]:
    """A copy of what the process that tests needs, with tests of its own."""
    folder = tmp_path / "copy"
    for package in ("scripts", "golden", "dataflow"):
        (folder / package).parent.mkdir(exist_ok=True)
        (folder / package).symlink_to(REPOSITORY / package)
    (folder / "test_a.py").write_text(TESTS)
    copy = Copy(folder)
    yield copy
    copy.close()


def test_verdict_is_that_of_the_first_test_that_fails(copy: Copy) -> None:
    for names, expected in (
        (["passes"], SURVIVING),
        (["passes", "fails"], Judgement(Verdict.KILLED, "test_a.py::test_fails")),
        (["does_not_build"], Judgement(Verdict.STILLBORN, "test_a.py::test_does_not_build")),
        (["fails", "hangs"], Judgement(Verdict.KILLED, "test_a.py::test_fails")),
    ):
        tests = tuple(f"test_a.py::test_{name}" for name in names)
        assert copy.run(tests, patience_s=600) == expected


def test_tests_that_do_not_end_are_ended(copy: Copy) -> None:
    assert copy.run(("test_a.py::test_hangs",), patience_s=1) == Judgement(Verdict.HANGING)
    assert copy.run(("test_a.py::test_passes",), patience_s=600) == SURVIVING


def test_test_that_does_not_exist_is_an_error(copy: Copy) -> None:
    with pytest.raises(ValueError, match="expected tests that pass or fail, got status 4"):
        copy.run(("test_b.py",), patience_s=600)


def test_bench_is_found_by_name_or_through_the_users_of_a_module() -> None:
    modules = {
        "pointwise_conv": "module pointwise_conv (); half u (); endmodule",
        "half": "module half (); half u (); endmodule",  # recursive
        "alone": "module alone (); endmodule",
    }
    tests = benches("pointwise_conv", modules)
    assert tests and all(test.startswith("tests/rtl/test_pointwise_conv.py::") for test in tests)
    assert benches("half", modules) == tests
    with pytest.raises(ValueError, match=r"alone: expected a bench tests/rtl/test_alone\.py"):
        benches("alone", modules)


@pytest.mark.rtl
def test_real_mutant_is_killed_in_a_copy_and_leaves_nothing_behind() -> None:
    mutants = make_mutants(read_modules(RTL_FOLDER), ["pointwise_conv"])
    (mutant,) = (mutant for mutant in mutants if mutant.operator == "relu_missing")
    tests = benches("pointwise_conv", {})[:1]
    with copies(1) as repository, repository.one() as copy:
        assert copy.judge(mutant, tests, patience_s=600) == Judgement(Verdict.KILLED, tests[0])
        assert read_modules(copy.folder / "rtl_ref") == read_modules(RTL_FOLDER)
        assert copy.run(tests, patience_s=600) == SURVIVING


@pytest.mark.parametrize(
    ("by_bench", "argued", "expected"),
    [
        (SURVIVING, False, Judgement(Verdict.KILLED, "property walk_address")),
        (SURVIVING, True, SURVIVING),
        (KILLED, False, KILLED),
    ],
)
def test_properties_judge_only_survivors_that_nobody_argued_for(
    monkeypatch: pytest.MonkeyPatch,
    copy: Copy,
    by_bench: Judgement,
    argued: bool,
    expected: Judgement,
) -> None:
    by_properties = Judgement(Verdict.KILLED, "property walk_address")
    monkeypatch.setattr(copy, "judge", lambda *_: by_bench)
    monkeypatch.setattr(copy, "judge_by_properties", lambda *_: by_properties)
    mutant = make_mutants({"m": MODULE}, ["m"])[0]
    assert mutate_rtl.judge_one(copy, mutant, (), 1, argued) == expected


@pytest.mark.rtl
@pytest.mark.usefixtures("solver")
def test_property_kills_a_mutant_and_leaves_the_original_alive() -> None:
    mutants = make_mutants(read_modules(RTL_FOLDER), ["kernel_weights"])
    after = "assign last_channel_o = address_q != LAST_ADDRESS;"
    (mutant,) = (mutant for mutant in mutants if mutant.after == after)
    with copies(1) as repository, repository.one() as copy:
        killed = Judgement(Verdict.KILLED, "property walk_last")
        assert copy.judge_by_properties(mutant) == killed
        assert copy.prove("kernel_weights") == SURVIVING
        assert copy.prove("kernel_weights", patience_s=0.01) == SURVIVING
        assert copy.prove("adder_tree") == SURVIVING  # it carries none
        (copy.folder / "scripts/prove.py").write_text("1 / 0\n")
        with pytest.raises(ValueError, match=r"kernel_weights: expected proofs, got Traceback"):
            copy.prove("kernel_weights")


def test_every_test_that_judges_exists() -> None:
    names = {job.name for job in JOBS["pointwise_conv"]}
    judging = [test.partition("[")[2].rstrip("]") for test in JUDGES["pointwise_conv"]]
    assert set(judging) <= names
