"""Results folders as tidy tables.

One row an observation: a trial, a trial's latency, a tick, a setting. Histograms are
added, percentiles never averaged. Nothing is judged and nothing is drawn here.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hdrh.histogram import HdrHistogram

from bench.record.histogram import decode, new_histogram
from bench.results.archive import ArchiveError, Run, Trial, read, read_pauses, read_timeline
from bench.results.durability import Probe
from bench.results.product_record import ProductRecord
from bench.results.records import TAGS, TIMELINE_COLUMNS, RunRecord, TrialOutcome, TrialRecord
from bench.scenario.scenario import Scenario
from bench.units import NS_PER_S
from brokers.plain_text import printable
from reports import undisturbed
from reports.by_phase import by_phase
from reports.durability import joined
from reports.errors import ReportError
from reports.events import EVENT_COLUMNS, events
from reports.flows import by_flow
from reports.format import listed, overload_words, plain
from reports.outcomes import copies_of, explained, never_came
from reports.pooling import Dimension, RowKey, check_alike, side_by_side
from reports.quantiles import PERCENTILES, Distribution
from reports.seconds import JUDGED, SECONDS_COLUMNS, Logged, bins, longest_ns, read_log

CLIENT_BOUND_CODE = "client-bound"

TRIAL = ["run_id", "index"]
"""What names a trial in every frame."""
_KEY = ["run_id", "index", "repetition", "target", "workload"]


@dataclass(frozen=True)
class Dataset:
    """Everything that reports read, as frames; one row an observation.

    Every frame but `settings` and `absent` opens with run_id, index, repetition, target, workload.

    Attributes:
        runs: the runs' records, by run id.
        scenario: of all runs; where they stand side by side, with a target for each value of the dimension.
        rows: what each of its targets is, by its name.
        trials: one row a finished trial: outcome, reason, start_utc, usable, why_not, client_bound, overload
            (words that stand in place of its latencies; empty where they count), receipt (kernel, read
            or both), counters,
            ledger, owed (copies of the measured part that consumers could get), rate (messages a
            second), CPU (s; µs a message; cores), RSS (bytes).
        latency: one row a trial and tag: count, negative, out_of_range, never (due and never
            received), p50 … p99.99, max, mean in ns. NaN: not enough data; infinity: the message
            of that rank never came, or the trial was overloaded, whose latencies grow with its length.
            Where a pause meter watched, percentiles are estimates (`reports.undisturbed`), with entered
            (share of messages), doubt (why there are none), all_p50 … (of all messages) and
            episodes_p50 … (in which each was exceeded).
        seconds: one row a trial, tag and bin of seconds, from latency.hlog: from_s and to_s after
            the start of the measured part (negative: warm-up), count, p50, p99, max in ns.
        timeline: one row a trial and tick: TIMELINE_COLUMNS.
        events: one row a trial and event, see `reports.events`: event, from_s, to_s, text.
        settings: one row a run, broker and key: asked, reported (None = not known).
        notes: one row a trial and word: kind (health, finding), code, hard, text.
        absent: planned trials without a result: run_id, index, repetition, target, workload, why.
        durability: what brokers were seen to write for a confirmed message, by broker.
    """

    runs: tuple[RunRecord, ...]
    scenario: Scenario = field(repr=False)
    rows: dict[str, RowKey] = field(repr=False)
    trials: pd.DataFrame
    latency: pd.DataFrame
    seconds: pd.DataFrame
    timeline: pd.DataFrame
    events: pd.DataFrame
    settings: pd.DataFrame
    notes: pd.DataFrame
    absent: pd.DataFrame
    records: dict[tuple[str, int], TrialRecord] = field(repr=False)
    durability: dict[str, Probe] = field(default_factory=dict)

    @property
    def products(self) -> dict[str, ProductRecord]:
        """What products say of themselves, by broker."""
        return {name: product for run in self.runs for name, product in run.products.items()}

    def histogram(self, target: str, workload: str, tag: str) -> HdrHistogram:
        """Return the sum of the histograms of all usable trials of a cell, those of overloaded ones left out.

        It is empty where no trial has the tag.
        """
        total = new_histogram()
        usable = self.usable(workload, target)
        for key in zip(usable["run_id"], usable["index"], strict=True):
            record = self.records[key]
            if tag in record.latency and not overload(record):
                total.add(decode(record.latency[tag].histogram))
        return total

    def distribution(self, target: str, workload: str, tag: str) -> Distribution:
        """Return the sum with the messages that no histogram can hold; all those of an overloaded trial are such.

        Where a pause meter watched every trial it is their estimate.
        """
        usable = self.usable(workload, target)[["run_id", "index", "overload"]]
        rows = self.latency[self.latency["tag"] == tag].merge(usable, on=TRIAL)
        bounded = rows["overload"] == ""
        above = int(
            rows[["never", "dropped", "out_of_range"]].sum().sum()
            + rows.loc[~bounded, ["count", "negative"]].sum().sum()
        )
        trials = [self.records[key] for key in zip(rows["run_id"], rows["index"], strict=True)]
        if trials and bounded.all() and all(undisturbed.is_estimated(trial, tag) for trial in trials):
            held = [trial.latency[tag] for trial in trials]
            return undisturbed.pooled(held, above=undisturbed.entering(held, above))
        return Distribution.of(
            self.histogram(target, workload, tag), below=int(rows.loc[bounded, "negative"].sum()), above=above
        )

    def distributions(self, target: str, workload: str, tag: str) -> list[Distribution]:
        """Return the latencies of each usable trial of a row, in order: estimates where a pause meter watched.

        Where some trials have an estimate, the others are left out, as the two do not mix. So are overloaded trials.
        """
        usable = self.usable(workload, target)
        keys = usable.loc[usable["overload"] == "", TRIAL]
        rows = self.latency[self.latency["tag"] == tag].merge(keys, on=TRIAL)
        above = rows[["never", "dropped", "out_of_range"]].sum(axis=1)
        trials = [self.records[key] for key in zip(rows["run_id"], rows["index"], strict=True)]
        metered = [undisturbed.is_estimated(trial, tag) for trial in trials]
        read = undisturbed.of_trial if any(metered) else undisturbed.of_all
        return [
            read(trial.latency[tag], above=int(beyond))
            for trial, beyond, seen in zip(trials, above, metered, strict=True)
            if seen or not any(metered)
        ]

    def usable(self, workload: str, target: str | None = None) -> pd.DataFrame:
        """Return the rows of `trials` of a workload that count, of one target or of all."""
        rows = self.trials if target is None else self.trials[self.trials["target"] == target]
        return rows[rows["usable"] & (rows["workload"] == workload)]


def timeline_shown(data: Dataset, workload: str) -> dict[str, pd.DataFrame]:
    """Return by target the timeline of the usable trial of a workload whose rate is in the middle."""
    found = {}
    for target in data.scenario.targets:
        ranked = data.usable(workload, target.name).sort_values("achieved_rate")
        ticks = data.timeline.merge(ranked[TRIAL].iloc[(len(ranked) - 1) // 2 :][:1], on=TRIAL)
        if len(ticks):
            found[target.name] = ticks
    return found


def rows_of(frame: pd.DataFrame, target: str, workload: str) -> pd.DataFrame:
    """Return what a frame has of one target under one workload."""
    return frame[(frame["target"] == target) & (frame["workload"] == workload)]


def load(*folders: Path | str, by: Dimension | None = None) -> Dataset:
    """Read results folders of one scenario; their order makes no difference.

    Args:
        folders: results folders.
        by: what runs may differ in, and what then tells their rows apart; None pools their trials.

    Raises:
        ReportError: a folder cannot be read, holds no finished trial, stands twice, or the runs
            differ in more than `by`.
    """
    if not folders:
        message = "no results folder given: name one, such as results/latest."
        raise ReportError(message)
    runs = sorted((_open(Path(folder)) for folder in folders), key=lambda run: run.record.run_id)
    check_alike(runs, by)
    runs = [by_phase(by_flow(run)) for run in runs]
    runs, scenario, rows = side_by_side(runs, by)
    trials, latency, seconds, timeline, happened, notes, absent = ([], [], [], [], [], [], [])  # type: ignore[var-annotated]
    records: dict[tuple[str, int], TrialRecord] = {}
    for run in runs:
        broken = {index: f"unreadable: {text}" for index, text in run.unreadable.items()}
        for stored in run.trials:
            index = stored.record.index
            try:
                logged = read_log(stored)
                over_time, ticks = _seconds_rows(run.record, stored.record, logged), _read_timeline(stored)
                pauses, held = read_pauses(stored), list(_latency_rows(run.record, stored.record, logged))
            except (OSError, ValueError, KeyError) as error:
                broken[index] = f"unreadable: {printable(' '.join(str(error).split()))}"
                continue
            records[run.record.run_id, index] = stored.record
            trials.append(_trial_row(run.record, stored.record))
            latency.extend(held)
            notes.extend(_note_rows(run.record, stored.record))
            seconds.extend(over_time)
            timeline.append(ticks)
            happened.extend(_event_rows(run.record, stored.record, logged, ticks, pauses))
        absent.extend(_absent_rows(run.record, {key[1] for key in records if key[0] == run.record.run_id}, broken))
    if not trials:
        why = f" ({absent[0]['why']})" if absent else ""
        message = (
            f"{runs[0].folder}: no finished trial to report{why}."
            f" Finish the run with `bench run --resume {runs[0].folder}`."
        )
        raise ReportError(message)
    return Dataset(
        runs=tuple(run.record for run in runs),
        scenario=scenario,
        rows=rows,
        trials=pd.DataFrame(trials),
        latency=pd.DataFrame(latency, columns=[*_KEY, *_LATENCY_COLUMNS]),
        seconds=pd.DataFrame(seconds, columns=[*_KEY, *SECONDS_COLUMNS]),
        timeline=_timelines(((run_id, one) for (run_id, _), one in records.items()), timeline),
        events=pd.DataFrame(happened, columns=[*_KEY, *EVENT_COLUMNS]),
        settings=pd.DataFrame(
            _setting_rows(records), columns=["run_id", "broker", "key", "asked", "reported"]
        ).drop_duplicates(ignore_index=True),
        notes=pd.DataFrame(notes, columns=[*_KEY, "kind", "code", "hard", "text"]),
        absent=pd.DataFrame(absent, columns=[*_KEY, "why"]),
        records=records,
        durability=joined(run.durability for run in runs),
    )


_COUNTS = ["count", "negative", "out_of_range", "never", "dropped"]
_LATENCY_COLUMNS = [
    "tag",
    *_COUNTS,
    "bound",
    *PERCENTILES,
    "max",
    "mean",
    "entered",
    "doubt",
    *(f"{what}_{name}" for what in ("all", "episodes") for name in PERCENTILES),
]


def _open(folder: Path) -> Run:
    try:
        return read(folder)
    except ArchiveError as error:
        raise ReportError(str(error)) from None


def main_tag(record: TrialRecord) -> str:
    """Return the latency that a trial is about, as `reports.patterns.tag_of` says of its workload."""
    return next((tag for tag in JUDGED if tag in record.latency), "service")


def overload(trial: TrialRecord) -> str:
    """Return what stands in place of a trial's latencies where its broker was overloaded; else nothing."""
    return overload_words([trial.backlog_growth]) if trial.outcome is TrialOutcome.OVERLOADED else ""


