"""`weight.h`: it compiles, C sees the network's integers, and the way back is exact or refused."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from golden.axes import array_axes, named_arrays
from golden.c_header import weight_header
from golden.c_header_reader import parse_header, read_header
from golden.network import FeatureSettings, IntegerNetwork
from golden.nodes import (
    NODE_KINDS,
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    ShiftRelu,
)
from tests.networks import networks, random_network

FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wunused-const-variable=2")
NETWORK = random_network(5)
HEADER = weight_header(NETWORK)


def cc(folder: Path, *arguments: str) -> None:
    """Run the C compiler on files of `folder`; its messages are the failure's."""
    command = ["cc", *FLAGS, *arguments]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


def run_c(folder: Path, source: str) -> list[str]:
    """Compile and run a program that includes `weight.h`; return the lines that it prints."""
    (folder / "main.c").write_text(source)
    cc(folder, "main.c", "-o", "main")
    found = subprocess.run([folder / "main"], capture_output=True, text=True, check=True)
    return found.stdout.splitlines()


@pytest.fixture
def c_folder(tmp_path: Path, require_tool: Callable[[str], None]) -> Path:
    """A folder that holds the default network's `weight.h`."""
    require_tool("cc")
    (tmp_path / "weight.h").write_text(HEADER)
    return tmp_path


# ---- C


def test_header_compiles_alone_twice_and_by_itself(c_folder: Path) -> None:
    (c_folder / "once.c").write_text('#include "weight.h"\nint once;\n')
    (c_folder / "twice.c").write_text('#include "weight.h"\n#include "weight.h"\nint twice;\n')
    cc(c_folder, "-c", "once.c")
    cc(c_folder, "-c", "twice.c")
    cc(c_folder, "-fsyntax-only", "weight.h")


def test_two_translation_units_link(c_folder: Path) -> None:
    other = '#include "weight.h"\nint other(void);\nint other(void) { return FC1_WEIGHTS[0][0]; }\n'
    main = other.replace("other(void) {", "main(void) {").replace("FC1", "other() - FC1")
    (c_folder / "other.c").write_text(other)
    (c_folder / "main.c").write_text(main)
    cc(c_folder, "main.c", "other.c", "-o", "both")
    subprocess.run([c_folder / "both"], check=True)


def summing_program(network: IntegerNetwork) -> str:
    """A C program that sums each array, weighted by index, with loops over the size macros."""
    lines = ["#include <stdio.h>", '#include "weight.h"', "int main(void) {"]
    for name, array in named_arrays(network).items():
        macro = name.upper().replace(".", "_")
        indices = [f"i{axis}" for axis in range(array.ndim)]
        loops = [
            f"for (int {index} = 0; {index} < {macro}_{axis.upper()}; {index}++)"
            for index, axis in zip(indices, array_axes(array.ndim), strict=True)
        ]
        element = macro + "".join(f"[{index}]" for index in indices)
        lines += [
            "  { long long sum = 0, place = 0;",
            *(f"  {loop}" for loop in loops),
            f"    sum += ++place * {element};",
            f"  int size = sizeof({macro}{'[0]' * array.ndim});",
            f'  printf("%s %lld %d\\n", "{name}", sum, size); }}',
        ]
    return "\n".join([*lines, "  return 0; }"]) + "\n"


def test_c_reads_every_integer_where_numpy_has_it(c_folder: Path) -> None:
    expected = [
        f"{name} {np.dot(np.arange(1, array.size + 1), array.ravel().astype(np.int64))} "
        f"{array.itemsize}"
        for name, array in named_arrays(NETWORK).items()
    ]
    assert run_c(c_folder, summing_program(NETWORK)) == expected


def test_c_reads_the_macros(c_folder: Path) -> None:
    program = """
        #include <stdio.h>
        #include "weight.h"
        int main(void) {
            static const char *const labels[] = LABEL_NAMES;
            for (int i = 0; i < LABEL_COUNT; i++) printf("%s\\n", labels[i]);
            printf("%s\\n%d %d\\n", NETWORK_DIGEST, INPUT_MIN, 2 - INPUT_MIN);
            printf("%.1f %d\\n", FEATURE_WINDOW_MS, FEATURE_SAMPLE_RATE_HZ);
            return 0;
        }"""
    expected = [*NETWORK.labels, NETWORK.digest, "-32 34", "40.0 16000"]
    assert run_c(c_folder, program) == expected


