"""Judge a recipe by clips that training never hears: other speakers, words and noise recordings.

Takes the flags of train.py. Divides the data into folds; for each, trains without its speakers, its
unknown words and its noise recordings, and tests on just those. Judge recipes by the mean, and take
differences smaller than the spread over seeds for chance. Other words, which training hears from
other speakers, should be called unknown. Writes folds.csv and other_words.csv.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from golden import files
from golden.c.engine import engine_for
from golden.network import IntegerNetwork
from quant_models.dataset import SpeechData
from quant_models.feature_cache import Examples, FeatureCache
from quant_models.folds import Fold
from quant_models.model_size import FLOAT, ModelSize
from quant_models.speech_commands import (
    SILENCE_LABEL,
    UNKNOWN_LABEL,
    VALIDATION,
    require_words,
)
from scripts.console.command_line import Parser, comma_separated, run_command
from scripts.console.flags import positive
from scripts.console.progress import progress_bar, say, show_table
from scripts.experiments.recipe_flags import (
    add_recipe_flags,
    feature_settings,
    known_size,
    network_of,
    settings_for_data,
    settings_for_training,
)

EXAMPLE = (
    "python scripts/cross_validate.py --data_dir speech_commands --fold_words bed,bird,cat,dog "
    "--runs 3"
)


@dataclass(frozen=True)
class Trial:
    """One training and what it got right of the clips that its fold holds out.

    `right[label]` and `clips[label]` are counts; so are those of `other_words`, which are right if
    they are called unknown.
    """

    seed: int
    fold: int
    right: Counter[str]
    clips: Counter[str]
    other_right: Counter[str]
    other_clips: Counter[str]

    @property
    def accuracy(self) -> float:
        """Share of the held-out clips that are right, the mean over labels, 0..1.

        The canonical test set has about as many clips of each label; how many a recipe draws in
        training plays no part.
        """
        return float(np.mean(list(self.shares.values())))

    @property
    def shares(self) -> dict[str, float]:
        """Share of each label's held-out clips that are right, 0..1."""
        return {label: self.right[label] / count for label, count in self.clips.items()}

    @property
    def other_words(self) -> float:
        """Share of the other words that are called unknown, the mean over words, 0..1."""
        shares = [self.other_right[word] / count for word, count in self.other_clips.items()]
        return float(np.mean(shares)) if shares else float("nan")

    @property
    def figures(self) -> list[float]:
        """Accuracy, the share of each label, and other words, in the order of the tables."""
        return [self.accuracy, *self.shares.values(), self.other_words]


def main() -> None:
    """Parse, train every fold with every seed, print, write."""
    flags = _parse()
    architecture, form = network_of(flags)
    size = known_size(flags, architecture, form)
    if form == FLOAT:
        raise ValueError("form: expected floor_shift, whose networks are judged, got float")
    if flags.teachers:
        raise ValueError("teachers: expected none that heard what a fold holds out, got some")
    if flags.own_teachers < 0:
        raise ValueError(f"own_teachers: expected 0 or more, got {flags.own_teachers}")
    if size is None:
        raise ValueError("shifts: expected them unless it is a ds_cnn of two layers, got none")
    places = [flags.output_dir / name for name in ("folds.csv", "other_words.csv")]
    flags.output_dir.mkdir(parents=True, exist_ok=True)
    folds = _folds(flags)
    trials: list[Trial] = []
    for fold, data in folds:
        seeds = [flags.seed + number for number in range(flags.runs + flags.own_teachers)]
        teachers = [_trained(flags, size, data, seed) for seed in seeds[flags.runs :]]
        for seed in seeds[: flags.runs]:
            network = _trained(flags, size, data, seed, teachers)
            trials.append(_trial(fold, data, seed, network))
            last = trials[-1]
            say(f"seed {last.seed}, fold {last.fold}: {last.accuracy:.2%}")
            for place, text in zip(places, (_folds_csv(trials), _words_csv(trials)), strict=True):
                files.write_text(place, text)
    _print(trials)
    say(f"Written: {', '.join(map(str, places))}")


def _parse() -> argparse.Namespace:
    parser = Parser(__doc__, EXAMPLE)
    add_recipe_flags(parser)
    add = parser.add_argument_group("folds").add_argument
    add("--folds", type=positive, default=3, help="parts that the data are divided into")
    add(
        "--fold_words",
        type=comma_separated,
        default=(),
        help="unknown words that are held out in turn (default: all there are)",
    )
    add(
        "--judged_dirs",
        type=Path,
        nargs="+",
        default=[],
        help="folders of words besides the data folders that are judged by and never trained on, "
        "so that recipes with less data are judged by the same clips",
    )
    add("--runs", type=positive, default=1, help="trainings of each fold, with seeds from SEED on")
    add(
        "--own_teachers",
        type=int,
        default=0,
        help="networks that each fold trains first, with seeds behind those of the runs, which "
        "learn from them",
    )
    add("--output_dir", type=Path, default=Path("work/folds"), help="where results go")
    return parser.parse_args()


