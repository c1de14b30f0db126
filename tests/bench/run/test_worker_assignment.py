"""What a worker is told survives the pipe."""

from dataclasses import replace
from typing import Any

import pytest

from bench.loadgen.source import BEAT_NS
from bench.run.worker_assignment import GATHER_NS, Assignment
from bench.scenario.scenario import InFlightLoad, RateLoad, Workload
from brokers.endpoint import Endpoint, Tls

PLAIN = Endpoint("amqp10", "127.0.0.1", 5672, "/", "vhost:/", "ann", "secret", "/queues/")
SECURE = Endpoint(
    "amqp091", "b", 5671, "/", None, "", "", tls=Tls("ca.pem", "c.pem", None, "x", verify=False), sasl="external"
)


@pytest.mark.parametrize("endpoint", [PLAIN, SECURE, None])
def test_an_endpoint_arrives_as_it_was_sent(endpoint: Endpoint | None) -> None:
    """TLS and SASL included; the password is written into the pipe and into no representation."""
    work = Workload(name="w", load=RateLoad(kind="rate", rate=1_000.0), duration="1s")
    sent = Assignment(
        role="producer",
        worker=0,
        row=0,
        rows=2,
        driver="pika-codec",
        workload=work,
        route=work.laid_out("", ("q",), 1).flows[0],
        seed=1,
        endpoint=endpoint,
    )
    came = Assignment.model_validate_json(sent.model_dump_json())
    assert came == sent
    assert came.port_spec().endpoint == endpoint
    assert "secret" not in repr(came)


RATE, LOOP = RateLoad(kind="rate", rate=1_000.0), InFlightLoad(kind="in_flight", in_flight=(16,))
NO_TLS = replace(SECURE, tls=None, sasl="plain")


def task(role: str, endpoint: Endpoint | None = NO_TLS, driver: str = "wire091", **work: Any) -> Assignment:
    """Return a worker's part of a trial."""
    fields = {"name": "w", "load": RATE, "duration": "1s", "ack_batch": 1} | work
    return Assignment(
        role=role,  # type: ignore[arg-type]
        worker=0,
        row=0,
        rows=2,
        driver=driver,
        workload=(given := Workload.model_validate(fields)),
        route=given.laid_out("", ("q",), 1).flows[0],
        seed=1,
        endpoint=endpoint,
    )


@pytest.mark.parametrize(
    "without",
    [
        {"endpoint": SECURE},
        {"driver": "pika-codec"},
        {"driver": "memory", "endpoint": None},
        {"received_at": "read"},
        {"consumer_rate": 500.0, "prefetch": 10},
    ],
)
def test_the_kernel_is_asked_for_times_where_it_can_tell(without: dict[str, Any]) -> None:
    """Of compiled drivers over plain TCP, unless asked otherwise; only then need nobody hurry."""
    assert task("consumer").port_spec().kernel_times
    assert task("consumer").unhurried
    assert not task("consumer", **without).port_spec().kernel_times
    assert not task("consumer", **without).unhurried
    assert not task("consumer", load=LOOP, **without).unhurried


def test_who_keeps_a_schedule_is_punctual() -> None:
    """Producers of an open loop; those of a closed one have none."""
    assert not task("producer").unhurried
    assert task("producer", load=LOOP).unhurried


def test_nothing_is_gathered_that_somebody_waits_for() -> None:
    """Tokens of a closed loop, whatever its window; owed acknowledgements wait half as long as they may."""
    assert task("consumer").port_spec().gather_ns == BEAT_NS
    assert task("consumer", ack_batch=64).port_spec().gather_ns == GATHER_NS
    assert task("producer", ack_batch=64).port_spec().gather_ns == BEAT_NS
    assert task("consumer", consumer_rate=500.0, prefetch=10).port_spec().gather_ns == 0
    for window in (0, 8, 256):
        assert task("consumer", load=LOOP, confirm_window=window).port_spec().gather_ns == 0
