"""Published bit-width formulas, audited: what they give for a network, and where they fail it.

Every formula sees the same `Operands` of a layer, so that the rules alone are compared; its result
is turned into the width of a two's-complement register. Widths are counted as

- N: of the layer's input, without a sign bit where its bound is never negative (after a ReLU),
- M: of the weights, always two's complement,
- B: of the biases, two's complement, in the layers that have any,
- K: products in one sum, `kh * kw * in`; in a depthwise layer `kh * kw`.

All of them are those of `LayerWidths`: from the actual weights and from the bound of the input, so
that layers of any widths can be compared (8-bit inputs with a zero point are centred, which makes
them 9 bits with a sign). The weights are signed, so every product and sum is too, and a rule's
count of bits is the register's unless its entry in `FORMULAS` says otherwise.

A formula is *short* where values that inputs reach need more bits (the row then names one), *long*
where it exceeds what the bound needs for all inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dataflow.ranges.accumulation import tap_weights
from dataflow.ranges.intervals import ChannelRange, Ranges, part_name
from dataflow.widths.signal_widths import LayerWidths, widths_of_layer
from golden.network import IntegerNetwork
from golden.nodes import DepthwiseConvolution, WeightedNode


@dataclass(frozen=True)
class Operands:
    """What formulas are told of a layer; bits and counts as in the module's docstring.

    `bias_bits` is None in layers without biases. `channels` counts the output channels,
    `weight_sum` is the largest sum of magnitudes of the weights of one of them, and `product_bits`
    the two's-complement width that the bound of the products needs.
    """

    input_bits: int
    input_signed: bool
    weight_bits: int
    bias_bits: int | None
    taps: int
    channels: int
    depthwise: bool
    weight_sum: int
    product_bits: int


Rule = Callable[[Operands], int]


@dataclass(frozen=True)
class Formula:
    """A published rule: two's-complement bits of a product, where it gives any, and of the sum."""

    name: str
    title: str
    source: str
    product: Rule | None
    accumulator: Rule


@dataclass(frozen=True)
class Overflow:
    """A reached value that does not fit: signal, channel, `end` of its range (low or high)."""

    signal: str
    channel: int
    end: str
    value: int


@dataclass(frozen=True)
class AuditRow:
    """One formula for the product or the accumulator of one layer; all bits two's complement.

    `needed_bits` hold the values that inputs reach, `sufficient_bits` the bound. `overflow` is a
    value that `bits` cannot hold, None unless the formula is short.
    """

    layer: str
    quantity: str
    formula: str
    bits: int
    needed_bits: int
    sufficient_bits: int
    overflow: Overflow | None

    @property
    def verdict(self) -> str:
        """`short`, `long`, `exact`, or `within the gap` between reached values and bound."""
        if self.bits < self.needed_bits:
            return "short"
        if self.bits > self.sufficient_bits:
            return "long"
        return "exact" if self.needed_bits == self.sufficient_bits else "within the gap"

    @property
    def excess_bits(self) -> int:
        """Bits too many where long, minus the bits that are missing where short, otherwise 0."""
        return max(self.bits - self.sufficient_bits, 0) + min(self.bits - self.needed_bits, 0)


def operands(layer: LayerWidths, node: WeightedNode) -> Operands:
    """Return what formulas are told of the layer that `node` computes."""
    weights = tap_weights(node)
    unsigned = layer.input.unsigned_bits
    return Operands(
        input_bits=layer.input.signed_bits if unsigned is None else unsigned,
        input_signed=unsigned is None,
        weight_bits=layer.weight.signed_bits,
        bias_bits=None if layer.bias is None else layer.bias.signed_bits,
        taps=len(weights),
        channels=weights.shape[1],
        depthwise=isinstance(node, DepthwiseConvolution),
        weight_sum=int(abs(weights).sum(axis=0).max()),
        product_bits=layer.product.signed_bits,
    )


