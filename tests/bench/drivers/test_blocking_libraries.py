"""Drivers over libraries that own their sockets, beside kombu: what they refuse before anything is sent."""

import socket

import pytest

from bench.drivers.base import ConnectionLost, PortSpec, ProducerLane, Refused
from bench.drivers.registry import driver_named, open_port
from bench.host.clock import RealClock
from brokers.endpoint import Endpoint, Protocol, Tls

DRIVERS = ("pika-blocking", "proton-blocking")


def spec(driver: str, port: int, tls: Tls | None = None) -> PortSpec:
    """Return one producer at a port of this host."""
    protocol: Protocol = "amqp091" if driver_named(driver).protocol == "amqp091" else "amqp10"
    at = Endpoint(protocol, "127.0.0.1", port, "/", None, "guest", "guest", tls=tls)
    return PortSpec(at, (ProducerLane(0, "q"),), (), 100)


@pytest.mark.parametrize("driver", DRIVERS)
def test_tls_is_refused_by_name(driver: str) -> None:
    """Nothing is connected to."""
    with pytest.raises(Refused, match=f"driver {driver} speaks neither TLS"):
        open_port(driver, spec(driver, 1, Tls(None)), RealClock())


@pytest.mark.parametrize("driver", ["pika-select", *DRIVERS])
def test_a_port_where_nothing_listens_is_no_refusal(driver: str) -> None:
    """It says what the kernel said, and asks whether the broker runs."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ConnectionLost, match=r"(?i)no broker answers at .*connection refused.*is it running"):
        open_port(driver, spec(driver, port), RealClock())
