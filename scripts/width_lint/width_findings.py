"""What the width lint found: one line a signal, each with a verdict."""

from __future__ import annotations

from dataclasses import dataclass

OK = "ok"
TOO_WIDE = "too wide"
TOO_NARROW = "too narrow"
UNSIGNED = "unsigned"
UNMAPPED = "unmapped"
TRUNCATED = "truncated"
SIGN_LOST = "sign lost"
DISAGREEMENT = "readers disagree"
FAILURES = (TOO_NARROW, UNSIGNED, UNMAPPED, TRUNCATED, SIGN_LOST, DISAGREEMENT)


@dataclass(frozen=True)
class Finding:
    """A verdict on a signal of a module, at a place (`file:line`).

    `required_bits` and `declared_bits` are those of a lane; None where the verdict is of no width.
    `text` says what is wrong, empty where nothing is.
    """

    module: str
    signal: str
    verdict: str
    text: str = ""
    network_signal: str = ""
    required_bits: int | None = None
    declared_bits: int | None = None
    lanes: int = 1
    place: str = ""

    @property
    def fails(self) -> bool:
        """Whether it is a failure; warnings are not."""
        return self.verdict in FAILURES

    @property
    def wasted_bits(self) -> int:
        """Bits too many, of all lanes."""
        if self.verdict != TOO_WIDE or self.required_bits is None or self.declared_bits is None:
            return 0
        return (self.declared_bits - self.required_bits) * self.lanes
