"""How a network is trained."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

_HIGHEST_TEMPERATURE = 100
_HIGHEST_SEED = 2**32 - 1  # what NumPy's global generator takes


@dataclass(frozen=True)
class TrainingSettings:
    """How long, how fast and how regularised.

    `learning_rates[i]` holds for `steps[i]` steps of Adam. `averaging` is the share of the old
    average that one step keeps, 0 switches averaging off. Where there are teachers, `distillation`
    is the share of the loss that compares with them, both softened by `temperature`.
    """

    learning_rates: tuple[float, ...] = (0.001, 0.003, 0.0015, 0.0006, 0.00015)
    steps: tuple[int, ...] = (500, 12_000, 7_500, 4_500, 3_000)
    batch_size: int = 100
    eval_step_interval: int = 500
    label_smoothing: float = 0.0
    averaging: float = 0.998
    distillation: float = 0.5
    temperature: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.learning_rates) != len(self.steps) or not self.steps:
            raise ValueError(
                "learning_rate and how_many_training_steps: expected lists of equal length, "
                f"got {len(self.learning_rates)} and {len(self.steps)}"
            )
        if min(self.steps) < 1 or min(self.learning_rates) <= 0:
            raise ValueError(
                "learning_rate and how_many_training_steps: expected values above 0, "
                f"got {min(self.learning_rates)} and {min(self.steps)}"
            )
        if not np.isfinite(self.learning_rates).all():
            wrong = next(rate for rate in self.learning_rates if not np.isfinite(rate))
            raise ValueError(f"learning_rate: expected finite numbers, got {wrong}")
        if not 0 <= self.seed <= _HIGHEST_SEED:
            raise ValueError(f"seed: expected 0..{_HIGHEST_SEED}, got {self.seed}")
        for name in ("batch_size", "eval_step_interval"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected 1 or more, got {getattr(self, name)}")
        for name in ("averaging", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"{name}: expected 0 or more and below 1, got {getattr(self, name)}"
                )

        if not 0 <= self.distillation <= 1:
            raise ValueError(f"distillation: expected 0..1, got {self.distillation}")
        if not 0 < self.temperature <= _HIGHEST_TEMPERATURE:
            raise ValueError(
                f"temperature: expected above 0 and up to {_HIGHEST_TEMPERATURE}, "
                f"got {self.temperature}"
            )

    @property
    def total_steps(self) -> int:
        return sum(self.steps)

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of step `step`, counted from 0."""
        for rate, end in zip(self.learning_rates, accumulate(self.steps), strict=True):
            if step < end:
                return rate
        raise ValueError(f"step: expected 0..{self.total_steps - 1}, got {step}")
