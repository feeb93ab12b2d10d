"""The bit-width report on the terminal: tables, and the lines between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from dataflow.proof.proven_ranges import INTERVAL
from dataflow.ranges.intervals import ChannelRange
from dataflow.widths.published_formulas import FORMULAS, AuditRow
from dataflow.widths.width_csv import range_cells, summary_cells
from dataflow.widths.width_report import ReportedSignal, WidthReport

WIDTH_NOTE = """\
Bits in two's complement. Unsigned: bits of the same signal without a sign, where it is never
negative. Partial sums run in the order kh, kw, in; a bias is loaded before the first.
Methods: closed form, inputs are independent of one another; MILP, integer programs over the whole
receptive field; MILP, pool free, the same with independent pooled values; interval, interval
arithmetic on the proven ranges before it."""
RANGE_NOTE = """\
Interval: bound by arithmetic on the actual weights. Proven: no input leaves it; widths follow from
it. Witness: what inputs reach. Gap: from the witness to the proven bound, at either end."""
ROUNDED_NOTE = "Numbers such as 1.23e+12 are rounded for this table; the files hold all digits."
_MOST_DIGITS = 9  # of a number in a table, its sign included
_MOST_COLUMNS = 132  # of a line that lists channels by their numbers
_MOST_LINES = (
    40  # of those; of more, signals that nothing but interval arithmetic bounds are counted
)
DATA_NOTE = """\
Observed: on the clips. Assumed: interval bound if each coefficient stays within its range above.
Bound: for all inputs; widths follow from it alone."""
ACCUMULATOR_NOTE = """\
Bits that hold every partial sum in the order kh, kw, in; every one in the best order found; the
last one. Two's complement wraps harmlessly, so the last sum alone is enough where nothing reads
the accumulator before it."""
AUDIT_NOTE = """\
Needed: bits for what inputs reach and, where it needs more, for the bound. +2: two bits more than
the bound needs; -1: one bit less than inputs need."""


def width_table(report: WidthReport) -> Table:
    """Return the bits of every signal: what `summary.csv` holds."""
    headings = ("multiplier", "adder", "register", "unsigned")
    table = _table(["signal"], headings, ["proof method"])
    _add_rows(table, report, {name: summary_cells(report.signals[name]) for name in report.signals})
    return table


def range_table(report: WidthReport) -> Table:
    """Return what holds for all inputs: bounds of every signal, and how near witnesses come."""
    kinds = ["interval"] if report.proven is None else ["interval", "proven", "witness"]
    gaps = [] if report.proven is None else ["gap\nlow", "\nhigh"]
    table = _table(["signal"], [*_range_headings(kinds), *gaps], whole=True)
    rows = {}
    for name, signal in report.signals.items():
        ranges = dict(interval=signal.interval, proven=signal.width.bound, witness=signal.reached)
        cells = _range_cells([ranges[kind] for kind in kinds])
        rows[name] = [name, *cells, *(_short(str(gap)) for gap in signal.gap or ())]
    _add_rows(table, report, rows)
    return table


def data_table(report: WidthReport) -> Table:
    """Return what was observed, and interval bounds on an assumption, beside the bounds."""
    headings = _range_headings(["observed", "assumed", "bound"])
    table = _table(["signal"], headings, whole=True)
    rows = {}
    for name, signal in report.signals.items():
        ranges = (signal.width.observed, signal.assumed, signal.width.bound)
        rows[name] = [name, *_range_cells(ranges)]
    _add_rows(table, report, rows)
    return table


def assumption_text(report: WidthReport) -> str:
    """Say what is assumed: a range of each coefficient, in order."""
    assert report.observation is not None
    ends = report.observation.coefficients
    pairs = zip(ends.low.tolist(), ends.high.tolist(), strict=True)
    spans = ", ".join(f"{low}..{high}" for low, high in pairs)
    return (
        f"Observed on {report.observation.clips:,} clips, and bounded on the assumption that each "
        f"MFCC coefficient stays within what\nthey showed: {spans}"
    )


def rounded_text(report: WidthReport) -> str:
    """Say that tables round where they do."""
    signals = report.signals.values()
    bounds = (str(end) for s in signals for end in (s.interval.minimum, s.interval.maximum))
    return ROUNDED_NOTE if any(len(bound) > _MOST_DIGITS for bound in bounds) else ""


def open_text(report: WidthReport) -> str:
    """Name the signals and channels whose bound needs more bits than witnesses do."""
    lines = {signal: line for signal in report.signals.values() if (line := _open_line(signal))}
    if not lines:
        return "Every width is needed: in each channel some input needs as many bits as the bound."
    title = "Bounds that need more bits than their witnesses, and how many:"
    left_out = []
    if len(lines) > _MOST_LINES:
        bounded = [signal for signal in lines if signal.methods == (INTERVAL,)]
        left_out = [
            f"  and {len(bounded)} signals of interval bounds: column spare_bits of bit_widths.csv"
        ]
        lines = {signal: line for signal, line in lines.items() if signal not in bounded}
    return "\n".join([title, *lines.values(), *left_out])


def certificate_text(report: WidthReport) -> str:
    """Say which widths would be larger without trust in a solver's floating point."""
    trusting = [
        f"{signal.name} ({signal.proven.certified.bits} bits without it)"
        for signal in report.signals.values()
        if signal.proven is not None and signal.proven.certified.bits > signal.proven.bound.bits
    ]
    if not trusting:
        return "The width of every signal is certified: it rests on integer arithmetic alone."
    return f"Widths that rest on the solver's floating point: {', '.join(trusting)}"


