"""The files of a build folder against hand tables, and files of another network in it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from dataflow.hardware.accelerator import BALANCED, FAST, SMALL, Accelerator, Configuration
from dataflow.hardware.build_folder import (
    NETWORK_FILE,
    accelerator_files,
    check_build_folder,
    write_accelerator,
)
from dataflow.ranges.intervals import interval_bounds
from golden.network import IntegerNetwork
from tests.networks import random_network

MEMORIES = ("conv_1.mem", "dw_conv.mem", "pw_conv.mem", "fc1.mem", "fc1_bias.mem")
HEADER = "kws_accelerator.vh"


def counting_network() -> IntegerNetwork:
    """Return a network of 2 filters 2x3, depthwise 1x2, 2 outputs and 2 labels; weights count."""
    network = random_network(
        1, 2, 2, 2, kernel=(2, 3), depthwise_kernel=(1, 2), biases=(0, 0), input_shape=(4, 5)
    )
    nodes = list(network.nodes)
    for place, start in ((0, -6), (2, 1), (5, 20), (7, 5)):
        count = nodes[place].weights.size
        weights = np.arange(start, start + count).reshape(nodes[place].weights.shape)
        nodes[place] = dataclasses.replace(nodes[place], weights=weights)
    nodes[7] = dataclasses.replace(nodes[7], biases=np.array([-1, 300]))
    return dataclasses.replace(network, nodes=tuple(nodes))


def words(configuration: Configuration) -> dict[str, list[int]]:
    """Return the words of every memory."""
    files = accelerator_files(Accelerator(counting_network(), configuration))
    assert list(files) == [HEADER, *MEMORIES]
    return {
        name: [
            int(word, 16)
            for line in files[name].splitlines()
            if not line.startswith("//")
            for word in line.split()
        ]
        for name in MEMORIES
    }


def packed(*values: int, bits: int) -> int:
    """Return values as two's complement in one word, the first in the lowest bits."""
    text = "".join(f"{value % 2**bits:0{bits}b}" for value in reversed(values))
    return int(text, 2)


def test_a_word_holds_the_weights_of_a_step() -> None:
    # Weights of conv_1: channel 0 -6..-1, channel 1 0..5, so 4 bits; of dw_conv 1 2, 3 4, also 4.
    assert words(SMALL)["conv_1.mem"] == [10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5]
    assert words(SMALL)["dw_conv.mem"] == [1, 2, 3, 4]
    rows = [(-6, -5, -4), (-3, -2, -1), (0, 1, 2), (3, 4, 5)]
    assert words(BALANCED)["conv_1.mem"] == [packed(*row, bits=4) for row in rows]
    assert words(BALANCED)["dw_conv.mem"] == [packed(1, 2, bits=4), packed(3, 4, bits=4)]
    windows = [tuple(range(-6, 0)), tuple(range(6))]
    assert words(FAST)["conv_1.mem"] == [packed(*window, bits=4) for window in windows]
    assert words(FAST)["dw_conv.mem"] == words(BALANCED)["dw_conv.mem"]


@pytest.mark.parametrize("configuration", [SMALL, BALANCED, FAST])
def test_later_layers_are_stored_input_by_input(configuration: Configuration) -> None:
    stored = words(configuration)
    assert stored["pw_conv.mem"] == [20, 22, 21, 23]  # [out][in] = 20 21, 22 23
    assert stored["fc1.mem"] == [5, 7, 6, 8]
    parameters = accelerator_files(Accelerator(counting_network(), configuration))[HEADER]
    bits = int(parameters.partition("FC1_ACC_BITS = ")[2].partition(",")[0])
    assert stored["fc1_bias.mem"] == [2**bits - 1, 300]


