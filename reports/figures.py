"""The figures of a report: each caption's figure, drawn from the data and the summary.

`pictures` draws them, for the page and for files alike.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.results.archive import write_whole
from bench.units import NS_PER_MS
from reports.captions import interval
from reports.cells import latency_of
from reports.charts import cost, depth, estimates, load_curves, over_time, percentiles, sustained, theme, throughput
from reports.charts.estimates import Bar
from reports.charts.load_curves import Point, Quantity
from reports.charts.svg import standalone
from reports.charts.theme import RC, Style
from reports.dataset import Dataset, timeline_shown
from reports.format import Printer, brief, milliseconds, rate
from reports.model import Spread
from reports.patterns import latency_words, tag_of
from reports.questions import Question, questions
from reports.summary import Caption, Cell, Summary
from reports.swept import Axis, Value, label_of, value_words

_LABELS_IN, _TITLE_IN = 0.55, 0.25  # inches for the x axis' words, and for a line above the axes
_PANEL_IN = 1.5
_WORDS = 18
"""Characters in a line beside a row of a figure."""


@dataclass(frozen=True)
class Picture:
    """One figure with its words."""

    caption: Caption
    figure: Figure


@dataclass(frozen=True)
class FigureData:
    """What figures are drawn from."""

    data: Dataset
    summary: Summary
    styles: Mapping[str, Style]

    def cells(self, question: Question) -> dict[str, list[Cell]]:
        """Return the rows of a question by target, in the order of its workloads."""
        names = [workload.name for workload in question.workloads]
        found = {(cell.target, cell.workload): cell for cell in self.summary.cells}
        rows = {target: [found[target, name] for name in names if (target, name) in found] for target in self.styles}
        return {target: cells for target, cells in rows.items() if cells}

    def among(self, question: Question) -> dict[str, Style]:
        """Return the styles of the targets that have a row in a question."""
        return {target: self.styles[target] for target in self.cells(question)}


def pictures(data: Dataset, summary: Summary) -> Iterator[Picture]:
    """Yield the figure of each caption, in their order."""
    source = FigureData(data, summary, theme.styles(summary.targets))
    asked = {question.name: question for question in questions(data.scenario)}
    for caption in summary.captions:
        with mpl.rc_context(theme.RC):
            try:
                figure = _drawn(source, caption, asked)
            except Exception as error:  # noqa: BLE001  (one figure that fails must not cost the page)
                warnings.warn(f"a figure ({caption.kind}) could not be drawn: {error}", stacklevel=2)
                figure = theme.notice(f"This figure could not be drawn ({type(error).__name__}): please report it.")
        yield Picture(caption, figure)


def _drawn(source: FigureData, caption: Caption, asked: Mapping[str, Question]) -> Figure:
    figure = _sustained(source) if caption.kind == "sustained" else _DRAW[caption.kind](source, asked[caption.question])
    theme.make_room(figure)
    return figure


def _decision(source: FigureData, question: Question) -> Figure:
    styles = source.among(question)
    if question.curve:
        return _curve(source, question)
    if question.many:
        return _deciding(source, question)
    height = 0.75 + 0.52 * len(styles)
    figure, (axes,) = theme.figure(height)
    figure.subplots_adjust(0.24, _LABELS_IN / height, 0.74, 0.98)
    bars = {target: _bar(source, question, target) for target in styles}
    unit = f"achieved, {question.unit_words}" if question.closed_loop else f"{question.metric}, ms"
    estimates.draw(axes, bars, styles, unit)
    return figure


def _bar(source: FigureData, question: Question, target: str) -> Bar:
    workload = question.workloads[0]
    cell = source.summary.cell(target, workload.name)
    left = [row for row in source.summary.left_out if (row.target, row.workload) == (target, workload.name)]
    ruled_out = [row.p99_ns / NS_PER_MS for row in left if row.p99_ns is not None]
    if question.closed_loop:
        ruled_out = [row.achieved_rate for row in left]
    if not cell.n:
        return Bar([], ruled_out, None, None, None, "no usable\ntrial")
    bound = "\nlower bound" if cell.client_bound else ""
    if question.closed_loop:
        values = source.data.usable(workload.name, target)["achieved_rate"].tolist()
        text = _beside(cell.achieved_rate, rate) + bound
        return estimates.bar(cell.achieved_rate, values, ruled_out, text)
    if cell.overloaded:
        return Bar([], ruled_out, None, None, None, f"overloaded in\n{cell.overloaded} of {cell.n} trials")
    spread = cell.latency_ns["p99"]
    if spread.centre is None:
        return Bar([], ruled_out, None, None, None, fill(brief(spread.why), _WORDS))
    rows = latency_of(source.data, target, workload)["p99"]
    values = rows[rows.notna() & (rows < float("inf"))].tolist()
    return estimates.bar(spread, values, ruled_out, _beside(spread, milliseconds) + bound, 1 / NS_PER_MS)


def _beside(spread: Spread, text: Printer) -> str:
    """Return what stands beside a row: its interval, or how many dots there are where they stand for themselves."""
    return f"{text(spread.centre)}\n{len(spread.few)} trials" if spread.few else interval(spread, text)


def _percentiles(source: FigureData, question: Question) -> Figure:
    styles = source.among(question)
    figure, (axes,) = theme.figure(3.5)
    figure.subplots_adjust(0.15, 0.155, 0.725, 0.97)
    draw_percentiles(axes, source, question, styles)
    return figure


def draw_percentiles(axes: Axes, source: FigureData, question: Question, styles: Mapping[str, Style]) -> Axes:
    """Draw the latency that a question judges by, against percentile; return the axes."""
    workload = question.workloads[0]
    rows = {target: cells[0] for target, cells in source.cells(question).items()}
    lines = source.summary.panel(question.name, "percentiles", tag_of(workload))
    return percentiles.draw(axes, lines, rows, styles, latency_words(workload))


def _over_time(source: FigureData, question: Question) -> Figure:
    styles = source.among(question)
    marks = [mark for mark in source.summary.marks if mark.question == question.name]
    lanes = len({mark.event for mark in marks})
    height = 4.3 + 0.3 * lanes
    figure, axes = theme.figure(height, *([0.3 * lanes] if lanes else []), 1.8, 1.8)
    figure.subplots_adjust(0.22, 0.53 / height, 0.725, 1 - 0.26 / height, hspace=0.14)
    upper, lower = axes[-2:]
    over_time.draw(upper, source.summary.panel(question.name, "time", "p99"), styles, "p99")
    over_time.draw(lower, source.summary.panel(question.name, "time", "p50"), styles, "p50", labels=False)
    if lanes:
        over_time.draw_marks(axes[0], marks, styles)
        axes[0].set_xlim(upper.get_xlim())
    upper.tick_params(labelbottom=False)
    upper.set_xlabel("")
    return figure


def _throughput(source: FigureData, question: Question) -> Figure:
    styles = source.among(question)
    cells = source.cells(question)
    height = 1.0 + 0.44 * len(styles)
    figure, (axes,) = theme.figure(height)
    figure.subplots_adjust(0.265, _LABELS_IN / height, 0.98, 1 - _TITLE_IN / height)
    offered = next(iter(cells.values()))[0].asked_rate
    throughput.draw(axes, source.data.usable(question.workloads[0].name), styles, offered, question.unit_words)
    return figure


def _cost(source: FigureData, question: Question) -> Figure:
    if question.of_fields:
        return _against(source, question, load_curves.BROKER_CPU)
    styles = source.among(question)
    height = 0.8 + 0.55 * len(styles)
    figure, (axes,) = theme.figure(height)
    figure.subplots_adjust(0.265, _LABELS_IN / height, 0.98, 0.98)
    last = {target: cells[-1] for target, cells in source.cells(question).items()}
    spent = {target: {"broker": cell.broker_cpu_us, "client": cell.client_cpu_us} for target, cell in last.items()}
    cost.draw(axes, spent, styles)
    return figure


def lines_along(
    source: FigureData, question: Question, only: Mapping[str, Value] | None = None
) -> dict[str, list[Point]]:
    """Return the points of each target along the first axis: all, or those of one value of another field."""
    along, known = question.axes[0], {each.name: question.at(each) for each in question.workloads}
    found = {}
    for target, cells in source.cells(question).items():
        mine = [cell for cell in cells if (only or {}).items() <= known[cell.workload].items()]
        found[target] = [_point(along, known[cell.workload][along.field], cell) for cell in mine]
    return found


def _point(along: Axis, value: Value, cell: Cell) -> Point:
    return Point(
        x=along.places[value],
        rate=cell.achieved_rate,
        p99_ns=cell.latency_ns["p99"],
        saturated=cell.saturated,
        at=f"{label_of(along.field)} {value_words(along.field, value)}",
        broker_cpu_us=cell.broker_cpu_us,
    )


def _against(source: FigureData, question: Question, quantity: Quantity) -> Figure:
    """Draw a quantity against one swept field; of two, a panel for each value of the other."""
    styles, along = source.among(question), question.axes[0]
    if len(question.axes) == 1:
        figure, (axes,) = theme.figure(3.0)
        figure.subplots_adjust(0.17, 0.18, 0.725, 0.97)
        load_curves.draw(axes, lines_along(source, question), styles, along, quantity)
        return figure
    other = question.axes[1]
    height = _LABELS_IN + _PANEL_IN * len(other.values)
    figure, axes_of_panels = theme.figure(height, *[1.0] * len(other.values))
    figure.subplots_adjust(0.17, _LABELS_IN / height, 0.725, 1 - _TITLE_IN / height, hspace=0.32)
    panels = {
        axes: (
            f"{label_of(other.field)} {value_words(other.field, value)}",
            lines_along(source, question, {other.field: value}),
        )
        for axes, value in zip(axes_of_panels, other.values, strict=True)
    }
    load_curves.draw_panels(panels, styles, along, quantity)
    return figure


def _deciding(source: FigureData, question: Question) -> Figure:
    return _against(
        source,
        question,
        load_curves.RATE if question.closed_loop else load_curves.p99(latency_words(question.workloads[0])),
    )


def _sweep(source: FigureData, question: Question) -> Figure:
    if len(question.axes) > 1:
        return _against(source, question, load_curves.p99(tag_of(question.workloads[0])))
    styles, along = source.among(question), question.axes[0]
    lines = lines_along(source, question)
    figure, (upper, lower) = theme.figure(4.6, 1.0, 1.0)
    figure.subplots_adjust(0.17, 0.12, 0.725, 0.97, hspace=0.12)
    load_curves.draw(upper, lines, styles, along, load_curves.RATE)
    tag = tag_of(question.workloads[0])
    load_curves.draw(lower, lines, styles, along, load_curves.p99(tag), labels=False)
    upper.label_outer()
    return figure


def _curve(source: FigureData, question: Question) -> Figure:
    styles = source.among(question)
    figure, (axes,) = theme.figure(3.6)
    figure.subplots_adjust(0.15, 0.155, 0.725, 0.97)
    knees = {
        knee.target: knee.rate
        for knee in source.summary.knees
        if knee.question == question.name and knee.rate is not None and knee.next_rate is not None
    }
    load_curves.draw_curve(axes, lines_along(source, question), styles, question.axes[0], knees)
    return figure


def _depth(source: FigureData, question: Question) -> Figure:
    ticks = timeline_shown(source.data, question.workloads[0].name)
    figure, (upper, lower) = theme.figure(4.0, 1.0, 1.0)
    figure.subplots_adjust(0.17, 0.135, 0.725, 0.97, hspace=0.14)
    depth.draw(upper, lower, ticks, source.among(question))
    upper.label_outer()
    return figure


def _sustained(source: FigureData) -> Figure:
    rows = [(row, source.styles[row.target]) for row in source.summary.sustained if row.target in source.styles]
    height = 0.8 + 0.6 * len(rows)
    figure, (axes,) = theme.figure(height)
    figure.subplots_adjust(0.265, _LABELS_IN / height, 0.98, 0.98)
    sustained.draw(axes, rows)
    return figure


_DRAW: dict[str, Callable[[FigureData, Question], Figure]] = {
    "decision": _decision,
    "percentiles": _percentiles,
    "time": _over_time,
    "rate": _throughput,
    "cost": _cost,
    "depth": _depth,
    "sweep": _sweep,
}

_DPI = 200


def write_figures(folder: Path, pictures: Iterable[Picture]) -> None:
    """Write `<name>.svg` and `<name>.png` for each figure; raise OSError where that fails."""
    for picture in pictures:
        name, words = picture.caption.name, f"{picture.caption.title}. {picture.caption.sentence}"
        write_whole(folder / f"{name}.svg", standalone(picture.figure, words))
        with mpl.rc_context(RC):
            picture.figure.savefig(folder / f"{name}.png", dpi=_DPI, facecolor="white", metadata={"Title": words})
