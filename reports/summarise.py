"""From the tables of a dataset to what a report says. Pure: frames in, a Summary out."""

import math
from collections.abc import Iterator

import pandas as pd

from bench.results import BrokerRecord, RunRecord
from bench.scenario import MemoryBroker, RateLoad, Scenario, Target, Workload
from reports.beside import caveats, environment, not_shown
from reports.dataset import Dataset
from reports.durability import durability
from reports.format import PROTOCOLS, Name, count, listed
from reports.quantiles import PERCENTILES
from reports.questions import Question, in_flight, questions
from reports.spread import not_enough, spread
from reports.summary import (
    Absent,
    Answer,
    Cell,
    Compared,
    LedgerRow,
    NoteRow,
    RunSummary,
    SettingRow,
    SettingValue,
    Summary,
    TargetSummary,
)
from reports.verdict import Case, Row, Trials, answer, comparisons

_KEY = ["target", "workload"]
_LEDGER = [name for name in LedgerRow.model_fields if name not in {*_KEY, "trials", "little_checked", "little_holds"}]


def summarise(data: Dataset) -> Summary:
    """Return everything that a report of these runs says."""
    run = data.runs[0]
    scenario = run.scenario
    found = names(data)
    cells = {
        (target.name, workload.name): _cell(data, target, workload)
        for workload in scenario.workloads
        for target in scenario.targets
    }
    asked = questions(scenario)
    cases = [_case(data, question, found, cells) for question in asked]
    judged = comparisons(cases)
    answers = []
    for question, case in zip(asked, cases, strict=True):
        sentence, winner = answer(case, judged)
        answers.append(
            Answer(
                question=question.name,
                workloads=tuple(workload.name for workload in question.workloads),
                load=question.load,
                sentence=sentence,
                winner=winner,
                remarks=tuple(_remarks(question, found, cells)),
            )
        )
    metric = {workload.name: case.metric for case in cases for workload in case.question.workloads}
    return Summary(
        title=scenario.title,
        question=scenario.question,
        mode=run.mode,
        runs=tuple(_run(each) for each in data.runs),
        caveats=caveats(data),
        answers=tuple(answers),
        targets=tuple(_target(data, target, found[target.name]) for target in scenario.targets),
        cells=tuple(cells.values()),
        comparisons=tuple(
            Compared(
                workload=workload,
                first=first,
                second=second,
                metric=metric[workload],
                n=each.n,
                ratio=each.ratio,
                low=each.low if math.isfinite(each.low) else None,
                high=each.high if math.isfinite(each.high) else None,
                alpha=each.alpha,
                verdict=each.verdict.value,
                trials_needed=each.trials_needed,
            )
            for (workload, first, second), each in judged.items()
        ),
        ledger=tuple(_ledger(data)),
        notes=tuple(_notes(data)),
        settings=tuple(_settings(data)),
        environment=environment(data),
        absent=tuple(
            Absent(target=row.target, workload=row.workload, repetition=row.repetition, why=row.why)
            for row in data.absent.itertuples()
        ),
        promises=tuple(_promises(asked, found, cells)),
        not_shown=not_shown(scenario, cells),
        trials_finished=len(data.trials),
        trials_usable=int(data.trials["usable"].sum()),
        trials_planned=sum(len(each.plan) for each in data.runs),
    )


def names(data: Dataset) -> dict[str, Name]:
    """Return what each target is called, by its name in the scenario."""
    scenario = data.runs[0].scenario
    brokers = _brokers(data)
    ways: dict[tuple[str, str, str], int] = {}
    plain = {}
    for target in scenario.targets:
        broker = brokers.get(target.broker)
        product = broker.product if broker else target.broker
        version = broker.version if broker else "(never started)"
        way = PROTOCOLS[target.protocol]
        plain[target.name] = (product, version, way)
        ways[product, version, way] = ways.get((product, version, way), 0) + 1
    return {
        target.name: Name(
            target=target.name,
            label=target.label or _label(target, *plain[target.name], shared=ways[plain[target.name]] > 1),
            product=plain[target.name][0],
            version=plain[target.name][1],
            way=plain[target.name][2] if ways[plain[target.name]] == 1 else target.label or target.name,
        )
        for target in scenario.targets
    }


