"""Runs the bench of `window_memory` with windows read whole, by row and by tap."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.control_jobs import JOBS
from tests.rtl.jobs import Job, run

pytestmark = pytest.mark.rtl

TOP, SCENARIOS = "window_memory", 7


@pytest.mark.parametrize("job", JOBS[TOP], ids=str)
def test_every_scenario_passes(tmp_path: Path, job: Job) -> None:
    job.prepare(tmp_path)
    result = run(TOP, tmp_path)
    assert (result.ran, result.failed) == (SCENARIOS, 0), result.excerpt()