def accumulator_table(report: WidthReport) -> Table:
    """Return what accumulators need for their worst partial sum, and could do with."""
    headings = ("worst partial sum", "best order", "last sum alone", "saved")
    table = _table(["accumulator"], headings, ["channels that save"])
    for row in report.accumulators:
        bits = (row.worst_bits, row.best.bits, row.last_bits, row.saved_bits)
        channels = ", ".join(map(str, row.saving_channels)) or "none"
        table.add_row(row.layer, *map(str, bits), channels)
    return table


def audit_table(report: WidthReport) -> Table:
    """Return the bits that each published formula gives for each product and accumulator."""
    table = _table(["bits of"], ["needed", *(formula.title for formula in FORMULAS)])
    rows: dict[tuple[str, str], dict[str, AuditRow]] = defaultdict(dict)
    for row in report.audit:
        rows[row.layer, row.quantity][row.formula] = row
    for (layer, quantity), given in rows.items():
        one = next(iter(given.values()))
        bits = sorted({one.needed_bits, one.sufficient_bits})
        cells = [_audit_cell(given.get(formula.name)) for formula in FORMULAS]
        name = "product" if quantity == "product" else "sum"
        table.add_row(f"{layer} {name}", "-".join(map(str, bits)), *cells)
    return table


def overflow_text(report: WidthReport) -> str:
    """Name an input for each formula that gives too few bits."""
    titles = {formula.name: formula.title for formula in FORMULAS}
    lines = []
    for row in report.audit:
        if row.overflow is not None:
            value = f"{row.overflow.value} of {row.overflow.signal}, channel {row.overflow.channel}"
            lines.append(
                f"  {titles[row.formula]}: {row.bits} bits do not hold {value}, "
                f"case {report.case_of(row.overflow)} of witnesses.npz"
            )
    if not lines:
        return "No formula gives too few bits for this network."
    return "\n".join(["Too few bits:", *lines])


def _open_line(signal: ReportedSignal) -> str:
    """Return a line on the bits that bound and witness are apart; empty where there are none."""
    for numbered in (True, False):
        parts = _open_parts(signal, numbered)
        line = f"  {signal.name}: {'; '.join(parts)}" if parts else ""
        if len(line) <= _MOST_COLUMNS:
            break
    return line


def _open_parts(signal: ReportedSignal, numbered: bool) -> list[str]:
    """Say how many bits bound and witness are apart: of the whole signal, of which channels."""
    channels: dict[int, list[int]] = defaultdict(list)
    for channel, spare in enumerate(signal.channel_spare_bits):
        channels[spare].append(channel)
    parts = []
    if signal.proven is not None and signal.proven.spare_bits:
        parts.append(f"{_bits(signal.proven.spare_bits)} in its width")
    for spare in sorted(set(channels) - {0}):
        numbers = ", ".join(map(str, channels[spare]))
        which = f"channels {numbers}" if len(channels[spare]) > 1 else f"channel {numbers}"
        if not numbered and len(channels[spare]) > 1:
            which = f"{len(channels[spare])} channels"
        if len(channels[spare]) == len(signal.channel_spare_bits):
            which = "every channel"
        parts.append(f"{_bits(spare)} in {which}")
    return parts


def _bits(count: int) -> str:
    return "one bit" if count == 1 else f"{count} bits"


def _audit_cell(row: AuditRow | None) -> str:
    if row is None:
        return ""
    return f"{row.bits} {row.excess_bits:+}" if row.excess_bits else str(row.bits)


def _range_headings(kinds: Sequence[str]) -> list[str]:
    return [heading for kind in kinds for heading in (f"{kind}\nmin", "\nmax", "\nbits")]


def _range_cells(ranges: Sequence[ChannelRange | None]) -> list[str]:
    return [_short(cell) for values in ranges for cell in range_cells(values)]


def _short(number: str) -> str:
    return number if len(number) <= _MOST_DIGITS else f"{int(number):.2e}"


def _table(
    names: Sequence[str],
    numbers: Sequence[str],
    texts: Sequence[str] = (),
    *,
    whole: bool = False,
) -> Table:
    """Return an empty table; where space is short names are folded, and numbers stay `whole`."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False, show_edge=False)
    for heading in names:
        table.add_column(heading, no_wrap=not whole, overflow="fold" if whole else "ellipsis")
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=whole)
    for heading in texts:
        table.add_column(heading)
    return table


def _add_rows(table: Table, report: WidthReport, rows: Mapping[str, Sequence[str]]) -> None:
    """Add the row of each signal, and a gap after each layer."""
    signals = list(report.signals.values())
    for signal, following in zip(signals, [*signals[1:], None], strict=True):
        ends = following is not None and following.layer != signal.layer
        table.add_row(*rows[signal.name], end_section=ends)
