"""`IntegerNetwork`: every rule that it enforces, its shapes, its digest and its file."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import itertools
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings

from golden import archive, reference
from golden.network import INPUT_NAME, KIND, FeatureSettings, InputFormat, IntegerNetwork
from golden.nodes import (
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    GlobalMaxPool,
    Node,
    ShiftRelu,
)
from tests.graphs import graphs
from tests.networks import (
    features_for,
    networks,
    networks_with_fingerprints,
    random_network,
)


def change(network: IntegerNetwork, node: str | None = None, **values: Any) -> IntegerNetwork:
    """Return the network with other fields, of its own or of one node."""
    if node is None:
        return dataclasses.replace(network, **values)
    nodes = tuple(
        dataclasses.replace(other, **values) if other.name == node else other
        for other in network.nodes
    )
    return dataclasses.replace(network, nodes=nodes)


def with_weight(value: int) -> np.ndarray:
    weights = np.zeros((48, 4, 4, 1), np.int64)
    weights[17, 3, 0, 0] = value
    return weights


def refusal(kind: type[Exception], build: Callable[[], Any]) -> str:
    with pytest.raises(kind) as caught:
        build()
    return str(caught.value)


def test_default_network_has_the_published_shapes() -> None:
    assert dict(random_network(0).shapes) == {
        "fingerprint": (30, 10, 1),
        "conv_1": (14, 4, 48),
        "conv_1_relu": (14, 4, 48),
        "dw_conv": (14, 4, 48),
        "dw_conv_relu": (14, 4, 48),
        "max_pool": (1, 1, 48),
        "pw_conv": (1, 1, 16),
        "pw_conv_relu": (1, 1, 16),
        "fc1": (4,),
    }


def test_default_network_has_2032_weights() -> None:
    assert sum(node.weights.size for node in random_network(0).weighted_nodes) == 2032


@pytest.mark.parametrize(
    ("node", "values", "message"),
    [
        ("conv_1", {"weights": with_weight(40)},
         "conv_1.weights: expected integers in -32..31, got 40 at (17, 3, 0, 0)"),
        ("conv_1", {"weights": with_weight(-33)},
         "conv_1.weights: expected integers in -32..31, got -33 at (17, 3, 0, 0)"),
        ("conv_1", {"weights": np.zeros((48, 4, 4), np.int8)},
         "conv_1.weights: expected 4 axes, none empty, got shape (48, 4, 4)"),
        ("conv_1", {"weights": np.zeros((0, 4, 4, 1), np.int8)},
         "conv_1.weights: expected 4 axes, none empty, got shape (0, 4, 4, 1)"),
        ("conv_1", {"weights": np.zeros((48, 4, 4, 2), np.int8)},
         "conv_1.weights: expected 1 input channels, got 2"),
        ("conv_1", {"weights": np.zeros((48, 31, 4, 1), np.int8)},
         "conv_1: expected a window within (30, 10, 1), kernel is 31"),
        ("conv_1", {"padding": "same"},
         "conv_1.padding: expected SAME or VALID, got 'same'"),
        ("conv_1", {"stride": (0, 2)},
         "conv_1.stride: expected two integers above 0, got (0, 2)"),
        ("conv_1", {"stride": (2,)},
         "conv_1.stride: expected two integers above 0, got (2,)"),
        ("conv_1", {"stride": (2.0, 2)},
         "conv_1.stride: expected two integers above 0, got (2.0, 2)"),
        ("conv_1", {"stride": 2},
         "conv_1.stride: expected two integers above 0, got 2"),
        ("conv_1", {"name": "Conv 1"},
         "nodes: expected a name of a-z, 0-9 and _, got 'Conv 1'"),
        ("conv_1", {"name": 1},
         "nodes: expected a name of a-z, 0-9 and _, got 1"),
        ("conv_1", {"name": "fingerprint"},
         "nodes: expected each name once, got 'fingerprint' twice"),
        ("conv_1_relu", {"name": "conv_1"},
         "nodes: expected each name once, got 'conv_1' twice"),
        ("conv_1_relu", {"input": "nowhere"},
         "conv_1_relu.input: expected an earlier node, got 'nowhere'"),
        ("conv_1_relu", {"input": "dw_conv"},
         "conv_1_relu.input: expected an earlier node, got 'dw_conv' (a later one, or itself)"),
        ("conv_1_relu", {"input": "conv_1_relu"},
         "conv_1_relu.input: expected an earlier node, got 'conv_1_relu' (a later one, or itself)"),
        ("dw_conv", {"input": "conv_1"},
         "conv_1_relu: expected a node that reads it, got none; only the last, fc1, is an output"),
        ("conv_1_relu", {"input": ["conv_1"]},
         "conv_1_relu.input: expected an earlier node, got ['conv_1']"),
        ("conv_1_relu", {"shift": -1},
         "conv_1_relu.shift: expected an integer in 0..31, got -1"),
        ("conv_1_relu", {"shift": 32},
         "conv_1_relu.shift: expected an integer in 0..31, got 32"),
        ("conv_1_relu", {"shift": True},
         "conv_1_relu.shift: expected an integer in 0..31, got True"),
        ("conv_1_relu", {"shift": 3.0},
         "conv_1_relu.shift: expected an integer in 0..31, got 3.0"),
        ("dw_conv", {"weights": np.zeros((48, 3, 3, 2), np.int8)},
         "dw_conv.weights: expected 1 input channel a filter, got 2"),
        ("dw_conv", {"weights": np.zeros((47, 3, 3, 1), np.int8)},
         "dw_conv.weights: expected a multiple of 48 channels, got 47"),
        ("fc1", {"weights": np.zeros((4, 15), np.int8)},
         "fc1.weights: expected 16 inputs, got 15"),
        ("fc1", {"weights": np.zeros((3, 16), np.int8)},
         "fc1.biases: expected 3, one an output, got 4"),
        ("fc1", {"biases": np.zeros((4, 1), np.int32)},
         "fc1.biases: expected 1 axes, none empty, got shape (4, 1)"),
        ("fc1", {"biases": np.array([0, 2**31, 0, 0])},
         "fc1.biases: expected integers in -2147483648..2147483647, got 2147483648 at (1,)"),
    ],
)  # fmt: skip
def test_a_wrong_node_is_refused(node: str, values: dict[str, Any], message: str) -> None:
    assert refusal(ValueError, lambda: change(random_network(0), node, **values)) == message


@pytest.mark.parametrize(
    ("node", "values", "message"),
    [
        ("conv_1", {"weights": np.zeros((48, 4, 4, 1))},
         "conv_1.weights: expected an array of integers, got float64"),
        ("conv_1", {"weights": np.zeros((48, 4, 4, 1), bool)},
         "conv_1.weights: expected an array of integers, got bool"),
        ("conv_1", {"weights": [[1]]},
         "conv_1.weights: expected an array of integers, got list"),
        ("fc1", {"biases": np.zeros(4)},
         "fc1.biases: expected an array of integers, got float64"),
    ],
)  # fmt: skip
def test_a_node_of_wrong_kind_is_refused(node: str, values: dict[str, Any], message: str) -> None:
    assert refusal(TypeError, lambda: change(random_network(0), node, **values)) == message


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ({"nodes": ()}, ValueError, "nodes: expected at least one, got none"),
        ({"nodes": (Node("x"),)}, TypeError,
         "nodes: expected one of ['addition', 'average pool', 'convolution', "
         "'depthwise convolution', 'fully connected', 'global max-pool', 'global sum-pool', "
         "'max-pool', 'padding', 'requantisation', 'reshaping', 'shift and ReLU'], got Node"),
        ({"nodes": (GlobalMaxPool("pool", "fingerprint"),)}, ValueError,
         "labels: expected one for each of the outputs (1, 1, 1) of pool, got 4"),
        ({"labels": ("yes", "no", "up")}, ValueError,
         "labels: expected one for each of the outputs (4,) of fc1, got 3"),
        ({"labels": ("yes", "no", "up", "no")}, ValueError,
         "labels: expected each once, got ['yes', 'no', 'up', 'no']"),
        ({"labels": ("yes", "no", "up", 4)}, TypeError, "labels: expected strings, got 4"),
        ({"labels": ("yes", "no", "up", "")}, ValueError,
         "labels: expected printable words, got ''"),
        ({"labels": ("yes", "no", "up", "go\n")}, ValueError,
         "labels: expected printable words, got 'go\\n'"),
        ({"labels": ("yes", "no", "up", " go")}, ValueError,
         "labels: expected printable words, got ' go'"),
        ({"labels": ("yes", "no", "up", "\ud800")}, ValueError,
         "labels: expected printable words, got '\\ud800'"),
        ({"input_shape": (10, 30)}, ValueError,
         "input_shape: expected (30, 10) from the feature settings, got (10, 30)"),
        ({"input_shape": (30.5, 10)}, ValueError,
         "input_shape: expected (30, 10) from the feature settings, got (30.5, 10)"),
        ({"input_shape": 30}, ValueError,
         "input_shape: expected (30, 10) from the feature settings, got 30"),
        ({"features": 5}, TypeError, "features: expected FeatureSettings, got int"),
        ({"features": None, "input_shape": (30, 0)}, ValueError,
         "input_shape: expected one to three integers above 0, got (30, 0)"),
        ({"features": None, "input_shape": (1, 30, 10, 1)}, ValueError,
         "input_shape: expected one to three integers above 0, got (1, 30, 10, 1)"),
        ({"input_format": (-128, 127)}, TypeError,
         "input_format: expected InputFormat, got tuple"),
        ({"rounding": "nearest"}, ValueError,
         "rounding: expected one of tflm, litert, single, got 'nearest'"),
    ],
)  # fmt: skip
def test_a_wrong_network_is_refused(
    values: dict[str, Any], kind: type[Exception], message: str
) -> None:
    assert refusal(kind, lambda: change(random_network(0), **values)) == message


def test_layers_behind_the_logits_need_a_map() -> None:
    late = (
        GlobalMaxPool("late", "fc1"),
        Convolution("late", "fc1", np.zeros((1, 1, 1, 4), np.int8)),
        DepthwiseConvolution("late", "fc1", np.zeros((4, 1, 1, 1), np.int8)),
    )
    network = random_network(0)
    for node in late:
        message = refusal(ValueError, lambda n=node: change(network, nodes=(*network.nodes, n)))
        assert message == "late: expected an input of 3 axes, got shape (4,)"


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ({"window_ms": 0}, ValueError, "features.window_ms: expected more than 0, got 0.0"),
        ({"coefficients": -1}, ValueError, "features.coefficients: expected more than 0, got -1"),
        ({"clip_ms": 1000.0}, TypeError, "features.clip_ms: expected int, got 1000.0"),
        ({"mel_bands": True}, TypeError, "features.mel_bands: expected int, got True"),
        ({"window_ms": "40"}, TypeError, "features.window_ms: expected float, got '40'"),
        ({"stride_ms": float("nan")}, ValueError,
         "features.stride_ms: expected a finite number, got nan"),
        ({"stride_ms": float("inf")}, ValueError,
         "features.stride_ms: expected a finite number, got inf"),
        ({"lower_hz": -1}, ValueError,
         "features: expected 0 <= lower_hz < upper_hz <= 8000.0 Hz, got -1.0 and 4000.0"),
        ({"lower_hz": 4000}, ValueError,
         "features: expected 0 <= lower_hz < upper_hz <= 8000.0 Hz, got 4000.0 and 4000.0"),
        ({"upper_hz": 8001}, ValueError,
         "features: expected 0 <= lower_hz < upper_hz <= 8000.0 Hz, got 20.0 and 8001.0"),
        ({"coefficients": 41}, ValueError,
         "features.coefficients: expected at most mel_bands (40), got 41"),
        ({"window_ms": 1001}, ValueError,
         "features.window_ms: expected at most the clip's 1000 ms, got 1001.0"),
        ({"window_ms": 0.1}, ValueError,
         "features: expected a window of 2 samples and a stride of 1 or more, got 1 and 528"),
        ({"stride_ms": 0.01}, ValueError,
         "features: expected a window of 2 samples and a stride of 1 or more, got 640 and 0"),
    ],
)  # fmt: skip
def test_wrong_feature_settings_are_refused(
    values: dict[str, Any], kind: type[Exception], message: str
) -> None:
    assert refusal(kind, lambda: FeatureSettings(**values)) == message


def test_a_lower_edge_of_zero_is_allowed() -> None:
    assert FeatureSettings(lower_hz=0).lower_hz == 0.0


def test_default_features_make_30_frames_of_528_samples() -> None:
    features = FeatureSettings()
    assert (features.window_samples, features.stride_samples) == (640, 528)
    assert (features.clip_samples, features.frames) == (16_000, 30)


def test_arrays_are_read_only_copies_of_the_narrow_type() -> None:
    given_weights = np.zeros((48, 4, 4, 1), np.int64)
    network = change(random_network(0), "conv_1", weights=given_weights)
    given_weights[0, 0, 0, 0] = 5
    weights = network.node("conv_1").weights
    assert weights.dtype == np.int8 and not weights.any()
    with pytest.raises(ValueError, match="read-only"):
        weights[0, 0, 0, 0] = 1


def test_nodes_are_found_by_name_and_by_input() -> None:
    network = random_network(0)
    assert network.node("dw_conv") is network.nodes[2]
    assert network.consumer("conv_1") is network.nodes[1]
    assert network.consumer("fc1") is None
    assert network.output_name == "fc1"
    with pytest.raises(KeyError, match="nowhere"):
        network.node("nowhere")


# ---- digest


def different_networks() -> list[IntegerNetwork]:
    """One network for each way in which a network can differ from the first."""
    network = random_network(0)
    flipped = network.node("conv_1").weights ^ np.eye(48, dtype=np.int8)[0][:, None, None, None]
    biases = network.node("fc1").biases + np.array([0, 0, 0, 1])
    renamed = tuple(
        dataclasses.replace(node, name="last") if node.name == "fc1" else node
        for node in network.nodes
    )
    settings = {
        field.name: getattr(network.features, field.name)
        for field in dataclasses.fields(FeatureSettings)
    }
    other_features = [
        FeatureSettings(**{**settings, name: value})
        for name, value in {
            "sample_rate_hz": 16_020, "clip_ms": 1_001, "window_ms": 41.0, "stride_ms": 33.05,
            "mel_bands": 41, "lower_hz": 21.0, "upper_hz": 4001.0,
        }.items()
    ]  # fmt: skip
    return [
        network,
        change(network, "conv_1", weights=flipped),
        change(network, "conv_1_relu", shift=4),
        change(network, "fc1", biases=biases),
        change(network, "conv_1", biases=np.zeros(48, np.int32)),
        change(network, "conv_1", weight_bits=7),
        change(network, "dw_conv", dilation=(2, 1)),
        change(network, features=None),
        change(network, input_format=InputFormat(-128, 127)),
        change(network, input_format=InputFormat(-128, 127, 5)),
        change(network, input_format=InputFormat(-128, 127, 5, 0.25)),
        change(network, rounding="tflm"),
        change(network, nodes=renamed),
        change(network, labels=("_silence_", "_unknown_", "no", "yes")),
        change(network, labels=("_silence_", "_unknown_", "yes", "nö")),
        change(network, "pw_conv", padding="SAME"),
        change(network, "pw_conv", stride=(1, 2)),
        *(change(network, features=features) for features in other_features),
    ]


def test_digest_changes_with_every_field() -> None:
    digests = [network.digest for network in different_networks()]
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in digests)
    assert len(set(digests)) == len(digests)


def test_digest_does_not_depend_on_how_numbers_were_given() -> None:
    network = random_network(0)
    other = IntegerNetwork(
        nodes=list(network.nodes),  # type: ignore[arg-type]
        labels=list(network.labels),  # type: ignore[arg-type]
        input_shape=[np.int64(30), 10],  # type: ignore[arg-type]
        features=FeatureSettings(clip_ms=np.int64(1000), window_ms=40, stride_ms=np.float32(33)),
    )
    assert other.digest == network.digest
    assert other.labels == network.labels and other.input_shape == (30, 10)


def test_digest_is_that_of_the_documented_bytes() -> None:
    nodes = (
        Convolution("conv", "fingerprint", np.ones((1, 30, 10, 1), np.int8)),
        ShiftRelu("relu", "conv", 2),
        FullyConnected("fc", "relu", np.array([[1], [-1]]), np.array([3, 4])),
    )
    network = IntegerNetwork(nodes, ("yes", "no"), (30, 10), FeatureSettings())
    canonical = (
        b'{"description":{"features":{"clip_ms":1000,"coefficients":10,"lower_hz":20.0,"mel_bands":40,'
        b'"sample_rate_hz":16000,"stride_ms":33.0,"upper_hz":4000.0,"window_ms":40.0},'
        b'"input_shape":[30,10],"labels":["yes","no"],"nodes":['
        b'{"input":"fingerprint","kind":"convolution","name":"conv","padding":"VALID","stride":[1,1]},'
        b'{"input":"conv","kind":"shift and ReLU","name":"relu","shift":2},'
        b'{"input":"relu","kind":"fully connected","name":"fc"}]},"kind":"integer network"}'
        b'["conv.weights","|i1",[1,30,10,1]]' + 300 * b"\x01"
        + b'["fc.biases","<i4",[2]]\x03\x00\x00\x00\x04\x00\x00\x00'
        + b'["fc.weights","|i1",[2,1]]\x01\xff'
    )  # fmt: skip
    assert network.digest == hashlib.sha256(canonical).hexdigest()


# ---- file


@settings(max_examples=60)
@given(network=networks() | graphs())
def test_save_then_load_is_the_identity(
    tmp_path_factory: pytest.TempPathFactory, network: IntegerNetwork
) -> None:
    path = tmp_path_factory.mktemp("network") / "network.npz"
    network.save(path)
    loaded = IntegerNetwork.load(str(path))
    assert loaded.digest == network.digest
    assert (loaded.labels, loaded.input_shape) == (network.labels, network.input_shape)
    assert loaded.features == network.features
    for ours, theirs in zip(network.nodes, loaded.nodes, strict=True):
        assert type(ours) is type(theirs)
        for field in dataclasses.fields(ours):
            expected, found = getattr(ours, field.name), getattr(theirs, field.name)
            assert type(expected) is type(found)
            assert np.array_equal(expected, found)
    assert loaded.to_bytes() == path.read_bytes() == network.to_bytes()


def stored(network: IntegerNetwork) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Description and arrays as the file of `network` holds them."""
    with zipfile.ZipFile(io.BytesIO(network.to_bytes())) as container:
        description = json.loads(container.read(archive.DESCRIPTION_MEMBER))["description"]
    with np.load(io.BytesIO(network.to_bytes())) as members:
        return description, {
            name: members[name] for name in members if name != archive.DESCRIPTION_MEMBER
        }