def overloads(trials: pd.DataFrame) -> str:
    """Return what stands in place of the latencies of these rows of `trials`; empty where none was overloaded."""
    found = trials[trials["overload"] != ""]
    return overload_words(found["backlog_growth"]) if len(found) else ""


def _key(run: RunRecord, trial: TrialRecord) -> dict[str, Any]:
    return {"run_id": run.run_id} | {name: getattr(trial, name) for name in _KEY[1:]}


def _trial_row(run: RunRecord, trial: TrialRecord) -> dict[str, Any]:
    bad = [note for note in trial.health if note.hard]
    # Older results have it as a warning: their rows are shown, as lower bounds.
    client_bound = run.scenario.subject == "broker" and any(
        note.code == CLIENT_BOUND_CODE and not note.hard for note in trial.health
    )
    why_not = ""
    if not trial.model_copy(update={"health": ()}).valid:
        why_not = f"{trial.outcome}: {trial.reason}" if trial.reason else str(trial.outcome)
    elif run.ended_early:
        why_not = "the run was ended early"
    elif bad:
        why_not = listed([plain(note.code) for note in bad])
    elif _is_counted(run, trial) and not trial.phases:
        why_not = "not all of its messages came through"
    elif not trial.phases and not any(tag.count for tag in trial.latency.values()):
        why_not = "nothing was received"
    return (
        _key(run, trial)
        | {
            "outcome": str(trial.outcome),
            "reason": trial.reason,
            "start_utc": trial.start_utc,
            "usable": not why_not,
            "why_not": why_not,
            "client_bound": client_bound,
            "overload": overload(trial),
            "tag": main_tag(trial),
            "measured_s": trial.measure_to_s - trial.measure_from_s,
            "warm_up_s": trial.measure_from_s,
            "offered": trial.offered,
            "sent": trial.sent,
            "received": trial.received,
            "achieved_rate": undisturbed.rate(trial),
            "received_rate": trial.achieved_rate,
            "phase_s": sum(one.end_ns - one.begin_ns for one in trial.phases) / NS_PER_S or math.nan,
            "away_share": next((one.away_share for one in trial.phases), None),
            "backlog_growth": math.nan if trial.backlog_growth is None else trial.backlog_growth,
            "receipt": trial.receipt,
            "drained": trial.drained,
            "little_holds": None if trial.little is None else trial.little.holds,
            "broker": trial.broker.name,
            "product": trial.broker.product,
            "version": trial.broker.version,
        }
        | {f"ledger_{name}": value for name, value in trial.ledger.model_dump().items()}
        | {"ledger_ended": sum(trial.ledger.ended.values()), "owed": _owed(trial)}
        | {f"broker_{name}": value for name, value in trial.broker_usage.model_dump().items()}
        | {f"client_{name}": value for name, value in trial.client_usage.model_dump().items()}
    )


