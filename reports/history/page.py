"""Draws a judged store: one self-contained HTML page, or one PNG of all series."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from reports.charts import level_changes, theme
from reports.charts.svg import to_svg
from reports.history.changes import Judged, Watched
from reports.history.text import block, branches, budget, headline
from reports.page.page import environment

_HERE = Path(__file__).parent
_STYLE = _HERE.parent / "page" / "style.css"
_HEIGHT = 2.4
_COLUMNS = 2


def render_page(watched: Watched) -> str:
    """Return the page, suspects first and ended series last."""
    with mpl.rc_context(theme.RC):
        drawn = [_section(one) for one in in_order(watched)]
    return (
        environment(_HERE)
        .get_template("page.html.j2")
        .render(
            css=Markup(_STYLE.read_text(encoding="utf-8")),  # noqa: S704  (a file of ours)
            count=len(watched.series),
            headline=headline(watched),
            budget=budget(watched),
            others=[*branches(watched), *watched.skipped],
            series=drawn,
        )
    )


def in_order(watched: Watched) -> list[Judged]:
    """Return the series, those first that somebody has to look at, and ended ones last."""
    return sorted(watched.series, key=lambda one: (one.ended, not one.suspect))


def _section(one: Judged) -> dict[str, object]:
    figure, [axes] = theme.figure(_HEIGHT)
    figure.subplots_adjust(left=0.12, right=0.98, top=0.88, bottom=0.2)
    level_changes.draw(axes, one)
    theme.make_room(figure)
    lines = [line.strip() for line in block(one)[2:]]
    svg = to_svg(figure, f"h{one.series.name}", f"{one.series.title}: {'. '.join(lines)}")
    return {
        "name": one.series.name,
        "title": one.series.title,
        "host": one.series.key["host_class"],
        "svg": Markup(svg),  # noqa: S704  (made by us; its texts are escaped)
        "lines": lines,
    }


def write_png(path: Path, series: Sequence[Judged]) -> None:
    """Write all series as one picture, two in a row.

    Raises:
        OSError: it cannot be written.
    """
    rows = -(-len(series) // _COLUMNS)
    with mpl.rc_context(theme.RC):
        figure = Figure(figsize=(6.5 * _COLUMNS, 2.9 * rows), layout=None)
        FigureCanvasAgg(figure)
        grid = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
        edge = 0.45 / (2.9 * rows)
        figure.subplots_adjust(left=0.06, right=0.99, top=1 - edge, bottom=edge * 1.3, hspace=0.75, wspace=0.18)
        for axes, one in zip(grid, series, strict=False):
            level_changes.draw(axes, one)
            axes.set_title(one.series.title, fontsize=10, loc="left", pad=16)
        for axes in grid[len(series) :]:
            axes.set_axis_off()
        figure.savefig(path, format="png", dpi=100)
