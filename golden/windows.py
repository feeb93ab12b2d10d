"""Where the windows of a convolution or a pool lie on a map: TensorFlow's SAME and VALID."""

from __future__ import annotations

from dataclasses import dataclass

Shape = tuple[int, ...]
Pair = tuple[int, int]


@dataclass(frozen=True)
class Windows:
    """How windows lie on a feature map, each pair `(time, coefficient)`.

    `kernel` counts the elements of a window along each axis, `dilation` apart from one another.
    """

    kernel: Shape
    stride: Pair
    padding: str
    dilation: Pair = (1, 1)

    @property
    def extent(self) -> Pair:
        """Rows and columns from the first to the last element of a window, both included."""
        rows, columns = (
            (count - 1) * apart + 1 for count, apart in zip(self.kernel, self.dilation, strict=True)
        )
        return rows, columns

    def grid(self, shape: Shape) -> Pair:
        """Number of positions (TensorFlow's VALID and SAME rules); below 1 if none fits."""
        rows, columns = (
            -(-size // step) if self.padding == "SAME" else (size - extent) // step + 1
            for size, extent, step in zip(shape, self.extent, self.stride, strict=False)
        )
        return rows, columns

    def padding_of(self, shape: Shape) -> tuple[Pair, Pair]:
        """Rows before and after a map, then columns, by which the windows reach beyond it."""
        if self.padding == "VALID":
            return (0, 0), (0, 0)
        rows, columns = (
            same_padding(size, extent, step)
            for size, extent, step in zip(shape, self.extent, self.stride, strict=False)
        )
        return rows, columns


def same_padding(size: int, kernel: int, step: int) -> Pair:
    """Return the zeros before and after an axis under TensorFlow's SAME rule.

    >>> same_padding(14, 3, 1), same_padding(30, 4, 2), same_padding(5, 2, 1)
    ((1, 1), (1, 1), (0, 1))
    """
    total = max((-(-size // step) - 1) * step + kernel - size, 0)
    return total // 2, total - total // 2
