"""The benchmark as pictures: who computes how much a second, and how that changes with size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from golden import files
from scripts.benchmarking.rounds import Speed

Curves = Mapping[str, Sequence[tuple[int, Speed]]]


def draw_speeds(speeds: Mapping[str, Sequence[Speed]], path: Path) -> None:
    """Draw the median and the spread of every participant, a panel a network, as PNG."""
    figure, panels = plt.subplots(
        len(speeds), 1, figsize=(8, 0.6 + 2.6 * len(speeds)), layout="constrained", squeeze=False
    )
    for panel, (network, found) in zip(panels[:, 0], speeds.items(), strict=True):
        names = [f"{speed.name} (threads: {speed.threads})" for speed in found]
        medians = [speed.median for speed in found]
        below = [speed.median - speed.spread[0] for speed in found]
        above = [speed.spread[1] - speed.median for speed in found]
        colours = ["C3" if speed.name.startswith("engine") else "C0" for speed in found]
        panel.barh(names, medians, xerr=(below, above), color=colours, height=0.6)
        panel.invert_yaxis()
        panel.set_xscale("log")
        panel.set_title(network, loc="left")
        panel.set_xlabel("inferences a second (median, slowest and fastest round)")
        panel.grid(axis="x", alpha=0.3, which="both")
    files.write_via(path, lambda temporary: figure.savefig(temporary, dpi=120))
    plt.close(figure)


def draw_growth(growth: Mapping[str, Curves], path: Path) -> None:
    """Draw microseconds an inference against each size, a curve a participant, as PNG."""
    figure, panels = plt.subplots(
        1, len(growth), figsize=(4 * len(growth), 3.6), layout="constrained", squeeze=False
    )
    for panel, (size, curves) in zip(panels[0], growth.items(), strict=True):
        for name, points in curves.items():
            sizes = [at for at, _ in points]
            panel.plot(sizes, [1e6 / speed.median for _, speed in points], "o-", label=name)
        panel.set_xscale("log", base=2)
        panel.set_yscale("log")
        panel.set_xlabel(size)
        panel.set_ylabel("µs an inference")
        panel.grid(alpha=0.3, which="both")
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    files.write_via(path, lambda temporary: figure.savefig(temporary, dpi=120))
    plt.close(figure)