def test_c_reads_unusual_labels_and_extreme_numbers(
    tmp_path: Path, require_tool: Callable[[str], None]
) -> None:
    require_tool("cc")
    labels = ('"quoted"', "back\\slash", "what??/", "/*no*/", "%d", "größe 7", "a{b,c}")
    biases = np.array([-(2**31), 2**31 - 1, 0, 0, 0, 0, 1])
    network = IntegerNetwork(
        nodes=(
            Convolution("c", "fingerprint", np.full((1, 30, 10, 1), -32)),
            FullyConnected("f", "c", np.full((7, 1), 31), biases),
        ),
        labels=labels,
        input_shape=(30, 10),
        features=FeatureSettings(),
    )
    (tmp_path / "weight.h").write_text(weight_header(network))
    program = """
        #include <stdio.h>
        #include "weight.h"
        int main(void) {
            static const char *const labels[] = LABEL_NAMES;
            for (int i = 0; i < LABEL_COUNT; i++) printf("%s\\n", labels[i]);
            printf("%ld %ld\\n", (long)F_BIASES[0], (long)F_BIASES[1]);
            return 0;
        }"""
    assert run_c(tmp_path, program) == [*labels, "-2147483648 2147483647"]
    assert parse_header(weight_header(network)).labels == labels


# ---- text


def macros() -> dict[str, str]:
    return dict(re.findall(r"^#define (\w+) (.+)$", HEADER, re.MULTILINE))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NETWORK_DIGEST", f'"{NETWORK.digest}"'),
        ("INPUT_TIME", "30"), ("INPUT_COEFFICIENT", "10"), ("INPUT_MIN", "(-32)"),
        ("INPUT_MAX", "31"), ("LABEL_COUNT", "4"), ("LABEL_2", '"yes"'),
        ("NODE_COUNT", "8"), ("NODE_7", '"fc1"'),
        ("CONV_1_KIND", '"convolution"'), ("CONV_1_INPUT", '"fingerprint"'),
        ("CONV_1_PADDING", '"VALID"'), ("CONV_1_STRIDE_TIME", "2"), ("CONV_1_PAD_TIME_BEFORE", "0"),
        ("CONV_1_OUTPUT_TIME", "14"), ("CONV_1_OUTPUT_COEFFICIENT", "4"),
        ("CONV_1_OUTPUT_CHANNEL", "48"), ("CONV_1_WEIGHTS_KERNEL_TIME", "4"),
        ("CONV_1_RELU_SHIFT", "3"), ("DW_CONV_PAD_TIME_BEFORE", "1"),
        ("DW_CONV_PAD_COEFFICIENT_AFTER", "1"), ("DW_CONV_RELU_SHIFT", "4"),
        ("PW_CONV_RELU_SHIFT", "8"), ("FC1_OUTPUT_CHANNEL", "4"), ("FC1_WEIGHTS_IN", "16"),
        ("FEATURE_STRIDE_MS", "33.0"), ("FEATURE_COEFFICIENTS", "10"),
    ],
)  # fmt: skip
def test_macros_of_the_default_network(name: str, value: str) -> None:
    assert macros()[name] == value


def test_every_16_numbers_of_conv_1_are_one_filter_row_by_row() -> None:
    body = HEADER.partition("CONV_1_WEIGHTS[48][4][4][1] = ")[2].partition("};")[0]
    numbers = [int(text) for text in re.findall(r"-?\d+", re.sub(r"/\*.*?\*/", "", body))]
    filters = NETWORK.node("conv_1").weights[..., 0]
    for index in range(48):
        expected = [int(filters[index, row, column]) for row in range(4) for column in range(4)]
        assert numbers[16 * index : 16 * index + 16] == expected


def test_declarations_are_of_the_promised_types() -> None:
    declarations = re.findall(r"static const (\w+) (\w+)((?:\[\d+\])+)", HEADER)
    assert declarations == [
        ("int8_t", "CONV_1_WEIGHTS", "[48][4][4][1]"),
        ("int8_t", "DW_CONV_WEIGHTS", "[48][3][3][1]"),
        ("int8_t", "PW_CONV_WEIGHTS", "[16][1][1][48]"),
        ("int8_t", "FC1_WEIGHTS", "[4][16]"),
        ("int32_t", "FC1_BIASES", "[4]"),
    ]


