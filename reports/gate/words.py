"""What a gate says, in plain sentences. Pure."""

from collections.abc import Sequence

from bench.stats.noninferiority import MIN_PAIRS
from reports.format import count, listed
from reports.gate.metrics import METRICS
from reports.gate.pairs import PairedCell
from reports.gate.result import DriftOfSides, GateLine, LimitLine

_MOST_NAMED = 3
_TINY = 5e-4


def percent(share: float | None, *, signed: bool = False) -> str:
    """Return a share as percent with three digits at most; a dash where there is none."""
    if share is None:
        return "–"
    sign = ("+" if share > 0 else "−" if share < 0 else "") if signed else ""
    if abs(share) < _TINY:
        return f"{sign}<0.05 %" if share else "0 %"
    return f"{sign}{abs(100 * share):.3g} %" if abs(share) < 1 else f"{sign}{count(abs(100 * share))} %"


def change(line: GateLine) -> str:
    """Return how much the candidate differs, with its interval."""
    if line.ratio is None:
        return "–"
    middle = percent(line.ratio - 1, signed=True)
    if not line.low or line.high is None:
        return middle
    return f"{middle} ({percent(line.low - 1, signed=True)} … {percent(line.high - 1, signed=True)})"


def allowed(line: GateLine) -> str:
    """Return the limit: a share, or a count."""
    return f"{count(line.limit)} more" if METRICS[line.metric].counted else percent(line.limit)


def figure(line: GateLine | LimitLine, value: float | None) -> str:
    """Return a figure as it is printed, with its unit."""
    return f"{METRICS[line.metric].shown(value)} {line.unit}".strip() if value is not None else "–"


def name(line: GateLine | LimitLine) -> str:
    """Return what a line is about."""
    return f"{line.metric} of {line.target}, {line.workload}"


def line(found: GateLine, cell: PairedCell, told: str, worse: int | None, *, paired: bool) -> str:
    """Return one line in a sentence."""
    if found.verdict == "invalid":
        return f"{cell.valid} of {cell.planned} pairs are valid, and {cell.needed} are needed{_why(cell)}."
    metric = METRICS[found.metric]
    if worse is not None:
        more = f" by more than {count(found.limit)}" if metric.counted and found.limit else ""
        said = f"worse{more} in {worse} of {found.n} {'pairs' if paired else 'trials'}"
    elif found.ratio is None:
        alone = found.baseline is None and found.candidate is not None
        said = figure(found, found.candidate) if alone else "no figure in enough trials to compare"
    else:
        said = f"{change(found)}, allowed {allowed(found)}"
    end = ""
    if found.verdict == "undecided":
        end = _more(found)
    elif found.verdict == "told":
        end = f"; decides nothing: {told}"
    elif found.verdict == "suspect":
        end = "; stored results prove nothing"
    return f"{metric.words}: {said}{end}{_of_all(found)}{_second(found)}."


def _of_all(found: GateLine) -> str:
    """Return what all messages say, pauses of the host included; empty where that is the same, or the figure is."""
    if found.whole_low is None or found.whole_high is None or found.whole_verdict == found.verdict:
        return ""
    low, high = (percent(end - 1, signed=True) for end in (found.whole_low, found.whole_high))
    return f"; of all messages, pauses of the host included, {found.whole_verdict} ({low} … {high})"


def _second(found: GateLine) -> str:
    """Return what the signed-rank test says, where that is another verdict."""
    if found.second is None or not found.disputed:
        return ""
    low, high = ("–" if end is None else percent(end - 1, signed=True) for end in (found.second.low, found.second.high))
    return (
        f"; some pair lies far from the others, and the signed-rank test, which weighs it less, says"
        f" {found.second.verdict} ({percent(found.second.ratio - 1, signed=True)}, {low} … {high})"
    )


def drift(found: DriftOfSides) -> str:
    """Return that neighbouring pairs are alike, and what follows."""
    return (
        f"Neighbouring pairs are alike (lag-1 correlation {found.lag1:.2f}, mean of {found.lines}"
        f" line{'s' if found.lines > 1 else ''}): each side drifts for itself, so intervals are"
        f" {found.widening:.1f} times as wide."
    )


def too_few(repetitions: int) -> str:
    """Return that a run has too few trials for any comparison to come."""
    return (
        f"plan.repetitions: {repetitions}, and a gate compares {MIN_PAIRS} trials a side or more: this run could be"
        f" no baseline, and every gate after it would be invalid; set it to {MIN_PAIRS}, better 10, or give a budget"
        " of absolute limits alone"
    )


def limit_of(line: LimitLine) -> str:
    """Return a limit as it is printed, such as `at most 5 ms`."""
    return f"{line.side.replace('_', ' ')} {figure(line, line.bound)}"


def limited(line: LimitLine) -> str:
    """Return a figure that is limited, with its interval."""
    if line.value is None:
        return "–"
    said = figure(line, line.value)
    if line.low is None or line.high is None:
        return said
    shown = METRICS[line.metric].shown
    return f"{said} ({shown(line.low)} … {shown(line.high)})"


