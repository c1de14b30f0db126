"""report.md: the sentences and the summary table, for a review or a ticket."""

from collections.abc import Iterator

from reports.format import Printer, count, milliseconds, number, rate
from reports.summary import Answer, Cell, Spread, Summary

_COLUMNS = (
    "target", "trials", "achieved, msg/s", "p50, ms", "p99, ms", "p99.9, ms", "max, ms",
    "broker CPU, µs/msg", "client CPU, µs/msg", "remarks",
)  # fmt: skip


def to_markdown(summary: Summary) -> str:
    """Return the report as Markdown text."""
    return "\n".join(_lines(summary)) + "\n"


def _lines(summary: Summary) -> Iterator[str]:
    yield f"# {_text(summary.title)}"
    yield ""
    yield _text(summary.question)
    for answer in summary.answers:
        yield ""
        yield f"**{_text(answer.question)}**: {_text(answer.sentence)}"
        if answer.remarks:
            yield ""
            yield from (f"- {_text(remark)}" for remark in answer.remarks)
    if summary.caveats:
        yield ""
        yield from (f"> {_text(caveat)}  " for caveat in summary.caveats)
    yield ""
    yield "## Summary"
    yield ""
    yield "Median over a row's usable trials (range over trials)."
    for answer in summary.answers:
        yield from _table(summary, answer)
    yield ""
    yield "## What was not measured"
    yield ""
    yield from (f"- {_text(line)}" for line in summary.not_shown)
    labels = {target.name: target.label for target in summary.targets}
    for absent in summary.absent:
        yield (
            f"- No result: {_text(labels[absent.target])}, {absent.workload},"
            f" repetition {absent.repetition} ({_text(absent.why)})."
        )
    yield ""
    yield "## Reproduce"
    for run in summary.runs:
        yield ""
        yield f"    {run.command}"
        yield ""
        digests = "".join(f"; image {recipe} `{digest}`" for recipe, digest in run.image_digests.items())
        yield f"Run `{run.run_id}`, seed {run.seed}{digests}."


def _table(summary: Summary, answer: Answer) -> Iterator[str]:
    yield ""
    yield f"### {_text(answer.question)}: {_text(answer.load)}"
    yield ""
    yield "| " + " | ".join(_COLUMNS) + " |"
    yield "|---|" + "---:|" * (len(_COLUMNS) - 2) + "---|"
    labels = {target.name: target.label for target in summary.targets}
    for cell in summary.cells:
        if cell.workload in answer.workloads:
            label = labels[cell.target] + (f", {cell.workload}" if len(answer.workloads) > 1 else "")
            yield "| " + " | ".join([_text(label), *_values(cell), _text("; ".join(cell.remarks)) or "–"]) + " |"


def _values(cell: Cell) -> Iterator[str]:
    yield f"{count(cell.n)} of {count(cell.planned)}"
    yield _value(cell.achieved_rate, rate)
    for name in ("p50", "p99", "p99.9", "max"):
        yield _value(cell.latency_ns[name], milliseconds)
    yield _value(cell.broker_cpu_us, number)
    yield _value(cell.client_cpu_us, number)


def _value(spread: Spread, text: Printer) -> str:
    if spread.median is None:
        return spread.why.partition(":")[0] or "–"
    least = "≥ " if spread.at_least else ""
    if spread.n < 2 or (not spread.never and text(spread.low) == text(spread.high)):  # noqa: PLR2004  (no range)
        return least + text(spread.median)
    return (
        f"{least}{text(spread.median)} ({text(spread.low)}–{text(spread.high) if spread.high is not None else 'never'})"
    )


def _text(words: str) -> str:
    """Escape what Markdown would read as a table border or as markup."""
    for mark in ("\\", "|", "*", "_", "<", "`"):
        words = words.replace(mark, f"\\{mark}")
    return words.replace("\n", " ")
