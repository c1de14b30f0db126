"""How far the answer to a question can be trusted: trials, health, findings, settings, durability, noise. Pure."""

from collections.abc import Sequence

import pandas as pd

from bench.results.comparability import receipt
from bench.stats.noise_floor import relevant
from bench.units import percent
from reports.cases import Cells, metric_of
from reports.caveats import away
from reports.dataset import TRIAL, Dataset
from reports.format import count, listed, milliseconds
from reports.left_out import Reason, reasons
from reports.questions import Question
from reports.summary import Cell, SettingRow, Trust


def trust(data: Dataset, question: Question, cells: Cells, settings: Sequence[SettingRow]) -> Trust:
    """Return what the answer to a question rests on: trials, notes, rows, and the settings in which brokers differ."""
    names = {workload.name for workload in question.workloads}
    rows = [row for row in cells.values() if row.workload in names and row.planned]
    spreads = [noise for row in rows if (noise := metric_of(question, row).noise) is not None]
    trials = data.trials[data.trials["workload"].isin(names)]
    notes = data.notes[data.notes["workload"].isin(names)]
    health = notes[notes["kind"] == "health"]
    delta, source = relevant(question.floor, [run.noise_floor for run in data.runs])
    found = Trust(
        trials_low=min((row.n for row in rows), default=0),
        trials_high=max((row.n for row in rows), default=0),
        planned=sum(run.scenario.plan.repetitions for run in data.runs if _plans(run.plan, names)),
        left_out=int((~trials["usable"]).sum()),
        warnings=_codes(health[~health["hard"].astype(bool)]),
        hard=_codes(health[health["hard"].astype(bool)]),
        findings=_codes(notes[notes["kind"] == "finding"]),
        unlike=tuple(row.key for row in settings if row.unlike or row.differs),
        durability=tuple(dict.fromkeys(row.durability for row in rows)),
        spread_low=min(spreads, default=None),
        spread_high=max(spreads, default=None),
        relevant=delta,
        relevant_from=source,
        lines=(),
    )
    out = reasons(data, trials)
    return found.model_copy(update={"lines": (*_lines(found, out), *_host(data, names, rows), *_received(data, names))})


def _host(data: Dataset, names: set[str], rows: Sequence[Cell]) -> list[str]:
    """Return how often the host was away, and how much of each row entered its estimates; nothing without a meter."""
    seen = [one.pauses for one in data.records.values() if one.workload in names and one.pauses is not None]
    if not seen:
        return []
    entered = sorted(row.entered for row in rows if row.entered is not None)
    shares = " to ".join(dict.fromkeys(percent(share) for share in (entered[0], entered[-1]))) if entered else "none"
    tested = sum(one.crossing is not None for one in seen)
    said = (
        f"Host: {away(seen)}. Of each row {shares} of the messages entered its percentiles. In {count(tested)} of"
        f" {count(len(seen))} trials pauses were enough to test that they come without regard to the broker."
    )
    return [said]


def _received(data: Dataset, names: set[str]) -> list[str]:
    """Return when messages counted as received, and how much later they were read; nothing without a result."""
    # A queue that is filled, or drained, tells no latency of receiving.
    valid = [
        one
        for one in data.records.values()
        if one.workload in names and one.valid and one.latency.keys() & {"response", "service"}
    ]
    how = receipt(valid)
    if how is None:
        return []
    usable = data.trials.loc[data.trials["usable"] & data.trials["workload"].isin(names), TRIAL]
    lags = data.latency[data.latency["tag"] == "receive_lag"].merge(usable, on=TRIAL)["p99"].dropna()
    later = ""
    lags = lags[lags < float("inf")]
    if len(lags):
        ends = dict.fromkeys(milliseconds(value) for value in (lags.min(), lags.max()))
        later = f"; p99 of the time from then to our reading is {' to '.join(ends)} ms"
    return [f"Messages count as received {how}{later}."]


def _plans(plan: Sequence[object], names: set[str]) -> bool:
    return any(getattr(line, "workload", None) in names for line in plan)


def _codes(notes: pd.DataFrame) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(code) for code in notes["code"]))


def _lines(found: Trust, out: Sequence[Reason]) -> list[str]:
    few, many = count(found.trials_low), count(found.trials_high)
    n = few if few == many else f"{few} to {many}"
    lines = [f"n = {n} usable trials a row, of {count(found.planned)} planned."]
    if found.left_out:
        lines.append(f"Left out: {'; '.join(map(str, out))}.")
    if found.warnings:
        lines.append(f"Health: warned of {listed(list(found.warnings))}.")
    elif found.trials_high:
        lines.append("Health: no warning of the trials that count.")
    lines.append(f"Findings: {listed(list(found.findings))}." if found.findings else "Findings: none.")
    if found.unlike:
        lines.append(f"Settings: brokers differ in {listed(list(found.unlike))}.")
    else:
        lines.append("Settings: none differs.")
    lines.append(f"A confirmed message survives {'; in other rows '.join(found.durability)}.")
    smallest = f"{percent(found.relevant)} ({found.relevant_from})"
    if found.spread_low is None or found.spread_high is None:
        lines.append(f"Noise: not known from so few trials; smallest relevant effect {smallest}.")
    else:
        low, high = percent(found.spread_low), percent(found.spread_high)
        span = low if low == high else f"{low} to {high}"
        lines.append(
            f"Noise: a row's trials spread by {span} (standard deviation); smallest relevant effect {smallest}."
        )
    return lines
