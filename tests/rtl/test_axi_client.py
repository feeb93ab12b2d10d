"""The accelerator under the stream agents that others use: cocotbext-axi, without an adapter."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.simulation.rtl_simulation import simulate
from tests.rtl.jobs import ACCELERATORS, JOBS

pytestmark = pytest.mark.rtl

TOP, BENCH = "kws_accelerator", "tests.rtl.tb_axi_client"


@pytest.mark.parametrize("name", ["window", "row", "tap", "single"])
def test_client_that_wants_whole_bytes_gets_every_answer(tmp_path: Path, name: str) -> None:
    (job,) = (each for each in JOBS[TOP] if each.name == name)
    job.prepare(tmp_path)
    result = simulate(TOP, BENCH, tmp_path)
    assert (result.ran, result.failed) == (2, 0), result.excerpt()
    values = [scenario["values"] for scenario in result.scenarios.values()]
    assert values[0] == values[1] > ACCELERATORS[name].labels
