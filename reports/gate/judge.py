"""From two sides and a budget to a verdict: which lines decide, what they say, what follows.

A regression anywhere fails the gate, and so does an absolute limit that is not kept. Otherwise
a row without enough valid pairs makes it invalid, a suspect or undecided line leaves it
undecided, and only where every line that decides passes does the gate pass. Without a
baseline nothing but absolute limits decides.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from statistics import median

from bench.results.comparability import unlike_receipt
from bench.scenario.scenario import InFlightLoad
from bench.stats.noninferiority import ALARM, MIN_PAIRS, MISS, POWER, Decision, Judgement, Measure, decide
from bench.stats.pair_drift import NONE
from bench.stats.ratio import Pair
from reports.cases import MIN_CPUS
from reports.dataset import Dataset
from reports.gate import words
from reports.gate.absolute_limit import limit_lines
from reports.gate.budget import Budget, Limit
from reports.gate.differences import differences
from reports.gate.metrics import METRICS, GateMetric, floor_name
from reports.gate.pairs import (
    GateError,
    GateSide,
    PairedCell,
    PairedFigures,
    Side,
    cells,
    check,
    paired_figures,
    quick_looks,
)
from reports.gate.result import (
    EXIT_CODES,
    DriftOfSides,
    Gate,
    GateLine,
    SecondLook,
    Shown,
    Verdict,
)

EVERY = "every metric"
"""Name of a noise floor that was given for all."""
_SHOWN: dict[Judgement, Shown] = {
    Judgement.PASS: "pass",
    Judgement.REGRESSION: "regression",
    Judgement.SUSPECT: "suspect",
    Judgement.UNDECIDED: "undecided",
}
_WORST_FIRST: tuple[Verdict, ...] = ("regression", "fail", "invalid", "suspect", "undecided", "pass")


@dataclass(frozen=True)
class _Open:
    # A line before it is decided; `told` says why it decides nothing, `lacking` that it has no figures. `whole` has
    # the figures of all messages, where its own leave the host's pauses out.
    cell: PairedCell
    limit: Limit
    metric: GateMetric
    threshold: float
    figures: PairedFigures
    told: str
    whole: PairedFigures | None = None

    @property
    def lacking(self) -> bool:
        return min(len(self.figures.candidate), len(self.figures.baseline)) < MIN_PAIRS

    @property
    def measure(self) -> Measure:
        return self._measure(self.figures)

    @property
    def whole_measure(self) -> Measure:
        """Of all messages, where there is that; else as `measure`."""
        return self._measure(self.figures if self.whole is None else self.whole)

    def _measure(self, held: PairedFigures) -> Measure:
        pair = Pair(held.candidate, held.baseline, lower_is_better=self.metric.lower_is_better)
        return Measure(pair, self.threshold, counted=self.metric.counted, places=held.places)


@dataclass(frozen=True)
class _Compared:
    # What a comparison with a baseline found; nothing where there was none.
    lines: tuple[GateLine, ...] = ()
    verdict: Verdict = "pass"
    sentence: str = ""
    hosts: tuple[str, ...] = ()
    floors: Mapping[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    drift: DriftOfSides | None = None


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
    if not is_paired(data):
        message = (
            f"{results[0]} is no run of `bench gate --paired`, and neither its scenario nor the budget has absolute"
            " limits: name two results folders, baseline and candidate"
        )
        raise GateError(message)
    base, new = Side(data, "baseline"), Side(data, "candidate")
    names = differences(data.runs[0])
    return _gate(new, _compared(base, new, budget, noise_floor, paired=True), budget, names, results, paired=True)


def is_paired(data: Dataset) -> bool:
    """Return whether a run is one in which two sides took turns."""
    return any(line.paired for line in data.runs[0].plan)


def judge_stored(
    base: Dataset, new: Dataset, budget: Budget, noise_floor: float | None, results: Sequence[str]
) -> Gate:
    """Judge two stored runs: no sign of change, suspect, or undecided; never a regression.

    Raises:
        GateError: they cannot be compared, or the budget names what they do not have.
    """
    return judge_sides(Side(base), Side(new), budget, noise_floor, results)


def judge_sides(base: GateSide, new: Side, budget: Budget, noise_floor: float | None, results: Sequence[str]) -> Gate:
    """As `judge_stored`, of a baseline that may be no results folder.

    Raises:
        GateError: they cannot be compared, or the budget names what they do not have.
    """
    found = _compared(base, new, budget, noise_floor, paired=False)
    return _gate(new, found, budget, (base.title, new.title), results)


def judge_first(new: Dataset, budget: Budget, results: Sequence[str], why: str = words.NOTHING_YET) -> Gate:
    """Judge a run that has no baseline yet: its figures are told, and absolute limits alone decide.

    Raises:
        GateError: it is a quick look, has fewer trials than a comparison needs, so that every gate after it would be
            invalid, or the budget names what it does not have.
    """
    side = Side(new)
    rows = list(cells(side, side, paired=False))
    few = sorted({row.planned for row in rows if row.planned < MIN_PAIRS}) if budget.relative else []
    _refuse([*quick_looks(side), *map(words.too_few, few), *_strangers(budget, side, rows)])
    lines = () if side.run.ended_early else tuple(_first_lines(side, rows, budget, why))
    found = _Compared(lines, sentence=f"Pass: {why}.", hosts=(side.host_class,))
    return _gate(side, found, budget, (None, side.title), results)


def _first_lines(side: Side, rows: Sequence[PairedCell], budget: Budget, why: str) -> Iterator[GateLine]:
    for cell in rows:
        for limit in budget.applying(cell.target, cell.workload, side.workload(cell.workload).given_name):
            held = PairedFigures(list(side.figures(limit.metric, cell.target, cell.workload).values()), [])
            one = _Open(cell, limit, METRICS[limit.metric], limit.threshold(None), held, why)
            yield _line(one, "told", Decision(Judgement.UNDECIDED, len(held.candidate), math.nan))


def judge_limits(new: Dataset, budget: Budget | None, results: Sequence[str]) -> Gate:
    """Judge a run by absolute limits alone: those of its scenario, and of a budget.

    Raises:
        GateError: it is a quick look, no limit is about a row of it, or the budget names what it does not have.
    """
    side = Side(new)
    strangers = [] if budget is None else _strangers(budget, side, list(cells(side, side, paired=False)))
    _refuse([*quick_looks(side), *strangers])
    return _gate(side, _Compared(hosts=(side.host_class,)), budget, (None, side.title), results)


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise GateError(*faults)


def _strangers(budget: Budget, new: Side, rows: Sequence[PairedCell]) -> list[str]:
    workloads = {name for row in rows for name in (row.workload, new.workload(row.workload).given_name) if name}
    return [*budget.strangers({row.target for row in rows}, workloads)]


def _gate(
    new: Side,
    found: _Compared,
    budget: Budget | None,
    names: tuple[str | None, str],
    results: Sequence[str],
    *,
    paired: bool = False,
) -> Gate:
    """Put what a comparison found and what absolute limits say together."""
    kept = limit_lines(new, (*new.run.scenario.limits, *(() if budget is None else budget.absolute)))
    ended = new.run.ended_early
    if not kept and not found.sentence and not ended:
        _refuse(["no limit is about a row of this run: name its targets and workloads in `limits`"])
    said = [(found.verdict, found.sentence)] if found.sentence else []
    if ended:
        said = [("fail", words.ended_early(ended))]
    elif kept:
        worst = _worst({line.verdict for line in kept})
        said.append((worst, words.limits(worst, kept)))
    said.sort(key=lambda one: _WORST_FIRST.index(one[0]))
    (verdict, sentence), *others = said
    rows = list(cells(new, new, paired=False))
    return Gate(
        verdict=verdict,
        exit_code=EXIT_CODES[verdict],
        sentence=sentence,
        paired=paired,
        baseline=names[0],
        candidate=names[1],
        host_classes=found.hosts,
        pairs=max(row.planned for row in rows),
        alarm=ALARM,
        miss=MISS,
        power=POWER,
        noise_floor=dict(found.floors),
        lines=found.lines,
        limits=kept,
        drift=found.drift,
        remarks=(*(text for _, text in others), *found.remarks),
        started_utc=new.run.started_utc,
        results=tuple(results),
    )


def _compared(base: GateSide, new: Side, budget: Budget, noise_floor: float | None, *, paired: bool) -> _Compared:
    remarks = [*base.remarks, *check(base, new)]
    rows = list(cells(base, new, paired=paired))
    _refuse(_strangers(budget, new, rows))
    hosts = tuple(dict.fromkeys((base.host_class, new.host_class)))
    if new.run.ended_early or not budget.relative:
        return _Compared(hosts=hosts)
    unlike = len(hosts) > 1
    floors = _floors(base, new) if noise_floor is None else {EVERY: noise_floor}
    opened = list(_opened(base, new, rows, budget, floors, paired=paired, unlike=unlike))
    lines, drift = _closed(opened, paired=paired)
    verdict = _worst({line.verdict for line in lines})
    remarks += [words.drift(drift)] if drift is not None and drift.widening > 1 else []
    remarks += [words.left_out(row) for row in rows if row.valid < row.planned]
    remarks += dict.fromkeys(words.told(one.limit.metric, one.told) for one in opened if one.told)
    sentence = words.unlike_hosts(hosts) if unlike else words.sentence(verdict, lines, rows, paired=paired)
    return _Compared(lines, verdict, sentence, hosts, floors, tuple(remarks), drift)


def _opened(
    base: GateSide,
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
        for limit in budget.applying(cell.target, cell.workload, new.workload(cell.workload).given_name):
            metric = METRICS[limit.metric]
            held = paired_figures(base, new, limit.metric, cell, paired=paired)
            told = "the budget only shows it" if not limit.decides else ""
            if metric.throughput and few:
                told = few
            if metric.of_latency and _otherwise_received(base, new, cell):
                told = "messages of the two sides count as received at different instants"
            if unlike:
                told = "the hosts are unlike"
            told = told or base.lacks(limit.metric)
            lacking = min(len(held.candidate), len(held.baseline)) < MIN_PAIRS
            if lacking and not limit.required and cell.valid >= cell.needed:
                told = told or "there is no figure, or too few messages for it"
            floor = floors.get(floor_name(limit.metric, closed_loop=closed), floors.get(EVERY))
            whole = _whole(base, new, limit, cell, held, paired=paired)
            yield _Open(cell, limit, metric, limit.threshold(floor), held, told, whole)


def _otherwise_received(base: GateSide, new: Side, cell: PairedCell) -> bool:
    """Return whether the two sides of a row count messages as received at different instants."""
    return unlike_receipt(*(side.receipt(cell.target, cell.workload) for side in (base, new))) is not None


def _whole(
    base: GateSide, new: Side, limit: Limit, cell: PairedCell, held: PairedFigures, *, paired: bool
) -> PairedFigures | None:
    """Return the figures of all messages; None where the metric's own are of all, or some trial has none."""
    if not METRICS[limit.metric].of_latency:
        return None
    whole = paired_figures(base, new, limit.metric, cell, paired=paired, whole=True)
    alike = (len(whole.candidate), len(whole.baseline)) == (len(held.candidate), len(held.baseline))
    complete = alike and all(map(math.isfinite, [*whole.candidate, *whole.baseline]))
    return whole if complete and whole.candidate and whole.baseline else None


