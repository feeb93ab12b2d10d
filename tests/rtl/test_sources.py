"""Rules that every module of `rtl_ref/` obeys: form, lint, legal parameters, generated ones."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataflow.hardware.accelerator import BALANCED, FAST, SMALL, Accelerator
from dataflow.hardware.build_folder import write_accelerator
from dataflow.hardware.rtl_parameters import HEADER_FILE, module_parameters
from dataflow.ranges.intervals import interval_bounds
from dataflow.ranges.observed import observe
from scripts.console.places import RTL_FOLDER
from tests.networks import random_network
from tests.rtl.blocks import MODULES
from tests.rtl.control_jobs import ROW_BY_ROW, SINGLE, TAP_BY_TAP, WINDOW_BY_WINDOW

TOP = "kws_accelerator"
SOURCES = {path.stem: path.read_text() for path in sorted(RTL_FOLDER.glob("*.v"))}
BLOCKS = [name for name in SOURCES if name != TOP]

DEFAULT = random_network(1)
SILENCE = np.zeros((1, *DEFAULT.input_shape), np.int8)
ACCELERATORS = {
    "small": Accelerator(DEFAULT, SMALL),
    "balanced": Accelerator(DEFAULT, BALANCED),
    "fast": Accelerator(DEFAULT, FAST),
    "window by window": WINDOW_BY_WINDOW,
    "row by row": ROW_BY_ROW,
    "tap by tap": TAP_BY_TAP,
    "everything at 1": SINGLE,
    "weights 0": Accelerator(random_network(1, 2, 2, 2, weights=(0, 0), shifts=(0, 0, 9)), FAST),
    # As narrow as the modules allow: the ranges of a single input, which is 0.
    "observed": Accelerator(
        DEFAULT, BALANCED, observe(DEFAULT, interval_bounds(DEFAULT), [SILENCE]).ranges
    ),
}

# What breaks each rule: parameters, the rest being defaults. A counter of 32 bits holds even a
# last index of -1, so that a size of 0 breaks the rule about the size alone.
VIOLATIONS: dict[str, dict[str, list[dict[str, int]]]] = {
    "adder_tree": {
        "INPUTS_of_at_least_1": [{"INPUTS": 0}],
        "BITS_of_at_least_1": [{"BITS": 0}],
    },
    "argmax": {
        "LOGIT_BITS_of_at_least_2": [{"LOGIT_BITS": 1}],
        "LABEL_BITS_of_at_least_1": [{"LABEL_BITS": 0}],
        "OUT_BITS_of_at_least_LOGIT_BITS_and_above_LABEL_BITS": [
            {"OUT_BITS": 32},
            {"LABEL_BITS": 33},
        ],
    },
    "conv_1": {
        "POSITIONS_of_at_least_1": [{"POSITIONS": 0, "POSITION_BITS": 32}],
        "SHIFT_of_at_least_0": [{"SHIFT": -1}],
        "ACC_BITS_of_at_least_SHIFT_plus_OUT_BITS": [{"OUT_BITS": 0}, {"OUT_BITS": 14}],
        "POSITION_BITS_to_hold_POSITIONS_minus_1": [{"POSITION_BITS": 5}],
    },
    "dw_conv_max_pool": {
        "KERNEL_ROWS_and_KERNEL_COLUMNS_of_at_least_1": [{"KERNEL_ROWS": 0}, {"KERNEL_COLUMNS": 0}],
        "LANES_times_STEPS_of_all_taps": [{"LANES": 8}],
        "PAD_ROWS_and_PAD_COLUMNS_within_the_kernel": [
            {"PAD_ROWS": 3},
            {"PAD_COLUMNS": 3},
            {"PAD_ROWS": -1},
            {"PAD_COLUMNS": -1},
        ],
        "MAP_ROWS_and_MAP_COLUMNS_of_at_least_1": [
            {"MAP_ROWS": 0, "ROW_BITS": 32},
            {"MAP_COLUMNS": 0, "COLUMN_BITS": 32},
        ],
        "IN_BITS_of_at_least_1": [{"IN_BITS": 0}],
        "SHIFT_of_at_least_0": [{"SHIFT": -1}],
        "ACC_BITS_above_SHIFT_plus_OUT_BITS": [{"OUT_BITS": 0}, {"OUT_BITS": 17}],
        "ROW_BITS_to_hold_MAP_ROWS_minus_1": [{"ROW_BITS": 3}],
        "COLUMN_BITS_to_hold_MAP_COLUMNS_minus_1": [{"COLUMN_BITS": 1}],
    },
    "frame_control": {
        "ROWS_and_COLUMNS_of_at_least_1": [
            {"ROWS": 0, "ROW_BITS": 32},
            {"COLUMNS": 0, "COLUMN_BITS": 32},
        ],
        "ROW_PHASES_and_COLUMN_PHASES_of_at_least_1": [
            {"ROW_PHASES": 0, "ROW_PHASE_BITS": 32},
            {"COLUMN_PHASES": 0, "COLUMN_PHASE_BITS": 32},
        ],
        "PLANE_COLUMNS_of_COLUMNS_over_COLUMN_PHASES": [{"PLANE_COLUMNS": 6}],
        "CHANNELS_MAP_ROWS_and_MAP_COLUMNS_of_at_least_1": [
            {"CHANNELS": 0, "CHANNEL_BITS": 32},
            {"MAP_ROWS": 0, "ROW_BITS": 32},
            {"MAP_COLUMNS": 0, "COLUMN_BITS": 32},
        ],
        "STEP_ROWS_and_STEP_COLUMNS_of_at_least_1": [
            {"STEP_ROWS": 0, "STEP_BITS": 32},
            {"STEP_COLUMNS": 0, "STEP_BITS": 32},
        ],
        "ROW_STRIDE_and_COLUMN_STRIDE_of_at_least_1": [{"ROW_STRIDE": 0}, {"COLUMN_STRIDE": 0}],
        "windows_within_the_plane": [{"MAP_ROWS": 16}, {"MAP_COLUMNS": 6}],
        "ROW_BITS_to_hold_ROWS_minus_1": [{"ROW_BITS": 4}],
        "COLUMN_BITS_to_hold_COLUMNS_minus_1": [{"COLUMN_BITS": 3}],
        "CHANNEL_BITS_to_hold_CHANNELS_minus_1": [{"CHANNEL_BITS": 5}],
        "STEP_BITS_to_hold_the_last_step": [
            {"STEP_ROWS": 3, "MAP_ROWS": 13},
            {"STEP_COLUMNS": 3, "MAP_COLUMNS": 3},
        ],
        "FLUSH_BITS_to_hold_FLUSH": [{"FLUSH_BITS": 2}, {"FLUSH": -1}],
        "ROW_PHASE_BITS_to_hold_ROW_PHASES_minus_1": [{"ROW_PHASES": 3, "MAP_ROWS": 1}],
        "COLUMN_PHASE_BITS_to_hold_COLUMN_PHASES_minus_1": [
            {"COLUMN_PHASES": 3, "PLANE_COLUMNS": 4}
        ],
        "ADDRESS_BITS_to_hold_every_address": [{"ADDRESS_BITS": 6}],
    },
    "kernel_weights": {
        "LANES_of_at_least_1": [{"LANES": 0}],
        "STEPS_of_at_least_1": [{"STEPS": 0, "STEP_BITS": 32}],
        "CHANNELS_of_at_least_1": [{"CHANNELS": 0}],
        "WEIGHT_BITS_of_at_least_1": [{"WEIGHT_BITS": 0}],
        "STEP_BITS_to_hold_STEPS_minus_1": [{"STEPS": 3, "ADDRESS_BITS": 8}],
        "ADDRESS_BITS_to_hold_every_word": [{"ADDRESS_BITS": 5}],
    },
    TOP: {},
    "memory_file": {},
    "multiply_accumulate": {
        "TAP_BITS_and_WEIGHT_BITS_of_at_least_2": [{"TAP_BITS": 1}, {"WEIGHT_BITS": 1}],
        "PRODUCT_BITS_of_at_least_TAP_BITS_and_WEIGHT_BITS": [
            {"TAP_BITS": 13},
            {"WEIGHT_BITS": 13},
        ],
        "ACC_BITS_of_at_least_PRODUCT_BITS": [{"ACC_BITS": 11}],
        "MARK_BITS_of_at_least_1": [{"MARK_BITS": 0}],
    },
    "pointwise_conv": {
        "IN_CHANNELS_of_at_least_1": [
            {"IN_CHANNELS": 0, "CHANNEL_BITS": 32},
        ],
        "OUT_CHANNELS_of_at_least_1": [
            {"OUT_CHANNELS": 0, "OUTPUT_BITS": 32},
        ],
        "IN_BITS_of_at_least_1": [{"IN_BITS": 0}],
        "WEIGHT_BITS_of_at_least_2": [{"WEIGHT_BITS": 1}],
        "OUT_BITS_of_at_least_1": [{"OUT_BITS": 0}],
        "RELU_and_BIASES_of_0_or_1": [{"RELU": 2}, {"BIASES": -1}],
        "INPUT_REGISTERS_of_1_or_2": [{"INPUT_REGISTERS": 0}, {"INPUT_REGISTERS": 3}],
        "SHIFT_of_at_least_0": [{"SHIFT": -1}],
        "PRODUCT_BITS_above_IN_BITS": [{"PRODUCT_BITS": 16}],
        "PRODUCT_BITS_of_at_least_WEIGHT_BITS": [{"IN_BITS": 2, "PRODUCT_BITS": 5}],
        "ACC_BITS_of_at_least_PRODUCT_BITS": [{"ACC_BITS": 21, "OUT_BITS": 4}],
        "ACC_BITS_of_at_least_SHIFT_plus_OUT_BITS": [{"OUT_BITS": 20}],
        "CHANNEL_BITS_to_hold_IN_CHANNELS_minus_1": [{"CHANNEL_BITS": 5}],
        "OUTPUT_BITS_to_hold_OUT_CHANNELS_minus_1": [{"OUTPUT_BITS": 3}],
        "ADDRESS_BITS_to_hold_every_weight": [{"ADDRESS_BITS": 9}],
    },
    "stream_register": {"BITS_of_at_least_1": [{"BITS": 0}]},
    "window_memory": {
        "DATA_BITS_of_at_least_1": [{"DATA_BITS": 0}],
        "LANE_ROWS_and_LANE_COLUMNS_of_at_least_1": [{"LANE_ROWS": 0}, {"LANE_COLUMNS": 0}],
        "ROW_PHASES_and_COLUMN_PHASES_of_at_least_1": [
            {"ROW_PHASES": 0, "ROW_PHASE_BITS": 32},
            {"COLUMN_PHASES": 0, "COLUMN_PHASE_BITS": 32},
        ],
        "PLANE_COLUMNS_of_at_least_1": [{"PLANE_COLUMNS": 0}],
        "ROW_PHASE_BITS_to_hold_ROW_PHASES_minus_1": [{"ROW_PHASES": 3}],
        "COLUMN_PHASE_BITS_to_hold_COLUMN_PHASES_minus_1": [{"COLUMN_PHASES": 3}],
        "ADDRESS_BITS_to_hold_PLANE_WORDS_minus_1": [{"ADDRESS_BITS": 6}],
    },
}
# Some sizes stand in several rules, which they break together, whatever the other parameters are.
ALSO_BROKEN = {
    ("dw_conv_max_pool", "KERNEL_ROWS_and_KERNEL_COLUMNS_of_at_least_1"): {
        "LANES_times_STEPS_of_all_taps",
        "PAD_ROWS_and_PAD_COLUMNS_within_the_kernel",
    },
    ("frame_control", "ROWS_and_COLUMNS_of_at_least_1"): {
        "ADDRESS_BITS_to_hold_every_address",
        "PLANE_COLUMNS_of_COLUMNS_over_COLUMN_PHASES",
        "windows_within_the_plane",
    },
    ("kernel_weights", "STEPS_of_at_least_1"): {"ADDRESS_BITS_to_hold_every_word"},
    ("kernel_weights", "CHANNELS_of_at_least_1"): {"ADDRESS_BITS_to_hold_every_word"},
    ("pointwise_conv", "IN_CHANNELS_of_at_least_1"): {"ADDRESS_BITS_to_hold_every_weight"},
    ("pointwise_conv", "OUT_CHANNELS_of_at_least_1"): {"ADDRESS_BITS_to_hold_every_weight"},
}
CASES = [
    pytest.param(module, rule, broken, id=f"{module} {broken}")
    for module, rules in VIOLATIONS.items()
    for rule, violations in rules.items()
    for broken in violations
]
COUNTERS = [
    (module, rule)
    for module, rules in VIOLATIONS.items()
    for rule in rules
    if "_BITS_to_hold_" in rule
]


def run(command: list[str], folder: Path) -> tuple[int, str]:
    """Run a tool in `folder`; return its status and all that it printed but for statistics."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).splitlines(keepends=True)
    statistics = ("- V e r i l a t i o n ", "- Verilator: ")  # how later ones than 5.020 end a run
    return done.returncode, "".join(line for line in said if not line.startswith(statistics))


