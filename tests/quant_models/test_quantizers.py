"""The straight-through quantisers against `golden.integer_math`, value by value, and gradients."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from golden.integer_math import (
    WEIGHT_MAX,
    WEIGHT_MIN,
    floor_shift,
    relu,
    round_to_integers,
    saturate,
)
from quant_models.quantizers import WEIGHT_STEPS, quantise_biases, quantise_weights, shift_relu

SHIFTS = range(13)
FLOAT32_EXACT = 2**24

# Every quarter of an integer step from -50 to 50: all integers, all ties, and what lies between.
QUARTERS = np.arange(-200, 201)


def gradients(function: object, values: npt.NDArray[np.float32]) -> list[float]:
    """Derivative of the sum of `function(values)` by each value."""
    variable = tf.Variable(values)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(function(variable))  # type: ignore[operator]
    return tape.gradient(total, variable).numpy().tolist()


def test_weights_are_rounded_and_clipped_like_the_integer_arithmetic() -> None:
    latent = (QUARTERS / 4 / WEIGHT_STEPS).astype(np.float32)
    expected = saturate(round_to_integers(latent * WEIGHT_STEPS), WEIGHT_MIN, WEIGHT_MAX)
    assert quantise_weights(latent).numpy().tolist() == expected.tolist()


def test_weights_are_the_exact_fractions_rounded_ties_to_even() -> None:
    latent = (QUARTERS / 4 / WEIGHT_STEPS).astype(np.float32)
    expected = [min(max(round(Fraction(int(quarter), 4)), -32), 31) for quarter in QUARTERS]
    assert quantise_weights(latent).numpy().tolist() == expected


def test_biases_are_rounded_ties_to_even_and_never_clipped() -> None:
    quarters = np.arange(-40_000, 40_001)
    found = quantise_biases((quarters / 4).astype(np.float32)).numpy()
    assert found.tolist() == [round(Fraction(int(quarter), 4)) for quarter in quarters]
    assert np.array_equal(found, round_to_integers(quarters / 4))


@pytest.mark.parametrize("shift", SHIFTS)
def test_shift_relu_is_the_integer_shift_and_relu(shift: int) -> None:
    values = np.arange(-(2**16), 2**16)
    found = shift_relu(values.astype(np.float32), shift).numpy()
    assert np.array_equal(found, relu(floor_shift(values, shift)))


@pytest.mark.parametrize("shift", SHIFTS)
def test_shift_relu_is_exact_up_to_the_last_exact_integer_of_float32(shift: int) -> None:
    steps = 1 << shift
    values = [
        sign * (FLOAT32_EXACT - steps * back) + offset
        for sign in (-1, 1)
        for back in (1, 2, 3)
        for offset in (-1, 0, 1)
    ]
    found = shift_relu(np.array(values, np.float32), shift).numpy()
    assert found.tolist() == [max(value // steps, 0) for value in values]


def test_pooling_and_shifting_commute() -> None:
    values = np.random.default_rng(0).integers(-300, 300, (500, 7)).astype(np.float32)
    for shift in SHIFTS:
        pooled_first = shift_relu(values.max(axis=1), shift).numpy()
        assert np.array_equal(pooled_first, shift_relu(values, shift).numpy().max(axis=1))


def test_weight_gradient_is_32_within_the_range_and_0_where_clipped() -> None:
    integers = [-40.0, -32.25, -32.0, -31.75, -0.5, 0.0, 0.3, 30.75, 31.0, 31.25, 40.0]
    expected = [0.0, 0.0, 32.0, 32.0, 32.0, 32.0, 32.0, 32.0, 32.0, 0.0, 0.0]
    latent = np.array(integers, np.float32) / WEIGHT_STEPS
    assert gradients(quantise_weights, latent) == expected


def test_bias_gradient_is_1() -> None:
    values = np.array([-1e6, -0.5, 0.0, 0.4, 1e6], np.float32)
    assert gradients(quantise_biases, values) == [1.0] * 5


@pytest.mark.parametrize("shift", SHIFTS)
def test_shift_gradient_is_the_scale_where_the_result_is_above_0(shift: int) -> None:
    steps = 1 << shift
    values = np.array([-5 * steps, -1, 0, steps - 1, steps, steps + 1, 9 * steps], np.float32)
    expected = [1 / steps if value // steps > 0 else 0.0 for value in values.astype(int)]
    assert gradients(lambda x: shift_relu(x, shift), values) == expected


def test_the_same_values_and_gradients_come_out_of_a_compiled_graph() -> None:
    values = np.linspace(-3, 3, 97, dtype=np.float32)
    for function in (quantise_weights, quantise_biases, lambda x: shift_relu(x * 50, 3)):
        compiled = tf.function(function)
        assert np.array_equal(compiled(values).numpy(), function(values).numpy())
        assert gradients(compiled, values) == gradients(function, values)