def edited_description(edit: Callable[[dict[str, Any]], Any]) -> tuple[dict[str, Any], Any]:
    description, arrays = stored(random_network(0, filters=2, outputs=2))
    edit(description)
    return description, arrays


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d.pop("nodes"), "'nodes'"),
        (lambda d: d.update(nodes=5), "'int' object is not iterable"),
        (lambda d: d.update(nodes=["conv_1"]), "string indices must be integers"),
        (lambda d: d.update(nodes=[]), "nodes: expected at least one, got none"),
        (lambda d: d["nodes"][0].update(kind="dense"), "'dense'"),
        (lambda d: d["nodes"][0].update(kind=["dense"]), "unhashable type"),
        (lambda d: d["nodes"][0].update(name="elsewhere"), "weights"),
        (lambda d: d["nodes"][0].update(colour="red"), "colour"),
        (
            lambda d: d["nodes"][0].update(stride=7),
            "conv_1.stride: expected two integers above 0, got 7",
        ),
        (lambda d: d["nodes"][1].update(shift=True), "conv_1_relu.shift: .* got True"),
        (lambda d: d["nodes"][1].update(shift="3"), "conv_1_relu.shift: .* got '3'"),
        (lambda d: d["features"].update(window_ms=float("inf")), "finite number, got inf"),
        (lambda d: d["features"].update(hop_ms=1), "hop_ms"),
        (lambda d: d["features"].update(sample_rate_hz=10**400), "int too large"),
        (lambda d: d.update(features=None), "it holds more than a network does"),
        (lambda d: d.update(labels=[1, 2, 3, 4]), "labels: expected strings, got 1"),
        (lambda d: d.update(labels="abcd"), "it holds more than a network does"),
        (lambda d: d.update(labels=None), "'NoneType' object is not iterable"),
        (lambda d: d.update(input_shape=[-30, 10]), r"input_shape: .* got \(-30, 10\)"),
        (lambda d: d.update(author="me"), "it holds more than a network does"),
    ],
)
def test_a_file_with_a_wrong_description_is_refused(
    tmp_path: Path, edit: Callable[[dict[str, Any]], Any], message: str
) -> None:
    path = tmp_path / "network.npz"
    archive.write_archive(path, KIND, *edited_description(edit))
    with pytest.raises(ValueError, match=rf"network.npz: not a valid integer network: .*{message}"):
        IntegerNetwork.load(path)


