"""What the same configuration costs with observed, interval and proven widths, side by side.

Only the proven and the interval widths hold for every input; the observed ones show what trusting
a data set would save.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from dataflow.hardware.accelerator import Accelerator
from dataflow.hardware.build_folder import write_accelerator
from dataflow.hardware.rtl_parameters import BLOCKS, module_parameters
from scripts.console.progress import CONSOLE, say, show_table
from scripts.synthesis import ice40, standard_cells
from scripts.synthesis.ice40 import DSP_BLOCKS, LOGIC_CELLS, RAM_BLOCKS, Placement
from scripts.synthesis.standard_cells import Gates
from scripts.synthesis.yosys import top_design


@dataclass(frozen=True, eq=False)
class WidthCost:
    """An accelerator, mapped to an iCE40 UP5K and to standard cells."""

    accelerator: Accelerator
    placement: Placement
    gates: Gates

    @property
    def accumulator_bits(self) -> dict[str, int]:
        """Bits of the accumulators by layer."""
        blocks = module_parameters(self.accelerator)
        return {layer: int(blocks[block]["ACC_BITS"]) for layer, block in BLOCKS.items()}


def measure(accelerator: Accelerator, output: Path) -> WidthCost:
    """Map an accelerator, in a folder below `output` that its configuration and widths name.

    Raises ValueError if a tool complains or the design does not fit.
    """
    name, origin = accelerator.configuration.name, accelerator.ranges_origin
    folder = output / f"{name} {origin}".replace(" ", "_")
    write_accelerator(accelerator, folder)
    design = top_design(folder)
    with CONSOLE.status(f"{name}, {origin}: standard cells"):
        gates = standard_cells.synthesise(design)
    with CONSOLE.status(f"{name}, {origin}: iCE40"):
        ice40.synthesise(design)
        placement = ice40.place_and_route(design)
    say(f"{name}, {origin}: {placement.logic_cells:,} logic cells, {placement.clock_mhz} MHz")
    return WidthCost(accelerator, placement, gates)


def summary(costs: Sequence[Sequence[WidthCost]]) -> dict[str, Any]:
    """Return the figures by configuration and by the origin of the widths."""
    return {
        row[0].accelerator.configuration.name: {
            each.accelerator.ranges_origin: {
                "accumulator_bits": each.accumulator_bits,
                "ice40_up5k": ice40.summary(each.placement),
                "osu035": {
                    "area_um2": each.gates.area_um2,
                    "cells": sum(each.gates.cells.values()),
                    "flip_flops": each.gates.flip_flops,
                },
            }
            for each in row
        }
        for row in costs
    }


def print_table(costs: Sequence[Sequence[WidthCost]]) -> None:
    """Print a table a configuration, a column an origin of the widths, and how to read them."""
    figures = {
        "accumulators, bits": lambda each: " ".join(map(str, each.accumulator_bits.values())),
        f"UP5K logic cells (of {LOGIC_CELLS:,})": lambda each: f"{each.placement.logic_cells:,}",
        f"UP5K DSP blocks (of {DSP_BLOCKS})": lambda each: each.placement.dsp_blocks,
        f"UP5K RAM blocks (of {RAM_BLOCKS})": lambda each: each.placement.ram_blocks,
        "UP5K clock, MHz": lambda each: f"{each.placement.clock_mhz:.1f}",
        "OSU035 area, um2": lambda each: f"{each.gates.area_um2:,.0f}",
        "  flip-flops": lambda each: f"{each.gates.flip_flops:,}",
    }
    for row in costs:
        table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
        table.add_column(row[0].accelerator.configuration.name)
        for each in row:
            table.add_column(each.accelerator.ranges_origin, justify="right")
        for title, figure in figures.items():
            table.add_row(title, *(str(figure(each)) for each in row))
        show_table(table)
    say(
        "Other widths make Yosys map blocks anew whose own widths stay: tens of cells mean nothing."
    )
