"""Results folders as tidy tables.

One row an observation: a trial, a trial's latency, a tick, a setting. Histograms are
added, percentiles never averaged. Nothing is judged and nothing is drawn here.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from hdrh.histogram import HdrHistogram

from bench.archive import ArchiveError, Run, Trial, read, read_timeline
from bench.record import hlog
from bench.record.histogram import decode, new_histogram
from bench.results import TAGS, TIMELINE_COLUMNS, RunRecord, TrialRecord
from reports.errors import ReportError
from reports.format import plain
from reports.quantiles import PERCENTILES, Distribution, messages_needed

CLIENT_BOUND = 0.85
"""Share of a core that the busiest client process used, from which on a row is client-bound."""
CLIENT_BOUND_CODE = "client-bound"

_KEY = ["run_id", "index", "repetition", "target", "workload"]


@dataclass(frozen=True)
class Dataset:
    """Everything that reports read, as frames; one row an observation.

    Every frame but `settings` and `absent` opens with run_id, index, repetition, target, workload.

    Attributes:
        runs: the runs' records, by run id.
        trials: one row a finished trial: outcome, reason, usable, why_not, client_bound, counters,
            ledger, rate (messages a second), CPU (s; µs a message; cores), RSS (bytes).
        latency: one row a trial and tag: count, negative, out_of_range, never (due and never
            received), dropped (due and not sent, in vain), bound (where some were dropped, the
            highest latency), p50 … p99.99, max, mean in ns. NaN: not enough data; infinity: the
            message of that rank never came or was dropped.
        seconds: one row a trial, tag and bin of seconds, from latency.hlog: from_s and to_s after
            the start of the measured part (negative: warm-up), count, p50, p99, max in ns.
        timeline: one row a trial and tick: TIMELINE_COLUMNS.
        settings: one row a run, broker and key: asked, reported (None = not known).
        notes: one row a trial and word: kind (health, finding), code, hard, text.
        absent: planned trials without a result: run_id, index, repetition, target, workload, why.
    """

    runs: tuple[RunRecord, ...]
    trials: pd.DataFrame
    latency: pd.DataFrame
    seconds: pd.DataFrame
    timeline: pd.DataFrame
    settings: pd.DataFrame
    notes: pd.DataFrame
    absent: pd.DataFrame
    records: dict[tuple[str, int], TrialRecord] = field(repr=False)

    def histogram(self, target: str, workload: str, tag: str) -> HdrHistogram:
        """Return the sum of the histograms of all usable trials of a cell; empty where none has the tag."""
        total = new_histogram()
        for record in self._usable(target, workload):
            if tag in record.latency:
                total.add(decode(record.latency[tag].histogram))
        return total

    def distribution(self, target: str, workload: str, tag: str) -> Distribution:
        """Return the same sum with the messages that no histogram can hold."""
        rows = self.latency[
            (self.latency["target"] == target) & (self.latency["workload"] == workload) & (self.latency["tag"] == tag)
        ].merge(self.trials.loc[self.trials["usable"], ["run_id", "index"]], on=["run_id", "index"])
        above = int(rows["never"].sum() + rows["dropped"].sum() + rows["out_of_range"].sum())
        return Distribution.of(self.histogram(target, workload, tag), below=int(rows["negative"].sum()), above=above)

    def trial_histogram(self, run_id: str, index: int, tag: str) -> HdrHistogram:
        """Return the histogram of one trial's measured part; raise KeyError where there is none."""
        return decode(self.records[run_id, index].latency[tag].histogram)

    def _usable(self, target: str, workload: str) -> Iterator[TrialRecord]:
        rows = self.trials[
            self.trials["usable"] & (self.trials["target"] == target) & (self.trials["workload"] == workload)
        ]
        for run_id, index in zip(rows["run_id"], rows["index"], strict=True):
            yield self.records[run_id, index]