def source(module: str) -> str:
    """Return the path of a module's file."""
    return str(RTL_FOLDER / f"{module}.v")


def parameter_names(text: str) -> list[str]:
    """Return the names that a source or a header declares as parameters."""
    return re.findall(r"^ *parameter (\w+) *=", text, re.MULTILINE)


def broken_rules(module: str, parameters: dict[str, int], folder: Path) -> set[str]:
    """Elaborate a module with Icarus, which must fail; return the rules that it names."""
    flags = [f"-P{module}.{name}={value}" for name, value in parameters.items()]
    command = ["iverilog", "-g2005", "-t", "null", "-y", str(RTL_FOLDER), "-s", module, *flags]
    status, output = run([*command, source(module)], folder)
    assert status != 0
    return set(re.findall(rf"error: Unknown module type: {module}_requires_(\w+)", output))


@pytest.mark.parametrize("module", SOURCES)
def test_file_holds_the_module_of_its_name_and_nothing_else(module: str) -> None:
    assert re.findall(r"^ *module (\w+)", SOURCES[module], re.MULTILINE) == [module]


@pytest.mark.parametrize("module", SOURCES)
def test_implicit_nets_are_off_within_the_file_and_on_after_it(module: str) -> None:
    text = SOURCES[module]
    code = [line for line in text.splitlines() if line and not line.startswith("//")]
    assert code[0] == "`default_nettype none"
    assert code[-1] == "`default_nettype wire"
    assert text.count("`default_nettype") == 2
    assert text.startswith("// "), "expected a header comment first"


