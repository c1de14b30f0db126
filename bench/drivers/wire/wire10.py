"""AMQP 1.0 through our own compiled codec: the driver `wire10`."""

from dataclasses import replace

from bench.drivers.base import DriverError, PortSpec, ProducerLane, Refused, ReplyAddress
from bench.drivers.sockets.port import endpoint_of
from bench.drivers.wire.codec_tables import nowhere
from bench.drivers.wire.port import WirePort
from bench.drivers.wire.wire10_connection import Connection10
from bench.drivers.wire.wire10_tables import ClientTables10
from bench.host.clock import Clock, RealClock
from bench.wire.octets import STAMP

_OPTION = "reattach"


def open_port(spec: PortSpec, clock: Clock) -> WirePort:
    """See `bench.drivers.base.Opener`."""
    _check(spec)
    if spec.reply_size:
        spec = _answering(spec)
    return WirePort(spec, ClientTables10(spec, endpoint_of(spec), clock, _reattach(spec)), Connection10)


def warm() -> None:
    """Compile what is not compiled, or load it, without a broker: making tables does."""
    spec, endpoint = nowhere("amqp10")
    ClientTables10(_answering(replace(spec, reply_size=STAMP)), endpoint, RealClock())


def _answering(spec: PortSpec) -> PortSpec:
    """Return the port that answers: it has a producing lane of its own, without address, for all replies."""
    return replace(spec, producers=(ProducerLane(0, ""),), size=spec.reply_size, mix=None, route=None, confirm_window=0)


def _check(spec: PortSpec) -> None:
    """Look whether AMQP 1.0 can do what is asked for.

    Raises:
        Refused: it cannot.
    """
    consuming = spec.consuming
    if consuming.exclusive:
        raise Refused("consuming.exclusive: AMQP 1.0 has no exclusive consumers; use AMQP 0-9-1, or leave it out")
    if (consuming.reject or consuming.requeue) and not spec.ack_batch:
        raise Refused("consuming.reject and consuming.requeue need acknowledgements: set ack_batch from 1 on")
    if any(lane.queue == ReplyAddress.DIRECT for lane in spec.consumers):
        message = f"{ReplyAddress.DIRECT} is known to AMQP 0-9-1 alone: let the broker name a reply queue (dynamic)"
        raise Refused(message)
    for lane in spec.consumers:
        if lane.owned is not None and lane.queue != ReplyAddress.DYNAMIC:
            message = (
                f"queue {lane.queue!r}: over AMQP 1.0 a consumer cannot declare a queue of a name; use AMQP 0-9-1,"
                " declare it beforehand, or let the broker name it (a dynamic node)"
            )
            raise Refused(message)


def _reattach(spec: PortSpec) -> int:
    """Return the messages after which links of pre-settled senders are attached anew; 0 = never."""
    given = spec.options.get(_OPTION, "0")
    if not given.isdecimal():
        message = f"options.{_OPTION} = {given!r}: write a number of messages, such as 15000"
        raise DriverError(message)
    return int(given)
