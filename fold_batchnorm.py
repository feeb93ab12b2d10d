#!/usr/bin/env python
"""Fold the batch normalisation of a checkpoint into the weights and biases in front of it.

Writes a checkpoint of the same name with `_bnfused` behind it, whose logits are the same but for
float rounding; how far they differ on the fingerprints in the checkpoint is printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from golden import files
from quant_models.batch_norm import folded
from scripts.console.command_line import Parser, run_command
from scripts.console.progress import say
from scripts.experiments.checkpoint_flags import add_checkpoint_flags, checkpoint_of

EXAMPLE = "python fold_batchnorm.py --checkpoint work/DS_CNN/training/best/NAME.npz"


def main() -> None:
    flags = parse_flags()
    before = checkpoint_of(flags)
    after = folded(before)
    import scripts.console.quiet_tensorflow  # noqa: F401
    from quant_models.model_labeller import float_model

    name = flags.checkpoint.name.removesuffix(".npz")
    place = (flags.output_dir or flags.checkpoint.parent) / f"{name}_bnfused.npz"
    path, _ = files.write_new(place, after.to_bytes())
    logits, fused = (float_model(each).logits(before.cases) for each in (before, after))
    differing = int(np.sum(logits.argmax(axis=1) != fused.argmax(axis=1)))
    largest, scale = np.abs(fused - logits).max(), np.abs(logits).max()
    count = len(before.parameters), len(after.parameters)
    say(f"checkpoint  {path}")
    say(f"arrays      {count[0]} before, {count[1]} after")
    say(f"logits      differ by {largest:.2g} at most, of up to {scale:.3g}")
    say(f"labels      {differing} of {len(before.cases):,} differ")


def parse_flags() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    add_checkpoint_flags(parser)
    add = parser.add_argument
    add("--output_dir", type=Path, help="where the folded one goes (default: beside it)")
    return parser.parse_args()


if __name__ == "__main__":
    run_command(main)
