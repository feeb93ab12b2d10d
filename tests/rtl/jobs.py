"""Jobs for the benches of the layers and of the whole accelerator, by module.

A job is a small accelerator, chosen for its shape, and the inputs of one of its modules: the
extremes that drive every sum to its bounds, and random numbers.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dataflow.hardware.accelerator import BALANCED, FAST, SMALL, Accelerator
from dataflow.hardware.rtl_parameters import module_parameters, pointwise_layer
from dataflow.ranges.intervals import ChannelRange, interval_bounds
from golden.network import INPUT_MAX, INPUT_MIN, IntegerNetwork
from scripts.console.places import RTL_FOLDER
from scripts.simulation.rtl_simulation import (
    SimulationResult,
    prepare_pointwise,
    simulate,
)
from tests.networks import random_fingerprints, random_network, with_depthwise_weights
from tests.rtl.blocks import MODULES, prepare_block

RANDOM_FRAMES = 8
PLACES = 12  # of a map, about, where extremes are put
TIES = 60  # frames of logits with ties; more labels than three give too many to try all

Integers = npt.NDArray[np.int64]
Prepare = Callable[[Path], None]


@dataclass(frozen=True)
class Job:
    """A name and a function that writes into a folder all that the bench needs."""

    name: str
    prepare: Prepare

    def __str__(self) -> str:
        return self.name


ACCELERATORS = {
    # Strides smaller than the kernel, dimensions that are no powers of two.
    "window": Accelerator(
        random_network(
            1, 3, 4, 3, kernel=(4, 3), stride=(2, 2), shifts=(3, 4, 5), input_shape=(9, 8)
        ),
        FAST,
    ),
    "row": Accelerator(
        random_network(
            2,
            2,
            3,
            4,
            kernel=(5, 2),
            stride=(1, 3),
            depthwise_kernel=(2, 4),
            shifts=(3, 5, 5),
            weights=(-32, 31),
            input_shape=(6, 9),
        ),
        BALANCED,
    ),
    "tap": Accelerator(
        random_network(
            3,
            2,
            4,
            2,
            kernel=(2, 4),
            stride=(3, 1),
            depthwise_kernel=(5, 2),
            shifts=(0, 0, 0),
            input_shape=(5, 6),
        ),
        SMALL,
    ),
    # One filter, one position, one tap, one label; shifts that leave one bit of every activation.
    "single": Accelerator(
        random_network(
            4,
            1,
            3,
            1,
            kernel=(1, 1),
            stride=(3, 3),
            depthwise_kernel=(1, 1),
            shifts=(8, 4, 4),
            input_shape=(1, 2),
            biases=(-(2**31), -(2**31)),
        ),
        FAST,
    ),
    # The largest sums that positive weights can give, in every layer up to the logits.
    "widest": Accelerator(
        random_network(
            7, 2, 2, 2, kernel=(2, 2), stride=(1, 1), weights=(31, 31), input_shape=(4, 4)
        ),
        FAST,
    ),
    # Maps of one row and of one column; the largest products there are, and the narrowest.
    "one row": Accelerator(
        random_network(
            5,
            2,
            8,
            5,
            kernel=(4, 2),
            stride=(1, 1),
            depthwise_kernel=(3, 3),
            shifts=(2, 6, 2),
            weights=(-32, -32),
            biases=(-(2**31), 2**31 - 1),
            input_shape=(4, 6),
        ),
        FAST,
    ),
    "one column": Accelerator(
        random_network(
            6,
            5,
            1,
            9,
            kernel=(1, 3),
            stride=(1, 1),
            depthwise_kernel=(3, 4),
            shifts=(0, 1, 1),
            weights=(0, 1),
            biases=(0, 0),
            input_shape=(6, 3),
        ),
        BALANCED,
    ),
}

# For some blocks only. A map of one position, several channels, the lanes of the default network.
ONE_POSITION = Accelerator(random_network(8, 5, 3, 3, input_shape=(4, 4)), FAST)
# Last indices with every bit set, in `dw_conv_max_pool` as many lanes as in `conv_1`.
LONG_MAP = Accelerator(
    random_network(
        9,
        *(2, 16, 4),
        kernel=(1, 1),
        stride=(1, 1),
        depthwise_kernel=(4, 4),
        shifts=(0, 4, 6),
        input_shape=(16, 4),
    ),
    FAST,
)
# A position's sum is positive where its own value is large, and negative beside it.
PEAKS = Accelerator(
    with_depthwise_weights(
        random_network(
            10, 2, 1, 2, kernel=(1, 1), stride=(1, 1), shifts=(0, 0, 6), input_shape=(3, 3)
        ),
        centre=1,
        around=-9,
    ),
    FAST,
)

# Every key set: dimensions at 1, powers of two and others, shift zero, weights of one sign only.
POINTWISE_NETWORKS = {
    "default": random_network(1),
    "largest weights": random_network(2, weights=(31, 31)),
    "smallest weights": random_network(3, filters=5, outputs=3, weights=(-32, -32)),
    "either extreme": random_network(4, filters=7, outputs=4, weights=(-32, 31)),
    "weights 0": random_network(5, filters=2, outputs=2, weights=(0, 0)),
    "3 to 2": random_network(6, filters=3, outputs=2, shifts=(3, 4, 4)),
    "1 to 1": random_network(7, filters=1, outputs=1, shifts=(3, 4, 0)),
    "1 to 4": random_network(8, filters=1, outputs=4, shifts=(3, 4, 1)),
    "5 to 1": random_network(9, filters=5, outputs=1, shifts=(3, 4, 3)),
    # Products as wide as a weight, and as an input with a sign.
    "weights -1 to 1": random_network(11, filters=5, outputs=3, weights=(-1, 1), shifts=(0, 0, 0)),
    "inputs 0 and 1": random_network(16, filters=6, outputs=4, shifts=(3, 16, 0)),
    "8 to 16, no shift": random_network(10, filters=8, outputs=16, shifts=(3, 4, 0)),
    "64 to 8": random_network(12, filters=64, outputs=8),
}


def extreme_rows(weights: Integers, bound: ChannelRange) -> Integers:
    """Return inputs `(N, input)` at the ends of their bounds, for weights `(output, input)`.

    All lowest, all highest, and for each output the inputs that make its sum the largest and the
    smallest there is: each reaches the interval bound of the layer, so that a register that is one
    bit too narrow cannot hold it.
    """
    weights = weights.astype(np.int64)
    largest = np.where(weights > 0, bound.high, bound.low)
    smallest = np.where(weights < 0, bound.high, bound.low)
    return np.concatenate([[bound.low], [bound.high], largest, smallest])


def random_rows(bound: ChannelRange, count: int) -> Integers:
    """Return uniformly random inputs `(count, input)` within their bounds."""
    rng = np.random.default_rng(count)
    return rng.integers(bound.low, bound.high + 1, (count, bound.high.size))


def extreme_pixels(network: IntegerNetwork) -> Integers:
    """Return inputs `(N, input channel)` of the pointwise layer at the ends of its bounds."""
    convolution = pointwise_layer(network).convolution
    return extreme_rows(convolution.weights[:, 0, 0], interval_bounds(network)[convolution.input])


def random_pixels(network: IntegerNetwork, count: int) -> Integers:
    """Return random inputs `(count, input channel)` of the pointwise layer."""
    bound = interval_bounds(network)[pointwise_layer(network).convolution.input]
    return random_rows(bound, count)


def fingerprints(accelerator: Accelerator) -> npt.NDArray[np.int8]:
    """Return fingerprints of one number, of windows with every filter's extremes, random ones."""
    weights = accelerator.conv_1.weights
    filters, rows, columns, _ = weights.shape
    ends = ChannelRange(*(np.full(rows * columns, end) for end in (INPUT_MIN, INPUT_MAX)))
    windows = extreme_rows(weights.reshape(filters, -1), ends).reshape(-1, rows, columns)
    stride, (_, map_columns) = accelerator.conv_1.stride, accelerator.map
    extremes = random_fingerprints(1, len(windows), accelerator.frame)
    for number, window in enumerate(windows):
        row, column = divmod(number % accelerator.positions, map_columns)
        top, left = row * stride[0], column * stride[1]
        extremes[number, top : top + rows, left : left + columns] = window
    constant = np.stack(
        [np.full(accelerator.frame, end, np.int8) for end in (INPUT_MIN, INPUT_MAX)]
    )
    random = random_fingerprints(2, RANDOM_FRAMES, accelerator.frame)
    return np.concatenate([constant, extremes, random])


