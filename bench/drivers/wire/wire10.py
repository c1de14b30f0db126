"""AMQP 1.0 through our own compiled codec: the driver `wire10`."""

from bench.drivers.base import DriverError, PortSpec
from bench.drivers.sockets.port import endpoint_of
from bench.drivers.wire.codec_tables import nowhere
from bench.drivers.wire.port import WirePort
from bench.drivers.wire.wire10_connection import Connection10
from bench.drivers.wire.wire10_tables import ClientTables10
from bench.host.clock import Clock, RealClock

_OPTION = "reattach"


def open_port(spec: PortSpec, clock: Clock) -> WirePort:
    """See `bench.drivers.base.Opener`."""
    return WirePort(spec, ClientTables10(spec, endpoint_of(spec), clock, _reattach(spec)), Connection10)


def warm() -> None:
    """Compile what is not compiled, or load it, without a broker: making tables does."""
    ClientTables10(*nowhere("amqp10"), RealClock())


def _reattach(spec: PortSpec) -> int:
    """Return the messages after which links of pre-settled senders are attached anew; 0 = never."""
    given = spec.options.get(_OPTION, "0")
    if not given.isdecimal():
        message = f"options.{_OPTION} = {given!r}: write a number of messages, such as 15000"
        raise DriverError(message)
    return int(given)
