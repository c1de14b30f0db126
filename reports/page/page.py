"""Fills the templates: one self-contained HTML text, readable from a file, without any network."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench.results.comparability import BROKERS_OWN
from bench.scenario.reference import IN_FLIGHT, RATE
from bench.units import NS_PER_MS
from reports import format as printed
from reports.charts import over_time
from reports.charts.svg import to_svg
from reports.charts.theme import styles
from reports.events import spoken
from reports.figures import Picture
from reports.model import Spread
from reports.place_rows import METRICS
from reports.summary import Cell, Differing, Summary
from reports.swept import label_of, value_words
from reports.tables import missing_trials
from reports.traces import nines

_HERE = Path(__file__).parent
_LEDGER = {
    "sent": "sent",
    "confirmed": "confirmed",
    "received": "received",
    "lost": "lost",
    "duplicated": "duplicated",
    "reordered": "reordered",
    "unknown": "unknown",
    "undelivered": "left on the broker",
    "unconfirmed_missing": "unconfirmed and missing, refused ones among them",
    "redelivered": "redelivered",
    "refused": "refused",
    "returned": "returned",
    "ended": "ended by a rule",
    "by_rule": "ended by a rule or lost",
    "late": "late replies",
    "foreign": "foreign",
    "stray": "stray",
}
_ALWAYS = ("sent", "confirmed", "received", "lost", "duplicated", "reordered", "unknown")
_PERCENTILES = ("p50", "p99", "p99.9", "max")
_BESIDE = {"last": "the last copy", "reply_lag": "the responder's lag"}
"""What a table calls the latencies that explain the one that a row is about."""
_FIRST_LIMITS = 4
_LIVE = ("percentiles", "time")
_PARTED = re.compile(r"(?<=\d) (?=%)|(?<=\bn) (?== \d)|(?<=\bn =) (?=\d)")


@dataclass(frozen=True)
class _Panel:
    title: str
    sentence: str
    svg: Markup
    question: str
    kind: str

    @property
    def live(self) -> bool:
        """Whether a script can draw it anew, to be pointed at."""
        return self.kind in _LIVE


def render_page(summary: Summary, pictures: Iterable[Picture]) -> str:
    """Return the page.

    Args:
        summary: every number and sentence.
        pictures: its figures.
    """
    panels = [_panel(place, picture) for place, picture in enumerate(pictures)]
    shown = {
        key: name for key, name in _LEDGER.items() if key in _ALWAYS or any(getattr(row, key) for row in summary.ledger)
    }
    return (
        _with_filters()
        .get_template("page.html.j2")
        .render(
            report=summary,
            pictures={(panel.question, panel.kind): panel for panel in panels},
            of_question=lambda name: [each for each in panels if each.question == name and each.kind != "decision"],
            percentiles=_PERCENTILES,
            beside_of=_beside_of,
            style=_own("style.css"),
            script=_own("script.js"),
            live=_live(summary),
            live_script=_own("live.js"),
            uplot_style=_own("uplot/uPlot.min.css"),
            uplot_script=_own("uplot/uPlot.iife.min.js"),
            labels={target.name: target.label for target in summary.targets},
            places={target.name: place for place, target in enumerate(summary.targets)},
            whos=list(dict.fromkeys(target.full.rpartition(" over ")[0] for target in summary.targets)),
            ledger_shown=shown,
            ledger_zero=[name for key, name in _LEDGER.items() if key not in shown],
            brokers=list(dict.fromkeys(target.broker for target in summary.targets)),
            workload_count=len({cell.workload for cell in summary.cells}),
            missing_trials=list(missing_trials(summary.absent)),
            differing=list(_not_above(summary.differing)),
            place_metrics=METRICS,
            shown_limits=_openings(summary.not_shown),
        )
    )


def _with_filters() -> Environment:
    made = environment(_HERE)
    filters: dict[str, Callable[..., object]] = {
        "count": printed.count,
        "listed": lambda words: printed.listed(list(words)),
        "ms": partial(_value, text=printed.milliseconds),
        "rate": partial(_value, text=printed.rate),
        "number": partial(_value, text=printed.number),
        "mib": partial(_value, text=printed.mebibytes),
        "plain_rate": printed.rate,
        "plain_ms": printed.milliseconds,
        "ratio": printed.number,
        "plain_mib": printed.mebibytes,
        "kib": lambda size: printed.number(None if size is None else size / 1024),
        "unbroken": _unbroken,
        "swept": _swept,
        "swept_value": _swept_value,
        "after_colon": lambda words: words.rpartition(": ")[2],
    }
    made.filters |= filters
    return made


def _beside_of(rows: Sequence[Cell]) -> dict[str, str]:
    """Return the latencies that explain those of some rows, and what they are called."""
    return {tag: name for tag, name in _BESIDE.items() if any(tag in row.beside_ns for row in rows)}


def _swept(field: str) -> str:
    """Return what the column of a swept field is called."""
    return {RATE: "offered, msg/s", IN_FLIGHT: "in flight"}.get(field, label_of(field))


def _swept_value(cell: Cell, field: str) -> Markup:
    """Return a row's value of a swept field, by which tables can be sorted where it is a number."""
    loads = {RATE: cell.offered_rate, IN_FLIGHT: cell.in_flight}
    value = loads[field] if field in loads else cell.at[field]
    if value is None or isinstance(value, bool | str):
        return Markup.escape("–" if value is None else value_words(field, value))
    return Markup('<data value="{}">{}</data>').format(value, value_words(field, value))


