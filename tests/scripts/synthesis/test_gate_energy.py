"""Toggles of a waveform and the energy of a netlist, against hand-made ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.synthesis.gate_energy import Toggles, count_toggles, estimate, net_loads
from scripts.synthesis.standard_cells import SUPPLY_V, Cell

VCD = b"""$timescale 1ps $end
$scope module top $end
 $var wire  1 ! clk_i $end
 $var wire  1 " y $end
 $var wire  4 # bus [3:0] $end
$upscope $end
$enddefinitions $end
#0
0!
0"
b0000 #
#5
1!
b0011 #
#10
0!
1"
b0110 #
"""
LIBRARY = {"INV": Cell(64.0, {"A": 0.01}), "DFF": Cell(96.0, {"D": 0.02, "CLK": 0.03})}


def netlist() -> dict[str, Any]:
    """A flip-flop whose output goes through an inverter to its own input."""
    return {
        "cells": {
            "a": {"type": "INV", "connections": {"A": [3], "Y": [4]}},
            "b": {"type": "DFF", "connections": {"D": [4], "CLK": [2], "Q": [3]}},
            "c": {"type": "INV", "connections": {"A": ["0"], "Y": [5]}},
            "m": {"type": "$mem_v2", "connections": {"RD_CLK": [2]}},
        },
        "netnames": {
            "clk_i": {"bits": [2]},
            "q": {"bits": [3]},
            "n": {"bits": [4]},
            "unused": {"bits": [5]},
        },
    }


def test_toggles_are_changes_after_the_first_value(tmp_path: Path) -> None:
    path = tmp_path / "waves.vcd"
    path.write_bytes(VCD)
    toggles = count_toggles(path)
    assert toggles.counts["clk_i", 0] == 2
    assert toggles.counts["y", 0] == 1
    # 0000 -> 0011 -> 0110
    assert [toggles.counts["bus", bit] for bit in range(4)] == [2, 1, 1, 0]
    assert toggles.total == 7


def test_load_of_a_net_is_the_pins_that_it_drives() -> None:
    assert net_loads(netlist(), LIBRARY) == {2: 0.03, 3: 0.01, 4: 0.02}


def test_energy_is_half_c_v_squared_a_toggle() -> None:
    toggles = Toggles({("clk_i", 0): 10, ("q", 0): 5, ("n", 0): 4, ("unused", 0): 99})
    energy = estimate(netlist(), LIBRARY, toggles)
    half = SUPPLY_V**2 / 2
    assert energy.total_pj == pytest.approx((10 * 0.03 + 5 * 0.01 + 4 * 0.02) * half)
    assert energy.clock_pj == pytest.approx(10 * 0.03 * half)


def test_clock_that_stands_still_is_refused() -> None:
    toggles = Toggles({("clk_i", 0): 0, ("q", 0): 5, ("n", 0): 4})
    with pytest.raises(ValueError, match="expected the clock to toggle, found it constant"):
        estimate(netlist(), LIBRARY, toggles)


def test_net_without_toggles_is_refused() -> None:
    with pytest.raises(ValueError, match="waveform: expected the net q, found none"):
        estimate(netlist(), LIBRARY, Toggles({("clk_i", 0): 2, ("n", 0): 1}))
