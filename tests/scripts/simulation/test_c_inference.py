"""The generated C program: every layer is the reference's, for networks of every arrangement."""

from __future__ import annotations

from collections.abc import Callable

import hypothesis
import numpy as np
import numpy.typing as npt
import pytest

from golden import dump, reference
from golden.network import IntegerNetwork
from scripts.simulation.c_inference import run_c
from tests.networks import networks_with_fingerprints, random_fingerprints, random_network


@pytest.mark.parametrize("extremes", [False, True])
def test_default_network_is_the_reference_in_every_layer(
    extremes: bool, require_tool: Callable[[str], None]
) -> None:
    require_tool("cc")
    network, clips = random_network(1), random_fingerprints(1, 20, extremes=extremes)
    comparison = dump.compare(
        reference.run(network, clips).layers, run_c(network, clips), batched=True
    )
    assert comparison.clips == 20
    assert list(comparison.values) == ["fingerprint", *(node.name for node in network.nodes)]


@hypothesis.settings(max_examples=15)
@hypothesis.given(networks_with_fingerprints())
def test_any_network_is_the_reference_or_overflows_as_the_reference_says(
    case: tuple[IntegerNetwork, npt.NDArray[np.int8]],
) -> None:
    network, fingerprints = case
    expected = reference.run(network, fingerprints).layers
    if max(int(np.abs(values).max()) for values in expected.values()) >= 2**31:
        hypothesis.reject()
    try:
        found = run_c(network, fingerprints)
    except ValueError as error:  # on the way to a sum that fits, int32 may still overflow
        assert "signed integer overflow" in str(error)
        assert abs(network.nodes[-1].biases.astype(np.int64)).max() > 2**30
    else:
        dump.compare(expected, found, batched=True)
