"""Figures where data are strange: each is drawn, and one that cannot be costs no page."""

import io
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from reports import figures
from reports.charts import theme
from reports.dataset import Dataset
from reports.figures import pictures
from reports.page.page import render_page
from reports.summarise import summarise
from reports.summary import Summary
from tests.reports.in_memory import made_tables


def drawn(data: Dataset) -> list[str]:
    """Return every figure of a report as SVG."""
    found = []
    for picture in pictures(data, summarise(data)):
        text = io.StringIO()
        picture.figure.savefig(text, format="svg")
        found.append(text.getvalue())
    return found


def hardly(trial: dict[str, Any]) -> dict[str, Any]:
    """Let nine of ten messages never come."""
    return trial | {"offered": 10 * trial["offered"], "sent": 10 * trial["sent"]}


def test_figures_are_drawn_where_nearly_nothing_arrived() -> None:
    """Axes begin where data are."""
    assert drawn(made_tables(change=hardly))


def test_a_dollar_in_a_label_is_a_dollar() -> None:
    """No formula, and no fault of one."""
    text = io.StringIO()
    with mpl.rc_context(theme.RC):
        theme.notice("B $a_b_c$ and $_$").savefig(text, format="svg")
    assert "B $a_b_c$ and $_$" in text.getvalue()


def test_a_figure_that_fails_costs_no_page(
    quick: Dataset, quick_summary: Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its place says so; all others are there."""

    def fail(*_: object) -> Figure:
        message = "no such axis"
        raise ValueError(message)

    kind = quick_summary.captions[0].kind
    monkeypatch.setitem(figures._DRAW, kind, fail)
    with pytest.warns(UserWarning, match=rf"a figure \({kind}\) could not be drawn: no such axis"):
        page = render_page(quick_summary, pictures(quick, quick_summary))
    assert "This figure could not be drawn (ValueError)" in page
    assert page.count("<svg") == len(quick_summary.captions)