def _floors(base: GateSide, new: Side) -> dict[str, float]:
    """Return the larger noise floor of the two hosts, by metric."""
    names = sorted({*base.floors, *new.floors})
    return {name: max(side.floors.get(name, 0.0) for side in (base, new)) for name in names}


def _few_cpus(base: GateSide, new: Side) -> str:
    fewest = min(side.cpus or 0 for side in (base, new))
    if fewest >= MIN_CPUS:
        return ""
    return f"throughput is gated on hosts of {MIN_CPUS} CPUs and more" + (f", and this has {fewest}" if fewest else "")


def _closed(opened: Sequence[_Open], *, paired: bool) -> tuple[tuple[GateLine, ...], DriftOfSides | None]:
    """Decide the lines that can be decided as one family; the others by themselves, to be shown."""
    deciding = [one for one in opened if _decides(one)]
    decisions = decide([one.measure for one in deciding], paired=paired)
    wholes = decide([one.whole_measure for one in deciding], paired=paired)
    found = {id(one): pair for one, pair in zip(deciding, zip(decisions, wholes, strict=True), strict=True)}
    return tuple(_lines(opened, found, paired=paired)), _drift(decisions)


def _drift(decisions: Sequence[Decision]) -> DriftOfSides | None:
    """Return the drift that widened lines; of lines of unlike numbers of pairs that of the most."""
    widened = [one for one in decisions if one.drift is not NONE]
    if not widened:
        return None
    most = max(widened, key=lambda one: one.n)
    return DriftOfSides(lag1=most.drift.lag1, widening=most.drift.widening(most.n), lines=most.drift.lines)


