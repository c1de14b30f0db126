"""The tables of a summary: ledger, notes, settings, targets, trials without a result. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

from reports.dataset import Dataset
from reports.format import PROTOCOLS, Name, merged
from reports.naming import brokers
from reports.summary import Absent, LedgerRow, LeftOut, NoteRow, SettingRow, SettingValue, TargetSummary

_KEY = ["target", "workload"]
_LEDGER = [
    name
    for name in LedgerRow.model_fields
    if name not in {*_KEY, "trials", "unknown_trials", "little_checked", "little_holds"}
]


def targets(data: Dataset, found: Mapping[str, Name]) -> Iterator[TargetSummary]:
    """Yield what each target is, in the scenario's order."""
    known = brokers(data)
    for target in data.scenario.targets:
        broker = known.get(target.broker)
        yield TargetSummary(
            name=target.name,
            target=data.rows[target.name].target,
            group=data.rows[target.name].group,
            label=found[target.name].label,
            full=found[target.name].full,
            broker=target.broker,
            protocol=PROTOCOLS[target.protocol],
            driver=target.driver,
            place=data.products[target.broker].place.name,
            runtime=broker.runtime if broker else "",
            limits=broker.limits if broker else {},
            labels=broker.labels if broker else (),
        )


def ledger(data: Dataset) -> Iterator[LedgerRow]:
    """Yield what happened to the messages of each row, over all finished trials."""
    groups = dict(iter(data.trials.groupby(_KEY)))
    order = [(target.name, workload.name) for workload in data.scenario.workloads for target in data.scenario.targets]
    for target, workload in order:
        if (target, workload) not in groups:
            continue
        group = groups[target, workload]
        checked = group["little_holds"].dropna()
        yield LedgerRow(
            target=target,
            workload=workload,
            trials=len(group),
            unknown_trials=int((group["ledger_missing"] > 0).sum()),
            little_checked=len(checked),
            little_holds=int(checked.astype(bool).sum()),
            **{name: int(group[f"ledger_{name}"].sum()) for name in _LEDGER},
        )


def notes(data: Dataset) -> Iterator[NoteRow]:
    """Yield the notes of health and findings; one that several rows share is listed once."""
    word = ["kind", "code", "hard", "text"]
    cells = data.notes.assign(cell=data.notes["target"] + " " + data.notes["workload"]).groupby(word)["cell"]
    wide = cells.transform("nunique") > 1
    for _, group in data.notes[wide].groupby(word, sort=False):
        yield _note(group, target=None, workload=None)
    for _, group in data.notes[~wide].groupby([*word[:3], *_KEY], sort=False):
        yield _note(group, target=group["target"].iloc[0], workload=group["workload"].iloc[0])


def _note(group: pd.DataFrame, *, target: str | None, workload: str | None) -> NoteRow:
    first = group.iloc[0]
    return NoteRow(
        kind=first["kind"],
        code=first["code"],
        hard=bool(first["hard"]),
        target=target,
        workload=workload,
        trials=tuple(int(index) for index in group["index"]),
        count=len(group),
        text=merged(group["text"]),
    )


def settings(data: Dataset) -> Iterator[SettingRow]:
    """Yield each setting of all brokers side by side."""
    names = [broker.name for broker in data.scenario.brokers]
    for key, group in data.settings.groupby("key"):
        values = []
        for broker in names:
            rows = group[group["broker"] == broker]
            asked, reported = _joined(rows["asked"]), _joined(rows["reported"])
            differs = asked is not None and reported is not None and asked.strip().lower() != reported.strip().lower()
            values.append(SettingValue(broker=broker, asked=asked, reported=reported, differs=differs))
        known = {value.reported or value.asked for value in values if value.reported or value.asked}
        yield SettingRow(key=str(key), values=tuple(values), unlike=len(known) > 1)


def _joined(values: pd.Series) -> str | None:
    distinct = [str(value) for value in values.dropna().unique()]
    return " / ".join(distinct) if distinct else None


@dataclass(frozen=True)
class MissingTrials:
    """Trials of one row that have no result for one reason.

    Attributes:
        run_id: the run that planned them.
        target, workload: the row.
        repetitions: which, counted from 1 as plans print them, such as `2, 5–10`.
        why: the reason.
    """

    run_id: str
    target: str
    workload: str
    repetitions: str
    why: str


def missing_trials(absent: Sequence[Absent]) -> Iterator[MissingTrials]:
    """Yield the missing trials in the order in which their rows come first."""
    found: dict[tuple[str, str, str, str], list[int]] = {}
    for each in absent:
        found.setdefault((each.run_id, each.target, each.workload, each.why), []).append(each.repetition + 1)
    for (run_id, target, workload, why), numbers in found.items():
        yield MissingTrials(run_id, target, workload, _spans(numbers), why)


def trials_left_out(rows: Sequence[LeftOut]) -> Iterator[MissingTrials]:
    """Yield the trials that are not counted, as `missing_trials`; the reason without its figures."""
    yield from missing_trials(
        [
            Absent(run_id="", target=row.target, workload=row.workload, repetition=row.repetition, why=row.why)
            for row in rows
        ]
    )


def _spans(numbers: Sequence[int]) -> str:
    """Return numbers in rising order, three or more neighbours as a span."""
    rising = sorted(set(numbers))
    ends = [k + 1 for k, (a, b) in enumerate(pairwise(rising)) if b != a + 1]
    parts: list[str] = []
    for first, end in zip([0, *ends], [*ends, len(rising)], strict=True):
        part = rising[first:end]
        parts += [f"{part[0]}–{part[-1]}"] if len(part) > 2 else map(str, part)  # noqa: PLR2004
    return ", ".join(parts)
