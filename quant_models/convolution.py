"""Convolutions of Keras that are right on every processor, whatever the shapes.

TensorFlow 2.21 computes some shapes wrongly on CPUs, forward or backward; they are given to it in
another way.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from golden.windows import Windows, same_padding

Tensor = Any


def convolve(values: Tensor, weights: Tensor, windows: Windows) -> Tensor:
    """Convolve `[N][time][coefficient][in]` with `[kh][kw][in][out]`."""
    stride, padding = windows.stride, windows.padding
    one_wide = windows.grid(values.shape[1:3])[1] == 1
    if windows.kernel == (1, 1) and stride != (1, 1):
        # TensorFlow 2.21 overruns memory in the gradient of such kernels with a stride, on CPUs and
        # in batches of an odd size, so it is given the pixels that they see, and no stride.
        values, stride = values[:, :: stride[0], :: stride[1]], (1, 1)
    if one_wide:
        # A map one coefficient wide: the stride along it is idle. TensorFlow 2.21 computes such
        # maps wrongly on CPUs (one input channel, batches, strides 1 and above 1), so it is given
        # what its one window along the coefficients sees, and not told of that stride.
        values = _one_window_wide(values, windows)
        stride, padding = (stride[0], 1), "VALID"
    return ops.conv(values, weights, strides=stride, padding=padding.lower())


def depthwise(values: Tensor, weights: Tensor, windows: Windows) -> Tensor:
    """Convolve each channel of `[N][time][coefficient][channel]` alone, `[kh][kw][channel][1]`."""
    return ops.depthwise_conv(
        values, weights, strides=windows.stride, padding=windows.padding.lower()
    )


def _one_window_wide(values: Tensor, windows: Windows) -> Tensor:
    """Return the map as wide as the kernel, with the zeros of SAME padding around it."""
    if windows.padding == "SAME":
        pads = [
            same_padding(*each)
            for each in zip(values.shape[1:3], windows.kernel, windows.stride, strict=True)
        ]
        values = ops.pad(values, [(0, 0), *pads, (0, 0)])
    return values[:, :, : windows.kernel[1]]
