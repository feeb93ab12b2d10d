"""Recipes by name: the files of `quant_models/recipes`, and the flags of `train.py` they stand for.

A recipe is a TOML file whose keys are flags, in tables that are there for the reader alone.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from golden import files
from golden.network import FeatureSettings
from quant_models.model_size import FLOAT, ModelSize
from quant_models.size_summary import summarise_size
from quant_models.speech_commands import labels_for
from scripts.console.command_line import Parser
from scripts.console.places import REPOSITORY
from scripts.experiments.recipe_flags import (
    add_recipe_flags,
    feature_settings,
    known_size,
    network_of,
)

_NETWORK_WIDTH = 34
FOLDER = REPOSITORY / "quant_models" / "recipes"


@dataclass(frozen=True)
class Recipe:
    """A recipe as it was read: its comment, its flags, and what they say."""

    name: str
    title: str
    flags: argparse.Namespace
    size: ModelSize
    features: FeatureSettings
    labels: tuple[str, ...]


def recipe_names() -> list[str]:
    """Return the names of all recipes."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def parse_with_recipe(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the command line, the flags of `--recipe` in front of those that were given.

    The shifts of a recipe in floor-shift form do not stand for the float form, if that is asked
    for.

    Raises ValueError as `recipe_arguments` does, and for a given architecture that is not the
    recipe's, whose sizes mean nothing to it.
    """
    given, _ = parser.parse_known_args()
    if given.recipe is None:
        return parser.parse_args()
    arguments = recipe_arguments(given.recipe, parser)
    recipe = parser.parse_args(arguments)
    if given.model_architecture not in (None, recipe.model_architecture):
        raise ValueError(
            f"model_architecture: expected {recipe.model_architecture} as the recipe "
            f"{given.recipe} says, got {given.model_architecture}"
        )
    flags = parser.parse_args([*arguments, *sys.argv[1:]])
    if flags.form == FLOAT and given.shifts is None:
        flags.shifts = None
    return flags


def recipe_arguments(name: str, parser: argparse.ArgumentParser) -> list[str]:
    """Return the flags that a recipe stands for, as they would be typed.

    Raises ValueError, naming the file, for a recipe that is not there, that is no TOML, and for
    keys that are no flags.
    """
    path = FOLDER / f"{name}.toml"
    if not path.is_file():
        raise ValueError(f"recipe: expected one of {', '.join(recipe_names())}, got {name!r}")
    try:
        tables = tomllib.loads(files.read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: expected TOML: {error}") from None
    actions = {action.dest: action for action in parser._actions}
    arguments: list[str] = []
    for title, table in tables.items():
        if not isinstance(table, dict):
            raise ValueError(f"{path}: expected flags in tables, got {title!r} in none")
        for key, value in table.items():
            if key not in actions:
                raise ValueError(f"{path}: expected flags of train.py, got {key!r}")
            arguments += [f"--{key}", *_typed(value, several=actions[key].nargs is not None)]
    return arguments


def read_recipe(name: str) -> Recipe:
    """Return a recipe with what its flags say; ValueError as `recipe_arguments` does."""
    parser = Parser(None, "")
    add_recipe_flags(parser)
    flags = parser.parse_args(recipe_arguments(name, parser))
    architecture, form = network_of(flags)
    size = known_size(flags, architecture, form)
    if size is None:  # shifts are chosen on training examples; what is summarised has any
        size = ModelSize(architecture, (0,) * architecture.shift_count)
    first, *_ = files.read_text(FOLDER / f"{name}.toml").splitlines()
    labels = labels_for(flags.wanted_words)
    return Recipe(name, first.lstrip("# "), flags, size, feature_settings(flags), labels)


def recipe_table(recipes: Sequence[Recipe]) -> Table:
    """Return a table of recipes with what they cost."""
    table = Table("recipe")
    table.add_column("network", max_width=_NETWORK_WIDTH, overflow="fold")
    table.add_column("form")
    table.add_column("words", justify="right")
    for heading in ("stride ms", "steps", "parameters", "operations"):
        table.add_column(heading, justify="right")
    for recipe in recipes:
        rows = summarise_size(recipe.size, recipe.features, recipe.labels)
        architecture = recipe.size.architecture
        info = " ".join(map(str, architecture.info))
        parameters = sum(row.weights + row.biases for row in rows)
        table.add_row(
            recipe.name,
            f"{architecture.NAME} {info}",
            recipe.size.form,
            f"{len(recipe.labels) - 2}",
            f"{recipe.features.stride_ms:g}",
            f"{sum(recipe.flags.how_many_training_steps):,}",
            f"{parameters:,}",
            f"{2 * sum(row.multiplications for row in rows):,}",
        )
    return table


def _typed(value: Any, *, several: bool) -> list[str]:
    values = [str(each) for each in (value if isinstance(value, list) else [value])]
    return values if several else [",".join(values)]
