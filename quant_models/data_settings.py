"""Which clips count as what, and how often: the settings of a data set."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from quant_models.augment import AugmentationSettings
from quant_models.speech_commands import labels_for

_HIGHEST_PERCENTAGE = 10_000
_HIGHEST_WEIGHT = 1_000
# What networks were trained with before there was such a setting; left out where it is stored, so
# that their files stay what they are.
_BEFORE: Mapping[str, Any] = {"word_weights": (), "spoken_share": 0.0, "other_noise": 0.0}


@dataclass(frozen=True)
class DataSettings:
    """Which clips count as what, and how often.

    `silence_percentage` and `unknown_percentage` are relative to the number of examples of wanted
    words. `unknown_exponent` sets how unknown words are drawn: a word's share grows with its number
    of clips to this power, 0 draws evenly by word, 1 evenly by clip. `word_weights` multiplies the
    shares of single unknown words, such as those that are mistaken for a wanted one. Words in
    `held_out_words` are never trained on: all their clips are for validation. `running_speech` is
    the share of unknown examples that are cut from longer recordings, if there are any,
    `spoken_share` how much of such a clip at least is speech, and `other_noise` that of silence
    examples with noise that only training hears.
    """

    wanted_words: tuple[str, ...] = ("yes", "no")
    silence_percentage: float = 50.0
    unknown_percentage: float = 50.0
    validation_percentage: float = 10.0
    testing_percentage: float = 10.0
    unknown_exponent: float = 0.5
    word_weights: tuple[tuple[str, float], ...] = ()
    held_out_words: tuple[str, ...] = ()
    running_speech: float = 0.45
    spoken_share: float = 0.3
    other_noise: float = 0.15
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)

    def __post_init__(self) -> None:
        labels_for(self.wanted_words)
        for name in ("silence_percentage", "unknown_percentage"):
            if not 0 <= getattr(self, name) <= _HIGHEST_PERCENTAGE:
                raise ValueError(
                    f"{name}: expected 0..{_HIGHEST_PERCENTAGE}, got {getattr(self, name)}"
                )
        validation, testing = self.validation_percentage, self.testing_percentage
        if not (validation >= 0 and testing >= 0 and validation + testing < 100):
            raise ValueError(
                "validation_percentage and testing_percentage: expected 0 or more and less than "
                f"100 together, got {self.validation_percentage} and {self.testing_percentage}"
            )
        weighted = [word for word, _ in self.word_weights]
        for word, weight in self.word_weights:
            if word in self.wanted_words or weighted.count(word) > 1:
                raise ValueError(f"word_weights: expected unknown words, each once, got {word!r}")
            if not 0 < weight <= _HIGHEST_WEIGHT:
                raise ValueError(
                    f"word_weights: expected above 0 and up to {_HIGHEST_WEIGHT}, got {weight} "
                    f"for {word!r}"
                )
        for word in self.held_out_words:
            if word in self.wanted_words:
                raise ValueError(f"held_out_words: expected no wanted word, got {word!r}")
        for name in ("unknown_exponent", "running_speech", "spoken_share", "other_noise"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected 0..1, got {getattr(self, name)}")


def stored_settings(settings: DataSettings) -> dict[str, Any]:
    """Return settings as plain values, for a file; `data_settings_from` is the way back."""
    values = dataclasses.asdict(settings)
    return {key: v for key, v in values.items() if key not in _BEFORE or v != _BEFORE[key]}


def data_settings_from(stored: Mapping[str, Any]) -> DataSettings:
    """Rebuild settings from what `stored_settings` and JSON made of them."""
    values: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in stored.items()
    }
    values = {**_BEFORE, **values}
    values["word_weights"] = tuple((word, weight) for word, weight in values["word_weights"])
    varied = dict(values.pop("augmentation"))
    varied["silence_volume"] = tuple(varied["silence_volume"])
    return DataSettings(**values, augmentation=AugmentationSettings(**varied))
