"""Small accelerators of many shapes, for every test that runs or predicts one."""

from __future__ import annotations

from dataflow.hardware.accelerator import (
    BALANCED,
    FAST,
    ROW,
    SMALL,
    TAP,
    WINDOW,
    Accelerator,
    Configuration,
)
from golden.network import IntegerNetwork
from tests.networks import random_network

# A fast first convolution with the slowest depthwise one, and the other way round.
LOPSIDED = Configuration("lopsided", conv_1=WINDOW, dw_conv=TAP)
UNEVEN = Configuration("uneven", conv_1=TAP, dw_conv=ROW)
ALL_CONFIGURATIONS = (SMALL, BALANCED, FAST, LOPSIDED, UNEVEN)


def small_networks() -> dict[str, IntegerNetwork]:
    """Return networks of the default topology at the corners of their sizes, by what is special."""
    return {
        "plain": random_network(
            1, 3, 2, 4, input_shape=(10, 6), shifts=(3, 4, 4), biases=(-90, 90)
        ),
        "depthwise 1x1": random_network(
            2, 3, 2, 2, kernel=(3, 2), stride=(1, 1), depthwise_kernel=(1, 1), input_shape=(6, 4)
        ),
        "one of everything": random_network(
            3, 1, 1, 1, kernel=(1, 1), stride=(1, 1), input_shape=(4, 3), shifts=(0, 0, 0)
        ),
        "even kernel, strides beyond it": random_network(
            4, 2, 1, 2, kernel=(2, 1), stride=(3, 2), depthwise_kernel=(2, 4), input_shape=(9, 5)
        ),
        "kernel larger than the map": random_network(
            5, 3, 4, 3, kernel=(2, 2), stride=(1, 3), depthwise_kernel=(5, 5), input_shape=(4, 4)
        ),
        "slow at the end": random_network(
            6, 2, 9, 4, kernel=(4, 4), depthwise_kernel=(3, 3), input_shape=(6, 4)
        ),
        "more labels than channels": random_network(
            7, 2, 3, 9, kernel=(3, 4), stride=(2, 1), input_shape=(9, 7)
        ),
    }


def small_accelerator(name: str = "plain", configuration: Configuration = FAST) -> Accelerator:
    """Return an accelerator for one of `small_networks`."""
    return Accelerator(small_networks()[name], configuration)