def _label(target: Target, product: str, _version: str, way: str, *, shared: bool) -> str:
    return target.name if shared else f"{product.removeprefix('Apache Qpid ')} {way}"


def _brokers(data: Dataset) -> dict[str, BrokerRecord]:
    return {record.broker.name: record.broker for record in data.records.values()}


def _of(frame: pd.DataFrame, target: str, workload: str) -> pd.DataFrame:
    return frame[(frame["target"] == target) & (frame["workload"] == workload)]


def _cell(data: Dataset, target: Target, workload: Workload) -> Cell:
    everything = _of(data.trials, target.name, workload.name)
    trials = everything[everything["usable"]]
    tag = "response" if isinstance(workload.load, RateLoad) else "service"
    rows = _of(data.latency, target.name, workload.name)
    latency = rows[rows["tag"] == tag].merge(trials[["run_id", "index"]], on=["run_id", "index"])
    messages = int(latency["count"].sum())
    a_trial = messages / len(latency) if len(latency) else 0.0
    seconds = float(trials["measured_s"].mean()) if len(trials) else 0.0
    missing = "no usable trial"
    planned = sum(
        line.target == target.name and line.workload == workload.name for run in data.runs for line in run.plan
    )
    return Cell(
        target=target.name,
        workload=workload.name,
        planned=planned,
        n=len(trials),
        latency_tag="response" if tag == "response" else "service",
        messages=messages,
        in_flight=None if isinstance(workload.load, RateLoad) else in_flight(workload),
        offered_rate=workload.mean_rate,
        achieved_rate=spread(trials["achieved_rate"], missing),
        latency_ns={
            name: spread(latency[name], not_enough(name, a_trial, seconds) if len(latency) else missing, latency.bound)
            for name in (*PERCENTILES, "max", "mean")
        },
        broker_cpu_us=spread(trials["broker_cpu_us_per_message"]),
        client_cpu_us=spread(trials["client_cpu_us_per_message"]),
        client_cores=spread(trials["client_cpu_cores_busiest"]),
        broker_rss=spread(trials["broker_rss_peak"]),
        client_bound=bool(trials["client_bound"].any()),
        durability=durability(data.runs[0].scenario, target.broker, workload),
        remarks=tuple(_cell_remarks(target, planned, everything, trials, latency)),
    )