def _folds(flags: argparse.Namespace) -> list[tuple[Fold, SpeechData]]:
    settings, features = settings_for_data(flags), feature_settings(flags)
    cache = FeatureCache(flags.cache_dir, say)

    def divided(index: int, words: Sequence[str]) -> tuple[Fold, SpeechData]:
        fold = Fold(index, flags.folds, tuple(words), tuple(flags.judged_dirs))
        clips = [*flags.data_dir, *flags.judged_dirs]
        dirs = flags.speech_dirs, flags.noise_dirs
        return fold, SpeechData(clips, settings, features, cache, *dirs, fold)

    found = divided(0, ())[1].found
    require_words(found, flags.fold_words, "fold_words")
    known = {SILENCE_LABEL, *settings.wanted_words}
    words = flags.fold_words or sorted({clip.word for clip in found.clips} - known)
    return [divided(index, words) for index in range(flags.folds)]


def _trained(
    flags: argparse.Namespace,
    size: ModelSize,
    data: SpeechData,
    seed: int,
    teachers: Sequence[IntegerNetwork] = (),
) -> IntegerNetwork:
    """Train on what a fold leaves to training; the network of the last step."""
    settings = dataclasses.replace(settings_for_training(flags), seed=seed)
    settings = dataclasses.replace(settings, eval_step_interval=settings.total_steps)
    with progress_bar("features") as progress:
        examples = data.training_examples(flags.augmented_examples, seed, progress)
    import scripts.console.quiet_tensorflow  # noqa: F401
    from quant_models.latent_parameters import integer_network
    from quant_models.training import train

    features = data.features
    with progress_bar("training") as progress:

        def on_steps(done: int) -> bool:
            progress(done, settings.total_steps)
            return True

        few = Examples(examples.fingerprints[:1], examples.label_indices[:1])  # nothing is chosen
        (last,) = train(
            size, data.labels, features, settings, examples, few, None, on_steps, teachers
        )
    return integer_network(size, last.parameters, data.labels, features)


def _trial(fold: Fold, data: SpeechData, seed: int, network: IntegerNetwork) -> Trial:
    """Test a network on what a fold holds out."""
    with progress_bar("held out") as progress:
        held = data.evaluation_examples(VALIDATION, progress)
        other = data.other_words(VALIDATION)
    right, clips = _counts(network, held)
    other_right = Counter(
        {word: _counts(network, spoken)[0][UNKNOWN_LABEL] for word, spoken in other.items()}
    )
    other_clips = Counter({word: len(spoken) for word, spoken in other.items()})
    return Trial(seed, fold.index, right, clips, other_right, other_clips)


def _counts(network: IntegerNetwork, examples: Examples) -> tuple[Counter[str], Counter[str]]:
    """Return how many clips of each label are right, and how many there are."""
    answers = engine_for(network, len(examples)).run(examples.fingerprints).label_indices
    labels = np.array(network.labels)
    right = Counter(labels[examples.label_indices[answers == examples.label_indices]].tolist())
    return right, Counter(labels[examples.label_indices].tolist())


def _folds_csv(trials: Sequence[Trial]) -> str:
    header = ["seed", "fold", "clips", "accuracy", *trials[0].clips, "other_words"]
    return files.csv_text(
        header, [[each.seed, each.fold, each.clips.total(), *each.figures] for each in trials]
    )


def _words_csv(trials: Sequence[Trial]) -> str:
    right, clips = _other_words(trials)
    rows = [[word, clips[word], right[word] / clips[word]] for word in sorted(clips)]
    return files.csv_text(["word", "clips", "called_unknown"], rows)


def _other_words(trials: Sequence[Trial]) -> tuple[Counter[str], Counter[str]]:
    right = sum((trial.other_right for trial in trials), Counter())
    return right, sum((trial.other_clips for trial in trials), Counter())


def _print(trials: Sequence[Trial]) -> None:
    """Print the mean over folds by seed, the mean and spread over seeds, and the other words."""
    table = Table()
    for heading in ("seed", "clips", "accuracy", *trials[0].clips, "other words"):
        table.add_column(heading, justify="right")
    seeds = sorted({trial.seed for trial in trials})
    rows = []
    for seed in seeds:
        own = [trial for trial in trials if trial.seed == seed]
        rows.append(np.mean([trial.figures for trial in own], axis=0))
        clips = sum(trial.clips.total() for trial in own)
        table.add_row(f"{seed}", f"{clips:,}", *(f"{value:.2%}" for value in rows[-1]))
    if len(seeds) > 1:
        table.add_section()
        table.add_row("mean", "", *(f"{value:.2%}" for value in np.mean(rows, axis=0)))
        spread = np.std(rows, axis=0, ddof=1)
        table.add_row("spread", "", *(f"{100 * value:.2f}" for value in spread))
    show_table(table)
    right, clips = _other_words(trials)
    words = sorted(clips, key=lambda word: right[word] / clips[word])
    shares = (f"{word} {right[word] / clips[word]:.1%} of {clips[word]:,}" for word in words)
    say(f"called unknown: {', '.join(shares)}")


if __name__ == "__main__":
    run_command(main)