def test_a_file_with_wrong_arrays_is_refused(tmp_path: Path) -> None:
    description, arrays = stored(random_network(0, filters=2, outputs=2))
    path = tmp_path / "network.npz"
    wrong = {
        "expected an array of integers, got float64": {
            **arrays, "conv_1.weights": arrays["conv_1.weights"] * 1.0
        },
        "fc1.weights: expected integers in -32..31, got 100": {
            **arrays, "fc1.weights": np.full_like(arrays["fc1.weights"], 100)
        },
        "missing 1 required positional argument: 'weights'": {
            name: array for name, array in arrays.items() if name != "dw_conv.weights"
        },
        "it holds more than a network does": {**arrays, "spare.weights": np.zeros(3, np.int8)},
    }  # fmt: skip
    for message, members in wrong.items():
        archive.write_archive(path, KIND, description, members)
        with pytest.raises(ValueError, match=rf"not a valid integer network: .*{message}"):
            IntegerNetwork.load(path)


def test_a_file_with_wider_arrays_is_not_the_same_network(tmp_path: Path) -> None:
    description, arrays = stored(random_network(0, filters=2, outputs=2))
    wide = {name: array.astype(np.int64) for name, array in arrays.items()}
    archive.write_archive(tmp_path / "network.npz", KIND, description, wide)
    with pytest.raises(ValueError, match="it holds more than a network does"):
        IntegerNetwork.load(tmp_path / "network.npz")


