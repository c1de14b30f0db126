"""Several runs in one report: pooled where they are alike, side by side by one dimension, refused otherwise."""

import json
from pathlib import Path
from typing import Any

import pytest

import reports
from reports.dataset import load
from reports.errors import ReportError
from reports.summarise import summarise
from tests.reports.synthetic import build


def newer(trial: dict[str, Any]) -> dict[str, Any]:
    """Return a trial of a newer RabbitMQ, and half as slow."""
    if trial["broker"]["name"] == "rabbitmq":
        trial["broker"] |= {"version": "4.2.0"}
    return trial


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two full runs of one scenario on two images."""
    folder = tmp_path_factory.mktemp("two")
    old = build(folder / "old", mode="full", repetitions=10, seconds=1, closed_loop=False, run_id="old")
    new = build(folder / "new", mode="full", repetitions=10, seconds=1, closed_loop=False, run_id="new", change=newer)
    record = json.loads((new / "run.json").read_text())
    record["scenario"]["brokers"][0]["image"] = "current"
    (new / "run.json").write_text(json.dumps(record))
    return old, new


def test_by_version_each_version_is_a_row(two: tuple[Path, Path]) -> None:
    """RabbitMQ has two rows a protocol, named by version; Broker-J, the same in both, is pooled."""
    data = load(*two, by="version")
    labels = [target.label for target in data.scenario.targets]
    assert [label for label in labels if label and label.startswith("rabbitmq-091")] == [
        "rabbitmq-091, 4.2.0",
        "rabbitmq-091, 4.0.5",
    ]
    counts = data.trials[data.trials["workload"] == "steady"].groupby("target").size().to_dict()
    assert counts == {
        "rabbitmq-091@4.0.5": 10,
        "rabbitmq-091@4.2.0": 10,
        "rabbitmq-10@4.0.5": 10,
        "rabbitmq-10@4.2.0": 10,
        "broker-j-091@10.1.0": 20,
        "broker-j-10@10.1.0": 20,
    }


def test_rows_of_two_runs_stand_side_by_side_and_are_not_ranked(two: tuple[Path, Path]) -> None:
    """The summary has figures and settings of each, compares within a run, and names no winner."""
    summary = summarise(load(*two, by="version"))
    assert {answer.headline for answer in summary.answers} == {"Not ranked: rows of different runs"}
    assert all(cell.n >= 10 for cell in summary.cells)
    pairs = {(each.first, each.second) for each in summary.comparisons}
    assert ("rabbitmq-091@4.2.0", "rabbitmq-10@4.2.0") in pairs
    assert ("rabbitmq-091@4.2.0", "rabbitmq-091@4.0.5") not in pairs
    assert any("different times" in line for line in summary.not_shown)


def test_a_page_of_two_runs_names_each_row(two: tuple[Path, Path], tmp_path: Path) -> None:
    """The page has a row a version, both environments, and both commands."""
    reports.render(two, reports.Outputs(html=tmp_path / "page.html"), by="version")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<pre tabindex") == 2
    assert "RabbitMQ 4.2.0 over AMQP 1.0" in page
    assert "Not ranked: rows of different runs" in page


def test_unlike_runs_are_refused_with_what_differs(two: tuple[Path, Path]) -> None:
    """Pooling names the field and the option; a dimension forgives only its own."""
    with pytest.raises(ReportError, match=r"brokers\.0\.image.*cannot be pooled.*--by"):
        load(*two)
    with pytest.raises(ReportError, match=r"brokers\.0\.image.*more than their run"):
        load(*two, by="run")


def test_by_run_each_run_is_a_row(tmp_path: Path) -> None:
    """Equal scenarios at different times: rows are named by the time of their run."""
    folders = []
    for name, day in (("one", "01"), ("two", "02")):
        folder = build(tmp_path / name, repetitions=1, seconds=1, closed_loop=False, run_id=name)
        record = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps(record | {"started_utc": f"2026-01-{day}T12:00:00Z"}))
        folders.append(folder)
    data = load(*folders, by="run")
    assert [target.label for target in data.scenario.targets][:2] == [
        "rabbitmq-091, 2026-01-01 12:00",
        "rabbitmq-091, 2026-01-02 12:00",
    ]
    assert len(load(*folders).scenario.targets) == 4


def test_one_run_needs_no_names(quick_folder: Path) -> None:
    """A dimension over a single folder changes nothing."""
    assert load(quick_folder, by="run").scenario.targets[0].name == "rabbitmq-091"
