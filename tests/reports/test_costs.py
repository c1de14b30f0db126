"""What messages cost, and what an idle broker takes."""

from typing import Any

import pytest

from reports.costs import costs, idles
from reports.dataset import Dataset
from reports.page.page import render_page
from reports.summarise import summarise
from tests.reports.in_memory import made_tables

_SIDE = {
    "cpu_s_per_million": 100.0,
    "rss_peak": 1,
    "threads_peak": 1,
    "disk_read_per_message": 0.0,
    "disk_written_per_message": 410.0,
    "voluntary_switches_per_message": None,
    "involuntary_switches_per_message": None,
}


def told(trial: dict[str, Any]) -> dict[str, Any]:
    """Return a trial whose record tells of disk, wire and idle broker."""
    trial["cost"] = {
        "messages": 1_000,
        "broker": _SIDE,
        "client": _SIDE,
        "data_peak": None,
        "wire_to_broker_per_message": 180.0,
        "wire_from_broker_per_message": 150.0,
    }
    trial["broker"]["idle"] = {
        "seconds": 5.0,
        "cpu_cores": 0.021,
        "rss": 150 * 2**20,
        "connections": 100,
        "bytes_per_connection": 100 * 1024.0,
        "queues": 100,
        "durable_queues": False,
        "bytes_per_queue": 20 * 1024.0,
    }
    return trial


def test_cpu_seconds_a_million_are_microseconds_a_message(quick: Dataset) -> None:
    """Each row with usable trials has a cost, the same number as its CPU a message; unknown is left out."""
    rows = {(row.target, row.workload): row for row in costs(quick)}
    assert len(rows) == 20
    trials = quick.trials[(quick.trials["target"] == "rabbitmq-091") & (quick.trials["workload"] == "steady")]
    assert rows["rabbitmq-091", "steady"].broker_cpu_s.median == trials["broker_cpu_us_per_message"].median()
    assert rows["broker-j-091", "steady"].broker_cpu_s.n == 2
    assert rows["rabbitmq-091", "steady"].disk_written.n == 0
    assert list(idles(quick)) == []


def test_disk_wire_and_idle_brokers_are_told_where_they_were_measured() -> None:
    """Bytes a message both ways, one idle row a broker, and all of it on the page."""
    data = made_tables(repetitions=2, seconds=1, closed_loop=False, change=told)
    row = next(costs(data))
    assert row.disk_written.estimate == pytest.approx(410.0)
    assert row.wire.estimate == pytest.approx(330.0)
    assert [each.broker for each in idles(data)] == ["rabbitmq", "broker-j"]
    page = render_page(summarise(data), [])
    assert "Idle brokers" in page
    assert "wire, B/msg" in page