def _owed(trial: TrialRecord) -> float:
    """Return the copies of the measured part that consumers could get: what the broker ended or refused is not owed."""
    ledger = trial.ledger
    whole = ledger.owed if ledger.owed > 0 else ledger.sent
    could = 1.0 if ledger.owed < 0 or not whole else 1 - explained(ledger).total() / whole
    return trial.offered * copies_of(ledger) * could


def _never(trial: TrialRecord, tag: str, held: int, dropped: int) -> int:
    """Return how many values of a latency are due in the measured part and never came."""
    if tag not in JUDGED:
        return 0
    due = trial.offered if tag == "response" else trial.sent
    if tag == "confirm":
        return max(due - held, 0)
    copies = copies_of(trial.ledger)
    never, most = max(round(due * copies) - dropped - held, 0), never_came(trial.ledger)
    if most is None or copies == round(copies):
        return never
    # How many copies the messages of the measured part have is known on average only.
    return min(never, most + round((trial.offered - trial.dropped - trial.sent) * copies))


def _is_counted(run: RunRecord, trial: TrialRecord) -> bool:
    """Return whether a trial ends by the number of its messages."""
    return any(one.name == trial.workload and one.messages > 0 for one in run.scenario.workloads)


def _latency_rows(run: RunRecord, trial: TrialRecord, logged: Logged) -> Iterator[dict[str, Any]]:
    for tag in TAGS:
        if tag not in trial.latency:
            continue
        stored = trial.latency[tag]
        held = stored.count + stored.negative + stored.out_of_range
        dropped = round(trial.dropped * copies_of(trial.ledger)) if tag == "response" else 0
        never = _never(trial, tag, held, dropped)
        above = never + dropped + stored.out_of_range
        whole = undisturbed.of_all(stored, above=above)
        unbounded = bool(overload(trial)) and held > 0
        metered = not unbounded and undisturbed.is_estimated(trial, tag)
        values = undisturbed.of_trial(stored, above=above) if metered else whole
        doubt = undisturbed.doubt(trial, tag, values.at(PERCENTILES["p50"])) if metered else ""
        found = {name: math.nan if doubt else values.reliable(percent) for name, percent in PERCENTILES.items()}
        events = logged.get(f"{tag}_events") if metered else None
        part = None if events is None else events.between(trial.measure_from_s, trial.measure_to_s)
        held_by = undisturbed.episodes({} if part is None else longest_ns(part), found)
        yield (
            _key(run, trial)
            | {
                "tag": tag,
                "count": stored.count,
                "negative": stored.negative,
                "out_of_range": stored.out_of_range,
                "never": never,
                "dropped": dropped,
                "bound": whole.max_ns if dropped and not unbounded else math.nan,
                "max": math.inf if unbounded else whole.max_ns,
                "mean": math.inf if unbounded else whole.mean_ns,
                "entered": undisturbed.entered(stored) if metered else math.nan,
                "doubt": doubt,
            }
            | {name: math.inf if unbounded else value for name, value in found.items()}
            | {f"all_{name}": whole.reliable(percent) if metered else math.nan for name, percent in PERCENTILES.items()}
            | {f"episodes_{name}": count for name, count in held_by.items()}
        )


