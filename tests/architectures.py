"""Every architecture in every form that it has, small and on a small grid."""

from __future__ import annotations

from collections.abc import Mapping

from golden.network import FeatureSettings
from quant_models.architectures.registry import ARCHITECTURES, architecture_of
from quant_models.model_size import FLOAT, FORMS, ModelSize, grid_of

FEATURES = FeatureSettings(clip_ms=240, stride_ms=40.0, coefficients=6)
SMALL_GRID = grid_of(FEATURES)  # 6 x 6
SHIFT = 4  # every one: what lies behind it is neither all 0 nor too large for float32

# Sizes that fit the small grid. A new architecture needs an entry, and with it has all tests.
SMALL_INFO: Mapping[str, tuple[int, ...]] = {
    "ds_cnn": (3, 4, 3, 3, 1, 1, 5, 3, 3, 2, 2, 6, 2, 2, 1, 1),
    "dnn": (8, 6),
    "cnn": (4, 3, 3, 1, 1, 5, 2, 2, 2, 1, 4, 6),
    "basic_lstm": (5,),
    "lstm": (3, 5),
    "gru": (2, 5),
    "crnn": (4, 3, 3, 1, 2, 1, 5, 6),
}

Pair = tuple[str, str]  # name of the architecture, form

PAIRS: list[Pair] = [
    (name, form)
    for name, kind in ARCHITECTURES.items()
    for form in FORMS
    if form == FLOAT or kind.NO_INTEGERS is None
]


def small_size(name: str, form: str = FLOAT) -> ModelSize:
    """The small size of an architecture, in a form."""
    architecture = architecture_of(name, SMALL_INFO[name])
    shifts = None if form == FLOAT else architecture.shift_count * (SHIFT,)
    return ModelSize(architecture, shifts)
