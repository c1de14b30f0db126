"""The exporter: what a scrape says of made-up trials, which addresses it takes, and that it ends."""

import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from http.client import HTTPConnection
from urllib.parse import urlsplit

import numpy as np
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from bench.cli.exporter import AddressError, Exporter, parse
from bench.results.records import PlannedTrial, TrialRecord
from bench.run.phases import Phase
from bench.units import NS_PER_MS
from tests.bench.cli.watched import RATE, live, trial

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"
PLANNED = PlannedTrial.model_construct(index=0, target="rabbit", workload="steady", repetition=0)


def scrape(url: str) -> dict[str, Metric]:
    """Return the families at an address, by name; what is no valid OpenMetrics is a failure."""
    kind, text = get(url)
    assert kind.startswith("application/openmetrics-text")
    return {family.name: family for family in text_string_to_metric_families(text)}


def get(url: str) -> tuple[str, str]:
    """Return type and text of what is answered."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=10)
    with closing(connection):
        connection.request("GET", urlsplit(url).path, headers={"Accept": OPEN_METRICS})
        answer = connection.getresponse()
        return answer.headers["Content-Type"], answer.read().decode()


def value(families: dict[str, Metric], name: str, **labels: str) -> float:
    """Return the sum of a family's samples that have these labels."""
    found = [one.value for one in families[f"busbench_{name}"].samples if labels.items() <= one.labels.items()]
    assert found, f"{name} has no sample with {labels}"
    return sum(found)


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    """One at a free port."""
    with Exporter("0") as found:
        yield found


def test_counters_and_gauges_of_a_trial(exporter: Exporter) -> None:
    """By target, workload and phase, with their units; counters are those that workers showed."""
    exporter.begin(PLANNED, 3, 24)
    for one in trial(5):
        exporter.live(replace(one, phase=Phase.WARM_UP if one.totals.due < 2 * RATE else Phase.MEASURE))
    pauses = np.array([[0, 0, 4 * NS_PER_MS], [1, 0, 2 * NS_PER_MS]], np.int64)
    exporter.live(live(6, pauses=pauses))
    found = scrape(exporter.url)
    cell = {"target": "rabbit", "workload": "steady"}
    assert value(found, "offered_messages", phase="warm-up", **cell) == 2 * RATE
    assert value(found, "offered_messages", phase="measure", **cell) == 4 * RATE
    assert value(found, "received_messages", **cell) == value(found, "settled_messages", **cell) == 6 * RATE - 3
    assert value(found, "broker_cpu_seconds") == pytest.approx(0.5 * 6.2)
    assert value(found, "client_cpu_seconds") == pytest.approx(0.25 * 6.2)
    assert value(found, "host_away_seconds") == pytest.approx(0.006)
    assert value(found, "host_pauses") == 2
    assert value(found, "host_longest_pause_seconds") == pytest.approx(0.004)
    assert value(found, "latency_seconds", quantile="0.5", phase="measure") == pytest.approx(0.0004)
    assert value(found, "latency_seconds", quantile="0.99") == pytest.approx(0.002)
    assert value(found, "backlog_messages") == 3
    assert value(found, "resident_memory_bytes", side="broker") == 1 << 30
    assert value(found, "phase_left_seconds") == 18
    assert (value(found, "trial_number"), value(found, "planned_trials")) == (3, 24)
    for name, family in found.items():
        assert family.documentation.endswith(".")
        assert name == "busbench_trial_number" or (family.unit and name.endswith(f"_{family.unit}"))


def test_counters_go_on_and_gauges_do_not(exporter: Exporter) -> None:
    """The next trial of the same cell adds to them; between trials there is no latency; trials are counted."""
    record = TrialRecord.model_construct(target="rabbit", workload="steady", health=(), outcome="completed")
    for number in (1, 2):
        exporter.begin(PLANNED, number, 2)
        for one in trial(2):
            exporter.live(one)
        exporter.end(record)
        found = scrape(exporter.url)
        assert value(found, "received_messages") == number * (2 * RATE - 3)
        assert value(found, "finished_trials") == number
        assert "busbench_latency_seconds" not in found


def test_what_is_not_known_is_absent(exporter: Exporter) -> None:
    """Before a run; a broker on another host; a second without messages; a host without a meter."""
    assert value(scrape(exporter.url), "trial_number") == 0
    exporter.begin(PLANNED, 1, 1)
    for one in trial(2):
        sample = replace(one.sample, broker_cpu_s=None, broker_rss=None)
        totals = replace(one.totals, p50_ns=0, p99_ns=0)
        exporter.live(replace(one, sample=sample, totals=totals, metered_cpus=0, left_ns=None))
    found = scrape(exporter.url)
    for name in (
        "broker_cpu_seconds", "host_away_seconds", "host_pauses", "latency_seconds", "host_longest_pause_seconds",
        "phase_left_seconds",
    ):  # fmt: skip
        assert found[f"busbench_{name}"].samples == []
    assert {one.labels["side"] for one in found["busbench_resident_memory_bytes"].samples} == {"client"}


def test_it_ends() -> None:
    """Nobody listens afterwards, and the port can be had again."""
    with Exporter("127.0.0.1:0") as found:
        url = found.url
        assert url.startswith("http://127.0.0.1:")
    with pytest.raises(ConnectionRefusedError):
        get(url)
    with Exporter(str(urlsplit(url).port)) as again:
        assert again.url == url


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("9464", "127.0.0.1", 9464),
        ("127.0.0.1:9464", "127.0.0.1", 9464),
        ("localhost:0", "localhost", 0),
        ("0.0.0.0:9464", "0.0.0.0", 9464),  # noqa: S104  (it is given explicitly)
        ("[::1]:9464", "::1", 9464),
        ("bench.example:65535", "bench.example", 65535),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    """A port alone is on loopback; what others can reach must be written out."""
    assert parse(text) == (host, port)


@pytest.mark.parametrize(
    "text",
    ["", "x", ":9464", "127.0.0.1", "127.0.0.1:", "1:2:3", "h:65536", "-1", "http://h:1", "h:1/", "h:９", "a b:1"],
)
def test_what_is_no_address(text: str) -> None:
    """One message that says how to write it."""
    with pytest.raises(AddressError, match="is no address: write HOST:PORT, or PORT for"):
        parse(text)


def test_an_address_that_cannot_be_had() -> None:
    """In use, or of no host here: what the system says, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressError, match=rf"^{port}: Address already in use: name another"):
            Exporter(str(port))
    with pytest.raises(AddressError, match=r"^192\.0\.2\.1:0: Cannot assign requested address"):
        Exporter("192.0.2.1:0")