# ---- and back


@settings(max_examples=60)
@given(networks())
def test_network_to_header_to_network_to_header_is_the_identity(network: IntegerNetwork) -> None:
    header = weight_header(network)
    parsed = parse_header(header)
    assert parsed.digest == network.digest
    assert parsed.to_bytes() == network.to_bytes()
    assert weight_header(parsed) == header


def test_comments_and_spacing_may_change() -> None:
    changed = re.sub(r"/\*.*?\*/", "/* another */", HEADER, flags=re.DOTALL).replace(", ", " ,\n\t")
    changed = changed.replace("LABEL_0 ,\n\tLABEL_1 ,\n\tLABEL_2 ,\n\t", "LABEL_0,LABEL_1,LABEL_2,")
    changed = changed.replace("#define ", "  #  define  ").replace("\n", "  // more\n")
    assert changed != HEADER
    assert parse_header(changed).digest == NETWORK.digest


def test_a_header_is_read_from_a_file_with_any_line_ends(tmp_path: Path) -> None:
    (tmp_path / "weight.h").write_bytes(HEADER.replace("\n", "\r\n").encode())
    assert read_header(tmp_path / "weight.h").digest == NETWORK.digest


def test_an_edited_weight_is_refused_with_both_digests() -> None:
    start = HEADER.index("DW_CONV_WEIGHTS[48]")
    place = HEADER.index("{{{", start) + 3
    old = HEADER[place : HEADER.index("}", place)]
    new = f"{int(old) ^ 1:{len(old)}d}"
    edited = HEADER[:place] + new + HEADER[place + len(old) :]
    weights = NETWORK.node("dw_conv").weights.copy()
    weights[0, 0, 0, 0] ^= 1
    nodes = tuple(
        DepthwiseConvolution("dw_conv", node.input, weights) if node.name == "dw_conv" else node
        for node in NETWORK.nodes
    )
    other = IntegerNetwork(nodes, NETWORK.labels, NETWORK.input_shape, NETWORK.features)
    with pytest.raises(ValueError) as caught:
        parse_header(edited)
    assert str(caught.value) == (
        f"weight.h: digest does not match, declared {NETWORK.digest}, content has {other.digest}"
    )


def line_of(text: str) -> int:
    return HEADER[: HEADER.index(text)].count("\n") + 1


