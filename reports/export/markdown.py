"""report.md: answers, trust and the summary table, for a pull request, a review or a ticket."""

from collections.abc import Iterator

from reports.format import Printer, brief, count, milliseconds, number, rate
from reports.missing_trials import gaps
from reports.model import Spread
from reports.summary import Answer, Cell, Summary

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
        yield ""
        yield from (f"- {_text(line)}" for line in (*answer.trust.lines, *answer.remarks))
    if summary.caveats:
        yield ""
        yield from (f"> {_text(caveat)}  " for caveat in summary.caveats)
    yield ""
    yield "## Summary"
    yield ""
    yield "Geometric mean over a row's usable trials (95 % interval of that mean)."
    for answer in summary.answers:
        yield from _table(summary, answer)
    yield from _sustained(summary)
    yield ""
    yield "## What these numbers cannot tell"
    yield ""
    yield from (f"- {_text(line)}" for line in summary.not_shown)
    labels = {target.name: target.label for target in summary.targets}
    for row in summary.left_out:
        where = f"{_text(labels[row.target])}, {row.workload}, repetition {row.repetition + 1}"
        yield f"- Left out: {where} ({_text(row.why)})."
    for gap in gaps(summary.absent):
        of = f"run {gap.run_id}, " if len(summary.runs) > 1 else ""
        where = f"{of}{_text(labels[gap.target])}, {gap.workload}, repetition {gap.repetitions}"
        yield f"- No result: {where} ({_text(gap.why)})."
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


def _sustained(summary: Summary) -> Iterator[str]:
    labels = {target.name: target.label for target in summary.targets}
    if summary.sustained:
        yield ""
        yield "## Highest sustainable rate"
        yield ""
    for row in summary.sustained:
        span = f"{rate(row.low)} held, {rate(row.high)} failed"
        why = f" ({_text(row.why)})" if row.why else ""
        yield f"- {_text(labels.get(row.target, row.target))}, {row.workload}: {span}{why}."


def _values(cell: Cell) -> Iterator[str]:
    yield f"{count(cell.n)} of {count(cell.planned)}"
    yield _value(cell.achieved_rate, rate)
    for name in ("p50", "p99", "p99.9", "max"):
        over = cell.overloaded and cell.offered_rate is not None
        yield "overloaded" if over else _value(cell.latency_ns[name], milliseconds)
    yield _value(cell.broker_cpu_us, number)
    yield _value(cell.client_cpu_us, number)


def _value(spread: Spread, text: Printer) -> str:
    if spread.centre is None:
        return brief(spread.why) or "–"
    if spread.never:
        return f"{text(spread.centre)} ({text(spread.low)}–never)"
    if spread.interval_low is None or text(spread.interval_low) == text(spread.interval_high):
        return text(spread.centre)
    return f"{text(spread.centre)} ({text(spread.interval_low)}–{text(spread.interval_high)})"


def _text(words: str) -> str:
    """Escape what Markdown would read as a table border or as markup."""
    for mark in ("\\", "|", "*", "_", "<", "`"):
        words = words.replace(mark, f"\\{mark}")
    return words.replace("\n", " ")
