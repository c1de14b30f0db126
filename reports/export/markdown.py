"""report.md: answers, trust and the summary table, for a pull request, a review or a ticket."""

from collections.abc import Iterator, Sequence

from reports.captions import interval
from reports.format import Printer, brief, count, escaped, milliseconds, number, rate
from reports.model import Spread
from reports.summary import Answer, Cell, Summary
from reports.tables import missing_trials, trials_left_out

_COLUMNS = (
    "target", "trials", "achieved, msg/s", "p50, ms", "p99, ms", "p99.9, ms", "max, ms",
    "broker CPU, µs/msg", "client CPU, µs/msg", "remarks",
)  # fmt: skip


def to_markdown(summary: Summary) -> str:
    """Return the report as Markdown text."""
    return "\n".join(_lines(summary)) + "\n"


def _lines(summary: Summary) -> Iterator[str]:
    yield f"# {escaped(summary.title)}"
    yield ""
    yield escaped(summary.question)
    for answers in (summary.place_costs, summary.head_to_head):
        if answers:
            yield ""
            yield from (f"- {escaped(each.sentence)}" for each in answers)
    for answer in summary.answers:
        yield ""
        yield f"**{escaped(answer.question)}**: {escaped(answer.asks)} {escaped(answer.sentence)}"
        yield ""
        yield from (f"- {escaped(line)}" for line in (*answer.trust.lines, *answer.remarks))
    if summary.caveats:
        yield ""
        yield from (f"> {escaped(caveat)}  " for caveat in summary.caveats)
    yield ""
    yield "## Summary"
    yield ""
    yield (
        "Geometric mean over a row's usable trials (95 % interval of that mean, or of fewer than four trials the figure"
        " of each)."
    )
    for answer in summary.answers:
        yield from _table(summary, answer)
    yield from _background(summary)
    yield from _sustained(summary)
    yield ""
    yield "## What these numbers cannot tell"
    yield ""
    yield from (f"- {escaped(line)}" for line in summary.not_shown)
    labels = {target.name: target.label for target in summary.targets}
    for one in trials_left_out(summary.left_out):
        where = f"{escaped(labels[one.target])}, {one.workload}, repetition {one.repetitions}"
        yield f"- Left out: {where} ({escaped(one.why)})."
    for missing in missing_trials(summary.absent):
        of = f"run {missing.run_id}, " if len(summary.runs) > 1 else ""
        where = f"{of}{escaped(labels[missing.target])}, {missing.workload}, repetition {missing.repetitions}"
        yield f"- No result: {where} ({escaped(missing.why)})."
    yield ""
    yield "## Reproduce"
    for run in summary.runs:
        yield ""
        yield f"    {run.command}"
        yield ""
        digests = "".join(f"; image {escaped(recipe)} {_code(digest)}" for recipe, digest in run.image_digests.items())
        yield f"Run {_code(run.run_id)}, seed {run.seed}{digests}."


def _code(words: str) -> str:
    return f"`{words.replace('`', chr(39))}`"


def _table(summary: Summary, answer: Answer) -> Iterator[str]:
    yield ""
    yield f"### {escaped(answer.question)}: {escaped(answer.load)}"
    yield ""
    yield from _rows(
        [(summary.row_label(one, answer), one) for one in summary.cells if one.workload in answer.workloads]
    )


def _rows(rows: Sequence[tuple[str, Cell]]) -> Iterator[str]:
    yield "| " + " | ".join(_COLUMNS) + " |"
    yield "|---|" + "---:|" * (len(_COLUMNS) - 2) + "---|"
    for label, cell in rows:
        remarks = "; ".join([*_beside(cell), *cell.remarks])
        yield "| " + " | ".join([escaped(label), *_values(cell), escaped(remarks) or "–"]) + " |"


def _beside(cell: Cell) -> Iterator[str]:
    words = {"last": "p99 of the last copy", "reply_lag": "p99 of the responder's own lag"}
    yield from (f"{words[tag]} {_value(spreads['p99'], milliseconds)} ms" for tag, spreads in cell.beside_ns.items())


def _background(summary: Summary) -> Iterator[str]:
    """Yield the flows that ran beside the others for their sake."""
    labels = {target.name: target.label for target in summary.targets}
    rows = [(f"{labels[cell.target]}, {cell.workload}", cell) for cell in summary.cells if cell.background]
    if rows:
        yield ""
        yield "### Background traffic, which no verdict is about"
        yield ""
        yield from _rows(rows)


def _sustained(summary: Summary) -> Iterator[str]:
    labels = {target.name: target.label for target in summary.targets}
    if summary.sustained:
        yield ""
        yield "## Highest sustainable rate"
        yield ""
    for row in summary.sustained:
        span = f"{rate(row.low)} held, {rate(row.high)} failed"
        why = f" ({escaped(row.why)})" if row.why else ""
        yield f"- {escaped(labels.get(row.target, row.target))}, {row.workload}: {span}{why}."


def _values(cell: Cell) -> Iterator[str]:
    row = cell.shown
    yield f"{count(cell.n)} of {count(cell.planned)}{', left out' if cell.uncounted else ''}"
    yield _value(row.achieved_rate, rate)
    for name in ("p50", "p99", "p99.9", "max"):
        over = cell.overloaded and cell.offered_rate is not None
        whole = cell.all_ns.get(name)
        beside = f" (all {milliseconds(whole.centre)})" if whole is not None and whole.centre is not None else ""
        yield "overloaded" if over else _value(row.latency_ns[name], milliseconds) + beside
    yield _value(row.broker_cpu_us, number)
    yield _value(row.client_cpu_us, number)


def _value(spread: Spread, text: Printer) -> str:
    return interval(spread, text) if spread.centre is not None else brief(spread.why) or "–"
