"""What may be concluded, in plain sentences. Pure.

No winner is named in a quick run, on fewer than 10 trials a row, between rows of unlike
durability, by throughput on fewer than 4 CPUs, nor ever for a row that our own client
held back. "Not told apart" is an answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from bench.stats.compare import DELTA, Comparison, Pair, Verdict, compare_family
from reports.durability import Durability
from reports.format import Name, listed, milliseconds, number, rate
from reports.questions import Question

MIN_TRIALS = 10
"""Usable trials a row that a verdict needs."""
MIN_CPUS = 4
"""CPUs a host needs for rows to be ranked by throughput."""

Trials = Mapping[tuple[str, int], float]
"""(run id, repetition) -> estimate of that trial."""


@dataclass(frozen=True)
class Row:
    """One target under one workload, as far as a verdict needs it.

    Attributes:
        estimates: the metric in each usable trial: p99 in ns, or messages a second; infinite
            where more than 1 % of the messages never came; trials without enough data are absent.
        median: over trials; None where there is no estimate.
    """

    name: Name
    workload: str
    estimates: Trials
    median: float | None
    client_bound: bool
    durability: Durability

    @property
    def finite(self) -> bool:
        """Whether every trial has a bound."""
        return all(value < float("inf") for value in self.estimates.values())


@dataclass(frozen=True)
class Case:
    """A question with its rows, by workload, and the run's circumstances."""

    question: Question
    rows: Mapping[str, Sequence[Row]]
    mode: str
    cpus: int | None

    @property
    def by_throughput(self) -> bool:
        """A closed loop is judged by throughput, a rate by p99 response."""
        return self.question.closed_loop

    @property
    def metric(self) -> str:
        """Name of what is compared."""
        return "achieved rate" if self.by_throughput else "p99 response"


Key = tuple[str, str, str]
"""(workload, first target, second target)."""


def comparisons(cases: Sequence[Case]) -> dict[Key, Comparison]:
    """Compare every two rows that may be compared, over all questions, as one family."""
    pairs: dict[Key, Pair] = {}
    for case in cases:
        for workload, rows in case.rows.items():
            for a, b in combinations(_candidates(case, rows), 2):
                shared = sorted(a.estimates.keys() & b.estimates.keys())
                if a.durability == b.durability and len(shared) >= MIN_TRIALS:
                    pairs[workload, a.name.target, b.name.target] = Pair(
                        [a.estimates[key] for key in shared],
                        [b.estimates[key] for key in shared],
                        lower_is_better=not case.by_throughput,
                    )
    return dict(zip(pairs, compare_family(list(pairs.values())), strict=True))


def answer(case: Case, judged: Mapping[Key, Comparison]) -> tuple[str, str | None]:
    """Return the sentence that answers a question, and the target that won, if one did."""
    figures = _figures(case)
    if not figures:
        return "No result: no trial could be used.", None
    if case.mode == "quick":
        opening = _opening(case)
        return f"A quick look, no verdict: {opening[0].lower()}{opening[1:]} {figures}.", None
    refusal = _refusal(case)
    if refusal:
        return f"{refusal} {_opening(case)} {figures}.", None
    standings = [_standing(case, workload, judged) for workload in case.rows]
    sentence, winner = standings[0]
    if len(standings) > 1:
        winners = {each.name.target if each else None for _, each in standings}
        winner = winner if len(winners) == 1 else None
        sentence = f"{winner.name.full} carries most at every bound." if winner else "No single winner over the sweep."
    said = [sentence, _not_compared(case), f"{_opening(case)} {figures}."]
    return " ".join(part for part in said if part), winner.name.target if winner else None


def _candidates(case: Case, rows: Sequence[Row]) -> list[Row]:
    if case.mode == "quick" or (case.by_throughput and (case.cpus or 0) < MIN_CPUS):
        return []
    return [row for row in rows if not row.client_bound and row.finite and len(row.estimates) >= MIN_TRIALS]


def _refusal(case: Case) -> str:
    rows = [row for group in case.rows.values() for row in group]
    if case.by_throughput and case.cpus is None:
        return f"Not ranked: the host's CPUs are not known, and throughput is ranked on {MIN_CPUS} or more."
    if case.by_throughput and (case.cpus or 0) < MIN_CPUS:
        return f"Not ranked: this host has {case.cpus} CPUs, and throughput is ranked on {MIN_CPUS} or more."
    most = max(len(row.estimates) for row in rows)
    if most < MIN_TRIALS:
        return f"No verdict: {most} usable trials a row at most, and a verdict needs {MIN_TRIALS}."
    return ""


def _not_compared(case: Case) -> str:
    """Say which rows with a figure stand outside the comparison, and why."""
    reasons: dict[str, str] = {}
    for rows in case.rows.values():
        for row in rows:
            if row.client_bound:
                reasons[row.name.full] = "client-bound: a lower bound"
            elif not row.finite:
                reasons[row.name.full] = "in some trial over 1 % of the messages never came or were dropped"
            elif len(row.estimates) < MIN_TRIALS:
                reasons[row.name.full] = f"{len(row.estimates)} usable trials of {MIN_TRIALS} needed"
    if not reasons:
        return ""
    return "Not compared: " + "; ".join(f"{name} ({why})" for name, why in reasons.items()) + "."


