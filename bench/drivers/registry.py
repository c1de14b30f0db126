"""The drivers there are, by name. A driver's client library is imported only when it is opened."""

from dataclasses import dataclass
from importlib import import_module, metadata
from typing import Literal, cast

from bench.clock import Clock
from bench.drivers.base import Opener, Port, PortSpec

Protocol = Literal["amqp091", "amqp10", "memory"]


@dataclass(frozen=True)
class Driver:
    """A driver: its protocol, and the module whose `open_port` opens it.

    `distribution` is the package whose version says what was measured with.
    """

    name: str
    protocol: Protocol
    description: str
    module: str | None
    distribution: str | None = None

    def client_version(self) -> str | None:
        """Return name and version of the client library, such as `pika 1.4.4`; None where there is none."""
        return f"{self.distribution} {metadata.version(self.distribution)}" if self.distribution else None


DRIVERS = {
    driver.name: driver
    for driver in (
        Driver("pika", "amqp091", "pika, asynchronous: what a Python application sees", "bench.drivers.pika", "pika"),
        Driver("wire091", "amqp091", "our compiled AMQP 0-9-1: drives a broker to its limit", "bench.drivers.wire091"),
        Driver(
            "proton",
            "amqp10",
            "Qpid Proton's engine without its event loop: what a Python application sees at best",
            "bench.drivers.proton",
            "python-qpid-proton",
        ),
        Driver("memory", "memory", "scripted in-memory broker on virtual time, exact and without noise", None),
    )
}


def driver_named(name: str) -> Driver:
    """Return a driver; raise ValueError, naming those there are, for an unknown one."""
    if name not in DRIVERS:
        message = f"{name!r} is no driver: choose {', '.join(DRIVERS)}"
        raise ValueError(message)
    return DRIVERS[name]


def open_port(name: str, spec: PortSpec, clock: Clock) -> Port:
    """Open a driver's port in this process.

    Raises:
        ValueError: an unknown driver, or the memory driver, which runs inline only.
        DriverError: see `bench.drivers.base`.
    """
    driver = driver_named(name)
    if driver.module is None:
        message = f"driver {name!r} runs inline, not in a worker process"
        raise ValueError(message)
    return cast("Opener", import_module(driver.module).open_port)(spec, clock)
