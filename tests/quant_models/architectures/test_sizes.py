"""Sizes of every architecture: what is refused, and what the published ones hold and compute.

What DS-CNN alone refuses is in `test_ds_cnn.py`.
"""

from __future__ import annotations

from typing import Any

import pytest

from golden.windows import Pair
from quant_models.architectures.registry import ARCHITECTURES, architecture_of
from quant_models.model_size import ModelSize
from tests.architectures import SMALL_INFO

CNN_S = (28, 10, 4, 1, 1, 30, 10, 4, 2, 1, 16, 128)
CRNN_S = (48, 10, 4, 2, 2, 2, 60, 84)
DS_CNN_S = (5, 64, 10, 4, 2, 2, *4 * (64, 3, 3, 1, 1))
SAME = 5 * ("SAME",)


def refused(name: str, info: tuple[Any, ...]) -> str:
    with pytest.raises((ValueError, TypeError)) as caught:
        architecture_of(name, info)
    return str(caught.value)


# ---- what is refused


@pytest.mark.parametrize(
    ("name", "counts", "expected"),
    [
        ("dnn", (0,), "the outputs of each hidden layer"),
        ("cnn", (0, 11, 13),
         "12 numbers for cnn (features, kernel height and width, stride height and width of each "
         "of two convolutions, then outputs of the linear and of the dense layer)"),
        ("basic_lstm", (0, 2), "1 number for basic_lstm (units)"),
        ("lstm", (0, 1, 3), "2 numbers for lstm (outputs of the projection, units)"),
        ("gru", (0, 1, 3), "2 numbers for gru (number of layers, units of each)"),
        ("crnn", (0, 7, 9),
         "8 numbers for crnn (features, kernel height and width, stride height and width of the "
         "convolution, number and units of recurrent layers, outputs of the dense layer)"),
    ],
)  # fmt: skip
def test_another_number_of_sizes_is_refused(
    name: str, counts: tuple[int, ...], expected: str
) -> None:
    for count in counts:
        info = tuple(range(1, count + 1))
        got = " ".join(map(str, info)) or "nothing"
        assert refused(name, info) == f"model_size_info: expected {expected}, got {got}"


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_number_that_no_network_has_is_refused_with_its_place(name: str) -> None:
    info = SMALL_INFO[name]
    counted = 1 if name == "ds_cnn" else 0  # its first number says how many there are
    for place in range(counted, len(info)):
        for wrong in (0, -1):
            found = refused(name, (*info[:place], wrong, *info[place + 1 :]))
            message = f"expected numbers above 0, got {wrong} in place {place + 1}"
            assert found == f"model_size_info: {message}"


@pytest.mark.parametrize("wrong", [5.0, "5", True, None])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_is_no_integer_is_refused(name: str, wrong: object) -> None:
    info = SMALL_INFO[name]
    for place in range(len(info)):
        with pytest.raises(TypeError) as caught:
            architecture_of(name, (*info[:place], wrong, *info[place + 1 :]))  # type: ignore[arg-type]
        assert str(caught.value) == f"model_size_info: expected integers, got {wrong!r}"


@pytest.mark.parametrize("grid", [(49, 10), (25, 9)])
@pytest.mark.parametrize(("name", "layer"), [("cnn", "convolution 1"), ("crnn", "the convolution")])
def test_a_kernel_larger_than_the_fingerprint_is_refused(name: str, layer: str, grid: Pair) -> None:
    frames, coefficients = grid
    features, _, _, *rest = architecture_of(name).info
    for kernel in ((frames + 1, coefficients), (frames, coefficients + 1)):
        with pytest.raises(ValueError) as caught:
            architecture_of(name, (features, *kernel, *rest)).require_fit(grid)
        assert str(caught.value) == (
            f"model_size_info: expected the kernel of {layer} within the fingerprint of "
            f"{frames} x {coefficients}, got {kernel[0]} x {kernel[1]}"
        )