def load(*folders: Path | str) -> Dataset:
    """Read results folders of one scenario; their order makes no difference.

    Raises:
        ReportError: a folder cannot be read, holds no finished trial, stands twice, or the runs
            are not of one scenario and mode.
    """
    if not folders:
        message = "no results folder given: name one, such as results/latest."
        raise ReportError(message)
    runs = sorted((_open(Path(folder)) for folder in folders), key=lambda run: run.record.run_id)
    _check_alike(runs)
    trials, latency, seconds, timeline, notes, absent = ([], [], [], [], [], [])  # type: ignore[var-annotated]
    records: dict[tuple[str, int], TrialRecord] = {}
    for run in runs:
        broken = {int(text.partition("-")[0]): f"unreadable: {text}" for text in run.unreadable}
        for stored in run.trials:
            index = stored.record.index
            try:
                over_time, ticks = _read_latency(run, stored), _read_timeline(run, stored)
            except (OSError, ValueError, KeyError) as error:
                broken[index] = f"unreadable: {error}"
                continue
            records[run.record.run_id, index] = stored.record
            trials.append(_trial_row(run.record, stored.record))
            latency.extend(_latency_rows(run.record, stored.record))
            notes.extend(_note_rows(run.record, stored.record))
            seconds.extend(over_time)
            timeline.append(ticks)
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
        trials=pd.DataFrame(trials),
        latency=pd.DataFrame(latency, columns=[*_KEY, *_LATENCY_COLUMNS]),
        seconds=pd.DataFrame(seconds, columns=[*_KEY, *_SECONDS_COLUMNS]),
        timeline=pd.concat(timeline, ignore_index=True),
        settings=pd.DataFrame(
            _setting_rows(records), columns=["run_id", "broker", "key", "asked", "reported"]
        ).drop_duplicates(ignore_index=True),
        notes=pd.DataFrame(notes, columns=[*_KEY, "kind", "code", "hard", "text"]),
        absent=pd.DataFrame(absent, columns=[*_KEY, "why"]),
        records=records,
    )


_LATENCY_COLUMNS = [
    "tag",
    "count",
    "negative",
    "out_of_range",
    "never",
    "dropped",
    "bound",
    *PERCENTILES,
    "max",
    "mean",
]
_SECONDS_COLUMNS = ["tag", "from_s", "to_s", "count", "p50", "p99", "max"]


def _open(folder: Path) -> Run:
    try:
        return read(folder)
    except ArchiveError as error:
        raise ReportError(str(error)) from None


def main_tag(record: TrialRecord) -> str:
    """Return the latency that a trial is about: response, or service in a closed loop."""
    return "response" if "response" in record.latency else "service"


def _check_alike(runs: list[Run]) -> None:
    first = runs[0]
    for other in runs[1:]:
        if other.record.run_id == first.record.run_id:
            message = f"{other.folder}: run {other.record.run_id} is given twice: name each folder once."
            raise ReportError(message)
        for name in ("scenario", "mode"):
            if getattr(other.record, name) != getattr(first.record, name):
                message = (
                    f"{first.folder} and {other.folder} differ in their {name}, so their trials cannot be pooled:"
                    " make a report of each."
                )
                raise ReportError(message)


def _key(run: RunRecord, trial: TrialRecord) -> dict[str, Any]:
    return {"run_id": run.run_id} | {name: getattr(trial, name) for name in _KEY[1:]}


def _trial_row(run: RunRecord, trial: TrialRecord) -> dict[str, Any]:
    # A client-bound trial is shown (as a lower bound) although its health is bad.
    bad = [note for note in trial.health if note.hard and note.code != CLIENT_BOUND_CODE]
    busiest = trial.client_usage.cpu_cores_busiest
    client_bound = any(note.code == CLIENT_BOUND_CODE for note in trial.health) or (
        busiest is not None and busiest >= CLIENT_BOUND
    )
    why_not = ""
    if not trial.model_copy(update={"health": ()}).valid:
        why_not = f"{trial.outcome}: {trial.reason}" if trial.reason else str(trial.outcome)
    elif bad:
        why_not = ", ".join(plain(note.code) for note in bad)
    elif not any(tag.count for tag in trial.latency.values()):
        why_not = "nothing was received"
    return (
        _key(run, trial)
        | {
            "outcome": str(trial.outcome),
            "reason": trial.reason,
            "usable": not why_not,
            "why_not": why_not,
            "client_bound": client_bound,
            "tag": main_tag(trial),
            "measured_s": trial.measure_to_s - trial.measure_from_s,
            "warm_up_s": trial.measure_from_s,
            "offered": trial.offered,
            "sent": trial.sent,
            "received": trial.received,
            "achieved_rate": trial.achieved_rate,
            "drained": trial.drained,
            "little_holds": None if trial.little is None else trial.little.holds,
            "broker": trial.broker.name,
            "product": trial.broker.product,
            "version": trial.broker.version,
        }
        | {f"ledger_{name}": value for name, value in trial.ledger.model_dump().items()}
        | {f"broker_{name}": value for name, value in trial.broker_usage.model_dump().items()}
        | {f"client_{name}": value for name, value in trial.client_usage.model_dump().items()}
    )


