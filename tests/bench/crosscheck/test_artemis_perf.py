"""Artemis perf: the command line that asks for the same load, and the JSON that it really writes."""

import json
from dataclasses import replace
from typing import Any

import pytest

from bench.crosscheck.artemis_perf import ArtemisPerf
from bench.crosscheck.peer import PeerError, PeerOutput
from bench.units import NS_PER_MS, NS_PER_S
from brokers.endpoint import Endpoint
from tests.crosschecks import RECORDED, job, workload

PEER = ArtemisPerf()
RABBITMQ = Endpoint("amqp10", "127.0.0.1", 5672, "/", "vhost:/", "guest", "secret", "/queues/")
BROKER_J = Endpoint("amqp10", "127.0.0.1", 5672, "default", "default", "guest", "secret")
EPOCH_NS = 1_795_552_000 * NS_PER_S


def option(arguments: tuple[str, ...], name: str) -> str:
    """Return the value after an option."""
    return arguments[arguments.index(name) + 1]


def recorded() -> list[dict[str, Any]]:
    """Return the samples of a real run: 3 s of warm-up, then two intervals."""
    samples: list[dict[str, Any]] = json.loads((RECORDED / "artemis.json").read_text())
    return samples


def test_the_load_is_asked_for() -> None:
    """The rate is that of all producers; window, prefetch, size and durability have their options."""
    work = workload(producers=2, consumers=3, prefetch=10, ack_batch=1, size=64, durable=True)
    words = PEER.java("/there", job(work, BROKER_J, "/report"))
    expected = {
        "--rate": "5000",
        "--max-pending": "256",
        "--message-size": "64",
        "--producers": "2",
        "--consumers": "3",
        "--warmup": "3",
        "--duration": "8",
        "--json": "/report",
    }
    assert {name: option(words, name) for name in expected} == expected
    assert "--persistent" in words
    assert "jms.prefetchPolicy.all=10" in option(words, "--url")


def test_a_warm_up_has_an_end_that_is_sampled() -> None:
    """One of a second may end without a sample, and nothing would say where the measured part begins."""
    short = replace(job(workload(), BROKER_J, "/report"), warm_up_s=1)
    words = PEER.java("/there", short)
    assert option(words, "--warmup") == "2"
    assert option(words, "--duration") == str(2 + short.measure_s + 1)


@pytest.mark.parametrize(
    ("endpoint", "vhost", "address"),
    [(RABBITMQ, "vhost%3A%2F", "queue:///queues/queue"), (BROKER_J, "default", "queue://queue")],
)
def test_each_broker_is_addressed_in_its_way(endpoint: Endpoint, vhost: str, address: str) -> None:
    """Virtual host and address are those that our drivers use."""
    words = PEER.java("/there", job(workload(ack_batch=1), endpoint))
    assert f"amqp.vhost={vhost}" in option(words, "--url")
    assert words[-1] == address


def test_a_closed_loop_has_no_rate_and_a_bound_each_producer() -> None:
    """Never an unbounded sender."""
    work = workload(load={"kind": "in_flight", "in_flight": [64]}, producers=2, ack_batch=0)
    words = PEER.java("/there", job(work, BROKER_J))
    assert option(words, "--max-pending") == "32"
    assert "--rate" not in words
    assert "presettleConsumers=true" in option(words, "--url")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"ack_batch": 64}, "ack_batch = 64"),
        ({"ack_batch": 1, "load": {"kind": "rate", "rate": 2.5}}, "load.rate = 2.5"),
        ({"ack_batch": 1, "load": {"kind": "rate", "rate": 5}, "producers": 2}, "load.rate = 5"),
        ({"ack_batch": 0, "queues": 2, "producers": 2, "consumers": 2}, "queues = 2"),
    ],
)
def test_what_it_cannot_do_is_refused(fields: dict[str, Any], field: str) -> None:
    """One sentence a field."""
    [refusal] = PEER.refusals(workload(**fields))
    assert refusal.startswith(f"{field}: ")


def test_the_measured_part_is_what_it_does_not_call_warm_up() -> None:
    """Of a real run: counts and edges of the intervals, percentiles of the summary."""
    found = PEER.read(PeerOutput([], json.dumps(recorded()), EPOCH_NS), job())
    assert found.received == 1978 + 2072
    assert found.from_ns == 780_123 * NS_PER_MS
    assert found.to_ns == 782_158 * NS_PER_MS
    assert found.received_per_s == pytest.approx(4050 / 2.035)
    assert found.sent_per_s == pytest.approx(1994, abs=2)
    assert (found.p50_ns, found.p99_ns) == (3_407_000, 114_175_000)


def test_intervals_beyond_the_measured_part_are_not_counted() -> None:
    """A measured part of one second is one interval."""
    found = PEER.read(PeerOutput([], json.dumps(recorded()), EPOCH_NS), job(workload(duration="1s")))
    assert found.received == 1978


@pytest.mark.parametrize("report", ["", "[]", "[{}]", "3"])
def test_a_missing_report_is_told(report: str) -> None:
    """What it printed is quoted."""
    with pytest.raises(PeerError, match=r"(?s)did not report the measured part.*refused"):
        PEER.read(PeerOutput([(0, "connection refused")], report, 0), job())


def test_a_failed_run_is_no_result() -> None:
    """It can end with exit code 0 and say that it failed."""
    samples = recorded()
    samples[-1]["result"] = "fail"
    with pytest.raises(PeerError, match="result fail"):
        PEER.read(PeerOutput([], json.dumps(samples), 0), job())


def test_measuring_begins_where_it_says_so() -> None:
    """Its lines name the phase."""
    assert PEER.measuring("--- warmup false ", job())
    assert not PEER.measuring("--- warmup true  ", job())
