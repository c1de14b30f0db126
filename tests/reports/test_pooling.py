"""Several runs in one report: pooled where they are alike, side by side by one dimension, refused otherwise."""

from functools import partial
from typing import Any

import pytest

from reports.dataset import Dataset
from reports.errors import ReportError
from reports.figures import pictures
from reports.page.page import render_page
from reports.pooling import RowKey
from reports.summarise import summarise
from tests.reports.in_memory import tables
from tests.reports.synthetic import Made, make


def newer(trial: dict[str, Any]) -> dict[str, Any]:
    """Return a trial of a newer RabbitMQ, and half as slow."""
    if trial["broker"]["name"] == "rabbitmq":
        trial["broker"] |= {"version": "4.2.0"}
    return trial


def on_the_current_image(run: dict[str, Any]) -> dict[str, Any]:
    """Return a run whose RabbitMQ is of the current image."""
    run["scenario"]["brokers"][0]["image"] = "current"
    return run


OLD: dict[str, Any] = {"mode": "full", "repetitions": 10, "seconds": 1, "closed_loop": False, "run_id": "old"}
NEW = OLD | {"run_id": "new", "change": newer, "change_run": on_the_current_image}


@pytest.fixture(scope="module")
def two() -> tuple[Made, Made]:
    """Two full runs of one scenario on two images."""
    return make(**OLD), make(**NEW)


@pytest.fixture(scope="module")
def by_version(two: tuple[Made, Made]) -> Dataset:
    """Both as tables, side by side."""
    return tables(*two, by="version")


def test_by_version_each_version_is_a_row(by_version: Dataset) -> None:
    """RabbitMQ has two rows a protocol, named by version; Broker-J, the same in both, is pooled."""
    labels = [target.label for target in by_version.scenario.targets]
    assert [label for label in labels if label and label.startswith("rabbitmq-091")] == [
        "rabbitmq-091, 4.2.0",
        "rabbitmq-091, 4.0.5",
    ]
    trials = by_version.trials
    counts = trials[trials["workload"] == "steady"].groupby("target").size().to_dict()
    assert counts == {
        "rabbitmq-091, 4.0.5": 10,
        "rabbitmq-091, 4.2.0": 10,
        "rabbitmq-10, 4.0.5": 10,
        "rabbitmq-10, 4.2.0": 10,
        "broker-j-091, 10.1.0": 20,
        "broker-j-10, 10.1.0": 20,
    }
    assert by_version.rows["rabbitmq-091, 4.2.0"] == RowKey("rabbitmq-091", "4.2.0")
    (row,) = [one for one in summarise(by_version).targets if (one.target, one.group) == ("rabbitmq-10", "4.0.5")]
    assert row.name == "rabbitmq-10, 4.0.5"


def test_rows_of_two_runs_stand_side_by_side_and_are_not_ranked(by_version: Dataset) -> None:
    """The summary has figures and settings of each, compares within a run, and names no winner."""
    summary = summarise(by_version)
    assert {answer.headline for answer in summary.answers} == {"Not ranked: rows of different runs"}
    assert all(cell.n >= 10 for cell in summary.cells)
    pairs = {(each.first, each.second) for each in summary.comparisons}
    assert ("rabbitmq-091, 4.2.0", "rabbitmq-10, 4.2.0") in pairs
    assert ("rabbitmq-091, 4.2.0", "rabbitmq-091, 4.0.5") not in pairs
    assert any("different times" in line for line in summary.not_shown)


def test_a_page_of_two_runs_names_each_row(by_version: Dataset) -> None:
    """The page has a row a version, both environments, and both commands."""
    summary = summarise(by_version)
    page = render_page(summary, pictures(by_version, summary))
    assert page.count("<pre tabindex") == 2
    assert "RabbitMQ 4.2.0 over AMQP 1.0" in page
    assert "Not ranked: rows of different runs" in page


def test_unlike_runs_are_refused_with_what_differs(two: tuple[Made, Made]) -> None:
    """Pooling names the field and the option; a dimension forgives only its own."""
    with pytest.raises(ReportError, match=r"brokers\.0\.image.*cannot be pooled.*--by"):
        tables(*two)
    with pytest.raises(ReportError, match=r"brokers\.0\.image.*more than their run"):
        tables(*two, by="run")


def test_by_run_each_run_is_a_row() -> None:
    """Equal scenarios: rows are labelled by the time of their run, and apart even where two began in one minute."""

    def dated(run: dict[str, Any], day: str) -> dict[str, Any]:
        return run | {"started_utc": f"2026-01-{day}T12:00:00Z"}

    asked = {"repetitions": 1, "seconds": 1, "closed_loop": False}
    runs = [
        make(**asked, run_id=name, change_run=partial(dated, day=day)) for name, day in (("one", "01"), ("two", "02"))
    ]
    data = tables(*runs, by="run")
    assert [target.label for target in data.scenario.targets][:2] == [
        "rabbitmq-091, 2026-01-01 12:00",
        "rabbitmq-091, 2026-01-02 12:00",
    ]
    assert len(tables(*runs).scenario.targets) == 4
    minute = [make(**asked, run_id=name) for name in ("one", "two")]
    assert len(tables(*minute, by="run").scenario.targets) == 8


def test_one_run_needs_no_names() -> None:
    """A dimension over a single run changes nothing."""
    assert tables(make(repetitions=1, seconds=1), by="run").scenario.targets[0].name == "rabbitmq-091"
