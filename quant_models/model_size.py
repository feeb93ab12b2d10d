"""What a network is made of: its architecture and the form that it takes.

In floor-shift form (`FLOOR_SHIFT`) weights and activations are integers, and there are shifts; in
float form (`FLOAT`) there are biases, and batch normalisation until it is folded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from golden.network import FeatureSettings
from golden.windows import Pair, Shape
from quant_models.architectures.architecture import Architecture, Block, require_integers
from quant_models.architectures.ds_cnn import DsCnn, default_padding
from quant_models.architectures.float_layers import FloatLayer
from quant_models.architectures.registry import architecture_of

FLOOR_SHIFT = "floor_shift"
FLOAT = "float"
FORMS = (FLOOR_SHIFT, FLOAT)

DEFAULT_SHIFTS = (3, 4, 8)  # of a DS-CNN of two layers
HIGHEST_SHIFT = 31


@dataclass(frozen=True)
class ModelSize:
    """An architecture, and the shifts of its floor-shift form; None is the float form.

    `folded` says that the float form has its batch normalisation folded into weights and biases.

    Raises ValueError for another number of shifts, shifts outside 0..31, or shifts of an
    architecture that has no floor-shift form; TypeError for shifts that are not integers.
    """

    architecture: Architecture
    shifts: tuple[int, ...] | None
    folded: bool = False

    def __post_init__(self) -> None:
        if self.shifts is None:
            return
        if self.folded:
            raise ValueError("folded: expected with the float form alone, got it with shifts")
        require_integer_form(self.architecture)
        require_integers("shifts", self.shifts)
        count = self.architecture.shift_count
        if len(self.shifts) != count or not all(0 <= s <= HIGHEST_SHIFT for s in self.shifts):
            raise ValueError(
                f"shifts: expected {count} in 0..{HIGHEST_SHIFT}, one for each ReLU, "
                f"got {' '.join(map(str, self.shifts))}"
            )

    @property
    def form(self) -> str:
        """One of `FORMS`."""
        return FLOAT if self.shifts is None else FLOOR_SHIFT

    def blocks(self, grid: Pair, labels: int) -> tuple[Block, ...]:
        """Return the layers of the floor-shift form on fingerprints of a grid.

        Raises ValueError for the float form.
        """
        if self.shifts is None:
            raise ValueError(f"{self.architecture.NAME}: expected the floor-shift form, got float")
        return self.architecture.blocks(self.shifts, grid, labels)

    def float_layers(self, grid: Pair, labels: int) -> tuple[tuple[FloatLayer, Shape], ...]:
        """Return the layers of the float form, each with the shape of its input."""
        layers: list[tuple[FloatLayer, Shape]] = []
        shape: Shape = (*grid, 1)
        for layer in self.architecture.float_layers(labels):
            layers.append((layer.folded() if self.folded else layer, shape))
            shape = layer.output_shape(shape)
        return tuple(layers)

    def parameter_shapes(self, grid: Pair, labels: int) -> dict[str, Shape]:
        """Shape of every trained array, by its name in the checkpoint (Keras axis order)."""
        if self.shifts is None:
            found = [
                each.parameter_shapes(shape) for each, shape in self.float_layers(grid, labels)
            ]
        else:
            found = [block.parameter_shapes for block in self.blocks(grid, labels)]
        return {name: shape for shapes in found for name, shape in shapes.items()}

    def stored(self) -> dict[str, Any]:
        """Return what a checkpoint says of the size; `size_from` is the way back."""
        description: dict[str, Any] = {
            "model_architecture": self.architecture.NAME,
            "model_size_info": list(self.architecture.info),
        }
        if isinstance(self.architecture, DsCnn):
            padding = self.architecture.padding
            if padding != default_padding(len(padding)):  # the usual one was never written
                description["padding"] = list(padding)
        if self.shifts is None:
            return {**description, "form": FLOAT, "folded": self.folded}
        return {**description, "shifts": list(self.shifts)}


def size_from(stored: dict[str, Any]) -> ModelSize:
    """Rebuild a size from what `ModelSize.stored` and JSON made of it.

    Raises LookupError, TypeError or ValueError for what is no description of one.
    """
    architecture = architecture_of(
        stored["model_architecture"], stored["model_size_info"], stored.get("padding")
    )
    if stored.get("form", FLOOR_SHIFT) == FLOAT:
        return ModelSize(architecture, None, bool(stored["folded"]))
    return ModelSize(architecture, tuple(stored["shifts"]))


def require_integer_form(architecture: Architecture) -> None:
    """Raise ValueError, saying why, if integers cannot compute an architecture."""
    if architecture.NO_INTEGERS is not None:
        raise ValueError(
            f"{architecture.NAME}: expected an architecture that integers compute, but "
            f"{architecture.NO_INTEGERS}"
        )


def known_shifts(architecture: Architecture, given: Sequence[int] | None) -> tuple[int, ...] | None:
    """Return the shifts that are given or usual, None if they are to be chosen from ranges."""
    if given is not None:
        return tuple(given)
    return (
        DEFAULT_SHIFTS
        if isinstance(architecture, DsCnn) and len(architecture.layers) == 2
        else None
    )


def grid_of(features: FeatureSettings) -> Pair:
    """Shape of the fingerprints, `(time, coefficient)`."""
    return features.frames, features.coefficients
