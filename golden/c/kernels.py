"""The C99 functions that `network.c` is made of: templates in `kernels.c.in` and `scalars.h`.

A kernel is asked for by its name, `convolution_u8_s16`; what it calls comes with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from string import Template

from golden import files
from golden.c.steps import GROUPS

LANES_HEADER = Path(__file__).with_name("lanes.h")
_SCALARS = Path(__file__).with_name("scalars.h")
_KERNELS = Path(__file__).with_name("kernels.c.in")
_NAME = re.compile(r"([\w$]+)\(")


def c_type(kind: str) -> str:
    """Return the C type of what is stored as `kind`: u8, s16, s32 or s64."""
    return f"{'u' if kind.startswith('u') else ''}int{kind[1:]}_t"


def scalar_types() -> str:
    """Return the type definitions of a build for one clip."""
    return "\n".join(block for block in _blocks(_SCALARS) if block.startswith("typedef"))


@dataclass(frozen=True)
class Functions:
    """Texts: functions of a build for one clip alone, of every build, and of those with KWS_TAP."""

    scalars: str
    kernels: str
    taps: str


def functions(called: Iterable[str], roundings: Iterable[str]) -> Functions:
    """Return the functions `called`, each behind what it calls; other names are passed over.

    `roundings` are the rules of requantisations.
    """
    scalars, kernels = _scalars(), _kernels(tuple(sorted(roundings)))
    needed: set[str] = set()
    waiting = list(called)
    while waiting:
        name = waiting.pop()
        if name not in needed and (name in scalars or name in kernels):
            needed.add(name)
            waiting += re.findall(r"\w+", kernels.get(name) or scalars[name])
    taps = {name for name in needed if name.startswith("tap_")}
    return Functions(
        _in_order(scalars, needed), _in_order(kernels, needed - taps), _in_order(kernels, taps)
    )


def add_name(inputs: Iterable[str], output: str, wide: str) -> str:
    """Return the name of the kernel that adds layers stored as `inputs`."""
    return f"add_{'_'.join(inputs)}_to_{output}{wide}"


def add_kernel(inputs: tuple[str, ...], output: str, wide: str) -> str:
    """Return the kernel that adds layers stored as `inputs`."""
    parameters = ", ".join(f"const {c_type(kind)} *in_{i}" for i, kind in enumerate(inputs))
    terms = (
        f"v[i] += term_{kind}{wide}(in_{i}, terms + {i}, pixel, l->from.channel, channel);"
        for i, kind in enumerate(inputs)
    )
    (template,) = (block for block in _blocks(_KERNELS) if "$terms" in block)
    values = {
        "name": add_name(inputs, output, wide),
        "inputs": parameters,
        "terms": f"\n{' ' * 16}".join(terms),
        **_substitutions(inputs[0], output, wide, ()),
    }
    return Template(template).substitute(values)


@cache
def _scalars() -> Mapping[str, str]:
    blocks = (block for block in _blocks(_SCALARS) if not block.startswith("typedef"))
    return {_name(block): block for block in blocks}


@cache
def _kernels(roundings: tuple[str, ...]) -> Mapping[str, str]:
    """Return every instance of every template, by name."""
    found = {}
    for block in _blocks(_KERNELS):
        if "$terms" in block or "(" not in block:
            continue
        for source, output, wide in product(GROUPS, GROUPS, ("", "_wide")):
            text = Template(block).substitute(_substitutions(source, output, wide, roundings))
            found[_name(text)] = text
    return found


def _substitutions(
    source: str, output: str, wide: str, roundings: tuple[str, ...]
) -> dict[str, str]:
    loaded = f"load_{source}(group, channel % {GROUPS[source]})"
    if wide and source != "s64":
        loaded = f"widened({loaded})"
    store = f"store_{output}(stored + i * KWS_LANES, v + i);"
    if wide and output != "s64":
        copies = " ".join(f"n[{i}] = narrowed(v[i + {i}]);" for i in range(GROUPS[output]))
        store = f"acc_t n[{GROUPS[output]}];\n        {copies}\n        "
        store += f"store_{output}(stored + i * KWS_LANES, n);"
    return {
        "in": source,
        "out": output,
        "w": wide,
        "acc_t": "wide_t" if wide else "acc_t",
        "in_t": c_type(source),
        "out_t": c_type(output),
        "in_group": str(GROUPS[source]),
        "out_group": str(GROUPS[output]),
        "weight_t": "int8_t" if wide else f"weight_{source}_t",
        "single_t": "int8_t" if wide else "single_t",
        "bias_t": "int64_t" if wide else "int32_t",
        "loaded": loaded,
        "store": store,
        "cases": f"\n{' ' * 8}".join(map(_case, roundings)),
    }


def _case(rounding: str) -> str:
    if rounding.startswith("down"):
        return f"""case {rounding.upper()}:
            value = scaled_down(raised(value, e->shift), e, at);
            break;"""
    return f"""case {rounding.upper()}:
            value = raised(value, e->shift);
            value = scaled_{rounding}(value, e->multipliers[at], e->exponents[at]);
            break;"""


def _blocks(path: Path) -> Iterator[str]:
    """Yield what blank lines set apart, the comment at the head of the file left out."""
    yield from files.read_text(path).rstrip("\n").split("\n\n")[1:]


def _name(block: str) -> str:
    """Return the name of the function in a block."""
    code = re.sub(r"/\*.*?\*/", "", block, flags=re.DOTALL)
    match = _NAME.search(code)
    assert match is not None, block
    return match[1]


def _in_order(texts: Mapping[str, str], needed: set[str]) -> str:
    return "\n\n".join(text for name, text in texts.items() if name in needed)
