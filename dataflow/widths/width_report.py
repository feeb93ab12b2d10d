"""The bit-width report: every range of every signal side by side, and as JSON.

The JSON file holds this structure.

    schema              2; a change of meaning of any key raises it
    network             digest (SHA-256, hexadecimal), labels
    input_range         [low, high]: the fingerprint values for which the bounds hold, as the first
                        layers see them: without the input's zero point
    widths_follow       `proven` or `interval`: which bounds the widths follow from
    proof_stopped_after seconds after which the proof was cut off; not there if it came to its end
    witnesses           number of inputs behind the values that are reached, or null without proof
    observed_clips      number of clips behind the observed values, or null
    assumed_input_range {low, high}, one value an MFCC coefficient, as observed, or null
    magnitude_bound     the largest absolute value of a sum of any taps in any order
    layers              one object a weighted layer, in order; before them one with name, kind
                        (`input`) and signals alone, where nodes work on the input before any layer:
      name, kind
      taps              multiplications for one output value
      multiplier        {input_bits, input_unsigned_bits, weight_bits, product_bits}
      adder             {accumulator_bits}: every partial sum in the order kh, kw, in fits
      register          {output_bits, output_unsigned_bits}: what the next layer reads
      signals           one object a signal, in the order in which data pass:
        name, role, unit
        signed_bits     two's-complement width that the bound needs
        unsigned_bits   width without a sign, or null where the bound is negative
        bound           what no input leaves, {low, high, channel_low, channel_high}; the last two
                        one value a channel
        interval        the same from interval arithmetic alone, and its `bits`
        observed        the same as observed, and its `bits`, or null
        assumed         the same as `interval`, on the assumption that every coefficient stays
                        within assumed_input_range, or null; no width follows from it
        proven          null without proof, else
          methods       how the bounds were found, each once
          exact         whether a witness attains the bound at both ends of every channel
          spare_bits, channel_spare_bits: bits of the bound minus bits of what is reached, of all
                        channels together and one by one
          certified     a bound that rests on integer arithmetic alone: as bound, and its `bits`
          reached       what witnesses reach: as bound, and its `bits`
          low_end, high_end: one value a channel of each of
            gap         distance between bound and reached value
            method      how the bound was found
            case        number of the witness, in witnesses.npz; -1 for constants
            position    window of the feature map, row by row
            tap         product or partial sum in the window, -1 for signals without taps
    accumulators        one object a weighted layer:
      layer
      worst_bits        hold every partial sum in the order kh, kw, in
      last_bits         hold the last sum, which is enough where partial sums may wrap
      best_bits, best_order: the order of taps found whose partial sums need fewest bits; without
                        proof it is the given one
      saving_channels   channels that would each need fewer bits for the last sum alone
    audit               published formulas (dataflow.widths.published_formulas), null without proof:
      layer, quantity, formula, title
      bits              what the formula gives
      needed_bits, sufficient_bits: for what is reached, and for the bound
      verdict, excess_bits
      overflow          null, or a reached value that does not fit: {signal, channel, end, value,
                        case}

All bits but those named unsigned are two's complement. Weights and biases are constants: what is
observed is what is bounded, data or not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy.typing as npt

from dataflow.proof.proven_ranges import CONSTANT, INTERVAL, ProvenEnd, ProvenRanges, ProvenSignal
from dataflow.ranges.accumulation import tap_weights
from dataflow.ranges.intervals import (
    ChannelRange,
    constant_ranges,
    interval_bounds,
    magnitude_bound,
)
from dataflow.ranges.observed import Observation, observe
from dataflow.widths.partial_sums import AccumulatorBits, accumulator_bits
from dataflow.widths.published_formulas import FORMULAS, AuditRow, Overflow, audit
from dataflow.widths.signal_widths import (
    UNITS,
    LayerWidths,
    SignalWidth,
    input_widths,
    layer_widths,
)
from golden.network import INPUT_NAME, IntegerNetwork

SCHEMA = 2


@dataclass(frozen=True, eq=False)
class ReportedSignal:
    """One signal, in the layer that first has it, with all its ranges.

    `units` are the hardware that it sizes anywhere (`dataflow.widths.signal_widths.UNITS`): the
    output of a layer is kept in a register and is an operand of the next one's multiplier.
    """

    layer: str
    width: SignalWidth
    units: frozenset[str]
    methods: tuple[str, ...]
    interval: ChannelRange
    assumed: ChannelRange | None
    proven: ProvenSignal | None

    @property
    def name(self) -> str:
        """Name of the signal, as in `dataflow.ranges.intervals`."""
        return self.width.name

    @property
    def reached(self) -> ChannelRange | None:
        """What witnesses reach; None without proof."""
        return None if self.proven is None else self.proven.reached

    @property
    def gap(self) -> tuple[int, int] | None:
        """Distance between bound and reached value at both ends, all channels together."""
        if self.reached is None:
            return None
        bound = self.width.bound
        return self.reached.minimum - bound.minimum, bound.maximum - self.reached.maximum

    @property
    def channel_spare_bits(self) -> tuple[int, ...]:
        """Bits of each channel's bound minus those of what it reaches; empty without proof."""
        if self.reached is None:
            return ()
        pairs = zip(self.width.bound.channel_bits, self.reached.channel_bits, strict=True)
        return tuple(bound - reached for bound, reached in pairs)

    def bits_of(self, unit: str) -> int | None:
        """Return the signal's width if it sizes `unit`."""
        return self.width.signed_bits if unit in self.units else None


