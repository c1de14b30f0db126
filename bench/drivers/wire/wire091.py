"""AMQP 0-9-1 through our own compiled codec: the driver `wire091`."""

from bench.drivers.base import PortSpec
from bench.drivers.sockets.port import endpoint_of
from bench.drivers.wire.codec_tables import nowhere
from bench.drivers.wire.port import WirePort
from bench.drivers.wire.wire091_connection import Connection091
from bench.drivers.wire.wire091_tables import ClientTables091
from bench.host.clock import Clock, RealClock


def open_port(spec: PortSpec, clock: Clock) -> WirePort:
    """See `bench.drivers.base.Opener`."""
    return WirePort(spec, ClientTables091(spec, endpoint_of(spec), clock), Connection091)


def warm() -> None:
    """Compile what is not compiled, or load it, without a broker: making tables does."""
    ClientTables091(*nowhere("amqp091"), RealClock())
