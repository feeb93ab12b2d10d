"""Reading `.tflite` files: what is in them, and one clear line for whatever is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tflite
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.importers.tflite_file import (
    NO_TENSOR,
    AddOptions,
    ConvolutionOptions,
    DenseOptions,
    PoolOptions,
    parse_tflite,
    read_tflite,
    with_outputs,
)
from golden.importers.tflite_network import import_tflite
from tests.tflite_models import converted
from tests.tflite_patches import (
    with_buffer,
    with_input,
    with_kind,
    with_scale,
    with_size,
    with_subgraphs,
    with_type,
    with_zero_point_count,
)

INT16 = tflite.TensorType.INT16


@pytest.fixture(scope="module")
def classifier() -> bytes:
    """CONV_2D 3x3 of 6 filters (operator 0), RESHAPE, FULLY_CONNECTED to 5, SOFTMAX."""
    return converted("classifier")


def weights_of(content: bytes, operator: int) -> int:
    """Return the index of an operator's second input."""
    return parse_tflite(content).operators[operator].inputs[1]


def test_operators_and_tensors_are_those_of_the_model(classifier: bytes) -> None:
    model = parse_tflite(classifier)
    kinds = [operator.kind for operator in model.operators]
    assert kinds == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
    convolution = model.operators[0]
    assert convolution.options == ConvolutionOptions("VALID", (1, 1), (1, 1), "RELU")
    entry, weights, biases = (model.tensors[index] for index in convolution.inputs)
    assert (entry.shape, entry.dtype, entry.data) == ((1, 10, 8, 1), "int8", None)
    assert (weights.shape, weights.dtype, len(weights.scales)) == ((6, 3, 3, 1), "int8", 6)
    assert weights.data is not None and weights.data.dtype == np.int8
    assert not weights.data.flags.writeable
    assert (biases.shape, biases.dtype) == ((6,), "int32")
    assert model.inputs == (entry.index,)
    assert model.outputs == model.operators[-1].outputs


def test_options_of_every_kind_are_read() -> None:
    options = {
        (operator.kind, operator.options)
        for name in ("unequal_strides", "dilations", "max_pools", "additions", "dense_on_maps")
        for operator in parse_tflite(converted(name)).operators
    }
    for expected in (
        ("CONV_2D", ConvolutionOptions("SAME", (3, 2), (1, 1), "RELU")),
        ("DEPTHWISE_CONV_2D", ConvolutionOptions("VALID", (1, 1), (2, 2), "NONE")),
        ("MAX_POOL_2D", PoolOptions("SAME", (2, 2), (3, 3), "NONE")),
        ("ADD", AddOptions("RELU6")),
        ("FULLY_CONNECTED", DenseOptions("RELU", keeps_axes=True, is_shuffled=False)),
    ):
        assert expected in options


def test_an_optional_input_may_be_left_out() -> None:
    assert NO_TENSOR in parse_tflite(converted("dense")).operators[1].inputs


def test_a_free_batch_is_one_and_other_free_sizes_stay_unknown(classifier: bytes) -> None:
    model = parse_tflite(converted("free_batch"))
    assert model.tensors[model.inputs[0]].shape == (1, 12, 6)
    free = parse_tflite(with_size(converted("free_batch"), model.inputs[0], 1, -1, signature=True))
    assert free.tensors[model.inputs[0]].shape == (1, -1, 6)


def test_other_outputs_are_those_that_were_asked_for(classifier: bytes) -> None:
    model = parse_tflite(classifier)
    inner = [operator.outputs[0] for operator in model.operators]
    changed = parse_tflite(with_outputs(model, inner))
    assert changed.outputs == tuple(inner)
    assert changed.operators == model.operators


# ---- Bad files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"TFL", b"no model at all", b"PK\x03\x04" * 9])
def test_foreign_files_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"model.tflite: identifier: expected b'TFL3' at byte 4"):
        read_tflite(path)


def test_a_missing_file_is_reported_by_the_file_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_tflite(tmp_path / "none.tflite")


def test_every_truncated_file_is_refused(classifier: bytes) -> None:
    for size in [*range(0, 200), *range(200, len(classifier), 37)]:
        with pytest.raises(ValueError, match=r"^(identifier|flatbuffer|tensor|operator|metadata)"):
            import_tflite(parse_tflite(classifier[:size]))


@settings(max_examples=300)
@given(data=st.data())
def test_damaged_files_are_refused_or_are_networks(data: st.DataObject) -> None:
    """Whatever bytes change, there is no other error than a ValueError of one line."""
    content = bytearray(converted("classifier"))
    places = st.integers(0, len(content) - 1)
    for place, byte in data.draw(
        st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=4)
    ):
        content[place] = byte
    try:
        import_tflite(parse_tflite(bytes(content)))
    except ValueError as error:
        assert "\n" not in str(error)


def test_what_contradicts_itself_is_refused_with_its_place(classifier: bytes) -> None:
    weights = weights_of(classifier, 0)
    entry = parse_tflite(classifier).inputs[0]
    for content, message in (
        (with_subgraphs(classifier, 2), r"^subgraphs: expected one, got 2$"),
        (with_scale(classifier, weights, 0.0, 4), r"expected scales above 0, got 0.0 at 4$"),
        (with_scale(classifier, entry, float("nan")), r"expected scales above 0, got nan at 0$"),
        (with_scale(classifier, entry, -1.0), r"expected scales above 0, got -1.0 at 0$"),
        (with_zero_point_count(classifier, entry, 3), r"a zero point for each of 1 scales"),
        (with_size(classifier, weights, 1, 4), r"expected 72 bytes of int8 \(6, 4, 3, 1\), got 54"),
        (with_type(classifier, weights, INT16), r"expected 108 bytes of int16 .*, got 54$"),
        (with_size(classifier, entry, 1, -3), r"expected sizes of 0 or more, got \(1, -3, 8, 1\)"),
        (with_buffer(classifier, weights, 999), r"expected a buffer in 0..\d+, got 999$"),
        (with_input(classifier, 0, 1, 77), r"operator 0 \(CONV_2D\) inputs: .* 0..\d+, got 77$"),
        (with_input(classifier, 0, 1, -2), r"operator 0 \(CONV_2D\) inputs: .* 0..\d+, got -2$"),
    ):
        with pytest.raises(ValueError, match=message):
            parse_tflite(content)


def test_scales_must_fit_their_axis(classifier: bytes) -> None:
    message = r"expected one scale or one for each index of axis 0 of \(3, 3, 3, 2\), got 6"
    with pytest.raises(ValueError, match=message):
        content = with_size(classifier, weights_of(classifier, 0), 0, 3)
        parse_tflite(with_size(content, weights_of(classifier, 0), 3, 2))


def test_options_of_another_kind_are_refused(classifier: bytes) -> None:
    code = tflite.BuiltinOperator
    with pytest.raises(ValueError, match=r"^operator 0 \(ADD\): expected AddOptions, found none$"):
        parse_tflite(with_kind(classifier, code.CONV_2D, code.ADD))


def test_operators_of_unknown_codes_keep_their_number(classifier: bytes) -> None:
    content = with_kind(classifier, tflite.BuiltinOperator.SOFTMAX, -5)
    assert parse_tflite(content).operators[-1].kind == "operator code -5"
