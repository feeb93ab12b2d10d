"""Layers of the float form: shapes, parameters and work; `quant_models.float_model` builds them.

Shapes are those of one example, without the batch: maps `[time][coefficient][channel]`, sequences
`[time][feature]`, or vectors. Parameters are named `<layer>/<array>`, in Keras' axis order.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

from golden.windows import Pair, Shape, Windows

_GATES_OF_LSTM, _GATES_OF_GRU = 4, 3


@dataclass(frozen=True)
class FloatLayer(ABC):
    """One layer by its name; `KIND` is what people call it."""

    KIND: ClassVar[str]

    name: str

    @abstractmethod
    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape that the layer makes of a shape."""

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        """Return the shape of each trained or averaged array on inputs of a shape."""
        return {}

    def multiplications(self, shape: Shape) -> int:
        """Return the multiplications by weights for one input of a shape, padding included."""
        return 0

    def parameter(self, array: str) -> str:
        """Name of one of its arrays in a checkpoint."""
        return f"{self.name}/{array}"

    def folded(self) -> FloatLayer:
        """Return the layer without batch normalisation."""
        return self


@dataclass(frozen=True)
class BatchNorm:
    """Batch normalisation behind a layer's sums: factors where `scaled`, offsets always.

    `momentum` is the share of the old running mean and variance that one step keeps. (Ioffe and
    Szegedy 2015, arXiv 1502.03167.)
    """

    scaled: bool
    momentum: float

    @property
    def arrays(self) -> tuple[str, ...]:
        """What it keeps, an array of one number a channel each."""
        return (*(("gamma",) if self.scaled else ()), "beta", "moving_mean", "moving_variance")


@dataclass(frozen=True)
class _Weighted(FloatLayer):
    """A layer of sums with biases, then batch normalisation, ReLU and dropout if it has them.

    `dropout` is the share of outputs that a training step drops.
    """

    norm: BatchNorm | None = None
    relu: bool = True
    dropout: float = 0.0

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        kernel = self.kernel_shape(shape)
        channels = (self.output_shape(shape)[-1],)
        arrays = () if self.norm is None else self.norm.arrays
        return {
            self.parameter("kernel"): kernel,
            self.parameter("bias"): channels,
            **{self.parameter(f"batch_norm/{array}"): channels for array in arrays},
        }

    @abstractmethod
    def kernel_shape(self, shape: Shape) -> Shape:
        """Return the shape of the weights on inputs of a shape."""

    def folded(self) -> FloatLayer:
        return replace(self, norm=None)


@dataclass(frozen=True)
class _Sliding(_Weighted):
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: str = "VALID"

    def grid(self, shape: Shape) -> Pair:
        """Positions of the kernel on a map."""
        return Windows(self.kernel, self.stride, self.padding).grid(shape)

    def multiplications(self, shape: Shape) -> int:
        return math.prod(self.grid(shape)) * math.prod(self.kernel_shape(shape))


@dataclass(frozen=True)
class FloatConvolution(_Sliding):
    """Convolution of all channels to `features` channels."""

    KIND: ClassVar[str] = "convolution"

    features: int = 1

    def output_shape(self, shape: Shape) -> Shape:
        return (*self.grid(shape), self.features)

    def kernel_shape(self, shape: Shape) -> Shape:
        return (*self.kernel, *shape[2:], self.features)


@dataclass(frozen=True)
class FloatDepthwise(_Sliding):
    """Convolution of each channel alone."""

    KIND: ClassVar[str] = "depthwise convolution"

    def output_shape(self, shape: Shape) -> Shape:
        return (*self.grid(shape), shape[2])

    def kernel_shape(self, shape: Shape) -> Shape:
        return (*self.kernel, shape[2], 1)


@dataclass(frozen=True)
class FloatDense(_Weighted):
    """Matrix product of the flattened input to `units` outputs."""

    KIND: ClassVar[str] = "fully connected"

    units: int = 1

    def output_shape(self, shape: Shape) -> Shape:
        return (self.units,)

    def kernel_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape), self.units)

    def multiplications(self, shape: Shape) -> int:
        return math.prod(self.kernel_shape(shape))


@dataclass(frozen=True)
class FloatAveragePool(FloatLayer):
    """Mean over the whole map."""

    KIND: ClassVar[str] = "average pool"

    def output_shape(self, shape: Shape) -> Shape:
        return shape[2:]


@dataclass(frozen=True)
class _Recurrent(FloatLayer):
    """A layer with a state; its outputs at every frame, or the one `last`."""

    units: int
    last: bool = True

    @property
    def outputs(self) -> int:
        """Features of its output, which is also fed back."""
        return self.units

    def output_shape(self, shape: Shape) -> Shape:
        return (self.outputs,) if self.last else (shape[0], self.outputs)

    def frame_features(self, shape: Shape) -> int:
        """Features of one frame of the input; those of a map are its coefficients and channels."""
        return math.prod(shape[1:])

    def multiplications(self, shape: Shape) -> int:
        weights = self.parameter_shapes(shape).items()
        return shape[0] * sum(math.prod(s) for name, s in weights if not name.endswith("bias"))


@dataclass(frozen=True)
class FloatLstm(_Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), forget gate included.

    With a `projection` the output has as many features, and the gates see the cell (peepholes): Sak
    et al. 2014, arXiv 1402.1128. 0 is without.
    """

    KIND: ClassVar[str] = "LSTM"

    projection: int = 0

    @property
    def outputs(self) -> int:
        return self.projection or self.units

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        gates = _GATES_OF_LSTM * self.units
        shapes: dict[str, Shape] = {
            self.parameter("kernel"): (self.frame_features(shape), gates),
            self.parameter("recurrent_kernel"): (self.outputs, gates),
            self.parameter("bias"): (gates,),
        }
        if self.projection:
            shapes[self.parameter("peepholes")] = (3, self.units)
            shapes[self.parameter("projection")] = (self.units, self.projection)
        return shapes


@dataclass(frozen=True)
class FloatGru(_Recurrent):
    """Gated recurrent units (Cho et al. 2014, arXiv 1406.1078): reset before the product."""

    KIND: ClassVar[str] = "GRU"

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        gates = _GATES_OF_GRU * self.units
        return {
            self.parameter("kernel"): (self.frame_features(shape), gates),
            self.parameter("recurrent_kernel"): (self.units, gates),
            self.parameter("bias"): (gates,),
        }