def _live(summary: Summary) -> Markup:
    """Return the lines of figures as JSON for the page's script, in ms and as exact as a reader can use.

    Empty where there is none; such a page does not carry the library that draws them.
    """
    places = {target.name: place for place, target in enumerate(summary.targets)}
    lines = [
        {
            "question": line.question,
            "kind": line.kind,
            "column": line.column,
            "target": places[line.target],
            "x": [nines(x) if line.kind == "percentiles" else x for x in line.x],
            **{
                name: _in_ms(values)
                for name, values in (("y", line.y_ns), ("low", line.low_ns), ("high", line.high_ns))
            },
        }
        for line in summary.traces
    ]
    marks = [
        [one.question, spoken(one.event), places[one.target], round(one.from_s, 3), round(one.to_s, 3), one.text]
        for one in summary.marks
    ]
    dashed = [style.dash != "-" for style in styles(summary.targets).values()]
    labels = [target.label for target in summary.targets]
    panels = {(line.question, line.column) for line in summary.traces if line.kind == "time"}
    limits = {
        f"{question} {column}": over_time.limits([*summary.panel(question, "time", column).values()])
        for question, column in sorted(panels)
    }
    held = {"lines": lines, "marks": marks, "labels": labels, "dashed": dashed, "limits": limits}
    text = json.dumps(held, ensure_ascii=False)
    # Within a script no markup is read but that which ends it.
    return Markup(text.replace("<", "\\u003c") if lines else "")  # noqa: S704  (no tag is left)


def _in_ms(values: Sequence[float]) -> list[float]:
    return [float(f"{value / NS_PER_MS:.4g}") for value in values]


def _own(name: str) -> Markup:
    return Markup((_HERE / name).read_text(encoding="utf-8"))  # noqa: S704  (our own file)


def _panel(place: int, picture: Picture) -> _Panel:
    caption = picture.caption
    svg = to_svg(picture.figure, f"f{place}", f"{caption.title}. {caption.sentence}")
    return _Panel(caption.title, caption.sentence, Markup(svg), caption.question, caption.kind)  # noqa: S704  (escaped there)


def _not_above(rows: Sequence[Differing]) -> Iterator[Differing]:
    """Yield the rows without brokers' own settings that are meant to differ: the table above has those."""
    yield from (row for row in rows if not (row.intended and row.key.startswith(BROKERS_OWN)))


def _openings(limits: Sequence[str]) -> list[str]:
    """Return what the first limits are about: their words before the colon."""
    openings = (line.partition(":")[0].rstrip(".") for line in limits[:_FIRST_LIMITS])
    return [words[:1].lower() + words[1:] for words in openings]


def _unbroken(words: str) -> Markup:
    """Keep hyphenated names such as Broker-J on one line."""
    return Markup(" ").join(
        Markup('<span class="whole">{}</span>').format(word) if "-" in word else word for word in words.split()
    )


def _value(spread: Spread, text: printed.Printer) -> Markup:
    """Return a table cell's content: the estimate, and its interval below it."""
    centre = spread.centre
    if centre is None:
        return Markup('<span class="none">–</span><small>{}</small>').format(printed.brief(spread.why))
    shown = _data(centre, text)
    if spread.never:
        return shown + Markup("<small>{}–never</small>").format(_data(spread.low, text))
    if spread.few and len(set(map(text, spread.few))) > 1:
        each = Markup(" · ").join(_data(one, text) for one in spread.few)
        return shown + Markup('<small class="few">{}</small>').format(each)
    if spread.interval_low is None or text(spread.interval_low) == text(spread.interval_high):
        return shown
    return shown + Markup("<small>{}–{}</small>").format(
        _data(spread.interval_low, text), _data(spread.interval_high, text)
    )


def _data(value: float | None, text: printed.Printer) -> Markup:
    return Markup('<data value="{}">{}</data>').format(repr(value), text(value))


def environment(folder: Path) -> Environment:
    """Return what reads the templates of a folder."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=_kept_together,
    )


def _kept_together(value: object) -> object:
    """Keep a percentage and its sign on one line, and the number of trials with what it is."""
    return type(value)(_PARTED.sub("\N{NO-BREAK SPACE}", value)) if isinstance(value, str) else value
