"""AMQP 0-9-1 through our own compiled codec: the driver `wire091`."""

from collections.abc import Sequence

from bench.drivers.base import PortSpec
from bench.drivers.wire.codec import nowhere
from bench.drivers.wire.lanes import Lane
from bench.drivers.wire.port import WirePort
from bench.drivers.wire.wire091_connection import Connection091
from bench.drivers.wire.wire091_tables import ClientTables091
from bench.host.clock import Clock, RealClock


class _Codec091(ClientTables091):
    """The tables, and the connections that use them."""

    def connect(self, index: int, lanes: Sequence[Lane]) -> Connection091:
        """Open a connection with these lanes."""
        return Connection091(self, index, lanes)


def open_port(spec: PortSpec, clock: Clock) -> WirePort:
    """Open every connection and lane of a worker.

    Raises:
        DriverError: see `bench.drivers.base`.
    """
    if spec.endpoint is None:
        message = "a driver over sockets needs an endpoint"
        raise ValueError(message)
    return WirePort(spec, _Codec091(spec, spec.endpoint, clock))


def warm() -> None:
    """Compile what is not compiled, or load it, without a broker: making tables does."""
    _Codec091(*nowhere("amqp091"), RealClock())