def _standing(case: Case, workload: str, judged: Mapping[Key, Comparison]) -> tuple[str, Row | None]:
    rows = _candidates(case, case.rows[workload])
    classes = {row.durability for row in rows}
    if len(rows) > 1 and len(classes) > 1:
        parts = [
            f"{listed([r.name.full for r in rows if r.durability == kind])} survives {kind}" for kind in sorted(classes)
        ]
        return f"No verdict: rows of unlike durability are not compared: {'; '.join(parts)}.", None
    if len(rows) < 2:  # noqa: PLR2004
        return f"No verdict: fewer than two rows can be compared ({MIN_TRIALS} usable trials, no bound of ours).", None
    found = {**judged, **{(w, b, a): _mirror(c) for (w, a, b), c in judged.items()}}

    def between(a: Row, b: Row) -> Comparison | None:
        return found.get((workload, a.name.target, b.name.target))

    def beats(a: Row, b: Row) -> bool:
        comparison = between(a, b)
        return comparison is not None and comparison.verdict is Verdict.BETTER

    for row in rows:
        others = [other for other in rows if other is not row]
        if all(beats(row, other) for other in others):
            return _victory(case, row, [c for c in (between(row, other) for other in others) if c]), row
    pairs = [between(a, b) for a, b in combinations(rows, 2)]
    if all(pair and pair.verdict is Verdict.SAME for pair in pairs):
        alike = f"all {len(rows)} rows compared lie within {DELTA:.0%} of each other in {case.metric}"
        return f"No relevant difference: {alike}.", None
    leaders = [row for row in rows if not any(beats(other, row) for other in rows)]
    return _no_winner(case, rows, leaders, [between(a, b) for a, b in combinations(leaders, 2)]), None


def _victory(case: Case, row: Row, won: list[Comparison]) -> str:
    factors = sorted(1 / c.ratio for c in won)
    low, high = number(factors[0]), number(factors[-1])
    span = low if low == high else f"{low} to {high}"
    word = "highest" if case.by_throughput else "lowest"
    others = "the other row compared is" if len(won) == 1 else f"the other {len(won)} compared are"
    trials = min(c.n for c in won)
    return f"{row.name.full} has the {word} {case.metric}; {others} {span} times as high (n = {trials} trials a row)."


def _no_winner(case: Case, rows: list[Row], leaders: list[Row], open_pairs: list[Comparison | None]) -> str:
    names = listed([row.name.full for row in leaders])
    needed = [c.trials_needed for c in open_pairs if c and c.verdict is Verdict.UNDECIDED]
    more = f"; about {max(n for n in needed if n)} trials a row would decide" if any(needed) and all(needed) else ""
    if len(leaders) == 1:
        return f"No winner: {names} is not told apart from every other row."
    if len(leaders) == len(rows):
        return f"No winner: the rows are not told apart in {case.metric}{more}."
    behind = listed([row.name.full for row in rows if row not in leaders])
    word = "lower" if case.by_throughput else "higher"
    return f"No single winner: {names} are not told apart in {case.metric}{more}; {behind} is {word}."


def _mirror(comparison: Comparison) -> Comparison:
    turned = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}
    return Comparison(
        n=comparison.n,
        ratio=1 / comparison.ratio,
        low=1 / comparison.high if comparison.high else 0.0,
        high=1 / comparison.low if comparison.low else float("inf"),
        p_value=comparison.p_value,
        alpha=comparison.alpha,
        verdict=turned.get(comparison.verdict, comparison.verdict),
        trials_needed=comparison.trials_needed,
    )


def _opening(case: Case) -> str:
    if case.by_throughput:
        went = "went" if len(case.rows) > 1 else "was"
        return f"With {case.question.load}, the median achieved rate {went}"
    return f"At {case.question.load}, the median p99 response was"


def _figures(case: Case) -> str:
    """Return every row's figure in the scenario's order, grouped by product and version."""
    groups: dict[str, list[str]] = {}
    names: dict[str, Name] = {}
    for rows in case.rows.values():
        names |= {row.name.target: row.name for row in rows}
    for target, name in names.items():
        rows = [row for group in case.rows.values() for row in group if row.name.target == target]
        known = [row for row in rows if row.median is not None]
        if known:
            bound = " (client-bound: a lower bound)" if any(row.client_bound for row in known) else ""
            who = "" if name.who in groups else f" for {name.who}"
            groups.setdefault(name.who, []).append(f"{_figure(case, known)}{who} over {name.way}{bound}")
    return "; ".join(listed(parts) for parts in groups.values())


def _figure(case: Case, rows: Sequence[Row]) -> str:
    medians = [row.median for row in rows if row.median is not None]
    if not case.by_throughput:
        value = medians[0]
        return (
            f"{milliseconds(value)} ms"
            if value < float("inf")
            else "without bound (over 1 % never came or were dropped)"
        )
    if len(medians) == 1:
        return f"{rate(medians[0])} msg/s"
    return f"from {rate(medians[0])} to {rate(medians[-1])} msg/s"
