#!/usr/bin/env python
"""Freeze a checkpoint's integer network into one TensorFlow graph: WAV file in, label scores out.

The graph holds everything: it takes the bytes of a WAV file (`wav_data`), computes the features
with TensorFlow's audio ops, then every layer in floating-point operations that are exact on its
integers, and gives `labels_softmax`. The labels go to a text file beside it. `label_wav.py --graph`
runs it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dataflow.ranges.intervals import magnitude_bound
from golden import files
from quant_models.checkpoint import load_checkpoint
from scripts.console.command_line import Parser, run_command
from scripts.console.progress import say

EXAMPLE = "python freeze.py --checkpoint weights/NAME/NAME.npz --output_file work/NAME.pb"


def main() -> None:
    flags = parse_flags()
    checkpoint = load_checkpoint(flags.checkpoint)
    network = checkpoint.network()
    import scripts.console.quiet_tensorflow  # noqa: F401
    from quant_models.freezing import freeze

    graph, labels_file = flags.output_file, flags.output_file.with_suffix(".labels.txt")
    contents = {
        graph: freeze(network, magnitude_bound(network)),
        labels_file: "".join(f"{label}\n" for label in network.labels).encode(),
    }
    for path, content in contents.items():
        if not flags.overwrite and path.is_file() and path.read_bytes() != content:
            raise ValueError(
                f"{path}: expected nothing or what is to be written, found another file "
                "(--overwrite replaces it)"
            )
    files.write_together(contents)
    say(f"network     {network.digest}")
    say(f"graph       {graph}")
    say(f"labels      {labels_file}")


def parse_flags() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--checkpoint", type=Path, required=True, help="checkpoint of train.py")
    add("--output_file", type=Path, required=True, help="where the graph goes, such as NAME.pb")
    add("--overwrite", action="store_true", help="replace other files there")
    return parser.parse_args()


if __name__ == "__main__":
    run_command(main)
