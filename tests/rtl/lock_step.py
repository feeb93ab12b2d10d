"""Runs a design and a model of it side by side: the same inputs, the outputs compared every cycle.

The model says in plain Python what the module's header comment says. It knows of clock edges and
of what a port means, and nothing of how the module does it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from cocotb.triggers import Timer

from scripts.simulation.rtl_simulation import JOB_FILE, JOB_VARIABLE, RESULTS_FILE

HALF_PERIOD_NS = 5
Values = Mapping[str, int]


class Model(Protocol):
    """A design between two clock edges; port names are those of the design."""

    def outputs(self, inputs: Values) -> Values:
        """Return what the outputs must be; those that mean nothing now are left out."""

    def clock(self, inputs: Values) -> None:
        """Take a rising clock edge."""


class LockStep:
    """A design under test beside its model. Every input is driven anew in every cycle."""

    def __init__(self, dut: Any, scenario: str, model: Model) -> None:
        self.dut, self.scenario, self.model = dut, scenario, model
        self.cycle = 0
        report(scenario)

    async def step(self, inputs: Values) -> Values:
        """Run one cycle. Return the outputs that were compared.

        Raises AssertionError at the first that differs or is unknown, except in reset: what a
        reset does is seen after it.
        """
        for name, value in inputs.items():
            getattr(self.dut, name).value = value
        self.dut.clk_i.value = 0
        await Timer(HALF_PERIOD_NS, "ns")
        expected = self.model.outputs(inputs) if inputs["rst_ni"] else {}
        for name, value in expected.items():
            compare(self.dut, name, value, f"{self.scenario}: cycle {self.cycle}")
        self.dut.clk_i.value = 1
        await Timer(HALF_PERIOD_NS, "ns")
        self.model.clock(inputs)
        self.cycle += 1
        return expected


def compare(dut: Any, name: str, expected: int, where: str) -> None:
    """Raise AssertionError unless a port has this value, as an unsigned number."""
    found = getattr(dut, name).value
    text = int(found) if found.is_resolvable else str(found)
    assert text == int(expected), f"{where}: {name}: expected {int(expected)}, got {text}"


def job_folder() -> Path:
    """Return the folder of the job that runs."""
    return Path(os.environ[JOB_VARIABLE])


def job_parameters() -> dict[str, Any]:
    """Return the parameters that the design was built with, by their Verilog names."""
    parameters: dict[str, Any] = json.loads((job_folder() / JOB_FILE).read_text())["parameters"]
    return parameters


def report(scenario: str, **values: int) -> None:
    """Put down that a scenario started, or what it counted."""
    path = job_folder() / RESULTS_FILE
    results = json.loads(path.read_text()) if path.is_file() else {}
    results.setdefault(scenario, {}).update(values)
    path.write_text(json.dumps(results, indent=2) + "\n")
