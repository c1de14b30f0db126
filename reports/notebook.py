"""Results as notebooks use them: tidy frames, histograms out of the logs, plots on an Axes, a verdict on display.

Nothing is computed here that a report would compute otherwise: frames are those of
`reports.dataset`, words and numbers those of the summary that every report is made of.
"""

from collections.abc import Mapping
from functools import cached_property
from html import escape
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from hdrh.histogram import HdrHistogram
from matplotlib.axes import Axes

from bench.record import hlog
from bench.record.histogram import new_histogram
from bench.results.archive import read
from bench.results.records import MOST_TRIALS
from reports import sustained
from reports.charts import load_curves, over_time, theme, throughput
from reports.charts.theme import Style
from reports.dataset import Dataset
from reports.dataset import load as load_frames
from reports.errors import ReportError
from reports.figures import FigureData, draw_percentiles, lines_along
from reports.format import milliseconds, rate
from reports.pooling import Dimension
from reports.questions import Question, questions
from reports.summarise import summarise
from reports.summary import Summary
from reports.traces import TIME_COLUMNS


class Results:
    """One or several results folders, opened.

    Attributes:
        frames: every frame, `reports.dataset.Dataset`.
    """

    def __init__(self, frames: Dataset, folders: Mapping[str, Path]) -> None:
        """Show frames that were read.

        Args:
            frames: as `reports.dataset.load` gives them.
            folders: where they came from, by run id.
        """
        self.frames = frames
        self._folders = dict(folders)

    @property
    def trials(self) -> pd.DataFrame:
        """One row a finished trial: outcome, whether it is usable and why not, rates (messages a second), CPU, RSS."""
        return self.frames.trials

    @property
    def latency(self) -> pd.DataFrame:
        """One row a trial and tag: count, p50 … p99.99, max, mean in ns; NaN where the data do not carry it."""
        return self.frames.latency

    @property
    def timeline(self) -> pd.DataFrame:
        """One row a trial and 100 ms: offered, sent, received, confirmed, backlog; CPU and memory of both sides.

        Of a trial with several flows it counts the messages of the first that is no background.
        """
        return self.frames.timeline

    @property
    def points(self) -> pd.DataFrame:
        """One row a workload that is a point of a sweep: part_of, and a column a swept field, such as `load.rate`.

        Merge it with other frames on `workload`.
        """
        swept = [one for one in self.frames.scenario.workloads if one.at]
        return pd.DataFrame([{"workload": one.name, "part_of": one.part_of, **one.at} for one in swept])

    @property
    def settings(self) -> pd.DataFrame:
        """One row a run, broker and key: what was asked, and what the broker reports (None = not known)."""
        return self.frames.settings

    @property
    def events(self) -> pd.DataFrame:
        """One row a trial and event: what happened, from_s and to_s after the start of the measured part, in words."""
        return self.frames.events

    @cached_property
    def summary(self) -> Summary:
        """What a report says of these results: every number and sentence of it."""
        return summarise(self.frames, sustained.read_all(self._folders.values()))

    def histogram(self, trial: int, tag: str = "response", *, run_id: str | None = None) -> HdrHistogram:
        """Return the measured part of one trial, in ns: the sum of its log's lines, a second each.

        Args:
            trial: place in the run's order, the column `index` of `trials`.
            tag: response, service, send_lag, backpressure, confirm or receive_lag.
            run_id: of which run; needed only where several are open.

        Raises:
            ReportError: there is no such trial or tag.
        """
        run = run_id or next(iter(self._folders))
        rows = self.trials[(self.trials["run_id"] == run) & (self.trials["index"] == trial)]
        if rows.empty:
            there = sorted(self.trials.loc[self.trials["run_id"] == run, "index"])
            message = f"no trial {trial} in run {run!r}: there are {there}"
            raise ReportError(message)
        record = self.frames.records[run, trial]
        places = sorted((self._folders[run] / "trials").glob(f"{trial % MOST_TRIALS:03d}-*/latency.hlog"))
        flow = f"{record.flow}." if trial >= MOST_TRIALS else ""
        seconds = hlog.read(places[0]).get(f"{flow}{tag}", {})
        if not seconds:
            message = f"trial {trial} has no latency {tag!r}: there are {sorted(record.latency)}"
            raise ReportError(message)
        total = new_histogram()
        for second, histogram in seconds.items():
            if record.measure_from_s <= second < record.measure_to_s:
                total.add(histogram)
        return total

    def plot_percentiles(self, axes: Axes, workload: str | None = None) -> Axes:
        """Draw latency against percentile, the mean over usable trials of each target; return the axes.

        Args:
            axes: where to draw.
            workload: by default the first.

        Raises:
            ReportError: there is no such workload.
        """
        question = self._question(workload)
        with mpl.rc_context(theme.RC):
            return draw_percentiles(axes, self._drawn(), question, self._styles(question))

    def plot_over_time(self, axes: Axes, workload: str | None = None, column: str = "p99") -> Axes:
        """Draw `p50` or `p99` by the second of the trial, the warm-up shaded; see `plot_percentiles`."""
        question = self._question(workload)
        if column not in TIME_COLUMNS:
            message = f"column {column!r}: there are {' and '.join(TIME_COLUMNS)}"
            raise ReportError(message)
        lines = self.summary.panel(question.name, "time", column)
        with mpl.rc_context(theme.RC):
            return over_time.draw(axes, lines, self._styles(question), column)

    def plot_throughput(self, axes: Axes, workload: str | None = None) -> Axes:
        """Draw messages received a second, a dot a trial; see `plot_percentiles`."""
        question = self._question(workload)
        trials = self.frames.usable(question.workloads[0].name)
        cell = next(cell for cell in self.summary.cells if cell.workload == question.workloads[0].name)
        with mpl.rc_context(theme.RC):
            return throughput.draw(axes, trials, self._styles(question), cell.asked_rate, question.unit_words)

    def plot_sweep(self, axes: Axes, workload: str | None = None) -> Axes:
        """Draw what decides against the field that is swept, a line a target; see `plot_percentiles`.

        Args:
            axes: where to draw.
            workload: any of a sweep; by default the first of a sweep of one field.

        Raises:
            ReportError: there is no such workload, or it is no part of a sweep of one field.
        """
        swept = (one for one in questions(self.frames.scenario) if len(one.swept) == 1)
        question = next(swept, None) if workload is None else self._question(workload)
        if question is None or len(question.swept) != 1:
            message = f"workload {workload!r} is no part of a sweep of one field" if workload else "no field is swept"
            raise ReportError(message)
        source = self._drawn()
        decides = load_curves.RATE if question.closed_loop else load_curves.p99("response")
        with mpl.rc_context(theme.RC):
            lines = lines_along(source, question)
            return load_curves.draw(axes, lines, source.among(question), question.axes[0], decides)

    def _drawn(self) -> FigureData:
        return FigureData(self.frames, self.summary, theme.styles(self.summary.targets))

    def _question(self, workload: str | None) -> Question:
        asked = questions(self.frames.scenario)
        for question in asked:
            if workload is None or workload in {one.name for one in question.workloads}:
                return question
        names = sorted(one.name for question in asked for one in question.workloads)
        message = f"no workload {workload!r}: there are {names}"
        raise ReportError(message)

    def _styles(self, question: Question) -> dict[str, Style]:
        name = question.workloads[0].name
        there = {cell.target for cell in self.summary.cells if cell.workload == name and cell.n}
        return {target: style for target, style in theme.styles(self.summary.targets).items() if target in there}

    def __repr__(self) -> str:
        """Return what it is, in one line."""
        usable = int(self.trials["usable"].sum())
        return f"<Results of {', '.join(self._folders)}: {usable} of {len(self.trials)} trials usable>"

    def _repr_html_(self) -> str:
        """Return the verdicts and the main figures of each row, for a notebook's display."""
        said = "".join(f"<p>{escape(answer.sentence)}</p>" for answer in self.summary.answers)
        labels = {target.name: target.label for target in self.summary.targets}
        rows = [
            {
                "target": labels[cell.target],
                "workload": cell.workload,
                "usable trials": cell.n,
                "messages a second": rate(cell.achieved_rate.centre),
                f"p50 {cell.latency_tag}, ms": milliseconds(cell.latency_ns["p50"].centre),
                f"p99 {cell.latency_tag}, ms": milliseconds(cell.latency_ns["p99"].centre),
            }
            for cell in self.summary.cells
        ]
        table = pd.DataFrame(rows).fillna("").to_html(index=False, border=0)
        return f"<h4>{escape(self.summary.title)}</h4>{said}{table}"


def load(*folders: Path | str, by: Dimension | None = None) -> Results:
    """Open results folders of one scenario; their order makes no difference.

    Args:
        folders: results folders, such as `results/latest`.
        by: what runs may differ in, and what then tells their rows apart; None pools their trials.

    Raises:
        ReportError: a folder cannot be read, or they do not belong together.
    """
    frames = load_frames(*folders, by=by)
    return Results(frames, {read(Path(folder)).record.run_id: Path(folder) for folder in folders})
