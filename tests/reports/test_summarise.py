"""From tables to what a report says: words gathered, differences marked, circumstances told."""

import json
from pathlib import Path
from typing import Any

from reports.dataset import load
from reports.export.markdown import to_markdown
from reports.spread import not_enough, spread
from reports.summarise import summarise
from reports.summary import Summary
from tests.reports.synthetic import build

SHARED = {"code": "shared-cores", "hard": False, "text": "Broker and clients share CPUs."}


def test_options_of_a_driver_are_told(tmp_path: Path) -> None:
    """A row that was made with options of its driver says so; the others have nothing to say."""
    folder = build(tmp_path / "run", repetitions=1, closed_loop=False)
    record = json.loads((folder / "run.json").read_text())
    record["scenario"]["targets"][3] |= {"driver": "wire10", "options": {"reattach": "15000"}}
    (folder / "run.json").write_text(json.dumps(record))
    summary = summarise(load(folder))
    assert "driver wire10 with reattach = 15000" in summary.cell("broker-j-10", "steady").remarks
    assert not any("driver" in remark for remark in summary.cell("rabbitmq-10", "steady").remarks)


def test_a_spread_is_the_median_and_range_of_trials() -> None:
    """Percentiles are never averaged: the middle trial stands, unknown ones are left out."""
    found = spread([3.0, None, 1.0, 10.0, float("nan")])
    assert (found.median, found.low, found.high, found.n) == (3.0, 1.0, 10.0, 3)


def test_a_spread_without_bound_says_so() -> None:
    """One of three without bound keeps the median; two of three lose it, with the reason."""
    assert spread([1.0, 2.0, float("inf")]).median == 2.0
    assert spread([1.0, 2.0, float("inf")]).high is None
    lost = spread([1.0, float("inf"), float("inf")])
    assert lost.median is None
    assert lost.why == "never came in 2 of 3 trials"


def test_a_rank_that_was_dropped_is_a_lower_bound() -> None:
    """Where messages were dropped the highest latency stands for the rank, and its number of trials is told."""
    found = spread([1.0, float("inf"), float("inf")], bounds=[None, 7.0, 9.0])
    assert (found.median, found.low, found.high, found.never, found.at_least) == (7.0, 1.0, 9.0, 0, 2)
    assert spread([1.0, 2.0], bounds=[5.0, 5.0]).at_least == 0
    unknown = spread([float("inf")], bounds=[float("nan")])
    assert (unknown.median, unknown.never, unknown.at_least) == (None, 1, 0)


def test_quantiles_beyond_what_was_dropped_print_as_lower_bounds(tmp_path: Path) -> None:
    """2 % dropped: p90 is a figure, p99 is at least the maximum, in the page as in Markdown; and nobody wins by it."""

    def drop(trial: dict[str, Any]) -> dict[str, Any]:
        lost = trial["offered"] // 49
        return trial | {"offered": trial["offered"] + lost, "dropped": lost}

    summary = summarise(load(build(tmp_path / "run", repetitions=1, closed_loop=False, change=drop)))
    for cell in summary.cells:
        assert (cell.latency_ns["p90"].at_least, cell.latency_ns["p99"].at_least) == (0, 1)
        assert cell.latency_ns["p99"].median == cell.latency_ns["max"].median
        assert any("dropped, for want of room" in remark for remark in cell.remarks)
    markdown = to_markdown(summary)
    assert "| ≥ " in markdown
    assert "≥" not in to_markdown(summarise(load(build(tmp_path / "kept", repetitions=1, closed_loop=False))))


def test_a_missing_percentile_says_how_much_longer_it_takes() -> None:
    """5,000 messages in 5 s: p99.9 needs 10,000, which is 5 s more."""
    assert "10,000 messages a trial needed, 5 s more" in not_enough("p99.9", 5_000, 5)


def test_the_same_word_of_many_rows_stands_once(tmp_path: Path) -> None:
    """A remark that every trial shares makes one line, not one a row."""

    def share(trial: dict[str, Any]) -> dict[str, Any]:
        return trial | {"health": [SHARED]}

    summary = summarise(load(build(tmp_path / "run", repetitions=1, cpus=2, closed_loop=False, change=share)))
    assert len(summary.notes) == 1
    assert (summary.notes[0].target, len(summary.notes[0].trials)) == (None, 8)
    assert any("This host has 2 CPUs" in caveat for caveat in summary.caveats)


def test_settings_that_differ_are_marked(quick_summary: Summary) -> None:
    """Asked 2 and reported 4 is marked, and so is a setting in which brokers differ; equal ones are not."""
    rows = {row.key: row for row in quick_summary.settings}
    assert rows["cpus"].unlike
    assert [value.differs for value in rows["cpus"].values] == [False, True]
    assert not rows["memory cap"].unlike


def test_rows_keep_the_order_of_the_scenario(quick_summary: Summary) -> None:
    """Tables do not rank: targets stand as the scenario lists them, whatever the run's order was."""
    order = [target.name for target in quick_summary.targets]
    assert [cell.target for cell in quick_summary.cells][:4] == order
    assert [row.target for row in quick_summary.ledger][:4] == order


def test_unknown_cpu_is_left_out_of_the_median(quick_summary: Summary) -> None:
    """One of three trials without CPU: the row has two, and no zero."""
    found = quick_summary.cell("broker-j-091", "steady").broker_cpu_us
    assert found.n == 2
    assert found.low is not None
    assert found.low > 100