DIGEST_LINE = f'#define NETWORK_DIGEST "{NETWORK.digest}"'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (DIGEST_LINE, f'#define NETWORK_DIGEST "{"0" * 64}"',
         f"weight.h: digest does not match, declared {'0' * 64}, content has {NETWORK.digest}"),
        (DIGEST_LINE, "", "weight.h: expected a macro NETWORK_DIGEST, found none"),
        (DIGEST_LINE, "#define NETWORK_DIGEST 5",
         "weight.h line {}: expected a string in NETWORK_DIGEST, got 5"),
        ("#define CONV_1_RELU_SHIFT 3", "#define CONV_1_RELU_SHIFT 4",
         "weight.h: digest does not match, declared"),
        ("#define CONV_1_RELU_SHIFT 3", "#define CONV_1_RELU_SHIFT three",
         "weight.h line {}: expected a number in CONV_1_RELU_SHIFT, got three"),
        ("#define CONV_1_RELU_SHIFT 3", "#define CONV_1_RELU_SHIFT",
         "weight.h line {}: expected a number in CONV_1_RELU_SHIFT, got "),
        ("#define CONV_1_RELU_SHIFT 3", "#define CONV_1_RELU_SHIFT 99",
         "weight.h: conv_1_relu.shift: expected an integer in 0..31, got 99"),
        ("#define CONV_1_RELU_SHIFT 3", "#define CONV_1_RELU_SHIFT 03",
         "weight.h line {}: expected '# define CONV_1_RELU_SHIFT 3', "
         "got '# define CONV_1_RELU_SHIFT 03'"),
        ("#define CONV_1_RELU_SHIFT 3", "#define CONV_1_RELU_SHIFT 3 + 1",
         "weight.h line {}: expected '# define CONV_1_RELU_SHIFT 3', "
         "got '# define CONV_1_RELU_SHIFT 3 + 1'"),
        ("#define CONV_1_RELU_SHIFT 3", "#define CONV_1_RELU_SHIFT 3\n#undef LABEL_COUNT",
         "weight.h line {}+1: expected '# define CONV_1_RELU_OUTPUT_TIME 14', "
         "got '# undef LABEL_COUNT'"),
        ("#define CONV_1_OUTPUT_TIME 14", "#define CONV_1_OUTPUT_TIME 15",
         "weight.h line {}: expected '# define CONV_1_OUTPUT_TIME 14', "
         "got '# define CONV_1_OUTPUT_TIME 15'"),
        ("#define CONV_1_OUTPUT_TIME 14\n", "",
         "weight.h line {}: expected '# define CONV_1_OUTPUT_TIME 14', "
         "got '# define CONV_1_OUTPUT_COEFFICIENT 4'"),
        ("#define DW_CONV_PAD_TIME_BEFORE 1", "#define DW_CONV_PAD_TIME_BEFORE 0",
         "weight.h line {}: expected '# define DW_CONV_PAD_TIME_BEFORE 1', "
         "got '# define DW_CONV_PAD_TIME_BEFORE 0'"),
        ("#define LABEL_COUNT 4", "#define LABEL_COUNT 999999999",
         "weight.h: expected a macro LABEL_4, found none"),
        ("#define LABEL_COUNT 4", "#define LABEL_COUNT 3",
         "weight.h: labels: expected one for each of the outputs (4,) of fc1, got 3"),
        ('#define LABEL_2 "yes"', r'#define LABEL_2 "y\x65s"',
         "weight.h line {}: expected a string in LABEL_2, got"),
        ('#define LABEL_2 "yes"', r'#define LABEL_2 "y\145s"',
         "weight.h line {}: expected '# define LABEL_2 \"yes\"', got"),
        ('#define LABEL_2 "yes"', r'#define LABEL_2 "\377"',
         "weight.h line {}: expected a string in LABEL_2, got"),
        ('#define CONV_1_KIND "convolution"', '#define CONV_1_KIND "dense"',
         f"weight.h line {{}}: expected one of {sorted(NODE_KINDS)} in CONV_1_KIND, got \"dense\""),
        ("#define FEATURE_WINDOW_MS 40.0", "#define FEATURE_WINDOW_MS 40.0f",
         "weight.h line {}: expected a number in FEATURE_WINDOW_MS, got 40.0f"),
        ("#define FEATURE_WINDOW_MS 40.0", "#define FEATURE_WINDOW_MS inf",
         "weight.h: features.window_ms: expected a finite number, got inf"),
        ("#define FEATURE_WINDOW_MS 40.0", "#define FEATURE_WINDOW_MS 40",
         "weight.h line {}: expected '# define FEATURE_WINDOW_MS 40.0', got"),
        ("static const int8_t CONV_1_WEIGHTS[48]", "static const int8_t CONV_1_OTHER[48]",
         "weight.h: expected an array CONV_1_WEIGHTS, found none"),
        ("static const int8_t CONV_1_WEIGHTS[48]", "static int8_t CONV_1_WEIGHTS[48]",
         "weight.h line {}: expected"),
        ("static const int8_t CONV_1_WEIGHTS[48]", "static const int8_t CONV_1_WEIGHTS[47]",
         "weight.h line {}+235: expected '}}', got ','"),
        ("static const int8_t CONV_1_WEIGHTS[48]", "static const int8_t CONV_1_WEIGHTS[49]",
         "weight.h line {}+241: expected ',', got '}}'"),
        ("static const int8_t CONV_1_WEIGHTS[48]", "static const int8_t CONV_1_WEIGHTS[0]",
         "weight.h line {}: expected 1 to 4 sizes of CONV_1_WEIGHTS above 0, got [0, 4, 4, 1]"),
        ("static const int8_t CONV_1_WEIGHTS[48]", "static const int8_t CONV_1_WEIGHTS[1][48]",
         "weight.h line {}: expected 1 to 4 sizes of CONV_1_WEIGHTS above 0, got [1, 48, 4, 4, 1]"),
        ("static const int8_t CONV_1_WEIGHTS[48]", "static const int8_t CONV_1_WEIGHTS[n]",
         "weight.h line {}: expected an integer, got 'n'"),
        ("#ifndef WEIGHT_H\n", "#ifdef WEIGHT_H\n",
         "weight.h line {}: expected '# ifndef WEIGHT_H', got '# ifdef WEIGHT_H'"),
        ("#endif /* WEIGHT_H */", "#endif\nint spare;",
         "weight.h line {}+1: expected the end of the file, got 'int spare ;'"),
        ("#endif /* WEIGHT_H */\n", "",
         "weight.h line {}-2: expected '# endif', got the end of the file"),
    ],
)  # fmt: skip
def test_an_edited_header_is_refused(old: str, new: str, message: str) -> None:
    assert HEADER.count(old) == 1
    line = line_of(old)
    message = re.sub(r"\{\}([+-]\d+)?", lambda m: str(line + int(m[1] or 0)), message, count=1)
    with pytest.raises(ValueError) as caught:
        parse_header(HEADER.replace(old, new))
    assert str(caught.value).startswith(message.replace("}}", "}"))


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("010", "expected an integer, got '010'"),
        ("1.0", "expected an integer, got '1.0'"),
        ("0x1", "expected an integer, got '0x1'"),
        ("- 1", "expected an integer, got '-'"),
        ("", "expected an integer, got '}'"),
        ("1, 2", "expected '}', got ','"),
        ("{1}", "expected an integer, got '{'"),
        ("128", "expected an integer in -128..127, got 128"),
        ("9" * 5000, "expected an integer, got '999"),
        ("40", "conv_1.weights: expected integers in -32..31, got 40 at (0, 0, 0, 0)"),
    ],
)
def test_a_wrong_number_is_refused_with_its_line(number: str, message: str) -> None:
    declaration = "CONV_1_WEIGHTS[48][4][4][1] = {"
    place = HEADER.index("{{{", HEADER.index(declaration)) + 3
    edited = HEADER[:place] + number + HEADER[HEADER.index("}", place) :]
    where = "weight.h" if number == "40" else f"weight.h line {line_of(declaration) + 2}"
    with pytest.raises(ValueError) as caught:
        parse_header(edited)
    assert str(caught.value).startswith(f"{where}: {message}")


