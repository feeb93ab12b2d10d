"""Drives the accelerator with the AXI4-Stream agents of cocotbext-axi, as they come.

Whoever integrates the accelerator meets it with such agents: they find the ports by their names,
ask for whole bytes and for a reset, and know nothing of this repository.
"""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from dataflow.hardware.build_folder import NETWORK_FILE
from golden import reference
from golden.network import IntegerNetwork
from scripts.simulation.rtl_simulation import JOB_VARIABLE, RESULTS_FILE


@cocotb.test()
@cocotb.parametrize(paused=[False, True])
async def frames_come_back_as_logits_and_label(dut: Any, paused: bool) -> None:
    """Every frame of the job, back to back: the reference's logits and label, in whole bytes."""
    folder = Path(os.environ[JOB_VARIABLE])
    network = IntegerNetwork.load(folder / NETWORK_FILE)
    fingerprints = np.load(folder / "fingerprints.npy").astype(np.int8)
    cocotb.start_soon(Clock(dut.clk_i, 10, unit="ns").start())
    dut.s_axis_tvalid.value, dut.m_axis_tready.value, dut.rst_ni.value = 0, 0, 0
    await ClockCycles(dut.clk_i, 2)
    dut.rst_ni.value = 1
    source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.clk_i)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk_i)
    if paused:
        source.set_pause_generator(itertools.cycle([False, False, True]))
        sink.set_pause_generator(itertools.cycle([True, False]))
    for fingerprint in fingerprints:
        await source.send(AxiStreamFrame(fingerprint.reshape(-1).tobytes()))
    result = reference.run(network, fingerprints)
    values = 0
    for clip, (logits, label) in enumerate(zip(result.logits, result.label_indices, strict=True)):
        beats = await sink.recv()
        lanes = len(dut.m_axis_tdata) // 8
        found = [
            int.from_bytes(bytes(beats.tdata[at : at + lanes]), "little", signed=True)
            for at in range(0, len(beats.tdata), lanes)
        ]
        expected = [*logits.tolist(), int(label)]
        assert found == expected, f"clip {clip}: expected {expected}, got {found}"
        values += len(found)
    assert dut.frame_error_o.value == 0
    path = folder / RESULTS_FILE
    results = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({**results, f"paused={paused}": {"values": values}}) + "\n")
