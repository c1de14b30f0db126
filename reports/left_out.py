"""Trials that have a result and are not counted: which, why, and what they would have shown. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from bench.results.records import BROKE_OFF
from bench.stats.estimate import estimate
from reports.dataset import TRIAL, Dataset
from reports.format import count, listed, merged, milliseconds, plain, quantities
from reports.summary import Cell, LeftOut

_FIRST_IS_SEEN = {"steal", "throttled", "canary-shifted", "send-lag", "receive-lag", "client-bound"}
"""Codes whose notes begin with how much of it was seen."""


@dataclass(frozen=True)
class Reason:
    """Why some trials are not counted.

    Attributes:
        why: in a few words, such as `the hypervisor took CPU time (steal)`.
        trials: how many.
        extent: the range of what was seen, such as `1.2 to 6.8 %`; empty where that has no number.
        text: what their notes say together, with advice at the end; of an outcome the same as `why`.
    """

    why: str
    trials: int
    extent: str
    text: str

    def __str__(self) -> str:
        """Return it as a part of a sentence."""
        trials = f"{count(self.trials)} trial{'' if self.trials == 1 else 's'}"
        inside = f"{self.why[:-1]}, {self.extent})" if self.why.endswith(")") else f"{self.why} ({self.extent})"
        return f"{inside if self.extent else self.why} in {trials}"


def left_out(data: Dataset) -> Iterator[LeftOut]:
    """Yield the finished trials that are not counted, with the reason and what they would have shown."""
    invalid = data.trials[~data.trials["usable"]]
    for row in invalid.itertuples():
        held = data.latency[
            (data.latency["run_id"] == row.run_id)
            & (data.latency["index"] == row.index)
            & (data.latency["tag"] == row.tag)
        ]
        p99 = float(held["p99"].iloc[0]) if len(held) else float("nan")
        yield LeftOut(
            target=str(row.target),
            workload=str(row.workload),
            repetition=int(row.repetition),  # type: ignore[arg-type]
            why=str(row.why_not),
            p99_ns=p99 if 0 <= p99 < float("inf") else None,
            achieved_rate=float(row.achieved_rate),  # type: ignore[arg-type]
        )


def reasons(data: Dataset, trials: pd.DataFrame) -> list[Reason]:
    """Return why some of these rows of `Dataset.trials` are not counted, the most frequent reason first.

    A trial with two reasons is counted under both. How a trial ended outweighs what its host did meanwhile.
    """
    out = trials[~trials["usable"]]
    ended = out["outcome"].isin({str(outcome) for outcome in BROKE_OFF})
    hard = data.notes[data.notes["hard"].astype(bool)].merge(out.loc[~ended, TRIAL], on=TRIAL)
    texts: dict[str, list[str]] = defaultdict(list)
    measured = {plain(code) for code in _FIRST_IS_SEEN}
    noted = set(zip(hard["run_id"], hard["index"], strict=True))
    for run_id, index, why in out[[*TRIAL, "why_not"]].itertuples(index=False):
        if (run_id, index) not in noted:
            texts[str(why).partition(":")[0]].append(str(why))
    for code, text in zip(hard["code"], hard["text"], strict=True):
        texts[plain(code)].append(text)
    found = [
        Reason(why, len(said), quantities(said) if why in measured else "", merged(said)) for why, said in texts.items()
    ]
    return sorted(found, key=lambda reason: -reason.trials)


def nothing_usable(data: Dataset, rows: Mapping[str, Cell], workloads: Collection[str]) -> tuple[str, str]:
    """Return headline and words for a question without a figure: why, where the figures are, the next step.

    Args:
        data: the runs.
        rows: the question's rows by what they are called.
        workloads: names of its workloads.
    """
    whole = {name: one.all_ns["p99"].centre for name, one in rows.items() if "p99" in one.all_ns}
    told = [f"{name} {milliseconds(value)} ms" for name, value in whole.items() if value is not None]
    headline = "No p99 without the host's pauses" if told else "Too few messages for a p99"
    said = _words(data, data.trials[data.trials["workload"].isin(workloads)], rows, told)
    return headline if any(row.n for row in rows.values()) else "No result", said


def _words(data: Dataset, trials: pd.DataFrame, rows: Mapping[str, Cell], told: list[str]) -> str:
    if trials.empty:
        return "No trial was finished: bench run --resume FOLDER does the rest."
    if bool(trials["usable"].any()):
        why = next((one.latency_ns["p99"].why for one in rows.values() if one.latency_ns["p99"].why), "not known")
        seen = f" Of all messages, pauses of the host included, p99 is {listed(told)}." if told else ""
        middle = [
            f"{name} {milliseconds(value)} ms"
            for name, one in rows.items()
            if (value := one.latency_ns["p50"].centre) is not None
        ]
        half = f" p50 is {listed(middle)}." if middle else ""
        return f"Its p99 cannot be told: {why}.{seen}{half}"
    [first, *others] = reasons(data, trials)
    also = f" Also {'; '.join(map(str, others))}." if others else ""
    again = " Next: mend that, then repeat them by bench run --resume FOLDER." if not _would_count(data, trials) else ""
    many = f"None of {count(len(trials))} finished trials" if len(trials) > 1 else "The one finished trial"
    return (
        f"{many} {'can' if len(trials) > 1 else 'cannot'} be used. {first.text.rstrip('.')}.{also} What they measured"
        f" is shown in grey and decides nothing.{again}"
    )


def _would_count(data: Dataset, trials: pd.DataFrame) -> bool:
    """Return whether every trial is sound and yet unusable, as when nothing was received: none is repeated then."""
    return all(data.records[key].valid for key in zip(trials["run_id"], trials["index"], strict=True))


def over_used(used: pd.Series, out: pd.Series) -> float | None:
    """Return the geometric mean of what left-out trials measured over that of those used; None where one is unknown."""
    sides = [[float(value) for value in side if 0 < value < float("inf")] for side in (out, used)]
    return estimate(sides[0]).value / estimate(sides[1]).value if all(sides) else None