def _latency_rows(run: RunRecord, trial: TrialRecord) -> Iterator[dict[str, Any]]:
    for tag in TAGS:
        if tag not in trial.latency:
            continue
        stored = trial.latency[tag]
        due = {"response": trial.offered, "service": trial.sent, "confirm": trial.sent}.get(tag)
        held = stored.count + stored.negative + stored.out_of_range
        dropped = trial.dropped if tag == "response" else 0
        never = max(due - dropped - held, 0) if due is not None else 0
        values = Distribution.of(
            decode(stored.histogram), below=stored.negative, above=never + dropped + stored.out_of_range
        )
        yield (
            _key(run, trial)
            | {
                "tag": tag,
                "count": stored.count,
                "negative": stored.negative,
                "out_of_range": stored.out_of_range,
                "never": never,
                "dropped": dropped,
                "bound": values.max_ns if dropped else math.nan,
                "max": values.max_ns,
                "mean": values.mean_ns,
            }
            | {name: values.reliable(percent) for name, percent in PERCENTILES.items()}
        )


def _read_latency(run: Run, stored: Trial) -> list[dict[str, Any]]:
    trial = stored.record
    if not trial.latency:
        return []
    tag = main_tag(trial)
    logged = hlog.read(stored.folder / "latency.hlog")
    for name, expected in trial.latency.items():
        measured = sum(
            histogram.get_total_count()
            for second, histogram in logged.get(name, {}).items()
            if trial.measure_from_s <= second < trial.measure_to_s
        )
        if measured != expected.count:
            message = f"latency.hlog holds {measured} values of {name} and trial.json {expected.count}"
            raise ValueError(message)
    by_second = logged.get(tag, {})
    seconds = max(trial.measure_to_s - trial.measure_from_s, 1)
    # Bins of whole seconds, wide enough for p99; a tenth is allowed for uneven arrivals.
    width = -(-messages_needed(99.0) * 10 * seconds // max(9 * trial.latency[tag].count, 1))
    width = min(width, seconds)
    bins: dict[int, HdrHistogram] = {}
    for second, histogram in sorted(by_second.items()):
        if second < trial.measure_to_s:
            place = (second - trial.measure_from_s) // width
            bins.setdefault(place, new_histogram()).add(histogram)
    rows = []
    for place, histogram in bins.items():
        values = Distribution.of(histogram)
        rows.append(
            _key(run.record, trial)
            | {
                "tag": tag,
                "from_s": max(place * width, -trial.measure_from_s),
                "to_s": min((place + 1) * width, seconds),
                "count": values.count,
                "p50": values.reliable(PERCENTILES["p50"]),
                "p99": values.reliable(PERCENTILES["p99"]),
                "max": values.max_ns,
            }
        )
    return rows


def _read_timeline(run: Run, stored: Trial) -> pd.DataFrame:
    frame = read_timeline(stored)
    missing = [name for name in TIMELINE_COLUMNS if name not in frame.columns]
    if missing:
        message = f"timeline.parquet has no column {', '.join(missing)}"
        raise ValueError(message)
    key = pd.DataFrame([_key(run.record, stored.record)])
    return key.merge(frame[list(TIMELINE_COLUMNS)], how="cross")


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