def limit(found: LimitLine, cell: PairedCell, beyond: int) -> str:
    """Return the line of a limit in a sentence."""
    if found.verdict == "invalid":
        return f"{cell.valid} of {cell.planned} trials are valid, and {cell.three_quarters} are needed{_why(cell)}."
    said = limited(found) if found.value is not None else f"beyond it in {beyond} of {found.n} trials"
    if not found.n:
        said = "no figure, or too few messages for one"
    end = ""
    if found.verdict == "undecided":
        end = "; undecided" if found.needed is None else f"; undecided, about {found.needed} trials would decide"
    if found.whole_verdict not in (None, found.verdict):
        end += f"; of all messages, pauses of the host included, {found.whole_verdict}"
    return f"{METRICS[found.metric].words}: {said}, {limit_of(found)}{end}."


def limits(verdict: str, lines: Sequence[LimitLine]) -> str:
    """Return what limits say together, with the lines of that verdict."""
    mine = [one for one in lines if one.verdict == verdict]
    if verdict == "pass":
        return "Pass: the limit is kept." if len(lines) == 1 else f"Pass: all {len(lines)} limits are kept."
    if verdict == "invalid":
        return f"Invalid: {_some(list(dict.fromkeys(f'{one.target}, {one.workload}: {one.text}' for one in mine)))}"
    parts = [
        f"{name(one)} is {limited(one)}, {limit_of(one)}"
        if one.value is not None
        else f"{name(one)}: {one.text.rstrip('.')}"
        for one in mine
    ]
    if verdict == "fail":
        return f"Fail: {_some(parts)}."
    more = _enough([one.needed for one in mine], "trials")
    return f"Undecided: {len(mine)} of {len(lines)} limits, {_some(parts)}{more}."


def ended_early(why: str) -> str:
    """Return the verdict of a run that a condition ended."""
    return f"Fail: the run was ended early, and has no figures: {why}."


NOTHING_YET = "there is nothing to compare with yet"
"""Why lines of a first run decide nothing."""


def _more(found: GateLine) -> str:
    if found.needed is None:
        return "; undecided"
    return f"; undecided, about {found.needed} pairs would decide ({found.needed - found.n} more)"


def _why(cell: PairedCell) -> str:
    return f" ({cell.why})" if cell.why else ""


def left_out(cell: PairedCell) -> str:
    """Return which pairs of a row do not count, and why."""
    lost = cell.planned - cell.valid
    return f"{cell.target}, {cell.workload}: {lost} of {cell.planned} pairs left out{_why(cell)}."


def told(metric: str, why: str) -> str:
    """Return a sentence that a metric decides nothing, and why."""
    return f"{metric} is told and decides nothing: {why}."


def unlike_hosts(classes: Sequence[str]) -> str:
    """Return a sentence that two stored runs come from hosts of different classes."""
    return (
        f"Undecided: the hosts are of different classes ({' / '.join(classes)}), so their figures do not compare."
        " Run both sides in turn on one host: bench gate … --paired."
    )


def sentence(verdict: str, lines: Sequence[GateLine], cells: Sequence[PairedCell], *, paired: bool) -> str:
    """Return the verdict of the whole gate."""
    deciding = [one for one in lines if one.verdict != "told"]
    mine = [one for one in deciding if one.verdict == verdict]
    if verdict == "pass":
        return _passed(deciding, paired=paired)
    if verdict == "regression":
        parts = [f"{name(one)} is worse ({_extent(one)})" for one in mine]
        return f"Regression: {_some(parts)}."
    if verdict == "suspect":
        parts = [f"{name(one)} ({_extent(one)})" for one in mine]
        return f"Suspect: {_some(parts)}. Stored results prove no regression: run both sides in turn with --paired."
    if verdict == "invalid":
        bad = [cell for cell in cells if cell.valid < cell.needed]
        parts = [
            f"{cell.target}, {cell.workload} has {cell.valid} of {cell.planned} valid pairs, {cell.needed} are"
            f" needed{_why(cell)}"
            for cell in bad
        ]
        return f"Invalid: {_some(parts)}."
    if not deciding:
        return "Undecided: nothing is gated here; see the remarks."
    more = _enough([one.needed for one in mine], "pairs")
    return f"Undecided: {len(mine)} of {len(deciding)} lines, {_some([name(one) for one in mine])}{more}."


def _enough(needed: Sequence[int | None], what: str) -> str:
    """Return how many would decide, where that is known of all."""
    known = [n for n in needed if n is not None]
    return f"; about {max(known)} {what} would decide" if known and len(known) == len(needed) else ""


def _passed(deciding: Sequence[GateLine], *, paired: bool) -> str:
    seen = [one.detectable for one in deciding if one.detectable is not None]
    reach = f"down to {percent(max(seen))}" if seen else "in what can be counted"
    if not paired:
        return f"Pass: no sign of change {reach} ({len(deciding)} lines, stored results)."
    pairs = min(one.n for one in deciding)
    return (
        f"Pass: none of {len(deciding)} lines got worse than its limit ({pairs} pairs; changes {reach} would have"
        " been found)."
    )


def _extent(one: GateLine) -> str:
    return f"{change(one)}, allowed {allowed(one)}" if one.ratio is not None else one.text.rstrip(".")


def _some(parts: Sequence[str]) -> str:
    rest = len(parts) - _MOST_NAMED
    return listed([*parts[:_MOST_NAMED], *([f"{rest} more"] if rest > 0 else [])])
