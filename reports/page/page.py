"""Fills the template: one self-contained HTML text, readable from a file, without any network."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports import format as printed
from reports.charts.theme import PALETTE
from reports.page.figures import Panel
from reports.summary import Spread, Summary

_HERE = Path(__file__).parent


def render_page(summary: Summary, panels: dict[str, list[Panel]]) -> str:
    """Return the page.

    Args:
        summary: every number and sentence.
        panels: figures of each question, by its name.
    """
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "count": printed.count,
        "listed": lambda words: printed.listed(list(words)),
        "ms": lambda spread: _value(spread, printed.milliseconds),
        "rate": lambda spread: _value(spread, printed.rate),
        "number": lambda spread: _value(spread, printed.number),
        "mib": lambda spread: _value(spread, printed.mebibytes),
        "ratio": printed.number,
    }
    return environment.get_template("page.html.j2").render(
        report=summary,
        panels=panels,
        style=Markup((_HERE / "style.css").read_text(encoding="utf-8")),  # noqa: S704  (our own file)
        markup=Markup,
        labels={target.name: target.label for target in summary.targets},
        colors={target.name: f"var(--c{place % len(PALETTE)})" for place, target in enumerate(summary.targets)},
        whos=list(dict.fromkeys(target.full.rpartition(" over ")[0] for target in summary.targets)),
        brokers=list(dict.fromkeys(target.broker for target in summary.targets)),
    )


def _value(spread: Spread, text: printed.Printer) -> Markup:
    """Return a table cell's content: the median, and the range over trials below it."""
    if spread.median is None:
        return Markup('<span class="none">–</span><small>{}</small>').format(spread.why.partition(":")[0])
    shown = Markup('<data value="{}">{}</data>').format(repr(spread.median), text(spread.median))
    if spread.n < 2:  # noqa: PLR2004  (one trial has no range)
        return shown
    low = Markup('<data value="{}">{}</data>').format(repr(spread.low), text(spread.low))
    if spread.high is None:
        return shown + Markup("<small>{}–never</small>").format(low)
    high = Markup('<data value="{}">{}</data>').format(repr(spread.high), text(spread.high))
    return shown + Markup("<small>{}–{}</small>").format(low, high)
