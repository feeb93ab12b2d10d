"""Rung 3 of the verification ladder: compiles the generated C of a network and runs inputs through.

It is the build of a microcontroller, one input at a time, with every layer kept, under the
sanitisers of the compiler.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden import files, reference
from golden.c.source import logit_bits, network_header, network_source, value_bits
from golden.c.tools import run_tool
from golden.network import INPUT_NAME, IntegerNetwork
from golden.reference import Integers

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
# An overflow or a wild pointer would end the program, and nothing else would show it.
SANITIZE = ("-fsanitize=undefined,address", "-fno-sanitize-recover=all")
LABEL = "label "  # of a record; no node ends in a blank
_MAIN = """\
/* Reads inputs; writes with KWS_TAP each layer but the last of each, the logits, the label. */
#include <stdio.h>

#include "network.h"

int main(void) {
    static int8_t features[KWS_INPUT_COUNT];
    static kws_logit_t logits[KWS_LABEL_COUNT];
    while (fread(features, 1, sizeof features, stdin) == sizeof features) {
        const kws_logit_t label = kws_infer(features, logits);
#ifdef KWS_TAP
        for (int node = 0; node + 1 < KWS_NODE_COUNT; ++node) /* the last gives the logits */
            fwrite(kws_taps[node].values, sizeof(kws_value_t), kws_taps[node].count, stdout);
#endif
        fwrite(logits, sizeof *logits, KWS_LABEL_COUNT, stdout);
        fwrite(&label, sizeof label, 1, stdout);
    }
    return 0;
}
"""


def run_c(
    network: IntegerNetwork,
    fingerprints: npt.NDArray[np.int8],
    compiler: str = "cc",
    flags: Sequence[str] = ("-O1", *SANITIZE),
    *,
    keeps_layers: bool = True,
    under: Sequence[str] = (),
) -> dict[str, Integers]:
    """Return every layer of `fingerprints` `(N, *network.input_shape)` as compiled C computes it.

    Layers are int64 `(N, *shape)`, the centred fingerprints first, as `golden.reference.run` gives
    them; then `label`, the index of the largest logit, `(N,)`. Without `keeps_layers`, only logits
    and label follow the fingerprints. `under` is a command that runs the program, such as valgrind.

    Raises FileNotFoundError without a C compiler, ValueError if the program does not compile or
    ends early.
    """
    if shutil.which(compiler) is None:
        raise FileNotFoundError(f"{compiler}: not found, install gcc and libc6-dev, or clang")
    reference.check_fingerprints(network, fingerprints)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        files.write_text(folder / "network.h", network_header(network))
        files.write_text(folder / "network.c", network_source(network))
        files.write_text(folder / "main.c", _MAIN)
        sources = ["network.c", "main.c", "-o", "network"]
        kept = ["-DKWS_TAP"] if keeps_layers else []
        run_tool([compiler, *STRICT, *flags, *kept, *sources], folder)
        inputs = fingerprints.astype(np.int8).tobytes()
        written = run_tool([*under, "./network"], folder, inputs)
    fields = layer_fields(network) if keeps_layers else layer_fields(network)[-1:]
    table = np.frombuffer(written, np.dtype([*fields, (LABEL, fields[-1][1])]))
    return layers_of(network, fingerprints, table)


def layer_fields(network: IntegerNetwork) -> list[tuple[str, np.dtype[Any], tuple[int, ...]]]:
    """Return name, type and shape of each layer of one input as programs write them.

    The last layer is written as the logits are.
    """
    value = np.dtype(f"i{value_bits(network) // 8}")
    logit = np.dtype(f"i{logit_bits(network) // 8}")
    return [
        (node.name, logit if node.name == network.output_name else value, network.shapes[node.name])
        for node in network.nodes
    ]


def layers_of(
    network: IntegerNetwork, fingerprints: npt.NDArray[np.int8], table: npt.NDArray[Any]
) -> dict[str, Integers]:
    """Return the layers of a table of records, and the label, as `run_c` does."""
    layers = {INPUT_NAME: fingerprints.astype(np.int64) - network.input_format.zero_point}
    names = [node.name for node in network.nodes if node.name in table.dtype.names]
    layers |= {name: table[name].astype(np.int64) for name in names}
    return {**layers, "label": table[LABEL].astype(np.int64)}
