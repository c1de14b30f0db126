"""One row of the summary table: a target under a workload. Pure: frames in, a Cell out."""

import math
from collections.abc import Iterator, Sequence

import pandas as pd

from bench.results.records import TrialRecord
from bench.scenario.scenario import Target, Workload
from bench.units import percent
from reports import undisturbed
from reports.dataset import TRIAL, Dataset, overloads, rows_of
from reports.durability import durability
from reports.format import listed, milliseconds, number
from reports.left_out import over_used
from reports.model import Spread, not_enough, spread
from reports.outcomes import copies_of, fate, told
from reports.patterns import tag_of
from reports.quantiles import PERCENTILES, Distribution
from reports.questions import in_flight, offered
from reports.summary import Cell, Uncounted


def latency_of(data: Dataset, target: str, workload: Workload) -> pd.DataFrame:
    """Return the latency that a row is about, one row a usable trial; see `reports.patterns.tag_of`."""
    return _latency(data, target, workload, data.trials.loc[data.trials["usable"], TRIAL])


def _latency(data: Dataset, target: str, workload: Workload, trials: pd.DataFrame) -> pd.DataFrame:
    rows = rows_of(data.latency, target, workload.name)
    found = rows[rows["tag"] == tag_of(workload)].merge(trials[TRIAL], on=TRIAL)
    unseen = found["entered"].isna()
    if unseen.any() and not unseen.all():
        # Percentiles of all messages and estimates do not mix: a trial that lost sight of the meter has none.
        found.loc[unseen, list(PERCENTILES)] = math.nan
    return found


def cell(data: Dataset, target: Target, workload: Workload) -> Cell:
    """Return everything that a report says about a target under a workload."""
    everything = rows_of(data.trials, target.name, workload.name)
    trials = everything[everything["usable"]]
    latency = latency_of(data, target.name, workload)
    messages = int(latency["count"].sum())
    a_trial = messages / len(latency) if len(latency) else 0.0
    seconds = float(trials["measured_s"].mean()) if len(trials) else 0.0
    missing = "no usable trial"
    if workload.phase == "dequeue" and len(trials):
        missing = "none: how long a message lay tells when it was put in"
    lines = [
        line for run in data.runs for line in run.plan if line.target == target.name and line.workload == workload.name
    ]
    # What others make up for counts once.
    again = {line.makes_up_for for line in lines} - {None}
    planned = len(lines) - int((~everything["usable"] & everything["repetition"].isin(again)).sum())
    closed = workload.closed
    pooled = data.distribution(target.name, workload.name, tag_of(workload))
    overload = overloads(trials)
    metered = bool(latency["entered"].notna().any())
    doubt = next((str(why) for why in latency["doubt"] if why), "")
    records = [data.records[key] for key in zip(latency["run_id"], latency["index"], strict=True)]
    finished = [data.records[key] for key in zip(everything["run_id"], everything["index"], strict=True)]
    tail = undisturbed.dependence(one.pauses for one in records if one.pauses is not None) if metered else ""
    # Asked once for all percentiles: each question to a frame costs the same, however few rows it has.
    dropped = bool(latency["dropped"].any())
    became = fate([one.ledger for one in records])
    ratio = _left_out_over_used(data, target.name, workload, everything, latency)
    return Cell(
        target=target.name,
        workload=workload.name,
        flow=workload.flow,
        at=workload.at,
        planned=planned,
        n=len(trials),
        overloaded=int((trials["overload"] != "").sum()),
        overload=overload,
        background=workload.background,
        latency_tag=tag_of(workload),
        messages=messages,
        in_flight=in_flight(workload) if closed else None,
        offered_rate=None if closed else offered(workload),
        due_rate=None if closed else _finite(float((trials["owed"] / trials["measured_s"]).mean())),
        copies=_copies(finished),
        achieved_rate=spread(trials["achieved_rate"], missing),
        latency_ns={
            name: spread(
                latency[name],
                doubt or (not_enough(name, a_trial, seconds) if len(latency) else missing),
                unbounded=overload or (_at_least(latency, name) if dropped else ""),
                fate=became,
            )
            if not (few := _untold(name, latency, tail, pooled))
            else spread((), few)
            for name in (*PERCENTILES, "max", "mean")
        },
        fate=became,
        beside_ns=_beside(data, target.name, workload, trials),
        all_ns={name: spread(latency[f"all_{name}"]) for name in PERCENTILES} if metered else {},
        entered=_finite(float(latency["entered"].mean())) if metered else None,
        broker_cpu_us=spread(trials["broker_cpu_us_per_message"]),
        client_cpu_us=spread(trials["client_cpu_us_per_message"]),
        client_cores=spread(trials["client_cpu_cores_busiest"]),
        broker_rss=spread(trials["broker_rss_peak"]),
        uncounted=_uncounted(data, target.name, workload, everything) if len(everything) and not len(trials) else None,
        left_out_over_used=ratio,
        client_bound=bool(trials["client_bound"].any()),
        durability=durability(data.products, target.broker, workload, data.durability),
        remarks=(
            *_remarks(target, workload, planned, everything, trials, ratio),
            *told(workload, finished, int(latency["dropped"].sum()), int(latency["never"].sum())),
            *_away(workload, trials),
        ),
    )


