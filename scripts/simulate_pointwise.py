"""Simulate the pointwise layer's RTL on a network's real vectors and compare it with the reference.

Exports the weight memory, derives the Verilog parameters, builds `rtl_ref/pointwise_conv.v` with
Icarus, and runs its bench at full rate and with gaps and stalls. The inputs are what the layer gets
when the reference runs the golden cases. Prints what was compared, the cycles beside the predicted
ones, and what other orders of the same loops would cost.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.box import SIMPLE_HEAD
from rich.table import Table

from dataflow.hardware.loop_orders import INPUT_STATIONARY, walk
from dataflow.hardware.pointwise_schedule import (
    FILL_CYCLES,
    OrderCost,
    beat_interval,
    compare_orders,
    timeline,
)
from dataflow.hardware.rtl_parameters import PointwiseLayer, pointwise_layer, pointwise_parameters
from dataflow.proof.range_store import choose_ranges
from dataflow.ranges.intervals import Ranges
from golden import files, reference
from golden.comparison import Mismatch
from golden.exports.cases import read_cases
from golden.network import IntegerNetwork
from scripts.console.command_line import Parser, run_command
from scripts.console.flags import add_widths_flag
from scripts.console.places import golden_cases, network_name
from scripts.console.progress import show_table
from scripts.simulation.rtl_simulation import (
    RESULTS_FILE,
    SimulationResult,
    prepare_pointwise,
    require_icarus,
    simulate,
)

BENCH = "tests.rtl.tb_pointwise_conv"
SCENARIOS = "back_to_back|gaps_and_stalls|parameters"
HEADINGS = (
    "order of the loops",
    "pixels\na tile",
    "cycles\na pixel",
    "\nlatency",
    "\ntail",
    "stored\ninputs",
    "\nsums",
    "register\nbits",
    "read\nweights",
    "\ninputs",
    "\nsums",
)


def main() -> None:
    """Parse, simulate, print."""
    flags = _parse()
    require_icarus()
    network = IntegerNetwork.load(flags.network)
    layer = pointwise_layer(network)
    name = network_name(flags.network)
    cases = flags.cases or golden_cases(flags.network)
    folder = flags.build_dir or Path("work/build/pointwise_conv") / name
    pixels = _pixels(network, layer, cases, flags.pixels)
    chosen = choose_ranges(flags.network, network, flags.widths, cases)
    prepare_pointwise(folder, network, pixels, chosen.ranges)
    result = simulate("pointwise_conv", BENCH, folder, SCENARIOS, flags.waves)
    if result.failed:
        raise Mismatch(f"{folder}: {result.failed} of {result.ran} scenarios fail: {_why(result)}")
    totals = _totals(result, layer, len(pixels))
    files.write_text(folder / "summary.json", json.dumps(totals, indent=2) + "\n")
    _print_result(flags.network, cases, layer, totals)
    print(f"  widths                       {chosen.origin}")
    _print_orders(network, layer, chosen.ranges)
    print(f"Details: {folder / RESULTS_FILE}, {result.log}")
    if flags.waves is not None:
        print(f"Waveform: {flags.waves}")


def _parse() -> argparse.Namespace:
    parser = Parser(
        __doc__, "scripts/simulate_pointwise.py --network weights/NAME/network.npz --pixels 100"
    )
    parser.add_argument("--network", type=Path, required=True, help="the network file")
    parser.add_argument(
        "--cases",
        type=Path,
        help="golden cases that give the inputs; without it golden/vectors/<name>/cases.npz",
    )
    parser.add_argument("--pixels", type=int, default=100, help="how many of the cases to simulate")
    add_widths_flag(parser)
    parser.add_argument("--waves", type=Path, help="write a waveform to this .fst file")
    parser.add_argument(
        "--build_dir",
        type=Path,
        help="where to build and run; without it work/build/pointwise_conv/<name>",
    )
    flags = parser.parse_args()
    if flags.pixels < 1:
        parser.error(f"--pixels: expected at least 1, got {flags.pixels}")
    return flags


def _pixels(
    network: IntegerNetwork, layer: PointwiseLayer, cases: Path, count: int
) -> npt.NDArray[np.int64]:
    """Return what the layer gets for the first `count` cases: `(N, input channels)`."""
    fingerprints = read_cases(cases, network).fingerprints[:count]
    values = reference.run(network, fingerprints).layers[layer.convolution.input]
    return values[:, 0, 0]


def _totals(result: SimulationResult, layer: PointwiseLayer, pixels: int) -> dict[str, Any]:
    """Return the figures to print: sums over the scenarios, cycles simulated and predicted."""
    compared = [values for values in result.scenarios.values() if "vectors" in values]
    full_rate = result.scenarios["back_to_back"]
    predicted = timeline(walk(INPUT_STATIONARY, layer.size, tiles=pixels))
    return {
        "scenarios": result.ran,
        "vectors": sum(values["vectors"] for values in compared),
        "values": sum(values["values"] for values in compared),
        "mismatches": sum(values["mismatches"] for values in compared),
        "multiply_cycles_per_pixel": full_rate["multiply_cycles"] / full_rate["vectors"],
        "fill_cycles": full_rate["fill_cycles"],
        "latency_cycles": full_rate["latency_cycles"],
        "pixels_back_to_back": full_rate["vectors"],
        "simulated_cycles": full_rate["simulated_cycles"],
        "predicted_cycles": int(predicted.offered[-1] - predicted.taken[0]) + 1,
    }


def _why(result: SimulationResult) -> str:
    mismatches = [
        values["first_mismatches"][0]
        for values in result.scenarios.values()
        if values.get("mismatches")
    ]
    return f"{(mismatches or ['no mismatch of values'])[0]}; see {result.log}"


def _print_result(
    network: Path, cases: Path, layer: PointwiseLayer, totals: dict[str, Any]
) -> None:
    size = layer.size
    print(f"Simulated {layer.convolution.name} ({size.inputs} -> {size.outputs}) of {network}")
    print(f"on {cases}, {totals['scenarios']} scenarios, compared with golden.reference:")
    print(f"  vectors compared             {totals['vectors']:>9,}")
    print(f"  values compared              {totals['values']:>9,}")
    print(f"  mismatches                   {totals['mismatches']:>9,}")
    print(f"  multiply cycles a pixel      {totals['multiply_cycles_per_pixel']:>9,g}")
    print(f"  fill, in cycles              {totals['fill_cycles']:>9,} (documented {FILL_CYCLES})")
    print(f"  latency of a pixel           {totals['latency_cycles']:>9,} cycles")
    print(
        f"  {totals['pixels_back_to_back']:>4,} pixels back to back    "
        f"{totals['simulated_cycles']:>9,} cycles (predicted {totals['predicted_cycles']:,})"
    )


def _print_orders(network: IntegerNetwork, layer: PointwiseLayer, ranges: Ranges) -> None:
    bits = {
        name: value
        for name, value in pointwise_parameters(network, "", ranges).items()
        if isinstance(value, int)
    }
    interval = beat_interval(network, layer.convolution)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    for heading in HEADINGS:
        justify = "left" if heading is HEADINGS[0] else "right"
        table.add_column(heading, justify=justify, no_wrap=True)
    for cost in compare_orders(layer.size, bits, interval):
        table.add_row(*_figures(cost), style="bold" if cost.order is INPUT_STATIONARY else "")
    print("\nThe same loops in other orders (built: input-stationary), one multiplier")
    show_table(table)
    print(
        "Latency: cycles from the first input taken to the last output offered, at full rate.\n"
        f"Tail: from the last input taken, an input every {interval} cycles, as channels stream\n"
        "from the max-pool. Stored: the fewest with which the multiplier never waits.\n"
        "Read: a pixel."
    )


def _figures(cost: OrderCost) -> tuple[str, ...]:
    numbers = (
        cost.order.tile_pixels,
        cost.cycles,
        cost.latency_cycles,
        cost.tail_cycles,
        cost.input_registers,
        cost.sum_registers,
        cost.register_bits,
        cost.weight_reads,
        cost.input_reads,
        cost.sum_reads,
    )
    return (cost.order.name, *(f"{number:,.0f}" for number in numbers))


if __name__ == "__main__":
    run_command(main)