def test_sums_beyond_64_bits_are_refused() -> None:
    wide, names = np.full((8, 8), 31), [INPUT_NAME, *(f"layer_{i}" for i in range(9))]
    nodes: list[Node] = [Convolution(names[1], INPUT_NAME, np.full((8, 1, 1, 1), 31))]
    for before, name in itertools.pairwise(names[1:]):
        nodes.append(Convolution(name, before, wide.reshape(8, 1, 1, 8)))
    last = FullyConnected("fc1", names[-1], np.full((1, 32), 31), np.zeros(1, np.int64))
    reach = 32 * 31 * 248**6
    assert reach < 2**63 <= reach * 248
    message = f"^layer_7: expected sums that fit 64 bits, they may reach {reach * 248}$"
    with pytest.raises(ValueError, match=message):
        IntegerNetwork((*nodes, last), ("yes",), (2, 2), features_for((2, 2)))


@given(networks_with_fingerprints())
def test_no_value_is_larger_than_the_bound_of_its_node(
    case: tuple[IntegerNetwork, npt.NDArray[np.int8]],
) -> None:
    network, fingerprints = case
    for name, layer in reference.run(network, fingerprints).layers.items():
        assert int(np.abs(layer).max()) <= network.magnitudes[name]


def test_bound_of_a_node_is_reached_by_the_largest_inputs() -> None:
    network = random_network(1, weights=(31, 31), biases=(2**31 - 1, 2**31 - 1))
    assert network.magnitudes["conv_1"] == 31 * 32 * 16
    assert network.magnitudes["dw_conv_relu"] == (31 * 31 * 16 >> 3) * 9 * 31 >> 4
    assert network.magnitudes["fc1"] > 2**31


def test_bound_of_a_node_knows_that_nothing_is_negative_behind_a_relu() -> None:
    network = random_network(1, weights=(-32, -32), biases=(-7, -7))
    assert network.magnitudes["dw_conv"] == (32 * 32 * 16 >> 3) * 9 * 32
    assert network.magnitudes["dw_conv_relu"] == 0
    assert network.magnitudes["fc1"] == 7
