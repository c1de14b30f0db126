"""Results as notebooks use them: the frames of reports, histograms out of logs, plots that return their Axes."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

import reports
from bench.record.histogram import decode
from reports.dataset import load as load_frames
from tests.reports.in_memory import made_tables


@pytest.fixture(scope="module")
def results(quick_folder: Path) -> reports.Results:
    """The quick run, opened."""
    return reports.load(quick_folder)


def test_frames_are_those_of_reports(results: reports.Results, quick_folder: Path) -> None:
    """Each frame is the one that a report reads."""
    frames = load_frames(quick_folder)
    for name in ("trials", "latency", "timeline", "settings", "events"):
        assert getattr(results, name).equals(getattr(frames, name))


def test_a_histogram_comes_out_of_the_log(results: reports.Results) -> None:
    """Lines of the log, added over the measured seconds, are the histogram of the trial's record."""
    for (_, index), record in results.frames.records.items():
        for tag, stored in record.latency.items():
            if stored.count:
                expected = decode(stored.histogram)
                assert results.histogram(index, tag).encode() == expected.encode()


def test_what_is_not_there_is_named(results: reports.Results) -> None:
    """A trial, a tag or a workload that does not exist is told with those that do."""
    with pytest.raises(reports.ReportError, match="no trial 999"):
        results.histogram(999)
    with pytest.raises(reports.ReportError, match="no latency 'flight'"):
        results.histogram(0, "flight")
    with pytest.raises(reports.ReportError, match="no workload 'none'"):
        results.plot_percentiles(Figure().subplots(), "none")


@pytest.mark.parametrize("plot", ["plot_percentiles", "plot_over_time", "plot_throughput"])
def test_a_plot_returns_its_axes(results: reports.Results, plot: str) -> None:
    """What is drawn is on the Axes that was given, with a line or dot of every target that has usable trials."""
    axes = Figure().subplots()
    assert getattr(results, plot)(axes, "steady") is axes
    assert len(axes.lines) + len(axes.collections) >= 3
    assert axes.get_xlabel()


def test_a_sweep_is_drawn_on_an_axes(results: reports.Results) -> None:
    """The first of the run, unless one is named; what is no sweep is a fault. Its points are a frame."""
    swept = reports.Results(made_tables(repetitions=1, seconds=1, sweep={"size": {"sweep": [32, 1024]}}), {})
    axes = Figure().subplots()
    assert swept.plot_sweep(axes) is axes
    assert axes.get_xlabel() == "size"
    assert swept.points.to_dict("records") == [
        {"workload": "swept-32b", "part_of": "swept", "size": 32},
        {"workload": "swept-1kib", "part_of": "swept", "size": 1024},
    ]
    assert results.plot_sweep(Figure().subplots()).get_xlabel() == "messages in flight"
    with pytest.raises(reports.ReportError, match="workload 'steady' is no part of a sweep"):
        results.plot_sweep(axes, "steady")
    with pytest.raises(reports.ReportError, match="no field is swept"):
        reports.Results(made_tables(repetitions=1, seconds=1, closed_loop=False), {}).plot_sweep(axes)
    assert results.points.empty  # of older results, which had no values


def test_it_shows_verdicts_and_main_figures(results: reports.Results) -> None:
    """A notebook's display holds each verdict and a row for each target and workload; script tags cannot enter."""
    shown = results._repr_html_()
    assert all(answer.sentence.split(".")[0].split("<")[0] in shown for answer in results.summary.answers)
    assert shown.count("<tr>") >= len(results.summary.cells)
    assert "<script" not in shown
    assert "trials usable" in repr(results)
