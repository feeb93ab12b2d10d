"""Runs the bench of the whole accelerator on several shapes and degrees of parallelism."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.jobs import JOBS, Job, run

pytestmark = pytest.mark.rtl

TOP, SCENARIOS = "kws_accelerator", 23


@pytest.mark.parametrize("job", JOBS[TOP], ids=str)
def test_every_scenario_passes(tmp_path: Path, job: Job) -> None:
    job.prepare(tmp_path)
    result = run(TOP, tmp_path)
    assert (result.ran, result.failed) == (SCENARIOS, 0), result.excerpt()
