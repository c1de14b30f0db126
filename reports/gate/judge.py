"""From two sides and a budget to a verdict: which lines decide, what they say, what follows.

A regression anywhere fails the gate. Otherwise a row without enough valid pairs makes it
invalid, a suspect or undecided line leaves it undecided, and only where every line that
decides passes does the gate pass.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from bench.host.hostclass import host_class
from bench.results.comparability import unlike_receipt
from bench.scenario.scenario import InFlightLoad
from bench.stats.noninferiority import ALARM, MIN_PAIRS, MISS, POWER, Decision, Judgement, Measure, decide
from bench.stats.ratio import Pair
from reports.cases import MIN_CPUS
from reports.dataset import Dataset
from reports.gate import words
from reports.gate.budget import Budget, Limit
from reports.gate.differences import differences
from reports.gate.metrics import METRICS, GateMetric, floor_name
from reports.gate.pairs import GateError, PairedCell, Side, cells, check, estimates
from reports.gate.result import EXIT_CODES, Gate, GateLine, Shown, Verdict

EVERY = "every metric"
"""Name of a noise floor that was given for all."""
_SHOWN: dict[Judgement, Shown] = {
    Judgement.PASS: "pass",
    Judgement.REGRESSION: "regression",
    Judgement.SUSPECT: "suspect",
    Judgement.UNDECIDED: "undecided",
}
_WORST_FIRST: tuple[Verdict, ...] = ("regression", "invalid", "suspect", "undecided", "pass")


@dataclass(frozen=True)
class _Open:
    # A line before it is decided; `told` says why it decides nothing, `lacking` that it has no figures. `whole` has
    # the figures of all messages, where its own leave the host's pauses out.
    cell: PairedCell
    limit: Limit
    metric: GateMetric
    threshold: float
    candidate: Sequence[float]
    baseline: Sequence[float]
    told: str
    whole: Pair | None = None

    @property
    def lacking(self) -> bool:
        return len(self.candidate) < MIN_PAIRS or len(self.baseline) < MIN_PAIRS

    @property
    def measure(self) -> Measure:
        pair = Pair(self.candidate, self.baseline, lower_is_better=self.metric.lower_is_better)
        return Measure(pair, self.threshold, counted=self.metric.counted)

    @property
    def whole_measure(self) -> Measure:
        """Of all messages, where there is that; else as `measure`."""
        return self.measure if self.whole is None else Measure(self.whole, self.threshold)


def judge_paired(data: Dataset, budget: Budget, noise_floor: float | None, results: Sequence[str]) -> Gate:
    """Judge a run in which both sides took turns.

    Args:
        data: its results folder.
        budget: what is allowed.
        noise_floor: of this host for every metric, as a share; None takes what the run recorded of its host.
        results: the folder, for the record.

    Raises:
        GateError: it is no such run, or the budget names what it does not have.
    """
    if not any(line.paired for line in data.runs[0].plan):
        message = f"{results[0]} is no run of `bench gate --paired`: name two results folders, baseline and candidate"
        raise GateError(message)
    return _judge(Side(data, "baseline"), Side(data, "candidate"), budget, noise_floor, results, paired=True)


def judge_stored(
    base: Dataset, new: Dataset, budget: Budget, noise_floor: float | None, results: Sequence[str]
) -> Gate:
    """Judge two stored runs: no sign of change, suspect, or undecided; never a regression.

    Raises:
        GateError: they cannot be compared, or the budget names what they do not have.
    """
    return _judge(Side(base), Side(new), budget, noise_floor, results, paired=False)


def _judge(
    base: Side, new: Side, budget: Budget, noise_floor: float | None, results: Sequence[str], *, paired: bool
) -> Gate:
    remarks = list(check(base, new))
    rows = list(cells(base, new, paired=paired))
    strangers = [*budget.strangers({row.target for row in rows}, {row.workload for row in rows})]
    if strangers:
        raise GateError(*strangers)
    hosts = tuple(dict.fromkeys(host_class(side.data.runs[0].host) for side in (base, new)))
    unlike = len(hosts) > 1
    floors = _floors(base, new) if noise_floor is None else {EVERY: noise_floor}
    opened = list(_opened(base, new, rows, budget, floors, paired=paired, unlike=unlike))
    lines = tuple(_closed(opened, paired=paired))
    verdict = _verdict(lines)
    runs = [side.data.runs[0] for side in (base, new)]
    names = differences(new.data.runs[0]) if paired else tuple(f"{run.run_id} ({run.command})" for run in runs)
    remarks += [words.left_out(row) for row in rows if row.valid < row.planned]
    remarks += dict.fromkeys(words.told(one.limit.metric, one.told) for one in opened if one.told)
    return Gate(
        verdict=verdict,
        exit_code=EXIT_CODES[verdict],
        sentence=words.unlike_hosts(hosts) if unlike else words.sentence(verdict, lines, rows, paired=paired),
        paired=paired,
        baseline=names[0],
        candidate=names[1],
        host_classes=hosts,
        pairs=max(row.planned for row in rows),
        alarm=ALARM,
        miss=MISS,
        power=POWER,
        noise_floor=floors,
        lines=lines,
        remarks=tuple(remarks),
        started_utc=new.data.runs[0].started_utc,
        results=tuple(results),
    )


def _opened(
    base: Side,
    new: Side,
    rows: Sequence[PairedCell],
    budget: Budget,
    floors: Mapping[str, float],
    *,
    paired: bool,
    unlike: bool,
) -> Iterator[_Open]:
    few = _few_cpus(base, new)
    for cell in rows:
        closed = isinstance(new.workload(cell.workload).load, InFlightLoad)
        for limit in budget.applying(cell.target, cell.workload):
            metric = METRICS[limit.metric]
            candidate, baseline = estimates(base, new, metric, cell, paired=paired)
            told = "the budget only shows it" if not limit.decides else ""
            if metric.throughput and few:
                told = few
            if metric.of_latency and _otherwise_received(base, new, cell):
                told = "messages of the two sides count as received at different instants"
            if unlike:
                told = "the hosts are unlike"
            lacking = min(len(candidate), len(baseline)) < MIN_PAIRS
            if lacking and not limit.required and cell.valid >= cell.needed:
                told = told or "there is no figure, or too few messages for it"
            floor = floors.get(floor_name(limit.metric, closed_loop=closed), floors.get(EVERY))
            whole = _whole(base, new, metric, cell, (len(candidate), len(baseline)), paired=paired)
            yield _Open(cell, limit, metric, limit.threshold(floor), candidate, baseline, told, whole)


def _otherwise_received(base: Side, new: Side, cell: PairedCell) -> bool:
    """Return whether the two sides of a row count messages as received at different instants."""
    return unlike_receipt(*(side.receipt(cell.target, cell.workload) for side in (base, new))) is not None


def _whole(
    base: Side, new: Side, metric: GateMetric, cell: PairedCell, counts: tuple[int, int], *, paired: bool
) -> Pair | None:
    """Return the figures of all messages; None where the metric's own are of all, or some trial has none."""
    if not metric.of_latency:
        return None
    candidate, baseline = estimates(base, new, metric, cell, paired=paired, whole=True)
    complete = (len(candidate), len(baseline)) == counts and all(map(math.isfinite, [*candidate, *baseline]))
    return Pair(candidate, baseline) if complete and candidate and baseline else None