@dataclass(frozen=True, eq=False)
class WidthReport:
    """The widths of a network, and all that is known of its signals, in the order of data.

    `inputs` are those of the input and of what follows it before any layer, if anything does.
    """

    network: IntegerNetwork
    inputs: tuple[SignalWidth, ...]
    widths: tuple[LayerWidths, ...]
    signals: Mapping[str, ReportedSignal]
    proven: ProvenRanges | None
    observation: Observation | None
    audit: tuple[AuditRow, ...]
    accumulators: tuple[AccumulatorBits, ...]

    def case_of(self, overflow: Overflow) -> int:
        """Return the number of the witness that reaches the value of `overflow`."""
        assert self.proven is not None  # only witnesses overflow
        end: ProvenEnd = getattr(self.proven.signals[overflow.signal], overflow.end)
        return int(end.case[overflow.channel])


def report(
    network: IntegerNetwork,
    proven: ProvenRanges | None = None,
    batches: Iterable[npt.NDArray[Any]] | None = None,
) -> WidthReport:
    """Return the report of a network; its widths follow from proven bounds if there are any.

    `batches` are fingerprints `(N, *network.input_shape)` to observe signals on.

    Raises ValueError where one of them leaves a bound, and as `interval_bounds` and `observe` do.
    """
    interval = interval_bounds(network)
    bounds = interval if proven is None else proven.bounds
    seen = None if batches is None else observe(network, bounds, batches)
    assumed = None
    if seen is not None:
        assumed = interval_bounds(network, (seen.coefficients.low, seen.coefficients.high))
    observed = None if seen is None else seen.ranges
    inputs = input_widths(network, bounds, observed)
    widths = layer_widths(network, bounds, observed)
    constants = {INPUT_NAME, *constant_ranges(network)}
    signals = {}
    for layer, width, units in _distinct(inputs, widths):
        known = None if proven is None else proven.signals[width.name]
        method = CONSTANT if width.name in constants else INTERVAL
        signals[width.name] = ReportedSignal(
            layer=layer,
            width=width,
            units=units,
            methods=(method,) if known is None else known.methods,
            interval=interval[width.name],
            assumed=None if assumed is None else assumed[width.name],
            proven=known,
        )
    rows = () if proven is None else audit(network, widths, proven.reached)
    accumulators = accumulator_bits(network, bounds, None if proven is None else proven.orders)
    return WidthReport(network, inputs, widths, signals, proven, seen, rows, accumulators)


def json_text(content: WidthReport) -> str:
    """Return the report as JSON (the module's docstring lists the keys); flat arrays on a line."""
    text = json.dumps(_entries(content), indent=2)
    return re.sub(r"\[\n[^][{}]*\]", _on_one_line, text) + "\n"


def _distinct(
    inputs: tuple[SignalWidth, ...], widths: tuple[LayerWidths, ...]
) -> Iterable[tuple[str, SignalWidth, frozenset[str]]]:
    """Return each signal once, with the layer that first has it and all units that it sizes."""
    first: dict[str, tuple[str, SignalWidth]] = {}
    units: dict[str, set[str]] = {}
    groups = [(INPUT_NAME, inputs), *((layer.name, layer.signals) for layer in widths)]
    for layer, group in groups:
        for signal in group:
            first.setdefault(signal.name, (layer, signal))
            units.setdefault(signal.name, set()).add(UNITS[signal.role])
    return [(*first[name], frozenset(units[name])) for name in first]


