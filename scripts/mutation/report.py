"""What became of the mutants: counts by module and operator, the table, the JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from scripts.mutation.bench import Judgement, Verdict
from scripts.mutation.mutants import Mutant, diff

EQUIVALENT = "equivalent"
_COLUMNS = (Verdict.KILLED, Verdict.HANGING, Verdict.SURVIVING, EQUIVALENT, Verdict.STILLBORN)


@dataclass(frozen=True)
class Result:
    """A mutant, the verdict on it, and why it is equivalent, if somebody argued that."""

    mutant: Mutant
    judgement: Judgement
    why: str = ""

    @property
    def label(self) -> str:
        """The verdict, or "equivalent" for a survivor that is argued to be that."""
        survives = self.judgement.verdict is Verdict.SURVIVING
        return EQUIVALENT if survives and self.why else self.judgement.verdict


def survivors(results: Sequence[Result]) -> list[Mutant]:
    """Return the mutants that nobody noticed and nobody argued for."""
    return [result.mutant for result in results if result.label == Verdict.SURVIVING]


def check_arguments(results: Sequence[Result]) -> None:
    """Raise ValueError if a mutant that is argued to be equivalent was not left alive."""
    for result in results:
        if result.why and result.label != EQUIVALENT:
            raise ValueError(
                f"{' '.join(result.mutant.describe().split())}: expected to survive, because it "
                f"is argued to be equivalent, got {result.label} by {result.judgement.test}"
            )


def counts(results: Sequence[Result], by: str) -> dict[str, Counter[str]]:
    """Count the labels for each "module" or each "operator", sorted by name."""
    found: dict[str, Counter[str]] = {}
    for result in results:
        found.setdefault(getattr(result.mutant, by), Counter())[result.label] += 1
    return dict(sorted(found.items()))


def score(labels: Counter[str]) -> float | None:
    """Return which part of the mutants was killed, equivalent and stillborn ones left out."""
    killed = labels[Verdict.KILLED] + labels[Verdict.HANGING]
    judged = killed + labels[Verdict.SURVIVING]
    return killed / judged if judged else None


def table(results: Sequence[Result], by: str) -> Table:
    """Return the counts for each "module" or each "operator", and of all."""
    grid = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    for heading in (by, "mutants", *_COLUMNS, "score"):
        grid.add_column(heading, justify="left" if heading == by else "right", no_wrap=True)
    groups = counts(results, by)
    for name, labels in groups.items():
        grid.add_row(name, *_figures(labels))
    grid.add_row("all", *_figures(sum(groups.values(), Counter())), style="bold")
    return grid


def report(results: Sequence[Result], modules: Mapping[str, str]) -> dict[str, Any]:
    """Return everything as JSON holds it; `modules` are the texts without a mistake."""
    return {
        **{f"by_{by}": counts(results, by) for by in ("module", "operator")},
        "mutants": [
            {
                "module": result.mutant.module,
                "operator": result.mutant.operator,
                "before": result.mutant.before,
                "after": result.mutant.after,
                "occurrence": result.mutant.occurrence,
                "diff": diff(modules[result.mutant.module], result.mutant),
                "verdict": result.label,
                "test": result.judgement.test,
                "why": result.why,
            }
            for result in results
        ],
    }


def _figures(labels: Counter[str]) -> tuple[str, ...]:
    part = score(labels)
    killed = "-" if part is None else f"{part:.1%}"
    return (f"{labels.total():,}", *(f"{labels[column]:,}" for column in _COLUMNS), killed)
