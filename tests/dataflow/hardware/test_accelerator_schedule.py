"""The predicted cycles: closed forms by hand, and every event of the simulated RTL."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dataflow.hardware.accelerator import BALANCED, FAST, SMALL, Accelerator, Configuration
from dataflow.hardware.accelerator_schedule import predict
from golden.network import IntegerNetwork
from scripts.simulation import accelerator_simulation
from scripts.simulation.accelerator_simulation import AcceleratorSimulator
from scripts.simulation.divergence import expected_streams, first_divergence
from tests.accelerators import ALL_CONFIGURATIONS, LOPSIDED, small_accelerator, small_networks
from tests.networks import random_fingerprints, random_network


@pytest.mark.parametrize(
    ("configuration", "steps", "interval", "latency"),
    [(SMALL, 16, 43_008, 43_490), (BALANCED, 4, 10_752, 11_168), (FAST, 1, 2_688, 3_087)],
)
def test_default_network_takes_a_cycle_a_step(
    configuration: Configuration, steps: int, interval: int, latency: int
) -> None:
    schedule = predict(Accelerator(random_network(1), configuration))
    assert interval == 48 * 14 * 4 * steps
    assert (schedule.interval, schedule.latency) == (interval, latency)
    assert schedule.utilisation["conv_1"] == 1
    assert (np.diff(schedule.answers) == interval).all()


def test_fill_and_tail_of_the_fast_configuration_by_hand() -> None:
    cycles = predict(Accelerator(random_network(1), FAST)).cycles
    assert cycles["taken"][:300].tolist() == list(range(300))
    # Written, read, taken, multiplied, added; then the lag of a row and one value, and so on.
    assert cycles["issued"][0] == 300
    assert cycles["conv_1"][0] == 303
    assert cycles["dw_conv"][0] == 304 + 5 + 3
    assert cycles["max_pool"][0] == 304 + 5 + 55 + 4
    # From the last maximum 16 multiplications, of which fc1 takes one result in 5 cycles.
    last = cycles["max_pool"][47]
    assert cycles["pw_conv_relu"][0] == last + 3
    assert cycles["out"][4] == last + 3 + 15 * 5 + 4 + 3 + 1


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="frames: expected at least 2, got 1"):
        predict(small_accelerator(), 1)


def test_slow_depthwise_stage_sets_the_pace() -> None:
    # 3 filters of 4 x 2 positions with 9 taps each; the first value of a plane has no padding row.
    accelerator = small_accelerator("plain", LOPSIDED)
    assert predict(accelerator).interval == 3 * accelerator.positions * 9


@pytest.mark.rtl
@pytest.mark.parametrize("configuration", ALL_CONFIGURATIONS, ids=lambda value: value.name)
@pytest.mark.parametrize("name", small_networks())
def test_every_event_of_the_rtl_happens_in_the_predicted_cycle(
    name: str, configuration: Configuration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerator_simulation, "CACHE", tmp_path)
    accelerator = small_accelerator(name, configuration)
    fingerprints = random_fingerprints(1, 4, accelerator.network.input_shape)
    recording = AcceleratorSimulator(accelerator, "icarus").run(fingerprints)
    expected = expected_streams(accelerator, fingerprints)
    assert first_divergence(accelerator, expected, recording) is None
    predicted = predict(accelerator, len(fingerprints)).cycles
    for stream in (*expected, "taken"):
        assert recording.cycles[stream].tolist() == predicted[stream].tolist(), stream


def test_networks_are_all_of_different_shape() -> None:
    networks = small_networks().values()
    assert len({tuple(network.shapes.items()) for network in networks}) == len(networks)
    assert all(isinstance(network, IntegerNetwork) for network in networks)
