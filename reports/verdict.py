"""What may be concluded, in plain sentences. Pure.

No winner is named in a quick run, with fewer than 10 trials a row, between rows of different
durability or of different runs, or by throughput on fewer than 4 CPUs. A row that our own client
held back, or that did not carry the load, never wins. "Not told apart" is an answer.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations
from typing import Literal

from bench.stats.estimate import LEAST_FOR_INTERVAL, estimate
from bench.stats.ratio import Comparison, Pair, Verdict, compare_family, with_whole
from bench.units import percent
from reports.cases import MIN_CPUS, MIN_TRIALS, Case, Key, Row, Trials
from reports.exclusions import candidates, extent, none_paired, not_compared, of_one_run, too_few, usable_pairs, why_not
from reports.format import Name, listed, milliseconds, number, rate

_MOST_TOLD = 4
"""Points of a sweep that are told one by one."""
Kind = Literal["winner", "ahead", "same", "open", "measured", "not ranked", "no result"]


@dataclass(frozen=True)
class Statement:
    """The answer to a question.

    Attributes:
        kind: what sort of answer it is.
        headline: the verdict in a few words.
        effect: by how much, with interval; or why there is no verdict, or what would give one.
        exclusions: which rows that have a figure, or pairs of such rows, are not compared, and why; empty if all are.
        figures: every row's figure, in the scenario's order.
        winner: the target that won, if one did.
        brief: headline and effect in a few words, for use as one answer among several.
    """

    kind: Kind
    headline: str
    effect: str
    exclusions: str = ""
    figures: str = ""
    winner: str | None = None
    brief: str = ""

    @property
    def sentence(self) -> str:
        """The whole answer."""
        parts = [f"{self.headline.rstrip('.')}.", self.effect, self.exclusions, self.figures]
        return " ".join(part for part in parts if part)


def comparisons(cases: Sequence[Case]) -> dict[Key, Comparison]:
    """Compare every two rows that may be compared; those of all questions are one family.

    Where estimates leave the host's pauses out, all messages are compared as well, and no verdict is given that they
    contradict.
    """
    pairs: dict[Key, Pair] = {}
    wholes: dict[Key, Pair] = {}
    deltas: dict[Key, float] = {}
    for case in cases:
        for workload in case.rows:
            for a, b in combinations(candidates(case, workload), 2):
                shared = usable_pairs(a, b)
                key = (workload, a.name.target, b.name.target)
                if key not in case.barred and len(shared) >= MIN_TRIALS:
                    deltas[key] = case.delta[0]
                    pairs[key] = _pair(case, a.estimates, b.estimates, shared)
                    if all(math.isfinite(row.whole.get(one, math.inf)) for row in (a, b) for one in shared):
                        wholes[key] = _pair(case, a.whole, b.whole, shared)
    judged, seen = (
        dict(zip(some, compare_family(list(some.values()), delta=[deltas[key] for key in some]), strict=True))
        for some in (pairs, wholes)
    )
    return {key: with_whole(found, seen[key]) if key in seen else found for key, found in judged.items()}


def _pair(case: Case, first: Trials, second: Trials, shared: Sequence[tuple[str, int]]) -> Pair:
    return Pair([first[one] for one in shared], [second[one] for one in shared], lower_is_better=not case.by_throughput)


def answer(case: Case, judged: Mapping[Key, Comparison]) -> Statement:
    """Return the answer that the data give to a question."""
    figures = _figures(case)
    if not figures:
        return Statement("no result", "No result", "No trial could be used.")
    figures = f"{_opening(case)} {figures}."
    if alone := _alone(case):
        return replace(alone, figures=figures)
    if case.mode == "quick":
        why = f"A verdict needs {MIN_TRIALS} trials a row, which a full run makes."
        seen = " ".join([*_seen(case), why])
        return Statement("not ranked", "Not ranked: a quick look names no winner", seen, figures=figures)
    refusal = _refusal(case)
    if refusal:
        seen = " ".join([*_seen(case), refusal[1]])
        return Statement("not ranked", refusal[0], seen, figures=figures)
    told = both_ways(judged)
    each = [_standing(case, workload, told) for workload in case.rows]
    said = each[0]
    if len(each) > 1:
        said = _of_all_points(case, each, {key: one for key, one in told.items() if key[0] in case.rows})
    return Statement(said.kind, said.headline, said.effect, not_compared(case), figures, said.winner)


def _of_all_points(case: Case, each: Sequence[Statement], judged: Mapping[Key, Comparison]) -> Statement:
    """Return one answer for all workloads of a curve or a sweep, from that for each of them."""
    where, first = case.question.each, each[0]
    told = [(case.question.called(name), one) for name, one in zip(case.rows, each, strict=True)]
    if len({one.winner for one in each}) == 1 and first.winner is not None:
        effects = " ".join(f"{name}: {one.effect}" for name, one in told)
        if len(each) > _MOST_TOLD:
            won = [one for (_, who, _), one in judged.items() if who == first.winner]
            times, interval = _times(won)
            effects = f"Over {len(each)} points the others have {times} times that ({interval}).{_of_all(won)}"
        return Statement("winner", f"{first.headline} at every {where}", effects, winner=first.winner)
    words: dict[str, list[str]] = {}
    for name, one in told:
        words.setdefault(one.headline if len(each) > _MOST_TOLD else one.brief or one.headline, []).append(name)
    if len(words) == 1 and first.kind == "not ranked":
        return replace(first, headline=f"{first.headline}, at every {where}")
    if len(each) > _MOST_TOLD:
        parts = [f"{said}: {len(names)} of {len(each)} points" for said, names in words.items()]
    else:
        parts = [f"{name}: {one.brief or one.headline}" for name, one in told]
    return Statement("open", f"No single winner over every {where}", f"{'; '.join(parts)}.")


def _alone(case: Case) -> Statement | None:
    """Return what is said where there is but one row and so nothing to compare; None elsewhere."""
    rows = [row for group in case.rows.values() for row in group]
    if case.question.of_fields and len({row.name.target for row in rows}) == 1:
        fewest = min(len(row.estimates) for row in rows)
        return Statement("measured", f"{case.metric} {_figure(case, rows)}", f"{fewest} trials or more at each point.")
    if len(rows) > 1 or rows[0].overload or not rows[0].estimates:
        return None
    [row] = rows
    n = len(row.estimates)
    unit = case.question.unit if case.by_throughput else "ms"
    known = n >= LEAST_FOR_INTERVAL and row.finite
    found = estimate(list(row.estimates.values())) if known else None
    if found is not None and found.low is not None and found.high is not None:
        text = rate if case.by_throughput else milliseconds
        why = f"95 % interval {text(found.low)} to {text(found.high)} {unit}, of {n} trials."
    else:
        trials = "One trial has" if n == 1 else f"{n} trials have"
        why = f"{trials} no interval; {LEAST_FOR_INTERVAL} or more give one."
    return Statement("measured", f"{case.metric} {_figure(case, rows)}", why)


def _seen(case: Case) -> Iterator[str]:
    """Yield how far apart the outermost rows that are alike were, trial by trial, where that is no verdict.

    Nothing is said of curves, nor of throughput where that is not ranked.
    """
    if case.question.many or (case.by_throughput and (case.cpus or 0) < MIN_CPUS):
        return
    [(workload, rows)] = case.rows.items()
    known = sorted((row.centre, place) for place, row in enumerate(rows) if row.centre and not why_not(row))
    if len(known) < 2:  # noqa: PLR2004  (two ends)
        return
    low, high = rows[known[0][1]], rows[known[-1][1]]
    ratios = sorted(high.estimates[one] / low.estimates[one] for one in usable_pairs(low, high))
    if ratios and not case.bars(workload, low, high) and low.durability == high.durability:
        pairs = f"{len(ratios)} pairs" if len(ratios) > 1 else "one pair"
        times = _between(ratios[0], ratios[-1])
        yield f"In {pairs} of trials {high.name.full} had {times} times the {case.metric} of {low.name.full}."


def _refusal(case: Case) -> tuple[str, str] | None:
    rows = [row for group in case.rows.values() for row in group]
    if case.by_throughput and case.cpus is None:
        why = f"The host's CPUs are not known, and throughput is ranked on {MIN_CPUS} or more."
        return "Not ranked: unknown number of CPUs", why
    if case.by_throughput and (case.cpus or 0) < MIN_CPUS:
        why = f"Brokers and clients share them; throughput is ranked on {MIN_CPUS} or more."
        return f"Not ranked: this host has {case.cpus} CPUs", why
    most = max(len(row.estimates) for row in rows)
    if most < MIN_TRIALS:
        why = f"A row has {most} usable trial{'' if most == 1 else 's'} at most, and a verdict needs {MIN_TRIALS}."
        return "Not ranked: too few trials", why
    return None


def _standing(case: Case, workload: str, told: Mapping[Key, Comparison]) -> Statement:
    """Return the answer for one workload."""
    rows = candidates(case, workload)
    refused = _unlike(rows) or _unpaired(case, workload)
    if refused:
        return refused
    found = {
        (a.name.target, b.name.target): told.get((workload, a.name.target, b.name.target))
        for a, b in permutations(rows, 2)
    }

    def between(a: Row, b: Row) -> Comparison | None:
        return found[a.name.target, b.name.target]

    def beats(a: Row, b: Row) -> bool:
        comparison = between(a, b)
        return comparison is not None and comparison.verdict is Verdict.BETTER

    for row in rows:
        others = [other for other in rows if other is not row]
        if all(beats(row, other) for other in others):
            return _victory(case, row, [(other, c) for other in others if (c := between(row, other))])
    pairs = [between(a, b) for a, b in combinations(rows, 2)]
    if all(pair and pair.verdict is Verdict.SAME for pair in pairs):
        why = f"All {len(rows)} rows compared lie within {percent(case.delta[0])} of each other in {case.metric}."
        return Statement("same", "No relevant difference", why, brief="no relevant difference")
    for who in dict.fromkeys(row.name.who for row in rows):
        mine, theirs = ([row for row in rows if (row.name.who == who) is own] for own in (True, False))
        if theirs and all(beats(a, b) for a in mine for b in theirs):
            return _ahead(case, who, theirs, [c for a in mine for b in theirs if (c := between(a, b))])
    beaten = {
        row.name.target: [(a, c) for a in rows if a is not row and beats(a, row) and (c := between(a, row))]
        for row in rows
    }
    leaders = [row for row in rows if not beaten[row.name.target]]
    behind = [_behind(case, row, len(rows), by) for row in rows if (by := beaten[row.name.target])]
    open_pairs = [(a, b, between(a, b)) for a, b in combinations(leaders, 2)]
    if len(leaders) == 1:
        [first] = leaders
        open_pairs = [(first, row, between(first, row)) for row in rows if row is not first and not beats(first, row)]
    return _barred(case, workload, rows) or _no_winner(case, open_pairs, behind)


def _barred(case: Case, workload: str, rows: Sequence[Row]) -> Statement | None:
    for a, b in combinations(rows, 2):
        if why := "; ".join(case.barred.get((workload, a.name.target, b.name.target), ())):
            return Statement("not ranked", "Not ranked: unlike rows", f"{a.name.full} and {b.name.full}: {why}.")
    return None


def _unlike(rows: Sequence[Row]) -> Statement | None:
    """Return why rows cannot be ranked; None where they can."""
    classes = {row.durability for row in rows}
    if len(rows) > 1 and len(classes) > 1:
        parts = [
            f"{listed([r.name.full for r in rows if r.durability == kind])} survives {kind}" for kind in sorted(classes)
        ]
        why = f"Rows of different durability are not compared: {'; '.join(parts)}."
        return Statement("not ranked", "Not ranked: different durability", why)
    if len(rows) < 2:  # noqa: PLR2004
        why = f"Fewer than two rows can be compared, as each needs {MIN_TRIALS} trials not limited by our client."
        return Statement("not ranked", "Not ranked: nothing to compare", why)
    if not all(of_one_run(a, b) for a, b in combinations(rows, 2)):
        why = "The rows come from runs made at different times; only trials interleaved in one run are compared."
        return Statement("not ranked", "Not ranked: rows of different runs", why)
    return None


def _unpaired(case: Case, workload: str) -> Statement | None:
    """Return that no two rows have enough trials in common; None where some have."""
    if not none_paired(case, workload):
        return None
    found = extent(too_few(case, workload))
    why = f"Any two rows have {found} usable pairs of trials, and a verdict needs {MIN_TRIALS}."
    return Statement("not ranked", "Not ranked: too few pairs", why)


def _victory(case: Case, row: Row, won: Sequence[tuple[Row, Comparison]]) -> Statement:
    word = "highest" if case.by_throughput else "lowest"
    nearest, closest = (max if case.by_throughput else min)(won, key=lambda each: 1 / each[1].ratio)
    times, interval = _times([closest])
    brief = f"{row.name.label} {word}, the next has {times} times that"
    effect = f"Next is {nearest.name.full} with {times} times that ({interval})"
    rest = [comparison for other, comparison in won if other is not nearest]
    if rest:
        effect += f"; the other{'s have' if len(rest) > 1 else ' has'} {_times(rest)[0]} times that"
    headline = f"{row.name.full} has the {word} {case.metric}"
    effect = f"{effect}.{_of_all([comparison for _, comparison in won])}"
    return Statement("winner", headline, effect, winner=row.name.target, brief=brief)


def _ahead(case: Case, who: str, theirs: Sequence[Row], won: Sequence[Comparison]) -> Statement:
    word = "higher" if case.by_throughput else "lower"
    others = listed(list(dict.fromkeys(row.name.who for row in theirs)))
    times, interval = _times(won)
    effect = f"Rows of {others} have {times} times its {case.metric} ({interval}); its own rows are not all told apart."
    effect += _of_all(won)
    brief = f"{who} {word}, the others have {times} times that"
    return Statement("ahead", f"{who} has the {word} {case.metric}, over every protocol", effect, brief=brief)


def _behind(case: Case, row: Row, of: int, by: Sequence[tuple[Row, Comparison]]) -> tuple[str, str]:
    """Return how far a row is behind those that beat it, of `of` rows compared: in a sentence, and in brief."""
    whom = "every other row compared" if len(by) == of - 1 else listed([other.name.label for other, _ in by])
    times, interval = _times([comparison for _, comparison in by])
    return (
        f"{row.name.label} has {times} times the {case.metric} of {whom} ({interval}).",
        f"{row.name.label} has {times} times that of {whom}",
    )


def _times(won: Sequence[Comparison]) -> tuple[str, str]:
    """Return the losers' figures as multiples of the winner's: the ends of the intervals, and what these are."""
    ends = _between(min(1 / c.high for c in won), max(1 / c.low for c in won))
    estimates = _between(min(1 / c.ratio for c in won), max(1 / c.ratio for c in won))
    if len(won) == 1:
        return ends, f"{percent(1 - won[0].alpha)} interval, estimate {estimates}, n = {won[0].n} pairs"
    fewest = min(c.n for c in won)
    return ends, f"outermost ends of the intervals, estimates {estimates}, n = {fewest} pairs or more"


def _between(low: float, high: float) -> str:
    shown = list(dict.fromkeys((number(low), number(high))))
    return " to ".join(shown)


def _of_all(judged: Sequence[Comparison]) -> str:
    """Return in what all messages, pauses of the host included, differ from the estimates; empty where in nothing."""
    against, alone = sum(one.contradicted for one in judged), sum(one.alone for one in judged)
    if against:
        return f" All messages, pauses of the host included, decide {against} of {len(judged)} comparisons otherwise."
    if alone:
        return f" All messages, pauses of the host included, leave {alone} of {len(judged)} comparisons undecided."
    return ""


def _no_winner(
    case: Case, open_pairs: Sequence[tuple[Row, Row, Comparison | None]], behind: Sequence[tuple[str, str]]
) -> Statement:
    """Return which rows are behind, and which pairs of rows leave the question open."""
    judged = [(a, b, c) for a, b, c in open_pairs if c]  # `exclusions` names those that are not compared
    alike = bool(judged) and all(c.verdict is Verdict.SAME for _, _, c in judged)
    needed = [c.trials_needed for _, _, c in judged if c.verdict is Verdict.UNDECIDED]
    more = f"; about {max(n for n in needed if n)} trials a row would decide" if any(needed) and all(needed) else ""
    names = list(dict.fromkeys(row.name.label for a, b, _ in judged for row in (a, b)))
    if alike:
        rest, few = f"{listed(names)} lie within {percent(case.delta[0])} of each other.", "the others alike"
    elif not judged:
        rest, few = "", "the others not compared"
    elif not behind:
        who = "The rows" if len(judged) == len(open_pairs) else listed(names)
        apart = _between(min(c.low for _, _, c in judged), max(c.high for _, _, c in judged))
        of = (
            f"{names[0]}'s over {names[1]}'s may be"
            if len(judged) == 1
            else "ratios of one row to another, as listed below, may be"
        )
        why = (
            f"{who} are not told apart in {case.metric}: {of} {apart} times{more}.{_of_all([c for _, _, c in judged])}"
        )
        return Statement("open", "No winner: not told apart", why)
    elif len({a.name.target for a, _, _ in judged}) == 1 < len(judged):
        rest, few = f"{names[0]} is not told apart from {listed(names[1:])}{more}.", "the others not told apart"
    else:
        rest, few = f"{listed(names)} are not told apart{more}.", "the others not told apart"
    headline = "No single winner" if behind else "No winner: not every row is compared"
    effect = " ".join(part for part in [*(sentence for sentence, _ in behind), rest] if part)
    effect += _of_all([c for _, _, c in judged])
    return Statement("open", headline, effect, brief=", ".join([*(brief for _, brief in behind), few]))


def both_ways(judged: Mapping[Key, Comparison]) -> dict[Key, Comparison]:
    """Return comparisons by their rows in either order."""
    return {**judged, **{(w, b, a): _mirror(c) for (w, a, b), c in judged.items()}}


def _mirror(comparison: Comparison) -> Comparison:
    turned = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}
    return replace(
        comparison,
        ratio=1 / comparison.ratio,
        low=1 / comparison.high if comparison.high else 0.0,
        high=1 / comparison.low if comparison.low else float("inf"),
        verdict=turned.get(comparison.verdict, comparison.verdict),
    )


def _opening(case: Case) -> str:
    went = "went" if case.question.many and not case.question.of_fields else "was"
    if case.by_throughput:
        return f"With {case.question.load}, the {case.metric} {went}"
    return f"At {case.question.load}, the {case.metric} {went}"


def _figures(case: Case) -> str:
    """Return every row's figure in the scenario's order, grouped by product and version."""
    groups: dict[str, list[str]] = {}
    names: dict[str, Name] = {}
    for rows in case.rows.values():
        names |= {row.name.target: row.name for row in rows}
    for target, name in names.items():
        rows = [row for group in case.rows.values() for row in group if row.name.target == target]
        known = [row for row in rows if row.centre is not None or row.overload]
        if known:
            bound = " (client-bound: a lower bound)" if any(row.client_bound for row in known) else ""
            who = "" if name.who in groups else f" for {name.who}"
            groups.setdefault(name.who, []).append(f"{_figure(case, known)}{who} over {name.way}{bound}")
    return "; ".join(listed(parts) for parts in groups.values())


def _figure(case: Case, rows: Sequence[Row]) -> str:
    if case.question.of_fields and len(rows) > 1:
        return _ends(case, rows)
    shown = list(dict.fromkeys(_printed(case, row) for row in (rows[0], rows[-1])))
    unit = f" {case.question.unit}" if case.by_throughput else " ms"
    if any(not text[0].isdigit() for text in shown):
        return " to ".join(text + (unit if text[0].isdigit() else "") for text in shown)
    return f"{shown[0]}{unit}" if len(shown) == 1 else f"from {shown[0]} to {shown[1]}{unit}"


def _ends(case: Case, rows: Sequence[Row]) -> str:
    """Return a target's best and worst figure over the points of a sweep, and where they are."""
    unit = case.question.unit if case.by_throughput else "ms"

    def rank(row: Row) -> float:
        value = math.inf if row.overload or row.centre is None else row.centre
        return -value if case.by_throughput and math.isfinite(value) else value

    def words(row: Row) -> str:
        text = _printed(case, row)
        return f"{text} {unit}" if text[0].isdigit() else text

    best, worst = min(rows, key=rank), max(rows, key=rank)
    if words(best) == words(worst):
        return f"{words(best)} everywhere"
    ends = [f"{words(row)} at {case.question.called(row.workload)}" for row in (best, worst)]
    return f"from {' to '.join(ends)}"


def _printed(case: Case, row: Row) -> str:
    if case.by_throughput:
        return rate(row.centre)
    if row.overload or row.centre is None or row.centre == float("inf"):
        return f"without bound ({row.overload or f'more than 1 % {row.fate}'})"
    return milliseconds(row.centre)
