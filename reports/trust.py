"""How far the answer to a question can be trusted: trials, health, findings, parity, durability, noise. Pure."""

from collections.abc import Sequence

import pandas as pd

from bench.stats.noise_floor import relevant
from bench.units import percent
from reports.dataset import Dataset
from reports.format import count, listed, plain
from reports.model import Model
from reports.questions import Question


class Trust(Model):
    """What stands behind an answer."""

    trials_low: int
    """Usable trials of the row that has fewest."""
    trials_high: int
    planned: int
    """Trials planned a row."""
    left_out: int
    """Finished trials that are not counted."""
    warnings: tuple[str, ...]
    """Codes of health that made no trial invalid."""
    hard: tuple[str, ...]
    """Codes of health that made trials invalid."""
    findings: tuple[str, ...]
    """Codes of what brokers did."""
    unlike: tuple[str, ...]
    """Settings in which brokers differ, or that a broker reports otherwise than it was asked for."""
    durability: tuple[str, ...]
    """What a confirmed message survives; more than one where rows differ."""
    spread_low: float | None
    """Standard deviation of the logarithms of a row's trial estimates, so about the relative one: the calmest row."""
    spread_high: float | None
    """Of the noisiest row."""
    relevant: float
    """Smallest relevant effect, as a share."""
    relevant_from: str
    """Where that comes from: the usual one, or the noise floor of the host and the run that measured it."""
    lines: tuple[str, ...]
    """The same in words."""


def trust(
    data: Dataset,
    question: Question,
    *,
    usable: Sequence[int],
    spreads: Sequence[float],
    unlike: Sequence[str],
    durability: Sequence[str],
) -> Trust:
    """Return what stands behind the answer to a question.

    Args:
        data: the runs.
        question: which.
        usable: usable trials of each row.
        spreads: of trial estimates, of the rows where it is known.
        unlike: names of settings in which brokers differ.
        durability: what a confirmed message survives, row by row.
    """
    names = {workload.name for workload in question.workloads}
    trials = data.trials[data.trials["workload"].isin(names)]
    notes = data.notes[data.notes["workload"].isin(names)]
    health = notes[notes["kind"] == "health"]
    metric = "achieved rate" if question.closed_loop else "p99 response"
    delta, source = relevant(metric, [run.noise_floor for run in data.runs])
    found = Trust(
        trials_low=min(usable, default=0),
        trials_high=max(usable, default=0),
        planned=sum(run.scenario.plan.repetitions for run in data.runs if _plans(run.plan, names)),
        left_out=int((~trials["usable"]).sum()),
        warnings=_codes(health[~health["hard"].astype(bool)]),
        hard=_codes(health[health["hard"].astype(bool)]),
        findings=_codes(notes[notes["kind"] == "finding"]),
        unlike=tuple(unlike),
        durability=tuple(dict.fromkeys(durability)),
        spread_low=min(spreads, default=None),
        spread_high=max(spreads, default=None),
        relevant=delta,
        relevant_from=source,
        lines=(),
    )
    return found.model_copy(update={"lines": tuple(_lines(found))})


def _plans(plan: Sequence[object], names: set[str]) -> bool:
    return any(getattr(line, "workload", None) in names for line in plan)


def _codes(notes: pd.DataFrame) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(code) for code in notes["code"]))


def _lines(found: Trust) -> list[str]:
    few, many = count(found.trials_low), count(found.trials_high)
    n = few if few == many else f"{few} to {many}"
    lines = [f"n = {n} usable trials a row, of {count(found.planned)} planned."]
    if found.left_out:
        why = f" ({listed([plain(code) for code in found.hard])})" if found.hard else ""
        lines.append(f"Left out: {count(found.left_out)} invalid or failed{why}.")
    health = f"Health: warned of {listed(list(found.warnings))}." if found.warnings else "Health: nothing to warn of."
    lines.append(health)
    lines.append(f"Findings: {listed(list(found.findings))}." if found.findings else "Findings: none.")
    if found.unlike:
        lines.append(f"Parity: brokers differ in {listed(list(found.unlike))}.")
    else:
        lines.append("Parity: no setting differs.")
    lines.append(f"What a confirmed message survives: {'; elsewhere '.join(found.durability)}.")
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
