"""What a side's figures must keep to, whatever other runs had: one line a limit and row.

The limits are those of the scenario and those of the budget; all of them must be kept. They
are judged over the trials of the candidate alone, by `bench.stats.absolute_limit`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.scenario.scenario import AbsoluteLimit
from bench.stats.absolute_limit import Bounded, LimitDecision, keep_to
from reports.gate import words
from reports.gate.metrics import METRICS
from reports.gate.pairs import PairedCell, Side, cells
from reports.gate.result import LimitLine, ShownLimit


@dataclass(frozen=True)
class _OpenLimit:
    cell: PairedCell
    limit: AbsoluteLimit
    values: Sequence[float]
    whole: Sequence[float] | None

    def bounded(self, values: Sequence[float]) -> Bounded:
        counted = METRICS[self.limit.metric].counted
        return Bounded(values, self.limit.bound, upper=self.limit.upper, counted=counted)


def limit_lines(side: Side, limits: Sequence[AbsoluteLimit]) -> tuple[LimitLine, ...]:
    """Judge the rows of a side by the limits that apply to them.

    There is none of a run that a condition ended early: what was measured until then was measured until a figure looked
    bad, and is no estimate.
    """
    if side.run.ended_early:
        return ()
    opened = [
        _OpenLimit(cell, limit, *_values(side, limit, cell))
        for cell in cells(side, side, paired=False)
        for limit in limits
        if limit.applies(cell.target, cell.workload, side.workload(cell.workload).given_name)
    ]
    decisions = keep_to([one.bounded(one.values) for one in opened])
    wholes = keep_to([one.bounded(one.values if one.whole is None else one.whole) for one in opened])
    return tuple(_line(one, found, whole) for one, found, whole in zip(opened, decisions, wholes, strict=True))


def _values(side: Side, limit: AbsoluteLimit, cell: PairedCell) -> tuple[list[float], list[float] | None]:
    """Return the figures of a row's trials, and those of all messages where the former leave the host's pauses out."""
    values = list(side.figures(limit.metric, cell.target, cell.workload).values())
    if not METRICS[limit.metric].of_latency:
        return values, None
    whole = list(side.figures(limit.metric, cell.target, cell.workload, whole=True).values())
    return values, whole if len(whole) == len(values) and all(map(math.isfinite, whole)) else None


def _line(one: _OpenLimit, found: LimitDecision, whole: LimitDecision) -> LimitLine:
    contradicted = whole.outcome not in {found.outcome, "undecided"}
    if contradicted:
        found = replace(found, outcome="undecided", needed=None)
    verdict: ShownLimit = found.outcome
    metric = METRICS[one.limit.metric]
    if one.cell.valid < one.cell.three_quarters and not (metric.counted and verdict == "fail"):
        verdict = "invalid"
    line = LimitLine(
        target=one.cell.target,
        workload=one.cell.workload,
        metric=one.limit.metric,
        unit=metric.unit,
        side="at_most" if one.limit.upper else "at_least",
        bound=one.limit.bound,
        verdict=verdict,
        n=found.n,
        planned=one.cell.planned,
        value=found.value,
        low=found.low,
        high=found.high if found.high is not None and math.isfinite(found.high) else None,
        alpha=found.level,
        needed=found.needed if verdict == "undecided" else None,
        text="",
        whole_verdict=None if one.whole is None else whole.outcome,
    )
    return line.model_copy(update={"text": words.limit(line, one.cell, found.beyond)})
