"""AMQP 0-9-1 through our own compiled codec: the driver `wire091`."""

from collections.abc import Sequence

from bench.clock import Clock, RealClock
from bench.drivers.base import PortSpec
from bench.drivers.wire091_connection import Connection091
from bench.drivers.wire091_tables import ClientTables091
from bench.drivers.wire_codec import nowhere
from bench.drivers.wire_lanes import Lane
from bench.drivers.wire_port import WirePort


class _Codec(ClientTables091):
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
    return WirePort(spec, _Codec(spec, spec.endpoint, clock))


def warm() -> None:
    """Compile what is not compiled, or load it, without a broker: making tables does."""
    _Codec(*nowhere("amqp091"), RealClock())
