"""The lines of figures: the table's estimator, the end of the warm-up only, and what happened meanwhile."""

import json
import re

import numpy as np
import pytest

from reports.dataset import Dataset
from reports.quantiles import PERCENTILES, Distribution
from reports.summary import Summary
from reports.traces import MOST_MARKS, WARM_UP_SHARE


def test_a_line_has_the_figures_of_the_table(quick_summary: Summary, full_summary: Summary) -> None:
    """One estimator a row: at each percentile that a table prints, the line by percentile has that number."""
    checked = 0
    for summary in (quick_summary, full_summary):
        for line in summary.traces:
            if line.kind != "percentiles":
                continue
            cell = summary.cell(line.target, line.question)
            for name, percent in PERCENTILES.items():
                printed, spread = dict(zip(line.x, line.y_ns, strict=True)), cell.latency_ns[name]
                at = [x for x in printed if abs(x - percent) < 1e-9]
                if at:
                    assert printed[at[0]] == pytest.approx(spread.centre, rel=1e-9)
                    checked += 1
    assert checked > 20


def test_lines_lie_within_their_range_and_rise(quick_summary: Summary) -> None:
    """The mean is between the least and the largest trial; a quantile function never falls."""
    for line in quick_summary.traces:
        low, mean, high = map(np.array, (line.low_ns, line.y_ns, line.high_ns))
        assert (low <= mean * (1 + 1e-12)).all()
        assert (mean <= high * (1 + 1e-12)).all()
        assert (np.diff(line.x) > 0).all()
        if line.kind == "percentiles":
            assert (np.diff(mean) >= -1e-9 * mean[1:]).all()


def test_the_warm_up_takes_at_most_a_third_of_the_axis(quick: Dataset, quick_summary: Summary) -> None:
    """However long it was."""
    measured = float(quick.trials["measured_s"].max())
    for line in quick_summary.traces:
        if line.kind == "time":
            assert min(line.x) >= -WARM_UP_SHARE * measured


def test_marks_are_bounded_and_within_the_axis(quick_summary: Summary) -> None:
    """A restart stands at the edge; no kind of a target has more than the limit."""
    marks = quick_summary.marks
    assert any(mark.event == "restart" for mark in marks)
    for mark in marks:
        begins = min(
            min(line.x) - 1 for line in quick_summary.traces if (line.question, line.kind) == (mark.question, "time")
        )
        assert begins <= mark.from_s <= mark.to_s
    kinds = [(mark.question, mark.event, mark.target) for mark in marks]
    assert max(kinds.count(kind) for kind in set(kinds)) <= MOST_MARKS


def test_the_script_draws_what_the_summary_holds(quick_written: tuple[str, str, str]) -> None:
    """The page's data are the summary's lines in ms, rounded to four digits, and no markup ends the script early."""
    page, _, text = quick_written
    found = re.search(r'<script type="application/json" id="traces">(.*?)</script>', page, re.DOTALL)
    assert found
    assert "<" not in found[1]
    held, summary = json.loads(found[1]), json.loads(text)
    assert len(held["lines"]) == len(summary["traces"])
    for drawn, line in zip(held["lines"], summary["traces"], strict=True):
        assert drawn["y"] == pytest.approx([value / 1e6 for value in line["y_ns"]], rel=1e-3)
    assert len(held["marks"]) == len(summary["marks"])


def test_many_percentiles_at_once_are_those_one_by_one() -> None:
    """Values below, within and beyond the histogram."""
    one = Distribution(np.array([5, 9, 20]), np.array([2, 5, 6]), below=1, above=2, mean_ns=9.0)
    percents = np.array([0.0, 10.0, 30.0, 50.0, 70.0, 80.0, 99.0])
    assert one.along(percents).tolist() == [one.at(percent) for percent in percents]
    assert (one.at(0.0), one.at(99.0)) == (0.0, float("inf"))
    assert np.isnan(Distribution(np.array([], int), np.array([], int), 0, 0, 0.0).along(percents)).all()
