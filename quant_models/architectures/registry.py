"""All architectures by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quant_models.architectures.architecture import Architecture
from quant_models.architectures.cnn import Cnn
from quant_models.architectures.crnn import Crnn
from quant_models.architectures.dnn import Dnn
from quant_models.architectures.ds_cnn import DsCnn
from quant_models.architectures.gru import Gru
from quant_models.architectures.lstm import BasicLstm, Lstm

ARCHITECTURES: Mapping[str, type[Architecture]] = {
    kind.NAME: kind for kind in (DsCnn, Dnn, Cnn, BasicLstm, Lstm, Gru, Crnn)
}


def architecture_of(
    name: str, info: Sequence[int] | None = None, padding: Sequence[str] | None = None
) -> Architecture:
    """Return the architecture of `--model_architecture`, `--model_size_info` and `--padding`.

    Without `info` it has its default sizes.

    Raises ValueError or TypeError for an unknown name, sizes that do not describe it, and padding
    where an architecture has none.
    """
    if name not in ARCHITECTURES:
        raise ValueError(
            f"model_architecture: expected one of {', '.join(ARCHITECTURES)}, got {name!r}"
        )
    kind = ARCHITECTURES[name]
    info = kind.DEFAULT_INFO if info is None else info
    if kind is DsCnn:
        return DsCnn.parse(info, padding)
    if padding is not None:
        raise ValueError(f"padding: expected with ds_cnn alone, got it with {name}")
    return kind.parse(info)
