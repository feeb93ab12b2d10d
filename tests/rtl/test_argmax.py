"""Runs the bench of `argmax` on accelerators of several shapes and parallelisms."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.jobs import JOBS, Job, run

pytestmark = pytest.mark.rtl

TOP, SCENARIOS = "argmax", 17


@pytest.mark.parametrize("job", JOBS[TOP], ids=str)
def test_every_scenario_passes(tmp_path: Path, job: Job) -> None:
    job.prepare(tmp_path)
    result = run(TOP, tmp_path)
    assert (result.ran, result.failed) == (SCENARIOS, 0), result.excerpt()
