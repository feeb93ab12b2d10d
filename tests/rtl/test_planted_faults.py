"""Faults written by hand turn the bench of their module red, each in the scenario that is for it.

The scenarios pass without a fault: the tests of the modules run them on the same jobs.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.planted_faults import plant_all
from tests.rtl import control_jobs, jobs
from tests.rtl.faults import FAULTS
from tests.rtl.jobs import run

pytestmark = pytest.mark.rtl

JOBS = {**jobs.JOBS, **control_jobs.JOBS}


@pytest.mark.parametrize("name", FAULTS)
def test_bench_notices_the_fault(tmp_path: Path, name: str) -> None:
    fault = FAULTS[name]
    rtl = plant_all(tmp_path, fault.source, fault.edits)
    (job,) = (each for each in JOBS[fault.bench] if each.name == fault.job)
    job.prepare(tmp_path / "job")
    result = run(fault.bench, tmp_path / "job", fault.scenario, rtl)
    assert result.failed, f"{fault.scenario}: expected to fail, {result.ran} passed"
    assert "AssertionError" in result.excerpt(), result.excerpt()