@pytest.mark.parametrize("module", SOURCES)
def test_widths_do_not_depend_on_clog2(module: str) -> None:
    assert "$clog2" not in SOURCES[module]  # one of the readers takes it for 0


@pytest.mark.parametrize("module", BLOCKS)
def test_verilator_has_no_warning_with_the_defaults(
    require_tool: Callable[[str], None], tmp_path: Path, module: str
) -> None:
    require_tool("verilator")
    command = ["verilator", "--lint-only", "-Wall", "-y", str(RTL_FOLDER), source(module)]
    assert run(command, tmp_path) == (0, "")


@pytest.mark.parametrize("name", ACCELERATORS)
def test_no_tool_has_a_warning_with_generated_parameters(
    require_tool: Callable[[str], None], tmp_path: Path, name: str
) -> None:
    require_tool("verilator")
    require_tool("iverilog")
    write_accelerator(ACCELERATORS[name], tmp_path)
    folder = ["-y", str(RTL_FOLDER), source(TOP)]
    assert run(["verilator", "--lint-only", "-Wall", *folder], tmp_path) == (0, "")
    icarus = ["iverilog", "-g2005", "-Wall", "-t", "null", "-I.", *folder]
    assert run(icarus, tmp_path) == (0, "")


def test_every_source_and_every_rule_has_its_violations() -> None:
    found = {
        module: set(re.findall(rf"^ *{module}_requires_(\w+) illegal \(\);", text, re.MULTILINE))
        for module, text in SOURCES.items()
    }
    assert {module: set(rules) for module, rules in VIOLATIONS.items()} == found
    assert sum(text.count("_requires_") for text in SOURCES.values()) == sum(
        map(len, found.values())
    )