def audit(
    network: IntegerNetwork, widths: tuple[LayerWidths, ...], needed: Ranges
) -> tuple[AuditRow, ...]:
    """Compare every formula with every layer of `network`: products first, then accumulators.

    `widths` carry the bounds. `needed` holds what inputs really reach of each layer's `product`,
    `partial_sum` and final sum. The accumulator keeps all partial sums; where a final sum overflows
    too, the row names that one (a lost partial sum alone comes right again in two's complement).

    Raises KeyError where `needed` lacks a signal, ValueError where it leaves its bound.
    """
    rows = []
    for node in network.weighted_nodes:
        layer = widths_of_layer(widths, node.name)
        given = operands(layer, node)
        product, partial_sum = part_name(node, "product"), part_name(node, "partial_sum")
        reached = {name: needed[name] for name in (product, node.name, partial_sum)}
        for signal in (layer.product, layer.accumulator, layer.partial_sum):
            _check_within(signal.name, reached[signal.name], signal.bound)
        products = {product: reached.pop(product)}
        for formula in FORMULAS:
            if formula.product is not None:
                bits = formula.product(given)
                rows.append(_row(layer, "product", formula, bits, products))
        for formula in FORMULAS:
            bits = formula.accumulator(given)
            rows.append(_row(layer, "accumulator", formula, bits, reached))
    return tuple(rows)


def _row(
    layer: LayerWidths, quantity: str, formula: Formula, bits: int, reached: Ranges
) -> AuditRow:
    sufficient = layer.product if quantity == "product" else layer.partial_sum
    return AuditRow(
        layer=layer.name,
        quantity=quantity,
        formula=formula.name,
        bits=bits,
        needed_bits=max(item.bits for item in reached.values()),
        sufficient_bits=sufficient.signed_bits,
        overflow=_first_overflow(bits, reached),
    )


def _first_overflow(bits: int, reached: Ranges) -> Overflow | None:
    """Return a value beyond `bits` of the first signal that has one, at the high end or the low."""
    for name, values in reached.items():
        if values.maximum >= 2 ** (bits - 1):
            return Overflow(name, int(values.high.argmax()), "high", values.maximum)
        if values.minimum < -(2 ** (bits - 1)):
            return Overflow(name, int(values.low.argmin()), "low", values.minimum)
    return None


def _check_within(name: str, reached: ChannelRange, bound: ChannelRange) -> None:
    outside = (reached.low < bound.low) | (reached.high > bound.high)
    if outside.any():
        channel = int(outside.argmax())
        raise ValueError(
            f"needed: expected {name} within its bound {bound.low[channel]}..{bound.high[channel]},"
            f" got {reached.low[channel]}..{reached.high[channel]} in channel {channel}"
        )


def _ceil_log2(count: int) -> int:
    """Return the ceiling of the binary logarithm; 0 for a count of 0."""
    return max(count - 1, 0).bit_length()


def _full_product(given: Operands) -> int:
    return given.input_bits + given.weight_bits


def _growth(given: Operands) -> int:
    return _full_product(given) + _ceil_log2(given.taps)


def _growth_of_bounded_product(given: Operands) -> int:
    return given.product_bits + _ceil_log2(given.taps)


def _a2q_types(given: Operands) -> int:
    return _a2q(given, given.taps << (given.weight_bits - 1))


def _a2q_weights(given: Operands) -> int:
    return _a2q(given, given.weight_sum)


def _a2q(given: Operands, weight_sum: int) -> int:
    """Return the least P with `weight_sum * 2^(N - signed) <= 2^(P - 1) - 1`."""
    return (weight_sum << (given.input_bits - given.input_signed)).bit_length() + 1


def _fir_compiler_weights(given: Operands) -> int:
    signed_input_bits = given.input_bits + (not given.input_signed)
    return signed_input_bits + _ceil_log2(given.weight_sum)


