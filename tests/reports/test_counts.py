"""Runs by count in reports: each phase is a row of its own, its rate over all messages, and a verdict of its own."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli.main import app
from reports.dataset import Dataset, load, timeline_shown
from reports.figures import pictures
from reports.page.page import render_page
from reports.summarise import summarise
from reports.summary import Summary

pytestmark = pytest.mark.compiled

SCENARIO = """
name = "counts"
title = "By count"
question = "Which takes messages in sooner, and which gives them out sooner?"
brokers = [
  { name = "fast", kind = "memory", capacity = 4000 },
  { name = "slow", kind = "memory", capacity = 2000, duplicate = [3] },
]
targets = [
  { name = "fast", broker = "fast", protocol = "memory", driver = "memory" },
  { name = "slow", broker = "slow", protocol = "memory", driver = "memory" },
]
plan = { repetitions = 10, restart = "run" }

[[workloads]]
name = "filled"
messages = 300
phases = "enqueue-dequeue"
consumer_rate = 1000
prefetch = 10
ack_batch = 1
load = { kind = "in_flight", in_flight = 32 }

[[workloads]]
name = "at-once"
messages = 301
load = { kind = "in_flight", in_flight = 32 }
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A run on two scripted brokers, as if on a host of eight CPUs."""
    there = tmp_path_factory.mktemp("counts")
    (there / "counts.toml").write_text(SCENARIO, encoding="utf-8")
    folder = there / "run"
    done = CliRunner().invoke(app, ["run", str(there / "counts.toml"), "--out", str(folder), "--no-report"])
    assert done.exit_code == 0, done.output
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    record["host"]["cpus"] = "8"
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return load(folder)


@pytest.fixture(scope="module")
def summary(data: Dataset) -> Summary:
    """What a report says of it."""
    return summarise(data)


def test_each_phase_is_a_row_with_the_rate_of_all_its_messages(summary: Summary) -> None:
    """The broker's capacity while it is filled, the consumers' rate while it is drained, both over exact counts."""
    assert [one.question for one in summary.answers] == ["filled-enqueue", "filled-dequeue", "at-once"]
    rates = {(one.target, one.workload): one.achieved_rate.centre for one in summary.cells}
    assert rates["fast", "filled-enqueue"] == pytest.approx(4000)
    assert rates["slow", "filled-enqueue"] == pytest.approx(2000)
    assert rates["fast", "filled-dequeue"] == pytest.approx(300 / 0.28), "ten at once, and ten more each 10 ms"
    assert rates["slow", "at-once"] == pytest.approx(2000, rel=0.02)
    assert {one.n for one in summary.cells} == {10}


def test_each_phase_has_a_verdict_of_its_own(summary: Summary) -> None:
    """Which takes messages in sooner is one question, which gives them out sooner another."""
    said = {one.question: one for one in summary.answers}
    assert (said["filled-enqueue"].winner, said["filled-enqueue"].metric) == ("fast", "enqueue rate")
    assert said["filled-dequeue"].metric == "dequeue rate"
    assert said["filled-dequeue"].kind == "same"
    assert (said["at-once"].winner, said["at-once"].metric) == ("fast", "whole rate")
    assert said["filled-enqueue"].load == "300 messages of 100 B put in, 32 unconfirmed at a time, transient"
    assert said["filled-dequeue"].load == "300 messages of 100 B taken out, transient"
    assert said["at-once"].load == "301 messages of 100 B in and out at once, 32 in flight, transient"
    assert "the enqueue rate was" in said["filled-enqueue"].figures


def test_time_in_the_queue_is_no_latency(summary: Summary) -> None:
    """Filled, the confirm is what is told; drained, nothing: a message lay for as long as it was in."""
    filled, drained = summary.cell("fast", "filled-enqueue"), summary.cell("fast", "filled-dequeue")
    assert filled.latency_tag == "confirm"
    assert filled.latency_ns["p50"].centre == pytest.approx(32 / 4000 * 1e9, rel=0.05)
    assert drained.latency_ns["p50"].centre is None
    assert "none: how long a message lay" in drained.latency_ns["p50"].why


def test_the_table_and_the_page_tell_counts(data: Dataset, summary: Summary) -> None:
    """Length and rate by phase; on virtual time nothing is known of pauses and memory."""
    rows = {(one.target, one.workload): one for one in summary.counts}
    row = rows["slow", "filled-enqueue"]
    assert (row.phase, row.messages, row.length_s.centre) == ("enqueue", 300, pytest.approx(0.15))
    assert (row.away.n, row.backlog_rss.n) == (0, 0)
    assert rows["fast", "at-once"].phase == "whole"
    page = render_page(summary, list(pictures(data, summary)))
    assert "By count" in page
    assert "could not be drawn" not in page


def test_the_depth_of_a_queue_that_is_filled_is_drawn(data: Dataset, summary: Summary) -> None:
    """It is as deep as there are messages, whatever else was delivered twice."""
    words = next(one.sentence for one in summary.captions if one.kind == "depth")
    assert "at most fast 300; slow 300" in words
    assert {*timeline_shown(data, "filled-enqueue")} == {"fast", "slow"}


def test_a_trial_whose_count_was_not_reached_has_no_figure(tmp_path: Path) -> None:
    """A broker that stops half-way is told as such, and gives no rate."""
    stalled = SCENARIO.replace("capacity = 4000", 'capacity = 4000, stalls = [{ at = "20ms", length = "60s" }]')
    (tmp_path / "s.toml").write_text(stalled.replace("repetitions = 10", "repetitions = 1"), encoding="utf-8")
    done = CliRunner().invoke(app, ["run", str(tmp_path / "s.toml"), "--out", str(tmp_path / "run"), "--no-report"])
    assert done.exit_code == 4, done.output
    trials = load(tmp_path / "run").trials
    mine = trials[trials["target"] == "fast"]
    assert not mine["usable"].any()
    assert mine["why_not"].str.startswith("stalled").all()