def test_a_kernel_as_large_as_the_fingerprint_fits() -> None:
    architecture_of("crnn", (48, 49, 10, *CRNN_S[3:])).require_fit((49, 10))
    architecture_of("cnn", (28, 49, 10, 1, 1, 30, 1, 1, *CNN_S[8:])).require_fit((49, 10))


@pytest.mark.parametrize(("kernel", "fits"), [((40, 7), True), ((41, 7), False), ((40, 8), False)])
def test_a_kernel_larger_than_the_map_of_the_second_convolution_is_refused(
    kernel: Pair, fits: bool
) -> None:
    architecture = architecture_of("cnn", (*CNN_S[:6], *kernel, *CNN_S[8:]))
    if fits:
        assert architecture.require_fit((49, 10)) is None
        return
    with pytest.raises(ValueError) as caught:
        architecture.require_fit((49, 10))
    assert str(caught.value) == (
        "model_size_info: expected the kernel of convolution 2 within its map of 40 x 7, "
        f"got {kernel[0]} x {kernel[1]}"
    )


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name != "ds_cnn"])
def test_padding_of_another_architecture_is_refused(name: str) -> None:
    with pytest.raises(ValueError) as caught:
        architecture_of(name, None, ("SAME",))
    assert str(caught.value) == f"padding: expected with ds_cnn alone, got it with {name}"


@pytest.mark.parametrize("name", ["resnet", "", "DNN"])
def test_an_unknown_architecture_is_refused(name: str) -> None:
    assert refused(name, (1,)) == (
        f"model_architecture: expected one of {', '.join(ARCHITECTURES)}, got {name!r}"
    )


@pytest.mark.parametrize(("name", "count"), [("dnn", 3), ("cnn", 3)])
def test_the_refusal_of_shifts_says_how_many_there_should_be(name: str, count: int) -> None:
    architecture = architecture_of(name)
    assert ModelSize(architecture, count * (31,)).shifts == (31, 31, 31)
    for shifts in ((), (1, 2), (1, 2, 3, 4), (1, 2, 32), (-1, 2, 3)):
        with pytest.raises(ValueError) as caught:
            ModelSize(architecture, shifts)
        assert str(caught.value) == (
            f"shifts: expected {count} in 0..31, one for each ReLU, "
            f"got {' '.join(map(str, shifts))}"
        )


# ---- what the published sizes hold and compute, with 12 labels

SHORT, LONG = (25, 10), (49, 10)  # one second in steps of 40 and 20 ms

# Size and grid -> of each layer its name, its arrays' elements and its multiplications.
PUBLISHED: dict[str, tuple[tuple[int, ...], Pair, list[tuple[str, int, int]]]] = {
    "dnn": ((144, 144, 144), SHORT, [
        ("fc1", 250 * 144 + 144, 250 * 144),
        ("fc2", 144 * 144 + 144, 144 * 144),
        ("fc3", 144 * 144 + 144, 144 * 144),
        ("final_fc", 144 * 12 + 12, 144 * 12),
    ]),
    "cnn": (CNN_S, LONG, [
        # Besides each channel's bias, batch normalisation has four numbers. Maps: 40 x 7, 16 x 4.
        ("conv_1", 40 * 28 + 5 * 28, 40 * 7 * 40 * 28),
        ("conv_2", 40 * 28 * 30 + 5 * 30, 16 * 4 * 40 * 28 * 30),
        ("linear", 16 * 4 * 30 * 16 + 16, 16 * 4 * 30 * 16),
        ("fc1", 16 * 128 + 5 * 128, 16 * 128),
        ("final_fc", 128 * 12 + 12, 128 * 12),
    ]),
    "basic_lstm": ((118,), LONG, [
        ("lstm", 4 * (10 + 118 + 1) * 118, 49 * 4 * (10 + 118) * 118),
        ("output", 118 * 12 + 12, 118 * 12),
    ]),
    "lstm": ((98, 144), SHORT, [
        ("lstm", 4 * (10 + 98 + 1) * 144 + 3 * 144 + 144 * 98,
         25 * (4 * (10 + 98) * 144 + 3 * 144 + 144 * 98)),
        ("output", 98 * 12 + 12, 98 * 12),
    ]),
    "gru": ((1, 154), SHORT, [
        ("gru_1", 3 * (10 + 154 + 1) * 154, 25 * 3 * (10 + 154) * 154),
        ("output", 154 * 12 + 12, 154 * 12),
    ]),
    "crnn": (CRNN_S, LONG, [
        # The map is 20 x 4 with 48 channels.
        ("conv_1", 40 * 48 + 48, 20 * 4 * 40 * 48),
        ("gru_1", 3 * (4 * 48 + 60 + 1) * 60, 20 * 3 * (4 * 48 + 60) * 60),
        ("gru_2", 3 * (60 + 60 + 1) * 60, 20 * 3 * (60 + 60) * 60),
        ("fc1", 60 * 84 + 84, 60 * 84),
        ("final_fc", 84 * 12 + 12, 84 * 12),
    ]),
    "ds_cnn": (DS_CNN_S, LONG, [
        # Besides each channel's bias, batch normalisation has three numbers. Maps are 25 x 5.
        ("conv_1", 40 * 64 + 4 * 64, 25 * 5 * 40 * 64),
        *(
            layer
            for number in (1, 2, 3, 4)
            for layer in (
                (f"conv_ds_{number}/dw_conv", 9 * 64 + 4 * 64, 25 * 5 * 9 * 64),
                (f"conv_ds_{number}/pw_conv", 64 * 64 + 4 * 64, 25 * 5 * 64 * 64),
            )
        ),
        ("avg_pool", 0, 0),
        ("fc1", 64 * 12 + 12, 64 * 12),
    ]),
}  # fmt: skip

