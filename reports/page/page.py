"""Fills the template: one self-contained HTML text, readable from a file, without any network."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports import format as printed
from reports.charts.theme import PALETTE
from reports.page.figures import Panel
from reports.summary import Spread, Summary

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
    "unconfirmed_missing": "unconfirmed and missing",
    "redelivered": "redelivered",
    "refused": "refused",
    "returned": "returned",
    "foreign": "foreign",
    "stray": "stray",
}
_ALWAYS = ("sent", "confirmed", "received", "lost", "duplicated", "reordered", "unknown")


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
    filters: dict[str, Callable[..., object]] = {
        "count": printed.count,
        "listed": lambda words: printed.listed(list(words)),
        "ms": partial(_value, text=printed.milliseconds),
        "rate": partial(_value, text=printed.rate),
        "number": partial(_value, text=printed.number),
        "mib": partial(_value, text=printed.mebibytes),
        "ratio": printed.number,
        "unbroken": _unbroken,
    }
    environment.filters |= filters
    shown = {
        key: name for key, name in _LEDGER.items() if key in _ALWAYS or any(getattr(row, key) for row in summary.ledger)
    }
    return environment.get_template("page.html.j2").render(
        report=summary,
        panels=panels,
        style=Markup((_HERE / "style.css").read_text(encoding="utf-8")),  # noqa: S704  (our own file)
        markup=Markup,
        labels={target.name: target.label for target in summary.targets},
        colors={target.name: f"var(--c{place % len(PALETTE)})" for place, target in enumerate(summary.targets)},
        whos=list(dict.fromkeys(target.full.rpartition(" over ")[0] for target in summary.targets)),
        ledger_shown=shown,
        ledger_zero=[name for key, name in _LEDGER.items() if key not in shown],
        brokers=list(dict.fromkeys(target.broker for target in summary.targets)),
    )


def _unbroken(words: str) -> Markup:
    """Keep hyphenated names such as Broker-J on one line."""
    return Markup(" ").join(
        Markup('<span class="whole">{}</span>').format(word) if "-" in word else word for word in words.split()
    )


def _value(spread: Spread, text: printed.Printer) -> Markup:
    """Return a table cell's content: the median, and the range over trials below it."""
    if spread.median is None:
        return Markup('<span class="none">–</span><small>{}</small>').format(spread.why.partition(":")[0])
    least = "≥ " if spread.at_least else ""
    shown = Markup('{}<data value="{}">{}</data>').format(least, repr(spread.median), text(spread.median))
    if spread.n < 2 or (not spread.never and text(spread.low) == text(spread.high)):  # noqa: PLR2004  (no range)
        return shown
    low = Markup('<data value="{}">{}</data>').format(repr(spread.low), text(spread.low))
    if spread.high is None:
        return shown + Markup("<small>{}–never</small>").format(low)
    high = Markup('<data value="{}">{}</data>').format(repr(spread.high), text(spread.high))
    return shown + Markup("<small>{}–{}</small>").format(low, high)