def _on_one_line(array: re.Match[str]) -> str:
    # No string in JSON holds a line end: whatever labels contain, only indentation goes.
    inner = re.sub(r"(?<=\[)\n *|\n *(?=\])", "", array[0])
    return re.sub(r"\n *", " ", inner)


def _entries(content: WidthReport) -> dict[str, Any]:
    network, seen, proven = content.network, content.observation, content.proven
    taps = {node.name: len(tap_weights(node)) for node in network.weighted_nodes}
    assumed = None
    if seen is not None:
        ends = seen.coefficients
        assumed = {"low": ends.low.tolist(), "high": ends.high.tolist()}
    cut_off = {}
    if proven is not None and proven.stopped_after is not None:
        cut_off["proof_stopped_after"] = proven.stopped_after
    return {
        "schema": SCHEMA,
        "network": {"digest": network.digest, "labels": list(network.labels)},
        "input_range": list(network.input_format.value_range),
        "widths_follow": "interval" if proven is None else "proven",
        **cut_off,
        "witnesses": None if proven is None else len(proven.fingerprints),
        "observed_clips": None if seen is None else seen.clips,
        "assumed_input_range": assumed,
        "magnitude_bound": magnitude_bound(network),
        "layers": [
            *_input_entries(content),
            *(_layer_entry(content, layer, taps[layer.name]) for layer in content.widths),
        ],
        "accumulators": [_accumulator_entry(row) for row in content.accumulators],
        "audit": None if proven is None else [_audit_entry(content, row) for row in content.audit],
    }


def _input_entries(content: WidthReport) -> list[dict[str, Any]]:
    """Return the entry of what comes before the first layer, if anything does."""
    if not content.inputs:
        return []
    signals = [_signal_entry(width, content.signals[width.name]) for width in content.inputs]
    return [{"name": INPUT_NAME, "kind": "input", "signals": signals}]


def _layer_entry(content: WidthReport, layer: LayerWidths, taps: int) -> dict[str, Any]:
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
        "signals": [_signal_entry(width, content.signals[width.name]) for width in layer.signals],
    }


def _signal_entry(width: SignalWidth, signal: ReportedSignal) -> dict[str, Any]:
    return {
        "name": width.name,
        "role": width.role,
        "unit": width.unit,
        "signed_bits": width.signed_bits,
        "unsigned_bits": width.unsigned_bits,
        "bound": _range_entry(width.bound),
        "interval": _range_and_bits(signal.interval),
        "observed": _range_and_bits(width.observed),
        "assumed": _range_and_bits(signal.assumed),
        "proven": None if signal.proven is None else _proven_entry(signal, signal.proven),
    }


def _proven_entry(signal: ReportedSignal, proven: ProvenSignal) -> dict[str, Any]:
    return {
        "methods": list(proven.methods),
        "exact": proven.exact,
        "spare_bits": proven.spare_bits,
        "channel_spare_bits": list(signal.channel_spare_bits),
        "certified": _range_and_bits(proven.certified),
        "reached": _range_and_bits(proven.reached),
        "low_end": _end_entry(proven.low),
        "high_end": _end_entry(proven.high),
    }


def _end_entry(end: ProvenEnd) -> dict[str, Any]:
    return {
        "gap": end.gap.tolist(),
        "method": list(end.method),
        "case": end.case.tolist(),
        "position": end.position.tolist(),
        "tap": end.tap.tolist(),
    }


def _accumulator_entry(row: AccumulatorBits) -> dict[str, Any]:
    return {
        "layer": row.layer,
        "worst_bits": row.worst_bits,
        "last_bits": row.last_bits,
        "best_bits": row.best.bits,
        "best_order": list(row.best.taps),
        "saving_channels": list(row.saving_channels),
    }


def _audit_entry(content: WidthReport, row: AuditRow) -> dict[str, Any]:
    titles = {formula.name: formula.title for formula in FORMULAS}
    overflow = None
    if row.overflow is not None:
        overflow = {**asdict(row.overflow), "case": content.case_of(row.overflow)}
    return {
        **asdict(row),
        "title": titles[row.formula],
        "verdict": row.verdict,
        "excess_bits": row.excess_bits,
        "overflow": overflow,
    }


def _range_and_bits(values: ChannelRange | None) -> dict[str, Any] | None:
    return None if values is None else {**_range_entry(values), "bits": values.bits}


def _range_entry(values: ChannelRange) -> dict[str, Any]:
    return {
        "low": values.minimum,
        "high": values.maximum,
        "channel_low": values.low.tolist(),
        "channel_high": values.high.tolist(),
    }