def _qtools_0_9(given: Operands) -> int:
    """Every layer adds one more product, for a bias; depthwise taps count once for each channel."""
    taps = given.taps * given.channels if given.depthwise else given.taps
    return _full_product(given) + _ceil_log2(taps + 1)


def _qtools_0_9_integer(given: Operands) -> int:
    return _qtools_0_9(given) - given.input_signed


def _qtools_product(given: Operands) -> int:
    """Bits without signs add up; one sign comes back, though both operands may have had one."""
    return _full_product(given) - given.input_signed


def _qtools_1_2(given: Operands) -> int:
    """K products; where there is a bias, one more bit than the wider of the two."""
    bits = _qtools_product(given) + _ceil_log2(given.taps)
    return bits if given.bias_bits is None else max(bits, given.bias_bits) + 1


def _hls4ml(given: Operands) -> int:
    """A layer without a bias adds one all the same: a zero, never wider than the sum."""
    return max(_growth(given), given.bias_bits or 0) + 1


FORMULAS = (
    Formula(
        "growth",
        "N + M + clog2(K)",
        # No bias. N counts as it is, with or without a sign.
        "AMD, FIR Compiler 7.2 (PG149), Output Width and Bit Growth: worst case",
        _full_product,
        _growth,
    ),
    Formula(
        "growth_of_bounded_product",
        "bounded product + clog2(K)",
        # No bias.
        "as growth, from the product bits that the actual weights and inputs need",
        None,
        _growth_of_bounded_product,
    ),
    Formula(
        "a2q_types",
        "A2Q, data types",
        # No bias. As a2q_weights, for the largest sum that K weights of M bits can have.
        "Colbert et al., A2Q (arXiv 2308.13504), lower bound from data types",
        None,
        _a2q_types,
    ),
    Formula(
        "a2q_weights",
        "A2Q, sum of |weights|",
        # No bias. |input| counts as 2^N without a sign, 2^(N-1) with one, for either end of a sum.
        "Colbert et al., A2Q (arXiv 2308.13504), lower bound from the L1 norm of the weights; "
        "Brevitas, function/ops.py, get_upper_bound_on_l1_norm, solved for the accumulator",
        None,
        _a2q_weights,
    ),
    Formula(
        "fir_compiler_weights",
        "FIR Compiler, sum of |weights|",
        # No bias. The rule names no sign: an input without one is given one, as N + 1 bits.
        "AMD, FIR Compiler 7.2 (PG149), Output Width and Bit Growth: fixed coefficients",
        None,
        _fir_compiler_weights,
    ),
    Formula(
        "qtools_0_9",
        "QTools 0.9.0, bits",
        "QKeras 0.9.0 (PyPI), qtools: FixedPointMultiplier, and FixedPointAccumulator as "
        "generate_layer_data_type_map calls it",
        _full_product,
        _qtools_0_9,
    ),
    Formula(
        "qtools_0_9_integer",
        "QTools 0.9.0, int_bits",
        # `int_bits` of its report count the sign; the rest of `bits` is a fraction, here always 0.
        "as qtools_0_9, with populate_quantizer in qtools/interface.py",
        _qtools_product,
        _qtools_0_9_integer,
    ),
    Formula(
        "qtools_1_2",
        "QTools 1.2.1",
        # `bits` and `int_bits` agree here.
        "qkeras-v3 1.2.1 (PyPI), qtools: FixedPointMultiplier, FixedPointAccumulator and "
        "FixedPointAdder as generate_layer_data_type_map calls them",
        _qtools_product,
        _qtools_1_2,
    ),
    Formula(
        "hls4ml",
        "hls4ml 1.3.0",
        # Its integer bits count the sign. A product is C++'s own, as wide as both operands.
        "hls4ml 1.3.0 (PyPI), infer_precision.py: _infer_common_precision, without a maximum "
        "precision and with infer_no_bias off, as by default; add_bias in layers.py",
        _full_product,
        _hls4ml,
    ),
)
