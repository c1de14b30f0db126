"""Product against product over all loads of a scenario: where each is ahead, and where nothing can be said. Pure.

One question is answered by its own verdict. Whoever asks whether one product is better than another asks about many
loads at once, and the honest answer is a count of each outcome. A product stands with its best row of a load, whatever
protocol that is over, among the rows whose confirmed messages survive the same. A load is decided by the verdict
between those two rows where there is one. Where no verdict may be given (a quick look, few trials, few CPUs) it is told
what was *seen*: one is ahead if it was so in every pair of trials, by more than the smallest relevant effect.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Literal

from bench.stats.ratio import Comparison, Verdict
from reports.cases import Case, Key, Row
from reports.exclusions import usable_pairs, why_not
from reports.format import count, listed
from reports.summary import HeadToHead
from reports.verdict import both_ways

LEAST_LOADS = 3
"""Loads below which the answers themselves say all."""
LEAST_SEEN = 2
"""Pairs of trials that something is seen in."""
Outcome = Literal["first", "second", "alike", "open", "unlike", "nothing"]
_WORDS: dict[Outcome, str] = {
    "alike": "not relevantly different",
    "open": "not told apart",
    "unlike": "not compared, for unlike durability,",
    "nothing": "without a figure",
}


def head_to_heads(cases: Sequence[Case], judged: Mapping[Key, Comparison]) -> Iterator[HeadToHead]:
    """Yield every two products of a run that has several loads; nothing where the answers themselves say all."""
    loads = [(case, workload, rows) for case in cases for workload, rows in case.rows.items() if rows]
    told = both_ways(judged)
    products = list(dict.fromkeys(row.name.who for _, _, rows in loads for row in rows))
    for first, second in combinations(products, 2):
        found: dict[Outcome, tuple[str, ...]] = {}
        seen = 0
        for case, workload, rows in loads:
            mine, theirs = ([row for row in rows if row.name.who == who] for who in (first, second))
            if mine and theirs:
                outcome, by_verdict = _outcome(case, workload, (mine, theirs), told)
                found[outcome] = (*found.get(outcome, ()), workload)
                seen += not by_verdict and outcome in {"first", "second", "open"}
        if sum(map(len, found.values())) >= LEAST_LOADS:
            yield HeadToHead(
                first=first,
                second=second,
                first_ahead=found.get("first", ()),
                second_ahead=found.get("second", ()),
                alike=found.get("alike", ()),
                undecided=found.get("open", ()),
                unlike=found.get("unlike", ()),
                nothing=found.get("nothing", ()),
                seen=seen,
                sentence=_sentence(first, second, {outcome: len(them) for outcome, them in found.items()}, seen),
            )


def _outcome(
    case: Case, workload: str, sides: tuple[list[Row], list[Row]], told: Mapping[Key, Comparison]
) -> tuple[Outcome, bool]:
    """Return how one load went, and whether a verdict says so."""
    mine, theirs = ([row for row in rows if row.centre and not why_not(row)] for rows in sides)
    if not mine or not theirs:
        return "nothing", False
    like = [(a, b) for a in mine for b in theirs if a.durability == b.durability and not case.bars(workload, a, b)]
    if not like:
        return "unlike", False
    a = _best(case, [mine for mine, _ in like])
    b = _best(case, [theirs for mine, theirs in like if mine is a])
    ahead: dict[Verdict, Outcome] = {Verdict.BETTER: "first", Verdict.WORSE: "second", Verdict.SAME: "alike"}
    if said := told.get((workload, a.name.target, b.name.target)):
        return ahead.get(said.verdict, "open"), True
    return _seen(case, a, b), False


def _best(case: Case, rows: Sequence[Row]) -> Row:
    return (max if case.by_throughput else min)(rows, key=lambda row: row.centre or 0.0)


def _seen(case: Case, a: Row, b: Row) -> Outcome:
    """Return who was ahead in every pair of trials; `open` where nobody was."""
    ratios = [a.estimates[one] / b.estimates[one] for one in usable_pairs(a, b)]
    if len(ratios) < LEAST_SEEN:
        return "nothing"
    least = math.log1p(case.delta[0])
    if all(math.log(ratio) > least for ratio in ratios):
        return "first" if case.by_throughput else "second"
    if all(math.log(ratio) < -least for ratio in ratios):
        return "second" if case.by_throughput else "first"
    return "open"


def _sentence(first: str, second: str, found: Mapping[Outcome, int], seen: int) -> str:
    loads = count(sum(found.values()))
    ahead, behind = (count(n) if (n := found.get(side, 0)) else "none" for side in ("first", "second"))
    if found.get("second", 0) > found.get("first", 0):
        first, second, ahead, behind = second, first, behind, ahead
    parts = [f"ahead of {second} in {ahead} of {loads} loads", f"behind in {behind}"]
    parts += [f"{words} in {count(found[outcome])}" for outcome, words in _WORDS.items() if outcome in found]
    why = ". This was seen in every pair of trials, and is no ranking" if seen else ""
    return f"{first} was {listed(parts)}{why}."
