"""From the tables of a dataset to what a report says. Pure: frames in, a Summary out."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench.results.records import RunRecord
from bench.stats.ratio import Comparison
from reports.captions import captions, sustained_caption
from reports.cases import Case, Cells, Key, cases_of, cells_of
from reports.caveats import caveats, environment, not_shown
from reports.comparability import differing
from reports.costs import costs, idles, starts
from reports.counts import counts
from reports.curves import knees
from reports.dataset import Dataset
from reports.durability import evidence
from reports.flows import of_trials, trial_of
from reports.format import Name, listed
from reports.head_to_head import head_to_heads
from reports.left_out import left_out, nothing_usable
from reports.method import METHOD
from reports.naming import names
from reports.place_costs import place_costs
from reports.questions import Question, questions
from reports.summary import Absent, Answer, Compared, RunSummary, SettingRow, Summary
from reports.sustained import Sustained
from reports.tables import ledger, notes, settings, targets
from reports.traces import marks, traces
from reports.trust import trust
from reports.verdict import answer, comparisons

_MOST_POINTS = 2
"""Points of a sweep that a remark names."""


def summarise(data: Dataset, sustained: Sequence[Sustained] = ()) -> Summary:
    """Return everything that a report of these runs says.

    Args:
        data: the runs.
        sustained: highest sustainable rates, where a search was made.
    """
    scenario = data.scenario
    found = names(data)
    cells = cells_of(data)
    asked = questions(scenario)
    cases = cases_of(data, found, cells)
    judged = comparisons(cases)
    bends = [knee for question in asked for knee in knees(question, list(found), cells)]
    asked_settings = tuple(settings(data))
    out = tuple(left_out(data))
    lines = tuple(traces(data, asked, cells))
    happened = tuple(marks(data, asked, lines))
    finished = of_trials(data.trials)
    return Summary(
        title=scenario.title,
        question=scenario.question,
        mode=data.runs[0].mode,
        runs=tuple(_run(each) for each in data.runs),
        caveats=caveats(data, compared=len(judged)),
        head_to_head=tuple(head_to_heads(cases, judged)),
        answers=tuple(_answer(data, case, judged, found, cells, asked_settings) for case in cases),
        targets=tuple(targets(data, found)),
        cells=tuple(each for each in cells.values() if each.planned),
        comparisons=tuple(_compared(cases, judged)),
        ledger=tuple(ledger(data)),
        notes=tuple(notes(data)),
        settings=asked_settings,
        differing=differing(data),
        environment=environment(data),
        absent=tuple(
            Absent(run_id=row.run_id, target=row.target, workload=row.workload, repetition=row.repetition, why=row.why)
            for row in data.absent.itertuples()
        ),
        promises=(*_promises(asked, found, cells), *evidence(data.durability)),
        not_shown=not_shown(data, cells),
        left_out=out,
        counts=tuple(counts(data)),
        costs=tuple(costs(data)),
        idles=tuple(idles(data)),
        starts=tuple(starts(data)),
        place_costs=tuple(place_costs(data, found)),
        knees=tuple(bends),
        sustained=tuple(sustained),
        traces=lines,
        marks=happened,
        captions=(
            *captions(data, asked, found, [each for each in cells.values() if each.planned], bends, out, happened),
            *sustained_caption(sustained, {target: name.label for target, name in found.items()}),
        ),
        method=METHOD,
        trials_finished=len(finished),
        trials_usable=int(finished["usable"].sum()),
        trials_planned=sum(len({trial_of(line.index) for line in run.plan}) for run in data.runs),
    )


def _answer(
    data: Dataset,
    case: Case,
    judged: Mapping[Key, Comparison],
    found: Mapping[str, Name],
    cells: Cells,
    asked_settings: Sequence[SettingRow],
) -> Answer:
    said, question = answer(case, judged), case.question
    if said.kind == "no result":
        names = [workload.name for workload in question.workloads]
        rows = {name.label: cells[target, names[0]] for target, name in found.items()}
        headline, effect = nothing_usable(data, rows, names)
        said = replace(said, headline=headline, effect=effect)
    return Answer(
        question=question.name,
        workloads=tuple(workload.name for workload in question.workloads),
        swept=question.swept,
        asks=question.asks(len(case.targets)),
        load=question.load,
        metric=case.metric,
        unit=question.unit,
        kind=said.kind,
        headline=said.headline,
        effect=said.effect,
        exclusions=said.exclusions,
        figures=said.figures,
        sentence=said.sentence,
        winner=said.winner,
        remarks=tuple(_remarks(question, found, cells)),
        trust=trust(data, question, cells, asked_settings),
    )


def _compared(cases: Sequence[Case], judged: Mapping[Key, Comparison]) -> Iterator[Compared]:
    of = {workload.name: case for case in cases for workload in case.question.workloads}
    for (workload, first, second), each in judged.items():
        yield Compared(
            workload=workload,
            first=first,
            second=second,
            metric=of[workload].metric,
            delta=of[workload].delta[0],
            delta_from=of[workload].delta[1],
            n=each.n,
            ratio=each.ratio,
            low=each.low if math.isfinite(each.low) else None,
            high=each.high if math.isfinite(each.high) else None,
            alpha=each.alpha,
            verdict=each.verdict.value,
            trials_needed=each.trials_needed,
            **_whole(each.whole),
        )


def _whole(each: Comparison | None) -> dict[str, Any]:
    if each is None:
        return {}
    return {
        "whole_ratio": each.ratio,
        "whole_low": each.low if math.isfinite(each.low) else None,
        "whole_high": each.high if math.isfinite(each.high) else None,
        "whole_verdict": each.verdict.value,
    }


def _remarks(question: Question, found: Mapping[str, Name], cells: Cells) -> Iterator[str]:
    for target, name in found.items():
        where: dict[str, list[str]] = {}
        for workload in question.workloads:
            for remark in cells[target, workload.name].remarks:
                where.setdefault(remark.rstrip("."), []).append(question.called(workload.name))
        for remark, points in where.items():
            if question.of_fields and len(points) > _MOST_POINTS:
                yield f"{name.label}, {len(points)} of {len(question.workloads)} points: {remark}."
            else:
                yield from (
                    f"{name.label}, {point}: {remark}." if question.many else f"{name.label}: {remark}."
                    for point in points
                )


def _promises(asked: Sequence[Question], found: Mapping[str, Name], cells: Cells) -> Iterator[str]:
    for question in asked:
        promised = {each.durable: each.name for each in question.workloads}
        for durable, workload in promised.items():
            groups: dict[str, list[str]] = {}
            for target, name in found.items():
                groups.setdefault(cells[target, workload].durability, []).append(name.label)
            parts = [
                promise + (f" ({listed(labels)})" if len(groups) > 1 else "") for promise, labels in groups.items()
            ]
            which = "" if len(promised) == 1 else f", {'persistent' if durable else 'transient'}"
            yield f"{question.name}{which}: a confirmed message survives {'; '.join(parts)}."


def _run(run: RunRecord) -> RunSummary:
    return RunSummary(
        run_id=run.run_id,
        started_utc=run.started_utc,
        seed=run.seed,
        command=run.command,
        image_digests={recipe: image.content_digest for recipe, image in run.images.items()},
    )