def _cell_remarks(
    target: Target, planned: int, everything: pd.DataFrame, trials: pd.DataFrame, latency: pd.DataFrame
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
        yield f"{outcome} in {len(group)} of {total} trials"
    for why, group in everything[~everything["usable"]].groupby("why_not"):
        yield f"{len(group)} of {total} trial{'s' if total > 1 else ''} left out: {why}"
    lost = int(everything["ledger_lost"].sum())
    if lost:
        yield f"{count(lost)} confirmed message{'s' if lost > 1 else ''} lost"
    if dropped := int(latency["dropped"].sum()):
        yield f"{count(dropped)} dropped, for want of room to send them: they rank above the maximum"
    never = int(latency["never"].sum())
    if never > lost:
        yield f"{count(never)} due and never received: they rank above the maximum"


def _case(data: Dataset, question: Question, found: dict[str, Name], cells: dict[tuple[str, str], Cell]) -> Case:
    scenario = data.runs[0].scenario
    rows = {
        workload.name: [_row(data, found[target.name], target, workload, cells) for target in scenario.targets]
        for workload in question.workloads
    }
    cpus = [run.host.get("cpus", "") for run in data.runs]
    known = min(int(text) for text in cpus) if all(text.isdigit() for text in cpus) else None
    return Case(question=question, rows=rows, mode=data.runs[0].mode, cpus=known)


def _row(data: Dataset, name: Name, target: Target, workload: Workload, cells: dict[tuple[str, str], Cell]) -> Row:
    cell = cells[target.name, workload.name]
    trials = _of(data.trials, target.name, workload.name)
    trials = trials[trials["usable"]]
    if isinstance(workload.load, RateLoad):
        rows = _of(data.latency, target.name, workload.name)
        rows = rows[rows["tag"] == "response"].merge(trials[["run_id", "index"]], on=["run_id", "index"])
        estimates, measured = _by_trial(rows, "p99"), cell.latency_ns["p99"]
    else:
        estimates, measured = _by_trial(trials, "achieved_rate"), cell.achieved_rate
    median = math.inf if measured.at_least or (measured.never and measured.median is None) else measured.median
    return Row(
        name=name,
        workload=workload.name,
        estimates=estimates,
        median=median,
        client_bound=cell.client_bound,
        durability=durability(data.runs[0].scenario, target.broker, workload),
    )


def _by_trial(frame: pd.DataFrame, column: str) -> Trials:
    keys = zip(frame["run_id"], frame["repetition"], strict=True)
    return {
        (str(run_id), int(repetition)): float(value)
        for (run_id, repetition), value in zip(keys, frame[column], strict=True)
        if value > 0  # also leaves NaN out
    }


def _remarks(question: Question, found: dict[str, Name], cells: dict[tuple[str, str], Cell]) -> Iterator[str]:
    for target, name in found.items():
        for workload in question.workloads:
            cell = cells[target, workload.name]
            where = f"{name.label}, {workload.name}" if len(question.workloads) > 1 else name.label
            for remark in cell.remarks:
                yield f"{where}: {remark.rstrip('.')}."


def _promises(asked: tuple[Question, ...], found: dict[str, Name], cells: dict[tuple[str, str], Cell]) -> Iterator[str]:
    for question in asked:
        groups: dict[str, list[str]] = {}
        for target, name in found.items():
            groups.setdefault(cells[target, question.workloads[0].name].durability, []).append(name.label)
        parts = [promise + (f" ({listed(labels)})" if len(groups) > 1 else "") for promise, labels in groups.items()]
        yield f"{question.name}: a confirmed message survives {'; '.join(parts)}."


def _run(run: RunRecord) -> RunSummary:
    return RunSummary(
        run_id=run.run_id,
        started_utc=run.started_utc,
        seed=run.seed,
        command=run.command,
        image_digests={recipe: image.content_digest for recipe, image in run.images.items()},
    )


def _target(data: Dataset, target: Target, name: Name) -> TargetSummary:
    broker = _brokers(data).get(target.broker)
    return TargetSummary(
        name=target.name,
        label=name.label,
        full=name.full,
        broker=target.broker,
        protocol=PROTOCOLS[target.protocol],
        driver=target.driver,
        place=_place(data.runs[0].scenario, target),
        runtime=broker.runtime if broker else "",
        limits=broker.limits if broker else {},
        labels=broker.labels if broker else (),
    )


def _place(scenario: Scenario, target: Target) -> str:
    broker = scenario.broker(target.broker)
    return "in memory" if isinstance(broker, MemoryBroker) else broker.place


def _ledger(data: Dataset) -> Iterator[LedgerRow]:
    scenario = data.runs[0].scenario
    groups = dict(iter(data.trials.groupby(_KEY)))
    order = [(target.name, workload.name) for workload in scenario.workloads for target in scenario.targets]
    for target, workload in order:
        if (target, workload) not in groups:
            continue
        group = groups[target, workload]
        checked = group["little_holds"].dropna()
        yield LedgerRow(
            target=target,
            workload=workload,
            trials=len(group),
            little_checked=len(checked),
            little_holds=int(checked.astype(bool).sum()),
            **{name: int(group[f"ledger_{name}"].sum()) for name in _LEDGER},
        )


def _notes(data: Dataset) -> Iterator[NoteRow]:
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
        text=first["text"],
    )


def _settings(data: Dataset) -> Iterator[SettingRow]:
    brokers = [broker.name for broker in data.runs[0].scenario.brokers]
    for key, group in data.settings.groupby("key"):
        values = []
        for broker in brokers:
            rows = group[group["broker"] == broker]
            asked, reported = _joined(rows["asked"]), _joined(rows["reported"])
            differs = asked is not None and reported is not None and asked.strip().lower() != reported.strip().lower()
            values.append(SettingValue(broker=broker, asked=asked, reported=reported, differs=differs))
        known = {value.reported or value.asked for value in values if value.reported or value.asked}
        yield SettingRow(key=str(key), values=tuple(values), unlike=len(known) > 1)


def _joined(values: pd.Series) -> str | None:
    distinct = [str(value) for value in values.dropna().unique()]
    return " / ".join(distinct) if distinct else None
