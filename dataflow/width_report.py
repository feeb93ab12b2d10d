"""The bit-width report as files: JSON for programs, CSV for a spreadsheet.

`report` returns this structure; the JSON file is its text.

    schema              1; a change of meaning of any key raises it
    network             digest (SHA-256, hexadecimal), labels
    input_range         [low, high]: the fingerprint values for which the bounds hold
    observed_clips      number of clips behind the observed values, or null
    magnitude_bound     the largest absolute value of a sum of any taps in any order
    layers              one object a weighted layer, in order:
      name, kind
      taps              multiplications for one output value
      multiplier        {input_bits, input_unsigned_bits, weight_bits, product_bits}
      adder             {accumulator_bits}: every partial sum in the order kh, kw, in fits
      register          {output_bits, output_unsigned_bits}: what the next layer reads
      signals           one object a signal, in the order in which data pass:
        name, role, unit
        signed_bits     two's-complement width that the bound needs
        unsigned_bits   width without a sign, or null where the bound is negative
        observed_bits   two's-complement width that the observed values need, or null
        bound           {low, high, channel_low, channel_high}; the last two one value a channel
        observed        the same, or null

All bits but those named unsigned are two's complement. Weights and biases are constants: what is
observed is what is bounded, data or not.
"""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

from dataflow.accumulation import tap_weights
from dataflow.bit_widths import LayerWidths, SignalWidth
from dataflow.ranges import ChannelRange, magnitude_bound
from golden.network import INPUT_MAX, INPUT_MIN, IntegerNetwork

SCHEMA = 1
_UNIT_COLUMNS = ("multiplier", "adder", "register")
CSV_COLUMNS = (
    "layer",
    "signal",
    "role",
    "observed_min",
    "observed_max",
    "observed_bits",
    "bound_min",
    "bound_max",
    *(f"{unit}_bits" for unit in _UNIT_COLUMNS),
    "unsigned_bits",
)


def report(
    network: IntegerNetwork, widths: tuple[LayerWidths, ...], observed_clips: int | None
) -> dict[str, Any]:
    """Return the whole report as JSON-ready values; the module's docstring lists the keys."""
    taps = {node.name: len(tap_weights(node)) for node in network.weighted_nodes}
    return {
        "schema": SCHEMA,
        "network": {"digest": network.digest, "labels": list(network.labels)},
        "input_range": [INPUT_MIN, INPUT_MAX],
        "observed_clips": observed_clips,
        "magnitude_bound": magnitude_bound(network),
        "layers": [_layer_entry(layer, taps[layer.name]) for layer in widths],
    }


def json_text(content: dict[str, Any]) -> str:
    """Return the report as JSON; arrays of numbers stay on one line."""
    text = json.dumps(content, indent=2)
    return re.sub(r"\[[\s\d,-]+\]", _on_one_line, text) + "\n"


def csv_text(widths: tuple[LayerWidths, ...]) -> str:
    """Return the report as CSV with a header line."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for layer in widths:
        for signal in layer.signals:
            writer.writerow((layer.name, signal.name, signal.role, *figures_of(signal)))
    return buffer.getvalue()


def figures_of(signal: SignalWidth) -> tuple[str, ...]:
    """Return the cells of a signal from `observed_min` on; what does not apply is empty."""
    seen = signal.observed
    cells = (
        None if seen is None else seen.minimum,
        None if seen is None else seen.maximum,
        signal.observed_bits,
        signal.bound.minimum,
        signal.bound.maximum,
        *(signal.signed_bits if unit == signal.unit else None for unit in _UNIT_COLUMNS),
        signal.unsigned_bits,
    )
    return tuple("" if cell is None else str(cell) for cell in cells)


def _on_one_line(array: re.Match[str]) -> str:
    return "[" + " ".join(array[0][1:-1].split()) + "]"


def _layer_entry(layer: LayerWidths, taps: int) -> dict[str, Any]:
    return {
        "name": layer.name,
        "kind": layer.kind,
        "taps": taps,
        "multiplier": {
            "input_bits": layer.input.signed_bits,
            "input_unsigned_bits": layer.input.unsigned_bits,
            "weight_bits": layer.weight.signed_bits,
            "product_bits": layer.product.signed_bits,
        },
        "adder": {"accumulator_bits": layer.partial_sum.signed_bits},
        "register": {
            "output_bits": layer.output.signed_bits,
            "output_unsigned_bits": layer.output.unsigned_bits,
        },
        "signals": [_signal_entry(signal) for signal in layer.signals],
    }


def _signal_entry(signal: SignalWidth) -> dict[str, Any]:
    return {
        "name": signal.name,
        "role": signal.role,
        "unit": signal.unit,
        "signed_bits": signal.signed_bits,
        "unsigned_bits": signal.unsigned_bits,
        "observed_bits": signal.observed_bits,
        "bound": _range_entry(signal.bound),
        "observed": None if signal.observed is None else _range_entry(signal.observed),
    }


def _range_entry(values: ChannelRange) -> dict[str, Any]:
    return {
        "low": values.minimum,
        "high": values.maximum,
        "channel_low": values.low.tolist(),
        "channel_high": values.high.tolist(),
    }
