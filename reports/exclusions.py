"""Which rows, and which pairs of rows, are not compared, and why. Pure."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import comb

from reports.cases import MIN_CPUS, MIN_TRIALS, Case, Row
from reports.format import listed


def candidates(case: Case, workload: str) -> list[Row]:
    """Return the rows of one workload that may be compared."""
    if case.mode == "quick" or (case.by_throughput and (case.cpus or 0) < MIN_CPUS):
        return []
    return [row for row in case.rows[workload] if len(row.estimates) >= MIN_TRIALS and not why_not(row)]


def why_not(row: Row) -> str:
    """Return why a row cannot take part, however many trials it has; empty where it can."""
    if row.overload:
        return row.overload
    if row.client_bound:
        return "client-bound: a lower bound"
    if row.doubt:
        return row.doubt
    return "" if row.finite else f"in some trial more than 1 % of the messages {row.fate}"


def usable_pairs(a: Row, b: Row) -> list[tuple[str, int]]:
    """Return run and repetition of the trials that both rows have."""
    return sorted(a.estimates.keys() & b.estimates.keys())


def of_one_run(a: Row, b: Row) -> bool:
    """Whether two rows have trials in one run."""
    return bool({run for run, _ in a.estimates} & {run for run, _ in b.estimates})


def too_few(case: Case, workload: str) -> list[tuple[Row, Row]]:
    """Return the pairs of rows that have enough trials each, but too few in common."""
    return [
        (a, b)
        for a, b in combinations(candidates(case, workload), 2)
        if of_one_run(a, b)
        and a.durability == b.durability
        and (workload, a.name.target, b.name.target) not in case.barred
        and len(usable_pairs(a, b)) < MIN_TRIALS
    ]


def none_paired(case: Case, workload: str) -> bool:
    """Whether every two rows that may be compared have too few trials in common."""
    return len(too_few(case, workload)) == comb(len(candidates(case, workload)), 2)


def not_compared(case: Case) -> str:
    """Return which rows that have a figure, and which pairs, are not compared, and why; empty if all are."""
    reasons = {row.name.full: why for rows in case.rows.values() for row in rows if (why := _reason(row))}
    said = [f"Not compared: {'; '.join(f'{name} ({why})' for name, why in reasons.items())}."] if reasons else []
    return " ".join([*said, *_pairs(case)])


def _reason(row: Row) -> str:
    few = len(row.estimates) < MIN_TRIALS
    return why_not(row) or (f"{len(row.estimates)} usable trials of {MIN_TRIALS} needed" if few else "")


def _pairs(case: Case) -> Iterator[str]:
    """Yield a sentence for each workload with some pairs that are not compared; where none is, the verdict says so."""
    for workload in case.rows:
        pairs = too_few(case, workload)
        if pairs and not none_paired(case, workload):
            where = f" at {case.question.called(workload)}" if case.question.many else ""
            few = f"with {extent(pairs)} usable pairs of {MIN_TRIALS} needed"
            yield f"Not compared{where}, {few}: {_who(candidates(case, workload), pairs)}."


def extent(pairs: Sequence[tuple[Row, Row]]) -> str:
    """Return how many trials pairs of rows have in common, such as `7 to 9`."""
    counts = sorted({len(usable_pairs(a, b)) for a, b in pairs})
    return " to ".join(str(each) for each in dict.fromkeys((counts[0], counts[-1])))


def _who(rows: Sequence[Row], pairs: Sequence[tuple[Row, Row]]) -> str:
    """Name the pairs: first rows that are compared with no other, then each row with those it is not compared with."""
    names = {row.name.target: row.name.label for row in rows}
    left = [(a.name.target, b.name.target) for a, b in pairs]
    alone = [each for each in names if sum(each in pair for pair in left) == len(rows) - 1]
    words = [f"{names[each]} with any other row" for each in alone]
    for each, name in names.items():
        others = [names[b] for a, b in left if a == each and not {a, b} & set(alone)]
        words += [f"{name} with {listed(others)}"] if others else []
    return "; ".join(words)
