"""Recipes: what their files say, that they equal the flags they stand for, and their table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import train
from scripts.console.command_line import run_command
from scripts.experiments import recipes

S, M, L = "s", "m", "l"
# The published sizes of each architecture, and the step from window to window in ms.
PUBLISHED = {
    "dnn": {
        S: ("144 144 144", 40),
        M: ("256 256 256", 40),
        L: ("436 436 436", 40),
    },
    "cnn": {
        S: ("28 10 4 1 1 30 10 4 2 1 16 128", 20),
        M: ("64 10 4 1 1 48 10 4 2 1 16 128", 20),
        L: ("60 10 4 1 1 76 10 4 2 1 58 128", 20),
    },
    "basic_lstm": {S: ("118", 20), M: ("214", 20), L: ("344", 20)},
    "lstm": {S: ("98 144", 40), M: ("130 280", 20), L: ("188 500", 20)},
    "gru": {S: ("1 154", 40), M: ("1 250", 20), L: ("1 400", 20)},
    "crnn": {
        S: ("48 10 4 2 2 2 60 84", 20),
        M: ("128 10 4 2 2 2 76 164", 20),
        L: ("100 10 4 2 1 2 136 188", 20),
    },
    "ds_cnn": {
        S: ("5 64 10 4 2 2" + 4 * " 64 3 3 1 1", 20),
        M: ("5 172 10 4 2 1 172 3 3 2 2" + 3 * " 172 3 3 1 1", 20),
        L: ("6 276 10 4 2 1 276 3 3 2 2" + 4 * " 276 3 3 1 1", 20),
    },
}


def flags_of(monkeypatch: pytest.MonkeyPatch, text: str) -> dict[str, Any]:
    """What train.py makes of a command line, lists and tuples alike, without the recipe's name."""
    monkeypatch.setattr(sys, "argv", ["train.py", *text.split()])
    flags = {**vars(train.parse_flags()), "recipe": None}
    return {key: tuple(v) if isinstance(v, list) else v for key, v in flags.items()}


@pytest.mark.parametrize("name", recipes.recipe_names())
def test_every_recipe_describes_a_network(name: str) -> None:
    recipe = recipes.read_recipe(name)
    assert recipe.title.endswith(".")
    assert recipe.flags.how_many_training_steps


@pytest.mark.parametrize("size", [S, M, L])
@pytest.mark.parametrize("architecture", PUBLISHED)
def test_published_sizes_equal_their_flags(
    monkeypatch: pytest.MonkeyPatch, architecture: str, size: str
) -> None:
    info, stride = PUBLISHED[architecture][size]
    typed = (
        f"--model_architecture {architecture} --model_size_info {info} --form float "
        f"--dct_coefficient_count 10 --window_size_ms 40 --window_stride_ms {stride} "
        "--learning_rate 0.0005,0.0001,0.00002 --how_many_training_steps 10000,10000,10000"
    )
    if architecture == "ds_cnn":
        typed += " --padding" + int(info[0]) * " same"
    found = flags_of(monkeypatch, f"--recipe {architecture}_{size}")
    assert found == flags_of(monkeypatch, typed)


def test_the_default_recipe_is_what_train_does_without_flags(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = recipes.read_recipe("default")
    found = flags_of(monkeypatch, "--recipe default")
    plain = flags_of(monkeypatch, "")
    network = ("model_architecture", "model_size_info", "form", "padding", "shifts")
    assert {k: v for k, v in found.items() if k not in network} == {
        k: v for k, v in plain.items() if k not in network
    }
    monkeypatch.setattr(sys, "argv", ["train.py"])
    flags = train.parse_flags()
    architecture, form = recipes.network_of(flags)
    assert recipe.size == recipes.known_size(flags, architecture, form)


def test_flags_that_are_given_win(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = flags_of(monkeypatch, "--seed 7 --wanted_words go --recipe gru_s --batch_size 3")
    assert (flags["seed"], flags["batch_size"], flags["wanted_words"]) == (7, 3, ("go",))
    assert flags["model_size_info"] == (1, 154)


def test_another_form_is_that_of_the_recipe_without_its_shifts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flags = flags_of(monkeypatch, "--recipe default --form float")
    assert (flags["shifts"], flags["padding"]) == (None, ("VALID", "SAME"))
    kept = flags_of(monkeypatch, "--recipe default --form float --shifts 1 2 3")
    assert kept["shifts"] == (1, 2, 3)  # which is refused, since it was asked for


def test_another_architecture_than_the_recipes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    message = r"^model_architecture: expected gru as the recipe gru_s says, got dnn$"
    with pytest.raises(ValueError, match=message):
        flags_of(monkeypatch, "--recipe gru_s --model_architecture dnn")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a =", "expected TOML: "),
        ("[network]\ncolour = 3\n", "expected flags of train.py, got 'colour'"),
        ("seed = 3\n", "expected flags in tables, got 'seed' in none"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str, message: str
) -> None:
    monkeypatch.setattr(recipes, "FOLDER", tmp_path)
    path = tmp_path / "mine.toml"
    path.write_text(content)
    with pytest.raises(ValueError) as caught:
        recipes.read_recipe("mine")
    assert str(caught.value).startswith(f"{path}: {message}")
    with pytest.raises(ValueError, match=r"^recipe: expected one of mine, got 'yours'$"):
        recipes.read_recipe("yours")


def test_the_list_names_every_recipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", "--list_recipes"])
    run_command(train.main)
    shown = capsys.readouterr().out
    assert all(name in shown for name in recipes.recipe_names())
