"""Latency against load: where each row's curve bends. Pure.

The knee is the highest offered rate up to which a row carried the load and its p99 stayed
below twice that at the lowest rate measured. It is a property of the rates that were tried:
the next higher one is where it ends.
"""

from collections.abc import Iterator, Mapping, Sequence

from reports.questions import Question
from reports.summary import Cell, Knee

BEND = 2.0
"""Times the p99 at the lowest rate, from which on a curve has bent."""


def knees(question: Question, targets: Sequence[str], cells: Mapping[tuple[str, str], Cell]) -> Iterator[Knee]:
    """Yield the knee of each target that has figures, for a question that is a curve."""
    if not question.curve:
        return
    for target in targets:
        points = [cells[target, workload.name] for workload in question.workloads]
        known = [point for point in points if point.overloaded or point.latency_ns["p99"].centre is not None]
        if known:
            yield _knee(question.name, target, known)


def _knee(question: str, target: str, points: Sequence[Cell]) -> Knee:
    lowest = points[0].latency_ns["p99"].centre
    last = None
    for point in points:
        p99 = point.latency_ns["p99"].centre
        why = ""
        if point.overloaded:
            why = "overloaded"
        elif point.saturated:
            why = "less than 99 % arrived in time"
        elif p99 is None or lowest is None:
            why = "no bound is known"
        elif p99 > BEND * lowest:
            why = f"p99 is over {BEND:g} times that at the lowest rate"
        if why:
            return Knee(question=question, target=target, rate=last, next_rate=point.offered_rate, why=why)
        last = point.offered_rate
    return Knee(question=question, target=target, rate=last, next_rate=None, why="")
