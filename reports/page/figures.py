"""The figures of a page: each question's charts, with a sentence over each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from bench.scenario import RateLoad
from reports.charts import cpu, over_time, percentiles, sweep, theme, throughput
from reports.charts.svg import to_svg
from reports.charts.theme import Style
from reports.dataset import Dataset
from reports.format import count, listed, milliseconds, number, rate
from reports.questions import Question, in_flight, questions
from reports.summary import Cell, Spread, Summary


@dataclass(frozen=True)
class Panel:
    """One figure of a page."""

    title: str
    sentence: str
    svg: str


def panels(data: Dataset, summary: Summary) -> dict[str, list[Panel]]:
    """Return the figures of each question, by its name."""
    styles = theme.styles(summary.targets)
    with mpl.rc_context(theme.RC):
        return {
            question.name: list(_panels(place, question, data, summary, styles))
            for place, question in enumerate(questions(data.runs[0].scenario))
        }


def _panels(
    place: int, question: Question, data: Dataset, summary: Summary, styles: dict[str, Style]
) -> Iterator[Panel]:
    cells = [cell for cell in summary.cells if cell.workload in {workload.name for workload in question.workloads}]
    if not any(cell.n for cell in cells):
        return
    if len(question.workloads) > 1:
        yield _panel(
            f"q{place}-sweep",
            f"{question.name}: throughput and latency against messages in flight",
            "In a closed loop throughput is the number in flight divided by latency: read both panels together."
            " Bars span the trials.",
            _sweep(question, data, styles),
        )
        return
    for name, title, sentence, draw in (
        ("percentiles", "latency by percentile", _percentiles_sentence(cells), _percentiles),
        ("time", "latency over time", _time_sentence(question, data), _over_time),
        ("rate", "throughput", _throughput_sentence(cells, styles), _throughput),
        ("cpu", "CPU time a message", _cpu_sentence(cells), _cpu),
    ):
        yield _panel(f"q{place}-{name}", f"{question.name}: {title}", sentence, draw(question, data, styles))


def _panel(prefix: str, title: str, sentence: str, figure: Figure) -> Panel:
    return Panel(title, sentence, to_svg(figure, prefix, f"{title}. {sentence}"))


_LABELS_IN, _TITLE_IN = 0.55, 0.25  # inches for the x axis' words, and for a line above the axes


def _percentiles(question: Question, data: Dataset, styles: dict[str, Style]) -> Figure:
    workload = question.workloads[0]
    tag = "response" if isinstance(workload.load, RateLoad) else "service"
    figure, (axes,) = theme.figure(3.5)
    figure.subplots_adjust(0.13, 0.155, 0.745, 0.97)
    percentiles.draw(axes, {name: data.distribution(name, workload.name, tag) for name in styles}, styles, tag)
    return figure


def _over_time(question: Question, data: Dataset, styles: dict[str, Style]) -> Figure:
    rows = _usable(data, question)[["run_id", "index"]].merge(data.seconds, on=["run_id", "index"])
    figure, (upper, lower) = theme.figure(4.3, rows=2)
    figure.subplots_adjust(0.13, 0.125, 0.745, 0.94, hspace=0.12)
    over_time.draw(upper, rows, styles, "p99")
    over_time.draw(lower, rows, styles, "p50", labels=False)
    upper.label_outer()
    return figure


def _throughput(question: Question, data: Dataset, styles: dict[str, Style]) -> Figure:
    rate = question.workloads[0].mean_rate
    height = 1.0 + 0.44 * len(styles)
    figure, (axes,) = theme.figure(height)
    figure.subplots_adjust(0.24, _LABELS_IN / height, 0.98, 1 - _TITLE_IN / height)
    throughput.draw(axes, _usable(data, question), styles, rate)
    return figure


def _cpu(question: Question, data: Dataset, styles: dict[str, Style]) -> Figure:
    height = 0.8 + 0.55 * len(styles)
    figure, (axes,) = theme.figure(height)
    figure.subplots_adjust(0.24, _LABELS_IN / height, 0.98, 0.98)
    cpu.draw(axes, _usable(data, question), styles)
    return figure


def _sweep(question: Question, data: Dataset, styles: dict[str, Style]) -> Figure:
    bounds = {workload.name: in_flight(workload) for workload in question.workloads}
    trials = data.trials[data.trials["usable"]]
    latency = data.latency.merge(trials[["run_id", "index"]], on=["run_id", "index"])
    figure, (upper, lower) = theme.figure(4.6, rows=2)
    figure.subplots_adjust(0.2, 0.12, 0.745, 0.97, hspace=0.12)
    sweep.draw_throughput(upper, trials, styles, bounds)
    sweep.draw_latency(lower, latency, styles, bounds, labels=False)
    upper.label_outer()
    return figure


def _usable(data: Dataset, question: Question) -> pd.DataFrame:
    return data.trials[data.trials["usable"] & (data.trials["workload"] == question.workloads[0].name)]


def _span(spreads: list[Spread], text: Callable[[float], str]) -> str:
    known = sorted(spread.median for spread in spreads if spread.median is not None)
    if not known:
        return "is not known"
    if text(known[0]) == text(known[-1]):
        return f"is {text(known[0])}"
    return f"lies between {text(known[0])} and {text(known[-1])}"


def _percentiles_sentence(cells: list[Cell]) -> str:
    shown = [cell for cell in cells if cell.n]
    middle = _span([cell.latency_ns["p50"] for cell in shown], milliseconds)
    tail = _span([cell.latency_ns["p99"] for cell in shown], milliseconds)
    return (
        f"From target to target the median {shown[0].latency_tag} {middle} ms, and p99 {tail} ms."
        " Histograms of all usable trials are added; a curve ends where too few messages, or none that came, carry it."
    )


def _time_sentence(question: Question, data: Dataset) -> str:
    width = over_time.seconds_drawn(data.seconds[data.seconds["workload"] == question.workloads[0].name])
    each = "each second" if width == 1 else f"each {count(width)} s"
    return (
        f"p99 and p50 of {each} of intended time: median over trials, their range as a band."
        " The warm-up is shaded and may leave the frame."
    )


def _throughput_sentence(cells: list[Cell], styles: dict[str, Style]) -> str:
    known = [(cell.achieved_rate.low, cell) for cell in cells if cell.achieved_rate.low is not None]
    if not known:
        return "No trial could be used."
    lowest, cell = min(known, key=lambda pair: pair[0])
    if cell.offered_rate is None:
        return f"One dot a trial; the lowest achieved {rate(lowest)} msg/s."
    if lowest >= 0.99 * cell.offered_rate:
        return f"One dot a trial; each achieved {rate(lowest)} msg/s or more of {rate(cell.offered_rate)} offered."
    short = [styles[c.target].label for low, c in known if low < 0.99 * cell.offered_rate]
    return (
        f"One dot a trial; the lowest achieved {rate(lowest)} of {rate(cell.offered_rate)} msg/s offered."
        f" Below 99 % of the offer in some trial: {listed(short)}."
    )


def _cpu_sentence(cells: list[Cell]) -> str:
    shown = [cell for cell in cells if cell.n]
    broker = _span([cell.broker_cpu_us for cell in shown], number)
    client = _span([cell.client_cpu_us for cell in shown], number)
    return f"Whole process trees, measured part: the broker's cost {broker} µs a message, our client's {client} µs."
