"""Make the network of a checkpoint smaller where its ranges show that nothing is lost.

Removes channels that are 0 for every input or that nothing reads, which leaves all logits as they
are; then tries every shift one larger, with a later one smaller or the biases halved, and weights
without -32, and keeps what saves bits as long as no fewer clips are right. Clips: the validation
partition of DATA_DIR, or those that the checkpoint carries. Writes a checkpoint that all other
commands take.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from dataflow.proof.range_store import choose_ranges
from dataflow.ranges.intervals import Ranges
from dataflow.widths.shrinking import (
    datapath_bits,
    dead_channels,
    lossy_changes,
    without_channels,
)
from golden import reference
from golden.network import IntegerNetwork
from quant_models.architectures.ds_cnn import DsCnn
from quant_models.checkpoint import Checkpoint, load_checkpoint
from quant_models.dataset import SpeechData
from quant_models.feature_cache import Examples, FeatureCache
from quant_models.latent_parameters import model_of
from quant_models.speech_commands import VALIDATION
from scripts.console.command_line import Parser, run_command
from scripts.console.flags import DEFAULT_CACHE_DIR
from scripts.console.progress import progress_bar, say, show_table

EXAMPLE = "scripts/shrink.py weights/NAME/NAME.npz --data_dir DATA/speech_commands"


@dataclass(frozen=True)
class Step:
    """A network on the way: what was done to reach it, and what it gets right."""

    action: str
    network: IntegerNetwork
    right: int


def main() -> None:
    """Parse, shrink, write, print."""
    flags = _parse()
    checkpoint = load_checkpoint(flags.checkpoint)
    network = checkpoint.network()
    examples = _examples(checkpoint, flags.data_dir, flags.cache_dir)
    chosen = choose_ranges(flags.checkpoint, network, None)
    say(f"ranges: {chosen.origin}")
    steps = [Step("as it is", network, _right(network, examples))]
    steps += _without_dead_channels(steps[-1], chosen.ranges)
    if not flags.exact_only:
        steps += _with_lossy_changes(steps[-1], examples)
    _print(steps, len(examples))
    if len(steps) == 1:
        say("Nothing to shrink; nothing written.")
        return
    path = _shrunk(checkpoint, steps, len(examples)).save(flags.output_dir)
    say(f"Written: {path}")
    say(f"Next: quant_test.py --checkpoint {path}; scripts/verify.py {path}")


def _parse() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("checkpoint", type=Path, help="checkpoint of train.py")
    add(
        "--data_dir",
        type=Path,
        nargs="+",
        help="folders of clips whose validation partition decides",
    )
    add("--exact_only", action="store_true", help="only remove dead channels")
    add("--output_dir", type=Path, default=Path("work/shrunk"), help="folder of the checkpoint")
    add("--cache_dir", type=Path, default=DEFAULT_CACHE_DIR, help="where features are kept")
    return parser.parse_args()


def _examples(
    checkpoint: Checkpoint, data_dirs: Sequence[Path] | None, cache_dir: Path
) -> Examples:
    if data_dirs is None:
        return Examples(checkpoint.cases, checkpoint.case_labels)
    with progress_bar("features"):
        cache = FeatureCache(cache_dir, say)
        data = SpeechData(data_dirs, checkpoint.data, checkpoint.features, cache)
        return data.evaluation_examples(VALIDATION)


def _right(network: IntegerNetwork, examples: Examples) -> int:
    answers = reference.run(network, examples.fingerprints).label_indices
    return int((answers == examples.label_indices).sum())


def _without_dead_channels(step: Step, ranges: Ranges) -> list[Step]:
    """Remove what never matters; no answer changes, so nothing has to be counted again."""
    network = step.network
    steps = []
    for dead in dead_channels(network, ranges):
        network = without_channels(network, dead)
        removed = " ".join(map(str, dead.channels))
        steps.append(Step(f"{dead.node}: without channels {removed}", network, step.right))
    return steps


def _with_lossy_changes(step: Step, examples: Examples) -> list[Step]:
    """Take the change that saves most bits, again and again, while no fewer clips are right."""
    steps: list[Step] = []
    while True:
        last = steps[-1] if steps else step
        bits = datapath_bits(last.network)
        candidates = [
            Step(str(change), changed, _right(changed, examples))
            for change in lossy_changes(last.network)
            if datapath_bits(changed := change.apply(last.network)) < bits
        ]
        equal = [candidate for candidate in candidates if candidate.right >= step.right]
        if not equal:
            return steps
        steps.append(min(equal, key=lambda item: (datapath_bits(item.network), -item.right)))


def _shrunk(checkpoint: Checkpoint, steps: Sequence[Step], clips: int) -> Checkpoint:
    """Return the checkpoint of the last network; its accuracy is that on the deciding clips."""
    size, parameters = model_of(steps[-1].network)
    return dataclasses.replace(
        checkpoint,
        size=size,
        parameters=parameters,
        accuracy=steps[-1].right / clips,
        training={
            **checkpoint.training,
            "shrunk_from": steps[0].network.digest,
            "shrinking": [step.action for step in steps[1:]],
        },
    )


def _print(steps: Sequence[Step], clips: int) -> None:
    table = Table()
    table.add_column("step")
    for heading in ("features", "datapath bits", f"right of {clips:,}"):
        table.add_column(heading, justify="right")
    for step in steps:
        size, _ = model_of(step.network)
        bits = datapath_bits(step.network)
        assert isinstance(size.architecture, DsCnn)
        features = " ".join(str(layer.features) for layer in size.architecture.layers)
        table.add_row(step.action, features, f"{bits}", f"{step.right}")
    show_table(table)


if __name__ == "__main__":
    run_command(main)
