"""`weight.h`: it compiles, C sees the network's integers, and the way back is exact or refused."""

from __future__ import annotations

import dataclasses
import itertools
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from golden.axes import array_axes, named_arrays
from golden.c.header import weight_header
from golden.c.header_reader import parse_header, read_header
from golden.network import INPUT_NAME, FeatureSettings, InputFormat, IntegerNetwork
from golden.nodes import (
    NODE_KINDS,
    Add,
    AveragePool,
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    GlobalMaxPool,
    GlobalSumPool,
    MaxPool,
    Pad,
    Requantise,
    Reshape,
    ShiftRelu,
)
from tests.graphs import graphs, random_graph
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


@settings(max_examples=200)
@given(networks() | graphs())
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


# ---- every graph


def graph_of_every_kind() -> IntegerNetwork:
    """A graph with a node of each kind and a number in every field, none of them a default."""
    rng = np.random.default_rng(1)

    def weights(*shape: int) -> np.ndarray:
        return rng.integers(-128, 128, shape)

    nodes = (
        Convolution("conv", INPUT_NAME, weights(3, 2, 1, 2), (1, 2), "SAME", np.array([7, 8, -9]),
                    (2, 3), 8),
        Requantise("q", "conv", np.array([2**30, 0, 2**31 - 1]), np.array([-7, 0, -9]), "twice",
                   -5, -128, 127, 2),
        DepthwiseConvolution("dw", "q", weights(6, 1, 1, 1) // 64, weight_bits=2),
        GlobalSumPool("sum", "dw"),
        Pad("wider", "q", ((0, 0), (1, 2), (0, 3))),
        ShiftRelu("relu", "wider", 1),
        Add("both", ("relu", "wider", "relu")),
        MaxPool("most", "both", (2, 1), (2, 3), "VALID"),
        AveragePool("mean", "most", (1, 2), (1, 1), "SAME", -5),
        GlobalMaxPool("top", "mean"),
        Add("all", ("sum", "top")),
        Reshape("flat", "all", (2, 3)),
        FullyConnected("fc", "flat", weights(2, 6), weight_bits=8),
    )  # fmt: skip
    form = InputFormat(-128, 127, -1, 0.1)
    return IntegerNetwork(nodes, ("yes", "no"), (4, 5, 2), None, form, "litert")


GRAPH = graph_of_every_kind()
GRAPH_HEADER = weight_header(GRAPH)


@pytest.mark.parametrize(
    "lines",
    [
        ("ROUNDING_RULE \"litert\"",),
        ("INPUT_TIME 4", "INPUT_COEFFICIENT 5", "INPUT_CHANNEL 2", "INPUT_AXIS_COUNT 3",
         "INPUT_MIN (-128)", "INPUT_MAX 127", "INPUT_ZERO (-1)", "INPUT_SCALE 0.1"),
        ("CONV_KIND \"convolution\"", "CONV_INPUT \"fingerprint\"", "CONV_PADDING \"SAME\"",
         "CONV_WEIGHT_BITS 8", "CONV_STRIDE_TIME 1", "CONV_DILATION_TIME 2",
         "CONV_PAD_TIME_BEFORE 1", "CONV_PAD_TIME_AFTER 1", "CONV_STRIDE_COEFFICIENT 2",
         "CONV_DILATION_COEFFICIENT 3", "CONV_PAD_COEFFICIENT_BEFORE 0",
         "CONV_PAD_COEFFICIENT_AFTER 0", "CONV_OUTPUT_TIME 4", "CONV_OUTPUT_COEFFICIENT 3",
         "CONV_OUTPUT_CHANNEL 3", "CONV_WEIGHTS_OUT 3", "CONV_WEIGHTS_KERNEL_TIME 2",
         "CONV_WEIGHTS_KERNEL_COEFFICIENT 1", "CONV_WEIGHTS_IN 2", "CONV_BIASES_OUT 3"),
        ("Q_KIND \"requantisation\"", "Q_INPUT \"conv\"", "Q_ROUNDING \"twice\"",
         "Q_ZERO_POINT (-5)", "Q_LOW (-128)", "Q_HIGH 127", "Q_SHIFT_LEFT 2", "Q_OUTPUT_TIME 4",
         "Q_OUTPUT_COEFFICIENT 3", "Q_OUTPUT_CHANNEL 3", "Q_MULTIPLIERS_OUT 3",
         "Q_EXPONENTS_OUT 3"),
        ("WIDER_KIND \"padding\"", "WIDER_INPUT \"q\"", "WIDER_PAD_TIME_BEFORE 0",
         "WIDER_PAD_TIME_AFTER 0", "WIDER_PAD_COEFFICIENT_BEFORE 1",
         "WIDER_PAD_COEFFICIENT_AFTER 2", "WIDER_PAD_CHANNEL_BEFORE 0",
         "WIDER_PAD_CHANNEL_AFTER 3", "WIDER_OUTPUT_TIME 4"),
        ("BOTH_KIND \"addition\"", "BOTH_INPUT_0 \"relu\"", "BOTH_INPUT_1 \"wider\"",
         "BOTH_INPUT_2 \"relu\"", "BOTH_OUTPUT_TIME 4"),
        ("MEAN_KIND \"average pool\"", "MEAN_INPUT \"most\"", "MEAN_PADDING \"SAME\"",
         "MEAN_ZERO_POINT (-5)", "MEAN_WINDOW_TIME 1", "MEAN_STRIDE_TIME 1",
         "MEAN_PAD_TIME_BEFORE 0", "MEAN_PAD_TIME_AFTER 0", "MEAN_WINDOW_COEFFICIENT 2"),
        ("FLAT_KIND \"reshaping\"", "FLAT_INPUT \"all\"", "FLAT_OUTPUT_TIME 2",
         "FLAT_OUTPUT_COEFFICIENT 3"),
    ],
)  # fmt: skip
def test_macros_of_a_graph(lines: tuple[str, ...]) -> None:
    assert "\n".join(f"#define {line}" for line in lines) + "\n" in GRAPH_HEADER


def test_comments_name_every_source_and_arrays_their_types() -> None:
    assert (
        "/* both: addition of relu [4][6][6], wider [4][6][6], relu [4][6][6] -> " in GRAPH_HEADER
    )
    assert (
        "static const int32_t Q_MULTIPLIERS[3] = {1073741824,          0, 2147483647};"
        in GRAPH_HEADER
    )
    assert "static const int8_t Q_EXPONENTS[3] = {-7,  0, -9};" in GRAPH_HEADER
    assert "static const int32_t CONV_BIASES[3] = { 7,  8, -9};" in GRAPH_HEADER
    assert "FC_BIASES" not in GRAPH_HEADER


def test_the_banner_explains_what_the_network_has() -> None:
    for sentence in (
        "Requantisation: q = ",
        "Values are centred: ",
        "reads channel o / m",
        "Pools ",
    ):
        assert sentence in GRAPH_HEADER
        assert sentence not in HEADER


def test_every_kind_and_every_field_comes_back() -> None:
    assert {node.kind for node in GRAPH.nodes} == set(NODE_KINDS)
    parsed = parse_header(GRAPH_HEADER)
    assert parsed.to_bytes() == GRAPH.to_bytes()
    assert parsed.input_format == GRAPH.input_format
    assert (parsed.features, parsed.rounding, parsed.input_shape) == (None, "litert", (4, 5, 2))


@pytest.mark.parametrize("shape", [(6,), (6, 1), (1, 6), (6, 1, 1), (1, 1, 6)])
def test_inputs_of_the_same_size_and_other_axes_stay_apart(shape: tuple[int, ...]) -> None:
    nodes = (FullyConnected("fc", INPUT_NAME, np.ones((1, 6), np.int8)),)
    network = IntegerNetwork(nodes, ("yes",), shape, None)
    assert parse_header(weight_header(network)).digest == network.digest


@pytest.mark.parametrize("scale", [1.0, 1e-05, 3e22, 0.1 + 0.2, 5e-324, 1.7976931348623157e308])
def test_c_and_python_read_the_same_scale(
    scale: float, tmp_path: Path, require_tool: Callable[[str], None]
) -> None:
    require_tool("cc")
    network = dataclasses.replace(GRAPH, input_format=InputFormat(scale=scale))
    header = weight_header(network)
    assert parse_header(header).input_format.scale == scale
    (tmp_path / "weight.h").write_text(header)
    printing = 'printf("%.17g %d\\n", INPUT_SCALE, 1 -Q_ZERO_POINT);'
    program = '#include <stdio.h>\n#include "weight.h"\nint main(void) { %s return 0; }\n'
    number, six = run_c(tmp_path, program % printing)[0].split()
    assert (float(number), six) == (scale, "6")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('ROUNDING_RULE "litert"', 'ROUNDING_RULE "lite"',
         ": rounding: expected one of tflm, litert, single, got 'lite'"),
        ("INPUT_SCALE 0.1", "INPUT_SCALE 0.1f", " line {}: expected a number in INPUT_SCALE, got"),
        ("INPUT_SCALE 0.1", "INPUT_SCALE 0.10",
         " line {}: expected '# define INPUT_SCALE 0.1', got '# define INPUT_SCALE 0.10'"),
        ("INPUT_SCALE 0.1", "INPUT_SCALE 0.2", ": digest does not match"),
        ("INPUT_ZERO (-1)", "INPUT_ZERO -1",
         " line {}: expected '# define INPUT_ZERO ( -1 )', got '# define INPUT_ZERO -1'"),
        ("INPUT_ZERO (-1)", "INPUT_ZERO (", " line {}: expected a number in INPUT_ZERO, got "),
        ("INPUT_MIN (-128)", "INPUT_MIN (-129)", ": input_format: expected -128 <= low < high"),
        ("INPUT_AXIS_COUNT 3", "INPUT_AXIS_COUNT 1",
         " line {}: expected '# define INPUT_AXIS_COUNT 3', got '# define INPUT_AXIS_COUNT 1'"),
        ("#define INPUT_AXIS_COUNT 3\n", "", ": conv.weights: expected 1 input channels, got 2"),
        ("CONV_WEIGHT_BITS 8", "CONV_WEIGHT_BITS 9",
         ": conv.weight_bits: expected an integer in 2..8, got 9"),
        ("#define CONV_WEIGHT_BITS 8\n", "",
         ": conv.weights: expected integers in -32..31, got"),
        ("CONV_DILATION_TIME 2", "CONV_DILATION_TIME two",
         " line {}: expected a number in CONV_DILATION_TIME, got two"),
        ("#define CONV_DILATION_COEFFICIENT 3\n", "",
         ": conv.dilation: expected two integers above 0, got (2,)"),
        ('Q_ROUNDING "twice"', "Q_ROUNDING twice",
         " line {}: expected a string in Q_ROUNDING, got twice"),
        ('Q_ROUNDING "twice"', 'Q_ROUNDING "thrice"',
         ": q.rounding: expected one of twice, once, away, got 'thrice'"),
        ('Q_ROUNDING "twice"', 'Q_ROUNDING "once"', ": digest does not match"),
        ("int8_t Q_EXPONENTS[3]", "int8_t Q_OTHERS[3]",
         ": expected an array Q_EXPONENTS, found none"),
        ("int8_t Q_EXPONENTS[3] = {-7,  0, -9}", "int8_t Q_EXPONENTS[2] = {-7, 0}",
         ": q.exponents: expected 3, one a multiplier, got 2"),
        ("int8_t Q_EXPONENTS[3]", "int32_t Q_EXPONENTS[3]",
         " line {}: expected 'WEIGHT_H_UNUSED static const int8_t Q_EXPONENTS"),
        ("WIDER_PAD_CHANNEL_AFTER 3", "WIDER_PAD_CHANNEL_AFTER (-3)",
         ": wider.amounts: expected pairs of integers of 0 or more, got"),
        ("#define WIDER_PAD_CHANNEL_BEFORE 0\n", "",
         ": wider: expected an input of 2 axes, got shape (4, 3, 3)"),
        ('#define BOTH_INPUT_1 "wider"\n', "", ": both.inputs: expected two or more, got"),
        ('#define BOTH_INPUT_2 "relu"\n', "", ": digest does not match"),
        ('BOTH_INPUT_1 "wider"', 'BOTH_INPUT_1 "q"',
         ": both: expected inputs of one shape, got"),
        ("MOST_WINDOW_TIME 2", "MOST_WINDOW_TIME 9",
         ": most: expected a window within (4, 6, 6), kernel is 9"),
        ("FLAT_OUTPUT_TIME 2", "FLAT_OUTPUT_TIME 3",
         ": flat.shape: expected 6 elements as in (1, 1, 6), got (3, 3)"),
        ("#define FLAT_OUTPUT_TIME 2\n#define FLAT_OUTPUT_COEFFICIENT 3\n", "",
         ": flat.shape: expected one to three integers above 0, got ()"),
    ],
)  # fmt: skip
def test_an_edited_header_of_a_graph_is_refused(old: str, new: str, message: str) -> None:
    assert GRAPH_HEADER.count(old) == 1
    line = GRAPH_HEADER[: GRAPH_HEADER.index(old)].count("\n") + 1
    with pytest.raises(ValueError) as caught:
        parse_header(GRAPH_HEADER.replace(old, new), "g.h")
    assert str(caught.value).startswith(f"g.h{message}".replace("{}", str(line)))


