"""Planned trials without a result, in as few lines as say which. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from reports.summary import Absent


@dataclass(frozen=True)
class Gap:
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


def gaps(absent: Sequence[Absent]) -> Iterator[Gap]:
    """Yield the gaps in the order in which their rows come first."""
    found: dict[tuple[str, str, str, str], list[int]] = {}
    for each in absent:
        found.setdefault((each.run_id, each.target, each.workload, each.why), []).append(each.repetition + 1)
    for (run_id, target, workload, why), numbers in found.items():
        yield Gap(run_id, target, workload, _spans(numbers), why)


def _spans(numbers: Sequence[int]) -> str:
    """Return numbers in rising order, three or more neighbours as a span."""
    rising = sorted(set(numbers))
    ends = [k + 1 for k, (a, b) in enumerate(pairwise(rising)) if b != a + 1]
    parts: list[str] = []
    for first, end in zip([0, *ends], [*ends, len(rising)], strict=True):
        part = rising[first:end]
        parts += [f"{part[0]}–{part[-1]}"] if len(part) > 2 else map(str, part)  # noqa: PLR2004
    return ", ".join(parts)