def maps(accelerator: Accelerator) -> Integers:
    """Return inputs `(N, row, column, channel)` of `dw_conv`: extremes at every centre, a peak at
    every place, alone and behind one that is lower by 1, random numbers.

    Of a large map only some places, the last among them: every sum of every map is compared anyway.
    """
    bound = interval_bounds(accelerator.network)[accelerator.dw_conv.input]
    (rows, columns), (above, left) = accelerator.map, accelerator.padding
    kernel = accelerator.dw_conv.weights[..., 0]  # [channel][kh][kw]
    places = range(rows * columns)[:: -max(1, rows * columns // PLACES)]
    extremes = []
    for sign, place in itertools.product((1, -1), places):
        row, column = divmod(place, columns)
        signs = np.zeros((rows + kernel.shape[1], columns + kernel.shape[2], len(kernel)))
        signs[row : row + kernel.shape[1], column : column + kernel.shape[2]] = np.moveaxis(
            sign * kernel, 0, 2
        )
        inside = signs[above : above + rows, left : left + columns]
        extremes.append(np.where(inside > 0, bound.high, bound.low))
    single = (
        np.eye(rows * columns, dtype=np.int64)[places].reshape(-1, rows, columns, 1) * bound.high
    )
    double = single.copy()
    double[:-1, 0, 0] = np.maximum(bound.high - 1, 0)
    rng = np.random.default_rng(rows)
    shape = (RANDOM_FRAMES, rows, columns, len(kernel))
    random = rng.integers(bound.low, bound.high + 1, shape)
    return np.concatenate([extremes, single, double, random])


def features(accelerator: Accelerator) -> Integers:
    """Return inputs `(N, input)` of `fc1`, extreme and random."""
    bound = interval_bounds(accelerator.network)[accelerator.fc1.input]
    extremes = extreme_rows(accelerator.fc1.weights, bound)
    return np.concatenate([extremes, random_rows(bound, RANDOM_FRAMES)])


def logits(accelerator: Accelerator) -> Integers:
    """Return logits `(N, label)` of the register's full range: ties of all kinds, and random."""
    bits = int(module_parameters(accelerator)["argmax"]["LOGIT_BITS"])
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    rng = np.random.default_rng(accelerator.labels)
    ties = np.array(
        list(itertools.islice(itertools.product((low, -1, 0, high), repeat=accelerator.labels), 64))
        if accelerator.labels <= 3
        else rng.choice([low, low + 1, -1, 0, high], (TIES, accelerator.labels))
    )
    lowest = np.full((1, accelerator.labels), low)
    return np.concatenate([ties, lowest, rng.integers(low, high + 1, (20, accelerator.labels))])


def _block(
    block: str,
    array: str,
    make: Callable[[Accelerator], npt.NDArray[np.integer]],
    **others: Accelerator,
) -> tuple[Job, ...]:
    """Return the jobs of a block: each accelerator with the inputs that `make` gives.

    `others` are accelerators for this block alone, by name, `_` for a space.
    """

    def job(name: str, accelerator: Accelerator) -> Job:
        def prepare(folder: Path) -> None:
            prepare_block(folder, accelerator, block, **{array: make(accelerator)})

        return Job(f"{block}, {name}" if block in MODULES else name, prepare)

    named = {name.replace("_", " "): accelerator for name, accelerator in others.items()}
    return tuple(job(*item) for item in (ACCELERATORS | named).items())


def _pointwise() -> tuple[Job, ...]:
    def job(name: str, network: IntegerNetwork) -> Job:
        def prepare(folder: Path) -> None:
            pixels = np.concatenate([extreme_pixels(network), random_pixels(network, 6)])
            prepare_pointwise(folder, network, pixels)

        return Job(name, prepare)

    return tuple(job(name, network) for name, network in POINTWISE_NETWORKS.items())


JOBS: Mapping[str, tuple[Job, ...]] = {
    "conv_1": _block(
        "conv_1", "fingerprints", fingerprints, one_position=ONE_POSITION, long_map=LONG_MAP
    ),
    "dw_conv_max_pool": _block(
        "dw_conv_max_pool",
        "maps",
        maps,
        one_position=ONE_POSITION,
        long_map=LONG_MAP,
        peaks=PEAKS,
    ),
    "pointwise_conv": (
        *_pointwise(),
        *_block("fc1", "pixels", features, sixteen_inputs=LONG_MAP),
    ),
    "argmax": _block("argmax", "logits", logits),
    "kws_accelerator": _block(
        "kws_accelerator", "fingerprints", fingerprints, one_position=ONE_POSITION
    ),
}


def run(
    module: str, folder: Path, scenarios: str | None = None, rtl_folder: Path = RTL_FOLDER
) -> SimulationResult:
    """Run the bench of a module on a folder that a job prepared.

    Set RTL_WAVES to a folder to get a waveform of every simulation.
    """
    waves = os.environ.get("RTL_WAVES")
    fst = Path(waves).resolve() / f"{folder.name}.fst" if waves else None
    return simulate(module, f"tests.rtl.tb_{module}", folder, scenarios, fst, rtl_folder)