@pytest.mark.rtl
@pytest.mark.parametrize(("module", "rule", "broken"), CASES)
def test_illegal_parameters_stop_elaboration_with_the_rule(
    tmp_path: Path, module: str, rule: str, broken: dict[str, int]
) -> None:
    found = broken_rules(module, broken, tmp_path)
    assert rule in found
    assert found <= {rule} | ALSO_BROKEN.get((module, rule), set())


@pytest.mark.rtl
@pytest.mark.parametrize(("module", "rule"), COUNTERS)
def test_counter_without_bits_is_refused(tmp_path: Path, module: str, rule: str) -> None:
    counter = rule.partition("_to_hold_")[0]
    assert broken_rules(module, {counter: 0}, tmp_path) == {rule}


@pytest.mark.parametrize("name", ACCELERATORS)
def test_generated_parameters_are_those_of_the_modules(name: str) -> None:
    generated = module_parameters(ACCELERATORS[name])
    # The layers hand these their own.
    inner = {
        *("adder_tree", "kernel_weights", "memory_file"),
        *("multiply_accumulate", "stream_register"),
    }
    assert {MODULES.get(block, block) for block in generated} == set(BLOCKS) - inner
    for block, parameters in generated.items():
        source = SOURCES[MODULES.get(block, block)]
        assert sorted(parameters) == sorted(parameter_names(source)), block


