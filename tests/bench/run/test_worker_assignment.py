"""What a worker is told survives the pipe."""

import pytest

from bench.run.worker_assignment import Assignment
from bench.scenario.scenario import RateLoad, Workload
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
        queues=("q",),
        seed=1,
        endpoint=endpoint,
    )
    came = Assignment.model_validate_json(sent.model_dump_json())
    assert came == sent
    assert came.port_spec().endpoint == endpoint
    assert "secret" not in repr(came)