def _beside(data: Dataset, target: str, workload: Workload, trials: pd.DataFrame) -> dict[str, dict[str, Spread]]:
    """Return the latencies that explain the one that a row is about, of all messages, by tag."""
    rows = rows_of(data.latency, target, workload.name).merge(trials[TRIAL], on=TRIAL)
    found = {tag: rows[rows["tag"] == tag] for tag in ("last", "reply_lag")}
    return {
        tag: {name: spread(mine[name]) for name in ("p50", "p99", "max")} for tag, mine in found.items() if len(mine)
    }


def _copies(finished: Sequence[TrialRecord]) -> float:
    return sum(copies_of(one.ledger) for one in finished) / len(finished) if finished else 1.0


def _uncounted(data: Dataset, target: str, workload: Workload, trials: pd.DataFrame) -> Uncounted:
    latency = _latency(data, target, workload, trials)
    overload = overloads(trials)
    return Uncounted(
        trials=len(trials),
        achieved_rate=spread(trials["achieved_rate"]),
        latency_ns={name: spread(latency[name], unbounded=overload) for name in (*PERCENTILES, "max", "mean")},
        broker_cpu_us=spread(trials["broker_cpu_us_per_message"]),
        client_cpu_us=spread(trials["client_cpu_us_per_message"]),
        broker_rss=spread(trials["broker_rss_peak"]),
    )


def _left_out_over_used(
    data: Dataset, target: str, workload: Workload, everything: pd.DataFrame, used: pd.DataFrame
) -> float | None:
    if bool(everything["usable"].all()) or not bool(everything["usable"].any()):
        return None
    if workload.closed:
        rates = everything["achieved_rate"]
        return over_used(rates[everything["usable"]], rates[~everything["usable"]])
    if not used["p99"].notna().any():
        return None
    both = _latency(data, target, workload, everything).merge(everything[[*TRIAL, "usable"]], on=TRIAL)
    return over_used(both.loc[both["usable"], "p99"], both.loc[~both["usable"], "p99"])


def _untold(name: str, latency: pd.DataFrame, tail: str, row: Distribution) -> str:
    """Return why a percentile of a row with estimates is not printed; empty where it is, or where there are none."""
    if name not in PERCENTILES or not latency[name].notna().any() or latency["entered"].isna().all():
        return ""
    return (tail if name != "p50" else "") or undisturbed.too_few(name, latency[f"episodes_{name}"].tolist(), row)


def _at_least(latency: pd.DataFrame, name: str) -> str:
    """Return a lower bound of a latency whose messages were dropped: the highest latency received."""
    known = latency[name].where(latency[name] < float("inf"), latency["bound"]).dropna()
    if known.empty:
        return ""
    return f"≥ {milliseconds(float(known.median()))} ms: messages of that rank were dropped"


def _finite(value: float) -> float | None:
    return value if 0 <= value < float("inf") else None


def _away(workload: Workload, trials: pd.DataFrame) -> Iterator[str]:
    """Yield what stands beside a rate over all messages: how much of its time the host was away."""
    if workload.messages and bool((away := trials["away_share"].dropna()).any()):
        yield f"the host was away in {percent(float(away.mean()))} of the time that its rate is over"


def _remarks(
    target: Target,
    workload: Workload,
    planned: int,
    everything: pd.DataFrame,
    trials: pd.DataFrame,
    ratio: float | None,
) -> Iterator[str]:
    if target.options:
        options = listed([f"{name} = {value}" for name, value in target.options.items()])
        yield f"driver {target.driver} with {options}"
    total = len(everything)
    if total < planned:
        yield f"{planned - total} of {planned} planned trials without a result"
    if bool(trials["client_bound"].any()):
        yield "client-bound: a lower bound"
    for outcome, group in trials[trials["outcome"] != "completed"].groupby("outcome"):
        yield f"{overloads(group) or str(outcome)} in {len(group)} of {total} trials"
    if out := total - int(everything["usable"].sum()):
        figure = "rate" if workload.closed else "p99"
        beside = f"; their {figure} is {number(ratio)} times that of those used" if ratio is not None else ""
        yield f"{out} of {total} trial{'s' if total > 1 else ''} left out{beside}"