def test_top_hands_every_parameter_to_its_block() -> None:
    instances = re.findall(
        r"^  (\w+) #\(\n(.*?)\n  \) \w+ \(", SOURCES[TOP], re.MULTILINE | re.DOTALL
    )
    blocks = list(module_parameters(SINGLE))
    assert [module for module, _ in instances] == [MODULES.get(block, block) for block in blocks]
    for block, (module, connections) in zip(blocks, instances, strict=True):
        expected = [f".{name}({block.upper()}_{name})" for name in parameter_names(SOURCES[module])]
        assert [line.strip(" ,") for line in connections.splitlines()] == expected


def test_pyverilog_reads_every_source(require_tool: Callable[[str], None], tmp_path: Path) -> None:
    require_tool("iverilog")
    write_accelerator(SINGLE, tmp_path)
    # A process of its own: it writes its tables into the current folder and leaves files open.
    command = [sys.executable, "-c", PYVERILOG, *map(source, SOURCES)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    expected = {module: parameter_names(text) for module, text in SOURCES.items()}
    expected[TOP] = parameter_names((tmp_path / HEADER_FILE).read_text())
    assert json.loads(done.stdout.splitlines()[-1]) == expected


PYVERILOG = """
import json, sys
from pyverilog.vparser.ast import ModuleDef, Parameter
from pyverilog.vparser.parser import parse

tree, _ = parse(sys.argv[1:], preprocess_include=["."])
modules = [part for part in tree.description.definitions if isinstance(part, ModuleDef)]
print(json.dumps({
    module.name: [
        part.name
        for declaration in module.paramlist.params
        for part in declaration.children()
        if isinstance(part, Parameter)
    ]
    for module in modules
}))
"""
