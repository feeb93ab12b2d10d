"""Which ranges hardware is sized by: proven, interval bounds, or merely observed ones.

Proven ranges take minutes to make, so they are stored; here they are found, required and chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dataflow.proof.proven_ranges import ProvenRanges, read_proven_ranges
from dataflow.ranges.intervals import Ranges, interval_bounds
from dataflow.ranges.observed import observe
from golden import files
from golden.exports.cases import read_cases
from golden.network import IntegerNetwork

PROVEN, INTERVAL, OBSERVED = "proven", "interval", "observed"
SOURCES = (PROVEN, INTERVAL, OBSERVED)
# What generated files call them: no path, so that the same ranges give the same bytes.
_TITLES = {PROVEN: "proven ranges", INTERVAL: "interval bounds", OBSERVED: "observed ranges"}

FILE_NAME = "proven_ranges.npz"
CACHE = Path("work/cache/proven_ranges")


@dataclass(frozen=True, eq=False)
class ChosenRanges:
    """Ranges of every signal, one of `SOURCES`, and a line that says where they come from."""

    ranges: Ranges
    source: str
    origin: str

    @property
    def title(self) -> str:
        """What generated files call the ranges."""
        return _TITLES[self.source]


def find_proven_ranges(
    network_path: Path, network: IntegerNetwork
) -> tuple[ProvenRanges, Path] | None:
    """Return the stored proven ranges of a network and their file, or None if there are none.

    They lie beside the network, or in the cache under its digest. Raises ValueError for a file that
    belongs to another network, is not valid, or whose ranges do not hold for every fingerprint.
    """
    for path in (network_path.parent / FILE_NAME, CACHE / f"{network.digest}.npz"):
        if path.exists():
            ranges = read_proven_ranges(path, network)
            low, high = int(ranges.input_low.max()), int(ranges.input_high.min())
            lowest, highest = network.input_format.value_range
            if (low, high) != (lowest, highest):
                raise ValueError(
                    f"{path}: expected ranges proven for all inputs in {lowest}..{highest}, "
                    f"got a coefficient in {low}..{high}"
                )
            return ranges, path
    return None


def require_proven_ranges(network_path: Path, network: IntegerNetwork) -> ProvenRanges:
    """Return the stored proven ranges of a network; ValueError if there are none."""
    stored = find_proven_ranges(network_path, network)
    if stored is None:
        raise ValueError(
            f"{network_path}: expected proven ranges beside it or in {CACHE}, found none "
            "(scripts/bitwidths.py makes them)"
        )
    return stored[0]


def store_proven_ranges(network_path: Path, ranges: ProvenRanges) -> Path:
    """Store proven ranges, whole or not at all, and return the file.

    They go beside the network if there is such a file already, otherwise to the cache.
    """
    beside = network_path.parent / FILE_NAME
    path = beside if beside.exists() else CACHE / f"{ranges.network_digest}.npz"
    files.write_together({path: ranges.to_bytes()})
    return path


def choose_ranges(
    network_path: Path, network: IntegerNetwork, source: str | None, cases: Path | None = None
) -> ChosenRanges:
    """Return the ranges of `source`; without one the proven ones, or interval bounds if none exist.

    `observed` needs golden cases, and gives hardware that other inputs overflow.

    Raises ValueError for `proven` without stored ranges, `observed` without cases, or cases of
    another network.
    """
    if source not in (None, *SOURCES):
        raise ValueError(f"widths: expected one of {', '.join(SOURCES)}, got {source!r}")
    if source == OBSERVED:
        if cases is None:
            raise ValueError("widths: expected --cases to observe signals on, got none")
        fingerprints = read_cases(cases, network).fingerprints
        seen = observe(network, interval_bounds(network), [fingerprints])
        return ChosenRanges(seen.ranges, OBSERVED, f"observed on {seen.clips:,} clips of {cases}")
    stored = None if source == INTERVAL else find_proven_ranges(network_path, network)
    if stored is not None:
        return ChosenRanges(stored[0].bounds, PROVEN, f"proven ({stored[1]})")
    if source == PROVEN:
        require_proven_ranges(network_path, network)
    reason = "" if source == INTERVAL else ", nothing proven yet (scripts/bitwidths.py)"
    return ChosenRanges(interval_bounds(network), INTERVAL, f"interval bounds{reason}")