def _lines(
    opened: Sequence[_Open], found: Mapping[int, tuple[Decision, Decision]], *, paired: bool
) -> Iterator[GateLine]:
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
    one: _Open, verdict: Shown, decision: Decision | None, *, paired: bool = False, whole: Decision | None = None
) -> GateLine:
    candidate, baseline = one.figures.candidate, one.figures.baseline
    found = decision or Decision(Judgement.UNDECIDED, min(len(candidate), len(baseline)), math.nan)
    line = GateLine(
        target=one.cell.target,
        workload=one.cell.workload,
        metric=one.limit.metric,
        unit=one.metric.unit,
        direction="lower" if one.metric.lower_is_better else "higher",
        verdict=verdict,
        n=found.n,
        planned=one.cell.planned,
        baseline=_median(baseline),
        candidate=_median(candidate),
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
        second=_second(found),
    )
    return line.model_copy(update={"text": words.line(line, one.cell, one.told, found.worse, paired=paired)})


def _second(found: Decision) -> SecondLook | None:
    said = found.second
    if said is None:
        return None
    low, high = (_finite(end) if end else None for end in (said.low, said.high))
    return SecondLook(verdict=_SHOWN[said.outcome], ratio=said.ratio, low=low, high=high)


def _median(values: Sequence[float]) -> float | None:
    return _finite(median(values)) if values else None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _worst(verdicts: AbstractSet[str]) -> Verdict:
    return next((one for one in _WORST_FIRST if one in verdicts), "undecided")