# All weights and biases together without batch normalisation, and all multiplications.
TOTALS = {
    "dnn": (79_644, 79_200),
    "cnn": (69_238, 2_498_304),
    "basic_lstm": (62_316, 2_961_800),
    "lstm": (78_516, 1_919_976),
    "gru": (78_090, 1_896_048),
    "crnn": (75_432, 1_498_848),
    "ds_cnn": (22_604, 2_656_768),
}


def elements(shapes: dict[str, tuple[int, ...]]) -> int:
    total = 0
    for shape in shapes.values():
        count = 1
        for size in shape:
            count *= size
        total += count
    return total


def published(name: str, folded: bool = False) -> ModelSize:
    info, _, _ = PUBLISHED[name]
    return ModelSize(architecture_of(name, info, SAME if name == "ds_cnn" else None), None, folded)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes_hold_and_compute_what_plain_arithmetic_says(name: str) -> None:
    _, grid, expected = PUBLISHED[name]
    assert expected == [
        (layer.name, elements(layer.parameter_shapes(shape)), layer.multiplications(shape))
        for layer, shape in published(name).float_layers(grid, 12)
    ]


@pytest.mark.parametrize("name", PUBLISHED)
def test_folded_sizes_hold_weights_and_biases_alone(name: str) -> None:
    _, grid, _ = PUBLISHED[name]
    size = published(name, folded=True)
    shapes = size.parameter_shapes(grid, 12)
    assert not any("batch_norm" in array for array in shapes)
    layers = size.float_layers(grid, 12)
    multiplications = sum(layer.multiplications(shape) for layer, shape in layers)
    assert (elements(shapes), multiplications) == TOTALS[name]


@pytest.mark.parametrize("name", ["dnn", "cnn"])
def test_the_floor_shift_form_has_the_same_weights_and_biases_of_the_last_layer(name: str) -> None:
    _, grid, layers = PUBLISHED[name]
    size = ModelSize(published(name).architecture, (4, 4, 4))
    weights = {block.name: elements({"": block.shape}) for block in size.blocks(grid, 12)}
    of_float = {
        layer.name: elements({"": layer.parameter_shapes(shape)[f"{layer.name}/kernel"]})
        for layer, shape in published(name).float_layers(grid, 12)
    }
    assert weights == of_float
    assert elements(size.parameter_shapes(grid, 12)) == sum(weights.values()) + 12
    assert list(weights) == [layer for layer, _, _ in layers]
