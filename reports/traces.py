"""The lines of figures, as data: latency by percentile, and over the time of a trial. Pure.

A line has the estimator of the tables: the geometric mean over a row's usable trials. What is drawn on paper and what
a page lets its reader point at are these same numbers.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from reports.dataset import TRIAL, Dataset
from reports.model import spread
from reports.patterns import tag_of
from reports.quantiles import PERCENTILES
from reports.questions import Question
from reports.summary import Cell, Mark, Trace

POINTS_A_NINE = 40
WARM_UP_SHARE = 0.5
"""How much of the warm-up is shown, as a share of the measured part: that is what the figure is about."""
TIME_COLUMNS = ("p99", "p50")
PHASES = ("warm-up", "measure", "drain")
MOST_MARKS = 200


def nines(percent: float) -> float:
    """Return the place of a percentile on an axis: the number of nines, such as 2 for 99 %."""
    return float(-np.log10(max(1 - percent / 100, 1e-15)))


def traces(data: Dataset, asked: Sequence[Question], cells: Mapping[tuple[str, str], Cell]) -> Iterator[Trace]:
    """Yield the lines of every question of one workload; curves and sweeps have their points in the cells."""
    for question in asked:
        if question.many:
            continue
        for target in (target.name for target in data.scenario.targets):
            row = cells[target, question.workloads[0].name]
            if row.n and not row.overloaded:
                yield from _percentiles(data, question, row)
        yield from _over_time(data, question)


def edges(middles: Sequence[float]) -> tuple[float, float]:
    """Return where the first bin begins and the last one ends."""
    half = (middles[1] - middles[0]) / 2 if len(middles) > 1 else 0.5
    return middles[0] - half, middles[-1] + half


def marks(data: Dataset, asked: Sequence[Question], drawn: Sequence[Trace]) -> Iterator[Mark]:
    """Yield what happened in the trials of questions whose lines are drawn, phases aside: where and how long, once.

    What lies before the figure or after it is left out, but a restart stands at its edge. Of one kind and target the
    longest are kept.
    """
    for question in asked:
        shown = [edges(line.x) for line in drawn if (line.question, line.kind) == (question.name, "time")]
        if not shown:
            continue
        start, end = min(first for first, _ in shown), max(last for _, last in shown)
        rows = data.usable(question.workloads[0].name)[TRIAL].merge(data.events, on=TRIAL)
        rows = rows[~rows["event"].isin(PHASES) & ((rows["to_s"] >= start) | (rows["event"] == "restart"))]
        rows = rows[rows["from_s"] <= end]
        rows = rows.assign(length=rows["to_s"] - rows["from_s"], from_s=rows["from_s"].clip(lower=start))
        rows = rows.assign(to_s=rows["to_s"].clip(lower=start, upper=end))
        rows = rows.drop_duplicates(["event", "target", "from_s", "to_s", "text"])
        for (event, target), group in rows.groupby(["event", "target"], sort=False):
            longest = group.sort_values("length", ascending=False).head(MOST_MARKS).sort_values("from_s")
            for from_s, to_s, text in longest[["from_s", "to_s", "text"]].itertuples(index=False):
                yield Mark(
                    question=question.name, event=str(event), target=str(target), from_s=from_s, to_s=to_s, text=text
                )


def _percentiles(data: Dataset, question: Question, row: Cell) -> Iterator[Trace]:
    """Yield the line of a row: as far as each of its trials carries it, and the table prints it."""
    trials = data.distributions(row.target, row.workload, tag_of(question.workloads[0]))
    deepest = min((one.deepest for one in trials), default=0.0)
    withheld = [percent for name, percent in PERCENTILES.items() if row.latency_ns[name].centre is None]
    limit = min([nines(deepest), *(nines(percent) - 1 / POINTS_A_NINE for percent in withheld)])
    if limit <= 0:
        return
    printed = [place for place in map(nines, PERCENTILES.values()) if place <= limit]
    # The same places for every line, but for its end, so that one can point at all of them at once.
    grid = np.arange(int(limit * POINTS_A_NINE) + 1) / POINTS_A_NINE
    places = np.unique(np.round([*grid, *printed, limit], 9))
    percents = 100 * (1 - 10**-places)
    values = np.array([one.along(percents) for one in trials])
    known = np.isfinite(values).all(axis=0) & (values > 0).all(axis=0)
    if known.any():
        shown = values[:, known]
        yield Trace(
            question=question.name,
            kind="percentiles",
            target=row.target,
            column=row.latency_tag,
            x=tuple(percents[known].tolist()),
            y_ns=tuple(np.exp(np.log(shown).mean(axis=0)).tolist()),
            low_ns=tuple(shown.min(axis=0).tolist()),
            high_ns=tuple(shown.max(axis=0).tolist()),
        )


def _over_time(data: Dataset, question: Question) -> Iterator[Trace]:
    trials = data.usable(question.workloads[0].name)
    trials = trials[trials["overload"] == ""]
    if trials.empty:
        return
    rows = trials[[*TRIAL, "measured_s"]].merge(data.seconds, on=TRIAL)
    rows = rows[rows["from_s"] >= -WARM_UP_SHARE * rows["measured_s"]]
    for column in TIME_COLUMNS:
        known = rows[rows[column].notna()]
        known = known.assign(middle=(known["from_s"] + known["to_s"]) / 2)
        for target in (target.name for target in data.scenario.targets):
            mine = known[known["target"] == target]
            if len(mine):
                yield _by_second(question.name, target, column, mine)


def _by_second(question: str, target: str, column: str, rows: pd.DataFrame) -> Trace:
    seen: dict[float, list[float]] = {}
    for middle, value in zip(rows["middle"].tolist(), rows[column].tolist(), strict=True):
        seen.setdefault(middle, []).append(value)
    # Bins of trials that lasted unlike long need not coincide: a point stands for half of the trials at least.
    trials = len(rows[TRIAL].drop_duplicates())
    at = [(middle, spread(seen[middle])) for middle in sorted(seen) if 2 * len(seen[middle]) >= trials]
    return Trace(
        question=question,
        kind="time",
        target=target,
        column=column,
        x=tuple(middle for middle, _ in at),
        y_ns=tuple(float(each.centre or 0.0) for _, each in at),
        low_ns=tuple(float(each.low or 0.0) for _, each in at),
        high_ns=tuple(float(each.high or 0.0) for _, each in at),
    )