def _seconds_rows(run: RunRecord, trial: TrialRecord, logged: Logged) -> list[dict[str, Any]]:
    return [_key(run, trial) | row for row in bins(trial, main_tag(trial), logged)]


def _read_timeline(stored: Trial) -> pd.DataFrame:
    frame = read_timeline(stored)
    missing = [name for name in TIMELINE_COLUMNS if name not in frame.columns]
    if missing:
        message = f"timeline.parquet has no column {', '.join(missing)}"
        raise ValueError(message)
    # It tells of the flow that the trial is about.
    return frame.loc[[] if stored.log_prefix else frame.index, list(TIMELINE_COLUMNS)]


def _timelines(records: Iterable[tuple[str, TrialRecord]], ticks: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the timelines of trials one below the other, the key of its trial in each row."""
    frame = pd.concat(ticks, ignore_index=True)
    keys = pd.DataFrame(
        [{"run_id": run_id} | {name: getattr(one, name) for name in _KEY[1:]} for run_id, one in records]
    )
    rows = np.repeat(np.arange(len(keys)), [len(each) for each in ticks])
    return pd.concat([keys.iloc[rows].reset_index(drop=True), frame], axis=1)


def _event_rows(
    run: RunRecord, trial: TrialRecord, logged: Logged, ticks: pd.DataFrame, pauses: pd.DataFrame
) -> Iterator[dict[str, Any]]:
    restarted = any(line.restart_broker for line in run.plan if line.index == trial.index)
    drained_s = float(ticks["at_ns"].max()) / NS_PER_S if len(ticks) else float(trial.measure_to_s)
    backpressure = longest_ns(logged["backpressure"]) if "backpressure" in logged else {}
    for event in events(trial, backpressure, restarted=restarted, drained_s=drained_s, pauses=pauses):
        yield _key(run, trial) | event


def _note_rows(run: RunRecord, trial: TrialRecord) -> Iterator[dict[str, Any]]:
    for kind, notes in (("health", trial.health), ("finding", trial.findings)):
        for note in notes:
            yield _key(run, trial) | {"kind": kind} | note.model_dump()


def _setting_rows(records: dict[tuple[str, int], TrialRecord]) -> Iterator[dict[str, Any]]:
    for (run_id, _), trial in records.items():
        broker = trial.broker
        for key in broker.asked.keys() | broker.reported.keys():
            yield {
                "run_id": run_id,
                "broker": broker.name,
                "key": key,
                "asked": broker.asked.get(key),
                "reported": broker.reported.get(key),
            }


def _absent_rows(run: RunRecord, found: set[int], broken: dict[int, str]) -> Iterator[dict[str, Any]]:
    for trial in run.plan:
        if trial.index not in found:
            key = {"run_id": run.run_id} | {name: getattr(trial, name) for name in _KEY[1:]}
            yield key | {"why": broken.get(trial.index, "not run, or not finished")}
