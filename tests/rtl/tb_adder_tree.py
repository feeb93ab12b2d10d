"""Scenarios for `adder_tree`: terms in, their sum modulo 2**BITS out, in the same instant."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import cocotb
from cocotb.triggers import Timer

from tests.rtl.lock_step import compare, job_parameters, report

EXHAUSTIVE_BITS = 10


async def check(dut: Any, scenario: str, cases: Iterable[Sequence[int]]) -> None:
    """Compare the sum of every case, unsigned terms, with Python's."""
    bits, cases = job_parameters()["BITS"], list(cases)
    report(scenario, cases=len(cases))
    for terms in cases:
        dut.terms_i.value = sum(term << (place * bits) for place, term in enumerate(terms))
        await Timer(1, "ns")
        compare(dut, "sum_o", sum(terms) % 2**bits, f"{scenario}: terms {list(terms)}")


@cocotb.test()
async def single_terms(dut: Any) -> None:
    """Every bit of every term on its own, the others 0 or all ones."""
    parameters = job_parameters()
    inputs, bits = parameters["INPUTS"], parameters["BITS"]
    ones = 2**bits - 1
    cases = [
        [background ^ (1 << bit if place == other else 0) for other in range(inputs)]
        for background in (0, ones)
        for place, bit in product(range(inputs), range(bits))
    ]
    await check(dut, "single_terms", [[0] * inputs, [ones] * inputs, *cases])


@cocotb.test()
async def all_or_many_terms(dut: Any) -> None:
    """Every case there is, or random ones that are spread over all bits."""
    parameters = job_parameters()
    inputs, bits = parameters["INPUTS"], parameters["BITS"]
    if inputs * bits <= EXHAUSTIVE_BITS:
        await check(dut, "terms", product(range(2**bits), repeat=inputs))
        return
    draw = random.Random(inputs)
    cases = [[draw.getrandbits(bits) for _ in range(inputs)] for _ in range(500)]
    await check(dut, "terms", cases)
