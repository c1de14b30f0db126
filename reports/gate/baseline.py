"""Which run of a history a candidate is held against, and that run as a side of a gate.

A history keeps the figures of trials, not their folders: no faults, memory or unusual
percentiles, and of trials that could be trusted alone. Of runs of other scenarios, loads and
classes of hosts nothing is asked.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from bench.results.comparability import RECEIPTS
from bench.stats.noninferiority import MIN_PAIRS
from reports.dataset import rows_of
from reports.gate.metrics import METRICS, figures
from reports.gate.pairs import Side
from reports.history.series import BY_KERNEL, FILE, PERCENTILES, UNDISTURBED, load_digest, rows
from reports.history.store import files_of

_SHORTEST = 7
"""Characters of a commit that was stored by less than its whole name."""
_KEPT = {"achieved_rate": "achieved rate", "broker_cpu": "broker CPU"}


@dataclass(frozen=True)
class HistorySide:
    """One run of a history; a `reports.gate.pairs.GateSide`.

    Attributes:
        kept: its rows, columns as in `reports.history.series.COLUMNS`.
        cpus: of its host, which is of the candidate's class.
    """

    kept: pd.DataFrame
    cpus: int | None

    @property
    def title(self) -> str:
        """Its run, commit and time."""
        first = self.kept.iloc[0]
        return f"{first['run_id']} (commit {first['commit'][:12]}, {first['time_utc'][:16]})"

    @property
    def host_class(self) -> str:
        """See `GateSide`."""
        return str(self.kept.iloc[0]["host_class"])

    @property
    def floors(self) -> Mapping[str, float]:
        """None are kept."""
        return {}

    @property
    def remarks(self) -> tuple[str, ...]:
        """See `GateSide`."""
        return ("The baseline is of a history, which keeps no counts of faults: they are taken to be 0.",)

    def quick(self) -> list[str]:
        """See `GateSide`."""
        return [str(self.kept.iloc[0]["run_id"])] if self.kept.iloc[0]["mode"] == "quick" else []

    def rows(self) -> list[tuple[str, str]]:
        """See `GateSide`."""
        return list(dict.fromkeys(zip(self.kept["target"], self.kept["workload"], strict=True)))

    def planned(self, target: str, workload: str) -> int:
        """Return how many trials are kept: what else was planned is not known."""
        return len(self.valid(target, workload))

    def valid(self, target: str, workload: str) -> set[int]:
        """See `GateSide`."""
        return {int(one) for one in rows_of(self.kept, target, workload)["repetition"]}

    def faults(self, target: str, workload: str) -> Counter[str]:  # noqa: ARG002
        """None are kept."""
        return Counter()

    def receipt(self, target: str, workload: str) -> str | None:
        """See `GateSide`."""
        latencies = [one for one in rows_of(self.kept, target, workload)["metric"] if one.startswith(PERCENTILES)]
        by_kernel = {BY_KERNEL in one for one in latencies}
        if not by_kernel:
            return None
        return RECEIPTS["both" if len(by_kernel) > 1 else "kernel" if by_kernel.pop() else "read"]

    def lacks(self, metric: str) -> str:
        """See `GateSide`."""
        kept = METRICS[metric].counted or metric in PERCENTILES or metric in _KEPT
        return "" if kept else "a history does not keep it"

    def figures(self, metric: str, target: str, workload: str, *, whole: bool = False) -> dict[int, float]:
        """See `GateSide`."""
        if METRICS[metric].counted:
            return dict.fromkeys(self.valid(target, workload), 0.0)
        row = rows_of(self.kept, target, workload)
        if metric in _KEPT:
            return _values(row[row["metric"] == _KEPT[metric]])
        row = row[row["metric"].str.startswith(f"{metric} ")]
        undisturbed = row["metric"].str.endswith(UNDISTURBED)
        if whole:
            return _values(row[~undisturbed]) if undisturbed.any() else {}
        return _values(row[undisturbed] if undisturbed.any() else row)


@dataclass(frozen=True)
class KeptSide(Side):
    """A candidate beside a run of a history: its figures as a history keeps them."""

    def figures(self, metric: str, target: str, workload: str, *, whole: bool = False) -> dict[int, float]:
        """See `GateSide`; of the rate a history keeps that of all messages."""
        if metric == "achieved_rate":
            received = replace(METRICS[metric], column="received_rate")
            return figures(self.data, received, self.names[target], workload)
        return super().figures(metric, target, workload, whole=whole)


@dataclass(frozen=True)
class Found:
    """What a history has for a candidate.

    Attributes:
        side: the run to compare with; None where there is none.
        others: classes of other hosts of which it has runs.
    """

    side: HistorySide | None
    others: tuple[str, ...] = ()


def newest(kept: pd.DataFrame, commits: Sequence[str], new: Side) -> Found:
    """Return the newest run of the candidate's scenario and class of hosts at one of some commits.

    Args:
        kept: rows of a history, with the file that each stands in: one a run, whatever runs are called.
        commits: whole names, the newest first; the first that has a run counts.
        new: the candidate, whose own run is left out.
    """
    run = new.run
    loads = {(target, workload): load_digest(new.workload(workload)) for target, workload in new.rows()}
    alike = (kept["scenario"] == run.scenario.name) & (kept["mode"] == run.mode)
    alike &= ~kept[FILE].isin(files_of(kept, rows(new.data, "")))
    mine = kept[alike]
    named = zip(mine["target"], mine["workload"], mine["load"], strict=True)
    same = [loads.get((target, workload)) == load for target, workload, load in named]
    mine = mine[pd.Series(same, mine.index, dtype=bool)]
    places = _places(mine["commit"].unique().tolist(), commits)
    mine = mine[mine["commit"].isin(places.keys())]
    here = mine["host_class"] == new.host_class
    others = tuple(sorted(mine.loc[~here, "host_class"].unique().tolist()))
    mine = mine[here]
    # A run of which too little is kept would make every later gate invalid.
    mine = mine[mine.groupby(FILE)["repetition"].transform("nunique") >= MIN_PAIRS]
    if mine.empty:
        return Found(None, others)
    at = mine[mine["commit"] == min(mine["commit"].unique(), key=places.__getitem__)]
    last = at.loc[pd.to_datetime(at["time_utc"], utc=True, format="ISO8601").idxmax()]
    return Found(HistorySide(at[at[FILE] == last[FILE]], new.cpus), others)


def _places(stored: Sequence[str], commits: Sequence[str]) -> dict[str, int]:
    """Return where in a line of commits those are that were stored, by their whole name or by its beginning."""
    whole = {name: place for place, name in enumerate(commits)}
    found = {name: whole[name] for name in stored if name in whole}
    for name in stored:
        if name not in found and len(name) >= _SHORTEST:
            hits = [place for place, one in enumerate(commits) if one.startswith(name)]
            found |= {name: hits[0]} if len(hits) == 1 else {}
    return found


def _values(rows: pd.DataFrame) -> dict[int, float]:
    return {int(k): float(value) for k, value in zip(rows["repetition"], rows["value"], strict=True)}
