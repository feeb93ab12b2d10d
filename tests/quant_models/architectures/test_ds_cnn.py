"""Sizes: what the flags say, what is refused, and the chain of convolutions that follows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_models.architectures.architecture import CONVOLUTION, DEPTHWISE
from quant_models.architectures.ds_cnn import DsCnn, Layer
from quant_models.model_size import DEFAULT_SHIFTS, ModelSize
from tests.checkpoints import GRID, SMALL, ds_cnn_size

DEEP = (5, 64, 10, 4, 2, 2, *4 * (64, 3, 3, 1, 1))


# ---- what the flags say


def test_the_default_sizes_are_read() -> None:
    assert ds_cnn_size([2, 48, 4, 4, 2, 2, 16, 3, 3, 1, 1], [3, 4, 8]) == ModelSize(
        DsCnn((Layer(48, (4, 4), (2, 2), "VALID"), Layer(16, (3, 3), (1, 1), "SAME"))), (3, 4, 8)
    )


def test_each_number_has_its_place() -> None:
    size = ds_cnn_size([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11], [12, 13, 14], ["same", "VALID"])
    assert isinstance(size.architecture, DsCnn)
    assert size.architecture.layers == (
        Layer(3, (4, 5), (6, 7), "SAME"),
        Layer(8, (9, 10), (11, 11), "VALID"),
    )
    assert size.shifts == (12, 13, 14)
    assert size.architecture.padding == ("SAME", "VALID")
    assert size.architecture.info == (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11)


@given(st.lists(st.tuples(*4 * [st.integers(1, 99)]), min_size=1, max_size=9))
def test_any_number_of_layers_is_read_and_given_back(rows: list[tuple[int, ...]]) -> None:
    info = (len(rows), *(number for row in rows for number in (*row, row[3])))
    size = ds_cnn_size(info, (2 * len(rows) - 1) * [5])
    assert isinstance(size.architecture, DsCnn)
    assert size.architecture.info == info
    assert size.architecture.padding == ("VALID", *(len(rows) - 1) * ("SAME",))
    assert len(size.blocks(GRID, 2)) == len(size.shifts) + 1


@pytest.mark.parametrize(
    ("info", "message"),
    [
        ((), "expected the number of layers and five numbers for each, got nothing"),
        ((2, 48), "expected the number of layers and five numbers for each, got 2 48"),
        ((0,), "expected the number of layers and five numbers for each, got 0"),
        ((3, *SMALL[1:]),
         "expected the number of layers and five numbers for each, got 3 3 4 4 2 2 5 3 3 1 1"),
        ((*SMALL, 1),
         "expected the number of layers and five numbers for each, got 2 3 4 4 2 2 5 3 3 1 1 1"),
        ((-1, 3, 4, 4, 2, 2), "expected numbers above 0, got -1 in place 1"),
        ((2, 0, 4, 4, 2, 2, 5, 3, 3, 1, 1), "expected numbers above 0, got 0 in place 2"),
        ((2, 3, 4, 4, 2, -2, 5, 3, 3, 1, 1), "expected numbers above 0, got -2 in place 6"),
        ((2, 3, 4, 4, 2, 2, 5, 3, 3, 1, 2),
         "expected equal strides in layer 2, which is a separable one, got 1 and 2"),
        ((3, *SMALL[1:], 5, 3, 3, 2, 1),
         "expected equal strides in layer 3, which is a separable one, got 2 and 1"),
    ],
)  # fmt: skip
def test_wrong_sizes_are_refused(info: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        DsCnn.parse(info)
    assert str(caught.value) == f"model_size_info: {message}"


@pytest.mark.parametrize("shifts", [(), (3, 4), (3, 4, 8, 1), (3, -1, 8), (3, 4, 32)])
def test_wrong_shifts_are_refused(shifts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError) as caught:
        ds_cnn_size(SMALL, shifts)
    text = " ".join(map(str, shifts))
    assert str(caught.value) == f"shifts: expected 3 in 0..31, one for each ReLU, got {text}"


@pytest.mark.parametrize(("layers", "count"), [(1, "1 in 0..31"), (5, "9 in 0..31")])
def test_the_refusal_of_shifts_says_how_many_there_should_be(layers: int, count: str) -> None:
    with pytest.raises(ValueError, match=rf"^shifts: expected {count}.*, got 3 4 8$"):
        ds_cnn_size((layers, *DEEP[1 : 1 + 5 * layers]), DEFAULT_SHIFTS)


@pytest.mark.parametrize("padding", [(), ("same",), ("same", "valid", "same"), ("same", "none")])
def test_wrong_padding_is_refused(padding: tuple[str, ...]) -> None:
    with pytest.raises(ValueError) as caught:
        DsCnn.parse(SMALL, padding)
    text = " ".join(padding)
    assert str(caught.value) == f"padding: expected SAME or VALID for each of 2 layers, got {text}"


def test_sizes_and_shifts_of_another_kind_are_refused() -> None:
    with pytest.raises(TypeError, match=r"^model_size_info: expected integers, got 48\.0$"):
        DsCnn.parse([2, 48.0, *SMALL[2:]])  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"^shifts: expected integers, got '4'$"):
        ds_cnn_size(SMALL, [3, "4", 8])  # type: ignore[list-item]


# ---- what fits


@pytest.mark.parametrize(("kernel", "coefficients"), [((31, 4), 10), ((4, 11), 10), ((4, 4), 3)])
def test_a_kernel_larger_than_the_fingerprint_is_refused(
    kernel: tuple[int, int], coefficients: int
) -> None:
    layers = DsCnn.parse((2, 3, *kernel, *SMALL[4:]))
    with pytest.raises(ValueError) as caught:
        layers.require_fit((30, coefficients))
    assert str(caught.value) == (
        "model_size_info: expected the kernel of layer 1 within the fingerprint of "
        f"30 x {coefficients}, got {kernel[0]} x {kernel[1]}"
    )


def test_a_kernel_larger_than_the_map_of_a_later_layer_is_refused() -> None:
    layers = DsCnn.parse((3, *SMALL[1:], 4, 12, 2, 1, 1), ("valid", "valid", "valid"))
    assert layers.require_fit(GRID) is None
    message = (
        "^model_size_info: expected the kernel of layer 3 within its map of 12 x 2, got 5 x 3$"
    )
    wide = DsCnn.parse((3, *SMALL[1:], 4, 5, 3, 1, 1), ("valid", "valid", "valid"))
    with pytest.raises(ValueError, match=message):
        wide.require_fit(GRID)


def test_a_kernel_as_large_as_the_fingerprint_fits_and_with_padding_any() -> None:
    DsCnn.parse((2, 3, 30, 10, *SMALL[4:])).require_fit(GRID)
    DsCnn.parse((2, 3, 31, 11, *SMALL[4:]), ("same", "same")).require_fit(GRID)


# ---- the chain


def test_two_layers_have_the_names_that_they_always_had() -> None:
    size = ds_cnn_size(DsCnn.DEFAULT_INFO)
    *blocks, last = size.blocks(GRID, 4)
    assert (last.name, last.shift) == ("fc1", None)
    assert [(block.name, block.relu, block.pooled) for block in blocks] == [
        ("conv_1", "conv_1_relu", False),
        ("dw_conv", "dw_conv_relu", True),
        ("pw_conv", "pw_conv_relu", False),
    ]
    assert size.parameter_shapes(GRID, 4) == {
        "DS-CNN/conv_1/weights": (4, 4, 1, 48),
        "DS-CNN/conv_ds_1/dw_conv/depthwise_weights": (3, 3, 48, 1),
        "DS-CNN/conv_ds_1/pw_conv/weights": (1, 1, 48, 16),
        "DS-CNN/fc1/weights": (16, 4),
        "DS-CNN/fc1/biases": (4,),
    }


def test_one_layer_is_a_convolution_that_is_pooled() -> None:
    size = ds_cnn_size((1, 7, 4, 3, 2, 1), (3,))
    block, _ = size.blocks(GRID, 4)
    assert (block.name, block.kind, block.pooled) == ("conv_1", CONVOLUTION, True)
    assert size.parameter_shapes(GRID, 4) == {
        "DS-CNN/conv_1/weights": (4, 3, 1, 7),
        "DS-CNN/fc1/weights": (7, 4),
        "DS-CNN/fc1/biases": (4,),
    }


def test_deeper_networks_count_their_separable_layers_and_pool_in_the_last() -> None:
    info = (3, 6, 4, 4, 2, 1, 7, 3, 2, 2, 2, 8, 5, 5, 1, 1)
    size = ds_cnn_size(info, (1, 2, 3, 4, 5), ("same", "valid", "same"))
    *blocks, _ = size.blocks(GRID, 9)
    shapes = [
        ("conv_1", (4, 4, 1, 6), (2, 1), "SAME", 1),
        ("dw_conv_1", (3, 2, 6, 1), (2, 2), "VALID", 2),
        ("pw_conv_1", (1, 1, 6, 7), (1, 1), "VALID", 3),
        ("dw_conv_2", (5, 5, 7, 1), (1, 1), "SAME", 4),
        ("pw_conv_2", (1, 1, 7, 8), (1, 1), "VALID", 5),
    ]
    assert shapes == [
        (block.name, block.shape, block.stride, block.padding, block.shift) for block in blocks
    ]
    assert [block.name for block in blocks if block.pooled] == ["dw_conv_2"]
    assert [block.name for block in blocks if block.kind == DEPTHWISE] == ["dw_conv_1", "dw_conv_2"]
    assert [*size.parameter_shapes(GRID, 9)] == [
        "DS-CNN/conv_1/weights",
        "DS-CNN/conv_ds_1/dw_conv/depthwise_weights",
        "DS-CNN/conv_ds_1/pw_conv/weights",
        "DS-CNN/conv_ds_2/dw_conv/depthwise_weights",
        "DS-CNN/conv_ds_2/pw_conv/weights",
        "DS-CNN/fc1/weights",
        "DS-CNN/fc1/biases",
    ]