def test_header_is_a_parameter_list_that_names_network_and_configuration() -> None:
    network = counting_network()
    text = accelerator_files(Accelerator(network, BALANCED))[HEADER]
    first, second, third, *lines = text.splitlines()
    assert first == f"// network: {network.digest}"
    assert second == "// widths: interval bounds"
    assert third == "// configuration: balanced, conv_1=row, dw_conv=row, pw_conv=tap, fc1=tap"
    assert lines[0] == f"parameter NETWORK = 256'h{network.digest},"
    assert lines[1] == "parameter FRAME_CONTROL_ROWS = 4,"
    assert 'parameter CONV_1_WEIGHT_FILE = "conv_1.mem",' in lines
    assert all(line.startswith("parameter ") for line in lines)
    assert [line for line in lines if not line.endswith(",")] == [lines[-1]]
    assert text.endswith("\n")


def test_header_names_the_ranges_that_the_widths_follow_from() -> None:
    network = counting_network()
    ranges = interval_bounds(network, (0, 1))
    text = accelerator_files(Accelerator(network, FAST, ranges, "inputs of 0 and 1"))[HEADER]
    assert text.splitlines()[1] == "// widths: inputs of 0 and 1"
    assert "parameter CONV_1_IN_BITS = 2," in text.splitlines()


def test_written_folder_holds_the_files_and_the_network(tmp_path: Path) -> None:
    accelerator = Accelerator(counting_network(), FAST)
    folder = tmp_path / "new" / "build"
    write_accelerator(accelerator, folder)
    assert {path.name for path in folder.iterdir()} == {HEADER, NETWORK_FILE, *MEMORIES}
    for name, text in accelerator_files(accelerator).items():
        assert (folder / name).read_text() == text
    assert IntegerNetwork.load(folder / NETWORK_FILE).digest == accelerator.network.digest
    check_build_folder(folder)


@pytest.mark.parametrize("name", MEMORIES)
def test_memory_of_another_network_is_refused(tmp_path: Path, name: str) -> None:
    other = replace_by_another(tmp_path, name)
    with pytest.raises(
        ValueError,
        match=rf"{name}: \w+\.\w+: expected a memory of network \w+, got one of {other}$",
    ):
        check_build_folder(tmp_path)


def test_header_of_another_network_is_refused(tmp_path: Path) -> None:
    other = replace_by_another(tmp_path, HEADER)
    with pytest.raises(
        ValueError, match=rf"{HEADER}: expected the parameters of network \w+, got .* of {other}$"
    ):
        check_build_folder(tmp_path)


def test_header_without_a_network_is_refused(tmp_path: Path) -> None:
    write_accelerator(Accelerator(counting_network(), FAST), tmp_path)
    header = tmp_path / HEADER
    header.write_text(header.read_text().partition("\n")[2])
    with pytest.raises(ValueError, match=rf"{HEADER}: expected the parameters .*, got .* of none$"):
        check_build_folder(tmp_path)


@pytest.mark.parametrize("name", MEMORIES)
def test_memory_with_another_value_is_refused(tmp_path: Path, name: str) -> None:
    write_accelerator(Accelerator(counting_network(), SMALL), tmp_path)
    path = tmp_path / name
    *lines, last = path.read_text().splitlines()
    word = last.split()[-1]
    changed = f"{int(word, 16) ^ 1:0{len(word)}x}"
    path.write_text("\n".join([*lines, last.removesuffix(word) + changed]) + "\n")
    with pytest.raises(
        ValueError, match=rf"{name}: \w+\.\w+: expected -?\d+ at \(.*\), got -?\d+$"
    ):
        check_build_folder(tmp_path)


def replace_by_another(folder: Path, name: str) -> str:
    """Fill a build folder, one file of which is of another network; return that one's digest."""
    other = random_network(99, 2, 2, 2, kernel=(2, 3), input_shape=(4, 5))
    write_accelerator(Accelerator(counting_network(), FAST), folder)
    (folder / name).write_text(accelerator_files(Accelerator(other, FAST))[name])
    return other.digest