def test_a_header_cut_off_anywhere_is_refused() -> None:
    for length in range(0, len(HEADER.rstrip()), 499):
        with pytest.raises(ValueError, match=r"^weight\.h"):
            parse_header(HEADER[:length])


def test_an_array_cut_off_names_the_end() -> None:
    cut = HEADER.index("FC1_BIASES[4] = ") + len("FC1_BIASES[4] = ")
    with pytest.raises(ValueError, match=r"line \d+: expected '\{', got the end of the file$"):
        parse_header(HEADER[:cut])


def test_text_that_is_no_header_is_refused_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "other.h").write_text("int x;\n")
    with pytest.raises(ValueError, match=r"/other\.h: expected a macro NETWORK_DIGEST"):
        read_header(tmp_path / "other.h")


def test_no_macro_comes_twice_whatever_the_names_of_the_nodes() -> None:
    names = (
        "a",
        "a_output",
        "a_weights",
        "a_input",
        "input",
        "label",
        "node",
        "feature",
        "weight_h",
    )
    nodes = [Convolution("int8", "fingerprint", np.ones((1, 3, 3, 1), np.int8))]
    for name in names:
        nodes.append(
            Convolution(name, nodes[-1].name, np.ones((1, 2, 1, 1), np.int8), (1, 1), "SAME")
        )
        nodes.append(ShiftRelu(f"{name}_stride", name, 1))
    nodes.append(
        FullyConnected("node_0", nodes[-1].name, np.ones((1, 224), np.int8), np.zeros(1, np.int32))
    )
    network = IntegerNetwork(tuple(nodes), ("yes",), (30, 10), FeatureSettings())
    header = weight_header(network)
    defined = re.findall(r"^#define (\w+) ", header, re.MULTILINE)
    defined += re.findall(r"_t (\w+)\[", header)
    assert len(set(defined)) == len(defined)
    assert parse_header(header).digest == network.digest