def test_a_graph_cut_off_anywhere_is_refused() -> None:
    for length in range(0, len(GRAPH_HEADER.rstrip()), 199):
        with pytest.raises(ValueError, match=r"^weight\.h"):
            parse_header(GRAPH_HEADER[:length])


def test_no_macro_ends_in_another_ones_ending() -> None:
    """Then nodes `a` and `a_b` cannot define the same name, whatever their kinds."""
    general = set(re.findall(r"^#define (\w+)", HEADER + GRAPH_HEADER, re.MULTILINE))
    endings: set[str] = set()
    prefixes = {f"{node.name.upper()}_" for node in (*GRAPH.nodes, *NETWORK.nodes)}
    for prefix in sorted(prefixes, key=len, reverse=True):
        own = {name for name in general if name.startswith(prefix)}
        general -= own
        endings |= {name.removeprefix(prefix) for name in own}
    everything = itertools.product(endings, endings | general)
    clashes = [(ending, name) for ending, name in everything if name.endswith(f"_{ending}")]
    assert clashes == []


def test_headers_of_graphs_compile_by_themselves(
    tmp_path: Path, require_tool: Callable[[str], None]
) -> None:
    require_tool("cc")
    for seed in range(5):
        (tmp_path / "weight.h").write_text(weight_header(random_graph(seed)))
        cc(tmp_path, "-fsyntax-only", "weight.h")