def _floors(base: Side, new: Side) -> dict[str, float]:
    """Return the larger noise floor of the two hosts, by metric."""
    known = [floor.effects for side in (base, new) if (floor := side.data.runs[0].noise_floor) is not None]
    return {name: max(each.get(name, 0.0) for each in known) for name in sorted({*(k for each in known for k in each)})}


def _few_cpus(base: Side, new: Side) -> str:
    known = [side.data.runs[0].host.get("cpus", "") for side in (base, new)]
    fewest = min((int(text) if text.isdigit() else 0) for text in known)
    if fewest >= MIN_CPUS:
        return ""
    return f"throughput is gated on hosts of {MIN_CPUS} CPUs and more" + (f", and this has {fewest}" if fewest else "")


def _closed(opened: Sequence[_Open], *, paired: bool) -> Iterator[GateLine]:
    """Decide the lines that can be decided as one family; the others by themselves, to be shown."""
    deciding = [one for one in opened if _decides(one)]
    decisions = decide([one.measure for one in deciding], paired=paired)
    wholes = decide([one.whole_measure for one in deciding], paired=paired)
    found = {id(one): pair for one, pair in zip(deciding, zip(decisions, wholes, strict=True), strict=True)}
    for one in opened:
        if id(one) in found:
            estimate, whole = found[id(one)]
            decision = _agreed(estimate, whole)
            shown = whole if one.whole is not None else None
            yield _line(one, _SHOWN[decision.outcome], decision, paired=paired, whole=shown)
        elif not one.told and one.cell.valid < one.cell.needed:
            yield _line(one, "invalid", None, paired=paired)
        elif one.told:
            yield _line(one, "told", None if one.lacking else decide([one.measure], paired=paired)[0], paired=paired)
        else:
            yield _line(one, "undecided", None, paired=paired)


def _agreed(estimate: Decision, whole: Decision) -> Decision:
    """Return what estimates decide, unless all messages decide otherwise: then nothing is decided."""
    contradicted = whole.outcome not in {estimate.outcome, Judgement.UNDECIDED}
    return replace(estimate, outcome=Judgement.UNDECIDED, needed=None) if contradicted else estimate


def _decides(one: _Open) -> bool:
    return not one.told and not one.lacking and one.cell.valid >= one.cell.needed


def _line(
    one: _Open, verdict: Shown, decision: Decision | None, *, paired: bool, whole: Decision | None = None
) -> GateLine:
    found = decision or Decision(Judgement.UNDECIDED, min(len(one.candidate), len(one.baseline)), math.nan)
    line = GateLine(
        target=one.cell.target,
        workload=one.cell.workload,
        metric=one.limit.metric,
        unit=one.metric.unit,
        direction="lower" if one.metric.lower_is_better else "higher",
        verdict=verdict,
        n=found.n,
        planned=one.cell.planned,
        baseline=_median(one.baseline),
        candidate=_median(one.candidate),
        ratio=_finite(found.ratio),
        low=_finite(found.low),
        high=_finite(found.high),
        alpha=_finite(found.level),
        bound=_finite(found.bound),
        limit=one.threshold,
        detectable=_finite(found.detectable),
        needed=found.needed,
        text="",
        whole_low=None if whole is None else _finite(whole.low),
        whole_high=None if whole is None else _finite(whole.high),
        whole_verdict=None if whole is None else _SHOWN[whole.outcome],
    )
    return line.model_copy(update={"text": words.line(line, one.cell, one.told, found.worse, paired=paired)})


def _median(values: Sequence[float]) -> float | None:
    return _finite(median(values)) if values else None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _verdict(lines: Sequence[GateLine]) -> Verdict:
    found = {line.verdict for line in lines} - {"told"}
    return next((one for one in _WORST_FIRST if one in found), "undecided")
