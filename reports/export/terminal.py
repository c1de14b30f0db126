"""The answer on a terminal: a table of the rows of each question, and what was found in a sentence. Text only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reports.cases import MIN_TRIALS
from reports.format import brief, count, milliseconds, number, rate
from reports.summary import Cell, Summary

_HEAD = (
    "", "msg/s", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "broker µs/msg", "client µs/msg", "trials", "trust",
)  # fmt: skip


@dataclass(frozen=True)
class Block:
    """What is printed of one question.

    Attributes:
        head: the load.
        rows: of a table, its head first.
        sentence: the verdict; before it, on a line of its own, what a star in the table means.
    """

    head: str
    rows: tuple[tuple[str, ...], ...]
    sentence: str


def to_terminal(summary: Summary) -> Iterator[Block]:
    """Return a block for each question that has a planned row, in order."""
    for answer in summary.answers:
        cells = [cell for cell in summary.cells if cell.workload in answer.workloads]
        if cells:
            rows = tuple(_row(cell, summary.row_label(cell, answer), summary.mode) for cell in cells)
            starred = any(value.endswith("*") for row in rows for value in row[1:])
            note = "* of all messages, pauses of the host included: what it would be without them cannot be told."
            said = f"{note}\n{answer.sentence}" if starred else answer.sentence
            yield Block(f"{answer.question}: {answer.load}", (_HEAD, *rows), said)


def trust_in(cell: Cell, mode: str) -> str:
    """Return a word or two for how far a row's figures go."""
    if not cell.n:
        return "left out" if cell.uncounted else "none"
    if cell.saturated:
        return "overloaded"
    if mode == "quick":
        return "quick look"
    return "few trials" if cell.n < MIN_TRIALS else "full"


def _row(cell: Cell, label: str, mode: str) -> tuple[str, ...]:
    return (
        label,
        rate(cell.shown.achieved_rate.centre),
        *_latencies(cell, ("p50", "p99", "p99.9", "max")),
        number(cell.shown.broker_cpu_us.centre),
        number(cell.shown.client_cpu_us.centre),
        f"{count(cell.n)} of {count(cell.planned)}",
        trust_in(cell, mode),
    )


def _latencies(cell: Cell, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        found, whole = cell.shown.latency_ns[name], cell.all_ns.get(name)
        if found.centre is None and whole is not None and whole.centre is not None:
            yield f"{milliseconds(whole.centre)}*"
        else:
            yield milliseconds(found.centre) if found.centre is not None else brief(found.why) or "–"
