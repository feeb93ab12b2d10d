"""Draw the accelerator of a network: blocks and widths, cycles, and how busy its multipliers are.

Writes three pictures that rtl_ref/README.md shows: block_diagram.svg and channel_timing.svg for one
configuration, utilisation.svg for all named ones. Every number in them comes from the generated
parameters and the predicted cycles.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from dataflow.hardware.accelerator import CONFIGURATIONS, Accelerator, accelerator_of
from dataflow.hardware.accelerator_schedule import predict
from dataflow.proof.range_store import choose_ranges
from golden import files
from golden.network import IntegerNetwork
from scripts.console.command_line import Parser, run_command
from scripts.console.flags import add_widths_flag


def main() -> None:
    """Parse, draw, write, print."""
    flags = _parse()
    network = IntegerNetwork.load(flags.network)
    chosen = choose_ranges(flags.network, network, flags.widths, flags.cases)
    pictures = draw(accelerator_of(network, chosen, flags.config))
    files.write_together({flags.output_dir / name: text for name, text in pictures.items()})
    print(f"Widths: {chosen.origin}")
    print(f"Written to {flags.output_dir}: {', '.join(pictures)}")


def draw(accelerator: Accelerator) -> dict[str, bytes]:
    """Return the pictures by file name."""
    from dataflow.drawing.accelerator_figures import block_diagram, utilisation_chart
    from dataflow.drawing.canvas_figures import svg
    from dataflow.drawing.timing_figures import timing_diagram

    schedule = predict(accelerator)
    named = [
        predict(dataclasses.replace(accelerator, configuration=configuration))
        for configuration in CONFIGURATIONS.values()
    ]
    return {
        "block_diagram.svg": svg(block_diagram(schedule), "Blocks of the accelerator"),
        "channel_timing.svg": svg(timing_diagram(schedule), "Cycles of the accelerator"),
        "utilisation.svg": svg(utilisation_chart(named), "Utilisation of the multipliers"),
    }


def _parse() -> argparse.Namespace:
    parser = Parser(__doc__, "scripts/draw_accelerator.py --network weights/NAME/network.npz")
    add = parser.add_argument
    add("--network", type=Path, required=True, help="the network file")
    names = ", ".join(CONFIGURATIONS)
    add(
        "--config",
        default="fast",
        help=f"{names}, or such as conv_1=window,dw_conv=row: what a stage does in a cycle",
    )
    add_widths_flag(parser)
    add("--cases", type=Path, help="golden cases, for --widths observed")
    add("--output_dir", type=Path, default=Path("rtl_ref"), help="folder of the pictures")
    return parser.parse_args()


if __name__ == "__main__":
    run_command(main)
